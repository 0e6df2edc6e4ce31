#!/usr/bin/env python3
"""Ten minutes behind NATs that forget sooner than registrations end: UDP and TCP clients stay reachable."""
# ctest: long
# ctest: timeout 900
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones

MINUTES = 10


def reachable_for_ten_minutes(net):
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"15s"', "tcp_interval": '"15s"'})
    homes = [site.home_host(), site.home_host("symmetric")]
    for home in homes:
        net.udp_timeouts(home.nat, 20)
        home.nat.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", 20)
        home.nat.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    bob = site.phone(homes[0], "bob", tone=600)
    dora = site.phone(homes[1], "dora", tone=700, transport="tcp")
    alice = site.phone(site.wan_host(), "alice", tone=440)
    registered = {c["aor"]: c["flow"]["remote"] for c in site.ask("sipedge", "clients")["clients"]}
    end = time.monotonic() + MINUTES * 60
    calls = 0
    while time.monotonic() < end:
        time.sleep(min(100, end - time.monotonic()))
        for callee in (bob, dora):
            phones.call(alice, callee)
            phones.hear_each_other(alice, callee)
            phones.hang_up(alice, callee)
            calls += 1
    now = {c["aor"]: c["flow"]["remote"] for c in site.ask("sipedge", "clients")["clients"]}
    lab.require(now == registered, f"somebody registered anew: {registered}, {now}")
    status = site.ask("natpinger", "status")
    lab.require(status["dead"] == 0 and status["pinged"] == 2, f"{status}")
    print(f"        {calls} calls in {MINUTES} minutes, {status['sent']} pings")
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(reachable_for_ten_minutes)
