"""A SIP party made of one socket: says exactly what a test wants it to say, tells what came back."""
import hashlib
import re
import socket
import struct
import time

import lab

_count = 0


class Party:
    """`edge` is where it sends to: the address and port of the edge, or of anything else; `own` its address, else its host's first."""
    transport, kind = "UDP", socket.SOCK_DGRAM

    def __init__(self, host, edge, port=5060, user="mallory", domain="example.com", own=None):
        self.host, self.edge, self.user, self.domain = host, edge, user, domain
        own = own or host.address
        self.socket = host.socket(socket.AF_INET6 if ":" in own else socket.AF_INET, self.kind)
        self.socket.bind((own, port))
        self.own = f"[{own}]" if ":" in own else own
        self.address = f"{self.own}:{self.socket.getsockname()[1]}"
        self.contact = f"sip:{user}@{self.address}"
        self.aor = f"sip:{user}@{domain}"
        self._seen, self._copied = set(), False

    def close(self):
        self.socket.close()

    def request(self, method, uri, to=None, call_id=None, cseq=1, headers=(), body="", from_uri=None, from_tag=None, branch=None,
                contact=None):
        global _count
        _count += 1
        lines = [f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/{self.transport} {self.address};branch={branch or f'z9hG4bKraw{_count}'};rport",
                 "Max-Forwards: 70", f"From: <{from_uri or self.aor}>;tag={from_tag or f'f{self.user}'}", f"To: {to or f'<{uri}>'}",
                 f"Call-ID: {call_id or f'raw-{_count}-{self.user}'}", f"CSeq: {cseq} {method}", f"Contact: {contact or f'<{self.contact}>'}",
                 *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])

    def sdp(self):
        host = f"IN IP6 {self.own[1:-1]}" if self.own[0] == "[" else f"IN IP4 {self.own}"
        return f"v=0\r\no=- 1 1 {host}\r\ns=-\r\nc={host}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"

    def send(self, text):
        self.socket.sendto(text.encode(), endpoint(self.edge))
        return text

    def _next(self):
        return self.socket.recv(65535).decode()

    def receive(self, seconds=lab.PATIENCE):
        """The next message; None when none comes."""
        self.socket.settimeout(seconds)
        try:
            text = self._next()
        except (TimeoutError, BlockingIOError):
            return None
        self._copied = text in self._seen
        self._seen.add(text)
        return text

    def forget(self):
        """What has come until now is passed over."""
        while self.receive(0.001) is not None:
            pass

    def wait(self, pattern, seconds=lab.PATIENCE, branch="", copies=False):
        """The next message whose start line fits, of this transaction if one is named; 100s and others are passed over, and so are copies of
        what came before, unless they are asked for: where we were slow to answer, it is sent again."""
        end = time.monotonic() + seconds
        seen = []
        while (left := end - time.monotonic()) > 0:
            text = self.receive(left)
            if text is None:
                break
            if re.match(pattern, text) and branch in field(text, "Via") and (copies or not self._copied):
                return text
            seen.append(text.partition("\r\n")[0])
        raise lab.Failure(f"{self.user}: waited in vain for {pattern}; came: {seen}")

    def ask(self, text, seconds=lab.PATIENCE, copies=False):
        """The final response to a request; `copies`: to one that is sent again."""
        self.send(text)
        # A refusal is repeated until its ACK is there: one of the request before is not for this one.
        final = self.wait(r"SIP/2\.0 [2-6]", seconds, re.search(r"branch=([^;,\s]+)", field(text, "Via"))[1], copies)
        if text.startswith("INVITE") and not final.startswith("SIP/2.0 2"):
            head = text.partition("\r\n\r\n")[0].replace("INVITE", "ACK", 1).replace(" INVITE\r\n", " ACK\r\n", 1)
            lines = [line for line in head.split("\r\n") if not re.match(r"(To|Content-\w+|Contact):", line)]
            self.send("\r\n".join([*lines, f"To: {field(final, 'To')}", "Content-Length: 0", "", ""]))
        return final

    def status(self, text, seconds=lab.PATIENCE):
        return int(self.ask(text, seconds)[8:11])

    def silence(self, seconds=1.0, copies=False):
        """Nothing comes; a copy of what came before counts only if asked for."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            text = self.receive(left)
            lab.require(text is None or (self._copied and not copies), f"{self.user} got: {text}")

    def answer(self, request, status, headers=(), body="", tag=None):
        lines = [f"SIP/2.0 {status} Answer"]
        lines += [line for line in request.split("\r\n\r\n")[0].split("\r\n")[1:]
                  if re.match(r"(Via|From|Call-ID|CSeq|Record-Route):", line)]
        to = field(request, "To")
        lines.append(f"To: {to}" + ("" if ";tag=" in to else f";tag={tag or 't' + self.user}"))
        lines += [f"Contact: <{self.contact}>", *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        return self.send("\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]))

    def register(self, password=None, cseq=1, expires=600, algorithm="MD5", count=1, contact=None, uri=None):
        """Registers, with the password if it is asked for one; the final response."""
        uri = uri or f"sip:{self.domain}"

        def once(number, headers=()):
            return self.ask(self.request("REGISTER", uri, to=f"<{self.aor}>", call_id=f"reg-{self.user}", cseq=number, contact=contact,
                                         headers=[f"Expires: {expires}", *headers]))
        text = once(cseq)
        if text.startswith("SIP/2.0 401") and password is not None:
            text = once(cseq + 1, [credentials(text, "REGISTER", uri, self.user, password, algorithm, count)])
        return text


class StreamParty(Party):
    """The same over a TCP connection, which it makes at once."""
    transport, kind = "TCP", socket.SOCK_STREAM

    def __init__(self, host, edge, port=0, **options):
        super().__init__(host, edge, port, **options)
        self.socket.settimeout(lab.PATIENCE)
        self.socket.connect(endpoint(edge))
        self._held = b""

    def send(self, text):
        self.socket.settimeout(lab.PATIENCE)
        self.socket.sendall(text.encode())
        return text

    def _next(self):
        while True:
            head, end, rest = self._held.partition(b"\r\n\r\n")
            length = int(field(head.decode(), "Content-Length") or 0) if end else 0
            if end and len(rest) >= length:
                self._held = rest[length:]
                return (head + end + rest[:length]).decode()
            more = self.socket.recv(65535)
            if not more:
                raise lab.Failure(f"{self.user}: the edge has closed its connection")
            self._held += more

    def is_open(self):
        """Whether the edge has not closed it; what it has sent stays to be received."""
        self.socket.settimeout(0)
        try:
            more = self.socket.recv(65535)
        except BlockingIOError:
            return True
        except ConnectionResetError:
            return False
        self._held += more
        return bool(more)


def endpoint(text):
    """What a socket is told: "203.0.113.10", "203.0.113.10:5070", "2001:db8::10" and "[2001:db8::10]:5070" are addresses; 5060 is the port
    that goes without saying."""
    if text.startswith("["):
        address, _, port = text[1:].partition("]:")
        return address, int(port)
    if text.count(":") > 1:
        return text, 5060
    address, _, port = text.partition(":")
    return address, int(port or 5060)


def spoof(raw, source, target, text):
    """Sends a datagram with somebody else's address and port, (address, port) as `target` is, by a raw socket or one made on that host for
    it. IPv4."""
    if isinstance(raw, lab.Host):
        with raw.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as made:
            return spoof(made, source, target, text)
    payload = text.encode() if isinstance(text, str) else text
    udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0) + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0, socket.inet_aton(source[0]), socket.inet_aton(target[0]))
    return raw.sendto(header + udp, (target[0], 0))


def field(text, name):
    found = re.search(rf"^{name}: *(.*?)\r?$", text, re.M | re.I)
    return found[1] if found else ""


def fields(text, name):
    return re.findall(rf"^{name}: *(.*?)\r?$", text, re.M | re.I)


def credentials(challenge, method, uri, user, password, algorithm="MD5", count=1):
    """The header field that answers a challenge by this algorithm."""
    offers = [v for v in fields(challenge, "(?:WWW|Proxy)-Authenticate") if f"algorithm={algorithm}" in v]
    lab.require(offers, f"no challenge for {algorithm} in: {challenge}")
    realm, nonce = (re.search(rf'{key}="([^"]*)"', offers[0])[1] for key in ("realm", "nonce"))

    def digest(text):
        return hashlib.new({"MD5": "md5", "SHA-256": "sha256"}[algorithm], text.encode()).hexdigest()
    nc = f"{count:08x}"
    response = digest(f"{digest(f'{user}:{realm}:{password}')}:{nonce}:{nc}:c:auth:{digest(f'{method}:{uri}')}")
    name = "Authorization" if "WWW-Authenticate" in challenge else "Proxy-Authorization"
    return (f'{name}: Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="{response}", '
            f'algorithm={algorithm}, qop=auth, nc={nc}, cnonce="c"')


def users_file(path, *names, realm="example.com", password="secret", sha256=()):
    """HA1s of users who share a password; of those in `sha256`, SHA-256 alone."""
    lines = []
    for name in names:
        kind = "sha256" if name in sha256 else "md5"
        lines.append(f"{name}:{realm}:" + hashlib.new(kind, f"{name}:{realm}:{password}".encode()).hexdigest())
    path.write_text("\n".join(lines) + "\n")
