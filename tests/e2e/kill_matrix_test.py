#!/usr/bin/env python3
"""kill -9 of sipedge and of mediarelay in the middle of every shape of call: after each death media flow from port to port as before,
and hold, resume, new ports, a stream more, T.38, UPDATE and BYE work from either end; a held call stays held, a call with early media is
answered."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import exchanges
import lab


def established(call, worker):
    call.invite(["audio 4000"], ["audio 5000"])
    call.kill(worker)
    call.invite(["audio 5000", "video 5002"], ["audio 4000", "video 4002"], by="b")
    call.kill(worker)
    call.invite(["audio 4010", "video 0"], ["audio 5010", "video 0"])
    call.bye(by="b")


def held(call, worker):
    call.invite(["audio 4000"], ["audio 5000"])
    call.invite(["audio 4000 sendonly"], ["audio 5000 recvonly"])
    call.kill(worker)
    call.update(["audio 4000"], ["audio 5000"])
    call.late(["audio 4020"], ["audio 5020"], by="b")
    call.bye()


def faxing(call, worker):
    """Killed when the audio has become T.38, and audio comes back."""
    call.invite(["audio 4000"], ["audio 5000"])
    call.invite(["image 5400"], ["image 4400"], by="b")
    call.kill(worker)
    call.invite(["image 4402"], ["image 5400"])
    call.kill(worker)
    call.invite(["audio 5000"], ["audio 4000"], by="b")
    call.bye()


def through(net, shape, worker):
    site = exchanges.make_site(net, six="six" in shape)
    hosts = [make(site) for make in exchanges.SHAPES[shape]]
    for story in (established, held, faxing):
        with exchanges.Call(site, *hosts) as call:
            exchanges.tell(story, call, worker, while_=f", {worker} killed")
            call.check_wan()


def edge_killed(net, shape):
    through(net, shape, "sipedge")


def relay_killed(net, shape):
    through(net, shape, "mediarelay")


def early(net, shape):
    """mediarelay dies while the callee's early media flow: they go on, and the call is answered."""
    with exchanges.Call.of_shape(net, shape) as call:
        ringing = call.reliable(["audio 4000"], ["audio 5000"])
        call.kill("mediarelay")
        call.update(["audio 4010"], ["audio 5000"])
        call.picked_up(*ringing)
        call.invite(["audio 5010"], ["audio 4010"], by="b")
        call.bye()
        call.check_wan()


def set_up_without_sipedge(net):
    """A call that is being set up does not outlive sipedge, but does no harm: the callee's answer shows nobody a private address,
    the next call works at once, and the relay of the lost one is freed."""
    site = exchanges.make_site(net)
    hosts = [make(site) for make in exchanges.SHAPES["near_end_back"]]
    with exchanges.Call(site, *hosts) as call:
        ringing = call.reliable(["audio 4000"], ["audio 5000"])
        site.kill_worker("sipedge")
        site.wait_up()
        call.carol.answer(ringing[1], 200, call.carol.sdp("audio 5000"), call.b.tag)
        exchanges.held_for(2, call.world)
        call.check_wan()
    with exchanges.Call(site, *hosts, others=1) as call:
        call.invite(["audio 4000"], ["audio 5000"])
        call.invite(["audio 5010"], ["audio 4000"], by="b")
        call.bye(left=False)
    site.wait_nothing_left(90)  # what nobody claims is freed 30 s after its owner came back


if __name__ == "__main__":
    SHAPES = ("near_end", "far_end", "two_nats", "four_six")
    lab.main(*exchanges.in_shapes(edge_killed, SHAPES), *exchanges.in_shapes(relay_killed, SHAPES, "_mediarelay"),
             *exchanges.in_shapes(early, ("near_end", "two_nats", "four_six"), "_early"), set_up_without_sipedge)
