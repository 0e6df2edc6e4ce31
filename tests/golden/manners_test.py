#!/usr/bin/env python3
"""What the programs say on their command lines: unknown commands, options and values are named with what may have been meant and what
there is; --help of a subcommand has the options that all share; examples; a file where records are read; a hint where no LAN is known."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev")) / "bin"
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, message, sdp  # noqa: E402

PROGRAMS = ("natclassify", "sdprewrite", "mediarelay", "natpinger", "looptrace", "sipedge", "natkit-web", "natkit-cluster", "natkit")
failures = []


def run(*words, stdin=""):
    program, *options = words
    return subprocess.run([BIN / program, *options], input=stdin, capture_output=True, text=True, timeout=60, env={**os.environ, "NATKIT_CONFIG": ""})


def check(why, good, done):
    if not good:
        failures.append(f"{why}: exit {done.returncode}, {done.stdout[:400]!r}, {done.stderr[:600]!r}")


def usage(*words, says):
    done = run(*words)
    missing = [text for text in says if text not in done.stderr]
    check(f"{' '.join(words)} does not say {missing}", done.returncode == 2 and not missing and not done.stdout and done.stderr.startswith(words[0] + ": ")
          and f"(see {words[0]}" in done.stderr and done.stderr.count("\n") == 1, done)


def unknown_words():
    usage("natkit", "chek", says=["no such command: 'chek'", "did you mean 'check'?", "run, check, status, calls, clients, hangup, reload, settings, top, renew, cluster, promote, demote, drain, stop, web, prepare-host or clean-host"])
    usage("natkit", "frobnicate", says=["no such command: 'frobnicate'", "run, check, status"])
    usage("natkit", "stauts", "--format", "json", says=["did you mean 'status'?"])
    usage("mediarelay", "lst", says=["no such command: 'lst'", "did you mean 'list'?", "open, reserve"])
    usage("sipedge", "server", says=["no such command: 'server'", "did you mean 'serve'?"])
    for program in ("natkit", "mediarelay", "sipedge"):
        usage(program, says=["a command is missing: ", "serve" if program != "natkit" else "status"])
    for program in PROGRAMS:
        command = {"natkit": ["status"], "mediarelay": ["list"], "sipedge": ["serve"]}.get(program, [])
        forms = {"looptrace": "auto, json, text, dot or svg", "natclassify": "auto, json, text or html"}.get(program, "auto, json or text")
        usage(program, *command, "--format", "xml", says=["--format: no such value: 'xml'", forms])
        usage(program, *command, "--format", "jsn", says=["--format: no such value: 'jsn'; did you mean 'json'?"])
        usage(program, *command, "--format", "1", says=["no such value: '1'"])
        usage(program, *command, "--log-level", "mayor", says=["--log-level: no such value: 'mayor'; did you mean 'major'?", "crashes, failures, major"])
        usage(program, *command, "--fromat=json", says=["no such option: '--fromat'; did you mean '--format'?"])
    usage("natkit", "reload", "--dryrun", says=["did you mean '--dry-run'?", "(see natkit reload --help)"])
    for words, value, meant in ((("natclassify", "--transport"), "upd", "udp"), (("natclassify", "--compare"), "kamalio", "kamailio"),
                                (("natclassify", "--relay-same-nat"), "alway", "always"), (("looptrace", "--relay-same-nat"), "nat-site", "nat-sites"),
                                (("sdprewrite", "--ice"), "drops", "drop"), (("natpinger", "--method"), "option", "options"),
                                (("mediarelay", "run", "--a", "x", "--b", "y", "--stream"), "rtpp", "rtp"),
                                (("mediarelay", "update", "l", "--hold"), "onn", "on"), (("mediarelay", "open", "--setup"), "activ", "active")):
        usage(*words, value, says=[f"no such value: '{value}'; did you mean '{meant}'?"])


def parties():
    for text, meant in (("lna:192.0.2.5:4000", "lan"), ("farend:198.51.100.7", "far-end"), ("dmz:192.0.2.5:4000", None)):
        for command in (["run"], ["relay"]):
            done = run("mediarelay", *command, "--a", text, "--b", "203.0.113.20:5004")
            check(f"--a {text}", done.returncode == 2 and f"no such place: '{text.partition(':')[0]}'" in done.stderr and "lan, wan or far-end" in done.stderr
                  and (f"did you mean '{meant}'" in done.stderr) == bool(meant), done)
    done = run("mediarelay", "run", "--a", "localhost:4000", "--b", "203.0.113.20:5004")
    check("a name is no place", done.returncode == 2 and "is no party" in done.stderr, done)


def help_texts():
    for program in PROGRAMS:
        done = run(program, "--help")
        check(f"{program} --help has no examples", done.returncode == 0 and re.search(rf"(?m)^Examples:\n  .*\b{program} ", done.stdout)
              and "Exit status: 0" in done.stdout, done)
        commands = done.stdout.partition("\nSubcommands:\n")[2].partition("\n\n")[0]
        for name in re.findall(r"(?m)^  ([a-z-]+)", commands):
            told = run(program, name, "--help")
            check(f"{program} {name} --help", all(told.stdout.count(f"  {option} ") == 1 for option in ("--config", "--format", "--log-level")), told)


def pinger_reads_a_file(folder):
    record = {"type": "client", "id": "bob", "flow": {"remote": "127.0.0.1:9"}}
    path = folder / "clients.jsonl"
    path.write_text("nonsense\n" + json.dumps({**record, "expires_ms": 1}) + "\n")
    done = run("natpinger", path, "--from", "127.0.0.1:0")
    check("records from a file", done.returncode == 1 and f"{path}:1: " in done.stderr, done)
    same = run("natpinger", "-", "--from", "127.0.0.1:0", stdin=path.read_text())
    check("records from standard input", same.returncode == 1 and "stdin:1: " in same.stderr and len(same.stdout) == len(done.stdout), same)
    for missing in ("serv", folder / "nothing", folder):
        done = run("natpinger", missing)
        check(f"natpinger {missing}", done.returncode == 2 and str(missing) in done.stderr and ("'serve'" in done.stderr) == (missing == "serv"), done)


def hints_at_the_lan(folder):
    for why, caller, callee, options, hinted in (("all private", "192.168.10.20", "10.0.0.7", [], True), ("one is public", "192.168.10.20", "203.0.113.20", [], False),
                                                 ("a LAN is named", "192.168.10.20", "10.0.0.7", ["--lan", "192.168.10.0/24"], False)):
        capture = Capture()
        invite = message("INVITE sip:b@example.com SIP/2.0", vias=[f"{caller}:5060;branch=z9hG4bK1"], contact=f"{caller}:5060", body=sdp(caller, 4000))
        capture.udp(1, f"{caller}:5060", f"{callee}:5060", invite)
        path = folder / "private.pcap"
        capture.save(path)
        for program in ("natclassify", "looptrace"):
            done = run(program, *options, path)
            check(f"{program}, {why}", done.returncode == 0 and ("--lan 192.168.10.0/24" in done.stderr) == hinted and done.stderr.count("\n") == hinted, done)


with tempfile.TemporaryDirectory(prefix="natkit-manners-") as name:
    unknown_words()
    parties()
    help_texts()
    pinger_reads_a_file(pathlib.Path(name))
    hints_at_the_lan(pathlib.Path(name))
print(*failures, f"{len(failures)} failures", sep="\n")
sys.exit(1 if failures else 0)
