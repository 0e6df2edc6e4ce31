#!/usr/bin/env python3
"""Ten minutes: on two active edges under calls across them every process is killed at random, Redis and the network between them too, and now
and then a whole edge. Calls survive all but the death of an edge, no registration is lost, and nobody is pinged by both. The seed is printed;
NATKIT_SEED repeats it."""
# ctest: long serial timeout 1500
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import several
import storm

CALLS = 20  # half of them each way
SECONDS = int(os.environ.get("NATKIT_SECONDS") or 600)


class EdgesInStorm(storm.Storm):
    redis_away = (0.2, 8)
    spine_cut = (0.1, 2)  # less than a lease

    def __init__(self, site, people, number):
        super().__init__(site, people, number)
        self.ended = 0
        self.taps = {edge.name: site.net.tap(edge.edge) for edge in self.nodes}

    def kill_an_edge(self):
        """All calls go by both: they end, and are made anew when it is back."""
        self.settle()
        edge = self.random.choice(self.nodes)
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

    def acts(self):
        return [self.kill_a_worker] * 8 + [self.kill_a_supervisor, self.kill_redis, self.cut_the_spine, self.kill_an_edge]

    def check_pings(self):
        since = time.time()
        for edge in self.nodes:
            lab.wait_until(lambda edge=edge: len({d.destination for d in several.pings_of(self.taps[edge.name], edge.wan, since)}) >= CALLS,
                           f"pings of {edge.name} to all its clients")
            other = self.site.other(edge)
            lab.require(not several.pings_of(self.taps[other.name], edge.wan, since), f"{other.name} pings clients of {edge.name}")


def calls_survive_all_but_the_death_of_an_edge(net):
    number = storm.seed()
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
        weather = EdgesInStorm(site, people, number)
        weather.blow(SECONDS, weather.acts())
        weather.settle()
        people.check_calls("after the storm")
        weather.check_pings()
        lab.require(not people.strays, f"media in the wrong call: {people.strays[:3]}")
        print(f"        in {SECONDS} s: {weather.told()}; longest silence "
              f"{people.longest_silence():.1f} s; ended with their edge: {weather.ended} calls; lost: none, and no registration of {2 * CALLS}")
        people.hang_up()
        for edge in (site.a, site.b):
            lab.wait_until(lambda edge=edge: not edge.legs(), f"no leg to be left on {edge.name}", 120)


if __name__ == "__main__":
    lab.main(calls_survive_all_but_the_death_of_an_edge)
