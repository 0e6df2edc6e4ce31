#!/usr/bin/env python3
"""natkit check --kamailio and --opensips: text with file, line and column, records, exit status."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev")) / "bin"
failures = []

FINE = """loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:2223")
request_route {
    rtpengine_manage("trust-address replace-origin replace-session-connection ICE=remove");
}
"""


def check(why, text, *options, status, says=()):
    with tempfile.TemporaryDirectory(prefix="natkit-migrate-") as folder:
        file = pathlib.Path(folder) / "proxy.cfg"
        file.write_text(text)
        options = [str(file) if word == "FILE" else word for word in options]
        done = subprocess.run([BIN / "natkit", "check", *options], capture_output=True, text=True, timeout=60, input=text, env={**os.environ, "NATKIT_CONFIG": ""})
        out = done.stdout.replace(str(file), "proxy.cfg")
    missing = [line for line in says if line not in out.splitlines() and line not in done.stderr]
    if done.returncode != status or missing:
        failures.append(f"{why}: exit {done.returncode}, wants {missing} in {out!r}, {done.stderr!r}")
    return out


check("all works", FINE, "--kamailio", "FILE", "--format", "text", status=0, says=[
    "proxy.cfg:4:5: works: rtpengine_manage() works", "proxy.cfg: 5 works, 1 change; nothing in it is refused"])
check("something is refused", FINE.replace("ICE=remove", "ICE=force"), "--kamailio", "FILE", "--format", "text", status=1, says=[
    "proxy.cfg:4:79: refused: 'ICE=force' is not supported: natkit is no ICE agent, candidates are removed where it relays; write ICE=remove",
    "proxy.cfg: 4 works, 1 refused, 1 change; what is refused fails until it is changed"])
check("standard input", FINE, "--opensips", "-", "--format", "text", status=0, says=["stdin: 5 works, 1 change; nothing in it is refused"])
check("nothing of a relay", "route { exit; }\n", "--opensips", "FILE", "--format", "text", status=0, says=[
    "proxy.cfg: no call of the modules rtpengine and rtpproxy; is it the right file?"])
check("no such file", "", "--kamailio", "/nonexistent/x.cfg", status=2, says=["natkit: /nonexistent/x.cfg: no such file or directory\n"])
check("both at once", "", "--kamailio", "FILE", "--opensips", "FILE", status=2)
records = [json.loads(line) for line in check("records", FINE, "--kamailio", "FILE", status=0).splitlines()]
if [r["type"] for r in records] != ["migration"] * 6 + ["migration_summary"] or records[-1]["works"] != 5 or records[0]["line"] != 2:
    failures.append(f"records: {records}")

print(*failures, f"{len(failures)} failures", sep="\n")
sys.exit(bool(failures))
