#!/usr/bin/env python3
"""linphonec as the phone: on the LAN and behind a NAT, over UDP and TCP, with a password: registered, calling and called, with audio
both ways."""
import pathlib
import shutil
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import raw_sip
import site_of_phones as sites


def both_ways(net, transport):
    site = sites.Site(net)
    raw_sip.users_file(site.folder / "users", "alice", "lina", "linus")
    site.start(registrar={"open": "false", "users": '"users"'})
    alice = site.phone(site.wan_host(), "alice", tone=440)
    lina = phones.Linphone(site.lan_host().default_route(sites.LAN_EDGE), "lina", sites.LAN_EDGE, tone=600, transport=transport)
    linus = phones.Linphone(site.home_host(), "linus", sites.WAN_EDGE, tone=520, transport=transport)
    known = {c["aor"]: c for c in site.ask("sipedge", "clients")["clients"]}
    for phone, place in ((lina, "lan"), (linus, "far-end")):
        one = known[phone.aor]
        lab.require(one["place"] == place and one["flow"]["transport"] == transport, f"{one}")
    for caller, callee in ((lina, alice), (alice, lina), (linus, alice), (alice, linus), (lina, linus), (linus, lina)):
        phones.call(caller, callee)
        phones.hear_each_other(caller, callee)
        phones.hang_up(callee, caller)
        site.wait_nothing_left()
    site.check_wan()
    site.natkit.stop()


def udp(net):
    both_ways(net, "udp")


def tcp(net):
    both_ways(net, "tcp")


if __name__ == "__main__":
    if shutil.which("linphonec") is None:
        print("skipped: linphonec is not installed (tools/packages.txt, section test)")
        sys.exit(77)
    lab.main(udp, tcp)
