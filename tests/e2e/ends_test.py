#!/usr/bin/env python3
"""However a call ends – BYE, CANCEL, 486, nobody at home – no leg, socket or port is left at the edge."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites


def pair(net):
    site = sites.Site(net).start()
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    lab.require(site.media_ports() == 0 and site.legs() == [], "there is media before the first call")
    return site, a, b


def ring(a, b):
    a.forget()
    b.forget()
    a.dial(b.aor)
    b.wait_event("CALL_INCOMING")


def bye(net):
    site, a, b = pair(net)
    for caller, callee, first in ((a, b, a), (a, b, b), (b, a, a), (b, a, b)):
        phones.call(caller, callee)
        lab.require(site.media_ports() >= 4, f"an established call has {site.media_ports()} media ports")
        phones.hear_each_other(caller, callee, packets=5)
        phones.hang_up(first, a if first is b else b)
        site.wait_nothing_left()


def cancel(net):
    site, a, b = pair(net)
    for caller, callee in ((a, b), (b, a)):
        ring(caller, callee)
        caller.hangup()
        callee.wait_event("CALL_CLOSED")
        site.wait_nothing_left()


def busy(net):
    """The phone that is called refuses (486)."""
    site, a, b = pair(net)
    for caller, callee in ((a, b), (b, a)):
        ring(caller, callee)
        callee.hangup()
        closed = caller.wait_event("CALL_CLOSED")
        lab.require(closed["param"].startswith("486"), f"the caller was told {closed['param']!r}")
        site.wait_nothing_left()


def busy_and_cancel_by_sipp(net):
    """The same with SIPp: many calls, each of them refused or given up; every one leaves nothing."""
    site = sites.Site(net).start()
    callee, caller = site.lan_host(), site.wan_host()
    edge_in, edge_out = f"{sites.LAN_EDGE}:5060", f"{sites.WAN_EDGE}:5060"
    lab.require(phones.sipp(callee, "register", "-s", "carol", remote=edge_in).wait_exit() == 0, "REGISTER failed")
    for name in ("busy", "cancel"):
        answering = phones.sipp(callee, f"{name}-uas", calls=20)
        calling = phones.sipp(caller, f"{name}-uac", "-s", "carol", "-r", 20, remote=edge_out, calls=20)
        lab.require(calling.wait_exit(130) == 0, f"{name}: the caller saw something else")
        lab.require(answering.wait_exit(130) == 0, f"{name}: the callee saw something else")
        site.wait_nothing_left()


def nobody_there(net):
    site, a, _ = pair(net)
    a.dial("sip:nobody@example.com")
    closed = a.wait_event("CALL_CLOSED")
    lab.require(closed["param"].startswith(("404", "480")), f"the caller was told {closed['param']!r}")
    site.wait_nothing_left()


if __name__ == "__main__":
    lab.main(bye, cancel, busy, busy_and_cancel_by_sipp, nobody_there)
