"""Calls whose messages do not get through, or are refused. Each is brought about by its script: see cases.py."""
import asyncio

from cases import ask, case, dial, give_up, pair, refuse, register, sleep, talking
from clinic import EDGE
from scripted_media import description

# --- lost requests

@case("alice bob", "in-dialog-request-lost ack-to-unreachable-contact", outcome="hung", record_route=False, private_contact=True)
async def bye_to_private_contact(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1.5)
    mb.stop()
    await inc.bye(4)
    await sleep(0.5)
    return out


@case("bob alice", "in-dialog-request-lost ack-to-unreachable-contact", outcome="hung", record_route=True, swallow='if (is_method("BYE")) { exit; }')
async def bye_swallowed(c):
    out, inc, ma, mb = await talking(c, "bob", "alice")
    await sleep(1.5)
    ma.stop()
    await out.bye(4)
    return out


@case("carol kim", "in-dialog-request-lost", outcome="hung")
async def bye_to_expired_binding(c):
    out, inc, ma, mb = await talking(c, "carol", "kim")
    await sleep(1.5)
    c.forget(c.nats["k"], "-p", "udp", "--reply-src", EDGE, "--reply-port-src", "5060")
    ma.stop()
    await out.bye(5)
    await sleep(0.3)
    return out


@case("anna kim", "in-dialog-request-lost session-expired", outcome="dropped")
async def session_refresh_lost(c):
    out, inc, ma, mb = await talking(c, "anna", "kim", more=["Session-Expires: 90;refresher=uac", "Supported: timer"])
    await sleep(1.5)
    c.forget(c.nats["k"], "-p", "udp", "--reply-src", EDGE, "--reply-port-src", "5060")
    again = await out.invite(out.said, ["Session-Expires: 90;refresher=uac", "Supported: timer"], wait=6)
    ma.stop()
    await out.bye(3)
    return out


@case("alice bob", "in-dialog-request-lost session-expired", outcome="dropped", record_route=False, private_contact=True)
async def refresh_to_private_contact(c):
    """Bob's re-INVITE goes to the private Contact; then he ends the call."""
    out, inc, ma, mb = await talking(c, "alice", "bob", more=["Session-Expires: 90", "Supported: timer"])
    await sleep(1.2)
    again = await inc.invite(inc.said, ["Session-Expires: 90;refresher=uas"], wait=4)
    mb.stop()
    await inc.bye(3)
    return out


async def unacknowledged(out, inc, dialling, ma, mb, wait=2):
    """The callee rings, says 200 until it gives up, and BYE. The caller's end."""
    inc.respond(180)
    accepted = asyncio.create_task(inc.accept(description(mb.address, mb.port), insist=7))
    await dialling
    ma.start(out.told), mb.start(inc.told)
    await accepted
    ma.stop(), mb.stop()
    await inc.bye(wait)
    return out


@case("bob carol", "ack-lost", outcome="dropped", media="direct")
async def ack_lost(c):
    a, b, ma, mb = await pair(c, "bob", "carol")
    out, inc, dialling = await dial(a, b)
    out.ackless = True
    return await unacknowledged(out, inc, dialling, ma, mb)


@case("bob alice", "ack-to-unreachable-contact", outcome="dropped", record_route=False, private_contact=True)
async def ack_to_private_contact(c):
    a, b, ma, mb = await pair(c, "bob", "alice")
    return await unacknowledged(*await dial(a, b), ma, mb, 1.2)


# --- fragments

def long_description(address, port):
    return description(address, port, more=[f"a=x-long-{i}:" + "y" * 60 for i in range(30)])


def drop_fragments(host, words):
    host.nft(f"table ip raw_f {{ chain p {{ type filter hook prerouting priority -450; {words} ip frag-off & 0x1fff != 0 drop; }}; }}")


@case("alice bob", "fragments-lost", outcome="no_answer")
async def fragments_dropped_before_edge(c):
    drop_fragments(c.inet, "ip saddr 198.51.100.7")
    a, b = c.phone("alice"), c.phone("bob")
    await register(a, b)
    c.edge.ip("route", "add", "198.51.100.0/24", "via", "203.0.113.1")
    out = a.dial("bob")
    await out.invite(long_description("10.0.1.21", 16384), wait=7.5)
    return out


@case("anna kim", "fragments-lost", outcome="refused")
async def fragments_dropped_at_callee(c):
    """The caller's INVITE comes over TCP, whole."""
    drop_fragments(c.nats["k"], 'iifname "out0"')
    a, b = c.phone("anna", transport="tcp"), c.phone("kim")
    await register(a, b)
    out = a.dial("kim")
    await out.invite(long_description("192.168.10.21", 16384), wait=7.5)
    return out


@case("bob carol", "fragments-lost", outcome="no_answer", edge=None)
async def fragments_dropped_direct(c):
    """Between two hosts of one wire: the firewall is the callee's own."""
    drop_fragments(c.hosts["carol"], "")
    a, b = c.phone("bob"), c.phone("carol")
    out = a.dial("carol", "sip:carol@198.51.100.33:5060")
    await out.invite(long_description("198.51.100.21", 16384), wait=7.5)
    return out


# --- registrations

@case("bob alice", "not-registered", outcome="refused", missing=404)
async def registration_expired(c):
    a, b = c.phone("bob"), c.phone("alice")
    await register(a)
    await b.register(expires=2)
    await sleep(3.4)
    return await ask(a, b)


@case("carol kim", "not-registered", outcome="no_answer", missing=480)
async def registration_removed(c):
    a, b = c.phone("carol"), c.phone("kim")
    await register(a, b)
    await sleep(0.3)
    await b.register(expires=0)
    await sleep(0.5)
    return await ask(a, b)


@case("carol bob", "not-registered", outcome="refused")
async def registration_star(c):
    a, b = c.phone("carol"), c.phone("bob")
    await register(a, b)
    await b.register(expires=0, contact="*")
    await sleep(0.5)
    return await ask(a, b)


@case("carol bob", "refused not-registered", outcome="refused", auth=True)
async def wrong_password_and_call(c):
    a, b = c.phone("carol"), c.phone("bob", password="wrong")
    await register(a)
    await b.register(tries=2)
    await sleep(0.2)
    return await ask(a, b)


@case("alice alice", "refused not-registered", outcome="refused", auth=True, registration=True)
async def wrong_password(c):
    a = c.phone("alice", password="wrong")
    for _ in range(3):
        await a.register(tries=2)
        await sleep(0.3)
    return a


@case("bob bob", "refused not-registered", outcome="refused", registration=True,
      register='if (1) { if ($hdr(Authorization) != $null) { sl_send_reply("403", "Forbidden"); } else { www_challenge("edge.test", "1"); } exit; }')
async def wrong_password_forbidden(c):
    a = c.phone("bob", password="wrong")
    for _ in range(2):
        await a.register(tries=2)
        await sleep(0.3)
    return a


@case("kim kim", "rport-missing", outcome="no_answer", registration=True, rport=False, nat=False)
async def rport_missing(c):
    a = c.phone("kim", rport=False)
    await a.register(wait=5)
    return a


@case("alice bob", "rport-missing", outcome="no_answer", rport=False, nat=False)
async def rport_missing_in_call(c):
    a, b = c.phone("alice", rport=False), c.phone("bob")
    await register(b)
    out, inc, dialling = await dial(a, b, wait=5)
    inc.respond(180)
    await dialling
    return out


# --- TCP

async def ask_when_closed(c, first, second, meanwhile=lambda phone: phone.stream.close()):
    """The second one's connection ends, by `meanwhile`, before it is called."""
    a, b = c.phone(first), c.phone(second, transport="tcp")
    await register(a, b)
    await sleep(0.3)
    meanwhile(b)
    await sleep(0.5)
    return await ask(a, b, wait=9)


def forget_connection(c):
    """NAT a has lost its state, and what comes from inside does not make it anew."""
    c.forget(c.nats["a"], "-p", "tcp")
    c.nats["a"].nft('table ip gate { chain forward { iifname "in0" tcp dport 5060 drop; }; }')


@case("anna alice", "connection-gone", outcome="refused")
async def tcp_closed(c):
    return await ask_when_closed(c, "anna", "alice")


@case("anna alice", "connection-gone", outcome="refused")
async def tcp_state_gone(c):
    return await ask_when_closed(c, "anna", "alice", lambda phone: forget_connection(c))


# --- refused, cancelled, not answered

@case("alice bob", "refused", outcome="refused", forbidden=True)
async def forbidden(c):
    a, b = c.phone("alice"), c.phone("bob")
    await register(a, b)
    return await ask(a, b)


@case("alice bob", "refused", outcome="refused")
async def forbidden_by_callee(c):
    a, b = c.phone("alice"), c.phone("bob")
    await register(a, b)
    return await refuse(a, b, 403)


@case("kim bob", "refused", outcome="refused", auth_invite=True)
async def forbidden_wrong_password(c):
    a, b = c.phone("kim", password="wrong"), c.phone("bob")
    await register(a, b)
    return await ask(a, b)


@case("alice bob", "cancelled", outcome="no_answer")
async def caller_cancels(c):
    a, b = c.phone("alice"), c.phone("bob")
    await register(a, b)
    return await give_up(a, b)


@case("bob alice", "cancelled", outcome="no_answer")
async def caller_cancels_early_media(c):
    a, b, ma, mb = await pair(c, "bob", "alice")
    out, inc, dialling = await dial(a, b)
    inc.respond(183, description(mb.address, mb.port))
    mb.start(inc.told)
    await sleep(1.5)
    await out.cancel()
    mb.stop()
    await dialling
    return out


@case("bob alice", "not-answered", outcome="no_answer")
async def not_answered(c):
    a, b = c.phone("bob"), c.phone("alice")
    await register(a, b)
    return await refuse(a, b, 480, ring=1.5)


@case("bob alice", "not-answered timed-out", outcome="refused", ringing=2500)
async def not_answered_408(c):
    a, b = c.phone("bob"), c.phone("alice")
    await register(a, b)
    out, inc, dialling = await dial(a, b)
    inc.respond(180)
    await dialling
    return out


@case("bob alice", "not-answered", outcome="no_answer", ringing=20000)
async def ringing_at_the_end(c):
    a, b = c.phone("bob"), c.phone("alice")
    await register(a, b)
    out, inc, dialling = await dial(a, b)
    inc.respond(180)
    await sleep(2)
    dialling.cancel()
    return out
