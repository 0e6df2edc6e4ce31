"""Calls with a PBX in between, which makes two calls of one: healthy ones that look odd, and faults. See cases.py."""
import asyncio

from cases import call, case, direct, hang_up, healthy, sleep, talk_and_end, talking, with_direction
from pbx import Pbx
from scripted import written
from scripted_media import PCMA, PCMU, description


async def through_pbx(c, first, second, server="gate", **options):
    """The caller's end, the PBX's two ends, the callee's end, and the PBX. All speak."""
    a, b, p = c.phone(first), c.phone(second), c.phone(server)
    p.host_name = server
    ma, mb = c.stream(first), c.stream(second, 17384)
    pbx = Pbx(c, p, **options)
    out = a.dial("desk", f"sip:desk@{written(p.address, 5060)}")
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    inc, onward, far = await pbx.connect(b, description(mb.address, mb.port), f"sip:{b.user}@{written(b.address, 5060)}")
    mb.start(far.told)
    await dialling
    ma.start(out.told)
    return out, inc, onward, far, pbx, ma, mb


async def end(out, inc, onward, far):
    await hang_up(out)
    await hang_up(onward)


@healthy("alice gate", edge=None)
async def pbx_in_between(c):
    """It answers to where packets come from: the caller's private address does not matter."""
    out, inc, onward, far, pbx, ma, mb = await through_pbx(c, "alice", "bob")
    await sleep(2)
    await end(out, inc, onward, far)
    return out


@healthy("carol gate", edge=None)
async def pbx_with_one_source(c):
    """It passes packets on as they are."""
    out, inc, onward, far, pbx, ma, mb = await through_pbx(c, "carol", "bob", own_sources=False)
    await sleep(2)
    await end(out, inc, onward, far)
    return out




@healthy("carol gate", edge=None)
async def pbx_steps_aside(c):
    """After the answer it tells each where the other is (direct media), and takes the media back before the end."""
    out, inc, onward, far, pbx, ma, mb = await through_pbx(c, "carol", "bob")
    await sleep(1)
    await inc.invite(description(mb.address, mb.port))
    await onward.invite(description(ma.address, ma.port))
    ma.follow(out.told), mb.follow(far.told)
    await sleep(1.5)
    await inc.invite(pbx.said(pbx.first))
    await onward.invite(pbx.said(pbx.second))
    ma.follow(out.told), mb.follow(far.told)
    await sleep(1)
    await end(out, inc, onward, far)
    return out


@healthy("alice gate", edge=None)
async def pbx_plays_music(c):
    """The callee holds; the PBX plays music to the caller, whose description stays as it is."""
    out, inc, onward, far, pbx, ma, mb = await through_pbx(c, "alice", "bob")
    await sleep(0.8)
    mb.speaking = False
    said = far.said
    await far.invite(with_direction(said, "sendonly"))
    pbx.bridge.fault = lambda side: True
    pbx.first.start()
    await sleep(1.5)
    pbx.first.speaking = False
    await far.invite(with_direction(said, "sendrecv"))
    pbx.bridge.fault = None
    mb.speaking = True
    await sleep(1.2)
    await end(out, inc, onward, far)
    return out


@healthy("carol gate", edge=None)
async def parked_and_picked_up(c):
    """The caller waits with music until another phone fetches the call: one call of the caller, two of the PBX."""
    a, b, p = c.phone("carol"), c.phone("bob"), c.phone("gate")
    p.host_name = "gate"
    ma, mb = c.stream("carol"), c.stream("bob", 17384)
    pbx = Pbx(c, p)
    out = a.dial("park", "sip:park@203.0.113.60:5060")
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    inc = await p.incoming()
    pbx.first.follow(inc.told)
    accepted = asyncio.create_task(inc.accept(with_direction(pbx.said(pbx.first), "sendonly")))
    await dialling
    await accepted
    ma.follow(out.told)
    ma.report()
    ma.say()  # it tells the PBX where it is
    await sleep(0.1)
    pbx.first.start()
    await sleep(1.5)
    fetch = b.dial("pickup", "sip:pickup@203.0.113.60:5060")
    fetching = asyncio.create_task(fetch.invite(description(mb.address, mb.port)))
    other = await p.incoming()
    pbx.second.follow(other.told)
    asyncio.create_task(other.accept(pbx.said(pbx.second)))
    await fetching
    pbx.first.speaking = False
    await inc.invite(with_direction(pbx.said(pbx.first), "sendrecv"))
    ma.start(), mb.start(fetch.told)
    await sleep(2)
    await hang_up(out)
    await hang_up(fetch)
    return out


@healthy("bob carol", edge=None)
async def picked_up_with_replaces(c):
    """The second phone takes the call over from the first (RFC 3891): the first one's call is ended."""
    a, b, ma, mb, uri = await direct(c, "bob", "carol")
    third = c.phone("gate")
    mg = c.stream("gate", 19384)
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(1.2)
    take = third.dial("bob", "sip:bob@198.51.100.21:5060")
    taking = asyncio.create_task(take.invite(description(mg.address, mg.port), [f"Replaces: {out.call_id};to-tag={out.tag};from-tag={inc.tag}"]))
    new = await a.incoming()
    accepted = asyncio.create_task(new.accept(description(ma.address, ma.port + 4)))
    m2 = c.stream("bob", ma.port + 4)
    m2.start(new.told)
    await taking
    await accepted
    mg.start(take.told)
    ma.stop()
    await hang_up(out)
    mb.stop()
    await sleep(1.5)
    await hang_up(take)
    return out


# --- faults

@case("carol gate", "nothing-sent relay-swallows", "b->a", edge=None)
async def pbx_swallows(c):
    out, inc, onward, far, pbx, ma, mb = await through_pbx(c, "carol", "bob")
    pbx.bridge.fault = lambda side: side is pbx.second
    await sleep(3)
    await end(out, inc, onward, far)
    return out


@case("alice gate", "private-address-in-sdp", "b->a", edge=None)
async def server_does_not_learn(c):
    """A server without symmetric RTP sends to the private address."""
    out, inc, ma, mb = await talking(c, "alice", "gate", proxied=False)
    return await talk_and_end(out)


@healthy("alice gate", edge=None)
async def server_learns(c):
    """The same with symmetric RTP, and a re-INVITE of the phone."""
    a, b, ma, mb, uri = await direct(c, "alice", "gate")
    mb.hear = lambda packet, source, counts: setattr(mb, "to", source[:2]) if counts else None
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(1.2)
    await out.invite(description(ma.address, ma.port, (PCMU, PCMA)))
    return await talk_and_end(out, 1.2)


async def server_behind_nat(c, said):
    """A server with a fixed mapping, as clouds have them; `said` is what it announces."""
    c.set_nat(c.nats["a"], "cone", "10.0.1.21")
    c.nats["a"].nft('table ip gate { chain input { iifname "out0" accept; }; }')
    a, b = c.phone("bob"), c.phone("alice", said=(said, 5060))
    ma, mb = c.stream("bob"), c.stream("alice", 17384)
    out, inc = await call(a, b, ma, mb, None, description(said, 17384), uri="sip:alice@198.51.100.7:5060")
    return await talk_and_end(out)


@healthy("bob alice", edge=None)
async def server_behind_nat_announces_its_outer_address(c):
    return await server_behind_nat(c, "198.51.100.7")
