#!/usr/bin/env python3
"""README, "On your own network", step by step and word by word, on a host with one address: the configuration, check, run, a phone that
is told what README says, clients; then with a password made as README says. Each step is timed."""
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones

NATKIT = lab.PROGRAMS / "natkit"


def section():
    return (lab.SOURCE / "README.md").read_text().partition("## On your own network")[2].partition("\n## ")[0]


def follow(net):
    text, began, steps = section(), time.monotonic(), []

    def step(name):
        steps.append(f"{name} {time.monotonic() - began:.1f} s")
    segment = net.segment("home")
    edge = net.host("edge").attach("eth0", segment, "192.168.1.2/24")
    phone = net.host("phone").attach("eth0", segment, "192.168.1.30/24")
    folder = net.folder / "home"
    folder.mkdir()
    config = folder / "natkit.toml"
    config.write_text(re.search(r"```toml\n(.*?)```", text, re.S)[1])
    environment = {"XDG_RUNTIME_DIR": str(folder), "XDG_STATE_HOME": str(folder), "RUNTIME_DIRECTORY": str(folder / "run"),
                   "STATE_DIRECTORY": str(folder / "state")}

    def command(word, *more):
        """One of README's commands, as it stands there."""
        line = f"natkit {word}"
        lab.require(f"`{line}`" in text or f"`{line} --config natkit.toml`" in text, f"README has no {line}")
        done = subprocess.run([*edge.enter, str(NATKIT), word, "--config", "natkit.toml", *more], cwd=folder, capture_output=True,
                              text=True, timeout=60, env={"PATH": "/usr/bin:/bin", **environment})
        lab.require(done.returncode == 0, f"{line}: {done}")
        return done.stdout
    lab.require("udp:192.168.1.2:5060" in command("check"), "natkit check shows no listener")
    step("checked")
    natkit = edge.start("natkit", NATKIT, "run", "--config", "natkit.toml", cwd=folder, env=environment)
    natkit.wait_line("NATKIT running:")
    step("running")
    alice = phones.Baresip(phone, "alice", "192.168.1.2:5060", domain="example.com")
    shown = command("clients", "--format", "text")
    lab.require("sip:alice@example.com" in shown and "lan: 192.168.1.30 is in lan" in shown, shown)
    step("registered")
    command("top")
    alice.stop()
    natkit.stop()
    # With a password: README's own line makes the file.
    line = re.search(r"^(printf 'alice.*)$", text, re.M)[1].replace("PASSWORD", "s3cret")
    subprocess.run(["bash", "-c", line], cwd=folder, check=True)
    config.write_text(re.sub(r"open  = true.*", 'users = "users.htdigest"', config.read_text()))
    natkit = edge.start("natkit", NATKIT, "run", "--config", "natkit.toml", cwd=folder, env=environment)
    natkit.wait_line("NATKIT running:")
    other = net.host("other").attach("eth0", segment, "192.168.1.31/24")
    phones.Baresip(other, "alice", "192.168.1.2:5060", domain="example.com", password="s3cret", name="alice-again")
    lab.require("sip:alice@example.com" in command("clients", "--format", "text"), "not registered with a password")
    step("with a password")
    natkit.stop()
    print(f"        {', '.join(steps)}")


if __name__ == "__main__":
    lab.main(follow)
