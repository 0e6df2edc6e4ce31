"""Calls whose 183 describes other media than the 200 of the same dialog does: the first one counts, and phones follow either."""
import asyncio

from cases import case, healthy, pair, sleep, talk_and_end
from scripted_media import description

TONE = ("203.0.113.61", 19000)


async def announced(c):
    """bob calls gate, which rings from TONE and answers with its own media; (caller's end, callee's end, media of both, the tone's)"""
    a, b, ma, mb = await pair(c, "bob", "gate")
    tone = c.stream("gate", TONE[1], address=TONE[0])
    out = a.dial("gate")
    dialling = asyncio.create_task(out.invite(description(ma.address, ma.port)))
    inc = await b.incoming()
    inc.respond(183, description(*TONE))
    tone.start(inc.told)
    await sleep(1.2)
    accepted = asyncio.create_task(inc.accept(description(mb.address, mb.port)))
    await dialling
    await accepted
    return out, inc, ma, mb, tone


@healthy("bob gate", media="direct")
async def second_answer_followed(c):
    out, inc, ma, mb, tone = await announced(c)
    tone.stop()
    mb.start(inc.told)
    ma.start(out.told)
    return await talk_and_end(out)


@healthy("bob gate", media="direct")
async def second_answer_of_no_weight(c):
    """Both stay with the first one."""
    out, inc, ma, mb, tone = await announced(c)
    ma.start(out.early)
    return await talk_and_end(out)


@case("bob gate", "stale-endpoint", "a->b", media="direct")
async def second_answer_ignored(c):
    """The caller stays with the first one, as the standard has it; the callee does not."""
    out, inc, ma, mb, tone = await announced(c)
    tone.stop()
    mb.start(inc.told)
    ma.start(out.early)
    return await talk_and_end(out)
