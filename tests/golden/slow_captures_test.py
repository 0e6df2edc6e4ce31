#!/usr/bin/env python3
"""natclassify --explain on captures made to take its time: what a call may have of a capture is bounded, and what many calls claim at once
is found quickly. Each takes at most some times as long as an ordinary capture of the same size, in the same run."""
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev"))
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, ip_packet, message, sdp, udp_packet  # noqa: E402

A, B = "203.0.113.9", "203.0.113.20"
SIP_A, SIP_B = f"{A}:5060", f"{B}:5060"
TIMES = 40  # as long as an ordinary one; without a sanitizer it is 20 at most, and 67 and 310 where every call looks at everything


def call(c, time, number, port=4000, *, call_id=None, cseq=1, extra=""):
    vias, call_id = [f"{SIP_A};branch=z9hG4bK{number}"], call_id or f"call-{number}"
    tag, cseq = "b" if cseq > 1 else "", f"{cseq} INVITE"
    c.udp(time, SIP_A, SIP_B, message("INVITE sip:b@x SIP/2.0", vias=vias, call_id=call_id, cseq=cseq, to_tag=tag, contact=SIP_A, body=sdp(A, port, extra=extra)))
    c.udp(time + 0.0005, SIP_B, SIP_A, message("SIP/2.0 200 OK", vias=vias, call_id=call_id, cseq=cseq, to_tag="b", contact=SIP_B, body=sdp(B, port + 2, extra=extra)))


def ordinary(c):
    for i in range(500):
        call(c, i / 2, i, 10_000 + 4 * i)
        c.rtp(i / 2 + 0.1, f"{A}:{10_000 + 4 * i}", f"{B}:{10_002 + 4 * i}", 15, ssrc=2 * i + 1)
        c.rtp(i / 2 + 0.1, f"{B}:{10_002 + 4 * i}", f"{A}:{10_000 + 4 * i}", 15, ssrc=2 * i + 2)


def calls_of_the_same_ports(c):
    """Each of the calls may have sent each of the streams, and all have one source."""
    for i in range(400):
        call(c, i / 1000, i)
    for i in range(300):
        c.rtp(5 + i / 10_000, f"{A}:{4000 if i % 2 else 10_000 + i}", f"{B}:{4002 if i % 3 else 20_000 + i}", 20)


def sources_of_the_same_ports(c):
    for i in range(400):
        call(c, i / 1000, i)
    for i in range(300):
        c.rtp(5 + i / 100, f"{A}:4000", f"{B}:4002", 20, ssrc=i + 1)


def described_again_and_again(c):
    for i in range(60):
        for n in range(30):
            call(c, n / 10, f"{i}x{n}", 4000 + n % 3 * 4, call_id=f"call-{i}", cseq=n + 1)
    for i in range(200):
        c.rtp(1 + i / 100, f"{A}:{4000 + i % 3 * 4}", f"{B}:{4002 + i % 3 * 4}", 20, ssrc=i)


def errors_for_all(c):
    for i in range(400):
        call(c, i / 1000, i)
    for i in range(200):
        c.rtp(3, f"{A}:{4000 + 2 * i}", f"{B}:4002", 10, ssrc=i + 1)
    for i in range(6000):
        quoted = udp_packet(f"{A}:{4000 + i % 4000}", f"{B}:4002", bytes(20))[:28]
        c.ip(2 + i / 4000, ip_packet(B, A, 1, struct.pack("!BBHI", 3, 3, 0, 0) + quoted))


def candidates_everywhere(c):
    candidates = "".join(f"a=candidate:{k} 1 UDP 1 203.0.{k}.9 {4000 + k} typ host\r\n" for k in range(60))
    many = "".join(f"m=audio {5000 + k * 2} RTP/AVP 0\r\n{candidates}" for k in range(12))
    for i in range(20):
        call(c, i / 1000, i, extra=many)
    for i in range(300):
        c.rtp(3 + i / 1000, f"{A}:{4000 + i}", f"{B}:{4000 + i}", 10, ssrc=i + 1)


def one_call_id(c):
    call(c, 0, 0)
    for i in range(4000):
        vias = [f"{SIP_A};branch=z9hG4bKm{i}"]
        c.udp(1 + i / 1000, SIP_A, SIP_B, message("OPTIONS sip:b@x SIP/2.0", vias=vias, call_id="call-0", cseq=f"{i + 2} OPTIONS", to_tag="b"))
        c.udp(1 + i / 1000, SIP_B, SIP_A, message("SIP/2.0 200 OK", vias=vias, call_id="call-0", cseq=f"{i + 2} OPTIONS", to_tag="b"))


def one_user(c):
    for i in range(3000):
        vias = [f"{SIP_A};branch=z9hG4bK{i}"]
        c.udp(i / 1000, SIP_A, SIP_B, message("REGISTER sip:x SIP/2.0", vias=vias, call_id=f"r{i}", cseq=f"{i} REGISTER", contact=SIP_A))
        c.udp(i / 1000, SIP_B, SIP_A, message("SIP/2.0 200 OK", vias=vias, call_id=f"r{i}", cseq=f"{i} REGISTER", contact=SIP_A, to_tag="b"))


def fragments(c):
    call(c, 0, 0)
    for i in range(20_000):
        c.ip(i / 10_000, ip_packet(A, B, 17, bytes(48), ident=i & 0xFFFF, fragment=0x2000 | (i % 100 * 6)))


def connections(c):
    for i in range(12_000):
        c.tcp(i / 10_000, f"{A}:{1024 + i}", SIP_B, 1, b"", flags=2)
        c.tcp(i / 10_000, SIP_B, f"{A}:{1024 + i}", 1, b"", flags=0x14)
    for i in range(300):
        call(c, 1.5 + i / 1000, i)


def measured(path):
    """Seconds of CPU for each megabyte."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([BUILD / "bin/natclassify", "--config", "/dev/null", "--explain", "--format", "json", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   timeout=300)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / path.stat().st_size * 1e6


def main():
    failures, usual = 0, None
    with tempfile.TemporaryDirectory() as folder:
        for make in (ordinary, calls_of_the_same_ports, sources_of_the_same_ports, described_again_and_again, errors_for_all, candidates_everywhere, one_call_id,
                     one_user, fragments, connections):
            capture = Capture()
            make(capture)
            path = pathlib.Path(folder) / f"{make.__name__}.pcap"
            capture.save(path)
            seconds = min(measured(path) for _ in range(2)) if usual is None else measured(path)
            usual = usual or seconds
            times = seconds / usual
            slow = times > TIMES
            failures += slow
            print(f"{'FAILED ' if slow else ''}{make.__name__}: {path.stat().st_size / 1e6:.1f} MB, {seconds * 1000:.0f} ms a MB, {times:.1f} times")
    sys.exit(1 if failures else 0)


main()
