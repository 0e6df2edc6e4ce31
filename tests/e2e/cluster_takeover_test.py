#!/usr/bin/env python3
"""A pair of nodes with a real keepalived and a real Redis: the active one dies under calls and registrations, the other goes on with all
of them, and the first takes back when it returns."""
# ctest: serial timeout 600 tiers sockets,fast
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import pair
import phones

CALLS = 100
REGISTERED = 1000  # in all: two phones a call, the others only registered
QUIET = {part: {"log_level": '"problems"'} for part in ("sip", "media_proxy")}
PINGED = {"pinger": {"log_level": '"problems"', "udp_interval": '"2s"'}}


def registered_only(people, site, count):
    home = site.home_host()
    for i in range(count):
        people.phone(home, f"idle{i}", pair.WAN_EDGE).register()


def forget_what_was_heard(people):
    for phone in people.phones:
        phone.heard.clear()


def hold_and_resume(people):
    """A hold and a resume in a call, from either end."""
    for i, (caller, callee) in enumerate(people.calls[:10]):
        phone = (caller, callee)[i % 2]
        phone.hold()
        phone.reinvite()


def everything_works(site, people, serving, silent, what):
    people.check_calls(what)
    hold_and_resume(people)
    people.wait_audio(f"{what}: after hold and resume")
    pair.check_pings(site.taps, site.behind_nats, serving, silent, what)
    told = serving.cluster()
    lab.require(told["records"] == {"bindings": REGISTERED, "legs": 2 * CALLS}, f"{what}: {told}")
    lab.require(not people.strays, f"{what}: media in the wrong call: {people.strays[:3]}")


def take_over(site, people, dying, heir, die):
    """The gap in the audio, and how much of it keepalived took to notice."""
    forget_what_was_heard(people)
    people.wait_audio("before")
    began = time.monotonic()
    die()
    noticed = pair.seconds_of(heir.keepalived, "Entering MASTER STATE") - began
    site.wait_active(heir)
    people.wait_audio(f"{heir.name} serves")
    gap = people.longest_silence()
    print(f"        {dying.name} -> {heir.name}: longest silence {gap:.2f} s, of which keepalived noticed after {noticed:.2f} s")
    lab.require(gap - noticed <= 1.0 + crowd.EVERY, f"a silence of {gap:.2f} s, keepalived had noticed after {noticed:.2f} s")


def a_node_dies_and_returns(net):
    site = pair.Pair(net).start(**QUIET, **PINGED)
    a, b = site.a, site.b
    site.taps = {node.name: net.tap(node.edge) for node in (a, b)}
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        registered_only(people, site, REGISTERED - 2 * CALLS)
        site.behind_nats = CALLS // 2 + REGISTERED - 2 * CALLS
        site.wait_acknowledged(a, b, bindings=REGISTERED, legs=2 * CALLS)
        everything_works(site, people, a, b, "before")
        missing = b.status()["cluster"]["addresses_missing"]
        lab.require(sorted(missing) == sorted((pair.LAN_EDGE, pair.WAN_EDGE)), f"the standby is without {missing}")
        pids = a.processes()

        def die():
            a.kill_keepalived()
            a.kill_all(pids)
            a.cut()
        take_over(site, people, a, b, die)
        lab.require(b.cluster()["epoch"] > 1, f"{b.cluster()}")
        everything_works(site, people, b, a, "without the first node")
        # The host comes back with nothing of before, and takes the addresses when it is in step.
        a.flush_and_connect()
        a.run()
        take_over(site, people, b, a, lambda: a.start_keepalived(200))
        lab.wait_until(lambda: b.cluster()["role"] == "standby", "the other node to step down")
        everything_works(site, people, a, b, "taken back")
        people.hang_up()
        lab.wait_until(lambda: not a.legs() and not b.legs(), "no leg to be left on either node")
        people.phones[1].call(people.phones[2])
        people.calls.append((people.phones[1], people.phones[2]))
        people.wait_audio("a new call")
        people.hang_up()


def keepalived_alone_dies(net):
    """Both hosts have the addresses then: one node serves, the one that was promoted last, and the other says so."""
    site = pair.Pair(net).start(**QUIET, **PINGED)
    a, b = site.a, site.b
    site.taps = {node.name: net.tap(node.edge) for node in (a, b)}
    with crowd.Crowd() as people:
        people.make_calls(site, 10)
        site.behind_nats = 5
        site.wait_acknowledged(a, b, bindings=20, legs=20)
        a.kill_keepalived()
        site.wait_active(b)
        lab.wait_until(lambda: a.cluster()["role"] == "standby", "the first node to step down", 5)
        lab.require(a.has_addresses() and b.has_addresses(), "keepalived killed leaves the addresses")
        a.natkit.wait_line(r"edge-b .*promoted|promoted.*edge-b")
        pair.check_pings(site.taps, site.behind_nats, b, a, "both with the addresses")


def real_phones(net):
    """A call of two baresips, the one behind a NAT, with registrations in memory: it goes on, is held and resumed, and ends from either end;
    and the other one can be called."""
    memory = {"registrar": {"state": '"memory"'}}
    site = pair.Pair(net).start(**QUIET, **PINGED, **memory)
    alice = phones.Baresip(site.lan_host(), "alice", f"{pair.LAN_EDGE}:5060", tone=440)
    bob = phones.Baresip(site.home_host(), "bob", f"{pair.WAN_EDGE}:5060", tone=600)
    phones.call(alice, bob)
    phones.more_audio(alice, bob)
    site.wait_acknowledged(site.a, site.b, bindings=2, legs=2)
    pids = site.a.processes()
    site.a.kill_keepalived()
    site.a.kill_all(pids)
    site.a.cut()
    site.wait_active(site.b)
    phones.more_audio(alice, bob)
    phones.hold_and_resume(alice, bob, site.on_wan)
    phones.hang_up(bob, alice)
    phones.call(alice, bob)
    phones.more_audio(alice, bob)
    phones.hang_up(alice, bob)
    lab.wait_until(lambda: not site.b.legs(), "no leg to be left")


if __name__ == "__main__":
    lab.main(a_node_dies_and_returns, real_phones, keepalived_alone_dies)
