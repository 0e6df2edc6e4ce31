#!/usr/bin/env python3
"""mediarelay behind an unmodified Kamailio, the rtpengine module: what descriptions may say, and calls that do not come about. Late offer,
rejected streams, several streams, fax, a challenge, CANCEL and refusals; nothing is held afterwards."""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import proxied_site as sites
from ng_client import sdp, streams
from proxied_site import Plain, call, change, dial, exchange, gone, hang_up, hear_each_other, ours
from scripted_media import description


@sites.in_loop
async def late_offer(site):
    """The INVITE says nothing, the 200 offers, the ACK answers."""
    site.with_rtpengine()

    async def one(*names):
        a, b = [await site.phone(name) for name in names]
        out = a.dial(b.user)
        dialling = asyncio.create_task(out.invite("", ack_body=lambda offer: description(a.audio.address, a.audio.port)))
        inc = await b.incoming()
        lab.require(await inc.accept(description(b.audio.address, b.audio.port)), "no ACK")
        await dialling
        lab.require(ours(out.told) and ours(inc.told), f"told: {out.told} {inc.told}")
        a.audio.start(out.told), b.audio.start(inc.told)
        await hear_each_other(a.audio, b.audio)
        out.said = description(a.audio.address, a.audio.port)
        await change(out, out.said)  # and once more, in the usual order
        await hear_each_other(a.audio, b.audio)
        await hang_up(inc, out)
    await asyncio.gather(one("bob", "kim"), one("alice", "carol"))
    await gone(site)


@sites.in_loop
async def three_streams_and_rejected_ones(site):
    """Three are accepted; then the callee rejects one, then the caller offers one with port 0."""
    site.with_rtpengine()
    a, b = await site.phone("anna"), await site.phone("kim")
    ports = {"audio": (4000, 5000), "video": (4010, 5010), "text": (4020, 5020)}
    mine, yours = ({kind: Plain(site, name, pair[n]) for kind, pair in ports.items()} for n, name in enumerate(("anna", "kim")))
    offer, answer = (sdp(p.host.address, *(f"{kind} {pair[n]}" for kind, pair in ports.items())) for n, p in enumerate((a, b)))
    out, inc = await call(a, b, offer, answer, speak=False)

    async def all_talk(*kinds):
        told = streams(out.told), streams(inc.told)
        for to_a, to_b in zip(*told):
            lab.require(to_a.kind == to_b.kind and (to_a.port != 0) == (to_b.port != 0) == (to_a.kind in kinds), f"{out.told} {inc.told}")
            if to_a.port:
                await exchange(mine[to_a.kind], to_a.endpoint, yours[to_a.kind], to_b.endpoint, to_a.kind)
        lab.require([s.kind for s in told[0]] == list(ports), out.told)
        lab.require(len({s.endpoint for s in told[0] + told[1] if s.port}) == 2 * len(kinds), "streams share a port")
        for one in (*mine.values(), *yours.values()):
            one.heard.clear()
    await all_talk("audio", "video", "text")
    inc.answer_with = lambda _: (200, answer.replace("m=video 5010", "m=video 0"))
    await change(out, offer)
    told = streams(out.told)
    lab.require([s.port != 0 for s in told] == [True, False, True], out.told)
    inc.answer_with = lambda _: (200, answer.replace("m=video 5010", "m=video 0").replace("m=text 5020", "m=text 0"))
    await change(out, offer.replace("m=video 4010", "m=video 0").replace("m=text 4020", "m=text 0"))
    await all_talk("audio")
    inc.answer_with = lambda _: (200, answer)
    await change(out, offer)
    await all_talk("audio", "video", "text")
    await hang_up(inc, out)
    await gone(site)


@sites.in_loop
async def fax(site):
    """The callee changes to T.38: m=image in the place of audio; and back again."""
    site.with_rtpengine()
    a, b = await site.phone("bob"), await site.phone("alice")
    out, inc = await call(a, b)
    await hear_each_other(a.audio, b.audio)
    spoken = inc.said, out.said
    a.audio.speaking = b.audio.speaking = False
    image, server = Plain(site, "alice", 6000), Plain(site, "bob", 6100)
    out.answer_with = lambda _: (200, sdp(server.address, "image 6100", "a=T38FaxVersion:0"))
    await change(inc, sdp(image.address, "image 6000", "a=T38FaxVersion:0"))
    to_image, to_server = streams(inc.told)[0], streams(out.told)[0]
    lab.require((to_image.protocol, to_image.formats) == ("udptl", ["t38"]), inc.told)
    await exchange(image, to_image.endpoint, server, to_server.endpoint, "fax")
    out.answer_with = lambda _: (200, spoken[1])
    await change(inc, spoken[0])
    a.audio.start(out.told), b.audio.start(inc.told)
    await hear_each_other(a.audio, b.audio)
    await hang_up(inc, out)
    await gone(site)


@sites.in_loop
async def challenged(site):
    """The called server asks for a password: 407 and the same Call-ID and tag once more, at once. And 401, by a call that was held."""
    site.with_rtpengine()
    for status in (407, 401):
        a, b = await site.phone("anna"), await site.phone("bob")
        out = a.dial("bob")
        dialling = asyncio.create_task(out.invite(description(a.audio.address, a.audio.port)))
        first = await b.incoming()
        del b.dialogs[first.call_id]
        first.respond(status, more=[f'{"Proxy" if status == 407 else "WWW"}-Authenticate: Digest realm="edge.test", nonce="n1", qop="auth", algorithm=MD5'])
        inc = await b.incoming()
        lab.require("uthorization: Digest" in inc.invitation.text, inc.invitation.text)
        accepting = asyncio.create_task(inc.accept(description(b.audio.address, b.audio.port)))
        final = await dialling
        lab.require(final is not None and final.status == 200, f"{final and final.start}")
        a.audio.start(out.told), b.audio.start(inc.told)
        lab.require(await accepting, "no ACK")
        await hear_each_other(a.audio, b.audio)
        await hang_up(out, inc)
    await gone(site)


@sites.in_loop
async def calls_that_do_not_come_about(site):
    """CANCEL while it rings, with early media; busy; refused; nobody answers."""
    site.with_rtpengine()
    a, b = await site.phone("anna"), await site.phone("alice")
    out, dialling, inc = await dial(a, b)
    inc.respond(183, description(b.audio.address, b.audio.port))
    await asyncio.sleep(0.2)
    a.audio.start(out.early), b.audio.start(inc.told)
    await hear_each_other(a.audio, b.audio)
    await out.cancel()
    final = await dialling
    lab.require(final is not None and final.status == 487, f"{final and final.start}")
    await gone(site)
    a.audio.speaking = b.audio.speaking = False
    for status in (486, 603, 488):
        out, dialling, inc = await dial(a, b)
        inc.respond(status)
        final = await dialling
        lab.require(final is not None and final.status == status, f"{final and final.start}")
        await gone(site)


if __name__ == "__main__":
    lab.main(late_offer, three_streams_and_rejected_ones, fax, challenged, calls_that_do_not_come_about)
