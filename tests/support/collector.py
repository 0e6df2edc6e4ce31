"""A collector of HEP version 3: takes what capture agents send, and reads it by the specification. Nothing of natkit's code."""
import collections
import ipaddress
import json
import socket
import struct
import threading
import time

import captures
import lab

SIP, RTCP, REPORT = 1, 5, 34
Packet = collections.namedtuple("Packet", "source destination kind protocol agent node correlation time payload came")


def read(datagram):
    """Fails on whatever a strict collector would complain of."""
    lab.require(datagram[:4] == b"HEP3" and struct.unpack("!H", datagram[4:6])[0] == len(datagram), f"no HEP: {datagram[:40]!r}")
    chunks, at = {}, 6
    while at < len(datagram):
        vendor, kind, length = struct.unpack("!HHH", datagram[at:at + 6])
        lab.require(vendor == 0 and 6 <= length <= len(datagram) - at and kind not in chunks, f"chunk {vendor}/{kind} of {length} bytes at {at}")
        chunks[kind] = datagram[at + 6:at + length]
        at += length
    six = chunks[1] == b"\x0a"
    lab.require(six or chunks[1] == b"\x02", f"family {chunks[1]!r}")
    addresses = [ipaddress.ip_address(chunks[kind]) for kind in ((5, 6) if six else (3, 4))]
    ports = [struct.unpack("!H", chunks[kind])[0] for kind in (7, 8)]
    ends = [f"[{a}]:{p}" if six else f"{a}:{p}" for a, p in zip(addresses, ports)]
    seconds, micros, agent = (struct.unpack("!I", chunks[kind])[0] for kind in (9, 10, 12))
    lab.require(micros < 1_000_000, f"{micros} microseconds")
    return Packet(*ends, chunks[11][0], chunks[2][0], agent, chunks.get(19, b"").decode(), chunks.get(17, b"").decode(),
                  seconds + micros / 1e6, chunks[15], time.time())


class Collector:
    def __init__(self, host, port=9060):
        self.host, self.target = host, f"udp:{host.address}:{port}"
        self._socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind((host.address, port))
        self.datagrams = []
        host.lab.close_at_end(self._socket)
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            try:
                datagram = self._socket.recv(65535)
            except OSError:
                return
            if not datagram:
                return
            self.datagrams.append(datagram)

    def packets(self, *kinds):
        return [p for p in map(read, list(self.datagrams)) if not kinds or p.kind in kinds]

    def sip(self):
        return self.packets(SIP)

    def told(self, kind):
        """(packet, its JSON) of that kind."""
        return [(p, json.loads(p.payload)) for p in self.packets(kind)]

    def save(self, path):
        """As a capture of what it got."""
        capture = captures.Capture()
        for number, datagram in enumerate(self.datagrams):
            capture.udp(number / 1000, "192.0.2.1:40000", "192.0.2.2:9060", datagram)
        capture.save(path)
