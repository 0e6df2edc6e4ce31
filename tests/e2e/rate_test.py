#!/usr/bin/env python3
"""Calls one after the other, fast: SDP rewritten, two legs each, no media; none fails and nothing is left. Short and slow here, with
the sanitizers' build; rate_long_test.py is the full one."""
# ctest: serial
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites


def calls(net, rate, seconds):
    """A trunk calls a phone of the LAN; the gates are those of a site in service."""
    site, trunk = sites.Site(net), "203.0.113.50"
    site.start(sip={"log_level": '"major"'}, media_proxy={"log_level": '"problems"'}, pinger={"log_level": '"problems"'},
               registrar={"open": "false"}, **{"sip.routes": {'"carrier.example"': f'{{ to = "sip:{trunk}", kind = "trunk" }}'}})
    site.on_wan.close()
    site.on_lan.close()
    callee, caller = site.lan_host(), site.wan_host()
    lab.require(caller.address == trunk, f"the trunk has {caller.address}")
    lab.require(phones.sipp(callee, "register", "-s", "carol", remote=f"{sites.LAN_EDGE}:5060").wait_exit() == 0, "REGISTER failed")
    count, patience = rate * seconds, seconds + 120
    answering = phones.sipp(callee, "call-uas", "-l", 50000, calls=count, seconds=patience)
    calling = phones.sipp(caller, "call-uac", "-s", "carol", "-r", rate, "-d", 1000, "-l", 50000, remote=f"{sites.WAN_EDGE}:5060",
                          calls=count, seconds=patience)
    lab.require(calling.wait_exit(patience + 10) == 0, f"calls failed:\n{calling.output[-1800:]}")
    lab.require(answering.wait_exit(patience) == 0, f"the callee missed something:\n{answering.output[-1800:]}")
    made = re.findall(r"Successful call +\| +\d+ +\| +(\d+)", calling.output)
    lab.require(made and int(made[-1]) == count, f"{made} of {count} calls")
    lab.require(re.search(r"media proxy", site.natkit.output), "no call was relayed")
    site.wait_nothing_left(60)


def some_calls_a_second(net):
    calls(net, 40, 5)


if __name__ == "__main__":
    lab.main(some_calls_a_second)
