#!/usr/bin/env python3
"""Ten minutes: on two active edges under calls across them every process is killed at random, Redis and the network between them too, and now
and then a whole edge. Calls survive all but the death of an edge, no registration is lost, and nobody is pinged by both. The seed is printed;
NATKIT_SEED repeats it."""
# ctest: long serial timeout 1500
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import pair
import several

CALLS = 20  # half of them each way
SECONDS = int(os.environ.get("NATKIT_SECONDS") or 600)


class Storm:
    def __init__(self, site, people, seed):
        self.site, self.people, self.random, self.done, self.ended = site, people, random.Random(seed), {}, 0
        self.edges = (site.a, site.b)
        self.taps = {edge.name: site.net.tap(edge.edge) for edge in self.edges}

    def count(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    def kill_a_worker(self):
        edge, name = self.random.choice(self.edges), self.random.choice(pair.WORKERS)
        try:
            os.kill(edge.pid(name), signal.SIGKILL)
        except (OSError, ValueError, lab.Failure):
            return
        self.count(f"{name} killed")

    def kill_a_supervisor(self):
        edge = self.random.choice(self.edges)
        os.kill(edge.natkit.pid, signal.SIGKILL)
        edge.natkit.process.wait()
        time.sleep(self.random.uniform(0, 1))
        edge.run()
        self.count("natkit killed")

    def kill_redis(self):
        self.site.redis.kill()
        time.sleep(self.random.uniform(0.2, 8))
        self.site.start_redis()
        self.count("Redis killed")

    def cut_the_spine(self):
        """An edge without the other one and without Redis, for less than a lease."""
        edge = self.random.choice(self.edges)
        edge.edge.nft("table inet cut { chain in { type filter hook input priority 0; iifname spine0 drop\n }\n"
                      "chain out { type filter hook output priority 0; oifname spine0 drop\n }\n }")
        time.sleep(self.random.uniform(0.1, 2))
        edge.edge.nft("delete table inet cut")
        self.count("spine cut")

    def kill_an_edge(self):
        """All calls go by both: they end, and are made anew when it is back."""
        self.settle()
        edge = self.random.choice(self.edges)
        edge.die()
        self.ended += len(self.people.calls)
        calls, self.people.calls = self.people.calls, []
        for phone in (phone for call in calls for phone in call):
            phone.call_id, phone.media_to, phone.routes, phone.heard = None, None, [], []
        lab.wait_until(lambda: self.site.other(edge).knows(own=CALLS, foreign=0), "the edge to be given up", 60)
        edge.come_back()
        self.settle()
        for caller, callee in calls:
            self.people.connect(caller, callee)
        self.people.wait_audio("calls made anew")
        self.count("edge killed")

    def settle(self):
        self.site.wait_ready(seconds=60)
        self.site.wait_known(CALLS, CALLS, 60)

    def blow(self, seconds):
        acts = [self.kill_a_worker] * 8 + [self.kill_a_supervisor, self.kill_redis, self.cut_the_spine, self.kill_an_edge]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.random.choice(acts)()
            time.sleep(self.random.uniform(0.1, 2))
            if self.random.random() < 0.5:
                self.random.choice(self.random.choice(self.people.calls)).reinvite()

    def check_pings(self):
        since = time.time()
        for edge in self.edges:
            lab.wait_until(lambda edge=edge: len({d.destination for d in several.pings_of(self.taps[edge.name], edge.wan, since)}) >= CALLS,
                           f"pings of {edge.name} to all its clients")
            other = self.site.other(edge)
            lab.require(not several.pings_of(self.taps[other.name], edge.wan, since), f"{other.name} pings clients of {edge.name}")


def calls_survive_all_but_the_death_of_an_edge(net):
    seed = int(os.environ.get("NATKIT_SEED") or time.time())
    print(f"        NATKIT_SEED={seed}")
    site = several.Several(net).start(sip={"log_level": '"problems"'})
    with several.People() as people:
        homes = {edge: site.home_host() for edge in (site.a, site.b)}
        for i in range(CALLS):
            here, there = (site.a, site.b) if i % 2 else (site.b, site.a)
            caller, callee = people.at(here, homes[here], f"caller{i}"), people.at(there, homes[there], f"callee{i}")
            people.calls.append((caller, callee))
        site.wait_known(CALLS, CALLS)
        for caller, callee in people.calls:
            caller.call(callee)
        people.wait_audio("the calls at their beginning")
        storm = Storm(site, people, seed)
        storm.blow(SECONDS)
        storm.settle()
        people.check_calls("after the storm")
        storm.check_pings()
        lab.require(not people.strays, f"media in the wrong call: {people.strays[:3]}")
        print(f"        in {SECONDS} s: {', '.join(f'{what} {count}' for what, count in sorted(storm.done.items()))}; longest silence "
              f"{people.longest_silence():.1f} s; ended with their edge: {storm.ended} calls; lost: none, and no registration of {2 * CALLS}")
        people.hang_up()
        for edge in (site.a, site.b):
            lab.wait_until(lambda edge=edge: not edge.legs(), f"no leg to be left on {edge.name}", 120)


if __name__ == "__main__":
    lab.main(calls_survive_all_but_the_death_of_an_edge)
