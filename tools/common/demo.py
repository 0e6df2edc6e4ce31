#!/usr/bin/env python3
"""What tools/quickstart shows: natkit on the edge of a laboratory network, and real phones that call through it."""
import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import textwrap
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
options = argparse.ArgumentParser(prog="tools/quickstart")
options.add_argument("--programs", type=pathlib.Path, required=True, help="folder of natkit's programs")
options.add_argument("--once", action="store_true", help="end after the calls")
arguments = options.parse_args()
os.environ["NATKIT_PROGRAMS"] = str(arguments.programs)
if os.environ.get("NATKIT_LAB") != "inside":  # what the host itself is called is known outside the laboratory only
    route = subprocess.run(["ip", "-4", "route", "get", "192.0.2.1"], capture_output=True, text=True).stdout
    found = re.search(r" src (\S+)", route)
    os.environ["NATKIT_HOST_ADDRESS"] = found[1] if found else "192.168.1.2"

sys.path.insert(0, str(SOURCE / "tests/support"))
import lab  # noqa: E402
import phones  # noqa: E402
import site_of_phones as sites  # noqa: E402

COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def title(text):
    print("\n" + paint("1", f"── {text} " + "─" * max(0, 96 - len(text))), flush=True)


def say(text="", indent=2):
    for line in text.splitlines() or [""]:
        print(" " * indent + line, flush=True)


def shown(path):
    """A path as one would type it here."""
    path = pathlib.Path(path)
    return str(path.relative_to(pathlib.Path.cwd())) if path.is_relative_to(pathlib.Path.cwd()) else str(path)


MAP = """\
  LAN 192.168.10.0/24                      WAN 203.0.113.0/24           two homes, both 192.168.1.0/24
                                        ┌── carol 203.0.113.50
  alice 192.168.10.20 ──── .1 natkit .10┼── .30 NAT, port-restricted ── bob  192.168.1.10
                                        └── .31 NAT, symmetric ──────── dave 192.168.1.10"""


def classify(site, datagram, text):
    """What natclassify says of a message as it reached the edge."""
    command = [lab.PROGRAMS / "natclassify", "--config", site.config, "--source", datagram.source, "--format", "json"]
    done = subprocess.run([str(word) for word in command], input=text, capture_output=True, text=True)
    lab.require(done.returncode == 0, f"natclassify: {done.stderr}")
    nat = json.loads(done.stdout.splitlines()[0])["nat"]
    return nat["place"], nat["rule"], nat["tests"]


PLACES = {"lan": "on the LAN", "wan": "on the WAN", "far-end": "behind a NAT"}


def message(tap, wanted, source=None, destination=None, since=0):
    """The first SIP message on a tap that fits: (datagram, text)."""
    for datagram, text in tap.sip():
        if datagram.time >= since and text.startswith(wanted) and \
                (not source or datagram.source.startswith(source)) and \
                (not destination or datagram.destination.startswith(destination)):
            return datagram, text
    return None


def body(text):
    return text.partition("\r\n\r\n")[2]


def show_sdp(before, after, who):
    """The SDP as it came to the edge, and what the edge made of it: changed lines only, and how many stayed."""
    came, went = body(before[1]).splitlines(), body(after[1]).splitlines()
    say(f"{who}: {before[0].source} → edge → {after[0].destination}")
    if came == went:
        say("nothing changed: the two can hear each other without help", 4)
        return
    for old, new in zip(came, went):
        if old != new:
            say(paint("31", f"- {old}"), 4)
            say(paint("32", f"+ {new}"), 4)
    for line in came[len(went):]:
        say(paint("31", f"- {line}"), 4)
    for line in went[len(came):]:
        say(paint("32", f"+ {line}"), 4)
    say(f"({sum(a == b for a, b in zip(came, went))} lines as they were)", 4)


class Show:
    def __init__(self, net):
        self.net, self.site = net, sites.Site(net)

    def set_up(self):
        title("The network: namespaces on this machine, with real NATs between them")
        print(MAP)
        self.site.write_config(pinger={"udp_interval": '"5s"', "log_level": '"major"'}, sip={"log_level": '"major"'},
                               media_proxy={"log_level": '"major"'})
        title(f"The configuration: {self.site.config}")
        say(self.site.config.read_text().strip())
        title(f"natkit run --config {self.site.config}")
        self.site.natkit = self.site.edge.start("natkit", lab.PROGRAMS / "natkit", "run", "--config", self.site.config)
        self.site.wait_up()
        lab.wait_until(lambda: all(c["state"] == "running" for c in self.site.status()["components"]), "all workers to run")
        self.status()

    def status(self):
        done = self.site.edge.run(lab.PROGRAMS / "natkit", "status", "--config", self.site.config, "--format", "text")
        say((done.stdout or done.stderr).rstrip())

    def register(self):
        title("Four phones (baresip) register: where is each, and by which rule?")
        hosts = {"alice": self.site.lan_host(), "carol": self.site.wan_host(), "bob": self.site.home_host("port-restricted"),
                 "dave": self.site.home_host("symmetric")}
        self.phones = {}
        for number, (name, host) in enumerate(hosts.items()):
            began = time.time()
            self.phones[name] = self.site.phone(host, name, tone=400 + 150 * number)
            lan = host.address.startswith("192.168.10.")
            seen = message(self.site.on_lan if lan else self.site.on_wan, "REGISTER ",
                           destination=sites.LAN_EDGE if lan else sites.WAN_EDGE, since=began)
            (self.net.folder / f"register-{name}.sip").write_text(seen[1], newline="")
            place, rule, tests = classify(self.site, *seen)
            say(paint("1", f"{name:<6}") + f" says {host.address:<14} and is seen as {seen[0].source:<19} "
                + paint("32", f"{PLACES[place]}, by rule {rule}"))
            if tests:
                say("natclassify: " + ", ".join(tests), 9)

    def call(self, caller, callee):
        a, b = self.phones[caller], self.phones[callee]
        title(f"{caller} calls {callee}")
        began = time.time()
        relayed = len(self.site.relayed())
        phones.call(a, b)
        for kind, first, second, what in (("INVITE ", a, b, "the offer"), ("SIP/2.0 200", b, a, "the answer")):
            came = lab.wait_until(lambda: self._with_sdp(self._near(first), kind, began, to_edge=True), "the message to the edge")
            went = lab.wait_until(lambda: self._with_sdp(self._near(second), kind, began, to_edge=False), "the message from the edge")
            if kind == "INVITE ":
                (self.net.folder / f"invite-{caller}-{callee}.sip").write_text(came[1], newline="")
            show_sdp(came, went, f"SDP of {what}")
        say()
        self._count(a, b, relayed)

    def _near(self, phone):
        return self.site.on_lan if phone.host.address.startswith("192.168.10.") else self.site.on_wan

    @staticmethod
    def _with_sdp(tap, kind, since, to_edge):
        edge = (sites.LAN_EDGE + ":", sites.WAN_EDGE + ":")
        for datagram, text in tap.sip():
            here = datagram.destination if to_edge else datagram.source
            if datagram.time >= since and text.startswith(kind) and body(text) and here.startswith(edge):
                return datagram, text
        return None

    def _count(self, a, b, relayed_before, seconds=4):
        """Packets each way while the call goes on, counted at the phones."""
        for _ in range(seconds):
            time.sleep(1)
            to_a, to_b = len(a.heard()), len(b.heard())
            say(f"{a.name} → {b.name} {to_b:>4} packets   {b.name} → {a.name} {to_a:>4} packets   "
                f"({len(self.site.relayed()) - relayed_before} passed the edge on its WAN side)")
        phones.hear_each_other(a, b)
        say(paint("32", "audio goes both ways, packet for packet what the other phone sent"))
        done = self.site.edge.run(lab.PROGRAMS / "natkit", "calls", "--config", self.site.config, "--format", "json")
        for line in done.stdout.splitlines():
            record = json.loads(line)
            if record.get("state") == "established":
                places = [f"{record[side]['source']} {PLACES[record[side]['place']]} (rule {record[side]['rule']})" for side in "ab"]
                say(f"natkit calls: {places[0]}, {places[1]}: relayed because {', '.join(record['reasons'])}")
        for leg in self.site.legs():
            self.show_leg(leg)

    @staticmethod
    def show_leg(leg):
        """One leg of mediarelay: its port, whose media it takes from where and why, packets each way."""
        count = leg.get("statistics", {})
        # What must come from just where the party said is not learned.
        said = {"endpoint": leg.get("party", {}).get("endpoint", "nowhere yet"), "rule": "exact"}
        learned = leg.get("latched", {}).get("rtp") or (said if count.get("received", {}).get("packets") else {"endpoint": "nowhere yet", "rule": "-"})
        say(f"mediarelay: {leg['local']:<21} {leg['side']}  its party sends from {learned['endpoint']:<21} (rule {learned['rule']}): "
            f"{count.get('received', {}).get('packets', 0)} packets in, {count.get('sent', {}).get('packets', 0)} out")

    def hang_up(self, a, b):
        phones.hang_up(self.phones[a], self.phones[b])
        self.site.wait_nothing_left()
        say("hung up: no leg, socket or port is left at the edge")

    def many(self):
        title("SIPp calls from the WAN to the LAN: 50 calls, 25 a second")
        callee = self.site.lan_host()
        caller = self.site.wan_host()
        lab.require(phones.sipp(callee, "register", "-s", "desk", remote=f"{sites.LAN_EDGE}:5060").wait_exit() == 0,
                    "SIPp could not register")
        answering = phones.sipp(callee, "call-uas", calls=50)
        calling = phones.sipp(caller, "call-uac", "-s", "desk", "-r", 25, "-d", 500, remote=f"{sites.WAN_EDGE}:5060", calls=50)
        lab.require(calling.wait_exit(40) == 0 and answering.wait_exit(40) == 0, "not every SIPp call succeeded")
        self.site.wait_nothing_left()
        say("50 answered, 50 hung up; no leg, socket or port is left at the edge")

    def what_next(self):
        config, programs, folder = self.site.config, shown(lab.PROGRAMS), self.net.folder
        own = folder / "my-network.toml"
        address = os.environ["NATKIT_HOST_ADDRESS"]
        own.write_text(textwrap.dedent(f"""\
            [sip]
            listen  = ["udp:{address}:5060"]        # add the address of each further interface
            domains = ["{address}"]
            [registrar]
            open  = true                            # a trial: anybody who reaches it may register
            state = "memory"
            [control]
            socket  = "natkit.sock"
            metrics = ""
            """))
        title("What to try next (this laboratory stays until Ctrl-C; alice and bob go on talking)")
        missing = "" if (lab.PROGRAMS / "sdprewrite").exists() else \
            f"     cmake --build {shown(lab.PROGRAMS.parent)} --target sdprewrite\n"
        say(f"""\
1. On your own network: this host is {address}.
     cp {own} natkit.toml
     {programs}/natkit check --config natkit.toml
     {programs}/natkit run --config natkit.toml
   Then set two phones to register as sip:NAME@{address} at {address}, and call one from the other.
2. Look into this laboratory, from another terminal:
     {programs}/natkit status --config {config}
     {programs}/mediarelay list --config {config}
3. Ask the filters about the messages that were just seen:
     {programs}/natclassify --config {config} --source 203.0.113.30:5060 < {folder}/register-bob.sip
{missing}     {programs}/sdprewrite --to 203.0.113.10:40000 < {folder}/invite-alice-bob.sip
4. Kill a worker and watch it come back: kill -9 $(pgrep -f "mediarelay serve"), then status again.""")

    def run(self):
        self.set_up()
        self.register()
        self.call("alice", "bob")
        self.hang_up("alice", "bob")
        self.call("dave", "bob")
        say("(both are 192.168.1.10, each behind a NAT of its own)")
        self.hang_up("dave", "bob")
        self.call("carol", "alice")
        self.hang_up("carol", "alice")
        self.many()
        self.site.check_wan()
        title("natkit status")
        self.status()
        if arguments.once:
            print("\n" + paint("1;32", "Every call was heard both ways; no private address was shown to the WAN."))
            return
        phones.call(self.phones["alice"], self.phones["bob"])
        self.what_next()
        while self.site.natkit.process.poll() is None:
            time.sleep(0.5)
        raise lab.Failure("natkit ended")


def main():
    lab.enter()
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    net = lab.Lab()
    status = 0
    try:
        Show(net).run()
    except KeyboardInterrupt:
        print("\nThe laboratory is gone.")
    except lab.Failure as failure:
        net.tell()
        print(f"\ntools/quickstart: {failure}", file=sys.stderr)
        status = 1
    finally:
        net.close()
    sys.exit(status)


main()
