#!/usr/bin/env python3
"""Phones over UDP, TCP and TLS, IPv4 and IPv6, on the LAN, on the WAN and behind NATs: registered, calling, called, with audio
both ways; and the certificate that a phone is shown."""
import pathlib
import queue
import socket
import ssl
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import raw_sip
import site_of_phones as sites

WAN6, LAN6 = "2001:db8::10", "fd00:10::1"


def certificate(net, *names):
    folder = net.folder / "tls"
    folder.mkdir()
    lab.sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
           "-addext", "subjectAltName=" + ",".join(names), "-keyout", folder / "key.pem", "-out", folder / "certificate.pem")
    return {"certificate": f'"{folder}/certificate.pem"', "key": f'"{folder}/key.pem"', "ca": f'"{folder}/certificate.pem"'}


def whole_site(net):
    """Every transport and family on both sides."""
    site = sites.Site(net)
    site.edge.ip("addr", "add", f"{WAN6}/64", "dev", "wan0")
    site.edge.ip("addr", "add", f"{LAN6}/64", "dev", "lan0")
    hosts = [sites.LAN_EDGE, sites.WAN_EDGE, f"[{LAN6}]", f"[{WAN6}]"]
    listen = [f'"{t}:{h}:{5061 if t == "tls" else 5060}"' for h in hosts for t in ("udp", "tcp", "tls")]
    tls = certificate(net, "DNS:example.com", f"IP:{sites.WAN_EDGE}", f"IP:{sites.LAN_EDGE}", f"IP:{WAN6}")
    return site.start(network={"lan": '["192.168.10.0/24", "fd00:10::/64"]'}, sip={"listen": f"[{', '.join(listen)}]"}, tls=tls)


def phone(site, host, user, transport, tone):
    edge = {True: (f"[{LAN6}]", f"[{WAN6}]"), False: (sites.LAN_EDGE, sites.WAN_EDGE)}[":" in host.address]
    near = host.address.startswith(("192.168.10.", "fd00:"))
    port = 5061 if transport == "tls" else 5060
    return phones.Baresip(host, user, f"{edge[0 if near else 1]}:{port}", transport=transport, tone=tone)


def six_host(site, name, segment, address):
    return site.net.host(name).attach("eth0", segment, f"{address}/64")


def talk(site, caller, callee):
    phones.call(caller, callee)
    phones.hear_each_other(caller, callee)
    phones.hang_up(callee, caller)
    site.wait_nothing_left()


def tls_behind_a_nat(net):
    site = whole_site(net)
    bob = phone(site, site.home_host(), "bob", "tls", 600)
    anna = phone(site, site.lan_host(), "anna", "tls", 500)
    alice = phone(site, site.wan_host(), "alice", "udp", 440)
    for caller, callee in ((bob, alice), (alice, bob), (anna, bob), (bob, anna)):
        talk(site, caller, callee)
    known = {c["aor"]: c["flow"]["transport"] for c in site.ask("sipedge", "clients")["clients"]}
    lab.require(known["sip:bob@example.com"] == "tls", f"{known}")
    context = ssl.create_default_context(cafile=net.folder / "tls/certificate.pem")
    raw = alice.host.socket(socket.AF_INET, socket.SOCK_STREAM)
    raw.settimeout(lab.PATIENCE)
    raw.connect((sites.WAN_EDGE, 5061))
    with context.wrap_socket(raw, server_hostname="example.com") as stream:
        stream.sendall(b"\r\n\r\n")
        lab.require(stream.recv(9) == b"\r\n", "no pong over TLS")
    site.natkit.stop()


def six_and_four(net):
    site = whole_site(net)
    wan6 = phone(site, six_host(site, "six", site.wan, "2001:db8::50"), "sixtus", "udp", 600)
    lan6 = phone(site, six_host(site, "lansix", site.lan, "fd00:10::20"), "lena", "tcp", 500)
    bob = phone(site, site.home_host(), "bob", "udp", 440)
    known = {c["aor"]: c["place"] for c in site.ask("sipedge", "clients")["clients"]}
    lab.require(known["sip:sixtus@example.com"] == "wan" and known["sip:lena@example.com"] == "lan", f"{known}")
    for caller, callee in ((wan6, bob), (bob, wan6), (lan6, bob), (wan6, lan6), (lan6, wan6)):
        talk(site, caller, callee)
    site.natkit.stop()


def six_by_tcp_and_tls(net):
    site = whole_site(net)
    bob = phone(site, site.home_host(), "bob", "udp", 440)
    secure = phone(site, six_host(site, "six", site.wan, "2001:db8::50"), "sixtus", "tls", 600)
    plain = phone(site, six_host(site, "sixteen", site.wan, "2001:db8::51"), "sixteen", "tcp", 500)
    lan6 = phone(site, six_host(site, "lansix", site.lan, "fd00:10::20"), "lena", "tls", 520)
    known = {c["aor"]: (c["place"], c["flow"]["transport"]) for c in site.ask("sipedge", "clients")["clients"]}
    lab.require(known["sip:sixtus@example.com"] == ("wan", "tls") and known["sip:sixteen@example.com"] == ("wan", "tcp"), f"{known}")
    for caller, callee in ((secure, bob), (bob, secure), (plain, bob), (bob, plain), (secure, plain), (lan6, secure), (plain, lan6)):
        talk(site, caller, callee)
    site.natkit.stop()


def receive_over_tls(net, host, pair):
    """A server's TLS socket: what comes by it, or why nothing did."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*(path.strip('"') for path in pair))
    listening = host.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind((host.address, 5061))
    listening.listen()
    net.on_close(listening.close)
    came = queue.Queue()

    def serve_one(raw):
        try:
            stream = context.wrap_socket(raw, server_side=True)
            while data := stream.recv(65536):
                came.put(data.decode())
            came.put("none: closed")
        except OSError as error:
            came.put(f"none: {error}")

    def serve():
        while True:
            try:
                raw = listening.accept()[0]
            except OSError:
                return
            threading.Thread(target=serve_one, args=(raw,), daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()
    return came


def to_servers_by_tls(net):
    """A server of [sip.routes] by TLS, and a sips URI: sent to whom the certificate is for, and to nobody else."""
    site = sites.Site(net)
    good, other = site.wan_host(), site.wan_host()
    tls = certificate(net, "DNS:example.com", f"IP:{good.address}")
    listen = [f'"{t}:{h}:{5061 if t == "tls" else 5060}"' for h in (sites.LAN_EDGE, sites.WAN_EDGE) for t in ("udp", "tls")]
    site.start(sip={"listen": f"[{', '.join(listen)}]"}, tls=tls, registrar={"open": "false"}, **{"sip.routes": {
        '"secure.example"': f'"sip:{good.address}:5061;transport=tls"', '"liar.example"': f'"sip:{other.address}:5061;transport=tls"'}})
    came, lied = (receive_over_tls(net, host, (tls["certificate"], tls["key"])) for host in (good, other))
    caller = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="anna")
    for uri in ("sip:x@secure.example", f"sips:x@{good.address}"):
        caller.send(caller.request("OPTIONS", uri))
        text = came.get(timeout=lab.PATIENCE)
        lab.require(text.startswith(f"OPTIONS {uri} ") and "Via: SIP/2.0/TLS" in text, text)
    status = caller.status(caller.request("OPTIONS", "sip:x@liar.example"))
    lab.require(status in (500, 503), f"a certificate for another address: {status}")
    lab.require(lied.get(timeout=lab.PATIENCE).startswith("none"), "a request went to who could not show a certificate for it")
    site.natkit.stop()


def the_edge_behind_a_one_to_one_nat(net):
    """As in a cloud: the edge has a private address, and is known by a public one."""
    lan, wan, cloud = net.segment("lan"), net.segment("wan"), net.segment("cloud")
    net.nat("gateway", "full-cone", cloud, "10.9.0.1/24", wan, f"{sites.WAN_EDGE}/24", "10.9.0.2")
    site = sites.Site.__new__(sites.Site)
    site.net, site.lan, site.wan = net, lan, wan
    site.edge = net.host("edge").attach("lan0", lan, f"{sites.LAN_EDGE}/24").attach("wan0", cloud, "10.9.0.2/24").default_route("10.9.0.1")
    site.on_wan, site.on_lan = net.tap(wan), net.tap(lan)
    site.folder, site.runtime, site.config = net.folder / "site", net.folder / "site/run", net.folder / "site/natkit.toml"
    site.runtime.mkdir(parents=True)
    site._made = {"lan": 0, "wan": 0, "home": 0}
    site.start(sip={"listen": f'["udp:{sites.LAN_EDGE}:5060", "udp:10.9.0.2:5060"]',
                    "advertise": f'{{ "10.9.0.2" = "{sites.WAN_EDGE}" }}'})
    anna = site.phone(site.lan_host(), "anna", tone=500)
    alice = site.phone(site.wan_host(), "alice", tone=440)
    bob = site.phone(site.home_host(), "bob", tone=600)
    for caller, callee in ((anna, alice), (alice, anna), (bob, anna), (alice, bob)):
        talk(site, caller, callee)
    site.check_wan()
    own = [t for d, t in site.on_wan.sip() if d.source == f"{sites.WAN_EDGE}:5060"]
    lab.require(own and not any("10.9.0.2" in t for t in own), "the private address of the edge is shown")
    lab.require(not any(sites.WAN_EDGE in t.partition("\r\n\r\n")[2] for d, t in site.on_lan.sip() if d.source.startswith(sites.LAN_EDGE)),
                "a LAN phone is given the public address")
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(tls_behind_a_nat, six_and_four, six_by_tcp_and_tls, to_servers_by_tls, the_edge_behind_a_one_to_one_nat)
