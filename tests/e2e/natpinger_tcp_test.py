#!/usr/bin/env python3
"""natpinger's clients on connections: pinged on them at the interval, whatever dies, and found dead by it."""
import os
import pathlib
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import rhythm
import site_of_phones

PING = b"\r\n\r\n"


class TcpPhone:
    """A phone of a few lines: registers over TCP, notes what comes, answers pings only when told to."""

    def __init__(self, host, user, pong=True):
        self.user, self.pong, self.came, self.messages = user, pong, [], b""
        self.stream = host.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.stream.connect((site_of_phones.WAN_EDGE, 5060))
        own = f"{host.address}:{self.stream.getsockname()[1]}"
        self.stream.sendall((
            f"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/TCP {own};branch=z9hG4bK{user};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{user}@example.com>;tag=1\r\nTo: <sip:{user}@example.com>\r\nCall-ID: {user}\r\nCSeq: 1 REGISTER\r\n"
            f"Contact: <sip:{user}@{own};transport=tcp>\r\nExpires: 3600\r\nContent-Length: 0\r\n\r\n").encode())
        threading.Thread(target=self._read, daemon=True).start()
        lab.wait_until(lambda: b"SIP/2.0 200" in self.messages, f"{user} to be registered")

    def _read(self):
        while True:
            try:
                got = self.stream.recv(65536)
            except OSError:
                return
            if not got:
                return
            if got == PING:
                self.came.append(time.monotonic())
                if self.pong:
                    self.stream.sendall(b"\r\n")
            else:
                self.messages += got


def tcp_clients_are_pinged_on_their_connections(net):
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"1s"', "tcp_interval": '"2s"'})
    home = site.home_host()
    # The NAT forgets a silent connection after 9 s, long before its registration ends.
    home.nat.sysctl("net.netfilter.nf_conntrack_tcp_timeout_established", 9)
    home.nat.sysctl("net.netfilter.nf_conntrack_tcp_loose", 0)
    bob = TcpPhone(home, "bob")
    mute = TcpPhone(site.home_host(), "mute", pong=False)
    near = TcpPhone(site.wan_host(), "carl")
    lab.wait_until(lambda: len(bob.came) >= 8 and len(mute.came) >= 8, lambda: f"eight pings each: {len(bob.came)}, {len(mute.came)}", 60)
    lab.require(not near.came, "a client that is not far-end is pinged")
    for phone in (bob, mute):
        print(f"        at {phone.user}: {rhythm.require_steady(phone.came, 2, phone.user)}")
    status = site.ask("natpinger", "status")
    lab.require(status["pinged"] == 2 and status["dead"] == 0, f"a missing pong removes nobody: {status}")
    # After all that silence a call reaches the phone.
    alice = site.phone(site.wan_host(), "alice")
    alice.dial("sip:bob@example.com")
    lab.wait_until(lambda: b"INVITE" in bob.messages, "the INVITE at bob")
    # A natpinger that dies leaves nobody out and pings nobody twice, over TCP too.
    before = len(bob.came)
    lab.wait_until(lambda: len(bob.came) > before, "a ping")
    time.sleep(0.3)  # it is noted by now
    os.kill(site.pid("natpinger"), signal.SIGKILL)
    lab.wait_until(lambda: len(bob.came) >= before + 4, "further pings")
    rhythm.require(bob.came, 2, "over a death")
    site.natkit.stop()


def a_dead_tcp_client_is_found_by_its_ping(net):
    site = site_of_phones.Site(net).start(pinger={"tcp_interval": '"1s"'})
    home = site.home_host()
    TcpPhone(home, "bob")
    lab.wait_until(lambda: site.status()["clients"] == 1, "bob")
    # The NAT restarts: it answers for nobody any more, and what comes for the phone is dropped.
    home.nat.nft("add rule ip gate forward iifname \"out0\" drop; insert rule ip gate forward drop")
    site.natkit.wait_line(r"client bob@example.com at .* its connection is over: read: connection timed out", seconds=120, again=True)
    lab.require(site.status()["clients"] == 0, "the registration is still there")
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(tcp_clients_are_pinged_on_their_connections, a_dead_tcp_client_is_found_by_its_ping)
