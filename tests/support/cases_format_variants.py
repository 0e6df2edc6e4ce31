"""Further calls whose media arrives and is not understood, is lost in part or refused, of the kinds that cases_addresses.py has: in the
middle of a call, over IPv6, of the other party. Each is brought about by its script: see cases.py."""
import asyncio
import random

from cases import call, case, direct, hang_up, pair, sleep
from odd_calls import KEY
from scripted_media import EVENTS, PCMA, PCMU, description

# --- ports and formats

@case("bob carol", "wrong-port rtp-from-elsewhere", "a->b", media="direct")
async def rtp_to_rtcp_port_after_reinvite(c):
    a, b, ma, mb = await pair(c, "bob", "carol")
    out, inc = await call(a, b, ma, mb)
    await sleep(1.2)
    await out.invite(description(ma.address, ma.port, (PCMA, EVENTS)))
    ma.to = (ma.to[0], ma.to[1] + 1)
    await sleep(2)
    await hang_up(out)
    return out


@case("bob gate", "payload-type-mismatch", "b->a", media="direct")
async def codec_kept_after_reinvite(c):
    """PCMA only from the re-INVITE on; the callee goes on with PCMU."""
    a, b, ma, mb = await pair(c, "bob", "gate")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMU, EVENTS)), description(mb.address, mb.port, (PCMU, EVENTS)))
    await sleep(1.2)
    inc.answer_with = lambda offer: (200, description(mb.address, mb.port, (PCMA, EVENTS)))
    await out.invite(description(ma.address, ma.port, (PCMA, EVENTS)))
    ma.payload_type = PCMA
    await sleep(3)
    await hang_up(out)
    return out


@case("bob alice", "payload-type-mismatch")
async def dtmf_of_the_callee(c):
    """The offer had no telephone-event; the callee presses keys."""
    a, b, ma, mb = await pair(c, "bob", "alice")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMU,)), description(mb.address, mb.port, (PCMU,)))
    for _ in range(4):
        await sleep(0.5)
        mb.press()
    await sleep(0.5)
    await hang_up(out)
    return out


@case("sara sven", "payload-type-mismatch", edge=None)
async def dtmf_other_number_v6(c):
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMU, 97), codecs={97: "telephone-event/8000"}), None, uri=uri)
    for _ in range(4):
        await sleep(0.5)
        ma.press(97)
    await sleep(0.5)
    await hang_up(out)
    return out


@case("carol bob", "srtp-mismatch refused", "both", edge=None)
async def srtp_from_reinvite_on(c):
    """The re-INVITE turns to SRTP, and the answer stays plain."""
    a, b, ma, mb, uri = await direct(c, "carol", "bob")
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(1.2)
    await out.invite(description(ma.address, ma.port, protocol="RTP/SAVP", more=[KEY]))
    ma.size = 170
    await sleep(3)
    await hang_up(out)
    return out


@case("sven sara", "srtp-mismatch refused", "both", media="direct")
async def srtp_by_dtls_answered_plain(c):
    a, b, ma, mb = await pair(c, "sven", "sara")
    print_of = "a=fingerprint:sha-256 " + ":".join(f"{random.getrandbits(8):02X}" for _ in range(32))
    ma.size = 170
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, protocol="UDP/TLS/RTP/SAVP", more=[print_of, "a=setup:actpass"]),
                          description(mb.address, mb.port))
    await sleep(2)
    await hang_up(out)
    return out


# --- loss

@case("sara sven", "loss", edge=None)
async def packets_lost_v6(c):
    a, b, ma, mb, uri = await direct(c, "sara", "sven")
    mb.drop = 0.2
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(3.5)
    await hang_up(out)
    return out


@case("alice bob", "loss")
async def packets_lost_in_bursts(c):
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb)
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
    await sleep(2)
    await hang_up(out)
    return out


@case("sven sara", "refused-by-firewall", "b->a", media="direct")
async def refused_by_firewall_v6(c):
    a, b, ma, mb = await pair(c, "sven", "sara")
    c.hosts["sven"].nft("table inet wall { chain i { type filter hook input priority 0; udp dport 16384-16385 reject with icmpv6 type admin-prohibited; }; }")
    out, inc = await call(a, b, ma, mb)
    await sleep(2)
    await hang_up(out)
    return out


@case("alice bob", "receiver-refuses stopped", "both")
async def program_of_the_callee_ends(c):
    """In mid-call its sockets are closed: nothing more comes from there, and ICMP says so."""
    a, b, ma, mb = await pair(c, "alice", "bob")
    out, inc = await call(a, b, ma, mb)
    await sleep(1.5)
    mb.stop()
    c.media.remove(mb)
    loop = asyncio.get_running_loop()
    for one in (mb.rtp, mb.rtcp):
        loop.remove_reader(one)
        one.close()
    await sleep(3)
    await hang_up(out)
    return out
