#!/usr/bin/env python3
"""Calls by a Kamailio on the LAN, in from the WAN and out again, and through two of them in three passes: the two ends on one relay or
on none, superfluous legs gone within 2 s; also with hold, a late offer, early media, UPDATE, and with sipedge or mediarelay killed.
No address of one place is shown to another."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kamailio
import lab
import site_of_phones as sites
from loops import by_pbx, tell


def wan_pbx_wan(net):
    """In from the WAN to a PBX on the LAN, and out again."""
    by_pbx(net, sites.Site.wan_host, sites.Site.wan_host, 0)


def nat_pbx_wan(net):
    by_pbx(net, sites.Site.home_host, sites.Site.wan_host, 1)


def lan_pbx_wan(net):
    """From the LAN by its own PBX: one pass."""
    by_pbx(net, sites.Site.lan_host, sites.Site.wan_host, 1)


def three_passes(net):
    """Out to the WAN, back to a second proxy on the LAN, and through the edge a third time."""
    site = sites.Site(net).start()
    outside, inside = site.wan_host(), site.lan_host()
    kamailio.start_proxy(outside, {"carol": (f"sip:carol@{inside.address}", f"{sites.WAN_EDGE}:5060")})
    kamailio.start_proxy(inside, {"carol": ("sip:carol@example.com", f"{sites.LAN_EDGE}:5060")})
    hosts = site.lan_host(), site.home_host()
    tell(site, hosts, f"sip:carol@{outside.address}", 1)


if __name__ == "__main__":
    kamailio.needed()
    lab.main(wan_pbx_wan, nat_pbx_wan, lan_pbx_wan, three_passes)
