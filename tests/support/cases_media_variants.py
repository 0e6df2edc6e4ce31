"""Further calls whose media is lost, of the kinds that cases_addresses.py and cases_relays.py have: in the middle of a call, over IPv6, over
TCP, in both directions, at other boxes. Each is brought about by its script: see cases.py."""
import asyncio

import clinic
from cases import call, case, dial, direct, hang_up, offer_late, pair, register, sleep, talk_and_end, talking, with_direction
from cases_relays import forgotten, late_packets, swallowing
from scripted_media import EVENTS, PCMA, PCMU, description

# --- relays with faults, in the middle of a call


async def fault_later(c, first, second, fault, *, before=1.2, after=2.5):
    a, b, ma, mb = await pair(c, first, second)
    out, inc = await call(a, b, ma, mb)
    await sleep(before)
    c.relay.fault = fault(c)
    await sleep(after)
    await hang_up(out)
    return out


@case("alice bob", "relay-swallows relay-not-joined stopped", "a->b")
async def relay_swallows_later(c):
    return await fault_later(c, "alice", "bob", lambda c: swallowing("first"))


@case("sara sven", "relay-swallows relay-not-joined", "b->a")
async def relay_swallows_v6(c):
    a, b, ma, mb = await pair(c, "sara", "sven")
    c.relay.fault = swallowing("second")
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("bob kim", "relay-swallows relay-not-joined", "both")
async def relay_swallows_both(c):
    a, b, ma, mb = await pair(c, "bob", "kim")
    c.relay.fault = lambda leg, kind, packet, source: True
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("alice bob", "relay-sends-to-private-address", "b->a")
async def relay_forgets_after_reinvite(c):
    """After the re-INVITE it takes the described address for the true one."""
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1.2)
    c.relay.learns = False
    await out.invite(description(ma.address, ma.port, (PCMU, PCMA, EVENTS)))
    return await talk_and_end(out)


@case("bob alice", "echo relay-not-joined relay-swallows", "a->b")
async def relay_echoes_one_way(c):
    a, b, ma, mb = await pair(c, "bob", "alice")

    def echo(leg, which, packet, source):
        if leg is leg.call.legs["first"]:
            c.relay.send(leg, which, packet, source)
            return True
        return False
    c.relay.fault = echo
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("carol anna", "stale-endpoint relatched", "a->b")
async def relay_serves_the_old_port(c):
    """The callee moves; the relay does not follow, though it has seen the new description."""
    out, inc, ma, mb = await talking(c, "carol", "anna")
    await sleep(1)
    new = c.stream("anna", 18000)
    leg = next(iter(c.relay.calls.values())).legs["second"]
    mb.speaking = mb.reports = False
    await inc.invite(description(new.address, new.port))
    leg.signalled, leg.learned = leg.before, [(mb.address, mb.port), (mb.address, mb.port + 1)]
    leg.settled = 0
    new.start(inc.told)
    return await talk_and_end(out, 2.5)


@case("sven sara", "stale-endpoint relatched", "b->a")
async def late_packet_relatch_v6(c):
    out, inc, ma, mb = await talking(c, "sven", "sara")
    await late_packets(c, c.stream("sven", 18000), ma, out)
    return await talk_and_end(out)


# --- endpoints that were given up

@case("sara sven", "stale-endpoint", "b->a", edge=None)
async def old_endpoint_still_served_v6(c):
    out, inc, ma, mb = await talking(c, "sara", "sven", proxied=False)
    await sleep(1)
    new = c.stream("sara", 18000)
    ma.speaking = False
    await out.invite(description(new.address, new.port))
    new.start(out.told)
    return await talk_and_end(out)


@case("bob carol", "stale-endpoint", "a->b", media="direct")
async def old_endpoint_after_update(c):
    out, inc, ma, mb = await talking(c, "bob", "carol")
    await sleep(1)
    new = c.stream("carol", 18000)
    mb.stop()
    await inc.update(description(new.address, new.port))
    new.start(inc.told)
    return await talk_and_end(out, by=inc)


# --- private addresses

@case("alice carol", "private-address-in-sdp", "b->a", media="direct")
async def private_address_over_tcp(c):
    a, b = c.phone("alice", transport="tcp"), c.phone("carol")
    await register(a, b)
    ma, mb = c.stream("alice"), c.stream("carol", 17384)
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("bob carol", "private-address-in-sdp wrong-interface", "b->a", media="direct")
async def private_address_from_reinvite_on(c):
    """It goes on at an address of a network of its own."""
    a, b, ma, mb = await pair(c, "bob", "carol")
    out, inc = await call(a, b, ma, mb)
    await sleep(1.2)
    await out.invite(description("172.16.9.5", ma.port))
    mb.follow(inc.told)
    return await talk_and_end(out)


@case("alice bob", "private-address-in-sdp not-reachable", "b->a", media="direct")
async def address_of_464xlat(c):
    """The phone calls itself by the address of its translator (RFC 7335)."""
    out, inc, ma, mb = await talking(c, "alice", "bob", description("192.0.0.4", 16384))
    return await talk_and_end(out)


@case("alice kim", "private-address-in-sdp", "both", media="direct")
async def both_private_after_early_media(c):
    a, b, ma, mb = await pair(c, "alice", "kim")
    out, inc, dialling = await dial(a, b)
    inc.respond(183, description(mb.address, mb.port))
    mb.start(inc.told)
    await sleep(1)
    accepted = asyncio.create_task(inc.accept(description(mb.address, mb.port)))
    await dialling
    ma.start(out.told)
    await accepted
    return await talk_and_end(out)


# --- interfaces

@case("sara sven", "wrong-interface", "b->a", edge=None)
async def wrong_interface_v6(c):
    """The caller names an address of another uplink."""
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    c.inet.ip("-6", "route", "add", "unreachable", "2001:db8:9::/64")
    out, inc = await call(a, b, ma, mb, description("2001:db8:9::66", ma.port), uri=uri)
    return await talk_and_end(out)


@case("bob gate", "wrong-interface stale-endpoint", "a->b", edge=None)
async def wrong_interface_after_reinvite(c):
    a, b, ma, mb, uri = await direct(c, "bob", "gate")
    c.inet.ip("route", "add", "blackhole", "192.0.2.0/24")
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(1.2)
    await inc.invite(description("192.0.2.61", 17384))
    ma.follow(out.told)
    return await talk_and_end(out)


# --- NATs that forget

@case("flo bob", "nat-binding-expired stale-endpoint stopped", "b->a")
async def binding_expired_at_the_carrier(c):
    out, inc, ma, mb = await talking(c, "flo", "bob")
    await sleep(1.2)
    ma.speaking = ma.reports = False
    await sleep(1)
    for leg_port in (ma.to[1], ma.rtcp_to[1]):
        c.forget(c.nats["c"], "-p", "udp", "--orig-port-dst", str(leg_port))
    return await talk_and_end(out, 2.4)


@case("alice bob", "nat-binding-expired stale-endpoint stopped", "b->a", media="direct")
async def binding_expired_without_relay(c):
    """A NAT that keeps ports, with the outer address in the description."""
    c.set_nat(c.nats["a"], "preserving")
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb, description("198.51.100.7", ma.port))
    await forgotten(c, "a", ma, mb, silence=1.6)
    await hang_up(out)
    return out


@case("kim bob", "nat-binding-expired stale-endpoint stopped", "b->a")
async def binding_expired_over_tcp(c):
    """The messages have a connection of their own."""
    a, b = c.phone("kim", transport="tcp"), c.phone("bob")
    await register(a, b)
    ma, mb = c.stream("kim"), c.stream("bob", 17384)
    out, inc = await call(a, b, ma, mb)
    await forgotten(c, "k", ma, mb, silence=1.6, rest=2.6)
    await hang_up(out)
    return out


# --- STUN and hairpin

@case("alice kim", "rtp-from-elsewhere nat-mapping-differs", "both", media="direct")
async def stun_wrong_mapping_both(c):
    clinic.StunServer(c.hosts["stun"])
    a, b, ma, mb = await pair(c, "alice", "kim")
    known = await clinic.own_address(ma), await clinic.own_address(mb)
    out, inc = await call(a, b, ma, mb, description(*known[0]), description(*known[1]))
    return await talk_and_end(out)


@case("carol kim", "rtp-from-elsewhere nat-mapping-differs", "a->b", media="direct")
async def stun_wrong_mapping_late_offer(c):
    clinic.StunServer(c.hosts["stun"])
    a, b, ma, mb = await pair(c, "carol", "kim")
    known = await clinic.own_address(mb)
    return await talk_and_end(await offer_late(a, b, ma, description(*known), mb))


@case("klaus alice", "hairpin", "both", media="direct")
async def no_hairpin_over_tcp(c):
    c.set_nat(c.nats["a"], "cone", "10.0.1.21")
    a, b = c.phone("klaus", transport="tcp"), c.phone("alice", transport="tcp")
    await register(a, b)
    ma, mb = c.stream("klaus"), c.stream("alice", 17384)
    out, inc = await call(a, b, ma, mb, description("198.51.100.7", 16384), description("198.51.100.7", 17384))
    return await talk_and_end(out)


# --- holds that do not end

@case("bob alice", "one-way-agreed not-resumed", "b->a")
async def resume_of_the_callee_answered_sendonly(c):
    """The callee holds by c=0.0.0.0; the answer to its resume says sendonly and then nothing else."""
    out, inc, ma, mb = await talking(c, "bob", "alice")
    await sleep(1)
    mb.speaking = ma.speaking = False
    await inc.invite(with_direction(inc.said, "inactive"))
    await sleep(1)
    out.answer_with = lambda offer: (200, with_direction(out.said, "sendonly"))
    await inc.invite(with_direction(inc.said, "sendrecv"))
    ma.speaking = True
    return await talk_and_end(out, 2.2)


@case("sara sven", "one-way-agreed not-resumed", "both", edge=None)
async def resume_refused_v6(c):
    """The other side refuses the re-INVITE that is to end the hold."""
    out, inc, ma, mb = await talking(c, "sara", "sven", proxied=False)
    await sleep(1)
    ma.speaking = mb.speaking = False
    held = with_direction(out.said, "inactive")
    normal = out.said
    await out.invite(held)
    await sleep(1)
    inc.answer_with = lambda offer: (488, "")
    await out.invite(normal)
    return await talk_and_end(out, 3)
