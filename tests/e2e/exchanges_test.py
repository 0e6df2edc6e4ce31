#!/usr/bin/env python3
"""Exchanges of offer and answer inside a call, through every shape of call and from both ends: hold and resume, new ports, video
added, removed and its line used again, late offers, UPDATE, glare, refusals, audio that becomes T.38 and audio again. After each
one media gets from port to port, and nowhere else; no private address on the WAN; nothing is left."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import exchanges
import lab


def hold(call):
    for by, mine, theirs in (("a", 4000, 5000), ("b", 5000, 4000)):
        call.invite([f"audio {mine} sendonly"], [f"audio {theirs} recvonly"], by=by)
        call.invite([f"audio {mine}"], [f"audio {theirs}"], by=by)
        call.invite([f"audio {mine} inactive"], [f"audio {theirs} inactive"], by=by)
        call.invite([f"audio {mine}"], [f"audio {theirs}"], by=by)
    # Held by both, and taken back one by one.
    call.invite(["audio 4000 sendonly"], ["audio 5000 recvonly"])
    call.invite(["audio 5000 inactive"], ["audio 4000 inactive"], by="b")
    call.invite(["audio 5000 recvonly"], ["audio 4000 sendonly"], by="b")
    call.invite(["audio 4000"], ["audio 5000"])


def ports(call):
    call.invite(["audio 4010"], ["audio 5000"])
    call.invite(["audio 5010"], ["audio 4010"], by="b")
    call.invite(["audio 4000"], ["audio 5020"])
    call.invite(["audio 4000"], ["audio 5020"])  # nothing new
    call.refused(["audio 4900"])
    call.refused(["audio 5900"], by="b")


def video(call):
    call.invite(["audio 4000", "video 4020"], ["audio 5020", "video 5030"])
    call.invite(["audio 5020", "video 0"], ["audio 4000", "video 0"], by="b")
    call.invite(["audio 4000", "video 4030"], ["audio 5020", "video 5032"])
    call.invite(["audio 4000 sendonly", "video 4030 sendonly"], ["audio 5020 recvonly", "video 5032 recvonly"])
    call.invite(["audio 4000", "video 4030"], ["audio 5020", "video 5032"])
    call.refused(["audio 4000", "video 4900", "video 4902"])
    call.invite(["audio 4000", "video 4040"], ["audio 5020", "video 0"])  # the other end wants no video


def other_ways(call):
    call.late(["audio 5040", "video 0"], ["audio 4040", "video 0"])
    call.late(["audio 4042", "video 0"], ["audio 5042", "video 0"], by="b")
    call.update(["audio 4044", "video 4046"], ["audio 5042", "video 5046"])
    call.update(["audio 5044", "video 5046"], ["audio 4044", "video 4046"], by="b")
    call.refused(["audio 4900", "video 4902"], method="UPDATE")
    call.glare(["audio 4910", "video 4912"], ["audio 5910", "video 5912"])
    call.invite(["audio 4044", "video 4046"], ["audio 5044", "video 5046"])


def fax(call):
    call.invite(["image 5050", "video 0"], ["image 4050", "video 0"], by="b")
    call.invite(["image 5052", "video 0"], ["image 4052", "video 0"], by="b")
    call.refused(["audio 4900", "video 0"])
    call.invite(["audio 4000", "video 0"], ["audio 5000", "video 0"])


def through(net, shape):
    with exchanges.Call.of_shape(net, shape) as call:
        call.invite(["audio 4000"], ["audio 5000"])
        for story in (hold, ports, video, other_ways, fax):
            exchanges.tell(story, call)
        call.bye()
        call.check_wan()
    first_by_late_offer(call)


def first_by_late_offer(call):
    """The same ends again: the first INVITE has no offer."""
    with exchanges.Call(call.site, call.alice.host, call.carol.host) as again:
        again.late(["audio 5000", "video 5020"], ["audio 4000", "video 4020"])
        again.invite(["audio 5000 sendonly", "video 0"], ["audio 4000 recvonly", "video 0"], by="b")
        again.bye(by="b")
        again.check_wan()


if __name__ == "__main__":
    lab.main(*exchanges.in_shapes(through))
