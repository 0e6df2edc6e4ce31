"""Healthy calls that are set up in odd ways: provisional responses, late answers, refusals that people mean, forks. See odd_calls.py."""
import asyncio
import contextlib
import random

from cases import sleep
from odd_calls import KEY, call_with_video, changed, odd, with_lines
from scripted_media import G722, PCMA, PCMU

# --- provisional responses

RELIABLE = ["Require: 100rel", "RSeq: 1"]


async def acknowledge(s):
    """PRACK for the last provisional response (RFC 3262)."""
    await sleep(0.15)
    last = s.out.early_dialog()
    await s.out.request("PRACK", more=[f"RAck: {last['RSeq']} {last.cseq} INVITE"], wait=3)


@odd("nat", "wire", "v6", usual="wire")
async def prack(s):
    """A reliable 183 with the answer, and a 200 without."""
    inc = await s.dial(more=["Supported: 100rel"])
    inc.said = s.answer()
    inc.respond(183, inc.said, RELIABLE)
    s.mb.start(inc.told)
    await acknowledge(s)
    await sleep(0.7)
    await s.picked_up("")
    await s.talk()
    await s.hang_up()


@odd("proxied", "to_nat")
async def update_while_ringing(s):
    """The caller moves its media before the answer (RFC 3311)."""
    inc = await s.dial(more=["Supported: 100rel"])
    inc.said = s.answer()
    inc.respond(183, inc.said, RELIABLE)
    await acknowledge(s)
    s.ma.stop()
    s.ma = s.c.stream(s.first, 18000)
    await s.out.update(s.offer())
    await sleep(0.4)
    await s.picked_up("")
    await s.talk()
    await s.hang_up()


@odd("nat", "routed")
async def ringing_with_description(s):
    """180 with SDP and no early media."""
    inc = await s.dial()
    answer = s.answer()
    inc.respond(180, answer)
    await sleep(1)
    await s.picked_up(answer)
    await s.talk()
    await s.hang_up()


@odd("lan_out", "v6_proxied")
async def many_provisional(s):
    """Forwarded, queued, ringing, in progress, ringing again."""
    inc = await s.dial()
    for status in (181, 182, 180, 183, 180):
        inc.respond(status)
        await sleep(0.2)
    await s.picked_up()
    await s.talk()
    await s.hang_up()


@odd("nat", "lan")
async def long_ringing(s):
    """Twelve seconds until somebody comes; 180 is repeated."""
    inc = await s.dial(wait=20)
    for _ in range(3):
        inc.respond(180)
        await sleep(1.6)
    await s.picked_up()
    await s.talk()
    await s.hang_up()


@odd("proxied", "two_nats")
async def no_ringing(s):
    """An answering machine: 200 at once."""
    await s.call(ring=0)
    await s.talk(1.5)
    await s.hang_up(s.inc)


@odd("to_nat", "wire")
async def callee_speaks_before_the_answer(s):
    """Its media is there when it picks up, before the 200 is."""
    inc = await s.dial()
    inc.respond(180)
    await sleep(0.4)
    s.mb.start(inc.told)
    await sleep(0.25)
    await s.picked_up()
    await s.talk()
    await s.hang_up()


@odd("nat", "proxied", "families", usual="nat")
async def media_begins_late(s):
    """Phones that need more than a second after the answer."""
    await s.call(speak=False)
    await sleep(0.9)
    s.mb.start()
    await sleep(0.5)
    s.ma.start()
    await s.talk(2)
    await s.hang_up()


# --- short ones

@odd("nat", "wire", "lan")
async def very_short(s):
    await s.call()
    await s.talk(0.25)
    await s.hang_up()


@odd("proxied", "to_nat")
async def hung_up_at_once(s):
    """Answered and ended before anybody speaks."""
    await s.call(speak=False)
    await s.hang_up()


@odd("nat", "proxied")
async def cancel_crosses_answer(s):
    """The caller gives up in the moment in which the callee picks up: it has to end the call by BYE."""
    inc = await s.dial()
    inc.respond(180)
    await sleep(0.5)
    accepted = asyncio.create_task(inc.accept(s.answer()))
    await sleep(0)
    await asyncio.gather(s.out.cancel(), s.dialling)
    await accepted
    await s.hang_up()


# --- what people refuse

@odd("nat", "lan", outcome="refused")
async def declined(s):
    inc = await s.dial()
    inc.respond(180)
    await sleep(0.5)
    inc.respond(603)
    await s.dialling


@odd("to_nat", "wire", outcome="refused", usual="to_nat")
async def busy_with_announcement(s):
    """A voice tells in early media that the line is engaged; then 486."""
    inc = await s.dial()
    inc.respond(183, s.answer())
    s.mb.start(inc.told)
    await sleep(1.5)
    s.mb.stop()
    inc.respond(486)
    await s.dialling


@odd("proxied", "two_nats", outcome="no_answer")
async def do_not_disturb(s):
    inc = await s.dial()
    inc.respond(480, more=['Reason: Q.850;cause=19;text="Do not disturb"'])
    await s.dialling


@odd("v6", "lan_out", outcome="no_answer")
async def given_up_while_ringing(s):
    inc = await s.dial()
    inc.respond(180)
    await sleep(0.8)
    await s.out.cancel()
    await s.dialling


@odd("wire", "proxied")
async def interval_too_small(s):
    """422 and another try with a longer session interval (RFC 4028 section 6)."""
    inc = await s.dial(more=["Session-Expires: 30", "Supported: timer"])
    inc.respond(422, more=["Min-SE: 90"])
    await s.dialling
    del s.b.dialogs[s.out.call_id]
    out = s.out
    again = asyncio.create_task(out.invite(out.said, ["Session-Expires: 90;refresher=uac", "Supported: timer", "Min-SE: 90"]))
    s.inc, s.dialling = await s.b.incoming(), again
    await s.picked_up(more=["Session-Expires: 90;refresher=uac", "Require: timer"])
    await s.talk()
    await s.hang_up()


# --- what is offered

@odd("nat", "proxied")
async def anonymous(s):
    await s.call(more=["Privacy: id", 'P-Preferred-Identity: "A" <sip:a@edge.test>', 'P-Asserted-Identity: <tel:+15550100>'])
    await s.talk()
    await s.hang_up()


@odd("wire", "nat", "lan")
async def each_its_codec(s):
    """Both list PCMA and PCMU, and each sends another one."""
    s.ma.payload_type = PCMA
    formats = (PCMU, PCMA, G722, 101)
    await s.call(offer=s.offer(formats=formats), answer=s.answer(formats=formats))
    await s.talk(1.6)
    await s.hang_up()


@odd("to_nat", "v6")
async def video_refused(s):
    video = ("m=video 16500 RTP/AVP 96", "a=rtpmap:96 H264/90000")
    await s.call(offer=with_lines(s.offer(), *video), answer=with_lines(s.answer(), "m=video 0 RTP/AVP 96"))
    await s.talk(1.6)
    await s.hang_up()


@odd("wire", "v6", "lan", usual="v6")
async def with_video(s):
    """Two streams; the picture has other times and sizes than the voice."""
    await call_with_video(s)
    await s.talk(1.6)
    await s.hang_up()


@odd("wire", "lan")
async def video_one_way(s):
    """Only the callee has a camera: recvonly, answered sendonly."""
    va, vb = s.c.stream(s.first, 16500), s.c.stream(s.second, 17500)
    vb.payload_type, vb.to, vb.rtcp_to = 96, (va.address, va.port), (va.address, va.rtcp_port)
    def line(port, way):
        return (f"m=video {port} RTP/AVP 96", "a=rtpmap:96 H264/90000", f"a={way}")
    await s.call(offer=with_lines(s.offer(), *line(16500, "recvonly")), answer=with_lines(s.answer(), *line(17500, "sendonly")))
    vb.start()
    await s.talk(1.6)
    await s.hang_up()


@odd("nat", "wire", "proxied", usual="nat")
async def encrypted(s):
    """SRTP on both sides (RFC 4568)."""
    s.ma.size = s.mb.size = 170
    own = {"protocol": "RTP/SAVP", "more": [KEY]}
    await s.call(offer=s.offer(**own), answer=s.answer(**own))
    await s.talk(1.6)
    await s.hang_up()


@odd("wire", "to_nat")
async def encryption_offered_as_an_option(s):
    """RTP/AVP with a=crypto; the answer has none, and nobody encrypts."""
    await s.call(offer=s.offer(more=[KEY]), answer=s.answer())
    await s.talk(1.6)
    await s.hang_up()


@odd("routed", "nat")
async def dtls(s):
    """Handshakes on the media port, then SRTP (RFC 5764)."""
    own = {"protocol": "UDP/TLS/RTP/SAVP"}
    print_of = "a=fingerprint:sha-256 " + ":".join(["AB"] * 32)
    await s.call(offer=s.offer(**own, more=[print_of, "a=setup:actpass"]), answer=s.answer(**own, more=[print_of, "a=setup:active"]), speak=False)
    for _ in range(4):
        for one in (s.mb, s.ma):
            one._send(one.mouth, b"\x16\xfe\xfd" + bytes(10) + random.randbytes(120), one.to)
            await sleep(0.03)
    s.ma.size = s.mb.size = 170
    s.speak()
    await s.talk(1.6)
    await s.hang_up()


@odd("wire", "v6", "nat")
async def multiplexed(s):
    """RTP and RTCP on one port (RFC 5761)."""
    for one in (s.ma, s.mb):
        one.stop()
        with contextlib.suppress(ValueError):
            asyncio.get_running_loop().remove_reader(one.rtp)
        one.rtp.close(), one.rtcp.close()
    s.ma, s.mb = s.c.stream(s.first, 16384, rtcp_port=16384), s.c.stream(s.second, 17384, rtcp_port=17384)
    await s.call(offer=s.offer(more=["a=rtcp-mux"]), answer=s.answer(more=["a=rtcp-mux"]))
    await s.talk(1.8)
    await s.hang_up()


@odd("wire", "proxied")
async def rtcp_elsewhere(s):
    """a=rtcp (RFC 3605)."""
    s.ma = s.c.stream(s.first, 16400, rtcp_port=19001)
    await s.call(offer=s.offer(more=["a=rtcp:19001"]))
    await s.talk(1.6)
    await s.hang_up()


@odd("to_nat", "v6_proxied", "cone")
async def no_rtcp(s):
    s.ma.reports = s.mb.reports = False
    await s.call()
    await s.talk(1.6)
    await s.hang_up()


@odd("proxied", "lan_out")
async def announcement(s):
    """The callee answers sendonly: a voice, and nobody listens to the caller, who sends all the same."""
    await s.call(answer=s.answer(direction="sendonly"))
    await s.talk(1.6)
    await s.hang_up(s.inc)


@odd("wire", "nat")
async def third_party_control(s):
    """The controller's first offer has no address; the real one comes in a re-INVITE (RFC 3725)."""
    await s.call(offer=changed(s.offer(), r"^c=IN IP4 \S+\r", "c=IN IP4 0.0.0.0\r"), answer=s.answer(), speak=False)
    await sleep(0.6)
    await s.out.invite(s.offer())
    s.ma.follow(s.out.told), s.mb.follow(s.inc.told)
    s.speak()
    await s.talk(1.6)
    await s.hang_up()


@odd("nat", "lan")
async def begins_inactive(s):
    await s.call(offer=s.offer(direction="inactive"), answer=s.answer(direction="inactive"), speak=False)
    await sleep(0.7)
    await s.out.invite(changed(s.out.said, "a=inactive", "a=sendrecv"))
    s.ma.follow(s.out.told), s.mb.follow(s.inc.told)
    s.speak()
    await s.talk(1.6)
    await s.hang_up()


@odd("routed", "nat")
async def small_frames(s):
    """10 ms of G.729, as gateways may."""
    for one in (s.ma, s.mb):
        one.payload_type, one.size, one.frame = 18, 10, 0.01
    own = {"formats": (18, 101), "codecs": {18: "G729/8000"}, "more": ["a=ptime:10"]}
    await s.call(offer=s.offer(**own), answer=s.answer(**own))
    await s.talk(1.4)
    await s.hang_up()


@odd("proxied", "to_nat")
async def large_frames(s):
    """120 ms in a packet."""
    for one in (s.ma, s.mb):
        one.size, one.frame = 960, 0.12
    await s.call()
    await s.talk(2.4)
    await s.hang_up()
