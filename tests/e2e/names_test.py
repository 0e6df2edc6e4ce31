#!/usr/bin/env python3
"""Next hops by name: NAPTR, SRV and addresses from a name server of the test's own; where one place is dead, refuses the
connection or is overloaded, the call goes to the next one."""
import pathlib
import re
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import names
import phones
import raw_sip
import site_of_phones as sites


def carrier(net, zone):
    """The site, with a name server on the WAN and a host that answers calls."""
    site = sites.Site(net)
    server = names.NameServer(site.wan_host(), zone).use()  # .50
    answering = site.wan_host()  # .51
    site.start()
    return site, server, answering


def call(site, uri, answering, *options):
    """One call by SIPp from a LAN host to a URI elsewhere, by way of the edge."""
    callee = phones.sipp(answering, "call-uas", *options, name="callee")
    caller = net_caller(site)
    caller.forget()
    caller.dial(uri)
    caller.wait_event("CALL_ESTABLISHED")
    caller.hangup()
    lab.require(callee.wait_exit(120) == 0, "the callee saw something else")
    site.wait_nothing_left()


def net_caller(site, transport="udp"):
    """baresip names its own transport in the URI it calls: then there is no NAPTR to ask for."""
    if not hasattr(site, "caller"):
        site.caller = site.phone(site.lan_host(), "anna", tone=440, transport=transport)
    return site.caller


def srv_with_a_dead_target(net):
    site, server, answering = carrier(net, {
        ("SRV", "_sip._udp.carrier.test"): [(1, 0, 5060, "dead.carrier.test"), (2, 0, 5060, "alive.carrier.test")],
        ("A", "dead.carrier.test"): ["203.0.113.200"], ("A", "alive.carrier.test"): ["203.0.113.51"]})
    call(site, "sip:echo@carrier.test", answering)
    tried = [text for d, text in site.on_wan.sip() if d.destination == "203.0.113.51:5060" and text.startswith("INVITE")]
    lab.require(tried, "the second target was not tried")
    site.natkit.wait_line(r"203.0.113.200:5060 does not serve; trying 203.0.113.51:5060", again=True)
    # The next call knows, and what was asked is remembered.
    asked = len(server.asked)
    given_up = site.natkit.output.count("203.0.113.200:5060 does not serve")
    call(site, "sip:echo@carrier.test", answering)
    lab.require(site.natkit.output.count("203.0.113.200:5060 does not serve") == given_up, "the dead target was tried again")
    lab.require(len(server.asked) == asked, f"asked again: {server.asked[asked:]}")
    site.natkit.stop()


def tcp_by_srv_and_a_refused_connection(net):
    site, _, answering = carrier(net, {
        ("SRV", "_sip._tcp.carrier.test"): [(1, 0, 5999, "alive.carrier.test"), (2, 0, 5060, "alive.carrier.test")],
        ("A", "alive.carrier.test"): ["203.0.113.51"]})
    net_caller(site, "tcp")
    call(site, "sip:echo@carrier.test", answering, "-t", "t1")
    site.natkit.wait_line(r"203.0.113.51:5999 does not serve; trying 203.0.113.51:5060", again=True)
    site.natkit.stop()


def an_overloaded_server_is_passed_over(net):
    site, _, answering = carrier(net, {
        ("SRV", "_sip._udp.carrier.test"): [(1, 0, 5070, "alive.carrier.test"), (2, 0, 5060, "alive.carrier.test")],
        ("A", "alive.carrier.test"): ["203.0.113.51"]})
    busy = answering.socket(socket.AF_INET, socket.SOCK_DGRAM)
    busy.bind(("203.0.113.51", 5070))

    def refuse():
        while True:
            packet, source = busy.recvfrom(65536)
            head = packet.decode().split("\r\n\r\n")[0].split("\r\n")
            if head[0].startswith("INVITE"):
                kept = [line for line in head[1:] if line.split(":")[0] in ("Via", "From", "To", "Call-ID", "CSeq")]
                kept = [line + ";tag=busy" if line.startswith("To:") else line for line in kept]
                busy.sendto("\r\n".join(["SIP/2.0 503 Overloaded", *kept, "Content-Length: 0", "", ""]).encode(), source)
    threading.Thread(target=refuse, daemon=True).start()
    call(site, "sip:echo@carrier.test", answering)
    site.natkit.stop()


def names_that_are_none(net):
    site, server, _ = carrier(net, {("A", "edge.test"): ["203.0.113.10"], ("A", "home.test"): ["127.0.0.1"]})
    caller, seen = net_caller(site), 0
    for uri, status in (("sip:x@nowhere.test", "404"), ("sip:x@edge.test", "404"), ("sip:x@home.test", "404")):
        caller.forget()
        caller.dial(uri)
        caller.wait_event("CALL_CLOSED")
        seen += 1
        lab.wait_until(lambda: sum(t.startswith(f"SIP/2.0 {status}") for _, t in caller.tap.sip()) >= seen, f"{uri}: {status}")
    server.silent = True
    caller.forget()
    caller.dial("sip:x@silent.test")
    caller.wait_event("CALL_CLOSED")
    lab.wait_until(lambda: any("SIP/2.0 503" in text for _, text in caller.tap.sip()), "503")
    # Hanging up while the name is looked up ends the call.
    caller.forget()
    caller.dial("sip:x@other.test")
    caller.hangup()
    lab.wait_until(lambda: any("SIP/2.0 487" in text for _, text in caller.tap.sip()), "487")
    site.wait_nothing_left()
    site.natkit.stop()


def parallel_queries_have_ports_of_their_own(net):
    """An answer is hard to forge as its port has to be guessed too: no two queries that are open at once share one."""
    site, server, _ = carrier(net, {("A", "last.test"): ["203.0.113.51"]})
    server.silent = True
    alice = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="alice")
    wanted = [f"name{number}.test" for number in range(30)]
    for name in wanted:
        alice.send(alice.request("MESSAGE", f"sip:x@{name}"))
    lab.wait_until(lambda: all(name in server.ports for name in wanted), lambda: f"30 names to be asked for: {server.ports}")
    ports = [port for name in wanted for port in server.ports[name]]
    lab.require(len(set(ports)) == len(ports) >= 30, f"queries shared a port: {sorted(ports)}")
    for _ in wanted:
        alice.wait("SIP/2.0 503")
    # All of them are over, and their sockets closed; names are looked up as before.
    edge = site.pid("sipedge")
    lab.wait_until(lambda: not open_queries(edge, server), "the sockets to be closed")
    server.silent = False
    alice.send(alice.request("MESSAGE", "sip:x@last.test"))
    lab.wait_until(lambda: any(d.destination == "203.0.113.51:5060" and text.startswith("MESSAGE") for d, text in site.on_wan.sip()), "last.test to be found")
    site.natkit.stop()


def open_queries(pid, server):
    """UDP sockets of the process's network namespace that are connected to the name server."""
    host = "".join(f"{int(part):02X}" for part in reversed(server.address.split(".")))
    return [line for line in pathlib.Path(f"/proc/{pid}/net/udp").read_text().splitlines() if f" {host}:0035 " in line]


def a_named_server_calls_first(net):
    """A trunk that is known by its name alone is itself from the start, and after a reload: nothing was sent there before."""
    site = sites.Site(net)
    server = names.NameServer(site.wan_host(), {("A", "trunk.test"): ["203.0.113.51"], ("A", "other.test"): ["203.0.113.52"]}).use()
    trunk, other = (raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="trunk", domain="carrier.example") for _ in range(2))
    routes = lambda name: {"sip.routes": {'"carrier.example"': f'{{ to = "sip:{name}", kind = "trunk" }}'}}
    site.start(registrar={"open": "false"}, **routes("trunk.test"))
    alice = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="alice")
    lab.require(alice.register().startswith("SIP/2.0 200"), "alice could not register")

    def trusted(party):
        party.send(party.request("INVITE", "sip:alice@example.com", headers=["P-Asserted-Identity: <sip:+1@carrier.example>"]))
        invite = alice.wait("INVITE")
        alice.answer(invite, 486)
        return "P-Asserted-Identity" in invite
    lab.wait_until(lambda: ("A", "trunk.test") in server.asked, "the name to be looked up")
    lab.wait_until(lambda: trusted(trunk), "the trunk to be known")
    lab.require(not trusted(other), "somebody else counts as the trunk")
    site.write_config(registrar={"open": "false"}, **routes("other.test"))
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 0, f"reload: {done}")
    lab.wait_until(lambda: trusted(other), "the new trunk to be known")
    lab.require(not trusted(trunk), "the old trunk still counts")
    site.natkit.stop()


def names_in_descriptions(net):
    """c= names a host: media get there; where the name leads nowhere, or to loopback, the call is refused."""
    site = sites.Site(net)
    names.NameServer(site.wan_host(), {("A", "media.test"): ["203.0.113.51"], ("A", "home.test"): ["127.0.0.1"]}).use()
    carl = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="carl", domain="elsewhere.example")  # .51
    site.start(registrar={"open": "false"})
    alice = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="alice")
    lab.require(alice.register().startswith("SIP/2.0 200"), "alice could not register")

    def offer(name):
        return carl.request("INVITE", "sip:alice@example.com", body=carl.sdp().replace("c=IN IP4 203.0.113.51", f"c=IN IP4 {name}"))
    for name in ("nowhere.test", "home.test"):
        lab.require(carl.status(offer(name)) == 488, f"{name} was not refused")
    asked = offer("media.test")
    carl.send(asked)
    invite = alice.wait("INVITE")
    alice.answer(invite, 200, body=alice.sdp())
    carl.wait("SIP/2.0 200")
    port = int(re.search(r"m=audio (\d+)", invite)[1])
    voice = {party: party.host.socket(socket.AF_INET, socket.SOCK_DGRAM) for party in (alice, carl)}
    for party, phone in voice.items():
        phone.bind((party.host.address, 4000))
    rtp = bytes([0x80, 0]) + bytes(170)

    def heard():
        voice[alice].sendto(rtp, (sites.LAN_EDGE.partition(":")[0], port))
        voice[carl].settimeout(0.2)
        try:
            return voice[carl].recv(2000) == rtp
        except TimeoutError:
            return False
    lab.wait_until(heard, "media at the place that is named")
    site.natkit.wait_line(r"'home.test' in a description: it leads to 127.0.0.1, where no media may be sent", again=True)
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(srv_with_a_dead_target, tcp_by_srv_and_a_refused_connection, an_overloaded_server_is_passed_over, names_that_are_none,
             parallel_queries_have_ports_of_their_own, a_named_server_calls_first, names_in_descriptions)
