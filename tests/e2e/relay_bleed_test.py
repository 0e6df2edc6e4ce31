#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""RTP bleed and injection, cell by cell: who may take over or listen to a stream, at which moment, under which source rule.

Modelled on the published matrices of RTP bleed. A cell is a call of its own: an attacker sends three packets to the leg of
the attacked party; `injected` are those that the other party hears, `leaked` is what the attacker then hears of the other
party. Both are zero but for the cells that ALLOWED names: there the rule by which mediarelay must take the first packet of a
party that it cannot tell from the attacker; or, of parties of which any port is heard, that packets come in and none go out.
Prints the matrix. Then come calls in which the party itself is heard and answered, whatever came before it (ROWS).
"""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from media import Edge, Peer, rtcp, rtp

# party: its address, how it is signalled, whether source_port_restriction holds
PARTIES = {
    "lan":             ("192.168.10.5", {"place": "lan"}, True),
    "wan exact":       ("203.0.113.50", {"place": "wan"}, True),
    "wan any port":    ("203.0.113.50", {"place": "wan"}, False),
    "far-end":         ("203.0.113.60", {"place": "far-end", "visible": "203.0.113.60"}, True),
    "far-end, range":  ("203.0.113.64", {"place": "far-end", "visible": "203.0.113.64"}, True),
}
ATTACKERS = {  # address (None: the party's own), whether it knows SSRC and sequence
    "other port":         (None, False),
    "other address":      ("203.0.113.99", False),
    "in the NAT range":   ("203.0.113.70", False),
    "on the LAN":         ("192.168.10.66", False),
    "right SSRC, port":   (None, True),
    "right SSRC, range":  ("203.0.113.70", True),
    "old endpoint":       ("old", False),
}
MOMENTS = ("before the first packet", "being adjusted", "during the call", "after re-INVITE", "muted, silent", "on hold, silent",
           "after rebinding", "after resuming")

# The first packet of a party whose port (or address of its site) is not known yet: whoever comes first from there is it.
FIRST = {"lan": ("other port", "right SSRC, port"), "wan any port": ("other port", "right SSRC, port"),
         "far-end": ("other port", "right SSRC, port"),
         "far-end, range": ("other port", "right SSRC, port", "in the NAT range", "right SSRC, range")}
# After 2 s of silence, whoever carries the stream on, from the same address or site. On hold silence says nothing.
REBIND = {"lan": ("right SSRC, port",), "wan any port": ("right SSRC, port",), "far-end": ("right SSRC, port",),
          "far-end, range": ("right SSRC, port", "right SSRC, range")}
ANY_PORT = ("lan", "wan any port")  # any port of the address is heard; one of them is sent to
ALLOWED = {}  # what must get through, and the rule
for party in ANY_PORT:
    for attacker in ("other port", "right SSRC, port"):
        for moment in MOMENTS:
            ALLOWED[party, moment, attacker] = ("heard", (3, 0))
    ALLOWED[party, "after rebinding", "old endpoint"] = ("exact", (3, 3))  # the signalled port sends again: it is the target
for party, attackers in FIRST.items():
    for attacker in attackers:
        learned = "latch" if party.startswith("far-end") else "port-learned"
        for moment in ("before the first packet", "after re-INVITE", "after resuming"):
            ALLOWED[party, moment, attacker] = (learned, (3, 3))
for party, attackers in REBIND.items():
    for attacker in attackers:
        ALLOWED[party, "muted, silent", attacker] = ("rebind", (3, 3))

SSRC, SPOKEN = 77, 5


class Cell:
    """One call, its attacked party P, its other party Q, and the attacker."""

    def __init__(self, hosts, control, party, moment, attacker):
        address, signalled, _ = PARTIES[party]
        self.name, self.control, self.moment = (party, moment, attacker), control, moment
        self.hosts, self.address, self.signalled = hosts, address, signalled
        self.p = self.peer(address)
        self.q = self.peer("203.0.113.51" if party == "lan" else "192.168.10.6")
        made = control.ask("relay", a={"party": self.party_of(self.p)}, b={"party": {"endpoint": self.q.endpoint}})
        self.leg, self.to_p, self.to_q = made["a"]["leg"], made["a"]["local"], made["b"]["local"]
        self.sent = 0
        where, self.knows = ATTACKERS[attacker]
        self.attacker = None if where == "old" else self.peer(where or address)

    def peer(self, address):
        return Peer(self.hosts["lan" if address.startswith("192.168.10.") else "wan"], address)

    def party_of(self, peer):
        return {**self.signalled, "endpoint": peer.endpoint}

    def speak(self, peer, count=SPOKEN):
        for _ in range(count):
            peer.speak(self.to_p, SSRC, b"party")
        self.sent += count
        self.settle()

    def settle(self):
        """Until mediarelay has decided on everything that was sent to the leg."""
        def decided():
            statistics = self.control.ask("show", leg=self.leg)["legs"][0]["statistics"]
            drops = sum(n for reason, n in statistics.get("drops", {}).items() if reason not in ("peer-unknown", "not-sent"))
            return statistics["received"]["packets"] + drops >= self.sent
        lab.wait_until(decided, f"{self.name}: {self.sent} packets decided on")

    def before_the_pause(self):
        if self.moment not in ("before the first packet", "being adjusted"):
            self.speak(self.p)
        if self.moment.startswith("on hold"):
            self.control.ask("update", leg=self.leg, hold=True)
        elif self.moment == "after resuming":
            self.control.ask("update", leg=self.leg, hold=True)
            self.control.ask("update", leg=self.leg, hold=False)

    def after_the_pause(self):
        old = self.p
        if self.moment == "during the call":
            self.speak(self.p)
        elif self.moment == "being adjusted":
            self.speak(self.p, 2)
        elif self.moment == "after rebinding":
            self.p = self.peer(self.address)
            self.p.sequence = old.sequence
            self.speak(self.p)
        elif self.moment == "after re-INVITE":
            self.p = self.peer(self.address)
            self.control.ask("update", leg=self.leg, party=self.party_of(self.p))
        if self.attacker is None:
            self.attacker = old

    def attack(self):
        """What got through: (injected, leaked)."""
        self.q.drain_now()
        self.attacker.drain_now()
        for n in range(3):
            packet = rtp(SPOKEN * 2 + n, SSRC, b"attack") if self.knows else rtp(n, 666, b"attack")
            self.attacker.send(self.to_p, packet)
        self.sent += 3
        self.settle()
        injected = sum(packet[12:18] == b"attack" for packet in self.q.drain_now())
        for n in range(3):
            self.q.send(self.to_q, rtp(n, 3, b"secret"))
        lab.wait_until(lambda: self.control.ask("show", leg=self.leg)["legs"][1]["statistics"]["received"]["packets"] >= 3,
                       f"{self.name}: the other party is relayed")
        leaked = sum(packet[12:18] == b"secret" for packet in self.attacker.drain_now())
        for peer in (self.p, self.q, self.attacker):
            peer.socket.close()
        return injected, leaked


def applies(party, moment, attacker):
    if moment == "after rebinding" and party == "wan exact":
        return False  # there is no rebinding
    return attacker != "old endpoint" or moment in ("after re-INVITE", "after rebinding")


def try_all(hosts, control, names):
    """What got through, by the cell's name; and the cells that took a second or more, as the machine stood still: with two seconds of silence a
    source may move, which nobody could tell from an attack."""
    cells = [Cell(hosts, control, *name) for name in names]
    for cell in cells:
        cell.before_the_pause()
    time.sleep(2.1)  # the silence after which a source may be rebound
    results, held_up = {}, set()
    for cell in cells:
        began = time.monotonic()
        cell.after_the_pause()
        results[cell.name] = cell.attack()
        if time.monotonic() - began >= 1:
            held_up.add(cell.name)
    return results, held_up


def judged(name, got):
    """What is wrong with that, in words."""
    rule, want = ALLOWED.get(name, ("", (0, 0)))
    if got == want:
        return ""
    return f"{', '.join(name)}: {got}, though {rule} should have made it {want}" if rule else \
        f"{', '.join(name)}: injected {got[0]}, leaked {got[1]}"


# --- calls that must be heard, whatever came before -------------------------------------------------------------------

class Call:
    """A far-end party that has not sent yet, a LAN party that has, and a stranger at the NAT's address."""

    def __init__(self, hosts, control, stream="rtp"):
        self.hosts, self.control = hosts, control
        self.phone, self.stranger = (Peer(hosts["wan"], "203.0.113.60") for _ in range(2))
        self.q = Peer(hosts["lan"], "192.168.10.6")
        made = control.ask("relay", stream=stream, a={"party": {"place": "far-end", "visible": "203.0.113.60", "endpoint": "10.0.0.2:4000"}},
                           b={"party": {"endpoint": self.q.endpoint}})
        self.leg, self.other, self.to_p, self.to_q = made["a"]["leg"], made["b"]["leg"], made["a"]["local"], made["b"]["local"]

    def heard(self, peer, packet):
        """Whether the other party hears the packet, within the time that any packet of this host takes."""
        self.q.drain_now()
        before = self.decided()
        peer.send(self.to_p, packet)
        lab.wait_until(lambda: self.decided() > before, "the packet is decided on")
        return packet in self.q.drain_now()

    def decided(self):
        statistics = self.control.ask("show", leg=self.leg)["legs"][0]["statistics"]
        return statistics["received"]["packets"] + sum(statistics.get("drops", {}).values())

    def says(self, peer=None, ssrc=SSRC):
        peer = peer or self.phone
        peer.sequence += 1
        return self.heard(peer, rtp(peer.sequence, ssrc, b"party"))

    def answered(self, peer=None):
        """Whether what the LAN party sends now arrives there."""
        peer = peer or self.phone
        peer.drain_now()
        self.q.send(self.to_q, rtp(1, 3, b"answer"))
        packet = peer.hear(1)
        return packet is not None and packet[12:18] == b"answer"

    def confirm(self):
        return all(self.says() for _ in range(4))


def empty_first(call):
    yield [("the stranger's empty packet holds the leg", call.heard(call.stranger, b"") and call.answered(call.stranger))]
    yield [("the phone's first packet is heard, and answered", call.says() and call.answered()),
           ("the stranger is not any more", not call.heard(call.stranger, b""))]


def dtls_first(call):
    yield [("its DTLS is heard, and answered", call.heard(call.phone, b"\x16\xfe\xfd" + bytes(60)) and call.answered())]
    yield [("so is its RTP, from the same port", call.confirm() and call.answered()),
           ("the stranger's is not", not call.says(call.stranger, 666))]


def rtcp_only(call):
    for leg in (call.leg, call.other):
        call.control.ask("update", leg=leg, mux=True)
    yield [("RTCP alone is heard, and answered", call.heard(call.phone, rtcp(SSRC)) and call.answered())]
    yield [("after a pause too", call.heard(call.phone, rtcp(SSRC)) and call.answered()),
           ("other RTCP is not", not call.heard(call.stranger, rtcp(666)))]


def two_streams_on_a_port(call):
    yield [("both are heard", all(call.says(ssrc=ssrc) for _ in range(4) for ssrc in (SSRC, SSRC + 1)))]
    yield [("and after a pause a third", call.says(ssrc=SSRC + 2) and call.answered())]


def mute(call):
    yield [("the phone is heard", call.confirm())]
    yield [("three packets of another stream take nothing over", not any(call.says(call.stranger, 666) for _ in range(3))),
           ("the fourth does", call.says(call.stranger, 666) and call.answered(call.stranger)),
           ("the phone takes its leg back with its first packet", call.says() and call.answered()),
           ("and the other one is refused for good", not any(call.says(call.stranger, 666) for _ in range(6)))]


def fax(call):
    yield [("the gateway is heard", call.heard(call.phone, b"\x00\x01udptl"))]
    yield [("after its silence another one may come", call.heard(call.stranger, b"\x00\x02udptl") and call.answered(call.stranger)),
           ("the gateway takes its leg back with any packet", call.heard(call.phone, b"\x00\x02udptl") and call.answered()),
           ("and the other one is refused for good", not call.heard(call.stranger, b"\x00\x03udptl"))]


def restarted(call):
    """The program is killed in the pause."""
    yield [("the phone is heard", call.confirm())]
    yield [("its place is kept", not any(call.says(call.stranger, 666) for _ in range(5)) and call.says() and call.answered())]


ROWS = {"empty keepalive first (RFC 6263)": empty_first, "DTLS first": dtls_first, "RTCP only": rtcp_only,
        "two SSRCs on a port": two_streams_on_a_port, "muted": mute, "T.38, one side silent": fax}


def rows(hosts, control, edge):
    calls = [(name, row(Call(hosts, control, "udp" if row is fax else "rtp"))) for name, row in ROWS.items()]
    wrong = []

    def step(some):
        for name, call in some:
            wrong.extend(f"{name}: not so: {what}" for what, holds in next(call) if not holds)

    step(calls)
    time.sleep(2.1)
    step(calls)
    killed = Call(hosts, control)
    last = [("killed", restarted(killed))]
    step(last)
    time.sleep(1.1)  # that a source is confirmed is journalled within a second
    edge.program.kill()
    killed.control = edge.serve().control("again")
    step(last)
    return wrong


def matrix(net):
    edge = Edge(net).serve()
    lan = net.host("lan").attach("eth0", edge.lan, "192.168.10.5/24", "192.168.10.6/24", "192.168.10.66/24").default_route("192.168.10.1")
    wan = net.host("wan").attach("eth0", edge.wan, *(f"203.0.113.{n}/24" for n in (50, 51, 60, 64, 70, 99)))
    wan.ip("route", "add", "192.168.10.0/24", "via", "203.0.113.10")
    hosts, control, results = {"lan": lan, "wan": wan}, edge.control(), {}
    for restricted in (True, False):
        if not restricted:
            edge.config.write_text(edge.config.read_text().replace("[media_proxy]\n", "[media_proxy]\nsource_port_restriction = false\n"))
            control.ask("reload")
        names = [(party, moment, attacker) for party, (_, _, wants) in PARTIES.items() if wants == restricted
                 for moment in MOMENTS for attacker in ATTACKERS if applies(party, moment, attacker)]
        got, held_up = try_all(hosts, control, names)
        results |= got
        if again := [name for name in held_up if judged(name, got[name])]:
            print(f"tried again: {[(name, got[name]) for name in again]}")
            results |= try_all(hosts, control, again)[0]
    wrong = [text for name, got in results.items() if (text := judged(name, got))] + rows(hosts, control, edge)
    for party in PARTIES:
        print(f"\n{party:<24}" + "".join(f"{a:>20}" for a in ATTACKERS))
        for moment in MOMENTS:
            row = [results.get((party, moment, a)) for a in ATTACKERS]
            text = ["-" if got is None else ALLOWED.get((party, moment, a), (f"{got[0]}/{got[1]}",))[0] for a, got in zip(ATTACKERS, row)]
            print(f"  {moment:<22}" + "".join(f"{t:>20}" for t in text))
    print(f"\n{len(results)} cells, injected/leaked; a rule's name where section 'Sources' of mediarelay(1) allows it")
    lab.require(not wrong, "\n".join(wrong))


if __name__ == "__main__":
    lab.main(matrix)
