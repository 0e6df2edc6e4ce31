#!/usr/bin/env python3
"""Calls that come through the edge again, by a proxy or a B2BUA on the WAN: audio directly or over one relay, superfluous ones gone
within 2 s, also with hold, resume and a killed sipedge; no private address on the WAN; a guessed port is refused. What looptrace
finds in a capture is what the edge did."""
import json
import pathlib
import re
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
    loop.site.check_wan(same_nat=loop.a.host.nat.addresses[-1])


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
    loop.site.check_wan()


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
    named = rf"{re.escape(sites.WAN_EDGE)}:{port} is a media port of this edge that {re.escape(thief.address)}:\d+ was not shown"
    site.natkit.wait_line(rf"problems LOOP call \S+ from {re.escape(thief.address)}: 488: .*{named}")
    phones.hang_up(a, b)
    site.check_wan()


class Trace:
    """What looptrace finds in a capture on the edge, and in the records that sipedge tells of its passes: the same."""

    def __init__(self, site):
        self.site, self.watch, self.path = site, sites.Watch(site, "sipedge", "pass"), site.net.folder / "edge.pcap"
        self.tcpdump = site.edge.start("tcpdump", "tcpdump", "-Z", "root", "-U", "-n", "--immediate-mode", "-B", "16384", "-i", "any",
                                       "-w", self.path, "udp")
        self.tcpdump.wait_line("listening on")

    def found(self, byes=4):
        """After so many BYEs on the wire: the paths."""
        lab.wait_until(lambda: self.path.read_bytes().count(b"BYE sip:") >= byes, "tcpdump to have the BYE")
        self.tcpdump.signal(signal.SIGINT)
        self.tcpdump.wait_exit()
        records = self.site.net.folder / "passes.jsonl"
        records.write_text("".join(self.watch.told()))
        captured, told = self._paths(self.path), self._paths(records)
        lab.require(captured and captured == told, f"looptrace found {told} in {records.read_text()}, and {captured} in the capture")
        return captured

    def _paths(self, source):
        done = self.site.edge.run(lab.PROGRAMS / "looptrace", "--config", self.site.config, "--format", "json", source)
        lab.require(done.returncode == 0, f"looptrace: {done.stderr}")
        keys = ("call_ids", "hops", "relays", "relays_needed", "collapsible", "loop")
        found = [{key: r[key] for key in keys} for r in map(json.loads, done.stdout.splitlines()) if r["type"] == "path"]
        return sorted(found, key=lambda path: path["call_ids"])


def looptrace_agrees(net):
    """A capture on the edge, given to looptrace: the loop is found, and no relay is left to collapse. The same from the records that
    sipedge tells of its passes."""
    loop = Outside(net, sites.Site.lan_host, sites.Site.lan_host)
    trace = Trace(loop.site)
    loop.call()
    phones.hear_each_other(loop.a, loop.b, packets=20)
    loop.end()
    loop.site.check_wan()
    found, = trace.found()
    visits = [hop.get("visit", 1) for hop in found["hops"]]
    lab.require(2 in visits and found["relays"] == 0 and not found["collapsible"], f"looptrace found {found}")


def one_sided(net, make_b, towards, said):
    """A B2BUA on the WAN that anchors the media of one direction alone: audio both ways all the same, also after hold and resume of
    either end and with sipedge killed, and the log says what it is. What looptrace finds, and the legs that are joined."""
    loop = Outside(net, sites.Site.lan_host, make_b)
    trace = Trace(loop.site)
    for again in (False, True):
        other = loop.site.wan_host()
        server = proxy.OneSidedB2bua(other, "sip:bob@example.com", f"{sites.WAN_EDGE}:5060", f"{sites.WAN_EDGE}:5060", towards)
        named = rf"major LOOP call \S+: {re.escape(other.address)}:5060 anchors the media of one direction only: {said}"
        phones.call(loop.a, loop.b, uri=f"sip:bob@{other.address}")
        phones.hear_each_other(loop.a, loop.b)
        loop.site.natkit.wait_line(named, again=True)
        if again:
            loop.site.kill_worker("sipedge")
            for one in (loop.a, loop.b):
                one.forget()
            phones.hear_each_other(loop.a, loop.b, packets=100)  # longer than superfluous legs live
            loop.hold_and_resume(loop.a)
            loop.hold_and_resume(loop.b)
        else:
            # Some may pass before the answer has come to the caller.
            lab.require((server.relayed >= 50) == (towards == "caller"), f"{server.relayed} packets by way of the B2BUA")
            joined = {leg["local"] for leg in loop.open_legs() if leg["state"] == "joined"}
        loop.end(loop.b)
        if not again:
            found = trace.found()
            lab.require(len(re.findall(named, loop.site.natkit.output)) == 1, "it is said more than once")
    loop.site.check_wan()
    return found, joined


def relays_of(found):
    return {hop["relay"][f"towards_{end}"] for path in found for hop in path["hops"] if "relay" in hop for end in ("caller", "callee")}


ANSWERS_WITH_ITS_OWN = r"it hands our \S+ on to the other end, but answers with its own \S+:7000; so the loop cannot be collapsed"


def answer_anchored(net):
    """Each pass keeps its relay. The called phone was told the caller itself, and sends there; what the B2BUA is sent for it comes
    by a leg that no description has."""
    found, joined = one_sided(net, sites.Site.lan_host, "caller", ANSWERS_WITH_ITS_OWN)
    lab.require(len(joined) == 4, f"joined: {joined}")
    lab.require([(p["relays"], p["relays_needed"], p["collapsible"], len(p["call_ids"])) for p in found] == [(1, 2, False, 2)]
                and relays_of(found) < joined, f"looptrace found {found}, the edge had joined {joined}")


def answer_anchored_nat(net):
    """Both relays are in the descriptions, and stay."""
    found, joined = one_sided(net, sites.Site.home_host, "caller", ANSWERS_WITH_ITS_OWN)
    lab.require([(p["relays"], p["relays_needed"], p["collapsible"], len(p["call_ids"])) for p in found] == [(2, 2, False, 2)]
                and relays_of(found) == joined, f"looptrace found {found}, the edge had joined {joined}")


def offer_anchored(net):
    """The ends share one relay, by the scheme; nothing goes through the B2BUA. In descriptions it ties two calls together no more."""
    said = r"it offers its own \S+:7000 to the other end, but answers with our \S+; so the ends share one relay"
    found, joined = one_sided(net, sites.Site.lan_host, "callee", said)
    lab.require([len(path["call_ids"]) for path in found] == [1, 1] and len(joined) == 2 and joined < relays_of(found),
                f"looptrace found {found}, the edge had joined {joined}")


if __name__ == "__main__":
    lab.main(lan_proxy_lan, lan_proxy_nat, nat_proxy_lan, two_nats, two_passes_through_a_second_proxy, b2bua,
             same_nat_never, same_nat_always, sipedge_killed_without_relay, sipedge_killed_with_one_relay, guessed_port, looptrace_agrees,
             answer_anchored, answer_anchored_nat, offer_anchored)
