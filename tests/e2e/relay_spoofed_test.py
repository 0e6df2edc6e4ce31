#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""Packets with a source of the LAN that come by the WAN are not relayed, on any tier, with the kernel's reverse path filter and without."""
import pathlib
import re
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import flow_site
import lab
from media import Edge, Peer, rtp

PHONE, PEER = "192.168.10.5", "203.0.113.50"


class Site(Edge):
    def __init__(self, net):
        super().__init__(net)
        self.phone = net.host("phone").attach("eth0", self.lan, PHONE + "/24")
        self.other = net.host("peer").attach("eth0", self.wan, PEER + "/24")
        self.serve()
        self.talk = self.control()
        self.a, self.b = Peer(self.phone, PHONE, 4000), Peer(self.other, PEER, 6000)
        made = self.talk.ask("relay", call_id="one", a={"party": {"endpoint": self.a.endpoint}}, b={"party": {"endpoint": self.b.endpoint}})
        self.leg, self.ports = made["a"]["leg"], (made["a"]["local"], made["b"]["local"])
        self.forger = self.other.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.forger.bind(("eth0", 0))
        macs = [re.search(r"link/ether (\S+)", host.ip("-o", "link", "show", "dev", name))[1].replace(":", "")
                for host, name in ((self.host, "wan0"), (self.other, "eth0"))]
        self.frame = bytes.fromhex("".join(macs)) + b"\x08\x00"
        self.sequence = 0

    def speak(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.a.speak(self.ports[0], 1)
            self.b.speak(self.ports[1], 2)
            time.sleep(0.02)

    def forge(self, count=10):
        """What looks as the phone's next packets, to the port that it sends to."""
        port = int(self.ports[0].rpartition(":")[2])
        for number in range(count):
            body = flow_site.packet((PHONE, 4000), ("192.168.10.1", port), rtp(self.a.sequence + number, 1, b"forged"))
            self.forger.send(self.frame + body)

    def refused(self):
        legs = {leg["leg"]: leg for leg in self.talk.ask("list")["legs"]}
        return legs[self.leg]["statistics"].get("drops", {}).get("wrong-interface", 0)


def rows(net, filtered):
    site = Site(net)
    for name in ("all", "default", "lan0", "wan0"):
        site.host.sysctl(f"net.ipv4.conf.{name}.rp_filter", filtered)

    def tried(when):
        before = site.refused()
        site.forge()
        time.sleep(0.2)
        heard = [data for data in site.b.drain_now() if b"forged" in data]
        lab.require(not heard, f"{when}: {len(heard)} spoofed packets were relayed")
        return site.refused() - before

    counts = [tried("before anybody spoke")]
    site.speak(1)
    counts.append(tried("when both have spoken"))
    site.speak(4)
    counts.append(tried("when the stream has settled"))
    if not filtered:
        lab.require(counts == [10, 10, 10], f"{counts} were counted of 10 each time")
    # The phone's own packets are relayed as before.
    site.b.drain_now()
    said = site.a.sequence
    site.speak(1)
    heard = site.b.drain(1)
    lab.require(len(heard) > (site.a.sequence - said) / 2, f"{len(heard)} of {site.a.sequence - said} packets of the phone are heard")


def without_the_filter(net):
    rows(net, 0)


def with_the_filter(net):
    rows(net, 1)


if __name__ == "__main__":
    lab.main(without_the_filter, with_the_filter)
