"""Calls whose parties look for a way by ICE (RFC 8445): each candidate that wins, and none that does."""
import re

import cases
import clinic
import ice
import scripted
from cases import case, hang_up, healthy, sleep, talk_and_end
from ice import Agent, candidate


async def agents(c, first, second, *, proxied=True, lite=False):
    """Two phones, an agent for each, and the callee's address where there is no proxy."""
    a, b = c.phone(first), c.phone(second)
    if proxied:
        await cases.register(a, b)
    made = [Agent(c.hosts[first], 16384, controlling=True), Agent(c.hosts[second], 17384, lite=lite)]
    c.media += made
    return a, b, *made, None if proxied else f"sip:{b.user}@{scripted.written(b.address, 5060)}"


async def call(a, b, ma, mb, uri=None, offer=None, answer=None):
    """They check once it is answered, and speak where a pair works. (caller's end, callee's end)"""
    out, inc = await cases.call(a, b, ma, mb, offer or ma.described(), answer or mb.described(), uri=uri, speak=False)
    ma.to = mb.to = ma.rtcp_to = mb.rtcp_to = None
    mb.look_for(inc.told)
    ma.look_for(out.told)
    await sleep(1)
    return out, inc


async def speak(ma, mb, seconds=2):
    for one in (ma, mb):
        if one.to:
            one.start()
    await sleep(seconds)


async def call_and_end(a, b, ma, mb, uri=None, *, by_callee=False):
    """They check, speak and hang up. The caller's end."""
    out, inc = await call(a, b, ma, mb, uri)
    await speak(ma, mb)
    await hang_up(inc if by_callee else out)
    return out


@healthy("carol bob", edge=None)
async def ice_host_wins(c):
    a, b, ma, mb, uri = await agents(c, "carol", "bob", proxied=False)
    return await call_and_end(a, b, ma, mb, uri)


@healthy("sara sven", edge=None)
async def ice_host_wins_v6(c):
    a, b, ma, mb, uri = await agents(c, "sara", "sven", proxied=False)
    return await call_and_end(a, b, ma, mb, uri)


async def reflexive(c, *several):
    """What a STUN server says of each becomes its candidate, and the address of c=."""
    clinic.StunServer(c.hosts["stun"])
    for one in several:
        outer = await clinic.own_address(one)
        one.candidates.append(candidate(outer, "srflx", one))
        one.default = outer


@healthy("alice bob", media="direct")
async def ice_reflexive_wins(c):
    """The NAT keeps its mapping: what STUN told holds."""
    c.set_nat(c.nats["a"], "cone", "10.0.1.21")
    a, b, ma, mb, _ = await agents(c, "alice", "bob")
    await reflexive(c, ma)
    return await call_and_end(a, b, ma, mb)


@healthy("bob kim", media="direct")
async def ice_reflexive_of_callee_wins(c):
    c.set_nat(c.nats["k"], "preserving")
    a, b, ma, mb, _ = await agents(c, "bob", "kim")
    await reflexive(c, mb)
    return await call_and_end(a, b, ma, mb, by_callee=True)


@healthy("alice bob", media="direct")
async def ice_peer_reflexive_wins(c):
    """A symmetric NAT: the check shows an address that nobody named, and it serves."""
    a, b, ma, mb, _ = await agents(c, "alice", "bob")
    await reflexive(c, ma)
    return await call_and_end(a, b, ma, mb)


@healthy("alice kim", media="direct")
async def ice_through_two_nats(c):
    """Both NATs keep their mappings, and let in what was asked."""
    for nat in "ak":
        c.set_nat(c.nats[nat], "preserving")
    a, b, ma, mb, _ = await agents(c, "alice", "kim")
    await reflexive(c, ma, mb)
    return await call_and_end(a, b, ma, mb)


@healthy("alice klaus", media="direct")
async def ice_inside_one_nat(c):
    """Both are behind one NAT, which turns nothing round: the private candidates win."""
    a, b, ma, mb, _ = await agents(c, "alice", "klaus")
    await reflexive(c, ma, mb)
    return await call_and_end(a, b, ma, mb)


@healthy("alice gate", media="direct")
async def ice_lite(c):
    """The gateway only answers checks (RFC 8445 section 2.5)."""
    a, b, ma, mb, _ = await agents(c, "alice", "gate", lite=True)
    return await call_and_end(a, b, ma, mb)


@healthy("gate kim", media="direct")
async def ice_lite_caller(c):
    a, b, ma, mb, _ = await agents(c, "gate", "kim")
    ma.lite, ma.controlling, mb.controlling = True, False, True
    return await call_and_end(a, b, ma, mb)


@healthy("carol bob", edge=None)
async def ice_offered_alone(c):
    """The answer has no candidates: they do without."""
    a, b, ma, mb, uri = await agents(c, "carol", "bob", proxied=False)
    plain = re.sub(r"(?m)^a=(ice|candidate)[^\r]*\r\n", "", mb.described())
    out, inc = await cases.call(a, b, ma, mb, ma.described(), plain, uri=uri)
    return await talk_and_end(out)


@healthy("carol bob", edge=None)
async def ice_restarts(c):
    """A re-INVITE with another user name and another port: checks begin anew."""
    a, b, ma, mb, uri = await agents(c, "carol", "bob", proxied=False)
    out, inc = await call(a, b, ma, mb, uri)
    await speak(ma, mb, 1.2)
    moved = Agent(c.hosts["carol"], 18384, controlling=True)
    c.media.append(moved)
    mb.renew()
    inc.answer_with = lambda offer: (200, mb.described())
    await out.invite(moved.described())
    ma.stop()
    mb.look_for(inc.told)
    moved.look_for(out.told)
    await sleep(0.6)
    await speak(moved, mb)
    await hang_up(out)
    return out


async def by_turn(c, *several):
    ice.TurnServer(c.hosts["stun"])
    for one in several:
        await one.allocate(clinic.STUN)


@healthy("alice bob", media="direct")
async def ice_relay_wins(c):
    """The caller's media goes by its TURN server alone."""
    a, b, ma, mb, _ = await agents(c, "alice", "bob")
    await by_turn(c, ma)
    return await call_and_end(a, b, ma, mb)


@healthy("carol kim", media="direct")
async def ice_relay_of_callee_wins(c):
    a, b, ma, mb, _ = await agents(c, "carol", "kim")
    await by_turn(c, mb)
    return await call_and_end(a, b, ma, mb)


@healthy("alice kim", media="direct")
async def ice_relays_on_both_sides(c):
    a, b, ma, mb, _ = await agents(c, "alice", "kim")
    await by_turn(c, ma, mb)
    return await call_and_end(a, b, ma, mb, by_callee=True)


# --- none that works

@case("alice kim", "ice-failed", "both", media="direct")
async def ice_fails_between_symmetric_nats(c):
    a, b, ma, mb, _ = await agents(c, "alice", "kim")
    await reflexive(c, ma, mb)
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out, 2.5)


@case("alice bob", "ice-failed", "both", media="direct")
async def ice_fails_at_a_firewall(c):
    """Nothing but signalling gets out."""
    c.nats["a"].nft("table ip wall { chain f { type filter hook forward priority -10; udp dport != { 5060, 3478 } udp sport != { 5060, 3478 } drop; }; }")
    a, b, ma, mb, _ = await agents(c, "alice", "bob")
    await reflexive(c, ma)
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out, 2.5)


@case("carol bob", "ice-failed", "both", edge=None)
async def ice_fails_with_wrong_passwords(c):
    """The answer's password is not the one that its agent knows: each check is refused."""
    a, b, ma, mb, uri = await agents(c, "carol", "bob", proxied=False)
    wrong = re.sub(r"a=ice-pwd:\S+", "a=ice-pwd:" + "x" * 24, mb.described())
    ma.password_of_other = "y" * 24
    out, inc = await call(a, b, ma, mb, uri, answer=wrong)
    return await talk_and_end(out, 2.5)


@case("bob carol", "ice-around-relay")
async def ice_around_the_relay(c):
    """The relay leaves the candidates in."""
    a, b, ma, mb, _ = await agents(c, "bob", "carol")
    return await call_and_end(a, b, ma, mb)
