#!/usr/bin/env python3
"""A gateway in nat_servers that never registers: it is called at its NAT's address and calls in, by rule nat-server, audio both ways."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites


def gateway_that_never_registers(net):
    site = sites.Site(net)
    behind = site.home_host("full-cone")
    site.start(network={"nat_servers": f'["{behind.nat.addresses[-1]}"]'}, registrar={"open": "false"})
    a = site.phone(site.lan_host(), "alice", tone=440)
    gateway = phones.Baresip(behind, "gw", f"{sites.WAN_EDGE}:5060", domain="gateway.example", register=False, tone=600)
    phones.call(a, gateway, f"sip:gw@{behind.nat.addresses[-1]}")
    phones.hear_each_other(a, gateway)
    call = site.ask("sipedge", "calls")["calls"][0]
    lab.require(call["b"]["rule"] == "nat-server" and call["b"]["place"] == "far-end", f"{call}")
    phones.hang_up(a, gateway)
    phones.call(gateway, a, "sip:alice@example.com")
    phones.hear_each_other(gateway, a)
    phones.hang_up(gateway, a)
    site.wait_nothing_left()
    site.check_wan()


if __name__ == "__main__":
    lab.main(gateway_that_never_registers)
