"""The site that most tests run on: natkit on the edge between a LAN and the WAN, phones on both, and behind NATs.

    lan 192.168.10.0/24      wan 203.0.113.0/24         homes, each 192.168.1.0/24
    phone .20, .21 …  ──  .1 edge .10  ──  phone .50 …  ──  .30, .31 … NAT .1  ──  phone .10
"""
import json
import os
import pathlib
import re
import signal
import socket

import lab
import phones

LAN_EDGE, WAN_EDGE = "192.168.10.1", "203.0.113.10"
MEDIA_PORTS = (16384, 32767)
WORKERS = ("mediarelay", "sipedge", "natpinger")
PRIVATE = re.compile(r"\b(192\.0\.0|169\.254|10\.\d+|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\.\d+(\.\d+)?\b")


def natkit(site, *arguments, status=0):
    """A command of natkit for that site, which is to end with that status."""
    done = site.edge.run(lab.PROGRAMS / "natkit", *arguments, "--config", site.config)
    lab.require(done.returncode == status, f"natkit {' '.join(arguments)}: {done}")
    return done


class Watch:
    """Watches records of some types that a program tells over its control socket."""

    def __init__(self, site, program, *types):
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(lab.PATIENCE)
        self._socket.connect(str(site.runtime / f"{program}.sock"))
        self._lines = self._socket.makefile()
        self._ask({"id": "watch", "cmd": "watch", "types": types})

    def _ask(self, request):
        """What comes before the reply, as lines."""
        self._socket.sendall(json.dumps(request).encode() + b"\n")
        before = []
        for line in self._lines:
            if json.loads(line).get("id") == request["id"]:
                return before
            before.append(line)
        raise lab.Failure("the program hung up")

    def told(self):
        """All records since the last time."""
        return [line for line in self._ask({"id": "told", "cmd": "status"}) if json.loads(line)["type"] != "snapshot-end"]


class Ground:
    """A LAN and a WAN, and hosts on both and behind NATs."""

    def __init__(self, net):
        self.net = net
        self.lan, self.wan = net.segment("lan"), net.segment("wan")
        self._made = {"lan": 0, "wan": 0, "home": 0}

    def _number(self, kind):
        self._made[kind] += 1
        return self._made[kind] - 1

    def lan_host(self):
        """A host with no route but its own link: what is not on the LAN it reaches by the edge alone."""
        number = self._number("lan")
        return self.net.host(f"lan{number}").attach("eth0", self.lan, f"192.168.10.{20 + number}/24")

    def wan_host(self):
        number = self._number("wan")
        return self.net.host(f"wan{number}").attach("eth0", self.wan, f"203.0.113.{50 + number}/24")

    def home_host(self, kind="port-restricted", address="192.168.1.10/24", gateway="192.168.1.1"):
        """A host 192.168.1.10 behind a NAT of its own; .nat is that NAT."""
        number = self._number("home")
        home = self.net.segment(f"home{number}")
        inside, _, prefix = address.partition("/")
        nat = self.net.nat(f"nat{number}", kind, home, f"{gateway}/{prefix}", self.wan, f"203.0.113.{30 + number}/24", inside)
        host = self.net.host(f"home{number}").attach("eth0", home, address).default_route(gateway)
        host.nat = nat
        return host


class Node:
    """A host that natkit runs on, with its configuration and what asks it."""

    def __init__(self, net, edge, folder):
        self.net, self.edge, self.folder = net, edge, folder
        self.edge.sysctl("net.ipv4.ip_forward", 0)  # whoever gets through got through natkit
        self.runtime = self.folder / "run"
        self.runtime.mkdir(parents=True)
        self.config = self.folder / "natkit.toml"
        self.natkit = None

    # --- natkit

    def write_config(self, **changes):
        """Sections by name, each a dict of TOML values as text; merged over those of the site."""
        sections = {
            "network": {"lan": '["192.168.10.0/24"]'},
            "sip": {"listen": f'["udp:{LAN_EDGE}:5060", "tcp:{LAN_EDGE}:5060", "udp:{WAN_EDGE}:5060", "tcp:{WAN_EDGE}:5060"]',
                    "domains": '["example.com"]',
                    "log_level": '"all"'},
            "registrar": {"open": "true", "state": '"sqlite:state.db"'},
            "media_proxy": {"log_level": '"all"', **dict(line.split(" = ") for line in lab.tier_keys().splitlines())},
            "pinger": {"log_level": '"all"'},
            "control": {"socket": '"run/natkit.sock"', "metrics": '""'},
        }
        for section, values in changes.items():
            sections.setdefault(section, {}).update(values)
        self.config.write_text("".join(
            f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in values.items() if value is not None) + "\n"
            for name, values in sections.items()))

    def start(self, **changes):
        """Starts the supervisor and waits until all its workers answer."""
        self.write_config(**changes)
        self.natkit = self.edge.start("natkit", lab.PROGRAMS / "natkit", "run", "--config", self.config)
        self.wait_up()
        return self

    def start_workers(self, *names, **changes):
        """The workers by themselves, without the supervisor."""
        self.write_config(**changes)
        started = [self.edge.start(name, lab.PROGRAMS / name, "serve", "--config", self.config, "--base-dir", self.folder,
                                   "--runtime", self.runtime) for name in names]
        for name, program in zip(names, started):
            lab.wait_until(lambda name=name, program=program: self._up(name, program), f"{name} to be up")
        return started

    def _up(self, name, program):
        lab.require(program.process.poll() is None, f"{name} ended")
        try:
            return self.ask(name, "status")
        except OSError:
            return None

    def wait_up(self, seconds=lab.PATIENCE):
        def up():
            lab.require(self.natkit.process.poll() is None, "natkit ended")
            try:
                # Until sipedge has found mediarelay, a call waits for it, at most ten seconds.
                return (all(self.ask(name, "status") for name in ("natkit", *WORKERS))
                        and self.ask("sipedge", "status")["mediarelay"] == "connected")
            except OSError:
                return False
        lab.wait_until(up, "natkit and its workers to be up", seconds)

    def ask(self, program, command, seconds=lab.PATIENCE, **parameters):
        """A request over a control socket; the "ok" of its reply. OSError while nobody listens."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self.runtime / f"{program}.sock"))
            connection.sendall(json.dumps({"id": "test-1", "cmd": command, **parameters}).encode() + b"\n")
            line = connection.makefile().readline()
        if not line:
            raise OSError(f"{program} hung up")
        reply = json.loads(line)
        lab.require("ok" in reply, f"{program} {command}: {reply}")
        return reply["ok"]

    def status(self):
        """What `natkit status` prints."""
        done = self.edge.run(lab.PROGRAMS / "natkit", "status", "--config", self.config, "--format", "json")
        lab.require(done.returncode == 0, f"natkit status: {done.stderr or done.stdout}")
        return json.loads(done.stdout.splitlines()[0])

    def pid(self, worker):
        return self.ask(worker, "status")["pid"]

    def kill_worker(self, worker):
        """kill -9; the seconds until its successor answers (see lab.within)."""
        old = self.pid(worker)
        os.kill(old, signal.SIGKILL)

        def back():
            try:
                return self.pid(worker) != old
            except (OSError, ValueError):
                return False
        return lab.within(lab.PATIENCE, back, f"{worker} to be back")

    # --- what the tests look for

    def media_sockets(self):
        ports = (int(endpoint.rpartition(":")[2]) for endpoint, _ in self.edge.sockets() if endpoint[-1] != "*")
        return sorted(p for p in ports if MEDIA_PORTS[0] <= p <= MEDIA_PORTS[1])

    def media_ports(self):
        """How many UDP ports are open for media: those that have a socket, and those that are steered."""
        return len(set(self.media_sockets())) + self.ask("mediarelay", "status")["receive"].get("ports", 0)

    def legs(self):
        return self.ask("mediarelay", "list").get("legs", [])

    def wait_nothing_left(self, seconds=lab.PATIENCE):
        """No leg, no open port."""
        lab.wait_until(lambda: not self.legs() and not self.media_ports(),
                       lambda: f"nothing to be left: legs {self.legs()}, {self.media_ports()} media ports", seconds)


class Site(Ground, Node):
    def __init__(self, net):
        Ground.__init__(self, net)
        edge = net.host("edge").attach("lan0", self.lan, f"{LAN_EDGE}/24").attach("wan0", self.wan, f"{WAN_EDGE}/24")
        self.on_wan, self.on_lan = net.tap(self.wan), net.tap(self.lan)
        Node.__init__(self, net, edge, net.folder / "site")

    def phone(self, host, user, **options):
        """A baresip registered at the edge, on the side of the edge that it can reach."""
        proxy = LAN_EDGE if host.address.startswith("192.168.10.") else WAN_EDGE
        return phones.Baresip(host, user, f"{proxy}:5060", **options)

    def check_wan(self, same_nat=None):
        """No SDP that the edge sent to the WAN names a private address; and there was such SDP. But what is behind a NAT may be told
        to the others behind it (`same_nat`, its outer address)."""
        seen = 0
        for datagram, text in self.on_wan.sip():
            body = text.partition("\r\n\r\n")[2]
            if not body or not datagram.source.startswith(WAN_EDGE + ":"):
                continue
            seen += 1
            if same_nat and datagram.destination.startswith(same_nat + ":"):
                body = body.replace("192.168.1.", "")
            found = PRIVATE.search(body)
            lab.require(not found, f"private address {found and found[0]} in SDP from {datagram.source} to {datagram.destination}:\n{body}")
        lab.require(seen > 0, "no SDP from the edge was seen on the WAN")

    def relayed(self):
        """RTP datagrams on the WAN that the edge sent or got."""
        return [d for d in self.on_wan.rtp() if WAN_EDGE + ":" in (d.source + d.destination)]


def natkit_processes():
    """Live processes of ours in this world, by name."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "comm").read_text().strip()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:
                continue
            if name in ("natkit", *WORKERS) and state != "Z":
                found.setdefault(name, []).append(int(entry.name))
    return found
