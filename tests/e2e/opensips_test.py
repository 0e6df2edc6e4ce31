#!/usr/bin/env python3
"""What OpenSIPS sent to a relay, sent once more: the datagrams in recorded/opensips-*.json, by its modules rtpengine and rtpproxy, as calls
between a LAN, the Internet and NATs made it send them. Each request is answered, each description names the relay on the right side, both
parties of an answered call hear each other, and nothing is held in the end. `config` there says which functions made the datagrams."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import relay_nodes
from media import Peer, meet
from ng_client import pairs, streams

EDGE, EDGE_LAN = "203.0.113.10", "192.168.10.1"
LAN_PHONES, WAN_PHONES = ("192.168.10.21",), ("203.0.113.20", "203.0.113.21", "203.0.113.31", "203.0.113.32", "203.0.113.33", "203.0.113.34")
RECORDED = pathlib.Path(__file__).resolve().parent / "recorded"


class Place:
    """A relay between a LAN and the Internet, and all phones' addresses; those behind NATs are seen as their NATs."""

    def __init__(self, net, rtpproxy=False):
        lan, wan = net.segment("lan"), net.segment("wan")
        self.edge = net.host("edge").attach("wan0", wan, f"{EDGE}/24").attach("lan0", lan, f"{EDGE_LAN}/24")
        self.hosts = {"lan": net.host("inside").attach("eth0", lan, *(f"{one}/24" for one in LAN_PHONES)),
                      "wan": net.host("outside").attach("eth0", wan, *(f"{one}/24" for one in WAN_PHONES))}
        self.node = relay_nodes.node(self.edge, {"wan": [EDGE], "lan": [EDGE_LAN]}, rtpproxy=rtpproxy).start()
        self.client = self.node.client()
        self.peers = {}

    def peer(self, address, port):
        if (address, port) not in self.peers:
            self.peers[address, port] = Peer(self.hosts["lan" if address in LAN_PHONES else "wan"], address, port)
        return self.peers[address, port]

    def close_peers(self):
        for one in self.peers.values():
            one.socket.close()
        self.peers.clear()


class Party:
    """What one has said, and what the other one was told instead."""

    def __init__(self, address, port, told, sends=True, hidden=False):
        self.address, self.port, self.told, self.sends, self.hidden = address, port, told, sends, hidden


def hear_each_other(place, a, b):
    """`told` of each is where the other one sends to; and that is the relay's side where the other one is."""
    for one, other in ((a, b), (b, a)):
        side = EDGE_LAN if other.address in LAN_PHONES else EDGE
        lab.require(one.told[0] == side, f"{other.address} is told {one.told}")
    a, b = sorted((a, b), key=lambda one: not one.hidden)  # who is behind a NAT speaks first, or nobody knows its port
    meet(place.peer(a.address, a.port), "%s:%d" % b.told, place.peer(b.address, b.port), "%s:%d" % a.told)


# --- rtpengine

def described(request, reply):
    first, shown = streams(request["sdp"])[0], streams(reply["sdp"])[0]
    hidden = first.address.startswith("10.")
    address = request["received-from"][1] if hidden else first.address
    lab.require(shown.direction == first.direction, reply["sdp"])
    lab.require(all(own not in reply["sdp"] for own in (first.address, address)), f"an address of its own is shown: {reply['sdp']}")
    return Party(address, first.port, shown.endpoint, first.direction == "sendrecv", hidden)


def replay_ng(place, sent):
    offers = {}
    for cookie, items in sent:
        request = dict(items)
        place.client.write(pairs(*items), cookie)
        back, reply = place.client.read()
        lab.require(back == cookie, f"{cookie}: answered as {back}")
        command = request["command"]
        lab.require(reply["result"] == ("pong" if command == "ping" else "ok"), f"{request}: {reply}")
        if command == "offer":
            offers[request["call-id"]] = described(request, reply)
        elif command == "answer":
            offer, answer = offers[request["call-id"]], described(request, reply)
            if offer.sends and answer.sends:
                hear_each_other(place, offer, answer)


def by_rtpengine(file):
    recording = json.loads((RECORDED / file).read_text())

    def run(net):
        place = Place(net)
        for one in recording["calls"]:
            try:
                replay_ng(place, one["sent"])
                place.node.wait_gone()
            except lab.Failure as failure:
                raise lab.Failure(f"{recording['by']}: {one['what']}: {failure}") from None
            place.close_peers()
    run.__name__ = file.removesuffix(".json")
    return run


# --- rtpproxy

def replay_rtpproxy(place, sent):
    known = {}
    for cookie, line in sent:
        place.client.socket.send(f"{cookie} {line}".encode())
        back, _, reply = place.client.socket.recv(65535).decode().partition(" ")
        lab.require(back == cookie and reply.endswith("\n"), f"{line}: {back} {reply}")
        words = line.split()
        if words[0][0] == "V":
            lab.require(reply == "20040107\n" if len(words) == 1 else reply in ("0\n", "1\n"), f"{line}: {reply}")
        elif words[0] == "D":
            lab.require(reply == ("0\n" if words[1] in known else "E50\n"), f"{line}: {reply}")
            known.pop(words[1], None)
        else:
            tags = [word.partition(";")[0] for word in words[4:]]
            mine, other = tags[::-1] if words[0][0] == "L" else (tags[0], tags[1] if len(tags) > 1 else None)
            parties = known.setdefault(words[1], {})
            fresh = mine not in parties
            port, address = reply.split()
            parties[mine] = Party(words[2], int(words[3]), (address, int(port)))
            if other in parties and (words[0][0] == "L" or fresh):
                hear_each_other(place, parties[other], parties[mine])


def by_rtpproxy(net):
    recording = json.loads((RECORDED / "opensips-3.4-rtpproxy.json").read_text())
    place = Place(net, rtpproxy=True)
    for one in recording["calls"]:
        try:
            replay_rtpproxy(place, one["sent"])
            place.node.wait_gone()
        except lab.Failure as failure:
            raise lab.Failure(f"{recording['by']}: {one['what']}: {failure}") from None
        place.close_peers()


if __name__ == "__main__":
    lab.main(by_rtpengine("opensips-3.4-rtpengine.json"), by_rtpengine("opensips-4.1-rtpengine.json"), by_rtpproxy)
