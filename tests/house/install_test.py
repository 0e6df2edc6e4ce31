#!/usr/bin/env python3
"""cmake --install under /usr/local and under /usr (as the package has it), into a folder of its own (DESTDIR): the programs run from
there, the unit and the completions name them where they are, every page is there and names what is installed where it lies, and
nothing lies outside. The package's script says what to do next, in commands that there are."""
import gzip
import os
import pathlib
import re
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", TOP / "build/dev"))
PROGRAMS = ("natclassify", "sdprewrite", "mediarelay", "natpinger", "looptrace", "sipedge", "natkit-web", "natkit-cluster", "natkit")
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

# What a page says to a reader who has the package alone: files of the source tree are none of it (natkit-internals(7) is about them), and
# what the package brings lies where the page says.
SOURCES = re.compile(r"(?<![\w/.-])(?:tools|tests|lib|man|include|completions)/[a-z][\w./-]*")
BROUGHT = re.compile(r"/(?:etc/(?:natkit|logrotate\.d|fail2ban)|usr/share/doc/natkit|lib/systemd|usr/lib/systemd)/[\w./-]*\w")


def check_page(path, root):
    text = re.sub(r'(?m)^\.\\".*$', "", gzip.decompress(path.read_bytes()).decode())
    if not path.name.startswith("natkit-internals"):
        problems.extend(f"{path.name} names {found}, which is not installed" for found in set(SOURCES.findall(text)))
    problems.extend(f"{path.name} names {found}, which the package does not bring" for found in set(BROUGHT.findall(text))
                    if not (root / found[1:]).exists())


def hints(root, *arguments):
    """What the package's script prints, with nothing it could change: all it may call are programs that do nothing."""
    stubs = root / "stubs"
    stubs.mkdir(exist_ok=True)
    for name in ("getent", "adduser", "chown", "chmod", "dpkg-statoverride", "deb-systemd-helper", "systemctl"):
        (stubs / name).write_text("#!/bin/sh\n")
    (stubs / "natkit").write_text("#!/bin/sh\nexit 1\n")  # it does not run
    for stub in stubs.iterdir():
        stub.chmod(0o755)
    done = subprocess.run(["/bin/sh", TOP / "tools/packaging/postinst", *arguments], env={"PATH": str(stubs)}, capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        problems.append(f"postinst {arguments}: {done}")
    return done.stdout


with tempfile.TemporaryDirectory(prefix="natkit-package-") as name:
    root = pathlib.Path(name)
    done = subprocess.run(["cmake", "--install", BUILD, "--prefix", "/usr"], env={**os.environ, "DESTDIR": name}, capture_output=True,
                          text=True)
    if done.returncode != 0:
        sys.exit(f"cmake --install: {done.stdout}{done.stderr}")
    pages = sorted((root / "usr/share/man").glob("man*/*.gz"))
    for page in pages:
        check_page(page, root)
    if not pages:
        problems.append("no pages")
    said = hints(root, "configure", "")
    lines = said.splitlines()
    if not 3 <= len(lines) <= 5 or max(map(len, lines), default=0) > 110:
        problems.append(f"after the installation it prints:\n{said}")
    for path in re.findall(r"/(?:etc|usr)/[\w./-]*\w", said):
        if not (root / path[1:]).exists():
            problems.append(f"the package's script names {path}, which is not installed")
    commands = re.findall(r"(?<!man )\bnatkit ([a-z]+)\b", said.replace("--now natkit", ""))
    known = subprocess.run([root / "usr/bin/natkit", "--help"], capture_output=True, text=True).stdout
    for command in sorted(set(commands)):
        if not re.search(rf"(?m)^ +{command}\b", known):
            problems.append(f"the package's script names natkit {command}, which there is not")
    if {"check", "status"} - set(commands) or "systemctl enable --now natkit" not in said:
        problems.append(f"the package's script does not say how to check and start: {said}")
    if said := hints(root, "configure", "0.1-1"):
        problems.append(f"an upgrade prints:\n{said}")

print(*problems, sep="\n")
print(f"{len(PROGRAMS)} programs, {len(problems)} problems")
sys.exit(1 if problems else 0)
