#!/usr/bin/env python3
"""Calls that a Kamailio on the WAN sends back through the edge: the two ends on one relay or on none, superfluous legs gone within
2 s; also with hold, a late offer, early media, UPDATE, and with sipedge or mediarelay killed. No address of one place is shown to
another. Two phones behind one NAT, by each policy."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kamailio
import lab
import site_of_phones as sites
from loops import by_proxy


def lan_proxy_lan(net):
    by_proxy(net, sites.Site.lan_host, sites.Site.lan_host, 0)


def lan_proxy_nat(net):
    by_proxy(net, sites.Site.lan_host, sites.Site.home_host, 1)


def nat_proxy_lan(net):
    by_proxy(net, sites.Site.home_host, sites.Site.lan_host, 1)


def two_nats(net):
    by_proxy(net, sites.Site.home_host, sites.Site.home_host, 1)


def neighbour(site):
    """Another host behind the NAT of the first home."""
    home = next(segment for name, segment in site.net.hosts.items() if name == "seg-home0")
    return site.net.host("neighbour").attach("eth0", home, "192.168.1.11/24").default_route("192.168.1.1")


def same_nat(net, policy, relays, nat_servers="[]"):
    by_proxy(net, sites.Site.home_host, neighbour, relays, same_nat="203.0.113.30",
             media_proxy={"relay_same_nat": f'"{policy}"'}, network={"nat_servers": nat_servers})


def same_nat_never(net):
    same_nat(net, "never", 0)


def same_nat_sites_unlisted(net):
    same_nat(net, "nat-sites", 0)


def same_nat_sites_listed(net):
    same_nat(net, "nat-sites", 1, '["203.0.113.30-203.0.113.33"]')


def same_nat_always(net):
    same_nat(net, "always", 1)


if __name__ == "__main__":
    kamailio.needed()
    lab.main(lan_proxy_lan, lan_proxy_nat, nat_proxy_lan, two_nats, same_nat_never, same_nat_sites_unlisted, same_nat_sites_listed,
             same_nat_always)
