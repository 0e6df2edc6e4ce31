#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""mediarelay relays RTP, RTCP and UDP between LAN, WAN and far-end parties, both families, and says what it does."""
import json
import pathlib
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media
from media import Edge, Peer, rtcp, rtp, talk


def site(net, **options):
    edge = Edge(net, **options).serve()
    phone = net.host("phone").attach("eth0", edge.lan, "192.168.10.5/24", "fd00:10::5/64")
    peer = net.host("peer").attach("eth0", edge.wan, "203.0.113.50/24", "2001:db8::50/64")
    return edge, phone, peer


def lan_and_wan(net):
    edge, phone, peer = site(net)
    control = edge.control().watch()
    a, b = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)
    a_rtcp, b_rtcp = Peer(phone, "192.168.10.5", 4001), Peer(peer, "203.0.113.50", 6001)
    made = control.ask("relay", call_id="one", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    talk(a, made["a"]["local"], b, made["b"]["local"])
    a_rtcp.send(made["a"]["rtcp"], rtcp(1))
    lab.require(b_rtcp.hear() == rtcp(1), "no RTCP")
    control.record(lambda r: r["type"] == "session" and r["event"] == "two-way")
    legs = {leg["leg"]: leg for leg in control.ask("list")["legs"]}
    counted = legs[made["a"]["leg"]]["statistics"]
    lab.require(counted["received"]["packets"] == 20 and counted["received"]["bytes"] == 20 * 172, counted)
    lab.require(counted["received"]["lost"] == 0 and counted["sent"]["packets"] == 20, counted)
    lab.require(counted["rtcp"]["received"]["packets"] == 1, counted)
    lab.require(legs[made["b"]["leg"]]["audio"] == {"state": "two-way"}, legs)
    control.ask("free", call_id="one")
    b.speak(made["b"]["local"])
    lab.require(a.hear(0.2) is None, "a freed leg still relays")
    lab.require(control.ask("status")["legs"] == 0, "legs are left")
    lab.require(not any(edge.hears(made[name][kind]) for name in "ab" for kind in ("local", "rtcp")), "ports are open")


def far_end_behind_real_nats(net):
    edge, phone, _ = site(net)
    for number, kind in enumerate(("port-restricted", "symmetric")):
        home = net.segment(f"home{number}")
        address = f"203.0.113.{20 + number}"
        net.nat(f"nat{number}", kind, home, "192.168.1.1/24", edge.wan, f"{address}/24")
        far = net.host(f"far{number}").attach("eth0", home, "192.168.1.10/24").default_route("192.168.1.1")
        control = edge.control(f"far{number}").watch()
        a, b = Peer(phone, "192.168.10.5", 4000 + 10 * number), Peer(far, "192.168.1.10", 5000)
        made = control.ask("relay", a={"party": {"endpoint": a.endpoint}},
                           b={"party": {"place": "far-end", "endpoint": b.endpoint, "visible": address}})
        a.speak(made["a"]["local"])
        lab.require(b.hear(0.2) is None, f"{kind}: something was sent before the latch")
        for number_sent in range(6):  # each at once, the first one too: that it has yet to be confirmed costs no time and no packet
            b.speak(made["b"]["local"], ssrc=2, payload=b"from b")
            lab.require(a.hear() == rtp(number_sent, 2, b"from b"), f"{kind}: packet {number_sent} of the far-end phone is not heard")
        latch = control.record(lambda r: r["type"] == "latch" and r["rule"] == "latch")
        lab.require(latch["endpoint"].startswith(address + ":"), latch)
        a.speak(made["a"]["local"])
        lab.require(b.hear(), f"{kind}: the far-end phone hears nothing")


def between_families_and_udp(net):
    edge, phone, peer = site(net)
    control = edge.control()
    six, four = Peer(peer, "2001:db8::50", 6000), Peer(phone, "192.168.10.5", 4000)
    made = control.ask("relay", a={"party": {"endpoint": four.endpoint}}, b={"party": {"endpoint": six.endpoint}})
    lab.require(made["b"]["local"].startswith("[2001:db8::10]:"), made)
    talk(four, made["a"]["local"], six, made["b"]["local"])
    both = Peer(phone, "fd00:10::5", 4000), Peer(peer, "2001:db8::50", 6010)
    made = control.ask("relay", a={"party": {"endpoint": both[0].endpoint}}, b={"party": {"endpoint": both[1].endpoint}})
    talk(both[0], made["a"]["local"], both[1], made["b"]["local"])
    fax, server = Peer(phone, "192.168.10.5", 4040), Peer(peer, "203.0.113.50", 6040)
    made = control.ask("relay", stream="udp", a={"party": {"endpoint": fax.endpoint}}, b={"party": {"endpoint": server.endpoint}})
    lab.require("rtcp" not in made["a"], made)
    for size in (0, 1, 1472, 20000):
        fax.send(made["a"]["local"], bytes(size))
        lab.require(server.hear() == bytes(size), f"a UDP packet of {size} bytes is not relayed")


def mux_that_is_not_accepted(net):
    """A muxed leg keeps the port beside; update switches mux off and on, at the same ports, over a crash too."""
    edge, phone, peer = site(net)
    control = edge.control()
    a, b = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)
    b_rtcp = Peer(peer, "203.0.113.50", 6001)
    made = control.ask("relay", call_id="mux", mux=True, a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    beside = {name: f"{made[name]['local'].rpartition(':')[0]}:{media.endpoint(made[name]['local'])[1] + 1}" for name in "ab"}
    lab.require(all(made[name]["rtcp"] == made[name]["local"] for name in "ab"), made)
    lab.require(all(edge.hears(beside[name]) for name in "ab"), "the ports beside are not set aside")
    lab.require(control.ask("status")["ports_in_use"] == 4, "two pairs are in use")
    talk(a, made["a"]["local"], b, made["b"]["local"], 5)
    a.send(made["a"]["local"], rtcp(1))
    lab.require(b.hear() == rtcp(1), "no muxed RTCP")
    b_rtcp.send(beside["b"], rtcp(2))  # the answer is not known yet
    lab.require(a.hear() == rtcp(2), "RTCP before the answer is lost")
    told = control.ask("update", leg=made["b"]["leg"], mux=False)
    lab.require(told == {"leg": made["b"]["leg"], "local": made["b"]["local"], "rtcp": beside["b"]}, told)
    def not_muxed_there():
        a.send(made["a"]["local"], rtcp(1))
        lab.require(b_rtcp.hear() == rtcp(1), "no RTCP on the port beside")
        lab.require(b.hear(0.1) is None, "RTCP came to the RTP port as well")
        b_rtcp.send(beside["b"], rtcp(2))
        lab.require(a.hear() == rtcp(2), "no RTCP from the port beside")
        talk(a, made["a"]["local"], b, made["b"]["local"], 5)
    not_muxed_there()
    edge.program.kill()
    edge.serve()
    control = edge.control("again")
    lab.require(sorted(leg.get("mux", False) for leg in control.ask("list")["legs"]) == [False, True], "mux is forgotten")
    not_muxed_there()
    edge.run("update", "--mux", "on", made["b"]["leg"])
    a.send(made["a"]["local"], rtcp(1))
    lab.require(b.hear() == rtcp(1), "mux was not switched on again")
    fax = control.ask("open", stream="udp", side="wan")
    lab.require("only rtp" in control.refused("update", leg=fax["leg"], mux=True)["message"], "a fax is muxed")
    control.ask("free", legs=[fax["leg"]])
    control.ask("free", call_id="mux")
    lab.require(control.ask("status")["ports_in_use"] == 0, "ports are left")


def legs_one_by_one(net):
    edge, phone, peer = site(net)
    control = edge.control().watch()
    a, b = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)
    la = control.ask("reserve", side="lan", call_id="steps")
    lab.require(not edge.hears(la["local"]), "a reserved leg has an open port")
    lb = control.ask("open", side="wan", call_id="steps", owner="me", owner_state={"dialog": [1, 2]})
    b.speak(lb["local"])
    drop = control.record(lambda r: r["type"] == "drop")
    lab.require(drop["reason"] == "no-party", drop)
    lab.require(control.ask("open", leg=la["leg"])["local"] == la["local"], "opening changed the port")
    control.ask("update", leg=la["leg"], party={"place": "lan", "endpoint": a.endpoint})
    control.ask("update", leg=lb["leg"], party={"place": "wan", "endpoint": b.endpoint})
    control.ask("join", a=la["leg"], b=lb["leg"])
    talk(a, la["local"], b, lb["local"])
    control.ask("part", leg=la["leg"])
    b.speak(lb["local"])
    lab.require(a.hear(0.2) is None, "a parted leg relays")
    shown = control.ask("show", leg=la["leg"])["legs"]
    lab.require(shown[0]["state"] == "parted" and shown[0]["local"] == la["local"], shown)
    control.ask("join", a=la["leg"], b=lb["leg"])  # opens it again, at the same port
    talk(a, la["local"], b, lb["local"])
    listed = control.ask("list", owner="me")["legs"]
    lab.require([leg["owner_state"] for leg in listed] == [{"dialog": [1, 2]}], listed)
    control.ask("free", legs=[la["leg"], lb["leg"]])
    lab.require(control.ask("status")["ports_in_use"] == 0, "ports are left")


def several_workers(net):
    """Legs of different calls are on different threads until they are joined; then one of them moves, sockets and all."""
    edge, phone, peer = site(net, media="workers = 3")
    control = edge.control()
    lab.require(control.ask("status")["workers"] == 3, "not three workers")
    for n in range(12):
        a, b = Peer(phone, "192.168.10.5", 4000 + 2 * n), Peer(peer, "203.0.113.50", 6000 + 2 * n)
        la = control.ask("open", call_id=f"one-{n}", party={"endpoint": a.endpoint})
        lb = control.ask("open", call_id=f"other-{n}", party={"endpoint": b.endpoint})
        b.speak(lb["local"])  # accepted, counted, and not lost with the move
        lab.wait_until(lambda lb=lb: control.ask("show", leg=lb["leg"])["legs"][0]["statistics"]["received"]["packets"] == 1, "it to be counted")
        control.ask("join", a=la["leg"], b=lb["leg"])
        b.drain(), a.drain()
        talk(a, la["local"], b, lb["local"], 5)
    legs = control.ask("list")["legs"]
    lab.require(len(legs) == 24 and all(leg["statistics"]["received"]["packets"] == (6 if leg["side"] == "wan" else 5) for leg in legs), legs)
    control.ask("free", legs=[leg["leg"] for leg in legs])
    lab.wait_until(lambda: not any(edge.hears(leg["local"]) for leg in legs), "all ports closed")
    lab.require(not any(":20" in local for local, _ in edge.host.sockets()), "sockets are left")


def settled_streams_stay_guarded(net):
    """After a second of audio a stream has a connected socket of its own; everybody else still comes to the rules: on the LAN any port of the
    party's address is heard and none but its own sent to, another address is refused and counted."""
    edge, phone, peer = site(net, media='tos = "ef"')
    control = edge.control()
    a, b, stranger = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000), Peer(peer, "203.0.113.50", 6666)
    beside = Peer(phone, "192.168.10.5", 4444)
    made = control.ask("relay", call_id="long", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    for _ in range(6):
        talk(a, made["a"]["local"], b, made["b"]["local"], 20)
    ports = [local for local, _ in edge.host.sockets()]
    connected = 0 if control.ask("status")["receive"]["steered"] else 2
    lab.require(all(ports.count(made[name]["local"]) == connected for name in "ab"), f"not {connected} sockets: {ports}")
    for n in range(3):
        stranger.send(made["b"]["local"], rtp(n, 666))
    lab.wait_until(lambda: control.ask("show", leg=made["b"]["leg"])["legs"][0]["statistics"].get("drops") == {"wrong-port": 3}, "refusals")
    lab.require(a.hear(0.1) is None, "a stranger is relayed")
    beside.send(made["a"]["local"], rtp(1, 666))
    lab.require(b.hear() == rtp(1, 666), "another port of the party's address is not heard")
    talk(a, made["a"]["local"], b, made["b"]["local"], 5)
    lab.require(beside.hear(0.1) is None, "another port of the party's address is sent to")
    moved = Peer(phone, "192.168.10.5", 4002)  # signalled: the connected socket is no longer the party's
    control.ask("update", leg=made["a"]["leg"], party={"place": "lan", "endpoint": moved.endpoint})
    talk(moved, made["a"]["local"], b, made["b"]["local"], 5)
    control.ask("free", call_id="long")
    lab.wait_until(lambda: not any(":20" in local for local, _ in edge.host.sockets()), "all sockets closed")


def tos_of_both_families(net):
    edge, phone, peer = site(net, media='tos = "ef"')
    control = edge.control()
    for family, a, b in (("ip", Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)),
                         ("ip6", Peer(phone, "fd00:10::5", 4000), Peer(peer, "2001:db8::50", 6000))):
        peer.nft(f"""table inet t{family} {{
            counter ef {{}}
            counter cs3 {{}}
            chain in {{
                type filter hook input priority 0; {family} dscp ef udp dport 6000 counter name ef
                {family} dscp cs3 udp dport 6000 counter name cs3
            }}
        }}""")
        made = control.ask("relay", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
        talk(a, made["a"]["local"], b, made["b"]["local"])
        counted = peer.run("nft", "list", "counter", "inet", f"t{family}", "ef").stdout
        lab.require("packets 20 " in counted, f"{family}: {counted}")
        control.ask("free", legs=[made["a"]["leg"], made["b"]["leg"]])
        made = control.ask("relay", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}, "tos": 96})
        talk(a, made["a"]["local"], b, made["b"]["local"])
        counted = peer.run("nft", "list", "counter", "inet", f"t{family}", "cs3").stdout
        lab.require("packets 20 " in counted, f"{family}, a leg's own: {counted}")


def a_changed_tos_is_that_of_open_ports(net):
    edge, phone, peer = site(net, media='tos = "ef"')
    control = edge.control()
    a, b = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)
    own = Peer(peer, "203.0.113.50", 6002)
    peer.nft("""table inet tos {
        counter ef {}
        counter cs5 {}
        chain in {
            type filter hook input priority 0; ip dscp ef udp dport { 6000, 6002 } counter name ef
            ip dscp cs5 udp dport { 6000, 6002 } counter name cs5
        }
    }""")

    def counted(name):
        listed = peer.run("nft", "list", "counter", "inet", "tos", name).stdout
        return int(listed.split("packets ")[1].split()[0])

    made = control.ask("relay", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    marked = control.ask("relay", a={"party": {"endpoint": "192.168.10.5:4002"}}, b={"party": {"endpoint": own.endpoint}, "tos": 184})
    phone_own = Peer(phone, "192.168.10.5", 4002)
    for _ in range(6):  # settled: sockets have one more that is connected
        talk(a, made["a"]["local"], b, made["b"]["local"], 20)
    before = counted("ef")
    lab.require(before == 120 and counted("cs5") == 0, f"{before} packets have the first TOS")
    edge.config.write_text(edge.config.read_text().replace('tos = "ef"', 'tos = "cs5"'))
    control.ask("reload")
    talk(a, made["a"]["local"], b, made["b"]["local"], 20)
    lab.require(counted("cs5") == 20, f"{counted('cs5')} of 20 packets of an open port have the new TOS")
    talk(phone_own, marked["a"]["local"], own, marked["b"]["local"], 20)
    lab.require(counted("ef") == before + 20, "a leg has lost the TOS of its own")


def silence_frees(net):
    edge, phone, peer = site(net, media='timeout = "3s"')
    control = edge.control().watch()
    a, b = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)
    made = control.ask("relay", call_id="mute", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
    held = control.ask("relay", call_id="held", a={"party": {"endpoint": "192.168.10.5:4100"}}, b={"party": {"endpoint": "203.0.113.50:6100"}})
    control.ask("update", leg=held["a"]["leg"], hold=True)
    talk(a, made["a"]["local"], b, made["b"]["local"])
    timeout = control.record(lambda r: r["type"] == "timeout")
    lab.require(timeout["reason"] == "timeout" and set(timeout["legs"]) == {made["a"]["leg"], made["b"]["leg"]}, timeout)
    lab.require(timeout["silent_ms"] >= 3000, timeout)
    edge.program.wait_line("no packets for .*freed")
    lab.require([leg["call_id"] for leg in control.ask("list")["legs"]] == ["held", "held"], "a held call was freed")


def run_in_a_script(net):
    edge, phone, peer = site(net)
    a, b = Peer(phone, "192.168.10.5", 4000), Peer(peer, "203.0.113.50", 6000)
    arguments = (media.PROGRAM, "run", "--config", edge.config, "--a", a.endpoint, "--b", b.endpoint, "--interval", "200ms")
    program = edge.host.start("run", *arguments)
    first = json.loads(program.wait_line("^.*joined.*$")[0])
    talk(a, first["a"]["local"], b, first["b"]["local"])
    program.wait_line('"event":"statistics".*"packets":20')
    program.signal(signal.SIGINT)
    lab.require(program.wait_exit() == 0, "run did not end well")
    last = json.loads(program.lines[-1])
    lab.require(last["event"] == "ended" and last["reason"] == "signal" and last["a"]["received"]["packets"] == 20, last)
    program = edge.host.start("run", *arguments, "--timeout", "1s")
    lab.require(program.wait_exit() == 0, "run did not end by silence")
    lab.require(json.loads(program.lines[-1])["reason"] == "timeout", program.lines[-1])


def errors_are_clear(net):
    edge, _, _ = site(net, ports="20000-20003")
    control = edge.control()
    party = {"place": "wan", "endpoint": "203.0.113.50:6000"}
    cases = [
        (("open", {"party": {"place": "wan", "endpoint": "127.0.0.1:22"}}), "refused", "loopback"),
        (("open", {"party": {"place": "wan", "endpoint": "192.168.10.5:22"}}), "refused", "in the LAN"),
        (("open", {"party": {"place": "wan", "endpoint": "10.1.1.1:22"}}), "refused", "private"),
        (("open", {"party": {"place": "wan", "endpoint": "203.0.113.10:5060"}}), "refused", "address of this host"),
        (("open", {"party": {"place": "wan", "endpoint": "203.0.113.255:5060"}}), "refused", "broadcast"),
        (("open", {"party": {"place": "moon"}}), "bad-input", "'moon' is not one of 'lan', 'wan', 'far-end'"),
        (("open", {"party": {"place": "wan", "endpoint": "nowhere"}}), "bad-input", "not an address with a port: 'nowhere'"),
        (("open", {"party": {"place": "far-end"}}), "bad-input", "visible address"),
        (("open", {"owner_state": "x" * 9000}), "bad-input", "larger than 8 kB"),
        (("join", {"a": "0000000001", "b": "0000000002"}), "not-found", "no leg '0000000001'"),
        (("fly", {}), "usage", "unknown command 'fly'"),
    ]
    for (command, parameters), code, text in cases:
        error = control.refused(command, **parameters)
        lab.require(error["code"] == code and text in error["message"], f"{command} {parameters}: {error}")
    legs = [control.ask("open", side="wan", party=party) for _ in range(2)]
    error = control.refused("open", side="wan", party=party)
    lab.require(error == {"code": "exhausted", "message": "203.0.113.10: all 4 ports are in use"}, error)
    lab.require(control.ask("status")["legs"] == 2, "a refused request left something behind")
    control.ask("free", legs=[leg["leg"] for leg in legs])
    error = control.refused("open", side="wan", party=party)
    lab.require("4 cooling down" in error["message"], error)
    lab.wait_until(lambda: "ok" in control.answer(control.send("open", side="wan", party=party)), "ports that cooled down")

    bare = edge.config.with_name("bare.toml")
    bare.write_text(edge.config.read_text().replace(', "fd00:10::1"]', "]"))
    nowhere = edge.host.run(media.PROGRAM, "run", "--config", bare, "--a", "lan:[fd00:10::5]:4000", "--b", "wan:203.0.113.50:6000")
    lab.require(nowhere.returncode == 2 and "no ipv6 address on the lan side" in nowhere.stderr and "--bind-a ADDRESS" in nowhere.stderr, nowhere)

    second = edge.host.run(media.PROGRAM, "serve", "--config", edge.config, "--runtime", edge.runtime)
    lab.require(second.returncode == 2 and "another process serves" in second.stderr, second)
    edge.config.write_text(edge.config.read_text().replace('"203.0.113.10", "2001', '"203.0.113.99", "2001'))
    edge.program.stop()
    edge.serve()
    error = edge.control("again").refused("open", side="wan", party=party)
    lab.require("203.0.113.99" in error["message"] and "cannot assign" in error["message"], error)


if __name__ == "__main__":
    lab.main(lan_and_wan, far_end_behind_real_nats, between_families_and_udp, mux_that_is_not_accepted, legs_one_by_one, several_workers, settled_streams_stay_guarded, tos_of_both_families, a_changed_tos_is_that_of_open_ports,
             silence_frees, run_in_a_script, errors_are_clear)
