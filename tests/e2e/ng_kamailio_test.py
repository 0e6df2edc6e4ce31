#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""mediarelay behind an unmodified Kamailio that drives it with rtpengine_manage(): calls between LAN, Internet and NATs, hold, changes
of a call by either side; audio both ways, and nothing held afterwards."""
import asyncio
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import proxied_site as sites
from proxied_site import call, change, gone, hang_up, hear_each_other, ours, silent, with_direction
from scripted_media import Described, description


async def talk(a, b, by_callee=False):
    """A call; both are told of the relay, both hear each other."""
    out, inc = await call(a, b)
    lab.require(ours(inc.told) and ours(out.told), f"not the relay's address: {inc.told} {out.told}")
    await hear_each_other(a.audio, b.audio)
    await hang_up(*((inc, out) if by_callee else (out, inc)))
    return out, inc


@sites.in_loop
async def between_all_places(site):
    """The sides are named by direction, the family by address-family."""
    site.with_rtpengine()
    phones = {name: await site.phone(name) for name in ("anna", "bernd", "bob", "carol", "alice", "klaus", "kim", "sven")}
    for number, (a, b) in enumerate((("anna", "bob"), ("bob", "anna"), ("anna", "alice"), ("kim", "anna"), ("alice", "kim"), ("kim", "alice"),
                                     ("alice", "klaus"), ("bob", "carol"), ("bob", "kim"), ("anna", "bernd"), ("anna", "sven"), ("sven", "kim"))):
        try:
            out, inc = await talk(phones[a], phones[b], by_callee=number % 2)
        except lab.Failure as failure:
            raise lab.Failure(f"{a} calls {b}: {failure}") from None
        for told, party in ((inc.told, b), (out.told, a)):
            lab.require(ours(told, "lan" if site.PLACES[party][0] == "lan" else "wan"), f"{a} calls {b}: {party} is told {told}")
    await gone(site)


@sites.in_loop
async def as_kamailio_comes(site):
    """The way of the configuration that Debian installs: from the branch's route, without sides; who is behind a NAT is sent to where its
    requests come from until it is heard."""
    site.with_rtpengine("replace-origin replace-session-connection$var(nat)", at="branch", back="replace-origin replace-session-connection$var(nat)",
                        prepare='$var(nat) = ""; if (nat_uac_test("8")) $var(nat) = " SIP-source-address";')
    phones = {name: await site.phone(name) for name in ("bob", "carol", "alice", "klaus", "kim")}
    for number, (a, b) in enumerate((("bob", "carol"), ("alice", "kim"), ("kim", "bob"), ("bob", "klaus"), ("alice", "klaus"))):
        try:
            await talk(phones[a], phones[b], by_callee=number % 2)
        except lab.Failure as failure:
            raise lab.Failure(f"{a} calls {b}: {failure}") from None
    await gone(site)


async def hold_by(holder, held, way):
    """Music or nothing; then it is resumed."""
    mine, theirs = holder.phone.audio, held.phone.audio
    music, before = way == "sendonly", holder.said
    theirs.speaking, mine.speaking = False, music
    said = with_direction(before, way)
    await change(holder, said if music else re.sub(r"c=IN IP4 \S+", "c=IN IP4 0.0.0.0", said))
    lab.require(Described(held.told).direction == way, f"told of a hold: {held.told}")
    lab.require(Described(holder.told).direction == {"sendonly": "recvonly"}.get(way, way), f"answer to a hold: {holder.told}")
    heard = theirs.heard
    await silent(mine, 0.3)
    lab.require((theirs.heard > heard + 5) == music, f"{theirs.heard - heard} packets of music")
    await change(holder, with_direction(before, "sendrecv"))
    lab.require(Described(held.told).direction == Described(holder.told).direction == "sendrecv", "resumed: " + held.told + holder.told)
    mine.start(holder.told), theirs.start(held.told)
    await hear_each_other(mine, theirs)


@sites.in_loop
async def hold_and_resume(site):
    """By either side: with a direction alone, and as of old with no address."""
    site.with_rtpengine()

    async def one(*names):
        a, b = [await site.phone(name) for name in names]
        out, inc = await call(a, b)
        await hear_each_other(a.audio, b.audio)
        for holder, held, way in ((out, inc, "sendonly"), (inc, out, "inactive"), (inc, out, "sendonly")):
            await hold_by(holder, held, way)
        await hang_up(out, inc)
    await asyncio.gather(one("anna", "alice"), one("kim", "bob"), one("bernd", "carol"))
    await gone(site)


async def moves(site, mover, other, way, port):
    """It says that it is at another port now."""
    phone = mover.phone
    old, phone.audio = phone.audio, site.stream(phone.host.name, port)
    old.stop()
    await change(mover, description(phone.audio.address, port), way)
    lab.require(ours(mover.told) and ours(other.told), mover.told + other.told)
    phone.audio.start(mover.told), other.phone.audio.start(other.told)
    try:
        await hear_each_other(phone.audio, other.phone.audio)
    except lab.Failure as failure:
        raise lab.Failure(f"{way} by {phone.user}: {failure}") from None
    await silent(old, 0.1, 0.05)


@sites.in_loop
async def changes_by_either_side(site):
    """A re-INVITE or an UPDATE, by the caller and by the callee, with another port of its own; what is at the old port is not sent to."""
    site.with_rtpengine()

    async def one(*names):
        a, b = [await site.phone(name) for name in names]
        out, inc = await call(a, b)
        await hear_each_other(a.audio, b.audio)
        for number, (mover, other, way) in enumerate(((out, inc, "INVITE"), (inc, out, "INVITE"), (out, inc, "UPDATE"), (inc, out, "UPDATE"))):
            await moves(site, mover, other, way, 17000 + 10 * number)
        await hang_up(inc, out)
    await asyncio.gather(one("anna", "alice"), one("klaus", "kim"), one("bob", "bernd"))
    await gone(site)


if __name__ == "__main__":
    lab.main(between_all_places, as_kamailio_comes, hold_and_resume, changes_by_either_side)
