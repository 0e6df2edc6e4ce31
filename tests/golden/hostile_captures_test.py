#!/usr/bin/env python3
"""natclassify on captures made to fill its memory: endless calls with large descriptions, clients with long header fields, TCP
connections that never end a message, fragments of which the rest never comes, and media between ever new endpoints, all at once; and
on the kinds of input behind public advisories."""
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev"))
PROGRAM = BUILD / "bin/natclassify"
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, ip_packet, message, sdp  # noqa: E402

EDGE = "203.0.113.5:5060"
# The sanitizer doubles small blocks and keeps a shadow of all of them.
LIMIT_MB = 220 if b"__asan_init" in PROGRAM.read_bytes() else 100


def address(n):
    return f"198.{18 + n // 65536 % 2}.{n // 256 % 256}.{n % 256}"


def fill(capture):
    candidates = "".join(f"a=candidate:1 1 UDP 1 192.0.2.{j} 4000 typ host\r\n" for j in range(16))
    large = sdp("192.168.1.5", 4000, extra="".join(f"m=audio {4000 + i} RTP/AVP 0\r\n{candidates}" for i in range(15)))
    padding = "x" * 3000
    for n in range(1500):
        source = f"{address(n)}:4001"
        vias = [f"192.168.1.5:5060;branch=z9hG4bK{n}"]
        capture.udp(n / 1000, source, EDGE, message("INVITE sip:b@x SIP/2.0", vias=vias, call_id=f"call-{n}", contact="192.168.1.5:5060", body=large))
        capture.udp(n / 1000, f"{address(n + 5000)}:4001", EDGE,
                    message("REGISTER sip:x SIP/2.0", vias=vias, call_id=f"reg-{n}", cseq="1 REGISTER", contact=f"192.168.1.5:5060;{padding}"))
    open_message = b"INVITE sip:b@x SIP/2.0\r\nContent-Length: 900000\r\n\r\n" + b"x" * 30_000
    for n in range(600):
        capture.tcp(2 + n / 1000, f"{address(n)}:{20_000 + n}", EDGE, 1000, open_message)
    for n in range(300):
        capture.ip(3 + n / 1000, ip_packet(address(n), "203.0.113.5", 17, b"x" * 1000, ident=n, fragment=0x2000 | 8000))
    for n in range(100_000):
        capture.udp(4 + n / 100_000, f"{address(n)}:{4000 + n // 65536}", "203.0.113.5:30000", struct.pack("!BBHII", 0x80, 0, n & 0xFFFF, 0, n))


def advisories(capture):
    """Kinds behind public advisories: RTCP extended reports with blocks longer than their packet, Warning, header names, ports and
    lengths of great length, by UDP and TCP."""
    inside, outside = "192.168.10.20", "203.0.113.20"
    vias, escape = [f"{inside}:5060;branch=z9hG4bK1"], '\x1b[31m\x07'
    capture.udp(1, f"{inside}:5060", f"{outside}:5060", message("INVITE sip:b@x SIP/2.0", vias=vias, contact=f"{inside}:5060", body=sdp(inside, 4000)))
    for number, warning in enumerate((f'399 h "{escape}"', '99999999999999999999 h "x"', "", "399 " + "h" * 9000, '399 h "\\', "1")):
        capture.udp(1.1 + number / 100, f"{outside}:5060", f"{inside}:5060",
                    message("SIP/2.0 183 Session " + escape, vias=vias, to_tag="b", contact=f"{outside}:5060", more=f"Warning: {warning}\r\n",
                            body=sdp(outside, 5000, extra=f"s={escape}\r\n")))
    for block in (struct.pack("!BBHI", 4, 0, 0xFFFF, 0), struct.pack("!BBH", 7, 0, 8), struct.pack("!BBH", 255, 255, 0), b""):
        for words in (0, 2, 0xFFFF):
            capture.udp(2, f"{inside}:4001", f"{outside}:5001", struct.pack("!BBHI", 0x80, 207, words, 1) + block)
    digits = "9" * 5000
    for number, more in enumerate(("N" * 60_000 + ": v\r\n", f"Contact: <sip:x@1.2.3.4:{digits};alias=1.2.3.4~{digits}~1>\r\n", f"Route: <sip:h:{digits};lr>\r\n",
                                   f"{escape}: v\r\n", f"Subject: {escape}\r\n")):
        capture.udp(3 + number / 10, f"{inside}:5060", f"{outside}:5060", message("OPTIONS sip:b@x SIP/2.0", vias=vias, cseq="1 OPTIONS", call_id=f"o{number}", more=more))
    for number, length in enumerate(("4294967297", "18446744073709551617", "2147483647", "-1", digits)):
        text = message("OPTIONS sip:b@x SIP/2.0", vias=vias, cseq="1 OPTIONS", call_id=f"l{number}", length=length)
        capture.udp(4 + number / 10, f"{inside}:5060", f"{outside}:5060", text)
        capture.tcp(5 + number / 10, f"{inside}:{6000 + number}", f"{outside}:5060", 1000, text)


def read_advisories(path):
    """Every program reads on to the end, and nothing of it reaches a terminal as a command."""
    problems = 0
    for program, *options in (["natclassify"], ["natclassify", "--explain"], ["natclassify", "--compare", "all"], ["looptrace"], ["looptrace", "--format", "svg"]):
        for form in ([], ["--format", "text"]) if "svg" not in options else ([],):
            run = subprocess.run([BUILD / "bin" / program, *options, *form, path], capture_output=True, timeout=60)
            odd = [byte for byte in run.stdout + run.stderr if byte < 0x20 and byte != 0x0A or byte == 0x7F]
            if run.returncode not in (0, 1) or odd or not run.stdout:
                problems += 1
                print(f"{program} {options} {form}: exit {run.returncode}, control bytes {odd[:5]}, {len(run.stdout)} bytes, {run.stderr[:300]}")
    return problems


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "hostile.pcap"
        capture = Capture()
        fill(capture)
        capture.save(path)
        odd = Capture()
        advisories(odd)
        odd.save(pathlib.Path(folder) / "advisories.pcap")
        failures = read_advisories(pathlib.Path(folder) / "advisories.pcap")
        for mode in ([], ["--explain"]):
            process = subprocess.Popen([PROGRAM, "--format", "json", *mode, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
            decisions = sum(line.startswith(b'{"type":"decision"') for line in process.stdout)
            told = process.stderr.read().decode()
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            print(f"{path.stat().st_size >> 20} MB {mode}: {used.ru_maxrss >> 10} MB, {used.ru_utime:.1f} s, {decisions} decisions")
            if process.returncode or told or used.ru_maxrss > LIMIT_MB * 1024 or decisions < 1500:
                failures += 1
                print(f"exit {process.returncode}, limit {LIMIT_MB} MB: {told[:500]}")
    sys.exit(1 if failures else 0)


main()
