#!/usr/bin/env python3
"""Ten minutes: on a pair under 50 calls every process is killed at random, Redis and links too, and whole nodes when the other
one is in step. Whatever had been acknowledged goes on; what is lost is counted. The seed is printed; NATKIT_SEED repeats it."""
# ctest: long serial timeout 1500
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import pair

CALLS = 50
SECONDS = int(os.environ.get("NATKIT_SECONDS") or 600)
QUIET = {"sip": {"log_level": '"problems"'}, "media_proxy": {"log_level": '"problems"'}, "pinger": {"log_level": '"problems"', "udp_interval": '"3s"'}}


class Storm:
    def __init__(self, site, people, seed):
        self.site, self.people, self.random = site, people, random.Random(seed)
        self.done = {}

    @property
    def serving(self):
        return lab.wait_until(lambda: next((n for n in (self.site.a, self.site.b) if n.has_addresses() and n.cluster()["role"] == "active"), None),
                              "a node to serve", 60)

    @property
    def standby(self):
        return self.site.b if self.serving is self.site.a else self.site.a

    def count(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    def kill_a_worker(self):
        node = self.random.choice((self.site.a, self.site.b))
        name = self.random.choice(pair.WORKERS)
        try:
            os.kill(node.pid(name), signal.SIGKILL)
        except (OSError, ValueError, lab.Failure):
            return
        self.count(f"{name} killed")

    def kill_a_supervisor(self):
        node = self.random.choice((self.site.a, self.site.b))
        os.kill(node.natkit.pid, signal.SIGKILL)
        node.natkit.process.wait()
        time.sleep(self.random.uniform(0, 1))
        node.run()
        self.count("natkit killed")

    def kill_redis(self):
        self.site.redis.kill()
        time.sleep(self.random.uniform(0.2, 5))
        self.site.start_redis()
        self.count("Redis killed")

    def cut_the_spine(self):
        """Redis and the other node are out of reach for a moment, and a standby takes over as long as it lasts, or a keepalived does nothing."""
        node = self.random.choice((self.site.a, self.site.b))
        self.settle()
        node.edge.nft("table inet cut { chain in { type filter hook input priority 0; iifname spine0 drop\n }\n"
                      "chain out { type filter hook output priority 0; oifname spine0 drop\n }\n }")
        time.sleep(self.random.uniform(0.1, 3))
        node.edge.nft("delete table inet cut")
        self.count("spine cut")

    def kill_a_node(self):
        self.settle()
        node = self.serving
        pids = node.processes()
        node.kill_keepalived()
        node.kill_all(pids)
        node.cut()
        self.count("node killed")
        self.people.wait_audio(f"{node.name} killed", 60)
        node.flush_and_connect()
        node.run()
        node.start_keepalived(200 if node is self.site.a else 150)

    def settle(self):
        """Both nodes are whole, and the standby has acknowledged everything: what is promised holds from here."""
        self.site.wait_settled(60, bindings=2 * CALLS, legs=2 * CALLS)

    def blow(self, seconds):
        acts = [self.kill_a_worker] * 6 + [self.kill_a_supervisor, self.kill_redis, self.cut_the_spine, self.kill_a_node]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.random.choice(acts)()
            time.sleep(self.random.uniform(0.1, 2))
            if self.random.random() < 0.5:
                self.random.choice(self.random.choice(self.people.calls)).reinvite()


def nothing_acknowledged_is_lost(net):
    seed = int(os.environ.get("NATKIT_SEED") or time.time())
    print(f"        NATKIT_SEED={seed}")
    site = pair.Pair(net).start(**QUIET)
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        site.wait_acknowledged(site.a, site.b, bindings=2 * CALLS, legs=2 * CALLS)
        storm = Storm(site, people, seed)
        storm.blow(SECONDS)
        storm.settle()
        people.check_calls("after the storm")
        lab.require(not people.strays, f"media in the wrong call: {people.strays[:3]}")
        print(f"        in {SECONDS} s: {', '.join(f'{what} {count}' for what, count in sorted(storm.done.items()))}; longest silence "
              f"{people.longest_silence():.1f} s; lost: no call of {CALLS}, no registration of {2 * CALLS}")
        people.hang_up()
        for node in (site.a, site.b):
            lab.wait_until(lambda node=node: not node.legs(), f"no leg to be left on {node.name}", 120)


if __name__ == "__main__":
    lab.main(nothing_acknowledged_is_lost)
