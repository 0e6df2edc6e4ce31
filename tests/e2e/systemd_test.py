#!/usr/bin/env python3
"""The systemd unit is sound and tight, and natkit does what it promises there: sockets by LISTEN_FDS, readiness, reload, watchdog and
the end told to NOTIFY_SOCKET, workers that outlive a natkit killed by the watchdog."""
import errno
import os
import pathlib
import re
import signal
import socket
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import site_of_phones

UNITS = ("natkit.service", "natkit.socket")


def installed(net):
    """The units as they would be, with this build's programs; their folder."""
    folder = net.folder / "units"
    folder.mkdir()
    for name in UNITS:
        text = (lab.SOURCE / "tools/natkit" / name).read_text()
        (folder / name).write_text(text.replace("/usr/bin/natkit", str(lab.PROGRAMS / "natkit")))
    return folder


def units_are_sound(net):
    folder = installed(net)
    host = net.host("any")
    for name in UNITS:
        done = host.run("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", folder / name)
        said = [line for line in (done.stdout + done.stderr).splitlines() if name in line]
        lab.require(done.returncode == 0 and not said, f"systemd-analyze verify {name}: {done.returncode} {said or done.stderr}")
    done = host.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager", folder / "natkit.service")
    found = re.search(r"Overall exposure level for natkit.service: ([\d.]+)", done.stdout)
    lab.require(done.returncode == 0 and found, f"systemd-analyze security: {done.stdout[-2000:]}{done.stderr}")
    print(f"        exposure level {found[1]} of 10")
    text = (folder / "natkit.service").read_text()
    for wanted in ("Type=notify", "KillMode=process", "ExecStop=", "WatchdogSec=", "RuntimeDirectoryPreserve=restart",
                   "CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_BPF CAP_NET_ADMIN CAP_NET_RAW\n", "SystemCallFilter=bpf\n", "NoNewPrivileges=yes"):
        lab.require(wanted in text, f"no {wanted} in the unit")


def options(host, port=5060):
    talker = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((host.address, port))
    talker.settimeout(lab.PATIENCE)
    talker.sendto(request("OPTIONS", host, port, site_of_phones.WAN_EDGE), (site_of_phones.WAN_EDGE, 5060))
    return talker


def request(method, host, port, edge, transport="UDP", user="a"):
    uri = "sip:example.com" if method == "REGISTER" else f"sip:{edge}"
    return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{transport} {host.address}:{port};branch=z9hG4bK{user};rport\r\n"
            f"From: <sip:{user}@example.com>;tag=1\r\nTo: <sip:{user}@example.com>\r\nCall-ID: {user}\r\nCSeq: 1 {method}\r\n"
            f"Contact: <sip:{user}@{host.address}:{port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode()


def activated(site, *arguments):
    """natkit, to be started by systemd-socket-activate once somebody comes."""
    site.natkit = site.edge.start("socket-activate", "systemd-socket-activate", *arguments,
                                  lab.PROGRAMS / "natkit", "run", "--config", site.config)
    site.natkit.wait_line("Listening on")
    lab.require(not (site.runtime / "natkit.sock").exists(), "natkit was started before anybody came")


def require_ours(site, kind, endpoint):
    """Exactly one socket has the endpoint, and nobody can get it too."""
    address, _, port = endpoint.partition(":")
    found = site.edge.run("ss", "-Hln", "-t" if kind == socket.SOCK_STREAM else "-u").stdout
    owners = [line for line in found.splitlines() if f" {endpoint} " in line]
    lab.require(len(owners) == 1, f"another socket beside systemd's: {owners}")
    for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        thief = site.edge.socket(socket.AF_INET, kind)
        if option:
            thief.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            thief.bind((address, int(port)))
            if kind == socket.SOCK_STREAM:
                thief.listen()
            raise lab.Failure(f"a second program could take {endpoint} with option {option}")
        except OSError as error:
            lab.require(error.errno == errno.EADDRINUSE, str(error))


def sockets_of_systemd(net):
    """systemd-socket-activate starts natkit at the first datagram, which is answered; the sockets are as good as natkit's own."""
    site = site_of_phones.Site(net)
    site.write_config(sip={"listen": f'["udp:{site_of_phones.LAN_EDGE}:5060", "udp:{site_of_phones.WAN_EDGE}:5060"]'},
                      registrar={"open": "false"})
    activated(site, "-d", "-l", f"{site_of_phones.LAN_EDGE}:5060", "-l", f"{site_of_phones.WAN_EDGE}:5060")
    talker = options(site.wan_host())
    lab.require(talker.recv(2000).startswith(b"SIP/2.0 "), "no answer to the datagram that started natkit")
    site.wait_up()
    # A phone on the LAN is known by the interface that its packets come in by.
    near = site.lan_host()
    talker = near.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((near.address, 5060))
    talker.settimeout(lab.PATIENCE)
    talker.sendto(request("REGISTER", near, 5060, site_of_phones.LAN_EDGE, user="anna"), (site_of_phones.LAN_EDGE, 5060))
    lab.require(talker.recv(2000).startswith(b"SIP/2.0 200 "), "a phone on the LAN could not register")
    for edge in (site_of_phones.LAN_EDGE, site_of_phones.WAN_EDGE):
        require_ours(site, socket.SOCK_DGRAM, f"{edge}:5060")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")


def a_tcp_listener_of_systemd(net):
    """Blocking, as it comes: neither the last connection nor one that ended before it was taken may stop sipedge."""
    site = site_of_phones.Site(net)
    site.write_config(sip={"listen": f'["tcp:{site_of_phones.WAN_EDGE}:5060"]'})
    activated(site, "-l", f"{site_of_phones.WAN_EDGE}:5060")
    far = site.wan_host()
    streams = []
    for user in ("bob", "dora"):
        stream = far.socket(socket.AF_INET, socket.SOCK_STREAM)
        stream.settimeout(lab.PATIENCE)
        stream.connect((site_of_phones.WAN_EDGE, 5060))
        stream.sendall(request("REGISTER", far, stream.getsockname()[1], site_of_phones.WAN_EDGE, "TCP", user))
        lab.require(stream.recv(2000).startswith(b"SIP/2.0 200 "), f"{user} could not register over TCP")
        streams.append(stream)
        site.wait_up()
    # One that is gone before accept(): the kernel woke sipedge for nothing.
    sipedge = site.pid("sipedge")
    os.kill(sipedge, signal.SIGSTOP)
    gone = far.socket(socket.AF_INET, socket.SOCK_STREAM)
    gone.connect((site_of_phones.WAN_EDGE, 5060))
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gone.close()
    os.kill(sipedge, signal.SIGCONT)
    lab.require(site.ask("sipedge", "status"), "sipedge hangs")
    streams[0].sendall(request("OPTIONS", far, streams[0].getsockname()[1], site_of_phones.WAN_EDGE, "TCP", "again"))
    lab.require(streams[0].recv(2000).startswith(b"SIP/2.0 "), "no answer over TCP")
    require_ours(site, socket.SOCK_STREAM, f"{site_of_phones.WAN_EDGE}:5060")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")


class Notified:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, folder):
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.told = []

    def wait(self, wanted, seconds=lab.PATIENCE):
        """The next message that holds it."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            try:
                message = self.socket.recv(4096).decode()
            except TimeoutError:
                break
            self.told.append(message)
            if wanted in message.splitlines() or (wanted.endswith("=") and wanted in message):
                return message
        raise lab.Failure(f"NOTIFY_SOCKET was not told {wanted}; it was told {self.told}")

    def quiet(self, seconds):
        """Whether nothing more comes, after what waits already."""
        time.sleep(0.1)
        self.socket.setblocking(False)
        try:
            while True:
                self.socket.recv(4096)
        except BlockingIOError:
            pass
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(4096)
            return False
        except TimeoutError:
            return True


def readiness_watchdog_and_the_end(net):
    site = site_of_phones.Site(net)
    site.write_config()
    notified = Notified(net.folder)
    environment = {"NOTIFY_SOCKET": str(notified.path), "WATCHDOG_USEC": "1000000"}

    def run():
        return site.edge.start("natkit", lab.PROGRAMS / "natkit", "run", "--config", site.config, env=environment)
    site.natkit = run()
    ready = notified.wait("READY=1")
    lab.require(f"STATUS=running: udp:{site_of_phones.LAN_EDGE}:5060" in ready, ready)
    lab.require(all(site.ask(name, "status") for name in site_of_phones.WORKERS), "ready before the workers")
    for _ in range(3):
        notified.wait("WATCHDOG=1")
    site.natkit.signal(signal.SIGHUP)
    reloading = notified.wait("RELOADING=1")
    lab.require("MONOTONIC_USEC=" in reloading, reloading)
    notified.wait("READY=1")
    # A natkit that hangs feeds no watchdog. systemd then kills it, and it alone (KillMode=process); the next takes over.
    workers = {name: site.pid(name) for name in site_of_phones.WORKERS}
    site.natkit.signal(signal.SIGSTOP)
    lab.require(notified.quiet(1.5), "a stopped natkit feeds the watchdog")
    site.natkit.signal(signal.SIGABRT)
    site.natkit.signal(signal.SIGKILL)
    site.natkit.process.wait()
    lab.require(options(site.wan_host()).recv(2000).startswith(b"SIP/2.0 "), "no service while natkit is away")
    site.natkit = run()
    notified.wait("READY=1")
    lab.require(workers == {name: site.pid(name) for name in workers}, "the workers were not taken over")
    # ExecStop.
    done = site.edge.run(lab.PROGRAMS / "natkit", "stop", "--config", site.config, env=environment)
    lab.require(done.returncode == 0, f"natkit stop: {done}")
    notified.wait("STOPPING=1")
    lab.require(site.natkit.wait_exit() == 0, "natkit did not end well")
    lab.require(not site_of_phones.natkit_processes(), f"left: {site_of_phones.natkit_processes()}")


if __name__ == "__main__":
    os.environ["SYSTEMD_COLORS"] = "0"
    lab.main(units_are_sound, sockets_of_systemd, a_tcp_listener_of_systemd, readiness_watchdog_and_the_end)
