#!/usr/bin/env python3
"""mediarelay behind an unmodified Kamailio that drives it with rtpproxy_manage(): calls between LAN, Internet and NATs, hold, changes of
a call, calls that do not come about, and a node that is killed; audio both ways, and nothing held afterwards."""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import proxied_site as sites
from proxied_site import call, change, dial, gone, hang_up, hear_each_other, ours, silent, with_direction
from scripted_media import description

SIDES = ('$var(f) = "co"; if (nat_uac_test("8")) $var(f) = "co"; else $var(f) = "cor"; '
         'if (is_request()) { if ($var(from) == "lan") $var(f) = $var(f) + "i"; else $var(f) = $var(f) + "e"; '
         'if ($var(to) == "lan") $var(f) = $var(f) + "i"; else $var(f) = $var(f) + "e"; }')


def between(site):
    return site.with_rtpproxy("$var(f)", back="$var(f)", prepare=SIDES)


@sites.in_loop
async def between_all_places(site):
    """The sides are named by e and i."""
    between(site)
    phones = {name: await site.phone(name) for name in ("anna", "bernd", "bob", "carol", "alice", "klaus", "kim")}
    for number, (a, b) in enumerate((("anna", "bob"), ("bob", "anna"), ("anna", "alice"), ("kim", "anna"), ("alice", "kim"), ("kim", "alice"),
                                     ("alice", "klaus"), ("bob", "carol"), ("anna", "bernd"))):
        try:
            out, inc = await call(phones[a], phones[b])
            for told, party in ((inc.told, b), (out.told, a)):
                lab.require(ours(told, "lan" if site.PLACES[party][0] == "lan" else "wan"), f"{party} is told {told}")
            await hear_each_other(phones[a].audio, phones[b].audio)
            await hang_up(*((inc, out) if number % 2 else (out, inc)))
        except lab.Failure as failure:
            raise lab.Failure(f"{a} calls {b}: {failure}") from None
    await gone(site)


@sites.in_loop
async def as_kamailio_comes(site):
    """The way of the configuration that Debian installs: from the branch's route, one side alone."""
    site.with_rtpproxy("$var(f)", at="branch", back="$var(f)", prepare='if (nat_uac_test("8")) $var(f) = "co"; else $var(f) = "cor";')
    phones = {name: await site.phone(name) for name in ("bob", "carol", "alice", "kim")}
    for a, b in (("bob", "carol"), ("alice", "kim"), ("kim", "bob"), ("bob", "alice")):
        try:
            out, inc = await call(phones[a], phones[b])
            await hear_each_other(phones[a].audio, phones[b].audio)
            await hang_up(out, inc)
        except lab.Failure as failure:
            raise lab.Failure(f"{a} calls {b}: {failure}") from None
    await gone(site)


@sites.in_loop
async def hold_and_changes(site):
    between(site)

    async def one(*names):
        a, b = [await site.phone(name) for name in names]
        out, inc = await call(a, b)
        await hear_each_other(a.audio, b.audio)
        for holder, held in ((out, inc), (inc, out)):
            mine, theirs = holder.phone.audio, held.phone.audio
            before, theirs.speaking = holder.said, False
            await change(holder, with_direction(before, "sendonly"))
            heard = theirs.heard
            await silent(mine, 0.3)
            lab.require(theirs.heard > heard + 5, "no music")
            await change(holder, with_direction(before, "sendrecv"))
            mine.start(holder.told), theirs.start(held.told)
            await hear_each_other(mine, theirs)
        for number, (mover, other, way) in enumerate(((out, inc, "INVITE"), (inc, out, "INVITE"), (inc, out, "UPDATE"))):
            phone = mover.phone
            old, phone.audio = phone.audio, site.stream(phone.host.name, 17000 + 10 * number)
            old.stop()
            await change(mover, description(phone.audio.address, phone.audio.port), way)
            phone.audio.start(mover.told), other.phone.audio.start(other.told)
            await hear_each_other(phone.audio, other.phone.audio)
            await silent(old, 0.1, 0.05)
        await hang_up(inc, out)
    await asyncio.gather(one("anna", "alice"), one("kim", "bob"))
    await gone(site)


@sites.in_loop
async def calls_that_do_not_come_about(site):
    between(site)
    a, b = await site.phone("anna"), await site.phone("alice")
    out, dialling, inc = await dial(a, b)
    inc.respond(183, description(b.audio.address, b.audio.port))
    await asyncio.sleep(0.2)
    a.audio.start(out.early), b.audio.start(inc.told)
    await hear_each_other(a.audio, b.audio)
    await out.cancel()
    lab.require((await dialling).status == 487, "not cancelled")
    await gone(site)
    out, dialling, inc = await dial(a, b)
    inc.respond(486)
    lab.require((await dialling).status == 486, "not busy")
    await gone(site)


@sites.in_loop
async def killed_within_a_call(site):
    """SIGKILL, and started again: the call goes on, a re-INVITE by either side works, and BYE frees."""
    between(site)
    node = site.nodes[0]
    a, b = await site.phone("anna"), await site.phone("alice")
    out, inc = await call(a, b)
    await hear_each_other(a.audio, b.audio)
    node.kill()
    await asyncio.to_thread(node.start)
    await hear_each_other(a.audio, b.audio)
    for end in (out, inc):
        await change(end, end.said)
        await hear_each_other(a.audio, b.audio)
    await hang_up(inc, out)
    await gone(site)


if __name__ == "__main__":
    lab.main(between_all_places, as_kamailio_comes, hold_and_changes, calls_that_do_not_come_about, killed_within_a_call)
