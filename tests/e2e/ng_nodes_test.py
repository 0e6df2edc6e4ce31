#!/usr/bin/env python3
"""mediarelay as a node of Kamailio's rtpengine module that is killed, restarted, full, or takes no more calls: calls go on, and others
are taken by the next node."""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import proxied_site as sites
from proxied_site import call, change, gone, hang_up, hear_each_other
from scripted_media import description


@sites.in_loop
async def killed_within_a_call(site):
    """SIGKILL, and started again: the same ports go on, a re-INVITE by either side works, and BYE frees. A call that rings goes on too."""
    site.with_rtpengine()
    node = site.nodes[0]
    pairs = [[await site.phone(name) for name in names] for names in (("anna", "alice"), ("kim", "bob"))]
    ends = [await call(a, b) for a, b in pairs]
    for a, b in pairs:
        await hear_each_other(a.audio, b.audio)
    ringing, dialling, called = await sites.dial(await site.phone("bernd"), await site.phone("klaus"))
    node.kill()
    await asyncio.to_thread(node.start)
    for a, b in pairs:
        await hear_each_other(a.audio, b.audio)
    told = [(out.told, inc.told) for out, inc in ends]
    for (out, inc), (a, b), before in zip(ends, pairs, told):
        for end in (out, inc):
            await change(end, end.said)
            await hear_each_other(a.audio, b.audio)
        lab.require([sites.port_of(t) for t in (out.told, inc.told)] == [sites.port_of(t) for t in before], f"other ports: {before} {out.told} {inc.told}")
        old, b.audio = b.audio, site.stream(b.host.name, 17500)
        old.stop()
        await change(inc, description(b.audio.address, 17500))
        a.audio.start(out.told), b.audio.start(inc.told)
        await hear_each_other(a.audio, b.audio)
    c, d = called.phone, ringing.phone
    accepting = asyncio.create_task(called.accept(description(c.audio.address, c.audio.port)))
    final = await dialling
    lab.require(final is not None and final.status == 200, f"{final and final.start}")
    lab.require(await accepting, "no ACK")
    d.audio.start(ringing.told), c.audio.start(called.told)
    await hear_each_other(d.audio, c.audio)
    for out, inc in (*ends, (ringing, called)):
        await hang_up(inc, out)
    await gone(site)


@sites.in_loop
async def down_for_a_while(site):
    """A call ends while its node is down: nobody tells it. It goes on without that one, which is freed when it has been silent, and serves."""
    site.with_rtpengine(tries=1, wait_ms=200, disabled=1, node_keys='timeout = "3s"')
    node = site.nodes[0]
    a, b = await site.phone("anna"), await site.phone("bob")
    out, inc = await call(a, b)
    node.kill()
    await hang_up(out, inc)
    await asyncio.to_thread(node.start)
    await asyncio.sleep(1.2)
    out, inc = await call(a, b)
    await hear_each_other(a.audio, b.audio)
    await asyncio.to_thread(lab.wait_until, lambda: node.held() == 2, "the call that is over to be freed", 15)
    await hang_up(inc, out)
    await gone(site)


async def several(site, count):
    """Calls one after the other, all up at the end; how many each node holds."""
    names = (("anna", "bob"), ("bernd", "carol"), ("alice", "dave"), ("kim", "erik"), ("klaus", "sven"))
    ends = []
    for a, b in names[:count]:
        a, b = await site.phone(a), await site.phone(b)
        ends.append(await call(a, b))
        await hear_each_other(a.audio, b.audio)
    held = [await asyncio.to_thread(node.held) for node in site.nodes if node.program.process.poll() is None]
    for out, inc in ends:
        await hang_up(out, inc)
    await gone_of_living(site)
    return held


async def gone_of_living(site):
    for node in site.nodes:
        if node.program.process.poll() is None:
            await asyncio.to_thread(node.wait_gone)


@sites.in_loop
async def the_next_node_takes_it(site):
    """One of two has ports for one call alone; then one is dead, and the other one takes all."""
    site.node(ports=2).start()
    site.node().start()
    site.start_proxy(sites.rtpengine(*(one.control for one in site.nodes), tries=2, wait_ms=200, disabled=2), sites.managed(sites.BETWEEN))
    held = await several(site, 5)
    lab.require(held[0] <= 2 < held[1], f"held: {held}")
    full, good = site.nodes
    good.kill()
    full.kill()
    full.ports = (24000, 24999)
    await asyncio.to_thread(full.start)
    lab.require((await several(site, 5))[0] > 0, "the first node takes nothing")


@sites.in_loop
async def a_node_that_drains(site):
    """Its calls go on, also with a re-INVITE; new ones are taken by the next node."""
    for _ in range(2):
        site.node().start()
    site.start_proxy(sites.rtpengine(*(one.control for one in site.nodes)), sites.managed(sites.BETWEEN))
    names = (("anna", "bob"), ("bernd", "carol"), ("alice", "dave"), ("kim", "erik"))
    pairs = [[await site.phone(name) for name in pair] for pair in names]
    ends = [await call(a, b) for a, b in pairs]
    before = [await asyncio.to_thread(node.held) for node in site.nodes]
    drained, other = site.nodes if before[0] else site.nodes[::-1]
    kept = before[0] or before[1]
    drained.drain()
    for (out, _), (a, b) in zip(ends, pairs):
        await change(out, out.said)
        await hear_each_other(a.audio, b.audio)
    more = [await call(*[await site.phone(name, f"{name}-2", 5080) for name in pair])
            for pair in (("anna", "carol"), ("bernd", "bob"), ("klaus", "dave"))]
    for out, inc in more:
        await hear_each_other(out.phone.audio, inc.phone.audio)
    held = [await asyncio.to_thread(node.held) for node in (drained, other)]
    lab.require(held == [kept, 14 - kept], f"held: {held}, and before {before}")
    for out, inc in ends + more:
        await hang_up(out, inc)
    await gone(site)


if __name__ == "__main__":
    lab.main(killed_within_a_call, down_for_a_while, the_next_node_takes_it, a_node_that_drains)
