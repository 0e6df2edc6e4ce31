"""Many phones in one process, for tests that need calls by the dozen: registrations, calls with media both ways, requests inside
them. Nothing of natkit's code; UDP, retransmissions as RFC 3261 wants them, answers repeated as they were."""
import random
import re
import select
import socket
import struct
import threading
import time

import lab

EVERY = 0.2  # seconds between two packets of a phone's media


def header(text, name):
    found = re.search(rf"(?im)^{name}\s*:\s*(.*?)\r?$", text)
    return found[1] if found else ""


def headers(text, name):
    return re.findall(rf"(?im)^{name}\s*:\s*(.*?)\r?$", text)


class Phone:
    """A user agent with one socket for SIP and one for media, and at most one call."""

    def __init__(self, crowd, host, user, proxy):
        self.crowd, self.host, self.user, self.proxy = crowd, host, user, (proxy, 5060)
        self.sip, self.rtp = (self._socket(host) for _ in range(2))
        self.address, self.port = self.sip.getsockname()
        self.tag = f"{user}-{random.getrandbits(32):08x}"
        self.media_to, self.heard, self.sequence, self.ssrc = None, [], 0, random.getrandbits(32)
        self.expected, self.lost = None, 0  # of its peer's packets: the next sequence number, and how many never came
        self.call_id = self.peer_tag = self.peer_uri = None
        self.routes, self.cseq, self.answers, self.arrived = [], 0, {}, threading.Condition()
        self.responses, self.ended, self.mute = [], False, False

    @staticmethod
    def _socket(host):
        made = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.bind((host.address, 0))
        made.setblocking(False)
        return made

    @property
    def contact(self):
        return f"sip:{self.user}@{self.address}:{self.port}"

    def sdp(self):
        return (f"v=0\r\no={self.user} 1 1 IN IP4 {self.address}\r\ns=-\r\nc=IN IP4 {self.address}\r\nt=0 0\r\n"
                f"m=audio {self.rtp.getsockname()[1]} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n")

    def transmit(self, text, to=None):
        try:
            self.sip.sendto(text.encode(), to or self.proxy)
        except OSError:
            pass  # an interface that is gone, or ICMP for an earlier one

    def _build(self, method, uri, to, extra="", body="", branch=None, cseq=None):
        kind = "Content-Type: application/sdp\r\n" if body else ""
        routes = "".join(f"Route: {route}\r\n" for route in self.routes) if self.call_id and method != "REGISTER" else ""
        call_id = self.call_id if self.call_id and method != "REGISTER" else f"reg-{self.tag}"
        return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {self.address}:{self.port};branch={branch};rport\r\n{routes}"
                f"Max-Forwards: 70\r\nFrom: <sip:{self.user}@example.com>;tag={self.tag}\r\nTo: {to}\r\nCall-ID: {call_id}\r\n"
                f"CSeq: {cseq} {method}\r\nContact: <{self.contact}>\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}")

    def request(self, method, uri, to, extra="", body="", seconds=40):
        """Sends until a final response comes; its status and text."""
        self.cseq += 1
        cseq, branch = self.cseq, f"z9hG4bK{random.getrandbits(48):012x}"
        text = self._build(method, uri, to, extra, body, branch, cseq)
        end, wait = time.monotonic() + seconds, 0.5
        with self.arrived:
            while time.monotonic() < end:
                self.transmit(text)
                until = time.monotonic() + wait
                while (left := until - time.monotonic()) > 0:
                    for response in self.responses:
                        if branch in header(response, "Via") and not response.startswith("SIP/2.0 1"):
                            self.responses.clear()
                            return int(response.split()[1]), response, (branch, cseq)
                    self.arrived.wait(left)
                wait = min(wait * 2, 4)
        raise lab.Failure(f"{self.user}: no answer to {method} within {seconds} s")

    # --- what tests do

    def register(self):
        status, response, _ = self.request("REGISTER", "sip:example.com", f"<sip:{self.user}@example.com>", "Expires: 3600\r\n")
        lab.require(status == 200, f"{self.user}: REGISTER: {response}")

    def call(self, other):
        self.call_id = f"call-{random.getrandbits(64):016x}"
        self.other, other.other = other, self  # before the answer: audio may be here first
        uri = f"sip:{other.user}@example.com"
        status, response, sent = self.request("INVITE", uri, f"<{uri}>", "", self.sdp())
        lab.require(status == 200, f"{self.user}: INVITE: {response}")
        self.peer_tag = header(response, "To").partition("tag=")[2]
        self.peer_uri = re.search(r"<(.*?)>", header(response, "Contact"))[1]
        self.routes = [r.strip() for h in headers(response, "Record-Route") for r in h.split(",")][::-1]
        self._take_media(response)
        self._acknowledge(sent)

    def _to(self):
        return f"<sip:{self.other.user}@example.com>;tag={self.peer_tag}"

    def _acknowledge(self, sent):
        self.transmit(self._build("ACK", self.peer_uri, self._to(), branch=f"{sent[0]}a", cseq=sent[1]))

    def reinvite(self):
        status, response, sent = self.request("INVITE", self.peer_uri, self._to(), "", self.sdp())
        lab.require(status == 200, f"{self.user}: re-INVITE: {response}")
        self._take_media(response)
        self._acknowledge(sent)

    def hold(self):
        status, response, sent = self.request("INVITE", self.peer_uri, self._to(), "", self.sdp() + "a=sendonly\r\n")
        lab.require(status == 200, f"{self.user}: hold: {response}")
        self._acknowledge(sent)

    def bye(self):
        status, response, _ = self.request("BYE", self.peer_uri, self._to())
        lab.require(status in (200, 481), f"{self.user}: BYE: {response}")
        self.media_to, self.call_id, self.routes = None, None, []

    # --- what comes in

    def on_sip(self, text, source):
        if text.startswith("SIP/2.0 "):
            with self.arrived:
                self.responses.append(text)
                self.arrived.notify_all()
            return
        method = text.split(" ", 1)[0]
        key = (header(text, "Call-ID"), header(text, "CSeq"))
        if method == "ACK":
            return
        if key not in self.answers:
            self.answers[key] = self._answer(method, text)
        # The same answer, by the way that this copy came.
        status, extra, body = self.answers[key]
        vias = "".join(f"Via: {via}\r\n" for via in headers(text, "Via"))
        records = "".join(f"Record-Route: {r}\r\n" for r in headers(text, "Record-Route"))
        to = header(text, "To")
        if "tag=" not in to:
            to += f";tag={self.tag}"
        kind = "Content-Type: application/sdp\r\n" if body else ""
        self.transmit(f"SIP/2.0 {status}\r\n{vias}{records}From: {header(text, 'From')}\r\nTo: {to}\r\nCall-ID: {key[0]}\r\n"
                      f"CSeq: {key[1]}\r\n{extra}{kind}Content-Length: {len(body)}\r\n\r\n{body}", source)

    def _answer(self, method, text):
        if method == "INVITE":
            if self.call_id not in (None, header(text, "Call-ID")):
                return "486 Busy Here", "", ""
            self.call_id, self.peer_tag = header(text, "Call-ID"), header(text, "From").partition("tag=")[2]
            self.peer_uri = re.search(r"<(.*?)>", header(text, "Contact"))[1]
            if headers(text, "Record-Route"):
                self.routes = [r.strip() for h in headers(text, "Record-Route") for r in h.split(",")]
            self._take_media(text)
            return "200 OK", f"Contact: <{self.contact}>\r\n", self.sdp()
        if method == "BYE":
            self.ended, self.media_to, self.call_id, self.routes = True, None, None, []
        return "200 OK", "", ""

    def _take_media(self, text):
        address = re.search(r"(?m)^c=IN IP4 (\S+)", text)
        port = re.search(r"(?m)^m=audio (\d+)", text)
        self.media_to = (address[1], int(port[1]))

    def speak(self):
        if self.media_to is None or self.mute:
            return
        packet = struct.pack("!BBHII", 0x80, 0, self.sequence & 0xFFFF, self.sequence * 1600 & 0xFFFFFFFF, self.ssrc)
        self.sequence += 1
        try:
            self.rtp.sendto(packet + struct.pack("!I", self.ssrc) * 40, self.media_to)
        except OSError:
            pass

    def on_rtp(self, packet, _):
        # What its own peer says, and nobody else.
        if len(packet) == 172 and packet[12:16] == struct.pack("!I", self.other.ssrc):
            self.heard.append(time.monotonic())
            number = struct.unpack("!H", packet[2:4])[0]
            if self.expected is not None:
                self.lost += (number - self.expected) & 0xFFFF
            self.expected = (number + 1) & 0xFFFF
        else:
            self.crowd.strays.append((self.user, packet[:16]))


class Crowd:
    """Phones, and the thread that listens and speaks for all of them. Use it as a context."""

    def __init__(self):
        self.phones, self.calls, self.strays, self._ending = [], [], [], False
        self._poll, self._by_fd, self._thread = select.poll(), {}, threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending = True
        self._thread.join()

    def phone(self, host, user, proxy):
        made = Phone(self, host, user, proxy)
        self.phones.append(made)
        for kind, taken in (("on_sip", made.sip), ("on_rtp", made.rtp)):
            self._by_fd[taken.fileno()] = (taken, getattr(made, kind), kind == "on_sip")
            self._poll.register(taken.fileno(), select.POLLIN)
        return made

    def _run(self):
        due = time.monotonic()
        while not self._ending:
            if time.monotonic() >= due:
                due += EVERY
                if due < time.monotonic():
                    due = time.monotonic() + EVERY  # a busy machine: no burst to catch up
                for phone in list(self.phones):
                    phone.speak()
            for fd, _ in self._poll.poll(10):
                taken, handler, text = self._by_fd[fd]
                try:
                    packet, source = taken.recvfrom(65536)
                except OSError:
                    continue
                handler(packet.decode("utf-8", "replace") if text else packet, source)

    def make_calls(self, site, count):
        """`count` calls from the LAN: to phones on the WAN and behind a NAT by turns, all registered."""
        near, wan, home = site.lan_host(), site.wan_host(), site.home_host()
        for i in range(count):
            host = wan if i % 2 else home
            callee, caller = self.phone(host, f"far{i}", "203.0.113.10"), self.phone(near, f"near{i}", "192.168.10.1")
            callee.register()
            caller.register()
            caller.call(callee)
            self.calls.append((caller, callee))
        self.wait_audio("the calls at their beginning")
        return self

    def wait_audio(self, what, seconds=60):
        """Everybody hears the other from now on."""
        since = time.monotonic()
        mute = []

        def all_hear():
            mute[:] = [f"{p.user} (its peer sends to {p.other.media_to})" for call in self.calls for p in call if not p.heard or p.heard[-1] < since]
            return not mute
        try:
            lab.wait_until(all_hear, what, seconds)
        except lab.Failure:
            raise lab.Failure(f"{what}: {len(mute)} hear nothing: {' '.join(mute[:10])}") from None

    def check_calls(self, what):
        """Audio both ways in each call, and each takes a re-INVITE, from either end by turns."""
        self.wait_audio(what)
        for i, call in enumerate(self.calls):
            call[i % 2].reinvite()
        self.wait_audio(what + ", after a re-INVITE in each")
        ended = [p.user for p in self.phones if p.ended]
        lab.require(not ended, f"{what}: hung up on: {ended}")

    def longest_silence(self):
        """In seconds, of any phone, since its call began."""
        return max(b - a for call in self.calls for p in call for a, b in zip(p.heard, p.heard[1:]))

    def lost(self):
        """Packets of the calls that never came, and what all have heard."""
        return sum(p.lost for call in self.calls for p in call), sum(len(p.heard) for call in self.calls for p in call)

    def hang_up(self):
        for caller, callee in self.calls:
            caller.bye()
            lab.wait_until(lambda callee=callee: callee.ended, f"{callee.user} to be hung up on")
            callee.ended = False
        self.calls = []
