"""A site of others: Kamailio as Debian has it, with the rtpengine or the rtpproxy module, media relays beside it, and scripted phones on
its LAN, on the Internet, and behind NATs of two kinds. Nothing of natkit's but the relay."""
import asyncio
import re
import socket
import time

import kamailio
import lab
import relay_nodes
import scripted
import scripted_media
from media import rtp
from scripted_media import description

EDGE, EDGE_LAN, EDGE_V6 = "203.0.113.10", "192.168.10.1", "2001:db8::10"
SIDES = {"wan": [EDGE, EDGE_V6], "lan": [EDGE_LAN]}

CONFIG = """
debug={debug}
log_stderror=yes
children=2
auto_aliases=no
mhomed=yes
listen=udp:203.0.113.10:5060
listen=udp:192.168.10.1:5060
listen=udp:[2001:db8::10]:5060
alias="edge.test"
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
loadmodule "nathelper.so"
{modules}
modparam("tm", "fr_timer", 3000)
modparam("tm", "fr_inv_timer", 10000)
modparam("rr", "enable_full_lr", 1)
modparam("nathelper|registrar", "received_avp", "$avp(received)")
modparam("nathelper", "natping_interval", 0)
modparam("registrar", "append_branches", 1)
modparam("usrloc", "timer_procs", 0)
request_route {{
    if (!mf_process_maxfwd_header("20")) {{ sl_send_reply("483", "Too Many Hops"); exit; }}
    force_rport();
    if (is_method("CANCEL")) {{
        if (t_check_trans()) {{ {cancel} t_relay(); }}
        exit;
    }}
    if (has_totag()) {{
        if (loose_route()) {{
            handle_ruri_alias();
            if (is_method("INVITE|UPDATE") && nat_uac_test("19") && !($si =~ "^192\\.168\\.10\\.")) set_contact_alias();
            {in_dialog}
            route(RELAY);
        }}
        if (is_method("ACK") && t_check_trans()) t_relay();
        if (!is_method("ACK")) sl_send_reply("404", "Not here");
        exit;
    }}
    if (nat_uac_test("19") && !($si =~ "^192\\.168\\.10\\.")) {{
        if (is_method("REGISTER")) fix_nated_register(); else set_contact_alias();
    }}
    if (is_method("REGISTER")) {{ save("location"); exit; }}
    record_route();
    {before}
    if (uri==myself && !lookup("location")) {{ sl_send_reply("404", "Not Found"); exit; }}
    {first}
    route(RELAY);
}}
route[RELAY] {{
    if (is_method("INVITE|BYE|UPDATE")) t_on_branch("BRANCH");
    if (is_method("INVITE|UPDATE|PRACK")) t_on_reply("REPLY");
    if (is_method("INVITE")) t_on_failure("FAILURE");
    t_relay();
    exit;
}}
route[WAY] {{
    $var(from) = "wan"; $var(to) = "wan"; $var(family) = "";
    if ($si =~ "^192\\.168\\.10\\.") $var(from) = "lan";
    if ($du != $null) {{ $var(next) = $du; }} else {{ $var(next) = $ru; }}
    if ($var(next) =~ "[@:]192\\.168\\.10\\.") $var(to) = "lan";
    if (is_request()) {{
        if ($var(next) =~ "\\[") {{ $var(family) = "address-family=IP6"; }} else {{ $var(family) = "address-family=IP4"; }}
    }}
}}
route[MEDIA] {{
    {prepare}
    if (is_request()) {{ {media} }} else {{ {media_back} }}
}}
branch_route[BRANCH] {{
    {branch}
    return;
}}
onreply_route[REPLY] {{
    if (nat_uac_test("65") && !($si =~ "^192\\.168\\.10\\.")) set_contact_alias();
    {reply}
    return;
}}
failure_route[FAILURE] {{
    {failure}
    return;
}}
"""


def rtpengine(*controls, tries=5, wait_ms=1000, disabled=60):
    """The module, with its nodes."""
    return f"""loadmodule "rtpengine.so"
modparam("rtpengine", "rtpengine_sock", "{' '.join(controls)}")
modparam("rtpengine", "rtpengine_retr", {tries})
modparam("rtpengine", "rtpengine_tout_ms", {wait_ms})
modparam("rtpengine", "rtpengine_disable_tout", {disabled})
modparam("rtpengine", "setid_default", 0)"""


def rtpproxy(*controls, tries=5):
    return f"""loadmodule "rtpproxy.so"
modparam("rtpproxy", "rtpproxy_sock", "{' '.join(controls)}")
modparam("rtpproxy", "rtpproxy_retr", {tries})
modparam("rtpproxy", "rtpproxy_tout", 1)
modparam("rtpproxy", "rtpproxy_disable_tout", 3)"""


USUAL = "replace-origin replace-session-connection ICE=remove trust-address"
BETWEEN = USUAL + " direction=$var(from) direction=$var(to) $var(family)"  # of requests: a reply has none


def managed(flags, *, back=USUAL, at="request", before="", answers="[12][0-9][0-9]", deletes=True, prepare="", module="rtpengine"):
    """rtpengine_manage(), or rtpproxy_manage(), as configurations have it: in the request's route, once a call, or in the branch's, as the configuration that
    comes with Kamailio has it."""
    there = "route(WAY); route(MEDIA);"
    return {
        "prepare": prepare, "media": f'{module}_manage("{flags}");', "media_back": f'{module}_manage("{back}");', "before": before,
        "cancel": "" if at == "branch" else f"{module}_manage();",
        "in_dialog": 'if (is_method("ACK")) { route(WAY); route(MEDIA); }' if at == "branch" else there,
        "first": "" if at == "branch" else there, "branch": there if at == "branch" else "",
        "reply": f'if (status =~ "{answers}") {{ {there} }}', "failure": f"{module}_manage();" if deletes else ""}


class Site:
    """LAN 192.168.10.0/24 – edge – Internet 203.0.113.0/24, 2001:db8::/64; behind a symmetric NAT 10.0.1.0/24, behind one that preserves
    ports and lets in whom was spoken to 10.0.3.0/24."""

    def __init__(self, net):
        kamailio.needed()
        self.net, self.media, self.hosts, self.phones = net, [], {}, {}
        self.lan, self.wan, self.home, self.far = (net.segment(n) for n in ("lan", "wan", "home", "far"))
        self.edge = net.host("edge").attach("wan0", self.wan, f"{EDGE}/24", f"{EDGE_V6}/64").attach("lan0", self.lan, f"{EDGE_LAN}/24")
        net.nat("nat-a", "symmetric", self.home, "10.0.1.1/24", self.wan, "203.0.113.20/24")
        net.nat("nat-k", "port-restricted", self.far, "10.0.3.1/24", self.wan, "203.0.113.21/24")
        self.nodes, self.proxy = [], None

    PLACES = {"anna": ("lan", "192.168.10.21/24"), "bernd": ("lan", "192.168.10.22/24"), "bob": ("wan", "203.0.113.31/24"),
              "carol": ("wan", "203.0.113.32/24"), "dave": ("wan", "203.0.113.33/24"), "erik": ("wan", "203.0.113.34/24"), "sven": ("wan", "2001:db8::21/64"),
              "alice": ("home", "10.0.1.21/24"), "klaus": ("home", "10.0.1.22/24"), "kim": ("far", "10.0.3.44/24")}

    def host(self, name):
        if name not in self.hosts:
            segment, address = self.PLACES[name]
            self.hosts[name] = self.net.host(name).attach("eth0", getattr(self, segment), address)
            gate = {"home": "10.0.1.1", "far": "10.0.3.1"}.get(segment)
            if gate:
                self.hosts[name].default_route(gate)
        return self.hosts[name]

    def node(self, **options):
        made = relay_nodes.node(self.edge, SIDES, number=len(self.nodes), **options)
        self.nodes.append(made)
        return made

    def start_proxy(self, modules, routes):
        self.config = CONFIG.format(modules=modules, debug=1, **routes)
        self.again()

    def again(self):
        folder = self.net.folder / "kamailio"
        folder.mkdir(exist_ok=True)
        (folder / "kamailio.cfg").write_text(self.config)
        self.proxy = self.edge.start("kamailio", "kamailio", "-DD", "-E", "-f", folder / "kamailio.cfg", "-w", folder, "-Y", folder, "-m", "32", "-M", "4")

        def listens():
            lab.require(self.proxy.process.poll() is None, "kamailio ended: " + self.proxy.output[-2000:])
            return len([e for e, _ in self.edge.sockets() if e.endswith(":5060")]) >= 3
        lab.wait_until(listens, "kamailio to listen")

    def with_rtpengine(self, flags=BETWEEN, node_keys="", **how):
        """A node, and the proxy in front of it."""
        self.node(keys=node_keys).start()
        options = {key: how.pop(key) for key in ("tries", "wait_ms", "disabled") if key in how}
        self.start_proxy(rtpengine(*(one.control for one in self.nodes), **options), managed(flags, **how))
        return self

    def with_rtpproxy(self, flags, **how):
        self.node(rtpproxy=True).start()
        self.start_proxy(rtpproxy(*(one.control for one in self.nodes)), managed(flags, module="rtpproxy", **how))
        return self

    # --- phones

    async def phone(self, name, user=None, port=5060):
        """Registered, with a stream of audio."""
        if (name, port) in self.phones:
            return self.phones[name, port]
        host = self.host(name)
        server = {"lan": EDGE_LAN}.get(self.PLACES[name][0], EDGE_V6 if ":" in host.address else EDGE)
        made = scripted.Phone(host, user or name, (server, 5060), port)
        done = await made.register()
        lab.require(done is not None and done.status == 200, f"{name}: REGISTER: {done and done.start}")
        made.audio = self.stream(name, 16384 + 100 * (port - 5060))
        self.phones[name, port] = made
        return made

    def stream(self, name, port, **options):
        made = scripted_media.Media(self.host(name), port, **options)
        made.reports = False
        self.media.append(made)
        return made

    def all_gone(self):
        for one in self.nodes:
            one.wait_gone()

    def quiet(self):
        for one in self.media:
            one.stop()


class Plain:
    """A UDP port of a party; what it heard. For streams that are not audio."""

    def __init__(self, site, name, port):
        self.host, self.heard = site.host(name), []
        self.address, self.port = self.host.address, port
        self.socket = self.host.socket(socket.AF_INET6 if ":" in self.address else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((self.address, port))
        self.socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self.socket, self._hear)
        site.net.on_close(self.socket.close)

    def _hear(self):
        try:
            self.heard.append(self.socket.recv(65535))
        except OSError:
            pass

    def send(self, to, payload):
        try:
            self.socket.sendto(payload, to)
        except OSError:
            pass


async def exchange(a, to_a, b, to_b, what, seconds=5.0):
    """Each sends until the other has heard it: `to_a` is where a was told to send. RTP, or of a fax any bytes."""
    mine, yours = (what.encode() + by if what == "fax" else rtp(1, payload=what.encode() + by) for by in (b" from a", b" from b"))
    end = time.monotonic() + seconds
    while mine not in b.heard or yours not in a.heard:
        lab.require(time.monotonic() < end, f"{what}: heard by {a.host.name}: {yours in a.heard}, by {b.host.name}: {mine in b.heard}")
        a.send(to_a, mine), b.send(to_b, yours)
        await asyncio.sleep(0.05)


# --- calls

async def gone(site):
    """Nothing is held any more; the loop goes on meanwhile."""
    await asyncio.to_thread(site.all_gone)


async def dial(a, b, offer=None, *, user=None, more=()):
    """(the caller's end, its INVITE on the way, the callee's end)"""
    out = a.dial(user or b.user)
    dialling = asyncio.create_task(out.invite(description(a.audio.address, a.audio.port) if offer is None else offer, more))
    inc = await b.incoming()
    return out, dialling, inc


async def call(a, b, offer=None, answer=None, speak=True, **options):
    """Established, both speak, unless told not to. (the caller's end, the callee's end)"""
    out, dialling, inc = await dial(a, b, offer, **options)
    inc.respond(180)
    accepting = asyncio.create_task(inc.accept(answer or description(b.audio.address, b.audio.port)))
    if speak:
        b.audio.start(inc.told)
    final = await dialling
    lab.require(final is not None and final.status == 200, f"INVITE: {final and final.start}")
    if speak:
        a.audio.start(out.told)
    lab.require(await accepting, "no ACK")
    return out, inc


async def hear_each_other(*audio, count=15, seconds=8.0):
    """Each of the streams hears so many packets more, those of the other one, from where it was told to send."""
    a, b = audio
    marks = a.heard, b.heard
    end = time.monotonic() + seconds
    while a.heard < marks[0] + count or b.heard < marks[1] + count or a.heard_ssrc != b.ssrc or b.heard_ssrc != a.ssrc:
        lab.require(time.monotonic() < end, f"of {count} packets {a.address}:{a.port} heard {a.heard - marks[0]}, {b.address}:{b.port} {b.heard - marks[1]} "
                    f"(they send to {a.to} and {b.to})")
        await asyncio.sleep(0.02)
    for one in audio:
        lab.require(one.heard_from == one.to, f"{one.address} hears from {one.heard_from}, and sends to {one.to}")


async def change(end, body, way="INVITE"):
    """An offer within the call, and its answer: what both are told is in their `told`."""
    final = await (end.invite(body) if way == "INVITE" else end.update(body))
    lab.require(final is not None and final.status == 200, f"{way}: {final and final.start}")
    if way == "UPDATE":
        end.said = body


def with_direction(text, way):
    return re.sub(r"a=(sendrecv|sendonly|recvonly|inactive)\r\n", "", text) + f"a={way}\r\n"


async def silent(stream, seconds=0.5, slack=0.15):
    """The stream hears nothing for so long, after what was on the way."""
    await asyncio.sleep(slack)
    mark = stream.heard
    await asyncio.sleep(seconds)
    lab.require(stream.heard == mark, f"{stream.address}:{stream.port} heard {stream.heard - mark} packets")


async def hang_up(end, other=None):
    final = await end.bye()
    lab.require(final is not None and final.status == 200, f"BYE: {final and final.start}")
    if other is not None:
        await asyncio.wait_for(other.over.wait(), 3)
    end.phone.audio.stop()
    if other is not None:
        other.phone.audio.stop()


def ours(text, *sides):
    """Whether a description names the edge alone: its address on one of these sides, or on any."""
    addresses = [address for side in sides or SIDES for address in SIDES[side]]
    return scripted_media.Described(text).address in addresses


def port_of(text):
    return scripted_media.Described(text).port


def in_loop(test):
    """A test that is a coroutine function of a Site, as lab.main() takes it."""
    def run(net):
        asyncio.run(_within(test, net))
    run.__name__ = test.__name__
    return run


async def _within(test, net):
    site = Site(net)
    try:
        await asyncio.wait_for(test(site), 90)
    except TimeoutError:
        raise lab.Failure("the test waits, for longer than a minute and a half") from None
    finally:
        site.quiet()
