#!/usr/bin/env python3
"""Who may do what, tried from each side: each attempt here must fail, at the real edge and with nothing sent to the victim; and what
the same party may do still works. The rows are those of sipedge(1), "Who may do what"."""
import pathlib
import re
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import raw_sip
import site_of_phones as sites

PBX, TRUNK = "192.168.10.50", "203.0.113.90"
METHODS = ("INVITE", "OPTIONS", "MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "PUBLISH", "REGISTER", "INFO", "UPDATE", "BYE")


class Field:
    """The edge with users, a PBX on the LAN, a trunk on the WAN, a phone on each side, a stranger."""
    users = ("alice", "bob", "eve")

    def __init__(self, net, more=None, sections=None, **registrar):
        self.site = sites.Site(net)
        self.prepare()
        raw_sip.users_file(self.site.folder / "users", *self.users)
        registrar = registrar or {"open": "false", "users": '"users"'}
        self.site.start(registrar=registrar, **(sections or {}), **{"sip.routes": {
            '"pbx.example.net"': f'"sip:{PBX}:5060"', '"carrier.example"': f'{{ to = "sip:{TRUNK}", kind = "trunk" }}', **(more or {})}})
        pbx = net.host("pbx").attach("eth0", self.site.lan, f"{PBX}/24")
        trunk = net.host("trunk").attach("eth0", self.site.wan, f"{TRUNK}/24")
        self.pbx = raw_sip.Party(pbx, sites.LAN_EDGE, user="pbx", domain="pbx.example.net")
        self.trunk = raw_sip.Party(trunk, sites.WAN_EDGE, user="trunk", domain="carrier.example")
        self.alice = raw_sip.Party(self.site.lan_host(), sites.LAN_EDGE, user="alice")
        self.bob = raw_sip.Party(self.site.wan_host(), sites.WAN_EDGE, user="bob")
        self.stranger = raw_sip.Party(self.site.wan_host(), sites.WAN_EDGE, user="mallory", domain="elsewhere.example")
        self.victims = (self.pbx, self.trunk, self.alice)

    def prepare(self):
        """What the edge's host has before natkit starts: more addresses, say."""

    def register(self, *who):
        for one in who:
            text = one.register("secret")
            lab.require(text.startswith("SIP/2.0 200"), text)

    def untouched(self):
        for victim in self.victims:
            victim.silence(0.3)

    def refused(self, who, why, text, *statuses):
        status = who.status(text)
        lab.require(status in (statuses or (403,)), f"{why}: {status} for {text.partition(chr(13))[0]}")


def open_relay(net):
    """A stranger reaches registered users and home domains; nothing else, by no method."""
    field = Field(net)
    field.register(field.alice, field.bob)
    stranger = field.stranger
    for method in METHODS:
        for uri in ("sip:x@198.51.100.99", "sip:+1900@carrier.example", f"sip:x@{PBX}", "sip:x@192.168.10.77", f"sip:+1900@{TRUNK}"):
            field.refused(stranger, "open relay", stranger.request(method, uri))
    for uri in ("sip:x@127.0.0.1", "sip:x@0.0.0.0", "sip:x@224.0.0.1", f"sip:x@{sites.WAN_EDGE}:5071", "sip:x@169.254.1.1"):
        field.refused(stranger, "not for anybody", stranger.request("INVITE", uri), 403, 404)
    field.untouched()
    stranger.send(stranger.request("INVITE", "sip:alice@example.com"))
    field.alice.wait("INVITE sip:alice@")
    stranger.send(stranger.request("INVITE", "sip:100@pbx.example.net"))
    field.pbx.wait("INVITE sip:100@pbx.example.net")


def toll_calls(net):
    """The trunk is for the LAN and for users who have proved who they are."""
    field = Field(net)
    uri = "sip:+1900@carrier.example"
    stranger, bob = field.stranger, field.bob
    field.refused(stranger, "a toll call", stranger.request("INVITE", uri))
    field.refused(stranger, "claiming a user", stranger.request("INVITE", uri, from_uri="sip:bob@example.com"), 407)
    field.refused(stranger, "claiming the edge's address", stranger.request("INVITE", uri, from_uri=f"sip:bob@{sites.WAN_EDGE}"), 407)
    field.refused(stranger, "by the edge as a proxy", stranger.request("INVITE", uri, headers=[f"Route: <sip:{sites.WAN_EDGE};lr>"]))
    field.refused(stranger, "by the trunk as a Route", stranger.request("INVITE", "sip:alice@example.com",
                                                                       headers=[f"Route: <sip:{TRUNK};lr>"]))
    field.refused(field.trunk, "the trunk to itself", field.trunk.request("INVITE", uri))
    challenge = stranger.ask(stranger.request("INVITE", uri, from_uri="sip:bob@example.com"))
    eve = raw_sip.credentials(challenge, "INVITE", uri, "eve", "secret")
    field.refused(stranger, "with another's password", stranger.request("INVITE", uri, from_uri="sip:bob@example.com", headers=[eve]))
    wrong = raw_sip.credentials(challenge, "INVITE", uri, "bob", "guess")
    field.refused(stranger, "with a wrong password",
                  stranger.request("INVITE", uri, from_uri="sip:bob@example.com", headers=[wrong]), 407)
    field.untouched()
    field.register(bob)
    # The source of a datagram is no password, registered or not: what costs money is asked for one each time.
    challenge = bob.ask(bob.request("INVITE", uri))
    lab.require(challenge.startswith("SIP/2.0 407"), f"a toll call by the flow alone: {challenge}")
    field.trunk.silence(0.3)
    good = raw_sip.credentials(challenge, "INVITE", uri, "bob", "secret")
    bob.send(bob.request("INVITE", uri, headers=[good], cseq=2))
    field.trunk.wait("INVITE sip:.1900")
    field.refused(bob, "another user by bob's flow", bob.request("INVITE", uri, from_uri="sip:alice@example.com"), 407)
    field.alice.send(field.alice.request("INVITE", uri))
    field.trunk.wait("INVITE sip:.1900")
    elsewhere = raw_sip.Party(field.site.wan_host(), sites.WAN_EDGE, user="bob")
    challenge = elsewhere.ask(elsewhere.request("INVITE", uri))
    good = raw_sip.credentials(challenge, "INVITE", uri, "bob", "secret")
    elsewhere.send(elsewhere.request("INVITE", uri, headers=[good], cseq=2))
    text = field.trunk.wait("INVITE sip:.1900")
    lab.require("Proxy-Authorization" not in text, "the password went on to the trunk")
    field.refused(elsewhere, "the same password again", elsewhere.request("INVITE", uri, headers=[good], cseq=3), 407)


def forged_routes(net):
    field = Field(net)
    field.register(field.alice, field.bob)
    stranger = field.stranger
    for why, hop in (("into the LAN", "192.168.10.20"), ("to the PBX", PBX), ("to loopback", "127.0.0.1"), ("to another port of ours", f"{sites.WAN_EDGE}:22"),
                     ("by an address literal", "203.0.113.51:5060"), ("to the trunk", TRUNK), ("by IPv6 loopback", "[::1]")):
        for target in ("sip:alice@example.com", "sip:100@pbx.example.net", "sip:x@198.51.100.99"):
            for routes in ([f"Route: <sip:{hop};lr>"], [f"Route: <sip:{sites.WAN_EDGE};lr>, <sip:{hop};lr>"]):
                field.refused(stranger, why, stranger.request("INVITE", target, headers=routes), 403, 404, 503)
                field.refused(field.bob, f"{why}, by a user", field.bob.request("INVITE", target, headers=routes), 403, 404, 503) \
                    if hop in ("192.168.10.20", PBX, "127.0.0.1") else None
    for user in ("A" * 60, "AQ" + "z" * 90, "bob" * 30):
        field.refused(stranger, "a made-up token", stranger.request(
            "BYE", "sip:alice@192.168.10.20", to="<sip:alice@example.com>;tag=x", headers=[f"Route: <sip:{user}@{sites.WAN_EDGE};lr>"]))
    field.untouched()


def forged_tags_and_replayed_tokens(net):
    """A To-tag opens nothing; the token of a dialog works for its parties, in its dialog, alone."""
    field = Field(net)
    field.register(field.alice, field.bob)
    alice, bob, stranger = field.alice, field.bob, field.stranger
    for uri in ("sip:+1900@carrier.example", f"sip:x@{PBX}", "sip:x@198.51.100.99"):
        field.refused(stranger, "a forged To-tag", stranger.request("INVITE", uri, to=f"<{uri}>;tag=forged"))
    bob.send(bob.request("INVITE", "sip:alice@example.com", call_id="dialog-1", body=bob.sdp()))
    at_alice = alice.wait("INVITE")
    alice.answer(at_alice, 200, body=alice.sdp())
    ok = bob.wait("SIP/2.0 200")
    routes = [f"Route: {value}" for line in reversed(raw_sip.fields(ok, "Record-Route")) for value in reversed(line.split(", "))]
    to = raw_sip.field(ok, "To")
    tag = re.search(r"tag=(\S+)", to)[1]

    def inside(who, method, cseq, call_id="dialog-1", to_value=to, uri="sip:alice@192.168.10.20", **more):
        return who.request(method, uri, to=to_value, call_id=call_id, cseq=cseq, headers=routes, from_tag="fbob", **more)
    bob.send(inside(bob, "ACK", 1))
    alice.wait("ACK")
    field.refused(stranger, "a stolen token", inside(stranger, "BYE", 2))
    field.refused(bob, "in another dialog", inside(bob, "BYE", 2, call_id="dialog-2"))
    field.refused(bob, "for a new call", inside(bob, "INVITE", 2, to_value="<sip:alice@example.com>"))
    field.refused(stranger, "for a toll call", inside(stranger, "INVITE", 3, uri="sip:+1900@carrier.example"))
    alice.silence(0.3)
    field.trunk.silence(0.1)
    del tag
    bob.send(inside(bob, "BYE", 4))
    alice.answer(alice.wait("BYE"), 200)
    bob.wait("SIP/2.0 200")


def spoofed_lan(net):
    """A LAN source that comes in by the WAN interface is dropped; the edge says so."""
    field = Field(net)
    field.register(field.alice, field.bob)
    for interface in ("all", "default", "wan0"):
        field.site.edge.sysctl(f"net.ipv4.conf.{interface}.rp_filter", 0)
    raw_sip.spoof(field.stranger.host, ("192.168.10.20", 5060), (sites.WAN_EDGE, 5060),
                  field.alice.request("INVITE", "sip:+1900@carrier.example"))
    field.site.natkit.wait_line(r"dropped: LAN source 192\.168\.10\.20:5060 on a WAN interface")
    field.untouched()


def identities(net):
    """What only trusted neighbours may say is removed; without passwords nobody registers from outside, nor for somebody else."""
    field = Field(net, open="false")
    claims = [f"{name}: <sip:boss@example.com>" for name in
              ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion", "History-Info", "P-Called-Party-ID",
               "P-Charging-Vector", "p-charge-info")]
    lab.require(field.alice.register().startswith("SIP/2.0 200"), "a LAN phone could not register")
    text = field.alice.register(cseq=5, contact="<sip:alice@203.0.113.51>")
    lab.require(text.startswith("SIP/2.0 403"), f"a Contact that is not its own: {text}")
    text = field.stranger.register()
    lab.require(re.match(r"SIP/2.0 40[34]", text), text)
    outside = raw_sip.Party(field.site.wan_host(), sites.WAN_EDGE, user="alice")
    lab.require(outside.register().startswith("SIP/2.0 403"), "registered from outside")
    field.stranger.send(field.stranger.request("INVITE", "sip:alice@example.com", headers=claims))
    invite = field.alice.wait("INVITE")
    lab.require("boss" not in invite, f"passed on: {invite}")
    field.trunk.send(field.trunk.request("INVITE", "sip:alice@example.com", headers=claims))
    invite = field.alice.wait("INVITE")
    lab.require(invite.count("boss") == len(claims), f"the trunk's word was lost: {invite}")
    for method in ("MESSAGE", "SUBSCRIBE", "REFER", "NOTIFY", "PUBLISH", "INFO"):
        field.stranger.send(field.stranger.request(method, "sip:alice@example.com", headers=claims))
        text = field.alice.wait(f"{method} sip:alice@")
        lab.require("boss" not in text, f"passed on: {text}")


def privacy(net):
    """Who asks for it is not told of, but to those who are trusted; in requests and in answers."""
    field = Field(net)
    field.register(field.bob)
    said = ["P-Asserted-Identity: <sip:boss@carrier.example>", "Remote-Party-ID: <sip:boss@carrier.example>;party=calling"]
    for asked, callee, told in (([], field.bob, True), (["Privacy: id"], field.bob, False), (["Privacy: user; ID"], field.bob, False),
                                (["Privacy: none"], field.bob, True), (["Privacy: id"], field.pbx, True)):
        uri = f"sip:{'bob@example.com' if callee is field.bob else '100@pbx.example.net'}"
        field.trunk.send(field.trunk.request("INVITE", uri, headers=[*said, *asked]))
        invite = callee.wait("INVITE")
        lab.require(invite.count("boss") == (2 if told else 0), f"{asked} to {callee.user}: {invite}")
        lab.require(all(line in invite for line in asked), f"the wish itself is gone: {invite}")
        callee.answer(invite, 486)
    field.bob.send(field.bob.request("INVITE", "sip:100@pbx.example.net"))
    field.pbx.answer(field.pbx.wait("INVITE"), 180, [*said, "Privacy: id"])
    ringing = field.bob.wait("SIP/2.0 180")
    lab.require("boss" not in ringing, f"an answer told it: {ringing}")


def control_bytes(net):
    """A bare CR makes one header field two to the PBX's reader; neither a request nor an answer takes it there, by UDP or TCP."""
    field = Field(net)
    field.register(field.alice)
    stranger, alice = field.stranger, field.alice
    for smuggled in ("Subject: hi\rP-Asserted-Identity: <sip:boss@example.com>", "Subject: a\x00b", "Subject: a\x0bb", "Subject: a\r"):
        for uri in ("sip:100@pbx.example.net", "sip:alice@example.com"):
            field.refused(stranger, f"{smuggled!r} by UDP", stranger.request("INVITE", uri, headers=[smuggled], body=stranger.sdp()), 400)
            request = stranger.request("INVITE", uri, headers=[smuggled], body=stranger.sdp()).replace("/UDP", "/TCP")
            with stranger.host.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
                stream.settimeout(lab.PATIENCE)
                stream.connect((sites.WAN_EDGE, 5060))
                stream.sendall(request.encode())
                came = b""
                while part := stream.recv(4096):
                    came += part
                lab.require(came.startswith(b"SIP/2.0 400"), f"{smuggled!r} by TCP: {came}")
    field.untouched()
    alice.send(alice.request("INVITE", "sip:100@pbx.example.net", call_id="answered"))
    alice.wait("SIP/2.0 100")
    field.pbx.answer(field.pbx.wait("INVITE"), 180, headers=["Subject: hi\rP-Asserted-Identity: <sip:boss@example.com>"])
    alice.silence(0.3)
    stranger.send(stranger.request("INVITE", "sip:100@pbx.example.net", headers=["Subject:\thi\r\n\tthere"], body=stranger.sdp() + "a=x:\r\n"))
    lab.require("hi\r\n\tthere" in field.pbx.wait("INVITE sip:100@"), "a folded Subject was not passed on as it is")


def media_ports(net):
    """However many streams strangers and one user ask for, ports are left for other users and for the LAN (100 pairs a side here)."""
    field = Field(net, sections={"media_proxy": {"ports": '"20000-20199"'}, "limits": {"stranger_streams": "30", "user_streams": "30"}})
    field.register(field.alice, field.bob)
    eve = raw_sip.Party(field.site.wan_host(), sites.WAN_EDGE, user="eve")
    field.register(eve)
    strangers = [field.stranger, *(raw_sip.Party(field.site.wan_host(), sites.WAN_EDGE, user=f"m{i}", domain="elsewhere.example")
                                   for i in range(2))]

    def invite(who, lines, to="alice"):
        body = who.sdp() + "".join(f"m=audio {4002 + 2 * i} RTP/AVP 0\r\n" for i in range(lines - 1))
        return who.request("INVITE", f"sip:{to}@example.com", body=body)

    def rings(who, whom, lines=1):
        """Whether a call gets there, or is refused for want of ports."""
        text = who.send(invite(who, lines, whom.user))
        call_id = raw_sip.field(text, "Call-ID")
        end = time.monotonic() + lab.PATIENCE
        while time.monotonic() < end:
            if call_id in (whom.receive(0.02) or ""):
                return True
            answer = who.receive(0.02) or ""
            if call_id in answer and re.match(r"SIP/2\.0 [3-6]", answer):
                lab.require(answer.startswith("SIP/2.0 503"), f"refused, but not for want of ports: {answer}")
                return False
        raise lab.Failure("a call neither gets there nor is refused")
    for lines in (17, 2000):
        field.refused(field.stranger, f"{lines} streams", invite(field.stranger, lines), 488)
    taken = [sum(rings(who, field.alice, 15) for _ in range(4)) for who in (*strangers, eve)]
    lab.require(taken[0] == 2, f"one stranger has {taken[0]} calls of 15 streams, not 2")
    lab.require(sum(taken[:3]) == 3, f"strangers have {taken[:3]} calls of 15 streams: half of the ports are for 3")
    lab.require(taken[3] == 2, f"a user has {taken[3]} calls of 15 streams, not 2")
    lab.require(rings(field.bob, field.alice), "another user finds no ports")
    lab.require(all(rings(field.alice, field.bob, 4) for _ in range(4)), "the LAN finds no ports")
    told = [line for line in field.site.natkit.output.splitlines() if "too many media streams" in line]
    lab.require(0 < len(told) <= 4, f"not a line a minute for each source: {told}")


def scanners(net):
    """They learn neither who exists nor what runs here."""
    field = Field(net)
    field.register(field.alice)
    stranger = field.stranger
    for agent in ("friendly-scanner", "sipvicious", "VaxSIPUserAgent/3.1"):
        stranger.send(stranger.request("OPTIONS", f"sip:100@{sites.WAN_EDGE}", headers=[f"User-Agent: {agent}"]))
    stranger.silence(0.7)
    answers = {}
    for user in ("alice", "bob", "nobody"):
        for method in ("OPTIONS", "REGISTER"):
            uri = "sip:example.com" if method == "REGISTER" else f"sip:{user}@example.com"
            text = stranger.ask(stranger.request(method, uri, to=f"<sip:{user}@example.com>"))
            answers.setdefault(method, set()).add((text[:11], tuple(line.partition(":")[0] for line in text.split("\r\n"))))
            lab.require(not raw_sip.field(text, "Server") and "natkit" not in text, text)
    lab.require(all(len(kinds) == 1 for kinds in answers.values()), f"users can be told from others: {answers}")


if __name__ == "__main__":
    lab.main(open_relay, toll_calls, forged_routes, forged_tags_and_replayed_tokens, spoofed_lan, identities, privacy, control_bytes, media_ports, scanners)
