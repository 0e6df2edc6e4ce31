#!/usr/bin/env python3
"""natkit-cluster: what the active node's workers hold is in Redis and in the standby's workers within milliseconds, whatever becomes of
Redis; one node is active by the highest epoch. The workers are stand-ins, so that what is asked of them is seen."""
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from redis_site import Node, Redis, Way, binding, pair, same, take_over

OWNER = "natkit:natkit:owner"


def actives(*nodes):
    return [node.name for node in nodes if node.status()["role"] == "active"]


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
    status = a.wait(lambda s: s["pending"] == 0, "to be acknowledged")
    lab.require(status["records"] == {"legs": 200, "bindings": 100}, f"{status}")
    lab.require(set(redis.state()) == set(a.edge.records) | set(a.relay.records), "what is in Redis is something else")
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


def who_missed_entries_reads_all_again(net):
    host = net.host("nodes")
    redis = Redis(host).start()
    way = Way(host, 6381)
    a, b = Node(host, "edge-a").start(), Node(host, "edge-b", 6381).start()
    news = b.watch()
    lab.require(next(news)["role"] == "standby", "what it is comes first")
    take_over(a, b)
    lab.require(any(record["ready"] and record.get("owner", {}).get("node") == "edge-a" for record in news), "its readiness is told")
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    way.cut()
    b.wait(lambda s: s["redis"] != "connected", "to be cut off")
    a.edge.put("binding:2", binding(2))
    a.edge.put("binding:1", None)
    lab.wait_until(lambda: set(redis.state()) == {"binding:2"}, "Redis to have it")
    redis.ask("XTRIM", redis.owner()["stream"], "MAXLEN", "0")
    a.edge.put("binding:3", binding(3))
    way.mend()
    b.program.wait_line("entries are missing before .*: the state is read again")
    same(b.edge, a.edge, "registrations, after entries were missed")


def a_worker_that_is_away_keeps_nobody_from_copying_the_rest(net):
    redis, a, b = pair(net)
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    b.edge.die()
    a.order("demote")
    lab.require("sipedge does not answer" in b.ask("promote")["error"]["message"], "who is missing is told")
    b.relay.put("leg:1", {"id": "1", "call_id": "x"})
    lab.wait_until(lambda: a.relay.records == b.relay.records, "the leg to be copied")
    lab.require(set(redis.state()) == {"binding:1", "leg:1"}, f"{redis.state()}")
    b.edge.records = {"binding:2": binding(2)}
    b.edge.open()
    lab.wait_until(lambda: set(redis.state()) == {"binding:2", "leg:1"}, "what it has when it is back")


def a_standby_whose_worker_begins_anew_acknowledges_nothing_before_it_has_all(net):
    redis, a, b = pair(net)
    for number in range(50):
        a.edge.put(f"binding:{number}", binding(number))
    same(b.edge, a.edge, "registrations")
    b.edge.die()
    b.wait(lambda s: s["ready_why"] == "sipedge is not there", "to miss its sipedge")
    a.edge.put("binding:50", binding(50))
    lab.wait_until(lambda: "binding:50" in redis.state(), "Redis to have it")
    b.edge.takes.clear()
    b.edge.open()
    b.wait(lambda s: s["ready_why"] == "sipedge has not taken all yet", "to tell what is missing")
    a.edge.put("binding:51", binding(51))
    a.wait(lambda s: s["unprotected_s"] >= 2, "to tell that nobody has it")
    lab.require(not b.edge.records, f"{b.edge.records}")
    b.edge.takes.set()
    same(b.edge, a.edge, "registrations, after sipedge began anew")
    b.wait_ready()
    a.wait(lambda s: s["unprotected_s"] == 0, "to be protected")


def natkit_cluster_dies_and_its_node_goes_on(net):
    redis, a, b = pair(net)
    a.edge.put("binding:1", binding(1))
    a.program.kill()
    a.edge.put("binding:2", binding(2))
    a.edge.put("binding:1", None)
    a.start()
    same(b.edge, a.edge, "registrations, after natkit-cluster of the active node was killed")
    lab.require(a.status()["role"] == "active" and a.status()["epoch"] == 1, f"{a.status()}")
    b.program.kill()
    a.edge.put("binding:3", binding(3))
    b.start().wait_ready()
    same(b.edge, a.edge, "registrations, after natkit-cluster of the standby was killed")
    lab.require(len(redis.ask("KEYS", "natkit:natkit:state:*")) == 1, "states that are replaced stay in Redis")


def redis_is_killed_and_comes_back_empty(net):
    redis, a, b = pair(net)
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    redis.kill()
    for node in (a, b):
        node.wait(lambda s: s["redis"] != "connected" and s["degraded"], "to tell that Redis is lost")
    lab.require(b.status()["ready"], f"{b.status()}")
    a.wait(lambda s: s["unprotected_s"] >= 1, "to tell that nothing is protected")
    a.edge.put("binding:1", None)
    for number in range(2, 300):
        a.edge.put(f"binding:{number}", binding(number))
    lab.require(a.status()["pending"] <= 300, f"{a.status()}")
    redis.start()
    same(b.edge, a.edge, "registrations, with an empty Redis")
    a.wait(lambda s: s["unprotected_s"] == 0 and not s["degraded"], "to be protected again")
    b.wait(lambda s: s["ready_why"] == "in step with edge-a" and not s["degraded"], "to be in step again")
    lab.require(len(redis.state()) == 298, f"{len(redis.state())}")
    # Emptied behind our backs, while everybody is connected.
    redis.ask("FLUSHALL")
    a.edge.put("binding:2", None)
    same(b.edge, a.edge, "registrations, after FLUSHALL")
    lab.wait_until(lambda: redis.owner().get("state") and len(redis.state()) == 297, "the state to be whole again")
    lab.require(a.status()["epoch"] == 1, f"{a.status()}")


def redis_comes_back_with_what_it_had(net):
    redis, a, b = pair(net, ("--appendonly", "yes"))
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    redis.kill()
    a.wait(lambda s: s["redis"] != "connected", "to lose Redis")
    a.edge.put("binding:1", None)
    a.edge.put("binding:2", binding(2))
    redis.start("--appendonly", "yes")
    same(b.edge, a.edge, "registrations")
    a.wait(lambda s: s["unprotected_s"] == 0, "to be protected again")
    # A standby that starts while nobody is there has all from Redis.
    for node in (a, b):
        node.program.kill()
    kept = dict(a.edge.records)
    for worker in (*a.workers, *b.workers):
        worker.start_again()
    b.start()
    b.wait(lambda s: s["records"]["bindings"] == 1 and s["ready"], "to be ready, with the state of a dead owner")
    lab.wait_until(lambda: b.edge.records == kept, lambda: f"{b.edge.records}")
    lab.require(b.order("promote")["epoch"] == 2, f"{b.status()}")


def a_wrong_password_is_told_and_its_correction_taken(net):
    host = net.host("nodes")
    redis = Redis(host).start("--requirepass", "secret")
    secret = net.folder / "password"
    secret.write_text("wrong\n")
    a = Node(host, "edge-a", password_file=f'"{secret}"', state='"redis://localhost:6379/3"').start()
    a.wait(lambda s: any("wrong user or password" in text for text in s["degraded"]), "to tell that the password is wrong")
    lab.require(not a.status()["ready"] and "secret" not in a.program.output, f"{a.status()}")
    lab.require(a.order("promote")["role"] == "active", "it does not wait for Redis")
    secret.write_text("secret\n")
    a.wait(lambda s: s.get("owner", {}).get("node") == "edge-a" and not s["degraded"], "to be the owner")
    lab.require("wrong\n" not in a.program.output, "the password is logged")
    redis.ask("PING", password="secret")


def redis_refuses_to_write(net):
    redis, a, b = pair(net)
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    redis.ask("CONFIG", "SET", "maxmemory", "1")
    a.edge.put("binding:2", binding(2))
    a.wait(lambda s: any("memory is full" in text for text in s["degraded"]), "to tell that Redis is full")
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    same(b.edge, a.edge, "registrations, after Redis was full")
    a.wait(lambda s: not s["degraded"], "to be well")
    # A failover that went without us: what was the master follows another one.
    redis.ask("REPLICAOF", "127.0.0.1", "1")
    a.edge.put("binding:3", binding(3))
    a.wait(lambda s: s["degraded"], "to tell that it may not write")
    redis.ask("REPLICAOF", "NO", "ONE")
    same(b.edge, a.edge, "registrations, after Redis was a replica")
    a.wait(lambda s: not s["degraded"] and s["unprotected_s"] == 0, "to be well")
    said = [line for line in a.program.lines if "memory is full" in line and "no longer" not in line]
    lab.require(len(said) == 1, f"said {len(said)} times: {said}")
    lab.require(actives(a, b) == ["edge-a"], f"{actives(a, b)}")


def redis_cannot_save(net):
    """Its disk takes no snapshot: then it takes no writes, and says MISCONF."""
    redis, a, b = pair(net, ("--save", "3600 1"))
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")

    def snapshot(outcome):
        redis.ask("BGSAVE")
        lab.wait_until(lambda: f"rdb_last_bgsave_status:{outcome}" in redis.ask("INFO", "persistence"), f"the snapshot to be {outcome}")

    occupied = redis.folder / "dump.rdb"
    occupied.mkdir()  # a file cannot be given this name now
    snapshot("err")
    a.edge.put("binding:2", binding(2))
    for node in (a, b):
        node.wait(lambda s: any("cannot save to its disk" in text and "MISCONF" in text for text in s["degraded"]), "to tell that Redis cannot save")
    lab.require(a.status()["redis"] == "connected", f"{a.status()}")
    a.wait(lambda s: s["unprotected_s"] >= 1 and s["pending"] > 0, "to tell that nothing is protected")
    lab.require(b.status()["ready"] is False or "binding:2" not in b.edge.records, f"{b.status()}")
    # Who connects anew meanwhile says so too, and what it decides needs no Redis.
    b.program.kill()
    b.start().wait(lambda s: any("cannot save to its disk" in text for text in s["degraded"]), "to tell that Redis cannot save")
    a.edge.put("binding:1", None)
    occupied.rmdir()
    snapshot("ok")
    same(b.edge, a.edge, "registrations, after Redis could save again")
    for node in (a, b):
        node.wait(lambda s: not s["degraded"], "to be well")
    a.wait(lambda s: s["unprotected_s"] == 0 and s["pending"] == 0, "to be protected")
    lab.require(actives(a, b) == ["edge-a"] and set(redis.state()) == {"binding:2"}, f"{actives(a, b)} {redis.state()}")
    said = [line for line in a.program.lines if "cannot save" in line and "no longer" not in line]
    lab.require(len(said) == 1, f"said {len(said)} times: {said}")


def redis_is_loading(net):
    """It has begun again, and reads what it had: seconds in which it answers LOADING."""
    redis, a, b = pair(net)
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    for number in range(100):
        redis.ask("SET", f"filling:{number}", "x" * 4096)
    redis.ask("CONFIG", "SET", "rdbcompression", "no")
    redis.ask("SAVE")
    redis.kill()
    for node in (a, b):
        node.wait(lambda s: s["redis"] != "connected", "to lose Redis")
    a.edge.put("binding:1", None)
    a.edge.put("binding:2", binding(2))
    redis.run("--key-load-delay", "50000", "--loading-process-events-interval-bytes", "1024")
    for node in (a, b):
        node.wait(lambda s: "LOADING" in s["redis"] and any("it is loading its data" in text for text in s["degraded"]), "to tell that Redis is loading")
    lab.require(actives(a, b) == ["edge-a"] and b.status()["ready"], f"{a.status()} {b.status()}")
    lab.require(a.order("promote")["role"] == "active" and "Ready to accept" not in redis.program.output, "nobody waits for it")
    redis.program.wait_line("Ready to accept connections")
    same(b.edge, a.edge, "registrations, after Redis had loaded")
    for node in (a, b):
        node.wait(lambda s: not s["degraded"] and s["redis"] == "connected", "to be well")
    a.wait(lambda s: s["unprotected_s"] == 0 and s["pending"] == 0, "to be protected")
    lab.require(set(redis.state()) == {"binding:2"} and actives(a, b) == ["edge-a"] and a.status()["epoch"] == 1, f"{redis.state()} {a.status()}")


def a_slow_redis_is_waited_for_by_nobody(net):
    host = net.host("nodes")
    Redis(host).start()
    Way(host, 6380, delay=1.0)
    a, b = Node(host, "edge-a", 6380).start(), Node(host, "edge-b", 6380).start()
    a.wait_ready()
    began = time.monotonic()
    a.order("promote")
    took = time.monotonic() - began
    lab.require(took < 0.9, f"promote took {took:.2f} s")
    for number in range(3000):
        a.edge.put(f"binding:{number}", binding(number))
    began = time.monotonic()
    lab.require(a.status()["role"] == "active" and time.monotonic() - began < 0.9, "a status takes long")
    same(b.edge, a.edge, "registrations, by a slow Redis")
    a.edge.put("binding:7", None)
    same(b.edge, a.edge, "registrations, by a slow Redis")
    lab.require(not a.status()["degraded"] and not b.status()["degraded"], f"{a.status()} {b.status()}")


def what_others_wrote_is_left_out_and_counted(net):
    redis, a, b = pair(net)
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    stream, state = redis.owner()["stream"], redis.owner()["state"]
    for fields in (("x", "y"), ("v", "1", "s", "x", "e", "1"), ("v", "-1", "r", "\x00\xff")):
        redis.ask("XADD", stream, "*", *fields)
    for value in ("", "[]", '{"v":[1,1]}', b"\xff\xfe", '{"v":[1,1],"key":"leg:1","record":7}', "[" * 5000):
        redis.ask("HSET", state, b"leg:\xff" + str(hash(value)).encode(), value)
    a.edge.put("binding:2", binding(2))
    same(b.edge, a.edge, "registrations, beside garbage")
    b.program.kill()
    b.start().wait(lambda s: s["ready"] and s.get("unreadable") == 6, "to count what is none")
    same(b.edge, a.edge, "registrations, beside garbage")
    redis.ask("DEL", OWNER)
    redis.ask("SET", OWNER, "garbage")
    a.wait(lambda s: any("WRONGTYPE" in text for text in s["degraded"]), "to tell of it")
    redis.ask("DEL", OWNER)
    a.edge.put("binding:3", binding(3))
    same(b.edge, a.edge, "registrations, after it was mended")
    lab.require(actives(a, b) == ["edge-a"], f"{actives(a, b)}")


def data_of_a_newer_natkit_is_left_alone(net):
    redis, a, b = pair(net)
    redis.ask("HSET", OWNER, "version", "2", "epoch", "77", "node", "edge-c", "novelty", "x")
    # Whoever that is was promoted later.
    a.program.wait_line("failures CLUSTER edge-a is standby now: another owner: edge-c")
    for node in (a, b):
        node.wait(lambda s: any("newer natkit" in text for text in s["degraded"]), "to tell of it")
    before = redis.owner()
    b.order("promote")
    b.edge.put("binding:1", binding(1))
    lab.require(not a.status()["ready"], f"{a.status()}")
    b.wait(lambda s: s["unprotected_s"] >= 2, "to have written, if it did")
    lab.require(redis.owner() == before and actives(a, b) == ["edge-b"], f"{before} became {redis.owner()}")
    redis.ask("DEL", OWNER)
    same(a.edge, b.edge, "registrations, after it was gone")


def promoted_without_redis(net):
    redis, a, b = pair(net)
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    redis.kill()
    for node in (a, b):
        node.wait(lambda s: s["redis"] != "connected", "to lose Redis")
    a.program.kill()
    for worker in a.workers:
        worker.die()
    answer = b.order("promote")
    lab.require(answer == {"role": "active", "epoch": 2}, f"{answer}")
    b.edge.put("binding:2", binding(2))
    redis.start()
    lab.wait_until(lambda: redis.owner().get("node") == "edge-b" and len(redis.state()) == 2, lambda: f"{redis.owner()}")
    for worker in a.workers:
        worker.open()
    a.start().wait(lambda s: s["ready_why"] == "in step with edge-b", "to be in step")
    same(a.edge, b.edge, "registrations")


def both_active_without_redis_and_one_afterwards(net):
    redis, a, b = pair(net)
    redis.kill()
    for node in (a, b):
        node.wait(lambda s: s["redis"] != "connected", "to lose Redis")
    b.order("promote")
    lab.require(actives(a, b) == ["edge-a", "edge-b"], "both are active, as ordered")
    redis.start()
    lab.wait_until(lambda: actives(a, b) == ["edge-b"], lambda: f"{actives(a, b)}")
    a.program.wait_line("failures CLUSTER edge-a is standby now: another owner: edge-b")
    a.wait(lambda s: s["ready_why"] == "in step with edge-b", "to be in step")
    # The same number for both: the first one stands.
    redis.kill()
    for node in (a, b):
        node.wait(lambda s: s["redis"] != "connected", "to lose Redis")
    b.order("demote")
    b.order("promote")
    a.order("promote")
    lab.require(a.status()["epoch"] == b.status()["epoch"] == 3, f"{a.status()} {b.status()}")
    redis.start()
    winner = lab.wait_until(lambda: actives(a, b) if len(actives(a, b)) == 1 else None, lambda: f"{actives(a, b)}")
    loser = a if winner == ["edge-b"] else b
    loser.wait(lambda s: s["ready_why"] == f"in step with {winner[0]}", "to be in step")
    lab.require(redis.owner()["node"] == winner[0], f"{redis.owner()}")


def one_that_was_cut_off_steps_down(net):
    host = net.host("nodes")
    Redis(host).start()
    way = Way(host, 6381)
    a, b = Node(host, "edge-a", 6381).start(), Node(host, "edge-b").start()
    take_over(a, b)
    a.edge.put("binding:1", binding(1))
    same(b.edge, a.edge, "registrations")
    way.cut()
    a.wait(lambda s: s["redis"] != "connected", "to be cut off")
    b.order("promote")
    a.edge.put("binding:2", binding(2))
    b.edge.put("binding:3", binding(3))
    lab.require(actives(a, b) == ["edge-a", "edge-b"], f"{actives(a, b)}")
    way.mend()
    lab.wait_until(lambda: actives(a, b) == ["edge-b"], lambda: f"{actives(a, b)}")
    a.wait(lambda s: s["ready_why"] == "in step with edge-b", "to be in step")
    same(a.edge, b.edge, "registrations")
    lab.require("binding:2" not in b.edge.records, f"{b.edge.records}")
    # The other one gives it back while we are cut off again: then nobody else is active, and we go on.
    b.order("demote")
    a.order("promote")
    a.wait(lambda s: s.get("owner", {}).get("node") == "edge-a", "to be the owner")
    b.wait(lambda s: s["ready_why"] == "in step with edge-a", "to be in step")
    way.cut()
    a.wait(lambda s: s["redis"] != "connected", "to be cut off")
    b.order("promote")
    b.order("demote")
    way.mend()
    a.wait(lambda s: s["owner"] == {"node": "edge-a", "epoch": 5}, "to be the owner")
    lab.require(actives(a, b) == ["edge-a"] and "edge-a is standby now" not in "".join(a.program.lines[-3:]), f"{a.program.lines[-3:]}")


def who_loses_its_addresses_is_active_no_more(net):
    host = net.host("nodes")
    Redis(host).start()
    shared = ("192.0.2.1", "192.0.2.2")
    host.attach("wan0", net.segment("wan"), "192.0.2.1/32", "192.0.2.2/32")
    a, b = Node(host, "edge-a", addresses=shared).start(), Node(host, "edge-b").start()
    take_over(a, b)
    host.ip("addr", "del", "192.0.2.1/32", "dev", "wan0")
    a.wait(lambda s: s["addresses_missing"] == ["192.0.2.1"] and s["degraded"], "to tell what is missing")
    lab.require(actives(a) == ["edge-a"], f"{a.status()}")
    host.ip("addr", "del", "192.0.2.2/32", "dev", "wan0")
    a.program.wait_line("failures CLUSTER edge-a is standby now: address gone")
    lab.wait_until(lambda: a.edge.role == "standby", "its workers to follow")
    b.order("promote")
    a.wait(lambda s: s["ready_why"] == "in step with edge-b", "to be in step")


def who_is_demoted_gives_all_it_has(net):
    """The answer to `demote` comes when the other one has everything, to the last word of the workers; it waits for nobody who cannot have it."""
    host = net.host("nodes")
    redis = Redis(host).start()
    host.attach("wan0", net.segment("wan"), "192.0.2.1/32")
    # The second one's address is never here: it is active by order alone, however long nobody is.
    a, b = Node(host, "edge-a", addresses=("192.0.2.1",)).start(), Node(host, "edge-b", addresses=("192.0.2.9",)).start()
    take_over(a, b)

    def demote():
        """With changes that nobody has yet; how long it took."""
        a.edge.last = {"binding:last": binding(1, contact="sip:last@198.51.100.7")}
        a.relay.last = {"leg:last": {"id": "last", "call_id": "x"}}
        for number in range(50):
            a.edge.put(f"binding:{number}", binding(number))
        began = time.monotonic()
        a.order("demote")
        return time.monotonic() - began

    took = demote()
    lab.require(len(b.edge.records) == 51 and set(b.relay.records) == {"leg:last"}, f"{len(b.edge.records)} of 51 registrations, {len(b.relay.records)} legs")
    print(f"        with a standby: {1000 * took:.0f} ms")
    lab.require(actives(a, b) == [] and set(redis.state()) == set(b.edge.records) | set(b.relay.records), "what is in Redis is something else")
    b.order("promote")
    a.wait(lambda s: s["ready_why"] == "in step with edge-b", "to be in step")
    lab.require(len(b.edge.records) == 51, f"{len(b.edge.records)}")
    b.order("demote")
    # The standby has just died, and is waited for a moment; then it is gone for long.
    take_over(a, b)
    b.program.kill()
    took = demote()
    lab.require(took < 2, f"demote took {took:.1f} s, with a standby that has just died")
    b.start()
    take_over(a, b)
    redis.kill()
    a.wait(lambda s: s["redis"] != "connected", "to lose Redis")
    took = demote()
    lab.require(took < 0.5, f"demote took {took:.1f} s, without Redis")
    redis.start()
    take_over(a, b)
    b.program.kill()
    host.ip("addr", "del", "192.0.2.1/32", "dev", "wan0")
    took = demote()
    lab.require(took < 0.5, f"demote took {took:.1f} s, without an address")


def members_that_we_do_not_know_are_kept(net):
    """Of two versions, the newer one writes a member more; the older one takes over, and it is still there when it goes back."""
    host = net.host("nodes")
    Redis(host).start()
    a, b = Node(host, "edge-a", members=("contact", "expires_ms", "novelty")).start(), Node(host, "edge-b").start()
    take_over(a, b)
    a.edge.put("binding:1", binding(1, novelty={"x": [1, 2]}))
    same(b.edge, a.edge, "registrations")
    a.order("demote")
    # The older one's sipedge writes what it knows.
    b.edge.records["binding:1"] = binding(1)
    b.order("promote")
    lab.wait_until(lambda: a.edge.records.get("binding:1", {}).get("novelty") == {"x": [1, 2]}, lambda: f"{a.edge.records}")
    b.edge.put("binding:1", binding(1, contact="sip:new@198.51.100.7"))
    lab.wait_until(lambda: a.edge.records["binding:1"]["contact"] == "sip:new@198.51.100.7", lambda: f"{a.edge.records}")
    lab.require(a.edge.records["binding:1"]["novelty"] == {"x": [1, 2]}, f"{a.edge.records}")
    # The older one's natkit-cluster starts anew while it is active: then Redis alone knows.
    b.program.kill()
    b.edge.put("binding:1", binding(1, contact="sip:newer@198.51.100.7"))
    b.start()
    lab.wait_until(lambda: a.edge.records["binding:1"]["contact"] == "sip:newer@198.51.100.7", lambda: f"{a.edge.records}")
    lab.require(a.edge.records["binding:1"].get("novelty") == {"x": [1, 2]}, f"{a.edge.records}")
    b.edge.put("binding:1", binding(1, contact="sip:newest@198.51.100.7"))
    lab.wait_until(lambda: a.edge.records["binding:1"]["contact"] == "sip:newest@198.51.100.7", lambda: f"{a.edge.records}")
    lab.require(a.edge.records["binding:1"].get("novelty") == {"x": [1, 2]}, f"{a.edge.records}")


if __name__ == "__main__":
    lab.main(replicas_arrive_and_are_acknowledged, who_is_promoted_takes_over_and_gives_back, who_missed_entries_reads_all_again,
             a_worker_that_is_away_keeps_nobody_from_copying_the_rest,
             a_standby_whose_worker_begins_anew_acknowledges_nothing_before_it_has_all, natkit_cluster_dies_and_its_node_goes_on,
             redis_is_killed_and_comes_back_empty, redis_comes_back_with_what_it_had, a_wrong_password_is_told_and_its_correction_taken,
             redis_refuses_to_write, redis_cannot_save, redis_is_loading, a_slow_redis_is_waited_for_by_nobody, what_others_wrote_is_left_out_and_counted,
             data_of_a_newer_natkit_is_left_alone, promoted_without_redis, both_active_without_redis_and_one_afterwards,
             one_that_was_cut_off_steps_down, who_loses_its_addresses_is_active_no_more, who_is_demoted_gives_all_it_has,
             members_that_we_do_not_know_are_kept)
