#!/usr/bin/env python3
"""Forked calls: one phone answers, two answer at once, all refuse, CANCEL crosses a 200; two phones with the same private address,
each behind its own NAT. 15 % of all packets lost and no call with them, nor with 30 % those of users who are asked for a
password. Retransmissions are answered with the same bytes. The edge killed between a call's messages."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import phones
import raw_sip
import site_of_phones as sites

LOSS = """table inet loss {
    chain in { type filter hook input priority 0; udp dport 5060 numgen random mod 100 < 15 counter drop; }
    chain out { type filter hook output priority 0; udp sport 5060 numgen random mod 100 < 15 counter drop; }
}"""


def routes_of(text, from_caller=True):
    values = [v for line in raw_sip.fields(text, "Record-Route") for v in re.split(r",\s*", line)]
    return [f"Route: {value}" for value in (reversed(values) if from_caller else values)]


class Ringing:
    """Two phones of carol, on the LAN and behind nothing on the WAN, and somebody who calls."""

    def __init__(self, net):
        self.site = sites.Site(net).start()
        self.desk = raw_sip.Party(self.site.lan_host(), sites.LAN_EDGE, user="carol")
        self.home = raw_sip.Party(self.site.wan_host(), sites.WAN_EDGE, user="carol")
        self.caller = raw_sip.Party(self.site.wan_host(), sites.WAN_EDGE, user="zoe")
        for number, phone in enumerate((self.desk, self.home)):
            lab.require(phone.register(cseq=1 + 10 * number).startswith("SIP/2.0 200"), "REGISTER failed")

    def call(self):
        caller = self.caller
        self.invite = caller.send(caller.request("INVITE", "sip:carol@example.com", call_id=f"fork-{id(self)}", body=caller.sdp(),
                                                 branch="z9hG4bKfork"))
        return self.desk.wait("INVITE"), self.home.wait("INVITE")

    def inside(self, ok, method, cseq):
        caller = self.caller
        contact = raw_sip.field(ok, "Contact").strip("<>")
        return caller.request(method, contact, to=raw_sip.field(ok, "To"), call_id=raw_sip.field(ok, "Call-ID"), cseq=cseq,
                              headers=routes_of(ok), from_tag="fzoe")

    def cancel(self):
        head = self.invite.partition("\r\n\r\n")[0].replace("INVITE", "CANCEL", 1).replace("1 INVITE", "1 CANCEL")
        lines = [line for line in head.split("\r\n") if not line.startswith(("Content-", "Contact"))]
        return "\r\n".join([*lines, "Content-Length: 0", "", ""])


def one_answers(net):
    """Real phones: the other one stops ringing."""
    site = sites.Site(net).start()
    caller = site.phone(site.lan_host(), "alice", tone=440)
    desk = site.phone(site.wan_host(), "bob", tone=600, name="desk")
    home = site.phone(site.home_host(), "bob", tone=520, name="home")
    caller.dial("sip:bob@example.com")
    for phone in (desk, home):
        phone.wait_event("CALL_INCOMING")
    home.accept()
    caller.wait_event("CALL_ESTABLISHED")
    desk.wait_event("CALL_CLOSED")
    phones.hear_each_other(caller, home)
    phones.hang_up(caller, home)
    site.wait_nothing_left()


def both_answer_at_once(net):
    world = Ringing(net)
    at_desk, at_home = world.call()
    world.desk.answer(at_desk, 200, body=world.desk.sdp(), tag="desk")
    world.home.answer(at_home, 200, body=world.home.sdp(), tag="home")
    answers = [world.caller.wait("SIP/2.0 200"), world.caller.wait("SIP/2.0 200")]
    tags = {re.search(r"tag=(\w+)", raw_sip.field(text, "To"))[1]: text for text in answers}
    lab.require(set(tags) == {"desk", "home"}, f"{tags}")
    for tag, phone in (("desk", world.desk), ("home", world.home)):
        world.caller.send(world.inside(tags[tag], "ACK", 1))
        phone.wait("ACK")
    lab.require(len(world.site.ask("sipedge", "calls")["calls"]) == 2, "not two calls")
    for tag, phone in (("home", world.home), ("desk", world.desk)):
        world.caller.send(world.inside(tags[tag], "BYE", 2))
        phone.answer(phone.wait("BYE"), 200)
        world.caller.wait("SIP/2.0 200")
    world.site.wait_nothing_left()


def same_address_behind_two_nats(net):
    """Both phones of carol call themselves sip:carol@192.168.1.10:5060: both ring, and each keeps its own registration."""
    site = sites.Site(net).start()
    caller = raw_sip.Party(site.wan_host(), sites.WAN_EDGE, user="zoe")
    hosts = site.home_host(), site.home_host()
    office, home = (raw_sip.Party(host, sites.WAN_EDGE, user="carol") for host in hosts)
    lab.require(office.contact == home.contact, f"{office.contact}, {home.contact}")

    def register(phone, call_id, cseq, expires=600):
        ok = phone.ask(phone.request("REGISTER", "sip:example.com", to="<sip:carol@example.com>", call_id=call_id, cseq=cseq,
                                     contact=f"<{home.contact}>", headers=[f"Expires: {expires}"]))
        lab.require(ok.startswith("SIP/2.0 200"), ok)
        return raw_sip.fields(ok, "Contact")

    def clients():
        return {client["flow"]["remote"].partition(":")[0] for client in site.ask("sipedge", "clients")["clients"]}

    both = {f"203.0.113.{30 + number}" for number in range(2)}
    register(office, "office", 1, expires=300)
    contacts = register(home, "home", 1)
    lab.require(contacts == [f"<{home.contact}>;expires=600"], f"it was told of one that is not its own: {contacts}")
    lab.require(clients() == both, f"one took the other's place: {clients()}")
    site.kill_worker("sipedge")
    site.wait_up()
    lab.require(clients() == both, f"lost by a restart: {clients()}")
    # By another port of its NAT it is the same phone.
    office.close()
    office = raw_sip.Party(hosts[0], sites.WAN_EDGE, port=5070, user="carol")
    register(office, "office", 2)
    lab.require(len(site.ask("sipedge", "clients")["clients"]) == 2 and clients() == both, f"{clients()}")
    caller.send(caller.request("INVITE", "sip:carol@example.com", call_id="both-ring", body=caller.sdp()))
    at_office, at_home = office.wait("INVITE"), home.wait("INVITE")
    for phone, request, tag in ((office, at_office, "office"), (home, at_home, "home")):
        phone.answer(request, 180, tag=tag)
        caller.wait("SIP/2.0 180")
    home.answer(at_home, 200, body=home.sdp(), tag="home")
    ok = caller.wait("SIP/2.0 200")
    office.answer(office.wait("CANCEL"), 200, tag="office")
    office.answer(at_office, 487, tag="office")

    def inside(method, cseq):
        return caller.request(method, raw_sip.field(ok, "Contact").strip("<>"), to=raw_sip.field(ok, "To"), call_id="both-ring",
                              cseq=cseq, headers=routes_of(ok))
    caller.send(inside("ACK", 1))
    home.wait("ACK")
    caller.send(inside("BYE", 2))
    home.answer(home.wait("BYE"), 200)
    caller.wait("SIP/2.0 200")
    register(home, "home", 2, expires=0)
    lab.require(clients() == {"203.0.113.30"}, f"{clients()}")
    site.wait_nothing_left()


def all_refuse(net):
    world = Ringing(net)
    at_desk, at_home = world.call()
    world.desk.answer(at_desk, 404, tag="desk")
    world.desk.wait("ACK")
    world.home.answer(at_home, 603, tag="home")
    world.home.wait("ACK")
    final = world.caller.wait(r"SIP/2\.0 [2-6]")
    lab.require(final.startswith("SIP/2.0 603"), final)
    world.site.wait_nothing_left()


def cancel_crosses_200(net):
    world = Ringing(net)
    at_desk, at_home = world.call()
    world.desk.answer(at_desk, 180, tag="desk")
    world.home.answer(at_home, 180, tag="home")
    world.caller.wait("SIP/2.0 180")
    world.caller.send(world.cancel())
    cancel = world.home.wait("CANCEL")
    world.home.answer(at_home, 200, body=world.home.sdp(), tag="home")  # it was picked up in this moment
    world.home.answer(cancel, 481, tag="home")
    world.desk.answer(world.desk.wait("CANCEL"), 200, tag="desk")
    world.desk.answer(at_desk, 487, tag="desk")
    world.desk.wait("ACK")
    finals = [world.caller.wait("SIP/2.0 200"), world.caller.wait("SIP/2.0 200")]
    ok = next(text for text in finals if "INVITE" in raw_sip.field(text, "CSeq"))
    lab.require(any("CANCEL" in raw_sip.field(text, "CSeq") for text in finals), "the CANCEL was not answered")
    world.caller.send(world.inside(ok, "ACK", 1))
    world.home.wait("ACK")
    world.caller.send(world.inside(ok, "BYE", 2))
    world.home.answer(world.home.wait("BYE"), 200)
    world.caller.wait("SIP/2.0 200")
    world.site.wait_nothing_left()


def retransmissions(net):
    """The same request again gets the same bytes, and the callee hears of it once."""
    world = Ringing(net)
    caller = world.caller
    register = world.desk.request("REGISTER", "sip:example.com", to="<sip:carol@example.com>", call_id="again", cseq=7)
    lab.require(world.desk.ask(register) == world.desk.ask(register, copies=True), "REGISTER was answered otherwise")
    message = caller.request("MESSAGE", "sip:nobody@example.com")
    lab.require(caller.ask(message) == caller.ask(message, copies=True), "404 was answered otherwise")
    at_desk, at_home = world.call()
    caller.wait("SIP/2.0 100")
    for phone, request, tag in ((world.home, at_home, "home"), (world.desk, at_desk, "desk")):
        phone.answer(request, 180, tag=tag)  # from now on the edge itself has no reason to repeat the INVITE
        ringing = caller.wait("SIP/2.0 180")
    world.desk.forget()
    caller.send(world.invite)
    lab.require(caller.wait("SIP/2.0 180", copies=True) == ringing, "INVITE was answered otherwise")
    world.desk.silence(0.3, copies=True)
    for phone, request in ((world.desk, at_desk), (world.home, at_home)):
        phone.answer(request, 486, tag="x")
        phone.wait("ACK")
    busy = caller.wait("SIP/2.0 486")
    caller.send(world.invite)
    lab.require(caller.wait("SIP/2.0 486", copies=True) == busy, "the failure was repeated otherwise")
    phone, request = world.desk, at_desk
    phone.answer(request, 486, tag="x")  # its ACK was lost: it is acknowledged again
    phone.wait("ACK", copies=True)


def lost_at(host):
    """Packets that the rules of a test have dropped there."""
    return sum(int(n) for n in re.findall(r"counter packets (\d+)", lab.sh(*host.enter, "nft", "list", "ruleset")))


def own_bye(net):
    """The caller's scenario, in which the BYE has a transaction of its own: SIPp must not take a late copy of the INVITE's 200 for its
    answer."""
    text = (phones.SCENARIOS / "call-uac.xml").read_text()
    text = text.replace('<send retrans="500"><![CDATA[\nBYE', '<send retrans="500" start_txn="bye"><![CDATA[\nBYE')
    path = net.folder / "own-bye.xml"
    path.write_text(text.replace('<recv response="200"/>', '<recv response="200" response_txn="bye"/>'))
    return path


def nothing_lost(net):
    site = sites.Site(net).start(sip={"log_level": '"major"'})
    callee, caller = site.lan_host(), site.wan_host()
    lab.require(phones.sipp(callee, "register", "-s", "carol", remote=f"{sites.LAN_EDGE}:5060").wait_exit() == 0, "REGISTER failed")
    site.edge.nft(LOSS)
    # Chance alone must not end a call: of eight tries in a row all are lost in one test of 500.
    patient = ("-max_retrans", 15, "-max_invite_retrans", 15, "-max_non_invite_retrans", 15)
    answering = phones.sipp(callee, "patient-uas", *patient, calls=60, seconds=260)
    calling = phones.sipp(caller, own_bye(net), "-s", "carol", "-r", 10, "-d", 3000, *patient, name="caller", remote=f"{sites.WAN_EDGE}:5060",
                          calls=60, seconds=200)

    def all_well(program, seconds):
        """Each call went all the way: INVITE, 200, BYE and its 200."""
        status = program.wait_exit(seconds)
        made = re.findall(r"Successful call +\| +\d+ +\| +(\d+)", program.output)
        errors = "".join(f"{path.name}:\n{path.read_text()[:3000]}\n" for path in net.folder.glob("sipp-*-errors.log"))
        lab.require(status == 0 and made and int(made[-1]) == 60, f"{program.name}: calls were lost:\n{program.output[-1500:]}\n{errors}")
    all_well(calling, 210)
    dropped = lost_at(site.edge)
    lab.require(dropped > 60, f"only {dropped} packets were lost")
    all_well(answering, 90)
    site.wait_nothing_left(60)


def challenged_at_30_percent(net):
    """Three of ten packets each way are lost, evenly (by chance a call could lose all its copies, and rightly fail); users who are asked for
    a password, which nobody but they repeats, get every call through; strangers too."""
    site = sites.Site(net)
    users = [f"user{i}" for i in range(4)]
    raw_sip.users_file(site.folder / "users", "carol", *users)
    site.start(sip={"log_level": '"major"'}, registrar={"open": "false", "users": '"users"'})
    callee = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="carol")
    lab.require(callee.register("secret").startswith("SIP/2.0 200"), "REGISTER failed")
    callee.close()
    answering = phones.sipp(callee.host, "patient-uas", calls=6 * 5, seconds=200)
    calling = []
    for number, user in enumerate([*users, None, None]):
        host = site.wan_host()
        lost = ", ".join(str((number + k) % 10) for k in (0, 3, 6))
        for end in (host, site.edge):
            end.nft(f"""table inet loss{number} {{
                chain in {{ type filter hook input priority 0; udp sport 5060 numgen inc mod 10 {{ {lost} }} counter drop; }}
            }}""".replace("udp", f"ip saddr {host.address} udp" if end is site.edge else "udp"))
        scenario, who = ("challenged-uac", ("-key", "caller", user, "-au", user, "-ap", "secret", "-auth_uri", "carol@example.com")) if user else (own_bye(net), ())
        calling.append(phones.sipp(host, scenario, "-s", "carol", *who, "-l", 1, "-d", 300, name=f"caller{number}",
                                   remote=f"{sites.WAN_EDGE}:5060", calls=5, seconds=150))
    for program in calling:
        status = program.wait_exit(160)
        errors = "".join(f"{path.name}:\n{path.read_text()[:3000]}\n" for path in net.folder.glob("sipp-*-errors.log"))
        made = re.findall(r"Successful call +\| +\d+ +\| +(\d+)", program.output)
        lab.require(status == 0 and made and int(made[-1]) == 5, f"{program.name}: calls were lost:\n{program.output[-1500:]}\n{errors}")
    lab.require(lost_at(site.edge) >= 30, f"only {lost_at(site.edge)} packets from callers were lost")
    lab.require(answering.wait_exit(120) == 0, f"the callee saw something else: {answering.output[-1500:]}")
    site.wait_nothing_left(60)


def restarted(net):
    """UDP clients are called and call without registering again; a dialog's requests work, from either end."""
    world = Ringing(net)
    at_desk, at_home = world.call()
    world.desk.answer(at_desk, 180, tag="desk")
    world.home.answer(at_home, 200, body=world.home.sdp(), tag="home")
    ok = world.caller.wait("SIP/2.0 200")
    world.caller.send(world.inside(ok, "ACK", 1))
    world.home.wait("ACK")
    world.desk.answer(world.desk.wait("CANCEL") and at_desk, 487, tag="desk")
    key = (world.site.folder / "secret").read_bytes()
    world.site.kill_worker("sipedge")
    world.site.wait_up()
    lab.require((world.site.folder / "secret").read_bytes() == key, "another key")
    world.caller.send(world.inside(ok, "INFO", 2))
    world.home.answer(world.home.wait("INFO"), 200)
    world.caller.wait("SIP/2.0 200")
    world.home.send(world.home.request("BYE", world.caller.contact, to=raw_sip.field(at_home, "From"), call_id=raw_sip.field(ok, "Call-ID"),
                                       cseq=1, from_uri="sip:carol@example.com", from_tag="home", headers=routes_of(at_home, False)))
    world.caller.answer(world.caller.wait("BYE"), 200)
    world.home.wait("SIP/2.0 200")
    world.site.wait_nothing_left()
    world.caller.send(world.caller.request("MESSAGE", "sip:carol@example.com"))
    for phone in (world.desk, world.home):
        phone.answer(phone.wait("MESSAGE"), 200)
    world.caller.wait("SIP/2.0 200")


if __name__ == "__main__":
    lab.main(one_answers, both_answer_at_once, same_address_behind_two_nats, all_refuse, cancel_crosses_200, retransmissions, nothing_lost, challenged_at_30_percent,
             restarted)
