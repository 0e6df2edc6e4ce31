"""Further calls whose media arrives and is not understood, is lost in part or refused, of the kinds that cases_addresses.py has: in the
middle of a call, over IPv6, of the other party. Each is brought about by its script: see cases.py."""
import asyncio
import random

from cases import call, case, direct, hang_up, pair, sleep, talk_and_end, talking
from odd_calls import KEY
from scripted_media import EVENTS, PCMA, PCMU, description

# --- ports and formats

@case("bob carol", "wrong-port rtp-from-elsewhere", "a->b", media="direct")
async def rtp_to_rtcp_port_after_reinvite(c):
    out, inc, ma, mb = await talking(c, "bob", "carol")
    await sleep(1.2)
    await out.invite(description(ma.address, ma.port, (PCMA, EVENTS)))
    ma.to = (ma.to[0], ma.to[1] + 1)
    return await talk_and_end(out)


@case("bob gate", "payload-type-mismatch", "b->a", media="direct")
async def codec_kept_after_reinvite(c):
    """PCMA only from the re-INVITE on; the callee goes on with PCMU."""
    a, b, ma, mb = await pair(c, "bob", "gate")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMU, EVENTS)), description(mb.address, mb.port, (PCMU, EVENTS)))
    await sleep(1.2)
    inc.answer_with = lambda offer: (200, description(mb.address, mb.port, (PCMA, EVENTS)))
    await out.invite(description(ma.address, ma.port, (PCMA, EVENTS)))
    ma.payload_type = PCMA
    return await talk_and_end(out, 3)


@case("bob alice", "payload-type-mismatch")
async def dtmf_of_the_callee(c):
    """The offer had no telephone-event; the callee presses keys."""
    a, b, ma, mb = await pair(c, "bob", "alice")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMU,)), description(mb.address, mb.port, (PCMU,)))
    for _ in range(4):
        await sleep(0.5)
        mb.press()
    return await talk_and_end(out, 0.5)


@case("sara sven", "payload-type-mismatch", edge=None)
async def dtmf_other_number_v6(c):
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMU, 97), codecs={97: "telephone-event/8000"}), None, uri=uri)
    for _ in range(4):
        await sleep(0.5)
        ma.press(97)
    return await talk_and_end(out, 0.5)


@case("carol bob", "srtp-mismatch refused", "both", edge=None)
async def srtp_from_reinvite_on(c):
    """The re-INVITE turns to SRTP, and the answer stays plain."""
    out, inc, ma, mb = await talking(c, "carol", "bob", proxied=False)
    await sleep(1.2)
    await out.invite(description(ma.address, ma.port, protocol="RTP/SAVP", more=[KEY]))
    ma.size = 170
    return await talk_and_end(out, 3)


@case("sven sara", "srtp-mismatch refused", "both", media="direct")
async def srtp_by_dtls_answered_plain(c):
    a, b, ma, mb = await pair(c, "sven", "sara")
    print_of = "a=fingerprint:sha-256 " + ":".join(f"{random.getrandbits(8):02X}" for _ in range(32))
    ma.size = 170
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, protocol="UDP/TLS/RTP/SAVP", more=[print_of, "a=setup:actpass"]),
                          description(mb.address, mb.port))
    return await talk_and_end(out)


# --- loss

@case("sara sven", "loss", edge=None)
async def packets_lost_v6(c):
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    mb.drop = 0.2
    out, inc = await call(a, b, ma, mb, uri=uri)
    return await talk_and_end(out, 3.5)


@case("alice bob", "loss")
async def packets_lost_in_bursts(c):
    out, inc, ma, mb = await talking(c, "alice", "bob")
    for _ in range(9):
        await sleep(0.3)
        ma.drop = 1.0
        await sleep(0.1)
        ma.drop = 0.0
    await hang_up(out)
    return out


# --- ICMP

@case("sara sven", "receiver-refuses", "a->b", edge=None)
async def receiver_refuses_v6(c):
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    out, inc = await call(a, b, ma, mb, None, description(mb.address, 19000), uri=uri)
    return await talk_and_end(out)


@case("sven sara", "refused-by-firewall", "b->a", media="direct")
async def refused_by_firewall_v6(c):
    a, b, ma, mb = await pair(c, "sven", "sara")
    c.hosts["sven"].nft("table inet wall { chain i { type filter hook input priority 0; udp dport 16384-16385 reject with icmpv6 type admin-prohibited; }; }")
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("alice bob", "receiver-refuses stopped", "both")
async def program_of_the_callee_ends(c):
    """In mid-call its sockets are closed: nothing more comes from there, and ICMP says so."""
    out, inc, ma, mb = await talking(c, "alice", "bob")
    await sleep(1.5)
    mb.stop()
    c.media.remove(mb)
    loop = asyncio.get_running_loop()
    for one in (mb.rtp, mb.rtcp):
        loop.remove_reader(one)
        one.close()
    return await talk_and_end(out, 3)
