"""Healthy calls whose streams count oddly, that offer two ways to encrypt, or that end with a word about it. See odd_calls.py."""
from cases import sleep
from odd_calls import KEY, odd, odd_within

FINGERPRINT = "a=fingerprint:sha-256 " + ":".join(["CD"] * 32)


@odd("nat", "wire", "proxied", "v6", "tcp", "families", usual="nat")
async def ended_with_a_reason(s):
    """Why a call ends is told of many that are well."""
    await s.call()
    await s.talk()
    await s.inc.request("BYE", more=['Reason: Q.850;cause=16;text="Normal call clearing"', 'Reason: SIP;cause=200;text="Media released"'], wait=4)
    await sleep(0.1)


@odd_within("wire", "nat", "proxied", "lan", usual="wire")
async def old_packets_again(s):
    """What was sent in the last second is sent once more, for who has lost it."""
    kept = []
    s.ma.shape = lambda packet: (kept.append(packet), (packet,))[1]
    await sleep(1.6)
    s.ma.shape = None
    for packet in kept:
        s.ma._send(s.ma.mouth, packet, s.ma.to)
    await sleep(0.2)


def jump(media, numbers, units):
    media.sequence += numbers
    media.stamp += units


@odd_within("wire", "to_nat", "v6_proxied", usual="to_nat")
async def numbers_jump(s):
    """A gateway takes the stream from another one: the same source, and it counts from elsewhere."""
    jump(s.ma, 5000, 0)
    jump(s.mb, 12000, 800000)


@odd_within("routed", "nat", "families")
async def numbers_begin_again(s):
    s.ma.sequence = s.mb.sequence = 0
    await sleep(0.5)
    jump(s.ma, -20, 0)


@odd_within("wire", "nat", "v6_proxied", usual="nat")
async def each_announcement_counts_from_the_same_number(s):
    """A media server with one source for all that it plays."""
    for _ in range(4):
        s.mb.sequence, s.mb.stamp = 1000, 160000
        await sleep(1.6)


@odd_within("wire", "nat")
async def time_stamps_jump(s):
    for _ in range(3):
        jump(s.ma, 0, 100000)
        jump(s.mb, 0, -160)
        await sleep(0.3)


@odd("wire", "nat", "v6", "lan_out", usual="nat")
async def two_ways_to_encrypt(s):
    """The offer has keys (RFC 4568) and a fingerprint (RFC 5763); the answer takes the keys."""
    s.ma.size = s.mb.size = 170
    own = {"protocol": "RTP/SAVP"}
    await s.call(offer=s.offer(**own, more=[KEY, FINGERPRINT, "a=setup:actpass"]), answer=s.answer(**own, more=[KEY]))
    await s.talk(1.6)
    await s.hang_up()


@odd("proxied", "to_nat")
async def two_ways_to_encrypt_answered_by_a_fingerprint(s):
    s.ma.size = s.mb.size = 170
    own = {"protocol": "UDP/TLS/RTP/SAVP"}
    await s.call(offer=s.offer(**own, more=[KEY, FINGERPRINT, "a=setup:actpass"]), answer=s.answer(**own, more=[FINGERPRINT, "a=setup:active"]))
    await s.talk(1.6)
    await s.hang_up()
