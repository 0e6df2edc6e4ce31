#!/usr/bin/env python3
"""mediarelay's fast path: settled streams are forwarded by the kernel, come back to the relay at once when anything changes, are
counted, and go on while mediarelay is dead."""
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import flow_site
import lab
from fast_site import PEER, PHONE, Site, Voice
from media import Peer, rtcp, rtp


def promotes_and_counts(net):
    site = Site(net).start()
    lab.require(site.talk.ask("status")["fast_path"] == {"on": True}, site.talk.ask("status"))
    for number, (a, b) in enumerate(((PHONE, PEER), ("fd00:10::5", "2001:db8::50"), (PHONE, "2001:db8::50"))):
        made = site.call(a, b, ports=(4000 + 10 * number, 6000 + 10 * number), call_id=f"call {number}",
                         a={"family": "ipv6" if ":" in a else "ipv4"}, b={"family": "ipv6" if ":" in b else "ipv4"})
        site.promoted()
        site.all_fast()
        site.end()
        for leg, voice, other in ((made["a"]["leg"], site.a, site.b), (made["b"]["leg"], site.b, site.a)):
            counted = site.leg(leg)["statistics"]
            lab.require(counted["received"]["packets"] == voice.said and counted["received"]["bytes"] == 172 * voice.said,
                        f"{voice.said} said: {counted}")
            lab.require(counted["sent"]["packets"] == other.said and counted["received"]["lost"] == 0, f"{other.said} said: {counted}")
        site.talk.ask("free", call_id=f"call {number}")
        site.promoted(0)
        site.a.peer.speak(made["a"]["local"])
        time.sleep(0.1)
        lab.require(len(site.b.heard) == site.a.said, "a freed leg is still forwarded")


def rtcp_too(net):
    site = Site(net).start()
    made = site.call()
    a, b = Peer(site.phone, PHONE, 4001), Peer(site.other, PEER, 6001)
    def report():
        a.send(made["a"]["rtcp"], rtcp(1))
        b.send(made["b"]["rtcp"], rtcp(2))
        return b.hear(2) == rtcp(1) and a.hear(2) == rtcp(2)
    end = time.monotonic() + 10
    while site.flows() < 4 and time.monotonic() < end:
        report()
        time.sleep(0.3)
    lab.require(site.flows() == 4, f"{site.flows()} flows instead of 4")
    before = site.slow()
    lab.require(report() and site.slow() == before, "RTCP is not forwarded")
    site.end()


def comes_back_at_once(net):
    site = Site(net).start()
    made = site.call()
    changes = (
        ("hold", lambda: site.talk.ask("update", leg=made["a"]["leg"], hold=True)),
        ("resume", lambda: site.talk.ask("update", leg=made["a"]["leg"], hold=False)),
        ("the same signalled again with another endpoint", lambda: site.talk.ask(
            "update", leg=made["b"]["leg"], party={"endpoint": f"{PEER}:6500"})),
    )
    for what, change in changes:
        if what != "resume":
            site.promoted()
            site.all_fast(0.4)
        change()
        lab.wait_until(lambda: site.flows() == 0, f"after {what} flows are left", 0.5)
        if what.startswith("the same"):
            # The endpoint that was replaced is in quarantine: its packets go nowhere.
            time.sleep(0.2)
            heard = len(site.a.heard)
            time.sleep(0.5)
            lab.require(len(site.a.heard) == heard, "the old endpoint is still relayed")
            continue
        before = site.slow()
        lab.wait_until(lambda: site.slow() > before + 5, f"after {what} nothing comes to the relay", 5)
    site.a.stop()
    site.b.stop()


def source_rules_hold(net):
    site = Site(net).start()
    made = site.call()
    site.promoted()
    # The phone's own address and port, but by the WAN: not the kernel's to forward. And a stranger at the peer's address.
    before = site.slow()
    forger = site.other.socket(socket.AF_PACKET, socket.SOCK_RAW)
    forger.bind(("eth0", 0))
    lan_port = int(made["a"]["local"].rpartition(":")[2])
    body = flow_site.packet((PHONE, 4000), ("192.168.10.1", lan_port), b"forged" + rtp(7, 1)[6:])
    macs = [re.search(r"link/ether (\S+)", h.ip("-o", "link", "show", "dev", i))[1].replace(":", "")
            for h, i in ((site.host, "wan0"), (site.other, "eth0"))]
    for _ in range(10):
        forger.send(bytes.fromhex("".join(macs)) + b"\x08\x00" + body)
    stranger = Peer(site.other, PEER, 6666)
    for number in range(10):
        stranger.send(made["b"]["local"], rtp(number, 9))
    lab.wait_until(lambda: site.slow() >= before + 20, lambda: f"{site.slow() - before} of 20 have come to the relay", 5)
    lab.require(all(data[8:12] == b"\0\0\0\2" for data in site.a.heard), "a stranger was heard")
    site.promoted()
    site.a.stop()
    site.b.stop()


def a_rebinding_is_followed(net):
    site = Site(net).start()
    a = Voice(net, site.phone, PHONE, 4000, 1)
    first = Peer(site.other, PEER, 6000)
    made = site.talk.ask("relay", call_id="one", a={"party": {"endpoint": a.endpoint}},
                         b={"party": {"place": "far-end", "endpoint": "10.9.9.9:6000", "visible": PEER}})
    site.a, site.b = a, a
    a.talk_to(made["a"]["local"])
    end = time.monotonic() + 12
    while site.flows() < 2 and time.monotonic() < end:
        first.speak(made["b"]["local"], 2)
        time.sleep(0.02)
    lab.require(site.flows() == 2, "not promoted")
    for _ in range(150):  # three seconds that the relay does not see: the source is not silent
        first.speak(made["b"]["local"], 2)
        time.sleep(0.02)
    second = Peer(site.other, PEER, 6100)
    second.sequence = first.sequence
    heard = len(a.heard)
    for _ in range(20):
        second.speak(made["b"]["local"], 2)
        first.sequence += 1
        first.send(made["b"]["local"], rtp(second.sequence, 2))
        time.sleep(0.02)
    lab.require(site.leg(made["b"]["leg"])["latched"]["rtp"]["endpoint"].endswith(":6000")
                if "rtp" in site.leg(made["b"]["leg"]).get("latched", {}) else True, "the other has taken a leg whose holder sends")
    # The holder goes silent: the stream goes on from the new port.
    time.sleep(2.2)
    before = len(a.heard)
    for _ in range(60):
        second.speak(made["b"]["local"], 2)
        time.sleep(0.02)
    lab.require(len(a.heard) - before >= 58, f"{len(a.heard) - before} of 60 after the rebinding")
    lab.require(second.drain_now(), "nothing is sent to the new port")
    lab.require(heard <= before, "")
    a.stop()


def outlives_mediarelay(net):
    site = Site(net).start()
    made = site.call()
    site.promoted()
    site.program.kill()
    site.talk.close()
    dead = len(site.b.heard)
    time.sleep(2)
    lab.require(len(site.b.heard) - dead > 80, f"{len(site.b.heard) - dead} packets while mediarelay is dead")
    site.start()
    lab.require(site.flows() == 2, f"{site.flows()} flows taken up")
    site.all_fast()
    said = site.a.said
    counted = site.leg(made["a"]["leg"])["statistics"]["received"]
    lab.require(said - 200 < counted["packets"] <= site.a.said and counted["lost"] == 0, f"{said} said: {counted}")
    lab.require(site.talk.ask("list")["legs"][0]["audio"] == {"state": "two-way"} or
                lab.wait_until(lambda: site.leg(made["a"]["leg"])["audio"] == {"state": "two-way"}, "the audio is not seen", 5), "")
    site.end()
    # A call that has ended while nobody was there is not forwarded any more.
    site.program.kill()
    (site.runtime / "nothing").touch()
    for journal in pathlib.Path(net.folder).rglob("*journal*"):
        if journal.is_file():
            journal.unlink()
    site.talk.close()
    site.start()
    lab.require(site.talk.ask("status")["legs"] == 0 and site.flows() == 0, "flows without legs")
    heard = len(site.b.heard)
    site.a.peer.speak(made["a"]["local"])
    time.sleep(0.2)
    lab.require(len(site.b.heard) == heard, "a call that nobody knows is still forwarded")


def five_hundred_calls_and_a_kill(net):
    """Of what is said at 5,000 packets a second while mediarelay is killed, dead and started, nothing is lost, nor comes past the table."""
    site = Site(net).start()
    calls, mouths = 500, []
    for number in range(calls):
        ends = [Peer(host, address, 4000 + number) for host, address in ((site.phone, PHONE), (site.other, PEER))]
        made = site.talk.ask("relay", call_id=str(number), a={"party": {"endpoint": ends[0].endpoint}},
                             b={"party": {"endpoint": ends[1].endpoint}})
        for ssrc, (end, side) in enumerate(zip(ends, "ab")):
            name, _, port = made[side]["local"].rpartition(":")
            mouths.append((end.socket, ssrc + 1, (name, int(port))))
    for host in (site.phone, site.other):
        host.count_rtp()
    said, going = 0, True

    def talk():
        nonlocal said
        due, sequence = time.monotonic(), 0
        while going:
            for number, (mouth, ssrc, to) in enumerate(mouths):
                mouth.sendto(rtp(sequence, ssrc), to)
                if number % 50 == 49:  # not faster than a queue of 1,000 packets is emptied
                    time.sleep(0.001)
            said += len(mouths)
            sequence += 1
            due += 0.2
            time.sleep(max(0, due - time.monotonic()))
    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    lab.wait_until(lambda: site.flows() == 2 * calls, lambda: f"{site.flows()} flows", 60)

    def heard():
        return site.phone.rtp_counted() + site.other.rtp_counted()

    def settled():
        """Between two rounds everything has arrived, or never will."""
        nonlocal going
        going = False
        talker.join()
        time.sleep(0.3)
        return said - heard()
    missing = settled()
    going = True
    talker = threading.Thread(target=talk, daemon=True)
    talker.start()
    time.sleep(1)
    before = site.slow()
    site.program.kill()
    site.talk.close()
    time.sleep(1.5)
    site.start()
    lab.require(site.flows() == 2 * calls, f"{site.flows()} flows are taken up")
    time.sleep(1)
    lost = settled() - missing
    lab.require(lost == 0, f"{lost} of {said} lost")
    lab.require(site.slow() == before, f"{site.slow() - before} of {said} went to the relay")


def stop_leaves_nothing(net):
    def filters():
        return [i for i in ("lan0", "wan0") if "natkit_flow" in lab.sh(*site.host.enter, "tc", "filter", "show", "dev", i, "ingress")]
    pins = pathlib.Path(flow_site.PINS)
    site = Site(net).start()
    made = site.call()
    site.promoted()
    lab.require(site.leg(made["a"]["leg"])["statistics"]["tier"] == "fast", "the leg's statistics do not say it")
    site.talk.ask("stop")
    site.program.wait_exit()
    lab.require(not filters() and not pins.exists(), f"{filters()} and pins are left")
    lab.require("clsact" in lab.sh(*site.host.enter, "tc", "qdisc", "show", "dev", "lan0"), "clsact is gone")
    site.a.stop()
    site.b.stop()
    # SIGTERM is no end of the calls; `natkit stop` by root takes away what was left.
    site.start()
    site.program.stop()
    lab.require(len(filters()) == 2 and pins.exists(), f"{filters()} have stayed")
    # What lives keeps its own.
    site.start()
    site.host.run(lab.PROGRAMS / "natkit", "stop", "--config", site.config)
    lab.require(len(filters()) == 2 and pins.exists(), f"{filters()} have stayed with one that lives")
    site.program.kill()
    site.host.run(lab.PROGRAMS / "natkit", "stop", "--config", site.config)
    lab.require(not filters() and not pins.exists(), f"{filters()} and pins are left by natkit stop")


def the_filter_is_lost(net):
    site = Site(net).start()
    site.call()
    site.promoted()
    lab.sh(*site.host.enter, "tc", "filter", "del", "dev", "lan0", "ingress", "pref", "4117")
    # Its packets reach the relay, which relays them, and the stream is taken back.
    lab.wait_until(lambda: site.flows() == 1, "what goes past the filter is not noticed", 10)
    time.sleep(2)
    lab.require(site.flows() == 1, "it is tried again at once")
    site.end()


def an_interface_is_made_anew(net):
    site = Site(net).start()
    site.call()
    site.promoted()
    for name, segment, addresses in (("wan0", site.wan, ("203.0.113.10/24", "2001:db8::10/64")),):
        site.host.ip("link", "del", name)
        site.host.attach(name, segment, *addresses)
        site.other.ip("neigh", "flush", "all")
    lab.wait_until(lambda: "natkit_flow" in lab.sh(*site.host.enter, "tc", "filter", "show", "dev", "wan0", "ingress"),
                   "the new interface has no filter", 10)
    heard = len(site.b.heard), len(site.a.heard)
    lab.wait_until(lambda: len(site.b.heard) > heard[0] + 50 and len(site.a.heard) > heard[1] + 50, "no media by the new interface", 10)
    site.promoted()
    site.a.stop()
    site.b.stop()


def falls_back(net):
    site = Site(net)
    def why():
        status = site.talk.ask("status")["fast_path"]
        site.talk.close()
        site.program.stop()
        lab.require(not status["on"], status)
        return status["why"]
    # No bpffs.
    lab.sh("mount", "-t", "tmpfs", "tmpfs", "/sys/fs/bpf")
    site.config.write_text(site.config.read_text().replace('"problems"', '"all"'))
    site.start()
    lab.require("no bpffs is mounted" in why(), "no bpffs")
    lab.require("no stream is forwarded by the kernel" in site.program.output, site.program.output)
    lab.sh("umount", "/sys/fs/bpf")
    # Not wanted.
    before = site.config.read_text()
    site.config.write_text(before.replace("[media_proxy]", '[media_proxy]\nfast_path = "off"'))
    site.start()
    lab.require(why() == "off", "not off")
    site.config.write_text(before)
    # lo.forwarding cannot be set: /proc/sys is read-only, as systemd's ProtectKernelTunables makes it.
    wrapped = ["unshare", "--mount", "sh", "-c", 'mount -o bind,ro /proc/sys /proc/sys && exec "$0" "$@"']
    site.program = site.host.start("mediarelay", *wrapped, lab.PROGRAMS / "mediarelay", "serve", "--config", site.config, "--runtime", site.runtime)
    site.program.wait_line("serving on")
    site.talk = site.control()
    reason = why()
    lab.require("conf.lo.forwarding is 0" in reason and "cannot be set" in reason, reason)
    # No capability.
    lab.sh("chown", "-R", "65534", net.folder)
    lab.sh("chmod", "755", net.folder)
    wrapped = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    site.program = site.host.start("mediarelay", *wrapped, lab.PROGRAMS / "mediarelay", "serve", "--config", site.config, "--runtime", site.runtime)
    site.program.wait_line("serving on")
    site.talk = site.control()
    reason = why()
    lab.require("permi" in reason, reason)


if __name__ == "__main__":
    flow_site.skip_without_root("e2e.relay_fast_path")
    lab.main(promotes_and_counts, rtcp_too, comes_back_at_once, source_rules_hold, a_rebinding_is_followed, outlives_mediarelay,
             five_hundred_calls_and_a_kill, stop_leaves_nothing, the_filter_is_lost, an_interface_is_made_anew, falls_back)
