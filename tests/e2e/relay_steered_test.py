#!/usr/bin/env python3
"""Ports that are steered (BPF sk_lookup): foreign sockets in the range, addresses that go, path MTU, few descriptors, and every reason to fall
back to a socket a port. That calls are relayed as with sockets is shown by the other tests of the relay, which run on both."""
import os
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media
from media import Edge, Peer, rtp, talk

REFUSED = 'media ports are not steered'


def site(net, **options):
    edge = Edge(net, **options)
    phone = net.host("phone").attach("eth0", edge.lan, "192.168.10.5/24", "fd00:10::5/64").default_route("192.168.10.1")
    peer = net.host("peer").attach("eth0", edge.wan, "203.0.113.50/24", "2001:db8::50/64").default_route("203.0.113.10")
    return edge, phone, peer


def call(control, phone, peer, name="call", n=0):
    a, b = Peer(phone, "192.168.10.5", 4000 + 2 * n), Peer(peer, "203.0.113.50", 6000 + 2 * n)
    made = control.ask("relay", call_id=name, a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    return a, b, made


def steered(control):
    return control.ask("status")["receive"]


def foreign_sockets_keep_their_packets(net):
    """A range of three pairs on each side, in one of which somebody else has a port, in another one bound to any address."""
    edge, phone, peer = site(net, ports="20000-20005")
    foreign = edge.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    foreign.bind(("192.168.10.1", 20001))
    anywhere = edge.host.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    anywhere.bind(("::", 20002))
    edge.serve()
    control = edge.control()
    lab.require(steered(control) == {"steered": True, "ports": 0}, steered(control))
    a, b, made = call(control, phone, peer)
    lab.require(made["a"]["local"] == "192.168.10.1:20004", f"{made['a']['local']} is somebody else's, or its RTCP port is")
    lab.require(made["b"]["local"] in ("203.0.113.10:20000", "203.0.113.10:20004"), made["b"]["local"])
    talk(a, made["a"]["local"], b, made["b"]["local"], 5)
    for own, to in ((foreign, ("192.168.10.1", 20001)), (anywhere, ("192.168.10.1", 20002))):
        own.settimeout(lab.PATIENCE)
        a.socket.sendto(b"to you", to)
        lab.require(own.recv(100) == b"to you", "the foreign socket has lost its packet")
    said = control.refused("open", side="lan")
    lab.require(said["code"] == "exhausted", said)


def an_address_goes_and_comes(net):
    """As a bound socket does: nothing is sent from an address that is another host's by now, and all goes on when it is back."""
    edge, phone, peer = site(net)
    edge.serve()
    control = edge.control()
    a, b, made = call(control, phone, peer)
    talk(a, made["a"]["local"], b, made["b"]["local"], 5)
    edge.host.ip("addr", "del", "203.0.113.10/24", "dev", "wan0")
    edge.host.ip("addr", "add", "203.0.113.11/24", "dev", "wan0")

    def silent():
        b.drain()
        a.send(made["a"]["local"], rtp(1, 1))
        return b.hear(0.2) is None
    lab.within(5, silent, "nothing to be sent from an address that is gone")
    drops = control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]["drops"]
    lab.require(drops.get("not-sent", 0) > 0, drops)
    edge.host.ip("addr", "del", "203.0.113.11/24", "dev", "wan0")
    edge.host.ip("addr", "add", "203.0.113.10/24", "dev", "wan0")

    def heard():
        a.send(made["a"]["local"], rtp(2, 1))
        return b.hear(0.2) is not None
    lab.within(5, heard, "audio again")


def large_packets_and_path_mtu(net):
    """A packet that its way takes only in pieces goes in pieces: by the interface, by a route, and by what an ICMP message said."""
    edge, phone, peer = site(net)
    edge.serve()
    control = edge.control()
    a, b, made = call(control, phone, peer)
    talk(a, made["a"]["local"], b, made["b"]["local"], 5)
    for mtu in (1500, 1000):
        edge.host.ip("route", "replace", "203.0.113.0/24", "dev", "wan0", "src", "203.0.113.10", "mtu", mtu)
        for size in (900, 1400, 1472, 5000):
            big = rtp(size, 1, bytes(size))
            a.send(made["a"]["local"], big)
            lab.require(b.hear() == big, f"{len(big)} bytes over a route of {mtu}")
    six = Peer(phone, "fd00:10::5", 4100), Peer(peer, "2001:db8::50", 6100)
    made = control.ask("relay", call_id="six", a={"party": {"endpoint": six[0].endpoint}}, b={"party": {"endpoint": six[1].endpoint}})
    talk(six[0], made["a"]["local"], six[1], made["b"]["local"], 5)
    for size in (900, 1452, 5000):
        big = rtp(size, 1, bytes(size))
        six[0].send(made["a"]["local"], big)
        lab.require(six[1].hear() == big, f"{len(big)} bytes of IPv6")


def packets_that_come_at_once(net):
    """What arrives before the worker knows of the leg is not lost, as it would not be in a socket."""
    edge, phone, peer = site(net, media="workers = 3")
    edge.serve()
    control = edge.control()
    for n in range(20):
        b = Peer(peer, "203.0.113.50", 6000 + 2 * n)
        leg = control.ask("open", side="wan", call_id=f"early {n}", party={"endpoint": b.endpoint})
        b.speak(leg["local"])
        lab.wait_until(lambda leg=leg: control.ask("show", leg=leg["leg"])["legs"][0]["statistics"]["received"]["packets"] == 1,
                       "the early packet to be counted")


def few_descriptors(net):
    """300 calls, 1,200 ports, in a process that may have 128 files open."""
    edge, phone, peer = site(net, ports="20000-23999")
    edge.program = edge.host.start("mediarelay", "prlimit", "--nofile=128:128", media.PROGRAM, "serve", "--config", edge.config, "--runtime",
                                   edge.runtime)
    edge.program.wait_line("serving on")
    control = edge.control()
    made = [call(control, phone, peer, f"call {n}", n) for n in range(60)]
    for n in range(60, 300):
        control.ask("relay", call_id=f"call {n}", a={"party": {"endpoint": f"192.168.10.5:{4000 + 2 * n}"}},
                    b={"party": {"endpoint": f"203.0.113.50:{6000 + 2 * n}"}})
    for a, b, legs in made[::7]:
        talk(a, legs["a"]["local"], b, legs["b"]["local"], 3)
    lab.require(control.ask("status")["ports_in_use"] == 1200, "1,200 ports are in use")


def fallbacks(net):
    """Without the rights, without IPv6, or when it is not wanted: calls go through sockets, and one line says why."""
    os.chmod(net.folder, 0o777)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    raw_only = ["setpriv", "--inh-caps=-all", "--bounding-set=-bpf,-sys_admin"]
    edge, phone, peer = site(net)
    wanted = edge.config.read_text()
    for n, (name, rights, receive, line) in enumerate((
            ("without rights", nobody, "auto", r"each media port has a socket \(receive\), as ports cannot be steered: .*(not permitted|EPERM)"),
            ("without CAP_BPF", raw_only, "auto", r"each media port has a socket .*cannot be steered"),
            ("wanted and not had", nobody, "steered", r"failure.*each media port has a socket"),
            ("not wanted", [], "sockets", None))):
        edge.config.write_text(wanted.replace('log_level = "problems"', f'log_level = "major"\nreceive = "{receive}"'))
        edge.runtime = pathlib.Path(net.folder) / f"run{n}"
        edge.program = edge.host.start("mediarelay", *rights, media.PROGRAM, "serve", "--config", edge.config, "--runtime", edge.runtime)
        edge.program.wait_line("serving on")
        control = edge.control(f"test{n}")
        state = control.ask("status")
        lab.require(not state["receive"]["steered"] and ("why" in state["receive"]) == bool(line), f"{name}: {state}")
        lab.require(any(REFUSED in each for each in state["degraded"]) == (receive == "steered"), f"{name}: {state['degraded']}")
        a, b, made = call(control, phone, peer, n=n)
        talk(a, made["a"]["local"], b, made["b"]["local"], 5)
        if line:
            edge.program.wait_line(line, again=True)
        lab.require(edge.program.output.count("each media port has a socket") == (1 if line else 0), f"{name}: more than one line")
        edge.program.stop()
    edge.config.write_text(wanted)
    edge.host.sysctl("net.ipv6.conf.all.disable_ipv6", 1)
    edge.serve()
    control = edge.control("last")
    lab.require(steered(control)["steered"], "IPv4 is steered where there is no IPv6")
    a, b, made = call(control, phone, peer, n=9)
    talk(a, made["a"]["local"], b, made["b"]["local"], 5)


if __name__ == "__main__":
    lab.skip_without_true_root("e2e.relay_steered")
    lab.main(foreign_sockets_keep_their_packets, an_address_goes_and_comes, large_packets_and_path_mtu, packets_that_come_at_once,
             few_descriptors, fallbacks)
