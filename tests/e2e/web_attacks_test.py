#!/usr/bin/env python3
"""What strangers try at the pages: requests of other sites and for other names, without a session, larger and slower than they may be; markup
in what phones say of themselves; a thousand idle connections; thousands of wrong passwords. Nothing gets in, and calls and control sockets
do not notice."""
import os
import pathlib
import re
import selectors
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import browser
import lab
import phones
import raw_sip
import web_site

MARKUP = "<img/src=x/onerror=window.broken_in=1>"
ASKING = ("/api/session", "/api/overview", "/api/events", "/api/clients", "/api/calls", "/api/call?id=1", "/api/path.svg?id=1", "/api/log",
          "/api/settings", "/api/settings/versions")
CHANGING = ("/api/settings/preview", "/api/settings/apply", "/api/settings/confirm", "/api/settings/undo", "/api/settings/restore", "/api/hangup",
            "/api/remove_client")


def refused(what, answer, *wanted):
    lab.require(answer.status in wanted, f"{what}: {answer}")
    lab.require("default-src 'none'" in answer.head or answer.status in (0, 400, 411, 413, 414, 431), f"{what} without a policy: {answer}")


def requests_of_strangers(net):
    site = web_site.WebSite(net).start()
    mine = site.session()
    lab.require(site.request("GET", "/api/calls", **mine).json() == {"calls": []}, "a session sees calls")

    for path in ASKING:
        refused(f"{path} without a session", site.request("GET", path), 401)
        refused(f"{path} with a cookie that is none", site.request("GET", path, Cookie="natkit_session=" + "0" * 64), 401)
    for path in CHANGING:
        refused(f"{path} without a session", site.request("POST", path, b"{}"), 401)
    refused("the doctor without a session", site.request("POST", "/doctor", b"x"), 401)

    # Another site's page, in the browser of somebody who has logged in: it has the cookie, were it not for SameSite, and no token.
    for path in CHANGING:
        refused(f"CSRF, {path}", site.request("POST", path, b"{}", **{**mine, "X_CSRF_Token": None}), 403)
        refused(f"CSRF, {path}", site.request("POST", path, b"{}", **{**mine, "X_CSRF_Token": "0" * 64}), 403)
        refused(f"another origin, {path}", site.request("POST", path, b"{}", **{**mine, "Origin": "http://evil.example"}), 403)
        refused(f"no origin, {path}", site.request("POST", path, b"{}", **{**mine, "Origin": None}), 403)
        refused(f"another site, {path}", site.request("POST", path, b"{}", **mine, Sec_Fetch_Site="cross-site"), 403)
        refused(f"no such method, {path}", site.request("GET", path, **mine), 404)
    refused("log in from elsewhere", site.log_in(Origin="http://evil.example"), 403)
    boundary = {**mine, "Content_Type": "multipart/form-data; boundary=x"}
    form = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\nabc\r\n--x--\r\n'
    refused("the doctor, CSRF", site.request("POST", "/doctor", form % b"capture", **boundary), 403)
    refused("the doctor, CSRF", site.request("POST", "/doctor", form % b"csrf", **boundary), 403)

    # DNS rebinding: the browser believes that evil.example is here.
    for path in ("/", "/login", "/api/calls", "/assets/app.js"):
        refused("rebinding", site.request("GET", path, **{**mine, "Host": "evil.example:8080"}), 421)
    refused("no Host", site.request("GET", "/login", Host=None), 400, 421)

    for path in ("/assets/../../../../etc/passwd", "/assets/..%2f..%2fetc%2fpasswd", "/../etc/passwd", "//etc/passwd", "/assets/%00", "/assets//etc/passwd",
                 "/assets/", "/%2e%2e/web.users", "/web.users", "/api/calls/..", "/assets/app.js%00.css"):
        answer = site.request("GET", path, **mine)
        refused(path, answer, 404, 400)
        lab.require(b"root:" not in answer.body and b"scrypt" not in answer.body, answer)

    refused("a huge head", site.request("GET", "/login", X_Long="a" * 100_000), 0, 400, 413, 431)
    refused("a huge path", site.request("GET", "/" + "a" * 100_000), 0, 400, 414, 431)
    refused("a huge password", site.request("POST", "/login", b"a" * 100_000), 413)
    refused("33 MB", site.request("POST", "/doctor", b"", **{**boundary, "Content-Length": 33 << 20}), 413)
    refused("a length that is none", site.request("POST", "/login", b"", **{"Content-Length": "-1"}), 0, 400, 413)
    refused("no length", site.request("POST", "/login", b"5\r\nuser=\r\n0\r\n\r\n", Content_Length=None, Transfer_Encoding="chunked"), 411)
    refused("no JSON", site.request("POST", "/api/hangup", b"[1", **mine), 400)
    refused("deep JSON", site.request("POST", "/api/settings/preview", b"[" * 100_000, **mine), 400)
    lab.require(site.request("GET", "/api/calls", **mine).status == 200, "it goes on")
    lab.require(site.ask("natkit-web", "status")["pid"] == [c for c in site.status()["components"] if c["name"] == "natkit-web"][0]["pid"], "it did not die")


def streams_of_sessions_that_are_over(net):
    """Live events end with their session: who has logged out, or whose password is another one, sees nothing more."""
    site = web_site.WebSite(net).start(users=("admin", "bob"))

    def watching(session):
        connection = site.connect()
        connection.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {session['Cookie']}\r\n\r\n".encode())
        return connection

    def events_until(connection, done):
        """Reads on until `done` of all that came; whether the stream goes on."""
        came = b""
        while not done(came):
            chunk = connection.recv(1 << 16)
            if not chunk or chunk.endswith(b"0\r\n\r\n"):
                return False
            came += chunk
        return True

    several = lambda came: came.count(b"data: ") >= 3
    leaver, changed, stays = site.session(), site.session("bob"), site.session()
    streams = [watching(one) for one in (leaver, changed, stays)]
    lab.require(all(events_until(one, several) for one in streams), "all are told")
    lab.require(site.request("POST", "/logout", **leaver).status == 303, "log out")
    done = site.edge.run(lab.PROGRAMS / "natkit", "web", "passwd", "bob", "--config", site.config, stdin="another one\n")
    lab.require(done.returncode == 0, done)
    for one, why in ((streams[0], "logged out"), (streams[1], "another password")):
        lab.require(not events_until(one, lambda came: came.count(b"data: ") > 5), f"{why}: the events go on")
    lab.require(events_until(streams[2], several), "the others go on")
    for one in streams:
        one.close()


def markup_of_phones(net):
    """What phones say of themselves is text: in the tables, the log, the picture."""
    if not browser.installed():
        return
    site = web_site.WebSite(net).start()
    page = site.open_browser().page()
    page.open(web_site.URL + "/")
    page.fill("#user", "admin")
    page.fill("#password", web_site.PASSWORD)
    page.click("Log in")
    page.wait("document.body?.dataset.ready === 'yes'")
    evil = raw_sip.Party(site.lan_host(), f"{web_site.sites.LAN_EDGE}:5060")
    bob = site.phone(site.lan_host(), "bob", answer="auto")
    named = f'From: "{MARKUP}" <'
    for text in (evil.request("REGISTER", "sip:example.com", to=f"<{evil.aor}>", call_id="reg" + MARKUP, headers=[f"User-Agent: {MARKUP}"]),
                 evil.request("INVITE", "sip:bob@example.com", call_id="call" + MARKUP, headers=[f"User-Agent: {MARKUP}"], body=evil.sdp())):
        evil.send(text.replace("From: <", named))
        lab.wait_until(lambda: (evil.receive() or "").startswith("SIP/2.0 200"), "a 200")
    page.click("Clients")
    page.see("sip:mallory@example.com", MARKUP)
    page.click("Calls")
    page.see("mallory")
    page.run("[...document.querySelectorAll('tbody a')].find((one) => one.textContent.includes('mallory')).click()")
    page.see("call" + MARKUP, "Relay legs")
    page.click("Log")
    page.see("call" + MARKUP)
    lab.require(not page.run("'broken_in' in window") and not page.run("document.querySelectorAll('img[src=x]').length"), "markup ran")
    lab.require(not [one for one in page.console if "favicon" not in one and "path.svg" not in one], page.console)
    site.natkit.wait_line("mallory")
    bob.stop()


class Meter:
    """How long natkit's control socket takes to answer, all the while."""

    def __init__(self, site):
        self.site, self.worst, self.count, self.over = site, 0.0, 0, False
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        while not self.over:
            began = time.monotonic()
            self.site.ask("sipedge", "status")
            self.site.ask("mediarelay", "status")
            self.worst, self.count = max(self.worst, time.monotonic() - began), self.count + 1

    def end(self):
        self.over = True
        self.thread.join()
        return self.worst


def crowds(net):
    site = web_site.WebSite(net).start(users=("admin", "bob"))
    mine = site.session()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "carol")
    phones.call(a, b)
    phones.hear_each_other(a, b)
    pid = site.ask("natkit-web", "status")["pid"]
    meter = Meter(site)

    idle = [site.connect() for _ in range(1000)]
    slow = [site.connect() for _ in range(100)]
    for one in slow:
        one.sendall(b"GET /login HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
    lab.wait_until(lambda: site.ask("natkit-web", "status")["connections"] >= 1100, "all connections to be there")
    began = time.monotonic()
    lab.require(site.request("GET", "/api/calls", **mine).json()["calls"][0]["from"] == "sip:alice@example.com", "the pages are served")
    lab.require(time.monotonic() - began < 2, "at once")
    memory = rss(pid)

    # Wrong passwords, by ten at a time: after five the source waits.
    statuses = {}
    began = time.monotonic()
    guesses = 10_000 if os.environ.get("NATKIT_LONG") == "1" else 2000

    def guess(count):
        for _ in range(count):
            status = site.log_in("admin", "wrong horse").status
            statuses[status] = statuses.get(status, 0) + 1

    guessers = [threading.Thread(target=guess, args=(guesses // 10,)) for _ in range(10)]
    for one in guessers:
        one.start()
    for one in guessers:
        one.join()
    took = time.monotonic() - began
    lab.require(set(statuses) <= {403, 429} and sum(statuses.values()) == guesses, statuses)
    # Five are free, four at a time may be under way, and each second or more has one.
    lab.require(statuses[403] <= 10 + took, f"{statuses} in {took:.1f} s")
    # He who has logged in by this browser is not slowed by them, though they come from his own address.
    answer = site.log_in("admin", Cookie=mine["Cookie"])
    lab.require(answer.status == 303, answer)
    lab.require(site.request("GET", "/api/session", **mine).json()["user"] == "admin", "sessions go on")

    # Who is silent, or slow, is cut off.
    with selectors.DefaultSelector() as ready:
        for one in (idle[0], slow[0]):
            ready.register(one, selectors.EVENT_READ)
        lab.wait_until(lambda: len(ready.select(0)) == 2, "the idle and the slow to be cut off")
    lab.wait_until(lambda: site.ask("natkit-web", "status")["connections"] < 50, "nobody to be left")
    worst = meter.end()
    lab.require(worst < 1, f"the control sockets took {worst:.3f} s")
    # What was lost is what a phone did not hear of what the other said.
    heard, said = len(a.heard()), len(b.said())
    lab.require(said - heard < 25 and heard > 100, f"heard {heard} of {said}")
    phones.hear_each_other(a, b)
    lab.require(site.ask("natkit-web", "status")["pid"] == pid, "natkit-web has died")
    print(f"  1,100 connections: natkit-web {memory} MB; {guesses} guesses in {took:.1f} s: {statuses}; control sockets at worst "
          f"{1000 * worst:.0f} ms in {meter.count} looks; {said - heard} packets on their way")
    for one in (*idle, *slow):
        one.close()


def rss(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) // 1024


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    lab.main(requests_of_strangers, streams_of_sessions_that_are_over, markup_of_phones, crowds)
