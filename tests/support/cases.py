"""Calls with a known truth: what a case is, and what the scripts of calls have in common. The cases stand in cases_*.py."""
import asyncio
import re

import lab
import scripted
from scripted_media import description

CASES = {}
NAT_OF = {"alice": "a", "klaus": "a", "kim": "k", "flo": "h"}
sleep = asyncio.sleep


class Case:
    def __init__(self, run, parties, causes, dead, outcome, edge, registration, says):
        self.run, self.name, self.parties, self.causes, self.dead, self.outcome = run, run.__name__, parties.split(), causes.split(), dead, outcome
        self.edge, self.registration, self.says = edge, registration, says

    def places(self):
        found = []
        for role, name in zip(("caller", "callee"), self.parties):
            found.append(f"{role}={name}:eth0")
            nats = {"a": ["a"], "k": ["k"], "h": ["h", "c"]}.get(NAT_OF.get(name), [])
            for nat in nats:
                found += [f"{role}-{nat}-{side}=nat-{nat}:{interface}" for side, interface in (("lan", "in0"), ("wan", "out0"), ("any", "any"))]
        if self.edge is not None:
            found += ["edge=edge:any", "edge-wan=edge:wan0"]
            if {"anna", "bernd"} & set(self.parties):
                found.append("edge-lan=edge:lan0")
        wan = ["br=wan:br0"]
        if {"anna", "bernd"} == set(self.parties):  # what is on the Internet does not see them
            wan, found = [], [place for place in found if not place.startswith("edge-wan")]
        seen, kept = set(), []
        for place in [*found, *wan]:
            if place.partition("=")[2] not in seen:
                seen.add(place.partition("=")[2])
                kept.append(place)
        return kept


def case(parties, causes="", dead="none", outcome="answered", *, edge=True, registration=False, says=None,
         **options):
    """A call of two parties. `causes`: the right words; none: it is healthy. `dead`: "a->b" where b hears nothing of a. `edge`: None where
    no proxy takes part; `options` are the edge's. `registration`: it is about REGISTERs alone. `says`: looks at the
    explanation (a record), and returns what is wrong with it, or ""."""
    def wrap(run):
        CASES[run.__name__] = Case(run, parties, causes, dead, outcome, options if edge else None, registration, says)
        return run
    return wrap


healthy = case


# --- what calls have in common

async def register(*phones):
    for phone in phones:
        done = await phone.register()
        lab.require(done is not None and done.status == 200, f"{phone.user}: REGISTER: {done and done.start}")


async def call(a, b, ma, mb, offer=None, answer=None, *, ring=0.2, more=(), speak=True, uri=None, sdp=()):
    """Both speak when it is answered. (caller's end, callee's end)"""
    out = a.dial(b.user, uri)
    dialling = asyncio.create_task(out.invite(offer or description(ma.address, ma.port, *sdp), more))
    inc = await b.incoming()
    inc.respond(180)
    await asyncio.sleep(ring)
    accepted = asyncio.create_task(inc.accept(answer or description(mb.address, mb.port, *sdp)))
    mb.follow(inc.told)
    final = await dialling
    lab.require(final is not None and final.status == 200, f"INVITE: {final and final.start}")
    ma.follow(out.told)
    if speak:
        mb.start()
        ma.start()
    await accepted
    return out, inc


async def pair(c, first, second, *, sign_up=True, **options):
    a, b = c.phone(first, **options), c.phone(second)
    if sign_up:
        await register(a, b)
    return a, b, c.stream(first), c.stream(second, 17384)


async def direct(c, first, second, first_port=16384, second_port=17384):
    """Without any proxy: they call each other's address."""
    a, b = c.phone(first), c.phone(second)
    return a, b, c.stream(first, first_port), c.stream(second, second_port), f"sip:{b.user}@{scripted.written(b.address, 5060)}"


async def talking(c, first, second, offer=None, answer=None, *, proxied=True, **options):
    """Two of them in a call, and both speak. (caller's end, callee's end, their media)"""
    if proxied:
        a, b, ma, mb = await pair(c, first, second)
    else:
        a, b, ma, mb, options["uri"] = await direct(c, first, second)
    return *await call(a, b, ma, mb, offer, answer, **options), ma, mb


async def dial(a, b, offer=None, more=(), *, uri=None, **options):
    """The INVITE is with the callee. (caller's end, callee's end, the final response to come)"""
    out = a.dial(b.user, uri)
    if offer is None:
        offer = description(a.address, 16384)
    dialling = asyncio.create_task(out.invite(offer, more, **options))
    return out, await b.incoming(), dialling


async def ask(a, b, *, uri=None, **options):
    """An INVITE that comes to nothing; the caller's end."""
    out = a.dial(b.user, uri)
    await out.invite(description(a.address, 16384), **options)
    return out


async def refuse(a, b, status, offer=None, *, ring=None, more=(), uri=None):
    """The callee refuses, after it has rung for so many seconds. The caller's end."""
    out, inc, dialling = await dial(a, b, offer, uri=uri)
    if ring is not None:
        inc.respond(180)
        await sleep(ring)
    inc.respond(status, more=more)
    await dialling
    return out


async def give_up(a, b, ring=1):
    """The caller gives up when it has rung for so long. Its end."""
    out, inc, dialling = await dial(a, b)
    inc.respond(180)
    await sleep(ring)
    await out.cancel()
    await dialling
    return out


async def offer_late(a, b, ma, answer, mb, *, uri=None):
    """The offer is in the 200, and `answer` is that one; both speak. The caller's end."""
    out, inc, dialling = await dial(a, b, "", uri=uri, ack_body=description(ma.address, ma.port))
    inc.respond(180)
    accepted = asyncio.create_task(inc.accept(answer))
    await dialling
    ma.start(out.told)
    await accepted
    mb.start(inc.told)
    return out


async def hang_up(*dialogs):
    for one in dialogs:
        await one.bye(4)
    await asyncio.sleep(0.1)


async def talk_and_end(out, seconds=2, *, by=None):
    """They talk for so long, and the caller hangs up, or `by`. The caller's end."""
    await sleep(seconds)
    await hang_up(by or out)
    return out


async def talk(c, first, second, *, by_callee=False):
    """A call of two seconds, and no more."""
    out, inc, _, _ = await talking(c, first, second)
    return await talk_and_end(out, by=inc if by_callee else None)


# --- hold

def with_direction(text, way):
    return re.sub(r"a=(sendrecv|sendonly|recvonly|inactive)\r\n", "", text) + f"a={way}\r\n"


async def hold_and_resume(holder, held, m_holder, m_held, way, answer_of_resume):
    await sleep(1)
    m_holder.speaking = way == "sendonly"
    m_held.speaking = False
    await holder.invite(with_direction(holder.said, way))
    await sleep(1)
    if answer_of_resume:
        held.answer_with = lambda offer: (200, with_direction(held.said, answer_of_resume))
    await holder.invite(with_direction(holder.said, "sendrecv"))
    m_holder.speaking = answer_of_resume != "inactive"
    m_held.speaking = answer_of_resume in (None, "sendonly")
    await sleep(2.2)
