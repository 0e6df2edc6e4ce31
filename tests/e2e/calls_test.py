#!/usr/bin/env python3
"""Calls through the edge: LAN and WAN both ways, behind a port-restricted NAT, and two phones of one private address behind
two symmetric NATs. Audio both ways, no private address shown to the WAN, nothing left when they hang up."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites


SECOND = 50  # packets of 20 ms


def talk(site, caller, callee):
    """A call with audio both ways, hung up by the one who called; then by the one who was called."""
    for first, second in ((caller, callee), (callee, caller)):
        phones.call(caller, callee)
        phones.hear_each_other(caller, callee)
        both_speak = max(phone.said()[0].time for phone in (caller, callee))  # before, a relay may not know where to send
        for ear, mouth in ((caller, callee), (callee, caller)):
            words = [d.payload[12:] for d in mouth.said() if d.time >= both_speak]
            heard = {d.payload[12:] for d in ear.heard()}
            lost = next((n for n, word in enumerate(words) if word in heard), len(words))
            lab.require(lost < SECOND, f"{ear.name} did not hear the first {lost} packets that {mouth.name} said")
        phones.hang_up(first, second)
        site.wait_nothing_left()


def nated_both_ways(net, make_a, make_b, relayed=True):
    site = sites.Site(net).start()
    a = site.phone(make_a(site), "alice", tone=440)
    b = site.phone(make_b(site), "bob", tone=600)
    talk(site, a, b)
    talk(site, b, a)
    site.check_wan()
    lab.require(bool(site.relayed()) == relayed, f"{len(site.relayed())} RTP packets at the edge's WAN side")


def lan_and_wan(net):
    nated_both_ways(net, sites.Site.lan_host, sites.Site.wan_host)


def nat_and_lan(net):
    nated_both_ways(net, sites.Site.home_host, sites.Site.lan_host)


def nat_and_wan(net):
    nated_both_ways(net, sites.Site.home_host, sites.Site.wan_host)


def one_private_address_behind_two_symmetric_nats(net):
    nated_both_ways(net, lambda s: s.home_host("symmetric"), lambda s: s.home_host("symmetric"))


def wan_and_wan_need_no_relay(net):
    """Nothing between them: media goes directly, and the SDP is left as it was."""
    nated_both_ways(net, sites.Site.wan_host, sites.Site.wan_host, relayed=False)


if __name__ == "__main__":
    lab.main(lan_and_wan, nat_and_lan, nat_and_wan, one_private_address_behind_two_symmetric_nats, wan_and_wan_need_no_relay)
