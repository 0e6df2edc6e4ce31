#!/usr/bin/env python3
"""50,000 clients at 25 s from one process: everybody in time, the sending spread, one core enough; memory per client."""
# ctest: long
# ctest: serial
# ctest: timeout 600
import collections
import json
import os
import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import processes

CLIENTS, INTERVAL, SECONDS = 50_000, 25, 50
TICK = 0.01  # s; natpinger sends at most four times the even share in one
SHARE = CLIENTS / (INTERVAL * 0.94) * TICK


class Sink:
    """A port that hears every ping: arrival times by the kernel, who it was for by the address."""

    def __init__(self, host, port):
        self.times, self.by_client = [], collections.defaultdict(list)
        self.socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
        self.socket.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        self.socket.bind(("0.0.0.0", port))
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):
        while True:
            _, control, _, _ = self.socket.recvmsg(64, 256)
            at, to = None, None
            for level, kind, data in control:
                if level == socket.SOL_SOCKET:
                    seconds, nanoseconds = struct.unpack("qq", data[:16])
                    at = seconds + nanoseconds / 1e9
                else:
                    to = data[8:12]
            self.times.append(at)
            self.by_client[to].append(at)


def fifty_thousand_clients(net):
    host = net.host("one")
    host.ip("addr", "add", "10.0.0.0/8", "dev", "lo")  # every address of it is the host's own
    sink = Sink(host, 5060)
    records = net.folder / "clients.jsonl"
    with records.open("w") as out:
        for n in range(CLIENTS):
            address = f"10.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
            out.write(json.dumps({"type": "client", "id": f"{n:016x}", "aor": f"sip:user{n}@example.com",
                                  "flow": {"transport": "udp", "remote": f"{address}:5060"}}) + "\n")
    command = f"exec taskset -c 0 {lab.PROGRAMS}/natpinger --from 127.0.0.1:5070 --interval {INTERVAL}s --limit {CLIENTS} --format json"
    empty = host.start("natpinger empty", "sh", "-c", f"sleep 100 | {command} > /dev/null")
    time.sleep(1.5)
    base = max(processes.resident_bytes(pid) for pid in lab_pids("natpinger"))
    for pid in lab_pids("natpinger"):
        os.kill(pid, 9)
    empty.kill()
    pinger = host.start("natpinger", "sh", "-c", f"{command} < {records} > /dev/null")
    lab.wait_until(lambda: len(sink.times) > CLIENTS // 10, "the first pings", 60)
    time.sleep(5)
    began, start_cpu, clock = time.time(), processes.cpu_seconds(pinger.pid), time.monotonic()
    time.sleep(SECONDS)
    used = (processes.cpu_seconds(pinger.pid) - start_cpu) / (time.monotonic() - clock)
    ended, memory = time.time(), (processes.resident_bytes(pinger.pid) - base) / CLIENTS
    times = sorted(t for t in sink.times if began <= t <= ended)
    windows = collections.Counter(int((t - began) / TICK) for t in times)
    seconds = collections.Counter(int(t - began) for t in times)
    per_second = [seconds[n] for n in range(1, SECONDS - 1)]
    gaps = [b - a for sent in sink.by_client.values() for a, b in zip(sent, sent[1:]) if a >= began]
    silent = CLIENTS - sum(any(t >= ended - INTERVAL for t in sent) for sent in sink.by_client.values())
    print(f"        {len(times) / (ended - began):.0f} pings/s, in a second {min(per_second)} to {max(per_second)}, in 10 ms at most "
          f"{max(windows.values())} (even share {SHARE:.0f}); gaps {min(gaps):.2f} to {max(gaps):.2f} s; {used:.0%} of a core; "
          f"{memory:.0f} bytes of memory a client")
    lab.require(silent == 0, f"{silent} clients had no ping in the last {INTERVAL} s")
    lab.require(max(gaps) <= INTERVAL and min(gaps) >= 0.8 * INTERVAL, f"gaps {min(gaps):.2f} to {max(gaps):.2f} s")
    # Two ticks may fall into one window, and what a loaded machine held up comes at once.
    lab.require(max(windows.values()) <= 2 * 4 * (SHARE + 1), f"a burst of {max(windows.values())}")
    lab.require(used < 0.9, f"{used:.0%} of a core")
    if not sanitised():
        lab.require(memory <= 1000, f"{memory:.0f} bytes a client")


def sanitised():
    return b"__asan_init" in (lab.PROGRAMS / "natpinger").read_bytes()


def lab_pids(name):
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if (entry / "comm").read_text().strip() == name:
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


if __name__ == "__main__":
    lab.main(fifty_thousand_clients)
