"""Media relays that a SIP proxy drives by the ng protocol or that of rtpproxy: mediarelay, or a peer as the reference to hold a test
against (NATKIT_RELAY=rtpengine). The tests of natkit ask for nothing else than what both do, where they do not say so."""
import json
import os
import pathlib
import re

import lab
from media import Control
from ng_client import Client

KIND = os.environ.get("NATKIT_RELAY", "mediarelay")


class Node:
    """A relay on a host. `sides`: {"lan": [addresses], "wan": [addresses]}; the first side is what is taken without a direction."""

    def __init__(self, host, sides, number=0, keys="", ng="", rtpproxy=False, ports=2000):
        self.host, self.sides, self.number, self.keys, self.ng, self.rtpproxy = host, sides, number, keys, ng, rtpproxy
        self.port = 2223 + number
        first = 20000 + 2000 * number
        self.ports = (first, first + ports - 1)
        self.folder = pathlib.Path(host.lab.folder) / f"relay{number}"
        self.folder.mkdir()
        self.program = None

    @property
    def control(self):
        """As Kamailio is told of it."""
        return f"udp:127.0.0.1:{self.port}"

    def addresses(self):
        return [one for side in self.sides.values() for one in side]

    def kill(self):
        self.program.kill()

    def stop(self):
        self.program.stop()

    def client(self, **options):
        return Client(self.host, ("udp", "127.0.0.1", self.port), **options)

    def wait_gone(self, what="the relay to hold nothing"):
        lab.wait_until(lambda: self.held() == 0, lambda: f"{what}; it holds {self.held()}", 10)


class Mediarelay(Node):
    name = "mediarelay"

    def write(self):
        def listed(addresses):
            return ", ".join(f'"{one}"' for one in addresses)
        sides = "\n".join(f"{side} = [{listed(addresses)}]" for side, addresses in self.sides.items())
        listen = f'[rtpproxy]\nlisten = ["udp:127.0.0.1:{self.port}"]' if self.rtpproxy else (
            f"[ng]\n{self.ng}" if "listen" in self.ng else f'[ng]\nlisten = ["udp:127.0.0.1:{self.port}"]\n{self.ng}')
        self.config = self.folder / "natkit.toml"
        self.config.write_text(f"""
[network]
lan = ["192.168.10.0/24", "fd00:10::/64"]
[media_proxy]
ports = "{self.ports[0]}-{self.ports[1]}"
log_level = "problems"
{lab.tier_keys()}
{self.keys}
[media_proxy.addresses]
{sides}
{listen}
""")

    def start(self):
        self.write()
        self.program = self.host.start(f"mediarelay{self.number}", lab.PROGRAMS / "mediarelay", "serve", "--config", self.config, "--runtime", self.folder)
        self.program.wait_line("serving on")
        return self

    def run(self, *arguments):
        done = self.host.run(lab.PROGRAMS / "mediarelay", *arguments, "--runtime", self.folder)
        lab.require(done.returncode == 0, f"{arguments}: exit {done.returncode}: {done.stderr}")
        return done.stdout

    def drain(self):
        """It takes no new calls."""
        control = Control(self.folder / "mediarelay.sock", "drain")
        control.ask("drain")
        control.close()

    def status(self):
        return json.loads(self.run("status", "--format", "json"))

    def deleted(self, call):
        return set()

    def held(self):
        """Legs."""
        return self.status()["legs"]


class Rtpengine(Node):
    name = "rtpengine"

    def start(self):
        names = {"lan": "internal", "wan": "external"} if self.rtpproxy else {}
        listen = [f"--listen-udp=127.0.0.1:{self.port}", f"--listen-ng=127.0.0.1:{self.port + 100}"] if self.rtpproxy else [f"--listen-ng=127.0.0.1:{self.port}"]
        interfaces = [f"--interface={names.get(side, side)}/{one}" for side, addresses in self.sides.items() for one in addresses]
        self.program = self.host.start(
            f"rtpengine{self.number}", "rtpengine", "--foreground", "--log-stderr", f"--log-level={os.environ.get('NATKIT_RELAY_LOG_LEVEL', '6')}", "--table=-1", *interfaces,
            f"--port-min={self.ports[0]}", f"--port-max={self.ports[1]}", *listen, f"--pidfile={self.folder / 'pid'}",
            "--config-file=none", "--delete-delay=0", *self.extra(), on_line=_keep)
        lab.wait_until(lambda: [e for e, _ in self.host.sockets() if e == f"127.0.0.1:{self.port}"], "rtpengine to listen")
        return self

    def extra(self):
        found = re.search(r'listen = \["([^\]]*)"\]', self.ng)
        http = re.search(r'"http:([^"]+)"', self.ng)
        tcp = re.search(r'"tcp:([^"]+)"', self.ng)
        return ([f"--listen-http={http[1]}"] if http else []) + ([f"--listen-tcp-ng={tcp[1]}"] if tcp and found else [])

    def deleted(self, call):
        """Tags of branches that are gone: its query goes on telling of them."""
        return set(re.findall(rf"\[{re.escape(call)}\]: \[core\] Call branch '([^']*)' .*deleted", self.program.output))

    def held(self):
        """Calls."""
        client = Client(self.host, ("udp", "127.0.0.1", self.port + 100 * self.rtpproxy), prefix="held")
        try:
            return len(client.ok("list")["calls"])
        finally:
            client.close()


def _keep(line):
    """NATKIT_RELAY_LOG=FILE keeps what a reference says."""
    if "NATKIT_RELAY_LOG" in os.environ and "Forward to sink" not in line and "Handling packet" not in line:
        with open(os.environ["NATKIT_RELAY_LOG"], "a", encoding="utf-8") as log:
            log.write(line + "\n")


def node(host, sides, **options):
    return {"mediarelay": Mediarelay, "rtpengine": Rtpengine}[KIND](host, sides, **options)
