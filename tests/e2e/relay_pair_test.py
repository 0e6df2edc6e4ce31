#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""Two mediarelays of a cluster: what the standby has of the active one's legs, and calls that go on when that one is gone, by every tier and
both families. What natkit-cluster does between them, this test does by itself."""
import os
import pathlib
import select
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from media import PROGRAM, Control, Peer, endpoint, rtp, talk
from ng_client import Client, sdp, streams

FAST = os.environ.get("NATKIT_TIER") == "fast"
SHARED = {"lan0": ("192.168.10.1/24", "fd00:10::1/64"), "wan0": ("203.0.113.10/24", "2001:db8::10/64")}
START_AGAIN = 75


class Node:
    """A host of the cluster with addresses of its own, and mediarelay on it."""

    def __init__(self, net, name, number, lan, wan):
        self.net, self.name = net, name
        self.host = net.host(name)
        self.host.attach("lan0", lan, f"192.168.10.{100 + number}/24", f"fd00:10::{100 + number}/64")
        self.host.attach("wan0", wan, f"203.0.113.{100 + number}/24", f"2001:db8::{100 + number}/64")
        folder = pathlib.Path(net.folder) / name
        folder.mkdir()
        self.pins = f"/run/bpf-{name}"
        if FAST:
            pathlib.Path(self.pins).mkdir(exist_ok=True)
            lab.sh("mount", "-t", "bpf", "bpf", self.pins)
            net.on_close(lambda: lab.sh("umount", self.pins))
        self.runtime, self.config = folder / "run", folder / "natkit.toml"
        (folder / "key").write_text("ab" * 32 + "\n")
        (folder / "key").chmod(0o600)
        self.config.write_text(f"""
[network]
lan = ["192.168.10.0/24", "fd00:10::/64"]
[media_proxy]
ports = "20000-20999"
log_level = "major"
{lab.tier_keys()}
[media_proxy.addresses]
lan = ["192.168.10.1", "fd00:10::1"]
wan = ["203.0.113.10", "2001:db8::10"]
[ng]
listen = ["udp:127.0.0.1:2223"]
[sip]
listen = ["udp:192.168.10.1:5060", "udp:203.0.113.10:5060"]
[cluster]
state = "redis://127.0.0.1:6379/0"
node = "{name}"
key = "{folder / 'key'}"
""")

    def serve(self):
        # What one pins is not the other's.
        wrapped = ["unshare", "--mount", "sh", "-c", f'mount --bind {self.pins} /sys/fs/bpf && exec "$0" "$@"'] if FAST else []
        self.program = self.host.start(self.name, *wrapped, PROGRAM, "serve", "--config", self.config, "--runtime", self.runtime)
        self.program.wait_line("serving on .*, as a standby")
        self.talk = Control(self.runtime / "mediarelay.sock", self.name)
        return self

    def become(self, role, epoch):
        self.talk.ask("role", role=role, epoch=epoch, node=self.name)
        lab.require(role == "standby" or self.talk.ask("status")["role"] == role, self.talk.ask("status"))
        return self

    def has_shared(self, there):
        for interface, addresses in SHARED.items():
            for address in addresses:
                self.host.ip("addr", "add" if there else "del", address, "dev", interface)

    def legs(self):
        return {leg["leg"]: leg for leg in self.talk.ask("list")["legs"]}

    def filters(self):
        return [i for i in SHARED if "natkit_flow" in lab.sh(*self.host.enter, "tc", "filter", "show", "dev", i, "ingress")]


class Copier:
    """What natkit-cluster is for: A's changes and all that A has, to B."""

    def __init__(self, a, b):
        self.b, self.seen = b, Control(a.runtime / "mediarelay.sock", "copier")
        self.seen.ask("watch", types=["replica"])
        replicas, page = [], {}
        while True:
            page = self.seen.ask("replicas", **({"after": page["next"]} if "next" in page else {}))
            replicas += page["replicas"]
            if "next" not in page:
                break
        refused = b.talk.ask("replica", records=replicas, whole="both", ahead_ms=0)["refused"]
        lab.require(not refused, refused)

    def copy(self):
        """What A has told so far; its answer comes behind that."""
        self.seen.ask("status")
        records = [{"key": r["key"], "record": r["record"]} for r in self.seen.records if r["type"] == "replica"]
        self.seen.records = []
        refused = self.b.talk.ask("replica", records=records)["refused"]
        lab.require(not refused, refused)
        return records


class Site:
    def __init__(self, net):
        self.net = net
        lan, wan = net.segment("lan"), net.segment("wan")
        self.phone = net.host("phone").attach("eth0", lan, "192.168.10.5/24", "fd00:10::5/64")
        self.peer = net.host("peer").attach("eth0", wan, "203.0.113.50/24", "2001:db8::50/64")
        self.nodes = [Node(net, name, number, lan, wan).serve() for number, name in enumerate(("a", "b"))]
        self.a, self.b = self.nodes
        self.a.has_shared(True)
        self.a.become("active", 1)
        self.copier = Copier(self.a, self.b)

    def calls(self):
        """By each pair of families; the WAN party is known by its address alone."""
        made = []
        for number, (phone, peer) in enumerate((("192.168.10.5", "203.0.113.50"), ("fd00:10::5", "2001:db8::50"), ("192.168.10.5", "2001:db8::50"))):
            a, b = Peer(self.phone, phone, 4000 + 10 * number), Peer(self.peer, peer, 6000 + 10 * number)
            legs = self.a.talk.ask("relay", call_id=f"call {number}", owner="edge", owner_state={"n": number}, a={"party": {"endpoint": a.endpoint}},
                                   b={"party": {"place": "far-end", "visible": peer}})
            made.append((a, legs["a"]["local"], b, legs["b"]["local"]))
            self.speak(made[-1], lambda: b.hear(0.01) and a.hear(0.01))
            talk_on(made[-1], 10)
        return made

    def speak(self, call, done, what="both to be heard"):
        """Until that holds: from far-end parties nothing is sent to them before they were heard."""
        a, to_a, b, to_b = call

        def once():
            a.speak(to_a, 1)
            b.speak(to_b, 2)
            return done()
        lab.wait_until(once, what)
        a.drain(), b.drain()

    def fast(self, node, calls, count):
        def once():
            for a, to_a, b, to_b in calls:
                a.speak(to_a, 1)
                b.speak(to_b, 2)
            return node.talk.ask("status")["fast_flows"] == count
        lab.wait_until(once, lambda: f"{count} flows on {node.name}: {node.talk.ask('status')}")
        for a, _, b, _ in calls:
            a.drain(), b.drain()

    def in_step(self):
        """The legs of both, once B has what A has, and each party is confirmed."""
        def same():
            self.copier.copy()
            legs = [{name: without_counts(leg) for name, leg in node.legs().items()} for node in self.nodes]
            confirmed = all("ssrc" in leg.get("latched", {}).get("rtp", {}) for leg in legs[0].values())
            return confirmed and legs[0] == legs[1] and legs
        return lab.wait_until(same, lambda: f"{self.b.legs()} to be {self.a.legs()}")

    def fail_over(self):
        """A is gone, and B has its addresses, which is told to the neighbours as keepalived does."""
        self.a.program.kill()
        self.a.has_shared(False)
        self.b.has_shared(True)
        for host in (self.phone, self.peer):
            host.ip("neigh", "flush", "all")


def talk_on(call, rounds):
    """As talk(), of parties that have talked before: all that is said is heard, and with the SSRCs of before."""
    a, to_a, b, to_b = call
    for _ in range(rounds):
        a.speak(to_a, 1)
        b.speak(to_b, 2)
    for ear in (a, b):
        heard = ear.drain(rounds)
        lab.require(len(heard) == rounds, f"{ear.endpoint} heard {len(heard)} of {rounds}")


def silent(calls):
    """Both speak, and nobody hears anything."""
    for a, to_a, b, to_b in calls:
        a.speak(to_a, 1)
        b.speak(to_b, 2)
    return all(peer.hear(0.1) is None for a, _, b, _ in calls for peer in (a, b))


def without_counts(leg):
    return {key: value for key, value in leg.items() if key not in ("statistics", "audio")}


def calls_go_on(net):
    site = Site(net)
    a, b = site.a, site.b
    calls = site.calls()
    lab.require(b.talk.ask("status")["role"] == "standby" and not b.legs(), "the standby has what nobody gave it")
    lab.require(site.copier.copy(), "nothing was told")
    if FAST:
        site.fast(a, calls, 6)
    site.copier.copy()
    before, held = site.in_step()
    # Of a standby nothing is to be had.
    for command, more in (("open", {"side": "wan"}), ("reserve", {"side": "wan"}), ("free", {"call_id": "call 0"}), ("claim", {"owner": "edge"}),
                          ("update", {"leg": next(iter(held)), "hold": True}), ("join", {"a": "x", "b": "y"}), ("part", {"leg": "x"}), ("relay", {})):
        lab.require(b.talk.refused(command, **more)["code"] == "refused", command)
    lab.require(a.talk.refused("replica", records=[])["code"] == "refused", "the active node takes replicas")

    site.fail_over()
    lab.require(silent(calls), "a standby that has the address sends")
    lab.require(b.talk.ask("status")["fast_flows"] == 0, "a standby forwards")
    b.become("active", 2)
    for call in calls:
        talk_on(call, 10)
    after = b.legs()
    for name, leg in after.items():
        for key in ("local", "party", "joined", "latched", "owner", "owner_state", "call_id", "opened_ms", "state"):
            lab.require(leg.get(key) == before[name].get(key), f"{key} of leg {name}: {before[name].get(key)} became {leg.get(key)}")
    # The latches are as before; where the known stream comes from another port by now, that counts at once.
    phone, to_phone, peer, to_peer = calls[0]
    stranger = Peer(site.peer, "203.0.113.50")
    stranger.send(to_peer, rtp(1, 77))
    leg = next(name for name, each in after.items() if each["local"] == to_peer)
    lab.wait_until(lambda: b.talk.ask("show", leg=leg)["legs"][0]["statistics"].get("drops", {}).get("wrong-port"), "the stranger to be refused")
    lab.require(b.talk.ask("claim", owner="edge")["legs"] == 6, "an owner's legs")
    if FAST:
        site.fast(b, calls, 6)
        lab.require(len(b.filters()) == 2, f"filters: {b.filters()}")

    b.talk.ask("role", role="standby", epoch=3, node="b")
    lab.require(silent(calls), "it sends on")
    lab.require(b.program.wait_exit() == START_AGAIN, b.program.process.returncode)
    lab.require(not b.filters(), f"filters are left: {b.filters()}")


def a_stream_that_moved_meanwhile(net):
    """The last thing that A heard of a phone's port did not reach B."""
    site = Site(net)
    call = site.calls()[0]
    site.copier.copy()
    site.in_step()
    phone, to_phone, peer, to_peer = call
    site.fail_over()
    site.b.become("active", 2)
    moved = Peer(site.peer, "203.0.113.50", 6666)
    moved.sequence = peer.sequence + 5000
    moved.speak(to_peer, 2)
    lab.require(phone.hear() is not None, "its first packet from another port is not relayed")
    phone.speak(to_phone, 1)
    lab.require(moved.hear() is not None, "nothing is sent to where it is now")
    peer.drain()
    phone.speak(to_phone, 1)
    lab.require(peer.hear(0.1) is None, "something is sent to where it was")


def a_standby_that_begins(net):
    """What an earlier process has left in journal and kernel: the legs are held, nothing of them is sent or forwarded. Then all that the other
    node has is given, and no more is left."""
    site = Site(net)
    calls = site.calls()
    if FAST:
        site.fast(site.a, calls, 6)
    site.copier.copy()
    site.a.program.kill()
    site.a.serve()  # nobody has told it anything by now
    lab.require(len(site.a.legs()) == 6, site.a.legs())
    lab.require(silent(calls), "it sends what nobody told it to")
    lab.require(site.a.talk.ask("status")["fast_flows"] == 0, "it forwards")
    kept = {"key": "leg:" + next(iter(site.a.legs())), "record": None}
    told = site.a.talk.ask("replica", records=[kept, {"key": "leg:7", "record": 1}, {"key": "binding:7", "record": None}, 5], whole="both")
    lab.require([each["key"] for each in told["refused"]] == ["leg:7", "binding:7", ""], told)
    lab.require(not site.a.legs() and site.a.talk.ask("status")["ports_in_use"] == 0, site.a.talk.ask("status"))
    members = set(site.a.talk.ask("replica-members")["leg"])
    lab.require({"leg", "local", "latched", "owner_state"} <= members, members)


def an_address_that_goes(net):
    """From an address that this host does not have any more nothing is sent, another one has it by now; no leg ends by that."""
    site = Site(net)
    calls = site.calls()
    if FAST:
        site.fast(site.a, calls, 6)
    for address in SHARED["wan0"]:
        site.a.host.ip("addr", "del", address, "dev", "wan0")

    def unheard():
        for a, to_a, b, _ in calls:
            b.drain_now()
            a.speak(to_a, 1)
        return all(b.hear(0.1) is None for _, _, b, _ in calls)
    lab.within(2, unheard, "nothing to be sent from an address that is gone")
    lab.require(site.a.talk.ask("status")["fast_flows"] == 0, "the kernel sends from there")
    for leg in site.a.legs().values():
        if leg["side"] == "lan":
            lab.require(leg["statistics"]["drops"].get("not-sent"), leg)
    for address in SHARED["wan0"]:
        site.a.host.ip("addr", "add", address, "dev", "wan0")
    site.peer.ip("neigh", "flush", "all")
    for call in calls:
        site.speak(call, lambda call=call: call[2].hear(0.02) and call[0].hear(0.02), "audio again")
        talk_on(call, 5)
    if FAST:
        site.fast(site.a, calls, 6)


def connections(net):
    """TCP media: connections end with their node, and parties that connect again meet at the other one. Who comes too early is not refused."""
    site = Site(net)
    legs = site.a.talk.ask("relay", stream="tcp", a={"party": {"endpoint": "192.168.10.5:9", "setup": "active"}},
                           b={"party": {"endpoint": "203.0.113.50:9", "setup": "active"}})
    site.copier.copy()
    site.fail_over()
    ends = []
    for host, name in ((site.phone, "a"), (site.peer, "b")):
        end = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        end.setblocking(False)
        end.connect_ex(endpoint(legs[name]["local"]))
        net.close_at_end(end)
        ends.append(end)
    lab.require(select.select([], ends, [], 0.3)[1] == [], "a standby accepts or refuses connections")
    site.b.become("active", 2)
    for end in ends:
        end.settimeout(lab.PATIENCE)
        lab.require(select.select([], [end], [], lab.PATIENCE)[1] and end.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0, "not connected")
    ends[0].sendall(b"from a")
    lab.require(ends[1].recv(100) == b"from a", "other bytes")
    ends[1].sendall(b"from b")
    lab.require(ends[0].recv(100) == b"from b", "other bytes")


def calls_of_a_proxy(net):
    """What a proxy set up by the ng protocol with one node it goes on with at the other."""
    site = Site(net)
    ng = {node: Client(node.host) for node in site.nodes}

    def ask(node, command, **more):
        return ng[node].ask({"command": command, "call-id": "x", "from-tag": "f", **more})
    offer = {"sdp": sdp("192.168.10.5", "audio 4000"), "received-from": ["IP4", "192.168.10.5"]}
    answer = {"sdp": sdp("203.0.113.50", "audio 6000"), "received-from": ["IP4", "203.0.113.50"], "to-tag": "t"}
    # A proxy takes the other node for a call, and knows that this one is there.
    lab.require(ask(site.b, "ping")["result"] == "pong", "the standby is not there")
    for command in ("offer", "answer", "delete", "query"):
        said = ask(site.b, command, **(offer if command == "offer" else answer))
        lab.require(said == {"result": "error", "error-reason": "Parallel session limit reached"}, said)
    said = ask(site.b, "offer", supports=["load limit"], **offer)
    lab.require(said == {"result": "load limit", "message": "this node is the standby"}, said)

    offered = ask(site.a, "offer", **offer)
    lab.require(offered["result"] == "ok", offered)
    site.copier.copy()
    site.fail_over()
    site.b.become("active", 2)
    answered = ask(site.b, "answer", **answer)
    lab.require(answered["result"] == "ok", answered)
    a, b = Peer(site.phone, "192.168.10.5", 4000), Peer(site.peer, "203.0.113.50", 6000)
    to_a, to_b = ("%s:%s" % streams(said["sdp"])[0].endpoint for said in (answered, offered))
    talk(a, to_a, b, to_b, 5)
    deleted = ask(site.b, "delete")
    lab.require(deleted["result"] == "ok" and "warning" not in deleted, deleted)
    lab.require(not site.b.legs(), "legs are left")


if __name__ == "__main__":
    if FAST:
        lab.skip_without_true_root("e2e.relay_pair")
    lab.main(calls_go_on, a_stream_that_moved_meanwhile, a_standby_that_begins, an_address_that_goes, connections, calls_of_a_proxy)
