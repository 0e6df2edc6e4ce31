#!/usr/bin/env python3
# ctest: tiers sockets
"""4,000 sessions open at once, opened and closed again and again: no descriptor, port or byte is left; ports are random and cool
down; a spent range answers at once and recovers. Ten rounds here, twenty in relay_churn_long_test.py.
"""
import os
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import processes
from media import Edge

SESSIONS = 4000
BATCH = 200


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def open_all(control, count):
    """Opens `count` sessions, some requests ahead of the answers. (calls opened, local port -> when, the error that ended it)"""
    ports, opened, error, waiting = {}, 0, None, []
    for n in range(count + BATCH):
        if n < count and not error:
            waiting.append(control.send("relay", call_id=f"c{n}", a={"party": {"endpoint": f"192.168.10.5:{1024 + n}"}},
                                        b={"party": {"endpoint": f"203.0.113.50:{1024 + n}"}}))
        if waiting and (n >= BATCH or error):
            reply = control.answer(waiting.pop(0))
            if "error" in reply:
                error = reply["error"]
                continue
            opened += 1
            ports.update({reply["ok"][side]["local"]: time.monotonic() for side in "ab"})
    for request in waiting:
        opened += "ok" in control.answer(request)
    return opened, ports, error


def free_all(control, count):
    waiting = []
    for n in range(count + BATCH):
        if n < count:
            waiting.append(control.send("free", call_id=f"c{n}"))
        if waiting and n >= BATCH:
            control.answer(waiting.pop(0))
    for request in waiting:
        control.answer(request)


def churn(net, rounds=10):
    """The last two rounds are compared: a round is 8,000 requests, and the server remembers 65,536 replies for a minute."""
    edge = Edge(net, ports="16384-32767")
    # The sanitizer keeps freed memory for a while to find late uses, which would look like a leak here; and gives back some of what is
    # free every few seconds: the round after such a dip would look like one too.
    os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=4:allocator_release_to_os_interval_ms=-1"
    edge.serve()
    control, pid = edge.control(), edge.program.pid
    control.ask("status")
    idle, most_memory, freed, freed_at = descriptors(pid), 0, {}, 0
    for n in range(rounds):
        began = time.monotonic()
        # With half of the range in use, the round after next needs ports that have cooled down.
        def open_them():
            opened, ports, error = open_all(control, SESSIONS)
            if error:
                free_all(control, SESSIONS)
            return not error and (opened, ports)
        opened, ports = lab.wait_until(open_them, "4,000 sessions", 180)
        lab.require(opened == SESSIONS and len(ports) == 2 * SESSIONS, f"{opened} sessions, {len(ports)} ports")
        steered = control.ask("status")["receive"].get("ports", 0)
        lab.require(descriptors(pid) - idle + steered == 4 * SESSIONS, f"{descriptors(pid)} descriptors, {steered} steered ports for {SESSIONS} sessions")
        in_order = sum(int(x.rpartition(":")[2]) + 2 == int(y.rpartition(":")[2]) for x, y in zip(list(ports), list(ports)[1:]))
        lab.require(in_order < SESSIONS / 10, "ports are handed out in order")
        soonest = min((at - freed_at for port, at in ports.items() if port in freed), default=99)
        lab.require(soonest >= 2, f"a port was used again {soonest:.1f} s after the call before")
        freed, freed_at = ports, time.monotonic()
        free_all(control, SESSIONS)
        status = control.ask("status")
        lab.require(status["legs"] == 0 and status["sessions"] == 0 and status["ports_in_use"] == 0, status)
        lab.wait_until(lambda: descriptors(pid) == idle and not control.ask("status")["receive"].get("ports"), "all ports closed")
        if n < rounds - 1:  # the allocator gives memory back now and then, and takes it again
            most_memory = max(most_memory, processes.resident_bytes(pid))
        print(f"round {n + 1}: {time.monotonic() - began:.1f} s, {processes.resident_bytes(pid) >> 20} MiB, journal {status['journal_bytes']} bytes", flush=True)
    growth = processes.resident_bytes(pid) - most_memory
    lab.require(growth < 3 << 20, f"{growth} bytes more after the last round than after any before")


def spent_range(net):
    edge = Edge(net, ports="20000-20399").serve()
    control = edge.control()
    opened, _, error = open_all(control, 250)
    lab.require(opened == 200 and error["code"] == "exhausted", (opened, error))
    took = []
    for _ in range(100):
        began = time.monotonic()
        lab.require(control.refused("open", side="wan")["code"] == "exhausted", "a port from nowhere")
        took.append(time.monotonic() - began)
    lab.require(statistics.median(took) < 0.02, f"a spent range is slow to say so: {statistics.median(took):.3f} s")
    free_all(control, 250)
    opened = 0

    def recovered():
        """Keeps what it got: giving it back would have it cool down once more."""
        nonlocal opened
        opened += open_all(control, 200 - opened)[0]
        return opened == 200
    lab.wait_until(recovered, lambda: f"the range to recover: {opened} sessions of 200", 60)


@lab.spends_descriptors
def too_few_descriptors(net):
    # Steered ports need none.
    edge = Edge(net, ports="20000-20999", media="" if lab.tier_keys() else 'receive = "sockets"')
    edge.program = edge.host.start("mediarelay", "prlimit", "--nofile=100:100", edge_program(), "serve", "--config", edge.config, "--runtime", edge.runtime)
    edge.program.wait_line("at most 100 descriptors")
    edge.program.wait_line("serving on")
    control = edge.control()
    # UBSan looks at an object of a type that is new to it through a pipe, and calls it invalid when there is no descriptor for one.
    open_all(control, 2)
    free_all(control, 2)
    opened, _, error = open_all(control, 100)
    lab.require(10 < opened < 25 and error["code"] == "exhausted" and "too many open files" in error["message"], (opened, error))
    status = control.ask("status")
    lab.require(status["legs"] == 2 * opened and status["ports_in_use"] == 4 * opened, status)
    free_all(control, 100)
    lab.wait_until(lambda: open_all(control, opened)[0] == opened or free_all(control, 100), "descriptors to come back")


def edge_program():
    import media
    return media.PROGRAM


if __name__ == "__main__":
    lab.main(churn, spent_range, too_few_descriptors)
