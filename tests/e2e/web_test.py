#!/usr/bin/env python3
"""The pages of natkit-web in headless Chromium: log in, watch a call appear while phones call, its path and counters, clients, the log;
a call is ended and a client removed; pictures light, dark and narrow; axe-core finds nothing serious, the console has no error, and no other host is asked."""
import os
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import browser
import lab
import phones
import web_site

PICTURES = os.environ.get("NATKIT_PICTURES")  # a folder to keep them in


def skip_without_chromium():
    if not browser.installed():
        print("skipped: chromium is not installed (tools/packages.txt, section test)")
        sys.exit(77)


def log_in(page, password=web_site.PASSWORD):
    page.open(web_site.URL + "/")
    page.fill("#user", "admin")
    page.fill("#password", password)
    page.click("Log in")


def well(page, where):
    """Nothing that a person or a program would complain about."""
    lab.require(not page.console, f"{where}: the console says {page.console}")
    strangers = [one for one in page.asked if not one.startswith((web_site.URL, "about:", "data:"))]
    lab.require(not strangers, f"{where}: asks {strangers}")
    if source := web_site.axe():
        found = page.complaints(source)
        lab.require(not found, f"{where}: axe-core finds {found}")


def looked_at(net, page, name):
    """Light, dark and on a telephone; nothing is wider than the screen."""
    taken = []
    for kind, look in (("light", {}), ("dark", {"dark": True}), ("narrow", {"width": 390, "height": 844})):
        page.look(**look)
        taken.append(page.picture(pathlib.Path(PICTURES or net.folder) / f"{name}-{kind}.png"))
        wide = page.run("document.documentElement.scrollWidth - innerWidth")
        lab.require(wide <= 0, f"{name}, {kind}: {wide} pixels wider than the screen")
        if kind != "narrow":
            well(page, f"{name}, {kind}")
    page.look()
    lab.require(len(set(taken)) == 3 and all(len(one) > 5000 for one in taken), f"{name}: pictures of {[len(one) for one in taken]} bytes")


def a_call_appears(net):
    site = web_site.WebSite(net).start()
    page = site.open_browser().page()
    page.open(web_site.URL + "/")
    lab.require(page.run("location.pathname") == "/login", "nobody comes in without a password")
    looked_at(net, page, "login")
    log_in(page, "wrong horse")
    page.see("do not belong together")
    page.console.clear()  # of the 403
    log_in(page)
    page.wait("document.body?.dataset.ready === 'yes'")
    page.see("Components", "mediarelay", "natkit-web", "running")
    cookies = page.cookies()
    lab.require(cookies["natkit_session"]["httpOnly"] and cookies["natkit_session"]["sameSite"] == "Strict", cookies)

    # By the keyboard alone: the first stop is the way past the navigation.
    page.press("Tab")
    lab.require(page.run("document.activeElement.textContent") == "Skip to the content", page.run("document.activeElement.outerHTML"))

    page.click("Calls")
    page.see("There is no call.")
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")
    phones.call(a, b)
    page.see("sip:alice@example.com", "sip:bob@example.com", "one party is on the LAN and the other is not")
    looked_at(net, page, "calls")
    page.fill("input[type=search]", "nobody like that")
    page.see("Nothing fits the search.")
    page.fill("input[type=search]", "ALICE")
    page.click("sip:alice@example.com")
    page.see("Relay legs", "192.168.10.20", "an address in nated")
    page.wait("(() => { const image = document.querySelector('img.picture'); return image && image.complete && image.naturalWidth > 100; })()", "the picture of the path")
    packets = "Number(document.querySelector('tbody tr td.number').textContent)"
    page.wait(f"{packets} > 10")
    seen = page.run(packets)
    page.wait(f"{packets} > {seen}", "counters that go on")
    looked_at(net, page, "call")
    page.click("Clients")
    page.see("sip:bob@example.com", "an address in nated")
    looked_at(net, page, "clients")
    page.click("Log")
    page.see("NATKIT", "SIPEDGE", "MEDIAPROXY", "logged in")
    well(page, "log")
    page.click("Overview")
    page.wait("[...document.querySelectorAll('.tiles li')].some((one) => one.textContent === 'Calls1')", "one call in the overview")
    page.wait("[...document.querySelectorAll('.tiles li')].some((one) => /^Packets a second[1-9]/.test(one.textContent))", "packets in the overview")
    looked_at(net, page, "overview")

    # Killed in the call: the phones hear each other, and the pages come back by themselves.
    heard = len(a.heard())
    os.kill(site.ask("natkit-web", "status")["pid"], signal.SIGKILL)
    lab.wait_until(lambda: len(a.heard()) > heard + 50, "media to go on")
    site.wait_pages()
    page.console.clear()
    page.wait("location.pathname === '/login' || document.body?.dataset.ready === 'yes'")
    log_in(page)
    page.wait("document.body?.dataset.ready === 'yes'")

    # Ended, and removed: asked first.
    page.click("Calls")
    page.click("sip:alice@example.com")
    a.forget()
    page.click("End this call")
    page.click("Cancel", within="dialog")
    page.wait("!document.querySelector('dialog')")
    page.click("End this call")
    page.click("End the call", within="dialog")
    a.wait_event("CALL_CLOSED")
    page.see("There is no call.")
    page.click("Clients")
    page.click("Remove sip:bob@example.com")
    page.click("Remove the client", within="dialog")
    page.wait("!document.querySelector('tbody').innerText.includes('bob')", "bob to be gone")
    lab.require([one["aor"] for one in site.ask("natkit", "clients")["clients"]] == ["sip:alice@example.com"], "bob is removed")
    site.natkit.wait_line(r"admin \(127.0.0.1\)")
    page.console.clear()
    page.click("Log out")
    page.wait("location.pathname === '/login'")
    lab.require("natkit_session" not in page.cookies(), page.cookies())


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    skip_without_chromium()
    lab.main(a_call_appears)
