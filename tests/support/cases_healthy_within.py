"""Healthy calls in which something odd happens after the answer: holds, refreshes, moves, other sources and formats, noise. See odd_calls.py."""
import asyncio
import os
import random
import struct

from cases import sleep, with_direction
from odd_calls import changed, odd, odd_within, with_lines
from scripted_media import PCMA, description

# --- hold

async def hold(s, held, resumed, *, by_caller=True, music=False, how="invite"):
    """`held`: the description of the holder meanwhile."""
    holder, mine, theirs = (s.out, s.ma, s.mb) if by_caller else (s.inc, s.mb, s.ma)
    mine.speaking, theirs.speaking = music, False
    await getattr(holder, how)(held)
    await sleep(0.9)
    theirs.speaking = mine.speaking = True
    await getattr(holder, how)(resumed)


@odd_within("nat", "wire", "families", usual="nat")
async def hold_by_no_address(s):
    """c=0.0.0.0, as RFC 2543 had it."""
    said = s.out.said
    await hold(s, changed(said, r"^c=IN IP4 \S+\r", "c=IN IP4 0.0.0.0\r"), said)


@odd_within("to_nat", "v6")
async def hold_by_callee_inactive(s):
    said = s.inc.said
    await hold(s, with_direction(said, "inactive"), said, by_caller=False)


@odd_within("lan_out", "wire", "tcp")
async def hold_with_music(s):
    """sendonly; the music has a source of its own."""
    said, ssrc = s.out.said, s.ma.ssrc
    s.ma.ssrc, s.ma.sequence = random.getrandbits(32), random.getrandbits(16)
    await hold(s, with_direction(said, "sendonly"), said, music=True)
    s.ma.ssrc = ssrc


@odd_within("routed", "lan")
async def hold_by_update(s):
    said = s.out.said
    await hold(s, with_direction(said, "sendonly"), said, music=True, how="update")


@odd_within("nat", "proxied")
async def hold_by_both(s):
    """Each holds the other one, and each resumes."""
    a, b = s.out.said, s.inc.said
    s.ma.speaking = s.mb.speaking = False
    await s.out.invite(with_direction(a, "sendonly"))
    await sleep(0.3)
    await s.inc.invite(with_direction(b, "inactive"))
    await sleep(0.5)
    s.out.answer_with = lambda offer: (200, with_direction(a, "sendonly"))
    s.inc.answer_with = lambda offer: (200, with_direction(b, "recvonly"))
    await s.out.invite(with_direction(a, "sendonly"))
    await sleep(0.3)
    s.inc.answer_with = lambda offer: (200, with_direction(b, "sendrecv"))
    s.ma.speaking = s.mb.speaking = True
    await s.out.invite(with_direction(a, "sendrecv"))


@odd("routed", "to_nat")
async def music_from_another_server(s):
    """The callee's PBX points the caller to its music server, and back (RFC 7088)."""
    await s.call()
    await s.talk(0.6)
    said = s.inc.said
    other = s.c.stream("gate", 19000, address="203.0.113.61") if s.second == "gate" else s.c.stream(s.second, 19000)
    s.ma.speaking = s.mb.speaking = False
    await s.inc.invite(description(other.address, 19000, direction="sendonly"))
    other.start(s.inc.told)
    await sleep(1.2)
    other.stop()
    await s.inc.invite(said)
    s.ma.follow(s.out.told), s.mb.follow(s.inc.told)
    s.ma.speaking = s.mb.speaking = True
    await s.talk(1.4)
    await s.hang_up()


@odd_within("nat", "wire")
async def resumed_by_late_offer(s):
    """The resuming re-INVITE has no SDP; the offer comes in its 200."""
    a, b = s.out.said, s.inc.said
    s.ma.speaking = s.mb.speaking = False
    await s.out.invite(with_direction(a, "sendonly"))
    await sleep(0.8)
    s.inc.said = with_direction(b, "sendrecv")
    await s.out.invite("", ack_body=lambda offer: with_direction(a, "sendrecv"))
    s.ma.speaking = s.mb.speaking = True


# --- refreshed, changed, moved

@odd_within("two_nats", "v6_proxied", "tcp_lan")
async def refreshed_by_both(s):
    """Session timer by re-INVITE of the one, and by UPDATE of the other (RFC 4028)."""
    timer = ["Session-Expires: 90", "Supported: timer"]
    await s.out.invite(s.out.said, timer)
    await sleep(0.4)
    await s.inc.update("", timer)


@odd_within("nat", "proxied", usual="proxied")
async def both_ask_at_once(s):
    """Re-INVITEs meet: 491 for both, and one tries again (RFC 3261 section 14)."""
    for one in (s.out, s.inc):
        one.answer_with = lambda offer: (491, "")
    await asyncio.gather(s.out.invite(s.out.said), s.inc.invite(s.inc.said))
    await sleep(0.3)
    s.out.answer_with = s.inc.answer_with = None
    await s.out.invite(s.out.said)


@odd_within("wire", "to_nat")
async def change_refused(s):
    """488 for another codec: all stays as it was."""
    said, s.inc.answer_with = s.out.said, lambda offer: (488, "")
    await s.out.invite(description(s.ma.address, 28000, (9,)))
    s.out.said = said


@odd_within("nat", "v6")
async def other_codec(s):
    s.inc.answer_with = lambda offer: (200, changed(changed(s.inc.said, r"^(m=audio \d+ \S+) 0", r"\1 8"), "a=rtpmap:0 PCMU", "a=rtpmap:8 PCMA"))
    await s.out.invite(changed(changed(s.out.said, r"^(m=audio \d+ \S+) 0", r"\1 8"), "a=rtpmap:0 PCMU", "a=rtpmap:8 PCMA"))
    s.ma.payload_type = s.mb.payload_type = PCMA


async def move(s, dialog, media, new):
    media.stop()
    await dialog.invite(description(new.address, new.port))
    new.start(dialog.told)


@odd("routed")
async def other_address(s):
    """The gateway's media goes to its other interface."""
    await s.call()
    await s.talk(0.6)
    new = s.c.stream("gate", 17384, address="203.0.113.61")
    s.ma.speaking = False
    await move(s, s.inc, s.mb, new)
    s.ma.follow(s.out.told).port
    s.ma.speaking = True
    await s.talk(1.5)
    await s.hang_up()


@odd("two_nats", "lan_out", "v6_proxied")
async def both_move(s):
    """Each has another port after its own re-INVITE."""
    await s.call()
    await s.talk(0.6)
    na, nb = s.c.stream(s.first, 18000), s.c.stream(s.second, 18400)
    await move(s, s.out, s.ma, na)
    s.mb.follow(s.inc.told)
    s.out.said = description(na.address, na.port)
    await sleep(0.8)
    await move(s, s.inc, s.mb, nb)
    na.follow(s.out.told)
    await s.talk(1.4)
    await s.hang_up()


@odd_within("proxied", "wire")
async def video_asked_for_and_refused(s):
    video = ("m=video 16500 RTP/AVP 96", "a=rtpmap:96 H264/90000")
    said = s.inc.said
    s.inc.answer_with = lambda offer: (200, with_lines(said, "m=video 0 RTP/AVP 96"))
    await s.out.invite(with_lines(s.out.said, *video))


# --- fax

@odd("wire", "nat", "routed")
async def fax(s):
    """T.38: no RTP any more, UDPTL on other ports."""
    await s.call()
    await s.talk(0.6)
    fa, fb = s.c.stream(s.first, 18000), s.c.stream(s.second, 18400)
    def image(media):
        return changed(description(media.address, media.port, ()), r"^m=audio (\d+) \S+ ?\r", r"m=image \1 udptl t38\r")
    s.ma.stop(), s.mb.stop()
    s.out.answer_with = lambda offer: (200, image(fa))
    await s.inc.invite(image(fb))
    fa.follow(s.out.told), fb.follow(s.inc.told)
    for n in range(60):
        for one in (fa, fb):
            one._send(one.mouth, struct.pack("!HB", n, 6) + os.urandom(30), one.to)
        await sleep(0.02)
    await s.hang_up(s.inc)


@odd_within("nat", "lan")
async def fax_refused(s):
    s.out.answer_with = lambda offer: (488, "")
    await s.inc.invite(changed(description(s.mb.address, 18400, ()), r"^m=audio (\d+) \S+ ?\r", r"m=image \1 udptl t38\r"))


# --- sources, numbers, times

@odd_within("nat", "wire", "lan_far", usual="nat")
async def other_source(s):
    """Another SSRC in mid-call, with other numbers: the PBX has another party now."""
    s.mb.ssrc, s.mb.sequence, s.mb.stamp = (random.getrandbits(n) for n in (32, 16, 32))
    await sleep(0.8)
    s.ma.ssrc = random.getrandbits(32)


@odd_within("routed", "to_nat")
async def numbers_jump(s):
    """Time stamps leap, sequence numbers begin again; the source stays."""
    s.ma.stamp += 1 << 20
    s.mb.sequence += 20000
    await sleep(0.6)
    s.ma.sequence, s.mb.stamp = 65530, 5


@odd_within("wire", "double_nat")
async def keys_are_pressed(s):
    for _ in range(3):
        s.ma.press()
        await sleep(0.25)
        s.mb.press(digit=11)


def every(n, what):
    count = 0

    def shape(packet):
        nonlocal count
        count += 1
        return what(packet, count % n)
    return shape


@odd_within("wire", "nat")
async def a_little_loss(s):
    """Two in a hundred: nobody hears that."""
    s.ma.shape = s.mb.shape = every(50, lambda packet, at: () if at == 17 else (packet,))
    await sleep(2.5)


@odd_within("proxied", "nat")
async def packets_twice(s):
    """A switch that sends some packets twice."""
    s.ma.shape = s.mb.shape = every(3, lambda packet, at: (packet, packet) if at == 1 else (packet,))
    await sleep(1)


@odd_within("to_nat", "v6")
async def out_of_order(s):
    kept = []

    def swap(packet, at):
        if at == 3:
            kept.append(packet)
            return ()
        if at == 4 and kept:
            return packet, kept.pop()
        return (packet,)
    s.ma.shape = every(7, swap)
    await sleep(1)


@odd_within("wire", "lan_out")
async def in_bursts(s):
    """A machine that is busy: packets come ten at a time."""
    kept = []

    def bundle(packet):
        kept.append(packet)
        return [kept.pop(0) for _ in range(len(kept))] if len(kept) >= 10 else ()
    s.ma.shape = bundle
    await sleep(1.5)


@odd_within("nat", "v6_proxied", "wire")
async def speech_with_pauses(s):
    """Nothing is sent while somebody is silent; the sequence numbers go on."""
    for _ in range(2):
        s.ma.speaking = False
        await sleep(0.9)
        s.ma.speaking, s.mb.speaking = True, False
        await sleep(0.9)
        s.mb.speaking = True


@odd_within("families", "wire")
async def comfort_noise_in_turn(s):
    """The payload type 13 was not listed: it is static."""
    s.ma.noise, s.ma.speaking = True, False
    await sleep(1.6)
    s.ma.speaking, s.mb.noise, s.mb.speaking = True, True, False
    await sleep(1.6)
    s.mb.speaking = True


@odd_within("routed", "nat")
async def small_frames_of_silence(s):
    """AMR: a short frame of the same payload type every 160 ms."""
    s.ma.speaking = False
    for _ in range(12):
        s.ma.say(size=7)
        await sleep(0.16)
    s.ma.speaking = True


@odd_within("nat", "cone", "restricted")
async def stun_keepalives(s):
    """Binding indications on the media ports, CRLF on the signalling port."""
    for _ in range(4):
        for one in (s.ma, s.mb):
            one._send(one.mouth, struct.pack("!HHI", 0x0011, 0, 0x2112A442) + os.urandom(12), one.to)
        if s.way.edge is not None and s.a.stream is None:
            s.a.socket.sendto(b"\r\n\r\n", s.a.server)
        await sleep(0.3)


@odd_within("hairpin")
async def nat_turns_packets_round(s):
    """Both are behind one NAT and know its outer address."""
    await sleep(1)


# --- other requests

@odd_within("proxied", "nat", "lan")
async def other_requests(s):
    """INFO, OPTIONS and MESSAGE in the dialog; MESSAGE and SUBSCRIBE beside it, which the phone does not know."""
    for method in ("INFO", "OPTIONS", "MESSAGE"):
        await s.out.request(method, wait=2)
    for method in ("MESSAGE", "SUBSCRIBE", "PUBLISH"):
        branch, text = s.a.build(method, f"sip:{s.b.user}@edge.test", f"<sip:{s.b.user}@edge.test>", os.urandom(8).hex(), 1, "t1", more=["Event: presence"])
        await s.a.transact(branch, method, text, s.a.server, 2)


@odd("wire", "nat", "two_nats")
async def both_hang_up(s):
    """Two BYEs meet."""
    await s.call()
    await s.talk(1.3)
    await asyncio.gather(s.out.bye(4), s.inc.bye(4))


@odd("nat", "lan_out")
async def goes_on_after_the_end(s):
    """Media of a second after the BYE, and ICMP for it."""
    await s.call()
    await s.talk(1.3)
    await s.out.bye(4)
    s.ma.stop()
    asyncio.get_running_loop().remove_reader(s.ma.rtp)
    s.ma.rtp.close()
    await sleep(1)


@odd("proxied", "wire")
async def icmp_after_the_end(s):
    await s.call()
    await s.talk(1.3)
    bye = asyncio.create_task(s.out.bye(4))
    s.ma.stop()
    asyncio.get_running_loop().remove_reader(s.ma.rtp)
    s.ma.rtp.close()
    await bye
    await sleep(0.8)
