"""Further calls whose messages do not get through, or are refused, of the kinds that cases_signalling.py has: over IPv6, over TCP, of
other requests, by other boxes. Each is brought about by its script: see cases.py."""
import asyncio

from cases import ask, call, case, dial, direct, give_up, pair, refuse, register, sleep, talk_and_end, talking
from cases_signalling import ask_when_closed, drop_fragments, forget_connection, long_description, unacknowledged
from clinic import EDGE
from scripted_media import PCMA, description

# --- requests within the call


@case("sara sven", "in-dialog-request-lost", outcome="hung", edge=None)
async def bye_to_a_phone_that_is_gone_v6(c):
    out, inc, ma, mb = await talking(c, "sara", "sven", proxied=False)
    await sleep(1.5)
    c.hosts["sven"].nft("table inet wall { chain i { type filter hook input priority 0; udp dport 5060 drop; }; }")
    ma.stop()
    await out.bye(4)
    return out


@case("anna alice", "in-dialog-request-lost connection-gone", outcome="hung")
async def bye_over_a_lost_connection(c):
    a, b = c.phone("anna"), c.phone("alice", transport="tcp")
    await register(a, b)
    ma, mb = c.stream("anna"), c.stream("alice", 17384)
    out, inc = await call(a, b, ma, mb)
    await sleep(1.2)
    forget_connection(c)
    ma.stop()
    await out.bye(6)
    return out


@case("anna kim", "in-dialog-request-lost session-expired", outcome="dropped")
async def session_refresh_by_update_lost(c):
    out, inc, ma, mb = await talking(c, "anna", "kim", more=["Session-Expires: 90;refresher=uac", "Supported: timer"])
    await sleep(1.5)
    c.forget(c.nats["k"], "-p", "udp", "--reply-src", EDGE, "--reply-port-src", "5060")
    await out.update(more=["Session-Expires: 90;refresher=uac", "Supported: timer"], wait=6)
    ma.stop()
    await out.bye(3)
    return out


@case("kim bob", "in-dialog-request-lost session-expired", outcome="dropped")
async def session_refresh_of_callee_lost(c):
    """The callee refreshes, and the caller's NAT has forgotten it."""
    out, inc, ma, mb = await talking(c, "kim", "bob", more=["Session-Expires: 90;refresher=uas", "Supported: timer"])
    await sleep(1.5)
    c.forget(c.nats["k"], "-p", "udp", "--reply-src", EDGE, "--reply-port-src", "5060")
    await inc.invite(inc.said, ["Session-Expires: 90;refresher=uas"], wait=6)
    mb.stop()
    await inc.bye(3)
    return out


@case("bob carol", "session-expired", outcome="dropped", media="direct")
async def session_runs_out(c):
    """The caller is to refresh and never does; the callee ends the call when the time is over."""
    a, b, ma, mb = await pair(c, "bob", "carol")
    out, inc, dialling = await dial(a, b, more=["Session-Expires: 6;refresher=uac", "Supported: timer"])
    inc.respond(180)
    accepted = asyncio.create_task(inc.accept(description(mb.address, mb.port), ["Session-Expires: 6;refresher=uac", "Require: timer"]))
    mb.follow(inc.told)
    await dialling
    ma.start(out.told)
    mb.start()
    await accepted
    await sleep(4.0)
    await inc.bye(3)
    return out


@case("bob alice", "ack-lost ack-to-unreachable-contact", outcome="dropped", swallow='if (is_method("ACK")) { exit; }')
async def ack_swallowed(c):
    a, b, ma, mb = await pair(c, "bob", "alice")
    return await unacknowledged(*await dial(a, b), ma, mb)


@case("sven sara", "ack-lost ack-to-unreachable-contact", outcome="dropped", edge=None)
async def ack_to_another_address_v6(c):
    """The 200 names a Contact where nobody is."""
    a, b, ma, mb, uri = await direct(c, "sven", "sara")
    b.said = ("2001:db8:1::99", 5060)
    return await unacknowledged(*await dial(a, b, uri=uri), ma, mb)


# --- fragments

@case("sara sven", "fragments-lost", outcome="no_answer", edge=None)
async def fragments_dropped_v6(c):
    c.hosts["sven"].nft("table ip6 raw_f { chain p { type filter hook prerouting priority -450; exthdr frag exists drop; }; }")
    a, b = c.phone("sara"), c.phone("sven")
    out = a.dial("sven", "sip:sven@[2001:db8:2::21]:5060")
    await out.invite(long_description("2001:db8:1::66", 16384), wait=7.5)
    return out


@case("carol bob", "fragments-lost", outcome="answered", edge=None)
async def fragments_of_reinvite_dropped(c):
    """The re-INVITE is too large for a packet; the call goes on as it was."""
    a, b, ma, mb, uri = await direct(c, "carol", "bob")
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(1)
    drop_fragments(c.hosts["bob"], "")
    await out.invite(long_description(ma.address, ma.port), wait=5)
    return await talk_and_end(out, 0.5)


# --- registrations

@case("carol kim", "not-registered", outcome="refused", missing=404)
async def registration_over_tcp_expired(c):
    a, b = c.phone("carol"), c.phone("kim", transport="tcp")
    await register(a)
    await b.register(expires=2)
    await sleep(3.4)
    return await ask(a, b)


@case("sven sara", "not-registered", outcome="no_answer", missing=480)
async def registration_removed_v6(c):
    a, b = c.phone("sven"), c.phone("sara")
    await register(a, b)
    await b.register(expires=0, contact="*")
    await sleep(0.5)
    return await ask(a, b)


@case("sara sara", "refused not-registered", outcome="refused", auth=True, registration=True)
async def wrong_password_v6(c):
    a = c.phone("sara", password="wrong")
    for _ in range(2):
        await a.register(tries=2)
        await sleep(0.3)
    return a


@case("kim kim", "refused not-registered", outcome="refused", auth=True, registration=True)
async def wrong_password_over_tcp(c):
    a = c.phone("kim", password="wrong", transport="tcp")
    for _ in range(2):
        await a.register(tries=2)
        await sleep(0.3)
    return a


@case("kim kim", "refused not-registered", outcome="refused", auth=True, registration=True)
async def no_credentials_at_all(c):
    a = c.phone("kim")
    for _ in range(2):
        await a.register(tries=1)
        await sleep(2.8)
    return a


@case("bob alice", "refused not-registered", outcome="refused", auth_invite=True)
async def call_without_credentials(c):
    a, b = c.phone("bob"), c.phone("alice")
    await register(a, b)
    a.credentials = lambda *words: "X-None: 1"
    return await ask(a, b)


# --- rport

@case("alice alice", "rport-missing", outcome="no_answer", registration=True, rport=False, nat=False)
async def rport_missing_behind_nat_a(c):
    a = c.phone("alice", rport=False, port=5070)
    await a.register(wait=5)
    return a


# --- TCP

@case("anna alice", "connection-gone", outcome="refused")
async def tcp_phone_restarted(c):
    """The phone is on again, and knows nothing of its connection: it answers by RST, if the NAT lets it."""
    host = c.hosts["alice"]

    def switched_off(phone):
        host.nft("table inet hush { chain o { type filter hook output priority 0; tcp flags & (fin | rst) != 0 drop; }; }")
        phone.stream.close()
        asyncio.get_running_loop().call_later(0.3, host.nft, "delete table inet hush")
    return await ask_when_closed(c, "anna", "alice", switched_off)


@case("anna bob", "connection-gone", outcome="refused")
async def tcp_public_phone_refuses(c):
    """No NAT: the phone has closed its connection, and does not listen."""
    return await ask_when_closed(c, "anna", "bob")


# --- refused, cancelled, not answered

@case("kim bob", "refused", outcome="refused")
async def user_unknown(c):
    a, b = c.phone("kim"), c.phone("bob")
    await register(a)
    return await ask(a, b)


@case("sara sven", "refused", outcome="refused", edge=None)
async def server_error_v6(c):
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    return await refuse(a, b, 500, uri=uri)


@case("alice bob", "no-common-codec refused", outcome="refused")
async def codec_refused_with_warning(c):
    a, b = c.phone("alice"), c.phone("bob")
    await register(a, b)
    return await refuse(a, b, 606, description("10.0.1.21", 16384, (PCMA,)), more=['Warning: 305 bob "Incompatible media format"'])


@case("kim bob", "cancelled", outcome="no_answer")
async def caller_cancels_over_tcp(c):
    a, b = c.phone("kim", transport="tcp"), c.phone("bob")
    await register(a, b)
    return await give_up(a, b)


@case("bob carol", "cancelled", outcome="no_answer", media="direct")
async def caller_cancels_before_it_rings(c):
    a, b = c.phone("bob"), c.phone("carol")
    await register(a, b)
    out = a.dial("carol")
    dialling = asyncio.create_task(out.invite(description("198.51.100.21", 16384)))
    await b.incoming()
    await sleep(0.6)
    await out.cancel()
    await dialling
    return out


@case("sara sven", "not-answered", outcome="no_answer", edge=None)
async def not_answered_v6(c):
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    return await refuse(a, b, 480, ring=2, uri=uri)


@case("carol kim", "not-answered timed-out nat-binding-expired", outcome="refused", timeout=2500)
async def phone_is_off(c):
    """It registered a moment ago, and does not answer; the proxy gives up by 408."""
    a, b = c.phone("carol"), c.phone("kim")
    await register(a, b)
    c.hosts["kim"].nft("table inet wall { chain i { type filter hook input priority 0; udp dport 5060 drop; }; }")
    return await ask(a, b, wait=6)
