"""Two nodes under calls, of which every process is killed at random, and Redis and the network between them too."""
import os
import random
import signal
import time

import lab
import pair


def seed():
    """Printed; NATKIT_SEED repeats it."""
    number = int(os.environ.get("NATKIT_SEED") or time.time())
    print(f"        NATKIT_SEED={number}")
    return number


class Storm:
    """settle() is each shape's own, and so are the acts that it adds to these."""
    redis_away = (0.2, 5)  # seconds
    spine_cut = (0.1, 3)

    def __init__(self, site, people, number):
        self.site, self.people, self.random, self.done = site, people, random.Random(number), {}
        self.nodes = (site.a, site.b)

    def count(self, what):
        self.done[what] = self.done.get(what, 0) + 1

    def told(self):
        return ", ".join(f"{what} {count}" for what, count in sorted(self.done.items()))

    def kill_a_worker(self):
        node, name = self.random.choice(self.nodes), self.random.choice(pair.WORKERS)
        try:
            os.kill(node.pid(name), signal.SIGKILL)
        except (OSError, ValueError, lab.Failure):
            return
        self.count(f"{name} killed")

    def kill_a_supervisor(self):
        node = self.random.choice(self.nodes)
        os.kill(node.natkit.pid, signal.SIGKILL)
        node.natkit.process.wait()
        time.sleep(self.random.uniform(0, 1))
        node.run()
        self.count("natkit killed")

    def kill_redis(self):
        self.site.redis.kill()
        time.sleep(self.random.uniform(*self.redis_away))
        self.site.start_redis()
        self.count("Redis killed")

    def cut_the_spine(self):
        """A node without the other one and without Redis."""
        node = self.random.choice(self.nodes)
        node.edge.nft("table inet cut { chain in { type filter hook input priority 0; iifname spine0 drop\n }\n"
                      "chain out { type filter hook output priority 0; oifname spine0 drop\n }\n }")
        time.sleep(self.random.uniform(*self.spine_cut))
        node.edge.nft("delete table inet cut")
        self.count("spine cut")

    def blow(self, seconds, acts):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.random.choice(acts)()
            time.sleep(self.random.uniform(0.1, 2))
            if self.random.random() < 0.5:
                self.random.choice(self.random.choice(self.people.calls)).reinvite()
