#!/usr/bin/env python3
"""natkit and its workers: each may die, natkit too, and the next one takes up what is left; a reload drops nothing."""
import json
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
    took = lab.within(1, lambda: [c for c in site.ask("natkit", "status")["components"] if c["name"] == "mediarelay" and c["state"] == "running"
                                  and c["pid"] != before["mediarelay"]], "mediarelay to be back")
    print(f"        an adopted mediarelay was back after {1000 * took:.0f} ms")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    left = site_of_phones.natkit_processes()
    lab.require(not left, f"still running: {left}")
    lab.require(not list(site.runtime.iterdir()), f"left behind: {list(site.runtime.iterdir())}")


def a_datagram_waits_for_a_dead_sipedge(net):
    site = site_of_phones.Site(net).start()
    phone = site.wan_host()
    talker = phone.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((phone.address, 5060))
    talker.settimeout(lab.PATIENCE)
    os.kill(site.pid("sipedge"), signal.SIGKILL)
    talker.sendto((f"OPTIONS sip:{site_of_phones.WAN_EDGE} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.address}:5060;branch=z9hG4bKa;rport\r\n"
                   f"From: <sip:a@example.com>;tag=1\r\nTo: <sip:{site_of_phones.WAN_EDGE}>\r\nCall-ID: wait\r\nCSeq: 1 OPTIONS\r\n"
                   "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(), (site_of_phones.WAN_EDGE, 5060))
    answer = talker.recv(2000)
    lab.require(answer.startswith(b"SIP/2.0 "), f"no answer: {answer!r}")
    site.natkit.stop()


def ask_edge(site, method="OPTIONS", phone=None):
    """Sends a request from a host on the WAN; the status line of the answer."""
    phone = phone or site.wan_host()
    number = time.monotonic_ns()
    talker = phone.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((phone.address, 5060))
    talker.settimeout(lab.PATIENCE)
    host = site_of_phones.WAN_EDGE if method == "OPTIONS" else "example.com"
    talker.sendto((f"{method} sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP {phone.address}:5060;branch=z9hG4bK{number};rport\r\n"
                   f"From: <sip:a@{host}>;tag=1\r\nTo: <sip:a@{host}>\r\nCall-ID: {number}\r\n"
                   f"CSeq: 1 {method}\r\nContact: <sip:a@{phone.address}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(),
                  (site_of_phones.WAN_EDGE, 5060))
    answer = talker.recv(2000).decode().splitlines()[0]
    talker.close()
    return answer


def sockets_that_cannot_be_taken_leave_those_there_are(net):
    site = site_of_phones.Site(net).start()
    other = site.edge.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind((site_of_phones.WAN_EDGE, 0))
    good = f"udp:{site_of_phones.WAN_EDGE}:{other.getsockname()[1]}"
    for names in (["nonsense"], [f"udp:{site_of_phones.WAN_EDGE}:5060"], [good, good], [good, "nonsense"]):
        for program in ("sipedge", "natpinger"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(lab.PATIENCE)
                connection.connect(str(site.runtime / f"{program}.sock"))
                request = json.dumps({"id": f"{program}{names}", "cmd": "adopt", "sockets": names, "fds": len(names)})
                socket.send_fds(connection, [request.encode() + b"\n"], [other.fileno()] * len(names))
                reply = json.loads(connection.makefile().readline())
            lab.require("error" in reply, f"{program} {names}: {reply}")
        lab.require(ask_edge(site), f"sipedge is deaf after {names}")
    lab.require(site.ask("natpinger", "status")["sockets"] == 4, "natpinger has lost sockets")
    site.natkit.stop()


def a_broken_state_ends_nothing(net):
    """A damaged state file, a key that cannot be read, a full disk: each is told, and SIP goes on or comes back."""
    site = site_of_phones.Site(net)
    lab.sh("mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "tmpfs", site.runtime)
    site.start(registrar={"state": '"sqlite:run/state.db"'})
    state, secret = site.runtime / "state.db", site.runtime / "secret"
    back = lambda old: lab.wait_until(lambda: [c for c in site.status()["components"] if c["name"] == "sipedge" and c["state"] == "running"
                                               and c["pid"] != old], "sipedge to be back")
    old = site.pid("sipedge")
    site.natkit.process.poll()
    os.kill(old, signal.SIGSTOP)  # its log goes with it
    for path in site.runtime.glob("state.db*"):
        path.write_bytes(b"nothing that SQLite wrote " * 100)
    os.kill(old, signal.SIGKILL)
    back(old)
    site.natkit.wait_line(rf"crashes SIPEDGE .*it is set aside as {state}.old")
    lab.require(site.status()["state"] == "running" and ask_edge(site), f"{site.status()}")
    # Nobody but us may know the key.
    secret.chmod(0o644)
    os.kill(site.pid("sipedge"), signal.SIGKILL)
    lab.wait_until(lambda: site.status()["state"] == "degraded", "status to say so")
    lab.wait_until(lambda: [c for c in site.status()["components"] if c["name"] == "sipedge" and c["restarts"] >= 6], "attempts")
    lab.require("sipedge" in site.status()["degraded"][0] and site.natkit.process.poll() is None, f"{site.status()}")
    secret.chmod(0o600)
    back(0)
    lab.wait_until(lambda: site.status()["state"] == "running", "status to say so")
    # A full disk.
    filler = os.open(site.runtime / "filler", os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(filler, b"x" * 4096):
            pass
    except OSError:
        os.close(filler)
    os.kill(site.pid("sipedge"), signal.SIGKILL)
    os.kill(site.pid("natpinger"), signal.SIGKILL)
    site.kill_worker("mediarelay")
    back(0)
    lab.require(ask_edge(site, "REGISTER") == "SIP/2.0 200 OK", "sipedge does not serve")
    troubles = (r"sipedge: .*the state cannot be written", r"mediarelay: the journal cannot be written, calls would not survive a restart: .*space")
    for trouble in troubles:
        lab.wait_until(lambda trouble=trouble: any(re.search(trouble, text) for text in site.status().get("degraded", [])), lambda: f"{site.status()}")
    shown = site.edge.run(lab.PROGRAMS / "natkit", "status", "--config", site.config, "--format", "text").stdout
    lab.require(re.search(r"(?m)^  degraded: mediarelay: the journal cannot be written", shown), shown)
    (site.runtime / "filler").unlink()
    # It is tried again with a registration, every ten seconds at most; natpinger did without its mark, and does.
    phone = site.wan_host()

    def good():
        time.sleep(0.5)  # not to be taken for a flood
        return ask_edge(site, "REGISTER", phone) and "the state cannot be written" not in str(site.status().get("degraded"))
    lab.wait_until(good, lambda: f"{site.status()}")
    site.natkit.wait_line(r"major SIPEDGE the state can be written again")
    lab.wait_until(lambda: site.status()["state"] == "running", lambda: f"what can be written again is still told: {site.status()}")
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


def a_refused_reload_changes_nothing(net):
    """Listeners change and the port for metrics is taken: not even the old listeners may be lost, to whoever waits for their ports."""
    site = site_of_phones.Site(net).start()

    def sip_sockets():
        return sorted(line.split("ino:")[1].split()[0] for line in
                      site.edge.run("ss", "-Hnuae").stdout.splitlines() + site.edge.run("ss", "-Hntle").stdout.splitlines() if ":5060 " in line)
    before = sip_sockets()
    lab.require(len(before) == 4, f"{before}")
    thief = site.edge.socket(socket.AF_INET, socket.SOCK_STREAM)
    thief.bind(("127.0.0.1", 9464))
    thief.listen()
    site.write_config(sip={"listen": f'["udp:{site_of_phones.WAN_EDGE}:5080"]'}, control={"metrics": '"127.0.0.1:9464"'})
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 2 and "[control] metrics: tcp 127.0.0.1:9464: bind: address already in use" in done.stderr, f"{done}")
    lab.require(sip_sockets() == before, "other sockets than before")
    lab.require(not [e for e, _ in site.edge.sockets() if e.endswith(":5080")], "the new listener is open")
    lab.require(len(site.status()["listen"]) == 4, f"{site.status()['listen']}")
    lab.require("5080" not in (site.runtime / "config.toml").read_text(), "a worker that starts would read the refused file")
    # The port for metrics changes hands: the old one is closed only with the new one open.
    thief.close()
    site.write_config(sip={"listen": None}, control={"metrics": '"127.0.0.1:9464"'})
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 0, f"{done}")
    site.write_config(control={"metrics": '""'})
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 0 and not [e for e, _ in site.edge.sockets("tcp") if e.endswith(":9464")], f"{done}")
    site.natkit.stop()


def renew_refuses_a_file_that_cannot_be_used(net):
    site = site_of_phones.Site(net).start()
    site.natkit.wait_line("running: ")  # before, nothing is renewed
    before = {name: site.pid(name) for name in site_of_phones.WORKERS}
    good = site.config.read_text()
    site.config.write_text(good.replace("[pinger]", "[pinger]\nmethod = 1"))
    for command in ("renew", "reload"):
        done = site.edge.run(lab.PROGRAMS / "natkit", command, "--config", site.config)
        lab.require(done.returncode != 0 and "natkit.toml:" in done.stderr and "[pinger] method" in done.stderr, f"{command} with a bad file: {done}")
    lab.require(site.natkit.process.poll() is None and before == {name: site.pid(name) for name in before}, "somebody was replaced")
    # What is wrong with it keeps nobody from asking the natkit that runs.
    done = site.edge.run(lab.PROGRAMS / "natkit", "status", "--config", site.config)
    lab.require(done.returncode == 0, f"status beside a bad file: {done}")
    site.config.write_text(good)
    done = site.edge.run(lab.PROGRAMS / "natkit", "renew", "--config", site.config)
    lab.require(done.returncode == 0, f"renew: {done}")
    lab.require(all(site.pid(name) != pid for name, pid in before.items()), "not renewed")
    site.natkit.stop()


def a_worker_that_hangs_is_started_again(net):
    site = site_of_phones.Site(net).start()
    all_run = lambda: {c["state"] for c in site.status()["components"]} == {"running"}
    lab.wait_until(all_run, "all to run")
    held = {name: site.pid(name) for name in ("sipedge", "natpinger")}
    other = site.pid("mediarelay")
    for pid in held.values():
        os.kill(pid, signal.SIGSTOP)
    for name, pid in held.items():
        site.natkit.wait_line(rf"failures NATKIT {name} \(process {pid}\) does not answer; killed", 120, again=True)
    lab.wait_until(all_run, "all to run again", 60)
    lab.require(all(site.pid(name) != pid for name, pid in held.items()) and site.pid("mediarelay") == other, "not those that hung")
    # A natkit that was itself held up blames nobody.
    pids = {name: site.pid(name) for name in site_of_phones.WORKERS}
    for _ in range(3):
        site.natkit.signal(signal.SIGSTOP)
        time.sleep(7)
        site.natkit.signal(signal.SIGCONT)
        lab.require(site.status()["state"] == "running", f"{site.status()}")
    time.sleep(6)
    lab.require(pids == {name: site.pid(name) for name in pids}, "a worker was killed for natkit's own absence")
    site.natkit.stop()


def a_worker_that_keeps_dying_is_tried_again_for_ever(net):
    site = site_of_phones.Site(net)
    programs = net.folder / "programs"
    programs.mkdir()
    for name in ("natkit", *site_of_phones.WORKERS):
        (programs / name).write_bytes((lab.PROGRAMS / name).read_bytes())
        (programs / name).chmod(0o755)
    site.write_config(control={"metrics": '"127.0.0.1:9464"'})
    systemd, statuses = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM), []
    systemd.bind(str(net.folder / "notify"))
    systemd.setblocking(False)

    def told():
        try:
            while True:
                statuses.extend(line for line in systemd.recv(4096).decode().splitlines() if line.startswith("STATUS="))
        except BlockingIOError:
            return statuses
    site.natkit = site.edge.start("natkit", programs / "natkit", "run", "--config", site.config,
                                  env={"NOTIFY_SOCKET": str(net.folder / "notify")})
    site.natkit.wait_line("major NATKIT running:")
    good = (programs / "natpinger").rename(programs / "good")
    (programs / "natpinger").write_text("#!/bin/sh\necho 'natpinger: no luck' >&2\nexit 1\n")
    (programs / "natpinger").chmod(0o755)
    os.kill(site.pid("natpinger"), signal.SIGKILL)
    site.natkit.wait_line(r"crashes NATKIT natpinger has died 10 times in a row", 180)
    status = site.status()
    lab.require({c["name"]: c["state"] for c in status["components"]} ==
                {"mediarelay": "running", "sipedge": "running", "natpinger": "waiting"}, f"{status}")
    lab.require(status["state"] == "degraded" and re.search(r"natpinger .*exited with status 1; not back yet", status["degraded"][0]), f"{status}")
    done = site.edge.run("python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())")
    lab.require("natkit_troubles 1" in done.stdout, done.stdout + done.stderr)
    lab.require('natkit_tier_on{tier="fast"} 0' in done.stdout, done.stdout)
    lab.require(any("STATUS=degraded: natpinger" in line for line in told()), f"systemd was not told: {told()}")
    good.rename(programs / "natpinger")
    # By itself, within a minute; here nobody waits for that.
    done = site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", site.config)
    lab.require(done.returncode == 0, f"reload: {done}")
    lab.wait_until(lambda: {c["state"] for c in site.status()["components"]} == {"running"}, "natpinger to run again")
    lab.require(site.status()["state"] == "running" and told()[-1].startswith("STATUS=running:"), f"{site.status()} {told()}")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")


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
    site.natkit.wait_line("NATKIT running:")  # the workers answer us before they have answered natkit
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
    lab.main(workers_survive_natkit, a_datagram_waits_for_a_dead_sipedge, sockets_that_cannot_be_taken_leave_those_there_are,
             a_broken_state_ends_nothing, reload_changes_listeners_and_keeps_the_rest,
             a_refused_reload_changes_nothing, renew_refuses_a_file_that_cannot_be_used, a_worker_that_hangs_is_started_again,
             a_worker_that_keeps_dying_is_tried_again_for_ever,
             a_second_natkit_is_refused, metrics_are_served_and_documented,
             drain_refuses_new_calls_and_ends_with_the_last, a_worker_that_cannot_start_is_given_up)
