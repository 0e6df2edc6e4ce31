#!/usr/bin/env python3
"""mediarelay behind an unmodified Kamailio, the rtpengine module: a call that rings at several phones, with early media of each, one of
which goes or wins; and a call that passes the same proxy twice."""
import asyncio
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import kamailio
import lab
import proxied_site as sites
from proxied_site import USUAL, call, gone, hang_up, hear_each_other, ours, with_direction
from proxied_site import change
from scripted_media import description

EVERY = "[1-6][0-9][0-9]"


class Fork:
    """anna calls carol, who is at three phones."""

    async def ring(self, site):
        self.anna = await site.phone("anna")
        self.phones = [await site.phone(name, user="carol") for name in ("bob", "alice", "dave")]
        self.out = self.anna.dial("carol")
        self.said = description(self.anna.audio.address, self.anna.audio.port)
        self.dialling = asyncio.create_task(self.out.invite(self.said))
        self.ends = [await phone.incoming() for phone in self.phones]
        for end in self.ends:
            lab.require(ours(end.told, "wan"), end.told)
        return self

    async def early(self, number):
        """That phone's 183; it and the caller hear each other."""
        audio = self.phones[number].audio
        before = len(self.out.provisional)
        self.ends[number].respond(183, description(audio.address, audio.port))
        while len(self.out.provisional) == before:
            await asyncio.sleep(0.02)
        lab.require(ours(self.out.early, "lan"), self.out.early)
        await self.talk(number, self.out.early)

    async def talk(self, number, told=None):
        audio = self.phones[number].audio
        for phone in self.phones:
            phone.audio.speaking = phone.audio is audio
        self.anna.audio.start(told)
        audio.start(self.ends[number].told)
        try:
            await hear_each_other(self.anna.audio, audio)
        except lab.Failure as failure:
            raise lab.Failure(f"phone {number}: {failure}") from None

    async def answer(self, number):
        end, audio = self.ends[number], self.phones[number].audio
        accepting = asyncio.create_task(end.accept(description(audio.address, audio.port)))
        final = await self.dialling
        lab.require(final is not None and final.status == 200, f"{final and final.start}")
        lab.require(await accepting, "no ACK")
        await self.talk(number, self.out.told)
        return end


@sites.in_loop
async def three_phones(site):
    """183, 183, 200: one tag of the caller's, three of the called. When the proxy has cancelled the first two, the call goes on."""
    site.with_rtpengine(answers=EVERY, back=USUAL + " to-tag")
    fork = await Fork().ring(site)
    await fork.early(0)
    await fork.early(1)
    end = await fork.answer(2)
    for other in fork.ends[:2]:
        await asyncio.wait_for(other.cancelled.wait(), 3)
    await asyncio.sleep(0.3)  # the deletes of their branches
    await fork.talk(2)
    fork.out.said = fork.said
    await change(fork.out, with_direction(fork.said, "sendrecv"))
    await fork.talk(2, fork.out.told)
    await hang_up(end, fork.out)
    await gone(site)


@sites.in_loop
async def one_branch_goes(site):
    """The first phone has early media and is busy then: that one branch is deleted; the second one goes on, and answers."""
    site.with_rtpengine(answers=EVERY, back=USUAL + " to-tag")
    fork = await Fork().ring(site)
    await fork.early(0)
    await fork.early(1)
    fork.ends[0].respond(486)
    await asyncio.sleep(0.3)
    await fork.talk(1)
    fork.ends[2].respond(486)
    await asyncio.sleep(0.3)
    await fork.talk(1)
    end = await fork.answer(1)
    await hang_up(fork.out, end)
    await gone(site)


@sites.in_loop
async def a_branch_an_offer(site):
    """The same from the branch's route, with each branch's own Via: an offer for each phone; a BYE has a branch that was never seen."""
    site.with_rtpengine(answers=EVERY, at="branch", back=USUAL + " via-branch=auto-next", flags=sites.BETWEEN + " via-branch=auto-next")
    fork = await Fork().ring(site)
    await fork.early(1)
    await fork.early(0)
    end = await fork.answer(0)
    await asyncio.sleep(0.3)
    await fork.talk(0)
    await hang_up(end, fork.out)
    await gone(site)


async def by_a_server(site, server, flags, *calls):
    """Calls that the proxy sends to a server first, from where they come back to it."""
    there = f'if (is_method("INVITE") && $si != "{server.address}") {{ $du = "sip:{server.address}:5060"; route(WAY); route(MEDIA); route(RELAY); }}'
    site.with_rtpengine(sites.BETWEEN + flags, back=USUAL + flags, before=there)
    edge = sites.EDGE_LAN if server.address.startswith("192.168.") else sites.EDGE
    kamailio.start_proxy(server, {name: (f"sip:{name}@edge.test", f"{edge}:5060") for pair in calls for name in pair})
    for names in calls:
        a, b = [await site.phone(name) for name in names]
        out, inc = await call(a, b)
        await hear_each_other(a.audio, b.audio)
        await change(inc, inc.said)
        await hear_each_other(a.audio, b.audio)
        await hang_up(inc, out)
        await gone(site)


@sites.in_loop
async def twice_through_the_same_proxy(site):
    """The same Call-ID and tags, other branches: it is relayed twice."""
    server = site.net.host("server").attach("eth0", site.lan, "192.168.10.30/24")
    await by_a_server(site, server, " via-branch=auto", ("anna", "bob"), ("kim", "anna"))


@sites.in_loop
async def twice_and_relayed_once(site):
    """With loop-protect the description that the relay made itself stays as it is."""
    server = site.net.host("server").attach("eth0", site.wan, "203.0.113.40/24")
    await by_a_server(site, server, " loop-protect", ("bob", "alice"), ("kim", "carol"))


if __name__ == "__main__":
    lab.main(three_phones, one_branch_goes, a_branch_an_offer, twice_through_the_same_proxy, twice_and_relayed_once)
