"""TCP peers for tests of mediarelay: plain sockets in a host's namespace, with the bytes' checksums."""
import contextlib
import ctypes
import hashlib
import random
import socket
import struct
import threading

import lab
from media import endpoint

_libc = ctypes.CDLL(None, use_errno=True)


def noise(size, seed=1):
    """Bytes that no two parts of a stream share."""
    return random.Random(seed).randbytes(size)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def connect(host, to, source=None, seconds=lab.PATIENCE):
    """A connection from a host to "ADDRESS:PORT"."""
    address, port = endpoint(to)
    made = host.socket(family_of(address), socket.SOCK_STREAM)
    made.settimeout(seconds)
    if source:
        made.bind((source, 0))
    made.connect((address, port))
    return made


class Server:
    """Listens; take() gives the connections that came, in order."""

    def __init__(self, host, address=None, port=0, backlog=64):
        address = address or host.address
        self.socket = host.socket(family_of(address), socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((address, port))
        self.socket.listen(backlog)

    @property
    def endpoint(self):
        address, port = self.socket.getsockname()[:2]
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    def take(self, seconds=lab.PATIENCE):
        self.socket.settimeout(seconds)
        connection, _ = self.socket.accept()
        connection.settimeout(lab.PATIENCE)
        return connection

    def nobody(self, seconds=0.3):
        """True when nobody connects for that long."""
        with contextlib.suppress(TimeoutError):
            self.take(seconds).close()
            return False
        return True

    def close(self):
        self.socket.close()


def read(connection, size):
    """Exactly that many bytes."""
    parts = []
    while size > 0:
        part = connection.recv(min(size, 1 << 20))
        lab.require(part, f"the stream ended {size} bytes early")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def read_all(connection):
    """Everything until the other side ends."""
    parts = []
    while part := connection.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


class Sender(threading.Thread):
    """Sends in the background, then ends its direction if asked."""

    def __init__(self, connection, data, end=False):
        super().__init__(daemon=True)
        self.connection, self.data, self.end, self.error = connection, data, end, None
        self.start()

    def run(self):
        try:
            self.connection.sendall(self.data)
            if self.end:
                self.connection.shutdown(socket.SHUT_WR)
        except OSError as error:
            self.error = error


def reset(connection):
    """Ends it with RST, at once: a close() waits for a thread that is still sending."""
    lab.require(_libc.connect(connection.fileno(), struct.pack("=H14x", socket.AF_UNSPEC), 16) == 0, "no reset")
    connection.close()


def was_reset(connection, seconds=lab.PATIENCE):
    """Whether the connection ends by a reset (and not in order)."""
    connection.settimeout(seconds)
    try:
        while connection.recv(1 << 16):
            pass
        return False
    except ConnectionResetError:
        return True


def sent_away(host, to, seconds=lab.PATIENCE):
    """Whether a connection is reset, at once or later, without a byte."""
    try:
        return was_reset(connect(host, to), seconds)
    except ConnectionResetError:
        return True


def alive(host):
    """Local endpoints of TCP sockets that a process holds (not those that the system keeps for a while after an end)."""
    listed = lab.sh(*host.enter, "ss", "-Htan", "state", "listening", "state", "established", "state", "close-wait")
    return [line.split()[3] for line in listed.splitlines() if len(line.split()) > 4]


def both_ways(a, b, size=1 << 20):
    """Bulk in both directions at once; what each gets must be what the other sent."""
    from_a, from_b = noise(size, 1), noise(size, 2)
    senders = [Sender(a, from_a), Sender(b, from_b)]
    got = {}
    reader = threading.Thread(target=lambda: got.update(b=read(b, size)), daemon=True)
    reader.start()
    got["a"] = read(a, size)
    reader.join(lab.PATIENCE)
    lab.require(digest(got["a"]) == digest(from_b) and digest(got.get("b", b"")) == digest(from_a), "the bytes differ")
    for sender in senders:
        sender.join(lab.PATIENCE)
