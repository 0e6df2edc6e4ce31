#!/usr/bin/env python3
"""mediarelay relays TCP and T.120 between LAN, WAN and far-end parties, both families: bulk, small writes, half-close and reset
both ways, by the bytes' checksums; who may connect, who is dialled, what is counted."""
import json
import os
import pathlib
import signal
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media
from media import Edge, Peer
from streams import Sender, Server, alive, both_ways, connect, digest, noise, read, read_all, reset, sent_away, was_reset


def site(net, **options):
    edge = Edge(net, **options).serve()
    phone = net.host("phone").attach("eth0", edge.lan, "192.168.10.5/24", "fd00:10::5/64")
    peer = net.host("peer").attach("eth0", edge.wan, "203.0.113.50/24", "2001:db8::50/64")
    return edge, phone, peer


def active(address):
    """A party that connects: its port says nothing (RFC 4145 section 4.1)."""
    return {"setup": "active", "endpoint": f"[{address}]:9" if ":" in address else f"{address}:9"}


def passive(server):
    return {"setup": "passive", "endpoint": server.endpoint}


def nothing_left(edge, control):
    """No connection, no leg, no port."""
    lab.require(control.ask("status")["legs"] == 0, "legs are left")
    lab.wait_until(lambda: not any(":20" in local for local in alive(edge.host)), "all sockets closed")


def bulk_and_small_writes(net):
    """LAN to WAN and WAN to LAN, both families and between them, bulk both ways at once and small writes one by one."""
    edge, phone, peer = site(net)
    control = edge.control()
    ways = [(phone, "192.168.10.5", peer, "203.0.113.50"), (peer, "203.0.113.50", phone, "192.168.10.5"),
            (phone, "fd00:10::5", peer, "2001:db8::50"), (phone, "192.168.10.5", peer, "2001:db8::50"), (peer, "203.0.113.50", phone, "fd00:10::5")]
    for host, address, other, other_address in ways:
        server = Server(other, other_address)
        made = control.ask("relay", stream="tcp", call_id="bulk", a={"party": active(address)}, b={"party": passive(server)})
        lab.require("rtcp" not in made["a"], made)
        a = connect(host, made["a"]["local"], address)
        b = server.take()
        lab.require(b.getpeername()[0] == made["b"]["local"].rpartition(":")[0].strip("[]"), f"dialled from {b.getpeername()}")
        both_ways(a, b, 8 << 20)
        for n in range(200):
            a.sendall(b"%d" % n)
            lab.require(read(b, len(b"%d" % n)) == b"%d" % n, "a small write")
            b.sendall(b"reply %d" % n)
            lab.require(read(a, len(b"reply %d" % n)) == b"reply %d" % n, "a small reply")
        counted = control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]
        sent = (8 << 20) + sum(len(b"%d" % n) for n in range(200))
        lab.require(counted["received"]["bytes"] == sent and counted["connections"]["open"] == 1, counted)
        lab.require(counted["connections"]["remotes"][0]["rule"] == "port-learned", counted)
        a.close(), b.close(), server.close()
        control.ask("free", call_id="bulk")
    nothing_left(edge, control)


def half_close_and_reset(net):
    edge, phone, peer = site(net)
    control = edge.control().watch()
    server = Server(peer)
    made = control.ask("relay", stream="tcp", call_id="ends", a={"party": active("192.168.10.5")}, b={"party": passive(server)})

    def pair():
        a = connect(phone, made["a"]["local"])
        return a, server.take()

    def ended(reason):
        record = control.record(lambda r: r.get("event") == "disconnected")
        lab.require(record["reason"] == reason, record)
        return record

    question, answer = noise(3 << 20, 3), noise(5 << 20, 4)
    for first, second in ((0, 1), (1, 0)):
        ends = pair()
        Sender(ends[first], question, end=True)
        lab.require(digest(read_all(ends[second])) == digest(question), "what came before the end of a direction")
        Sender(ends[second], answer, end=True)  # the other direction lives on
        lab.require(digest(read_all(ends[first])) == digest(answer), "what came after the end of the other direction")
        record = ended("closed")
        bytes_of = {name: each["received_bytes"] for name, each in record["ends"].items()}
        lab.require(bytes_of == dict(zip("ab" if first == 0 else "ba", (len(question), len(answer)))), record)
        for end in ends:
            end.close()
    for first, second in ((0, 1), (1, 0)):
        ends = pair()
        both_ways(*ends, 1 << 16)
        reset(ends[first])
        lab.require(was_reset(ends[second]), "a reset became an end in order")
        ended("reset")
    # A side that is gone is noticed though the other one reads nothing and so nothing is read from it.
    a, b = pair()
    Sender(a, noise(64 << 20, 5))
    lab.wait_until(lambda: control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]["received"].get("idle_ms", 0) > 500, "the stream to stop")
    reset(a)
    ended("reset")
    lab.require(was_reset(b), "not reset")
    control.ask("free", call_id="ends")
    nothing_left(edge, control)


def a_reader_that_stops(net):
    """Back-pressure: the writer is held, the relay keeps a bounded part, and not a byte is lost."""
    edge, phone, peer = site(net)
    control = edge.control()
    server = Server(peer)
    made = control.ask("relay", stream="tcp", a={"party": active("192.168.10.5")}, b={"party": passive(server)})
    a = connect(phone, made["a"]["local"])
    b = server.take()
    resident = lambda: int(pathlib.Path(f"/proc/{edge.program.pid}/statm").read_text().split()[1]) * 4096
    before, data = resident(), noise(64 << 20, 6)
    a.settimeout(60)
    sender = Sender(a, data, end=True)
    taken = lambda: control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]
    stopped = lab.wait_until(lambda: (s := taken())["received"].get("idle_ms", 0) > 1000 and s, "the writer to be held")
    held = stopped["received"]["bytes"] - taken()["sent"]["bytes"]
    passed = control.ask("show", leg=made["b"]["leg"])["legs"][0]["statistics"]["sent"]["bytes"]
    lab.require(sender.is_alive() and stopped["received"]["bytes"] < 32 << 20, f"the writer was not held: {stopped}")
    lab.require(stopped["received"]["bytes"] - passed <= 1 << 20, f"{held} bytes in the relay")
    lab.require(resident() - before < 4 << 20, f"{resident() - before} bytes more of memory")
    b.settimeout(60)
    lab.require(digest(read_all(b)) == digest(data), "the bytes differ after the pause")
    sender.join(5)
    a.close(), b.close()


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
    lab.require(was_reset(waiting, 30), "the dialled party is silent, and the caller was not told")
    counted = control.ask("show", leg=made["b"]["leg"])["legs"][0]["statistics"]
    lab.require(counted["connections"] == {"open": 0, "waiting": 0, "opened": 0, "failed": 2}, counted)
    peer.nft("delete table inet deaf")
    server = Server(peer, port=5000)
    early = connect(phone, made["a"]["local"])
    early.sendall(b"early bytes")
    late = server.take()
    lab.require(read(late, 11) == b"early bytes", "what was sent before the other half was there")
    both_ways(early, late, 1 << 16)


def thousand_connections(net):
    """Opened and dropped one after another in every way: nothing is leaked, and what was sent in order arrives."""
    # The sanitizer keeps freed memory for a while to find late uses; here that would look like a leak.
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1"
    edge, phone, peer = site(net)
    del os.environ["ASAN_OPTIONS"]
    control = edge.control()
    server = Server(peer, backlog=1024)
    pid = edge.program.pid
    descriptors = lambda: len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))
    resident = lambda: int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096
    made = control.ask("relay", stream="tcp", call_id="many", connections=4, a={"party": active("192.168.10.5")}, b={"party": passive(server)})
    got, ending = [], threading.Event()

    def serve():
        while not ending.is_set():
            try:
                connection = server.take(0.2)
            except TimeoutError:
                continue
            try:
                got.append(read_all(connection))
            except OSError:
                pass  # that one was reset
            connection.close()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    started, memory = None, None
    for n in range(1000):
        a = connect(phone, made["a"]["local"])
        if n % 4 == 0:
            reset(a)
        elif n % 4 == 1:
            a.close()  # nothing sent
        else:
            a.sendall(b"message %d" % n)
            a.shutdown(socket.SHUT_WR)
            lab.require(a.recv(1) == b"", "something came back")
            a.close()
        if n == 200:
            lab.wait_until(lambda: control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]["connections"]["waiting"] == 0, "calm")
            started, memory = descriptors(), resident()
    want = {b"message %d" % n for n in range(1000) if n % 4 > 1}
    lab.wait_until(lambda: want <= set(got), "every message", 30)
    lab.wait_until(lambda: (c := control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]["connections"])["open"] == c["waiting"] == 0, "all ended")
    ending.set()
    lab.require(descriptors() <= started + 2, f"{started} descriptors became {descriptors()}")
    lab.require(resident() - memory < 6 << 20, f"{resident() - memory} bytes more of memory")
    control.ask("free", call_id="many")
    nothing_left(edge, control)


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
    lab.require(sent_away(phone, made["b"]["local"], 30), "not told that the far-end party cannot be reached")
    line = edge.program.wait_line("cannot connect to 203.0.113.20:1503: .*")[0]
    lab.require("(1) its NAT forwards" in line and "(2)" in line and "(3)" in line, line)
    lab.require(sent_away(phone, made["b"]["local"], 2), "dialled again")
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


def killed(net):
    """TCP media dies with its process; the next one listens at the same ports, and new connections work."""
    edge, phone, peer = site(net)
    control = edge.control()
    server = Server(peer)
    made = control.ask("relay", stream="tcp", call_id="kill", owner="me", a={"party": active("192.168.10.5")}, b={"party": passive(server)})
    a, b = connect(phone, made["a"]["local"]), server.take()
    both_ways(a, b, 1 << 16)
    before = control.ask("list")["legs"]
    edge.program.kill()
    for end in (a, b):
        try:
            lab.require(end.recv(1) == b"", "something came from a dead process")
        except ConnectionResetError:
            pass
    edge.serve()
    control = edge.control("again")
    after = {leg["leg"]: leg for leg in control.ask("list")["legs"]}
    lab.require(len(after) == len(before), f"{len(after)} legs of {len(before)}")
    for old in before:
        new = after.get(old["leg"], {})
        lab.require(all(new.get(k) == old.get(k) for k in ("leg", "local", "party", "joined", "state", "stream", "owner")), f"{old} became {new}")
    both_ways(connect(phone, made["a"]["local"]), server.take(), 1 << 16)


def silence_and_audio(net):
    """Without a connection a join is freed after the time-out, unless the call's audio goes on; one that is up may be idle."""
    edge, phone, peer = site(net, media='timeout = "2s"')
    control = edge.control().watch()
    server = Server(peer)
    parties = {"a": {"party": active("192.168.10.5")}, "b": {"party": passive(server)}}
    lone = control.ask("relay", stream="tcp", call_id="lone", **parties)
    idle = control.ask("relay", stream="tcp", call_id="idle", **parties)
    shared = control.ask("relay", stream="t120", call_id="shared", **parties)
    a, b = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)
    audio = control.ask("relay", call_id="shared", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    quiet = connect(phone, idle["a"]["local"]), server.take()
    ending = threading.Event()

    def speak():
        while not ending.wait(0.1):
            a.speak(audio["a"]["local"], 1)
            b.speak(audio["b"]["local"], 2)

    threading.Thread(target=speak, daemon=True).start()
    timeout = control.record(lambda r: r["type"] == "timeout")
    lab.require(set(timeout["legs"]) == {lone["a"]["leg"], lone["b"]["leg"]} and timeout["reason"] == "timeout", timeout)
    edge.program.wait_line("no connection for .*freed")
    # Four time-outs' worth of waiting would be needed to see what does not happen; two show it.
    lab.require(_nothing(control, 4), "a stream of a living call was freed")
    both_ways(*quiet, 1 << 12)
    both_ways(connect(phone, shared["a"]["local"]), server.take(), 1 << 12)
    ending.set()


def _nothing(control, seconds):
    try:
        record = control.record(lambda r: r["type"] == "timeout", seconds)
    except lab.Failure:
        return True
    print(record)
    return False


def run_in_a_script(net):
    edge, phone, peer = site(net)
    server = Server(peer, port=5000)
    program = edge.host.start("run", media.PROGRAM, "run", "--config", edge.config, "--tcp", "--a", "192.168.10.5", "--b", server.endpoint, "--interval", "off")
    first = json.loads(program.wait_line("^.*joined.*$")[0])
    a = connect(phone, first["a"]["local"])
    b = server.take()
    both_ways(a, b, 1 << 20)
    program.wait_line('"event":"connected"')
    a.close(), b.close()
    program.wait_line('"event":"disconnected"')
    program.signal(signal.SIGINT)
    lab.require(program.wait_exit() == 0, "run did not end well")
    last = json.loads(program.lines[-1])
    lab.require(last["event"] == "ended" and last["a"]["received"]["bytes"] == 1 << 20, last)
    # T.120: A listens at port 1503, B connects.
    server = Server(phone, port=1503)
    program = edge.host.start("run", media.PROGRAM, "run", "--config", edge.config, "--t120", "--a", "192.168.10.5", "--b", "203.0.113.50")
    first = json.loads(program.wait_line("^.*joined.*$")[0])
    b = connect(peer, first["b"]["local"])
    both_ways(server.take(), b, 1 << 20)
    program.stop()
    # The same against a serving one.
    made = json.loads(edge.run("relay", "--stream", "t120", "--call-id", "cli", "--a", "192.168.10.5", "--b", "203.0.113.50"))
    b = connect(peer, made["b"]["local"])
    both_ways(server.take(), b, 1 << 16)
    listed = edge.run("list", "--format", "text", "--call-id", "cli")
    lab.require("t120" in listed and "connections 1 open" in listed and "in 65536 bytes" in listed, listed)
    edge.run("free", "--call-id", "cli")


if __name__ == "__main__":
    lab.main(bulk_and_small_writes, half_close_and_reset, a_reader_that_stops, who_may_connect, parties_that_never_answer, thousand_connections,
             far_end, signalling_again, killed, silence_and_audio, run_in_a_script)
