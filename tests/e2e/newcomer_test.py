#!/usr/bin/env python3
"""README, "On your own network", step by step and word by word, on a host with one address: the configuration, check, run, a phone that
is told what README says, clients, a setting; then with a password made as README says, and the pages. Each step is timed."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones


def section():
    return (lab.SOURCE / "README.md").read_text().partition("## On your own network")[2].partition("\n## ")[0]


def follow(net):
    text, began, steps = section(), time.monotonic(), []
    # In the order of the steps; `as_written` takes them one after the other, so none is left out or altered.
    commands = re.findall(r"`(natkit [^`]*)`", text.partition("1. ")[2].partition("In a browser")[0])

    def step(name):
        steps.append(f"{name} {time.monotonic() - began:.1f} s")
    segment = net.segment("home")
    edge = net.host("edge").attach("eth0", segment, "192.168.1.2/24")
    phone = net.host("phone").attach("eth0", segment, "192.168.1.30/24")
    folder = net.folder / "home"
    folder.mkdir()
    config = folder / "natkit.toml"
    config.write_text(re.search(r"```toml\n(.*?)```", text, re.S)[1])
    environment = {"PATH": f"{lab.PROGRAMS}:{os.environ['PATH']}"}
    for name in ("NATKIT_CONFIG", "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        os.environ.pop(name, None)

    def as_written(word, start=False):
        """README's next command, which is this one, by a shell in the folder of the file."""
        line = commands.pop(0)
        lab.require(line.split()[1] == word, f"README's next command is {line}, not {word}")
        if start:
            return edge.start("natkit", "bash", "-c", f"exec {line}", cwd=folder, env=environment)
        done = subprocess.run([*edge.enter, "bash", "-c", line], cwd=folder, capture_output=True, text=True, timeout=120,
                              env={**os.environ, **environment}, stdin=subprocess.DEVNULL)
        lab.require(done.returncode == 0, f"{line}: {done}")
        return done.stdout
    again = list(commands)
    lab.require("udp:192.168.1.2:5060" in as_written("check"), "natkit check shows no listener")
    step("checked")
    natkit = as_written("run", start=True)
    natkit.wait_line("NATKIT running:")
    step("running")
    alice = phones.Baresip(phone, "alice", "192.168.1.2:5060", domain="example.com")
    shown = json.loads(as_written("clients"))
    lab.require(shown["aor"] == "sip:alice@example.com" and "192.168.1.30 is in lan" in shown["why"], shown)
    step("registered")
    lab.require("clients 1" in as_written("top"), "natkit top shows no client")
    as_written("settings")
    lab.require('"203.0.113.64-203.0.113.79"' in config.read_text(), f"the setting is not in the file: {config.read_text()}")
    as_written("settings")  # confirms
    step("a setting changed")
    lab.require(not commands, f"README's commands {commands} were not tried")
    alice.stop()
    natkit.stop()
    # With a password: README's own line makes the file.
    line = re.search(r"^(printf 'alice.*)$", text, re.M)[1].replace("PASSWORD", "s3cret")
    subprocess.run(["bash", "-c", line], cwd=folder, check=True)
    config.write_text(re.sub(r"open  = true.*", 'users = "users.htdigest"', config.read_text()))
    # And the pages.
    line = re.search(r"`(natkit web [^`]*)`", text)[1]
    subprocess.run([*edge.enter, "bash", "-c", line], cwd=folder, check=True, env={**os.environ, **environment}, input="correct horse\n", text=True)
    config.write_text(config.read_text() + f"\n[web]\n{re.search(r'`(listen = [^`]*)` under `.web.`', text)[1]}\n")
    commands[:] = again[1:]
    natkit = as_written("run", start=True)
    natkit.wait_line("NATKIT running:")
    other = net.host("other").attach("eth0", segment, "192.168.1.31/24")
    phones.Baresip(other, "alice", "192.168.1.2:5060", domain="example.com", password="s3cret", name="alice-again")
    lab.require("sip:alice@example.com" in as_written("clients"), "not registered with a password")
    step("with a password")
    natkit.wait_line("pages at http://127.0.0.1:8080/")
    done = edge.run("python3", "-c", "import urllib.request as u; print(u.urlopen(u.Request('http://127.0.0.1:8080/login', "
                    "b'user=NAME&password=correct+horse', {'Origin': 'http://127.0.0.1:8080'})).status)")
    lab.require(done.stdout == "200\n", f"no entrance to the pages: {done}")
    step("in the pages")
    natkit.stop()
    print(f"        {', '.join(steps)}")


if __name__ == "__main__":
    lab.main(follow)
