#!/usr/bin/env python3
"""kill -9 of a worker: the supervisor has it back within a second, and registered UDP clients, also those behind a NAT, can be
called without registering again."""
# ctest: serial
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites

SLOWER = 1.0  # seconds that a restart may take


def registers(site):
    return sum(text.startswith("REGISTER ") for tap in (site.on_wan, site.on_lan) for _, text in tap.sip())


def after_the_death_of(net, worker):
    site = sites.Site(net).start()
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    c = site.phone(site.wan_host(), "carol", tone=700)
    registered = registers(site)
    took = site.kill_worker(worker)
    lab.require(took < SLOWER, f"{worker} was back after {took:.2f} s")
    site.wait_up()
    for caller, callee in ((a, b), (c, b), (b, a), (c, a)):
        phones.call(caller, callee)
        phones.hear_each_other(caller, callee, packets=20)
        phones.hang_up(caller, callee)
    lab.require(registers(site) == registered, "a phone registered again")
    site.wait_nothing_left()
    status = site.status()
    component = next(c for c in status["components"] if c["name"] == worker)
    lab.require(component["restarts"] == 1, f"natkit status says {component}")
    print(f"        {worker}: back after {took * 1000:.0f} ms")


def mediarelay(net):
    after_the_death_of(net, "mediarelay")


def sipedge(net):
    after_the_death_of(net, "sipedge")


def natpinger(net):
    after_the_death_of(net, "natpinger")


if __name__ == "__main__":
    lab.main(mediarelay, sipedge, natpinger)
