"""Calls that the network between the parties spoils or disturbs: routers in a ring, silent firewalls, jitter, families that do not meet."""
import asyncio
import random
import socket

from cases import call, case, direct, healthy, pair, refuse, register, sleep, talk_and_end, talking
from scripted_media import G722, PCMA, PCMU, description


def ring(c):
    """Two routers that each take the other for the way to 192.0.2.0/24."""
    second = c.hosts["stun"]
    second.sysctl("net.ipv4.ip_forward", 1)
    second.sysctl("net.ipv4.icmp_ratelimit", 0)
    for key in ("all", "eth0"):
        second.sysctl(f"net.ipv4.conf.{key}.send_redirects", 0)
    c.inet.ip("route", "add", "192.0.2.0/24", "via", second.address)


@case("bob gate", "never-arrives", "a->b", edge=None)
async def routers_in_a_ring(c):
    ring(c)
    a, b = c.phone("bob"), c.phone("gate")
    ma, mb = c.stream("bob"), c.stream("gate", 17384, address="192.0.2.61")
    out, inc = await call(a, b, ma, mb, uri="sip:gate@203.0.113.60:5060")
    return await talk_and_end(out, 2.5)


@case("alice gate", "never-arrives", "a->b", media="direct")
async def routers_in_a_ring_behind_nat(c):
    ring(c)
    c.set_nat(c.nats["a"], "cone", "10.0.1.21")
    a, b = c.phone("alice"), c.phone("gate")
    await register(a, b)
    ma, mb = c.stream("alice"), c.stream("gate", 17384, address="192.0.2.61")
    out, inc = await call(a, b, ma, mb, offer=description("198.51.100.7", ma.port))
    return await talk_and_end(out, 2.5)


@case("gate bob", "never-arrives", "b->a", edge=None)
async def too_few_hops(c):
    """The callee's packets may pass no router."""
    a, b, ma, mb, uri = await direct(c, "gate", "bob")
    for one in (mb.rtp, mb.rtcp):
        one.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 1)
    out, inc = await call(a, b, ma, mb, uri=uri)
    return await talk_and_end(out, 2.5)


@case("bob gate", "never-arrives nothing-sent", "b->a", edge=None)
async def silent_firewall(c):
    """What the callee sends does not get out of its site."""
    c.inet.nft("table inet wall { chain f { type filter hook forward priority 0; ip saddr 203.0.113.60 udp sport 17384-17385 drop; }; }")
    out, inc, ma, mb = await talking(c, "bob", "gate", proxied=False)
    return await talk_and_end(out, 2.5)


@case("alice bob", "never-arrives nothing-sent", "a->b", media="direct")
async def silent_firewall_of_callers_site(c):
    """Its router passes on reports, and no media."""
    c.set_nat(c.nats["a"], "cone", "10.0.1.21")
    c.nats["a"].nft("table inet wall { chain f { type filter hook forward priority 0; iifname in0 udp sport 16384 drop; }; }")
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb, offer=description("198.51.100.7", ma.port))
    return await talk_and_end(out, 2.5)


@case("carol gate", "nothing-sent", "b->a", edge=None)
async def gateway_sends_nothing(c):
    """No media and no reports."""
    a, b, ma, mb, uri = await direct(c, "carol", "gate")
    out, inc = await call(a, b, ma, mb, uri=uri, speak=False)
    ma.start()
    return await talk_and_end(out, 3)


@case("carol gate", "wrong-family", "both", edge=None)
async def families_do_not_meet(c):
    """The callee answers by its IPv6 address what was offered by IPv4."""
    a, b = c.phone("carol"), c.phone("gate")
    ma, mb = c.stream("carol"), c.stream("gate", 17384)
    out, inc = await call(a, b, ma, mb, answer=description("2001:db8:2::21", mb.port), uri=f"sip:gate@{b.address}:5060", speak=False)
    return await talk_and_end(out, 3)


@case("alice bob", "no-common-codec refused", outcome="refused")
async def no_common_codec(c):
    a, b = c.phone("alice"), c.phone("bob")
    await register(a, b)
    return await refuse(a, b, 488, description("10.0.1.21", 16384, (G722,)))


@case("gate carol", "no-common-codec refused", outcome="refused", edge=None)
async def no_common_codec_direct(c):
    a, b = c.phone("gate"), c.phone("carol")
    return await refuse(a, b, 488, description("203.0.113.60", 16384, (PCMA, PCMU)), ring=0.5, more=['Warning: 304 carol "Media type not available"'], uri="sip:carol@198.51.100.33:5060")


@case("alice bob", "relay-not-joined receiver-refuses relay-swallows stopped", "both")
async def relay_ends_its_legs(c):
    """In the middle of the call the relay closes its ports."""
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1.2)
    for one in c.relay.open[1:]:
        asyncio.get_running_loop().remove_reader(one)
        one.close()
    return await talk_and_end(out, 2.5)


# --- what only disturbs

def delayed(media, most):
    """Each packet waits for up to `most` seconds; none overtakes another."""
    loop, last = asyncio.get_running_loop(), [0.0]

    def shape(packet):
        at = max(last[0], loop.time() + random.random() * most)
        last[0] = at + 0.0001
        loop.call_at(at, media.mouth.sendto, packet, media.to)
        return ()
    media.shape = shape


def jitter_between(key, least, most):
    def look(record):
        measured = record["streams"][0][key].get("jitter_ms", 0)
        return "" if least <= measured <= most else f"jitter {measured} ms"
    return look


@healthy("carol gate", edge=None, says=jitter_between("to_callee", 8, 60))
async def jitter(c):
    """Up to 80 ms: the phone's buffer takes that."""
    a, b, ma, mb, uri = await direct(c, "carol", "gate")
    delayed(ma, 0.08)
    out, inc = await call(a, b, ma, mb, uri=uri)
    return await talk_and_end(out, 4)


@healthy("bob alice", says=jitter_between("to_callee", 8, 60))
async def jitter_through_relay(c):
    a, b, ma, mb = await pair(c, "bob", "alice")
    delayed(ma, 0.08)
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out, 4)


@healthy("alice bob")
async def jitter_reported(c):
    """The receiver reports jitter and little loss (RTCP)."""
    a, b, ma, mb = await pair(c, "alice", "bob")
    mb.reports_jitter = 640
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out, 3)
