#!/usr/bin/env python3
"""Every stream says by what it is relayed, and why not by the fast path; a changed TOS is that of what the kernel forwards already."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import flow_site
import lab
from fast_site import Site
from media import rtp


def tier_of(site, leg):
    statistics = site.leg(leg)["statistics"]
    return statistics["tier"], statistics.get("not_fast")


def wait_for(site, leg, *wanted, seconds=15):
    lab.wait_until(lambda: tier_of(site, leg) == wanted, lambda: f"{tier_of(site, leg)} instead of {wanted}", seconds)


def each_stream_says_its_tier(net):
    site = Site(net).start()
    alone = site.talk.ask("open", call_id="two", party={"endpoint": "192.168.10.5:5000"})["leg"]
    lab.require(tier_of(site, alone) == ("steered", "not-joined"), tier_of(site, alone))
    leg = site.call()["a"]["leg"]
    lab.require(tier_of(site, leg) in (("steered", "settling"), ("steered", "unconfirmed")), tier_of(site, leg))
    wait_for(site, leg, "fast", None)
    lab.require(site.talk.ask("status")["fast_path"] == {"on": True}, site.talk.ask("status"))
    site.talk.ask("update", leg=leg, hold=True)
    wait_for(site, leg, "steered", "held")
    lab.wait_until(lambda: site.talk.ask("status")["fast_path"].get("not_fast") == {"held": 2}, lambda: site.talk.ask("status"), 5)
    shown = site.host.run(lab.PROGRAMS / "mediarelay", "list", "--runtime", site.runtime, "--format", "text").stdout
    lab.require("steered (held)" in shown, shown)
    site.talk.ask("update", leg=leg, hold=False)
    wait_for(site, leg, "fast", None)
    # Past the filter.
    lab.sh(*site.host.enter, "tc", "filter", "del", "dev", "lan0", "ingress", "pref", "4117")
    wait_for(site, leg, "steered", "strayed")
    site.end()


def several_streams_on_a_port_say_why(net):
    site = Site(net).start()
    leg = site.call()["a"]["leg"]
    site.promoted()
    for number in range(150):
        site.a.peer.send(site.a.to, rtp(number, ssrc=77))
        time.sleep(0.02)
    lab.require(tier_of(site, leg) == ("steered", "changing"), tier_of(site, leg))
    site.a.stop()
    site.b.stop()


def a_changed_tos_is_followed(net):
    site = Site(net).start()
    site.other.nft("table inet tos {\n counter ef {}\n chain in {\n type filter hook input priority 0;\n ip dscp ef counter name ef\n}\n}")

    def marked():
        return "packets 0 " not in lab.sh(*site.other.enter, "nft", "list", "counter", "inet", "tos", "ef")

    site.call()
    site.promoted()
    site.all_fast()
    lab.require(not marked(), "packets have a TOS that nobody wants")
    site.config.write_text(site.config.read_text().replace("[media_proxy]", '[media_proxy]\ntos = "ef"'))
    site.talk.ask("reload")
    lab.wait_until(marked, "packets that the kernel forwards keep the old TOS", 1)
    lab.require(site.flows() == 2, f"{site.flows()} flows are left")
    site.all_fast()
    site.end()


if __name__ == "__main__":
    flow_site.skip_without_root("e2e.relay_tiers")
    lab.main(each_stream_says_its_tier, several_streams_on_a_port_say_why, a_changed_tos_is_followed)
