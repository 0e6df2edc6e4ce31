#!/usr/bin/env python3
"""Two edges, both active, with a real Redis: calls across them with one relay, forks across, and what happens to clients and calls when one
of them dies, its address moves, it comes back, or Redis is away."""
# ctest: serial timeout 900
import json
import os
import pathlib
import re
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media
import phones
import raw_calls
import raw_sip
import several


class EdgeOfBoth(several.Edge):
    """With an address of IPv6 too."""

    def __init__(self, site, letter, number):
        super().__init__(site, letter, number)
        self.wan6 = f"2001:db8::{number}"
        self.edge.ip("addr", "add", f"{self.wan6}/64", "dev", "wan0", "nodad")

    def of_its_own(self):
        own = super().of_its_own()
        own["sip"]["listen"] = json.dumps(json.loads(own["sip"]["listen"]) + several.listening(f"[{self.wan6}]"))
        own["media_proxy.addresses"]["wan"] = f'["{self.wan}", "{self.wan6}"]'
        return own


class SeveralOfBoth(several.Several):
    node = EdgeOfBoth


def hear_each_other(people, what):
    people.wait_audio(what)
    lab.require(not people.strays, f"{what}: media in the wrong call: {people.strays[:3]}")


def outer(phone):
    """The address that a phone behind a NAT is seen by."""
    return re.search(r" (203\.0\.113\.\d+)/", phone.host.nat.ip("-br", "addr"))[1]


def each_way(site, people, caller, callee, relays):
    """A call with media through one edge alone, held, resumed and ended from either end."""
    for ends in (caller, callee):
        people.connect(caller, callee)
        hear_each_other(people, f"{caller.user} calls {callee.user}")
        site.wait_legs(**relays)
        for phone in (caller, callee):
            phone.hold()
            phone.reinvite()
            hear_each_other(people, f"{phone.user} has resumed")
        site.wait_legs(**relays)
        people.end(ends)
        site.wait_legs(a=0, b=0)


def calls_across(net):
    site = several.Several(net).start()
    a, b = site.a, site.b
    with several.People() as people:
        far_a, far_b = people.at(a, site.home_host(), "far-a"), people.at(b, site.home_host(), "far-b")
        wan_a, lan_b = people.at(a, site.wan_host(), "wan-a"), people.at(b, site.lan_host(), "lan-b")
        site.wait_known(2, 2)
        # The callee's edge has the relay.
        for caller, callee, relays in ((far_a, far_b, {"a": 0, "b": 2}), (far_b, far_a, {"a": 2, "b": 0}), (wan_a, far_b, {"a": 0, "b": 2}),
                                       (far_b, wan_a, {"a": 2, "b": 0}), (wan_a, lan_b, {"a": 0, "b": 2}), (lan_b, far_a, {"a": 2, "b": 0})):
            each_way(site, people, caller, callee, relays)
        people.connect(far_a, far_b)
        hear_each_other(people, "a call to be looked at")
        told = b.calls()
        lab.require(len(told) == 1 and told[0]["relayed_streams"] == 1, f"{told}")
        source = told[0]["a"]["source"]
        lab.require(source.startswith(f"{outer(far_a)}:"), f"the callee's edge takes the caller for {source}")
        lab.require(not any(call.get("relayed_streams") for call in a.calls()), f"{a.calls()}")
        people.end(far_a)
        # Neighbours at one edge are called as ever, beside all that.
        each_way(site, people, wan_a, far_a, {"a": 2, "b": 0})
    for edge in (a, b):
        lab.require(not edge.status().get("degraded"), f"{edge.status()}")


def told_in(text, family):
    """Where a description sends media to, which is an address of that family."""
    body = text.partition("\r\n\r\n")[2]
    address = re.search(rf"c=IN {family} (\S+)", body)
    lab.require(address, f"not {family}: {body}")
    port = re.search(r"m=audio (\d+)", body)[1]
    return f"[{address[1]}]:{port}" if family == "IP6" else f"{address[1]}:{port}"


def family_of(party):
    return "IP6" if party.own.startswith("[") else "IP4"


def scripted_call(site, ears, caller, callee, relays):
    """With media both ways, a request from the callee's end, and the caller's BYE."""
    call_id = f"{caller.user}-{callee.user}"
    target, headers, to, came, final = raw_calls.set_up(caller, callee, call_id)
    site.wait_legs(**relays)
    ways = ((caller, callee, told_in(final, family_of(caller))), (callee, caller, told_in(came, family_of(callee))))
    heard = set()

    def both_hear():
        for sender, receiver, where in ways:
            ears[sender].speak(where, payload=sender.user.encode())
            heard.update((sender, receiver) for packet in ears[receiver].drain_now() if sender.user.encode() in packet)
        return len(heard) == len(ways)
    lab.wait_until(both_hear, lambda: f"{call_id}: {len(heard)} of {len(ways)} directions are heard")
    raw_calls.exchange(callee, caller, raw_calls.from_callee(callee, came, "INFO", 5))
    raw_calls.exchange(caller, callee, caller.request("BYE", target, to=to, call_id=call_id, cseq=2, headers=headers))
    site.wait_legs(a=0, b=0)
    for party in ears:
        party.forget()


def by_ipv6_and_between_families(net):
    """On the public network no relay is needed within a family; between them the callee's edge has it."""
    site = SeveralOfBoth(net).start()
    sixes = []
    for number, (user, edge) in enumerate((("six-a", site.a), ("six-b", site.b)), 50):
        host = site.wan_host()
        host.ip("addr", "add", f"2001:db8::{number}/64", "dev", "eth0", "nodad")
        sixes.append(raw_calls.registered(host, user, f"[{edge.wan6}]:5060", own=f"2001:db8::{number}"))
    six_a, six_b = sixes
    far_a, far_b = (raw_calls.registered(site.home_host(), user, edge.wan) for user, edge in (("far-a", site.a), ("far-b", site.b)))
    site.wait_known(2, 2)
    ears = {party: media.Peer(party.host, party.own.strip("[]"), 4000) for party in (six_a, six_b, far_a, far_b)}
    for caller, callee, relays in ((six_a, six_b, {"a": 0, "b": 0}), (six_a, far_b, {"a": 0, "b": 2}), (far_b, six_a, {"a": 2, "b": 0}),
                                   (far_a, six_b, {"a": 0, "b": 2}), (six_b, far_a, {"a": 2, "b": 0})):
        scripted_call(site, ears, caller, callee, relays)


def real_phones(net):
    """Two baresips, each behind a NAT at an edge of its own."""
    site = several.Several(net).start()
    alice = phones.Baresip(site.home_host(), "alice", f"{site.a.wan}:5060", tone=440)
    bob = phones.Baresip(site.home_host(), "bob", f"{site.b.wan}:5060", tone=600)
    site.wait_known(1, 1)
    for caller, callee, relays in ((alice, bob, {"a": 0, "b": 2}), (bob, alice, {"a": 2, "b": 0})):
        phones.call(caller, callee)
        phones.more_audio(caller, callee)
        site.wait_legs(**relays)
        phones.hold_and_resume(caller, callee, site.on_wan)
        phones.hold_and_resume(callee, caller, site.on_wan)
        phones.hang_up(callee, caller)
        site.wait_legs(a=0, b=0)


def forks_across(net):
    """One user at both edges: both ring, whoever answers first has the call, the other stops."""
    site = several.Several(net).start()
    a, b = site.a, site.b
    desk, sofa = (raw_sip.Party(site.home_host(), edge.wan, user="carol") for edge in (a, b))
    for name, phone in (("desk", desk), ("sofa", sofa)):
        phone.user = name  # its tags and Call-IDs are its own
        lab.require(phone.register().startswith("SIP/2.0 200"), f"{name} does not register")
    caller = raw_calls.registered(site.wan_host(), "wendy", a.wan)
    site.wait_known(2, 1)
    for number, (answers, rings, relays) in enumerate(((desk, sofa, {"a": 2, "b": 0}), (sofa, desk, {"a": 0, "b": 2}))):
        call_id = f"fork-{number}"
        invite = caller.request("INVITE", "sip:carol@example.com", call_id=call_id, body=caller.sdp())
        caller.send(invite)
        at = {phone: phone.wait("INVITE ") for phone in (desk, sofa)}
        for phone in at:
            phone.answer(at[phone], 180)
        answers.answer(at[answers], 200, body=answers.sdp())
        final = caller.wait(r"SIP/2\.0 200")
        cancel = rings.wait("CANCEL ")
        rings.answer(cancel, 200)
        rings.answer(at[rings], 487)
        rings.wait("ACK ")
        target, routes, to = raw_calls.dialog_of(invite, final)
        headers = [f"Route: {route}" for route in routes]
        caller.send(caller.request("ACK", target, to=to, call_id=call_id, headers=headers))
        answers.wait("ACK ")
        site.wait_legs(**relays)
        answers.send(raw_calls.from_callee(answers, at[answers], "BYE", 2))
        caller.answer(caller.wait("BYE "), 200)
        answers.wait(r"SIP/2\.0 200")
        site.wait_legs(a=0, b=0)
        for party in (caller, desk, sofa):
            party.forget()


def over_tcp(net):
    """A client on a connection to the other edge is called, and calls."""
    site = several.Several(net).start()
    tom = raw_calls.registered(site.wan_host(), "tom", site.b.wan, kind=raw_sip.StreamParty)
    wendy = raw_calls.registered(site.home_host(), "wendy", site.a.wan)
    site.wait_known(1, 1)
    for caller, callee in ((wendy, tom), (tom, wendy)):
        call_id = f"tcp-{caller.user}"
        target, headers, to, came = raw_calls.established(caller, callee, call_id)
        raw_calls.exchange(callee, caller, raw_calls.from_callee(callee, came, "INFO", 5))
        raw_calls.exchange(caller, callee, caller.request("BYE", target, to=to, call_id=call_id, cseq=2, headers=headers))
    site.wait_legs(a=0, b=0)


def a_dialog_finds_its_edge(net):
    """A request in a dialog that comes to the other edge goes to the one whose token it has; what has no proof is no edge."""
    site = several.Several(net).start()
    wendy = raw_calls.registered(site.wan_host(), "wendy", site.a.wan)
    bob = raw_calls.registered(site.home_host(), "bob", site.a.wan)
    site.wait_known(2, 0)
    target, headers, to, _ = raw_calls.established(wendy, bob, "astray")
    wendy.edge = site.b.wan
    raw_calls.exchange(wendy, bob, wendy.request("INFO", target, to=to, call_id="astray", cseq=2, headers=headers))
    # The peer listener answers nobody who has no token.
    stranger = raw_sip.Party(site.redis_host, f"10.9.0.2:{several.PEER_PORT}", user="eve")
    invite = stranger.request("INVITE", bob.aor, body=stranger.sdp())
    for text in (invite, invite.replace("Max-Forwards", "Natkit-Peer: AAAA\r\nMax-Forwards"), stranger.request("OPTIONS", bob.aor)):
        stranger.send(text)
    stranger.silence(1.5)
    bob.silence(0.2)


def sipedge_dies_and_the_file_is_read_again(net):
    """The address for the other edges is natkit's: a sipedge that starts anew has it again, and so has one that gets other sockets."""
    site = several.Several(net).start()
    wendy = raw_calls.registered(site.wan_host(), "wendy", site.a.wan)
    bob = raw_calls.registered(site.home_host(), "bob", site.b.wan)
    site.wait_known(1, 1)
    target, headers, to, came = raw_calls.established(wendy, bob, "steady")
    site.wait_legs(a=0, b=2)

    def passes(number):
        raw_calls.exchange(wendy, bob, wendy.request("INFO", target, to=to, call_id="steady", cseq=number, headers=headers))
        raw_calls.exchange(bob, wendy, raw_calls.from_callee(bob, came, "INFO", number))

    for number, edge in enumerate((site.a, site.b), 2):
        edge.kill_worker("sipedge")
        edge.wait_up()
        site.wait_known(1, 1)
        passes(number)
        more = edge.config.read_text().replace(f'"udp:{edge.lan}:5060"', f'"udp:{edge.lan}:5060", "udp:{edge.lan}:5062"')
        edge.config.write_text(more)
        edge.command("reload")
        passes(number + 10)
    site.wait_known(1, 1)
    raw_calls.exchange(bob, wendy, raw_calls.from_callee(bob, came, "BYE", 20))
    site.wait_legs(a=0, b=0)


def who_registers_and_unregisters_at_the_other_edge(net):
    """The newest registration counts, for however short it is; and who unregisters is called nowhere, whichever edge heard of it."""
    site = several.Several(net).start()
    wendy = raw_calls.registered(site.wan_host(), "wendy", site.a.wan)
    bob = raw_calls.registered(site.wan_host(), "bob", site.a.wan)
    site.wait_known(2, 0)

    def calls_him(number):
        wendy.send(wendy.request("INVITE", bob.aor, call_id=f"call-{number}", body=wendy.sdp()))
        bob.answer(bob.wait("INVITE "), 486)
        wendy.wait(r"SIP/2\.0 486")

    def calls_nobody(number):
        status = wendy.status(wendy.request("INVITE", bob.aor, call_id=f"call-{number}", body=wendy.sdp()))
        lab.require(status == 404, f"call {number}: {status}")

    def register(edge, call_id, cseq, expires):
        bob.edge = edge.wan
        answer = bob.ask(bob.request("REGISTER", "sip:example.com", to=f"<{bob.aor}>", call_id=call_id, cseq=cseq, headers=[f"Expires: {expires}"]))
        lab.require(answer.startswith("SIP/2.0 200") and ("Contact:" in answer) == (expires > 0), f"{answer}")

    # The phone was started anew, and wants less than before.
    register(site.b, "anew", 1, 120)
    site.wait_known(1, 1)
    calls_him(1)
    register(site.a, "anew", 2, 0)
    site.wait_known(1, 0)
    calls_nobody(2)
    # With another Call-ID, as phones do that clear what they had before.
    register(site.a, "again", 1, 600)
    site.wait_known(2, 0)
    register(site.b, "cleared", 1, 0)
    site.wait_known(1, 0)
    calls_nobody(3)
    register(site.b, "cleared", 2, 600)
    site.wait_known(1, 1)
    calls_him(4)


def the_examples(net):
    """Both edges of the example are without a mistake, and say the same of each other."""
    site, examples = several.Several(net), lab.SOURCE / "tools/natkit/examples"
    for edge in (site.a, site.b):
        for name in ("cluster/edge-a.toml", "cluster/edge-b.toml", "sites/users.htdigest"):
            shutil.copy(examples / name, edge.folder)
        key = edge.folder / "cluster.key"
        key.write_text(site.key + "\n")
        key.chmod(0o600)
        done = edge.edge.run(lab.PROGRAMS / "natkit", "check", "--config", edge.folder / f"{edge.name}.toml")
        lab.require(done.returncode == 0 and not done.stderr, f"natkit check of {edge.name}: {done}")
    texts = [(examples / f"cluster/edge-{letter}.toml").read_text() for letter in "ab"]
    lab.require(len({text.partition("[cluster.peers]")[2] for text in texts}) == 1, "the edges do not know each other alike")


# --- an edge dies


def check_pings(site, taps, clients, address, edge, silent, what):
    """So many clients are pinged from this address by this edge, and by the other one nobody is from there."""
    since = time.time()
    lab.wait_until(lambda: len({d.destination for d in several.pings_of(taps[edge.name], address, since)}) >= clients,
                   f"{what}: pings of {edge.name} from {address} to {clients} clients")
    lab.require(not several.pings_of(taps[silent.name], address, since), f"{what}: {silent.name} pings from {address} too")


def site_of_calls(net, people):
    """Two clients behind NATs at each edge, one on the WAN at edge-a, and a tap at each edge."""
    site = several.Several(net).start()
    site.taps = {edge.name: net.tap(edge.edge) for edge in (site.a, site.b)}
    site.far_a = [people.at(site.a, site.home_host(), f"a{i}") for i in range(2)]
    site.far_b = [people.at(site.b, site.home_host(), f"b{i}") for i in range(2)]
    site.near_a = people.at(site.a, site.wan_host(), "near-a")
    site.wait_known(3, 2)
    return site


def an_edge_dies_and_its_clients_register_elsewhere(net):
    """A call whose relay was there ends, another one goes on; who is behind a NAT can be called again when it registers; who is not has an
    heir."""
    with several.People() as people:
        site = site_of_calls(net, people)
        a, b = site.a, site.b
        kept = people.connect(*site.far_b)
        lost = (site.far_a[0], site.far_a[1])
        people.connect(*lost)
        hear_each_other(people, "before")
        a.die()
        people.calls.remove(lost)
        for phone in lost:  # what was in the air may still come
            phone.call_id, phone.media_to, phone.routes = None, None, []
        people.wait_audio("the call of the other edge")
        # The lease is over: near-a is reached from anywhere, those behind NATs from the address they know alone.
        lab.wait_until(lambda: b.knows(own=3, foreign=0, nobody=2), lambda: f"the heir to know: {b.cluster()}")
        people.end(kept[0])
        people.connect(site.far_b[0], site.near_a)
        hear_each_other(people, "the heir's client is called")
        people.end(site.far_b[0])
        status, _, _ = site.far_b[0].request("INVITE", f"sip:{lost[0].user}@example.com", f"<sip:{lost[0].user}@example.com>", "", site.far_b[0].sdp())
        lab.require(status in (404, 430, 480), f"a client of nobody is called: {status}")
        for phone in lost:
            several.move(phone, b)
        lab.wait_until(lambda: b.knows(own=5, nobody=0), lambda: f"all to be at the other edge: {b.cluster()}")
        people.connect(site.far_b[0], lost[0])
        people.connect(lost[1], site.far_b[1])
        hear_each_other(people, "registered elsewhere")
        # It comes back. Its heir's client is the one's or the other's, and called either way; it registers where it always has.
        a.come_back()
        site.wait_ready()
        lab.wait_until(lambda: a.clients()["own"] + b.clients()["own"] == 5 and a.knows(foreign=b.clients()["own"], nobody=0),
                       lambda: f"each client to be one edge's: {a.cluster()}, {b.cluster()}")
        site.near_a.register()
        site.wait_known(1, 4)
        hear_each_other(people, "the first edge is back")
        check_pings(site, site.taps, 4, b.wan, b, a, "the first edge is back")


def an_address_moves(net):
    """Whoever has the address that clients behind NATs know has these clients, at once, and gives them back with it."""
    with several.People() as people:
        site = site_of_calls(net, people)
        a, b = site.a, site.b
        check_pings(site, site.taps, 2, a.wan, a, b, "before")
        a.die()
        b.take(a.wan)
        began = time.monotonic()
        lab.wait_until(lambda: b.knows(own=5, foreign=0, nobody=0), lambda: f"all to be taken: {b.cluster()}")
        print(f"        its clients were taken after {time.monotonic() - began:.1f} s")
        check_pings(site, site.taps, 2, a.wan, b, a, "the address has moved")
        people.connect(site.far_b[0], site.far_a[0])
        people.connect(site.far_a[1], site.near_a)
        hear_each_other(people, "the address has moved")
        # They renew at the address they know.
        for phone in site.far_a:
            phone.register()
        lab.require(b.knows(own=5, foreign=0), f"{b.cluster()}")
        for phone in (site.far_b[0], site.far_a[1]):
            people.end(phone)
        # The host is back, and its address too.
        b.drop(a.wan)
        a.connect()
        a.announce(a.wan)
        a.run()
        site.wait_known(3, 2, 60)
        check_pings(site, site.taps, 2, a.wan, a, b, "taken back")
        people.connect(site.far_b[0], site.far_a[0])
        hear_each_other(people, "taken back")


def an_edge_stands_still(net):
    """All of its processes at once, for longer than its lease, while its address moves: once they go on, it serves and pings nobody before it has
    read what the other one has."""
    with several.People() as people:
        site = site_of_calls(net, people)
        a, b = site.a, site.b
        stood = a.processes()
        for pid in stood:
            os.kill(pid, signal.SIGSTOP)
        a.drop(a.wan)
        b.take(a.wan)
        lab.wait_until(lambda: b.knows(own=5, foreign=0, nobody=0), lambda: f"all to be taken: {b.cluster()}")
        check_pings(site, site.taps, 2, a.wan, b, a, "one stands still")
        people.connect(site.far_b[0], site.far_a[0])
        hear_each_other(people, "one stands still")
        since = time.time()
        for pid in stood:
            os.kill(pid, signal.SIGCONT)
        site.wait_ready()
        site.wait_known(0, 5)
        check_pings(site, site.taps, 2, a.wan, b, a, "it goes on, without its address")
        lab.require(not several.pings_of(site.taps[a.name], a.wan, since), "whoever stood still pings at once")
        lab.require(a.processes() == stood, f"{stood} became {a.processes()}")
        hear_each_other(people, "it goes on, without its address")
        people.end(site.far_b[0])
        b.drop(a.wan)
        a.take(a.wan)
        site.wait_known(3, 2)
        check_pings(site, site.taps, 2, a.wan, a, b, "its address is back")
        people.connect(site.far_b[0], site.far_a[0])
        hear_each_other(people, "its address is back")


def keepalived_moves_it(net):
    """One address a node, by the example's configuration."""
    with several.People() as people:
        site = site_of_calls(net, people)
        a, b = site.a, site.b
        for edge in (a, b):
            edge.flush()
            edge.start_keepalived()
        lab.wait_until(lambda: a.has(a.wan) and b.has(b.wan), "each to have its address")
        site.wait_known(3, 2)
        a.die()
        lab.wait_until(lambda: b.has(a.wan), "the address to move")
        lab.wait_until(lambda: b.knows(own=5, foreign=0), lambda: f"all to be taken: {b.cluster()}")
        people.connect(site.far_b[0], site.far_a[0])
        hear_each_other(people, "the address has moved")
        people.end(site.far_b[0])
        a.connect()
        a.flush()
        a.run()
        a.start_keepalived()
        lab.wait_until(lambda: a.has(a.wan) and not b.has(a.wan), "the address to return", 60)
        site.wait_known(3, 2, 60)
        people.connect(site.far_b[0], site.far_a[0])
        hear_each_other(people, "taken back")


def redis_is_away(net):
    """Calls across go on with what is known; nobody inherits; and all is as before when it is back, though it has forgotten everything."""
    with several.People() as people:
        site = site_of_calls(net, people)
        a, b = site.a, site.b
        people.connect(site.far_b[0], site.far_a[0])
        hear_each_other(people, "before")
        site.redis.kill()
        lab.wait_until(lambda: not any(edge.is_ready() for edge in (a, b)), "both to be without leases")
        people.connect(site.far_a[1], site.far_b[1])
        for call in people.calls:
            call[0].reinvite()
        hear_each_other(people, "without Redis")
        check_pings(site, site.taps, 2, a.wan, a, b, "without Redis")
        told = [edge.clients() for edge in (a, b)]
        lab.require([(t["own"], t["foreign"]) for t in told] == [(3, 2), (2, 3)], f"without Redis: {told}")
        site.start_redis()
        site.wait_ready(seconds=60)
        site.wait_known(3, 2)
        hear_each_other(people, "Redis is back")
        # A dead edge has no heir while Redis cannot say that it is dead.
        site.redis.kill()
        lab.wait_until(lambda: not b.is_ready(), "the lease to be over")
        a.die()
        b.take(a.wan)
        since = b.ask("natkit-cluster", "status")["uptime_s"]
        lab.wait_until(lambda: b.ask("natkit-cluster", "status")["uptime_s"] > since + 6, "more than a lease to pass")
        lab.require(b.clients()["own"] == 2, f"without Redis it inherits: {b.cluster()}")


if __name__ == "__main__":
    lab.main(the_examples, calls_across, by_ipv6_and_between_families, real_phones, forks_across, over_tcp, a_dialog_finds_its_edge, sipedge_dies_and_the_file_is_read_again,
             who_registers_and_unregisters_at_the_other_edge, an_edge_dies_and_its_clients_register_elsewhere,
             an_address_moves, an_edge_stands_still, keepalived_moves_it, redis_is_away)
