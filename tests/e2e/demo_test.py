#!/usr/bin/env python3
"""The demonstration of tools/quickstart: --once ends with 0 and shows what it promises; without it, it stays until Ctrl-C and
leaves nothing."""
# ctest: serial
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import threading

TOP = pathlib.Path(__file__).resolve().parents[2]
PROGRAMS = pathlib.Path(os.environ.get("NATKIT_BUILD", TOP / "build/dev")) / "bin"
# What tools/quickstart builds has to do for the demonstration: it gets these programs and no others.
built = re.search(r"^build release ([\w ]+) \|\|", (TOP / "tools/quickstart").read_text(), re.M)[1].split()
some = tempfile.TemporaryDirectory(prefix="demo-", dir=PROGRAMS.parent)
os.chmod(some.name, 0o755)
for program in built:
    os.link(PROGRAMS / program, pathlib.Path(some.name) / program)
DEMO = [sys.executable, "-B", TOP / "tools/common/demo.py", "--programs", some.name]
PROMISED = [
    "[network]", "lan = [",  # the configuration
    "on the LAN, by rule lan", "on the WAN, by rule wan", "behind a NAT, by rule nated",
    "- c=IN IP4 192.168.1.10", "+ c=IN IP4 203.0.113.10",  # SDP before and after
    "audio goes both ways", "(rule latch)", "relayed because lan-and-other, far-end-nat", "natkit running",
]


def fail(text, output):
    print(output)
    sys.exit(f"FAILED: {text}")


# Where the demonstration makes its folders: nobody else's are taken for what it left.
own = tempfile.TemporaryDirectory(prefix="natkit-demo-")
os.environ["TMPDIR"] = own.name


once = subprocess.run([*DEMO, "--once"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                      timeout=400)
if once.returncode != 0:
    fail(f"--once ended with {once.returncode}", once.stdout)
for promise in PROMISED:
    if promise not in once.stdout:
        fail(f"--once does not show {promise!r}", once.stdout)

stays = subprocess.Popen(DEMO, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         start_new_session=True)
watchdog = threading.Timer(400, stays.kill)
watchdog.start()
said = ""
for line in stays.stdout:
    said += line
    if "Kill a worker" in line:
        os.killpg(stays.pid, signal.SIGINT)  # as a terminal does
status = stays.wait()
watchdog.cancel()
if status != 0 or "my-network.toml" not in said or "The laboratory is gone." not in said:
    fail(f"Ctrl-C: it ended with {status}", said)
left = list(pathlib.Path(own.name).iterdir())
if left:
    fail(f"left behind: {left}", said)
print("ok")
