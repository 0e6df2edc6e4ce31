#!/usr/bin/env python3
"""Calls that come through the edge again, by a proxy or a B2BUA on the WAN: audio directly or over one relay, superfluous ones gone
within 2 s, also with hold, resume and a killed sipedge; no private address on the WAN; a guessed port is refused. What looptrace
finds in a capture is what the edge did."""
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import proxy
import site_of_phones as sites


class Outside:
    """The site, a proxy on the WAN that sends calls for bob back to the edge, and the two phones."""

    def __init__(self, net, make_a, make_b, **changes):
        self.site = sites.Site(net).start(**changes)
        self.a = self.site.phone(make_a(self.site), "alice", tone=440)
        self.b = self.site.phone(make_b(self.site), "bob", tone=600)
        self.host = self.site.wan_host()
        self.proxy = proxy.Proxy(self.host, {"bob": ("sip:bob@example.com", f"{sites.WAN_EDGE}:5060"),
                                             "alice": ("sip:alice@example.com", f"{sites.WAN_EDGE}:5060")})

    def call(self):
        phones.call(self.a, self.b, uri=f"sip:bob@{self.host.address}")

    def open_legs(self):
        return [leg for leg in self.site.legs() if leg["state"] != "parted"]

    def wait_relays(self, legs):
        """Within 2 s of the answer (sipedge(1)), that many legs are open, and they are joined."""
        lab.within(2, lambda: len(self.open_legs()) == legs, lambda: f"{legs} open legs, there are {self.open_legs()}")
        lab.require(all(leg["state"] == "joined" for leg in self.open_legs()), f"not joined: {self.open_legs()}")

    def hold_and_resume(self, phone):
        """The re-INVITE of a hold and of its end, each answered; then audio again."""
        for command, word in (("hold", "a=sendonly"), ("resume", "a=sendrecv")):
            seen = len(phone.tap.sip())
            phone.command(command)
            answered = lambda seen=seen: any(t.startswith("ACK ") for d, t in phone.tap.sip()[seen:] if d.source.startswith(phone.host.address))
            lab.wait_until(answered, f"{phone.name}'s {command} to be answered ({word})")
        for one in (self.a, self.b):
            one.forget()
        phones.hear_each_other(self.a, self.b, packets=20)

    def end(self, first=None):
        first = first or self.a
        phones.hang_up(first, self.b if first is self.a else self.a)
        self.site.wait_nothing_left()


def through(net, make_a, make_b, legs, direct):
    loop = Outside(net, make_a, make_b)
    for hanging_up in (loop.a, loop.b):
        loop.call()
        phones.hear_each_other(loop.a, loop.b)
        loop.wait_relays(legs)
        lab.require(direct == (not loop.site.relayed()), f"{len(loop.site.relayed())} RTP packets at the edge's WAN side")
        loop.hold_and_resume(loop.a)
        loop.hold_and_resume(loop.b)
        loop.wait_relays(legs)
        loop.end(hanging_up)
    loop.site.check_wan()


def lan_proxy_lan(net):
    """Out to the WAN and back to the LAN: the two phones talk directly, all legs are parted."""
    through(net, sites.Site.lan_host, sites.Site.lan_host, legs=0, direct=True)


def lan_proxy_nat(net):
    """One relay, made of a leg of each pass."""
    through(net, sites.Site.lan_host, sites.Site.home_host, legs=2, direct=False)


def nat_proxy_lan(net):
    through(net, sites.Site.home_host, sites.Site.lan_host, legs=2, direct=False)


def two_nats(net):
    through(net, sites.Site.home_host, sites.Site.home_host, legs=2, direct=False)


def two_passes_through_a_second_proxy(net):
    """Three passes: LAN, edge, proxy, edge, second proxy on the LAN, edge, LAN."""
    loop = Outside(net, sites.Site.lan_host, sites.Site.lan_host)
    inner = loop.site.lan_host()
    proxy.Proxy(inner, {"carol": ("sip:bob@example.com", f"{sites.LAN_EDGE}:5060")})
    loop.proxy.users["bob"] = (f"sip:carol@{inner.address}", f"{sites.WAN_EDGE}:5060")
    loop.call()
    phones.hear_each_other(loop.a, loop.b)
    loop.wait_relays(0)
    loop.hold_and_resume(loop.b)
    loop.end()
    loop.site.check_wan()


def b2bua(net):
    """Another Call-ID on the way back: the edge takes its leg for the party behind it all the same."""
    loop = Outside(net, sites.Site.lan_host, sites.Site.lan_host)
    other = loop.site.wan_host()
    proxy.B2bua(other, "sip:bob@example.com", f"{sites.WAN_EDGE}:5060", f"{sites.WAN_EDGE}:5060")
    phones.call(loop.a, loop.b, uri=f"sip:bob@{other.address}")
    phones.hear_each_other(loop.a, loop.b)
    loop.wait_relays(0)
    lab.require(not loop.site.relayed(), "audio went over the WAN")
    loop.hold_and_resume(loop.a)
    loop.hold_and_resume(loop.b)
    loop.end(loop.b)
    loop.site.check_wan()


def same_nat(net, policy, legs):
    """Two phones behind one NAT, by a proxy on the WAN."""
    loop = Outside(net, sites.Site.home_host, neighbour, media_proxy={"relay_same_nat": f'"{policy}"'})
    loop.call()
    phones.hear_each_other(loop.a, loop.b)
    loop.wait_relays(legs)
    loop.hold_and_resume(loop.b)
    loop.end()


def neighbour(site):
    """Another host behind the NAT of the first home."""
    home = next(segment for name, segment in site.net.hosts.items() if name == "seg-home0")
    host = site.net.host("neighbour").attach("eth0", home, "192.168.1.11/24").default_route("192.168.1.1")
    return host


def same_nat_never(net):
    same_nat(net, "never", 0)


def same_nat_always(net):
    same_nat(net, "always", 2)


def killed(net, make_b, legs):
    loop = Outside(net, sites.Site.lan_host, make_b)
    loop.call()
    phones.hear_each_other(loop.a, loop.b)
    loop.wait_relays(legs)
    loop.site.kill_worker("sipedge")
    loop.hold_and_resume(loop.b)
    loop.hold_and_resume(loop.a)
    loop.wait_relays(legs)
    loop.end()


def sipedge_killed_without_relay(net):
    """The collapsed call goes on: hold, resume and BYE after a kill."""
    killed(net, sites.Site.lan_host, 0)


def sipedge_killed_with_one_relay(net):
    killed(net, sites.Site.home_host, 2)


def guessed_port(net):
    """Somebody on the WAN who names a media port of a stranger's call is refused, and hears nothing."""
    site = sites.Site(net).start()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.wan_host(), "bob", tone=600)
    phones.call(a, b)
    phones.hear_each_other(a, b, packets=20)
    leg = next(leg for leg in site.legs() if leg["side"] == "wan")
    thief = site.wan_host()
    port = leg["local"].rpartition(":")[2]
    calling = phones.sipp(thief, "refused-uac", "-s", "alice", remote=f"{sites.WAN_EDGE}:5060", audio_port=port, media_ip=sites.WAN_EDGE)
    lab.require(calling.wait_exit() == 0, "the offer of a guessed port was not refused with 488")
    phones.hang_up(a, b)


def looptrace_agrees(net):
    """A capture on the edge, given to looptrace: the loop is found, and no relay is left to collapse. The same from the records that
    sipedge tells of its passes."""
    loop = Outside(net, sites.Site.lan_host, sites.Site.lan_host)
    watch = sites.Watch(loop.site, "sipedge", "pass")
    path = net.folder / "edge.pcap"
    tcpdump = loop.site.edge.start("tcpdump", "tcpdump", "-Z", "root", "-U", "-n", "--immediate-mode", "-B", "16384", "-i", "any", "-w", path, "udp")
    tcpdump.wait_line("listening on")
    loop.call()
    phones.hear_each_other(loop.a, loop.b, packets=20)
    loop.end()
    lab.wait_until(lambda: path.read_bytes().count(b"BYE sip:") >= 4, "tcpdump to have the BYE")
    tcpdump.signal(signal.SIGINT)
    tcpdump.wait_exit()
    done = loop.site.edge.run(lab.PROGRAMS / "looptrace", "--config", loop.site.config, "--format", "json", path)
    lab.require(done.returncode == 0, f"looptrace: {done.stderr}")
    found = [r for r in map(json.loads, done.stdout.splitlines()) if r["type"] == "path"]
    lab.require(len(found) == 1, f"looptrace found {found}")
    visits = [hop.get("visit", 1) for hop in found[0]["hops"]]
    lab.require(2 in visits and found[0]["relays"] == 0 and not found[0]["collapsible"], f"looptrace found {found}")
    records = net.folder / "passes.jsonl"
    records.write_text("".join(watch.told()))
    done = loop.site.edge.run(lab.PROGRAMS / "looptrace", "--config", loop.site.config, "--format", "json", records)
    lab.require(done.returncode == 0, f"looptrace: {done.stderr}")
    by_records = [json.loads(line) for line in done.stdout.splitlines()]
    keys = ("call_ids", "hops", "relays", "relays_needed", "collapsible", "loop")
    lab.require(len(by_records) == 1 and all(by_records[0][key] == found[0][key] for key in keys),
                f"looptrace found {by_records} in {records.read_text()}, and {found} in the capture")


if __name__ == "__main__":
    lab.main(lan_proxy_lan, lan_proxy_nat, nat_proxy_lan, two_nats, two_passes_through_a_second_proxy, b2bua,
             same_nat_never, same_nat_always, sipedge_killed_without_relay, sipedge_killed_with_one_relay, guessed_port, looptrace_agrees)
