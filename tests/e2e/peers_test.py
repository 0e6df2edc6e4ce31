#!/usr/bin/env python3
"""Two edges that are active at once, without natkit-cluster: the test tells each whose clients are the other's. Calls across have one
relay, where one is needed, at the edge of who is called; requests inside a dialog find their edge; each edge can start again."""
# ctest: serial
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import pair_site
import raw_sip
from raw_calls import established, from_callee, registered

PEERS = {"a": "203.0.113.11:5099", "b": "203.0.113.12:5099"}
WORKERS = ("mediarelay", "sipedge")


class Edges(pair_site.Pair):
    """Both nodes with addresses of their own."""

    def __init__(self, net):
        super().__init__(net)
        for node, number in ((self.a, 1), (self.b, 2)):
            lan, wan = f"192.168.10.{1 + number}", f"203.0.113.{10 + number}"
            listen = ", ".join(f'"{t}:{address}:5060"' for address in (lan, wan) for t in ("udp", "tcp"))
            node.service = f"{wan}:5060"
            node.write_config(**{"sip": {"listen": f"[{listen}]"}, "cluster.peers": {name: f'"{at}"' for name, at in PEERS.items()},
                                 "media_proxy.addresses": {"lan": f'["{lan}"]', "wan": f'["{wan}"]'}})
            node.stand("active", 1)
            node.start(*WORKERS)

    def tell(self, source, target, whole="both"):
        """All clients of one node, as natkit-cluster brings them to the other's sipedge."""
        records = [{**one, "node": source.name} for one in source.ask("sipedge", "replicas")["replicas"]]
        answer = target.ask("sipedge", "clients", records=records, ahead_ms=0, whole=whole)
        lab.require(answer == {"refused": []}, f"refused: {answer}")

    def tell_both(self):
        self.tell(self.a, self.b)
        self.tell(self.b, self.a)


def legs(node):
    return node.ask("mediarelay", "list").get("legs", [])


def hold_and_resume(one, other, request, ack):
    """`request` and `ack` make what `one` sends."""
    for cseq, way in ((2, "sendonly"), (3, "sendrecv")):
        text = request("INVITE", cseq, one.sdp() + f"a={way}\r\n")
        one.send(text)
        came = other.wait("INVITE ")
        lab.require(f"a={way}" in came, f"{way} did not get there: {came}")
        other.answer(came, 200, body=other.sdp())
        one.wait(r"SIP/2\.0 200")
        one.send(ack(cseq))
        other.wait("ACK ")


def a_call_across(net):
    edges = Edges(net)
    a, b = edges.a, edges.b
    bob = registered(edges.home_host(), "bob", edge=a.service)
    carol = registered(edges.home_host(), "carol", edge=b.service)
    edges.tell_both()
    lab.require(a.status("sipedge")["foreign"] == b.status("sipedge")["foreign"] == 1, "whose clients are whose")
    for caller, callee, owner, first in ((bob, carol, b, a), (carol, bob, a, b)):
        call_id = f"across-{caller.user}"
        target, headers, to, came = established(caller, callee, call_id)
        lab.require(len(legs(owner)) == 2 and not legs(first), f"legs: {len(legs(owner))} and {len(legs(first))}")
        lab.require("192.168.1.10" not in came.partition("\r\n\r\n")[2], "the caller's private address was shown")
        lab.require("Natkit-Peer" not in came, "what edges show each other was shown to a phone")
        call = owner.ask("sipedge", "calls")["calls"][0]
        lab.require(call["a"]["source"].startswith("203.0.113.3") and ":5099" not in call["a"]["source"], f"{call['a']}")

        def by_caller(method, cseq, body=""):
            return caller.request(method, target, to=to, call_id=call_id, cseq=cseq, headers=headers, body=body)

        answer = came.partition("\r\n\r\n")[0] + "\r\n\r\n"
        tagged = answer.replace("\r\nTo: " + raw_sip.field(came, "To"), "\r\nTo: " + to)
        hold_and_resume(caller, callee, by_caller, lambda cseq: by_caller("ACK", cseq))
        hold_and_resume(callee, caller, lambda method, cseq, body: from_callee(callee, tagged, method, cseq, body),
                        lambda cseq: from_callee(callee, tagged, "ACK", cseq))
        # Each edge in turn starts again, in the call.
        for node, cseq in ((owner, 10), (first, 11)):
            node.programs["sipedge"].kill()
            node.start("sipedge")
            lab.wait_until(lambda: node.status("sipedge")["mediarelay"] == "connected", "mediarelay")
            edges.tell_both()
            caller.send(by_caller("INVITE", cseq, caller.sdp()))
            again = callee.wait("INVITE ")
            lab.require("192.168.1.10" not in again.partition("\r\n\r\n")[2], "after a restart: the caller's private address")
            callee.answer(again, 200, body=callee.sdp())
            caller.wait(r"SIP/2\.0 200")
            caller.send(by_caller("ACK", cseq))
            callee.wait("ACK ")
            lab.require(len(legs(owner)) == 2 and not legs(first), f"legs: {len(legs(owner))} and {len(legs(first))}")
        callee.send(from_callee(callee, tagged, "BYE", 20))
        caller.answer(caller.wait("BYE "), 200)
        callee.wait(r"SIP/2\.0 200")
        lab.wait_until(lambda: not legs(owner), "the legs to be free")


def a_request_by_the_other_edge_and_one_that_nobody_vouches_for(net):
    edges = Edges(net)
    bob = registered(edges.home_host(), "bob", edge=edges.a.service)
    carol = registered(edges.home_host(), "carol", edge=edges.b.service)
    edges.tell_both()
    target, headers, to, _ = established(bob, carol, "failover")
    bob.edge = edges.b.service  # as a balancer has it, or a phone whose edge does not answer
    bob.send(bob.request("BYE", target, to=to, call_id="failover", cseq=2, headers=headers))
    carol.answer(carol.wait("BYE "), 200)
    bob.wait(r"SIP/2\.0 200")
    stranger = raw_sip.Party(edges.wan_host(), PEERS["b"], user="mallory")
    for more in ([], ["Natkit-Peer: " + "A" * 120]):
        stranger.send(stranger.request("INVITE", carol.contact, headers=more, body=stranger.sdp()))
    stranger.silence()
    # The other edge is gone: the caller hears of it soon.
    bob.edge = edges.a.service
    for program in edges.b.programs.values():
        program.kill()
    lab.require(bob.status(bob.request("INVITE", carol.aor, call_id="gone", body=bob.sdp())) == 480, "not 480")


def a_client_moves_from_edge_to_edge(net):
    edges = Edges(net)
    a, b = edges.a, edges.b
    host = edges.home_host()
    bob, carol = registered(host, "bob", edge=a.service), registered(edges.wan_host(), "carol", edge=b.service)
    edges.tell_both()
    known = a.ask("sipedge", "clients")["clients"][0]["id"]
    target, headers, to, _ = established(carol, bob, "moving")
    bob.edge = b.service
    lab.require(bob.register(cseq=2).startswith("SIP/2.0 200"), "bob does not register")
    lab.require(b.status("sipedge")["foreign"] == 0, "still foreign")
    lab.require(known in {one["id"] for one in b.ask("sipedge", "clients")["clients"]}, "another id")
    edges.tell(b, a)
    status = a.status("sipedge")
    lab.require((status["clients"], status["foreign"], status["calls"]) == (0, 2, 1), f"{status}")
    carol.send(carol.request("BYE", target, to=to, call_id="moving", cseq=2, headers=headers))
    came = bob.wait("BYE ")
    bob.edge = a.service  # who asked
    bob.answer(came, 200)
    carol.wait(r"SIP/2\.0 200")
    # Taken over as an own one, by the socket that is like the other node's.
    records = [{**one, "node": "a"} for one in b.ask("sipedge", "replicas")["replicas"] if one["key"] == f"binding:{known}"]
    records[0]["record"]["cseq"] += 1
    lab.require(a.ask("sipedge", "clients", records=records) == {"refused": []}, "not taken")
    mine = a.ask("sipedge", "clients")["clients"]
    lab.require([one["id"] for one in mine] == [known] and mine[0]["flow"]["local"] == a.service, f"{mine}")
    a.programs["sipedge"].kill()
    a.start("sipedge")
    lab.require([one["id"] for one in a.ask("sipedge", "clients")["clients"]] == [known], "it was not saved")
    lab.require(a.ask("sipedge", "clients", records=[], whole="both") == {"refused": []}, "no empty set")
    lab.require(a.status("sipedge")["foreign"] == 0, "what was not named is still there")


if __name__ == "__main__":
    lab.main(a_call_across, a_request_by_the_other_edge_and_one_that_nobody_vouches_for, a_client_moves_from_edge_to_edge)
