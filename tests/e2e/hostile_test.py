#!/usr/bin/env python3
"""Hostile traffic at the running edge while calls go on: torture messages (RFC 4475, PROTOS c07, the one-packet attacks that
other stacks fell to), slow, silent and greedy TCP peers, spent descriptors, floods. No crash, no hang, memory and CPU back to
normal, and every call placed meanwhile succeeds."""
# ctest: timeout 1200
import os
import pathlib
import random
import resource
import socket
import sys
import threading
import time
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import processes
import raw_sip
import site_of_phones as sites

TARGET = (sites.WAN_EDGE, 5060)
# The sanitizers keep what is freed; with little of that, memory tells what the edge itself keeps.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4:thread_local_quarantine_size_kb=64"


def shared_data():
    for folder in (lab.SOURCE, *lab.SOURCE.parents):
        for name in ("shared/data", "../shared/data"):
            if (folder / name / "INDEX.md").exists():
                return (folder / name).resolve()
    return None


def request(method, branch, extra="", body="", to="<sip:bob@example.com>", uri="sip:bob@example.com", via="203.0.113.60:5060"):
    return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {via};branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:x@example.net>;tag=1\r\nTo: {to}\r\nCall-ID: {branch}\r\nCSeq: 1 {method}\r\n{extra}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def one_packet_attacks():
    """What kills or hangs the libraries that others trust with a whole message."""
    sdp = ("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 1.2.3.4\r\nt=0 0\r\n"
           "m=audio 49Record-Route: <217 RTP/AVP 0 12\r\n")
    kind = "Contact: <sip:x@203.0.113.60>\r\nContent-Type: application/sdp\r\n"
    yield request("INVITE", "double1", "Max-Forwards: 10\r\nSubject: a\r\nSubject: b\r\nUser-Agent: a\r\nUser-Agent: b\r\n")
    yield request("OPTIONS", "double2", "Subject: a\r\nSubject: b\r\n")
    yield request("INVITE", "sdp1", kind, sdp)
    yield request("INVITE", "sdp2", kind, "v=0\r\n" + "m=audio 1 RTP/AVP 0\r\n" * 2000)
    yield request("OPTIONS", "name", uri="sip:x@does.not.exist.invalid")
    yield request("OPTIONS", "via", via="name.that.is.none.invalid:5060")
    yield request("INVITE", "route", "Route: <sip:127.0.0.1;lr>\r\n", uri="sip:x@203.0.113.10")
    yield b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP name.invalid;branch=z9hG4bKx\r\nFrom: <sip:a>\r\nTo: <sip:b>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n"
    yield request("INVITE", "many", "Via: SIP/2.0/UDP 1.2.3.4;branch=z9hG4bKq\r\n" * 500)
    yield request("REGISTER", "contacts", "".join(f"Contact: <sip:x{n}@1.2.3.4>\r\n" for n in range(300)), uri="sip:example.com")
    yield b"INVITE sip:bob@example.com SIP/2.0\r\n" + b"A: b\r\n" * 9000 + b"\r\n"
    yield request("OPTIONS", "name-length", "N" * 60000 + ": v\r\n")
    yield request("REGISTER", "alias", f"Contact: <sip:x@1.2.3.4:4294972356;alias=1.2.3.4~{'9' * 9000}~1>;expires=99999999999\r\n", uri="sip:example.com")
    yield request("INVITE", "alias-uri", uri="sip:bob@example.com;alias=1.2.3.4~18446744073709556676~1")
    for number, length in enumerate(("4294967297", "18446744073709551617", "2147483647", "-1", "99999999999999999999")):
        yield request("INVITE", f"length{number}", kind, sdp).replace(f"Content-Length: {len(sdp)}".encode(), f"Content-Length: {length}".encode())
    yield request("INVITE", "bare-cr", "Subject: a\rP-Asserted-Identity: <sip:boss@example.com>\r\n")
    yield b"\0" * 60000
    yield b"\xff" * 1
    yield b""


def collected():
    data = shared_data()
    if not data:
        return []
    found = [f.read_bytes() for f in sorted((data / "sip").rglob("*.dat"))]
    archive = data / "fuzz/foreni-packages+protos-sip/protos-c07-instantiated.zip"
    if archive.exists():
        with zipfile.ZipFile(archive) as cases:
            found += [cases.read(name) for name in cases.namelist() if not name.endswith("/")]
    return found


class Life:
    """A site with an established call and calls placed one after the other until told to stop."""

    def __init__(self, net, **changes):
        self.site = sites.Site(net)
        raw_sip.users_file(self.site.folder / "users", "alice", "anna", "bob", "dora")
        self.site.start(sip={"log_level": '"problems"'}, **changes)
        self.bob = self.site.phone(self.site.home_host(), "bob", tone=600, answer="auto")
        self.alice = self.site.phone(self.site.wan_host(), "alice", tone=440)
        self.anna = self.site.phone(self.site.lan_host(), "anna", tone=500)
        self.dora = self.site.phone(self.site.home_host(), "dora", tone=700)
        phones.call(self.anna, self.dora)
        self.pid = self.site.pid("sipedge")
        self.calls = 0

    def call(self):
        self.alice.forget()
        self.alice.dial(self.bob.aor)
        self.alice.wait_event("CALL_ESTABLISHED", seconds=60)
        self.alice.hangup()
        self.bob.wait_event("CALL_CLOSED", seconds=60)
        self.calls += 1

    def idles(self, seconds=60):
        """What has come is done with, and then nothing burns."""
        used = []

        def idle():
            before, began = processes.cpu_seconds(self.pid), time.monotonic()
            time.sleep(2)
            used.append((processes.cpu_seconds(self.pid) - before) / (time.monotonic() - began))
            return used[-1] < 0.1
        lab.wait_until(idle, lambda: f"sipedge to idle: it does at {used[-1]:.0%} of a core", seconds)

    def still(self, net, memory_before=None):
        """Nothing has died, nothing burns, what is kept is little: as little as before, where that is told."""
        lab.require(self.site.pid("sipedge") == self.pid, "sipedge is another process: it died")
        phones.hear_each_other(self.anna, self.dora, packets=len(self.dora.heard()) + 25)
        phones.hang_up(self.anna, self.dora)
        self.call()
        if memory_before is not None:
            # What was thrown is forgotten with its transactions: after 32 s, and after timer C where a phone was made to ring.
            lab.wait_until(lambda: self.site.ask("sipedge", "status")["transactions"] < 10, "the transactions to be over", 230)
            lab.wait_until(lambda: processes.resident_bytes(self.pid) - memory_before < 32 << 20, "sipedge's memory to be back to normal", 60)
        self.idles()
        self.site.natkit.stop()


def torture(net):
    life = Life(net)
    enemy = life.site.wan_host()
    messages = [m for m in [*one_packet_attacks(), *collected()] if len(m) <= 65507]
    lab.require(len(messages) > 200 or not shared_data(), f"{len(messages)} messages only: collected ones are missing")
    life.call()
    before = processes.resident_bytes(life.pid)
    sender = enemy.socket(socket.AF_INET, socket.SOCK_DGRAM)
    calling = threading.Event()

    def throw():
        for number, message in enumerate(messages):
            sender.sendto(message, TARGET)
            if number % 10 == 9:
                time.sleep(0.01)
        calling.set()
    threading.Thread(target=throw, daemon=True).start()
    while not calling.is_set():
        life.call()
    # The same over TCP, each on a connection of its own.
    picked = messages if len(messages) < 400 else random.Random(1).sample(messages, 400)
    for number, message in enumerate(picked):
        with enemy.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.connect(TARGET)
            try:
                stream.sendall(message)
            except OSError:
                pass
        if number % 100 == 0:
            life.call()
    print(f"        {len(messages)} messages, {life.calls} calls meanwhile, memory grown by {(processes.resident_bytes(life.pid) - before) >> 20} MB at first")
    life.still(net, before)


def slow_and_silent_peers(net):
    life = Life(net)
    enemy = life.site.wan_host()
    before = processes.resident_bytes(life.pid)
    streams = []

    def connect(kind):
        stream = enemy.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.connect(TARGET)
        stream.setblocking(False)
        streams.append((kind, stream))
    for n in range(400):  # 256 of one address are served
        connect(("silent", "slow", "greedy")[n % 3])
    options = request("OPTIONS", "o", uri=f"sip:{sites.WAN_EDGE}").replace(b"/UDP", b"/TCP")
    end = time.monotonic() + 25
    while time.monotonic() < end:
        for kind, stream in streams:
            try:
                if kind == "slow":
                    stream.send(b"I")
                elif kind == "greedy":  # asks, and never reads the answers
                    stream.send(options.replace(b"z9hG4bKo", b"z9hG4bKo%d" % random.getrandbits(40)) * 20)
            except OSError:
                pass
        life.call()
    connections = life.site.ask("sipedge", "status")["connections"]
    lab.require(connections <= 256, f"{connections} connections of one address")
    for _, stream in streams:
        stream.close()
    lab.wait_until(lambda: life.site.ask("sipedge", "status")["connections"] == 0, "the connections to be gone", 90)
    grown = (processes.resident_bytes(life.pid) - before) >> 20
    print(f"        {life.calls} calls meanwhile, {connections} connections at the end, memory grown by {grown} MB")
    life.still(net)


@lab.spends_descriptors
def spent_descriptors(net):
    life = Life(net)
    resource.prlimit(life.pid, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{life.pid}/fd")) + 12,) * 2)
    enemy = life.site.wan_host()
    streams = []
    for _ in range(60):
        stream = enemy.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.connect(TARGET)
        streams.append(stream)
    life.site.natkit.wait_line(r"a connection refused: no descriptor left", again=True)
    for _ in range(5):
        life.call()
    life.idles(20)  # the accepting loop does not burn
    for stream in streams:
        stream.close()
    late = enemy.socket(socket.AF_INET, socket.SOCK_STREAM)

    def served():
        with enemy.socket(socket.AF_INET, socket.SOCK_STREAM) as late:
            late.settimeout(5)
            try:
                late.connect(TARGET)
                late.sendall(b"\r\n\r\n")
                return late.recv(9) == b"\r\n"
            except OSError:
                return False
    late.close()
    lab.wait_until(served, "a connection to be served again", 120)
    life.still(net)


def floods(net):
    """As many requests as three hosts can send, of all sorts, from one port each and from thousands."""
    life = Life(net, registrar={"open": "false", "users": '"users"'})
    before = processes.resident_bytes(life.pid)
    enemies = [life.site.wan_host() for _ in range(3)]
    stop = threading.Event()
    sent = [0]

    def one_port(host):
        flood = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        while not stop.is_set():
            for method in ("OPTIONS", "INVITE", "REGISTER", "BYE"):
                to = "<sip:nobody@example.com>;tag=x" if method == "BYE" else "<sip:nobody@example.com>"
                flood.sendto(request(method, f"f{random.getrandbits(60)}", to=to, uri="sip:nobody@example.com"), TARGET)
                sent[0] += 1
            time.sleep(0.0005)

    def many_ports(host):
        sockets = [host.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(200)]
        while not stop.is_set():
            for flood in sockets:
                flood.sendto(request("INVITE", f"m{random.getrandbits(60)}", uri="sip:nobody@example.com"), TARGET)
                sent[0] += 1
                time.sleep(0.0005)
    for enemy, deed in zip(enemies, (one_port, one_port, many_ports)):
        threading.Thread(target=deed, args=(enemy,), daemon=True).start()
    end = time.monotonic() + 12
    while time.monotonic() < end:
        life.call()
    status = life.site.ask("sipedge", "status")
    stop.set()
    lab.require(status["flooded"] > 0, "nothing was dropped")
    lab.require(status["transactions"] < 50_000, f"{status}")
    life.site.natkit.wait_line(r"requests from 203.0.113.5\d dropped: more than the limit", again=True)
    print(f"        {sent[0]} requests in 12 s, {status['flooded']} dropped, {status['transactions']} transactions, {life.calls} calls "
          f"meanwhile, memory grown by {(processes.resident_bytes(life.pid) - before) >> 20} MB")
    life.still(net)


if __name__ == "__main__":
    lab.main(torture, slow_and_silent_peers, spent_descriptors, floods)
