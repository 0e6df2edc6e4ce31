#!/usr/bin/env python3
"""Every option and subcommand that --help names is offered by bash, zsh and fish themselves, and is in the program's man page."""
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


def offered_by_zsh(words):
    """What zsh's _arguments and _describe are given at the end of these words."""
    script = f'''
        _arguments() {{ print -rl -- "$@"; state=arguments; line=({" ".join(words[1:])}) }}
        _describe() {{ print -rl -- "${{(@P)2}}" }}
        _files() {{ }}
        service={words[0]}
        source {TOP}/completions/_natkit'''
    done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        problems.append(f"zsh: {' '.join(words)}: {done.stderr.strip() or done.returncode}")
    return set(re.findall(r"(?m)^(?:\([^)]*\))?\*?(--[a-z][\w-]*)", done.stdout))


def offered_by_fish(lines):
    """What fish offers at the end of each of these command lines."""
    script = f"source {TOP}/completions/natkit.fish; " + "; ".join(f"echo '== {line}'; complete -C '{line}'" for line in lines)
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        problems.append(f"fish: {done.stderr.strip() or done.returncode}")
    parts = re.split(r"(?m)^== (.*)\n", done.stdout)
    return {line: set(re.findall(r"(?m)^(\S+)", offered)) for line, offered in zip(parts[1::2], parts[2::2])}


def man_text(page):
    if not page.exists():
        problems.append(f"man/{page.name} is missing")
        return ""
    done = subprocess.run(["mandoc", "-T", "utf8", str(page)], capture_output=True, text=True)
    return re.sub(r".\x08", "", done.stdout).replace("\u2010", "-").replace("\u2212", "-").replace("\u2013", "-")


commands = generate.read(PROGRAMS)
pages = {program: man_text(TOP / "man" / f"{program}.1") for program in generate.programs_of(commands)}
fish = offered_by_fish([f"{' '.join(key)} {more}" for key in commands for more in ("--", "")])
for key, command in commands.items():
    man = pages[key[0]]
    offered = {"bash": offered_by_bash(key), "zsh": offered_by_zsh(key), "fish": fish.get(f"{' '.join(key)} --", set())}
    for flags, _, _ in command.options:
        for flag in flags:
            for shell, its in offered.items():
                if flag not in its and flag.startswith("--"):
                    problems.append(f"{' '.join(key)}: {shell} does not offer {flag}")
            if man and flag.startswith("--") and not re.search(rf"(?<![\w-]){re.escape(flag)}(?![\w-])", man):
                problems.append(f"{' '.join(key)}: {flag} is not in man/{key[0]}.1")
    for name, _ in command.subcommands:
        if name not in fish.get(f"{key[0]} ", set()):
            problems.append(f"{key[0]}: fish does not offer {name}")
        if man and not re.search(rf"\b{re.escape(name)}\b", man):
            problems.append(f"{key[0]}: {name} is not in man/{key[0]}.1")
check = subprocess.run([TOP / "completions/generate", "--check", PROGRAMS], capture_output=True, text=True)
if check.returncode != 0:
    problems.append(check.stderr.strip())

print(*problems, sep="\n")
print(f"{len(commands)} commands, {sum(len(c.options) for c in commands.values())} options, {len(problems)} problems")
sys.exit(1 if problems or not commands else 0)
