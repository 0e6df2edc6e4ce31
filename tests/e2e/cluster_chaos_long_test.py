#!/usr/bin/env python3
"""Ten minutes: on a pair under 50 calls every process is killed at random, Redis and links too, and whole nodes when the other
one is in step. Whatever had been acknowledged goes on; what is lost is counted. The seed is printed; NATKIT_SEED repeats it."""
# ctest: long serial timeout 1500
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import pair
import storm

CALLS = 50
SECONDS = int(os.environ.get("NATKIT_SECONDS") or 600)
QUIET = {"sip": {"log_level": '"problems"'}, "media_proxy": {"log_level": '"problems"'}, "pinger": {"log_level": '"problems"', "udp_interval": '"3s"'}}


class PairInStorm(storm.Storm):
    @property
    def serving(self):
        return lab.wait_until(lambda: next((n for n in self.nodes if n.has_addresses() and n.cluster()["role"] == "active"), None),
                              "a node to serve", 60)

    def cut_the_spine(self):
        """A standby takes over as long as it lasts, or a keepalived does nothing."""
        self.settle()
        super().cut_the_spine()

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

    def acts(self):
        return [self.kill_a_worker] * 6 + [self.kill_a_supervisor, self.kill_redis, self.cut_the_spine, self.kill_a_node]


def nothing_acknowledged_is_lost(net):
    number = storm.seed()
    site = pair.Pair(net).start(**QUIET)
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        site.wait_acknowledged(site.a, site.b, bindings=2 * CALLS, legs=2 * CALLS)
        weather = PairInStorm(site, people, number)
        weather.blow(SECONDS, weather.acts())
        weather.settle()
        people.check_calls("after the storm")
        lab.require(not people.strays, f"media in the wrong call: {people.strays[:3]}")
        print(f"        in {SECONDS} s: {weather.told()}; longest silence "
              f"{people.longest_silence():.1f} s; lost: no call of {CALLS}, no registration of {2 * CALLS}")
        people.hang_up()
        for node in (site.a, site.b):
            lab.wait_until(lambda node=node: not node.legs(), f"no leg to be left on {node.name}", 120)


if __name__ == "__main__":
    lab.main(nothing_acknowledged_is_lost)
