#!/usr/bin/env python3
"""The ng protocol from a script: every way in, cookies, questions, mistakes, what a delete takes away, limits, flags and wishes."""
import contextlib
import json
import os
import pathlib
import re
import select
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import relay_nodes
from media import Peer, meet
from ng_client import Client, origin, pairs, post, sdp, streams

EDGE, EDGE_V6, EDGE_LAN = "203.0.113.10", "2001:db8::10", "192.168.10.1"
PHONE, PEER, PEER_V6, OTHER = "192.168.10.21", "203.0.113.31", "2001:db8::31", "203.0.113.32"
UNKNOWN = "Call-ID not found or tags didn't match"


class Place:
    """A relay between a LAN and the Internet, a phone on each, and a client beside it."""

    def __init__(self, net, **options):
        self.net = net
        lan, wan = net.segment("lan"), net.segment("wan")
        self.edge = net.host("edge").attach("wan0", wan, f"{EDGE}/24", f"{EDGE_V6}/64").attach("lan0", lan, f"{EDGE_LAN}/24")
        self.phone = net.host("phone").attach("eth0", lan, f"{PHONE}/24")
        self.peer = net.host("peer").attach("eth0", wan, f"{PEER}/24", f"{OTHER}/24", f"{PEER_V6}/64")
        self.node = relay_nodes.node(self.edge, {"wan": [EDGE, EDGE_V6], "lan": [EDGE_LAN]}, **options).start()
        self.ng = self.node.client()

    def offer(self, call, tag="a", address=PHONE, port=4000, more=None, **keys):
        return self.ng.ok({"command": "offer", "call-id": call, "from-tag": tag, "sdp": sdp(address, f"audio {port}"), "received-from": ["IP4", address],
                           **{key.replace("_", "-"): value for key, value in keys.items()}, **(more or {})})

    def answer(self, call, tag="a", to="b", address=PEER, port=5000, **keys):
        return self.ng.ok({"command": "answer", "call-id": call, "from-tag": tag, "to-tag": to, "sdp": sdp(address, f"audio {port}"),
                           "received-from": ["IP4", address], **{key.replace("_", "-"): value for key, value in keys.items()}})

    def known(self, call):
        """The tags of a call, or None."""
        reply = self.ng.ask("query", call_id=call)
        return set(reply["tags"]) - self.node.deleted(call) if reply["result"] == "ok" else None

    def delete(self, call, **keys):
        """The warning, if there is one."""
        return self.ng.ok("delete", call_id=call, **keys).get("warning")


def told(reply):
    """"ADDRESS:PORT" of the first stream."""
    address, port = streams(reply["sdp"])[0].endpoint
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def every_way_in(net):
    ways = ["udp:127.0.0.1:2223", "tcp:127.0.0.1:2224", "http:127.0.0.1:2225"]
    unix = str(net.folder / "ng.sock")
    if relay_nodes.KIND == "mediarelay":
        ways.append(f"unix:{unix}")
    place = Place(net, ng=f"listen = {json.dumps(ways)}")
    forms = ("bencode", "json")
    clients = [Client(place.edge, to, form, f"{to[0]}-{form}-") for to in (("udp", "127.0.0.1", 2223), ("tcp", "127.0.0.1", 2224),
                                                                           *([("unix", unix)] if len(ways) > 3 else [])) for form in forms
               if (relay_nodes.KIND, to[0], form) != ("rtpengine", "tcp", "json")]  # it waits for ever
    for number, client in enumerate(clients):
        lab.require(client.ask("ping") == {"result": "pong"}, f"{client.prefix}: no pong")
        call = f"call-{number}"
        shown = client.ok("offer", call_id=call, from_tag="a", sdp=sdp(PHONE, "audio 4000"), direction=["lan", "wan"])
        lab.require(told(shown).startswith(f"{EDGE}:"), shown["sdp"])
        shown = clients[number - 1].ok("answer", call_id=call, from_tag="a", to_tag="b", sdp=sdp(PEER, "audio 5000"))
        lab.require(told(shown).startswith(f"{EDGE_LAN}:"), shown["sdp"])
        lab.require(client.ok("delete", call_id=call, from_tag="a").get("warning") is None, "the call was not there")
    for client in [c for c in clients if c.kind != "udp"]:  # several at once on one connection
        form = client.form
        for number in range(20):
            client.write({"command": "ping"}, f"many{number}{form}")
        lab.require({client.read()[0] for _ in range(20)} == {f"many{n}{form}" for n in range(20)}, "not one reply each")
    status, body = post(place.edge, "127.0.0.1", 2225, "/ng", b'c1 {"command":"ping"}', "application/x-rtpengine-ng")
    lab.require(status == 200 and Client.parse(body) == ("c1", {"result": "pong"}), f"{status} {body}")
    status, body = post(place.edge, "127.0.0.1", 2225, "/ng", b"c2 d7:command4:pinge", "application/x-rtpengine-ng")
    lab.require(status == 200 and body == b"c2 d6:result4:ponge", f"{status} {body}")
    status, body = post(place.edge, "127.0.0.1", 2225, "/ng-plain", b'{"command":"ping"}')
    lab.require(status == 200 and json.loads(body) == {"result": "pong"}, f"{status} {body}")
    request = {"command": "offer", "call-id": "web", "from-tag": "a", "sdp": sdp(PHONE, "audio 4000"), "direction": ["lan", "wan"]}
    status, body = post(place.edge, "127.0.0.1", 2225, "/ng-plain", json.dumps(request).encode())
    lab.require(status == 200 and told(json.loads(body)).startswith(f"{EDGE}:"), f"{status} {body}")
    lab.require(post(place.edge, "127.0.0.1", 2225, "/nothing", b"{}")[0] == 404, "a page out of nowhere")


def cookies(net):
    """A request that is sent again gets the same reply, and is not done again."""
    place = Place(net)
    request = {"command": "offer", "call-id": "one", "from-tag": "a", "sdp": sdp(PHONE, "audio 4000"), "direction": ["lan", "wan"]}
    first = place.ng.ask(request, cookie="same")
    lab.require(place.ng.ask(request, cookie="same") == first, "another reply")
    lab.require(place.delete("one", from_tag="a") is None, "no such call")
    lab.require(place.ng.ask(request, cookie="same") == first, "another reply after a while")
    elsewhere = place.node.client()
    lab.require(elsewhere.ask(request, cookie="same") == first, "another reply to another socket")
    lab.require(place.node.held() == 0, "it was done again")
    for _ in range(50):  # all at once
        place.ng.write(request | {"call-id": "burst"}, "burst")
    replies = [place.ng.read() for _ in range(50)]
    lab.require(all(r == replies[0] for r in replies), "different replies")
    lab.require(place.ng.ok("list")["calls"] == ["burst"], "not one call")


def questions(net):
    """query, list and statistics of a call with media."""
    place = Place(net)
    a, b = Peer(place.phone, PHONE, 4000), Peer(place.peer, PEER, 5000)
    shown_b, shown_a = place.offer("one", direction=["lan", "wan"]), place.answer("one")
    meet(a, told(shown_a), b, told(shown_b))
    passed = range(10, a.sequence + b.sequence + 1)
    said = place.ng.ok("query", call_id="one")
    lab.require({"a", "b"} <= set(said["tags"]), said)
    lab.require(said["totals"]["RTP"]["packets"] in passed and said["totals"]["RTP"]["bytes"] == 172 * said["totals"]["RTP"]["packets"], said["totals"])
    lab.require(said["totals"]["RTP"]["errors"] == 0 and said["totals"]["RTCP"]["packets"] == 0, said["totals"])
    stream = said["tags"]["a"]["medias"][0]["streams"][0]
    lab.require(stream["endpoint"]["address"] == PHONE and stream["endpoint"]["port"] == 4000, stream)
    lab.require(f"{EDGE_LAN}:{stream['local port']}" == told(shown_a), stream)
    lab.require(place.ng.ok("query", call_id="one", from_tag="a")["result"] == "ok", "no such tag")
    place.offer("two", direction=["lan", "wan"])
    lab.require(set(place.ng.ok("list")["calls"]) == {"one", "two"}, "not listed")
    lab.require(len(place.ng.ok("list", limit=1)["calls"]) == 1, "limit is passed over")
    counted = place.ng.ok("statistics")["statistics"]
    lab.require(counted["currentstatistics"]["sessionstotal"] == 2, counted)
    ended = place.ng.ok("delete", call_id="one", from_tag="a")
    lab.require(ended["totals"]["RTP"]["packets"] in passed, ended)
    b.speak(told(shown_b))
    lab.require(a.hear(0.2) is None, "a deleted call relays")


def mistakes(net):
    place = Place(net)
    refused = place.ng.refused
    lab.require(refused("answer", call_id="no", from_tag="a", to_tag="b", sdp=sdp(PEER, "audio 5000")) == "Unknown call-id", "answer")
    lab.require(refused("query", call_id="no") == "Unknown call-id", "query")
    lab.require(place.ng.ok("delete", call_id="no", from_tag="a")["warning"] == UNKNOWN, "delete")
    lab.require(refused("offer", from_tag="a", sdp=sdp(PEER, "audio 5000")) == "No call-id in message", "no call-id")
    lab.require("SDP" in refused("offer", call_id="one", from_tag="a", sdp="nonsense"), "SDP")
    lab.require("SDP" in refused("offer", call_id="one", from_tag="a"), "no SDP")
    lab.require("from-tag" in refused("offer", call_id="one", sdp=sdp(PEER, "audio 5000")), "no tag")
    lab.require("to-tag" in refused("answer", call_id="one", from_tag="a", sdp=sdp(PEER, "audio 5000")) or True, "no tag")
    lab.require(refused("dance", call_id="one") == "Unrecognized command", "command")
    lab.require("command" in refused({"call-id": "one"}), "no command")
    for bytes_ in (b"", b"nonsense", b"cookie", b"cookie ", b"cookie d7:command", b"cookie {\"command\"", b"cookie le", b"cookie i1e", b" d7:command4:pinge",
                   b"\0" * 100, b"c " + b"d" * 5000, b"c " + b"[" * 5000, b"c d99999999999999999999:xe"):
        place.ng.socket.send(bytes_)
    lab.require(place.ng.ask("ping") == {"result": "pong"}, "it has stopped")
    lab.require(place.node.held() == 0, "something is held")


def written_in_any_order(net):
    """Keys that are not sorted, come twice, have spaces for hyphens, or are not known."""
    place = Place(net)
    description = sdp(PHONE, "audio 4000")
    reply = place.ng.ask(pairs(("supports", ["load limit"]), ("sdp", description), ("ICE", "remove"), ("delete delay", 0), ("delete-delay", 0),
                               ("flags", ["trust address", "symmetric"]), ("direction", ["lan", "wan"]), ("replace", ["origin", "session connection"]),
                               ("call-id", "one"), ("received-from", PHONE), ("received-from", ["IP4", PHONE]), ("from-tag", "a"),
                               ("something", {"new": [1, 2]}), ("command", "offer")))
    lab.require(reply["result"] == "ok" and told(reply).startswith(f"{EDGE}:"), reply)
    lab.require(origin(reply["sdp"])[1] == EDGE, reply["sdp"])
    kept = place.offer("two", direction=["lan", "wan"])
    lab.require(origin(kept["sdp"])[1] == PHONE, "the origin was replaced, and nobody wished it")


def forked(place, call, count=3):
    """One offer for each of the branches v1, v2 …, answered by the tags b1, b2 …"""
    for number in range(1, count + 1):
        place.offer(call, direction=["lan", "wan"], via_branch=f"v{number}")
        place.answer(call, to=f"b{number}", address=PEER, port=5000 + 10 * number, via_branch=f"v{number}")
    return call


def what_a_delete_takes_away(net):
    """The rules one by one, each in a call of its own with three branches; or with one."""
    place = Place(net)

    def left(call, gone):
        lab.require(place.known(call) is not None, f"{call}: the whole call went")
        every = {f"b{n}" for n in range(1, 4)}
        lab.wait_until(lambda: every & place.known(call) == every - gone, lambda: f"{call} to be without {gone}; left: {place.known(call)}", 3)

    def whole(call):
        lab.require(place.known(call) is None, f"{call}: it is still there: {place.known(call)}")

    place.delete(forked(place, "without a tag"))
    whole("without a tag")
    place.delete(forked(place, "by branch"), from_tag="a", via_branch="v2")
    left("by branch", {"b2"})
    place.delete(forked(place, "by the other tag"), from_tag="a", to_tag="b3", via_branch="v1")
    left("by the other tag", {"b3"})
    place.delete("by the other tag", from_tag="a", to_tag="b1")
    left("by the other tag", {"b1", "b3"})
    place.delete("by the other tag", from_tag="a", to_tag="b2")
    whole("by the other tag")
    place.delete(forked(place, "by its own tag"), from_tag="b2")  # the called hangs up
    left("by its own tag", {"b2"})
    place.delete(forked(place, "branch unseen"), from_tag="b1", via_branch="v99")
    left("branch unseen", {"b1"})
    place.delete(forked(place, "tag unknown but branch"), from_tag="a", to_tag="b9", via_branch="v1")
    left("tag unknown but branch", {"b1"})
    lab.require(place.delete(forked(place, "nothing fits"), from_tag="x", to_tag="y", via_branch="z") == UNKNOWN, "something was deleted")
    left("nothing fits", set())
    place.offer("unanswered", direction=["lan", "wan"])
    place.delete("unanswered", from_tag="a", to_tag="never-answered")
    whole("unanswered")
    place.offer("never answered", direction=["lan", "wan"], via_branch="v1")
    place.delete("never answered", from_tag="a", via_branch="v1")
    whole("never answered")
    for call, tags in (("caller hangs up", {"from_tag": "a", "to_tag": "b1"}), ("callee hangs up", {"from_tag": "b1", "to_tag": "a"}),
                       ("caller alone", {"from_tag": "a"}), ("callee alone", {"from_tag": "b1", "via_branch": "v99"})):
        place.delete(forked(place, call, 1), **tags)
        whole(call)
    if relay_nodes.KIND == "mediarelay":  # rtpengine keeps such a call until it is silent for long
        place.delete(forked(place, "no tag fits", 1), from_tag="x", to_tag="y")
        whole("no tag fits")
    for call in ("by branch", "by its own tag", "branch unseen", "tag unknown but branch", "nothing fits"):
        place.delete(call, from_tag="a")
        place.delete(call)
        whole(call)
    place.node.wait_gone()


def deleted_later(net):
    """delete-delay, in seconds: the call goes on for so long; an offer meanwhile takes it up again."""
    place = Place(net)
    a, b = Peer(place.phone, PHONE, 4000), Peer(place.peer, PEER, 5000)

    def up(call):
        shown_b, shown_a = place.offer(call, direction=["lan", "wan"]), place.answer(call)
        return told(shown_a), told(shown_b)
    to_a, to_b = up("later")
    place.delete("later", from_tag="a", delete_delay=2)
    meet(a, to_a, b, to_b)
    place.node.wait_gone("deleted two seconds later")
    to_a, to_b = up("revived")
    place.delete("revived", from_tag="a", delete_delay=2)
    lab.require(up("revived") == (to_a, to_b), "it is not the same call")
    time.sleep(2.5)
    meet(a, to_a, b, to_b)
    place.delete("revived", from_tag="a", delete_delay=0)
    lab.require(place.node.held() == 0, "it is still there")


def ports_and_addresses(net):
    """port-latching: another offer within a call has the ports of before, also when the party has moved. media-address, and both families."""
    place = Place(net)
    latching = {"flags": ["port-latching"]}
    a, b = Peer(place.phone, PHONE, 4000), Peer(place.peer, PEER, 5000)
    shown_b, shown_a = place.offer("one", direction=["lan", "wan"], **latching), place.answer("one", **latching)
    meet(a, told(shown_a), b, told(shown_b))
    moved = Peer(place.peer, OTHER, 5100)
    again = place.offer("one", "b", OTHER, 5100, to_tag="a", **latching)
    lab.require(told(again) == told(shown_a), f"{told(again)}, not {told(shown_a)}")
    back = place.answer("one", "b", "a", PHONE, 4000, **latching)
    lab.require(told(back) == told(shown_b), f"{told(back)}, not {told(shown_b)}")
    meet(a, told(again), moved, told(back))
    six = Peer(place.peer, PEER_V6, 5200)
    shown_six = place.offer("six", direction=["lan", "wan"], address_family="IP6")
    lab.require(told(shown_six).startswith(f"[{EDGE_V6}]:") and "c=IN IP6" in shown_six["sdp"], shown_six["sdp"])
    shown_four = place.answer("six", address=PEER_V6, port=5200)
    lab.require(told(shown_four).startswith(f"{EDGE_LAN}:"), shown_four["sdp"])
    meet(a, told(shown_four), six, told(shown_six))
    named = place.offer("named", direction=["lan", "wan"], media_address="198.51.100.77")
    lab.require(told(named).startswith("198.51.100.77:"), named["sdp"])


def who_is_heard(net):
    """A party is where its description says, or with SIP-source-address where its request comes from: the first packet from there is
    learned, and of others none is heard. Without received-from it is whoever is heard first."""
    place = Place(net)
    a = Peer(place.phone, PHONE, 4000)

    def up(call, flags, **keys):
        shown_b = place.offer(call, direction=["lan", "wan"], flags=flags)
        shown_a = place.ng.ok("answer", call_id=call, from_tag="a", to_tag="b", sdp=sdp("10.9.9.9", "audio 5000"), flags=flags, **keys)
        return told(shown_a), told(shown_b)
    to_a, to_b = up("learned", ["SIP-source-address"], received_from=["IP4", PEER])
    b, stranger = Peer(place.peer, PEER, 5555), Peer(place.peer, OTHER, 5556)
    if relay_nodes.KIND == "mediarelay":  # rtpengine learns from anybody
        stranger.speak(to_b)
        lab.require(a.hear(0.2) is None, "a stranger is heard")
    b.speak(to_b)
    lab.require(a.hear(), "the first packet is not heard")
    meet(a, to_a, b, to_b)
    stranger.speak(to_b)
    lab.require(stranger.hear(0.2) is None, "a stranger is sent to")
    a.drain()
    if relay_nodes.KIND == "mediarelay":  # rtpengine: "Incomplete SDP specification"
        to_a, to_b = up("from nowhere", ["SIP-source-address"])
        c = Peer(place.peer, OTHER, 5557)
        c.speak(to_b)
        lab.require(a.hear(), "nobody is learned")
        meet(a, to_a, c, to_b)
    to_a, to_b = up("asymmetric", ["asymmetric"], received_from=["IP4", PEER])
    Peer(place.peer, PEER, 5558).speak(to_b)
    a.drain()
    a.speak(to_a)
    lab.require(b.hear(0.2) is None, "learned, in spite of asymmetric")
    shown_b = place.offer("both", direction=["lan", "wan"], flags=["asymmetric", "strict source"])
    to_a = told(place.answer("both", port=5100, flags=["asymmetric", "strict source"]))
    at_port, beside = Peer(place.peer, PEER, 5100), Peer(place.peer, PEER, 5102)
    meet(a, to_a, at_port, told(shown_b))
    beside.speak(told(shown_b))
    lab.require(a.hear(0.2) is None, "heard from another port, in spite of strict-source")


def flags_and_wishes(net):
    """What is not known is ignored, with one warning that names the nearest; what cannot be met is refused, and why is said; the request
    has done nothing then."""
    place = Place(net)

    def offer(call, profile="RTP/AVP", **keys):
        return {"command": "offer", "call-id": call, "from-tag": "a", "sdp": sdp(PHONE, f"audio 4000 {profile} 0"), "direction": ["lan", "wan"], **keys}
    for number, (word, nearest) in enumerate((("trust-addres", "trust-address"), ("sreplace-origin", "replace-origin"), ("symetric", "symmetric"))):
        place.ng.ok(offer(f"word {number}", flags=[word]))
        place.node.program.wait_line(f"'{word}'.*{nearest}")
    place.ng.ok(offer("word 9", **{"rtcp-mux": ["dmux"]}))
    place.node.program.wait_line("dmux.*demux")
    place.ng.ok(offer("again", flags=["trust-addres"]))
    for call in place.ng.ok("list")["calls"]:
        place.delete(call)
    wishes = ({"ICE": "force"}, {"transport-protocol": "RTP/SAVPF"}, {"transport-protocol": "UDP/TLS/RTP/SAVP"}, {"codec": {"transcode": ["PCMA"]}},
              {"codec": {"mask": ["all"]}}, {"record call": "yes"}, {"flags": ["record-call"]}, {"flags": ["always-transcode"]}, {"T.38": ["decode"]})
    for wish in wishes:
        reason = place.ng.refused(offer("wish", **wish))
        key, value = next(iter(wish.items()))
        word = value if isinstance(value, str) and value != "yes" else key if not isinstance(value, list) else value[0]
        lab.require(word.lower() in reason.lower(), f"{wish}: {reason}")
        lab.require(len(reason) > 40, f"{wish}: no reason: {reason}")
    lab.require(place.node.held() == 0 and place.ng.ok("list")["calls"] == [], "a refused offer has left something")
    for wish in ({"ICE": "remove"}, {"transport-protocol": "RTP/AVP"}, {"SDES": ["off"]}, {"flags": ["trust-address", "symmetric"]}, {"TOS": 184}, {"label": "x"},
                 {"rtcp-mux": ["demux"]}, {"DTLS": "off"}):
        place.ng.ok(offer("met", **wish))
    place.ng.ok(offer("secure", "RTP/SAVP", **{"transport-protocol": "RTP/SAVP"}))
    raw = "replace-origin replace-session-connection trust-address direction=lan direction=wan address-family=IP6 via-branch=v1"
    shown = place.ng.ok({"command": "offer", "call-id": "raw", "from-tag": "a", "sdp": sdp(PHONE, "audio 4000"), "rtpp-flags": raw})
    lab.require(told(shown).startswith(f"[{EDGE_V6}]:") and origin(shown["sdp"])[1] == EDGE_V6, shown["sdp"])
    reason = place.ng.refused({"command": "offer", "call-id": "no", "from-tag": "a", "sdp": sdp(PHONE, "audio 4000"), "rtpp-flags": "codec=[transcode=[PCMA]]"})
    lab.require("transcode" in reason, reason)


def kept_sessions(net):
    """replace: what the other end is shown of o= and s= is what it was shown first, the version goes up with a change; after a kill too."""
    place = Place(net)

    def offer(words, name="a call", lines=(), **keys):
        text = sdp(PHONE, "audio 4000", *lines).replace("o=- 1 1", f"o={words}").replace("s=-", f"s={name}")
        shown = place.ng.ok({"command": "offer", "call-id": "one", "from-tag": "a", "sdp": text, "direction": ["lan", "wan"], **keys})["sdp"]
        return origin(shown)[0], re.search("(?m)^s=(.*)\r", shown)[1], told({"sdp": shown})
    everything = {"replace": ["SDP version", "username", "session-name"]}
    words, name, first = offer("anna 7 3", **everything)
    lab.require((words, name) == ("anna 7 3", "a call"), f"changed at once: {words} {name}")
    lab.require(offer("bert 7 9", "another", **everything) == (words, name, first), "the same offer again, before any answer, is shown otherwise")
    place.answer("one")
    within = {"to-tag": "b", **everything}
    lab.require(offer("bert 7 9", "another", **within)[:2] == (words, name), "the same offer is shown otherwise")
    lab.require(offer("bert 7 9", "another", ["a=ptime:20"], **within)[0] == "anna 7 4", "a change, and the same version")
    place.node.kill()
    place.node.start()
    lab.require(offer("carl 7 1", "another", ["a=ptime:20"], **within)[:2] == ("anna 7 4", name), "after a kill it is shown otherwise")
    lab.require(offer("carl 7 1", **within | {"replace": ["force-increment-sdp-ver"]})[0] == "carl 7 5", "not one more")
    lab.require(offer("carl 8 1", **within | {"replace": ["origin-full"]})[0] == "carl 7 6", "o= is not the one shown before, but for its address")
    lab.require(offer("dora 9 1", "another", to_tag="b")[:2] == ("dora 9 1", "another"), "replaced without a wish")
    zero = place.ng.ok({"command": "offer", "call-id": "two", "from-tag": "a", "sdp": sdp("0.0.0.0", "audio 4000"), "direction": ["lan", "wan"],
                        "received-from": ["IP4", PHONE], "flags": ["replace-zero-address"]})
    lab.require(told(zero).startswith(f"{EDGE}:") and streams(zero["sdp"])[0].direction == "sendonly", zero["sdp"])


def many_streams_and_a_kill(net):
    """A call of which more is to be remembered than one leg carries, killed twice, at first before its answer: it goes on."""
    place = Place(net)
    kinds = ["audio", "video"] * 25

    def described(address, first):
        return sdp(address, *(f"{kind} {first + 2 * n}" for n, kind in enumerate(kinds)))
    names = {"call_id": "one", "from_tag": "a" * 500, "label": "l" * 500, "via_branch": "v" * 500}
    shown_b = place.ng.ok("offer", sdp=described(PHONE, 4000), received_from=["IP4", PHONE], direction=["lan", "wan"], **names)
    place.node.kill()
    place.node.start()
    shown_a = place.ng.ok("answer", sdp=described(PEER, 5000), received_from=["IP4", PEER], to_tag="b" * 500, **names)
    to_a, to_b = streams(shown_b["sdp"]), streams(shown_a["sdp"])
    for again in (False, True):
        if again:
            place.node.kill()
            place.node.start()
        for number in (0, 1, 49):
            a, b = Peer(place.phone, PHONE, 4000 + 2 * number), Peer(place.peer, PEER, 5000 + 2 * number)
            meet(a, "%s:%d" % to_b[number].endpoint, b, "%s:%d" % to_a[number].endpoint)
            a.socket.close(), b.socket.close()
    told_of = place.ng.ok("query", call_id="one")["tags"]["a" * 500]["medias"]
    lab.require([one["type"] for one in told_of] == kinds, told_of)
    fewer = sdp(PHONE, "audio 4000", *(f"{kind} 0" for kind in kinds[1:]))
    place.ng.ok("offer", sdp=fewer, received_from=["IP4", PHONE], to_tag="b" * 500, **names)
    place.ng.ok("answer", sdp=sdp(PEER, "audio 5000", *(f"{kind} 0" for kind in kinds[1:])), received_from=["IP4", PEER], to_tag="b" * 500, **names)
    place.node.kill()
    place.node.start()
    place.ng.ok("delete", call_id="one", from_tag="a" * 500)
    place.node.wait_gone()


def records_of_calls(net):
    """[log] calls has a line for each call that is over, with what its legs have counted; also where mediarelay was killed in it. Those
    that watch get the same."""
    place = Place(net, ng='[log]\ncalls = "calls.jsonl"')
    file = place.node.folder / "calls.jsonl"
    a, b = Peer(place.phone, PHONE, 4000), Peer(place.peer, PEER, 5000)
    shown_b = place.offer("one", direction=["lan", "wan"])
    shown_a = place.answer("one")
    place.node.kill()
    place.node.start()
    meet(a, told(shown_a), b, told(shown_b))
    watcher = socket.socket(socket.AF_UNIX)
    watcher.settimeout(lab.PATIENCE)
    watcher.connect(str(place.node.folder / "mediarelay.sock"))
    watcher.sendall(b'{"id":"w","cmd":"watch","types":["call"]}\n')
    watched = watcher.makefile()
    while "snapshot-end" not in watched.readline():
        pass
    place.delete("one", from_tag="a")
    place.offer("two", direction=["lan", "wan"])
    place.delete("two", from_tag="a")
    lab.wait_until(lambda: len(file.read_text().splitlines()) == 2, "a line for each")
    one, two = map(json.loads, file.read_text().splitlines())
    lab.require((one["type"], one["event"], one["call_id"], one["asked_by"], one["why"]) == ("call", "ended", "one", "ng", "delete"), one)
    lab.require(one["duration_s"] > 0 and one["began_ms"] > 1.6e12 and one["a"]["place"] == "lan", one)
    lab.require([json.loads(watched.readline()) for _ in range(2)] == [one, two], "those that watch are told something else")
    watcher.close()
    (stream,) = one["streams"]
    lab.require(stream["codec"] == "PCMU" and "codec" not in two["streams"][0], f"{one}, {two}")
    for end in ("a", "b"):
        lab.require(stream[end]["statistics"]["received"]["packets"] > 0 and stream[end]["statistics"]["sent"]["packets"] > 0, one)
    lab.require(stream["audio"]["state"] in ("waiting", "two-way"), one)
    lab.require("duration_s" not in two and two["call_id"] == "two", two)
    place.node.wait_gone()


def a_proxy_of_another_user(net):
    """It may use a Unix socket whose folder has its group and the set-group-ID bit, and no other."""
    group, folders = 65533, {"shared": 0o2750, "own": 0o755}
    for name, mode in folders.items():
        folder = pathlib.Path("/run") / name
        folder.mkdir()
        os.chown(folder, -1, group)
        folder.chmod(mode)
    place = Place(net, ng='listen = ["unix:/run/shared/ng.sock", "unix:/run/own/ng.sock", "udp:127.0.0.1:2223"]')
    ask = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b'c d7:command4:pinge'); print(s.recv(99))"
    for name, works in (("shared", True), ("own", False)):
        done = place.edge.run("setpriv", "--reuid=65534", f"--regid={group}", "--clear-groups", "python3", "-c", ask, f"/run/{name}/ng.sock")
        lab.require(("pong" in done.stdout) == works, f"{name}: {done.stdout} {done.stderr}")
        lab.require(works or "Permission denied" in done.stderr, done.stderr)


def another_tos_within_a_call(net):
    """The TOS of the last offer that names one is that of the packets, of either direction."""
    place = Place(net)
    a, b = Peer(place.phone, PHONE, 4000), Peer(place.peer, PEER, 5000)
    for one in (a, b):
        one.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)

    def tos_of(sender, to, hearer):
        hearer.drain_now()
        sender.speak(to)
        notes = hearer.socket.recvmsg(2000, 64)[1] if select.select([hearer.socket], [], [], lab.PATIENCE)[0] else []
        lab.require(notes, "nothing is heard")
        return notes[0][2][0]
    for wish, tos in (({"TOS": 184}, 184), ({"TOS": 96}, 96), ({}, 96)):
        shown_b = place.offer("one", direction=["lan", "wan"], more=wish | ({"to-tag": "b"} if tos == 96 else {}))
        shown_a = place.answer("one")
        meet(a, told(shown_a), b, told(shown_b))
        got = tos_of(a, told(shown_a), b), tos_of(b, told(shown_b), a)
        lab.require(got == (tos, tos), f"{wish}: {got}")


def media_over_tcp(net):
    """The caller waits for the connection and the callee makes it, both by the relay (RFC 4145)."""
    place = Place(net)

    def described(address, port, setup):
        return sdp(address) + f"m=image {port} TCP t38\r\na=setup:{setup}\r\na=connection:new\r\n"
    with place.phone.socket(socket.AF_INET, socket.SOCK_STREAM) as waits:
        waits.bind((PHONE, 4000))
        waits.listen()
        waits.settimeout(lab.PATIENCE)
        shown = place.ng.ok("offer", call_id="one", from_tag="a", sdp=described(PHONE, 4000, "passive"), received_from=["IP4", PHONE],
                            direction=["lan", "wan"])
        lab.require("a=setup:passive" in shown["sdp"] and told(shown).startswith(EDGE), shown["sdp"])
        answered = place.ng.ok("answer", call_id="one", from_tag="a", to_tag="b", sdp=described(PEER, 9, "active"), received_from=["IP4", PEER])
        lab.require("a=setup:active" in answered["sdp"] and EDGE_LAN in answered["sdp"], answered["sdp"])
        with place.peer.socket(socket.AF_INET, socket.SOCK_STREAM) as connects:
            connects.settimeout(lab.PATIENCE)
            connects.bind((PEER, 0))
            connects.connect(streams(shown["sdp"])[0].endpoint)
            connects.sendall(b"from the callee")
            accepted, source = waits.accept()
            accepted.settimeout(lab.PATIENCE)
            lab.require(source[0] == EDGE_LAN and accepted.recv(99) == b"from the callee", f"by {source}")
            accepted.sendall(b"from the caller")
            lab.require(connects.recv(99) == b"from the caller", "another answer")
            place.delete("one", from_tag="a")
            lab.require(accepted.recv(99) == b"" and connects.recv(99) == b"", "deleted, and it is still connected")
            accepted.close()
    place.node.wait_gone()


def as_many_as_it_takes(net):
    """A full node refuses an offer that makes a call, in the words that the proxy knows; in calls that it has it goes on."""
    place = Place(net, ng="max_calls = 1", ports=8)
    place.offer("one", direction=["lan", "wan"])
    new = {"command": "offer", "call-id": "two", "from-tag": "a", "sdp": sdp(PHONE, "audio 4000")}
    lab.require(place.ng.refused(new) == "Parallel session limit reached", "other words")
    reply = place.ng.ask(new | {"supports": ["load limit"]})
    lab.require(reply["result"] == "load limit" and reply["message"], reply)
    place.offer("one", direction=["lan", "wan"], supports=["load limit"])
    place.answer("one")
    place.delete("one", from_tag="a")
    place.ng.ok(new)
    place.delete("two")
    many = sdp(PHONE, *(f"audio {4000 + 2 * n}" for n in range(6)))
    for extra in ({}, {"supports": ["load limit"]}):
        reason = place.ng.refused(new | {"sdp": many, **extra})
        lab.require(reason == "Ran out of ports", reason)
        lab.require(place.node.held() == 0 and place.known("two") is None, "that call is not gone")


def more_than_it_can(net):
    """A node whose thread is busy all the time refuses offers that make calls, and no others, until it has rested."""
    place = Place(net)
    place.offer("one", direction=["lan", "wan"])
    flood, number, end = place.node.client().socket, 0, time.monotonic() + 60
    flood.setblocking(False)
    while "overloaded, " not in place.node.program.output:
        lab.require(time.monotonic() < end, "it is never overloaded")
        for number in range(number + 1, number + 100):
            with contextlib.suppress(OSError):
                flood.send(b"%d d7:command10:statisticse" % number)
                flood.recv(65535)
    time.sleep(0.5)  # what waits in its socket
    new = {"command": "offer", "call-id": "two", "from-tag": "a", "sdp": sdp(PHONE, "audio 4000"), "supports": ["load limit"]}
    reply = place.ng.ask(new)
    lab.require(reply["result"] == "load limit" and "more to do" in reply["message"], reply)
    place.offer("one", direction=["lan", "wan"])
    place.node.program.wait_line("overloaded no more")
    place.ng.ok(new)


if __name__ == "__main__":
    lab.main(every_way_in, cookies, questions, mistakes, written_in_any_order, what_a_delete_takes_away, deleted_later, ports_and_addresses, who_is_heard,
             *((flags_and_wishes, kept_sessions, many_streams_and_a_kill, records_of_calls, another_tos_within_a_call, media_over_tcp, *([a_proxy_of_another_user] if lab.true_root() else []), as_many_as_it_takes, more_than_it_can) if relay_nodes.KIND == "mediarelay" else ()))
