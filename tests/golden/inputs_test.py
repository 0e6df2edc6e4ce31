#!/usr/bin/env python3
"""What natclassify takes and shows: HEP in captures and from the network, captures without SIP, selected calls, captures of both
sides of a box, and output without names."""
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev"))
PROGRAM = BUILD / "bin/natclassify"
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, endpoint, message, sdp  # noqa: E402

ENVIRONMENT = {**os.environ, "NATKIT_CONFIG": ""}
A, B = "203.0.113.9:5060", "203.0.113.20:5060"
failures = []


def run(*options, stdin=b""):
    return subprocess.run([PROGRAM, *options], input=stdin, capture_output=True, timeout=60, env=ENVIRONMENT)


def check(why, good, done=None):
    if not good:
        failures.append(why + (f": exit {done.returncode}, {done.stdout[:900]!r}, {done.stderr[:900]!r}" if done else ""))


def records(text, kind):
    return [one for one in map(json.loads, text.splitlines()) if one["type"] == kind]


def a_call(call_id="call-1", end=9.0):
    """Time, source, destination and message of each step."""
    vias = [A + ";branch=z9hG4bK1"]
    steps = [(0.0, A, B, message(f"INVITE sip:b@{B} SIP/2.0", vias=vias, call_id=call_id, contact=A, body=sdp("203.0.113.9", 4000))),
             (0.5, B, A, message("SIP/2.0 200 OK", vias=vias, call_id=call_id, to_tag="b", contact=B, body=sdp("203.0.113.20", 4002))),
             (0.75, A, B, message(f"ACK sip:b@{B} SIP/2.0", vias=vias, call_id=call_id, to_tag="b", cseq="1 ACK"))]
    if end:
        steps += [(end, A, B, message(f"BYE sip:b@{B} SIP/2.0", vias=vias, call_id=call_id, to_tag="b", cseq="2 BYE")),
                  (end + 0.25, B, A, message("SIP/2.0 200 OK", vias=vias, call_id=call_id, to_tag="b", cseq="2 BYE"))]
    return steps


# --- HEP 3

def hep(time_s, source, destination, payload, *, content=1, protocol=17, agent=7):
    def chunk(kind, value):
        return struct.pack("!HHH", 0, kind, 6 + len(value)) + value
    (host, port), (to_host, to_port) = endpoint(source), endpoint(destination)
    whole = int(time_s)
    chunks = (chunk(1, b"\x02") + chunk(2, bytes([protocol])) + chunk(3, socket.inet_aton(host)) + chunk(4, socket.inet_aton(to_host))
              + chunk(7, struct.pack("!H", port)) + chunk(8, struct.pack("!H", to_port)) + chunk(9, struct.pack("!I", whole))
              + chunk(10, struct.pack("!I", int((time_s - whole) * 1e6 + 0.5))) + chunk(11, bytes([content])) + chunk(12, struct.pack("!I", agent))
              + chunk(15, payload))
    return b"HEP3" + struct.pack("!H", 6 + len(chunks)) + chunks


def hep_in_a_capture(folder):
    plain, wrapped = Capture(), Capture()
    for when, source, destination, payload in a_call():
        plain.udp(when, source, destination, payload)
        wrapped.udp(when + 3, "10.0.0.5:33333", "10.0.0.9:9060", hep(Capture.START + when, source, destination, payload, protocol=6))
    plain.save(folder / "plain.pcap")
    wrapped.save(folder / "hep.pcap")
    want, done = run(folder / "plain.pcap"), run(folder / "hep.pcap")
    check("HEP in a capture is read as what it tells of, with its endpoints and times; over TCP too",
          done.returncode == 0 and [{**r, "transport": "udp"} for r in records(done.stdout, "sip")] == records(want.stdout, "sip") and
          records(done.stdout, "sip")[0]["transport"] == "tcp", done)
    want, done = run("--explain", folder / "plain.pcap"), run("--explain", folder / "hep.pcap")
    check("and explained", done.stdout == want.stdout and records(done.stdout, "explanation"), done)


def hep_from_the_network(folder):
    """The explanation of a call that ended comes while the program goes on; what is open is told when it is stopped."""
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    probe.bind(("127.0.0.1", 0))
    place = probe.getsockname()
    probe.close()
    with subprocess.Popen([PROGRAM, "--explain", "--format", "json", "--hep", f"127.0.0.1:{place[1]}"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, env=ENVIRONMENT) as program:
        told = []
        reader = threading.Thread(target=lambda: [told.append(json.loads(line)) for line in program.stdout])
        reader.start()
        port = f"{place[1]:04X}"
        wait("the port to be open", lambda: any(line.split()[1].endswith(":" + port) for line in open("/proc/net/udp")))
        agent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        agent.sendto(b"HEP3 nonsense", place)
        now = time.time()
        for call_id, end in (("over", 1.0), ("open", None)):
            for when, source, destination, payload in a_call(call_id, end):
                agent.sendto(hep(now - 12 + when, source, destination, payload), place)
        wait("the call that ended", lambda: [r for r in told if r["type"] == "explanation"])
        check("a call is explained when it has ended", [r["call_id"] for r in told if r["type"] == "explanation"] == ["over"] and program.poll() is None)
        program.send_signal(signal.SIGINT)
        check("it ends well", program.wait(30) == 0)
        reader.join()
        check("and tells what it has of open calls", [r["call_id"] for r in told if r["type"] == "explanation"] == ["over", "open"])
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    done = run("--hep", f"127.0.0.1:{taken.getsockname()[1]}")
    check("a port that is taken", done.returncode == 2 and b"hep 127.0.0.1" in done.stderr and b"in use" in done.stderr, done)
    done = run("--hep", "nonsense")
    check("no address", done.returncode == 2 and b"--hep" in done.stderr, done)
    done = run("--hep", "127.0.0.1", folder / "plain.pcap")
    check("not beside files", done.returncode == 2, done)


def wait(what, condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            print(f"waited in vain for {what}")
            sys.exit(1)
        time.sleep(0.02)


# --- captures without SIP

def without_sip(folder):
    capture = Capture()
    capture.rtp(0, "203.0.113.9:4000", "203.0.113.20:4002", 3)
    capture.sender_report(1, "203.0.113.9:4001", "203.0.113.20:4003", 3)
    capture.udp(1, "203.0.113.9:4000", "203.0.113.5:3478", bytes([0, 1, 0, 0]) + bytes.fromhex("2112a442") + bytes(12))
    capture.udp(2, "203.0.113.9:40000", "203.0.113.53:53", b"query")
    capture.udp(3, "203.0.113.9:4500", "203.0.113.53:4501", b"something")
    capture.tcp(4, "203.0.113.9:40001", "203.0.113.20:5061", 1, bytes([22, 3, 1, 0, 5]) + bytes(5))
    capture.ip(5, bytes(5))
    path = folder / "no-sip.pcap"
    capture.save(path)
    want = (f"natclassify: {path}: no SIP in 9 frames (raw IP): 3 RTP, 1 RTCP, 1 STUN, 1 DNS, 1 TLS, 1 others (UDP port 4500), "
            "1 neither UDP nor TCP; SIP over TLS (port 5061) cannot be read\n")
    for options in ((), ("--explain",)):
        done = run(*options, path)
        check(f"a capture without SIP says what there is {options}", done.returncode == 1 and not done.stdout and done.stderr.decode() == want, done)
    unknown = path.read_bytes()
    path.write_bytes(unknown[:20] + struct.pack("<I", 147) + unknown[24:])
    done = run(path)
    check("an unknown link type is told", done.returncode == 1 and b"9 frames (link type 147, which is not known here)" in done.stderr, done)
    Capture().save(path)
    done = run(path)
    check("an empty one too", done.returncode == 1 and b"no SIP: the capture has no frames" in done.stderr, done)


# --- selecting calls

def selection(folder):
    capture = Capture()
    for number, (call_id, start) in enumerate((("one", 0.0), ("two", 100.0), ("three", 200.0))):
        for when, source, destination, payload in a_call(call_id):
            capture.udp(start + when, source, destination, payload.replace(b"sip:a@example.com", f"sip:a{number}@example.com".encode()))
        capture.rtp(start + 1, "203.0.113.9:4000", "203.0.113.20:4002", 300)
        if call_id != "two":
            capture.rtp(start + 1, "203.0.113.20:4002", "203.0.113.9:4000", 300, ssrc=2)
    path = folder / "three.pcap"
    capture.save(path)  # begins at 2023-11-14T22:13:20Z
    for options, want in (([], ["one", "two", "three"]), (["--call-id", "two"], ["two"]), (["--user", "a2"], ["three"]), (["--user", "b"], ["one", "two", "three"]),
                          (["--faulty"], ["two"]), (["--from", "105"], ["two", "three"]), (["--from", "50", "--to", "22:15:10"], ["two"]),
                          (["--to", "2023-11-14T23:14:00+01:00"], ["one"]), (["--faulty", "--user", "a0"], [])):
        done = run("--explain", *options, path)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        check(f"{options} selects {want}", done.returncode == 0 and [r["call_id"] for r in found if r["type"] == "explanation"] == want and
              [r["call_id"] for r in found if r["type"] == "decision"] == want, done)
    done = run("--explain", "--from", "yesterday", path)
    check("a bad time is a usage error", done.returncode == 2 and b"--from: not a time: 'yesterday'" in done.stderr, done)
    done = run("--user", "a", path)
    check("selection is for --explain", done.returncode == 2 and b"--explain" in done.stderr, done)


# --- both sides of one box

def both_sides(folder):
    """A NAT between: what the callee sends comes to the NAT and no further. The clock outside is 1000 s ahead, and 15 ms are the way."""
    inside, outside = Capture(), Capture()
    inner, nat = "192.168.1.5:5060", "198.51.100.7:61234"
    for when, source, destination, payload in a_call():
        payload = payload.replace(b"203.0.113.9", b"192.168.1.5")
        late = 0.015 if source == A else -0.015
        inside.udp(when, inner if source == A else B, B if source == A else inner, payload)
        outside.udp(1000 + when + late, nat if source == A else B, B if source == A else nat, payload)
    inside.rtp(1, "192.168.1.5:4000", "203.0.113.20:4002", 200)
    outside.rtp(1001.015, "198.51.100.7:62000", "203.0.113.20:4002", 200)
    outside.rtp(1001, "203.0.113.20:4002", "192.168.1.5:4000", 200, ssrc=2)
    paths = folder / "inside.pcap", folder / "outside.pcap"
    inside.save(paths[0])
    outside.save(paths[1])
    done = run("--explain", *paths)
    found = records(done.stdout, "explanation")
    note = f"natclassify: {paths[1]}: "
    check("two captures of one call are one call", done.returncode == 0 and len(found) == 1 and len(records(done.stdout, "decision")) == 1, done)
    check("by packets that are in both, whatever the clocks say", note.encode() in done.stderr and
          f"are in {paths[0]} too: they are read as one, its times made 1000.000 s earlier".encode() in done.stderr, done)
    check("with the packets of both", found and found[0]["streams"][0]["to_caller"]["sent_packets"] == 200, done)
    media = Capture()
    media.rtp(1000.985, "203.0.113.20:4002", "192.168.1.5:4000", 200, ssrc=2)
    media.save(folder / "media.pcap")
    done = run("--explain", *paths, folder / "media.pcap")
    check("one of them may have media alone", done.returncode == 0 and b"no SIP" not in done.stderr and done.stderr.count(b"read as one") == 2, done)
    other = Capture()
    for when, source, destination, payload in a_call("another"):
        other.udp(when, source, destination, payload)
    other.save(folder / "other.pcap")
    done = run("--explain", paths[0], folder / "other.pcap", paths[1])
    check("a capture of something else stays by itself", [r["call_id"] for r in records(done.stdout, "explanation")] == ["call-1", "another"] and
          done.stderr.count(b"read as one") == 1, done)
    done = run("--explain", paths[0], folder / "nowhere.pcap")
    check("one that is not there is told", done.returncode == 2 and b"nowhere.pcap" in done.stderr and len(records(done.stdout, "explanation")) == 1, done)


def drifting(folder):
    """A call of an hour; the clock outside gains 60 µs a second, and the way takes a millisecond."""
    inside, outside = Capture(), Capture()

    def both(when, payload, out):
        ends = (A[:-5], B[:-5]) if out else (B[:-5], A[:-5])
        ports = (5060, 5060) if not 0x80 <= payload[0] < 0xC0 else (4000, 4002) if out else (4002, 4000)
        source, destination = (f"{end}:{port}" for end, port in zip(ends, ports))
        inside.udp(when, source, destination, payload)
        outside.udp(1000 + 1.00006 * (when + (0.001 if out else -0.001)), source, destination, payload)
    for when, source, _, payload in a_call(end=3599.0):
        both(when, payload, source == A)
    for i in range(3500):
        for out in (True, False):
            both(1 + i, struct.pack("!BBHII", 0x80, 0, i & 0xFFFF, 8000 * i, 1 + out) + bytes(160), out)
    paths = folder / "inside.pcap", folder / "outside.pcap"
    inside.save(paths[0])
    outside.save(paths[1])
    done = run("--explain", *paths)
    found = records(done.stdout, "explanation")
    check("a clock that goes too fast is told", "60 µs more earlier each second, as its clock goes too fast".encode() in done.stderr, done)
    check("and the call is one, and whole", len(found) == 1 and not [f for f in found[0]["findings"] if not f.get("harmless")], done)


# --- nobody's names

def anonymized(folder):
    capture = Capture()
    for when, source, destination, payload in a_call("81@pbx.secret.test"):
        payload = payload.replace(b"sip:a@example.com", b"sip:alicia@secret.test").replace(b"<sip:b@example.com>", b'"Bobby Tables" <sip:+49301234567@secret.test>')
        payload = payload.replace(b"203.0.113.9", b"192.168.77.5")
        capture.udp(when, source.replace("203.0.113.9", "8.8.4.4"), destination.replace("203.0.113.9", "8.8.4.4"), payload)
    capture.rtp(1, "203.0.113.20:4002", "192.168.77.5:4000", 300, ssrc=2)
    path = folder / "names.pcap"
    capture.save(path)
    for options in ((), ("--explain",), ("--format", "text"), ("--explain", "--format", "text"), ("--explain", "--format", "html")):
        done = run("--anonymize", *options, path)
        left = [one for one in (b"alicia", b"secret", b"Bobby", b"4930123", b"8.8.4.4", b"192.168.77.5") if one in done.stdout]
        check(f"{options}: no name is left: {left}", done.returncode == 0 and done.stdout and not left, done)
        check(f"{options}: the same each time", run("--anonymize", *options, path).stdout == done.stdout)
    plain, masked = (json.loads(run("--explain", *more, path).stdout.splitlines()[-1]) for more in ([], ["--anonymize"]))
    check("the finding stays", [(f["cause"], f.get("hears_nothing")) for f in masked["findings"]] == [(f["cause"], f.get("hears_nothing")) for f in plain["findings"]]
          and any("192.168." in finding["sentence"] for finding in masked["findings"]))


with tempfile.TemporaryDirectory() as name:
    anonymized(pathlib.Path(name))
    both_sides(pathlib.Path(name))
    drifting(pathlib.Path(name))
    selection(pathlib.Path(name))
    hep_in_a_capture(pathlib.Path(name))
    hep_from_the_network(pathlib.Path(name))
    without_sip(pathlib.Path(name))
print(*failures, f"{len(failures)} failures", sep="\n")
sys.exit(1 if failures else 0)
