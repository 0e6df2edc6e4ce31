#!/usr/bin/env python3
"""The media of forked calls, for callers and phones at every place: early media of two phones at once, both answer and both are
heard, also with sipedge and mediarelay killed, one of them goes; one answers and the relay of the other one is gone."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import exchanges
import lab
import site_of_phones as sites
import talkers
from talkers import body_of, tag_of, header


class Fork(exchanges.Call):
    """Two phones of carol."""

    def __init__(self, site, caller, first, second, relayed=True):
        super().__init__(site, caller, first, relayed=relayed)
        self.other = talkers.Phone(self.world, second, "carol", exchanges.edge_of(second), port=5062, name="other").register()
        self.dialogs = []

    def pairs(self):
        return self.dialogs

    def ring_both(self):
        self.offer = self.alice.sdp("audio 4000")
        self.branch, self.sent = self.a.request("INVITE", self.offer)
        self.ends_of = []
        for phone, port in ((self.carol, 5000), (self.other, 5100)):
            invite = phone.expect("INVITE ")
            self.ends_of.append((phone, invite, talkers.Dialog.answering(phone, invite), phone.sdp(f"audio {port}")))
        return self

    def pair(self, response):
        """The dialog that an answer makes, or belongs to."""
        tag = tag_of(header(response, "To"))
        phone, invite, b, said = next(one for one in self.ends_of if one[2].tag == tag)
        a = next((a for a, known in self.dialogs if known is b), None)
        if a is None:
            a = self.a.established(response)
            self.dialogs.append((a, b))
        self.agree(a, self.offer, body_of(response), b, said, body_of(invite))
        return a

    def answers(self, status):
        """From both phones; what comes to the caller."""
        for phone, invite, dialog, said in self.ends_of:
            phone.answer(invite, status, said, dialog.tag)
        return [self.alice.expect(f"SIP/2.0 {status}") for _ in self.ends_of]

    def hang_up(self, number, by):
        a, b = self.dialogs.pop(number)
        x, y = (a, b) if by == "a" else (b, a)
        asked = x.ask("BYE")
        y.phone.answer(y.phone.expect("BYE "), 200, tag=y.tag)
        asked()


def both_answer(fork):
    fork.ring_both()
    for response in fork.answers(183):
        fork.pair(response)
    fork.check()
    for response in fork.answers(200):
        fork.pair(response).acknowledge(fork.branch, response)
    for phone in (fork.carol, fork.other):
        phone.expect("ACK ")
    fork.check().kill("sipedge", "mediarelay")
    for a, b in fork.dialogs:  # each is a call of its own: hold one, resume it
        for way, back in (("sendonly", "recvonly"), ("sendrecv", "sendrecv")):
            port = b.said[0].port
            asked_with, answer = fork.alice.sdp(f"audio 4000 {way}"), b.phone.sdp(f"audio {port} {back}")
            branch, _ = a.request("INVITE", asked_with)
            got = b.phone.expect("INVITE ")
            b.phone.answer(got, 200, answer, b.tag)
            ok = fork.alice.final(branch)
            a.acknowledge(branch, ok)
            b.phone.expect("ACK ")
            fork.agree(a, asked_with, body_of(ok), b, answer, body_of(got))
            fork.check()
    fork.hang_up(0, "a")
    fork.check()
    fork.hang_up(0, "b")
    fork.site.wait_nothing_left()


def one_answers(fork):
    """The other one had early media; it is told CANCEL, and its relay goes."""
    fork.ring_both()
    for response in fork.answers(183):
        fork.pair(response)
    fork.check()
    phone, invite, dialog, said = fork.ends_of[1]
    phone.answer(invite, 200, said, dialog.tag)
    ok = fork.alice.expect("SIP/2.0 200")
    kept = fork.pair(ok)
    kept.acknowledge(fork.branch, ok)
    phone.expect("ACK ")
    loser, invite, dialog, _ = fork.ends_of[0]
    loser.answer(loser.expect("CANCEL "), 200, tag=dialog.tag)
    loser.answer(invite, 487, tag=dialog.tag)
    loser.expect("ACK ")
    fork.dialogs = [pair for pair in fork.dialogs if pair[0] is kept]
    fork.check()
    fork.hang_up(0, "a")
    fork.site.wait_nothing_left()


def through(net, *makers, relayed=True, six=False):
    site = exchanges.make_site(net, six=six)
    hosts = [make(site) for make in makers]
    for story in (both_answer, one_answers):
        with Fork(site, *hosts, relayed=relayed) as fork:
            exchanges.tell(story, fork)
            fork.check_wan()


def lan_to_wan_and_nat(net):
    through(net, sites.Site.lan_host, sites.Site.wan_host, sites.Site.home_host)


def wan_to_lan_and_nat(net):
    through(net, sites.Site.wan_host, sites.Site.lan_host, sites.Site.home_host)


def nat_to_nat_and_lan(net):
    through(net, sites.Site.home_host, sites.Site.home_host, sites.Site.lan_host)


def nat_to_two_nats(net):
    through(net, sites.Site.home_host, sites.Site.home_host, sites.Site.home_host)


def four_to_six_and_nat(net):
    through(net, sites.Site.wan_host, exchanges.six_host, sites.Site.home_host, six=True)


if __name__ == "__main__":
    lab.main(lan_to_wan_and_nat, wan_to_lan_and_nat, nat_to_nat_and_lan, nat_to_two_nats, four_to_six_and_nat)
