#!/usr/bin/env python3
"""What a pair does while Redis is away, slow or empty, or one node is cut off from it and from the other: no call fails, no answer is late,
and in the end one node serves with everything."""
# ctest: serial timeout 600
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import pair

QUIET = {"sip": {"log_level": '"problems"'}, "media_proxy": {"log_level": '"problems"'},
         "pinger": {"log_level": '"problems"', "udp_interval": '"2s"'}}
CALLS = 20
AWAY = 60 if os.environ.get("NATKIT_LONG") == "1" else 8  # seconds that Redis is gone under load


def run_for(seconds, people):
    """While time passes, the calls of the crowd take requests."""
    end, i = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        people.calls[i % len(people.calls)][i % 2].reinvite()
        i += 1


def records_of(node):
    return node.cluster()["records"]


def redis_is_killed(net):
    """Under load, with nothing kept: no call fails, no answer is later, and all is there again afterwards. Then it dies for good, and the
    node after it."""
    site = pair.Pair(net).start(**QUIET)
    a, b = site.a, site.b
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        load = pair.BusyPhones(people, site, site.home_host(), renews=True)
        site.wait_acknowledged(a, b, bindings=2 * CALLS + 2, legs=2 * CALLS)
        load.start()
        began = time.monotonic()
        run_for(AWAY / 2, people)
        died = time.monotonic()
        site.redis.kill()
        lab.wait_until(lambda: a.cluster()["redis"] != "connected", "the loss of Redis to be told")
        run_for(AWAY, people)
        told = a.cluster()
        lab.require(told["unprotected_s"] >= AWAY / 2, f"{told}")
        back = time.monotonic()
        site.start_redis()
        lab.wait_until(lambda: a.cluster()["redis"] == "connected", "Redis to be found again")
        load.stop()
        people.check_calls("without Redis and with it again")
        site.wait_in_step(b)
        site.wait_acknowledged(a, b, bindings=2 * CALLS + 2, legs=2 * CALLS)
        before, during = load.times(began, died), load.times(died, back)
        lab.require(len(before) > 20 and len(during) > 20, f"{len(before)} and {len(during)} answers")
        ordinary, without = statistics.median(before), statistics.median(during)
        print(f"        answers with Redis: median {1000 * ordinary:.1f} ms, one in twenty above {1000 * pair.of_twenty(before):.1f} ms; without: "
              f"{1000 * without:.1f}, {1000 * pair.of_twenty(during):.1f} ms; {load.made} calls")
        lab.require(without <= 2 * ordinary + 0.02, "answers are slower without Redis")
        # Redis is gone at the moment of the takeover too.
        site.redis.kill()
        pids = a.processes()
        a.kill_keepalived()
        a.kill_all(pids)
        a.cut()
        site.wait_active(b)
        people.check_calls("taken over without Redis")
        lab.require(records_of(b) == {"bindings": 2 * CALLS + 2, "legs": 2 * CALLS}, f"{b.cluster()}")
        site.start_redis()
        lab.wait_until(lambda: b.cluster()["redis"] == "connected", "Redis to be found by the heir")
        a.flush_and_connect()
        a.run()
        site.wait_acknowledged(b, a, bindings=2 * CALLS + 2, legs=2 * CALLS)
        people.hang_up()


def one_is_cut_off(net):
    """The active node loses the network by which it reaches Redis and the other node, and goes on alone while the other one is promoted.
    When that is mended, one node serves, whichever has the addresses then, and nobody is pinged twice."""
    site = pair.Pair(net).start(**QUIET)
    a, b = site.a, site.b
    taps = {node.name: net.tap(node.edge) for node in (a, b)}
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        site.wait_acknowledged(a, b, bindings=2 * CALLS, legs=2 * CALLS)
        a.edge.nft("table inet cut { chain in { type filter hook input priority 0; iifname spine0 drop\n }\n"
                   "chain out { type filter hook output priority 0; oifname spine0 drop\n }\n }")
        site.wait_active(b)
        people.wait_audio("with the addresses on both hosts")
        a.edge.nft("delete table inet cut")

        def one_serves():
            """The one with the addresses, which the other one has not."""
            serving = [node for node in (a, b) if node.cluster()["role"] == "active"]
            return serving[0] if len(serving) == 1 and [n for n in (a, b) if n.has_addresses()] == serving else None
        lab.wait_until(one_serves, lambda: f"one node to serve: {a.cluster()}, {b.cluster()}")
        site.wait_in_step(b)  # the first node has the higher priority
        lab.require(one_serves() is a, f"{a.cluster()}, {b.cluster()}")
        site.wait_acknowledged(a, b, bindings=2 * CALLS, legs=2 * CALLS)
        people.check_calls("mended")
        serving, other = a, b
        pair.check_pings(taps, CALLS // 2, serving, other, "mended")
        people.hang_up()


def natkit_is_started_again(net):
    """On a node that has the addresses, and nobody tells it: keepalived saw nothing, as there is no other node."""
    site = pair.Pair(net)
    site.start_redis()
    a = site.a.start(**QUIET)
    a.start_keepalived(200)
    site.wait_active(a)
    lab.require(a.command("stop").returncode == 0, "natkit stop")
    a.natkit.wait_exit()
    a.run()
    site.wait_active(a, 10)
    # The same where Redis is gone too.
    site.redis.kill()
    a.command("stop")
    a.natkit.wait_exit()
    a.run()
    site.wait_active(a, 15)


if __name__ == "__main__":
    lab.main(redis_is_killed, one_is_cut_off, natkit_is_started_again)
