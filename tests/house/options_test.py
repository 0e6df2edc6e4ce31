#!/usr/bin/env python3
"""Every option and subcommand that --help names is in the completions and in the program's man page."""
import importlib.machinery
import importlib.util
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("NATKIT_BUILD", TOP / "build/dev")) / "bin"

loader = importlib.machinery.SourceFileLoader("generate", str(TOP / "completions/generate"))
generate = importlib.util.module_from_spec(importlib.util.spec_from_loader("generate", loader))
loader.exec_module(generate)

problems = []


def offered_by_bash(words):
    """What bash offers at the end of these words."""
    script = (f'source {TOP}/completions/natkit.bash; COMP_WORDS=({" ".join(words)} "$0"); COMP_CWORD={len(words)}; '
              f'_natkit {words[0]}; printf "%s\\n" "${{COMPREPLY[@]}}"')
    out = subprocess.run(["bash", "--norc", "-c", script, "-"], capture_output=True, text=True, check=True).stdout
    return set(out.split())


def man_text(page):
    if not page.exists():
        problems.append(f"man/{page.name} is missing")
        return ""
    done = subprocess.run(["mandoc", "-T", "utf8", str(page)], capture_output=True, text=True)
    return re.sub(r".\x08", "", done.stdout).replace("\u2010", "-").replace("\u2212", "-").replace("\u2013", "-")


commands = generate.read(PROGRAMS)
pages = {program: man_text(TOP / "man" / f"{program}.1") for program in generate.programs_of(commands)}
for key, command in commands.items():
    man = pages[key[0]]
    offered = offered_by_bash(key)
    for flags, _, _ in command.options:
        for flag in flags:
            if flag not in offered and flag.startswith("--"):
                problems.append(f"{' '.join(key)}: bash does not offer {flag}")
            if man and flag.startswith("--") and not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", man):
                problems.append(f"{' '.join(key)}: {flag} is not in man/{key[0]}.1")
    for name, _ in command.subcommands:
        if man and not re.search(rf"\b{re.escape(name)}\b", man):
            problems.append(f"{key[0]}: {name} is not in man/{key[0]}.1")
check = subprocess.run([TOP / "completions/generate", "--check", PROGRAMS], capture_output=True, text=True)
if check.returncode != 0:
    problems.append(check.stderr.strip())

print(*problems, sep="\n")
print(f"{len(commands)} commands, {sum(len(c.options) for c in commands.values())} options, {len(problems)} problems")
sys.exit(1 if problems or not commands else 0)
