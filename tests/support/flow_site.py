"""A host with a flow table between a phone on its LAN and a peer on its WAN, and frames of every kind to send through it."""
import contextlib
import ctypes
import fcntl
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import threading

import lab

DRIVER = lab.BUILD / "tests/flow_driver"
PINS = "/sys/fs/bpf/natkit"
OURS, THEIRS = 20000, 20100  # the host's ports: where the phone sends to, and where packets to the peer come from
PHONE, PEER = 4000, 6000
ADDRESSES = {4: {"phone": "192.168.10.5", "lan": "192.168.10.1", "wan": "203.0.113.10", "peer": "203.0.113.50"},
             6: {"phone": "fd00:10::5", "lan": "fd00:10::1", "wan": "2001:db8::10", "peer": "2001:db8::50"}}
SSRC = 0x11223344
IP_RECVTTL = 12  # Python has no name for it


def skip_without_root(name):
    """With true root there is a bpffs (lab.py)."""
    os.environ["NATKIT_TIER"] = "fast"
    lab.skip_without_true_root(name)
    if not DRIVER.exists():
        print(f"skipped: {name}: no {DRIVER}")
        sys.exit(77)


# --- frames ---------------------------------------------------------------------------------------------------------

def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def rtp(sequence, ssrc=SSRC, size=160, timestamp=None):
    return struct.pack("!BBHII", 0x80, 0, sequence & 0xffff, sequence * 160 if timestamp is None else timestamp, ssrc) + b"\x55" * size


def rtcp(ssrc=SSRC):
    return struct.pack("!BBHI", 0x80, 200, 6, ssrc) + b"\0" * 20


FOREIGN = r"""
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
SEC("mark") int foreign_mark(struct __sk_buff *skb)
{
	skb->mark = 0xe00;
	asm volatile("" ::: "memory");
	skb->queue_mapping = 3;
	skb->tstamp = 12345;
	return TC_ACT_UNSPEC;
}
SEC("note") int foreign_note(struct __sk_buff *skb) { skb->priority = 77; return TC_ACT_OK; }
SEC("steal") int foreign_steal(struct __sk_buff *skb) { return TC_ACT_SHOT; }
char foreign_license[] SEC("license") = "GPL";
"""

STUN = struct.pack("!HHI", 1, 0, 0x2112A442) + b"\1" * 12


def packet(source, destination, payload, hops=64, tos=0, check=True, fragment=0, options=b""):
    """IP and UDP, checksums and all. `source`, `destination`: address and port."""
    a, b = packed(source[0]), packed(destination[0])
    length = 8 + len(payload)
    bare = struct.pack("!HHHH", source[1], destination[1], length, 0) + payload
    total = checksum(a + b + struct.pack("!IBBH", length, 0, 0, 17) + bare) or 0xffff
    udp = struct.pack("!HHHH", source[1], destination[1], length, total if check else 0) + payload
    if len(a) == 16:
        return struct.pack("!IHBB", 0x60000000 | tos << 20, length, 17, hops) + a + b + udp
    def header(check):
        return struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, tos, 20 + len(options) + length, 7, fragment, hops, 17, check) + a + b + options
    return header(checksum(header(0))) + udp


# --- the site -------------------------------------------------------------------------------------------------------

class Heard(threading.Thread):
    """What a socket hears: payload, source, TOS and hop limit."""

    def __init__(self, net, host, address, port):
        super().__init__(daemon=True)
        v6 = ":" in address
        self.socket = host.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if v6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
        self.socket.bind((address, port))
        net.on_close(self.close)
        self.packets = []
        self.start()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        self.socket.close()

    def run(self):
        while True:
            try:
                data, ancillary, _, source = self.socket.recvmsg(2048, 256)
            except OSError:
                return
            if not data:
                return
            notes = {kind: int.from_bytes(value[:1] if len(value) < 4 else value[:4], sys.byteorder) for _, kind, value in ancillary}
            tos = notes.get(socket.IPV6_TCLASS if ":" in source[0] else socket.IP_TOS)
            hops = notes.get(socket.IPV6_HOPLIMIT if ":" in source[0] else socket.IP_TTL)
            self.packets.append((data, source[:2], tos, hops))

    def wait(self, count, what):
        lab.wait_until(lambda: len(self.packets) >= count, lambda: f"{what}: {len(self.packets)} of {count}", 5)

    def clear(self):
        self.packets.clear()


class Site:
    def __init__(self, net):
        shutil.rmtree(PINS, ignore_errors=True)
        self.net = net
        self.lan, self.wan = net.segment("lan"), net.segment("wan")
        a4, a6 = ADDRESSES[4], ADDRESSES[6]
        self.host = net.host("edge").attach("lan0", self.lan, a4["lan"] + "/24", a6["lan"] + "/64")
        self.host.attach("wan0", self.wan, a4["wan"] + "/24", a6["wan"] + "/64")
        self.phone = net.host("phone").attach("eth0", self.lan, a4["phone"] + "/24", a6["phone"] + "/64")
        self.peer = net.host("peer").attach("eth0", self.wan, a4["peer"] + "/24", a6["peer"] + "/64")
        for key in ("ipv4.ip_forward", "ipv4.conf.all.rp_filter", "ipv4.conf.lan0.rp_filter", "ipv4.conf.wan0.rp_filter"):
            self.host.sysctl(f"net.{key}", 0)
        self.wire = {}

    def move_to_vlans(self):
        """Each address of each host moves to a VLAN of its interface: 5 of the LAN, 6 of the WAN. False: this kernel has none."""
        for host, interface, vlan in ((self.host, "lan0", 5), (self.host, "wan0", 6), (self.phone, "eth0", 5), (self.peer, "eth0", 6)):
            shown = host.ip("-o", "addr", "show", "dev", interface, "scope", "global")
            made = host.run("ip", "link", "add", "link", interface, "name", f"{interface}.{vlan}", "type", "vlan", "id", vlan)
            if made.returncode != 0:
                return False
            host.ip("link", "set", f"{interface}.{vlan}", "up")
            for address in re.findall(r"inet6? (\S+)", shown):
                host.ip("addr", "del", address, "dev", interface)
                host.ip("addr", "add", address, "dev", f"{interface}.{vlan}", *(["nodad"] if ":" in address else []))
        return True

    # the table

    def table(self, lease=600, folder=PINS, attach=("lan0",), enter=()):
        self.program = subprocess.Popen([*self.host.enter, *enter, DRIVER, folder, str(lease)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1)
        self.net.on_close(self.program.kill)
        answer = self.program.stdout.readline().strip()
        if answer != "open":
            return answer
        for family in (4, 6):
            lab.require(self.ask(f"route {family}") == "ok", "lo.forwarding cannot be set")
        for interface in attach:
            lab.require(self.ask(f"attach {self.index(interface)}") == "ok", f"not attached to {interface}")
        return answer

    def ask(self, line):
        self.program.stdin.write(line + "\n")
        return self.program.stdout.readline().strip()

    def passed(self):
        return {k: int(v) for k, v in (word.split("=") for word in self.ask("passed").split())}

    def link(self, interface, host=None):
        return (host or self.host).ip("-o", "link", "show", "dev", interface)

    def index(self, interface):
        return int(self.link(interface).split(":")[0])

    def mac(self, interface, host=None):
        return re.search(r"link/ether (\S+)", self.link(interface, host))[1]

    def flow(self, into=4, out=4, kind=1, interface="lan0"):
        """Adds the flow from phone to peer; what read takes."""
        a, b = ADDRESSES[into], ADDRESSES[out]
        def end(address, port):
            return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        self.key = f"{self.index(interface)} {end(a['phone'], PHONE)} {end(a['lan'], OURS)}"
        answer = self.ask(f"add {self.key} {end(b['wan'], THEIRS)} {end(b['peer'], PEER)} 184 {kind} {SSRC} 8000")
        lab.require(answer.isdigit(), answer)
        return answer

    def count(self, slot):
        return [int(word) for word in self.ask(f"read {slot}").split()]

    # packets

    def ears(self, into=4, out=4):
        """What the peer hears, and what the slow path gets."""
        return (Heard(self.net, self.peer, ADDRESSES[out]["peer"], PEER), Heard(self.net, self.host, ADDRESSES[into]["lan"], OURS))

    def mouth(self, into=4):
        """A socket of the phone: its kernel leaves checksums to the card."""
        s = self.phone.socket(socket.AF_INET if into == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        s.bind((ADDRESSES[into]["phone"], PHONE))
        s.connect((ADDRESSES[into]["lan"], OURS))
        self.net.close_at_end(s)
        return s

    def send_frame(self, body, tag=None, by="phone", interface="eth0", to="lan0"):
        """Sends what packet() made as a frame of its own, with its own checksums."""
        key = (by, interface)
        host = self.net.hosts[by]
        if key not in self.wire:
            self.wire[key] = host.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.wire[key].bind((interface, 0))
            self.net.close_at_end(self.wire[key])
        kind = b"\x86\xdd" if body[0] >> 4 == 6 else b"\x08\x00"
        head = bytes.fromhex((self.mac(to) + self.mac(interface, host)).replace(":", ""))
        if tag is not None:
            head += struct.pack("!HH", 0x8100, tag)
        self.wire[key].send((head + kind + body).ljust(60, b"\xa5"))

    def frame(self, payload, into=4, **options):
        a = ADDRESSES[into]
        return packet((a["phone"], options.pop("port", PHONE)), (a["lan"], OURS), payload, **options)

    def checksums_by_host(self, host, interface):
        """The card sums up nothing any more: the kernel does, in what is sent (ETHTOOL_STXCSUM)."""
        value = ctypes.create_string_buffer(struct.pack("II", 0x17, 0), 8)
        request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
        with host.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, 0x8946, request)

    def foreign_filter(self, interface, preference, section):
        """A BPF filter of somebody else's: "mark" marks what passes, as Cilium does; "note" gives it the priority
        77 and lets nothing behind it see it; "steal" drops it."""
        source, made = self.net.folder / "foreign.bpf.c", self.net.folder / "foreign.bpf.o"
        if not made.exists():
            source.write_text(FOREIGN)
            lab.sh("clang-19", "-target", "bpf", "-O2", "-g", "-idirafter", "/usr/include/x86_64-linux-gnu", "-c", source, "-o", made)
        lab.sh(*self.host.enter, "tc", "filter", "add", "dev", interface, "ingress", "pref", preference, "protocol", "all",
               "bpf", "da", "obj", made, "sec", section)
