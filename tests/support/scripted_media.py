"""Session descriptions and media for scripted phones: RTP and RTCP with any numbers, from any port, to anywhere. In an asyncio loop."""
import asyncio
import os
import random
import re
import socket
import struct
import time

FRAME = 0.02   # seconds of audio in a packet
PCMU, PCMA, G722, COMFORT, EVENTS = 0, 8, 9, 13, 101
CODECS = {PCMU: "PCMU/8000", PCMA: "PCMA/8000", G722: "G722/8000", COMFORT: "CN/8000", EVENTS: "telephone-event/8000"}


def description(address, port, formats=(PCMU, EVENTS), direction="", origin=None, protocol="RTP/AVP", codecs=None, more=()):
    """An SDP of one audio stream. `codecs`: names of numbers that CODECS does not have."""
    known = {**CODECS, **(codecs or {})}
    family = "IP6" if ":" in address else "IP4"
    lines = ["v=0", f"o=- {random.getrandbits(30)} 1 IN {'IP6' if ':' in (origin or address) else 'IP4'} {origin or address}", "s=-",
             f"c=IN {family} {address}", "t=0 0", f"m=audio {port} {protocol} {' '.join(map(str, formats))}"]
    lines += [f"a=rtpmap:{n} {known[n]}" for n in formats] + [f"a={direction}"] * bool(direction) + list(more)
    return "".join(line + "\r\n" for line in lines)


class Described:
    """What an SDP says of its first stream."""

    def __init__(self, text):
        self.address = re.search(r"c=IN IP[46] (\S+)", text)[1]
        found = re.search(r"m=\w+ (\d+) (\S+) ([^\r\n]*)", text)
        self.port, self.protocol, self.formats = int(found[1]), found[2], [int(f) for f in found[3].split() if f.isdigit()]
        rtcp = re.search(r"a=rtcp:(\d+)", text)
        self.mux = "a=rtcp-mux" in text
        self.rtcp = int(rtcp[1]) if rtcp else self.port + 1
        way = re.search(r"a=(sendrecv|sendonly|recvonly|inactive)", text)
        self.direction = way[1] if way else "sendrecv"

    def mirrored(self):
        return {"sendonly": "recvonly", "recvonly": "sendonly"}.get(self.direction, self.direction)


class Media:
    """An RTP endpoint with its RTCP port. It says 50 packets a second to `to` while `speaking`."""

    def __init__(self, host, port, address=None, payload_type=PCMU, source_port=None, rtcp_port=None):
        self.address, self.port = address or host.address, port
        self.rtcp_port = rtcp_port or port + 1
        self.host, self.payload_type, self.ssrc = host, payload_type, random.getrandbits(32)
        self.sequence, self.stamp = random.getrandbits(16), random.getrandbits(32)
        self.rtp = self._socket(port, True)
        self.rtcp = self.rtp if self.rtcp_port == port else self._socket(self.rtcp_port, False)  # RFC 5761
        self.mouth = self._socket(source_port, True) if source_port else self.rtp
        self.to = self.rtcp_to = None
        self.speaking, self.reports, self.noise, self.events = False, True, False, None
        self.reports_jitter = 0                      # that of the other's packets, in units of time stamps
        self.sent, self.heard, self.heard_from, self.last_heard, self.task, self.drop = 0, 0, None, 0.0, None, 0.0
        self.size, self.frame = 160, FRAME
        self.shape = None                            # packet -> the packets that are sent in its place

    def _socket(self, port, counts):
        made = self.host.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self.address, port))
        made.setblocking(False)
        asyncio.get_running_loop().add_reader(made, self._hear, made, counts)
        return made

    def _hear(self, taken, counts):
        try:
            packet, source = taken.recvfrom(2048)
        except OSError:
            return
        self.hear(packet, source, counts)

    def hear(self, packet, source, counts):
        if counts and len(packet) >= 12 and packet[0] & 0xC0 == 0x80 and not 192 <= packet[1] <= 223:
            self.heard, self.heard_from, self.last_heard = self.heard + 1, source[:2], time.monotonic()
            self.heard_ssrc = struct.unpack("!I", packet[8:12])[0]

    def follow(self, text):
        """Sends to where the description says, from now on."""
        told = Described(text)
        self.to, self.rtcp_to = (told.address, told.port), (told.address, told.port if told.mux and self.rtcp is self.rtp else told.rtcp)
        return told

    def start(self, text=None):
        if text:
            self.follow(text)
        self.speaking = True
        if self.task is None:
            self.task = asyncio.get_running_loop().create_task(self._run())
        return self

    def stop(self):
        self.speaking = self.reports = self.noise = False
        if self.task:
            self.task.cancel()
            self.task = None

    def say(self, payload_type=None, size=None, mark=False, payload=None, hold_stamp=False):
        number = self.payload_type if payload_type is None else payload_type
        head = struct.pack("!BBHII", 0x80, number | 0x80 * mark, self.sequence & 0xFFFF, self.stamp & 0xFFFFFFFF, self.ssrc)
        self.sequence += 1
        if not hold_stamp:
            self.stamp += int(self.frame * 8000)
        if random.random() >= self.drop:
            self._send(self.mouth, head + (payload or os.urandom(size or self.size)), self.to)
        self.sent += 1

    def report(self):
        block, count = b"", 0
        if self.heard:
            block, count = struct.pack("!IIIIII", self.heard_ssrc, 0, self.heard, self.reports_jitter, 0, 0), 1
        body = struct.pack("!IQIII", self.ssrc, int(time.time() * 2**32) & (2**64 - 1), self.stamp & 0xFFFFFFFF, self.sent, self.sent * 160) + block
        self._send(self.rtcp, struct.pack("!BBH", 0x80 | count, 200, len(body) // 4) + body, self.rtcp_to)

    def press(self, number=EVENTS, digit=5):
        """A key, by RFC 4733."""
        for i in range(6):
            end = 0x80 if i > 2 else 0
            self.say(number, mark=i == 0, payload=struct.pack("!BBH", digit, end | 10, 160 * (i + 1)), hold_stamp=True)

    def _send(self, by, packet, to):
        if to is None:
            return
        for one in self.shape(packet) if self.shape and by is self.mouth else (packet,):
            try:
                by.sendto(one, to)
            except OSError:
                pass  # ICMP for an earlier one

    async def _run(self):
        due, count = time.monotonic(), 0
        while True:
            if self.speaking:
                self.say()
            elif self.noise and count % 40 == 0:
                self.say(COMFORT, 2)
            if self.reports and count % 50 == 25:
                self.report()
            count += 1
            due += self.frame
            await asyncio.sleep(max(0, due - time.monotonic()))
