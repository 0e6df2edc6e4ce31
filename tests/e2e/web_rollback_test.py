#!/usr/bin/env python3
"""A change of the settings that nobody confirms, in headless Chromium: natkit puts the file back after its 60 seconds, byte for byte, and the
page says so; the same where natkit-web has died meanwhile, with all of its sessions: then nobody can confirm it, and anybody may undo it."""
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import web_site
from web_settings_test import Commented, field_of, place_of_carol
from web_test import log_in, looked_at, skip_without_chromium, well

LIMIT = 60
FIELD_VALUE = "203.0.113.48-203.0.113.63  ; the office"


def apply(site, page):
    """A range is added by the page; when that was, and the file before."""
    before = site.config.read_bytes()
    log_in(page)
    page.wait("document.body?.dataset.ready === 'yes'")
    page.click("Network")
    page.fill(field_of(page, "nat_servers"), FIELD_VALUE)
    page.click("Preview")
    page.see("1 registered client of 1 would change place")
    began = time.monotonic()
    page.click("Apply")
    page.see("Keep the change", "it is undone in")
    lab.wait_until(lambda: place_of_carol(site) == ["far-end"], "the client to change place")
    lab.require(b"the office" in site.config.read_bytes(), "the file has it")
    return began, before


def put_back(site, page, began, before):
    """What the page shows, second by second, and the file when the time is over."""
    count = "Number(document.querySelector('#pending b').textContent)"
    page.wait(f"{count} <= {LIMIT - 5} && {count} > 0", "the seconds to be counted")
    lab.require(site.config.read_bytes() != before, "it waits for its confirmation")
    page.wait("document.getElementById('pending').hidden && !document.getElementById('outcome').hidden", "the page to say that it is undone", LIMIT + 30)
    took = time.monotonic() - began
    lab.require(LIMIT <= took < LIMIT + 20, f"undone after {took:.1f} s")
    page.see("network.nat_servers, by admin: it was not kept.")
    lab.require(site.config.read_bytes() == before, site.config.read_text())
    lab.wait_until(lambda: place_of_carol(site) == ["wan"], "the client to be where it was")
    page.wait(f"document.querySelector('{field_of(page, 'nat_servers')}').value === ''", "the page to show what holds")
    page.see("undone")


def nobody_confirms(net):
    site = Commented(net).start()
    site.phone(site.wan_host(), "carol")
    page = site.open_browser().page()
    began, before = apply(site, page)
    put_back(site, page, began, before)
    looked_at(net, page, "undone")
    page.click("Close")
    page.wait("document.getElementById('outcome').hidden")


def natkit_web_dies(net):
    site = Commented(net).start()
    site.phone(site.wan_host(), "carol")
    page = site.open_browser().page()
    began, before = apply(site, page)
    os.kill(site.ask("natkit-web", "status")["pid"], signal.SIGKILL)
    site.wait_pages()
    page.wait("location.pathname === '/login'", "the page to ask for the password")
    page.console.clear()
    log_in(page)
    page.wait("document.body?.dataset.ready === 'yes'")
    page.click("Network")
    page.see("Only the session that applied it can confirm it.", "it is undone in")
    well(page, "another session's change")
    mine = site.session()
    answer = site.request("POST", "/api/settings/confirm", b"{}", **mine)
    lab.require(answer.status == 409 and "another session" in answer.json()["error"]["message"], answer)
    put_back(site, page, began, before)
    versions = site.request("GET", "/api/settings/versions", **mine).json()["versions"]
    lab.require(versions[0]["state"] == "undone", versions)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    skip_without_chromium()
    lab.main(nobody_confirms, natkit_web_dies)
