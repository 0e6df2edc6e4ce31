"""Calls whose media is lost in the middle of them, and relays with faults. Each is brought about by its script: see cases.py."""
from cases import call, case, hang_up, healthy, hold_and_resume, pair, sleep, talk_and_end, talking, with_direction
from clinic import EDGE
from scripted_media import description

# --- hold

@case("alice bernd", "one-way-agreed not-resumed", "a->b")
async def resume_answered_recvonly(c):
    out, inc, ma, mb = await talking(c, "alice", "bernd")
    await hold_and_resume(inc, out, mb, ma, "sendonly", "recvonly")
    await hang_up(inc)
    return out


@case("anna bob", "one-way-agreed not-resumed", "both")
async def resume_answered_inactive(c):
    out, inc, ma, mb = await talking(c, "anna", "bob")
    await hold_and_resume(out, inc, ma, mb, "inactive", "inactive")
    await hang_up(out)
    return out


@case("bob carol", "one-way-agreed not-resumed", "b->a", edge=None)
async def resume_answered_recvonly_direct(c):
    out, inc, ma, mb = await talking(c, "bob", "carol", proxied=False)
    await hold_and_resume(out, inc, ma, mb, "sendonly", "recvonly")
    await hang_up(out)
    return out


@case("bob carol", "one-way-agreed not-resumed", "b->a", media="direct")
async def resume_answered_recvonly_by_update(c):
    out, inc, ma, mb = await talking(c, "bob", "carol")
    await sleep(1)
    mb.speaking = False
    await out.update(with_direction(out.said, "sendonly"))
    await sleep(1)
    inc.answer_with = lambda offer: (200, with_direction(inc.said, "recvonly"))
    await out.update(with_direction(out.said, "sendrecv"))
    return await talk_and_end(out)


# --- relays that follow the wrong packets

async def late_packets(c, new, old, dialog):
    """A party's media goes to a new port, and is silent for a moment; then late packets come from the old one."""
    await sleep(1)
    old.speaking = False
    await dialog.invite(description(new.address, new.port))
    new.start(dialog.told)
    await sleep(0.8)
    new.speaking = False
    await sleep(0.1)
    c.relay.relatches = True
    for _ in range(4):
        old.say()
        await sleep(0.02)


@case("carol kim", "stale-endpoint relatched", "a->b")
async def late_packet_relatch(c):
    out, inc, ma, mb = await talking(c, "carol", "kim")
    await late_packets(c, c.stream("kim", 18000), mb, inc)
    return await talk_and_end(out)


@case("alice bob", "stale-endpoint relatched", "b->a")
async def late_packet_relatch_caller(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await late_packets(c, c.stream("alice", 18000), ma, out)
    return await talk_and_end(out)


@case("bob anna", "stale-endpoint relatched", "b->a")
async def late_packet_relatch_public(c):
    out, inc, ma, mb = await talking(c, "bob", "anna")
    await late_packets(c, c.stream("bob", 18000), ma, out)
    return await talk_and_end(out, by=inc)


@healthy("alice bob")
async def late_packets_do_not_matter(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    new = c.stream("alice", 18000)
    await sleep(1)
    ma.speaking = False
    await out.invite(description(new.address, new.port))
    mb.follow(inc.told)
    new.start(out.told)
    await sleep(0.3)
    for _ in range(4):
        ma.say()
        await sleep(0.02)
    return await talk_and_end(out)


@case("carol bob", "stale-endpoint", "a->b", edge=None)
async def old_endpoint_still_served(c):
    """The caller goes on sending to the old port."""
    out, inc, ma, mb = await talking(c, "carol", "bob", proxied=False)
    await sleep(1)
    new = c.stream("bob", 18000)
    mb.speaking = False
    await inc.invite(description(new.address, new.port))
    new.start(inc.told)
    return await talk_and_end(out)


# --- NATs that forget

async def forgotten(c, nat, quiet, loud, *, silence=1.0, rest=2.2):
    """`quiet` sends nothing for a while; its NAT forgets."""
    await sleep(1.2)
    quiet.speaking = quiet.reports = False
    await sleep(silence)
    for port in (quiet.port, quiet.rtcp_port):
        c.forget(c.nats[nat], "-p", "udp", "--orig-port-src", str(port))
    await sleep(rest)


@case("alice bob", "nat-binding-expired stale-endpoint stopped", "b->a")
async def binding_expired_caller(c):
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb)
    await forgotten(c, "a", ma, mb)
    await hang_up(out)
    return out


@case("carol kim", "nat-binding-expired stale-endpoint stopped", "a->b")
async def binding_expired_callee(c):
    out, inc, ma, mb = await talking(c, "carol", "kim")
    await forgotten(c, "k", mb, ma, silence=1.6, rest=3)
    await hang_up(out)
    return out


@case("bob alice", "nat-binding-expired stale-endpoint stopped", "a->b")
async def binding_expired_and_back(c):
    """It speaks again: from another port of the NAT, and the relay stays with the old one."""
    a, b, ma, mb = await pair(c, "bob", "alice")
    out, inc = await call(a, b, ma, mb)
    await forgotten(c, "a", mb, ma, silence=1.0, rest=0.2)
    mb.speaking = mb.reports = True
    return await talk_and_end(out, 2.5)


@healthy("bob alice")
async def binding_expired_and_followed(c):
    a, b, ma, mb = await pair(c, "bob", "alice")
    out, inc = await call(a, b, ma, mb)
    await sleep(1.2)
    c.relay.relatches = True
    c.forget(c.nats["a"], "-p", "udp", "--orig-port-src", str(mb.port))
    return await talk_and_end(out)


# --- relays with faults

@case("alice bob", "relay-sends-to-private-address", "b->a")
async def relay_sends_to_private(c):
    a, b, ma, mb = await pair(c, "alice", "bob")
    c.relay.learns = False
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("bob kim", "relay-sends-to-private-address", "a->b")
async def relay_sends_to_private_callee(c):
    a, b, ma, mb = await pair(c, "bob", "kim")
    c.relay.learns = False
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


def swallowing(which):
    return lambda leg, kind, packet, source: leg is leg.call.legs[which]


@case("alice bob", "relay-swallows relay-not-joined", "a->b")
async def relay_swallows(c):
    a, b, ma, mb = await pair(c, "alice", "bob")
    c.relay.fault = swallowing("first")
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("bob anna", "relay-swallows relay-not-joined", "b->a")
async def relay_swallows_back(c):
    a, b, ma, mb = await pair(c, "bob", "anna")
    c.relay.fault = swallowing("second")
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("alice bob", "echo relay-not-joined relay-swallows", "both")
async def relay_echoes(c):
    a, b, ma, mb = await pair(c, "alice", "bob")

    def echo(leg, which, packet, source):
        if leg is leg.call.legs["first"]:
            c.relay.send(leg, which, packet, source)
            return True
        return leg is leg.call.legs["second"]
    c.relay.fault = echo
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("alice bob", "relay-to-itself", "a->b")
async def relay_to_itself(c):
    c.record("edge-lo=edge:lo")
    a, b, ma, mb = await pair(c, "alice", "bob")

    def itself(leg, which, packet, source):
        if leg is leg.call.legs["first"]:
            c.relay.send(leg.other, which, packet, (EDGE, leg.port + which + 1000))
            return True
        return False
    c.relay.fault = itself
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


# --- media that stops

@case("alice bob", "stopped", "b->a")
async def stopped(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1.5)
    mb.stop()
    return await talk_and_end(out, 9)
