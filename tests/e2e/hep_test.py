#!/usr/bin/env python3
"""What a collector of HEP (Homer, sngrep) gets: each message once for each side of the edge, with the ends it had on the wire, over UDP,
TCP and TLS, IPv4 and IPv6; the RTCP of both parties, and a report on each stream; one call under two Call-IDs. A collector that is not
there, or does not read, is no matter to any call. Also: sngrep shows the same, and natclassify explains the call from that alone."""
# ctest: tiers sockets,fast
import collections
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import names
import phones
import proxy
import raw_sip
import site_of_phones as sites
from collector import REPORT, RTCP, SIP, Collector

TCP, UDP = 6, 17
WAN6 = "2001:db8::10"
EDGE = (f"{sites.LAN_EDGE}:", f"{sites.WAN_EDGE}:")


def wanted(collector, **more):
    return {"target": f'"{collector.target}"', **more}


def call_id(packet):
    return raw_sip.field(packet.payload.decode(), "Call-ID")


def on_the_wire(site):
    """Each SIP datagram that the edge got or sent."""
    return [(d.source, d.destination, d.payload) for tap in (site.on_lan, site.on_wan) for d, _ in tap.sip()
            if d.source.startswith(EDGE) or d.destination.startswith(EDGE)]


def is_report(payload):
    return len(payload) >= 8 and payload[0] >> 6 == 2 and payload[1] in (200, 201)


def relayed_reports(site):
    """(source, destination, SSRC) of each RTCP report as it came to the edge, of those that the edge sent on."""
    all_of_it = [d for tap in (site.on_lan, site.on_wan) for d in tap.all() if is_report(d.payload)]
    sent_on = collections.Counter(d.payload for d in all_of_it if d.source.startswith(EDGE))
    return [(d.source, d.destination, struct.unpack("!I", d.payload[4:8])[0]) for d in all_of_it
            if d.destination.startswith(EDGE) and sent_on[d.payload]]


def same(found, expected, what):
    lab.wait_until(lambda: collections.Counter(found()) == collections.Counter(expected()),
                   lambda: f"{what}: only at the collector {collections.Counter(found()) - collections.Counter(expected())}, "
                           f"only on the wire {collections.Counter(expected()) - collections.Counter(found())}")


def status_of(site, program):
    return site.ask(program, "status")["hep"]


def check_streams(site, collector, ends):
    """A report on each party's stream: what came by the wire, less what came when the leg was gone."""
    reports = lab.wait_until(lambda: len(found := collector.told(REPORT)) == 2 and found, "a report on each stream")
    heard = [d for tap in (site.on_lan, site.on_wan) for d in tap.rtp()]
    for packet, report in reports:
        came = [d.payload for d in heard if (d.source, d.destination) == (packet.source, packet.destination)]
        lab.require(0 <= len(came) - report["TOTAL_PK"] <= 50 <= report["TOTAL_PK"], f"{len(came)} packets on the wire: {report}")
        lab.require(report["TL_BYTE"] == report["TOTAL_PK"] * len(came[0]), f"{report}")
        lab.require(report["SSRC"] == struct.unpack("!I", came[0][8:12])[0] and report["CODEC_PT"] == 0 and report["CLOCK"] == 8000, f"{report}")
        lab.require(report["PACKET_LOSS"] == 0 and report["EXPECTED_PK"] == report["TOTAL_PK"] and 0 <= report["JITTER"] < 100, f"{report}")
        lab.require((f"{report['SRC_IP']}:{report['SRC_PORT']}", f"{report['DST_IP']}:{report['DST_PORT']}")
                    == (packet.source, packet.destination), f"{report}")
        lab.require(report["TYPE"] == "FINAL" and abs(report["REPORT_TS"] - packet.time) < 1 and 1 < report["DURATION"] < 120, f"{report}")
        lab.require(report["CORRELATION_ID"] == report["RTP_SIP_CALL_ID"] == packet.correlation, f"{report}")
    lab.require({p.source.rpartition(":")[0] for p, _ in reports} == set(ends), f"reports on others than {ends}: {reports}")


def by_sngrep(net, collector):
    """sngrep, as a collector, finds the same messages with the same ends; it writes them as a capture."""
    shown = net.folder / "sngrep.pcap"
    program = collector.host.start("sngrep", "sngrep", "-N", "-q", "-L", "udp:127.0.0.1:9070", "-O", shown)
    agent = collector.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    lab.wait_until(lambda: any(e.endswith(":9070") for e, _ in collector.host.sockets()), "sngrep to listen")
    for datagram in collector.datagrams:
        agent.sendto(datagram, ("127.0.0.1", 9070))
        time.sleep(0.002)  # it loses what comes faster
    messages = collector.sip()
    lab.wait_until(lambda: shown.exists() and shown.read_bytes().count(b"SIP/2.0\r\n") + shown.read_bytes().count(b"SIP/2.0 ") >= len(messages),
                   "sngrep to have the messages")
    program.signal(signal.SIGINT)
    program.wait_exit()
    return shown


def everything(net):
    site = sites.Site(net)
    collector = Collector(site.lan_host())
    site.start(hep=wanted(collector, id="77", node='"edge-1"'))
    began = time.time()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")
    phones.call(a, b)
    phones.hear_each_other(a, b, packets=150)
    # The second report of each is of a stream that is promoted, where there is a fast path.
    lab.wait_until(lambda: all(sum(p.source.startswith(e) for p in collector.packets(RTCP)) >= 2 for e in (a.host.address, b.host.nat.addresses[-1])),
                   "two RTCP reports of each party")
    if os.environ.get("NATKIT_TIER") == "fast":
        legs = site.ask("mediarelay", "list", statistics=True)["legs"]
        lab.require(all(leg["statistics"]["tier"] == "fast" for leg in legs), f"streams are not promoted: {legs}")
    phones.hang_up(a, b)
    site.wait_nothing_left()

    same(lambda: [(p.source, p.destination, p.payload) for p in collector.sip()], lambda: on_the_wire(site), "SIP")
    same(lambda: [(p.source, p.destination, report["ssrc"]) for p, report in collector.told(RTCP)], lambda: relayed_reports(site), "RTCP")
    check_streams(site, collector, (a.host.address, b.host.nat.addresses[-1]))
    for packet, report in collector.told(RTCP):
        lab.require(report["type"] in (200, 201) and len(report["report_blocks"]) == report["report_count"], f"{report}")
    own = {call_id(p) for p in collector.sip() if p.payload.startswith(b"INVITE")}
    lab.require(len(own) == 1, f"the Call-IDs of one call: {own}")
    for packet in collector.packets():
        lab.require((packet.protocol, packet.agent, packet.node) == (UDP, 77, "edge-1"), f"{packet}")
        lab.require(began - 1 < packet.time < packet.came + 1, f"{packet}")
        lab.require({packet.correlation} == ({call_id(packet)} if packet.kind == SIP else own), f"{packet}")
    for program, kinds in (("sipedge", (SIP,)), ("mediarelay", (RTCP, REPORT))):
        status = status_of(site, program)
        lab.require(status == {"target": collector.target, "address": collector.target[4:], "sent": len(collector.packets(*kinds)), "dropped": 0},
                    f"{program}: {status}")
    shown = sites.natkit(site, "status", "--format", "text").stdout
    lab.require(collector.target in shown, f"natkit status: {shown}")

    # Others read it, and natclassify explains the call by what they say.
    collector.save(net.folder / "hep.pcap")
    for read_by, path in (("sngrep", by_sngrep(net, collector)), ("natclassify", net.folder / "hep.pcap")):
        done = site.edge.run(lab.PROGRAMS / "natclassify", "--explain", "--format", "json", path)
        found = [json.loads(line) for line in done.stdout.splitlines()]
        calls = [r for r in found if r["type"] == "explanation"]
        lab.require(done.returncode == 0 and len(calls) == 1, f"{read_by}: {done}")
        told = calls[0]
        lab.require((told["call_id"], told["from"], told["to"]) == (*own, "alice@example.com", "bob@example.com"), f"{read_by}: {told}")
        lab.require((told["outcome"], told["status"], told["findings"]) == ("answered", 200, []) and 5 < told["duration_s"] < 60, f"{read_by}: {told}")
        lab.require(all(told["streams"][0][way]["relayed"] for way in ("to_callee", "to_caller")), f"{read_by}: {told}")


class TlsParty(raw_sip.StreamParty):
    """Over TLS, whatever the certificate."""
    transport = "TLS"

    def __init__(self, host, edge, **options):
        super().__init__(host, edge, **options)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)


def ends(packets, start):
    """(source, destination, protocol) of those messages that begin so."""
    return collections.Counter((p.source, p.destination, p.protocol) for p in packets if p.payload.startswith(start.encode()))


def transports(net):
    """Over TCP and TLS messages are whole and in clear; of a connection that the edge made, its own port is told. IPv6 as IPv4."""
    site = sites.Site(net)
    site.edge.ip("addr", "add", f"{WAN6}/64", "dev", "wan0")
    collector, server, four = Collector(site.lan_host()), site.lan_host(), site.wan_host()
    six = net.host("six").attach("eth0", site.wan, "2001:db8::50/64")
    folder = net.folder / "tls"
    folder.mkdir()
    lab.sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=test",
           "-keyout", folder / "key.pem", "-out", folder / "certificate.pem")
    listen = [f'"{t}:{h}"' for h in (sites.LAN_EDGE, sites.WAN_EDGE, f"[{WAN6}]") for t in ("udp", "tcp", "tls")]
    listening = server.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind((server.address, 5060))
    listening.listen()
    listening.settimeout(lab.PATIENCE)
    net.on_close(listening.close)
    site.start(hep=wanted(collector), sip={"listen": f"[{', '.join(listen)}]"},
               tls={"certificate": f'"{folder}/certificate.pem"', "key": f'"{folder}/key.pem"'},
               **{"sip.routes": {'"tcp.example"': f'"sip:{server.address};transport=tcp"'}})

    parties = ((raw_sip.Party(six, f"[{WAN6}]:5060", user="udp6"), UDP), (raw_sip.StreamParty(four, f"{sites.WAN_EDGE}:5060", user="tcp4"), TCP),
               (raw_sip.StreamParty(six, f"[{WAN6}]:5060", user="tcp6"), TCP), (TlsParty(four, f"{sites.WAN_EDGE}:5061", user="tls4"), TCP),
               (TlsParty(six, f"[{WAN6}]:5061", user="tls6"), TCP))
    for party, protocol in parties:
        answer = party.register()
        lab.require(answer.startswith("SIP/2.0 200"), answer)
        lab.wait_until(lambda party=party: sum(f"reg-{party.user}".encode() in p.payload for p in collector.sip()) >= 2, f"{party.user}'s copies")
        mine = [p for p in collector.sip() if p.correlation == f"reg-{party.user}"]
        lab.require(ends(mine, "REGISTER") == {(party.address, party.edge, protocol): 1}, f"{party.user}: {mine}")
        lab.require(ends(mine, "SIP/2.0 200") == {(party.edge, party.address, protocol): 1}, f"{party.user}: {mine}")
        lab.require(answer.encode() in {p.payload for p in mine}, f"{party.user}: not what it got: {mine}")

    # A connection of the edge's.
    caller = raw_sip.Party(site.lan_host(), f"{sites.LAN_EDGE}:5060", user="anna")
    caller.send(caller.request("OPTIONS", "sip:x@tcp.example", call_id="by-tcp"))
    connection, made_from = listening.accept()
    connection.settimeout(lab.PATIENCE)
    request = connection.recv(65535).decode()
    head = [line for line in request.split("\r\n") if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
    connection.sendall("\r\n".join(["SIP/2.0 200 OK", *head, "Content-Length: 0", "", ""]).encode())
    caller.wait("SIP/2.0 200")
    here, there = f"{made_from[0]}:{made_from[1]}", f"{server.address}:5060"
    lab.wait_until(lambda: len([p for p in collector.sip() if p.correlation == "by-tcp"]) == 4, "four copies")
    four_of_it = [p for p in collector.sip() if p.correlation == "by-tcp"]
    lab.require(ends(four_of_it, "OPTIONS") == {(caller.address, f"{sites.LAN_EDGE}:5060", UDP): 1, (here, there, TCP): 1}, f"{four_of_it}")
    lab.require(ends(four_of_it, "SIP/2.0 200") == {(there, here, TCP): 1, (f"{sites.LAN_EDGE}:5060", caller.address, UDP): 1}, f"{four_of_it}")

    # What no datagram has room for is cut; keep-alives are nobody's message.
    long_one = parties[1][0]
    long_one.send("\r\n\r\n")
    text = long_one.send(long_one.request("MESSAGE", "sip:tcp6@example.com", call_id="long", body="x" * 65500))
    cut = lab.wait_until(lambda: [p for p in collector.sip() if p.correlation == "long" and p.source == long_one.address], "the long message")[0]
    lab.require(text.encode().startswith(cut.payload) and 65000 < len(cut.payload) < len(text), f"{len(cut.payload)} of {len(text)} bytes")
    lab.require(max(map(len, collector.datagrams)) == 65507, f"{max(map(len, collector.datagrams))}")
    lab.require(status_of(site, "sipedge")["dropped"] == 0, f"{status_of(site, 'sipedge')}")


def two_call_ids(net):
    """A call to a B2BUA on the WAN that brings it back: Homer finds both by the first Call-ID."""
    site = sites.Site(net)
    collector, other = Collector(site.lan_host()), site.wan_host()
    site.start(hep=wanted(collector))
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.lan_host(), "bob")
    proxy.B2bua(other, "sip:bob@example.com", f"{sites.WAN_EDGE}:5060", f"{sites.WAN_EDGE}:5060")
    phones.call(a, b, uri=f"sip:bob@{other.address}")
    phones.hear_each_other(a, b)
    invites = [p for p in collector.sip() if p.payload.startswith(b"INVITE")]
    first, second = dict.fromkeys(map(call_id, invites))
    lab.require(first in second, f"{first}, {second}")
    known = [p.correlation for p in invites if call_id(p) == second]
    # It came before its description was read.
    lab.require(set(known) == {first}, f"the INVITE of {second} belongs to {known}, not to {first}")
    lab.require({p.correlation for p in invites if call_id(p) == first} == {first}, f"{invites}")
    phones.hang_up(a, b)


def no_collector(net):
    """Nobody listens, nobody is there, nobody reads: calls are as they were."""
    site = sites.Site(net)
    host = site.lan_host()
    site.start(hep={"target": f'"udp:{host.address}:9060"'})
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")

    def a_call():
        phones.call(a, b)
        phones.hear_each_other(a, b)
        phones.hang_up(a, b)
        site.wait_nothing_left()
        return status_of(site, "sipedge")

    refused = a_call()
    lab.require(refused["dropped"] > 0, f"nobody listens: {refused}")
    # A host that does not answer, and more than a socket holds for it.
    retarget(site, "udp:192.168.10.250:9060")
    many = raw_sip.Party(host, f"{sites.LAN_EDGE}:5060", port=5070, user="many")
    for _ in range(600):
        many.send(many.request("OPTIONS", f"sip:{sites.LAN_EDGE}"))
    a_call()
    # Stopped, with a buffer that is full at once.
    stopped = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stopped.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    stopped.bind((host.address, 9060))
    retarget(site, f"udp:{host.address}:9060")
    before = status_of(site, "sipedge")
    after = a_call()
    lab.require(after["sent"] - before["sent"] >= 12 and after["dropped"] == before["dropped"], f"{before}, {after}")
    # No name, no route.
    for target in ("udp:nowhere.invalid", "udp:8.8.8.8"):
        retarget(site, target)
        lab.require(a_call()["dropped"] > after["dropped"], f"{target}: {status_of(site, 'sipedge')}")
    lab.require("address" in status_of(site, "sipedge"), "an address is none")


def retarget(site, target):
    text = site.config.read_text()
    before = text.partition("[hep]\ntarget = ")[2].partition("\n")[0]
    site.config.write_text(text.replace(f"[hep]\ntarget = {before}", f'[hep]\ntarget = "{target}"'))
    sites.natkit(site, "reload")


def by_name(net):
    """A name, another address of it, another target, and none."""
    site = sites.Site(net)
    first, second, server = Collector(site.lan_host()), Collector(site.lan_host()), site.lan_host()
    zone = {("A", "homer.test"): [first.host.address]}
    names.NameServer(server, zone).use()
    site.start(hep={"target": '"udp:homer.test"'})
    party = raw_sip.Party(site.lan_host(), f"{sites.LAN_EDGE}:5060", user="anna")

    def goes_to(collector, number):
        """A message's copies."""
        lab.require(party.register(cseq=number).startswith("SIP/2.0 200"), "not registered")
        want = f"CSeq: {number} REGISTER".encode()
        lab.wait_until(lambda: sum(want in p.payload for p in collector.sip()) == 2, f"two copies at {collector.host.address}")

    lab.wait_until(lambda: "address" in status_of(site, "sipedge"), "the collector's address")
    goes_to(first, 1)
    zone[("A", "homer.test")] = [second.host.address]
    sites.natkit(site, "reload")
    lab.wait_until(lambda: status_of(site, "sipedge")["address"] == second.target[4:], "the name's other address")
    goes_to(second, 2)
    retarget(site, first.target)
    goes_to(first, 3)
    retarget(site, "")
    count = len(first.datagrams)
    lab.require(party.register(cseq=4).startswith("SIP/2.0 200"), "not registered")
    lab.require("hep" not in site.ask("sipedge", "status") and "hep" not in site.ask("mediarelay", "status"), "off, and told of")
    retarget(site, first.target)
    goes_to(first, 5)
    lab.require(len(first.datagrams) == count + 2, "something was sent while there was no target")


if __name__ == "__main__":
    lab.main(everything, transports, two_call_ids, no_collector, by_name)
