#!/usr/bin/env python3
"""mediarelay's TCP and T.120 parties, on the LAN, the WAN and behind a NAT: who may connect, who is dialled, who is waited for, and what
signalling changes."""
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from streams import Server, both_ways, connect, read, read_all, sent_away, was_reset
from tcp_site import active, nothing_left, passive, site


def who_may_connect(net):
    """A stranger that connects first is reset and counted; the party gets through; the roles are kept; no more than agreed."""
    edge, phone, peer = site(net)
    stranger = net.host("stranger").attach("eth0", edge.wan, "203.0.113.51/24")
    control = edge.control().watch()
    server = Server(phone)
    made = control.ask("relay", stream="tcp", call_id="guard", a={"party": active("203.0.113.50")}, b={"party": passive(server)})
    local = made["a"]["local"]
    lab.require(sent_away(stranger, local), "a stranger was not reset")
    drop = control.record(lambda r: r["type"] == "drop")
    lab.require(drop["reason"] == "wrong-address" and drop["source"].startswith("203.0.113.51:"), drop)
    lab.require(server.nobody(), "the stranger led to a connection")
    lab.require(sent_away(phone, made["b"]["local"]), "a party that listens connected itself")
    drop = control.record(lambda r: r["type"] == "drop")
    lab.require(drop["reason"] == "wrong-role", drop)
    a = connect(peer, local)
    b = server.take()
    both_ways(a, b, 1 << 16)
    more = [connect(peer, local) for _ in range(3)]
    lab.require(server.nobody(), "more connections than agreed were relayed")
    lab.require(sent_away(stranger, local), "a stranger was not reset")
    both_ways(a, b, 1 << 16)
    counted = control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]
    lab.require(counted["drops"] == {"wrong-address": 2} and counted["connections"]["waiting"] == 3, counted)
    # The next one's turn comes when the one before has ended.
    a.close(), b.close()
    second = server.take()
    both_ways(more[0], second, 1 << 16)
    for each in more:
        each.close()
    control.ask("free", call_id="guard")
    # Two at once, where two were agreed.
    made = control.ask("relay", stream="t120", connections=2, call_id="two", a={"party": active("203.0.113.50")}, b={"party": passive(server)})
    pairs = [(connect(peer, made["a"]["local"]), server.take()) for _ in range(2)]
    for a, b in pairs:
        both_ways(a, b, 1 << 16)
    third = connect(peer, made["a"]["local"])
    lab.require(server.nobody(), "a third connection was relayed")
    lab.require("error" in control.answer(control.send("relay", stream="tcp", connections=9, a={"party": active("203.0.113.50")}, b={})), "nine")
    control.ask("free", call_id="two")
    lab.require(not third.recv(1), "a freed leg kept a connection")
    for party, words in (({"place": "wan", "setup": "passive", "endpoint": "192.168.10.5:22"}, "in the LAN"),
                         ({"place": "wan", "setup": "passive", "endpoint": "127.0.0.1:22"}, "loopback"),
                         ({"place": "wan", "setup": "passive", "endpoint": "203.0.113.10:22"}, "address of this host"),
                         ({"place": "far-end", "setup": "passive", "visible": "10.0.0.1", "endpoint": "10.0.0.1:22"}, "private"),
                         ({"place": "wan", "setup": "sideways", "endpoint": "203.0.113.50:22"}, "'sideways' is not one of")):
        error = control.refused("open", stream="tcp", side="wan", party=party)
        lab.require(words in error["message"], f"{party}: {error}")
    rtp, tcp = control.ask("open", side="lan"), control.ask("open", side="lan", stream="tcp")
    lab.require("cannot be joined" in control.refused("join", a=rtp["leg"], b=tcp["leg"])["message"], "audio joined with TCP")
    control.ask("free", legs=[rtp["leg"], tcp["leg"]])
    nothing_left(edge, control)


def parties_that_never_answer(net):
    """A dialled party that does not listen, or is silent; the one that did connect learns it, and later ones work."""
    edge, phone, peer = site(net)
    control = edge.control().watch()
    # Both are to connect, and one never does: the other one waits for half a minute. Looked at again in the end.
    alone = control.ask("relay", stream="tcp", call_id="alone", a={"party": active("192.168.10.5")}, b={"party": active("203.0.113.50")})
    lonely, since = connect(phone, alone["a"]["local"]), time.monotonic()
    server = Server(peer, port=5000)
    server.close()
    made = control.ask("relay", stream="tcp", call_id="deaf", a={"party": active("192.168.10.5")},
                       b={"party": {"setup": "passive", "endpoint": "203.0.113.50:5000"}})
    lab.require(sent_away(phone, made["a"]["local"]), "nobody listens, and the caller was not told")
    drop = control.record(lambda r: r["type"] == "drop")
    lab.require((drop["reason"], drop["destination"], drop["cause"]) == ("not-connected", "203.0.113.50:5000", "connection refused"), drop)
    edge.program.wait_line("cannot connect to 203.0.113.50:5000: connection refused")
    peer.nft("table inet deaf { chain in { type filter hook input priority 0; tcp dport 5000 drop; }; }")
    waiting = connect(phone, made["a"]["local"])
    waiting.sendall(b"early bytes")
    lab.require(was_reset(waiting, 90), "the dialled party is silent, and the caller was not told")
    counted = control.ask("show", leg=made["b"]["leg"])["legs"][0]["statistics"]
    lab.require(counted["connections"] == {"open": 0, "waiting": 0, "opened": 0, "failed": 2}, counted)
    peer.nft("delete table inet deaf")
    server = Server(peer, port=5000)
    early = connect(phone, made["a"]["local"])
    early.sendall(b"early bytes")
    late = server.take()
    lab.require(read(late, 11) == b"early bytes", "what was sent before the other half was there")
    both_ways(early, late, 1 << 16)
    lab.require(was_reset(lonely, 120), "the other party never connected, and the one that waits was not told")
    lab.require(29 < time.monotonic() - since < 90, f"told after {time.monotonic() - since:.0f} s")
    drop = control.record(lambda r: r["type"] == "drop" and r["reason"] == "not-met")
    lab.require(drop["leg"] == alone["a"]["leg"], drop)


def either(net):
    """actpass: the party is dialled where it listens, and may connect where it does not; with several at once none is to spare."""
    edge, phone, peer = site(net)
    control = edge.control().watch()
    server = Server(peer, port=5000)
    made = control.ask("relay", stream="tcp", call_id="either", connections=2, a={"party": active("192.168.10.5")},
                       b={"party": {"setup": "actpass", "endpoint": server.endpoint}})
    both_ways(connect(phone, made["a"]["local"]), server.take(), 1 << 16)
    server.close()
    a = connect(phone, made["a"]["local"])
    a.sendall(b"early")
    drop = control.record(lambda r: r["type"] == "drop")
    lab.require(drop["reason"] == "not-connected", drop)
    b = connect(peer, made["b"]["local"])
    lab.require(read(b, 5) == b"early", "what waited")
    both_ways(a, b, 1 << 16)
    # It is being dialled, without an answer, and connects.
    control.ask("free", call_id="either")
    peer.nft("table inet deaf { chain in { type filter hook input priority 0; tcp dport 5000 drop; }; }")
    made = control.ask("relay", stream="tcp", call_id="both", connections=2, a={"party": active("192.168.10.5")},
                       b={"party": {"setup": "actpass", "endpoint": "203.0.113.50:5000"}})
    pairs = [(connect(phone, made["a"]["local"]), connect(peer, made["b"]["local"])) for _ in range(2)]
    for a, b in pairs:
        both_ways(a, b, 1 << 16)
    counted = control.ask("show", leg=made["b"]["leg"])["legs"][0]["statistics"]["connections"]
    lab.require((counted["open"], counted["waiting"]) == (2, 0), counted)


def the_next_one(net):
    """A party that has ended its direction opens the next connection: the old one ends when the other direction is complete, or stands still."""
    edge, phone, peer = site(net)
    control = edge.control().watch()
    server = Server(peer)
    made = control.ask("relay", stream="tcp", call_id="next", a={"party": active("192.168.10.5")}, b={"party": passive(server)})
    a, b = connect(phone, made["a"]["local"]), server.take()
    a.shutdown(socket.SHUT_WR)
    lab.require(b.recv(1) == b"", "the end of a direction")
    second = connect(phone, made["a"]["local"])
    for n in range(20):  # longer than an idle one would be kept
        b.sendall(b"%05d" % n)
        lab.require(server.nobody(0.25), "the next one took the place of one that still carries bytes")
    b.close()
    lab.require(read_all(a) == b"".join(b"%05d" % n for n in range(20)), "the answer was cut short")
    both_ways(second, server.take(), 1 << 16)
    second.close()
    # The other side neither sends nor ends: it is reset, which does not look complete.
    a, b = connect(phone, made["a"]["local"]), server.take()
    b.sendall(b"half an answer")
    lab.require(read(a, 14) == b"half an answer", "the answer")
    a.shutdown(socket.SHUT_WR)
    second = connect(phone, made["a"]["local"])
    both_ways(second, server.take(60), 1 << 16)
    lab.require(was_reset(a), "what was cut short looks complete to its reader")
    try:
        b.sendall(b"the other half")
        lab.require(False, "what was cut short looks complete to its writer")
    except (BrokenPipeError, ConnectionResetError):
        pass
    ended = control.record(lambda r: r.get("reason") == "replaced")
    lab.require(ended["event"] == "disconnected", ended)


def far_end(net):
    """Behind a NAT: the party that connects is taken by its visible address; one that listens is dialled once, at a forwarded port."""
    edge, phone, _ = site(net)
    home = net.segment("home")
    nat = net.nat("nat", "port-restricted", home, "192.168.1.1/24", edge.wan, "203.0.113.20/24")
    far = net.host("far").attach("eth0", home, "192.168.1.10/24").default_route("192.168.1.1")
    control = edge.control().watch()
    server = Server(phone)
    made = control.ask("relay", stream="t120", call_id="out", a={"party": {"place": "far-end", "visible": "203.0.113.20", "setup": "active",
                                                                        "endpoint": "192.168.1.10:9"}}, b={"party": passive(server)})
    a = connect(far, made["a"]["local"])
    both_ways(a, server.take(), 1 << 20)
    up = control.record(lambda r: r.get("event") == "connected")
    lab.require(up["ends"]["a"]["rule"] == "latch" and up["ends"]["a"]["endpoint"].startswith("203.0.113.20:"), up)
    # It listens, and nothing is forwarded: dialled once, told with the remedies, and not dialled again.
    behind = Server(far, port=1503)
    party = {"place": "far-end", "visible": "203.0.113.20", "endpoint": "192.168.1.10"}
    made = control.ask("relay", stream="t120", call_id="in", a={"party": party}, b={"party": active("192.168.10.5")})
    lab.require(sent_away(phone, made["b"]["local"], 90), "not told that the far-end party cannot be reached")
    line = edge.program.wait_line("cannot connect to 203.0.113.20:1503: .*")[0]
    lab.require("(1) its NAT forwards" in line and "(2)" in line and "(3)" in line, line)
    lab.require(sent_away(phone, made["b"]["local"]), "dialled again")
    lab.require(control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]["connections"]["failed"] == 1, "dialled again")
    # The port is forwarded; signalling speaks again.
    nat.nft("""table ip forwarded {
        chain pre { type nat hook prerouting priority dstnat; iifname "out0" tcp dport 1503 dnat to 192.168.1.10; }; }
        add rule ip gate forward ct status dnat accept
""")
    control.ask("update", leg=made["a"]["leg"], connection="new")
    b = connect(phone, made["b"]["local"])
    both_ways(behind.take(), b, 1 << 20)
    up = control.record(lambda r: r.get("event") == "connected")
    lab.require(up["ends"]["a"] == {"endpoint": "203.0.113.20:1503", "rule": "forwarded-port"}, up)


def signalling_again(net):
    """Connections one after another; connection new and existing; holdconn; both listening; both connecting; another address."""
    edge, phone, peer = site(net)
    control = edge.control().watch()
    server = Server(peer)
    made = control.ask("relay", stream="tcp", call_id="again", a={"party": active("192.168.10.5")}, b={"party": passive(server)})
    for _ in range(5):
        a, b = connect(phone, made["a"]["local"]), server.take()
        both_ways(a, b, 1 << 12)
        a.close(), b.close()
    a, b = connect(phone, made["a"]["local"]), server.take()
    control.ask("update", leg=made["a"]["leg"], connection="existing")
    both_ways(a, b, 1 << 12)
    control.ask("update", leg=made["a"]["leg"], connection="new")
    both_ways(a, b, 1 << 12)  # until the new one is there
    a2, b2 = connect(phone, made["a"]["local"]), server.take()
    both_ways(a2, b2, 1 << 12)
    lab.require(a.recv(1) == b"" and b.recv(1) == b"", "the old connection lives beside the new one")
    # On hold by holdconn nobody connects; what is there stays.
    control.ask("update", leg=made["a"]["leg"], party={"place": "lan", "setup": "holdconn", "endpoint": "192.168.10.5:9"})
    lab.require(sent_away(phone, made["a"]["local"]), "connected on holdconn")
    both_ways(a2, b2, 1 << 12)
    # Another address: the connection of the one before ends.
    control.ask("update", leg=made["a"]["leg"], party={"place": "lan", "setup": "active", "endpoint": "192.168.10.6:9"})
    lab.require(a2.recv(1) == b"" and b2.recv(1) == b"", "the old party's connection lives on")
    control.ask("free", call_id="again")
    # Both listen: both are dialled when they are joined. Both connect: the first waits for the second.
    other = Server(phone)
    made = control.ask("relay", stream="tcp", call_id="listen", a={"party": passive(other)}, b={"party": passive(server)})
    both_ways(other.take(), server.take(), 1 << 16)
    made = control.ask("relay", stream="tcp", call_id="dial", a={"party": active("192.168.10.5")}, b={"party": active("203.0.113.50")})
    a = connect(phone, made["a"]["local"])
    a.sendall(b"first")
    b = connect(peer, made["b"]["local"])
    lab.require(read(b, 5) == b"first", "what waited")
    both_ways(a, b, 1 << 16)
    # A connection may come before its leg is joined.
    la = control.ask("open", stream="tcp", call_id="early", party={**active("192.168.10.5"), "place": "lan"})
    lb = control.ask("open", stream="tcp", call_id="early", party={**passive(server), "place": "wan"})
    a = connect(phone, la["local"])
    control.ask("join", a=la["leg"], b=lb["leg"])
    b = server.take()
    both_ways(a, b, 1 << 12)
    control.ask("part", leg=la["leg"])
    lab.require(a.recv(1) == b"" and b.recv(1) == b"", "a parted leg kept its connection")
    control.ask("join", a=la["leg"], b=lb["leg"])
    both_ways(connect(phone, la["local"]), server.take(), 1 << 12)
    for call in ("listen", "dial", "early"):
        control.ask("free", call_id=call)
    nothing_left(edge, control)


if __name__ == "__main__":
    lab.main(who_may_connect, parties_that_never_answer, either, the_next_one, far_end, signalling_again)
