#!/usr/bin/env python3
"""natclassify --explain on captures of real calls that a known cause leaves without audio: tcpdump records what SIPp, baresip,
natkit and the kernel's own NAT do, and the finding must name the cause, who hears nothing, and the right addresses."""
import contextlib
import json
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import captures
import lab
import media
import middlebox
import phones
import site_of_phones as sites

WORDS = 40    # packets that a plain media endpoint sends
AUDIO = 12000  # where it is


# What is to be changed, by cause: words that must be in the advice.
CHANGES = {"private-address-in-sdp": ["media proxy", "[network] nated", "external address"], "rtp-from-elsewhere": ["symmetric RTP", "source_port_restriction"],
           "never-arrives": [], "relay-swallows": [], "nat-binding-expired": ["udp_interval"], "on-hold": ["Nothing to repair", "hold_timeout"], "relay-not-joined": ["mediarelay list"],
           "wrong-family": ["families-differ"], "alg-damage": ["SIP ALG"], "ice-around-relay": ["--ice drop"], "media-loop": ["looptrace"]}


# --- recording and asking

class Recording:
    """tcpdump in a host, from when it listens until it is asked for its findings."""

    def __init__(self, host, interface="any"):
        self.host, self.interface = host, interface
        self.path = host.lab.folder / f"{host.name}.pcap"
        self.program = host.start("tcpdump", "tcpdump", "-Z", "root", "-U", "-n", "--immediate-mode", "-B", "16384", "-i", interface, "-w", self.path, "ip or ip6")
        self.program.wait_line("listening on")

    def _wait_written(self):
        """A last packet of our own: when it is in the file, so is all that came before."""
        marker = b"the end of the recording"
        raw = self.host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        device = "lo" if self.interface == "any" else self.interface
        raw.sendto(captures.udp_packet("127.0.0.1:9", "127.0.0.1:9", marker), (device, 0x0800, 0, 0, b"\xff" * 6))
        raw.close()
        lab.wait_until(lambda: marker in self.path.read_bytes(), "tcpdump to have written everything")

    def findings(self):
        self._wait_written()
        self.program.signal(signal.SIGINT)
        self.program.wait_exit()
        run = subprocess.run([lab.PROGRAMS / "natclassify", "--config", "/dev/null", "--explain", "--format", "json", self.path],
                             capture_output=True, text=True, timeout=300)
        lab.require(run.returncode == 0, f"natclassify: exit {run.returncode}: {run.stderr}")
        explanations = [r for r in map(json.loads, run.stdout.splitlines()) if r["type"] == "explanation"]
        lab.require(explanations, "natclassify found no call in the capture")
        return [finding for explanation in explanations for finding in explanation["findings"]]

    def must_say(self, cause, *words, silent=None, also=None, change=()):
        findings = self.findings()
        good = [f for f in findings if f["cause"] == cause and f.get("hears_nothing") == silent and f["change"]
                and all(word in f["sentence"] for word in words) and all(word in f["change"] for word in [*CHANGES[cause], *change])]
        lab.require(good, f"no finding {cause} for {silent} with {words}: {json.dumps(findings, indent=1)}")
        others = [f["cause"] for f in findings if f["cause"] not in (cause, also)]
        lab.require(not others, f"besides {cause} it says {others}: {json.dumps(findings, indent=1)}")


@contextlib.contextmanager
def sipp_call(caller, callee, remote, service="carol", caller_sdp="", callee_sdp="", callee_options=()):
    """A call of two SIPp phones whose audio, at port AUDIO, is the test's to send; it lasts as long as the test needs."""
    tap = callee.lab.tap(callee)
    answering = phones.sipp(callee, "call-uas", *callee_options, audio_port=AUDIO, sdp=callee_sdp)
    calling = phones.sipp(caller, "call-uac", "-s", service, "-d", 4000, remote=remote, audio_port=AUDIO, sdp=caller_sdp)
    lab.wait_until(lambda: any(text.startswith("ACK ") for _, text in tap.sip()), "the call to be answered")
    calling.signal(signal.SIGSTOP)  # it does not hang up
    yield tap
    calling.signal(signal.SIGCONT)
    lab.require(calling.wait_exit() == 0 and answering.wait_exit() == 0, "the phones saw something else than a call")


def speak(peer, to, ssrc):
    for _ in range(WORDS):
        peer.speak(to, ssrc=ssrc)


def audio_of(text):
    """The endpoint that a session description names."""
    return re.search(r"c=IN IP\d (\S+)", text)[1] + ":" + re.search(r"m=audio (\d+)", text)[1]


# --- without anything wrong

def nothing_wrong(net):
    site = sites.Site(net).start()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.home_host(), "bob", tone=600)
    recording = Recording(site.edge)
    phones.call(a, b)
    phones.hear_each_other(a, b)
    phones.hang_up(a, b)
    findings = recording.findings()
    lab.require(not findings, f"a good call, and it says {findings}")


# --- a cause each

def private_address(net):
    """An edge whose list of private networks forgets the one that the phone is in."""
    site = sites.Site(net).start(network={"nated": '["10.0.0.0/8"]'})
    a, b = site.phone(site.home_host(), "alice"), site.phone(site.wan_host(), "bob", tone=600)
    recording = Recording(site.edge)
    phones.call(a, b)
    lab.wait_until(lambda: len(a.said()) > 20, "alice to speak")
    phones.hang_up(a, b)
    recording.must_say("private-address-in-sdp", "192.168.1.10:", "private address", silent="caller")


def translate_audio(host):
    """A NAT in front of a phone that changes the port of its audio and lets nothing in to the port it said."""
    host.nft(f"""table ip nat {{
        chain post {{ type nat hook postrouting priority srcnat; udp sport 10000-10999 snat to {host.address}:40000-40999; }}
        chain in {{ type filter hook input priority 0; ct state new udp dport 10000-10999 drop; }}
    }}""")


def other_port(net):
    """Two phones without a relay; the packets of one leave from another port than its SDP says. Without any sign of a NAT that is no
    fault: it may hear at the one and send from the other (of a NAT: e2e.doctor_causes, stun_wrong_mapping)."""
    site = sites.Site(net).start()
    a, b = site.phone(site.wan_host(), "alice"), site.phone(site.wan_host(), "bob", tone=600)
    translate_audio(a.host)
    recording = Recording(b.host)
    phones.call(a, b)
    lab.wait_until(lambda: lab.same_audio(a.said(), b.heard()) > 20, "alice heard at bob")
    phones.hang_up(a, b)
    findings = recording.findings()
    lab.require(not findings, f"nobody knows that anything is wrong, and it says {findings}")


def relay_refuses_the_source(net):
    """The same in front of a relay that accepts the signalled port alone (source_port_restriction)."""
    site = sites.Site(net).start()
    a, b = site.phone(site.wan_host(), "alice"), site.phone(site.lan_host(), "bob", tone=600)
    translate_audio(a.host)
    recording = Recording(site.edge)
    phones.call(a, b)
    lab.wait_until(lambda: len(site.relayed()) > 60, "audio at the relay")
    phones.hang_up(a, b)
    lab.require(not b.heard(), "bob heard something after all")
    recording.must_say("relay-swallows", "does not send them on", silent="callee", change=["drop records"])


def firewall(net):
    """What a phone says never comes as far as the edge; its RTCP does, and says how much there was."""
    site = sites.Site(net).start()
    a, b = site.phone(site.wan_host(), "alice"), site.phone(site.lan_host(), "bob", tone=600)
    a.host.nft("table inet wall { chain out { type filter hook output priority 0; udp length 180 drop; }; }")
    recording = Recording(site.edge)
    phones.call(a, b)
    reports = lambda: [d for d in site.on_wan.all() if d.source.startswith(a.host.address) and d.payload[1:2] == b"\xc8"]
    lab.wait_until(reports, "a sender report of alice's")
    phones.hang_up(a, b)
    recording.must_say("never-arrives", "(RTCP)", "none of them", silent="callee", change=["firewall"])


def binding_expired(net):
    """A phone behind a NAT that forgets in 3 s, and nobody pings it: it can no longer be called."""
    site = sites.Site(net).start(pinger={"udp_interval": '"off"'})
    recording = Recording(site.edge)
    home = site.home_host()
    net.udp_timeouts(home.nat, 3)
    inside, outside = site.phone(home, "bob", tone=600), site.phone(site.wan_host(), "alice")
    time.sleep(5)  # the binding lives for 3
    outside.dial(inside.aor)
    invites = lambda: [t for d, t in site.on_wan.sip() if t.startswith("INVITE") and d.source.startswith(sites.WAN_EDGE)]
    lab.wait_until(lambda: len(invites()) >= 3, "the edge to send the INVITE again and again")
    recording.must_say("nat-binding-expired", home.nat.addresses[1], "forgotten")


def on_hold(net):
    site = sites.Site(net).start()
    a, b = site.phone(site.lan_host(), "alice"), site.phone(site.wan_host(), "bob", tone=600)
    recording = Recording(site.edge)
    phones.call(a, b)
    phones.hear_each_other(a, b, packets=20)
    a.command("hold")
    held = lambda: any("a=sendonly" in t or "a=inactive" in t for d, t in site.on_wan.sip() if d.source.startswith(sites.WAN_EDGE))
    lab.wait_until(held, "the hold to reach the WAN")
    lab.wait_until(lambda: len([t for _, t in site.on_wan.sip() if t.startswith("ACK")]) >= 2, "the hold to be answered")
    phones.hang_up(a, b)
    recording.must_say("on-hold", "put the call on hold", "no failure", silent="caller")


def not_joined(net):
    """A relay whose legs somebody parted behind the edge's back."""
    site = sites.Site(net).start()
    caller, callee = site.wan_host(), site.lan_host()
    recording = Recording(site.edge)
    done = phones.sipp(callee, "register", "-s", "carol", remote=f"{sites.LAN_EDGE}:5060")
    lab.require(done.wait_exit() == 0, "REGISTER failed")
    mouth, other = media.Peer(caller, port=AUDIO), media.Peer(callee, port=AUDIO)
    heard = net.tap(caller)
    with sipp_call(caller, callee, f"{sites.WAN_EDGE}:5060") as tap:
        for leg in lab.wait_until(lambda: [leg for leg in site.legs() if leg.get("joined")], "joined legs"):
            site.ask("mediarelay", "part", leg=leg["leg"])
        offer = [t for d, t in tap.sip() if t.startswith("INVITE")][0]
        answer = lab.wait_until(lambda: [t for d, t in heard.sip() if t.startswith("SIP/2.0 200") and "m=audio" in t], "the 200")[0]
        speak(mouth, audio_of(answer), 1)
        speak(other, audio_of(offer), 2)
    recording.must_say("relay-not-joined", "not joined", silent="both")


# --- phones and a middlebox of another maker

def two_hosts(net, family=4):
    street = net.segment("street")
    addresses = ("203.0.113.50/24", "203.0.113.60/24") if family == 4 else ("2001:db8::50/64", "2001:db8::60/64")
    return [net.host(name).attach("eth0", street, address) for name, address in zip(("caller", "callee"), addresses)] + [street]


def rewritten(text, *to):
    """The message with its session description pointed at an endpoint."""
    if "m=audio" not in text:
        return text
    done = subprocess.run([lab.PROGRAMS / "sdprewrite", "--to", *to], input=text.encode(), capture_output=True, timeout=120)
    lab.require(done.returncode == 0, done.stderr.decode())
    return done.stdout.decode()


def wrong_family(net):
    """The callee answers with IPv6, and nothing between the two translates."""
    caller, callee, _ = two_hosts(net)
    callee.ip("addr", "add", "2001:db8::60/64", "dev", "eth0")
    recording = Recording(caller)
    with sipp_call(caller, callee, f"{callee.address}:5060", callee_options=("-mi", "2001:db8::60")):
        pass
    recording.must_say("wrong-family", "2001:db8::60", "203.0.113.50", "IPv4 cannot reach IPv6", silent="both")


def alg(net):
    """A router that puts its own address into Via and c=, leaves o= and Contact alone, and does not count bytes."""
    street, inner = net.segment("street"), net.segment("inner")
    callee = net.host("callee").attach("eth0", street, "203.0.113.60/24")
    router = net.host("router").attach("out0", street, "203.0.113.7/24").attach("in0", inner, "192.168.1.1/24")
    phone = net.host("phone").attach("eth0", inner, "192.168.1.10/24").default_route("192.168.1.1")

    def damage(text, to_callee):
        own, public = "192.168.1.10", router.address
        if to_callee:
            return text.replace(f"c=IN IP4 {own}", f"c=IN IP4 {public}").replace(f"/UDP {own}", f"/UDP {public}")
        return text.replace(f"/UDP {public}", f"/UDP {own}")

    middlebox.Middlebox(router, f"{phone.address}:5060", f"{callee.address}:5060", damage, proxy=False)
    recording = Recording(callee)
    with sipp_call(phone, callee, f"{router.address}:5060"):
        pass
    recording.must_say("alg-damage", "192.168.1.10", "Content-Length")


def ice_by(net, record_at):
    """An old relay in the middle that leaves candidates in: the phones find each other around it."""
    caller, callee, street = two_hosts(net)
    box = net.host("box").attach("eth0", street, "203.0.113.70/24")

    def relay(text, to_callee):
        return rewritten(text, f"{box.address}:{40000 if to_callee else 40010}", "--ice", "keep")

    middlebox.Middlebox(box, f"{caller.address}:5060", f"{callee.address}:5060", relay)
    candidate = "a=candidate:1 1 UDP 2130706431 {} 12000 typ host"
    mouth, other = media.Peer(caller, port=AUDIO), media.Peer(callee, port=AUDIO)
    recording = Recording(street, "br0") if record_at == "street" else Recording(callee)
    with sipp_call(caller, callee, f"{box.address}:5060", caller_sdp=candidate.format(caller.address), callee_sdp=candidate.format(callee.address)):
        speak(mouth, other.endpoint, 1)
        speak(other, mouth.endpoint, 2)
    recording.must_say("ice-around-relay", caller.address, callee.address, "around the relay at 203.0.113.70")


def ice_around_the_relay(net):
    ice_by(net, "street")


def ice_seen_by_the_callee_alone(net):
    """Only one hop is in the capture: the candidates that do not name the address in c= give it away."""
    ice_by(net, "callee")


def loop(net):
    """Two relays whose legs face each other: one packet that gets in goes round for ever."""
    caller, callee, street = two_hosts(net)
    relays = [net.host(f"relay{n}").attach("eth0", street, f"203.0.113.{70 + n}/24") for n in (1, 2)]
    one, two = (Relay(host) for host in relays)
    towards_caller, between = one.open(), one.open()
    back, towards_callee = two.open(), two.open()
    one.join(towards_caller, between, towards_callee["local"], back["local"])
    two.join(back, towards_callee, between["local"], towards_caller["local"])

    def box(text, to_callee):
        return rewritten(text, between["local"] if to_callee else towards_caller["local"])

    middlebox.Middlebox(relays[0], f"{caller.address}:5060", f"{callee.address}:5060", box)
    recording = Recording(relays[0])
    with sipp_call(caller, callee, f"{relays[0].address}:5060"):
        raw = relays[1].socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for sequence in range(WORDS):
            packet = captures.udp_packet(towards_callee["local"], towards_caller["local"], media.rtp(sequence))
            raw.sendto(packet, (relays[0].address, 0))
        heard = net.tap(relays[0])
        lab.wait_until(lambda: len(heard.rtp()) > 20 * WORDS, "packets to go round")
        one.control.ask("free", leg=between["leg"])
    recording.must_say("media-loop", towards_callee["local"], towards_caller["local"], silent="both")


class Relay:
    """mediarelay on a host with one public address, its legs opened by hand."""

    def __init__(self, host):
        folder = host.lab.folder / host.name
        folder.mkdir()
        (folder / "natkit.toml").write_text(f"""
[media_proxy]
ports = "30000-30999"
[media_proxy.addresses]
wan = ["{host.address}"]
""")
        program = host.start(f"mediarelay {host.name}", media.PROGRAM, "serve", "--config", folder / "natkit.toml", "--runtime", folder)
        program.wait_line("serving on")
        self.control = media.Control(folder / "mediarelay.sock")

    def open(self):
        return self.control.ask("open", stream="rtp", side="wan", family="ipv4", call_id="loop")

    def join(self, a, b, party_of_a, party_of_b):
        for leg, party in ((a, party_of_a), (b, party_of_b)):
            self.control.ask("update", leg=leg["leg"], party={"place": "wan", "endpoint": party, "visible": media.endpoint(party)[0]})
        self.control.ask("join", a=a["leg"], b=b["leg"])


if __name__ == "__main__":
    lab.main(nothing_wrong, private_address, other_port, relay_refuses_the_source, firewall, binding_expired, on_hold, not_joined,
             wrong_family, alg, ice_around_the_relay, ice_seen_by_the_callee_alone, loop)
