#!/usr/bin/env python3
"""Every record that sipedge tells its watchers and its askers stands in natkit-records(7) with an example of the same keys."""
import json
import os
import pathlib
import socket
import sys

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


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    lab.main(sipedge_records)
