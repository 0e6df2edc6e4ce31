"""A site at which calls fall ill: phones on a LAN, on the Internet, behind NATs of kinds; an edge with Kamailio and a relay with faults; and
tcpdump at every place where somebody may look, all at once. Used by tests of the doctor.

The relay is a script, which has the faults that a case asks for. NATKIT_RELAY=rtpengine puts the real one in its place; a case that
wants a fault of the relay cannot be made then, and says so by NeedsScript."""
import asyncio
import json
import os
import pathlib
import signal
import socket
import struct
import subprocess
import time

import captures
import lab
import ng_relay
import relay_nodes
import scripted
import scripted_media

EDGE, EDGE_LAN, EDGE_V6 = "203.0.113.10", "192.168.10.1", "2001:db8:1::10"
STUN = ("203.0.113.5", 3478)
RELAY = os.environ.get("NATKIT_RELAY", "script")
SERVER, LAN_SERVER, V6_SERVER = (EDGE, 5060), (EDGE_LAN, 5060), (EDGE_V6, 5060)

CONFIG = """
debug=1
log_stderror=yes
children=2
auto_aliases=no
mhomed=yes
listen=udp:203.0.113.10:5060
listen=tcp:203.0.113.10:5060
listen=udp:192.168.10.1:5060
listen=tcp:192.168.10.1:5060
listen=udp:[2001:db8:1::10]:5060
tcp_children=2
tcp_connection_lifetime=600
tcp_connect_timeout=3
tcp_send_timeout=3
alias="edge.test"
server_header="Server: edge"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "maxfwd.so"
loadmodule "siputils.so"
loadmodule "textops.so"
loadmodule "sdpops.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
loadmodule "auth.so"
loadmodule "nathelper.so"
loadmodule "rtpengine.so"
modparam("tm", "fr_timer", {timeout})
modparam("tm", "fr_inv_timer", {ringing})
modparam("registrar", "received_avp", "$avp(received)")
modparam("registrar", "min_expires", 1)
modparam("nathelper", "received_avp", "$avp(received)")
modparam("nathelper", "sipping_bflag", 7)
modparam("nathelper", "natping_interval", 0)
modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:2223")
modparam("rr", "enable_full_lr", 1)
modparam("usrloc", "timer_interval", 1)
modparam("usrloc", "timer_procs", 1)
modparam("auth", "nonce_expire", 300)
request_route {{
    if (!mf_process_maxfwd_header("20")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    if (is_method("OPTIONS") && uri==myself) {{ sl_send_reply("200", "OK"); exit; }}
    {rport}
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (is_method("ACK") && t_check_trans()) {{ t_relay(); exit; }}
        if (loose_route() || !(uri==myself)) {{
            handle_ruri_alias();
            if (is_method("INVITE|UPDATE")) {{ route(NAT); }}
            route(MEDIA);
            {swallow}
            t_on_reply("BACK");
            t_relay();
            exit;
        }}
        if (!is_method("ACK")) sl_send_reply("404", "Not here");
        exit;
    }}
    route(NAT);
    if (is_method("REGISTER")) {{
        {register}
        {contact_of_register}
        save("location");
        exit;
    }}
    {invite}
    {record_route}
    if (uri==myself) {{
        if (!lookup("location")) {{ sl_send_reply("{missing}", "{missing_words}"); exit; }}
    }}
    route(MEDIA);
    t_on_reply("BACK");
    t_relay();
}}
route[NAT] {{
    {nat}
}}
route[MEDIA] {{
    {media}
}}
onreply_route[BACK] {{
    route(NAT);
    {media_back}
}}
"""
WAY = """$var(from) = "wan"; $var(to) = "wan";
    if ($si =~ "^192\\.168\\.10\\.") $var(from) = "lan";
    if ($si =~ ":") $var(from) = "wan6";
    if ($du != $null) {{ $var(next) = $du; }} else {{ $var(next) = $ru; }}
    if ($var(next) =~ "@192\\.168\\.10\\." || $var(next) =~ ":192\\.168\\.10\\.") $var(to) = "lan";
    if ($var(next) =~ "\\[") $var(to) = "wan6";
"""
# A response's own way: rtpengine_manage wants it from the side of the response's sender; the relay keeps the sides of the offer.


def edge_config(*, media="relay", record_route=True, rport=True, nat=True, auth=False, auth_invite=False, missing=404, timeout=4000, ringing=6000,
                swallow="", forbidden=False, cgnat=True, private_contact=False, extra_invite="", register=""):
    """`media`: "relay", "direct" or "natted" (a relay for who is behind a NAT)."""
    way = WAY.replace("{{", "{").replace("}}", "}")
    detect = 'nat_uac_test("19")' if cgnat else '(nat_uac_test("16") || $ct =~ "@(10|192\\.168)\\." )'
    if not cgnat:
        detect = '($sel(contact.uri.host) =~ "^(10|192\\.168)\\." && !($si =~ "^192\\.168\\.10\\."))'
    else:
        detect = f"({detect} && !($si =~ \"^192\\.168\\.10\\.\"))"
    manage = f"if (has_body(\"application/sdp\")) {{ {way} rtpengine_manage(\"direction=$var(from) direction=$var(to) replace-origin replace-session-connection\"); }} else if (is_method(\"BYE\")) rtpengine_delete();"
    back = 'if (has_body("application/sdp") && status =~ "(1[0-9][0-9])|(2[0-9][0-9])") rtpengine_manage("replace-origin replace-session-connection");'
    relay = media == "relay"
    return CONFIG.format(
        timeout=timeout, ringing=ringing, rport="force_rport();" if rport else "", swallow=swallow,
        register='if (!pv_www_authenticate("edge.test", "secret", "0")) { www_challenge("edge.test", "1"); exit; }' if auth else register,
        contact_of_register="",
        invite=("if (is_method(\"INVITE\")) { sl_send_reply(\"403\", \"Forbidden\"); exit; }" if forbidden else "") + extra_invite +
               ('if (is_method("INVITE") && !pv_proxy_authenticate("edge.test", "secret", "0")) { proxy_challenge("edge.test", "1"); exit; } consume_credentials();'
                if auth_invite else ""),
        record_route="record_route();" if record_route else "",
        missing=missing, missing_words={404: "Not Found", 480: "Temporarily Unavailable"}[missing],
        nat=f"if ({detect}) {{ if (is_method(\"REGISTER\") && $rs == $null) fix_nated_register(); else {'' if private_contact else 'set_contact_alias()'}; }}" if nat else "return;",
        media=manage if relay else "return;", media_back=back if relay else "return;")


class NeedsScript(Exception):
    """The case makes the relay do what a real one does not do on demand."""


class Recording:
    """tcpdump at one place."""

    def __init__(self, clinic, name, host, interface, words="", snap=8192):
        self.name, self.host, self.interface = name, host, interface
        self.path = clinic.folder / f"{name}.pcap"
        self.program = host.start("tcpdump", "tcpdump", "-Z", "root", "-U", "-n", "--immediate-mode", "-B", "8192", "-s", str(snap), "-i", interface, "-w", self.path, *([words] if words else []))

    def stop(self):
        marker = b"the end of the recording"
        raw = self.host.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        raw.sendto(captures.udp_packet("127.0.0.1:5060", "127.0.0.1:5060", marker), ("lo" if self.interface == "any" else self.interface, 0x0800, 0, 0, b"\xff" * 6))
        raw.close()
        lab.wait_until(lambda: marker in self.path.read_bytes()[-4000:], "tcpdump to have written everything")
        self.program.signal(signal.SIGINT)
        self.program.wait_exit()


class Clinic:
    """The places:  LAN 192.168.10.0/24 - edge - Internet (two prefixes, one router, one wire) - NAT a (198.51.100.7, 10.0.1.0/24), NAT k
    (203.0.113.77, 10.0.3.0/24), carrier NAT (198.51.100.9, 100.64.5.0/24) - home NAT (100.64.5.2, 192.168.1.0/24)."""

    def __init__(self, net, folder):
        self.net, self.folder = net, pathlib.Path(folder)
        self.wan, self.lan = net.segment("wan"), net.segment("lan")
        self.home, self.far, self.cell, self.flat = (net.segment(n) for n in ("home", "far", "cell", "flat"))
        self.inet = net.host("inet").attach("eth0", self.wan, "198.51.100.1/24", "203.0.113.1/24", "2001:db8:1::1/64", "2001:db8:2::1/64", "fe80::1/64")
        for key in ("ip_forward", "conf.all.send_redirects", "conf.eth0.send_redirects", "conf.all.rp_filter", "conf.eth0.rp_filter"):
            self.inet.sysctl(f"net.ipv4.{key}", int(key == "ip_forward"))
        self.inet.sysctl("net.ipv6.conf.all.forwarding", 1)
        self.inet.ip("route", "add", "blackhole", "default")
        self.inet.sysctl("net.ipv4.icmp_ratelimit", 0)
        self.inet.nft("table ip r { chain f { type filter hook forward priority 0; ip daddr { 10.0.0.0/8, 192.168.0.0/16, 100.64.0.0/10, 172.16.0.0/12 } drop; }; }")
        self.edge = net.host("edge").attach("wan0", self.wan, f"{EDGE}/24", f"{EDGE_V6}/64").attach("lan0", self.lan, f"{EDGE_LAN}/24")
        self.edge.default_route("203.0.113.1")
        self.edge.ip("-6", "route", "add", "default", "via", "2001:db8:1::1")
        self.hosts, self.nats = {}, {}
        self.nats["a"] = self._nat("nat-a", self.home, "10.0.1.1/24", "198.51.100.7/24", self.wan, "198.51.100.1")
        self.nats["k"] = self._nat("nat-k", self.far, "10.0.3.1/24", "203.0.113.77/24", self.wan, "203.0.113.1")
        self.nats["c"] = self._nat("nat-c", self.cell, "100.64.5.1/24", "198.51.100.9/24", self.wan, "198.51.100.1")
        self.nats["h"] = self._nat("nat-h", self.flat, "192.168.1.1/24", "100.64.5.2/24", self.cell, "100.64.5.1")
        for name, segment, address, gate in (
                ("alice", self.home, "10.0.1.21", "10.0.1.1"), ("klaus", self.home, "10.0.1.22", "10.0.1.1"), ("kim", self.far, "10.0.3.44", "10.0.3.1"),
                ("flo", self.flat, "192.168.1.20", "192.168.1.1"), ("bob", self.wan, "198.51.100.21", "198.51.100.1"),
                ("carol", self.wan, "198.51.100.33", "198.51.100.1"), ("gate", self.wan, "203.0.113.60", "203.0.113.1"),
                ("anna", self.lan, "192.168.10.21", EDGE_LAN), ("bernd", self.lan, "192.168.10.22", EDGE_LAN), ("stun", self.wan, STUN[0], "203.0.113.1")):
            self.hosts[name] = net.host(name).attach("eth0", segment, f"{address}/24").default_route(gate)
        self.hosts["gate"].ip("addr", "add", "203.0.113.61/24", "dev", "eth0")
        self.hosts["gate"].ip("addr", "add", "192.0.2.61/32", "dev", "lo")
        for name, address in (("sven", "2001:db8:2::21"), ("sara", "2001:db8:1::66")):
            self.hosts[name] = net.host(name).attach("eth0", self.wan, f"{address}/64")
            self.hosts[name].ip("-6", "route", "add", "default", "via", address.split("::")[0] + "::1")
        self.recordings, self.program, self.scripted_relay, self.media = [], None, None, []
        self.phones = {}

    def _nat(self, name, inside, inner, outer, outside, gate):
        host = self.net.host(name).attach("in0", inside, inner).attach("out0", outside, outer).default_route(gate)
        host.sysctl("net.ipv4.ip_forward", 1)
        host.outer, host.inner = outer.split("/")[0], inner.split("/")[0]
        host.sysctl("net.ipv4.icmp_ratelimit", 0)
        self.set_nat(host, "symmetric")
        return host

    def set_nat(self, host, kind, inner_host=None, hairpin=False):
        """"symmetric", "preserving", or "cone" with its inner host."""
        mapping = {"symmetric": "masquerade fully-random", "preserving": "masquerade", "cone": "masquerade"}[kind]
        inward = f'chain pre {{ type nat hook prerouting priority dstnat; iifname "out0" udp dport 1024-65535 dnat to {inner_host}; }}' if kind == "cone" else ""
        gate = 'iifname "out0" accept;' if kind == "cone" else ""
        host.nft(f"""table ip nat
        delete table ip nat
        table ip nat {{
            chain post {{ type nat hook postrouting priority srcnat; oifname "out0" meta l4proto {{ tcp, udp }} {mapping}; oifname "out0" masquerade; }}
            {inward}
        }}
        table ip gate
        delete table ip gate
        table ip gate {{
            chain forward {{ type filter hook forward priority 0; policy drop; iifname "in0" accept; ct state established,related accept; {gate} }}
            chain input {{ type filter hook input priority 0; iifname "out0" ct state new drop; }}
        }}""")

    def forget(self, host, *words):
        """A NAT that forgets: all UDP, or as conntrack's words say."""
        host.run("conntrack", "-D", *(words or ("-p", "udp")))

    # --- one consultation

    @property
    def relay(self):
        """The scripted one, to give it a fault."""
        if RELAY == "rtpengine":
            raise NeedsScript
        return self.scripted_relay

    def start_edge(self, **options):
        folder = self.folder / "kamailio"
        folder.mkdir(exist_ok=True)
        (folder / "kamailio.cfg").write_text(edge_config(**options))
        if options.get("media", "relay") == "relay":
            sides = {"lan": EDGE_LAN, "wan": EDGE, "wan6": EDGE_V6}
            if RELAY == "rtpengine":
                relay_nodes.Rtpengine(self.edge, {side: [address] for side, address in sides.items()}).start()
            else:
                self.scripted_relay = ng_relay.Relay(self.edge, sides)
        self.program = self.edge.start("kamailio", "kamailio", "-DD", "-E", "-f", folder / "kamailio.cfg", "-w", folder, "-Y", folder, "-m", "32", "-M", "4")

    async def edge_ready(self, **options):
        self.start_edge(**options)
        for _ in range(300):
            if len([e for e, _ in self.edge.sockets() if e.endswith(":5060")]) >= 3:
                return
            if self.program.process.poll() is not None:
                break
            await asyncio.sleep(0.05)
        raise lab.Failure("kamailio does not listen: " + self.program.output[-3000:])

    def record(self, *places):
        """Each "caller=alice:eth0" or "edge=edge:any"."""
        for place in places:
            name, _, rest = place.partition("=")
            host, _, interface = rest.partition(":")
            found = {"edge": self.edge, "wan": self.wan, "inet": self.inet, **self.hosts, **{f"nat-{k}": v for k, v in self.nats.items()}}[host]
            self.recordings.append(Recording(self, name, found, interface))
        for one in self.recordings[-len(places):]:
            one.program.wait_line("listening on")

    def phone(self, name, **options):
        host = self.hosts[name]
        server = options.pop("server", None) or (LAN_SERVER if host.address.startswith("192.168.10.") else V6_SERVER if ":" in host.address else SERVER)
        made = scripted.Phone(host, options.pop("user", name), server, **options)
        self.phones[name] = made
        return made

    def stream(self, name, port=16384, **options):
        made = scripted_media.Media(self.hosts[name], port, **options)
        self.media.append(made)
        return made

    def begin_again(self, words="", snap=8192):
        """What was recorded until now is forgotten. `words`: tcpdump's filter. `snap`: so many bytes of each packet are kept."""
        for one in self.recordings:
            one.program.signal(signal.SIGINT)
            one.program.wait_exit()
        self.recordings = [Recording(self, one.name, one.host, one.interface, words, snap) for one in self.recordings]
        for one in self.recordings:
            one.program.wait_line("listening on")

    def finish(self):
        for one in self.media:
            one.stop()
        time.sleep(0.1)
        for one in self.recordings:
            one.stop()
        done, self.recordings = self.recordings, []
        return done


class StunServer:
    """Answers binding requests (RFC 8489)."""

    def __init__(self, host):
        self.socket = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(STUN)
        self.socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self.socket, self._answer)

    def _answer(self):
        request, source = self.socket.recvfrom(2048)
        number = struct.unpack("!I", socket.inet_aton(source[0]))[0] ^ 0x2112A442
        value = struct.pack("!BBHI", 0, 1, source[1] ^ 0x2112, number)
        self.socket.sendto(struct.pack("!HHI", 0x0101, 4 + len(value), 0x2112A442) + request[8:20] + struct.pack("!HH", 0x20, len(value)) + value, source)


async def own_address(media):
    """What the STUN server says of a media socket."""
    loop = asyncio.get_running_loop()
    loop.remove_reader(media.rtp)
    try:
        await loop.sock_sendto(media.rtp, struct.pack("!HHI", 1, 0, 0x2112A442) + os.urandom(12), STUN)
        answer = await asyncio.wait_for(loop.sock_recv(media.rtp, 2048), 2)
    finally:
        loop.add_reader(media.rtp, media._hear, media.rtp, True)
    port, number = struct.unpack("!HI", answer[26:32])
    return socket.inet_ntoa(struct.pack("!I", number ^ 0x2112A442)), port ^ 0x2112


def explanations(*paths):
    done = subprocess.run([lab.PROGRAMS / "natclassify", "--config", "/dev/null", "--explain", "--format", "json", *paths], capture_output=True, text=True, timeout=120)
    return [r for r in map(json.loads, done.stdout.splitlines()) if r["type"] == "explanation"]
