"""Captures made by hand: packets, SIP messages and RTP with known contents."""
import socket
import struct


def endpoint(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def sdp(address, port, *, extra="", origin=None, kind="audio", direction="", protocol="RTP/AVP", formats="0"):
    family = "IP6" if ":" in address else "IP4"
    origin = origin or address
    lines = ["v=0", f"o=- 1 1 IN {'IP6' if ':' in origin else 'IP4'} {origin}", "s=-", f"c=IN {family} {address}", "t=0 0",
             f"m={kind} {port} {protocol} {formats}"]
    lines += [f"a={direction}"] if direction else []
    return "".join(line + "\r\n" for line in lines) + extra


def message(start, *, vias, call_id="call-1", cseq="1 INVITE", from_tag="a", to_tag="", contact=None, body="", more="", length=None):
    head = start + "\r\n" + "".join(f"Via: SIP/2.0/UDP {via}\r\n" for via in vias)
    head += f"From: <sip:a@example.com>;tag={from_tag}\r\nTo: <sip:b@example.com>{';tag=' + to_tag if to_tag else ''}\r\n"
    head += f"Call-ID: {call_id}\r\nCSeq: {cseq}\r\n"
    if contact:
        head += f"Contact: <sip:x@{contact}>\r\n"
    if body:
        head += "Content-Type: application/sdp\r\n"
    return (head + more + f"Content-Length: {len(body) if length is None else length}\r\n\r\n" + body).encode()


class Capture:
    """Writes classic pcap (raw IP, microseconds). Times are seconds from an arbitrary start."""

    START = 1_700_000_000

    def __init__(self):
        self.packets = []

    def ip(self, time, packet):
        self.packets.append((time, packet))

    def udp(self, time, source, destination, payload, ident=0):
        self.ip(time, udp_packet(source, destination, payload))

    def rtp(self, time, source, destination, count, *, ssrc=1, sequence=1, every=0.02, repeat=1):
        for i in range(count):
            for j in range(repeat):
                packet = struct.pack("!BBHII", 0x80, 0, (sequence + i) & 0xFFFF, 160 * i, ssrc) + bytes(160)
                self.udp(time + i * every + j * every / (repeat + 1), source, destination, packet)

    def tcp(self, time, source, destination, sequence, payload, *, flags=0x18, acknowledged=0):
        (host, port), (to_host, to_port) = endpoint(source), endpoint(destination)
        segment = struct.pack("!HHIIBBHHH", port, to_port, sequence, acknowledged, 0x50, flags, 65535, 0, 0) + payload
        self.ip(time, ip_packet(host, to_host, 6, segment))

    def twice(self, after=0.0002):
        """Every packet again, as on a bridge or on all interfaces."""
        self.packets += [(time + after, packet) for time, packet in self.packets]

    def sender_report(self, time, source, destination, sent, *, ssrc=1, about=None, lost=0):
        """RTCP SR; `about` adds a report block saying which share (0..255) of that SSRC's packets is lost."""
        block = struct.pack("!IBBHIIII", about, lost, 0, 0, 0, 0, 0, 0) if about else b""
        body = struct.pack("!IIIIII", ssrc, 0, 0, 0, sent, sent * 160) + block
        head = struct.pack("!BBH", 0x80 | (1 if about else 0), 200, (4 + len(body)) // 4 - 1)
        self.udp(time, source, destination, head + body)

    def save(self, path, snap=None):
        """`snap`: packets are cut to so many bytes, as by tcpdump -s."""
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
            for time, packet in sorted(self.packets, key=lambda entry: entry[0]):
                whole = int(time)
                kept = packet[:snap]
                file.write(struct.pack("<IIII", self.START + whole, int((time - whole) * 1e6), len(kept), len(packet)) + kept)


def udp_packet(source, destination, payload):
    (host, port), (to_host, to_port) = endpoint(source), endpoint(destination)
    datagram = struct.pack("!HHHH", port, to_port, 8 + len(payload), 0) + payload
    return ip_packet(host, to_host, 17, datagram)


def ip_packet(host, to_host, protocol, content, *, ident=0, fragment=0):
    if ":" in host:
        return (struct.pack("!IHBB", 6 << 28, len(content), protocol, 64) + socket.inet_pton(socket.AF_INET6, host)
                + socket.inet_pton(socket.AF_INET6, to_host) + content)
    return (struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(content), ident, fragment, 64, protocol, 0) + socket.inet_aton(host)
            + socket.inet_aton(to_host) + content)


def with_another_clock(path, to, ahead):
    """A copy of a classic pcap (as tcpdump writes it here) by a clock that is `ahead` seconds."""
    data, at = path.read_bytes(), 24
    copy = [data[:at]]
    while at + 16 <= len(data):
        whole, micro, kept, length = struct.unpack_from("<IIII", data, at)
        later = whole * 1_000_000 + micro + round(ahead * 1e6)
        copy += [struct.pack("<IIII", later // 1_000_000, later % 1_000_000, kept, length), data[at + 16:at + 16 + kept]]
        at += 16 + kept
    to.write_bytes(b"".join(copy))
