#!/usr/bin/env python3
"""natpinger of one of several active edges: it pings while its node's lease holds. What stood still for longer pings nobody until it hears
of a lease again, whatever had come meanwhile; where nobody speaks of leases any more it goes on."""
import os
import pathlib
import signal
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import pair_site
import raw_sip
import site_of_phones as sites

PING = b"\r\n\r\n"
PEERS = {"a": '"10.9.0.2:5099"', "b": '"10.9.0.3:5099"'}
LEASE = 4000


def boot_ms():
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


class Renewal(threading.Thread):
    """What natkit-cluster says each second."""

    def __init__(self, node):
        super().__init__(daemon=True)
        self.pinger, self.over = node.connect("natpinger"), threading.Event()

    def run(self):
        while True:
            self.pinger.send("lease", until_ms=boot_ms() + LEASE)
            if self.over.wait(1):
                return

    def stop(self):
        self.over.set()
        self.join()


def start(net):
    """A node with a far-end client that has shown that it is there, and what the client gets."""
    site = pair_site.Pair(net, **{"cluster.peers": PEERS}).start()
    home = site.home_host()
    bob = raw_sip.Party(home, f"{sites.WAN_EDGE}:5060", user="bob")
    lab.require(bob.register().startswith("SIP/2.0 200"), "bob does not register")
    bob.answer(bob.wait("OPTIONS ", copies=True), 200)
    lab.wait_until(lambda: site.a.status("natpinger")["clients"] == 1, "the client to be known")
    return site, net.tap(home)


def pings(tap, since=0.0):
    return [d.time for d in tap.all() if d.payload == PING and d.time > since]


def wait_ping(tap, since, what):
    lab.wait_until(lambda: pings(tap, since), f"a ping {what}")


def look_again(node, times=3):
    """The pinger has looked at its lease so often since."""
    began = node.status("natpinger")["uptime_s"]
    lab.wait_until(lambda: node.status("natpinger")["uptime_s"] >= began + times, "the pinger to have run for some seconds")


def nobody_is_pinged_without_a_lease(net):
    site, tap = start(net)
    look_again(site.a)
    lab.require(not pings(tap) and site.a.status("natpinger")["waits_for_lease"], "a ping before the first lease")
    renewal = Renewal(site.a)
    renewal.start()
    wait_ping(tap, 0, "with a lease")
    renewal.stop()
    # It lasts as long as was said, and no longer.
    lab.wait_until(lambda: site.a.status("natpinger")["waits_for_lease"], "the lease to be over")
    over = time.time()
    look_again(site.a)
    lab.require(not pings(tap, over), "a ping without a lease")
    # Who renews it is gone: it pings again.
    wait_ping(tap, over, "where nobody speaks of leases any more")
    lab.require(pings(tap, over)[0] > over + 8, "it has waited for nobody")
    pinger = site.a.connect("natpinger")
    lab.require(pinger.refused("lease", until_ms="soon")["where"] == "until_ms", "any word is a time")


def what_stood_still_waits_for_the_next_lease(net):
    site, tap = start(net)
    renewal = Renewal(site.a)
    renewal.start()
    wait_ping(tap, 0, "with a lease")
    pid = site.a.status("natpinger")["pid"]
    os.kill(pid, signal.SIGSTOP)
    lab.wait_until(lambda: "T" in pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0], "natpinger to stand still")
    renewal.stop()  # its last words wait in the pinger's socket
    until = boot_ms() + LEASE + 100
    lab.wait_until(lambda: boot_ms() > until, "the lease to be over")
    before = time.time()
    os.kill(pid, signal.SIGCONT)
    look_again(site.a)
    lab.require(not pings(tap, before), "it pings what may be another's by now")
    lab.require(site.a.status("natpinger")["waits_for_lease"], f"{site.a.status('natpinger')}")
    site.a.ask("natpinger", "lease", until_ms=boot_ms() + LEASE)
    wait_ping(tap, before, "when the lease goes on")


if __name__ == "__main__":
    lab.main(nobody_is_pinged_without_a_lease, what_stood_still_waits_for_the_next_lease)
