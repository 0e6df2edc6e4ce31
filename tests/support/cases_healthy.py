"""Calls that are healthy and look odd: media that comes early, pauses, moves or is one-way, as agreed."""
import asyncio

from cases import call, dial, direct, hang_up, healthy, hold_and_resume, offer_late, pair, register, sleep, talk, talk_and_end, talking, with_direction
from scripted_media import COMFORT, EVENTS, PCMU, description


@healthy("alice bob")
async def ordinary(c):
    return await talk(c, "alice", "bob")


@healthy("alice kim")
async def two_nats(c):
    return await talk(c, "alice", "kim", by_callee=True)


@healthy("anna kim", auth=True, auth_invite=True)
async def challenged_properly(c):
    return await talk(c, "anna", "kim", by_callee=True)


@healthy("flo bob")
async def double_nat(c):
    return await talk(c, "flo", "bob", by_callee=True)


@healthy("alice gate")
async def early_media(c):
    a, b, ma, mb = await pair(c, "alice", "gate")
    out, inc, dialling = await dial(a, b)
    answer = description(mb.address, mb.port)
    inc.respond(183, answer)
    mb.start(inc.told)
    await sleep(0.3)
    ma.follow(out.early)
    ma.report()
    ma.say()
    await sleep(1.2)
    accepted = asyncio.create_task(inc.accept(answer))
    await dialling
    ma.start(out.told)
    await accepted
    return await talk_and_end(out, 1.5)


@healthy("bob gate", media="direct")
async def early_media_other_address(c):
    """The ring tone comes from another port than the answer names afterwards."""
    a, b, ma, mb = await pair(c, "bob", "gate")
    tone = c.stream("gate", 19000, address="203.0.113.61")
    out = a.dial("gate")
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    inc = await b.incoming()
    inc.respond(183, description("203.0.113.61", 19000))
    tone.start(inc.told)
    await sleep(1.5)
    tone.stop()
    accepted = asyncio.create_task(inc.accept(description("203.0.113.61", 19000)))
    await dialling
    ma.start(out.told)
    mb.stop()
    tone.reports = True
    tone.start(inc.told)
    await accepted
    return await talk_and_end(out, 1.5)


@healthy("bob alice")
async def hold_and_resume_properly(c):
    out, inc, ma, mb = await talking(c, "bob", "alice")
    await hold_and_resume(out, inc, ma, mb, "sendonly", None)
    await hang_up(out)
    return out


@healthy("alice bob")
async def hold_inactive_and_resume(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await hold_and_resume(inc, out, mb, ma, "inactive", None)
    await hang_up(out)
    return out


@healthy("alice bob")
async def hold_to_the_end(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1)
    ma.speaking = mb.speaking = False
    await out.invite(with_direction(out.said, "sendonly"))
    return await talk_and_end(out)


@healthy("alice bob")
async def muted(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1)
    ma.speaking = False
    return await talk_and_end(out, 10)


@healthy("alice bob")
async def muted_from_the_beginning(c):
    """RTCP alone from one side."""
    a, b, ma, mb = await pair(c, "alice", "bob")
    ma.reports = True
    out, inc = await call(a, b, ma, mb, speak=False)
    ma.speaking = False
    ma.start()
    ma.speaking = False
    ma.say()
    mb.start()
    return await talk_and_end(out, 3)


@healthy("anna bob")
async def comfort_noise(c):
    formats = ((PCMU, COMFORT, EVENTS),)
    out, inc, ma, mb = await talking(c, "anna", "bob", sdp=formats)
    await sleep(1)
    ma.speaking = mb.speaking = False
    ma.noise = mb.noise = True
    return await talk_and_end(out, 4)


@healthy("alice bob")
async def comfort_noise_one_side(c):
    out, inc, ma, mb = await talking(c, "alice", "bob", sdp=((PCMU, COMFORT),))
    await sleep(1)
    ma.speaking, ma.noise = False, True
    return await talk_and_end(out, 9.5)


@healthy("carol bob", edge=None)
async def late_offer(c):
    a, b, ma, mb, uri = await direct(c, "carol", "bob")
    return await talk_and_end(await offer_late(a, b, ma, description(mb.address, mb.port), mb, uri=uri))


@healthy("alice bob")
async def late_offer_through_relay(c):
    a, b, ma, mb = await pair(c, "alice", "bob")
    return await talk_and_end(await offer_late(a, b, ma, description(mb.address, mb.port), mb))


@healthy("bob carol", media="direct")
async def ports_differ_without_nat(c):
    """Sends from another port than it receives at."""
    a, b = c.phone("bob"), c.phone("carol")
    await register(a, b)
    ma, mb = c.stream("bob", source_port=20002), c.stream("carol", 17384)
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@healthy("carol gate", edge=None)
async def ports_differ_at_gateway(c):
    a, b = c.phone("carol"), c.phone("gate")
    ma, mb = c.stream("carol"), c.stream("gate", 17384, source_port=21002)
    out, inc = await call(a, b, ma, mb, uri="sip:gate@203.0.113.60:5060")
    return await talk_and_end(out)
