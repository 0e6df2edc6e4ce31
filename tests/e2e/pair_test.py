#!/usr/bin/env python3
"""Two nodes with one service: a standby says nothing and takes over what the active one had. Registrations go on by their flows, calls by
their tokens, pings from the same address and port; a node that is told to be a standby ends at once and frees nothing."""
# ctest: serial
import pathlib
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import pair_site
import phones
import raw_sip
from raw_calls import answer_looks, established, from_callee, registered, ring
import site_of_phones as sites

SERVICE = f"{sites.WAN_EDGE}:5060"
PING = b"\r\n\r\n"


def clients(node):
    return {one["aor"]: one for one in node.ask("sipedge", "clients")["clients"]}


def registrations_go_on(net, state):
    pair = pair_site.Pair(net, registrar={"state": state}).start()
    home = pair.home_host()
    bob, eve = registered(home, "bob"), registered(home, "eve", port=5070)
    for phone in (bob, eve):
        answer_looks(phone)
    anna = registered(pair.lan_host(), "anna", edge=f"{sites.LAN_EDGE}:5060")
    tom = raw_sip.StreamParty(pair.wan_host(), SERVICE, user="tom")
    lab.require(tom.register().startswith("SIP/2.0 200"), "tom does not register")
    lab.require(pair.a.ask("sipedge", "replica-members")["binding"].count("expires_ms") == 1, "no members of records")
    copier = pair_site.Copier(pair.a, pair.b)
    lab.require(set(clients(pair.b)) == {f"sip:{u}@example.com" for u in ("bob", "eve", "anna", "tom")}, f"{clients(pair.b)}")
    # What changes afterwards: one comes, one goes, one says that it goes on.
    wendy = registered(pair.wan_host(), "wendy")
    eve.register(cseq=2, expires=0)
    bob.register(cseq=2, expires=1200)
    told = copier.sync()
    lab.require([bool(one["record"]) for one in told].count(False) == 1, f"{told}")
    lab.require(set(clients(pair.b)) == {f"sip:{u}@example.com" for u in ("bob", "anna", "tom", "wendy")}, f"{clients(pair.b)}")
    ids = {aor: one["id"] for aor, one in clients(pair.a).items()}
    lab.require(clients(pair.b)["sip:bob@example.com"]["expires_ms"] > 1_100_000, "bob's renewal was lost")
    lab.require(pair.b.counted("sip_out") == 0, "a standby has sent something")
    lab.require(pair.b.status("sipedge")["role"] == "standby" and pair.a.status("sipedge")["role"] == "active", "the roles")

    pings = pair.net.tap(home)
    lab.wait_until(lambda: any(d.payload == PING for d in pings.all()), "a ping of the active node")
    pair.move()
    status = pair.b.status("sipedge")
    lab.require((status["role"], status["epoch"], status["node"]) == ("active", 2, "b"), f"{status}")
    there = clients(pair.b)
    lab.require("sip:tom@example.com" not in there, "a connection of the other node is taken for one of this")
    lab.require(all(there[aor]["id"] == ids[aor] for aor in there), "another id")
    # Through the NAT that bob is behind, by the flow that he registered on with the other node.
    since = time.time()
    invite, came = ring(anna, bob, "after-1", sdp=False)
    lab.require("INVITE sip:bob@192.168.1.10:5060" in came, came.partition("\r\n")[0])
    bob.answer(came, 486)
    lab.require(anna.wait(r"SIP/2\.0 486"), "no answer")
    lab.wait_until(lambda: any(d.payload == PING and d.time > since for d in pings.all()), "a ping of the new node")
    lab.require({d.source for d in pings.all() if d.payload == PING} == {SERVICE}, "pings from elsewhere")
    # The client does not notice: its next REGISTER follows the last one, to the same binding.
    lab.require(bob.register(cseq=3).startswith("SIP/2.0 200"), "bob cannot renew")
    lab.require(clients(pair.b)["sip:bob@example.com"]["id"] == ids["sip:bob@example.com"], "renewed under another id")
    lab.require(wendy.register(cseq=2, expires=0).startswith("SIP/2.0 200"), "wendy cannot leave")
    # What it took over survives its own death.
    lab.require("sip:wendy@example.com" not in clients(pair.b), "wendy is still there")
    pair.b.programs["natpinger"].kill()  # which has the sockets as well
    pair.b.programs["sipedge"].kill()
    pair.b.start("sipedge")
    left = {"sip:anna@example.com", "sip:bob@example.com"} if "sqlite" in state else set()
    lab.require(set(clients(pair.b)) == left, f"{clients(pair.b)}")
    lab.require(pair.b.status("sipedge")["role"] == "active", "the role is in the file")


def registrations_with_a_file(net):
    registrations_go_on(net, '"sqlite:state.db"')


def registrations_in_memory(net):
    registrations_go_on(net, '"memory"')


def a_standby_says_nothing_and_is_told_to_become_one(net):
    pair = pair_site.Pair(net).start()
    stranger = raw_sip.Party(pair.wan_host(), f"{pair.b.own}:5060", user="wendy")
    stranger.send(stranger.request("OPTIONS", f"sip:{pair.b.own}"))
    stranger.send(stranger.request("REGISTER", "sip:example.com", to=f"<{stranger.aor}>", headers=["Expires: 600"]))
    lab.wait_until(lambda: pair.b.counted("sip_in") >= 2, "two requests at the standby")
    stream = stranger.host.socket(socket.AF_INET, socket.SOCK_STREAM)
    stream.settimeout(lab.PATIENCE)
    stream.connect((pair.b.own, 5060))
    try:
        lab.require(stream.recv(1) == b"", "a standby keeps a connection")
    except ConnectionResetError:
        pass
    lab.require(pair.b.status("sipedge")["clients"] == 0 and pair.b.counted("sip_out") == 0, "a standby answers")
    edge = pair.b.connect("sipedge")
    for command, parameters in (("client-dead", {"client": "x"}), ("remove-client", {"client": "x"})):
        lab.require(edge.refused(command, **parameters)["code"] == "refused", command)
    active = pair.a.connect("sipedge")
    lab.require(active.refused("replica", records=[])["code"] == "refused", "an active node takes replicas")
    lab.require(edge.refused("role", role="leader", epoch=1, node="b")["where"] == "role", "any word is a role")
    edge.ask("role", role="standby", epoch=1, node="b")  # as it is

    # The active one ends with a call, and frees nothing.
    home = pair.home_host()
    bob = registered(home, "bob")
    anna = registered(pair.lan_host(), "anna", edge=f"{sites.LAN_EDGE}:5060")
    established(anna, bob, "kept")
    legs = {leg["leg"] for leg in pair.a.ask("mediarelay", "list")["legs"]}
    lab.require(len(legs) == 2, f"{legs}")
    out = pair.a.counted("sip_out")
    pair.a.tell("standby", 2, "sipedge", "natpinger")
    for worker in ("sipedge", "natpinger"):
        lab.require(pair.a.programs[worker].wait_exit() == pair_site.START_AGAIN, f"{worker} of a")
    lab.require({leg["leg"] for leg in pair.a.ask("mediarelay", "list")["legs"]} == legs, "legs were freed")
    pair.a.start("sipedge", "natpinger")
    lab.require(pair.a.status("sipedge")["role"] == "standby", f"{pair.a.status('sipedge')}")
    lab.require(pair.a.counted("sip_out") == out, "it sent something at its end")
    # And back: the calls are those that mediarelay has.
    pair.a.tell("active", 3, "sipedge", "natpinger")
    lab.require(pair.a.status("sipedge")["calls"] == 1, f"{pair.a.status('sipedge')}")
    lab.require(clients(pair.a), "its own state is gone")


def a_call_without_a_relay_goes_on(net):
    """Two phones on the WAN: their requests travel by the dialog's token, which both nodes read."""
    pair = pair_site.Pair(net).start()
    carl, wendy = (registered(pair.wan_host(), user) for user in ("carl", "wendy"))
    target, headers, to, came = established(carl, wendy, "goes-on")
    pair_site.Copier(pair.a, pair.b)
    pair.move()
    # Both ways: a new offer from either side, and the end.
    again = carl.request("INVITE", target, to=to, call_id="goes-on", cseq=2, headers=headers, body=carl.sdp())
    carl.send(again)
    wendy.answer(wendy.wait("INVITE "), 200, body=wendy.sdp())
    carl.wait(r"SIP/2\.0 200")
    carl.send(carl.request("ACK", target, to=to, call_id="goes-on", cseq=2, headers=headers))
    wendy.wait("ACK ")
    wendy.send(from_callee(wendy, came, "BYE", 7))
    carl.answer(carl.wait("BYE "), 200)
    wendy.wait(r"SIP/2\.0 200")


def more_audio(a, b, packets=40):
    """Both ways, counted from now on."""
    before = {(ear.name, mouth.name): lab.same_audio(mouth.said(), ear.heard()) for ear, mouth in ((a, b), (b, a))}
    for ear, mouth in ((a, b), (b, a)):
        lab.wait_until(lambda ear=ear, mouth=mouth: lab.same_audio(mouth.said(), ear.heard()) >= before[ear.name, mouth.name] + packets,
                       f"{packets} more packets from {mouth.name} at {ear.name}")


def a_relayed_call_goes_on(net):
    pair = pair_site.Pair(net).start()
    a = pair.phone(pair.lan_host(), "alice", tone=440)
    b = pair.phone(pair.home_host(), "bob", tone=600)
    phones.call(a, b)
    more_audio(a, b)
    copiers = pair.copy()
    lab.require(len(pair.legs()) == 2, f"{pair.legs()}")
    lab.require(pair.b.counted("media_out") == 0, "a standby has sent media")
    for copier in copiers:
        copier.sync()
    pair.move()
    lab.require(pair.b.status("sipedge")["calls"] == 1, f"{pair.b.status('sipedge')}")
    more_audio(a, b)
    before = len(pair.on_wan.sip())
    a.command("hold")
    lab.wait_until(lambda: any("a=sendonly" in text for _, text in pair.on_wan.sip()[before:]), "the hold to reach the WAN")
    a.command("resume")
    more_audio(a, b)
    call = pair.b.ask("sipedge", "calls")["calls"][0]
    lab.require(0 < call["duration_s"] < 600, f"{call}")
    phones.hang_up(b, a)
    lab.wait_until(lambda: not pair.legs(), lambda: f"legs to be freed: {pair.legs()}")
    phones.call(b, a)
    more_audio(a, b)
    phones.hang_up(a, b)
    lab.wait_until(lambda: not pair.legs(), lambda: f"legs to be freed: {pair.legs()}")
    pair.check_wan()


def the_key_is_replaced_while_a_call_goes_on(net):
    pair = pair_site.Pair(net).start()
    old, new = pair.a.key.read_text().strip(), "0123456789abcdef" * 4
    carl, wendy = (registered(pair.wan_host(), user) for user in ("carl", "wendy"))
    target, headers, to, _ = established(carl, wendy, "one")
    pair_site.Copier(pair.a, pair.b)
    for keys in ((old, new), (new, old)):
        for node in (pair.a, pair.b):
            node.write_key(*keys)
            node.ask("sipedge", "reload")
    second = established(carl, wendy, "two")
    pair.move()

    def bye(call_id, target, headers, to):
        return carl.send(carl.request("BYE", target, to=to, call_id=call_id, cseq=3, headers=headers))
    bye("one", target, headers, to)
    wendy.answer(wendy.wait("BYE "), 200)
    carl.wait(r"SIP/2\.0 200")
    pair.b.write_key(new)
    pair.b.ask("sipedge", "reload")
    bye("two", *second[:3])
    wendy.answer(wendy.wait("BYE "), 200)
    carl.wait(r"SIP/2\.0 200")
    pair.b.write_key(new[1:])
    edge = pair.b.connect("sipedge")
    error = edge.refused("reload")
    lab.require(error["where"].endswith("cluster.key:1") and "openssl rand -hex 32" in error["message"], f"{error}")


def what_a_whole_set_does_not_name_is_gone(net):
    pair = pair_site.Pair(net).start()
    host = pair.wan_host()
    parties = [registered(host, f"user{n}", port=6000 + n) for n in range(4)]
    copier = pair_site.Copier(pair.a, pair.b)
    lab.require(len(clients(pair.b)) == 4, f"{clients(pair.b)}")
    records = copier.from_active.ask("replicas")["replicas"]
    copier.bring(records[:1], whole="begin")
    lab.require(len(clients(pair.b)) == 4, "dropped before the end")
    copier.bring(records[1:2])
    copier.bring([], whole="end")
    lab.require({one["id"] for one in clients(pair.b).values()} == {one["key"].partition(":")[2] for one in records[:2]}, "the rest is there")
    # A clock that is an hour ahead: the time that is left is what counts.
    record = dict(records[3])
    record["record"] = {**record["record"], "expires_ms": record["record"]["expires_ms"] + 3_600_000}
    copier.to_standby.ask("replica", records=[record], ahead_ms=3_600_000)
    left = next(one for one in clients(pair.b).values() if one["id"] == record["key"].partition(":")[2])["expires_ms"]
    lab.require(left <= 600_000, f"{left} ms are left")
    refused = copier.to_standby.ask("replica", records=[{"key": "leg:1", "record": None}, {"key": "binding:x", "record": {"id": "x"}}, 7])["refused"]
    lab.require(copier.to_standby.refused("replica", records=[], whole="all")["where"] == "whole", "any word")
    lab.require([one["key"] for one in refused] == ["leg:1", "binding:x", ""], f"{refused}")
    lab.require(parties and pair.b.counted("sip_out") == 0, "a standby has sent something")


if __name__ == "__main__":
    lab.main(registrations_with_a_file, registrations_in_memory, a_standby_says_nothing_and_is_told_to_become_one,
             a_call_without_a_relay_goes_on, a_relayed_call_goes_on, the_key_is_replaced_while_a_call_goes_on, what_a_whole_set_does_not_name_is_gone)
