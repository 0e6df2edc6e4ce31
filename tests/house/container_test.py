#!/usr/bin/env python3
"""The Containerfile and compose.yaml name what there is: files of the tree, packages that the tree's list has, programs that are installed;
the image runs as a user of its own without capabilities, on the host's network."""
import os
import pathlib
import re
import shlex
import subprocess
import sys

import yaml

TOP = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
FOLDER = TOP / "tools/container"
# What every Debian has that has apt: essential, or what that needs.
BASE = {"apt-get", "groupadd", "useradd", "install", "rm"}
problems = []


def instructions(text):
    text = re.sub(r"(?m)^#.*\n", "", text).replace("\\\n", " ")
    return [line.partition(" ")[::2] for line in text.splitlines() if line.strip()]


def packages(sections):
    listed = re.split(r"(?m)^\[(\w+)\]$", (TOP / "tools/packages.txt").read_text())
    found = dict(zip(listed[1::2], listed[2::2]))
    problems.extend(f"tools/packages.txt has no [{name}]" for name in sections if name not in found)
    return {line for name in sections for line in found.get(name, "").splitlines() if line and not line.startswith("#")}


def check_copy(stage, words, there):
    """What is copied is in the tree (or made by the stage that is named); `there` gets it."""
    if words[0].startswith("--from="):
        made = pathlib.PurePosixPath(words[1])
        if words[0][7:] not in stages or not made.is_relative_to("/src/build/release"):
            problems.append(f"COPY {' '.join(words)}: from where nothing is made")
        return
    *sources, target = words
    for source in sources:
        if not (TOP / source).exists():
            problems.append(f"COPY {source}: not in the tree")
        if target not in (source, "./"):
            problems.append(f"COPY {source} {target}: it lies elsewhere than in the tree")
        there.append(source)
    if stage == 0:
        problems.append("COPY before FROM")


def check_run(command, there):
    for part in re.split(r"&&|\|\||;|\|", command):
        words = [word for word in shlex.split(part) if not re.fullmatch(r"[A-Z_]+=.*", word)]
        if words[0] not in BASE and words[0] not in there:
            problems.append(f"RUN {words[0]}: neither of Debian's base nor copied before")
        if words[0] == "apt-get" and "install" in words:
            named = [word for word in words[words.index("install") + 1:] if not word.startswith("-")]
            problems.extend(f"RUN apt-get install {name}: not in tools/packages.txt" for name in named
                            if "/" not in name and name not in packages(["build", "package", "demo", "test"]))
            if "--no-install-recommends" not in words or "-y" not in words:
                problems.append(f"RUN {part.strip()}: asks, or takes what is only recommended")


text = (FOLDER / "Containerfile").read_text()
stages, there, said = [], [], {}
for name, rest in instructions(text):
    if name == "FROM":
        stages.append(rest.partition(" AS ")[2] or "last")
        there = []
        if "debian:12-slim" not in rest:
            problems.append(f"FROM {rest}: another system than the package is made for")
    elif name == "COPY":
        check_copy(len(stages), rest.split(), there)
    elif name == "RUN":
        check_run(rest, there)
    elif name not in ("WORKDIR", "ENV", "USER", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"):
        problems.append(f"{name}: no instruction that both engines know")
    said[name] = rest
if len(stages) != 2 or said["USER"].split(":")[0] in ("0", "root"):
    problems.append("the image is not built in two stages, or runs as root")
if re.search(r"@[A-Z]+@", text) or "Not tried:" not in text:
    problems.append("Containerfile: its head does not say what was tried and what not")

# The build in the first stage has all that CMake reads: what is in the tree and is not there is neither read nor installed.
copied = {source for name, rest in instructions(text) if name == "COPY" and not rest.startswith("--from")
          for source in rest.split()[:-1]}
cmake = "".join(path.read_text() for path in [TOP / "CMakeLists.txt", *(TOP / "tools/common/cmake").glob("*.cmake")])
for source in set(re.findall(r"\$\{CMAKE_SOURCE_DIR\}/([\w.-]+)", cmake)) - {"build", "tests"}:
    if (TOP / source).exists() and source not in copied:
        problems.append(f"Containerfile: CMake reads {source}, which is not copied")
packages(re.search(r"install_packages ([\w ]+)", (FOLDER / "build").read_text())[1].split())
for word in ("nobody's word", ""):
    if subprocess.run([FOLDER / "build", word], capture_output=True).returncode != 2:
        problems.append("tools/container/build takes any word")
for name, rest in instructions(text):
    if name == "RUN" and rest.startswith("tools/container/build") and f"\n    {rest.split()[1]})" not in (FOLDER / "build").read_text():
        problems.append(f"tools/container/build has no {rest.split()[1]}")

services = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
one = services["natkit"]
file = (FOLDER / one["build"]["context"]).resolve() / one["build"]["dockerfile"]
if file != (FOLDER / "Containerfile").resolve():
    problems.append(f"compose.yaml builds {file}")
wanted = {"network_mode": "host", "read_only": True, "cap_drop": ["ALL"], "user": said["USER"], "init": True,
          "security_opt": ["no-new-privileges:true"]}
problems.extend(f"compose.yaml: {key} is {one.get(key)}, not {value}" for key, value in wanted.items() if one.get(key) != value)
if "ports" in one or "cap_add" in one or "privileged" in one:
    problems.append("compose.yaml: more than is needed")
folders = dict(word.split("=") for word in said["ENV"].split())
writable = [entry.partition(":")[0] for entry in one["tmpfs"]] + [entry.split(":")[1] for entry in one["volumes"] if not entry.endswith(":ro")]
problems.extend(f"compose.yaml: {folder} cannot be written" for folder in folders.values() if folder not in writable)

print(*problems, sep="\n")
print(f"{len(instructions(text))} instructions, {len(problems)} problems")
sys.exit(1 if problems else 0)
