#!/usr/bin/env python3
"""kill -9 of each process at random, natkit too, under 50 UDP calls, for a minute (ten with --long): no call, no leg and no
registration is lost, and nothing is left. The seed is printed; NATKIT_SEED repeats it."""
# ctest: serial timeout 1200
import os
import pathlib
import random
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import site_of_phones

CALLS = 50
SECONDS = 600 if os.environ.get("NATKIT_LONG") == "1" else 60
QUIET = {part: {"log_level": '"problems"'} for part in ("sip", "media_proxy", "pinger")}
EVERYBODY = ("natkit", *site_of_phones.WORKERS)


class Chaos:
    def __init__(self, site, seed):
        self.site, self.random, self.killed = site, random.Random(seed), dict.fromkeys(EVERYBODY, 0)

    def kill(self, name):
        """False where that one is down already."""
        try:
            pid = self.site.natkit.pid if name == "natkit" else self.site.pid(name)
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError, lab.Failure):
            return False
        self.killed[name] += 1
        if name == "natkit":
            self.site.natkit.process.wait()
            time.sleep(self.random.uniform(0, 1))  # a supervisor of supervisors takes its time
            self.start_again()
        return True

    def start_again(self):
        """As systemd does with Restart=on-failure: again, until it stays."""
        self.site.natkit = self.site.edge.start("natkit", lab.PROGRAMS / "natkit", "run", "--config", self.site.config)

    def run(self, people, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            victims = self.random.sample(EVERYBODY, 2 if self.random.random() < 0.2 else 1)
            for victim in victims:
                self.kill(victim)
            time.sleep(self.random.uniform(0.1, 2.5))
            if self.site.natkit.process.poll() is not None:
                raise lab.Failure(f"natkit ended by itself with {self.site.natkit.process.returncode}:\n{self.site.natkit.output}")
            if self.random.random() < 0.5:  # something goes on inside the calls meanwhile
                self.random.choice(self.random.choice(people.calls)).reinvite()


def nothing_is_lost(net):
    seed = int(os.environ.get("NATKIT_SEED") or time.time())
    print(f"        NATKIT_SEED={seed}")
    # Pinged by either method, often, so that a sipedge that is away has every chance to make somebody look dead.
    method = random.Random(seed).choice(("crlf", "options"))
    site = site_of_phones.Site(net).start(sip={"log_level": '"problems"'}, media_proxy={"log_level": '"problems"'},
                                          pinger={"method": f'"{method}"', "udp_interval": '"3s"'})
    with crowd.Crowd() as people:
        people.make_calls(site, CALLS)
        legs = {leg["leg"] for leg in site.legs()}
        clients = {c["id"] for c in site.ask("sipedge", "clients")["clients"]}
        lab.require(len(legs) == 2 * CALLS and len(clients) == 2 * CALLS, f"{len(legs)} legs, {len(clients)} clients")
        chaos = Chaos(site, seed)
        chaos.run(people, SECONDS)
        site.wait_up(60)
        lab.wait_until(lambda: {c["state"] for c in site.status()["components"]} == {"running"}, "all to run", 60)
        lab.require(all(chaos.killed.values()), f"not everybody was killed: {chaos.killed}")
        people.check_calls("after the storm")
        lab.require({leg["leg"] for leg in site.legs()} == legs, "other legs than before")
        lab.require({c["id"] for c in site.ask("sipedge", "clients")["clients"]} == clients, "other registrations than before")
        lab.require(not people.strays, f"media in the wrong call: {people.strays[:3]}")
        print(f"        pinged by {method}; killed in {SECONDS} s: {' '.join(f'{name} {count}' for name, count in chaos.killed.items())}; "
              f"longest silence {people.longest_silence():.1f} s")
        # Everybody can still be called by their registrations.
        people.hang_up()
        site.wait_nothing_left()
        for caller, callee in ((people.phones[1], people.phones[2]), (people.phones[5], people.phones[4])):
            caller.call(callee)
            people.calls.append((caller, callee))
        people.wait_audio("new calls")
        people.hang_up()
        site.wait_nothing_left()
    lab.require(site.natkit.stop() == 0, f"natkit did not end well: {site.natkit.output}")
    left = site_of_phones.natkit_processes()
    lab.require(not left, f"still running: {left}")
    lab.require(not list(site.runtime.iterdir()), f"left behind: {list(site.runtime.iterdir())}")


if __name__ == "__main__":
    lab.main(nothing_is_lost)
