"""What crosses a segment of the laboratory, or reaches and leaves a host: UDP datagrams, with the kernel's time stamps."""
import collections
import contextlib
import ipaddress
import re
import select
import socket
import struct
import threading
import time

Datagram = collections.namedtuple("Datagram", "time source destination payload")


SO_TIMESTAMPNS, SO_RCVBUFFORCE = 35, 33  # Linux's numbers, which Python does not name


class Tap:
    """Records the UDP datagrams that cross a segment, or reach and leave a host, with the kernel's time stamps: a test that is held up
    sees when they really came. Reassembles fragments. What has crossed when it is asked, it knows: whoever got an answer finds the
    question here."""

    def __init__(self, host, both_ways):
        self.datagrams, self._fragments, self._lock = [], {}, threading.Lock()
        self._both_ways = both_ways
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))  # ETH_P_ALL
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        with contextlib.suppress(OSError):  # above the system's limit, where that is allowed
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 16 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setblocking(False)
        self._now, self._closing = 0.0, False
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        """So that the kernel has room, whether anybody asks or not."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        while not self._closing:
            poll.poll(200)
            with self._lock:
                self._take()

    def _take(self):
        """All that has come until now, however much goes on coming; with the lock held."""
        until, self._now = time.time(), 0.0
        while not self._closing and self._now <= until:
            try:
                packet, control, _, where = self._socket.recvmsg(65536, 64)
            except OSError:
                return  # nothing more
            stamps = [struct.unpack("qq", data[:16]) for _, kind, data in control if kind == SO_TIMESTAMPNS]
            self._now = stamps[0][0] + stamps[0][1] / 1e9 if stamps else time.time()
            # On a segment every frame comes in by one port and leaves by others: count it where it came in.
            if where[0] == "lo" or (where[2] == socket.PACKET_OUTGOING and not self._both_ways):
                continue
            if where[1] == 0x0800:
                self._ipv4(packet)
            elif where[1] == 0x86DD and packet[6] == 17:
                self._udp(packet[8:24], packet[24:40], packet[40:])

    def _ipv4(self, packet):
        header = (packet[0] & 15) * 4
        length, ident, offset = struct.unpack("!HHH", packet[2:8])
        if packet[9] != 17:
            return
        body, more, offset = packet[header:length], offset & 0x2000, (offset & 0x1FFF) * 8
        if more or offset:
            key = (packet[12:20], ident)
            parts = self._fragments.setdefault(key, {})
            parts[offset] = (body, bool(more))
            whole, at = b"", 0
            while at in parts:
                piece, goes_on = parts[at]
                whole, at = whole + piece, at + len(piece)
                if not goes_on:
                    del self._fragments[key]
                    return self._udp(packet[12:16], packet[16:20], whole)
            return None
        return self._udp(packet[12:16], packet[16:20], body)

    def _udp(self, source, destination, body):
        if len(body) < 8:
            return
        sport, dport = struct.unpack("!HH", body[:4])
        self.datagrams.append(Datagram(self._now, _endpoint(source, sport), _endpoint(destination, dport), body[8:]))

    def all(self):
        with self._lock:
            self._take()
            return list(self.datagrams)

    def sip(self):
        """The datagrams that are SIP messages, as (Datagram, text)."""
        found = []
        for datagram in self.all():
            if re.match(rb"SIP/2\.0 \d|[A-Z]+ \S+ SIP/2\.0\r\n", datagram.payload):
                found.append((datagram, datagram.payload.decode("utf-8", "replace")))
        return found

    def rtp(self):
        return [d for d in self.all() if is_rtp(d.payload)]

    def close(self):
        with self._lock:
            self._closing = True
            self._socket.close()


def _endpoint(address, port):
    text = str(ipaddress.ip_address(bytes(address)))
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


def is_rtp(payload):
    """Version 2 and not RTCP (RFC 5761 section 4)."""
    return len(payload) >= 12 and payload[0] >> 6 == 2 and not 192 <= payload[1] <= 223


def same_audio(sender, receiver):
    """How many of the RTP payloads that one Tap saw leave its host the other saw arrive: audio that truly got through."""
    sent = {d.payload[12:] for d in sender}
    return sum(d.payload[12:] in sent for d in receiver)
