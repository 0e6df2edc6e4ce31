"""Healthy odd calls as combinations: what is odd is told once, and happens on several ways from phone to phone. Each pair is a case of
cases.py, named "<what is odd>_<way>"."""
import asyncio
import re

import cases
import scripted
from scripted_media import PCMU, description

LONG = []  # names of the cases that are not in the normal run


class Way:
    """Who calls whom, and what is between them. `edge`: None, or the edge's options. `prepare`: what the site needs first."""

    def __init__(self, parties, edge=None, transport="udp", prepare=None, outer=None, port=5060):
        self.parties, self.edge, self.transport, self.prepare, self.outer, self.port = parties, edge, transport, prepare, outer, port


def _cone(c):
    c.set_nat(c.nats["a"], "cone", "10.0.1.21")


def _restricted(c):
    c.set_nat(c.nats["a"], "preserving")


def _hairpin(c):
    """A NAT with fixed mappings that turns packets round (RFC 4787 section 6)."""
    c.nats["a"].nft("""table ip nat
        delete table ip nat
        table ip nat {
            chain post { type nat hook postrouting priority srcnat; oifname "out0" masquerade; oifname "in0" ip saddr 10.0.1.0/24 ct status dnat snat to 198.51.100.7; }
            chain pre { type nat hook prerouting priority dstnat;
                ip daddr 198.51.100.7 udp dport 16000-16999 dnat to 10.0.1.21; ip daddr 198.51.100.7 udp dport 17000-17999 dnat to 10.0.1.22; }
        }
        table ip gate
        delete table ip gate""")


WAYS = {
    "nat": Way("alice bob", {}),
    "to_nat": Way("bob alice", {}),
    "two_nats": Way("alice kim", {}),
    "double_nat": Way("flo bob", {}),
    "restricted": Way("alice carol", {}, prepare=_restricted),
    "cone": Way("alice bob", {"media": "direct"}, prepare=_cone, outer=("198.51.100.7", None)),
    "hairpin": Way("alice klaus", {"media": "direct"}, prepare=_hairpin, outer=("198.51.100.7", "198.51.100.7")),
    "lan": Way("anna bernd", {"media": "direct"}),
    "lan_out": Way("anna bob", {}),
    "lan_far": Way("bernd kim", {}),
    "proxied": Way("bob carol", {"media": "direct"}),
    "wire": Way("carol bob"),
    "routed": Way("carol gate"),
    "v6": Way("sara sven"),
    "v6_proxied": Way("sven sara", {"media": "direct"}),
    "families": Way("alice sven", {}),
    "tcp": Way("kim bob", {}, transport="tcp"),
    "tcp_lan": Way("anna carol", {}, transport="tcp"),
    "tcp_proxied": Way("bob carol", {"media": "direct"}, transport="tcp"),
    "other_port": Way("alice gate", {}, port=40002),
}


class Scene:
    """Two phones with their media on one of the ways, and the call between them."""

    def __init__(self, c, way):
        self.c, self.way = c, way
        self.first, self.second = way.parties.split()
        self.out = self.inc = self.uri = None

    async def begin(self, signed_up):
        c, way = self.c, self.way
        if way.prepare:
            way.prepare(c)
        self.a, self.b = c.phone(self.first, transport=way.transport, port=way.port), c.phone(self.second)
        if way.edge is None:
            self.uri = f"sip:{self.second}@{scripted.written(self.b.address, 5060)}"
        elif signed_up:
            await cases.register(self.a, self.b)
        self.ma, self.mb = c.stream(self.first), c.stream(self.second, 17384)
        return self

    # --- descriptions: of the caller, of the callee

    def said(self, side, media=None, **options):
        media = media or (self.ma, self.mb)[side]
        outer = self.way.outer and self.way.outer[side]
        return description(outer or media.address, media.port, options.pop("formats", (PCMU, 101)), **options)

    def offer(self, **options):
        return self.said(0, **options)

    def answer(self, **options):
        return self.said(1, **options)

    # --- steps

    async def call(self, **options):
        """The call is answered, and both speak."""
        own = {"offer": options.pop("offer", None) or self.offer(), "answer": options.pop("answer", None) or self.answer()}
        self.out, self.inc = await cases.call(self.a, self.b, self.ma, self.mb, uri=self.uri, **own, **options)
        return self

    async def dial(self, offer=None, more=(), **options):
        """The INVITE is with the callee; self.dialling is its final response to come."""
        self.out = self.a.dial(self.b.user, self.uri)
        self.dialling = asyncio.create_task(self.out.invite(self.offer() if offer is None else offer, more, **options))
        self.inc = await self.b.incoming()
        return self.inc

    async def picked_up(self, answer=None, more=(), speak=True):
        """200 and ACK, after dial()."""
        accepted = asyncio.create_task(self.inc.accept(self.answer() if answer is None else answer, more))
        final = await self.dialling
        cases.lab.require(final is not None and final.status == 200, f"INVITE: {final and final.start}")
        await accepted
        self.ma.follow(self.out.told or self.out.early), self.mb.follow(self.inc.told)
        if speak:
            self.speak()

    def speak(self):
        self.ma.start(), self.mb.start()

    async def talk(self, seconds=1.0):
        await cases.sleep(seconds)

    async def hang_up(self, by=None):
        await cases.hang_up(by or self.out)


def odd(*ways, usual="", outcome="answered", registration=False, signed_up=True, **edge):
    """A story of a Scene, on each of these ways; `usual`: the one that is in the normal run. What it returns is the dialog that is judged,
    else the caller's end."""
    def wrap(story):
        for name in ways:
            way = WAYS[name]

            async def run(c, way=way):
                scene = await Scene(c, way).begin(signed_up)
                return await story(scene) or scene.out
            run.__name__ = f"{story.__name__}_{name}"
            run.__doc__ = story.__doc__
            if way.edge is None:
                cases.healthy(way.parties, outcome=outcome, edge=None, registration=registration)(run)
            else:
                cases.healthy(way.parties, outcome=outcome, registration=registration, **way.edge, **edge)(run)
            if name != usual:
                LONG.append(run.__name__)
        return story
    return wrap


def odd_within(*ways, **options):
    """As odd(): the story is of a call that both are speaking in, and that the caller ends afterwards."""
    def wrap(story):
        async def whole(s):
            await s.call()
            await s.talk(0.6)
            await story(s)
            await s.talk(1.2)
            await s.hang_up()
        whole.__name__, whole.__doc__ = story.__name__, story.__doc__
        odd(*ways, **options)(whole)
        return story
    return wrap


# --- descriptions that are changed a little

def with_lines(text, *lines):
    return text + "".join(line + "\r\n" for line in lines)


def changed(text, pattern, new):
    return re.sub(pattern, new, text, flags=re.M)


VIDEO = "m=video {} RTP/AVP 96"


async def call_with_video(s):
    """A call with a second stream, which has other times and sizes than the voice. (video of the caller, of the callee)"""
    va, vb = s.c.stream(s.first, 16500), s.c.stream(s.second, 17500)
    for one, to in ((va, vb), (vb, va)):
        one.payload_type, one.frame, one.size = 96, 0.033, 900
        one.to, one.rtcp_to = (to.address, to.port), (to.address, to.rtcp_port)
    codec = "a=rtpmap:96 H264/90000"
    await s.call(offer=with_lines(s.offer(), VIDEO.format(16500), codec), answer=with_lines(s.answer(), VIDEO.format(17500), codec))
    return va.start(), vb.start()


KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"
