#!/usr/bin/env python3
"""The log of all programs: a reload changes its format, its target and its levels; SIGUSR1 after a rotation reaches everybody; a
port for metrics that nobody asked for and that somebody has is said, and keeps nothing from working."""
import json
import os
import pathlib
import signal
import socket
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import site_of_phones

EVERYBODY = ("natkit", *site_of_phones.WORKERS)


def writers(site, file):
    """Who of the programs has this file open."""
    found = set()
    for name in EVERYBODY:
        pid = site.pid(name)
        for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
            try:
                if os.path.samefile(entry, file):
                    found.add(name)
            except OSError:
                continue
    return found


def reload(site, status=0):
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == status, f"reload: {done}")
    return done.stderr


def format_target_and_levels(net):
    first, second = net.folder / "first.log", net.folder / "second.log"
    site = site_of_phones.Site(net).start(log={"target": f'"{first}"'})
    lab.require(writers(site, first) == set(EVERYBODY), f"only {writers(site, first)} write the log")
    lab.wait_until(lambda: "major NATKIT running:" in first.read_text(), "natkit to say that it runs")
    site.write_config(log={"target": f'"{second}"', "format": '"json"'})
    reload(site)
    lab.require(writers(site, second) == set(EVERYBODY), f"only {writers(site, second)} write the new log")
    lab.require(not writers(site, first), f"{writers(site, first)} still hold the old one")
    records = [json.loads(line) for line in second.read_text().splitlines()]
    lab.require([r for r in records if r["type"] == "log" and r["tag"] == "NATKIT" and r["program"] == "natkit"], str(records))
    # One that cannot be had: everybody keeps the present one, and the command says where the fault is.
    site.write_config(log={"target": '"/proc/none/such.log"'})
    said = reload(site, 2)
    lab.require("natkit.toml:" in said and "[log] target: /proc/none" in said, said)
    lab.require(writers(site, second) == set(EVERYBODY), f"only {writers(site, second)} write the log")
    # Levels: nothing but crashes, then nothing more comes of a reload.
    quiet = {"log_level": '"crashes"'}
    site.write_config(log={"target": f'"{second}"', "format": '"json"'}, sip=quiet, media_proxy=quiet, pinger=quiet)
    reload(site)
    size = second.stat().st_size
    reload(site)
    lab.require(second.stat().st_size == size, "a line below the level: " + second.read_text()[size:])
    lab.require(site.natkit.stop() == 0, "natkit did not end well")


def rotation(net):
    log = net.folder / "natkit.log"
    site = site_of_phones.Site(net).start(log={"target": f'"{log}"'})
    old = log.rename(net.folder / "natkit.log.1")
    site.natkit.signal(signal.SIGUSR1)
    lab.wait_until(lambda: log.exists() and writers(site, log) == set(EVERYBODY), "everybody to write the new file")
    lab.require(not writers(site, old), f"{writers(site, old)} still hold the old file")
    # The folder is gone: the old file stays in use, and that is said in it.
    folder = net.folder / "logs"
    folder.mkdir()
    site.write_config(log={"target": f'"{folder}/a.log"'})
    reload(site)
    kept = (folder / "a.log").rename(net.folder / "kept.log")
    folder.rmdir()
    site.natkit.signal(signal.SIGUSR1)
    lab.wait_until(lambda: kept.read_text().count("the old file stays in use") == len(EVERYBODY), "everybody to say so")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")


def a_port_for_metrics_that_somebody_has(net):
    site = site_of_phones.Site(net)
    thief = site.edge.socket(socket.AF_INET, socket.SOCK_STREAM)
    thief.bind(("127.0.0.1", 9464))
    thief.listen()
    site.start(control={"metrics": None})
    lab.require("no metrics: tcp 127.0.0.1:9464: bind: address already in use; write [control] metrics" in site.natkit.output,
                site.natkit.output)
    lab.require(site.status()["state"] == "running", "natkit does not run")
    # Asked for, it is an error: nothing changes, and the place of the key is told.
    site.write_config(control={"metrics": '"127.0.0.1:9464"'})
    said = reload(site, 2)
    lab.require("natkit.toml:" in said and "[control] metrics: tcp 127.0.0.1:9464: bind: address already in use" in said, said)
    thief.close()
    reload(site)
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    thief = site.edge.socket(socket.AF_INET, socket.SOCK_STREAM)
    thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    thief.bind(("127.0.0.1", 9464))
    thief.listen()
    done = site.edge.run(lab.PROGRAMS / "natkit", "run", "--config", site.config)
    lab.require(done.returncode == 2 and "[control] metrics: tcp 127.0.0.1:9464" in done.stderr, f"{done}")


class Journal:
    """journald's socket, and what is said to it: a dict of fields each time."""

    def __init__(self):
        path = pathlib.Path("/run/systemd/journal/socket")  # /run is the laboratory's own
        path.parent.mkdir(parents=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.entries = []
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self):  # at once: the kernel queues ten, and then holds up whoever logs
        while True:
            self.entries.append(dict(line.partition("=")[::2] for line in self.socket.recv(65536).decode().splitlines()))

    def wait(self, program, text):
        """The first entry of this program whose message holds the text."""
        return lab.wait_until(lambda: next((e for e in list(self.entries) if e.get("SYSLOG_IDENTIFIER") == program and text in e["MESSAGE"]), None),
                              f"{program} to say {text!r} in the journal")


def the_journal(net):
    journal = Journal()
    site = site_of_phones.Site(net).start(log={"target": '"journal"'})
    entry = journal.wait("natkit", "running:")
    lab.require(entry["MESSAGE"].startswith("NATKIT running:") and entry["PRIORITY"] == "5", f"{entry}")
    lab.require(entry["NATKIT_TAG"] == "NATKIT" and entry["NATKIT_LEVEL"] == "major", f"{entry}")
    os.kill(site.pid("sipedge"), signal.SIGKILL)
    entry = journal.wait("natkit", "sipedge (process")
    lab.require(entry["PRIORITY"] == "3" and "starting it again" in entry["MESSAGE"], f"{entry}")
    entry = journal.wait("sipedge", "")
    lab.require(entry["NATKIT_TAG"] in ("SIPEDGE", "NATKIT"), f"{entry}")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    lines = [line for line in site.natkit.output.splitlines() if "warning:" not in line]
    lab.require(not lines, f"on standard error all the same: {lines}")


def in_the_background(net):
    """natkit run --daemon returns once everything runs, and says no to a log that would be lost."""
    site = site_of_phones.Site(net)
    site.write_config()
    done = site.edge.run(lab.PROGRAMS / "natkit", "run", "--daemon", "--config", site.config)
    lab.require(done.returncode == 2 and '--daemon leaves no standard error to log to; write [log] target' in done.stderr, f"{done}")
    log = net.folder / "natkit.log"
    site.write_config(log={"target": f'"{log}"'})
    done = site.edge.run(lab.PROGRAMS / "natkit", "run", "--daemon", "--config", site.config)
    lab.require(done.returncode == 0, f"{done}")
    status = site.status()
    lab.require({c["state"] for c in status["components"]} == {"running"}, f"it returned too early: {status}")
    pid = status["pid"]
    lab.require(os.getsid(pid) == pid and os.readlink(f"/proc/{pid}/fd/2") == "/dev/null", "not detached")
    lab.require("major NATKIT running:" in log.read_text(), log.read_text())
    # A second one fails in the foreground, with what it has to say.
    done = site.edge.run(lab.PROGRAMS / "natkit", "run", "--daemon", "--config", site.config)
    lab.require(done.returncode == 2 and "natkit runs already" in done.stderr, f"{done}")
    done = site.edge.run(lab.PROGRAMS / "natkit", "stop", "--config", site.config)
    lab.require(done.returncode == 0, f"{done}")
    lab.wait_until(lambda: not site_of_phones.natkit_processes(), "all to end")


if __name__ == "__main__":
    lab.main(format_target_and_levels, rotation, a_port_for_metrics_that_somebody_has, the_journal, in_the_background)
