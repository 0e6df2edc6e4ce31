"""Calls whose media goes in a circle from relay to relay, and calls that somebody ends because no media comes. See cases.py."""
import asyncio

from cases import call, case, dial, direct, pair, register, sleep, talk_and_end, talking
from pbx import Bridge
from scripted_media import description

# --- media in a circle


class SlowBridge(Bridge):
    """It takes a tenth of a second for each packet, and passes on two thousand of them."""

    def __init__(self, c, name, first_port, second_port):
        super().__init__(c, name, first_port, second_port, own_sources=False)
        self.left = 2000

    def _pass(self, side, other, packet, source):
        if self.left > 0 and len(packet) >= 12 and not 192 <= packet[1] <= 223:
            self.left -= 1
            asyncio.get_running_loop().call_later(0.1, other._send, other.rtp, packet, other.to)


@case("alice gate", "media-loop", "b->a")
async def relay_and_gateway_in_a_circle(c):
    """The gateway has forwarded the call to where it came from: what it gets of the relay it sends to the relay's other end. It has no
    voice of its own."""
    a, b = c.phone("alice"), c.phone("gate")
    await register(a, b)
    ma, gateway = c.stream("alice"), SlowBridge(c, "gate", 20000, 22000)
    out, inc, dialling = await dial(a, b)
    accepted = asyncio.create_task(inc.accept(description(b.address, 20000)))
    await dialling
    await accepted
    ma.follow(out.told)
    gateway.sides[1].to = ma.to
    ma.start()
    return await talk_and_end(out, 2.5)


@case("carol gate", "media-loop", "b->a", edge=None)
async def two_gateways_in_a_circle(c):
    """Each takes the other for the way to the called party."""
    a, b, ma, _, uri = await direct(c, "carol", "gate")
    one, other = SlowBridge(c, "gate", 20000, 22000), SlowBridge(c, "stun", 24000, 26000)
    one.sides[1].to = (other.sides[0].address, 24000)
    other.sides[1].to = (b.address, 20000)
    out, inc, dialling = await dial(a, b, uri=uri)
    accepted = asyncio.create_task(inc.accept(description(b.address, 20000)))
    await dialling
    await accepted
    ma.start(out.told)
    return await talk_and_end(out, 2.5)


# --- ended for the want of media

async def end_for_want_of_media(dialog, reason):
    await dialog.request("BYE", more=[f"Reason: {reason}"], wait=4)
    await sleep(0.1)


@case("carol gate", "hung-up", "a->b", outcome="dropped", media="direct")
async def hung_up_behind_an_own_firewall(c):
    """Media comes as far as the callee's host, which drops it; its program gives up."""
    c.hosts["gate"].nft("table inet wall { chain i { type filter hook input priority 0; udp dport 17384-17385 drop; }; }")
    out, inc, ma, mb = await talking(c, "carol", "gate")
    await sleep(3)
    await end_for_want_of_media(inc, 'FreeSWITCH;cause=604;text="MEDIA_TIMEOUT"')
    return out


@case("alice bob", "hung-up", "b->a", outcome="dropped")
async def hung_up_by_the_caller(c):
    """The same in the caller's phone, behind its NAT and a relay."""
    c.hosts["alice"].nft("table inet wall { chain i { type filter hook input priority 0; udp dport 16384-16385 drop; }; }")
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb)
    await sleep(3)
    await end_for_want_of_media(out, 'SIP;cause=200;text="Broken connection (no RTP)"')
    return out


@case("sara sven", "hung-up", "a->b", outcome="dropped", edge=None)
async def hung_up_in_messages_alone(c):
    """The capture has no media."""
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    c.begin_again("port 5060")
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(1)
    await end_for_want_of_media(inc, 'Q.850;cause=102;text="RTP timeout"')
    return out


@case("bob gate", "never-arrives nothing-sent hung-up", "a->b", outcome="dropped", edge=None)
async def hung_up_for_a_firewall(c):
    """Here the capture may show why: the caller's media does not get through the Internet."""
    a, b, ma, mb, uri = await direct(c, "bob", "gate")
    c.inet.nft("table inet wall { chain f { type filter hook forward priority 0; ip saddr 198.51.100.21 udp sport 16384 drop; }; }")
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(4)
    await end_for_want_of_media(inc, 'FreeSWITCH;cause=604;text="MEDIA_TIMEOUT"')
    c.inet.nft("delete table inet wall")
    return out
