#!/usr/bin/env python3
"""T.120 and other TCP media in calls: offered and answered through sipedge, carried by mediarelay between ends that socat plays. LAN
and WAN both ways, ends behind NATs (with and without a forwarded port), actpass, IPv4 and IPv6, audio beside it, loops, a killed
sipedge. Files go both ways and must come out the same; no private address on the WAN; BYE frees everything."""
import contextlib
import hashlib
import pathlib
import re
import signal
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import exchanges
import lab
import phones
import proxy
import site_of_phones as sites
import streams

SIZE = 3 << 20


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "nothing"


def bracketed(address):
    return f"[{address}]" if ":" in address else address


def socat(host, name, role, mine, peer):
    """One end of a TCP stream: listens at its own endpoint, or connects to the one it was told (address, port); sends a file, and
    keeps what comes."""
    address, port = mine if role == "listen" else peer
    six = "6" if ":" in address else "4"
    remote = f"TCP{six}-LISTEN:{port},reuseaddr,bind={bracketed(address)}" if role == "listen" else f"TCP{six}:{bracketed(address)}:{port}"
    sent, got = host.lab.folder / f"{name}-sent", host.lab.folder / f"{name}-got"
    sent.write_bytes(streams.noise(SIZE, name))
    program = host.start(f"socat of {name}", "socat", "-t", "60", remote, f"OPEN:{sent},rdonly!!CREATE:{got}")
    if role == "listen":
        lab.wait_until(lambda: any(e.endswith(f":{port}") for e in streams.alive(host)), f"{name} to listen")
    return program, sent, got


def came_through(one, other):
    for program, _, _ in (one, other):
        lab.require(program.wait_exit(180) == 0, f"{program.name}: {program.output}")
    lab.require(digest(one[1]) == digest(other[2]) and digest(other[1]) == digest(one[2]), "what came is not what was sent")


def transfer(call, a, b):
    """A file each way; `a` and `b` say what the caller and the callee do."""
    call.files = getattr(call, "files", 0) + 1
    ends = [(call.a, a), (call.b, b)]
    running = {d.phone.name: socat(d.phone.host, f"{d.phone.name}-{call.files}", role, (d.phone.bare, d.said[-1].port),
                                   (d.told[-1].address, d.told[-1].port))
               for d, role in sorted(ends, key=lambda e: e[1] == "connect")}
    came_through(*(running[d.phone.name] for d, _ in ends))


def end(call):
    """BYE; nothing is left, no TCP port either."""
    call.bye()
    ports = lambda: [e for e in streams.alive(call.site.edge) if sites.MEDIA_PORTS[0] <= int(e.rpartition(":")[2]) <= sites.MEDIA_PORTS[1]]
    lab.wait_until(lambda: not ports(), lambda: f"no TCP port of media to be left: {ports()}")


def setups(call):
    return call.a.told[-1].setup, call.b.told[-1].setup


def without_setup(net, shape):
    """T.120 as it always was: the offerer listens, the answerer connects."""
    with exchanges.Call.of_shape(net, shape) as call:
        call.invite(["t120 1503"], ["t120 1503"])
        transfer(call, "listen", "connect")
        transfer(call, "listen", "connect")  # another one after it
        lab.require(setups(call) == (None, None), f"a=setup appeared: {setups(call)}")
        call.invite(["t120 1503"], ["t120 1503"], by="b")  # now the other one offers
        transfer(call, "connect", "listen")
        end(call)
        call.check_wan()


def lan_to_wan(net):
    without_setup(net, "near_end")


def wan_to_lan(net):
    without_setup(net, "near_end_back")


def from_four_to_six(net):
    without_setup(net, "four_six")


def from_six_to_four(net):
    without_setup(net, "six_four")


def with_setup(net, shape, offered, shown, answered, told, a, b):
    with exchanges.Call.of_shape(net, shape) as call:
        port = 9 if offered == "active" else 4000
        call.invite([f"bfcp {port} setup:{offered}"], [f"bfcp {9 if answered == 'active' else 5000} setup:{answered}"])
        lab.require(setups(call) == (told, shown), f"the caller is told {setups(call)[0]}, the callee {setups(call)[1]}")
        transfer(call, a, b)
        end(call)
        call.check_wan()


def active_and_passive(net):
    with_setup(net, "near_end", "active", "active", "passive", "passive", "connect", "listen")


def passive_and_active(net):
    with_setup(net, "near_end_back", "passive", "passive", "active", "active", "listen", "connect")


def actpass_both_near(net):
    with_setup(net, "near_end", "actpass", "actpass", "passive", "passive", "connect", "listen")


def actpass_from_behind_a_nat(net):
    with_setup(net, "far_end", "actpass", "active", "passive", "passive", "connect", "listen")


def actpass_to_behind_a_nat(net):
    with_setup(net, "far_end_back", "actpass", "passive", "active", "active", "listen", "connect")


def actpass_between_nats(net):
    """Both connect to the relay, as nobody can connect to either."""
    with_setup(net, "two_nats", "actpass", "passive", "active", "passive", "connect", "connect")


def active_from_behind_a_nat(net):
    with_setup(net, "far_end", "active", "active", "passive", "passive", "connect", "listen")


def forward(nat, port, inside="192.168.1.10"):
    """What the guide asks of the owner of a NAT: the port of T.120 leads to the phone."""
    nat.nft(f"""table ip nat {{
            chain pre {{ type nat hook prerouting priority dstnat; iifname "out0" tcp dport {port} dnat to {inside}; }}
        }}
        add rule ip gate forward ct status dnat accept
        """)


def behind_a_nat_with_a_forwarded_port(net):
    """The offerer of T.120 listens behind a NAT: the relay dials the NAT."""
    with exchanges.Call.of_shape(net, "far_end") as call:
        forward(call.alice.host.nat, 1503)
        call.invite(["t120 1503"], ["t120 1503"])
        transfer(call, "listen", "connect")
        rules = [r["rule"] for leg in call.site.legs() for r in leg.get("statistics", {}).get("connections", {}).get("remotes", [])]
        lab.require(not rules, f"connections are left: {rules}")
        lab.require("forwarded-port" in call.site.natkit.output, "the log does not name the rule")
        end(call)
        call.check_wan()


def behind_a_nat_without_a_forwarded_port(net):
    """The same without: the log says what helps, and what helps does: the other one opens the session."""
    with exchanges.Call.of_shape(net, "far_end") as call:
        call.invite(["t120 1503"], ["t120 1503"])
        told = call.b.told[-1]
        lab.require(streams.was_reset(streams.connect(call.carol.host, f"{told.address}:{told.port}"), 90), "the answerer is not sent away")
        call.site.natkit.wait_line(r"its NAT forwards that port to it, \(2\) the other party opens the session.*an edge of its own")
        call.invite(["t120 1503"], ["t120 1503"], by="b")
        transfer(call, "connect", "listen")
        end(call)
        call.check_wan()


@contextlib.contextmanager
def connection(call):
    """A T.120 connection that stays: (the caller's end, which listens; the callee's)."""
    with contextlib.closing(streams.Server(call.alice.host, port=call.a.said[-1].port)) as server:
        b = streams.connect(call.carol.host, f"{call.b.told[-1].address}:{call.b.told[-1].port}")
        a = server.take()
        yield a, b
        a.close(), b.close()


def talk(a, b, text):
    for one, other in ((a, b), (b, a)):
        one.sendall(text)
        lab.require(streams.read(other, len(text)) == text, f"{text} did not come")


def audio_beside_it(net):
    """Hold and resume of the audio, a new audio port, a refused offer and a killed sipedge leave the connection alone; BYE ends it."""
    with exchanges.Call.of_shape(net, "near_end") as call:
        call.invite(["audio 4000", "t120 1503"], ["audio 5000", "t120 1503"])
        ports = [(line.address, line.port) for line in call.b.told]
        with connection(call) as (a, b):
            talk(a, b, b"before")
            call.invite(["audio 4000 sendonly", "t120 1503"], ["audio 5000 recvonly", "t120 1503"])
            talk(a, b, b"on hold")
            call.invite(["audio 4000", "t120 1503"], ["audio 5000", "t120 1503"])
            talk(a, b, b"resumed")
            call.invite(["audio 4010", "t120 1503"], ["audio 5000", "t120 1503"])
            call.refused(["audio 4010", "t120 1504"])
            talk(a, b, b"refused")
            call.kill("sipedge")
            talk(a, b, b"sipedge is back")
            call.invite(["audio 4010", "t120 1503"], ["audio 5000", "t120 1503"])
            talk(a, b, b"offered again")
            lab.require([(line.address, line.port) for line in call.b.told] == ports, "other ports after a restart")
            end(call)
            lab.require(b.recv(1) == b"" and a.recv(1) == b"", "the connection outlived the call")
        call.check_wan()


def a_new_connection(net):
    """a=connection:new: the next connection takes the place of the one that is there; a=connection:existing: it stays."""
    with exchanges.Call.of_shape(net, "near_end") as call:
        caller, callee = "bfcp 4000 setup:passive", "bfcp 9 setup:active"
        call.invite([caller], [callee])
        to = lambda: f"{call.b.told[-1].address}:{call.b.told[-1].port}"
        with contextlib.closing(streams.Server(call.alice.host, port=4000)) as server:
            b = streams.connect(call.carol.host, to())
            a = server.take()
            talk(a, b, b"one")
            call.invite([f"{caller} connection:existing"], [f"{callee} connection:existing"])
            talk(a, b, b"still one")
            call.invite([f"{caller} connection:new"], [f"{callee} connection:new"])
            b2 = streams.connect(call.carol.host, to())
            a2 = server.take()
            talk(a2, b2, b"two")
            lab.require(b.recv(1) == b"", "the old connection is still there")
            end(call)


def by_a_proxy(net, make_caller, make_callee, relayed):
    site = exchanges.make_site(net)
    outside = site.wan_host()
    proxy.Proxy(outside, {"carol": ("sip:carol@example.com", f"{sites.WAN_EDGE}:5060")})
    return exchanges.Call(site, make_caller(site), make_callee(site), f"sip:carol@{outside.address}", relayed)


def by_sipp(net):
    """Phones that are not ours: SIPp offers and answers audio and T.120. The caller, on the WAN, listens."""
    site = sites.Site(net).start()
    caller, callee = site.wan_host(), site.lan_host()
    lab.require(phones.sipp(callee, "register", "-s", "carol", remote=f"{sites.LAN_EDGE}:5060").wait_exit() == 0, "REGISTER failed")
    tap = net.tap(callee)
    t120 = "m=application 1503 TCP t120"
    answering = phones.sipp(callee, "call-uas", sdp=t120, seconds=240)
    calling = phones.sipp(caller, "call-uac", "-s", "carol", "-d", 4000, remote=f"{sites.WAN_EDGE}:5060", sdp=t120, seconds=240)
    invite = lab.wait_until(lambda: [text for _, text in tap.sip() if text.startswith("INVITE")], "the INVITE")[0]
    told = re.search(r"c=IN IP4 (\S+)", invite)[1], int(re.search(r"m=application (\d+) TCP t120", invite)[1])
    lab.require(told[0] == sites.LAN_EDGE and told[1] != 1503, f"the callee is told {told}")
    lab.wait_until(lambda: [text for _, text in tap.sip() if text.startswith("ACK")], "the call to stand")
    calling.signal(signal.SIGSTOP)  # it does not hang up before everything is there
    one = socat(caller, "caller", "listen", (caller.address, 1503), None)
    came_through(one, socat(callee, "callee", "connect", None, told))
    calling.signal(signal.SIGCONT)
    lab.require(calling.wait_exit(240) == 0, "the caller saw something else")
    lab.require(answering.wait_exit(240) == 0, "the callee saw something else")
    site.wait_nothing_left()
    site.check_wan()


def loop_without_relay(net):
    """Out to the WAN and back to the LAN: the two connect directly, as they said."""
    with by_a_proxy(net, sites.Site.lan_host, sites.Site.lan_host, relayed=0) as call:
        call.invite(["bfcp 4000 setup:actpass"], ["bfcp 9 setup:active"])
        lab.require(call.b.told[-1].address == call.alice.bare and call.b.told[-1].port == 4000, f"told {vars(call.b.told[-1])}")
        lab.require(setups(call) == ("active", "actpass"), setups(call))
        transfer(call, "listen", "connect")
        end(call)
        call.check_wan()


def loop_over_one_relay(net):
    """Out to the WAN and back to a phone behind a NAT: one relay, and both ends do what suits their places."""
    with by_a_proxy(net, sites.Site.home_host, sites.Site.home_host, relayed=1) as call:
        call.invite(["bfcp 4000 setup:actpass"], ["bfcp 9 setup:active"])
        lab.require(setups(call) == ("passive", "passive"), setups(call))
        transfer(call, "connect", "connect")
        end(call)
        call.check_wan()


if __name__ == "__main__":
    lab.main(lan_to_wan, wan_to_lan, from_four_to_six, from_six_to_four, active_and_passive, passive_and_active, actpass_both_near,
             actpass_from_behind_a_nat, actpass_to_behind_a_nat, actpass_between_nats, active_from_behind_a_nat,
             behind_a_nat_with_a_forwarded_port, behind_a_nat_without_a_forwarded_port, audio_beside_it, a_new_connection,
             by_sipp, loop_without_relay, loop_over_one_relay)
