"""A client of the ng protocol: bencode or JSON, over UDP, TCP, a Unix socket or HTTP. Nothing of natkit's."""
import itertools
import json
import re
import socket

import lab
from ng_relay import decode, encode

_cookies = itertools.count(1)


def pairs(*items):
    """A bencoded dictionary as it is written: in this order, and with keys that come twice."""
    return b"d" + b"".join(encode(key) + (value if isinstance(value, bytes) else encode(value)) for key, value in items) + b"e"


class Client:
    """`host`: where it is. `to`: ("udp", address, port), ("tcp", address, port) or ("unix", path)."""

    def __init__(self, host, to=("udp", "127.0.0.1", 2223), form="bencode", prefix="c"):
        self.form, self.kind, self.prefix = form, to[0], prefix
        if self.kind == "unix":
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.connect(str(to[1]))
        else:
            family = socket.AF_INET6 if ":" in to[1] else socket.AF_INET
            self.socket = host.socket(family, socket.SOCK_DGRAM if self.kind == "udp" else socket.SOCK_STREAM)
            self.socket.connect(to[1:])
        self._held = b""

    def close(self):
        self.socket.close()

    def write(self, request, cookie):
        body = request if isinstance(request, bytes) else encode(request) if self.form == "bencode" else json.dumps(request).encode()
        self.socket.settimeout(lab.PATIENCE)
        self.socket.send(cookie.encode() + b" " + body)
        return cookie

    def read(self, seconds=lab.PATIENCE):
        """(cookie, reply) of the next one, or None."""
        self.socket.settimeout(seconds)
        try:
            while True:
                if self.kind == "udp":
                    return self.parse(self.socket.recv(65535))
                whole = self._one()
                if whole:
                    return self.parse(whole)
                more = self.socket.recv(65535)
                lab.require(more, "the relay has closed the connection")
                self._held += more
        except TimeoutError:
            return None

    def _one(self):
        """A stream has no marks: a reply ends where its dictionary does."""
        cookie, space, body = self._held.lstrip(b"\r\n").partition(b" ")
        if not space:
            return None
        try:
            if body[:1] == b"d":
                end = decode(body)[1]
                lab.require(end <= len(body), "half a reply")
            else:
                end = json.JSONDecoder().raw_decode(body.decode("latin-1"))[1]
        except (ValueError, IndexError, lab.Failure):
            return None
        self._held = body[end:]
        return cookie + b" " + body[:end]

    @staticmethod
    def parse(data):
        cookie, _, body = data.partition(b" ") if data[:1] not in b"d{" else (b"", b"", data)
        return cookie.decode(), decode(body)[0] if body[:1] == b"d" else json.loads(body)

    def ask(self, request, cookie=None, seconds=lab.PATIENCE, **more):
        """The reply. `request`: a command's name with its keys in `more` (`_` for `-`), a dictionary, or bencoded bytes."""
        if isinstance(request, str):
            request = {"command": request, **{key.replace("_", "-"): value for key, value in more.items()}}
        cookie = cookie or f"{self.prefix}{next(_cookies)}"
        self.write(request, cookie)
        while True:
            got = self.read(seconds)
            lab.require(got is not None, f"no reply to {request}")
            if got[0] == cookie:
                return got[1]

    def ok(self, request, **more):
        reply = self.ask(request, **more)
        lab.require(reply.get("result") == "ok", f"{request} {more.get('call_id', '')}: {reply}")
        return reply

    def refused(self, request, **more):
        """The error-reason."""
        reply = self.ask(request, **more)
        lab.require(reply.get("result") == "error", f"{request} was not refused: {reply}")
        return reply["error-reason"]


def post(host, address, port, path, body, kind="application/json"):
    """One HTTP request; (status, body)."""
    with host.socket(socket.AF_INET, socket.SOCK_STREAM) as made:
        made.settimeout(lab.PATIENCE)
        made.connect((address, port))
        made.sendall(f"POST {path} HTTP/1.1\r\nHost: relay\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        got = b""
        while True:
            head, end, rest = got.partition(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: *(\d+)", head) if end else None
            if length and len(rest) >= int(length[1]):
                break
            more = made.recv(65535)
            if not more:
                break
            got += more
    return int(got.split()[1]), got.partition(b"\r\n\r\n")[2]


# --- descriptions

def sdp(address, *media, origin=None, more=()):
    """Streams given as "audio 4000", "video 5000 96", "image 6000", " 0" for a rejected one, and after it lines of the stream."""
    family = "IP6" if ":" in address else "IP4"
    lines = ["v=0", f"o=- 1 1 IN {family} {origin or address}", "s=-", f"c=IN {family} {address}", "t=0 0", *more]
    for line in media:
        if "=" in line:
            lines.append(line)
            continue
        kind, port, *rest = line.split()
        what = {"audio": "RTP/AVP 0", "video": "RTP/AVP 96", "image": "udptl t38", "text": "RTP/AVP 98"}[kind]
        lines.append(f"m={kind} {port} {' '.join(rest) or what}")
        lines += {"video": ["a=rtpmap:96 H264/90000"], "text": ["a=rtpmap:98 t140/1000"]}.get(kind, [])
    return "".join(line + "\r\n" for line in lines)


class Stream:
    """What an SDP says of one stream."""

    def __init__(self, head, part):
        first = re.match(r"m=(\w+) (\d+)(?:/\d+)? (\S+) ?([^\r\n]*)", part)
        self.kind, self.port, self.protocol, self.formats = first[1], int(first[2]), first[3], first[4].split()
        found = re.search(r"(?m)^c=IN (IP[46]) ([^\s/]+)", part) or re.search(r"(?m)^c=IN (IP[46]) ([^\s/]+)", head)
        self.family, self.address = found[1], found[2]
        way = re.search(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)", part) or re.search(r"(?m)^a=(sendrecv|sendonly|recvonly|inactive)", head)
        self.direction = way[1] if way else "sendrecv"
        rtcp = re.search(r"(?m)^a=rtcp:(\d+)", part)
        self.mux = bool(re.search(r"(?m)^a=rtcp-mux", part))
        self.rtcp = self.port if self.mux else int(rtcp[1]) if rtcp else self.port + 1

    @property
    def endpoint(self):
        return self.address, self.port


def streams(text):
    head, *parts = re.split(r"(?m)^(?=m=)", text)
    return [Stream(head, part) for part in parts]


def origin(text):
    """(the line without its address, the address)."""
    found = re.search(r"(?m)^o=(\S+ \S+ \S+) IN IP[46] (\S+)", text)
    return found[1], found[2]
