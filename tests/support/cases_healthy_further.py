"""Further healthy odd calls: what phones and servers do before and after the answer. See odd_calls.py."""
import asyncio

from cases import healthy, register, sleep, with_direction
from cases_healthy_setup import RELIABLE
from odd_calls import VIDEO, call_with_video, odd, odd_within, with_lines
from scripted_media import EVENTS, PCMA, description


@odd("wire", "v6")
async def late_offer_in_prack(s):
    """The offer comes in the reliable 183, its answer in the PRACK (RFC 3262 section 5)."""
    inc = await s.dial("", more=["Supported: 100rel"])
    inc.said = s.answer()
    inc.respond(183, inc.said, RELIABLE)
    await sleep(0.15)
    last = s.out.early_dialog()
    s.out.said = s.offer()
    await s.out.request("PRACK", s.offer(), more=[f"RAck: {last['RSeq']} {last.cseq} INVITE"], wait=3)
    await sleep(0.6)
    accepted = asyncio.create_task(inc.accept(""))
    await s.dialling
    await accepted
    s.ma.follow(s.out.early), s.mb.follow(inc.told)
    s.speak()
    await s.talk(1.6)
    await s.hang_up()


@odd("nat", "proxied", outcome="no_answer")
async def announcement_and_no_answer(s):
    """Early media all the time; then the caller gives up."""
    inc = await s.dial()
    inc.respond(183, s.answer())
    s.mb.start(inc.told)
    await sleep(1.6)
    s.mb.stop()
    await s.out.cancel()
    await s.dialling


@odd_within("nat", "wire")
async def long_hold_with_keepalives(s):
    """Nobody speaks; reports and empty packets keep the way open."""
    said = s.out.said
    s.ma.speaking = s.mb.speaking = False
    await s.out.invite(with_direction(said, "sendonly"))
    for _ in range(4):
        await sleep(1)
        s.ma.say(20, payload=b"")
    s.ma.speaking = s.mb.speaking = True
    await s.out.invite(with_direction(said, "sendrecv"))


@odd("wire", "v6")
async def video_switched_off(s):
    """From the re-INVITE on its line has port 0."""
    va, vb = await call_with_video(s)
    await s.talk(1.2)
    s.inc.answer_with = lambda offer: (200, with_lines(s.answer(), VIDEO.format(0)))
    va.stop(), vb.stop()
    await s.out.invite(with_lines(s.offer(), VIDEO.format(0)))
    await s.talk(1.4)
    await s.hang_up()


@odd("nat", "wire")
async def keys_and_no_voice(s):
    """A modem or an alarm: it presses keys, and the other side listens."""
    await s.call(speak=False)
    for one in (s.ma, s.mb):
        one.start()
        one.speaking = False
    for digit in range(8):
        s.ma.press(EVENTS, digit)
        s.mb.press(EVENTS, 9)
        await sleep(0.3)
    await s.hang_up()


@healthy("bob stun", media="direct")
async def forked_with_two_announcements(c):
    """Two branches announce media; a third answers."""
    a = c.phone("bob")
    phones = [c.phone(name, user="team") for name in ("carol", "gate", "stun")]
    await register(a, *phones)
    ma = c.stream("bob")
    media = [c.stream(name, 17384 + 10 * i) for i, name in enumerate(("carol", "gate", "stun"))]
    out = a.dial("team")
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    ends = [await one.incoming() for one in phones]
    for i in (0, 1):
        ends[i].respond(183, description(media[i].address, media[i].port))
        media[i].start(ends[i].told)
        await sleep(0.5)
    accepted = asyncio.create_task(ends[2].accept(description(media[2].address, media[2].port)))
    media[2].follow(ends[2].told)
    await dialling
    media[0].stop(), media[1].stop()
    ma.start(out.told)
    media[2].start()
    await accepted
    await sleep(1.8)
    await out.bye(4)
    return out


@odd("to_nat", "wire")
async def speech_of_opus_without_pauses(s):
    """Discontinuous transmission: in silence a packet each 400 ms."""
    own = {"formats": (111, EVENTS), "codecs": {111: "opus/48000/2"}}
    s.ma.payload_type = s.mb.payload_type = 111
    await s.call(offer=s.offer(**own), answer=s.answer(**own))
    await s.talk(1)
    for one in (s.ma, s.mb):
        one.frame, one.size = 0.4, 3
    await s.talk(3)
    await s.hang_up()


@odd_within("nat", "proxied")
async def refreshed_without_description(s):
    """UPDATE without SDP, each way (RFC 4028)."""
    await s.out.update(more=["Session-Expires: 90;refresher=uac"])
    await sleep(0.4)
    await s.inc.update(more=["Session-Expires: 90;refresher=uas"])


@odd_within("nat", "wire")
async def offer_refused_and_call_goes_on(s):
    """A re-INVITE with another codec is refused by 488; all stays as it was."""
    s.inc.answer_with = lambda offer: (488, "")
    await s.out.invite(s.offer(formats=(PCMA,)))
    s.inc.answer_with = None
    s.out.said = s.offer()
    await sleep(0.6)


@odd_within("nat", "wire", "v6")
async def hold_refused_and_asked_again(s):
    """491 to the resume; it is sent again, and accepted (RFC 3261 section 14.1)."""
    said = s.out.said
    s.ma.speaking = s.mb.speaking = False
    await s.out.invite(with_direction(said, "inactive"))
    await sleep(0.7)
    s.inc.answer_with = lambda offer: (491, "")
    await s.out.invite(with_direction(said, "sendrecv"))
    s.inc.answer_with = None
    await sleep(0.5)
    await s.out.invite(with_direction(said, "sendrecv"))
    s.ma.speaking = s.mb.speaking = True
    await sleep(2.2)


@odd("wire", "nat")
async def session_ends_between_refreshes(s):
    """A timer of 4 s that is renewed in time; the callee hangs up."""
    timer = ["Session-Expires: 4;refresher=uac", "Supported: timer"]
    s.out = s.a.dial(s.b.user, s.uri)
    s.dialling = asyncio.create_task(s.out.invite(s.offer(), timer))
    s.inc = await s.b.incoming()
    await s.picked_up(more=["Session-Expires: 4;refresher=uac", "Require: timer"])
    for _ in range(2):
        await sleep(1.9)
        await s.out.update(more=timer)
    await sleep(0.8)
    await s.hang_up(s.inc)


@odd("wire", "nat")
async def codec_changes_one_after_the_other(s):
    """The answer of the re-INVITE takes PCMU away; the callee changes half a second late."""
    await s.call()
    await s.talk(1)
    s.inc.answer_with = lambda offer: (200, s.answer(formats=(PCMA, EVENTS)))
    await s.out.invite(s.offer(formats=(PCMA, EVENTS)))
    s.ma.payload_type = PCMA
    await sleep(0.5)
    s.mb.payload_type = PCMA
    await s.talk(4)
    await s.hang_up()
