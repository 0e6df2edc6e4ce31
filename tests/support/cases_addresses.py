"""Calls whose media goes where it cannot arrive, or cannot be understood. Each is brought about by its script: see cases.py."""
import asyncio

import clinic
from cases import call, case, direct, hang_up, healthy, pair, register, sleep, talk, talk_and_end, talking
from clinic import EDGE, EDGE_LAN
from scripted_media import EVENTS, G722, PCMA, PCMU, description

# --- private and other addresses

@case("flo bob", "private-address-in-sdp not-reachable", "b->a", cgnat=False, media="direct")
async def cgnat_in_sdp(c):
    """The phone learned its home router's outer address, which is the carrier's, and the edge takes it for public."""
    c.set_nat(c.nats["h"], "cone", "192.168.1.20")
    a, b = c.phone("flo", said=("100.64.5.2", 5060)), c.phone("bob")
    await register(a, b)
    ma, mb = c.stream("flo"), c.stream("bob", 17384)
    out, inc = await call(a, b, ma, mb, description("100.64.5.2", 16384))
    return await talk_and_end(out)


@case("bob flo", "private-address-in-sdp not-reachable", "a->b", cgnat=False, media="direct")
async def cgnat_in_answer(c):
    c.set_nat(c.nats["h"], "cone", "192.168.1.20")
    a, b = c.phone("bob"), c.phone("flo", said=("100.64.5.2", 5060))
    await a.register()
    # it registers by its outer mapping, which the edge sees; its Contact in the call is the carrier's
    b.said = ("192.168.1.20", 5060)
    await b.register()
    ma, mb = c.stream("bob"), c.stream("flo", 17384)
    out, inc = await call(a, b, ma, mb, None, description("100.64.5.2", 17384))
    return await talk_and_end(out)


@case("carol kim", "private-address-in-sdp not-reachable", outcome="refused", cgnat=False, media="direct", timeout=5000)
async def cgnat_contact_over_tcp(c):
    a, b = c.phone("carol"), c.phone("kim", transport="tcp", said=("100.64.9.33", 5062))
    await register(a, b)
    out = a.dial("kim")
    await out.invite(description("198.51.100.33", 16384), wait=9)
    return out


@case("alice bob", "private-address-in-sdp", "b->a", media="direct")
async def private_address_in_sdp(c):
    return await talk(c, "alice", "bob")


@case("bob alice", "private-address-in-sdp", "a->b", media="direct")
async def private_address_in_answer(c):
    return await talk(c, "bob", "alice")


@case("alice kim", "private-address-in-sdp", "both", media="direct")
async def both_private(c):
    return await talk(c, "alice", "kim")


@case("bob gate", "private-address-in-sdp relay-address-unreachable wrong-interface", "a->b", edge=None)
async def wrong_interface(c):
    a, b, ma, mb, uri = await direct(c, "bob", "gate")
    c.inet.ip("route", "add", "unreachable", "192.0.2.0/24")
    out, inc = await call(a, b, ma, mb, None, description("192.0.2.61", 17384), uri=uri)
    return await talk_and_end(out)


@case("gate carol", "private-address-in-sdp relay-address-unreachable wrong-interface", "b->a", edge=None)
async def wrong_interface_in_offer(c):
    """No ICMP: it just goes nowhere."""
    a, b, ma, mb, uri = await direct(c, "gate", "carol")
    c.inet.ip("route", "add", "blackhole", "192.0.2.0/24")
    out, inc = await call(a, b, ma, mb, description("192.0.2.61", 16384), uri=uri)
    return await talk_and_end(out)


@case("bob gate", "private-address-in-sdp relay-address-unreachable wrong-interface", "a->b", edge=None)
async def wrong_interface_private(c):
    """The inner address of the server in its answer."""
    out, inc, ma, mb = await talking(c, "bob", "gate", None, description("10.20.0.5", 17384), proxied=False)
    return await talk_and_end(out)


@case("bob anna", "private-address-in-sdp relay-address-unreachable wrong-interface", "a->b")
async def relay_announces_wrong_interface(c):
    """The relay tells the Internet its address on the LAN."""
    a, b, ma, mb = await pair(c, "bob", "anna")
    c.relay.announced = {EDGE: EDGE_LAN}
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("anna carol", "private-address-in-sdp relay-address-unreachable wrong-interface", "b->a")
async def relay_announces_wrong_interface_outwards(c):
    a, b, ma, mb = await pair(c, "anna", "carol")
    c.relay.announced = {EDGE: EDGE_LAN}
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


# --- formats

@case("carol gate", "payload-type-mismatch", edge=None)
async def dtmf_without_answer(c):
    a, b, ma, mb, uri = await direct(c, "carol", "gate")
    ma.payload_type = mb.payload_type = PCMA
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMA, PCMU, EVENTS)), description(mb.address, mb.port, (PCMA,)), uri=uri)
    for _ in range(4):
        await sleep(0.5)
        ma.press()
    return await talk_and_end(out, 0.5)


@case("carol gate", "payload-type-mismatch", edge=None)
async def dtmf_other_number(c):
    """The gateway says 96, and the phone goes on with its own 101."""
    a, b, ma, mb, uri = await direct(c, "carol", "gate")
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (PCMU, EVENTS)),
                          description(mb.address, mb.port, (PCMU, 96), codecs={96: "telephone-event/8000"}), uri=uri)
    for _ in range(4):
        await sleep(0.5)
        ma.press()
    return await talk_and_end(out, 0.5)


@case("alice gate", "payload-type-mismatch")
async def dtmf_through_relay(c):
    a, b, ma, mb = await pair(c, "alice", "gate")
    out, inc = await call(a, b, ma, mb, None, description(mb.address, mb.port, (PCMU,)))
    for _ in range(4):
        await sleep(0.5)
        ma.press()
    return await talk_and_end(out, 0.5)


@case("alice bob", "payload-type-mismatch", "a->b")
async def payload_type_unknown(c):
    a, b, ma, mb = await pair(c, "alice", "bob")
    ma.payload_type = G722
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out)


@case("carol bob", "payload-type-mismatch", "b->a", edge=None)
async def payload_type_of_the_other(c):
    a, b, ma, mb, uri = await direct(c, "carol", "bob")
    ma.payload_type, mb.payload_type = 96, 96
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, (111, EVENTS), codecs={111: "opus/48000/2"}),
                          description(mb.address, mb.port, (96, EVENTS), codecs={96: "opus/48000/2"}), uri=uri)
    return await talk_and_end(out)


@case("carol bob", "srtp-mismatch refused", "both", edge=None)
async def srtp_answered_plain(c):
    a, b, ma, mb, uri = await direct(c, "carol", "bob")
    crypto = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"]
    ma.size = 170
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, protocol="RTP/SAVP", more=crypto), uri=uri)
    return await talk_and_end(out)


@case("alice carol", "srtp-mismatch refused", "both")
async def srtp_through_relay(c):
    a, b, ma, mb = await pair(c, "alice", "carol")
    crypto = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"]
    ma.size = 170
    out, inc = await call(a, b, ma, mb, description(ma.address, ma.port, protocol="RTP/SAVP", more=crypto))
    return await talk_and_end(out)


@case("alice carol", "srtp-mismatch refused", outcome="refused")
async def srtp_refused(c):
    a, b = c.phone("alice"), c.phone("carol")
    await register(a, b)
    out = a.dial("carol")
    crypto = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"]
    dialling = asyncio.create_task(out.invite(description("10.0.1.21", 16384, protocol="RTP/SAVP", more=crypto)))
    inc = await b.incoming()
    inc.respond(488, more=['Warning: 304 carol "SRTP not supported"'])
    await dialling
    return out


@case("carol alice", "srtp-mismatch refused", "both")
async def srtp_in_answer(c):
    """Plain offer; the answer has a key all the same, and its sender encrypts."""
    a, b, ma, mb = await pair(c, "carol", "alice")
    crypto = ["a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"]
    mb.size = 170
    out, inc = await call(a, b, ma, mb, None, description(mb.address, mb.port, protocol="RTP/SAVP", more=crypto))
    return await talk_and_end(out)


# --- ports

async def one_port_too_high(out, ma, mb, of):
    """One of the two, `of`, sends to the port for RTCP. The caller's end."""
    of.to = (of.to[0], of.to[1] + 1)
    ma.start(), mb.start()
    return await talk_and_end(out)


@case("carol gate", "wrong-port rtp-from-elsewhere", "b->a", edge=None)
async def rtp_to_rtcp_port(c):
    out, inc, ma, mb = await talking(c, "carol", "gate", proxied=False, speak=False)
    return await one_port_too_high(out, ma, mb, of=mb)


@case("sara sven", "wrong-port rtp-from-elsewhere", "a->b", edge=None)
async def rtp_to_rtcp_port_v6(c):
    out, inc, ma, mb = await talking(c, "sara", "sven", proxied=False, speak=False)
    return await one_port_too_high(out, ma, mb, of=ma)


@case("alice gate", "wrong-port rtp-from-elsewhere", "b->a")
async def rtp_to_rtcp_port_of_relay(c):
    out, inc, ma, mb = await talking(c, "alice", "gate", speak=False)
    mb.to = (mb.to[0], mb.to[1] + 1)
    mb.rtcp_to = None
    ma.start(), mb.start()
    return await talk_and_end(out)


# --- STUN

async def stun_call(c, first, second, of_callee, cone=False):
    clinic.StunServer(c.hosts["stun"])
    if cone:
        c.set_nat(c.nats["a"], "cone", "10.0.1.21")
    a, b, ma, mb = await pair(c, first, second)
    media = mb if of_callee else ma
    known = await clinic.own_address(media)
    offer, answer = (None, description(*known)) if of_callee else (description(*known), None)
    out, inc = await call(a, b, ma, mb, offer, answer)
    return await talk_and_end(out)


@case("alice bob", "rtp-from-elsewhere nat-mapping-differs", "b->a", media="direct")
async def stun_wrong_mapping(c):
    return await stun_call(c, "alice", "bob", False)


@case("carol kim", "rtp-from-elsewhere nat-mapping-differs", "a->b", media="direct")
async def stun_wrong_mapping_of_callee(c):
    return await stun_call(c, "carol", "kim", True)


@healthy("alice bob", media="direct")
async def stun_full_cone(c):
    return await stun_call(c, "alice", "bob", False, True)


@healthy("bob alice", media="direct")
async def stun_full_cone_callee(c):
    return await stun_call(c, "bob", "alice", True, True)


# --- hairpin

async def hairpin(c, icmp):
    c.set_nat(c.nats["a"], "cone", "10.0.1.21")
    if not icmp:
        c.nats["a"].nft("table ip gate { chain input { iifname \"in0\" udp dport 16000-19000 ip daddr 198.51.100.7 drop; }; }")
    a, b = c.phone("alice"), c.phone("klaus")
    await register(a, b)
    ma, mb = c.stream("alice"), c.stream("klaus", 17384)
    out, inc = await call(a, b, ma, mb, description("198.51.100.7", 16384), description("198.51.100.7", 17384))
    return await talk_and_end(out)


@case("alice klaus", "hairpin", "both", media="direct")
async def no_hairpin(c):
    return await hairpin(c, True)


@case("alice klaus", "hairpin", "both", media="direct")
async def no_hairpin_in_silence(c):
    return await hairpin(c, False)


# --- loss

@case("carol gate", "loss", edge=None)
async def packets_lost(c):
    a, b, ma, mb, uri = await direct(c, "carol", "gate")
    c.hosts["carol"].nft("table ip lossy { chain p { type filter hook prerouting priority -450; udp dport 16384 numgen random mod 100 < 20 drop; }; }")
    c.inet.nft("table ip lossy { chain p { type filter hook prerouting priority -450; udp dport 16384 numgen random mod 100 < 22 drop; }; }")
    out, inc = await call(a, b, ma, mb, uri=uri)
    await sleep(3.5)
    await hang_up(out)
    c.inet.nft("delete table ip lossy")
    return out


@case("bob alice", "loss")
async def packets_lost_through_relay(c):
    a, b, ma, mb = await pair(c, "bob", "alice")
    ma.drop = 0.25
    out, inc = await call(a, b, ma, mb)
    return await talk_and_end(out, 3.5)


# --- ICMP

@case("bob carol", "receiver-refuses", "a->b", edge=None)
async def receiver_refuses(c):
    a, b = c.phone("bob"), c.phone("carol")
    ma, mb = c.stream("bob"), c.stream("carol", 17384)
    out, inc = await call(a, b, ma, mb, None, description("198.51.100.33", 19000), uri="sip:carol@198.51.100.33:5060")
    return await talk_and_end(out)


@case("alice gate", "refused-by-firewall", "a->b")
async def refused_by_firewall(c):
    a, b, ma, mb = await pair(c, "alice", "gate")
    c.hosts["gate"].nft("table inet wall { chain i { type filter hook input priority 0; udp dport 17384-17385 reject with icmp type admin-prohibited; }; }")
    out, inc = await call(a, b, ma, mb)
    await sleep(2)
    await hang_up(out)
    c.hosts["gate"].nft("delete table inet wall")
    return out
