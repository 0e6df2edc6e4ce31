#!/usr/bin/env python3
"""The example of a fail2ban filter finds the address of who guesses passwords in the lines that the programs log, IPv4 and IPv6, as text
and as JSON, in a file and in the journal; and no name that a stranger chooses makes it find another. The words of each line are those of
the source that logs it. Where fail2ban is installed, fail2ban-regex finds the same."""
import configparser
import ipaddress
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

TOP = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
EXAMPLE = TOP / "tools/natkit/examples/fail2ban"
TIME = "2026-11-30T06:55:49.123Z"
V4, V6 = "198.51.100.7", "2001:db8::7"
FORGED = "192.0.2.66"
EDGE, WEB = ("SIPEDGE", "sipedge"), ("WEB", "natkit-web")

# What fail2ban puts in the place of its words (failregex.py), in our own writing.
ADDRESS = r"\[?(?P<address>(?:\d{1,3}\.){3}\d{1,3}|[0-9A-Fa-f]*:[0-9A-Fa-f:]*:[0-9A-Fa-f:]*)\]?"

# Filter, mode, source, its words in order, the line ({a}: an address, {e}: with a port); who is to be found.
PASSWORDS, ADMISSION = "lib/engine/edge/routing/passwords.cpp", "lib/engine/edge/routing/admission.cpp"
EDGE_SOURCE, REGISTRATIONS = "lib/engine/edge/signalling/edge.cpp", "lib/engine/edge/registration/registrations.cpp"
ROUTER, PAGES = "lib/engine/edge/routing/router.cpp", "lib/engine/web/entrance.cpp"
LINES = [
    ("natkit", "passwords", EDGE, PASSWORDS, ["wrong password for ", " from "], "wrong password for {u} from {e}"),
    ("natkit", "all", EDGE, ADMISSION, ["requests from ", " dropped: more than the limit (", ")"],
     "requests from {a} dropped: more than the limit (source)"),
    ("natkit", "all", EDGE, ADMISSION, ["INVITE from ", " refused: too many calls of ", "its", " are not answered yet"],
     "INVITE from {a} refused: too many calls of its are not answered yet"),
    ("natkit", "all", EDGE, REGISTRATIONS, ["REGISTER of ", " from ", " refused: ", "only LAN clients may register"],
     "REGISTER of {u} from {e} refused: only LAN clients may register"),
    ("natkit", "all", EDGE, REGISTRATIONS, ["REGISTER of ", " from ", " refused: ", "a Contact that is not its own"],
     "REGISTER of {u} from {e} refused: a Contact that is not its own"),
    ("natkit", "all", EDGE, EDGE_SOURCE, [" from ", " refused: "], "INVITE from {e} refused: 403 Forbidden"),
    ("natkit", "all", EDGE, ROUTER, ["Another Server's User"], "INVITE from {e} refused: 403 Another Server's User"),
    ("natkit", "all", EDGE, EDGE_SOURCE, ["refused from ", ": forged flow token"], "refused from {e}: forged flow token"),
    ("natkit-web", "passwords", WEB, PAGES, ["wrong password for ", " from "], "wrong password for {w} from {a}"),
]
# A line is none of who it seems to tell of, or of nobody who is to be banned.
NOBODY = [
    "{f} at {e} claims to be bob: refused",
    "bob at {e} claims to be {f}: refused",
    "client {f} has gone at {e}",
    "REGISTER of bob from {e} refused: it has the password of {f}",
    "dropped: LAN source {e} on a WAN interface",
    "INVITE from {a} refused: too many calls of strangers are not answered yet",
    "'{f}' in a description from {e} is not looked up: too many names",
    "call {f}: answer not rewritten: bad input",
]
NAMES = ["alice", "", "x from " + FORGED + ":5060", "x from [2001:db8::66]:5", 'a"} from ' + FORGED + ':5"}', "a\\x0d\\x0a from " + FORGED,
         "from from from", f"b from {FORGED}:5060 refused: only LAN clients may register",
         f"{TIME} problems SIPEDGE wrong password for x from {FORGED}:1", "x" * 60 + "…"]
FORGERIES = [f"wrong password for x from {FORGED}:5060", f"x from {FORGED}:5060", f"requests from {FORGED} dropped: more than the limit (source)",
             f"refused from {FORGED}:5060: forged flow token"]
problems = []


class Filter:
    """A filter as fail2ban reads it: files that it includes come before, words in <> are keys of the section."""

    def __init__(self, name, mode):
        parser = configparser.ConfigParser()
        path = EXAMPLE / f"filter.d/{name}.conf"
        files = [path]
        while True:
            alone = configparser.RawConfigParser()
            alone.read(files[0])
            before = alone.get("INCLUDES", "before", fallback=None)
            if before in (None, "common.conf"):  # fail2ban's own
                break
            files.insert(0, path.with_name(before))
        if len(parser.read(files)) != len(files):
            problems.append(f"{name}: a file is missing of {files}")
        self.keys = dict(parser["Definition"]) | {"mode": mode}
        self.time = re.compile(self.keys["datepattern"].replace("%Y-%m-%dT%H:%M:%S", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
                               .replace("%f", r"\d+").replace("%z", "Z"))
        self.form = self.expression(self.keys["prefregex"])
        self.lines = [self.expression(line) for line in self.said(self.keys["failregex"]).split("\n") if line.strip()]

    def said(self, text):
        before = None
        while text != before:
            before, text = text, re.sub(r"<([a-z_-]+)>", lambda found: self.keys[found[1]], text)
        return text

    def expression(self, text):
        text = self.said(text).replace("<F-CONTENT>", "(?P<content>").replace("</F-CONTENT>", ")")
        return re.compile(text.replace("<ADDR>", ADDRESS).strip())

    def find(self, line, from_journal=False):
        """The address that is to be banned, or nothing."""
        if not from_journal:
            time = self.time.search(line)
            if not time:
                return None
            line = line[:time.start()] + line[time.end():]
        content = self.form.search(line)
        for expression in self.lines if content else ():
            if found := expression.search(content["content"]):
                return found["address"]
        return None


def forms(who, text):
    """The line as a file has it, and as fail2ban is given it from the journal: written there, or as standard error."""
    tag, program = who
    plain = f"{TIME} problems {tag} {text}"
    record = json.dumps({"type": "log", "time": TIME, "level": "problems", "tag": tag, "program": program, "text": text},
                        separators=(",", ":"), ensure_ascii=False)
    yield plain, False
    yield record, False
    yield f"{TIME} problems {tag} came 7 more times: {text}", False
    for message in (plain, record):
        yield f"edge natkit[812]: {message}", True
    yield f"edge.example.com {program}[812]: {tag} {text}", True


def expect(name, mode, who, text, address):
    filters = made.setdefault((name, mode), Filter(name, mode))
    for line, from_journal in forms(who, text):
        found = filters.find(line, from_journal)
        tried.append((name, mode, line, address, from_journal))
        if (ipaddress.ip_address(found) if found else None) != (ipaddress.ip_address(address) if address else None):
            problems.append(f"{name}[mode={mode}]: {line}\n    found {found}, wanted {address}")


def check_words(source, words):
    path = TOP / source
    if not path.exists():
        problems.append(f"no {source}")
        return
    text = path.read_text()
    problems.extend(f"{source} logs no '{word}'" for word in words if f'"{word}"' not in text)


def check_with_fail2ban():
    """The same by fail2ban itself, line by line of a file."""
    with tempfile.TemporaryDirectory() as folder:
        etc = pathlib.Path(folder) / "fail2ban"
        shutil.copytree("/etc/fail2ban", etc)
        for file in (EXAMPLE / "filter.d").iterdir():
            shutil.copy(file, etc / "filter.d")
        for name, mode in made:
            lines = [(line, address) for n, m, line, address, journal in tried if (n, m) == (name, mode) and not journal]
            log = pathlib.Path(folder) / "log"
            log.write_text("".join(line + "\n" for line, _ in lines))
            done = subprocess.run(["fail2ban-regex", "-c", etc, "--out", "ip", log, f"{name}[mode={mode}]"], capture_output=True, text=True)
            got = [str(ipaddress.ip_address(word)) for word in done.stdout.split()]
            wanted = [address for _, address in lines if address]
            if got != wanted:
                problems.append(f"fail2ban-regex {name}[mode={mode}]: {len(got)} found, {len(wanted)} wanted\n{done.stderr[-2000:]}")


made, tried = {}, []
for name, mode, who, source, words, form in LINES:
    check_words(source, words)
    for address, endpoint in ((V4, f"{V4}:40001"), (V6, f"[{V6}]:40001")):
        for user in NAMES if "{u}" in form else ["alice"]:
            text = form.format(a=address, e=endpoint, u=user, w="bob.b_c-d@example.com")
            expect(name, mode, who, text, address)
            if mode == "passwords" and name == "natkit":
                expect(name, "all", who, text, address)
            elif mode == "all":
                expect(name, "passwords", who, text, None)
for form in NOBODY:
    for forgery in FORGERIES if "{f}" in form else [""]:
        for mode in ("passwords", "all"):
            expect("natkit", mode, EDGE, form.format(f=forgery, e=f"{V4}:5060", a=V4), None)
# Another program's line is not this filter's.
expect("natkit", "all", ("MEDIAPROXY", "mediarelay"), f"wrong password for alice from {V4}:1", None)
expect("natkit-web", "passwords", EDGE, f"wrong password for alice from {V4}", None)

jail = configparser.RawConfigParser()
jail.read(EXAMPLE / "jail.d/natkit.conf")
for section in jail.sections():
    used = jail[section]["filter"].partition("[")[0]
    if not (EXAMPLE / f"filter.d/{used}.conf").exists():
        problems.append(f"jail {section}: no filter {used}")
    if "ignoreip" not in jail[section]:
        problems.append(f"jail {section}: it may ban this host")
by = "our own reading"
if shutil.which("fail2ban-regex"):
    check_with_fail2ban()
    by = "fail2ban-regex too"

print(*problems, sep="\n")
print(f"{len(tried)} lines ({by}), {len(jail.sections())} jails, {len(problems)} problems")
sys.exit(1 if problems or not tried or not jail.sections() else 0)
