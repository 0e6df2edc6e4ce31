#!/usr/bin/env python3
"""natpinger: far-end clients are pinged from the SIP port at the interval, whatever dies; the rest is told or left alone."""
import errno
import fcntl
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import rhythm
import site_of_phones

PING = b"\r\n\r\n"
SIP_PORT = f"{site_of_phones.WAN_EDGE}:5060"


def pings(tap):
    return [d for d in tap.all() if d.payload == PING]


def times(tap):
    return [d.time for d in pings(tap)]


def wait_pings(tap, count):
    lab.wait_until(lambda: len(pings(tap)) >= count, lambda: f"{count} pings (there are {len(pings(tap))})")


def pinged_phone(net, interval, times_pinged):
    """A site with a phone behind a far-end NAT that has been pinged so often, and a tap at the phone."""
    site = site_of_phones.Site(net).start(pinger={"udp_interval": f'"{interval}"'})
    home = site.home_host()
    site.phone(home, "bob")
    tap = net.tap(home)
    wait_pings(tap, times_pinged)
    return site, tap


def far_end_only_from_the_sip_port_at_the_interval(net):
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"1s"'})
    home, lan, wan = site.home_host(), site.lan_host(), site.wan_host()
    site.phone(home, "bob")
    site.phone(lan, "anna")
    site.phone(wan, "carl")
    taps = {host: net.tap(host) for host in (home, lan, wan)}
    wait_pings(taps[home], 12)
    lab.require(not pings(taps[lan]) and not pings(taps[wan]), "a client that is not far-end is pinged")
    lab.require({d.source for d in pings(taps[home])} == {SIP_PORT}, f"from {pings(taps[home])[0].source}")
    print(f"        at the phone: {rhythm.require_steady(times(taps[home]), 1, 'the phone')}")
    lab.require(site.status()["pinged"] == 1, f"{site.status()}")
    site.natkit.stop()


def a_dead_natpinger_loses_no_binding_and_pings_nobody_twice(net):
    site, tap = pinged_phone(net, "1s", 2)
    for _ in range(6):
        # Between two pings, not in the moment of one: what is sent and not yet noted when it dies is sent again.
        wait_pings(tap, len(pings(tap)) + 2)
        time.sleep(0.3)
        os.kill(site.pid("natpinger"), signal.SIGKILL)
    wait_pings(tap, len(pings(tap)) + 3)
    print(f"        over 6 deaths: {rhythm.require(times(tap), 1, 'over deaths of natpinger')}")
    # While sipedge is dead its clients' bindings stay open.
    os.kill(site.pid("sipedge"), signal.SIGKILL)
    wait_pings(tap, len(pings(tap)) + 3)
    rhythm.require(times(tap), 1, "over a death of sipedge")
    site.natkit.stop()


def what_a_dead_natpinger_missed_is_made_up_for(net):
    """Its moment passes while nobody starts it again: the ping comes when it is back, not with the next moment."""
    site, tap = pinged_phone(net, "10s", 1)
    last = times(tap)[0]
    time.sleep(0.3)
    site.natkit.signal(signal.SIGSTOP)
    os.kill(site.pid("natpinger"), signal.SIGKILL)
    lab.wait_until(lambda: time.time() > last + 10.4, "its moment to pass")
    lab.require(len(pings(tap)) == 1, "a natpinger that is dead pings")
    site.natkit.signal(signal.SIGCONT)
    wait_pings(tap, 2)
    gap = times(tap)[1] - last
    lab.require(gap < 2 * 10 * rhythm.PERIOD - 0.5, f"the missed ping was left out: {gap:.1f} s between two")
    print(f"        missed for {10.4 - 10 * rhythm.PERIOD:.1f} s, made up for {gap - 10.4:.1f} s after the supervisor could start it")
    site.natkit.stop()


def the_limit_refuses_by_name(net):
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"1s"', "clients_limit": "1"})
    homes = [site.home_host() for _ in range(2)]
    taps = [net.tap(home) for home in homes]
    for home, user in zip(homes, ("bob", "dora")):
        site.phone(home, user)
    site.natkit.wait_line(r"major NATPING not pinged: sip:dora@example.com at .*limit 1", again=True)
    wait_pings(taps[0], 3)
    lab.require(not pings(taps[1]), "the second client is pinged too")
    site.natkit.stop()


def the_port_cannot_be_taken(net):
    site = site_of_phones.Site(net).start()
    for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        thief = site.edge.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if option:
            thief.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            thief.bind((site_of_phones.WAN_EDGE, 5060))
            raise lab.Failure(f"a second program could take the port with option {option}")
        except OSError as error:
            lab.require(error.errno == errno.EADDRINUSE, str(error))
    site.natkit.stop()


def options_and_their_answers(net):
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"1s"', "method": '"options"'})
    home = site.home_host()
    phone = site.phone(home, "bob")
    lab.wait_until(lambda: site.ask("natpinger", "status")["answers"] >= 4, "answers to OPTIONS")
    # Strangers' answers change nothing, however many, and though they know the very branch of a ping: the source is another.
    tap = net.tap(home)
    lab.wait_until(lambda: any("OPTIONS" in text for _, text in tap.sip()), "an OPTIONS at the phone")
    branch = re.search(r"branch=(z9hG4bK-natkit-ping-[0-9a-f]{16})", next(text for _, text in tap.sip() if "OPTIONS" in text))[1]
    stranger = site.wan_host()
    flood = stranger.socket(socket.AF_INET, socket.SOCK_DGRAM)
    answer = (f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {SIP_PORT};branch=%s-%016x;rport\r\nFrom: <sip:a>;tag=1\r\n"
              f"To: <sip:b>;tag=2\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n")
    for n in range(10_000):
        if n % 50 == 0:  # no faster than they are read, or bob's answers would get lost among those that find no room
            lab.wait_until(lambda n=n: site.ask("natpinger", "status")["strangers"] >= n, f"{n} answers of strangers to have come")
        whose = branch if n % 2 else f"z9hG4bK-natkit-ping-{n:016x}"
        if n % 100 == 1:  # and now and then the latest one, copied from the wire
            latest = [text for _, text in tap.sip() if "OPTIONS" in text][-1]
            whose = re.search(r"branch=(z9hG4bK-natkit-ping-[0-9a-f]{16})-([0-9a-f]{16})", latest)
            flood.sendto((answer % (whose[1], int(whose[2], 16))).encode(), (site_of_phones.WAN_EDGE, 5060))
            whose = branch
        flood.sendto((answer % (whose, n)).encode(), (site_of_phones.WAN_EDGE, 5060))
    before = site.ask("natpinger", "status")
    lab.wait_until(lambda: site.ask("natpinger", "status")["answers"] > before["answers"], "further answers")
    after = site.ask("natpinger", "status")
    lab.require(after["dead"] == 0 and after["strangers"] > 9000, f"{after}")
    # A phone that answered and is gone is dead, and the registrar acts on it.
    phone.program.kill()
    site.natkit.wait_line(r"major NATPING dead: sip:bob@example.com", again=True)
    lab.wait_until(lambda: site.status()["clients"] == 0, "the registration to be removed")
    site.natkit.stop()


def a_sipedge_that_is_away_or_hangs_makes_nobody_dead(net):
    """Answers to OPTIONS come to sipedge: while it does not read them, their absence is nobody's silence."""
    site = site_of_phones.Site(net).start(pinger={"udp_interval": '"1s"', "method": '"options"'})
    home = site.home_host()
    site.phone(home, "bob")

    def answers():
        return site.ask("natpinger", "status")["answers"]
    lab.wait_until(lambda: answers() >= 3, "answers to OPTIONS")
    tap = net.tap(home)
    # One that hangs: its watch still stands. Bob's five unanswered OPTIONS would be two more than a death takes.
    sipedge = site.pid("sipedge")
    os.kill(sipedge, signal.SIGSTOP)
    seen = len(tap.sip())
    lab.wait_until(lambda: len(tap.sip()) >= seen + 10, "OPTIONS, and answers that nobody reads")
    time.sleep(2)
    os.kill(sipedge, signal.SIGCONT)
    before = answers()
    lab.wait_until(lambda: answers() > before + 2, "answers again")
    # One that is dead.
    for _ in range(5):
        os.kill(site.pid("sipedge"), signal.SIGKILL)
        before = answers()
        lab.wait_until(lambda: answers() > before, "answers after a death of sipedge")
    status = site.ask("natpinger", "status")
    lab.require(status["dead"] == 0 and status["pinged"] == 1 and site.status()["clients"] == 1, f"{status}")
    site.natkit.stop()


def a_filter_for_scripts(net):
    wan, home = net.segment("wan"), net.segment("home")
    nat = net.nat("nat", "port-restricted", home, "192.168.1.1/24", wan, "203.0.113.30/24")
    net.udp_timeouts(nat, 5)
    server = net.host("server").attach("eth0", wan, "203.0.113.10/24")
    phone = net.host("phone").attach("eth0", home, "192.168.1.10/24").default_route("192.168.1.1")
    inner = phone.socket(socket.AF_INET, socket.SOCK_DGRAM)
    inner.bind(("192.168.1.10", 5060))
    outer = server.socket(socket.AF_INET, socket.SOCK_DGRAM)
    outer.bind(("203.0.113.10", 5060))
    outer.settimeout(lab.PATIENCE)
    inner.sendto(b"hello", ("203.0.113.10", 5060))
    seen_at = outer.recvfrom(99)[1]
    outer.close()
    records = net.folder / "clients.jsonl"
    records.write_text(json.dumps({"type": "client", "id": "bob", "flow": {
        "transport": "udp", "local": "203.0.113.10:5060", "remote": f"{seen_at[0]}:{seen_at[1]}"}}) + "\nnonsense\n")
    pinger = server.start("natpinger", "sh", "-c", f"exec {lab.PROGRAMS}/natpinger --interval 1s < {records}")
    pinger.wait_line(r"natpinger: stdin:2: not a JSON object", again=True)
    inner.settimeout(lab.PATIENCE)
    began = time.monotonic()
    while time.monotonic() - began < 11:  # twice the life of an unused binding
        lab.require(inner.recvfrom(99) == (PING, ("203.0.113.10", 5060)), "something else than a ping came")
    record = json.loads(pinger.wait_line(r'\{"type":"ping".*', again=True)[0])
    lab.require(record["result"] == "sent" and record["id"] == "bob", f"{record}")
    lab.require(pinger.stop() == 1, "a bad record gives exit status 1")


OPTIONS_OF_A_SOCKET = [
    (socket.SOL_SOCKET, getattr(socket, name)) for name in (
        "SO_REUSEADDR", "SO_REUSEPORT", "SO_BROADCAST", "SO_DONTROUTE", "SO_KEEPALIVE", "SO_OOBINLINE", "SO_PRIORITY", "SO_RCVBUF",
        "SO_RCVLOWAT", "SO_SNDBUF", "SO_MARK", "SO_ERROR")
] + [(socket.IPPROTO_IP, number) for number in (1, 2, 5, 6, 8, 10, 11, 12, 13, 15, 18, 19)]  # IP_TOS … IP_TRANSPARENT


def a_socket_that_is_shared(net):
    """Given by --fd: no option of it is changed, what is queued on it stays, and nobody can take its port."""
    host = net.host("one")
    shared = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    shared.bind(("127.0.0.1", 5060))
    phone = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    phone.bind(("127.0.0.1", 5070))
    phone.settimeout(lab.PATIENCE)

    def state():
        return [shared.getsockopt(level, name) for level, name in OPTIONS_OF_A_SOCKET] + [fcntl.fcntl(shared, fcntl.F_GETFL)]
    before = state()
    queued = [f"datagram {n}".encode() for n in range(20)]
    for datagram in queued:
        phone.sendto(datagram, ("127.0.0.1", 5060))
    record = json.dumps({"type": "client", "id": "bob", "flow": {"transport": "udp", "remote": "127.0.0.1:5070"}})
    pinger = subprocess.Popen(["nsenter", "--net=/run/netns/one", str(lab.PROGRAMS / "natpinger"), "--fd", str(shared.fileno()), "--interval", "1s"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=[shared.fileno()], text=True)
    pinger.stdin.write(record + "\n")
    pinger.stdin.close()
    for _ in range(4):
        lab.require(phone.recvfrom(99) == (PING, ("127.0.0.1", 5060)), "something else than a ping came")
    lab.require(state() == before, f"an option was changed: {before} → {state()}")
    for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        thief = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if option:
            thief.setsockopt(socket.SOL_SOCKET, option, 1)
        try:
            thief.bind(("127.0.0.1", 5060))
            raise lab.Failure(f"a second program could take the port with option {option}")
        except OSError as error:
            lab.require(error.errno == errno.EADDRINUSE, str(error))
    pinger.terminate()
    lab.require(pinger.wait(lab.PATIENCE) == 0, "natpinger did not end well")
    pinger.stdout.close()
    shared.settimeout(1)
    lab.require([shared.recv(99) for _ in queued] == queued, "natpinger read from the socket")


if __name__ == "__main__":
    lab.main(far_end_only_from_the_sip_port_at_the_interval, a_dead_natpinger_loses_no_binding_and_pings_nobody_twice,
             what_a_dead_natpinger_missed_is_made_up_for,
             the_limit_refuses_by_name, the_port_cannot_be_taken, a_socket_that_is_shared, options_and_their_answers,
             a_sipedge_that_is_away_or_hangs_makes_nobody_dead, a_filter_for_scripts)
