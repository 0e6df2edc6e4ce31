#!/usr/bin/env python3
"""natkit-cluster of several active nodes: leases in Redis decide whose a client is, the same on every node; without Redis each keeps what it
has. The workers are stand-ins, so that what is asked of them is seen."""
import json
import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from redis_site import Node, Redis

NAMES = ("edge-a", "edge-b", "edge-c")
MOVES = "192.0.2.100"  # an address that may be at any of them
LEASE = 4.0


def own(name):
    return f"192.0.2.{NAMES.index(name) + 1}"


class Site:
    """A Redis, and nodes with addresses of their own in one network, each on a host of its own."""

    def __init__(self, net, names=NAMES, peers=None, **cluster):
        self.net, self.wire, self.peers = net, net.segment("wan"), peers or names
        self.store = net.host("store")
        self.store.attach("wan0", self.wire, "192.0.2.200/24")
        self.redis = Redis(self.store).start("--bind", "0.0.0.0", "--protected-mode", "no")
        self.nodes = [self.node(name, **cluster) for name in names]

    def node(self, name, folder=None, address=None, **cluster):
        host = self.net.host(folder or name)
        host.attach("wan0", self.wire, f"{address or own(name)}/24")
        peers = ", ".join(f'{one} = "{own(one)}:5070"' for one in self.peers)
        return Node(host, name, addresses=(own(name), MOVES), folder=folder, state='"redis://192.0.2.200:6379/0"', peers=f"{{ {peers} }}", **cluster)

    def start(self):
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()
            node.wait(lambda s: all(one["live"] and one["read"] for one in s["nodes"] if one["node"] in [n.name for n in self.nodes]), "to see all")
        return self.nodes


def row(number, node, cseq=1, place="wan", transport="udp", address=None, **more):
    connection = "" if transport == "udp" else "#1"
    return {"contact": f"sip:{number}@198.51.100.7:5060", "flow": f"{transport}:{address or own(node)}:5060-198.51.100.7:{number + 1}{connection}",
            "place": place, "call_id": f"{number}@phone", "cseq": cseq, "expires_ms": int(time.time() * 1000) + 3_600_000, **more}


def seen(node, wanted, what):
    """What the node's sipedge knows of others' clients: key -> node."""
    def fits():
        return {key: where for key, (where, _) in node.edge.foreign.items()} == wanted
    lab.wait_until(fits, lambda: f"{node.name}: {what}: {len(node.edge.foreign)} foreign, not {len(wanted)}: {list(node.edge.foreign.items())[:3]}")


def kill(node, forget=True):
    node.program.kill()
    for worker in node.workers:
        worker.die(forget)


def revive(node):
    for worker in node.workers:
        worker.open()
    return node.start()


def shared(a, b, keys):
    """Each client is one's, and both know whose; what each has."""
    def fits():
        return set(a.edge.records) | set(b.edge.records) == keys and not set(a.edge.records) & set(b.edge.records) and \
            set(a.edge.foreign) == set(b.edge.records) and set(b.edge.foreign) == set(a.edge.records)
    lab.wait_until(fits, lambda: f"{sorted(a.edge.records)} and {sorted(b.edge.records)}, foreign {sorted(a.edge.foreign)} and {sorted(b.edge.foreign)}")
    return set(a.edge.records), set(b.edge.records)


def lease_of(site, name):
    text = site.redis.ask("GET", f"natkit:natkit:lease:{name}")
    return json.loads(text) if text else None


def registrations_are_seen_at_the_others(net):
    site = Site(net)
    a, b, c = site.start()
    for number in range(200):
        a.edge.put(f"binding:{number}", row(number, a.name))
    for number in range(200, 300):
        b.edge.put(f"binding:{number}", row(number, b.name))
    of_a = {f"binding:{number}": a.name for number in range(200)}
    of_b = {f"binding:{number}": b.name for number in range(200, 300)}
    seen(a, of_b, "those of b")
    seen(b, of_a, "those of a")
    seen(c, of_a | of_b, "all")
    lab.require(b.edge.foreign["binding:7"][1] == a.edge.records["binding:7"], "the record is another")
    # Changed, gone, and registered at another node.
    a.edge.put("binding:1", row(1, a.name, cseq=2, contact="sip:new@198.51.100.7"))
    lab.wait_until(lambda: c.edge.foreign["binding:1"][1]["contact"] == "sip:new@198.51.100.7", "the change to arrive")
    a.edge.put("binding:2", None)
    c.edge.put("binding:3", row(3, c.name, cseq=2))
    del of_a["binding:2"]
    of_a["binding:3"] = c.name
    seen(b, of_a, "after changes")
    lab.wait_until(lambda: "binding:3" not in a.edge.records and a.edge.foreign["binding:3"][0] == c.name, "a to let go of it")
    nodes = [("edge-a", True, 198, True), ("edge-b", True, 100, True)]
    status = c.wait(lambda s: [(one["node"], one["live"], one["clients"], one["read"]) for one in s["nodes"]] == nodes, "to know the others")
    lab.require(status["shape"] == "several" and status["lease"] == "held" and status["role"] == "active", f"{status}")
    lab.require(status["clients"] == {"own": 1, "foreign": 298, "taken": 0, "nobody": 0}, f"{status['clients']}")
    lab.require(lease_of(site, "edge-a")["addresses"] == [own("edge-a")], f"{lease_of(site, 'edge-a')}")
    c.wait(lambda s: s["pending"] == 0 and s["unprotected_s"] == 0 and s["records"] == {"bindings": 1}, "to have written it")
    # The order that moves a pair moves nothing here.
    answer = a.ask("promote")
    lab.require(answer.get("error", {}).get("message") == "several active edges: nothing moves by order", f"{answer}")
    lab.require("error" in a.ask("demote") and a.edge.role == "active", f"{a.edge.role}")
    # A sipedge that starts anew, with what it keeps on its disk, hears of all again.
    c.edge.die(forget=False)
    c.edge.open()
    seen(c, {key: where for key, where in (of_a | of_b).items() if where != c.name}, "after it started anew")
    # natkit-cluster alone: its node goes on, and what comes meanwhile is told when it is back.
    a.program.kill()
    a.edge.put("binding:400", row(400, a.name))
    a.start()
    lab.wait_until(lambda: b.edge.foreign.get("binding:400", ("",))[0] == a.name, "what came while natkit-cluster was away")
    lab.require(a.edge.epoch == a.status()["epoch"] == 2, f"{a.edge.epoch} {a.status()['epoch']}")


def what_ends_at_another_node(net):
    """A client unregisters at a node that does not have it: that one says that it is over, for as long as others may need to read it."""
    site = Site(net)
    a, b, c = site.start()
    for number in range(4):
        a.edge.put(f"binding:{number}", row(number, a.name))
    of_a = {f"binding:{number}": a.name for number in range(4)}
    seen(b, of_a, "those of a")
    now = int(time.time() * 1000)
    for number, call_id in ((2, "2@phone"), (3, "after the phone's restart")):
        over = row(number, b.name, cseq=5, call_id=call_id, expires_ms=now, registered_ms=now)
        b.edge.foreign.pop(f"binding:{number}")
        b.edge.tell(f"binding:{number}", over)
        del of_a[f"binding:{number}"]
    lab.wait_until(lambda: set(a.edge.records) == set(of_a), lambda: f"{list(a.edge.records)}")
    seen(c, of_a, "after two have unregistered at b")
    b.wait(lambda s: s["records"] == {"bindings": 2} and s["pending"] == 0, "to have written the ends")
    # One of them is back before that is forgotten.
    a.edge.put("binding:2", row(2, a.name, cseq=6))
    of_a["binding:2"] = a.name
    for node in (b, c):
        seen(node, of_a, "one has registered again")
    b.wait(lambda s: s["records"] == {"bindings": 0} and s["pending"] == 0, "to say no more of it")
    for node in (b, c):
        seen(node, of_a, "when nothing is said of it any more")
    lab.require(set(a.edge.records) == set(of_a), f"{list(a.edge.records)}")


def one_is_killed_and_comes_back(net):
    site = Site(net)
    a, b, c = site.start()
    for number in range(100):
        a.edge.put(f"binding:{number}", row(number, a.name))
    for number in range(100, 150):
        a.edge.put(f"binding:{number}", row(number, a.name, place="far-end"))
    for number in range(150, 200):
        a.edge.put(f"binding:{number}", row(number, a.name, transport="tcp"))
    for node in (b, c):
        seen(node, {f"binding:{number}": a.name for number in range(200)}, "all")
    kill(a)
    began = time.monotonic()
    lab.wait_until(lambda: len(b.edge.records) + len(c.edge.records) == 100, lambda: f"{len(b.edge.records)} and {len(c.edge.records)} inherited", 15)
    lab.require(time.monotonic() - began > LEASE - 2, "they did not wait for the lease")
    lab.require(set(b.edge.records) | set(c.edge.records) == {f"binding:{number}" for number in range(100)}, "the wrong ones")
    lab.require(min(len(b.edge.records), len(c.edge.records)) > 20, f"{len(b.edge.records)} and {len(c.edge.records)}: not shared")
    seen(b, {key: c.name for key in c.edge.records}, "the heirs")
    seen(c, {key: b.name for key in b.edge.records}, "the heirs")
    for node in (b, c):
        node.wait(lambda s: s["clients"]["nobody"] == 100 and s["clients"]["taken"] == 0, "to know whom nobody can reach")
    # A client that was taken over unregisters: it must not come back by what the dead one has left behind.
    gone = next(iter(b.edge.records))
    b.edge.put(gone, None)
    lab.wait_until(lambda: gone not in c.edge.foreign, "it to be gone")
    left = site.redis.ask("HGET", "natkit:natkit:owner:edge-a", "state")
    lab.wait_until(lambda: site.redis.ask("HLEN", left) == 101, lambda: f"{site.redis.ask('HLEN', left)} of the dead one's in Redis")
    for node in (b, c):
        node.program.kill()
        node.start().wait_ready()
    seen(b, {key: c.name for key in c.edge.records}, "the heirs, after natkit-cluster was started anew")
    lab.require(gone not in b.edge.records, f"{gone} came back")
    heirs = {key: node.name for node in (b, c) for key in node.edge.records}
    # It comes back with nothing: what it had is in Redis. Whose NAT knows its address is its own again; connections are gone.
    revive(a).wait_ready()
    lab.wait_until(lambda: set(a.edge.records) == {f"binding:{number}" for number in range(100, 150)}, lambda: f"{sorted(a.edge.records)}")
    seen(a, heirs, "the heirs' clients")
    lab.wait_until(lambda: b.edge.foreign.get("binding:100", ("",))[0] == a.name, "b to know them at a again")
    lab.require(gone not in a.edge.records and gone not in c.edge.records and gone not in c.edge.foreign, f"{gone} came back")
    lab.require(a.status()["epoch"] == 2, f"{a.status()}")


def an_address_moves_and_moves_back(net):
    site = Site(net)
    a, b, c = site.start()
    a.host.ip("addr", "add", f"{MOVES}/32", "dev", "wan0")
    a.wait(lambda s: not s["addresses_missing"], "to have it")
    for number in range(50):
        a.edge.put(f"binding:{number}", row(number, a.name, place="far-end", address=MOVES))
    a.edge.put("binding:99", row(99, a.name, place="far-end"))
    kept = {"binding:99": a.name}
    seen(b, kept | {f"binding:{number}": a.name for number in range(50)}, "all")
    for source, target in ((a, b), (b, a)):
        source.host.ip("addr", "del", f"{MOVES}/32", "dev", "wan0")
        target.host.ip("addr", "add", f"{MOVES}/32", "dev", "wan0")
        moved = {f"binding:{number}" for number in range(50)}
        lab.wait_until(lambda t=target: moved <= set(t.edge.records), lambda t=target: f"{t.name} has {len(t.edge.records)}")
        lab.wait_until(lambda s=source: not moved & set(s.edge.records), lambda s=source: f"{s.name} keeps {len(s.edge.records)}")
        seen(c, kept | {key: target.name for key in moved}, "the move")
    # With its host dead.
    kill(a)
    b.host.ip("addr", "add", f"{MOVES}/32", "dev", "wan0")
    lab.wait_until(lambda: moved <= set(b.edge.records), lambda: f"{len(b.edge.records)}")
    lab.wait_until(lambda: "binding:99" not in b.edge.foreign, "whom nobody can reach to be forgotten")


def without_redis_each_keeps_what_it_has(net):
    site = Site(net)
    a, b, c = site.start()
    a.edge.put("binding:1", row(1, a.name))
    b.edge.put("binding:2", row(2, b.name))
    seen(c, {"binding:1": a.name, "binding:2": b.name}, "all")
    epochs = [node.status()["epoch"] for node in site.nodes]
    site.redis.kill()
    for node in site.nodes:
        node.wait(lambda s: s["redis"] != "connected" and s["lease"].startswith("Redis") and not s["ready"], "to tell that it decides nothing")
    c.program.wait_line("failures CLUSTER the lease of edge-c lapsed: Redis")
    kill(a)
    told = len(c.pinger.events)
    lab.wait_until(lambda: len(c.pinger.events) >= told + 3, "natpinger to hear that it may go on")
    until = c.pinger.events[-1][1] / 1000 - time.clock_gettime(time.CLOCK_BOOTTIME)
    lab.require(2 < until <= LEASE, f"{until}")
    b.edge.put("binding:3", row(3, b.name))
    b.edge.put("binding:2", None)
    c.edge.put("binding:1", row(1, c.name, cseq=2))
    lab.require(set(c.edge.foreign) == {"binding:1", "binding:2"}, f"{c.edge.foreign}")
    # It comes back empty.
    site.redis.start("--bind", "0.0.0.0", "--protected-mode", "no")
    b.wait_ready()
    seen(c, {"binding:3": b.name}, "what there is now")
    seen(b, {"binding:1": c.name}, "what there is now")
    for node, epoch in zip((b, c), epochs[1:]):
        node.wait(lambda s, e=epoch: s["epoch"] > e and not s["degraded"], "to have another epoch")
    # Emptied behind our backs.
    site.redis.ask("FLUSHALL")
    b.edge.put("binding:4", row(4, b.name))
    seen(c, {"binding:3": b.name, "binding:4": b.name}, "after FLUSHALL")
    lab.require({node.edge.role for node in (b, c)} == {"active"}, "roles")


def cut_off_from_redis(net):
    site = Site(net, NAMES[:2])
    a, b = site.start()
    a.edge.put("binding:1", row(1, a.name))
    a.edge.put("binding:2", row(2, a.name, place="far-end"))
    seen(b, {"binding:1": a.name, "binding:2": a.name}, "all")
    a.host.ip("route", "add", "blackhole", "192.0.2.200/32")
    a.wait(lambda s: s["lease"] != "held", "to lose its lease", 15)
    # Whoever can reach the client inherits it. Who is cut off goes on, and gives it up when he hears of it.
    lab.wait_until(lambda: "binding:1" in b.edge.records, "b to inherit")
    lab.require(set(a.edge.records) == {"binding:1", "binding:2"}, f"{a.edge.records}")
    for number in range(10, 30):
        a.edge.put(f"binding:{number}", row(number, a.name))
    a.host.ip("route", "del", "blackhole", "192.0.2.200/32")
    a.wait_ready()
    of_a, of_b = shared(a, b, {"binding:1", "binding:2", *(f"binding:{number}" for number in range(10, 30))})
    lab.require("binding:2" in of_a and of_b, f"{of_a} {of_b}")


def one_that_stood_still(net):
    site = Site(net, NAMES[:2])
    a, b = site.start()
    for number in range(20):
        a.edge.put(f"binding:{number}", row(number, a.name))
    a.edge.put("binding:99", row(99, a.name, place="far-end"))
    seen(b, {f"binding:{number}": a.name for number in (*range(20), 99)}, "all")
    a.program.signal(signal.SIGSTOP)
    b.wait(lambda s: s["records"] == {"bindings": 20} and s["pending"] == 0 and s["clients"]["taken"] == 0, "to inherit", 15)
    events = []
    a.edge.events = a.pinger.events = events  # in one order
    a.program.signal(signal.SIGCONT)
    woke = time.clock_gettime(time.CLOCK_BOOTTIME)
    a.program.wait_line("failures CLUSTER the lease of edge-a lapsed: it was not renewed in time")
    valid = lab.wait_until(lambda: [n for n, event in enumerate(events) if event[0] == "lease" and event[1] / 1000 > woke], "natpinger may go on")
    of_a, of_b = shared(a, b, {f"binding:{number}" for number in (*range(20), 99)})
    lab.require("binding:99" in of_a and 2 < len(of_b) < 18, f"{of_a} {of_b}")
    let_go = {event[1] for event in events[:valid[0]] if event[0] == "client"}
    lab.require(of_b <= let_go, f"natpinger may go on before its sipedge has let go: {events}")
    a.wait(lambda s: s["epoch"] == 2 and s["ready"], "to be ready again")


def two_hosts_of_one_name(net):
    site = Site(net, NAMES[:2])
    a, b = site.start()
    a.edge.put("binding:1", row(1, a.name))
    seen(b, {"binding:1": a.name}, "all")
    other = site.node("edge-a", folder="other", address="192.0.2.50").start()
    other.program.wait_line("failures CLUSTER another host calls itself edge-a too")
    other.edge.put("binding:5", row(5, other.name))
    status = other.status()
    lab.require(not status["ready"] and status["lease"] == "another host calls itself edge-a" and status["degraded"], f"{status}")
    lab.require(not other.edge.foreign and not any(event[0] == "lease" for event in other.pinger.events), "it decides something")
    lab.require(a.status()["ready"] and set(b.edge.foreign) == {"binding:1"}, f"{b.edge.foreign}")
    # The first one is gone: the other may be it.
    kill(a)
    other.wait_ready()
    lab.wait_until(lambda: "binding:5" in b.edge.foreign, lambda: f"{b.edge.foreign}")


def what_others_wrote_is_left_out(net):
    site = Site(net, NAMES[:2], peers=NAMES)
    a, b = site.start()
    a.edge.put("binding:1", row(1, a.name))
    seen(b, {"binding:1": a.name}, "all")
    a.edge.put("binding:2", {"flow": "none"})
    a.edge.put("binding:3", row(3, a.name))
    seen(b, {"binding:1": a.name, "binding:3": a.name}, "beside a record that is none")
    b.wait(lambda s: s.get("unreadable") == 1, "to count it")
    site.redis.ask("SET", "natkit:natkit:lease:edge-c", "garbage")
    site.redis.ask("SET", "natkit:natkit:lease:edge-x", "garbage")
    site.redis.ask("HSET", "natkit:natkit:owner:edge-c", "version", "2", "epoch", "7")
    b.wait(lambda s: any("newer natkit" in text for text in s["degraded"]), "to tell of a newer one")
    status = b.wait(lambda s: {one["node"]: one["live"] for one in s["nodes"]} == {"edge-a": True, "edge-c": True}, "to see that c lives")
    lab.require(status["ready"], f"{status}")


def many_clients(net):
    """NATKIT_LONG=1: a hundred thousand."""
    clients = 100_000 if os.environ.get("NATKIT_LONG") == "1" else 10_000
    site = Site(net, NAMES[:2])
    a, b = site.nodes
    for number in range(clients):
        a.edge.records[f"binding:{number:06}"] = row(number % 60_000, a.name)
    a.start().wait_ready(60)
    a.wait(lambda s: s["pending"] == 0 and s["unprotected_s"] == 0 and s["records"]["bindings"] == clients, "to have written them", 60)
    began = time.monotonic()
    b.start()
    lab.wait_until(lambda: len(b.edge.foreign) == clients and b.status()["ready"], lambda: f"{len(b.edge.foreign)}", 60)
    print(f"        a node joins {clients} clients in {time.monotonic() - began:.1f} s")
    kill(a)
    began = time.monotonic()
    lab.wait_until(lambda: len(b.edge.records) == clients, lambda: f"{len(b.edge.records)}", 90)
    print(f"        and has all of them {time.monotonic() - began:.1f} s after the other was killed, the lease included")


if __name__ == "__main__":
    lab.main(registrations_are_seen_at_the_others, what_ends_at_another_node, one_is_killed_and_comes_back, an_address_moves_and_moves_back, without_redis_each_keeps_what_it_has,
             cut_off_from_redis, one_that_stood_still, two_hosts_of_one_name, what_others_wrote_is_left_out, many_clients)
