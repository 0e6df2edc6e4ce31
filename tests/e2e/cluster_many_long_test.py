#!/usr/bin/env python3
"""100,000 registered contacts on a pair: a node that joins is in step in 5 s; renewed once a minute they delay calls no more than they do at one edge
that is in no cluster. What a contact takes of memory and CPU on each node is said."""
# ctest: long serial timeout 1500
import contextlib
import os
import pathlib
import select
import socket
import statistics
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import pair
import site_of_phones

CONTACTS = int(os.environ.get("NATKIT_CONTACTS") or 100_000)  # a registrar takes no more
HORDE = CONTACTS - 2  # two phones make calls
RENEWED_IN = int(os.environ.get("NATKIT_RENEWED_IN") or 60)  # seconds, all of them
LIMITS = {key: str(1_000_000) for key in ("flow_requests", "source_requests", "stranger_requests", "server_requests")}
CONFIG = {"sip": {"log_level": '"failures"'}, "media_proxy": {"log_level": '"failures"'}, "limits": LIMITS,
          "pinger": {"log_level": '"failures"', "udp_interval": '"off"'}, "registrar": {"max_expires": '"2h"'}}


class Horde:
    """Contacts, a hundred to a socket, that register at an even pace."""

    def __init__(self, host):
        self.host, self.round, self.answered, self.going, self.refused = host, 0, set(), True, None
        self.sockets, self.poll = [], select.epoll()
        for number in range((HORDE + 99) // 100):
            made = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
            made.bind((host.address, 10000 + number))
            made.setblocking(False)
            self.sockets.append(made)
            self.poll.register(made.fileno(), select.EPOLLIN)
        self.by_fd = {made.fileno(): made for made in self.sockets}
        threading.Thread(target=self._hear, daemon=True).start()

    def _hear(self):
        while self.going:
            for fd, _ in self.poll.poll(0.2):
                with contextlib.suppress(OSError):
                    while True:
                        self._take(self.by_fd[fd].recv(4096))

    def _take(self, text):
        if text.startswith(b"SIP/2.0 200"):
            at = text.index(b"branch=z9hG4bK-") + 15
            self.answered.add(text[at:text.index(b"-", at)])
        else:
            self.refused = text.split(b"\r\n")[0]

    def send(self, number):
        name, here = f"u{number}", f"{self.host.address}:{10000 + number // 100}"
        self.sockets[number // 100].sendto(
            (f"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK-{number}-{self.round};rport\r\n"
             f"Max-Forwards: 70\r\nFrom: <sip:{name}@example.com>;tag=t{number}\r\nTo: <sip:{name}@example.com>\r\nCall-ID: horde-{number}\r\n"
             f"CSeq: {self.round} REGISTER\r\nContact: <sip:{name}@{here}>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n").encode(),
            (pair.WAN_EDGE, 5060))

    def _pace(self, numbers, rate):
        began = time.monotonic()
        for sent, number in enumerate(numbers, 1):
            self.send(number)
            ahead = began + sent / rate - time.monotonic()
            if ahead > 0.005:
                time.sleep(ahead)

    def register_all(self, seconds):
        """Each once, evenly; those without an answer again. How many a second it came to."""
        self.round += 1
        self.answered = set()
        began = time.monotonic()
        self._pace(range(HORDE), HORDE / seconds)
        paced = time.monotonic() - began
        for _ in range(20):
            missing = [n for n in range(HORDE) if str(n).encode() not in self.answered]
            if not missing:
                return HORDE / paced
            self._pace(missing, 1000)
            time.sleep(0.5)
        raise lab.Failure(f"{len(missing)} contacts of {HORDE} did not get an answer; {self.refused}")


def usage(node):
    """CPU seconds and MB of each program."""
    return {c["name"]: (c["cpu_s"], c["memory_bytes"] / 1e6) for c in node.status()["components"] if "cpu_s" in c}


def told(what, before, after):
    print("        " + what + ": " + "; ".join(
        f"{name} {1e6 * (after[name][0] - before[name][0]) / CONTACTS:.0f} us, {1e6 * (after[name][1] - before[name][1]) / CONTACTS:.0f} bytes"
        for name in after if name in before and name != "mediarelay"))


class Times:
    """How long answers to calls took, without renewals and while all renew."""

    def __init__(self, calls, horde):
        calls.start()
        began = time.monotonic()
        time.sleep(10)
        renewing = time.monotonic()
        self.rate = horde.register_all(RENEWED_IN)
        renewed = time.monotonic()
        calls.stop()
        self.quiet, self.busy = calls.times(began, renewing), calls.times(renewing, renewed)
        lab.require(self.quiet and self.busy, f"{len(self.quiet)} and {len(self.busy)} answers")
        for what, times in (("without renewals", self.quiet), (f"with {self.rate:.0f} renewals a second", self.busy)):
            print(f"        {len(times)} answers to calls {what}: median {1000 * statistics.median(times):.1f} ms, one in twenty above "
                  f"{1000 * pair.of_twenty(times):.1f} ms, one in a hundred above {1000 * pair.of_hundred(times):.1f} ms")


alone = []  # what one edge in no cluster took


def one_edge_in_no_cluster(net):
    site = site_of_phones.Site(net).start(**CONFIG)
    horde = Horde(site.wan_host())
    with crowd.Crowd() as people:
        calls = pair.BusyPhones(people, site, site.wan_host(), rest=0.05)
        horde.register_all(HORDE / 2000)
        alone.append(Times(calls, horde))
    horde.going = False


def a_hundred_thousand_contacts(net):
    site = pair.Pair(net).start(**CONFIG)
    a, b = site.a, site.b
    horde = Horde(site.wan_host())
    with crowd.Crowd() as people:
        calls = pair.BusyPhones(people, site, site.wan_host(), rest=0.05)
        before = usage(a), usage(b)
        rate = horde.register_all(HORDE / 2000)
        site.wait_acknowledged(a, b, bindings=CONTACTS, legs=0)
        after = usage(a), usage(b)
        print(f"        registered at {rate:.0f} a second")
        told("a contact at the active node", before[0], after[0])
        told("and at the standby", before[1], after[1])
        # A node that joins.
        b.command("stop")
        b.natkit.wait_exit()
        began = time.monotonic()
        b.run()
        up = time.monotonic()
        site.wait_in_step(b, 60)
        joined = time.monotonic() - up
        print(f"        joining: in step {joined:.1f} s after all programs ran ({up - began:.1f} s after the start)")
        lab.require(joined < 5, f"in step after {joined:.1f} s")
        lab.require(b.cluster()["records"]["bindings"] == CONTACTS, f"{b.cluster()}")
        # Calls, without and with renewals.
        before = usage(a), usage(b)
        times = Times(calls, horde)
        site.wait_acknowledged(a, b, bindings=CONTACTS, legs=0)
        after = usage(a), usage(b)
        told("a renewal at the active node", before[0], after[0])
        told("and at the standby", before[1], after[1])
        lag = a.cluster()
        print(f"        lag {lag.get('lag_ms')} ms, p99 {lag.get('lag_ms_p99')} ms")
        lab.require(statistics.median(times.busy) <= 2 * statistics.median(times.quiet) + 0.02, "renewals delay calls")
        for other in alone:
            lab.require(pair.of_twenty(times.busy) <= 2 * pair.of_twenty(other.busy) + 0.02, "renewals delay calls, which they do not without a cluster")
    horde.going = False


if __name__ == "__main__":
    lab.main(one_edge_in_no_cluster, a_hundred_thousand_contacts)
