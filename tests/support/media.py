"""A site for tests of mediarelay: LAN – edge – WAN, media peers that are plain sockets, and a plain client of the control socket."""
import json
import pathlib
import socket
import struct
import time

import lab

PROGRAM = lab.PROGRAMS / "mediarelay"


def rtp(sequence, ssrc=1, payload=b"", payload_type=0, timestamp=None):
    stamp = sequence * 160 if timestamp is None else timestamp
    head = struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, stamp & 0xFFFFFFFF, ssrc)
    return head + payload.ljust(160, b"\xd5")


def rtcp(ssrc=1):
    return struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, 0, 0, 0, 0)


def endpoint(text):
    address, _, port = text.rpartition(":")
    return address.strip("[]"), int(port)


class Peer:
    """A media endpoint: an IP address and port that sends and counts. No code of natkit's in it."""

    def __init__(self, host, address=None, port=0):
        address = address or host.address
        self.socket = host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.socket.settimeout(lab.PATIENCE)
        self.sequence = 0

    @property
    def endpoint(self):
        address, port = self.socket.getsockname()[:2]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def send(self, to, payload):
        self.socket.sendto(payload, endpoint(to))

    def speak(self, to, ssrc=1, payload=b""):
        self.send(to, rtp(self.sequence, ssrc, payload))
        self.sequence += 1

    def hear(self, seconds=lab.PATIENCE):
        """The next datagram, or None: a short time is for where none is expected."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(65535)
        except TimeoutError:
            return None

    def drain(self, count=0):
        """That many, which must come; everything else that waits, and what comes within 50 ms."""
        got = []
        while (one := self.hear(lab.PATIENCE if len(got) < count else 0.05)) is not None:
            got.append(one)
        return got

    def drain_now(self):
        """Everything that waits."""
        self.socket.setblocking(False)
        got = []
        while True:
            try:
                got.append(self.socket.recv(65535))
            except BlockingIOError:
                return got


class Control:
    """The control socket, spoken by hand."""

    def __init__(self, path, prefix="test"):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.socket.settimeout(lab.PATIENCE)
        self.file = self.socket.makefile("rwb")
        self.number, self.prefix, self.records = 0, prefix, []

    def send(self, command, **parameters):
        self.number += 1
        request = {"id": f"{self.prefix}-{self.number}", "cmd": command, **parameters}
        self.file.write(json.dumps(request).encode() + b"\n")
        self.file.flush()
        return request["id"]

    def line(self):
        line = self.file.readline()
        lab.require(line, "the control socket was closed")
        return json.loads(line)

    def answer(self, request_id):
        while (reply := self.line()).get("id") != request_id:
            self.records.append(reply)
        return reply

    def ask(self, command, **parameters):
        reply = self.answer(self.send(command, **parameters))
        lab.require("ok" in reply, f"{command}: {reply.get('error')}")
        return reply["ok"]

    def refused(self, command, **parameters):
        reply = self.answer(self.send(command, **parameters))
        lab.require("error" in reply, f"{command} was not refused: {reply.get('ok')}")
        return reply["error"]

    def watch(self):
        self.ask("watch")
        while (record := self.line())["type"] != "snapshot-end":
            self.records.append(record)
        return self

    def record(self, wanted, seconds=lab.PATIENCE):
        """The next record for which wanted(record) holds; those before it are dropped."""
        end = time.monotonic() + seconds
        while True:
            while self.records:
                if wanted(record := self.records.pop(0)):
                    return record
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                self.records.append(self.line())
            except TimeoutError:
                raise lab.Failure("waited in vain for a record") from None

    def close(self):
        self.file.close()
        self.socket.close()


class Edge:
    """A host with a LAN and a WAN side, and mediarelay serving on it."""

    def __init__(self, net, media="", lan_extra="", ports="20000-20999", long_lists=""):
        self.net = net
        self.lan, self.wan = net.segment("lan"), net.segment("wan")
        self.host = net.host("edge")
        self.host.attach("lan0", self.lan, "192.168.10.1/24", "fd00:10::1/64")
        self.host.attach("wan0", self.wan, "203.0.113.10/24", "2001:db8::10/64")
        self.runtime = pathlib.Path(net.folder) / "run"
        self.config = pathlib.Path(net.folder) / "natkit.toml"
        self.config.write_text(f"""
[network]
lan = ["192.168.10.0/24", "fd00:10::/64"]
nat_servers = ["203.0.113.64-203.0.113.79"]
{long_lists}
[media_proxy]
ports = "{ports}"
log_level = "problems"
{lab.tier_keys()}
{media}
[media_proxy.addresses]
lan = ["192.168.10.1", "fd00:10::1"]
wan = ["203.0.113.10", "2001:db8::10"]
""")

    def hears(self, local):
        """Whether a UDP port of this host is open; a packet is sent there."""
        address, port = endpoint(local)
        with self.host.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.2)
            probe.connect((address, port))
            probe.send(b"?")
            try:
                probe.recv(1)
            except ConnectionRefusedError:
                return False
            except TimeoutError:
                pass
            return True

    def serve(self):
        self.program = self.host.start("mediarelay", PROGRAM, "serve", "--config", self.config, "--runtime", self.runtime)
        self.program.wait_line("serving on")
        return self

    def control(self, prefix="test"):
        return Control(self.runtime / "mediarelay.sock", prefix)

    def run(self, *arguments):
        """One of the program's commands; its standard output as text."""
        done = self.host.run(PROGRAM, *arguments, "--runtime", self.runtime)
        lab.require(done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stderr}")
        return done.stdout


def talk(a, to_a, b, to_b, rounds=20):
    """Both speak; what each hears must be what the other said, bit for bit."""
    for _ in range(rounds):
        a.speak(to_a, ssrc=1, payload=b"from a")
        b.speak(to_b, ssrc=2, payload=b"from b")
    said = {rtp(n, 2, b"from b") for n in range(b.sequence)}
    heard = b.drain(rounds)
    lab.require(len(heard) == rounds, f"{b.endpoint} heard {len(heard)} of {rounds}")
    heard = a.drain(rounds)
    lab.require(len(heard) == rounds and set(heard) <= said, f"{a.endpoint} heard {len(heard)} of {rounds}")


def meet(a, to_a, b, to_b):
    """Both are heard, and go on to be. The first packets may come before the threads that pass them on have been told."""
    for sender, to, hearer in ((a, to_a, b), (b, to_b, a)):
        end = time.monotonic() + 10
        while hearer.hear(0.1) is None:
            lab.require(time.monotonic() < end, f"{hearer.endpoint} does not hear {sender.endpoint}")
            sender.speak(to)
    a.drain(), b.drain()
    talk(a, to_a, b, to_b, 5)
