#!/usr/bin/env python3
"""Phones behind every kind of NAT, over UDP, TCP and TLS: registered, calling and called, with audio both ways. And behind NATs
that mean well: with the kernel's SIP ALG on, with several addresses; and phones that do not ask for rport."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import raw_sip
import site_of_phones as sites
import transports_test as transports


def both_ways(site, phone, other):
    transports.talk(site, phone, other)
    transports.talk(site, other, phone)


def kinds(net, transport):
    site = transports.whole_site(net)
    other = site.phone(site.wan_host(), "alice", tone=440)
    behind = [transports.phone(site, site.home_host(kind), f"user{n}", transport, 600 + 50 * n) for n, kind in enumerate(lab.NAT_KINDS)]
    for phone in behind:
        both_ways(site, phone, other)
    for a, b in zip(behind, behind[1:]):
        transports.talk(site, a, b)
    places = {c["aor"]: c["place"] for c in site.ask("sipedge", "clients")["clients"]}
    lab.require(sum(place == "far-end" for place in places.values()) == len(behind), f"{places}")
    # All of them have the edge as their outbound proxy, and say so in a Route.
    if transport == "udp":
        lab.require(any("\r\nRoute: <sip:203.0.113.10" in text for _, text in behind[0].tap.sip()), "no Route to the edge was sent")
        site.check_wan()
    site.natkit.stop()


def udp(net):
    kinds(net, "udp")


def tcp(net):
    kinds(net, "tcp")


def tls(net):
    kinds(net, "tls")


def several_addresses(net):
    """A NAT that shows signalling and media under two addresses of one range, which nat_servers names."""
    site = sites.Site(net).start(network={"lan": '["192.168.10.0/24"]', "nat_servers": '["203.0.113.64-203.0.113.79"]'})
    host = site.home_host()
    for address in ("203.0.113.64", "203.0.113.65"):
        host.nat.ip("addr", "add", f"{address}/24", "dev", "out0")
    host.nat.nft('flush chain ip nat post; add rule ip nat post oifname "out0" udp dport 5060 snat to 203.0.113.64; '
                 'add rule ip nat post oifname "out0" snat to 203.0.113.65')
    bob = site.phone(host, "bob", tone=600)
    alice = site.phone(site.wan_host(), "alice", tone=440)
    both_ways(site, bob, alice)
    seen = {d.source.rpartition(":")[0] for d in site.on_wan.rtp() if d.source.startswith("203.0.113.6")}
    lab.require(seen == {"203.0.113.65"}, f"media came from {seen}")
    site.check_wan()
    site.natkit.stop()


def other_private_addresses(net):
    """464XLAT, where the phone's own address is 192.0.0.4 (RFC 7335): behind a NAT, with audio both ways. So is one with a link-local
    address (RFC 3927), which baresip does not use."""
    site = sites.Site(net).start()
    alice = site.phone(site.wan_host(), "alice", tone=440)
    clat = site.phone(site.home_host(address="192.0.0.4/29", gateway="192.0.0.1"), "clat", tone=600)
    both_ways(site, clat, alice)
    local = raw_sip.Party(site.home_host(address="169.254.7.8/16", gateway="169.254.7.1"), sites.WAN_EDGE, user="local")
    lab.require(local.register().startswith("SIP/2.0 200"), "the link-local phone could not register")
    rules = {c["aor"]: (c["place"], c["rule"]) for c in site.ask("sipedge", "clients")["clients"]}
    lab.require([rules[f"sip:{user}@example.com"] for user in ("clat", "local")] == [("far-end", "nated")] * 2, f"{rules}")
    site.check_wan()
    site.natkit.stop()


def with_the_kernels_alg(net):
    site = sites.Site(net).start()
    host = site.home_host()
    host.nat.nft("""table ip alg {
        ct helper sip { type "sip" protocol udp; l3proto ip; }
        chain pre { type filter hook prerouting priority filter; udp dport 5060 ct helper set "sip"; }
    }""")
    bob = site.phone(host, "bob", tone=600)
    alice = site.phone(site.wan_host(), "alice", tone=440)
    both_ways(site, bob, alice)
    rewritten = [t for d, t in site.on_wan.sip() if d.source.startswith("203.0.113.30:") and "192.168.1.10" not in t]
    lab.require(rewritten, "the ALG has not touched a message: it is not on")
    site.natkit.stop()


def without_rport(net):
    """SIPp, which then expects its answers at the port that its Via names, which the NAT does not know."""
    site = sites.Site(net).start()
    host = site.home_host()
    bob = site.phone(site.wan_host(), "bob", tone=440, answer="auto")
    folder = net.folder / "no-rport"
    folder.mkdir()
    for name in ("register", "call-uas", "call-uac"):
        (folder / f"{name}.xml").write_text((phones.SCENARIOS / f"{name}.xml").read_text().replace(";rport", ""))
    before, phones.SCENARIOS = phones.SCENARIOS, folder
    try:
        edge = f"{sites.WAN_EDGE}:5060"
        lab.require(phones.sipp(host, "register", "-s", "carol", remote=edge).wait_exit() == 0, "REGISTER failed")
        called = phones.sipp(host, "call-uas")
        bob.forget()
        bob.dial("sip:carol@example.com")
        bob.wait_event("CALL_ESTABLISHED")
        bob.hangup()
        lab.require(called.wait_exit(120) == 0, "called: something else came")
        lab.require(phones.sipp(host, "call-uac", "-s", "bob", "-d", 300, remote=edge).wait_exit(120) == 0, "calling failed")
    finally:
        phones.SCENARIOS = before
    site.wait_nothing_left()
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(udp, tcp, tls, several_addresses, other_private_addresses, with_the_kernels_alg, without_rport)
