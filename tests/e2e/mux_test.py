#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""RTCP on the RTP port (RFC 5761) when both ends said a=rtcp-mux, else beside it: offered and accepted, offered and refused, changed
within the call, through every shape of call, with sipedge killed. RTP and RTCP are followed from port to port."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import exchanges
import lab

A, B = "audio 4000", "audio 5000"


def through(net, shape):
    with exchanges.Call.of_shape(net, shape) as call:
        call.invite([f"{A} rtcp-mux"], [B])                # offered and refused
        call.invite([f"{A} rtcp-mux"], [f"{B} rtcp-mux"])  # accepted
        call.refused([A])
        call.kill("sipedge")
        call.invite([B], [A], by="b")                      # not wanted any more
        call.invite([f"{B} rtcp-mux"], [f"{A} rtcp-mux"], by="b")
        call.bye()
    with exchanges.Call(call.site, call.alice.host, call.carol.host) as again:
        again.invite([f"{A} rtcp-mux"], [f"{B} rtcp-mux"])  # accepted at once
        again.invite([f"{A} rtcp-mux"], [B])
        again.invite([A, "video 4020 rtcp-mux"], [B, "video 5020 rtcp-mux"])
        again.bye()
        again.check_wan()


def near_end(net):
    through(net, "near_end")


def far_end(net):
    through(net, "far_end")


def two_nats(net):
    through(net, "two_nats")


if __name__ == "__main__":
    lab.main(near_end, far_end, two_nats)
