#!/usr/bin/env python3
"""natpinger keeps a NAT binding open: with both UDP conntrack timeouts at 6 s, pings every second and 13 s of silence a call
still reaches the phone; with the pinger off it does not. The phones send no keepalives."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites

IDLE = 13  # seconds; the bindings live for 6: a ping may be late on a busy machine


def idle_site(net, interval):
    site = sites.Site(net).start(pinger={"udp_interval": f'"{interval}"', "log_level": '"all"'})
    host = site.home_host()
    net.udp_timeouts(host.nat, 6)
    inside = site.phone(host, "bob", tone=600)
    outside = site.phone(site.wan_host(), "alice", tone=440)
    sent = len(inside.tap.all())
    time.sleep(IDLE)
    own = [d for d in inside.tap.all()[sent:] if d.source.startswith(host.address + ":")]
    return site, inside, outside, own


def with_pings_it_is_reachable(net):
    site, inside, outside, own = idle_site(net, "1s")
    lab.require(not own, f"the phone kept the binding open by itself: {own[:3]}")
    pings = [d for d in inside.tap.all() if d.payload == b"\r\n\r\n"]
    lab.require(len(pings) >= IDLE / 2, f"{len(pings)} pings reached the phone in {IDLE} s")
    lab.require({d.source for d in pings} == {f"{sites.WAN_EDGE}:5060"}, f"pings come from {({d.source for d in pings})}")
    phones.call(outside, inside)
    phones.hear_each_other(outside, inside)
    phones.hang_up(outside, inside)
    site.wait_nothing_left()


def without_pings_it_is_not(net):
    _, inside, outside, own = idle_site(net, "off")
    lab.require(not own, f"the phone kept the binding open by itself: {own[:3]}")
    outside.dial(inside.aor)
    try:
        inside.wait_event("CALL_INCOMING", seconds=3)
    except lab.Failure:
        return
    raise lab.Failure("a call reached the phone although its binding must be gone")


if __name__ == "__main__":
    lab.main(with_pings_it_is_reachable, without_pings_it_is_not)
