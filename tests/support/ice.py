"""An agent of ICE (RFC 8445) for scripted phones: it gathers what it is given, checks each pair, answers checks, and where it controls
nominates the first that works. One component."""
import asyncio
import hashlib
import hmac
import os
import random
import re
import socket
import struct
import zlib

import scripted_media
from scripted_media import description

COOKIE = 0x2112A442
REQUEST, SUCCESS, FAILURE = 0x0001, 0x0101, 0x0111
USERNAME, INTEGRITY, ERROR, MAPPED, PRIORITY, USE, FINGERPRINT, CONTROLLED, CONTROLLING = 0x06, 0x08, 0x09, 0x20, 0x24, 0x25, 0x8028, 0x8029, 0x802A
ALLOCATE, ALLOCATED, BIND, SEND, RECEIVED = 0x0003, 0x0103, 0x0009, 0x0016, 0x0017
CHANNEL, PEER, DATA, RELAYED, TRANSPORT = 0x000C, 0x0012, 0x0013, 0x0016, 0x0019
INTERVAL = 0.05  # seconds between two checks
TRIES = 7        # of one pair
PREFERENCE = {"host": 126, "prflx": 110, "srflx": 100, "relay": 0}


def candidate(at, kind, base):
    """The value of a=candidate. `at`: (address, port)."""
    priority = PREFERENCE[kind] << 24 | 65535 << 8 | 255
    related = f" raddr {base.address} rport {base.port}" if kind != "host" else ""
    return f"{random.getrandbits(20)} 1 UDP {priority} {at[0]} {at[1]} typ {kind}{related}"


def attribute(kind, value):
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def message(kind, number, attributes, key):
    """With MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 section 14)."""
    def head(more):
        return struct.pack("!HHI", kind, len(attributes) + more, COOKIE) + number
    proof = hmac.new(key.encode(), head(24) + attributes, hashlib.sha1).digest()
    attributes += attribute(INTEGRITY, proof)
    whole = head(8) + attributes
    return whole + attribute(FINGERPRINT, struct.pack("!I", (zlib.crc32(whole) ^ 0x5354554E) & 0xFFFFFFFF))


def mapped(source):
    if ":" in source[0]:
        mask = struct.pack("!I", COOKIE)
        address = socket.inet_pton(socket.AF_INET6, source[0])
        return lambda number: struct.pack("!BBH", 0, 2, source[1] ^ 0x2112) + bytes(a ^ b for a, b in zip(address, mask + number))
    plain = struct.unpack("!I", socket.inet_aton(source[0]))[0] ^ COOKIE
    return lambda number: struct.pack("!BBHI", 0, 1, source[1] ^ 0x2112, plain)


def unmapped(value):
    """Of IPv4."""
    port, number = struct.unpack("!HI", value[2:8])
    return socket.inet_ntoa(struct.pack("!I", number ^ COOKIE)), port ^ 0x2112


def attributes_of(packet):
    """type -> (where it begins, value)"""
    at, found = 20, {}
    while at + 4 <= len(packet):
        kind, length = struct.unpack("!HH", packet[at:at + 4])
        found[kind] = (at, packet[at + 4:at + 4 + length])
        at += 4 + length + -length % 4
    return found


class TurnServer:
    """Allocates for everybody, passes everything on."""

    def __init__(self, host, port=3478, first=50000):
        self.host, self.next_port, self.allocations = host, first, {}
        self.socket = self._bound(port)
        asyncio.get_running_loop().add_reader(self.socket, self._client)

    def _bound(self, port):
        made = self.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((self.host.address, port))
        made.setblocking(False)
        return made

    def _client(self):
        packet, client = self.socket.recvfrom(2048)
        relay, channels = self.allocations.get(client, (None, {}))
        if packet[0] >= 0x40:
            number, length = struct.unpack("!HH", packet[:4])
            self._pass_on(relay, packet[4:4 + length], channels[number])
            return
        kind, found = struct.unpack("!H", packet[:2])[0], attributes_of(packet)
        if kind == ALLOCATE:
            relay = self._bound(self.next_port)
            self.allocations[client] = (relay, {})
            asyncio.get_running_loop().add_reader(relay, self._peer, relay, client)
            value = attribute(RELAYED, mapped((self.host.address, self.next_port))(b"")) + attribute(MAPPED, mapped(client)(b""))
            self.next_port += 1
            self.socket.sendto(struct.pack("!HHI", ALLOCATED, len(value), COOKIE) + packet[8:20] + value, client)
        elif kind == BIND:
            channels[struct.unpack("!H", found[CHANNEL][1][:2])[0]] = unmapped(found[PEER][1])
            self.socket.sendto(struct.pack("!HHI", BIND | 0x0100, 0, COOKIE) + packet[8:20], client)
        elif kind == SEND:
            self._pass_on(relay, found[DATA][1], unmapped(found[PEER][1]))

    def _pass_on(self, by, packet, to):
        try:
            by.sendto(packet, to)
        except OSError:
            pass  # an address that nobody can reach

    def _peer(self, relay, client):
        try:
            packet, peer = relay.recvfrom(2048)
        except OSError:
            return
        channels = self.allocations[client][1]
        number = next((n for n, at in channels.items() if at == peer), None)
        if number is not None:
            self.socket.sendto(struct.pack("!HH", number, len(packet)) + packet, client)
            return
        value = attribute(PEER, mapped(peer)(b"")) + attribute(DATA, packet)
        self.socket.sendto(struct.pack("!HHI", RECEIVED, len(value), COOKIE) + os.urandom(12) + value, client)


class Agent(scripted_media.Media):
    """`lite`: it only answers."""

    def __init__(self, host, port, controlling=False, lite=False, **options):
        self.server = self.relayed = None  # of TURN
        self.channels = {}                 # peer -> channel
        super().__init__(host, port, rtcp_port=port, **options)
        self.controlling, self.lite, self.looking = controlling, lite, None
        self.candidates = [candidate((self.address, port), "host", self)]
        self.default = (self.address, port)
        self.password_of_other = self.theirs = None
        self.open = {}                     # transaction -> (where to, nominating)
        self.renew()

    def renew(self):
        self.user, self.password = os.urandom(4).hex(), os.urandom(12).hex()
        self.chosen = None

    def described(self, **options):
        more = ["a=rtcp-mux", *["a=ice-lite"] * self.lite, f"a=ice-ufrag:{self.user}", f"a=ice-pwd:{self.password}",
                *(f"a=candidate:{one}" for one in self.candidates)]
        return description(*self.default, more=more, **options)

    def look_for(self, text):
        """Begins to check what the other's description names."""
        found = re.search(r"a=ice-ufrag:(\S+)", text)
        self.theirs = (found[1], self.password_of_other or re.search(r"a=ice-pwd:(\S+)", text)[1])
        self.chosen, self.to = None, None
        remote = [(address, int(port)) for address, port in re.findall(r"a=candidate:\S+ 1 UDP \d+ (\S+) (\d+)", text)]
        self.looking = None if self.lite else asyncio.get_running_loop().create_task(self._check(remote))

    def stop(self):
        super().stop()
        if self.looking:
            self.looking.cancel()
            self.looking = None

    async def _check(self, remote):
        for _ in range(TRIES):
            for to in remote:
                if self.chosen is None:
                    self._ask(to, False)
                    await asyncio.sleep(INTERVAL)
            await asyncio.sleep(INTERVAL)

    def _ask(self, to, nominate):
        number = os.urandom(12)
        self.open[number] = (to, nominate)
        role = CONTROLLING if self.controlling else CONTROLLED
        attributes = attribute(USERNAME, f"{self.theirs[0]}:{self.user}".encode()) + attribute(PRIORITY, struct.pack("!I", PREFERENCE["prflx"] << 24 | 0xFFFFFF))
        attributes += attribute(role, bytes(8)) + (attribute(USE, b"") if nominate else b"")
        self._send_stun(message(REQUEST, number, attributes, self.theirs[1]), to)

    def _send_stun(self, packet, to):
        try:
            self.rtp.sendto(*self._wrapped(packet, to))
        except OSError:
            pass

    # --- by a TURN server alone (RFC 8656), where there is one

    async def allocate(self, server):
        """From now on all goes by the server; the relayed address is the first candidate."""
        self.server = server
        self._send_turn(ALLOCATE, attribute(TRANSPORT, bytes([17, 0, 0, 0])))
        for _ in range(40):
            await asyncio.sleep(0.02)
            if self.relayed:
                break
        self.candidates.insert(0, candidate(self.relayed, "relay", self))
        self.default = self.relayed

    def _send_turn(self, kind, attributes):
        self.rtp.sendto(struct.pack("!HHI", kind, len(attributes), COOKIE) + os.urandom(12) + attributes, self.server)

    def _wrapped(self, packet, to):
        """By a channel of its own for each peer; the first packet by an indication."""
        if self.relayed is None:
            return packet, to
        number = self.channels.get(to)
        if number is None:
            number = self.channels[to] = 0x4000 + len(self.channels)
            peer = attribute(PEER, mapped(to)(b""))
            self._send_turn(BIND, attribute(CHANNEL, struct.pack("!HH", number, 0)) + peer)
            attributes = peer + attribute(DATA, packet)
            return struct.pack("!HHI", SEND, len(attributes), COOKIE) + os.urandom(12) + attributes, self.server
        return struct.pack("!HH", number, len(packet)) + packet, self.server

    def _send(self, by, packet, to):
        if self.relayed is None or to is None:
            super()._send(by, packet, to)
        else:
            self._send_stun(packet, to)

    def _unwrapped(self, packet):
        """(packet, source) of what comes from the server."""
        if 0x40 <= packet[0] <= 0x4F:
            number, length = struct.unpack("!HH", packet[:4])
            return packet[4:4 + length], next(to for to, one in self.channels.items() if one == number)
        kind, found = struct.unpack("!H", packet[:2])[0], attributes_of(packet)
        if kind == ALLOCATED:
            self.relayed = unmapped(found[RELAYED][1])
        return (found[DATA][1], unmapped(found[PEER][1])) if kind == RECEIVED else (None, None)

    def _hear(self, taken, counts):
        try:
            packet, source = taken.recvfrom(2048)
        except OSError:
            return
        source = source[:2]
        if source == self.server:
            packet, source = self._unwrapped(packet)
        if packet is None:
            return
        if len(packet) < 20 or packet[0] > 3:
            self.hear(packet, source, counts)
            return
        kind, number = struct.unpack("!H", packet[:2])[0], packet[8:20]
        if kind == REQUEST:
            self._answer(packet, number, source)
        elif kind == SUCCESS and number in self.open:
            to, nominated = self.open.pop(number)
            if nominated:
                self._choose(to)
            elif self.controlling and self.chosen is None:
                self._ask(to, True)

    def _answer(self, packet, number, source):
        found = attributes_of(packet)
        place, proof = found[INTEGRITY]
        whole = packet[:2] + struct.pack("!H", place + 24 - 20) + packet[4:place]
        if hmac.new(self.password.encode(), whole, hashlib.sha1).digest() != proof:
            self._send_stun(message(FAILURE, number, attribute(ERROR, struct.pack("!HBB", 0, 4, 1) + b"Unauthorized"), self.password), source)
            return
        self._send_stun(message(SUCCESS, number, attribute(MAPPED, mapped(source)(number)), self.password), source)
        if USE in found:
            self._choose(source)
        elif self.theirs and self.chosen is None and not self.lite and all(to != source for to, _ in self.open.values()):
            self._ask(source, False)  # RFC 8445 section 7.3.1.4

    def _choose(self, to):
        self.chosen = self.to = self.rtcp_to = to
