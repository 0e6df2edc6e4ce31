"""Two natkit nodes that are both active, each with addresses of its own; an address may move to the other host.

    lan 192.168.10.0/24   .2 edge-a, .3 edge-b
    wan 203.0.113.0/24    .2 edge-a, .3 edge-b
    spine 10.9.0.0/24     .2 edge-a, .3 edge-b, .5 Redis: what the edges say to each other, and the state
"""
import json

import crowd
import lab
import pair
import pair_site

EXAMPLE = lab.SOURCE / "tools/natkit/examples/cluster/keepalived-active.conf"
PEER_PORT = 5099
NUMBERS = {"edge-a": 2, "edge-b": 3}


def listening(address):
    return [f"{transport}:{address}:5060" for transport in ("udp", "tcp")]


class Edge(pair.Edge):
    def __init__(self, site, letter, number):
        super().__init__(site, letter, number)
        self.wan, self.lan = f"203.0.113.{number}", f"192.168.10.{number}"

    def of_its_own(self):
        """Its own addresses first, then those that may come from the other node."""
        other = 5 - self.number
        listen = [name for address in (self.lan, self.wan, f"192.168.10.{other}", f"203.0.113.{other}") for name in listening(address)]
        peers = {node: f'"10.9.0.{number}:{PEER_PORT}"' for node, number in NUMBERS.items()}
        return {"media_proxy.addresses": {"lan": f'["{self.lan}"]', "wan": f'["{self.wan}"]'}, "cluster.peers": peers,
                "sip": {"listen": json.dumps(listen), "log_level": '"problems"'}, **QUIET}

    # --- what it knows

    def clients(self):
        """{"own", "foreign", "taken", "nobody"}: how many."""
        return self.cluster()["clients"]

    def calls(self):
        done = self.command("calls", "--format", "json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def knows(self, **counts):
        told = self.cluster()
        return told["lease"] == "held" and all(told["clients"].get(whose, 0) == count for whose, count in counts.items())

    # --- its links and addresses

    def has(self, address):
        return f" {address}/" in self.edge.ip("-br", "addr")

    def take(self, address, interface="wan0"):
        """As keepalived does."""
        self.edge.ip("addr", "add", f"{address}/24", "dev", interface)
        self.announce(address, interface)

    def announce(self, address, interface="wan0"):
        """A gratuitous ARP: where the address is now."""
        pair_site.announce(self.edge, interface, address)

    def flush(self):
        """Without any address that moves, as a host that comes back."""
        for number in NUMBERS.values():
            self.edge.run("ip", "addr", "del", f"203.0.113.{number}/24", "dev", "wan0")

    def drop(self, address, interface="wan0"):
        self.edge.ip("addr", "del", f"{address}/24", "dev", interface)

    def connect(self):
        for link in pair.LINKS:
            self.edge.ip("link", "set", link, "up")

    def start_keepalived(self):
        """Of two addresses this node's own is here while it can be, the other one where its node cannot."""
        exchanged = () if self.number == 2 else (("priority 200", "priority x"), ("priority 150", "priority 200"), ("priority x", "priority 150"))
        return self.run_keepalived(EXAMPLE, *exchanged)

    def die(self):
        """All of it at once, and its links."""
        pids = self.processes()
        if self.keepalived:
            self.kill_keepalived()
        self.kill_all(pids)
        self.cut()

    def come_back(self):
        self.connect()
        return self.run()


QUIET = {"media_proxy": {"log_level": '"problems"', **dict(line.split(" = ") for line in lab.tier_keys().splitlines())},
         "pinger": {"log_level": '"problems"', "udp_interval": '"2s"'}}


class Several(pair.Pair):
    node = Edge

    def start(self, **changes):
        self.start_redis()
        for edge in (self.a, self.b):
            edge.start(**json.loads(json.dumps(changes)))
        self.wait_ready()
        return self

    def other(self, edge):
        return self.b if edge is self.a else self.a

    def wait_ready(self, *edges, seconds=lab.PATIENCE):
        """The leases are held, and who is live is read."""
        for edge in edges or (self.a, self.b):
            lab.wait_until(edge.is_ready, lambda edge=edge: f"{edge.name} to be ready: {edge.cluster()}", seconds)

    def wait_known(self, a, b, seconds=lab.PATIENCE):
        """So many clients are each edge's own, and each knows the other's."""
        lab.wait_until(lambda: self.a.knows(own=a, foreign=b) and self.b.knows(own=b, foreign=a),
                       lambda: f"{a} and {b} clients to be known: {self.a.cluster()}, {self.b.cluster()}", seconds)

    def legs(self):
        """How many each edge has."""
        return {edge.name: len(edge.legs()) for edge in (self.a, self.b)}

    def wait_legs(self, **legs):
        wanted = {f"edge-{letter}": count for letter, count in legs.items()}
        lab.wait_until(lambda: self.legs() == wanted, lambda: f"legs {wanted}; there are {self.legs()}")


def pings_of(tap, address, since):
    """The small datagrams that a node sent from this address, by a tap of the node."""
    return [d for d in tap.all() if d.time >= since and d.source == f"{address}:5060" and not d.payload.strip(b"\r\n")]


class People(crowd.Crowd):
    """Phones at either edge."""

    def at(self, edge, host, user):
        """A phone that registers there."""
        phone = self.phone(host, user, edge.lan if host.address.startswith("192.168.10.") else edge.wan)
        phone.register()
        return phone

    def connect(self, caller, callee):
        caller.call(callee)
        self.calls.append((caller, callee))
        return caller, callee

    def end(self, phone):
        """This one hangs up."""
        call = next(call for call in self.calls if phone in call)
        other = call[1] if phone is call[0] else call[0]
        phone.bye()
        lab.wait_until(lambda: other.ended, f"{other.user} to be hung up on")
        other.ended = False
        self.calls.remove(call)


def move(phone, edge):
    """The phone registers at another edge from now on, as one does whose edge does not answer."""
    phone.proxy = (edge.lan if phone.host.address.startswith("192.168.10.") else edge.wan, 5060)
    phone.register()
