"""Two natkit nodes, of which one serves: the addresses that phones know move by a real keepalived, what they share is in a real Redis.

    lan 192.168.10.0/24   .2 edge-a, .3 edge-b, .1 moves
    wan 203.0.113.0/24    .2 edge-a, .3 edge-b, .10 moves
    spine 10.9.0.0/24     .2 edge-a, .3 edge-b, .5 Redis: VRRP (unicast, version 3) and the state
"""
import contextlib
import json
import os
import re
import secrets
import signal
import threading
import time

import lab
import site_of_phones
from site_of_phones import LAN_EDGE, WAN_EDGE

EXAMPLE = lab.SOURCE / "tools/natkit/examples/cluster/keepalived.conf"
REDIS = "10.9.0.5"
LINKS = ("lan0", "wan0", "spine0")
WORKERS = (*site_of_phones.WORKERS, "natkit-cluster")


class Edge(site_of_phones.Node):
    """One of the two nodes, with its keepalived."""

    def __init__(self, pair, letter, number):
        host = pair.net.host(f"edge-{letter}")
        host.attach("lan0", pair.lan, f"192.168.10.{number}/24").attach("wan0", pair.wan, f"203.0.113.{number}/24")
        host.attach("spine0", pair.spine, f"10.9.0.{number}/24")
        super().__init__(pair.net, host, pair.net.folder / f"edge-{letter}")
        self.pair, self.name, self.number, self.keepalived = pair, f"edge-{letter}", number, None
        # A switch learns where an address is now by its gratuitous ARP; the bridge of the test, and the hosts, do too.
        for link in LINKS:
            host.sysctl(f"net.ipv4.conf.{link}.arp_notify", 1)

    # --- natkit

    def start(self, **changes):
        key = self.folder / "cluster.key"
        key.write_text(self.pair.key + "\n")
        key.chmod(0o600)
        cluster = {"state": f'"redis://{REDIS}:6379/0"', "node": f'"{self.name}"', "key": '"cluster.key"', **changes.pop("cluster", {})}
        sections = self.of_its_own()
        for section, values in {"cluster": cluster, **changes}.items():
            sections.setdefault(section, {}).update(values)
        self.write_config(**sections)
        return self.run()

    def of_its_own(self):
        """Sections that another node of the site does not have alike."""
        return {}

    def run(self):
        self.natkit = self.edge.start(f"natkit of {self.name}", lab.PROGRAMS / "natkit", "run", "--config", self.config)
        self.wait_up()
        return self

    def processes(self):
        """The numbers of all processes of this node, natkit's first."""
        return [self.natkit.pid] + [c["pid"] for c in self.status()["components"] if "pid" in c]

    def kill_all(self, pids):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.natkit.process.wait()

    def cluster(self):
        """What `natkit cluster` prints."""
        return json.loads(self.command("cluster", "--format", "json").stdout)

    def command(self, *arguments):
        done = self.edge.run(lab.PROGRAMS / "natkit", *arguments, "--config", self.config)
        lab.require(done.returncode == 0, f"natkit {' '.join(arguments)}: {done}")
        return done

    def is_ready(self):
        return self.edge.run(lab.PROGRAMS / "natkit", "cluster", "--ready", "--config", self.config).returncode == 0

    # --- its links and addresses

    def cut(self):
        for link in LINKS:
            self.edge.ip("link", "set", link, "down")

    def flush_and_connect(self):
        """As a host that comes back: without the addresses that move, then with its links."""
        for link, address in (("lan0", f"{LAN_EDGE}/24"), ("wan0", f"{WAN_EDGE}/24")):
            self.edge.run("ip", "addr", "del", address, "dev", link)
        for link in LINKS:
            self.edge.ip("link", "set", link, "up")

    def has_addresses(self):
        have = self.edge.ip("-br", "addr")
        return f"{LAN_EDGE}/" in have and f"{WAN_EDGE}/" in have

    def start_keepalived(self, priority):
        """By the configuration of the examples, with this laboratory's names."""
        return self.run_keepalived(EXAMPLE, ("dev eth2", "dev lan0"), ("priority 200", f"priority {priority}"))

    def run_keepalived(self, example, *changes):
        text = example.read_text()
        other = 5 - self.number
        natkit = f"{lab.PROGRAMS / 'natkit'} "
        for old, new in (("/usr/bin/natkit ", natkit), ("interface eth0", "interface spine0"), ("dev eth1", "dev wan0"), *changes,
                         ("unicast_src_ip 10.9.0.2", f"unicast_src_ip 10.9.0.{self.number}"), ("        10.9.0.3\n", f"        10.9.0.{other}\n")):
            lab.require(old in text, f"{example.name} has no {old}")
            text = text.replace(old, new)
        text = re.sub(r'(natkit (?:promote|demote|cluster --ready))"', rf'\1 --config {self.config}"', text)
        # Secure are scripts in folders that only root can write to, which a checkout may not be.
        text = text.replace("    enable_script_security\n", "")
        conf = self.folder / "keepalived.conf"
        conf.write_text(text)
        self.keepalived = self.edge.start(f"keepalived of {self.name}", "keepalived", "-n", "-l", "-P", "-p", self.folder / "keepalived.pid",
                                          "-r", self.folder / "vrrp.pid", "-f", conf)
        return self

    def kill_keepalived(self):
        """All of it, and nothing that it would do at its end."""
        children = lab.sh("ps", "-o", "pid=", "--ppid", self.keepalived.pid).split()
        for pid in (self.keepalived.pid, *map(int, children)):
            os.kill(pid, signal.SIGKILL)
        self.keepalived.process.wait()


class Pair(site_of_phones.Ground):
    node = Edge

    def __init__(self, net):
        super().__init__(net)
        self.spine = net.segment("spine")
        self.on_wan, self.on_lan = net.tap(self.wan), net.tap(self.lan)
        self.key = secrets.token_hex(32)
        self.redis_host = net.host("redis").attach("eth0", self.spine, f"{REDIS}/24")
        self.redis = None
        self.a, self.b = self.node(self, "a", 2), self.node(self, "b", 3)

    def start_redis(self, *options):
        folder = self.net.folder / "redis"
        folder.mkdir(exist_ok=True)
        self.redis = self.redis_host.start("redis", "redis-server", "--bind", REDIS, "--port", 6379, "--save", "", "--protected-mode", "no",
                                           "--dir", folder, *options)
        self.redis.wait_line("Ready to accept connections")
        return self

    def redis_cli(self, *words):
        done = self.redis_host.run("redis-cli", "-h", REDIS, *words)
        lab.require(done.returncode == 0, f"redis-cli {words}: {done}")
        return done.stdout.strip()

    def start(self, keepalived=True, **changes):
        """Both nodes, edge-a serving."""
        self.start_redis()
        for node in (self.a, self.b):
            node.start(**json.loads(json.dumps(changes)))
        if keepalived:
            self.a.start_keepalived(200)
            self.wait_active(self.a)
            self.b.start_keepalived(150)
        self.wait_in_step(self.b)
        return self

    def wait_active(self, node, seconds=lab.PATIENCE):
        return lab.within(seconds, lambda: node.has_addresses() and node.cluster()["role"] == "active", f"{node.name} to be active")

    def wait_in_step(self, node, seconds=lab.PATIENCE):
        """`node` could take over, and has all that the active one has."""
        lab.wait_until(lambda: node.is_ready() and node.cluster()["role"] == "standby", lambda: f"{node.name} to be in step: {node.cluster()}",
                       seconds)

    def wait_acknowledged(self, active, standby, **records):
        """The standby has so many records, and the active one knows that."""
        def done():
            told = active.cluster()
            return standby.cluster()["records"] == records == told["records"] and told["pending"] == 0 and told["standbys"]
        lab.wait_until(done, lambda: f"{records} to be acknowledged: {active.cluster()}, {standby.cluster()}")

    def wait_settled(self, seconds=lab.PATIENCE, **records):
        """One node serves with the addresses, the other one has everything and could take over: both told in one look."""
        def settled():
            try:
                told = {node: node.cluster() for node in (self.a, self.b)}
            except lab.Failure:
                return None
            active = [node for node in told if told[node]["role"] == "active"]
            if len(active) != 1 or [n for n in told if n.has_addresses()] != active:
                return None
            standby = self.b if active[0] is self.a else self.a
            whole = all(one["records"] == records and one["redis"] == "connected" for one in told.values())
            protected = told[active[0]]["pending"] == 0 and told[active[0]]["unprotected_s"] == 0 and told[active[0]]["standbys"]
            return active[0] if whole and protected and told[standby]["ready"] else None

        def why():
            return f"the pair to be whole: {self.a.edge.run(lab.PROGRAMS / 'natkit', 'cluster', '--config', self.a.config)}, {self.b.edge.run(lab.PROGRAMS / 'natkit', 'cluster', '--config', self.b.config)}"
        return lab.wait_until(settled, why, seconds)


def pings_from(tap, since):
    """The small datagrams that this node sent from the address that moves, by a tap of the node."""
    return [d for d in tap.all() if d.time >= since and d.source == f"{WAN_EDGE}:5060" and not d.payload.strip(b"\r\n")]


def check_pings(taps, clients, serving, silent, what):
    """So many clients behind NATs are pinged again, from the address as before, and by one node alone."""
    since = time.time()
    lab.wait_until(lambda: len({d.destination for d in pings_from(taps[serving.name], since)}) >= clients,
                   f"{what}: pings of {serving.name} to {clients} clients")
    lab.require(not pings_from(taps[silent.name], since), f"{what}: {silent.name} pings too")


class BusyPhones(threading.Thread):
    """Two phones, the one on the LAN, that call and hang up again and again: when each request was made, and how long its answer took."""

    def __init__(self, people, site, host, rest=0.0, renews=False):
        super().__init__(daemon=True)
        self.caller, self.callee = people.phone(site.lan_host(), "busy-a", LAN_EDGE), people.phone(host, "busy-b", WAN_EDGE)
        for phone in (self.caller, self.callee):
            phone.register()
        self.rest, self.renews, self.took, self.made, self.failure, self.going = rest, renews, [], 0, None, True

    def run(self):
        try:
            while self.going:
                requests = [lambda: self.caller.call(self.callee), self.caller.bye]
                for request in [self.callee.register, *requests] if self.renews else requests:
                    began = time.monotonic()
                    request()
                    self.took.append((began, time.monotonic() - began))
                lab.wait_until(lambda: self.callee.ended, "the callee to be hung up on")
                self.callee.ended = False
                self.made += 1
                time.sleep(self.rest)
        except Exception as error:  # told by stop()
            self.failure = error

    def stop(self):
        self.going = False
        self.join(lab.PATIENCE)
        lab.require(self.failure is None, f"after {self.made} calls: {self.failure}")

    def times(self, since, until):
        """How long the answers to what was asked between these moments took, the quickest first."""
        return sorted(took for began, took in list(self.took) if since <= began < until)


def of_twenty(times):
    """What the slowest twentieth is above."""
    return times[len(times) * 19 // 20]


def of_hundred(times):
    """What the slowest hundredth is above."""
    return times[len(times) * 99 // 100]


def seconds_of(program, pattern):
    """When a keepalived said so, by the clock of this test: now."""
    program.wait_line(pattern)
    return time.monotonic()
