"""Calls that come through the edge again, by a Kamailio on the WAN or on the LAN, exchange by exchange. After each, the two ends are on
one relay or on none, as their places want it; no address of one place is shown to another."""
import json
import signal

import exchanges
import kamailio
import lab
import site_of_phones as sites

GONE = 2.0  # seconds after an answer in which what is superfluous must go


class Loop(exchanges.Call):
    """alice calls carol by way of others. `relays`: how many stay, for each stream."""

    def __init__(self, site, caller, callee, uri, relays):
        self.relays = relays
        super().__init__(site, caller, callee, uri)

    def check(self, again=False):
        self.relayed = self.relays * len(self.streams())
        super().check(again)
        self.joined = {leg["local"] for leg in self.site.legs() if leg["state"] == "joined"}
        return self

    def settle(self):
        """Within 2 s of the answer no leg is left that is not joined, nor any socket of one."""
        def stray():
            self.world.turn()
            return [leg for leg in self.site.legs() if leg["state"] not in ("parted", "joined")]
        lab.within(GONE, lambda: not stray(), lambda: f"step {self.step}: superfluous legs: {stray()}")
        wanted = 4 * self.relays * len([one for one in self.streams() if one[1][1].kind != "image"])

        def ports():
            self.world.turn()
            return self.site.media_ports()
        lab.within(GONE, lambda: ports() == wanted, lambda: f"step {self.step}: {wanted} media ports, there are {ports()}")
        return self


def story(loop):
    loop.invite(["audio 4000"], ["audio 5000"]).settle()
    loop.invite(["audio 4000 sendonly"], ["audio 5000 recvonly"]).settle()
    loop.invite(["audio 4000"], ["audio 5000"])
    loop.invite(["audio 5010"], ["audio 4000"], by="b")
    loop.invite(["audio 4000", "video 4020"], ["audio 5010", "video 5020"])
    loop.refused(["audio 4900", "video 4902"])
    loop.late(["audio 5012", "video 0"], ["audio 4012", "video 0"]).settle()
    loop.late(["audio 4014", "video 0"], ["audio 5014", "video 0"], by="b")
    loop.update(["audio 5016", "video 5018"], ["audio 4014", "video 4016"], by="b").settle()
    loop.glare(["audio 4910", "video 4912"], ["audio 5910", "video 5912"])
    loop.bye(by="b")


def others(loop):
    """The other ways to begin a call."""
    loop.picked_up(*loop.reliable(["audio 4000"], ["audio 5000"]))
    loop.invite(["audio 4010"], ["audio 5010"])
    loop.bye()


def late(loop):
    loop.picked_up(*loop.reliable(["audio 5000"], ["audio 4000"], late=True))
    loop.bye(by="b")


def killed(loop):
    loop.invite(["audio 4000"], ["audio 5000"])
    for worker in ("sipedge", "mediarelay"):
        loop.kill(worker)
        loop.invite(["audio 4000 sendonly"], ["audio 5000 recvonly"])
        loop.kill(worker)
        loop.invite(["audio 5000"], ["audio 4000"], by="b").settle()
    loop.bye()


def traced(site, relays):
    """A capture on the edge of a whole call, and the edge's own records: what looptrace finds in them is what the edge did."""
    watch = sites.Watch(site, "sipedge", "pass")
    path = site.net.folder / "edge.pcap"
    tcpdump = site.edge.start("tcpdump", "tcpdump", "-Z", "root", "-U", "-n", "--immediate-mode", "-B", "16384", "-i", "any", "-w", path, "udp")
    tcpdump.wait_line("listening on")

    def compare(joined):
        lab.wait_until(lambda: path.read_bytes().count(b"BYE sip:") >= 4, "tcpdump to have the BYE")
        tcpdump.signal(signal.SIGINT)
        tcpdump.wait_exit()
        records = site.net.folder / "passes.jsonl"
        records.write_text("".join(watch.told()))
        for source in (path, records):
            agree(source, joined)

    def agree(source, joined):
        done = site.edge.run(lab.PROGRAMS / "looptrace", "--config", site.config, "--format", "json", source)
        lab.require(done.returncode == 0, f"looptrace: {done.stderr}")
        found = [r for r in map(json.loads, done.stdout.splitlines()) if r["type"] == "path"]
        lab.require(len(found) == 1 and found[0]["relays_needed"] == relays, f"looptrace, where the edge had {relays} relays: {found}")
        lab.require(relays > 0 or found[0]["relays"] == 0, f"looptrace sees relays where none is left: {found}")
        made = [hop["relay"] for hop in found[0]["hops"] if "relay" in hop]
        needed = {one[f"towards_{end}"] for one in made for end in ("caller", "callee") if one[f"{end}_side_needed"]}
        lab.require(relays == 0 or needed == joined, f"looptrace would keep {needed}, the edge had joined {joined}")
        lab.require(len(found[0]["hops"]) >= 5, f"not every hop was found: {found}")
    return compare


def tell(site, hosts, uri, relays, same_nat=None):
    with Loop(site, *hosts, uri, relays) as loop:
        compare = traced(site, relays)
        others(loop)
        compare(loop.joined)
    for part in (story, late, killed):
        with Loop(site, *hosts, uri, relays) as loop:
            try:
                part(loop)
            except lab.Failure as failure:
                raise lab.Failure(f"{part.__name__}: {failure}") from failure
            site.check_wan(same_nat)


def by_proxy(net, make_caller, make_callee, relays, same_nat=None, **changes):
    """By a Kamailio on the WAN and back."""
    site = sites.Site(net).start(**changes)
    outside = site.wan_host()
    kamailio.start_proxy(outside, {"carol": ("sip:carol@example.com", f"{sites.WAN_EDGE}:5060")})
    hosts = make_caller(site), make_callee(site)
    tell(site, hosts, f"sip:carol@{outside.address}", relays, same_nat)


def by_pbx(net, make_caller, make_callee, relays):
    site = sites.Site(net)
    server = net.host("pbx").attach("eth0", site.lan, "192.168.10.50/24")
    kamailio.start_proxy(server, {"carol": ("sip:carol@example.com", f"{sites.LAN_EDGE}:5060")})
    site.start(**{"sip.routes": {'"pbx.example.net"': '"sip:192.168.10.50:5060"'}})
    hosts = make_caller(site), make_callee(site)
    tell(site, hosts, "sip:carol@pbx.example.net", relays)
