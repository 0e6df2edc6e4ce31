"""A name server of a few lines, for a laboratory: answers what its zone has, NXDOMAIN for all else."""
import socket
import struct
import threading

import lab

TYPES = {"A": 1, "AAAA": 28, "SRV": 33, "NAPTR": 35}


def _name(text):
    parts = [p for p in text.rstrip(".").split(".") if p]
    return b"".join(bytes([len(p)]) + p.encode() for p in parts) + b"\0"


def _string(text):
    return bytes([len(text)]) + text.encode()


def _data(kind, value):
    if kind == "A":
        return socket.inet_aton(value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind == "SRV":
        priority, weight, port, target = value
        return struct.pack("!HHH", priority, weight, port) + _name(target)
    order, preference, flags, service, replacement = value
    return struct.pack("!HH", order, preference) + _string(flags) + _string(service) + _string("") + _name(replacement)


class NameServer:
    """`zone`: {("SRV", "_sip._udp.example.test"): [(0, 0, 5060, "a.example.test")], ("A", …): ["192.0.2.1"]}"""

    used = False

    def __init__(self, host, zone, address=None):
        self.zone, self.asked, self.silent = zone, [], False
        self.ports = {}  # that the queries for a name came from
        self.address, self.folder = address or host.address, host.lab.folder
        self.socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, 53))
        threading.Thread(target=self._serve, daemon=True).start()

    def use(self):
        """All programs of this laboratory that are started from now on ask this server."""
        file = self.folder / "resolv.conf"
        file.write_text(f"nameserver {self.address}\n")
        if NameServer.used:  # by an earlier test, whose file is gone
            lab.sh("umount", "/etc/resolv.conf")
        lab.sh("mount", "--bind", file, "/etc/resolv.conf")
        NameServer.used = True
        return self

    def _serve(self):
        while True:
            packet, source = self.socket.recvfrom(4096)
            try:
                reply = self._answer(packet)
                self.ports.setdefault(self.asked[-1][1], set()).add(source[1])
            except (IndexError, struct.error):
                continue
            if reply and not self.silent:
                self.socket.sendto(reply, source)

    def _answer(self, packet):
        labels, at = [], 12
        while packet[at]:
            labels.append(packet[at + 1:at + 1 + packet[at]].decode())
            at += 1 + packet[at]
        number = struct.unpack("!H", packet[at + 1:at + 3])[0]
        question = packet[12:at + 5]
        kind = next((k for k, v in TYPES.items() if v == number), None)
        name = ".".join(labels).lower()
        self.asked.append((kind, name))
        values = self.zone.get((kind, name), [])
        known = any(n == name for _, n in self.zone)
        answers = b""
        for value in values:
            data = _data(kind, value)
            answers += b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 60, len(data)) + data
        flags = 0x8580 | (0 if known else 3)
        return packet[:2] + struct.pack("!HHHHH", flags, 1, len(values), 0, 0) + question + answers
