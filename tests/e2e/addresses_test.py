#!/usr/bin/env python3
"""natkit follows the addresses of its host: those that are not there yet at the start, and those that go and come back."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones
from site_of_phones import LAN_EDGE, WAN_EDGE, natkit

ALL = [f"{transport}:{address}:5060" for address in (LAN_EDGE, WAN_EDGE) for transport in ("udp", "tcp")]


def a_call(one, other):
    """Heard both ways, and over."""
    phones.call(one, other)
    lab.wait_until(lambda: one.site_legs() >= 2, "the call to be relayed")
    one.hangup()
    lab.wait_until(lambda: one.site_legs() == 0, "the call to be over")


def a_phone(site, host, user):
    phone = site.phone(host, user)
    phone.site_legs = lambda: len(site.legs())
    return phone


def listens_on(site, names):
    lab.wait_until(lambda: sorted(site.status()["listen"]) == sorted(names), lambda: f"{names}: {site.status()}")
    lab.wait_until(lambda: site.ask("natpinger", "status")["sockets"] == len(names), "natpinger to have them")


def started_before_the_network_is_up(net):
    site = site_of_phones.Site(net)
    near, far = site.lan_host(), site.home_host()
    for name, address in (("lan0", LAN_EDGE), ("wan0", WAN_EDGE)):
        site.edge.ip("addr", "del", f"{address}/24", "dev", name)
    site.write_config(network={"lan": None}, sip={"listen": None})
    lab.require("[sip] listen: no address yet" in natkit(site, "check").stderr, "check says nothing of it")
    site.start(network={"lan": None}, sip={"listen": None})
    status = site.status()
    lab.require(status["listen"] == [] and status["state"] == "degraded" and "no address yet" in status["degraded"][0], f"{status}")
    lab.require("no address yet" in natkit(site, "status", "--format", "text").stdout, "status says nothing of it")
    pids = {name: site.pid(name) for name in site_of_phones.WORKERS}
    site.edge.ip("addr", "add", f"{LAN_EDGE}/24", "dev", "lan0")
    site.edge.ip("addr", "add", f"{WAN_EDGE}/24", "dev", "wan0")
    listens_on(site, ALL)
    for address in (LAN_EDGE, WAN_EDGE):
        site.natkit.wait_line(rf"major NATKIT {address} is an address of this host now: listening on tcp:{address}:5060, udp:{address}:5060",
                              again=True)
    lab.require(site.status()["state"] == "running", f"{site.status()}")
    anna, bob = a_phone(site, near, "anna"), a_phone(site, far, "bob")
    a_call(anna, bob)
    for _ in range(2):  # registered before, called afterwards
        site.edge.ip("addr", "del", f"{WAN_EDGE}/24", "dev", "wan0")
        site.natkit.wait_line(rf"failures NATKIT {WAN_EDGE} is no longer an address of this host")
        lab.wait_until(lambda: site.status().get("no_address") == [f"udp:{WAN_EDGE}:5060", f"tcp:{WAN_EDGE}:5060"], "status to say so")
        site.edge.ip("addr", "add", f"{WAN_EDGE}/24", "dev", "wan0")
        site.natkit.wait_line(rf"major NATKIT {WAN_EDGE} is an address of this host again")
        lab.wait_until(lambda: "no_address" not in site.status(), "status to say so")
        a_call(bob, anna)
    # Another address in its place, and IPv6, which the kernel first looks whether it is nobody else's.
    site.edge.sysctl("net.ipv6.conf.wan0.accept_dad", 1)
    site.edge.ip("addr", "del", f"{WAN_EDGE}/24", "dev", "wan0")
    site.edge.ip("addr", "add", "203.0.113.11/24", "dev", "wan0")
    site.edge.ip("addr", "add", "2001:db8::11/64", "dev", "wan0")
    listens_on(site, [f"{t}:{a}:5060" for t in ("udp", "tcp") for a in (LAN_EDGE, "203.0.113.11", "[2001:db8::11]")])
    lab.require(pids == {name: site.pid(name) for name in pids}, "a worker was started again")
    site.natkit.stop()


def configured_listeners_wait_for_their_addresses(net):
    site = site_of_phones.Site(net)
    near, far = site.lan_host(), site.home_host()
    site.edge.ip("addr", "del", f"{WAN_EDGE}/24", "dev", "wan0")
    site.write_config()
    said = natkit(site, "check").stderr
    lab.require(f"natkit.toml:5:10: [sip] listen: {WAN_EDGE}: no address yet" in said, said)
    site.start()
    absent = [f"udp:{WAN_EDGE}:5060", f"tcp:{WAN_EDGE}:5060"]
    status = site.status()
    lab.require(status["state"] == "running" and status["listen"] == ALL[:2] and status["no_address"] == absent, f"{status}")
    lab.require(f"{absent[0]} (no address yet)" in natkit(site, "status", "--format", "text").stdout, "status says nothing of it")
    site.natkit.wait_line(rf"failures NATKIT {WAN_EDGE} is no address of this host yet", again=True)
    site.edge.ip("addr", "add", f"{WAN_EDGE}/24", "dev", "wan0")
    listens_on(site, ALL)
    anna, bob = a_phone(site, near, "anna"), a_phone(site, far, "bob")
    a_call(bob, anna)
    # No SIP at all, and SIP again.
    relay = site.pid("mediarelay")
    site.write_config(sip={"listen": "[]"}, media_proxy={"ports": '"20000-20999"'}, **{"media_proxy.addresses": {
        "lan": f'["{LAN_EDGE}"]', "wan": f'["{WAN_EDGE}"]'}})
    natkit(site, "reload")
    lab.wait_until(lambda: [c["name"] for c in site.status()["components"]] == ["mediarelay"], "the others to end")
    lab.require(site.status()["listen"] == [] and site.status()["state"] == "running", f"{site.status()}")
    site.write_config()
    natkit(site, "reload")
    site.wait_up()
    listens_on(site, ALL)
    lab.require(site.pid("mediarelay") == relay, "mediarelay was started again")
    a_call(anna, bob)  # who registered before still is
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    lab.require(not site_of_phones.natkit_processes(), "a program is left")


if __name__ == "__main__":
    lab.main(started_before_the_network_is_up, configured_listeners_wait_for_their_addresses)
