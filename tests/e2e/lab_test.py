#!/usr/bin/env python3
"""The laboratory itself: its NATs are of the kind they claim, its phones talk, and without natkit a NAT stops them."""
import pathlib
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones


def udp(host, port, address=None):
    made = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((address or host.address, port))
    return made


def arrives(receiver, wanted=True):
    """What comes; where nothing is to come, it is not waited for long."""
    receiver.settimeout(lab.PATIENCE if wanted else 0.3)
    try:
        return receiver.recvfrom(99)
    except TimeoutError:
        return None


def nats_are_of_their_kind(net):
    wan = net.segment("wan")
    peer = net.host("peer").attach("eth0", wan, "203.0.113.50/24", "203.0.113.51/24")
    cases = [  # kind, one mapping for all destinations, lets in: other port, other address
        ("port-restricted", True, False, False),
        ("symmetric", False, False, False),
        ("address-dependent", True, True, False),
        ("full-cone", True, True, True),
    ]
    first, other_port, other_address = (udp(peer, 7000), udp(peer, 7001), udp(peer, 7000, "203.0.113.51"))
    for number, (kind, one_mapping, lets_port, lets_address) in enumerate(cases):
        home = net.segment(f"home{number}")
        net.nat(f"nat{number}", kind, home, "192.168.1.1/24", wan, f"203.0.113.{20 + number}/24", inner_host="192.168.1.10")
        phone = net.host(f"phone{number}").attach("eth0", home, "192.168.1.10/24").default_route("192.168.1.1")
        inner = udp(phone, 5060)
        inner.sendto(b"to the first", ("203.0.113.50", 7000))
        found = arrives(first)
        lab.require(found, f"{kind}: nothing gets out")
        mapped = found[1]
        lab.require(mapped[0] == f"203.0.113.{20 + number}", f"{kind}: seen as {mapped}")
        first.sendto(b"back", mapped)
        lab.require(arrives(inner), f"{kind}: the answer does not get in")
        for name, sender, want in (("other port", other_port, lets_port), ("other address", other_address, lets_address)):
            sender.sendto(name.encode(), mapped)
            lab.require(bool(arrives(inner, want)) == want, f"{kind}: {name} {'does not get' if want else 'gets'} in")
        inner.sendto(b"to the second", ("203.0.113.50", 7001))
        second = arrives(other_port)
        lab.require(second and (second[1] == mapped) == one_mapping, f"{kind}: mapped to {mapped}, then to {second}")


def bindings_end(net):
    wan, home = net.segment("wan"), net.segment("home")
    nat = net.nat("nat", "port-restricted", home, "192.168.1.1/24", wan, "203.0.113.20/24")
    net.udp_timeouts(nat, 5)
    peer = udp(net.host("peer").attach("eth0", wan, "203.0.113.50/24"), 7000)
    inner = udp(net.host("phone").attach("eth0", home, "192.168.1.10/24").default_route("192.168.1.1"), 5060)
    inner.sendto(b"hello", ("203.0.113.50", 7000))
    mapped = arrives(peer)[1]
    peer.sendto(b"still open", mapped)
    lab.require(arrives(inner), "the binding was never open")
    lab.wait_until(lambda: "5060" not in lab.sh(*nat.enter, "conntrack", "-L", "-p", "udp"), "the binding to end")
    peer.sendto(b"too late", mapped)
    lab.require(not arrives(inner, False), "the binding is still open")


def phones_talk(net):
    wan = net.segment("wan")
    alice = net.host("alice").attach("eth0", wan, "203.0.113.50/24")
    bob = net.host("bob").attach("eth0", wan, "203.0.113.60/24").count_rtp()
    seen = net.tap(wan)
    a = phones.Baresip(alice, "alice", "203.0.113.60:5060", register=False, tone=440)
    b = phones.Baresip(bob, "bob", "203.0.113.50:5060", register=False, tone=600)
    phones.call(a, b)
    phones.hear_each_other(a, b)
    phones.hang_up(a, b)
    lab.require(bob.rtp_counted() >= 50, f"nft counted {bob.rtp_counted()}")
    lab.require(any(text.startswith("INVITE ") for _, text in seen.sip()), "no INVITE seen on the segment")
    lab.require(not lab.same_audio(a.said(), b.said()), "the phones' audio cannot be told apart")


def a_nat_stops_a_call(net):
    """So that the other tests cannot pass by the lab leaking."""
    wan, home = net.segment("wan"), net.segment("home")
    net.nat("nat", "port-restricted", home, "192.168.1.1/24", wan, "203.0.113.20/24")
    inside = net.host("inside").attach("eth0", home, "192.168.1.10/24").default_route("192.168.1.1")
    outside = net.host("outside").attach("eth0", wan, "203.0.113.50/24")
    a = phones.Baresip(outside, "alice", "203.0.113.20:5060", register=False, tone=440)
    b = phones.Baresip(inside, "bob", "203.0.113.50:5060", register=False, tone=600)
    a.dial(b.aor)
    try:
        b.wait_event("CALL_INCOMING", seconds=2)
    except lab.Failure:
        return
    raise lab.Failure("the NAT let a call in that nobody opened it for")


if __name__ == "__main__":
    lab.main(nats_are_of_their_kind, bindings_end, phones_talk, a_nat_stops_a_call)
