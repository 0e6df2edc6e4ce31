#!/usr/bin/env python3
"""What an operator sees: a reload tried dry, the live view on a terminal and in a pipe, and for each call and client why it is
treated as it is."""
import json
import os
import pathlib
import re
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import crowd
import lab
import phones
import raw_sip
import site_of_phones
from site_of_phones import natkit
from terminal import Terminal

NATKIT = lab.PROGRAMS / "natkit"


def a_reload_tried_dry(net):
    site = site_of_phones.Site(net).start()
    far, near = site.wan_host(), site.lan_host()
    talkers = [register(far, f"far{i}", 5060 + i) for i in range(14)]
    site.phone(near, "near")
    lab.wait_until(lambda: site.status()["clients"] == 15, "15 clients")
    before = {c["aor"]: c["place"] for c in site.ask("sipedge", "clients")["clients"]}
    listen = f'["udp:{site_of_phones.LAN_EDGE}:5060", "udp:{site_of_phones.WAN_EDGE}:5080"]'
    site.write_config(network={"lan": '["192.168.10.0/24"]', "nat_servers": f'["{far.address}"]'}, sip={"listen": listen},
                      pinger={"udp_interval": '"7s"'})
    said = natkit(site, "reload", "--dry-run", "--format", "text").stdout
    lab.require("14 registered clients of 15 would change place" in said, said)
    lab.require(f'[network] nat_servers: [] → ["{far.address}"]' in said, said)
    lab.require('[pinger] udp_interval: "25s" → "7s"' in said, said)
    lab.require(f"would listen on udp:{site_of_phones.WAN_EDGE}:5080" in said and
                f"would close udp:{site_of_phones.WAN_EDGE}:5060" in said, said)
    lab.require("sip:far3@example.com" in said and "wan → far-end (rule nat-server)" in said, said)
    record = json.loads(natkit(site, "reload", "--dry-run").stdout)
    lab.require(record["would_change"] == 14 and len(record["moves"]) == 14, str(record))
    # Nothing has happened.
    lab.require({c["aor"]: c["place"] for c in site.ask("sipedge", "clients")["clients"]} == before, "a client has moved")
    lab.require(f"udp:{site_of_phones.WAN_EDGE}:5060" in site.status()["listen"], "a listener is gone")
    # What is wrong is said as in earnest, all of it.
    site.write_config(registrar={"state": '"memory"'})
    said = natkit(site, "reload", "--dry-run", status=2).stderr
    lab.require("[registrar] state: cannot change while natkit runs" in said and "natkit.toml:" in said, said)
    # An address that may come is no mistake.
    site.write_config(sip={"listen": listen.replace("5080", "5080\", \"udp:198.51.100.77:5060")})
    said = natkit(site, "reload", "--dry-run", "--format", "text").stdout
    lab.require("would listen on udp:198.51.100.77:5060 once it can" in said and "this is no address of this host" in said, said)
    # In earnest: they move without registering again, and natpinger pings them.
    site.write_config(network={"lan": '["192.168.10.0/24"]', "nat_servers": f'["{far.address}"]'})
    natkit(site, "reload")
    places = [c["place"] for c in site.ask("sipedge", "clients")["clients"]]
    lab.require(sorted(places) == ["far-end"] * 14 + ["lan"], str(places))
    for talker in talkers:
        show_presence(talker)
    lab.wait_until(lambda: site.ask("natpinger", "status")["pinged"] == 14, "natpinger to ping them")
    said = natkit(site, "reload", "--dry-run", "--format", "text").stdout
    lab.require("no key would change" in said and "0 registered clients of 15" in said, said)
    site.natkit.stop()


def register(host, user, port):
    """A REGISTER by hand: the socket of a client that does nothing else by itself."""
    talker = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((host.address, port))
    talker.settimeout(lab.PATIENCE)
    talker.sendto((f"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {host.address}:{port};branch=z9hG4bK{user};rport\r\n"
                   f"From: <sip:{user}@example.com>;tag=1\r\nTo: <sip:{user}@example.com>\r\nCall-ID: {user}\r\nCSeq: 1 REGISTER\r\n"
                   f"Contact: <sip:{user}@{host.address}:{port}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(),
                  (site_of_phones.WAN_EDGE, 5060))
    lab.require(talker.recv(2000).startswith(b"SIP/2.0 200"), f"{user} was not registered")
    return talker


def show_presence(talker):
    """Answers the OPTIONS by which the edge finds out that who registered is there."""
    asked, edge = talker.recvfrom(2000)
    lab.require(asked.startswith(b"OPTIONS "), f"no OPTIONS: {asked}")
    fields = [line for line in asked.decode().split("\r\n") if line.startswith(("Via:", "From:", "To:", "Call-ID:", "CSeq:"))]
    talker.sendto("\r\n".join(["SIP/2.0 200 OK", *fields, "Content-Length: 0", "", ""]).encode(), edge)


def more_than_a_line_holds(net):
    """Three thousand clients with long contacts: they come in pages, by natkit and by sipedge itself, and each of them once."""
    count = 3000
    site = site_of_phones.Site(net).start()
    host = site.lan_host()
    talker = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    talker.bind((host.address, 6000))
    talker.settimeout(lab.PATIENCE)
    padding = "x" * 300
    waiting = []
    for number in range(count):
        user = f"user{number}"
        talker.sendto((f"REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP {host.address}:6000;branch=z9hG4bK{user}\r\n"
                       f"From: <sip:{user}@example.com>;tag=1\r\nTo: <sip:{user}@example.com>\r\nCall-ID: {user}\r\nCSeq: 1 REGISTER\r\n"
                       f"Contact: <sip:{user}@{host.address}:6000;p={padding}>\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n").encode(),
                      (site_of_phones.LAN_EDGE, 5060))
        waiting.append(user)
        if len(waiting) == 50 or number + 1 == count:
            while waiting:
                got = talker.recv(4000)
                if got.startswith(b"SIP/2.0 200"):
                    waiting.pop()
    pid = site.pid("sipedge")
    done = site.edge.run(NATKIT, "clients", "--config", site.config, "--format", "json")
    seen = [json.loads(line)["aor"] for line in done.stdout.splitlines()]
    lab.require(len(seen) == count == len(set(seen)), f"{len(seen)} clients, {len(set(seen))} of them different; {done.stderr}")
    page = site.ask("sipedge", "clients")
    lab.require("next" in page and 0 < len(page["clients"]) < count, f"{len(page['clients'])} clients on a page")
    rest = site.ask("sipedge", "clients", after=page["next"])["clients"]
    lab.require(rest[0]["aor"] > page["clients"][-1]["aor"], f"{rest[0]['aor']} follows {page['next']}")
    terminal = terminal_of(site)
    terminal.see(rf"2 Clients {count}\b")
    terminal.type("q")
    terminal.ended()
    lab.require(site.pid("sipedge") == pid and site.status()["state"] == "running", "somebody has suffered")
    site.natkit.stop()


def terminal_of(site, **how):
    return Terminal(site.edge, NATKIT, "top", "--config", site.config, **how)


def top_on_a_terminal(net):
    site = site_of_phones.Site(net).start()
    for i in range(30):
        register(net.hosts.get("wan0") or site.wan_host(), f"user{i}", 6000 + i).close()
    terminal = terminal_of(site)
    lines = terminal.see(r"(?s)2 Clients 30\b.*q quits")
    lab.require("natkit running" in lines[0] and re.search(r"q quits .*s sorts: as they come", lines[-1]), str(lines))
    terminal.type("2")
    lines = terminal.see(r"(?s)CLIENT +SEEN AS.*1-\d\d of 30")
    shown = sum("@example.com" in line for line in lines)
    lab.require(f"1-{shown} of 30" in lines[-1] and 15 <= shown < 24, str(lines))
    lab.require("203.0.113" in lines[3] and "wan: " in lines[-3], f"no reasons: {lines}")
    # It follows the terminal's size at once, and the state.
    terminal.resize(50, 120)
    lines = terminal.see(r"(?s)user29@.*1-30 of 30")
    lab.require("q quits" in lines[-1] and len(lines) == 50, str(lines))
    register(net.hosts["wan0"], "late", 7000).close()
    terminal.see(r"2 Clients 31\b")
    # It scrolls to its end and back; it sorts; it shows those that are asked for.
    terminal.resize(24, 80)
    terminal.see(r"1-\d\d of 31")
    terminal.type("\x1b[F")
    terminal.see(r"\d\d-31 of 31")
    terminal.type("\x1bOH\x1b[6~\x1b[5~")
    terminal.see(r"\b1-\d\d of 31")
    terminal.type("s\x1b[F")
    terminal.see(r"(?s)user8@.*user9@.*s sorts: CLIENT")
    terminal.type("r\x1b[H")
    terminal.see(r"(?s)user9@.*user8@.*s sorts: CLIENT \(turned\)")
    terminal.type("\x1b[C")
    terminal.see(r"(?s)SEEN AS\^.*s sorts: SEEN AS")
    terminal.type("/LATE")
    terminal.see(r"(?s)2 Clients 1\b.*late@.*filter: LATE_")
    terminal.type("q\x7f\r")  # part of the filter, and taken out
    terminal.see(r"(?s)2 Clients 1\b.*q quits .*/ filters: LATE")
    terminal.type("/\x1b")
    terminal.see(r"2 Clients 31\b")
    terminal.type("\t")
    terminal.see("component +state")
    # It bears any size, and comes back.
    for rows, columns in ((1, 1), (3, 10), (10, 40), (60, 200), (24, 80)):
        terminal.resize(rows, columns)
        terminal.see({1: "…", 10: "natkit ru…"}.get(columns, "natkit running"))
    terminal.type("q")
    terminal.ended()
    # Escape alone ends it, an arrow key does not.
    terminal = terminal_of(site)
    terminal.see("natkit running")
    terminal.type("\x1b[A")
    register(net.hosts["wan0"], "later", 7001).close()
    terminal.see(r"2 Clients 32\b")
    terminal.type("\x1b")
    terminal.ended()
    # A terminal that is gone is no reason to go on.
    terminal = terminal_of(site)
    terminal.see("natkit running")
    os.close(terminal.slave)
    os.close(terminal.master)
    lab.require(terminal.process.wait(lab.PATIENCE) == 0, f"without a terminal: exit {terminal.process.returncode}")
    # Without natkit: said, and over.
    terminal = terminal_of(site)
    terminal.see("natkit running")
    site.natkit.stop()
    terminal.see("natkit does not answer")
    os.kill(terminal.process.pid, signal.SIGTERM)
    terminal.ended()
    done = site.edge.run(NATKIT, "top", "--config", site.config)
    lab.require(done.returncode == 1 and "natkit is not running here" in done.stderr, f"{done}")


def why_each_is_treated_so(net):
    site = site_of_phones.Site(net).start()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob")
    phones.call(a, b)

    def told_calls():
        """Without how long they talk."""
        return re.sub(r"talking for \d+ s, loss [\d.]+ %, jitter [\d.]+ ms", "talking", natkit(site, "calls", "--format", "text").stdout)
    calls = told_calls()
    lab.require("relayed: one party is on the LAN and the other is not" in calls, calls)
    lab.require("it calls itself 192.168.1.10, an address in nated, and is seen as 203.0.113.30" in calls, calls)
    clients = natkit(site, "clients", "--format", "text").stdout
    lab.require("lan: 192.168.10.20 is in lan" in clients, clients)
    lab.require("far-end: it calls itself 192.168.1.10" in clients, clients)
    for what in ("calls", "clients"):
        records = [json.loads(line) for line in natkit(site, what).stdout.splitlines()]
        lab.require(records and all(record["why"] for record in records), f"{what}: {records}")
    # Through a pipe, top is one snapshot: text, or one JSON object.
    snapshot = natkit(site, "top").stdout
    lab.require("\x1b" not in snapshot and "calls 1" in snapshot and "clients 2" in snapshot, snapshot)
    record = json.loads(natkit(site, "top", "--format", "json").stdout)
    lab.require(len(record["calls"]) == 1 and record["status"]["state"] == "running", str(record))
    # After sipedge's restart the reasons are the same, in both forms.
    site.kill_worker("sipedge")
    lab.wait_until(lambda: site.status()["calls"] == 1, "the call is taken up")
    after = told_calls()
    lab.require(after == calls, f"the reasons changed with sipedge's restart: {calls} → {after}")
    phones.hang_up(a, b)
    # As long as it rings, what will be is said; without a description too.
    carol = raw_sip.Party(site.lan_host(), site_of_phones.LAN_EDGE, user="carol")
    there = raw_sip.Party(site.wan_host(), site_of_phones.WAN_EDGE, user="dave")
    near = raw_sip.Party(site.lan_host(), site_of_phones.LAN_EDGE, user="erin")
    for party in (carol, there, near):
        lab.require(party.register().startswith("SIP/2.0 200"), f"{party.user} could not register")
    for to, body, relay, words in ((there, carol.sdp(), True, "will be relayed: one party is on the LAN and the other is not"),
                                   (there, "", True, "will be relayed: one party is on the LAN and the other is not"),
                                   (near, carol.sdp(), False, "will not be relayed: both are on the same side and reach each other"),
                                   (near, "", False, "will not be relayed: both are on the same side and reach each other")):
        carol.send(carol.request("INVITE", to.aor, body=body))
        invite = to.wait("INVITE")
        to.answer(invite, 180)
        carol.wait("SIP/2.0 180")
        shown = natkit(site, "calls", "--format", "text").stdout
        lab.require(words in shown, f"with {body!r}: {shown}")
        record = json.loads(natkit(site, "calls").stdout)
        lab.require(record["relay"] is relay and record["relayed_streams"] == 0 and record["why"] in words, f"{record}")
        to.answer(invite, 486)
        to.wait("ACK")
    site.natkit.stop()


def scrape(site):
    done = site.edge.run("python3", "-c", "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics').read().decode())")
    lab.require(done.returncode == 0, done.stderr)
    return done.stdout


def one_way_calls_by_cause(net):
    """A phone that never speaks, and one behind a NAT that does not: each is counted under its cause, which natkit(1) explains."""
    site = site_of_phones.Site(net).start(control={"metrics": '"127.0.0.1:9464"'})
    page = (lab.SOURCE / "man/natkit.1").read_text()
    with crowd.Crowd() as people:
        near = site.lan_host()
        for host, mute, cause in ((site.wan_host(), "caller", "never-sent"), (site.home_host(), "callee", "not-latched")):
            callee, caller = people.phone(host, f"b-{cause}", site_of_phones.WAN_EDGE), people.phone(near, f"a-{cause}", site_of_phones.LAN_EDGE)
            callee.register()
            caller.register()
            (caller if mute == "caller" else callee).mute = True
            caller.call(callee)
            people.calls.append((caller, callee))
            lab.require(f".It Li {cause}" in page, f"natkit(1) does not explain {cause}")
            lab.wait_until(lambda cause=cause: f'natkit_one_way_total{{cause="{cause}"}} 1' in scrape(site), f"one call with {cause}", 60)
        people.hang_up()
        site.wait_nothing_left()
    lab.require(site.natkit.stop() == 0, "natkit did not end well")


if __name__ == "__main__":
    lab.main(a_reload_tried_dry, top_on_a_terminal, more_than_a_line_holds, why_each_is_treated_so, one_way_calls_by_cause)
