"""Phones that say in a dialog exactly what a test wants: PRACK, UPDATE, early media, glare, forks; and speak and hear RTP and RTCP at
the very ports that they name. Nothing of natkit's code. UDP; retransmissions as RFC 3261 and RFC 3262 want them, what comes again
is answered as before. One thread: everybody's time passes in World.run()."""
import random
import re
import select
import socket
import struct
import time

import lab

FORMATS = {"audio": "RTP/AVP 0", "video": "RTP/AVP 96", "image": "udptl t38", "t120": "TCP t120", "bfcp": "TCP/BFCP *"}
OVER_TCP = ("t120", "bfcp")  # m=application; who connects is the test's to do
FIRST_WAIT = 0.5  # seconds to the first retransmission, RFC 3261 T1


def header(text, name):
    found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\r?$", text.partition("\r\n\r\n")[0])
    return found[1] if found else ""


def headers(text, name):
    return re.findall(rf"(?im)^{name}\s*:\s*(.*?)\r?$", text.partition("\r\n\r\n")[0])


def body_of(text):
    return text.partition("\r\n\r\n")[2]


def tag_of(value):
    found = re.search(r";\s*tag=([^;\s]+)", value)
    return found[1] if found else ""


class Line:
    """An m= line with what belongs to it."""

    def __init__(self, kind, address, port, direction="sendrecv", rtcp=None, setup=None, mux=False):
        self.kind, self.address, self.port, self.direction, self.setup = kind, address, port, direction, setup
        self.rtcp, self.mux = rtcp or port + 1, mux

    @property
    def speaks(self):
        return self.port != 0 and self.direction in ("sendrecv", "sendonly")


def read_sdp(text):
    lines, session = [], ""
    for part in re.split(r"(?m)^(?=m=)", text):
        address = re.search(r"(?m)^c=IN IP[46] (\S+)", part)
        if not part.startswith("m="):
            session = address[1] if address else ""
            continue
        kind, port = part[2:].split()[:2]
        way = re.search(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)\r?$", part)
        rtcp = re.search(r"(?m)^a=rtcp:(\d+)", part)
        setup = re.search(r"(?m)^a=setup:(\w+)", part)
        lines.append(Line(kind, address[1] if address else session, int(port), way[1] if way else "sendrecv",
                          int(rtcp[1]) if rtcp else None, setup[1] if setup else None, "a=rtcp-mux" in part))
    return lines


class World:
    """All phones of a test."""

    def __init__(self):
        self.phones = []

    def run(self, until, what, seconds=lab.PATIENCE):
        """Until until() is true; its value."""
        end = time.monotonic() + seconds
        while True:
            value = until()
            if value:
                return value
            if time.monotonic() > end:
                raise lab.Failure(f"waited {seconds:g} s in vain for {what() if callable(what) else what}; "
                                  + "; ".join(f"{p.user} has {[m.partition(chr(13))[0] for m in p.inbox]}" for p in self.phones))
            self.turn()

    def turn(self, seconds=0.02):
        ready = select.select([p.sip for p in self.phones], [], [], seconds)[0]
        for phone in self.phones:
            if phone.sip in ready:
                phone.take()
            phone.repeat()


class Phone:
    """A user at a host, with a SIP socket, and a socket for each port that its descriptions name."""

    def __init__(self, world, host, user, edge, port=5060, name=None):
        self.world, self.host, self.user, self.edge, self.name = world, host, user, edge, name or user
        self.bare = host.address
        self.family = socket.AF_INET6 if ":" in self.bare else socket.AF_INET
        self.address = f"[{self.bare}]" if ":" in self.bare else self.bare
        self.port, self.contact = port, f"sip:{user}@{self.address}:{port}"
        self.sip = self._socket(port)
        self.inbox, self.waiting, self.answers, self.acks, self.seen = [], {}, {}, {}, set()
        self.media, self.version, self.shown = {}, 1, ""
        world.phones.append(self)

    def _socket(self, port):
        made = self.host.socket(self.family, socket.SOCK_DGRAM)
        made.bind((self.bare, port))
        made.setblocking(False)
        return made

    # --- the wire

    def transmit(self, text):
        try:
            self.sip.sendto(text.encode(), self.edge)
        except OSError:
            pass  # nobody listens for a moment: it is sent again

    def insist(self, key, text, once=False):
        """Sends again and again until done(key)."""
        self.transmit(text)
        if not once:
            self.waiting[key] = [time.monotonic() + FIRST_WAIT, FIRST_WAIT, text]

    def done(self, key):
        self.waiting.pop(key, None)

    def repeat(self):
        now = time.monotonic()
        for entry in list(self.waiting.values()):
            if now >= entry[0]:
                entry[1] = min(2 * entry[1], 4)
                entry[0] = now + entry[1]
                self.transmit(entry[2])

    def take(self):
        while True:
            try:
                text = self.sip.recv(65535).decode("utf-8", "replace")
            except OSError:
                return
            if text.strip():
                self._one(text)

    def _one(self, text):
        branch = re.search(r"branch=([^;,\s]+)", header(text, "Via"))[1]
        number, method = header(text, "CSeq").split()
        if text.startswith("SIP/2.0 "):
            status = int(text[8:11])
            if status >= 200 or method == "INVITE":
                self.done(("request", branch))
            acknowledged = self.acks.get((tag_of(header(text, "To")), branch))
            if acknowledged and status >= 200:
                return self.transmit(acknowledged)
            if text in self.seen:
                return None
            self.seen.add(text)
        else:
            call = header(text, "Call-ID")
            if method == "ACK":
                self.done(("final", call, number))
            if method == "PRACK":
                self.done(("reliable", call, header(text, "RAck").split()[0]))
            if (branch, method) in self.answers:
                if self.answers[branch, method]:
                    self.transmit(self.answers[branch, method])
                return None
            self.answers[branch, method] = ""
        return self.inbox.append(text)

    def expect(self, pattern, seconds=lab.PATIENCE):
        """The next message whose start line fits; those before it stay."""
        def look():
            return next((m for m in self.inbox if re.match(pattern, m)), None)
        found = self.world.run(look, f"{pattern} at {self.user}", seconds)
        self.inbox.remove(found)
        return found

    # --- requests and answers

    def final(self, branch, seconds=lab.PATIENCE, pattern=r"SIP/2\.0 [2-6]"):
        def look():
            return next((m for m in self.inbox if re.match(pattern, m) and branch in header(m, "Via")), None)
        found = self.world.run(look, f"{pattern} at {self.user}", seconds)
        self.inbox.remove(found)
        return found

    def build(self, method, uri, to, call_id, number, tag, routes=(), more=(), body="", branch=None):
        branch = branch or f"z9hG4bK{random.getrandbits(60):015x}"
        lines = [f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {self.address}:{self.port};branch={branch};rport",
                 *(f"Route: {r}" for r in routes), "Max-Forwards: 70", f"From: <sip:{self.user}@example.com>;tag={tag}", f"To: {to}",
                 f"Call-ID: {call_id}", f"CSeq: {number} {method}", f"Contact: <{self.contact}>", *more]
        if body:
            lines.append("Content-Type: application/sdp")
        return branch, "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])

    def register(self):
        branch, text = self.build("REGISTER", "sip:example.com", f"<sip:{self.user}@example.com>", f"reg-{random.getrandbits(60)}", 1,
                                  "reg", more=["Expires: 3600"])
        self.insist(("request", branch), text)
        answer = self.final(branch)
        lab.require(answer.startswith("SIP/2.0 200"), f"{self.user}: REGISTER: {answer}")
        return self

    def cancel(self, invite):
        """CANCEL of an INVITE that was answered provisionally."""
        lines = [line for line in invite.partition("\r\n\r\n")[0].split("\r\n")[1:]
                 if re.match(r"(Via|Route|Max-Forwards|From|To|Call-ID):", line)]
        number = header(invite, "CSeq").split()[0]
        self.transmit("\r\n".join([f"CANCEL {invite.split()[1]} SIP/2.0", *lines, f"CSeq: {number} CANCEL", "Content-Length: 0", "", ""]))

    def close(self):
        for one in (self.sip, *self.media.values()):
            one.close()

    def answer(self, request, status, body="", tag="", more=(), reliable=None):
        """`reliable`: the RSeq, of a provisional answer that asks for PRACK."""
        lines = [f"SIP/2.0 {status} Answer"]
        lines += [line for line in request.split("\r\n\r\n")[0].split("\r\n")[1:] if re.match(r"(?i)(Via|From|Call-ID|CSeq|Record-Route):", line)]
        to = header(request, "To")
        lines.append(f"To: {to}" + ("" if tag_of(to) or not tag else f";tag={tag}"))
        lines += [f"Contact: <{self.contact}>", *more]
        if reliable:
            lines += ["Require: 100rel", f"RSeq: {reliable}"]
        if body:
            lines.append("Content-Type: application/sdp")
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        branch = re.search(r"branch=([^;,\s]+)", header(request, "Via"))[1]
        number, method = header(request, "CSeq").split()
        call = header(request, "Call-ID")
        self.answers[branch, method] = text
        if reliable:
            self.insist(("reliable", call, str(reliable)), text)
        else:
            self.insist(("final", call, number), text, once=method != "INVITE" or status < 200)
        return text

    # --- descriptions and media

    def sdp(self, *media):
        """"audio 4000", "video 0", "image 4400", "audio 4000 sendonly", "audio 4000 rtcp-mux", "bfcp 9 setup:active"; the version goes up with every other text."""
        family = "IP6" if ":" in self.bare else "IP4"
        text = f"s=-\r\nc=IN {family} {self.bare}\r\nt=0 0\r\n"
        for one in media:
            kind, port, *way = one.split()
            word = "application" if kind in OVER_TCP else kind
            text += f"m={word} {port} {FORMATS[kind]}\r\n" + ("a=rtpmap:96 H264/90000\r\n" if kind == "video" else "")
            text += "".join(f"a={w}\r\n" for w in way)
            for number in (int(port), int(port) + 1):
                if number > 1 and number not in self.media and kind not in OVER_TCP:
                    self.media[number] = self._socket(number)
        if text != self.shown:
            self.shown, self.version = text, self.version + 1
        return f"v=0\r\no={self.user} 7 {self.version} IN {family} {self.bare}\r\n{text}"

    def say(self, port, to, marker, sequence, kind, rtcp=False):
        ssrc = 100 + port - rtcp  # RTCP is of its RTP stream
        if rtcp:
            packet = struct.pack("!BBHI", 0x81, 202, 2 + (len(marker) + 3) // 4, ssrc) + struct.pack("!BB", 1, len(marker)) + marker
            packet = packet.ljust(4 * (3 + (len(marker) + 3) // 4), b"\0")
        elif kind == "image":
            packet = struct.pack("!H", sequence & 0xFFFF) + marker
        else:
            head = struct.pack("!BBHII", 0x80, 0 if kind == "audio" else 96, sequence & 0xFFFF, sequence * 160, ssrc)
            packet = head + marker.ljust(160, b"\xd5")
        try:
            self.media[port].sendto(packet, to)
        except OSError:
            pass  # ICMP for an earlier one

    def heard(self):
        """Everything that waits: (port, packet)."""
        got = []
        for port, one in self.media.items():
            while True:
                try:
                    got.append((port, one.recv(2048)))
                except OSError:
                    break
        return got


class Dialog:
    """One end of a dialog."""

    def __init__(self, phone, target="", call_id=None):
        self.phone, self.tag = phone, f"{phone.user}{random.getrandbits(40):010x}"
        self.call_id = call_id or f"{random.getrandbits(60):015x}@{phone.user}"
        self.target, self.to, self.routes, self.number = target, f"<{target}>", [], random.randrange(1, 1000)
        self.said, self.told = [], []

    @classmethod
    def answering(cls, phone, invite):
        """The callee's end."""
        dialog = cls(phone, re.search(r"<(.*?)>", header(invite, "Contact"))[1], header(invite, "Call-ID"))
        dialog.to, dialog.routes = header(invite, "From"), _routes(invite)
        return dialog

    def established(self, response):
        """The caller's end, from the first answer with a tag."""
        made = Dialog(self.phone, re.search(r"<(.*?)>", header(response, "Contact"))[1], self.call_id)
        made.tag, made.to, made.number, made.routes = self.tag, header(response, "To"), self.number, _routes(response)[::-1]
        made.said, made.told = self.said, self.told
        return made

    def request(self, method, body="", more=(), number=None):
        """Sent until it is answered; its branch."""
        if number is None:
            self.number += 1
        branch, text = self.phone.build(method, self.target, self.to, self.call_id, number or self.number, self.tag, self.routes, more, body)
        self.phone.insist(("request", branch), text, once=method == "ACK")
        return branch, text

    def ask(self, method, body="", more=(), status=200):
        """Sent, and answered by `status`: a function that waits for the answer."""
        branch, _ = self.request(method, body, more)

        def answered():
            text = self.phone.final(branch)
            lab.require(text.startswith(f"SIP/2.0 {status}"), f"{self.phone.user}: {method}: {text}")
            return text
        return answered

    def acknowledge(self, branch, response, body=""):
        """The ACK of a 2xx, and of every copy of it."""
        _, text = self.request("ACK", body, number=header(response, "CSeq").split()[0])
        self.phone.acks[tag_of(header(response, "To")), branch] = text

    def acknowledge_failure(self, invite, response):
        """The ACK of anything else belongs to the transaction (RFC 3261 section 17.1.1.3)."""
        head = invite.partition("\r\n\r\n")[0]
        lines = [line for line in head.split("\r\n")[1:] if re.match(r"(Via|Route|Max-Forwards|From|Call-ID):", line)]
        text = "\r\n".join([f"ACK {head.split()[1]} SIP/2.0", *lines, f"To: {header(response, 'To')}",
                            f"CSeq: {header(response, 'CSeq').split()[0]} ACK", "Content-Length: 0", "", ""])
        branch = re.search(r"branch=([^;,\s]+)", header(invite, "Via"))[1]
        self.phone.acks[tag_of(header(response, "To")), branch] = text
        self.phone.transmit(text)


def _routes(text):
    return [r.strip() for value in headers(text, "Record-Route") for r in re.split(r",\s*(?=<)", value)]
