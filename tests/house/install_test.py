#!/usr/bin/env python3
"""cmake --install under /usr/local, into a folder of its own (DESTDIR): the programs run from there, the unit and the completions name
them where they are, every page is there, and nothing lies outside."""
import gzip
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", TOP / "build/dev"))
PROGRAMS = ("natclassify", "sdprewrite", "mediarelay", "natpinger", "looptrace", "sipedge", "natkit-web", "natkit")
problems = []

with tempfile.TemporaryDirectory(prefix="natkit-install-") as name:
    root = pathlib.Path(name)
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr/local"], env={**os.environ, "DESTDIR": name},
                          capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"cmake --install: {done.stdout}{done.stderr}")
    local = root / "usr/local"
    outside = [str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() and local not in path.parents]
    if outside:
        problems.append(f"outside the prefix: {outside}")
    for program in PROGRAMS:
        said = subprocess.run([local / "bin" / program, "--version"], capture_output=True, text=True)
        if said.returncode != 0 or program not in said.stdout:
            problems.append(f"bin/{program} --version: {said}")
    for page in (TOP / "man").glob("*.[1-8]"):
        if not (local / f"share/man/man{page.suffix[1]}/{page.name}.gz").is_file():
            problems.append(f"no page {page.name}")
            continue
        text = gzip.decompress((local / f"share/man/man{page.suffix[1]}/{page.name}.gz").read_bytes()).decode()
        if name in text or "tools/natkit/examples" in text:
            problems.append(f"{page.name} names files that are not installed")
        for example in re.findall(r"/usr/local/share/doc/natkit/[\w./-]*\w", text):
            if not (root / example[1:]).exists():
                problems.append(f"{page.name} names {example}, which is not installed")
    for program in PROGRAMS:
        for completion in (f"bash-completion/completions/{program}", f"fish/vendor_completions.d/{program}.fish"):
            if not (local / "share" / completion).is_file():  # a link that leads nowhere is none
                problems.append(f"no share/{completion}")
    if not (local / "share/zsh/vendor-completions/_natkit").is_file():
        problems.append("no completion for zsh")
    unit = (local / "lib/systemd/system/natkit.service").read_text()
    if "ExecStart=/usr/local/bin/natkit run" not in unit or "/usr/bin/" in unit or name in unit:
        problems.append("the unit names other programs")
    if not (local / "share/doc/natkit/examples/natkit.toml").is_file():
        problems.append("no example of a configuration")

print(*problems, sep="\n")
print(f"{len(PROGRAMS)} programs, {len(problems)} problems")
sys.exit(1 if problems else 0)
