"""A PBX that answers a call and makes another one (RFC 7092: a B2BUA), with media of its own in between. In an asyncio loop."""
import asyncio
import struct

from scripted_media import description


class Bridge:
    """Two media endpoints of one host; what comes to one leaves from the other, to where that one's party sends from. `own_sources`: with
    sources (SSRC) of its own."""

    def __init__(self, c, name, first_port, second_port, own_sources=True):
        self.sides = c.stream(name, first_port), c.stream(name, second_port)
        self.own_sources, self.fault = own_sources, None
        for side, other in (self.sides, self.sides[::-1]):
            side.hear = lambda packet, source, counts, side=side, other=other: self._pass(side, other, packet, source)

    def _pass(self, side, other, packet, source):
        if len(packet) < 12 or 192 <= packet[1] <= 223:
            return
        side.to = source[:2]
        if self.own_sources:
            packet = packet[:8] + struct.pack("!I", other.ssrc) + packet[12:]
        if other.to and not (self.fault and self.fault(side)):
            other._send(other.rtp, packet, other.to)


class Pbx:
    """`phone`: its signalling."""

    def __init__(self, c, phone, first_port=20000, second_port=22000, **options):
        self.phone, self.address = phone, phone.address
        self.bridge = Bridge(c, phone.host_name, first_port, second_port, **options)
        self.first, self.second = self.bridge.sides

    def said(self, side, **options):
        return description(self.address, side.port, **options)

    async def connect(self, callee, callee_description, uri, ring=0.3):
        """Takes the call that comes in, calls `callee`, and answers when that one does. (its end of the first call, of the second, the
        callee's end)"""
        inc = await self.phone.incoming()
        self.first.follow(inc.told)
        out = self.phone.dial(callee.user, uri)
        dialling = asyncio.create_task(out.invite(self.said(self.second)))
        far = await callee.incoming()
        far.respond(180)
        inc.respond(180)
        await asyncio.sleep(ring)
        accepted = asyncio.create_task(far.accept(callee_description))
        await dialling
        await accepted
        self.second.follow(out.told)
        asyncio.create_task(inc.accept(self.said(self.first)))
        return inc, out, far
