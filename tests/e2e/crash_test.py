#!/usr/bin/env python3
"""kill -9 of a worker: the supervisor has it back within a second, and registered UDP clients, also those behind a NAT, can be
called without registering again. A worker that takes its time to begin is not killed for it."""
# ctest: serial
import json
import pathlib
import shutil
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites

SLOW_START = 4.0  # seconds, as with a hundred thousand registrations on a busy host
SLOWER = 1.0  # seconds that a restart may take: natkit(1)


def registers(site):
    return sum(text.startswith("REGISTER ") for tap in (site.on_wan, site.on_lan) for _, text in tap.sip())


def after_the_death_of(net, worker):
    site = sites.Site(net).start()
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    c = site.phone(site.wan_host(), "carol", tone=700)
    registered = registers(site)
    took = []
    while not took or (took[-1] >= SLOWER and len(took) < 5):
        if took:
            time.sleep(2)  # it is young no more: its death is not one of a row, which natkit would answer ever later
        took.append(site.kill_worker(worker))
        site.wait_up()
    lab.require(took[-1] < SLOWER, f"{worker} was back after {took} s")
    for caller, callee in ((a, b), (c, b), (b, a), (c, a)):
        phones.call(caller, callee)
        phones.hear_each_other(caller, callee, packets=20)
        phones.hang_up(caller, callee)
    lab.require(registers(site) == registered, "a phone registered again")
    site.wait_nothing_left()
    status = site.status()
    component = next(c for c in status["components"] if c["name"] == worker)
    lab.require(component["restarts"] == len(took), f"natkit status says {component}")
    print(f"        {worker}: back after {took[-1] * 1000:.0f} ms")


def mediarelay(net):
    after_the_death_of(net, "mediarelay")


def sipedge(net):
    after_the_death_of(net, "sipedge")


def natpinger(net):
    after_the_death_of(net, "natpinger")


def slow_sipedge(arguments):
    """Run as `sipedge`: its control socket is there, but what natkit asks first is answered late."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(pathlib.Path(arguments[arguments.index("--runtime") + 1]) / "sipedge.sock"))
    listener.listen(8)

    def serve(connection):
        for line in connection.makefile("rb"):
            request = json.loads(line)
            if request["cmd"] == "adopt":
                time.sleep(SLOW_START)  # it reads what it had before
            connection.sendall(json.dumps({"id": request["id"], "ok": {}}).encode() + b"\n")
            if request["cmd"] == "watch":
                connection.sendall(b'{"type":"snapshot-end"}\n')
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def who_takes_long_to_begin_is_waited_for(net):
    site = sites.Site(net)
    site.write_config()
    programs = net.folder / "programs"
    programs.mkdir()
    shutil.copy2(lab.PROGRAMS / "natkit", programs)
    for name in ("mediarelay", "natpinger"):
        (programs / name).symlink_to(lab.PROGRAMS / name)
    (programs / "sipedge").write_text(f"#!/bin/sh\nexec {sys.executable} -B {pathlib.Path(__file__).resolve()} as-sipedge \"$@\"\n")
    (programs / "sipedge").chmod(0o755)
    natkit = site.edge.start("natkit", programs / "natkit", "run", "--config", site.config)

    def runs():
        lab.require("sipedge takes no sockets" not in natkit.output, natkit.output)
        try:
            components = site.ask("natkit", "status")["components"]
        except OSError:
            return False
        return any(one["name"] == "sipedge" and one["state"] == "running" and one["restarts"] == 0 for one in components)
    lab.wait_until(runs, "natkit to wait for sipedge")


if __name__ == "__main__":
    if sys.argv[1:2] == ["as-sipedge"]:
        slow_sipedge(sys.argv)
    lab.main(mediarelay, sipedge, natpinger, who_takes_long_to_begin_is_waited_for)
