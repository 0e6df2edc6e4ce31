#!/usr/bin/env python3
"""Floods of 4,000 packets a second, of every kind that a stranger can send, one after the other at one site: under each a LAN phone and
a registered phone outside register again and call each other, and lose nothing. Afterwards memory and CPU are as before."""
import os
import pathlib
import random
import re
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import processes
import raw_sip
import site_of_phones as sites

TARGET, TRUNK = (sites.WAN_EDGE, 5060), "203.0.113.90"
RATE, SECONDS = 4_000, 10
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4:thread_local_quarantine_size_kb=64"


class Flood:
    """Sends `make(number)` by `send` at the rate, from a thread of its own, while it is entered."""

    def __init__(self, send, make):
        self.send, self.make, self.sent, self._on = send, make, 0, True
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        began = time.monotonic()
        while self._on:
            due = int((time.monotonic() - began) * RATE)
            for _ in range(min(due - self.sent, 400)):
                try:
                    self.send(self.make(self.sent))
                except OSError:
                    pass
                self.sent += 1
            time.sleep(0.005)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._on = False
        self._thread.join()


def ask(party, text, pattern=r"SIP/2\.0 [2-6]", seconds=20):
    """A final response; the request is repeated as RFC 3261 wants it over UDP."""
    branch = re.search(r"branch=([^;,\s]+)", text)[1]
    end, wait = time.monotonic() + seconds, 0.5
    while time.monotonic() < end:
        party.send(text)
        try:
            return party.wait(pattern, wait, branch, copies=True)
        except lab.Failure:
            wait = min(2 * wait, 4)
    raise lab.Failure(f"{party.user}: no answer to {text.partition(chr(13))[0]}")


class Phones:
    """alice on the LAN and bob outside, who register and call each other in turn."""

    def __init__(self, site):
        self.site = site
        self.alice = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="alice")
        self.bob = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="bob")
        self.carol = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="carol")  # whom they ring; she answers nothing
        self.number = 0

    def register(self, who):
        self.number += 2
        text = None
        for step in range(3):
            extra = [raw_sip.credentials(text, "REGISTER", "sip:example.com", who.user, "secret")] if text else []
            text = ask(who, who.request("REGISTER", "sip:example.com", to=f"<{who.aor}>", call_id=f"reg-{who.user}",
                                        cseq=self.number + step, headers=["Expires: 600", *extra]))
            if text.startswith("SIP/2.0 200"):
                return
        raise lab.Failure(f"{who.user} could not register: {text}")

    def call(self, caller, callee):
        self.number += 2
        call_id = f"call-{self.number}"
        caller.forget()
        callee.forget()
        invite = caller.request("INVITE", callee.aor, call_id=call_id, body=caller.sdp())
        done = threading.Event()

        def answer():
            while not done.is_set():
                text = callee.receive(0.2)
                if text and re.match("(INVITE|BYE) ", text):
                    callee.answer(text, 200, body=callee.sdp() if text.startswith("INVITE") else "")
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            ok = ask(caller, invite)
            lab.require(ok.startswith("SIP/2.0 200"), f"a call: {ok}")
            routes = [f"Route: {value}" for line in reversed(raw_sip.fields(ok, "Record-Route"))
                      for value in reversed(line.split(", "))]

            def inside(method, cseq):
                contact = raw_sip.field(ok, "Contact").strip("<>")
                return caller.request(method, contact, to=raw_sip.field(ok, "To"), call_id=call_id, cseq=cseq, headers=routes)
            caller.send(inside("ACK", 1))
            bye = ask(caller, inside("BYE", 2))
            lab.require(bye.startswith("SIP/2.0 200"), f"the end of a call: {bye}")
        finally:
            done.set()
            thread.join()

    def life(self):
        """One round of what phones do; how long it took."""
        began = time.monotonic()
        self.register(self.alice)
        self.register(self.bob)
        self.call(self.alice, self.bob)
        self.call(self.bob, self.alice)
        return time.monotonic() - began


class Enemy:
    def __init__(self, site):
        self.host = site.wan_host()
        self.party = raw_sip.Party(self.host, sites.WAN_EDGE, user="mallory", domain="elsewhere.example")
        self.ports = [self.host.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(100)]

    def by_ports(self, payload):
        self.ports[random.randrange(len(self.ports))].sendto(payload, TARGET)

    def as_if_from(self, address):
        """Sends by raw IP with another's source."""
        raw = self.host.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        return lambda payload: raw_sip.spoof(raw, (address() if callable(address) else address, 5060), TARGET, payload)

    def token(self, phone):
        """A call to a phone, given up when it rang; the dialog's token that its 180 carried, as a Route, and its tags."""
        invite = self.party.request("INVITE", phone.aor, call_id="token-call", body=self.party.sdp())
        self.party.send(invite)
        ringing = phone.wait("INVITE")
        phone.answer(ringing, 180)
        answer = self.party.wait("SIP/2.0 180")
        phone.answer(ringing, 486)
        self.party.wait("SIP/2.0 486")
        return answer

    def connections(self):
        """Connects, 400 times a second, and keeps all that it can."""
        kept = []

        def connect(_):
            stream = self.host.socket(socket.AF_INET, socket.SOCK_STREAM)
            stream.setblocking(False)
            stream.connect_ex(TARGET)
            kept.append(stream)
            if len(kept) > 1_000:
                kept.pop(0).close()
        return connect, kept


def request(method, uri, extra="", to="", user="x", call_id=None):
    branch = f"{random.getrandbits(60):x}"
    return (f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.60:5060;branch=z9hG4bK{branch};rport\r\nMax-Forwards: 70\r\n"
            f"From: <sip:{user}@elsewhere.example>;tag=fmallory\r\nTo: {to or f'<{uri}>'}\r\nCall-ID: {call_id or branch}\r\n"
            f"CSeq: 9 {method}\r\n{extra}Content-Length: 0\r\n\r\n").encode()


def nobody_feels_a_flood(net):
    site = sites.Site(net)
    raw_sip.users_file(site.folder / "users", "alice", "bob", "carol")
    site.start(sip={"log_level": '"problems"'}, registrar={"open": "false", "users": '"users"'},
               limits={"transactions": "4000"},  # so that a flood can fill its part of them soon
               **{"sip.routes": {'"carrier.example"': f'{{ to = "sip:{TRUNK}", kind = "trunk" }}'}})
    for interface in ("all", "default", "wan0"):
        site.edge.sysctl(f"net.ipv4.conf.{interface}.rp_filter", 0)
    phones, enemy = Phones(site), Enemy(site)
    phones.register(phones.carol)
    phones.life()
    pid = site.pid("sipedge")
    before = processes.resident_bytes(pid)
    ringing = enemy.token(phones.carol)
    route = "".join(f"Route: {line}\r\n" for line in reversed(raw_sip.fields(ringing, "Record-Route")))
    tagged = raw_sip.field(ringing, "To")
    connect, kept = enemy.connections()

    def anybody():
        return f"198.18.{random.randrange(256)}.{random.randrange(1, 255)}"

    def inside(_):
        return request("INFO", phones.carol.contact, route, tagged, "mallory", "token-call")
    floods = {
        "INVITEs of a stranger by a hundred ports": Flood(enemy.by_ports, lambda n: request("INVITE", phones.carol.aor)),
        "all sorts from addresses that are made up": Flood(
            enemy.as_if_from(anybody),
            lambda n: request(("OPTIONS", "REGISTER", "INVITE", "MESSAGE")[n % 4], "sip:nobody@example.com")),
        "requests in the trunk's name": Flood(enemy.as_if_from(TRUNK), lambda n: request("MESSAGE", phones.carol.aor)),
        "requests with a token, by one who is in its dialog": Flood(lambda data: enemy.party.socket.sendto(data, TARGET), inside),
        "the same token from others": Flood(enemy.as_if_from(anybody), inside),
        "connections": Flood(connect, lambda n: n),
    }
    for what, flood in floods.items():
        taken = []
        with flood:
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                taken.append(phones.life())
        status = site.ask("sipedge", "status")
        print(f"        {what}: {flood.sent} in {SECONDS} s, {len(taken)} rounds, the longest {max(taken):.1f} s; "
              f"{status['transactions']} transactions, {status['flooded']} dropped")
        lab.require(status["transactions"] < 8_000, f"{status}")
    for stream in kept:
        stream.close()
    lab.require(site.pid("sipedge") == pid, "sipedge is another process: it died")
    lab.wait_until(lambda: site.ask("sipedge", "status")["transactions"] < 10, "the transactions to be over", 230)
    lab.require(site.ask("sipedge", "status").get("transaction_bytes", 1 << 30) < 100_000, "transactions keep memory that are over")
    lab.wait_until(lambda: processes.resident_bytes(pid) - before < 64 << 20,
                   lambda: f"sipedge's memory to be back to normal: {(processes.resident_bytes(pid) - before) >> 20} MB more", 60)

    def idle():
        used, began = processes.cpu_seconds(pid), time.monotonic()
        time.sleep(2)
        return (processes.cpu_seconds(pid) - used) / (time.monotonic() - began) < 0.1
    lab.wait_until(idle, "sipedge to idle", 60)
    phones.life()
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(nobody_feels_a_flood)
