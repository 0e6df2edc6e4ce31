#!/usr/bin/env python3
"""kill -9 of a worker: the supervisor has it back within a second, and registered UDP clients, also those behind a NAT, can be
called without registering again."""
# ctest: serial
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites

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


if __name__ == "__main__":
    lab.main(mediarelay, sipedge, natpinger)
