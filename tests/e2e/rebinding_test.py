#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""A NAT that forgets in the middle of a call: media come from another port, SIP too, and the call goes on, with re-INVITE and BYE
from either end. Phones that vanish: both, and the relay is freed with one line in the log; one, and the other one keeps its call."""
import pathlib
import re
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import exchanges
import lab
import site_of_phones as sites

AUDIO = (["audio 4000"], ["audio 5000"])
REBIND_AFTER = 2.2  # seconds of silence at the old source until a new one is taken: design section 6


def forget(nat, number):
    """New mappings from now on: old entries are gone, and new ones get ports from another range."""
    nat.nft(f"flush chain ip nat post\nadd rule ip nat post oifname \"out0\" meta l4proto udp masquerade to :{number}000-{number}999\n")
    lab.sh(*nat.enter, "conntrack", "-F")


def latched(call, side_of):
    """Where the relay's legs send to, by what the party said."""
    return {leg["party"]["endpoint"]: leg.get("latched", {}).get("rtp", {}) for leg in call.site.legs() if leg["state"] == "joined"}[side_of]


def speak_for(call, seconds):
    """Both phones speak on; whether they are heard is not asked."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        call.sequence += 1
        for _, (x, mine, there), (y, theirs, its) in call.streams():
            x.say(mine.port, (there.address, there.port), b"", call.sequence, mine.kind)
            y.say(theirs.port, (its.address, its.port), b"", call.sequence, theirs.kind)
        call.world.turn(0.05)


def media_moves(net, shape, behind):
    """The NAT of `behind` (the callee or the caller) maps media anew."""
    with exchanges.Call.of_shape(net, shape) as call:
        phone, port = (call.alice, 4000) if behind == "caller" else (call.carol, 5000)
        phone.register()
        call.invite(*AUDIO)
        said = f"{phone.bare}:{port}"
        before = latched(call, said)
        forget(phone.host.nat, 41)
        speak_for(call, REBIND_AFTER)
        call.check()
        after = latched(call, said)
        lab.require(after["rule"] == "rebind" and after["endpoint"] != before["endpoint"], f"{before} -> {after}")
        # Its SIP comes from another port too: the dialog takes it.
        by, other = ("a", "b") if behind == "caller" else ("b", "a")
        theirs = 5000 if by == "a" else 4000
        call.invite([f"audio {port} sendonly"], [f"audio {theirs} recvonly"], by=by)
        call.invite([f"audio {port}"], [f"audio {theirs}"], by=by)
        call.invite([f"audio {theirs + 10}"], [f"audio {port}"], by=other)  # and is asked there
        call.bye(by=other)
        call.check_wan()


def caller_behind_a_nat(net):
    media_moves(net, "far_end", "caller")


def callee_behind_a_nat(net):
    media_moves(net, "far_end_back", "callee")


def two_nats(net):
    media_moves(net, "two_nats", "callee")


def gone(net, shape):
    """Both phones lose their power: the relay is freed after the time-out, told in one line; the call is over for the edge."""
    with exchanges.Call.of_shape(net, shape, media_proxy={"timeout": '"5s"'}) as call:
        call.invite(*AUDIO)
        call.site.wait_nothing_left()
        media = [d.time for tap in (call.site.on_wan, call.site.on_lan) for d in tap.all()
                 if d.destination.startswith((sites.WAN_EDGE, sites.LAN_EDGE)) and not d.destination.endswith(":5060")]
        silent = time.time() - max(media)
        lab.require(silent >= 4.9, f"the relay was freed too early: after {silent:.1f} s")
        lines = [line for line in call.site.natkit.lines if re.search(r"MEDIAPROXY .*no packets for .*freed", line)]
        lab.require(len(lines) == 1, f"{len(lines)} lines say why: {lines}")


def both_gone_near_end(net):
    gone(net, "near_end")


def both_gone_two_nats(net):
    gone(net, "two_nats")


def held_is_no_silence(net):
    """On hold nobody speaks, and the relay stays; after resume it is as it was."""
    with exchanges.Call.of_shape(net, "far_end", media_proxy={"timeout": '"5s"'}) as call:
        call.invite(*AUDIO)
        call.invite(["audio 4000 inactive"], ["audio 5000 inactive"])
        exchanges.held_for(11, call.world)
        call.invite(["audio 4000"], ["audio 5000"])
        call.bye()


def one_gone(net):
    """One phone vanishes, the other one speaks on: the relay stays, and the log names it; then that one hangs up."""
    with exchanges.Call.of_shape(net, "far_end", media_proxy={"timeout": '"5s"'}) as call:
        call.invite(*AUDIO)
        end = time.monotonic() + 11
        while time.monotonic() < end:
            call.sequence += 1
            _, (x, mine, there), _ = call.streams()[0]
            x.say(mine.port, (there.address, there.port), b"", call.sequence, mine.kind)
            call.world.turn(0.05)
        lab.require(call.joins() == 1, f"the relay is gone: {call.legs_told()}")
        call.check()  # the other one was asleep
        call.bye()


if __name__ == "__main__":
    lab.main(caller_behind_a_nat, callee_behind_a_nat, two_nats, both_gone_near_end, both_gone_two_nats, held_is_no_silence, one_gone)
