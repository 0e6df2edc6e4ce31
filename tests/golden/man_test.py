#!/usr/bin/env python3
"""The examples of the manual pages: each `$ command` of a literal block prints what stands under it, and the pages are good mdoc.
With --update the pages are given what the commands print."""
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
PROGRAMS = pathlib.Path(os.environ.get("NATKIT_BUILD", TOP / "build/dev")) / "bin"
PAGES = sorted(page.name for page in (TOP / "man").glob("*.[1-8]"))
environment = {**os.environ, "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "NATKIT_CONFIG": ""}
problems, examples = [], 0


def escaped(text):
    text = text.replace("\r\n", "\n").replace("\\", "\\e")
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.M)


for name in PAGES:
    page = TOP / "man" / name
    text = page.read_text()
    for body in re.findall(r"^\.Bd -literal\n(.*?)^\.Ed$", text, re.M | re.S):
        for command, wanted in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", body, re.M):
            examples += 1
            plain = command.replace("\\e", "\\")
            run = subprocess.run(["bash", "-c", plain], cwd=TOP, env=environment, text=True, timeout=60, stdin=subprocess.DEVNULL, capture_output=True)
            got = escaped(run.stdout)
            if run.stderr:
                problems.append(f"{name}: $ {plain}\n{run.stderr}")
            elif got != wanted and "--update" in sys.argv:
                text = text.replace(f"$ {command}\n{wanted}", f"$ {command}\n{got}", 1)
                page.write_text(text)
            elif got != wanted or not got:
                problems.append(f"{name}: $ {plain}\n--- page\n{wanted}--- printed\n{got}---")
    if shutil.which("mandoc"):
        lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True, text=True)
        if lint.stdout:
            problems.append(lint.stdout)
print(*problems, f"{examples} examples", sep="\n")
sys.exit(1 if problems or not examples else 0)
