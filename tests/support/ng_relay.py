"""A media relay for Kamailio's rtpengine module: it speaks the ng protocol of rtpengine, learns where packets come from, and makes on demand
the faults of relays. One socket pair for each side of a call. asyncio, nothing of natkit's."""
import asyncio
import re
import socket
import time

SETTLE = 0.25  # seconds after a description in which it goes on learning


def decode(data, at=0):
    """(value, next) of a bencoded value."""
    kind = data[at:at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1:end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while data[at:at + 1] != b"e":
            value, at = decode(data, at)
            items.append(value)
        return (dict(zip(items[::2], items[1::2])) if kind == b"d" else items), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1:end].decode("utf-8", "replace"), end


def encode(value):
    if isinstance(value, int):
        return f"i{value}e".encode()
    if isinstance(value, str):
        return f"{len(value.encode())}:".encode() + value.encode()
    if isinstance(value, dict):
        return b"d" + b"".join(encode(k) + encode(v) for k, v in sorted(value.items())) + b"e"
    return b"l" + b"".join(map(encode, value)) + b"e"


class Leg:
    """The side of the relay that one party sends to."""

    def __init__(self, call, address):
        self.call, self.address, self.other = call, address, None
        self.signalled, self.learned, self.before = [None, None], [None, None], [None, None]
        self.dead, self.settled = False, 0.0
        self.tag = None
        self.sockets = call.relay.pair(address, self)

    def target(self, which):
        if self.call.relay.learns and self.learned[which]:
            return self.learned[which]
        return self.signalled[which]

    def hear(self, which, packet, source):
        relay = self.call.relay
        if self.learned[which] != source:
            settling = time.monotonic() < self.settled
            if self.learned[which] is None or settling or (relay.relatches and which == 0):
                self.learned[which] = source
        relay.passes(self, which, packet, source)


class Call:
    def __init__(self, relay):
        self.relay, self.legs = relay, {}


class Relay:
    """`addresses`: {"lan": …, "wan": …, "wan6": …}."""

    def __init__(self, host, addresses, control=("127.0.0.1", 2223)):
        self.host, self.addresses, self.calls, self.next_port = host, addresses, {}, 30000
        self.learns, self.relatches, self.announced = True, False, {}
        self.fault = None  # (leg, which, packet, source) -> True: it has dealt with it
        self.open = []
        made = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind(control)
        made.setblocking(False)
        self.open.append(made)
        asyncio.get_running_loop().add_reader(made, self._command, made)

    def pair(self, address, leg):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        port, self.next_port = self.next_port, self.next_port + 2
        made = []
        for which in (0, 1):
            one = self.host.socket(family, socket.SOCK_DGRAM)
            one.bind((address, port + which))
            one.setblocking(False)
            asyncio.get_running_loop().add_reader(one, self._hear, one, leg, which)
            made.append(one)
            self.open.append(one)
        leg.port = port
        return made

    def _hear(self, one, leg, which):
        try:
            packet, source = one.recvfrom(2048)
        except OSError:
            return
        if leg.dead:
            return
        leg.hear(which, packet, source[:2])

    def passes(self, leg, which, packet, source):
        if self.fault and self.fault(leg, which, packet, source):
            return
        self.send(leg.other, which, packet, leg.other.target(which))

    def send(self, leg, which, packet, to):
        if to is None:
            return
        try:
            leg.sockets[which].sendto(packet, to)
        except OSError:
            pass

    def close(self):
        for one in self.open:
            asyncio.get_running_loop().remove_reader(one)
            one.close()

    # --- commands

    def _command(self, made):
        data, source = made.recvfrom(65535)
        cookie, _, text = data.partition(b" ")
        asked = decode(text)[0]
        made.sendto(cookie + b" " + encode(self._do(asked)), source)

    def _do(self, asked):
        command = asked["command"]
        if command == "ping":
            return {"result": "pong"}
        call = self.calls.get(asked.get("call-id"))
        if command == "delete":
            for leg in call.legs.values() if call else []:
                leg.dead = True
            self.calls.pop(asked.get("call-id"), None)
            return {"result": "ok"}
        if command not in ("offer", "answer"):
            return {"result": "ok"}
        ways = asked.get("direction", ["wan", "wan"])
        if call is None:
            call = self.calls[asked["call-id"]] = Call(self)
            own, theirs = (Leg(call, self.addresses[way]) for way in ways)
            own.other, theirs.other = theirs, own
            own.tag = asked["from-tag"]
            call.legs = {"first": own, "second": theirs}
        writer = asked["from-tag"] if command == "offer" else asked.get("to-tag")
        leg = call.legs["first"] if writer == call.legs["first"].tag else call.legs["second"]
        return {"result": "ok", "sdp": self._describe(leg, asked["sdp"])}

    def _describe(self, leg, text):
        """Keeps what the party says of itself, and puts the relay's other side in its place."""
        address = re.search(r"c=IN IP[46] (\S+)", text)[1]
        port = int(re.search(r"m=\w+ (\d+)", text)[1])
        rtcp = re.search(r"a=rtcp:(\d+)", text)
        ends = [(address, port), (address, int(rtcp[1]) if rtcp else port + 1)]
        if ends != leg.signalled and not address.startswith("0."):
            leg.settled = time.monotonic() + SETTLE
            leg.before, leg.signalled, leg.learned = leg.signalled, ends, [None, None]
        other = leg.other
        shown = self.announced.get(other.address, other.address)
        family = "IP6" if ":" in shown else "IP4"
        text = re.sub(r"c=IN IP[46] \S+", f"c=IN {family} {shown}" if not address.startswith("0.") else f"c=IN IP4 {address}", text)
        text = re.sub(r"(?m)^(o=\S+ \S+ \S+) IN IP[46] \S+", rf"\1 IN {family} {shown}", text)
        text = re.sub(r"m=(\w+) \d+", rf"m=\1 {other.port}", text, count=1)
        return re.sub(r"a=rtcp:\d+[^\r\n]*\r\n", "", text) + f"a=rtcp:{other.port + 1}\r\n"
