"""Two nodes that share their addresses, without natkit and without Redis: a test moves the addresses, copies what the active node's
workers have to the other's, and tells both what they are.

    lan 192.168.10.0/24            wan 203.0.113.0/24          homes, each 192.168.1.0/24
    phone .20 …  ──  .2 node a .11  ──  phone .50 …  ──  .30 … NAT .1  ──  phone .10
                     .3 node b .12
                     .1 of both .10
"""
import json
import pathlib
import secrets
import socket

import lab
import site_of_phones as sites

WORKERS = ("mediarelay", "sipedge", "natpinger")
SHARED = (("lan0", sites.LAN_EDGE), ("wan0", sites.WAN_EDGE))
START_AGAIN = 75


def announce(host, interface, address):
    """A gratuitous ARP, as keepalived sends it."""
    raw = host.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((interface, 0))
    mac, own = raw.getsockname()[4], socket.inet_aton(address)
    raw.send(b"\xff" * 6 + mac + bytes.fromhex("0806" "0001080006040001") + mac + own + b"\0" * 6 + own)
    raw.close()


class Connection:
    """To a worker's control socket. Records that come between replies are kept in `records`."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(lab.PATIENCE)
        self.socket.connect(str(path))
        self.records, self._buffer, self._fds, self._count = [], b"", [], 0

    def _line(self):
        while b"\n" not in self._buffer:
            bytes_, fds, _, _ = socket.recv_fds(self.socket, 1 << 20, 64)
            self._fds += fds
            if not bytes_:
                raise OSError("the worker hung up")
            self._buffer += bytes_
        line, _, self._buffer = self._buffer.partition(b"\n")
        return json.loads(line)

    def send(self, command, fds=(), **parameters):
        self._count += 1
        name = f"pair-{secrets.token_hex(6)}-{self._count}"
        more = {"fds": len(fds)} if fds else {}
        text = json.dumps({"id": name, "cmd": command, **parameters, **more}).encode() + b"\n"
        sent = socket.send_fds(self.socket, [text], list(fds)) if fds else 0
        self.socket.sendall(text[sent:])
        return name

    def reply(self, name):
        while True:
            message = self._line()
            if message.get("id") == name:
                return message
            self.records.append(message)

    def ask(self, command, fds=(), **parameters):
        """The "ok" of its reply."""
        reply = self.reply(self.send(command, fds, **parameters))
        lab.require("ok" in reply, f"{command}: {reply}")
        return reply["ok"]

    def refused(self, command, **parameters):
        """The error of its reply."""
        reply = self.reply(self.send(command, **parameters))
        lab.require("error" in reply, f"{command} was not refused: {reply}")
        return reply["error"]

    def take_fds(self):
        taken, self._fds = self._fds, []
        return taken

    def take_records(self):
        taken, self.records = self.records, []
        return taken

    def close(self):
        self.socket.close()


class Node:
    def __init__(self, site, name, number, key):
        self.site, self.name = site, name
        lan, wan = f"192.168.10.{1 + number}", f"203.0.113.{10 + number}"
        self.host = site.net.host(name).attach("lan0", site.lan, f"{lan}/24").attach("wan0", site.wan, f"{wan}/24")
        self.host.sysctl("net.ipv4.ip_nonlocal_bind", 1)  # as natkit binds what it is to have later
        self.own = wan
        self.folder = site.net.folder / name
        self.runtime = self.folder / "run"
        self.runtime.mkdir(parents=True)
        self.config = self.folder / "natkit.toml"
        self.key = self.folder / "cluster.key"
        self.write_key(key)
        self.programs = {}
        self.host.nft("""table inet seen {
            counter sip_in {}
            counter sip_out {}
            counter media_out {}
            chain in { type filter hook input priority 0; udp dport 5060 counter name sip_in; }
            chain out { type filter hook output priority 0; oifname != "lo" udp sport 5060 counter name sip_out;
                oifname != "lo" udp sport 16384-32767 counter name media_out; }
        }""")

    def write_key(self, *keys):
        self.key.write_text("".join(key + "\n" for key in keys))
        self.key.chmod(0o600)

    def counted(self, counter):
        out = lab.sh(*self.host.enter, "nft", "-j", "list", "counter", "inet", "seen", counter)
        return next(one["counter"]["packets"] for one in json.loads(out)["nftables"] if "counter" in one)

    def write_config(self, **changes):
        listen = ", ".join(f'"{t}:{a}:5060"' for a in (sites.LAN_EDGE, sites.WAN_EDGE, self.own) for t in ("udp", "tcp"))
        sections = {
            "network": {"lan": '["192.168.10.0/24"]'},
            "sip": {"listen": f"[{listen}]", "domains": '["example.com"]', "log_level": '"all"'},
            "registrar": {"open": "true", "state": '"sqlite:state.db"'},
            "media_proxy": {"log_level": '"all"', **dict(line.split(" = ") for line in lab.tier_keys().splitlines())},
            "media_proxy.addresses": {"lan": f'["{sites.LAN_EDGE}"]', "wan": f'["{sites.WAN_EDGE}"]'},
            "pinger": {"log_level": '"all"', "udp_interval": '"1s"'},
            "control": {"socket": '"run/natkit.sock"', "metrics": '""'},
            "cluster": {"state": '"redis://127.0.0.1:6379/0"', "node": f'"{self.name}"', "key": f'"{self.key}"'},
        }
        for section, values in changes.items():
            sections.setdefault(section, {}).update(values)
        self.config.write_text("".join(
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None) + "\n"
            for name, values in sections.items()))

    # --- workers

    def stand(self, role, epoch):
        """What natkit-cluster writes before it tells anybody."""
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        path = self.runtime / "cluster.json"
        path.write_text(json.dumps({"version": 1, "boot_id": boot, "role": role, "epoch": epoch, "node": self.name}))
        path.chmod(0o600)

    def start(self, *names):
        for name in names or WORKERS:
            self.programs[name] = self.host.start(f"{name} of {self.name}", lab.PROGRAMS / name, "serve", "--config", self.config,
                                                  "--base-dir", self.folder, "--runtime", self.runtime)
        for name in names or WORKERS:
            lab.wait_until(lambda name=name: self._up(name), f"{name} of {self.name} to be up")
        if "natpinger" in (names or WORKERS):
            self.hand_over_sockets()
        return self

    def _up(self, name):
        lab.require(self.programs[name].process.poll() is None, f"{name} ended: {self.programs[name].output[-800:]}")
        try:
            return self.status(name)
        except OSError:
            return None

    def hand_over_sockets(self):
        """natpinger sends from sipedge's."""
        edge, pinger = self.connect("sipedge"), self.connect("natpinger")
        names = edge.ask("listeners")["sockets"]
        fds = edge.take_fds()
        udp = [(name, fd) for name, fd in zip(names, fds) if name.startswith("udp:")]
        pinger.ask("adopt", [fd for _, fd in udp], sockets=[name for name, _ in udp])
        for fd in fds:
            socket.close(fd)
        edge.close()
        pinger.close()

    def connect(self, worker):
        return Connection(self.runtime / f"{worker}.sock")

    def ask(self, worker, command, **parameters):
        connection = self.connect(worker)
        try:
            return connection.ask(command, **parameters)
        finally:
            connection.close()

    def status(self, worker):
        return self.ask(worker, "status")

    def tell(self, role, epoch, *workers):
        self.stand(role, epoch)
        for worker in workers or [name for name in WORKERS if name in self.programs]:
            if "role" in self.status(worker):
                self.ask(worker, "role", role=role, epoch=epoch, node=self.name)

    def kill(self):
        for program in self.programs.values():
            program.kill()
        self.programs = {}

    # --- addresses

    def take_addresses(self):
        for interface, address in SHARED:
            self.host.ip("addr", "add", f"{address}/24", "dev", interface)
            announce(self.host, interface, address)

    def drop_addresses(self):
        for interface, address in SHARED:
            self.host.ip("addr", "del", f"{address}/24", "dev", interface)


class Copier:
    """Brings a standby's worker what the active one's has, as natkit-cluster does."""

    def __init__(self, source, target, worker="sipedge"):
        self.source, self.target, self.worker = source, target, worker
        self.from_active, self.to_standby = source.connect(worker), target.connect(worker)
        self.from_active.ask("watch", types=["replica"])
        records, after = [], None
        while True:
            page = self.from_active.ask("replicas", **({} if after is None else {"after": after}))
            records += page["replicas"]
            after = page.get("next")
            if after is None:
                break
        self.bring(records, whole="both")

    def bring(self, records, **more):
        answer = self.to_standby.ask("replica", records=records, ahead_ms=0, **more)
        lab.require(answer == {"refused": []}, f"refused: {answer}")

    def sync(self):
        """All that the active worker has told until now."""
        self.from_active.ask("status")
        told = [record for record in self.from_active.take_records() if record["type"] == "replica"]
        self.bring([{"key": record["key"], "record": record["record"]} for record in told])
        return told


class Pair(sites.Site):
    """Both nodes, of which `a` has the addresses at first. Phones as on any site."""

    def __init__(self, net, **changes):
        self.net = net
        self.lan, self.wan = net.segment("lan"), net.segment("wan")
        self.on_wan, self.on_lan = net.tap(self.wan), net.tap(self.lan)
        self._made = {"lan": 0, "wan": 0, "home": 0}
        key = secrets.token_hex(32)
        self.a, self.b = Node(self, "a", 1, key), Node(self, "b", 2, key)
        for node in (self.a, self.b):
            node.write_config(**changes)

    def start(self, *workers):
        self.a.take_addresses()
        self.a.stand("active", 1)
        self.a.start(*workers)
        self.b.start(*workers)
        return self

    def copy(self, *workers):
        return [Copier(self.a, self.b, worker) for worker in workers or ("mediarelay", "sipedge")]

    def move(self, epoch=2):
        """`a` is gone with its addresses, `b` has them and serves."""
        self.a.kill()
        self.a.drop_addresses()
        self.b.take_addresses()
        self.b.tell("active", epoch)

    def legs(self):
        return self.b.ask("mediarelay", "list").get("legs", [])
