#!/usr/bin/env python3
"""The flow table (lib/bpf) with real packets: what it forwards is right in each family and between them; what it should not decide
goes the ordinary way; flows outlive their process, and lapse."""
import pathlib
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import flow_site
import lab
from flow_site import ADDRESSES, PINS, STUN, THEIRS, Site, rtcp, rtp

NO_VLANS = "skipped: this kernel has no VLANs"
FAMILIES = [(4, 4), (6, 6), (4, 6), (6, 4)]


def all_arrive(site, peer, slow, slot, out, send, what, count=20, tos=184):
    before = site.count(slot)
    peer.clear()
    for number in range(count):
        send(rtp(number))
    peer.wait(count, what)
    for number, (data, source, got_tos, hops) in enumerate(peer.packets):
        lab.require(data == rtp(number), f"{what}: packet {number} is not what was sent")
        lab.require(source == (ADDRESSES[out]["wan"], THEIRS), f"{what}: from {source}")
        lab.require((got_tos, hops) == (tos, 63), f"{what}: TOS and hop limit are {got_tos} and {hops}")
    lab.require(not slow.packets, f"{what}: the slow path has heard {len(slow.packets)}")
    after = site.count(slot)
    lab.require(after[0] - before[0] == count and after[1] - before[1] == 172 * count, f"{what}: counted {before} {after}")


def forwards_each_family(net):
    site = Site(net)
    lab.require(site.table() == "open", "no table")
    for own_sums in (False, True):
        if own_sums:
            site.checksums_by_host(site.host, "wan0")
        for into, out in FAMILIES:
            peer, slow = site.ears(into, out)
            slot = site.flow(into, out)
            mouth = site.mouth(into)
            what = f"IPv{into} to IPv{out}, the output {'without' if own_sums else 'with'} offload"
            all_arrive(site, peer, slow, slot, out, mouth.send, f"{what}, checksums left to the card")
            all_arrive(site, peer, slow, slot, out, lambda p, i=into: site.send_frame(site.frame(p, i)), f"{what}, whole checksums")
            counted = site.ask(f"remove {site.key}").split()
            lab.require(counted[0] == "40", f"{what}: at its end {counted}")
            site.flow(into, out)
            # Short packets come padded to 60 bytes, and the padding stays behind.
            peer.clear()
            site.send_frame(site.frame(rtp(1, size=2), into))
            peer.wait(1, f"{what}: a short packet")
            lab.require(peer.packets[0][0] == rtp(1, size=2), f"{what}: a short packet has become {peer.packets[0][0]}")
            site.ask(f"remove {site.key}")
            for closing in (peer, slow, mouth):
                closing.close()
    lab.require(site.passed()["failed"] == 0, site.passed())


def rtcp_and_both_on_one_port(net):
    site = Site(net)
    site.table()
    peer, slow = site.ears()
    mouth = site.mouth()
    for kind, to_peer, to_slow in ((2, [rtcp()], [rtp(1)]), (3, [rtcp(), rtp(1)], [rtcp(5), rtp(1, ssrc=5)])):
        site.flow(kind=kind)
        peer.clear()
        slow.clear()
        for payload in to_peer + to_slow:
            mouth.send(payload)
        peer.wait(len(to_peer), f"kind {kind}")
        slow.wait(len(to_slow), f"kind {kind}, others")
        lab.require([p[0] for p in peer.packets] == to_peer, "other packets than the flow's")


def counts_loss_and_jitter(net):
    site = Site(net)
    site.table()
    peer, _ = site.ears()
    slot = site.flow()
    mouth = site.mouth()
    for number in (65533, 65534, 65535, 65537, 65538, 65540):
        mouth.send(rtp(number, timestamp=number * 160 & 0xffffffff))
        time.sleep(0.02)
    peer.wait(6, "packets")
    packets, _, of_rtp, sequence, jitter = site.count(slot)
    lab.require(packets == of_rtp == 6 and sequence == 65540, f"counted {packets} {of_rtp} {sequence}")
    # The sender begins anew far off: no loss.
    mouth.send(rtp(20000))
    mouth.send(rtp(20001))
    peer.wait(8, "packets after the jump")
    lab.require(site.count(slot)[3] & 0xffff == 20001, f"after a jump {site.count(slot)}")
    # Jitter is that of two in a row of each eight. These are said to be half a second apart and are not.
    lab.require(jitter == 0, f"jitter of {jitter} ns where none of the eight's first two came")
    slot = site.flow()
    for number, timestamp in ((80, 0), (81, 4000), (82, 400_000), (83, 80_000)):
        mouth.send(rtp(number, timestamp=timestamp))
    peer.wait(12, "packets for the jitter")
    jitter = site.count(slot)[4]
    lab.require(0 < jitter < 500_000_000 / 8, f"jitter of {jitter} ns")


def leaves_to_the_slow_path(net):
    site = Site(net)
    site.table(attach=("lan0", "wan0"))
    options = b"\x94\x04\0\0"  # router alert
    plain = rtp(1)
    cases = [  # what, families, frame, where it is sent, whether the slow path has it, what is counted
        ("a hop limit of 1", (4, 4), lambda: site.frame(plain, hops=1), {}, True, "last_hop"),
        ("IPv6, a hop limit of 1", (6, 6), lambda: site.frame(plain, 6, hops=1), {}, True, "last_hop"),
        ("IP options", (4, 4), lambda: site.frame(plain, options=options), {}, True, None),
        ("a first fragment", (4, 4), lambda: site.frame(plain, fragment=0x2000), {}, False, None),
        ("a later fragment", (4, 4), lambda: site.frame(plain, fragment=0x0008), {}, False, None),
        ("STUN", (4, 4), lambda: site.frame(STUN), {}, True, "other_kind"),
        ("DTLS", (4, 4), lambda: site.frame(b"\x16\xfe\xff" + b"\0" * 30), {}, True, "other_kind"),
        ("RTCP where RTP is expected", (4, 4), lambda: site.frame(rtcp()), {}, True, "other_kind"),
        ("another SSRC", (4, 4), lambda: site.frame(rtp(1, ssrc=9)), {}, True, "other_ssrc"),
        ("a datagram of four bytes", (4, 4), lambda: site.frame(b"\x80\0\0\0"), {}, True, None),
        ("another port of the phone", (4, 4), lambda: site.frame(plain, port=4002), {}, True, None),
        ("no checksum towards IPv6", (4, 6), lambda: site.frame(plain, check=False), {}, True, "no_checksum"),
        ("too large after translation", (4, 6), lambda: site.frame(rtp(1, size=1460)), {}, True, "too_large"),
        ("the phone's address, by another interface", (4, 4), lambda: site.frame(plain), {"by": "peer", "to": "wan0"}, True, None),
        ("a tagged frame", (4, 4), lambda: site.frame(plain), {"tag": 5}, False, None),
    ]
    for (into, out) in ((4, 4), (6, 6), (4, 6)):
        peer, slow = site.ears(into, out)
        slot = site.flow(into, out)
        for what, families, make, where, to_slow, counted in cases:
            if families != (into, out):
                continue
            before, count = site.passed(), site.count(slot)
            slow.clear()
            site.send_frame(make(), **where)
            if to_slow:
                slow.wait(1, what)
            # What comes after it by the same way says that it has passed.
            site.send_frame(site.frame(rtp(2), into))
            peer.wait(1, f"{what}: the packet after it")
            lab.require([p[0] for p in peer.packets] == [rtp(2)], f"{what}: the peer has heard {peer.packets}")
            lab.require(len(slow.packets) == to_slow, f"{what}: the slow path has heard {slow.packets}")
            lab.require(site.count(slot)[0] == count[0] + 1, f"{what}: counted")
            grown = [k for k, v in site.passed().items() if v != before[k]]
            lab.require(grown == ([counted] if counted else []), f"{what}: {grown} have grown")
            peer.clear()
        if (into, out) == (4, 4):
            site.send_frame(site.frame(plain, check=False))
            peer.wait(1, "IPv4 without a checksum to IPv4")
            lab.require(peer.packets[0][0] == plain, "IPv4 without a checksum")
        site.ask(f"remove {site.key}")
        peer.close()
        slow.close()


def a_vlan(net):
    """From one VLAN to another one, in each family: what is tagged on the cable is forwarded by the VLAN's own interface."""
    site = Site(net)
    if not site.move_to_vlans():
        print(f"        a_vlan: {NO_VLANS}")
        return
    lab.require(site.table(attach=("lan0", "wan0", "lan0.5")) == "open", "no table")
    for into, out in FAMILIES:
        answer = site.ask(f"test {site.index('lan0.5')} {site.mac('lan0.5')} {out}")
        lab.require(answer == "ok", f"the self-test of the VLAN's interface: {answer}")
        peer, slow = site.ears(into, out)
        slot, mouth = site.flow(into, out, interface="lan0.5"), site.mouth(into)
        all_arrive(site, peer, slow, slot, out, mouth.send, f"IPv{into} to IPv{out} on VLANs")
        site.ask(f"remove {site.key}")
        for closing in (peer, slow, mouth):
            closing.close()


def marks_and_foreign_filters(net):
    site = Site(net)
    site.table()
    peer, slow = site.ears()
    site.flow()
    # A filter in front marks everything, as Cilium does; one behind ours must see what ours leaves.
    site.foreign_filter("lan0", 10, "mark")
    site.foreign_filter("lan0", 60000, "note")
    # nftables sees the priority that the filter behind ours gives to what ours leaves.
    site.host.nft("table ip noted { counter noted {}\n chain in { type filter hook input priority 0;\n"
                  "meta priority 77 counter name noted\n}\n}")
    mouth = site.mouth()
    for number in range(20):
        mouth.send(rtp(number))
    mouth.send(STUN)
    peer.wait(20, "marked packets")
    slow.wait(1, "STUN")
    noted = lab.sh(*site.host.enter, "nft", "list", "counter", "ip", "noted", "noted")
    lab.require("packets 1 " in noted, f"the filter behind ours: {noted}")


def outlives_its_process(net):
    site = Site(net)
    site.table()
    peer, slow = site.ears()
    site.flow()
    mouth = site.mouth()
    total = 4000

    def talk():
        for number in range(total):
            mouth.send(rtp(number))
            if number % 4 == 3:
                time.sleep(0.001)
    talker = threading.Thread(target=talk)
    talker.start()
    peer.wait(500, "packets before the end")
    lab.require("in use by another process" in Site.table(site_of(site), attach=()), "two processes have the table")
    site.program.send_signal(signal.SIGKILL)
    site.program.wait()
    after = len(peer.packets)
    talker.join()
    lab.wait_until(lambda: len(peer.packets) + len(slow.packets) >= total, lambda: f"{len(peer.packets)} of {total}", 10)
    lab.require(not slow.packets and after < total, f"{len(slow.packets)} have gone the slow way, {after} before the end")
    # The next process finds the flow with its counts, and takes the filter over while packets come.
    talker = threading.Thread(target=talk)
    talker.start()
    lab.require(site.table() == "open", "not taken up")
    kept = site.ask("flows")
    lab.require(f"{ADDRESSES[4]['lan']}:20000=" in kept and int(kept.split("=")[1].split()[0]) >= total, kept)
    talker.join()
    lab.wait_until(lambda: len(peer.packets) >= 2 * total, lambda: f"{len(peer.packets)} of {2 * total} after the taking over", 10)
    lab.require(site.ask(f"remove {site.key}").split()[0] == str(2 * total), "the counts do not go on")
    site.send_frame(site.frame(rtp(1)))
    slow.wait(1, "a packet of a flow that is gone")


def site_of(site):
    """The same site, for a second process."""
    other = object.__new__(Site)
    other.__dict__.update(site.__dict__)
    return other


def follows_changes(net):
    site = Site(net)
    third = net.segment("third")
    site.host.attach("alt0", third, "198.51.100.1/24")
    site.net.hosts["peer"].attach("eth1", third, "198.51.100.2/24")
    site.table()
    peer, slow = site.ears()
    slot = site.flow()
    mouth = site.mouth()

    def talk(count, what, least):
        peer.clear()
        for number in range(count):
            mouth.send(rtp(number))
            time.sleep(0.002)
        peer.wait(least, what)

    talk(20, "before", 20)
    # The route moves to another interface, in one step.
    site.peer.sysctl("net.ipv4.conf.all.rp_filter", 0)
    site.peer.sysctl("net.ipv4.conf.eth1.rp_filter", 0)
    site.host.ip("route", "add", "203.0.113.50/32", "via", "198.51.100.2")
    talk(20, "after the route has moved", 19)
    lab.require("198.51.100.2" in site.host.ip("neigh", "show", "dev", "alt0"), "nothing has gone by the new route")
    site.host.ip("route", "del", "203.0.113.50/32")
    talk(20, "after it has come back", 19)
    # The neighbour has another card.
    site.peer.ip("link", "set", "eth0", "down")
    site.peer.ip("link", "set", "eth0", "address", "02:00:00:00:77:01")
    site.peer.ip("link", "set", "eth0", "up")
    site.host.ip("neigh", "flush", "dev", "wan0")
    talk(20, "after the neighbour's card has changed", 19)
    # A smaller MTU: what no longer fits goes to the slow path, which can fragment.
    site.host.ip("link", "set", "wan0", "mtu", "600")
    slow.clear()
    site.send_frame(site.frame(rtp(1, size=800)))
    slow.wait(1, "a packet larger than the MTU")
    talk(20, "small ones", 20)
    lab.require(site.count(slot)[0] == 100, site.count(slot))
    # Interfaces made anew: the output is found by itself, the input has neither filter nor flow until it is attached again.
    for name, segment, address in (("wan0", site.wan, ADDRESSES[4]["wan"]), ("lan0", site.lan, ADDRESSES[4]["lan"])):
        site.host.ip("link", "del", name)
        site.host.attach(name, segment, address + "/24")
    for neighbour in (site.phone, site.peer):
        neighbour.ip("neigh", "flush", "all")
    slow.clear()
    mouth.send(rtp(1))
    slow.wait(1, "by the new interface")
    lab.require(site.ask(f"attach {site.index('lan0')}") == "ok", "not attached anew")
    site.flow()
    talk(20, "by new interfaces", 19)


def lapses(net):
    site = Site(net)
    site.table(lease=2)
    peer, slow = site.ears()
    slot = site.flow()
    mouth = site.mouth()
    for number in range(6):
        time.sleep(0.5)
        site.ask(f"renew {slot}")
        mouth.send(rtp(number))
    peer.wait(6, "while it is renewed")
    time.sleep(2.2)
    mouth.send(rtp(7))
    slow.wait(1, "after it has lapsed")
    lab.require(site.passed()["expired"] == 1, site.passed())


def tests_itself(net):
    site = Site(net)
    host = site.host
    lab.require(site.table(attach=()) == "open", "no table")
    for key in ("ipv4", "ipv6"):
        host.sysctl(f"net.{key}.conf.lo.forwarding", 0)
    def test(interface, family):
        return site.ask(f"test {site.index(interface)} {site.mac(interface)} {family}")
    lab.require("did not come to the filter" in test("wan0", 4), "passed without a filter")
    for interface in ("lan0", "wan0"):
        lab.require(site.ask(f"attach {site.index(interface)}") == "ok", interface)
    for family in (4, 6):
        lab.require(f"net.ipv{family}.conf.lo.forwarding is 0" in test("lan0", family), f"IPv{family} without forwarding")
        lab.require(site.ask(f"route {family}") == "ok", "cannot set it")
        for interface in ("lan0", "wan0"):
            answer = test(interface, family)
            lab.require(answer == "ok", f"{interface}, IPv{family}: {answer}")
    lab.require(site.ask("flows") == "flows", "the tests have left flows")
    ip_forward = host.run("sysctl", "-n", "net.ipv4.ip_forward").stdout.strip()
    lab.require(ip_forward == "0", "the host forwards")
    # What another filter in front steals does not come through.
    site.foreign_filter("wan0", 10, "steal")
    lab.require("did not come to the filter" in test("wan0", 4), "passed though another filter steals")


def as_nobody(net):
    """With the three capabilities alone, in a folder that root has made."""
    site = Site(net)
    lab.sh("mkdir", "-p", PINS)
    lab.sh("chown", "-R", "nobody", PINS)
    caps = "+bpf,+net_admin,+net_raw"
    enter = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"--inh-caps=-all,{caps}", f"--ambient-caps=-all,{caps}",
             f"--bounding-set=-all,{caps}"]
    answer = site.table(enter=enter)
    lab.require(answer == "open", f"no table for nobody: {answer}")
    for family in (4, 6):
        answer = site.ask(f"test {site.index('lan0')} {site.mac('lan0')} {family}")
        lab.require(answer == "ok", answer)
    peer, slow = site.ears()
    slot = site.flow()
    all_arrive(site, peer, slow, slot, 4, site.mouth().send, "nobody's flow")
    site.program.kill()
    site.program.wait()
    lab.require(site.table(enter=enter) == "open", "nobody cannot take it up")
    site.program.kill()
    site.program.wait()
    without = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"]
    answer = site.table(enter=without)
    lab.require(answer.startswith("error") and "not permitted" in answer, f"without capabilities: {answer}")


def says_what_is_in_the_way(net):
    site = Site(net)
    answer = site.table(folder="/run/natkit-pins")
    lab.require("no bpffs is mounted" in answer, answer)


def is_removed_whole(net):
    site = Site(net)
    site.table(attach=("lan0", "wan0"))
    host = site.host
    site.foreign_filter("lan0", 10, "mark")
    site.flow()
    site.program.kill()
    site.program.wait()
    indices = [str(site.index(i)) for i in ("lo", "lan0", "wan0")]
    done = host.run(flow_site.DRIVER, PINS, "clear", *indices)
    lab.require(done.stdout.strip() == "2", done.stdout)
    lab.require(not pathlib.Path(PINS).exists(), "pins are left")
    left = lab.sh(*host.enter, "tc", "filter", "show", "dev", "lan0", "ingress")
    lab.require("natkit" not in left and "pref 10 " in left, left)
    lab.require("clsact" in lab.sh(*host.enter, "tc", "qdisc", "show", "dev", "wan0"), "clsact is gone")


if __name__ == "__main__":
    flow_site.skip_without_root("e2e.flow_table")
    lab.main(forwards_each_family, rtcp_and_both_on_one_port, counts_loss_and_jitter, leaves_to_the_slow_path, a_vlan,
             marks_and_foreign_filters, outlives_its_process, follows_changes, lapses, tests_itself, as_nobody,
             says_what_is_in_the_way, is_removed_whole)
