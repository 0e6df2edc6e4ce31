#!/usr/bin/env python3
"""natkit and its workers: each may die, natkit too, and the next one takes up what is left; a reload drops nothing."""
import os
import pathlib
import re
import signal
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import site_of_phones


def ended(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def workers_survive_natkit(net):
    site = site_of_phones.Site(net).start()
    before = {name: site.pid(name) for name in site_of_phones.WORKERS}
    ports = sorted(e for e, _ in site.edge.sockets() if e.endswith(":5060"))
    site.natkit.kill()
    for name, pid in before.items():
        lab.require(not ended(pid), f"{name} ended with natkit")
    # One worker dies while nobody watches.
    os.kill(before["sipedge"], signal.SIGKILL)
    lab.wait_until(lambda: ended(before["sipedge"]), "sipedge to be dead")
    site.write_config(media_proxy={"ports": '"20000-20999"'})  # meant for those taken over as well
    site.natkit = site.edge.start("natkit again", lab.PROGRAMS / "natkit", "run", "--config", site.config)
    site.wait_up()
    lab.require(site.pid("mediarelay") == before["mediarelay"], "mediarelay was not taken over")
    lab.require(site.pid("natpinger") == before["natpinger"], "natpinger was not taken over")
    lab.require(site.pid("sipedge") != before["sipedge"], "sipedge is said to live")
    lab.wait_until(lambda: {c["state"] for c in site.status()["components"]} == {"running"}, "all to run")
    lab.require(sorted(e for e, _ in site.edge.sockets() if e.endswith(":5060")) == ports, "other sockets than before")
    # An adopted worker is watched as closely as a child.
    os.kill(before["mediarelay"], signal.SIGKILL)
    began = time.monotonic()
    lab.wait_until(lambda: [c for c in site.status()["components"] if c["name"] == "mediarelay" and c["state"] == "running"
                            and c["pid"] != before["mediarelay"]], "mediarelay to be back", 1)
    print(f"        an adopted mediarelay was back after {1000 * (time.monotonic() - began):.0f} ms")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    left = site_of_phones.natkit_processes()
    lab.require(not left, f"still running: {left}")
    lab.require(not list(site.runtime.iterdir()), f"left behind: {list(site.runtime.iterdir())}")


def a_datagram_waits_for_a_dead_sipedge(net):
    site = site_of_phones.Site(net).start()
    phone = site.wan_host()
    talker = phone.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((phone.address, 5060))
    talker.settimeout(5)
    os.kill(site.pid("sipedge"), signal.SIGKILL)
    talker.sendto((f"OPTIONS sip:{site_of_phones.WAN_EDGE} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.address}:5060;branch=z9hG4bKa;rport\r\n"
                   f"From: <sip:a@example.com>;tag=1\r\nTo: <sip:{site_of_phones.WAN_EDGE}>\r\nCall-ID: wait\r\nCSeq: 1 OPTIONS\r\n"
                   "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(), (site_of_phones.WAN_EDGE, 5060))
    answer = talker.recv(2000)
    lab.require(answer.startswith(b"SIP/2.0 "), f"no answer: {answer!r}")
    site.natkit.stop()


def reload_changes_listeners_and_keeps_the_rest(net):
    site = site_of_phones.Site(net).start()
    pids = {name: site.pid(name) for name in site_of_phones.WORKERS}
    listen = f'["udp:{site_of_phones.LAN_EDGE}:5060", "udp:{site_of_phones.WAN_EDGE}:5060", "udp:{site_of_phones.WAN_EDGE}:5080"]'
    site.write_config(sip={"listen": listen}, pinger={"udp_interval": '"7s"'})
    site.natkit.signal(signal.SIGHUP)
    lab.wait_until(lambda: f"udp:{site_of_phones.WAN_EDGE}:5080" in site.status()["listen"], "the new listener")
    lab.wait_until(lambda: site.ask("natpinger", "status")["sockets"] == 3, "natpinger to have the new socket")
    # A bad file keeps the old configuration, and the command says why.
    site.config.write_text(site.config.read_text().replace("[pinger]", "[pinger]\nmethod = \"telepathy\""))
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 2 and "telepathy" in done.stderr, f"reload of a bad file: {done}")
    # A port that somebody has: refused as a whole.
    thief = site.edge.socket(socket.AF_INET, socket.SOCK_DGRAM)
    thief.bind((site_of_phones.WAN_EDGE, 5090))
    site.write_config(sip={"listen": listen.replace("5080", "5090")})
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 2 and "address already in use" in done.stderr, f"reload with a port in use: {done}")
    lab.require(f"udp:{site_of_phones.WAN_EDGE}:5080" in site.status()["listen"], "the old listener is gone")
    site.write_config()
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 0, f"reload: {done}")
    lab.require(not [e for e, _ in site.edge.sockets() if e.endswith(":5080")], "port 5080 is still open")
    lab.require(pids == {name: site.pid(name) for name in site_of_phones.WORKERS}, "a worker was restarted")
    site.natkit.stop()


def a_second_natkit_is_refused(net):
    site = site_of_phones.Site(net).start()
    done = site.edge.run(lab.PROGRAMS / "natkit", "run", "--config", site.config)
    lab.require(done.returncode == 2 and "natkit runs already" in done.stderr, f"a second natkit: {done}")
    lab.require(site.status()["state"] == "running", "the first one suffered")
    done = site.edge.run(lab.PROGRAMS / "natkit", "stop", "--config", site.config)
    lab.require(done.returncode == 0 and site.natkit.wait_exit() == 0, f"natkit stop: {done}")


def drain_refuses_new_calls_and_ends_with_the_last(net):
    site = site_of_phones.Site(net).start()
    lan, home = site.phone(site.lan_host(), "anna"), site.phone(site.home_host(), "bob")
    third = site.phone(site.wan_host(), "carl")
    phones.call(home, lan)
    lab.wait_until(lambda: site.status()["sessions"] >= 1, "the call to be relayed")
    done = site.edge.run(lab.PROGRAMS / "natkit", "drain", "--config", site.config)
    lab.require(done.returncode == 0 and site.status()["state"] == "draining", f"{done}")
    os.kill(site.pid("sipedge"), signal.SIGKILL)  # its successor drains too
    lab.wait_until(lambda: [c for c in site.status()["components"] if c["name"] == "sipedge" and c["restarts"] == 1
                            and c["state"] == "running"], "sipedge to be back")
    third.dial(lan.aor)
    third.program.wait_line(r"503")
    lab.require(site.status()["sessions"] >= 1, "the call is gone")
    home.hangup()
    lab.require(site.natkit.wait_exit() == 0, "natkit did not end well")
    left = site_of_phones.natkit_processes()
    lab.require(not left, f"still running: {left}")


def metrics_are_served_and_documented(net):
    site = site_of_phones.Site(net).start(control={"metrics": '"127.0.0.1:9464"'})
    done = site.edge.run("python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())")
    lab.require('natkit_component_up{component="sipedge"} 1' in done.stdout, done.stdout + done.stderr)
    page = (lab.SOURCE / "man/natkit.1").read_text()
    names = re.findall(r"# HELP (\S+)", done.stdout)
    lab.require(len(names) > 10, f"few metrics: {names}")
    for name in names:
        lab.require(re.search(rf"{name}\b", page), f"{name} is not in natkit(1)")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")


def a_worker_that_cannot_start_is_given_up(net):
    site = site_of_phones.Site(net)
    programs = net.folder / "programs"
    programs.mkdir()
    for name in ("natkit", "mediarelay", "natpinger"):
        (programs / name).symlink_to(lab.PROGRAMS / name)
    # /proc/self/exe names the real file, so a copy stands for an installation of its own.
    (programs / "natkit").unlink()
    (programs / "natkit").write_bytes((lab.PROGRAMS / "natkit").read_bytes())
    (programs / "natkit").chmod(0o755)
    site.write_config()
    done = site.edge.run(programs / "natkit", "run", "--config", site.config)
    lab.require(done.returncode == 2 and "sipedge: no such file" in done.stderr, f"exit {done.returncode}: {done.stderr}")
    lab.require(done.stderr.count("NATKIT stopped") == 1, done.stderr)
    left = site_of_phones.natkit_processes()
    lab.require(not left, f"still running: {left}")
    (programs / "sipedge").write_text("#!/bin/sh\necho 'sipedge: no luck' >&2\nexit 2\n")
    (programs / "sipedge").chmod(0o755)
    done = site.edge.run(programs / "natkit", "run", "--config", site.config)
    lab.require(done.returncode == 2, f"exit {done.returncode}: {done.stderr}")
    lab.require(re.search(r"sipedge: no luck", done.stderr) and "sipedge cannot run" in done.stderr, done.stderr)
    left = site_of_phones.natkit_processes()
    lab.require(not left, f"still running: {left}")


if __name__ == "__main__":
    lab.main(workers_survive_natkit, a_datagram_waits_for_a_dead_sipedge, reload_changes_listeners_and_keeps_the_rest,
             a_second_natkit_is_refused, metrics_are_served_and_documented,
             drain_refuses_new_calls_and_ends_with_the_last, a_worker_that_cannot_start_is_given_up)
