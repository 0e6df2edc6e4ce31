#!/usr/bin/env python3
"""natclassify --explain on captures with known causes: the right cause, for the right party, in a sentence with the right addresses."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev"))
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, message, sdp  # noqa: E402

A, B, EDGE = "203.0.113.9:5060", "203.0.113.20:5060", "203.0.113.5:5060"


def direct_call(capture, offer, answer, *, a=A, b=B, a_via=None, a_contact=None, b_contact=None, end=9.0):
    """INVITE, 200, ACK, BYE, 200 between two phones."""
    vias = [(a_via or a) + ";branch=z9hG4bK1"]
    capture.udp(0.0, a, b, message(f"INVITE sip:b@{b} SIP/2.0", vias=vias, contact=a_contact or a, body=offer))
    if answer is None:
        return
    capture.udp(0.1, b, a, message("SIP/2.0 200 OK", vias=vias, to_tag="b", contact=b_contact or b, body=answer))
    capture.udp(0.2, a, b, message(f"ACK sip:b@{b} SIP/2.0", vias=vias, to_tag="b", cseq="1 ACK"))
    if end:
        capture.udp(end, a, b, message(f"BYE sip:b@{b} SIP/2.0", vias=vias, to_tag="b", cseq="2 BYE"))
        capture.udp(end + 0.05, b, a, message("SIP/2.0 200 OK", vias=vias, to_tag="b", cseq="2 BYE"))


def relayed_call(capture, offer, offer_out, answer, answer_out, *, a=A, b=B):
    """The same by way of EDGE, which puts other session descriptions in."""
    one = [a + ";branch=z9hG4bK1"]
    two = [EDGE + ";branch=z9hG4bK2"] + one
    capture.udp(0.00, a, EDGE, message(f"INVITE sip:b@{EDGE} SIP/2.0", vias=one, contact=a, body=offer))
    capture.udp(0.01, EDGE, b, message(f"INVITE sip:b@{b} SIP/2.0", vias=two, contact=a, body=offer_out))
    capture.udp(0.10, b, EDGE, message("SIP/2.0 200 OK", vias=two, to_tag="b", contact=b, body=answer))
    capture.udp(0.11, EDGE, a, message("SIP/2.0 200 OK", vias=one, to_tag="b", contact=b, body=answer_out))
    capture.udp(9.00, a, EDGE, message(f"BYE sip:b@{b} SIP/2.0", vias=one, to_tag="b", cseq="2 BYE"))


def healthy(c):
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002))
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=2)


def healthy_twice(c):
    """On a bridge or on all interfaces every packet is there twice, or three times."""
    healthy(c)
    c.twice()
    c.twice(0.0003)


def ports_used_again(c):
    """The next call at the same ports a few seconds later: its audio is not the first one's."""
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002), end=4)
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)
    vias = [A + ";branch=z9hG4bK9"]
    c.udp(10, A, B, message(f"INVITE sip:b@{B} SIP/2.0", vias=vias, call_id="call-2", contact=A, body=sdp("203.0.113.9", 4000)))
    c.udp(10.1, B, A, message("SIP/2.0 200 OK", vias=vias, call_id="call-2", to_tag="b", contact=B, body=sdp("203.0.113.20", 4002)))
    c.rtp(10.3, "203.0.113.9:4000", "203.0.113.20:4002", 50, ssrc=3)
    c.rtp(10.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=4)
    c.udp(14, A, B, message(f"BYE sip:b@{B} SIP/2.0", vias=vias, call_id="call-2", to_tag="b", cseq="2 BYE"))


def cut_by_the_capture(c):
    healthy(c)


def sendonly_from_the_beginning(c):
    direct_call(c, sdp("203.0.113.9", 4000, direction="sendonly"), sdp("203.0.113.20", 4002, direction="recvonly"))
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)


def early_media(c):
    """A sendonly 183 before the answer is no hold."""
    vias = [A + ";branch=z9hG4bK1"]
    c.udp(0.05, B, A, message("SIP/2.0 183 Session Progress", vias=vias, to_tag="b", contact=B, body=sdp("203.0.113.20", 4002, direction="sendonly")))
    healthy(c)


def silent_for_a_moment(c):
    """Not answered two seconds after it was heard: no NAT forgets that fast."""
    nat = "198.51.100.7:40001"
    c.udp(0, nat, EDGE, message("REGISTER sip:example.com SIP/2.0", vias=["192.168.1.5:5060;branch=z9hG4bKr"], call_id="reg", cseq="1 REGISTER",
                                contact="192.168.1.5:5060"))
    for i in range(5):
        c.udp(2 + 2 ** i * 0.5, EDGE, nat, message(f"INVITE sip:b@{nat} SIP/2.0", vias=[EDGE + ";branch=z9hG4bK1"], contact=EDGE,
                                                   body=sdp("203.0.113.5", 4000)))


def fork_answered_late(c):
    """One phone of two refuses, the other answers half a minute later; its audio is there."""
    one, two = [A + ";branch=z9hG4bK1"], [[EDGE + f";branch=z9hG4bK{n}", A + ";branch=z9hG4bK1"] for n in (2, 3)]
    other = "203.0.113.21:5060"
    c.udp(0, A, EDGE, message("INVITE sip:b@x SIP/2.0", vias=one, contact=A, body=sdp("203.0.113.9", 4000)))
    for vias, phone in zip(two, (B, other)):
        c.udp(0.01, EDGE, phone, message("INVITE sip:b@x SIP/2.0", vias=vias, contact=A, body=sdp("203.0.113.9", 4000)))
    c.udp(0.1, B, EDGE, message("SIP/2.0 183 Session Progress", vias=two[0], to_tag="x", contact=B, body=sdp("203.0.113.20", 4002)))
    c.udp(0.11, EDGE, A, message("SIP/2.0 183 Session Progress", vias=one, to_tag="x", contact=B, body=sdp("203.0.113.20", 4002)))
    c.udp(1, B, EDGE, message("SIP/2.0 486 Busy Here", vias=two[0], to_tag="x"))
    c.udp(30, other, EDGE, message("SIP/2.0 200 OK", vias=two[1], to_tag="y", contact=other, body=sdp("203.0.113.21", 4004)))
    c.udp(30.01, EDGE, A, message("SIP/2.0 200 OK", vias=one, to_tag="y", contact=other, body=sdp("203.0.113.21", 4004)))
    c.rtp(30.3, "203.0.113.9:4000", "203.0.113.21:4004", 50)
    c.rtp(30.3, "203.0.113.21:4004", "203.0.113.9:4000", 50, ssrc=2)


def over_tcp_with_a_gap(c):
    """The capture lacks a segment with an OPTIONS; the call after it is read all the same."""
    vias = [A + ";branch=z9hG4bK1"]
    invite = message(f"INVITE sip:b@{B} SIP/2.0", vias=vias, contact=A, body=sdp("203.0.113.9", 4000))
    options = message(f"OPTIONS sip:b@{B} SIP/2.0", vias=vias, call_id="o", cseq="1 OPTIONS")
    answer = message("SIP/2.0 200 OK", vias=vias, to_tag="b", contact=B, body=sdp("203.0.113.20", 4002))
    c.tcp(0, A, B, 1000, options[:80])
    c.tcp(0.1, A, B, 1000 + len(options), invite)
    c.tcp(0.2, B, A, 5000, answer, acknowledged=1000 + len(options) + len(invite))
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)


def private_address(c):
    direct_call(c, sdp("192.168.1.5", 4000), sdp("203.0.113.20", 4002), a="198.51.100.7:40001", a_via="192.168.1.5:5060", a_contact="192.168.1.5:5060")
    c.rtp(0.3, "198.51.100.7:61000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", "192.168.1.5:4000", 50, ssrc=2)


def other_port(c):
    """Behind a NAT: the port of STUN is not the one that leads to the other side."""
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002), a_via="192.168.1.5:5060", a_contact="192.168.1.5:5060")
    c.rtp(0.3, "203.0.113.9:61000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=2)


def receives_elsewhere(c):
    """The same without a NAT: it sends from one port and hears at another."""
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002))
    c.rtp(0.3, "203.0.113.9:61000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=2)


def binding_expired_media(c):
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002), end=60)
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)
    c.rtp(35.0, "203.0.113.9:53211", "203.0.113.20:4002", 50, sequence=51)
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 2000, ssrc=2)


def binding_expired_signalling(c):
    nat = "198.51.100.7:40001"
    c.udp(0, nat, EDGE, message("REGISTER sip:example.com SIP/2.0", vias=["192.168.1.5:5060;branch=z9hG4bKr"], call_id="reg", cseq="1 REGISTER",
                                contact="192.168.1.5:5060"))
    for i in range(5):
        c.udp(70 + 2 ** i * 0.5, EDGE, nat, message(f"INVITE sip:b@{nat} SIP/2.0", vias=[EDGE + ";branch=z9hG4bK1"], contact=EDGE,
                                                     body=sdp("203.0.113.5", 4000)))


def alg(c):
    body = sdp("198.51.100.7", 4000, origin="192.168.1.5")
    c.udp(0, "198.51.100.7:40001", B, message("INVITE sip:b@x SIP/2.0", vias=["198.51.100.7:40001;branch=z9hG4bK1"], contact="192.168.1.5:5060",
                                             body=body, length=len(body) - 12))
    c.udp(0.1, B, "198.51.100.7:40001", message("SIP/2.0 200 OK", vias=["198.51.100.7:40001;branch=z9hG4bK1"], to_tag="b", contact=B, body=sdp("203.0.113.20", 4002)))


RELAY_A, RELAY_B = "203.0.113.5:30000", "203.0.113.5:30010"


def proxy_cancels(c):
    """A proxy's CANCEL has its own Via alone: what it passes on for a phone behind a NAT afterwards is not its own."""
    c.udp(0.05, EDGE, "198.51.100.9:5060", message("CANCEL sip:b@198.51.100.9 SIP/2.0", vias=[EDGE + ";branch=z9hG4bK3"], cseq="1 CANCEL"))
    relayed_call(c, *[sdp("203.0.113.9", 4000)] * 2, *[sdp("203.0.113.20", 4002)] * 2)
    c.udp(9.1, EDGE, A, message("SIP/2.0 200 OK", vias=[A + ";branch=z9hG4bK1"], to_tag="b", cseq="2 BYE", contact="192.168.1.7:5060"))


def not_joined(c):
    relayed_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.5", 30010), sdp("203.0.113.20", 4002), sdp("203.0.113.5", 30000))
    c.rtp(0.3, "203.0.113.9:4000", RELAY_A, 50)
    c.rtp(0.3, "203.0.113.20:4002", RELAY_B, 50, ssrc=2)


def relay_refuses_one(c):
    relayed_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.5", 30010), sdp("203.0.113.20", 4002), sdp("203.0.113.5", 30000))
    c.rtp(0.3, "203.0.113.9:4000", RELAY_A, 50)
    c.rtp(0.3, "203.0.113.20:4002", RELAY_B, 50, ssrc=2)
    c.rtp(0.3, RELAY_A, "203.0.113.9:4000", 50, ssrc=2)


def hold(c):
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002), end=None)
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=2)
    vias = [A + ";branch=z9hG4bK3"]
    c.udp(2, A, B, message("INVITE sip:b@x SIP/2.0", vias=vias, cseq="2 INVITE", to_tag="b", contact=A, body=sdp("203.0.113.9", 4000, direction="sendonly")))
    c.udp(2.1, B, A, message("SIP/2.0 200 OK", vias=vias, cseq="2 INVITE", to_tag="b", contact=B, body=sdp("203.0.113.20", 4002, direction="recvonly")))
    c.rtp(2.2, "203.0.113.9:4000", "203.0.113.20:4002", 200, sequence=51)


def wrong_family(c):
    direct_call(c, sdp("203.0.113.9", 4000), sdp("2001:db8::20", 4002))


def around(c):
    host = "a=candidate:1 1 UDP 2130706431 {} {} typ host\r\na=ice-ufrag:x\r\n"
    relayed_call(c, sdp("203.0.113.9", 4000, extra=host.format("203.0.113.9", 4000)), sdp("203.0.113.5", 30010, extra=host.format("203.0.113.9", 4000)),
                 sdp("203.0.113.20", 4002, extra=host.format("203.0.113.20", 4002)), sdp("203.0.113.5", 30000, extra=host.format("203.0.113.20", 4002)))
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=2)


def lost_before(c):
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002))
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=2)
    c.sender_report(5, "203.0.113.9:4001", "203.0.113.20:4003", 240)


def lost_after(c):
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002))
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", "203.0.113.9:4000", 50, ssrc=2)
    c.sender_report(5, "203.0.113.20:4003", "203.0.113.9:4001", 50, ssrc=2, about=1, lost=255)


def loop(c):
    relayed_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.5", 30010), sdp("203.0.113.20", 4002), sdp("203.0.113.5", 30000))
    c.rtp(0.3, "203.0.113.5:30010", RELAY_A, 50, repeat=8)
    c.rtp(0.3, "203.0.113.9:4000", RELAY_A, 50)


def nothing_sent(c):
    direct_call(c, sdp("203.0.113.9", 4000), sdp("203.0.113.20", 4002))
    c.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 50)


def refused(c):
    direct_call(c, sdp("203.0.113.9", 4000), None)
    c.udp(1, B, A, message("SIP/2.0 486 Busy Here", vias=[A + ";branch=z9hG4bK1"], to_tag="b"))


def on_the_nat(c):
    """Captured on the NAT itself: everything is there twice, before and after translation."""
    inside, outside = "192.168.1.5", "198.51.100.7"
    vias = [inside + ":5060;branch=z9hG4bK1"]
    invite = message("INVITE sip:b@x SIP/2.0", vias=vias, contact=inside + ":5060", body=sdp(inside, 4000))
    answer = message("SIP/2.0 200 OK", vias=vias, to_tag="b", contact=B, body=sdp("203.0.113.20", 4002))
    c.udp(0, inside + ":5060", B, invite)
    c.udp(0.001, outside + ":40001", B, invite)
    c.udp(0.1, B, outside + ":40001", answer)
    c.udp(0.101, B, inside + ":5060", answer)
    c.rtp(0.3, inside + ":4000", "203.0.113.20:4002", 50)
    c.rtp(0.301, outside + ":61000", "203.0.113.20:4002", 50)


def through_a_gateway(c):
    """Captured on both sides of a gateway that reads along, and does it well."""
    inside, outside = "192.168.1.5", "198.51.100.7"

    def invite(address):
        return message("INVITE sip:b@x SIP/2.0", vias=[address + ":5060;branch=z9hG4bK1"], contact=address + ":5060", body=sdp(address, 4000))

    def answer(address):
        return message("SIP/2.0 200 OK", vias=[address + ":5060;branch=z9hG4bK1"], to_tag="b", contact=B, body=sdp("203.0.113.20", 4002))
    c.udp(0, inside + ":5060", B, invite(inside))
    c.udp(0.001, outside + ":5060", B, invite(outside))
    c.udp(0.1, B, outside + ":5060", answer(outside))
    c.udp(0.101, B, inside + ":5060", answer(inside))
    c.rtp(0.3, inside + ":4000", "203.0.113.20:4002", 50)
    c.rtp(0.301, outside + ":4000", "203.0.113.20:4002", 50)
    c.rtp(0.3, "203.0.113.20:4002", outside + ":4000", 50, ssrc=2)
    c.rtp(0.301, "203.0.113.20:4002", inside + ":4000", 50, ssrc=2)


# capture, cause (None: nothing wrong), who hears nothing, words that must be in the sentence, words of what is to be changed
CASES = [
    (receives_elsewhere, None, None, [], []),
    (healthy, None, None, [], []),
    (healthy_twice, None, None, [], []),
    (early_media, None, None, [], []),
    (proxy_cancels, None, None, [], []),
    (fork_answered_late, None, None, [], []),
    (cut_by_the_capture, None, None, [], []),
    (through_a_gateway, "alg-rewrites", None,
     ["192.168.1.5:5060 (frame 1) and 198.51.100.7:5060 (frame 2)", "SDP c=: IN IP4 192.168.1.5 became IN IP4 198.51.100.7",
      "Contact: ", "Via: "], ["Nothing to repair"]),
    (ports_used_again, "nothing-sent", "caller", ["no packet from the callee"], ["203.0.113.9"]),
    (sendonly_from_the_beginning, "on-hold", "caller", ["from the beginning", "a=sendonly in frame 1", "no failure"], ["Nothing to repair"]),
    (silent_for_a_moment, "not-answered", None, ["no final answer"], ["ringing"]),
    (over_tcp_with_a_gap, "nothing-sent", "caller", ["no packet from the callee"], ["203.0.113.9"]),
    (private_address, "private-address-in-sdp", "caller", ["192.168.1.5:4000", "private address", "50 packets"], ["[network] nated", "192.168.1.5"]),
    (on_the_nat, "private-address-in-sdp", "caller", ["192.168.1.5:4000"], ["external address"]),
    (other_port, "rtp-from-elsewhere", "caller", ["203.0.113.9:4000", "203.0.113.9:61000"], ["symmetric RTP", "source_port_restriction"]),
    (binding_expired_media, "nat-binding-expired", "caller", ["203.0.113.9:53211", "34 s"], ["keepalives", "rule rebind"]),
    (binding_expired_signalling, "nat-binding-expired", None, ["5 times", "198.51.100.7:40001", "forgotten"], ["udp_interval"]),
    (alg, "alg-damage", None, ["Content-Length", "192.168.1.5"], ["SIP ALG"]),
    (not_joined, "relay-not-joined", "both", ["203.0.113.5:30000", "not joined"], ["mediarelay list"]),
    (relay_refuses_one, "relay-swallows", "callee", ["203.0.113.5:30000", "does not send them on"], ["drop records"]),
    (hold, "on-hold", "caller", ["a=sendonly", "no failure"], ["Nothing to repair", "hold_timeout"]),
    (wrong_family, "wrong-family", None, [], ["media proxy", "families-differ"]),
    (around, "ice-around-relay", None, ["203.0.113.20", "around the relay"], ["--ice drop"]),
    (lost_before, "never-arrives", "callee", ["240 packets", "none of them"], ["firewall", "203.0.113.20:4002"]),
    (lost_after, "never-arrives", "callee", ["99 %"], ["firewall"]),
    (loop, "media-loop", None, ["203.0.113.5:30010", "203.0.113.5:30000"], ["looptrace"]),
    (nothing_sent, "nothing-sent", "caller", ["no packet from the callee"], ["capture there", "203.0.113.9"]),
    (refused, "refused", None, ["486"], ["signalling"]),
]


def registration(c):
    for n, (start, to_tag) in enumerate((("REGISTER sip:example.com SIP/2.0", ""), ("SIP/2.0 200 OK", "t"))):
        ends = (A, B)[::-1] if n else (A, B)
        c.udp(5 + n / 10, *ends, message(start, vias=[f"{A};branch=z9hG4bKreg"], call_id="reg", cseq="1 REGISTER", to_tag=to_tag,
                                         contact=A, more="Expires: 600\r\n"))


def healthy_after_registration(c):
    registration(c)
    healthy(c)


# capture, options, words that the text has, words that it has not
TEXTS = [
    (registration, (), ["1 registration, 0 broken"], ["call,"]),
    (healthy_after_registration, (), ["\n\n1 call and 1 registration, 0 broken"], []),
    (healthy, (), ["✓ ", "\n\n1 call, 0 broken"], ["packets", "media proxy"]),
    (hold, (), ["✓ ", ", frame 1: on hold\n\n1 call, 0 broken"], ["packets", "•", "→ call"]),
    (healthy, (), ["  2023-11-14 22:13:20 UTC, answered (200), "], []),
    (nothing_sent, (), [", PCMU, SSRC 0x00000001\n"], ["\n    from "]),
    (hold, ("--call-id", "call-1"), ["• ", "on-hold: ", "packets", "callee → caller  nothing, as agreed\n"], ["✗"]),
    (hold, ("--user", "a"), ["\n✓ ", "on-hold: ", "packets"], []),
    (healthy, ("--user", "a"), ["✓ ", "Nothing wrong was found.", "packets"], []),
    (healthy, ("--policy",), ["\n  media proxy: not needed (same-side-direct)\n"], ["packets"]),
    (other_port, ("--policy",), ["media proxy: needed (far-end-nat)"], []),
    (other_port, (), ["✗"], ["media proxy: "]),
    (private_address, (), ["media proxy: needed (far-end-nat)"], []),
    (wrong_family, (), ["media proxy: needed (families-differ)"], []),
    (relay_refuses_one, (), ["✗"], ["media proxy: "]),
]


def check_text(make, options, has, has_not, path):
    capture = Capture()
    make(capture)
    capture.save(path)
    done = subprocess.run([BUILD / "bin/natclassify", "--config", "/dev/null", "--explain", "--format", "text", *options, path],
                          capture_output=True, text=True, timeout=60)
    good = done.returncode == 0 and all(word in done.stdout for word in has) and not any(word in done.stdout for word in has_not)
    if not good:
        print(f"{make.__name__} {options}: wanted {has}, not {has_not}: {done}")
    return good


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for make, cause, silent, words, change in CASES:
            capture = Capture()
            make(capture)
            path = pathlib.Path(folder) / (make.__name__ + ".pcap")
            capture.save(path, snap=360 if make is cut_by_the_capture else None)
            run = subprocess.run([BUILD / "bin/natclassify", "--explain", "--format", "json", path], capture_output=True, text=True, timeout=60)
            records = [json.loads(line) for line in run.stdout.splitlines()]
            findings = [f for r in records if r["type"] == "explanation" for f in r["findings"]]
            if cause is None:
                good = run.returncode == 0 and not findings and any(r["type"] == "explanation" for r in records)
            else:
                good = any(f["cause"] == cause and (silent is None or f.get("hears_nothing") == silent) and all(w in f["sentence"] for w in words)
                           and all(w in f["change"] for w in change) for f in findings)
                good = good and all(f["cause"] == cause or f.get("harmless") or cause in ("wrong-family", "media-loop", "alg-damage") for f in findings)
            explanations = [r for r in records if r["type"] == "explanation"]
            if make is healthy_twice:  # each packet counts once
                good = good and explanations[0]["streams"][0]["to_callee"]["sent_packets"] == 50
            if make is ports_used_again:
                good = good and [(len(r["findings"]), r["streams"][0]["to_callee"]["sent_packets"]) for r in explanations] == [(1, 50), (0, 50)]
            if make is cut_by_the_capture:
                good = good and explanations[0]["cut"] is True
                text = subprocess.run([BUILD / "bin/natclassify", "--explain", "--format", "text", path], capture_output=True, text=True, timeout=60).stdout
                good = good and "cut by the capture" in text
                plain = subprocess.run([BUILD / "bin/natclassify", "--format", "json", path], capture_output=True, text=True, timeout=60)
                cut = [r for r in map(json.loads, plain.stdout.splitlines()) if r["type"] == "sip" and r.get("cut")]
                good = good and len(cut) >= 2 and not any(r["nat"]["alg_suspected"] for r in cut)
            if make is private_address:  # also for people: from where
                text = subprocess.run([BUILD / "bin/natclassify", "--explain", "--format", "text", path], capture_output=True, text=True, timeout=60).stdout
                good = good and "50 packets     from 198.51.100.7:61000" in text
            if make is on_the_nat:
                run = subprocess.run([BUILD / "bin/natclassify", "--format", "json", path], capture_output=True, text=True, timeout=60)
                copies = [(r["frame"], r.get("copy_of"), r.get("translated")) for r in map(json.loads, run.stdout.splitlines()) if r["type"] == "sip"]
                good = good and copies == [(1, None, None), (2, 1, ["source"]), (3, None, None), (4, 3, ["destination"])]
            if not good:
                failures += 1
                print(f"{make.__name__}: wanted {cause} for {silent} with {words}, {change}; exit {run.returncode}; {run.stderr}")
                for finding in findings:
                    print("   ", finding)
        failures += sum(not check_text(*case, pathlib.Path(folder) / "text.pcap") for case in TEXTS)
    print(f"{len(CASES)} captures, {len(TEXTS)} texts, {failures} failures")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
