#!/usr/bin/env python3
"""Media before the call is answered, through every shape of call: 183 with and without 100rel, offers and answers in 183, PRACK, its
200 and early UPDATE, given up by CANCEL or refused after early media. After each exchange media gets where it should, and nowhere
else; no private address on the WAN; nothing is left."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import exchanges
import lab

AUDIO = (["audio 4000"], ["audio 5000"])


def early_media(call):
    call.early(*AUDIO)
    call.invite(["audio 4010"], ["audio 5000"])
    call.bye(by="b")


def reliable(call):
    """Offer in INVITE, answer in a reliable 183; the 200 has no description."""
    call.picked_up(*call.reliable(*AUDIO))
    call.invite(["audio 5010"], ["audio 4000"], by="b")
    call.bye()


def early_updates(call):
    """New ports and a hold while it still rings, from either end; then the call."""
    ringing = call.reliable(*AUDIO)
    call.update(["audio 4010"], ["audio 5000"])
    call.update(["audio 5010"], ["audio 4010"], by="b")
    call.update(["audio 4010 sendonly"], ["audio 5010 recvonly"])
    call.update(["audio 4010"], ["audio 5010"])
    call.refused(["audio 4900"], method="UPDATE")
    call.picked_up(*ringing)
    call.update(["audio 4020", "video 4030"], ["audio 5010", "video 5030"])
    call.bye()


def offer_in_183(call):
    """No offer in INVITE: the 183 has it, PRACK the answer."""
    call.picked_up(*call.reliable(["audio 5000"], ["audio 4000"], late=True))
    call.update(["audio 4010"], ["audio 5010"])
    call.bye()


def offer_in_prack(call):
    """A second exchange in PRACK and its 200: the first one was answered by 183."""
    call.picked_up(*call.reliable(*AUDIO, prack=(["audio 4010"], ["audio 5010"])))
    call.invite(["audio 4020"], ["audio 5020"])
    call.bye(by="b")


def cancelled(call):
    """The caller gives up while early media flow."""
    _, invite, got = call.ring(call.alice.sdp("audio 4000"))
    call.carol.answer(got, 183, call.carol.sdp("audio 5000"), call.b.tag)
    call.alice.expect("SIP/2.0 183")
    call.alice.cancel(invite)
    call.carol.answer(call.carol.expect("CANCEL "), 200, tag=call.b.tag)
    call.carol.answer(got, 487, tag=call.b.tag)
    final = call.alice.expect("SIP/2.0 487")
    call.a.acknowledge_failure(invite, final)
    call.carol.expect("ACK ")
    call.site.wait_nothing_left()


def refused(call):
    """The callee refuses after early media."""
    branch, invite, got = call.ring(call.alice.sdp("audio 4000"))
    call.carol.answer(got, 183, call.carol.sdp("audio 5000"), call.b.tag)
    call.alice.final(branch, pattern="SIP/2.0 183")
    call.carol.answer(got, 603, tag=call.b.tag)
    call.a.acknowledge_failure(invite, call.alice.final(branch))
    call.carol.expect("ACK ")
    call.site.wait_nothing_left()


def through(net, shape):
    site = exchanges.make_site(net, six="six" in shape)
    hosts = [make(site) for make in exchanges.SHAPES[shape]]
    for story in (early_media, reliable, early_updates, offer_in_183, offer_in_prack, cancelled, refused):
        with exchanges.Call(site, *hosts) as call:
            exchanges.tell(story, call)
            call.check_wan()


if __name__ == "__main__":
    lab.main(*exchanges.in_shapes(through))
