#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""kill -9 under 500 calls: all go on after the restart, at the same ports, with what was latched; nothing is signalled again.

Prints the gap. Also: what a journal that is torn, foreign or of another boot does.
"""
import json
import pathlib
import select
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from media import Edge, Peer, rtp

CALLS = 500


class Speakers(threading.Thread):
    """Sends a packet for each call both ways every 100 ms, and notes when each peer heard its last and its next one."""

    def __init__(self, calls):
        super().__init__(daemon=True)
        self.calls, self.ending = calls, False
        self.heard = {}  # peer -> list of arrival times, thinned

    def run(self):
        poll = select.poll()
        peers = {}
        for a, to_a, b, to_b in self.calls:
            for peer in (a, b):
                peers[peer.socket.fileno()] = peer
                self.heard[peer] = []
                peer.socket.setblocking(False)
                poll.register(peer.socket, select.POLLIN)
        while not self.ending:
            began = time.monotonic()
            for a, to_a, b, to_b in self.calls:
                for peer, to in ((a, to_a), (b, to_b)):
                    try:
                        peer.speak(to, ssrc=peer.sequence & 0 | 7)
                    except OSError:
                        pass  # ICMP while nobody has the port
            while time.monotonic() < began + 0.1:
                for fd, _ in poll.poll(5):
                    peer = peers[fd]
                    try:
                        peer.socket.recv(2048)
                        self.heard[peer].append(time.monotonic())
                    except OSError:
                        pass


def five_hundred_calls(net):
    edge = Edge(net, ports="20000-29999").serve()
    phone = net.host("phone").attach("eth0", edge.lan, "192.168.10.5/24")
    far = net.host("far").attach("eth0", edge.wan, "203.0.113.60/24")
    control, calls = edge.control(), []
    for n in range(CALLS):
        a, b = Peer(phone), Peer(far)
        made = control.ask("relay", call_id=f"call-{n}", owner="edge", owner_state={"n": n}, a={"party": {"endpoint": a.endpoint}},
                           b={"party": {"place": "far-end", "visible": "203.0.113.60"}})
        calls.append((a, made["a"]["local"], b, made["b"]["local"]))
    speakers = Speakers(calls)
    speakers.start()
    lab.wait_until(lambda: len(speakers.heard) == 2 * CALLS and all(len(times) > 2 for times in speakers.heard.values()), "all calls flow", 90)
    before = {leg["leg"]: leg for leg in list_all(control)}
    killed = time.monotonic()
    edge.program.kill()
    edge.serve()
    back = time.monotonic()
    lab.wait_until(lambda: all(times[-1] > back for times in speakers.heard.values()), "all calls go on", 60)
    speakers.ending = True
    speakers.join()
    gaps = sorted(max(y - x for x, y in zip(times, times[1:]) if y > killed) for times in speakers.heard.values())
    print(f"{CALLS} calls after kill -9: gap median {gaps[len(gaps) // 2] * 1000:.0f} ms, longest {gaps[-1] * 1000:.0f} ms "
          f"(a packet every 100 ms); start to serving {1000 * (back - killed):.0f} ms")
    lab.require(gaps[-1] < back - killed + 10, "served again, and a call stays silent")
    control = edge.control("again")
    after = {leg["leg"]: leg for leg in list_all(control)}
    lab.require(after.keys() == before.keys(), "legs differ")
    for name, leg in after.items():
        for key in ("local", "party", "joined", "latched", "owner", "owner_state", "call_id", "opened_ms"):
            lab.require(leg.get(key) == before[name].get(key), f"{key} of leg {name}: {before[name].get(key)} became {leg.get(key)}")
    # The latch is not open again: a stranger on the right address gets nothing.
    stranger = Peer(far)
    stranger.send(calls[0][3], rtp(1, 7, b"attack"))
    lab.wait_until(lambda: control.ask("show", leg=next(name for name, leg in after.items() if leg["local"] == calls[0][3]))
                   ["legs"][0]["statistics"].get("drops", {}).get("wrong-port"), "the stranger is refused")
    owners_come_back(control)


def list_all(control):
    legs, page = [], {}
    while True:
        page = control.ask("list", **({"after": page["next"]} if "next" in page else {}))
        legs += page["legs"]
        if "next" not in page:
            return legs


def owners_come_back(control):
    """An owner that asks for its legs and claims some keeps those; 30 s later the others are closed (shortened: by reading)."""
    mine = control.ask("claim", owner="edge")
    lab.require(mine["legs"] == 2 * CALLS, mine)
    names = [leg["leg"] for leg in list_all(control)]
    control.ask("claim", owner="edge", legs=names)
    control.ask("free", legs=names)
    lab.require(control.ask("status")["legs"] == 0, "legs are left")


def a_repeated_open_gives_the_same_leg(net):
    edge = Edge(net).serve()
    control = edge.control("same")
    first = control.ask("open", side="wan")
    edge.program.kill()
    edge.serve()
    control = edge.control("same")  # counts from 1 again: the same id, as a client does that saw no answer
    lab.require(control.ask("open", side="wan")["leg"] == first["leg"], "the request made a second leg")
    lab.require(control.ask("status")["legs"] == 1, "a second leg")


def journals_that_do_not_fit(net):
    edge = Edge(net).serve()
    journal = edge.runtime / "mediarelay.journal"
    control = edge.control()
    kept = control.ask("open", side="wan", call_id="kept")
    control.ask("open", side="lan", call_id="torn")
    edge.program.kill()
    lab.require(journal.stat().st_mode & 0o777 == 0o600, "the journal is readable by others")
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    edge.serve()
    edge.program.wait_line("1 torn or damaged lines", again=True)
    lab.require([leg["call_id"] for leg in edge.control().ask("list")["legs"]] == ["kept"], "the whole leg is lost, or the torn one is not")
    edge.program.kill()
    for content, words in ((b"something else\n", "is not a journal"),
                           (whole.replace(b'"boot_id":"', b'"boot_id":"0'), "is not a journal"),  # its sum no longer fits
                           (b"", None)):
        journal.write_bytes(content)
        edge.serve()
        if words:
            edge.program.wait_line(words, again=True)
            lab.require((edge.runtime / "mediarelay.journal.old").read_bytes() == content, "not set aside as it was")
        lab.require(edge.control().ask("status")["legs"] == 0, "legs out of nowhere")
        edge.program.kill()
    lab.require(kept["local"], kept)
    journal.write_bytes(whole)
    # A port that somebody else has taken meanwhile ends that leg alone.
    thief = Peer(edge.host, "203.0.113.10", int(kept["local"].rpartition(":")[2]))
    edge.serve()
    edge.program.wait_line("of the journal is lost", again=True)
    lab.require([leg["call_id"] for leg in edge.control().ask("list")["legs"]] == ["torn"], "not just that leg")
    thief.socket.close()


def without_a_writable_journal(net):
    """Calls are served all the same; what is lost is said, and taken up again when it can be written."""
    edge = Edge(net).serve()
    journal, beside = edge.runtime / "mediarelay.journal", edge.runtime / "mediarelay.journal.new"
    kept = edge.control().ask("open", side="wan", call_id="before")
    edge.program.kill()
    beside.mkdir()  # the rewriting at each start, and so everything, fails
    edge.serve()
    edge.program.wait_line("calls would not survive a restart", again=True)
    control = edge.control()
    lab.require([leg["leg"] for leg in control.ask("list")["legs"]] == [kept["leg"]], "what could be read is lost")
    status = control.ask("status")
    lab.require("mediarelay.journal.new" in status["journal_error"] and status["journal_error"] in status["degraded"][0], status)
    meanwhile = control.ask("open", side="wan", call_id="meanwhile")
    beside.rmdir()
    edge.program.wait_line("the journal can be written again")
    status = control.ask("status")
    lab.require("journal_error" not in status and not status["degraded"], f"it is written again, and status says otherwise: {status}")
    edge.program.kill()
    edge.serve()
    names = {leg["leg"] for leg in edge.control().ask("list")["legs"]}
    lab.require(names == {kept["leg"], meanwhile["leg"]}, f"after it was written again: {names}")
    edge.program.kill()
    journal.unlink()
    journal.mkdir()  # what is no file is set aside
    edge.serve()
    edge.program.wait_line("cannot be opened", again=True)
    lab.require(journal.is_file() and "journal_error" not in edge.control().ask("status"), "a folder is still in the way")


if __name__ == "__main__":
    lab.main(five_hundred_calls, a_repeated_open_gives_the_same_leg, journals_that_do_not_fit, without_a_writable_journal)
