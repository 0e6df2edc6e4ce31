#!/usr/bin/env python3
"""Settings by the pages, in headless Chromium: a NAT server range is previewed, applied, undone, applied and confirmed; a client changes place
by it; the file stays byte for byte but for its value; a stale edit is refused; an old version comes back. The doctor explains a capture."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import browser
import lab
import phones
import web_site
from captures import Capture, message, sdp
from web_test import log_in, looked_at, skip_without_chromium, well

FIELD = "textarea#setting-{}"
REMARK = "# Kept as it is: tabs\tand all.   \n\n[pinger]  # and this\n"


class Commented(web_site.WebSite):
    def write_config(self, **changes):
        super().write_config(**changes)
        self.config.write_text(self.config.read_text().replace("[pinger]\n", REMARK))


def field_of(page, key):
    """The field of a setting, found by the name that stands beside it."""
    page.wait(f"[...document.querySelectorAll('.setting code')].some((one) => one.textContent.endsWith('] {key}'))", f"the setting {key}")
    name = page.run(f"[...document.querySelectorAll('.setting')].find((one) => one.querySelector('code').textContent.endsWith('] {key}')).querySelector('textarea, input, select').id")
    return "#" + name


def place_of_carol(site):
    return [one["place"] for one in site.ask("natkit", "clients")["clients"] if one["aor"] == "sip:carol@example.com"]


def a_range_is_added(net):
    site = Commented(net).start()
    site.phone(site.wan_host(), "carol")
    before = site.config.read_bytes()
    chromium = site.open_browser()
    page, other = chromium.page(), chromium.page(own_cookies=True)
    for one in (page, other):
        log_in(one)
        one.wait("document.body?.dataset.ready === 'yes'")
        one.click("Network")
    field_of(other, "nat_servers")
    field = field_of(page, "nat_servers")
    page.see("LAN IPs", "NATed IP", "NAT Server IP", "[network] nat_servers")
    looked_at(net, page, "network")

    page.fill(field, "203.0.113.300")
    page.click("Preview")
    page.see("203.0.113.300")
    lab.require(page.run(f"document.querySelector('{field}').getAttribute('aria-invalid')") == "true", "the field is said to be wrong")
    page.fill(field, "203.0.113.48-203.0.113.63  ; the office")
    page.click("Preview")
    page.see("Preview", "+nat_servers", "1 registered client of 1 would change place")
    below = page.run("[...document.querySelectorAll('main button')].find((one) => one.textContent === 'Apply').getBoundingClientRect().bottom - innerHeight")
    lab.require(below <= 0, f"what it would do is {below} pixels below what is seen")
    looked_at(net, page, "preview")
    lab.require(site.config.read_bytes() == before and place_of_carol(site) == ["wan"], "a preview changes nothing")

    # Applied, and undone: by whoever.
    page.click("Apply")
    page.see("Keep the change", "it is undone in")
    lab.wait_until(lambda: place_of_carol(site) == ["far-end"], "the client to change place")
    changed = site.config.read_bytes()
    lab.require(REMARK.encode() in changed, changed)
    lab.require(changed.replace(b'nat_servers = [\n    "203.0.113.48-203.0.113.63",  # the office\n]\n', b"") == before, "all else is as it was")
    page.wait(f"document.querySelector('{field}').value === '203.0.113.48-203.0.113.63  ; the office'", "the comment to be shown")
    well(page, "pending")
    other.wait("!document.getElementById('pending').hidden", "the other session to be told")
    other.see("Only the session that applied it can confirm it.")
    # What the other session has begun to write stays when the file changes beneath it.
    begun = field_of(other, "nated")
    other.fill(begun, "10.0.0.0/8")
    other.click("Undo it now")
    lab.wait_until(lambda: site.config.read_bytes() == before and place_of_carol(site) == ["wan"], "the change to be taken back")
    page.wait("document.getElementById('pending').hidden", "nothing to wait any more")
    page.see("it was not kept")
    other.wait("!document.getElementById('outcome').hidden", "the other session to be told")
    lab.require(other.run(f"document.querySelector('{begun}').value") == "10.0.0.0/8", "what was being written is gone")

    # Applied and confirmed; then its comment alone is another one.
    for wanted, line in (("203.0.113.48-203.0.113.63 ; the office", b'"203.0.113.48-203.0.113.63",  # the office'),
                         ("; since May\n203.0.113.48-203.0.113.63  ; home", b'# since May\n    "203.0.113.48-203.0.113.63",  # home')):
        field = field_of(page, "nat_servers")
        shown = json.dumps("" if "office" in wanted else "203.0.113.48-203.0.113.63  ; the office")
        page.wait(f"document.querySelector('{field}').value === {shown}", "the page to show what holds")
        page.fill(field, wanted)
        page.click("Preview")
        page.click("Apply")
        page.click("Keep the change")
        page.wait("document.getElementById('pending').hidden")
        lab.require(place_of_carol(site) == ["far-end"], "it stays")
        lab.require(b"nat_servers = [\n    " + line + b"\n]\n" in site.config.read_bytes(), site.config.read_text())
    return site, page, other, before


def whole_way(net):
    site, page, other, before = a_range_is_added(net)
    mine = site.session()
    stale = {"hash": "0" * 64, "changes": [{"section": "network", "key": "nat_servers", "reset": True}]}
    for path in ("/api/settings/preview", "/api/settings/apply"):
        answer = site.request("POST", path, json.dumps(stale).encode(), **mine)
        lab.require(answer.status == 409 and "changed meanwhile" in answer.json()["error"]["message"], answer)
    # The other session's page, whose file is edited by hand beneath it.
    other.click("Pinger")
    field = field_of(other, "udp_interval")
    site.config.write_bytes(site.config.read_bytes() + b"# by hand\n")
    other.fill(field, "30s")
    other.click("Preview")
    other.see("the file was changed meanwhile")

    # Not for the pages to change.
    fresh = site.request("GET", "/api/settings", **mine).json()["hash"]
    for section, key, value in (("control", "socket", "/tmp/x"), ("registrar", "open", True), ("registrar", "users", "/etc/passwd"), ("web", "read_only", False),
                                ("daemon", "user", "root"), ("tls", "key", "/etc/shadow"), ("log", "target", "/etc/passwd")):
        body = {"hash": fresh, "changes": [{"section": section, "key": key, "value": value}]}
        answer = site.request("POST", "/api/settings/apply", json.dumps(body).encode(), **mine)
        lab.require(answer.status == 400, f"[{section}] {key}: {answer}")

    # What was at the beginning comes back, byte for byte.
    page.click("Registrar")
    page.click("Network")
    versions = site.request("GET", "/api/settings/versions", **mine).json()["versions"]
    page.click(f"Bring back version {versions[-1]['version']}")
    page.click(f"Bring back version {versions[-1]['version']}", within="main > div > div[role=status]")
    page.click("Keep the change")
    page.wait("document.getElementById('pending').hidden")
    lab.require(site.config.read_bytes() == before and place_of_carol(site) == ["wan"], site.config.read_text())
    well(page, "versions")


def read_only(net):
    site = web_site.WebSite(net).start(web={"read_only": "true"})
    mine = site.session()
    told = site.request("GET", "/api/settings", **mine).json()
    lab.require(told["writable"] is False and "read-only" in told["why_not"], told)
    for path in ("/api/settings/apply", "/api/hangup", "/api/remove_client"):
        lab.require(site.request("POST", path, b"{}", **mine).status == 403, path)


def the_doctor(net):
    site = web_site.WebSite(net).start()
    capture = Capture()
    a, b = "203.0.113.9:5060", "203.0.113.20:5060"
    call = {"call_id": "<img/src=x/onerror=window.broken_in=1>"}
    capture.udp(0, a, b, message(f"INVITE sip:b@{b} SIP/2.0", vias=[a + ";branch=z9hG4bK1"], contact=a, body=sdp("203.0.113.9", 4000), **call))
    capture.udp(0.1, b, a, message("SIP/2.0 486 Busy Here", vias=[a + ";branch=z9hG4bK1"], to_tag="b", **call))
    evil = net.folder / "<script>x<.pcap"
    capture.save(evil)
    page = site.open_browser().page()
    log_in(page)
    page.wait("document.body?.dataset.ready === 'yes'")
    page.click("Doctor")
    page.wait("document.querySelector('#capture') !== null")
    looked_at(net, page, "doctor")
    page.choose_file("#capture", evil)
    page.see("Explained:")
    mine = site.session()
    lab.require(not page.console, page.console)

    def explain(content, more=b""):
        body = b""
        for name, value in (("csrf", mine["X_CSRF_Token"].encode()), ("capture", content)):
            body += b'--xyz\r\nContent-Disposition: form-data; name="' + name.encode() + b'"; filename="x"\r\n\r\n' + value + b"\r\n"
        return site.request("POST", "/doctor", body + b"--xyz--\r\n", **{**mine, "Content_Type": "multipart/form-data; boundary=xyz"})

    answer = explain(evil.read_bytes())
    lab.require(answer.status == 200 and b"486" in answer.body and b"<img/src" not in answer.body and "sandbox" in answer.head, answer)
    answer = explain(b"\0" * 1000)
    lab.require(answer.status in (200, 422), answer)
    # What is too much ends it, and nothing else: gzip of 8 GB of nothing.
    run = site.edge.run("bash", "-c", "head -c 600M /dev/zero | gzip -9 | head -c 30M > bomb.gz")
    lab.require(run.returncode in (0, 141), run)
    began = site.ask("natkit-web", "status")["pid"]
    answer = explain((net.folder / "bomb.gz").read_bytes())
    lab.require(answer.status in (200, 422), answer)
    lab.require(site.ask("natkit-web", "status")["pid"] == began, "it has died")
    lab.require(not site.edge.run("pgrep", "-f", "natclassify --").stdout, "none is left")


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    skip_without_chromium()
    lab.main(whole_way, read_only, the_doctor)
