#!/usr/bin/env python3
"""natkit-cluster: what the active node's workers hold is in Redis and in the standby's workers within milliseconds, whatever becomes of
Redis; one node is active by the highest epoch. The workers are stand-ins, so that what is asked of them is seen."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from redis_site import Node, Redis, Slow


def binding(number, **more):
    return {"contact": f"sip:{number}@198.51.100.7:5060", "expires_ms": 1_800_000_000_000 + number, **more}


def pair(net, redis_options=(), **cluster):
    """A Redis, and two nodes of which the first is active and the second in step."""
    host = net.host("nodes")
    redis = Redis(host).start(*redis_options)
    a, b = Node(host, "edge-a", **cluster).start(), Node(host, "edge-b", **cluster).start()
    a.wait_ready()
    a.order("promote")
    a.wait(lambda s: s.get("owner", {}).get("node") == "edge-a", "to be the owner")
    b.wait(lambda s: s["ready_why"] == "in step with edge-a", "to be in step")
    a.wait(lambda s: s["standbys"] and s["unprotected_s"] == 0, "to be protected")
    return redis, a, b


def same(worker, others, what):
    lab.wait_until(lambda: worker.records == others.records, lambda: f"{what}: {worker.records} != {others.records}")


def replicas_arrive_and_are_acknowledged(net):
    redis, a, b = pair(net)
    lab.require(a.edge.role == "active" and b.edge.role == "standby" and a.edge.epoch == 1, f"{a.edge.role} {b.edge.role} {a.edge.epoch}")
    for number in range(200):
        a.edge.put(f"binding:{number}", binding(number))
        a.relay.put(f"leg:{number}", {"id": f"{number}", "call_id": "x"})
    for number in range(0, 200, 2):
        a.edge.put(f"binding:{number}", None)
    same(b.edge, a.edge, "registrations")
    same(b.relay, a.relay, "legs")
    status = a.wait(lambda s: s["pending"] == 0 and s.get("lag_ms_p99") is not None and s, "to be acknowledged")
    lab.require(status["records"] == {"legs": 200, "bindings": 100}, f"{status}")
    lab.require(set(redis.state()) == set(a.edge.records) | set(a.relay.records), "what is in Redis is something else")
    # One after the other, as calls come: the lag is that of each.
    for number in range(200):
        a.edge.put("binding:1", binding(1, n=number))
        lab.wait_until(lambda n=number: b.edge.records["binding:1"].get("n") == n, "the change to arrive")
    status = a.status()
    print(f"        lag: {status['lag_ms']} ms, p99 {status['lag_ms_p99']} ms")
    lab.require(status["lag_ms_p99"] <= 100, f"{status}")
    # A worker of the standby that starts anew gets all.
    b.edge.start_again()
    same(b.edge, a.edge, "registrations, after sipedge started anew")
    b.wait_ready()


def who_is_promoted_takes_over_and_gives_back(net):
    redis, a, b = pair(net)
    for number in range(50):
        a.edge.put(f"binding:{number}", binding(number))
    same(b.edge, a.edge, "registrations")
    a.program.kill()
    for worker in a.workers:
        worker.die()
    answer = b.order("promote")
    lab.require(answer == {"role": "active", "epoch": 2} and b.edge.role == "active", f"{answer}")
    lab.wait_until(lambda: redis.owner().get("node") == "edge-b" and redis.owner().get("state"), lambda: f"{redis.owner()}")
    lab.require(len(redis.state()) == 50, f"{len(redis.state())} of 50 in Redis")
    b.edge.put("binding:0", None)
    # The other one comes back, with what its file says: it was active. Redis knows better.
    for worker in a.workers:
        worker.open()
    a.start()
    a.program.wait_line("failures CLUSTER edge-a is standby now: another owner: edge-b")
    a.wait(lambda s: s["ready_why"] == "in step with edge-b", "to be in step")
    same(a.edge, b.edge, "registrations")
    lab.require(a.edge.role == "standby" and b.status()["role"] == "active", f"{a.edge.role}")
    b.order("demote")
    lab.require(a.order("promote")["epoch"] == 3, f"{a.status()}")
    b.wait(lambda s: s["ready_why"] == "in step with edge-a", "to be in step")
    same(b.edge, a.edge, "registrations")


if __name__ == "__main__":
    lab.main(replicas_arrive_and_are_acknowledged, who_is_promoted_takes_over_and_gives_back)
