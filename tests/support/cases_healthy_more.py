"""More calls that are healthy and look odd: other ports, numbers, families, transports, beginnings and ends of a capture, and noise beside them."""
import asyncio
import contextlib

from cases import call, dial, direct, hang_up, healthy, pair, refuse, register, sleep, talk, talk_and_end, talking
from scripted_media import EVENTS, PCMA, PCMU, description


@healthy("bob gate", edge=None)
async def separate_media_address(c):
    a, b = c.phone("bob"), c.phone("gate")
    ma, mb = c.stream("bob"), c.stream("gate", 17384, address="203.0.113.61")
    out, inc = await call(a, b, ma, mb, uri="sip:gate@203.0.113.60:5060")
    return await talk_and_end(out)


@healthy("carol bob")
async def opus_with_two_numbers(c):
    a, b, ma, mb = await pair(c, "carol", "bob")
    ma.payload_type, mb.payload_type = 96, 111
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (111, EVENTS), codecs={111: "opus/48000/2"}),
                          description(mb.address, mb.port, (96, 97), codecs={96: "opus/48000/2", 97: "telephone-event/8000"}))
    for _ in range(3):
        await sleep(0.5)
        ma.press(97)
        mb.press(EVENTS)
    await hang_up(out)
    return out


@healthy("carol bob", edge=None)
async def codec_changes(c):
    a, b, ma, mb, uri = await direct(c, "carol", "bob")
    out, inc = await call(a, b, ma, mb, uri=uri, sdp=((PCMU, PCMA, EVENTS),))
    await sleep(1)
    ma.payload_type = PCMA
    await sleep(1)
    ma.press()
    return await talk_and_end(out, 0.5)


@healthy("alice bob")
async def moved_by_reinvite(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1)
    new = c.stream("bob", 18000)
    await inc.invite(description(new.address, new.port))
    mb.stop()
    ma.follow(out.told)
    new.start(inc.told)
    return await talk_and_end(out, 1.5)


@healthy("bob alice")
async def session_refreshed(c):
    a, b, ma, mb = await pair(c, "bob", "alice")
    timer = ["Session-Expires: 90;refresher=uac", "Supported: timer"]
    out, inc = await call(a, b, ma, mb, more=timer)
    await sleep(0.7)
    await out.invite(out.said, timer)
    await sleep(0.7)
    await out.update("", timer)
    return await talk_and_end(out, 0.7, by=inc)


@healthy("alice bob")
async def updated(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1)
    new = c.stream("alice", 18000)
    await out.update(description(new.address, new.port))
    ma.stop()
    mb.follow(inc.told)
    new.start(out.told)
    return await talk_and_end(out, 1.5)


@healthy("carol bob", edge=None)
async def redirected(c):
    a, b, ma, mb, uri = await direct(c, "carol", "bob")
    g = c.phone("gate")
    out = a.dial("gate", "sip:gate@203.0.113.60:5060")
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    first = await g.incoming()
    first.respond(302, more=["Contact: <sip:bob@198.51.100.21:5060>"])
    await dialling
    out.target = "sip:bob@198.51.100.21:5060"
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    inc = await b.incoming()
    inc.respond(180)
    accepted = asyncio.create_task(inc.accept(description(mb.address, mb.port)))
    mb.follow(inc.told)
    await dialling
    ma.start(out.told)
    mb.start()
    await accepted
    return await talk_and_end(out, 1.5)


@healthy("alice bob")
async def two_calls_through_one_nat(c):
    a, b, ma, mb = await pair(c, "alice", "bob")
    k, d, mk, md = await pair(c, "klaus", "carol")
    out, inc = await call(a, b, ma, mb)
    out2, inc2 = await call(k, d, mk, md)
    await sleep(2)
    await hang_up(out, out2)
    return out


@healthy("kim bob")
async def over_tcp(c):
    a, b = c.phone("kim", transport="tcp"), c.phone("bob")
    await register(a, b)
    ma, mb = c.stream("kim"), c.stream("bob", 17384)
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@healthy("bob alice")
async def callee_over_tcp(c):
    a, b = c.phone("bob"), c.phone("alice", transport="tcp")
    await register(a, b)
    ma, mb = c.stream("bob"), c.stream("alice", 17384)
    out, inc = await call(a, b, ma, mb)
    await sleep(2)
    await hang_up(inc)
    b.stream.close()
    return out


@healthy("sara sven", edge=None)
async def over_ipv6(c):
    out, inc, ma, mb = await talking(c, "sara", "sven", proxied=False)
    return await talk_and_end(out)


@healthy("alice sven")
async def between_families(c):
    return await talk(c, "alice", "sven")


@healthy("alice bob")
async def still_going_on(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(2)
    return out


@healthy("alice bob")
async def from_the_middle_on(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1)
    c.begin_again()
    return await talk_and_end(out, 1.5)


@healthy("alice bob")
async def from_the_middle_on_with_reinvite(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1)
    c.begin_again()
    await sleep(0.5)
    await out.invite(out.said)
    return await talk_and_end(out, 1.5)


@healthy("alice bob")
async def signalling_only(c):
    c.begin_again("port 5060")
    out, inc, ma, mb = await talking(c, "alice", "bob")
    return await talk_and_end(out, 1.5)


@healthy("bob carol", media="direct")
async def icmp_before_the_socket_opens(c):
    """The answer names a port that is opened a little later; after BYE packets come to a closed one."""
    a, b = c.phone("bob"), c.phone("carol")
    await register(a, b)
    ma = c.stream("bob")
    out, inc, dialling = await dial(a, b)
    accepted = asyncio.create_task(inc.accept(description("198.51.100.33", 17384)))
    await dialling
    ma.start(out.told)
    await sleep(0.15)
    mb = c.stream("carol", 17384)
    mb.start(inc.told)
    await accepted
    await sleep(2)
    mb.stop()
    asyncio.get_running_loop().remove_reader(mb.rtp)
    bye = asyncio.create_task(hang_up(out))
    mb.rtp.close()
    await bye
    await sleep(0.5)
    return out


@healthy("bob alice")
async def with_background(c):
    """DNS that is refused, OPTIONS pings, RTP of somebody else."""
    a, b, ma, mb = await pair(c, "bob", "alice")
    x, y = c.stream("carol", 26000), c.stream("gate", 27000)
    x.to, x.rtcp_to, y.to, y.rtcp_to = ("203.0.113.60", 27000), ("203.0.113.60", 27001), ("198.51.100.33", 26000), ("198.51.100.33", 26001)
    x.start(), y.start()
    dns = c.hosts["bob"].socket(2, 2)
    dns.setblocking(False)
    out, inc = await call(a, b, ma, mb)
    for _ in range(5):
        with contextlib.suppress(OSError):
            dns.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x04test\x00\x00\x01\x00\x01", ("203.0.113.60", 53))
        await a.ping()
        await sleep(0.4)
    await hang_up(out)
    dns.close()
    return out


@healthy("bob carol", media="direct")
async def forked(c):
    """Two phones of the called user; one rings with early media, the other one answers."""
    a, b = c.phone("bob"), c.phone("carol", user="alice")
    g = c.phone("gate", user="alice")
    await register(a, b, g)
    ma, mb, mg = c.stream("bob"), c.stream("carol", 17384), c.stream("gate", 17384)
    out = a.dial("alice")
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    inc, early = await b.incoming(), await g.incoming()
    early.respond(183, description(mg.address, mg.port))
    mg.start(early.told)
    await sleep(1)
    accepted = asyncio.create_task(inc.accept(description(mb.address, mb.port)))
    mb.follow(inc.told)
    await dialling
    mg.stop()
    ma.start(out.told)
    mb.start()
    await accepted
    return await talk_and_end(out)


@healthy("bob alice", outcome="refused")
async def busy(c):
    """Refused for a reason that people have: no alarm is raised, but the cause is told."""
    a, b = c.phone("bob"), c.phone("alice")
    await register(a, b)
    return await refuse(a, b, 486, ring=0.5)


@healthy("carol bob", media="direct")
async def one_way_agreed(c):
    """An announcement: the offer is recvonly."""
    a, b, ma, mb = await pair(c, "carol", "bob")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, direction="recvonly"), description(mb.address, mb.port, direction="sendonly"), speak=False)
    ma.report()
    ma.start()
    ma.speaking = False
    mb.start()
    return await talk_and_end(out, by=inc)
