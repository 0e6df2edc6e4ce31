#!/usr/bin/env python3
"""More of who may do what, from sides that are trusted with something: the trunk, a home server on the WAN, users with passwords, users
of another server; and from hosts on which being on the LAN means nothing. Each attempt must fail, with nothing sent to the victim."""
import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import attacks_test as attacks
import lab
import raw_sip
import site_of_phones as sites

HOSTED = "203.0.113.91"
CLAIMS = [f"{name}: <sip:boss@example.com>" for name in
          ("P-Asserted-Identity", "P-Preferred-Identity", "Remote-Party-ID", "Diversion")]


class Field(attacks.Field):
    """With a home server on the WAN, too."""

    def __init__(self, net):
        super().__init__(net, more={'"hosted.example"': f'"sip:{HOSTED}"'})
        host = net.host("hosted").attach("eth0", self.site.wan, f"{HOSTED}/24")
        self.hosted = raw_sip.Party(host, sites.WAN_EDGE, user="hosted", domain="hosted.example")


def servers_are_no_relay_customers(net):
    """What the trunk or a home server may call: users, home domains, clients by their token. Nothing by Route, To-tag or literal."""
    field = Field(net)
    field.register(field.alice, field.bob)
    field.victims = (field.pbx, field.alice)
    for server in (field.trunk, field.hosted):
        for uri in ("sip:x@198.51.100.99", "sip:+1900@carrier.example", f"sip:x@{attacks.PBX}", "sip:x@192.168.10.77"):
            for method in ("INVITE", "MESSAGE", "REFER"):
                field.refused(server, "a relay for a server", server.request(method, uri))
            field.refused(server, "a forged To-tag", server.request("INVITE", uri, to=f"<{uri}>;tag=forged"))
        for hop in ("192.168.10.20", attacks.PBX, "127.0.0.1", "203.0.113.51:5060"):
            for routes in ([f"Route: <sip:{hop};lr>"], [f"Route: <sip:{sites.WAN_EDGE};lr>, <sip:{hop};lr>"]):
                field.refused(server, "a forged Route", server.request("INVITE", "sip:x@198.51.100.99", headers=routes), 403, 404, 503)
    field.untouched()
    for server in (field.trunk, field.hosted):
        server.send(server.request("INVITE", "sip:alice@example.com", headers=CLAIMS))
        lab.require(field.alice.wait("INVITE").count("boss") == 4, "what a server says of identities was lost")


def users_from_outside(net):
    """A password opens the trunk and the world, not the LAN; and gives nobody a say about identities."""
    field = Field(net)
    field.register(field.alice, field.bob)
    bob = field.bob
    for uri in ("sip:x@192.168.10.77", f"sip:x@{attacks.PBX}", "sip:x@[fd00:10::77]"):
        field.refused(bob, "into the LAN", bob.request("INVITE", uri), 403, 404, 503)
        field.refused(bob, "a forged To-tag", bob.request("INVITE", uri, to=f"<{uri}>;tag=forged"), 403, 404, 503)
    field.untouched()
    bob.send(bob.request("INVITE", "sip:alice@example.com", headers=CLAIMS))
    invite = field.alice.wait("INVITE")
    lab.require("boss" not in invite, f"an identity passed on: {invite}")
    for host in (f"{sites.WAN_EDGE}:9999", "example.com."):
        field.refused(field.stranger, "a claim that looks like ours",
                      field.stranger.request("INVITE", "sip:alice@example.com", from_uri=f"sip:bob@{host}"), 407)


def made_up_credentials(net):
    """A server that looks at no password makes nobody a user; nor does one whose challenge was for somebody else."""
    field = Field(net)
    eve = raw_sip.Party(field.site.wan_host(), sites.WAN_EDGE, user="eve", domain="pbx.example.net")
    made_up = 'Authorization: Digest username="eve", realm="pbx", nonce="n1", uri="sip:pbx.example.net", response="00"'
    uri = "sip:+1900@carrier.example"

    def register(cseq, headers, status, challenge=()):
        eve.send(eve.request("REGISTER", "sip:pbx.example.net", to=f"<{eve.aor}>", call_id="reg-eve", cseq=cseq,
                             headers=["Expires: 600", *headers]))
        asked = field.pbx.wait("REGISTER")
        path = raw_sip.field(asked, "Path")
        contact = raw_sip.field(asked, "Contact")
        lines = [*challenge] if status == 401 else [f"Path: {path}", f"Contact: {contact};expires=600"]
        field.pbx.answer(asked, status, lines)
        eve.wait(f"SIP/2.0 {status}")
        return path

    def toll_call(cseq):
        return eve.request("INVITE", uri, cseq=cseq)
    register(1, [made_up], 200)
    field.refused(eve, "a toll call by a made-up Authorization", toll_call(2))
    field.trunk.silence(0.3)
    for to in ("<sip:bob@example.com>", "<sip:bob@carrier.example>"):
        text = eve.ask(eve.request("REGISTER", "sip:pbx.example.net", to=to, call_id="reg-other", cseq=7, headers=["Expires: 600"]))
        lab.require(text.startswith("SIP/2.0 403"), f"a REGISTER of another domain's user: {text}")
    field.pbx.silence(0.3)
    register(8, [], 401, ['WWW-Authenticate: Digest realm="pbx", nonce="n2", qop="auth"'])
    path = register(9, [made_up.replace("n1", "n2")], 200)
    # Her server knows her now; but the source of a datagram is no password, and she has none here.
    field.refused(eve, "a toll call over UDP by a user of another server", toll_call(10), 407)
    field.trunk.silence(0.3)
    # The server's token for eve: of no use to the trunk, or to a phone of the LAN.
    for thief, own in ((field.trunk, sites.WAN_EDGE), (field.hosted, sites.WAN_EDGE), (field.alice, sites.LAN_EDGE)):
        route = re.sub(r"@[\d.]+", f"@{own}", path)
        field.refused(thief, "a stolen Path token", thief.request("INVITE", eve.contact, headers=[f"Route: {route}"]))
    field.pbx.send(field.pbx.request("INVITE", eve.contact, headers=[f"Route: {path}"]))
    eve.wait("INVITE")


def one_interface(net):
    """Behind a port forwarding everybody looks like the LAN: that alone grants nothing."""
    site = sites.Site(net)
    site.start(network={"lan": '["203.0.113.0/24"]'}, sip={"listen": f'["udp:{sites.WAN_EDGE}:5060"]'}, registrar={"open": "false"},
               **{"sip.routes": {'"carrier.example"': f'{{ to = "sip:{attacks.TRUNK}", kind = "trunk" }}'}})
    near = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="alice")
    lab.require(near.register().startswith("SIP/2.0 403"), "registered without a password")
    for uri in ("sip:+1900@carrier.example", "sip:x@198.51.100.99", "sip:x@203.0.113.77"):
        status = near.status(near.request("INVITE", uri))
        lab.require(status in (403, 404), f"{uri}: {status}")


def spoofed_lan_by_six(net):
    site = sites.Site(net)
    for address, interface in (("2001:db8::10", "wan0"), ("fd00:10::1", "lan0")):
        site.edge.ip("addr", "add", f"{address}/64", "dev", interface)
    listen = [f'"udp:{host}:5060"' for host in (sites.LAN_EDGE, sites.WAN_EDGE, "[fd00:10::1]", "[2001:db8::10]")]
    site.start(network={"lan": '["192.168.10.0/24", "fd00:10::/64"]'}, sip={"listen": f"[{', '.join(listen)}]"}, registrar={"open": "false"})
    host = net.host("six").attach("eth0", site.wan, "2001:db8::50/64")
    host.ip("addr", "add", "fd00:10::20/128", "dev", "eth0", "nodad")
    sender = host.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sender.bind(("fd00:10::20", 5060))
    sender.sendto(b"INVITE sip:x@198.51.100.99 SIP/2.0\r\nVia: SIP/2.0/UDP [fd00:10::20]:5060;branch=z9hG4bKs\r\nMax-Forwards: 70\r\n"
                  b"From: <sip:a@example.com>;tag=1\r\nTo: <sip:x@198.51.100.99>\r\nCall-ID: s\r\nCSeq: 1 INVITE\r\n"
                  b"Content-Length: 0\r\n\r\n", ("2001:db8::10", 5060))
    site.natkit.wait_line(r"dropped: LAN source \[fd00:10::20\]:5060 on a WAN interface")


if __name__ == "__main__":
    lab.main(servers_are_no_relay_customers, users_from_outside, made_up_credentials, one_interface, spoofed_lan_by_six)
