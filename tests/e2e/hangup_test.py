#!/usr/bin/env python3
"""An operator ends calls and removes clients; the phones agree. And finds them by user and address."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones
from site_of_phones import natkit


def records(site, *arguments):
    return [json.loads(line) for line in natkit(site, *arguments).stdout.splitlines()]


def closed(*both):
    """Both phones say that the call is over."""
    for phone in both:
        phone.wait_event("CALL_CLOSED")


def calls_are_ended(net):
    site = site_of_phones.Site(net).start()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")
    for restarted in (False, True):
        phones.call(a, b)
        phones.hear_each_other(a, b)
        (call,) = records(site, "calls")
        if restarted:  # what it needs of the dialog outlives sipedge
            site.kill_worker("sipedge")
            lab.wait_until(lambda: site.status()["calls"] == 1, "the call is taken up")
        natkit(site, "hangup", call["call_id"])
        closed(a, b)
        lab.require(site.status()["calls"] == 0, "the call is still there")
        site.wait_nothing_left()
    site.natkit.wait_line(r"call .*: hung up by root", again=True)
    lab.require("no such call" in natkit(site, "hangup", call["call_id"], status=1).stderr, "it was ended twice")
    # Both found the BYE to be of their call.
    answers = [text for datagram, text in (*site.on_lan.sip(), *site.on_wan.sip()) if text.startswith("SIP/2.0") and " BYE\r\n" in text]
    lab.require(len(answers) == 4 and all(text.startswith("SIP/2.0 200") for text in answers), f"answers to BYE: {answers}")
    site.natkit.stop()


def a_call_that_rings_is_ended(net):
    site = site_of_phones.Site(net).start()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")
    a.dial("sip:bob@example.com")
    b.wait_event("CALL_INCOMING")
    lab.wait_until(lambda: records(site, "calls"), "the call")
    a.wait_event("CALL_RINGING")
    natkit(site, "hangup", records(site, "calls")[0]["call_id"])
    closed(a, b)
    lab.wait_until(lambda: site.status()["calls"] == 0, "the call to be over")
    site.wait_nothing_left()
    site.natkit.stop()


def those_that_are_asked_for(net):
    site = site_of_phones.Site(net).start()
    a, b, c = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob"), site.phone(site.wan_host(), "carol")
    phones.call(a, b)
    for arguments, count in ((("--user", "bob"), 1), (("--user", "Alice@example.com"), 1), (("--user", "carol"), 0), (("--user", "ali"), 0),
                             (("--address", "203.0.113.30"), 1), (("--address", "192.168.10.0/24"), 1), (("--address", "203.0.113.50"), 0),
                             (("--user", "alice", "--address", "203.0.113.30-203.0.113.39"), 1)):
        found = records(site, "calls", *arguments)
        lab.require(len(found) == count, f"calls {arguments}: {found}")
    for arguments, names in ((("--user", "bob"), ["bob"]), (("--address", "203.0.113.0/24"), ["bob", "carol"]), (("--address", "10.0.0.0/8"), [])):
        found = sorted(one["aor"].removeprefix("sip:").partition("@")[0] for one in records(site, "clients", *arguments))
        lab.require(found == names, f"clients {arguments}: {found}")
    natkit(site, "calls", "--address", "nowhere", status=2)
    # A client that is removed is called no more; its calls go on.
    natkit(site, "clients", "--remove", "sip:bob@example.com")
    site.natkit.wait_line(r"client bob@example\.com at .* removed: by root", again=True)
    lab.require(site.status()["clients"] == 2 and site.status()["calls"] == 1, str(site.status()))
    lab.require("no such client" in natkit(site, "clients", "--remove", "bob@example.com", status=1).stderr, "removed twice")
    phones.hang_up(a, b)
    c.dial("sip:bob@example.com")
    c.wait_event("CALL_CLOSED")
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(calls_are_ended, a_call_that_rings_is_ended, those_that_are_asked_for)
