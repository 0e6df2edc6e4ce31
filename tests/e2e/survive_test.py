#!/usr/bin/env python3
"""kill -9 of any process under an established call: audio goes on, hold and resume (re-INVITE) work, BYE ends the call at both
phones and leaves nothing; wherever the state of sipedge is kept, and when `natkit renew` is the cause. mediarelay back without any leg:
the calls lose their relays, and get new ones by the next re-INVITE. Calls of the version before, whose tokens were not encrypted, go on
for one max_dialog after the upgrade."""
# ctest: serial
import base64
import hashlib
import hmac
import ipaddress
import pathlib
import secrets
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import raw_sip
import site_of_phones as sites


def the_call_goes_on_without(net, worker):
    site = sites.Site(net).start()
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    for hangs_up, other in ((a, b), (b, a)):
        phones.call(a, b)
        phones.more_audio(a, b)
        site.kill_worker(worker)
        site.wait_up()
        phones.more_audio(a, b)
        phones.hold_and_resume(a, b, site.on_wan)
        phones.hang_up(hangs_up, other)
        site.wait_nothing_left()
    site.check_wan()


def sipedge(net):
    the_call_goes_on_without(net, "sipedge")


def mediarelay(net):
    the_call_goes_on_without(net, "mediarelay")


def the_promise_holds_with(net, state):
    """natkit(1): a call over UDP survives the death of any process; one call, all the ways in which sipedge ends under it."""
    site = sites.Site(net).start(registrar={"state": state})
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    phones.call(a, b)
    phones.more_audio(a, b)
    site.kill_worker("sipedge")
    site.wait_up()
    phones.more_audio(a, b)
    done = site.edge.run(lab.PROGRAMS / "natkit", "renew", "--config", site.config)
    lab.require(done.returncode == 0, f"renew: {done}")
    site.wait_up()
    phones.hold_and_resume(a, b, site.on_wan)
    phones.hang_up(b, a)
    site.wait_nothing_left()
    said = site.natkit.output
    lab.require("forged flow token" not in said, f"a token of ours was not known: {said[-3000:]}")
    lab.require(site.natkit.stop() == 0, "natkit did not end well")
    left = [path.name for path in site.runtime.iterdir()]
    lab.require(not left, f"left in the runtime directory: {left}")


def state_in_memory(net):
    the_promise_holds_with(net, '"memory"')


def state_in_sqlite(net):
    the_promise_holds_with(net, '"sqlite:state.db"')


def every_leg_lost(net):
    """mediarelay comes back and knows nothing of its legs: sipedge finds that out, and nobody else has to tell it."""
    site = sites.Site(net).start()
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    phones.call(a, b)
    phones.more_audio(a, b)
    lost = {leg["leg"] for leg in site.legs()}
    (site.runtime / "mediarelay.journal").unlink()
    site.kill_worker("mediarelay")
    site.wait_up()
    lab.require(not site.legs(), f"the journal was removed, and yet there are {site.legs()}")
    calls = lambda: site.ask("sipedge", "calls")["calls"]
    lab.wait_until(lambda: [call["relayed_streams"] for call in calls()] == [0], f"sipedge to know that the legs are gone: {calls()}")
    a.command("hold")
    lab.wait_until(lambda: len(site.legs()) == 2, f"new legs for the call, there are {site.legs()}")
    lab.require(lost.isdisjoint(leg["leg"] for leg in site.legs()), "the same legs again")
    a.command("resume")
    for phone in (a, b):
        phone.forget()
    phones.hear_each_other(a, b, packets=20)
    phones.hang_up(b, a)
    site.wait_nothing_left()
    site.check_wan()


def old_token(key, call_id, caller, callee):
    """As the version before made the token of a dialog over UDP: its flows, each (address of the edge, of the phone), and 12 bytes of an
    HMAC over them and the Call-ID."""
    def endpoint(address):
        host, _, port = address.rpartition(":")
        packed = ipaddress.ip_address(host).packed
        return bytes([len(packed)]) + packed + struct.pack("!H", int(port))
    content = b"\x01" + b"".join(b"\x00" + endpoint(local) + endpoint(remote) for local, remote in (caller, callee))
    seal = hmac.new(key, content + call_id.encode(), hashlib.sha256).digest()[:12]
    return base64.urlsafe_b64encode(content + seal).decode().rstrip("=")


def a_call_of_the_version_before(net):
    """Two who are in a call that natkit knows nothing of but by the token of the version before: their requests find their way from both
    sides, a re-INVITE gets its relays; of others they do not; and when max_dialog has passed since the upgrade, nobody's do."""
    site = sites.Site(net)
    raw_sip.users_file(site.folder / "users", "alice")
    key, secret = secrets.token_bytes(32), site.folder / "secret"
    secret.touch(0o600)
    secret.write_bytes(key)  # that of the version before
    site.start(registrar={"open": "false", "users": '"users"'}, sip={"max_dialog": '"60s"'})
    caller, other = (raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user=u, domain="elsewhere.example") for u in ("zoe", "eve"))
    alice = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="alice")

    def token_of(call_id):
        return old_token(key, call_id, (f"{sites.WAN_EDGE}:5060", caller.address), (f"{sites.LAN_EDGE}:5060", alice.address))

    def inside(who, method, cseq, token=token_of("old-1"), call_id="old-1", **more):
        peer, hosts = (alice, (sites.WAN_EDGE, sites.LAN_EDGE)) if who is not alice else (caller, (sites.LAN_EDGE, sites.WAN_EDGE))
        return who.request(method, peer.contact, to=f"<{peer.aor}>;tag=f{peer.user}", call_id=call_id, cseq=cseq,
                           headers=[f"Route: <sip:{token}@{host};lr>" for host in hosts], **more)

    def passes(who, peer, method, cseq, **more):
        who.send(inside(who, method, cseq, **more))
        got = peer.wait(method)
        peer.answer(got, 200, body=peer.sdp() if method == "INVITE" else "")
        return got, who.wait(r"SIP/2\.0 200")
    passes(caller, alice, "INFO", 2)
    passes(alice, caller, "INFO", 2)
    got, ok = passes(caller, alice, "INVITE", 3, body=caller.sdp())
    lab.require(f"c=IN IP4 {sites.LAN_EDGE}" in got and f"c=IN IP4 {sites.WAN_EDGE}" in ok, f"no relay: {got}{ok}")
    caller.send(inside(caller, "ACK", 3))
    alice.wait("ACK")
    lab.require(len(site.legs()) == 2, f"legs: {site.legs()}")
    good = token_of("old-1")
    for why, who, more in (("altered", caller, {"token": good[:-6] + ("A" if good[-6] != "A" else "B") + good[-5:]}),
                           ("of another key", caller, {"token": old_token(bytes(32), "old-1", (f"{sites.WAN_EDGE}:5060", caller.address),
                                                                          (f"{sites.LAN_EDGE}:5060", alice.address))}),
                           ("of another dialog", caller, {"call_id": "old-2"}), ("somebody else's", other, {})):
        status = who.status(inside(who, "INFO", 4, **more))
        lab.require(status == 403, f"a token that is {why}: {status}")
    alice.silence(0.3)
    passes(alice, caller, "BYE", 5)
    site.wait_nothing_left()
    # An upgrade longer ago than max_dialog, as the mark beside the key says: who knows nothing else of a call refuses its token.
    mark = site.folder / "secret.since"
    lab.require(abs(int(mark.read_text()) - time.time()) < lab.PATIENCE, f"upgraded at {mark.read_text()}")
    for age, status in ((5, 200), (61, 403)):
        mark.write_text(f"{int(time.time()) - age}\n")
        site.kill_worker("sipedge")
        site.wait_up()
        caller.send(inside(caller, "INFO", 6, token=token_of("old-3"), call_id="old-3"))
        if status == 200:
            alice.answer(alice.wait("INFO"), 200)
        answer = caller.wait(r"SIP/2\.0 [2-6]")
        lab.require(answer.startswith(f"SIP/2.0 {status}"), f"{age} s after the upgrade: {answer}")
    alice.silence(0.3)


if __name__ == "__main__":
    lab.main(sipedge, mediarelay, state_in_memory, state_in_sqlite, every_leg_lost, a_call_of_the_version_before)
