"""A Redis of the test's own, something to stand between it and its clients, workers that natkit-cluster takes for real ones, and pairs of nodes
of them."""
import bisect
import contextlib
import json
import os
import re
import socket
import threading
import time

import lab

PORT = 6379
GROUP = "natkit"


class Redis:
    """redis-server on loopback of a host; what it holds is lost with it, unless `keep`."""

    def __init__(self, host, port=PORT):
        self.host, self.port, self.program, self.folder = host, port, None, host.lab.folder / f"redis-{port}"
        self.folder.mkdir(exist_ok=True)

    def start(self, *options):
        self.run(*options).program.wait_line("Ready to accept connections")
        return self

    def run(self, *options):
        self.program = self.host.start("redis", "redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", self.folder,
                                       "--appendonly", "no", *options)
        return self

    def kill(self):
        self.program.kill()

    def ask(self, *words, password=None):
        """One command; its answer. An error is one of type lab.Failure."""
        with self.host.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            connection.settimeout(lab.PATIENCE)
            connection.connect(("127.0.0.1", self.port))
            stream = connection.makefile("rb")
            if password:
                connection.sendall(_command("AUTH", password))
                _answer(stream)
            connection.sendall(_command(*words))
            return _answer(stream)

    def owner(self):
        flat = self.ask("HGETALL", f"natkit:{GROUP}:owner")
        return dict(zip(flat[::2], flat[1::2]))

    def state(self):
        """What a node that joins would read: key -> envelope."""
        key = self.owner().get("state")
        flat = self.ask("HGETALL", key) if key else []
        return {name: json.loads(text) for name, text in zip(flat[::2], flat[1::2]) if name != "format"}


def _command(*words):
    parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def _answer(stream):
    line = stream.readline().rstrip(b"\r\n")
    kind, rest = line[:1], line[1:]
    if kind == b"-":
        raise lab.Failure(f"Redis: {rest.decode()}")
    if kind == b":":
        return int(rest)
    if kind == b"$":
        if int(rest) < 0:
            return None
        return stream.read(int(rest) + 2)[:-2].decode("utf-8", "replace")
    if kind == b"*":
        return None if int(rest) < 0 else [_answer(stream) for _ in range(int(rest))]
    return rest.decode()


class Way:
    """A port that leads to a Redis: slow by `delay` seconds, and cut for as long as is wanted."""

    def __init__(self, host, port, to=PORT, delay=0.0):
        self.host, self.to, self.delay, self.is_cut, self.open = host, to, delay, False, []
        self.listener = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("127.0.0.1", port))
        self.listener.listen(16)
        host.lab.on_close(self.listener.close)
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self):
        """Those who talk hear nothing more, and nobody gets through."""
        self.is_cut = True
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def mend(self):
        self.is_cut = False

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if self.is_cut:
                    client.close()
                    continue
                server = self.host.socket(socket.AF_INET, socket.SOCK_STREAM)
                try:
                    server.connect(("127.0.0.1", self.to))
                except OSError:
                    client.close()
                    continue
                self.open += [client, server]
                threading.Thread(target=self._pass, args=(client, server, 0), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, self.delay), daemon=True).start()

    def _pass(self, source, target, delay):
        waiting, ready = [], threading.Condition()

        def send():
            with contextlib.suppress(OSError):
                while True:
                    with ready:
                        ready.wait_for(lambda: waiting)
                        due, data = waiting.pop(0)
                    time.sleep(max(0, due - time.monotonic()))  # the delay that this is made for
                    if not data:
                        return target.shutdown(socket.SHUT_WR)
                    target.sendall(data)

        threading.Thread(target=send, daemon=True).start()
        data = b"-"
        while data:
            try:
                data = source.recv(1 << 16)
            except OSError:
                data = b""
            with ready:
                waiting.append((time.monotonic() + delay, data))
                ready.notify()


class Worker:
    """A worker's control socket: as a standby it takes what it is given, while active it tells what it has."""

    def __init__(self, node, name, kind=None, members=()):
        self.node, self.name, self.kind, self.members = node, name, kind, list(members)
        self.path = str(node.runtime / f"{name}.sock")
        self.records, self.role, self.epoch, self.watchers = {}, None, 0, []
        self.given, self.whole, self.named = 0, 0, None
        self.takes = threading.Event()  # else what it is given waits
        self.takes.set()
        self.last = {}  # what it tells when it is told to be a standby, before it answers
        # Of several active nodes: the clients of others, and until when a natpinger may ping; what came, in its order.
        self.foreign, self.events = {}, []
        self.lock = threading.RLock()
        self.connections = []
        self.listener = None
        self.open()

    def open(self):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        self.listener.listen(8)
        threading.Thread(target=self._serve, args=(self.listener,), daemon=True).start()

    def die(self, forget=True):
        """As a process that is killed: what it had in memory is gone, or what it has on its disk is not."""
        with self.lock:
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            os.unlink(self.path)
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.connections, self.watchers, self.role = [], [], None
            self.records = {} if forget else self.records
            self.foreign = {}

    def _serve(self, listener):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with self.lock:
                    self.connections.append(connection)
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection):
        with contextlib.suppress(OSError, ValueError):
            for line in connection.makefile("rb"):
                request = json.loads(line)
                with self.lock:
                    self._handle(connection, request)

    def _send(self, connection, message):
        with contextlib.suppress(OSError):
            connection.sendall(json.dumps(message).encode() + b"\n")

    def _handle(self, connection, request):
        command = request["cmd"]
        if command == "watch":
            if "replica" in request.get("types", []):
                self.watchers.append(connection)
            self._send(connection, {"id": request["id"], "ok": {}})
            return self._send(connection, {"type": "snapshot-end"})
        answer = getattr(self, "_on_" + command.replace("-", "_"))(request)
        kind = "error" if "code" in answer else "ok"
        self._send(connection, {"id": request["id"], kind: answer})
        if command == "role" and request["role"] == "standby" and self.was == "active":
            threading.Thread(target=self.start_again, daemon=True).start()

    def start_again(self):
        self.die()
        self.open()

    def _on_role(self, request):
        if request["role"] == "standby" and self.role == "active":
            for key, record in self.last.items():
                self.put(key, record)
        self.was, self.role, self.epoch = self.role, request["role"], request["epoch"]
        return {}

    def _on_replica_members(self, _):
        return {self.kind: self.members}

    def _on_replicas(self, request):
        if "after" not in request:
            self.sorted = sorted(self.records)
        keys = self.sorted[bisect.bisect(self.sorted, request.get("after", "")):]
        page = keys[:1000]
        answer = {"replicas": [{"key": key, "record": self.records[key]} for key in page if key in self.records]}
        if len(keys) > len(page):
            answer["next"] = page[-1]
        return answer

    def _on_replica(self, request):
        if self.role == "active":
            return {"code": "refused", "message": "this node is active"}
        self.takes.wait(lab.PATIENCE)
        if request.get("whole") == "begin":
            self.named = set()
        for one in request["records"]:
            self.given += 1
            if self.named is not None:
                self.named.add(one["key"])
            if one["record"] is None:
                self.records.pop(one["key"], None)
            else:
                self.records[one["key"]] = one["record"]
        if request.get("whole") == "end":
            self.records = {key: record for key, record in self.records.items() if key in self.named}
            self.named, self.whole = None, self.whole + 1
        return {"refused": []}

    def _on_clients(self, request):
        """As a sipedge of several: what is another's is foreign, what is to be its own is taken."""
        if request.get("whole") == "begin":
            self.named = set()
        for one in request["records"]:
            key, record = one["key"], one["record"]
            if self.named is not None:
                self.named.add(key)
            self.events.append(("client", key, one.get("node")))
            if record is None or one["node"] == self.node.name:
                self.foreign.pop(key, None)
                if record is not None:
                    self.put(key, self._as_own(record))
            else:
                self.foreign[key] = (one["node"], record)
                if key in self.records:
                    self.put(key, None)
                if record["expires_ms"] <= record.get("registered_ms", 0):  # it has unregistered there
                    del self.foreign[key]
        if request.get("whole") == "end":
            self.foreign = {key: one for key, one in self.foreign.items() if key in self.named}
            self.named, self.whole = None, self.whole + 1
        return {"refused": []}

    def _as_own(self, record):
        """Reached from where this node listens: the same address where that may be here."""
        transport, local, rest = re.fullmatch(r"(\w+):([\d.]+)(:.*)", record["flow"]).groups()
        here = local if local in self.node.addresses else self.node.addresses[0]
        return {**record, "flow": f"{transport}:{here}{rest}"}

    def _on_lease(self, request):
        self.events.append(("lease", request["until_ms"]))
        return {}

    def put(self, key, record):
        """What an active worker does when a record changes, or with None is gone."""
        with self.lock:
            if record is None:
                self.records.pop(key, None)
            else:
                self.records[key] = record
            self.tell(key, record)

    def tell(self, key, record):
        with self.lock:
            for connection in self.watchers:
                self._send(connection, {"type": "replica", "key": key, "record": record})


class Node:
    """A natkit-cluster with its workers, in a runtime folder of its own."""

    def __init__(self, host, name, redis_port=PORT, addresses=(), members=("contact", "expires_ms"), programs=lab.PROGRAMS, folder=None, **cluster):
        self.host, self.name, self.programs, self.addresses = host, name, programs, list(addresses)
        self.runtime = host.lab.folder / (folder or name)
        self.runtime.mkdir(mode=0o700, exist_ok=True)
        self.config = host.lab.folder / f"{folder or name}.toml"
        key = host.lab.folder / "cluster.key"
        if not key.exists():
            key.write_text("00" * 32 + "\n")
            key.chmod(0o600)
        listen = ", ".join(f'"udp:{address}:5060"' for address in addresses or ["127.0.0.1"])
        keys = {"state": f'"redis://127.0.0.1:{redis_port}/0"', "node": f'"{name}"', "key": f'"{key}"', **cluster}
        self.config.write_text(f"[sip]\nlisten = [{listen}]\n[cluster]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items()) +
                               f'[control]\nsocket = "{self.runtime}/natkit.sock"\nmetrics = ""\n')
        self.relay = Worker(self, "mediarelay", "leg", ("id", "call_id"))
        self.edge = Worker(self, "sipedge", "binding", members)
        self.pinger = Worker(self, "natpinger")
        self.workers = (self.relay, self.edge, self.pinger)
        self.program = None

    def start(self):
        self.program = self.host.start(f"natkit-cluster-{self.name}", self.programs / "natkit-cluster", "serve", "--config", self.config, "--runtime",
                                       self.runtime)
        lab.wait_until(lambda: (self.runtime / "natkit-cluster.sock").exists() and self.asks("status"), "natkit-cluster to serve")
        return self

    def ask(self, command, **parameters):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(lab.PATIENCE)
            connection.connect(str(self.runtime / "natkit-cluster.sock"))
            connection.sendall(json.dumps({"id": f"{time.monotonic_ns()}", "cmd": command, **parameters}).encode() + b"\n")
            return json.loads(connection.makefile().readline())

    def asks(self, command):
        with contextlib.suppress(OSError, ValueError):
            return self.ask(command)
        return None

    def status(self):
        return self.ask("status")["ok"]

    def watch(self):
        """The records that natkit-cluster tells, as they come."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.host.lab.on_close(connection.close)
        connection.settimeout(lab.PATIENCE)
        connection.connect(str(self.runtime / "natkit-cluster.sock"))
        connection.sendall(b'{"id":"w","cmd":"watch","types":["cluster"]}\n')
        return (record for record in map(json.loads, connection.makefile()) if record.get("type") == "cluster")

    def order(self, command):
        answer = self.ask(command)
        lab.require("ok" in answer, f"{self.name}: {command}: {answer}")
        return answer["ok"]

    def wait(self, condition, what, seconds=lab.PATIENCE):
        """The first status that fits."""
        def fits():
            status = self.status()
            return status if condition(status) else None
        return lab.wait_until(fits, lambda: f"{self.name}: {what}: {self.status()}", seconds)

    def wait_ready(self, seconds=lab.PATIENCE):
        return self.wait(lambda status: status["ready"], "to be ready", seconds)


def binding(number, **more):
    return {"contact": f"sip:{number}@198.51.100.7:5060", "expires_ms": 1_800_000_000_000 + number, **more}


def take_over(a, b):
    """A becomes active, with B in step."""
    a.wait_ready()
    a.order("promote")
    a.wait(lambda s: s.get("owner", {}).get("node") == a.name, "to be the owner")
    b.wait(lambda s: s["ready_why"] == f"in step with {a.name}", "to be in step")
    a.wait(lambda s: s["standbys"] and s["unprotected_s"] == 0, "to be protected")


def pair(net, redis_options=(), **cluster):
    """A Redis, and two nodes of which the first is active and the second in step."""
    host = net.host("nodes")
    redis = Redis(host).start(*redis_options)
    a, b = Node(host, "edge-a", **cluster).start(), Node(host, "edge-b", **cluster).start()
    take_over(a, b)
    return redis, a, b


def same(one, other, what):
    lab.wait_until(lambda: one.records == other.records, lambda: f"{what}: {len(one.records)} and {len(other.records)} records, which differ")
