#!/usr/bin/env python3
"""Phones over TCP: behind a NAT registered, calling and called; a connection that ends takes its registration along, what is
sent to it later gets 430, and nothing ever connects to a phone behind a NAT."""
import os
import pathlib
import re
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites


def talk(site, caller, callee):
    phones.call(caller, callee)
    phones.hear_each_other(caller, callee)
    phones.hang_up(callee, caller)
    site.wait_nothing_left()


def clients(site):
    return {c["aor"]: c for c in site.ask("sipedge", "clients")["clients"]}


def behind_a_nat_calling_and_called(net):
    site = sites.Site(net).start()
    bob = site.phone(site.home_host(), "bob", tone=600, transport="tcp")
    alice = site.phone(site.wan_host(), "alice", tone=440)
    anna = site.phone(site.lan_host(), "anna", tone=500, transport="tcp")
    dora = site.phone(site.home_host("symmetric"), "dora", tone=700, transport="tcp")
    known = clients(site)
    lab.require(known["sip:bob@example.com"]["flow"]["transport"] == "tcp", f"{known}")
    lab.require(known["sip:bob@example.com"]["place"] == "far-end" and known["sip:anna@example.com"]["place"] == "lan", f"{known}")
    for caller, callee in ((bob, alice), (alice, bob), (anna, bob), (bob, dora), (dora, anna)):
        talk(site, caller, callee)
    edge = f"{sites.WAN_EDGE}:5060"
    sip = [text for d, text in site.on_wan.sip() if d.source == edge and "bob" in text.split("\r\n", 1)[0]]
    lab.require(not sip, f"a request to a TCP phone went by UDP: {sip[:1]}")


def a_connection_that_ends_is_the_end_of_its_client(net):
    site = sites.Site(net).start()
    host = site.home_host()
    bob = site.phone(host, "bob", tone=600, transport="tcp")
    alice = site.phone(site.wan_host(), "alice", tone=440)
    phones.call(alice, bob)
    bob.program.kill()  # the kernel closes the connection
    lab.wait_until(lambda: "sip:bob@example.com" not in clients(site), "the registration to be gone")
    site.natkit.wait_line(r"client bob@example.com at 203.0.113.30:\d+: its connection is over", again=True)
    alice.hangup()
    lab.wait_until(lambda: any("SIP/2.0 430" in text for _, text in alice.tap.sip()), "430 to a request in the dialog")
    site.wait_nothing_left()
    alice.forget()
    alice.dial(bob.aor)
    alice.wait_event("CALL_CLOSED")
    made = [c for c in site.edge.sockets("tcp") if "sipedge" in c[1] and not c[0].endswith(":5060")]
    lab.require(not made, f"connections made by the edge: {made}")


def a_restarted_edge_waits_for_them(net):
    site = sites.Site(net).start(registrar={"min_expires": '"10s"'})
    bob = site.phone(site.home_host(), "bob", tone=600, transport="tcp", expires=12)
    alice = site.phone(site.wan_host(), "alice", tone=440)
    dora = site.phone(site.home_host(), "dora", tone=700, transport="tcp")
    alan = site.phone(site.wan_host(), "alan", tone=500)
    phones.call(alan, dora)
    phones.call(alice, bob)
    phones.hear_each_other(alice, bob)
    dora.program.signal(signal.SIGSTOP)  # this one does not come back
    before = clients(site)["sip:bob@example.com"]["flow"]["connection"]
    os.kill(site.pid("sipedge"), signal.SIGKILL)
    site.natkit.wait_line(r"client bob@example.com at .* its connection ended with the restart", again=True)
    alan.hangup()
    lab.wait_until(lambda: any("SIP/2.0 430" in text for _, text in alan.tap.sip()), "430 to a request in the dialog after the restart")
    dora.program.kill()
    # Media goes on; the phone comes back by itself, on a connection that is another one.
    phones.hear_each_other(alice, bob, packets=len(bob.heard()) + 100)
    lab.wait_until(lambda: "sip:bob@example.com" in clients(site), "bob to be back", 60)
    lab.require(clients(site)["sip:bob@example.com"]["flow"]["connection"] != before, "an old connection's number again")
    alice.hangup()
    site.wait_nothing_left()
    talk(site, alice, bob)


def message(method, to, transport, body=""):
    return (f"{method} sip:{to} SIP/2.0\r\nVia: SIP/2.0/{transport} 192.0.2.9:5060;branch=z9hG4bK{method}{to};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:x@example.com>;tag=1\r\nTo: <sip:{to}>\r\nCall-ID: {method}{to}\r\n"
            f"CSeq: 1 {method}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode()


def framing_and_keepalives(net):
    site = sites.Site(net).start()
    host = site.wan_host()

    def connected():
        stream = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.settimeout(lab.PATIENCE)
        stream.connect((sites.WAN_EDGE, 5060))
        return stream

    def answers(stream, count):
        text = b""
        while text.count(b"SIP/2.0 200 OK") < count:
            more = stream.recv(65536)
            lab.require(more, f"closed after {text!r}")
            text += more
        return text.decode()

    options = message("OPTIONS", sites.WAN_EDGE, "TCP")
    stream = connected()
    stream.sendall(b"\r\n\r\n")
    lab.require(stream.recv(9) == b"\r\n", "CRLFCRLF wants one CRLF")
    for piece in (options[:30], options[30:] + b"\r\n" + options.replace(b"OPTIONS203", b"OPTIONSb203")):
        stream.sendall(piece)
    text = answers(stream, 2)
    lab.require(re.search(r"Via: SIP/2.0/TCP 192.0.2.9:5060;[^\r]*received=203.0.113.50", text), text)
    for nonsense in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", options.replace(b"Content-Length: 0", b"Content-Length: 99999"),
                     options.replace(b"Content-Length: 0\r\n", b"")):
        stream = connected()
        stream.sendall(nonsense)
        lab.require(stream.recv(9) == b"", f"not closed after {nonsense[:40]!r}")


if __name__ == "__main__":
    lab.main(behind_a_nat_calling_and_called, a_connection_that_ends_is_the_end_of_its_client, a_restarted_edge_waits_for_them,
             framing_and_keepalives)
