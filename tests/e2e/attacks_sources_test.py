#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""What a source of packets proves, and what one source may take: nobody has pings sent to somebody who did not ask for them, and an IPv6
/64 is one source for connections, requests and media streams, while phones, servers and others keep theirs. One site for all."""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import attacks_test as attacks
import lab
import raw_sip
import site_of_phones as sites

WAN_EDGE6, REQUESTS = "2001:db8::10", 20
CONNECTIONS, OF_SOURCE = 64, 16  # one in 64 of the first is for the edge's own


class Field(attacks.Field):
    """With IPv6 on the WAN, small limits, and a host that has every address of 2001:db8:bad::/48."""
    users = ("alice", "bob", "eve", "nora", "nils")

    def __init__(self, net):
        listen = [f'"{kind}:{host}:5060"' for host in (sites.LAN_EDGE, sites.WAN_EDGE, f"[{WAN_EDGE6}]") for kind in ("udp", "tcp")]
        super().__init__(net, sections={
            "sip": {"listen": f"[{', '.join(listen)}]"}, "pinger": {"udp_interval": '"1s"'},
            "limits": {"connections": CONNECTIONS, "source_connections": OF_SOURCE, "source_requests": REQUESTS, "stranger_streams": 30}})

    def prepare(self):
        self.site.edge.ip("addr", "add", f"{WAN_EDGE6}/64", "dev", "wan0")
        self.many = self.site.net.host("many").attach("eth0", self.site.wan, "203.0.113.80/24", "2001:db8::80/64", "fe80::80/64")
        self.many.sysctl("net.ipv6.ip_nonlocal_bind", 1)
        self.many.ip("route", "add", "local", "2001:db8:bad::/48", "dev", "lo")
        self.site.edge.ip("route", "add", "2001:db8:bad::/48", "via", "2001:db8::80")

    def party(self, own, kind=raw_sip.Party, user="mallory", domain="elsewhere.example", **options):
        """A party at an address of the many: "1::7" for 2001:db8:bad:1::7."""
        return kind(self.many, WAN_EDGE6, user=user, domain=domain, own=f"2001:db8:bad:{own}", **options)

    def clients(self):
        return {one["flow"]["remote"]: one for one in self.site.ask("sipedge", "clients")["clients"]}


def register(who, headers=(), call_id="reg", port=5060):
    """A REGISTER of who says that it is behind a NAT, which is who is pinged."""
    return who.request("REGISTER", f"sip:{who.domain}", to=f"<{who.aor}>", call_id=f"{call_id}-{port}", headers=["Expires: 600", *headers],
                       contact=f"<sip:{who.user}@192.168.1.5:{port}>")


def proof(who, text):
    """The header field by which who got this challenge answers it."""
    method, uri = ("REGISTER", f"sip:{who.domain}") if "WWW-Authenticate" in text else ("INVITE", "sip:+1900@carrier.example")
    return raw_sip.credentials(text, method, uri, who.user, "secret")


def spoofed_flows(field, victim):
    """A user's own nonces do not let it register or call in a victim's name: they are good only where they were sent to."""
    eve = raw_sip.Party(field.site.wan_host(), sites.WAN_EDGE, user="eve")
    heard = field.site.net.tap(victim)
    for port in range(6000, 6010):
        nonce = eve.ask(register(eve, port=port))
        raw_sip.spoof(eve.host, (victim.address, port), (sites.WAN_EDGE, 5060), register(eve, [proof(eve, nonce)], port=port))
    call = "sip:+1900@carrier.example"
    answer = proof(eve, eve.ask(eve.request("INVITE", call)))
    raw_sip.spoof(eve.host, (victim.address, 6100), (sites.WAN_EDGE, 5060), eve.request("INVITE", call, headers=[answer]))

    def answers(status):
        return [text for _, text in heard.sip() if text.startswith(f"SIP/2.0 {status}")]
    lab.wait_until(lambda: len(answers(401)) == 10 and len(answers(407)) == 1, lambda: f"refusals: {[text[:40] for _, text in heard.sip()]}")
    lab.require(all("stale=true" in text for text in answers("40")), f"called a wrong password: {answers('40')[0]}")
    lab.require(not field.clients(), f"registered in the victim's name: {field.clients()}")
    field.untouched()
    return heard


def sites_of_nonces(field):
    """Whom one nonce is for: a NAT by any port, an IPv6 /64; a phone whose NAT gives it another port meanwhile is not refused."""
    home = field.site.home_host()
    pairs = {"another port": [raw_sip.Party(home, sites.WAN_EDGE, port=port, user="nils") for port in (5060, 5070)],
             "the same /64": [field.party(own, user="nils", domain="example.com") for own in ("a::1", "a::ffff:9")],
             "another /64": [field.party(own, user="nils", domain="example.com", port=5070) for own in ("a::1", "b::1")]}
    for number, (why, (asks, answers)) in enumerate(pairs.items()):
        nonce = asks.ask(register(asks, call_id=number))
        text = answers.ask(register(answers, [proof(asks, nonce)], call_id=number))
        refused = why == "another /64"
        lab.require(text.startswith("SIP/2.0 401" if refused else "SIP/2.0 200"), f"{why}: {text}")
        lab.require(("stale=true" in text) == refused, f"{why}: {text}")


def unproven_flows(field, victim, heard):
    """Registered at a server that asks nobody for a password, a flow is asked by one OPTIONS, also when that was lost: it is pinged when
    it answers, and never if it does not."""
    ned, mallory = (raw_sip.Party(field.site.wan_host(), sites.WAN_EDGE, user=user, domain="pbx.example.net") for user in ("ned", "mallory"))
    tap = field.site.net.tap(ned.host)

    def granted():
        asked = field.pbx.wait("REGISTER")
        field.pbx.answer(asked, 200, [f"{name}: {raw_sip.field(asked, name)}" for name in ("Path", "Contact", "Expires")])
    for port in range(6000, 6010):
        raw_sip.spoof(mallory.host, (victim.address, port), (sites.WAN_EDGE, 5060), register(mallory, port=port))
        granted()
    lab.wait_until(lambda: len(field.clients()) >= 10, "the server to have granted that")
    ned.send(register(ned))
    granted()
    lost = ned.wait("OPTIONS")
    lab.require(field.clients()[ned.address].get("reached") is False, "reached before it has answered")
    copy = ned.wait("OPTIONS", copies=True)
    lab.require(copy == lost, "not a copy, but another OPTIONS")
    ned.answer(copy, 200)

    def pings(where):
        return [d for d in where.all() if d.payload == b"\r\n\r\n"]
    lab.wait_until(lambda: len(pings(tap)) >= 3, "ned to be pinged: it has answered")
    lab.require("reached" not in field.clients()[ned.address], f"{field.clients()[ned.address]}")
    lab.require(not pings(heard), f"pings for who never asked: {pings(heard)}")
    asked = [d.destination for d, text in heard.sip() if text.startswith("OPTIONS")]
    lab.require(len(set(asked)) == 10 and max(map(asked.count, asked)) <= 4, f"what the victim was asked: {asked}")
    lab.require(all(field.clients()[f"{victim.address}:{port}"]["reached"] is False for port in range(6000, 6010)), f"{field.clients()}")


def nobody_else_is_pinged(field):
    victim = field.site.wan_host()
    heard = spoofed_flows(field, victim)
    unproven_flows(field, victim, heard)
    sites_of_nonces(field)


def answered(who):
    return who.ask(who.request("OPTIONS", f"sip:[{WAN_EDGE6}]")).startswith("SIP/2.0 200")


def ring(caller, callee):
    """A call by connections: it rings."""
    invite = caller.send(caller.request("INVITE", callee.aor, body=caller.sdp()))
    asked = callee.wait("INVITE")
    callee.answer(asked, 180)
    caller.wait("SIP/2.0 180")
    return raw_sip.field(invite, "Call-ID"), asked


def idle(field, site, count):
    """So many connections, each from an address of its own of that /64, that say nothing."""
    return [field.party(f"{site}::{number:x}", raw_sip.StreamParty) for number in range(1, count + 1)]


def connections(field):
    """A stranger's connections end, the most silent first; those of phones, of the LAN, of servers and in use do not."""
    # bob is in the attackers' own /64.
    bob = field.party("1::b0b", raw_sip.StreamParty, user="bob", domain="example.com")
    near = raw_sip.StreamParty(field.alice.host, sites.LAN_EDGE, user="alice")
    trunk = raw_sip.StreamParty(field.trunk.host, sites.WAN_EDGE, user="trunk", domain="carrier.example")
    caller = field.party("2::1", raw_sip.StreamParty)
    field.register(bob, near)
    field.refused(trunk, "asked by the trunk", trunk.request("OPTIONS", f"sip:{sites.WAN_EDGE}"), 200)
    call_id, asked = ring(caller, near)
    oldest = field.party("3::1", raw_sip.StreamParty)
    lab.require(answered(oldest), "a stranger is not answered")
    kept = {"bob": bob, "alice": near, "the trunk": trunk, "a call that rings": caller}

    def all_are_kept(during):
        gone = [name for name, who in kept.items() if not who.is_open()]
        lab.require(not gone, f"{during}, connections ended of: {gone}")
    crowd = idle(field, "1", 200)
    own = OF_SOURCE - 1  # one is bob's
    lab.wait_until(lambda: sum(one.is_open() for one in crowd) <= own, "connections of the /64 to end")
    live = [number for number, one in enumerate(crowd) if one.is_open()]
    lab.require(live == list(range(200 - own, 200)), f"the newest of one /64 are not those that live: {live}")
    lab.require(oldest.is_open(), "a connection of another /64 has ended")
    all_are_kept("with a /64 full")
    others = [one for site in ("10", "11", "12", "13", "14") for one in idle(field, site, OF_SOURCE)]
    lab.wait_until(lambda: not oldest.is_open(), "the most silent connection of all to end")
    lab.wait_until(lambda: not any(one.is_open() for one in crowd), "those that were silent next to end")
    lab.require(answered(field.party("15::1", raw_sip.StreamParty)), "no connection from another /64 any more")
    lab.require(sum(one.is_open() for one in others) > OF_SOURCE, "the newest have ended too")
    lab.require(field.site.ask("sipedge", "status")["connections"] <= CONNECTIONS, "more connections than the limit")
    all_are_kept("with all of them full")
    again = bob.register("secret", cseq=5)
    lab.require(again.startswith("SIP/2.0 200"), f"bob could not register again: {again}")
    for who in (near, trunk):
        ring(who, bob)
    near.answer(asked, 200, body=near.sdp())
    lab.require(raw_sip.field(caller.wait("SIP/2.0 200"), "Call-ID") == call_id, "the call that rang was not answered")


def requests(field):
    """Two addresses of one /64 share their source's requests; another /64 has its own."""
    def passed(who, count):
        for _ in range(count):
            who.send(who.request("OPTIONS", f"sip:[{WAN_EDGE6}]"))
    first, second, other = (field.party(own) for own in ("20::1", "20::2:2", "21::1"))
    began = time.monotonic()
    passed(first, 60)
    passed(second, 60)
    lab.require(answered(other), "another /64 is not answered")
    got = 0
    for who in (first, second):
        while who.receive(0.05) is not None:  # all are answered that will be: the other one came last
            got += 1
    most = 2 * REQUESTS + (time.monotonic() - began) * REQUESTS
    lab.require(2 * REQUESTS <= got <= most, f"{got} requests of one /64 were answered, at most {most:.0f} may be")
    field.site.natkit.wait_line(r"requests from 2001:db8:bad:20:\S* dropped: more than the limit \(source\)", again=True)


def streams(field):
    """Two addresses of one /64 share a stranger's media streams, here 30; another /64 has its own."""
    nora = raw_sip.Party(field.site.lan_host(), sites.LAN_EDGE, user="nora")
    field.register(nora)
    for own, rings in (("30::1", True), ("30::2:2", True), ("30::3:3", False), ("31::1", True)):
        caller = field.party(own)
        body = caller.sdp() + "".join(f"m=audio {4002 + 2 * i} RTP/AVP 0\r\n" for i in range(14))
        caller.send(caller.request("INVITE", nora.aor, body=body))
        if rings:
            nora.answer(nora.wait("INVITE"), 180)
        text = caller.wait(r"SIP/2\.0 (18|[2-6])")
        lab.require(text.startswith("SIP/2.0 180" if rings else "SIP/2.0 503"), f"15 streams for {own}: {text}")


def a_64_is_one_source(field):
    connections(field)
    requests(field)
    streams(field)


def sources(net):
    field = Field(net)
    for step in (nobody_else_is_pinged, a_64_is_one_source):
        step(field)


if __name__ == "__main__":
    lab.main(sources)
