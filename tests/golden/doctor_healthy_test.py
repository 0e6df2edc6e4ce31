#!/usr/bin/env python3
"""natclassify --explain on made captures of healthy calls that look odd: none of them is an alarm, at any hop."""
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import doctor_test
from doctor_test import A, B, direct_call, relayed_call
from captures import Capture, message, sdp

CALLER, CALLEE, INNER, OUTER = "203.0.113.9:4000", "203.0.113.20:4002", "203.0.113.5:30000", "203.0.113.5:30010"


def talk(c, source, destination, count=400, *, kind=0, ssrc=1, start=0.6, every=0.02, size=160, sequence=1):
    for i in range(count):
        c.udp(start + i * every, source, destination, struct.pack("!BBHII", 0x80, kind, sequence + i & 0xFFFF, 160 * i, ssrc) + bytes(size))


def both_talk(c, **options):
    talk(c, CALLER, CALLEE, ssrc=1, **options)
    talk(c, CALLEE, CALLER, ssrc=2, **options)


def described(address, port, **options):
    return sdp(f"203.0.113.{address}", port, **options)


def bundle(c):
    """Voice and picture on one port (RFC 9143)."""
    lines = [f"m=video {port} RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n" for port in (4000, 4002)]
    direct_call(c, described(9, 4000, extra=lines[0]), described(20, 4002, extra=lines[1]))
    both_talk(c)
    talk(c, CALLER, CALLEE, 800, kind=96, ssrc=3, every=0.01)
    talk(c, CALLEE, CALLER, 800, kind=96, ssrc=4, every=0.01)


def bundle_only(c):
    """The offer's second line has port 0, and is meant all the same."""
    lines = [f"m=video {port} RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\na=bundle-only\r\n" for port in (0, 4002)]
    direct_call(c, described(9, 4000, extra=lines[0]), described(20, 4002, extra=lines[1]))
    both_talk(c)
    talk(c, CALLER, CALLEE, 800, kind=96, ssrc=3, every=0.01)
    talk(c, CALLEE, CALLER, 800, kind=96, ssrc=4, every=0.01)


def empty_packets_keep_the_nat_open(c):
    """Of a payload type that nobody listed (RFC 6263 section 4.6)."""
    direct_call(c, described(9, 4000, direction="recvonly"), described(20, 4002, direction="sendonly"))
    talk(c, CALLEE, CALLER, ssrc=2)
    talk(c, CALLER, CALLEE, 5, kind=20, every=1.5, size=0)


def codec_of_the_offer_until_the_answer(c):
    direct_call(c, described(9, 4000, formats="0 8"), described(20, 4002, formats="8"))
    talk(c, CALLER, CALLEE, 12, start=0.05)
    talk(c, CALLER, CALLEE, kind=8, start=0.3, sequence=13)
    talk(c, CALLEE, CALLER, kind=8, ssrc=2, start=0.3)


def through_relay(c, ssrc_of_callee):
    relayed_call(c, described(9, 4000), described(5, 30010), described(20, 4002), described(5, 30000))
    for source, destination, ssrc, late in ((CALLER, INNER, 1, 0), (OUTER, CALLEE, 1, 0.001), (CALLEE, OUTER, ssrc_of_callee, 0.003),
                                            (INNER, CALLER, ssrc_of_callee, 0.004)):
        talk(c, source, destination, ssrc=ssrc, start=0.6 + late)


def echo_service_behind_a_relay(c):
    """It sends back each packet as it came."""
    through_relay(c, 1)


def camera_off(c):
    lines = [f"m=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" for port in (4010, 4012)]
    direct_call(c, described(9, 4000, extra=lines[0]), described(20, 4002, extra=lines[1]))
    both_talk(c)
    talk(c, "203.0.113.9:4010", "203.0.113.20:4012", kind=96, ssrc=3)


def one_writes_and_the_other_reads(c):
    """Real-time text (RFC 4103) beside the voice."""
    lines = [f"m=text {port} RTP/AVP 98\r\na=rtpmap:98 t140/1000\r\n" for port in (4010, 4012)]
    direct_call(c, described(9, 4000, extra=lines[0]), described(20, 4002, extra=lines[1]))
    both_talk(c)
    talk(c, "203.0.113.9:4010", "203.0.113.20:4012", 26, kind=98, ssrc=3, every=0.3, size=12)


def b2bua_with_one_call_id(c):
    """Both of its calls have the Call-ID of the caller's, and other tags."""
    edge = doctor_test.EDGE
    for at, source, destination, tags, offer, answer in ((0, A, edge, ("a", "e"), described(9, 4000), described(5, 30000)),
                                                         (0.01, edge, B, ("x", "b"), described(5, 30010), described(20, 4002))):
        vias, back = [f"{source};branch=z9hG4bK{tags[0]}"], 0.3 - at
        for when, start, cseq, tag, body in ((at, f"INVITE sip:b@{destination} SIP/2.0", "1 INVITE", "", offer), (back, "SIP/2.0 200 OK", "1 INVITE", tags[1], answer),
                                             (0.35 + at, f"ACK sip:b@{destination} SIP/2.0", "1 ACK", tags[1], ""),
                                             (9 + at, f"BYE sip:b@{destination} SIP/2.0", "2 BYE", tags[1], ""), (9.3 - at, "SIP/2.0 200 OK", "2 BYE", tags[1], "")):
            ends = (destination, source) if start.startswith("SIP") else (source, destination)
            c.udp(when, *ends, message(start, vias=vias, cseq=cseq, from_tag=tags[0], to_tag=tag, contact=ends[0], body=body))
    for source, destination, ssrc in ((CALLER, INNER, 1), (OUTER, CALLEE, 11), (CALLEE, OUTER, 2), (INNER, CALLER, 12)):
        talk(c, source, destination, ssrc=ssrc)


def one_number_for_both(c):
    """Both send by the same SSRC, and the same sequence numbers."""
    through_relay(c, 1)


def another_server_first(c):
    """The first server is down: the INVITE goes to the next one."""
    direct_call(c, described(9, 4000), described(20, 4002))
    both_talk(c)
    c.packets = [(when + 5, packet) for when, packet in c.packets]
    vias = [f"{A};branch=z9hG4bK0"]
    for when in (0, 0.5, 1.5, 3.5):
        c.udp(when, A, "203.0.113.99:5060", message("INVITE sip:b@x SIP/2.0", vias=vias, contact=A, body=described(9, 4000)))


PHONE, SERVER = ("192.0.0.4", "2001:db8:7::1", "198.51.100.9"), ("203.0.113.5", "64:ff9b::cb00:7105", "203.0.113.5")


def of_464xlat(c, *views):
    """A phone that a network of IPv6 alone gives IPv4 by two translations (RFC 6877): `views` are where the capture sees its packets, as IPv4
    on the phone (0), as IPv6 (1), and as IPv4 behind the network's translator (2). The server answers to where packets come from."""
    def pass_by(when, of_phone, sender_port, port, payload):
        ends = (PHONE, SERVER) if of_phone else (SERVER, PHONE)
        for i, view in enumerate(views if of_phone else views[::-1]):
            source, destination = (f"[{one[view]}]" if view == 1 else one[view] for one in ends)
            c.udp(when + i * 0.0002, f"{source}:{sender_port}", f"{destination}:{port}", payload)

    vias = ["192.0.0.4:5060;branch=z9hG4bK1;rport"]
    for when, of_phone, start, cseq, tag, body in ((0, True, "INVITE sip:b@203.0.113.5 SIP/2.0", "1 INVITE", "", sdp("192.0.0.4", 4000)),
                                                   (0.1, False, "SIP/2.0 200 OK", "1 INVITE", "b", sdp("203.0.113.5", 30000)),
                                                   (0.2, True, "ACK sip:b@203.0.113.5 SIP/2.0", "1 ACK", "b", ""),
                                                   (9, True, "BYE sip:b@203.0.113.5 SIP/2.0", "2 BYE", "b", ""),
                                                   (9.1, False, "SIP/2.0 200 OK", "2 BYE", "b", "")):
        pass_by(when, of_phone, 5060, 5060, message(start, vias=vias, cseq=cseq, to_tag=tag, contact="192.0.0.4" if of_phone else "203.0.113.5", body=body))
    for i in range(400):
        for of_phone, ports, ssrc in ((True, (4000, 30000), 1), (False, (30000, 4000), 2)):
            pass_by(0.3 + i * 0.02, of_phone, *ports, struct.pack("!BBHII", 0x80, 0, i, 160 * i, ssrc) + bytes(160))


def translated_on_the_phone(c):
    of_464xlat(c, 0, 1)


def translated_before_the_server(c):
    of_464xlat(c, 2)


CASES = [translated_on_the_phone, translated_before_the_server, bundle, bundle_only, empty_packets_keep_the_nat_open, codec_of_the_offer_until_the_answer, echo_service_behind_a_relay, one_number_for_both,
         camera_off, one_writes_and_the_other_reads, b2bua_with_one_call_id, another_server_first]


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for make in CASES:
            for twice in (False, True):
                capture, path = Capture(), pathlib.Path(folder) / (make.__name__ + ".pcap")
                make(capture)
                if twice:
                    capture.twice()
                capture.save(path)
                done = subprocess.run([doctor_test.BUILD / "bin/natclassify", "--config", "/dev/null", "--explain", "--format", "json", path],
                                      capture_output=True, text=True, timeout=60)
                told = [r for r in map(json.loads, done.stdout.splitlines()) if r["type"] == "explanation"]
                alarms = [f for r in told for f in r["findings"] if not f.get("harmless")]
                if done.returncode or alarms or [r["outcome"] for r in told] != ["answered"]:
                    failures += 1
                    print(f"{make.__name__}, twice: {twice}: {done.stderr} {[r['outcome'] for r in told]} {alarms}")
    print(f"{len(CASES)} calls, {failures} failures")
    sys.exit(1 if failures else 0)


main()
