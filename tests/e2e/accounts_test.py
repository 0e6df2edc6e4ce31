#!/usr/bin/env python3
"""Users with passwords: phones register by MD5 digest and call; SHA-256; nothing is accepted twice; what is registered, and with
which rights, survives the edge's death; intervals too brief; several contacts, by q."""
import contextlib
import pathlib
import re
import sqlite3
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import raw_sip
import site_of_phones as sites


def guarded(net, *names, sha256=(), **changes):
    site = sites.Site(net)
    raw_sip.users_file(site.folder / "users", *names, sha256=sha256)
    site.start(registrar={"open": "false", "users": '"users"', **changes})
    return site


def phones_with_passwords(net):
    site = guarded(net, "alice", "bob")
    a = site.phone(site.lan_host(), "alice", tone=440)
    b = site.phone(site.home_host(), "bob", tone=600)
    for caller, callee in ((a, b), (b, a)):
        phones.call(caller, callee)
        phones.hear_each_other(caller, callee)
        phones.hang_up(caller, callee)
    site.wait_nothing_left()
    # Registered with a password, killed: the flow is still that of an authenticated user.
    site.kill_worker("sipedge")
    site.wait_up()
    phones.call(b, a)
    phones.hear_each_other(b, a)
    phones.hang_up(b, a)
    site.check_wan()


def nothing_twice(net):
    site = guarded(net, "carol", "dave", sha256=("dave",))
    carol = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="carol")
    dave = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="dave")
    text = dave.register("secret", algorithm="SHA-256")
    lab.require(text.startswith("SIP/2.0 200"), text)
    first = carol.ask(carol.request("REGISTER", "sip:example.com", to=f"<{carol.aor}>", call_id="c"))
    lab.require(first.startswith("SIP/2.0 401"), first)
    good = raw_sip.credentials(first, "REGISTER", "sip:example.com", "carol", "secret")

    def register(cseq, password, who=carol):
        return who.ask(carol.request("REGISTER", "sip:example.com", to=f"<{carol.aor}>", call_id="c", cseq=cseq, headers=[password]))
    lab.require(register(2, good).startswith("SIP/2.0 200"), "the password was refused")
    again = register(3, good)
    lab.require(again.startswith("SIP/2.0 401") and "stale=true" in again, f"replayed: {again}")
    mallory = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="carol")
    stolen = register(4, good, mallory)
    lab.require(stolen.startswith("SIP/2.0 401"), f"replayed from elsewhere: {stolen}")
    counted = register(5, raw_sip.credentials(first, "REGISTER", "sip:example.com", "carol", "secret", count=2))
    lab.require(counted.startswith("SIP/2.0 200"), counted)
    site.kill_worker("sipedge")
    site.wait_up()
    late = register(6, raw_sip.credentials(first, "REGISTER", "sip:example.com", "carol", "secret", count=3))
    lab.require(late.startswith("SIP/2.0 401") and "stale=true" in late, f"a nonce outlived the process: {late}")
    lab.require(len(site.ask("sipedge", "clients")["clients"]) == 2, "registrations were lost")
    wrong = carol.register("guess", cseq=10)
    nobody = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="nobody")
    kind = "MD5" if "algorithm=MD5" in nobody.register() else "SHA-256"  # like one of those who exist, whichever
    nobody = nobody.register("guess", cseq=5, algorithm=kind)
    lab.require(wrong.startswith("SIP/2.0 401") and nobody.startswith("SIP/2.0 401"), f"{wrong}\n{nobody}")
    others = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="dave").ask(
        carol.request("REGISTER", "sip:example.com", to="<sip:dave@example.com>", call_id="d", headers=[good]))
    lab.require(re.match(r"SIP/2.0 40[13]", others), others)


def intervals_and_contacts(net):
    site = guarded(net, "erin", min_expires='"2m"', max_expires='"10m"')
    erin = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="erin")
    brief = erin.register("secret", expires=60)
    lab.require(brief.startswith("SIP/2.0 423") and raw_sip.field(brief, "Min-Expires") == "120", brief)
    long = erin.register("secret", cseq=5, expires=90000)
    lab.require(long.startswith("SIP/2.0 200") and re.search(r"expires=(600|599)\b", long), long)
    second = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="erin")
    text = second.register("secret", cseq=20, contact=f"<{second.contact}>;q=0.3")
    lab.require(len(raw_sip.fields(text, "Contact")) == 2, text)
    caller = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="zoe")
    invite = caller.send(caller.request("INVITE", "sip:erin@example.com", body=caller.sdp()))
    rings = erin.wait("INVITE")
    second.silence(0.5)
    erin.answer(rings, 486)
    erin.wait("ACK")
    rings = second.wait("INVITE")
    second.answer(rings, 486)
    caller.wait("SIP/2.0 486")
    del invite
    gone = erin.ask(erin.request("REGISTER", "sip:example.com", to=f"<{erin.aor}>", call_id="reg-erin", cseq=30, contact="*"))
    lab.require(gone.startswith("SIP/2.0 40"), gone)


def expired_while_down(net):
    """What ran out while the edge was down is gone from the state too, when it is back."""
    site = sites.Site(net)
    site.start()
    alice, bob = (raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user=user) for user in ("alice", "bob"))
    for one in (alice, bob):
        lab.require(one.register().startswith("SIP/2.0 200"), f"{one.user} could not register")
    site.natkit.stop()
    with contextlib.closing(sqlite3.connect(site.folder / "state.db")) as state, state:
        state.execute("UPDATE bindings SET expires_ms = 1000 WHERE aor LIKE 'alice@%'")
    site.start()
    known = [one["aor"] for one in site.ask("sipedge", "clients")["clients"]]
    lab.require(known == ["sip:bob@example.com"], f"{known}")
    with contextlib.closing(sqlite3.connect(site.folder / "state.db")) as state:
        left = [aor for (aor,) in state.execute("SELECT aor FROM bindings")]
    lab.require(left == ["bob@example.com"], f"left in the state: {left}")
    site.natkit.stop()


if __name__ == "__main__":
    lab.main(phones_with_passwords, nothing_twice, intervals_and_contacts, expired_while_down)
