#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""Legs that are parted and wanted again in the same moment, as the answers of a fork do it: their ports are had again each time, and
media get through."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media


def parted_and_joined_at_once(net):
    edge = media.Edge(net).serve()
    near = media.Peer(net.host("near").attach("eth0", edge.lan, "192.168.10.20/24"))
    far = media.Peer(net.host("far").attach("eth0", edge.wan, "203.0.113.50/24"))
    control = edge.control()
    legs = [control.ask("open", stream="rtp", side=side, family="ipv4", party={"place": side, "endpoint": peer.endpoint})
            for side, peer in (("lan", near), ("wan", far))]
    names = [leg["leg"] for leg in legs]
    for number in range(200):
        # Without a wait in between: the requests lie in the socket together.
        sent = [control.send("part", leg=name) for name in names] + [control.send("join", a=names[0], b=names[1])]
        for request in sent:
            reply = control.answer(request)
            lab.require("ok" in reply, f"round {number}: {reply}")
    near.speak(legs[0]["local"])
    lab.require(far.hear() is not None, "nothing was heard over the legs that were joined again")


if __name__ == "__main__":
    lab.main(parted_and_joined_at_once)
