#!/usr/bin/env python3
"""Ten pages are open while many calls speak: what that costs each program; natkit-web is killed meanwhile, and nobody on the phone notices:
no packet is lost, no REGISTER is asked twice. natkit starts it again, and the pages come back. 50 calls, 500 with NATKIT_LONG=1."""
# ctest: serial
import os
import pathlib
import selectors
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import web_site

PAGES = 10
CALLS = 500 if os.environ.get("NATKIT_LONG") == "1" else 50
SECONDS = 10  # that are measured
TICKS = os.sysconf("SC_CLK_TCK")
PROGRAMS = ("natkit", "mediarelay", "sipedge", "natpinger", "natkit-web")


class Page:
    """What an open page is to the server: a stream of events, and a list that is asked for every two seconds. As a page does, it begins anew
    when its connection ends."""

    def __init__(self, site, kind):
        self.site, self.kind, self.connection, self.session, self.events, self.due = site, kind, None, None, 0, 0.0

    def begin(self, session):
        self.session, self.connection = session, self.site.connect()
        self.connection.sendall(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {session['Cookie']}\r\n\r\n".encode())

    def end(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Pages(threading.Thread):
    def __init__(self, site, count):
        super().__init__()
        self.site, self.session, self.over, self.trouble = site, site.session(), False, None
        self.pages = [Page(site, kind) for kind in (("calls", "clients", None) * count)[:count]]
        self.logged_in = 1
        self.start()

    def run(self):
        try:
            while not self.over:
                self._turn()
        except BaseException as error:  # told by whoever waits
            self.trouble = error
        for page in self.pages:
            page.end()

    def _turn(self):
        with selectors.DefaultSelector() as ready:
            for page in self.pages:
                try:
                    if page.connection is None:
                        page.begin(self.session)
                    if page.kind and time.monotonic() >= page.due:
                        self._ask(page)
                    ready.register(page.connection, selectors.EVENT_READ, page)
                except OSError:
                    page.end()
            if not ready.get_map():
                return time.sleep(0.05)  # nobody listens at present
            for key, _ in ready.select(0.1):
                self._read(key.data)

    def _ask(self, page):
        page.due = time.monotonic() + 2
        session = self.session
        if self.site.request("GET", f"/api/{page.kind}", Cookie=session["Cookie"]).status == 401:
            self._log_in_again(session)

    def _log_in_again(self, session):
        """All pages are of one browser: its next login is the login of all."""
        if session is self.session:
            self.session, self.logged_in = self.site.session(), self.logged_in + 1

    def _read(self, page):
        try:
            chunk = page.connection.recv(1 << 20)
        except OSError:
            chunk = b""
        page.events += chunk.count(b"data: ")
        if chunk.startswith(b"HTTP/1.1 401"):
            self._log_in_again(page.session)
            chunk = b""
        if not chunk:
            page.end()

    def live(self, what):
        """Each page gets an event from now on, and another."""
        since = [page.events for page in self.pages]

        def all_live():
            lab.require(self.trouble is None, f"{what}: {self.trouble!r}")
            return all(page.events >= before + 2 for page, before in zip(self.pages, since))
        lab.wait_until(all_live, what, 60)

    def close(self):
        self.over = True
        self.join()


class Registering(threading.Thread):
    """A phone that registers again and again: how long each takes."""

    def __init__(self, people, site):
        super().__init__()
        self.phone, self.worst, self.count, self.over = people.phone(site.lan_host(), "prober", web_site.sites.LAN_EDGE), 0.0, 0, False
        self.start()

    def run(self):
        while not self.over:
            began = time.monotonic()
            self.phone.register()
            self.worst, self.count = max(self.worst, time.monotonic() - began), self.count + 1
            time.sleep(0.02)  # so many a second, not as many as it can

    def end(self):
        self.over = True
        self.join()
        return self.worst


def pids(site):
    status = site.status()
    return {"natkit": status["pid"], **{one["name"]: one["pid"] for one in status["components"] if "pid" in one}}


def restarts(site):
    return {one["name"]: one["restarts"] for one in site.status()["components"]}


def cpu(pid):
    """In seconds."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid):
    """Resident, in MB."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) // 1024


def measured(site, people, what):
    """What each program takes from now on, for some seconds of the calls' media."""
    of = pids(site)
    before, began, (_, heard) = {name: cpu(pid) for name, pid in of.items()}, time.monotonic(), people.lost()
    lab.wait_until(lambda: time.monotonic() - began >= SECONDS, "the seconds that are measured", SECONDS + 30)
    took = time.monotonic() - began
    packets = (people.lost()[1] - heard) / took
    told = ", ".join(f"{name} {100 * (cpu(of[name]) - before[name]) / took:.1f} % {memory(of[name])} MB" for name in PROGRAMS if name in of)
    print(f"  {len(people.calls)} calls, {packets:.0f} packets a second, {what}: {told}", flush=True)


def killed_while_many_speak(net):
    site = web_site.WebSite(net).start(sip={"log_level": '"failures"'}, media_proxy={"log_level": '"failures"'}, pinger={"log_level": '"failures"'})
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        measured(site, people, "no page")
        pages = Pages(site, PAGES)
        net.on_close(pages.close)
        pages.live("ten pages that are live")
        shown = site.request("GET", "/api/overview", **pages.session).json()
        lab.require(shown["status"]["calls"] == CALLS, shown["status"])
        # Each phone speaks five times a second; the machine may be slow.
        lab.require(shown["status"]["packets_a_second"] > CALLS, shown["status"])
        measured(site, people, f"{PAGES} pages")

        before, lost = pids(site), people.lost()[0]
        registering = Registering(people, site)
        lab.wait_until(lambda: registering.count >= 20, "some REGISTER")
        os.kill(before["natkit-web"], signal.SIGKILL)
        site.wait_pages()
        pages.live("the pages to come back")
        people.wait_audio("the calls, with natkit-web killed and back")
        worst, registered = registering.end(), registering.count
        after = pids(site)
        lab.require(after.pop("natkit-web") != before.pop("natkit-web") and after == before, f"{before} before, {after} after")
        lab.require(restarts(site) == {"mediarelay": 0, "sipedge": 0, "natpinger": 0, "natkit-web": 1}, restarts(site))
        lab.require(people.lost()[0] == lost == 0, f"{people.lost()[0]} packets lost, {lost} of them before")
        lab.require(not [p.user for p in people.phones if p.ended], "a call has ended")
        lab.require(worst < 0.5, f"a REGISTER took {worst:.3f} s: a phone asks again after 0.5 s")
        lab.require(pages.logged_in == 2, f"logged in {pages.logged_in} times")  # a session ends with natkit-web
        print(f"  killed: 0 of {people.lost()[1]} packets lost; {registered} REGISTER, the slowest took {1000 * worst:.0f} ms")
        pages.close()
        people.hang_up()


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    lab.main(killed_while_many_speak)
