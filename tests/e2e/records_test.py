#!/usr/bin/env python3
"""Every record that sipedge tells its watchers and its askers stands in natkit-records(7) with an example of the same keys; each call
that is over has a record of its own in the file of [log] calls."""
import json
import os
import pathlib
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones as sites

PAGE = pathlib.Path(__file__).resolve().parents[2] / "man" / "natkit-records.7"


def shape(value):
    """Keys and kinds of a record, without its values."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return type(value).__name__


def documented():
    lines = [line.replace("\\e", "\\") for line in PAGE.read_text().splitlines() if line.startswith('{"type"')]
    return [json.loads(line) for line in lines]


def watch(site):
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(60)
    connection.connect(str(site.runtime / "sipedge.sock"))
    connection.sendall(b'{"id":"w","cmd":"watch"}\n')
    return connection.makefile()


def sipedge_records(net):
    site = sites.Site(net).start()
    site.ask("sipedge", "trace", on=True)
    records = watch(site)
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")
    phones.call(a, b)
    seen = [*site.ask("sipedge", "calls")["calls"], *site.ask("sipedge", "clients")["clients"]]
    phones.hang_up(a, b)
    for line in records:
        record = json.loads(line)
        if "type" not in record or record["type"] == "snapshot-end":
            continue
        seen.append(record)
        if record["type"] == "call" and record["event"] == "ended":
            break
    known = documented()
    kinds = {record["type"] for record in seen}
    lab.require(kinds == {"client", "call", "decision", "pass", "rewrite"}, f"records of {kinds}")
    for record in seen:
        if record["type"] == "decision":  # natclassify's, which knows more
            continue
        examples = [e for e in known if e["type"] == record["type"]]
        optional = {"claimed", "user_agent", "reached"}
        fits = any(set(shape(record)) - optional == set(shape(e)) - optional and
                   all(shape(record[key]) == shape(e[key]) for key in set(record) & set(e)) for e in examples)
        lab.require(fits, f"natkit-records(7) has no example like {json.dumps(record)}")


def ended_calls(net):
    """Who with whom, how long, what went each way; one that nobody answers too; after a rotation, and after a kill of sipedge, the same."""
    file = net.folder / "calls.jsonl"
    site = sites.Site(net).start(log={"calls": f'"{file}"'})
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")

    def records(count):
        lab.wait_until(lambda: file.exists() and file.read_text().count("\n") >= count, f"{count} records of calls")
        found = [json.loads(line) for line in file.read_text().splitlines()]
        lab.require(len(found) == count, f"{len(found)} records where {count} calls were: {found}")
        return found

    phones.call(a, b)
    phones.hear_each_other(a, b)
    began = time.time()
    shown = site.edge.run(lab.PROGRAMS / "natkit", "calls", "--config", site.config)
    lab.require('"from":"sip:alice@example.com","to":"sip:bob@example.com"' in shown.stdout, shown)
    quality = json.loads(shown.stdout)["quality"]
    lab.require(quality["packets"] >= 50 and quality["lost"] == 0 and quality["jitter_ms"] < 50 and quality["audio"] == "two-way", quality)
    phones.hang_up(a, b)
    said, heard = len(a.said()), len(a.heard())
    record = records(1)[0]
    lab.require((record["from"], record["to"], record["why"]) == ("sip:alice@example.com", "sip:bob@example.com", "BYE"), record)
    lab.require((record["a"]["place"], record["b"]["place"], record["reasons"]) == ("lan", "far-end", ["lan-and-other", "far-end-nat"]), record)
    lab.require(1 <= record["duration_s"] < 60 and abs(record["began_ms"] / 1000 + record["duration_s"] - began) < 10, record)
    stream = record["streams"][0]
    lab.require((stream["codec"], stream["audio"]["state"]) == ("PCMU", "two-way"), record)
    caller = stream["a"]["statistics"]
    lab.require(50 <= caller["received"]["packets"] <= said + 1 and 50 <= caller["sent"]["packets"] and caller["sent"]["packets"] >= heard - 1, record)
    lab.require(caller["received"]["lost"] == 0 and caller["received"]["jitter_ms"] < 50, record)

    # Nobody answers.
    a.forget()
    b.forget()
    a.dial(b.aor)
    b.wait_event("CALL_INCOMING")
    a.hangup()
    b.wait_event("CALL_CLOSED")
    record = records(2)[1]
    lab.require("duration_s" not in record and record["why"] == "487 Request Terminated" and record["to"] == "sip:bob@example.com", record)

    # Rotated, and with sipedge killed in the call.
    file.rename(net.folder / "calls.jsonl.1")
    os.kill(site.pid("natkit"), signal.SIGUSR1)
    phones.call(a, b)
    phones.hear_each_other(a, b)
    pid = site.pid("sipedge")
    os.kill(pid, signal.SIGKILL)
    site.natkit.wait_line("1 calls taken up from before the restart")
    phones.hear_each_other(a, b, packets=100)
    phones.hang_up(a, b)
    record = records(1)[0]
    # The hundredth packet of 20 ms leaves 1.98 s after the first; a call counted from the kill would be half as long.
    lab.require(record["from"] == "sip:alice@example.com" and record["duration_s"] >= 1.9 and record["streams"][0]["codec"] == "PCMU", record)
    lab.require(record["streams"][0]["a"]["statistics"]["received"]["packets"] >= 100, record)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    lab.main(sipedge_records, ended_calls)
