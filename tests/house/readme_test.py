#!/usr/bin/env python3
"""The README's examples do what it says: each `$ command` of a console block prints what stands under it, each TOML block is a
configuration that natkit accepts, each link leads somewhere, and both of its commands are there as written.
With --update the README is given what its commands print."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("NATKIT_BUILD", TOP / "build/dev")) / "bin"
environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
problems, examples = [], 0


def run(command, **more):
    return subprocess.run(["bash", "-c", command], cwd=TOP, env=environment, text=True, timeout=60, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)


text = (TOP / "README.md").read_text()
for language, body in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
    if language == "console":
        for command, wanted in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.M):
            examples += 1
            got = run(command).stdout.replace("\r\n", "\n")
            if got != wanted and "--update" in sys.argv:
                text = text.replace(f"$ {command}\n{wanted}", f"$ {command}\n{got}")
                (TOP / "README.md").write_text(text)
            elif got != wanted:
                problems.append(f"$ {command}\n--- README\n{wanted}--- printed\n{got}---")
    elif language == "sh":
        for command in body.split("\n"):
            program = command.split(" ")[0]
            if command and not os.access(TOP / program, os.X_OK):
                problems.append(f"{program} is not a program of the source tree")
            elif command and run(f"{program} --help").returncode != 0:
                problems.append(f"{program} --help fails")
    elif language == "toml":
        examples += 1
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(body)
            file.flush()
            done = run(f"natkit check --config {file.name}")
            if done.returncode != 0:
                problems.append(f"natkit check says of the TOML block:\n{done.stdout}")
for target in re.findall(r"\]\(([^)#]+)\)", text):
    if "://" not in target and not (TOP / target).exists():
        problems.append(f"a link to {target}, which is not there")

print(*problems, sep="\n")
print(f"{examples} examples, {len(problems)} problems")
sys.exit(1 if problems or not examples else 0)
