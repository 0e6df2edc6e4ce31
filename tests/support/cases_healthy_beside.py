"""Healthy calls with an odd neighbourhood: transfers, several calls and phones, registrations, transports, parts of captures, messages
that get lost once. See odd_calls.py."""
import cases
from cases import register, sleep, with_direction
from cases_signalling import long_description
from odd_calls import odd, odd_within

# --- transfers and several calls

async def another(s, caller, user, port, uri=None, more=()):
    """A call of its own to a third phone: (caller's end, callee's end, their media)."""
    third = s.c.phones[user]
    mx, my = s.c.stream(_name(s, caller), port), s.c.stream(user, port + 1000)
    out, inc = await cases.call(caller, third, mx, my, uri=uri, more=more)
    return out, inc, mx, my


def _name(s, phone):
    return next(name for name, known in s.c.phones.items() if known is phone)


async def with_third(s, name):
    third = s.c.phone(name)
    await register(third)
    return third


@odd("proxied", "nat", usual="nat")
async def transferred(s):
    """Blind: the callee says REFER and hangs up; the caller calls the third (RFC 5589)."""
    await with_third(s, "gate")
    await s.call()
    await s.talk(0.8)
    await s.inc.request("REFER", more=["Refer-To: <sip:gate@edge.test>"], wait=3)
    await s.out.request("NOTIFY", more=["Event: refer", "Subscription-State: active;expires=60"], wait=3)
    await s.hang_up(s.inc)
    s.ma.stop(), s.mb.stop()
    out, inc, mx, my = await another(s, s.a, "gate", 21000)
    await sleep(1.2)
    await s.hang_up(out)


@odd("proxied", "to_nat")
async def transferred_after_a_question(s):
    """Attended: hold, a second call, REFER with Replaces; the first two calls end."""
    third = await with_third(s, "gate")
    await s.call()
    await s.talk(0.6)
    s.ma.speaking = s.mb.speaking = False
    await s.inc.invite(with_direction(s.inc.said, "sendonly"))
    ask, asked, mq, mr = await another(s, s.b, "gate", 21000)
    await sleep(0.8)
    await s.inc.request("REFER", more=[f"Refer-To: <sip:gate@edge.test?Replaces={ask.call_id}>"], wait=3)
    out, inc, mx, my = await another(s, s.a, "gate", 23000, more=[f"Replaces: {ask.call_id};to-tag={asked.tag};from-tag={ask.tag}"])
    mq.stop(), mr.stop(), s.ma.stop(), s.mb.stop()
    await cases.hang_up(asked, s.inc)
    await sleep(1)
    await s.hang_up(out)


@odd("lan_out", "nat")
async def call_waiting(s):
    """The callee puts the caller on hold for another one who calls, and comes back."""
    third = await with_third(s, "gate")
    await s.call()
    await s.talk(0.6)
    said = s.inc.said
    s.ma.speaking = s.mb.speaking = False
    await s.inc.invite(with_direction(said, "sendonly"))
    s.c.phones[s.second] = s.b
    out, inc, mx, my = await another(s, third, s.second, 21000)
    await sleep(0.8)
    await s.hang_up(out)
    mx.stop(), my.stop()
    await s.inc.invite(with_direction(said, "sendrecv"))
    s.ma.speaking = s.mb.speaking = True
    await s.talk(1.3)
    await s.hang_up()


@odd("wire", "nat")
async def ports_used_again(s):
    """A second call between the same ports, just after the first."""
    await s.call()
    await s.talk()
    await s.hang_up()
    s.ma.stop(), s.mb.stop()
    s.ma.reports = s.mb.reports = True
    await sleep(0.3)
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("proxied", "two_nats")
async def they_call_each_other(s):
    """Two calls at once, one each way."""
    await s.call()
    mx, my = s.c.stream(s.second, 22000), s.c.stream(s.first, 23000)
    out, inc = await cases.call(s.b, s.a, mx, my)
    await s.talk(1.5)
    await s.hang_up()
    await s.hang_up(out)


@odd("nat", "proxied")
async def nobody_and_then_somebody(s):
    """Given up once; the second try is answered."""
    inc = await s.dial()
    inc.respond(180)
    await sleep(0.5)
    await s.out.cancel()
    await s.dialling
    await s.call()
    await s.talk()
    await s.hang_up()


# --- one number, several phones

async def ring_both(s, third):
    """Another phone of the called user; both ring. (the other one's end, its phone)"""
    other = s.c.phone(third, user=s.b.user)
    await register(other)
    await s.dial()
    early = await other.incoming()
    s.inc.respond(180)
    early.respond(180)
    await sleep(0.5)
    return early


@odd("proxied", "to_nat", "nat", usual="to_nat")
async def the_other_phone_is_cancelled(s):
    """One answers, the other gets CANCEL and says 487."""
    await ring_both(s, "gate")
    await s.picked_up()
    await s.talk()
    await s.hang_up()


@odd("lan_out", "to_nat")
async def the_other_phone_declines(s):
    early = await ring_both(s, "gate")
    early.respond(486)
    await sleep(0.4)
    await s.picked_up()
    await s.talk()
    await s.hang_up()


@odd("proxied", outcome="refused")
async def redirected_by_the_callee(s):
    """302 through the proxy; the caller calls the other user, in a call of its own."""
    g = s.c.phone("gate")
    await register(g)
    inc = await s.dial()
    inc.respond(302, more=["Contact: <sip:gate@edge.test>"])
    await s.dialling
    first = s.out
    s.b, s.mb = g, s.c.stream("gate", 17384)
    s.second = "gate"
    await s.call()
    await s.talk()
    await s.hang_up()
    return first


# --- registrations

@odd("nat", "tcp", "proxied", usual="tcp")
async def registers_meanwhile(s):
    """Refreshes of both in mid-call, and CRLF."""
    await s.call()
    for _ in range(3):
        await register(s.a, s.b)
        if s.a.stream is not None:
            s.a.stream.write(b"\r\n\r\n")
        await s.talk(0.5)
    await s.hang_up()


@odd("nat", "lan_out")
async def gone_and_back(s):
    """Everything is removed and registered anew before the call."""
    await s.b.register(expires=0, contact="*")
    await sleep(0.2)
    await s.b.register()
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("to_nat", auth=True, auth_invite=True)
async def challenged_each_time(s):
    """401 and 407 before each success; the second registration too."""
    await s.b.register()
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("nat", "lan", "tcp", signed_up=False, registration=True, auth=True)
async def only_registers(s):
    """A phone that registers, refreshes, and goes."""
    for expires in (600, 600, 0):
        await s.a.register(expires=expires)
        await sleep(0.3)
    return s.a


@odd("to_nat", "proxied")
async def registered_anew_from_another_port(s):
    """The NAT, or the phone, has another port now, and the call comes there."""
    if s.way.parties.split()[1] == "alice":
        s.c.forget(s.c.nats["a"])
    else:
        s.b = s.c.phone(s.second, port=5072)
    await s.b.register()
    await s.call()
    await s.talk()
    await s.hang_up()


# --- transports and sizes

@odd("tcp", "tcp_lan", "tcp_proxied")
async def in_pieces(s):
    """Each message in many segments."""
    s.a.pieces = 100
    s.a.socket.setsockopt(6, 1, 1)  # TCP_NODELAY
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("tcp_lan", "tcp_proxied")
async def connected_anew(s):
    """The phone closes its connection and opens another one before it calls."""
    s.a.stream.close()
    await sleep(0.3)
    s.a.stream = None
    await s.a.register()
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("nat", "wire", "v6")
async def in_fragments(s):
    """An INVITE of more than two kilobytes; all its fragments come."""
    await s.call(offer=long_description(s.ma.address, s.ma.port))
    await s.talk()
    await s.hang_up()


@odd("wire", "nat")
async def short_names(s):
    """Compact header fields."""
    s.a.compact = True
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("other_port")
async def from_another_port(s):
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("cone", "double_nat", "lan_far", "tcp_proxied")
async def just_a_call(s):
    await s.call()
    await s.talk(1.6)
    await s.hang_up(s.inc)


# --- parts of captures

@odd("nat", "proxied", "v6", usual="nat")
async def begins_while_ringing(s):
    """The INVITE was before the capture."""
    inc = await s.dial()
    inc.respond(180)
    await sleep(0.3)
    s.c.begin_again()
    await sleep(0.3)
    await s.picked_up()
    await s.talk(1.5)
    await s.hang_up()


@odd("nat", "wire")
async def ends_at_the_answer(s):
    """The capture has not a second of the media."""
    await s.call()
    await s.talk(0.3)


@odd("v6", "wire", usual="wire")
async def of_short_packets(s):
    """Of each packet 450 bytes: no description is in the capture."""
    s.c.begin_again(snap=450)
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("lan", "wire")
async def of_short_messages(s):
    """Of each packet 700 bytes: some descriptions are cut, and the media is whole."""
    s.c.begin_again(snap=700)
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("nat", "lan_out")
async def ended_before_it_is_over(s):
    """The capture ends in the middle of a hold."""
    await s.call()
    await s.talk()
    s.ma.speaking = s.mb.speaking = False
    await s.out.invite(with_direction(s.out.said, "inactive"))
    await sleep(0.8)


# --- what gets lost, and comes when it is repeated

@odd("proxied", "nat", usual="nat")
async def invite_once_more(s):
    """The callee's first look is at the second copy."""
    s.b.deaf = {"INVITE": 1}
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("wire", "two_nats")
async def answer_once_more(s):
    s.a.deaf = {"200 INVITE": 1}
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("to_nat", "wire", usual="to_nat")
async def ack_once_more(s):
    s.b.deaf = {"ACK": 1}
    await s.call()
    await s.talk()
    await s.hang_up()


@odd("nat", "v6")
async def bye_once_more(s):
    s.b.deaf = {"BYE": 1}
    await s.call()
    await s.talk()
    await s.hang_up()


@odd_within("proxied", "nat")
async def reinvite_once_more(s):
    s.b.deaf = {"INVITE": 1}
    s.a.deaf = {"200 INVITE": 1}
    await s.out.invite(s.out.said)
