#!/usr/bin/env python3
"""Offers and answers between two SIPps, also of calls that come through the edge again: late offers, re-INVITE with hold, resume, new
ports, streams added, removed and used again, audio switched to T.38, a refused offer. After each exchange mediarelay must face
exactly the two parties of each stream. Every shape and way with media: exchanges_test.py, early_test.py."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import dialogs
import lab
import phones
import proxy
import site_of_phones as sites
from dialogs import sdp


class Call:
    """Caller and callee of SIPp at a site, a dialog between them, and what mediarelay makes of it."""

    def __init__(self, net, make_caller, make_callee, by_proxy=False):
        self.site = sites.Site(net).start(media_proxy={"log_level": '"problems"'}, sip={"log_level": '"problems"'})
        self.caller, self.callee = make_caller(self.site), make_callee(self.site)
        registered = phones.sipp(self.callee, "register", "-s", "carol", remote=self._edge(self.callee))
        lab.require(registered.wait_exit() == 0, "REGISTER failed")
        self.remote, self.domain = self._edge(self.caller), "example.com"
        if by_proxy:
            outside = self.site.wan_host()
            proxy.Proxy(outside, {"carol": ("sip:carol@example.com", f"{sites.WAN_EDGE}:5060")})
            self.domain = outside.address

    @staticmethod
    def _edge(host):
        return f"{sites.LAN_EDGE if host.address.startswith('192.168.10.') else sites.WAN_EDGE}:5060"

    def joins(self):
        """The streams that are relayed: (kind, port of the caller: 4xxx, port of the callee: 5xxx)."""
        legs = {leg["leg"]: leg for leg in self.site.legs()}
        found = set()
        for leg in legs.values():
            pair = [leg, legs.get(leg.get("joined"), {})]
            if leg["state"] != "joined" or not all("endpoint" in one.get("party", {}) for one in pair):
                continue
            caller, callee = sorted(int(one["party"]["endpoint"].rpartition(":")[2]) for one in pair)
            found.add((leg["stream"], caller, callee))
        return found

    def run(self, dialog, states):
        """Goes through the dialog; after each exchange the streams must be as `states` says."""
        running = dialog.bye().start(self.caller, self.callee, self.remote, domain=self.domain)
        for number, state in enumerate(states, 1):
            running.wait_acknowledged(number)
            lab.wait_until(lambda state=state: self.joins() == state, lambda: f"state {number}: {state}, it is {self.joins()}")
            running.go_on()
        lab.require(running.calling.wait_exit(130) == 0, "the caller saw something else")
        lab.require(running.answering.wait_exit(130) == 0, "the callee saw something else")
        self.site.wait_nothing_left()
        if self.site.on_wan.sip():
            self.site.check_wan()


SHAPES = {
    "near_end": (sites.Site.lan_host, sites.Site.wan_host),
    "far_end": (sites.Site.home_host, sites.Site.wan_host),
    "two_nats": (sites.Site.home_host, sites.Site.home_host),
}


def all_changes():
    dialog = dialogs.Dialog()
    dialog.invite(sdp("audio 4000"), sdp("audio 5000"))
    dialog.invite(sdp("audio 4100", "video 4200"), sdp("audio 5100", "video 5200"))    # a new port, a stream more
    dialog.refused(sdp("audio 4900", "video 4902"))
    dialog.invite(sdp("audio 4100", "hold", "video 0"), sdp("audio 5100", "video 0"))  # held, and a stream less
    dialog.invite(sdp("audio 4100", "video 4300"), sdp("audio 5100", "video 5300"))    # its line used again
    dialog.invite(sdp("image 4400", "video 0"), sdp("image 5400", "video 0"))          # a fax
    both = {("rtp", 4100, 5100), ("rtp", 4200, 5200)}
    return dialog, [{("rtp", 4000, 5000)}, both, both, {("rtp", 4100, 5100)}, {("rtp", 4100, 5100), ("rtp", 4300, 5300)},
                    {("udp", 4400, 5400)}]


def changes(net, shape):
    Call(net, *SHAPES[shape]).run(*all_changes())


def ways(net, shape):
    dialog = dialogs.Dialog()
    dialog.late(sdp("audio 5000"), sdp("audio 4000"))
    dialog.late(sdp("audio 5100"), sdp("audio 4100"))
    dialog.invite(sdp("audio 4200"), sdp("audio 5200"))
    Call(net, *SHAPES[shape]).run(dialog, [{("rtp", 4000, 5000)}, {("rtp", 4100, 5100)}, {("rtp", 4200, 5200)}])


def loop_over_one_relay(net):
    """Out to a proxy and back, to a phone behind a NAT: through every change the two are on one relay."""
    call = Call(net, sites.Site.lan_host, sites.Site.home_host, by_proxy=True)
    call.run(*all_changes())


def loop_without_relay(net):
    """Out to a proxy and back to the LAN: every change is told to the other phone as it is, late offers too."""
    call = Call(net, sites.Site.lan_host, sites.Site.lan_host, by_proxy=True)
    heard = net.tap(call.callee)
    dialog, states = all_changes()
    dialog.late(sdp("audio 5600"), sdp("audio 4600"))
    call.run(dialog, [set()] * (len(states) + 1))
    shown = [text.partition("\r\n\r\n")[2] for d, text in heard.sip() if d.source.startswith(sites.LAN_EDGE) and "m=" in text]
    lab.require(len(shown) == 7, f"{len(shown)} session descriptions reached the callee")
    for text in shown:
        lab.require(f"c=IN IP4 {call.caller.address}\r\n" in text, f"another address than the caller's:\n{text}")
    lab.require("m=image 4400 " in shown[5] and "m=audio 4600 " in shown[6], f"the wrong ports:\n{shown[5]}\n{shown[6]}")


def near_end_changes(net):
    changes(net, "near_end")


def two_nats_changes(net):
    changes(net, "two_nats")


def far_end_late_offers(net):
    ways(net, "far_end")


if __name__ == "__main__":
    lab.main(loop_over_one_relay, loop_without_relay, near_end_changes, two_nats_changes, far_end_late_offers)
