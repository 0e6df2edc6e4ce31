#!/usr/bin/env python3
"""Each of the example sites starts as it is, on a host with its addresses, without a problem or a warning, and does what it is for."""
import pathlib
import shutil
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media
import phones
import site_of_phones

SITES = lab.SOURCE / "tools/natkit/examples/sites"


def start(net, name, extra=""):
    """The site as it is, but for where it keeps its things: a test's own folders."""
    site = site_of_phones.Site(net)
    for file in SITES.iterdir():
        shutil.copy(file, site.folder)
    site.config = site.folder / f"{name}.toml"
    host = site.edge
    if name == "cloud":
        for interface in ("lan0", "wan0"):
            host.ip("link", "del", interface)
        inside = net.segment("inside")
        net.nat("provider", "full-cone", inside, "10.1.2.1/24", site.wan, "203.0.113.10/24", "10.1.2.3")
        host.attach("eth0", inside, "10.1.2.3/24").default_route("10.1.2.1")
    done = host.run(lab.PROGRAMS / "natkit", "check", "--config", site.config)
    lab.require(done.returncode == 0 and not done.stderr, f"natkit check {name}: {done}")
    site.config.write_text(site.config.read_text().replace("[registrar]\n", '[registrar]\nstate = "memory"\n') +
                           '\n[control]\nsocket = "run/natkit.sock"\n' + extra)
    site.natkit = host.start("natkit", lab.PROGRAMS / "natkit", "run", "--config", site.config)
    site.natkit.wait_line("NATKIT running:")
    lab.require({c["state"] for c in site.status()["components"]} == {"running"}, str(site.status()))
    return site


def lan(net):
    site = start(net, "lan")
    a = phones.Baresip(site.lan_host(), "alice", "192.168.10.1:5060", password="change-me", tone=440)
    b = phones.Baresip(site.home_host(), "bob", "203.0.113.10:5060", password="change-me", tone=600)
    phones.call(a, b)
    phones.hear_each_other(a, b)
    phones.hang_up(a, b)
    site.natkit.stop()


def cloud(net):
    """Two phones behind NATs of their own talk by the edge's public address, which it has only at the provider."""
    site = start(net, "cloud")
    a = phones.Baresip(site.home_host("symmetric"), "alice", "203.0.113.10:5060", password="change-me", tone=440)
    b = phones.Baresip(site.home_host("symmetric"), "bob", "203.0.113.10:5060", password="change-me", tone=600)
    phones.call(a, b)
    phones.hear_each_other(a, b)
    phones.hang_up(a, b)
    site.check_wan()
    site.natkit.stop()


def pbx(net):
    site = start(net, "pbx")
    server = net.host("pbx").attach("eth0", site.lan, "192.168.10.50/24")
    registrar = server.socket(socket.AF_INET, socket.SOCK_DGRAM)
    registrar.bind(("192.168.10.50", 5060))
    registrar.settimeout(lab.PATIENCE)
    phone = site.home_host()
    talker = phone.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((phone.address, 5060))
    talker.settimeout(lab.PATIENCE)
    talker.sendto((f"REGISTER sip:pbx.example.net SIP/2.0\r\nVia: SIP/2.0/UDP {phone.address}:5060;branch=z9hG4bKa;rport\r\n"
                   "From: <sip:eve@pbx.example.net>;tag=1\r\nTo: <sip:eve@pbx.example.net>\r\nCall-ID: one\r\nCSeq: 1 REGISTER\r\n"
                   f"Contact: <sip:eve@{phone.address}:5060>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(),
                  ("203.0.113.10", 5060))
    request, source = registrar.recvfrom(4000)
    lab.require(request.startswith(b"REGISTER sip:pbx.example.net") and source == ("192.168.10.1", 5060), f"{source}: {request!r}")
    lab.require(b"\nPath: <sip:" in request, f"no Path: {request!r}")
    lines = request.decode().split("\r\n")
    copied = [line for line in lines if line.split(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
    registrar.sendto("\r\n".join(["SIP/2.0 401 Unauthorized", *copied, "To: <sip:eve@pbx.example.net>;tag=9",
                                  'WWW-Authenticate: Digest realm="pbx.example.net", nonce="n"', "Content-Length: 0", "", ""]).encode(),
                     source)
    answer = talker.recv(4000)
    lab.require(answer.startswith(b"SIP/2.0 401") and b'realm="pbx.example.net"' in answer, f"{answer!r}")
    site.natkit.stop()


def relay_only(net):
    site = start(net, "relay-only")
    lab.require([c["name"] for c in site.status()["components"]] == ["mediarelay"], f"{site.status()}")
    control = media.Control(site.runtime / "mediarelay.sock")
    a, b = media.Peer(site.lan_host()), media.Peer(site.wan_host())
    made = control.ask("relay", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    a.speak(made["a"]["local"])
    lab.require(b.hear(), "nothing came through the relay")
    b.speak(made["b"]["local"])
    lab.require(a.hear(), "nothing came back")
    done = site.edge.run(lab.PROGRAMS / "natkit", "clients", "--config", site.config)
    lab.require(done.returncode == 1 and "sipedge is not running" in done.stderr, f"{done}")
    done = site.edge.run(lab.PROGRAMS / "natkit", "calls", "--config", site.config, "--format", "json")
    lab.require(done.returncode == 0 and not done.stdout, f"calls of a proxy of its own, of which there are none: {done}")
    lab.require(site.natkit.stop() == 0 and not site_of_phones.natkit_processes(), "natkit did not end well")


if __name__ == "__main__":
    lab.main(lan, cloud, pbx, relay_only)
