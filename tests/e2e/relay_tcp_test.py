#!/usr/bin/env python3
"""mediarelay relays TCP between LAN and WAN parties, both families: bulk, small writes, urgent data, half-close and reset both
ways, by the bytes' checksums; nothing is leaked or lost."""
import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media
from media import Peer
from streams import Sender, Server, both_ways, connect, digest, noise, read, read_all, reset, was_reset
from tcp_site import active, nothing_left, passive, site


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


def cpu_of(pid):
    """Seconds on a CPU, all threads."""
    return sum(int((task / "schedstat").read_text().split()[0]) for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1e9


def urgent_data(net):
    """An urgent byte stays in its place, among data, before an end, and while the other half is not there; the relay idles."""
    edge, phone, peer = site(net)
    control = edge.control()
    server = Server(peer)
    made = control.ask("relay", stream="tcp", call_id="urgent", a={"party": active("192.168.10.5")}, b={"party": passive(server)})

    def idles():
        before, started = cpu_of(edge.program.pid), time.monotonic()
        time.sleep(0.5)
        share = (cpu_of(edge.program.pid) - before) / (time.monotonic() - started)
        lab.require(share < 0.2, f"{share:.0%} of a CPU for nothing")

    a, b = connect(phone, made["a"]["local"]), server.take()
    for sender, reader in ((a, b), (b, a)):
        sender.sendall(b"before")
        sender.send(b"!", socket.MSG_OOB)
        lab.require(read(reader, 7) == b"before!", "urgent data among data")
        idles()
        sender.sendall(b"again")
        sender.send(b"?", socket.MSG_OOB)
        sender.sendall(b"after" * 10000)
        sender.shutdown(socket.SHUT_WR)
        lab.require(read_all(reader) == b"again?" + b"after" * 10000, "urgent data before the end")
    a.close(), b.close()
    # It comes while nothing is read: the other party has not connected yet.
    made = control.ask("relay", stream="tcp", call_id="early", a={"party": active("192.168.10.5")}, b={"party": active("203.0.113.50")})
    a = connect(phone, made["a"]["local"])
    a.send(b"!", socket.MSG_OOB)
    a.sendall(b"early")
    idles()
    b = connect(peer, made["b"]["local"])
    lab.require(read(b, 6) == b"!early", "urgent data before the other half")
    both_ways(a, b, 1 << 16)
    listed = lab.sh(*edge.host.enter, "ss", "-Htno", "state", "established").splitlines()
    lab.require(len(listed) == 2 and all("timer:(keepalive," in line for line in listed), f"no keepalive: {listed}")
    a.close(), b.close()


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
    a.settimeout(240)
    sender = Sender(a, data, end=True)
    taken = lambda: control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]
    stopped = lab.wait_until(lambda: (s := taken())["received"].get("idle_ms", 0) > 1000 and s, "the writer to be held")
    passed = control.ask("show", leg=made["b"]["leg"])["legs"][0]["statistics"]["sent"]["bytes"]
    lab.require(sender.is_alive() and stopped["received"]["bytes"] < 32 << 20, f"the writer was not held: {stopped}")
    held = stopped["received"]["bytes"] - passed
    lab.require(held <= 1 << 20, f"{held} bytes in the relay")
    lab.require(resident() - before < 4 << 20, f"{resident() - before} bytes more of memory")
    b.settimeout(240)
    lab.require(digest(read_all(b)) == digest(data), "the bytes differ after the pause")
    sender.join(lab.PATIENCE)
    a.close(), b.close()


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
    lab.wait_until(lambda: want <= set(got), "every message", 90)
    lab.wait_until(lambda: (c := control.ask("show", leg=made["a"]["leg"])["legs"][0]["statistics"]["connections"])["open"] == c["waiting"] == 0, "all ended")
    ending.set()
    lab.require(descriptors() <= started + 2, f"{started} descriptors became {descriptors()}")
    lab.require(resident() - memory < 6 << 20, f"{resident() - memory} bytes more of memory")
    control.ask("free", call_id="many")
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
    edge, phone, peer = site(net, media='timeout = "4s"')
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
    lab.require(_nothing(control, 8), "a stream of a living call was freed")
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
    lab.main(bulk_and_small_writes, half_close_and_reset, urgent_data, a_reader_that_stops, thousand_connections, killed, silence_and_audio, run_in_a_script)
