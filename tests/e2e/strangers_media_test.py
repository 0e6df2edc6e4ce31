#!/usr/bin/env python3
# ctest: tiers sockets,fast
"""What the media addresses in a stranger's description are good for: nothing is connected to at a third host, and what a callee says goes
to a victim for a moment only; honest callers are connected to, and hear early media however long it is."""
import pathlib
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import attacks_test as attacks
import lab
import media
import raw_sip
import site_of_phones as sites
import streams


def routes_of(response):
    return [f"Route: {v}" for line in reversed(raw_sip.fields(response, "Record-Route")) for v in reversed(line.split(", "))]


def told_in(message):
    """Where the first stream of a description is."""
    return re.search(r"c=IN IP4 (\S+)", message)[1], int(re.search(r"m=\w+ (\d+)", message)[1])


# --- TCP: whom the relay connects to

class Mail:
    """A mail server that has no part in any call: counts who tries to connect to it."""

    def __init__(self, host):
        self.host, self.server = host, streams.Server(host, port=25)
        host.nft("""table inet mail {
            counter tried {}
            chain in { type filter hook input priority 0; tcp dport 25 tcp flags & (syn | ack) == syn counter name tried; }
        }""")

    def tried(self):
        return int(re.search(r"packets (\d+)", lab.sh(*self.host.enter, "nft", "list", "counter", "inet", "mail", "tried"))[1])


def tcp_call(field, at, line):
    """The stranger offers a TCP stream where it waits to be connected to, at port 25 of `at`; alice takes the call. Where she is to connect
    to, which makes the relay connect to the stranger's end."""
    stranger, alice = field.stranger, field.alice
    body = stranger.sdp().replace(stranger.host.address, at.address).replace("m=audio 4000 RTP/AVP 0\r\n", line.format(port=25))
    stranger.send(stranger.request("INVITE", "sip:alice@example.com", body=body))
    invite = alice.wait("INVITE")
    role = "a=setup:active\r\n" if "setup" in line else ""
    answer = line.format(port=9 if role else 1503).partition("\r\n")[0] + "\r\n" + role
    alice.answer(invite, 200, body=alice.sdp().replace("m=audio 4000 RTP/AVP 0\r\n", answer))
    ok = stranger.wait("SIP/2.0 200")
    stranger.send(stranger.request("ACK", "sip:alice@192.168.10.20", to=raw_sip.field(ok, "To"), call_id=raw_sip.field(ok, "Call-ID"),
                                   headers=routes_of(ok)))
    return "{}:{}".format(*told_in(invite))


PASSIVE, T120 = "m=application {port} TCP/BFCP *\r\na=setup:passive\r\na=connection:new\r\n", "m=application {port} TCP t120\r\n"


def a_third_host(net):
    """A passive offer at somebody else's port: nothing goes there, and the log says so. At the stranger's own address it is dialled, and at
    the third host once [media_proxy] dial_for has it."""
    field = attacks.Field(net)
    field.register(field.alice)
    mail, own, natkit, alice = Mail(field.site.wan_host()), Mail(field.stranger.host), field.site.natkit, field.alice.host
    there = mail.host.address
    for line in (PASSIVE, T120):
        at_relay = tcp_call(field, mail.host, line)
        away = threading.Thread(target=streams.sent_away, args=(alice, at_relay), daemon=True)
        away.start()
        refused = rf"does not connect to {re.escape(there)}:25: .*signalling comes from {re.escape(own.host.address)}.*dial_for"
        lab.wait_until(lambda: mail.tried() or re.search(refused, natkit.output), "the refusal, or a connection")
        lab.require(mail.tried() == 0, f"a stranger's word made the relay connect to {there}:25")
        natkit.wait_line(refused)
        away.join(lab.PATIENCE)
        lab.require(not away.is_alive(), "alice is not sent away")
        with streams.connect(alice, tcp_call(field, own.host, line)) as at_alice, own.server.take() as at_stranger:
            at_alice.sendall(b"as it was told")
            lab.require(streams.read(at_stranger, 14) == b"as it was told", "nothing came to the stranger's own port")
    lab.require(mail.tried() == 0, f"{mail.tried()} tries to connect to {there}:25")
    field.site.write_config(registrar={"open": "false", "users": '"users"'}, media_proxy={"dial_for": f'["{there}"]'})
    done = field.site.edge.run(lab.PROGRAMS / "natkit", "reload", "--config", field.site.config)
    lab.require(done.returncode == 0, f"reload: {done}")
    with streams.connect(alice, tcp_call(field, mail.host, PASSIVE)) as at_alice, mail.server.take() as at_mail:
        at_alice.sendall(b"by configuration")
        lab.require(streams.read(at_mail, 16) == b"by configuration", "dial_for lets nothing through")
    lab.require(mail.tried() == 1, f"{mail.tried()} connections where one was asked for")


# --- UDP: how long a silent endpoint is sent to

class Speech:
    """What alice says to the relay, and how much of it arrives where the caller's description wants it."""

    def __init__(self, alice, invite, host):
        self.mouth, self.ear, self.leg = media.Peer(alice.host, port=4000), media.Peer(host, port=4000), "{}:{}".format(*told_in(invite))
        self.sent = self.heard = 0

    def say(self, until, what):
        """20 ms a packet until it is so, which is told how many have arrived since; that many."""
        came, end = 0, time.monotonic() + lab.PATIENCE
        while not until(came):
            lab.require(time.monotonic() < end, f"{what}: {came} of {self.sent} packets arrived")
            self.mouth.speak(self.leg, ssrc=7)
            self.sent += 1
            time.sleep(0.02)
            came += len(self.ear.drain_now())
        self.heard += came
        return came

    def close(self):
        self.mouth.socket.close()
        self.ear.socket.close()


def limited(net):
    """With a short unproven_media, so that a test need not wait for it."""
    field = attacks.Field(net, sections={"media_proxy": {"unproven_media": '"1s"'}})
    field.register(field.alice)
    return field


def ring(field, caller, call_id, at, more=()):
    """`caller` calls alice, with its media at the host `at`; what she gets."""
    body = caller.sdp().replace(caller.host.address, at.address)
    caller.send(caller.request("INVITE", "sip:alice@example.com", call_id=call_id, headers=more, body=body))
    return field.alice.wait("INVITE")


def inside(caller, method, response, more=(), cseq=1):
    return caller.request(method, "sip:alice@192.168.10.20", to=raw_sip.field(response, "To"), call_id=raw_sip.field(response, "Call-ID"),
                          cseq=cseq, headers=[*routes_of(response), *more])


def voice_hammer(net):
    """A callee's media for who only says that it is there end after unproven_media; a packet, or the ACK, lifts that."""
    field = limited(net)
    victim, stranger, alice = field.site.wan_host(), field.stranger, field.alice
    for host, proof in ((victim, "packet"), (stranger.host, "ACK")):
        invite = ring(field, stranger, f"hammer-{proof}", host)
        alice.answer(invite, 200, body=alice.sdp())
        ok = stranger.wait("SIP/2.0 200")
        speech, cut = Speech(alice, invite, host), f"call hammer-{proof}.*sends no more media to {re.escape(host.address)}"
        early = speech.say(lambda _, cut=cut: re.search(cut, field.site.natkit.output), proof)
        lab.require(early >= 10, f"{proof}: {early} packets before the cut")
        for _ in range(25):
            lab.require(speech.say(lambda came, n=[0]: n.append(0) or len(n) > 3, proof) == 0, f"{proof}: media after the cut")
        if proof == "packet":
            speech.ear.speak("{}:{}".format(*told_in(ok)), ssrc=9)
        else:
            stranger.send(inside(stranger, "ACK", ok))
        speech.say(lambda came: came >= 50, proof)
        speech.close()


def early_media(net):
    """Who calls and sends nothing before the answer hears what the callee plays meanwhile, for as long as it does: servers of [sip.routes],
    wherever their media are; of strangers those whose PRACK has shown that they receive what is sent there. Others are cut off."""
    field = limited(net)
    trunk, stranger, alice, gateway = field.trunk, field.stranger, field.alice, field.site.wan_host()
    calls = (("trunk", trunk, gateway, False, False), ("pracked", stranger, stranger.host, True, False),
             ("silent", stranger, stranger.host, False, True), ("elsewhere", stranger, gateway, True, True))
    for name, caller, host, pracks, limit in calls:
        invite = ring(field, caller, f"early-{name}", host, ["Supported: 100rel"])
        alice.answer(invite, 183, ["Require: 100rel", "RSeq: 1"] if pracks else [], body=alice.sdp())
        progress = caller.wait("SIP/2.0 183")
        if pracks:
            caller.send(inside(caller, "PRACK", progress, ["RAck: 1 1 INVITE"], cseq=2))
            alice.answer(alice.wait("PRACK"), 200)
            caller.wait("SIP/2.0 200")
        speech, cut = Speech(alice, invite, host), f"call early-{name}.*sends no more media to "
        began = time.monotonic()
        if limit:
            speech.say(lambda _, cut=cut: re.search(cut, field.site.natkit.output), name)
        else:
            speech.say(lambda _, began=began: time.monotonic() - began > 2.5, name)
            lab.require(not re.search(cut, field.site.natkit.output), f"{name}: its early media were cut off")
            speech.say(lambda came: came >= 25, name)
            lab.require(speech.sent - speech.heard < 25, f"{name}: {speech.heard} of {speech.sent} packets arrived")
        speech.close()
        alice.answer(invite, 486)
        caller.wait("SIP/2.0 486")


if __name__ == "__main__":
    lab.main(a_third_host, voice_hammer, early_media)
