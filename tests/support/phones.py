"""Phones that are not ours: baresip, driven over its control connection, linphonec, and SIPp with scenarios of our own."""
import functools
import json
import math
import os
import pathlib
import queue
import re
import socket
import struct
import threading
import time
import wave

import lab

SCENARIOS = pathlib.Path(__file__).resolve().parents[1] / "e2e/scenarios"
BARESIP_MODULES = next((p for p in ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules") if os.path.isdir(p)),
                       "/usr/lib/baresip/modules")


def write_tone(path, hertz, seconds=60):
    """A mono WAV of 8 kHz. The tone wavers, so that no two packets of a minute are alike."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(_tone(hertz, seconds))


@functools.cache
def _tone(hertz, seconds):
    """Half a million sines: once a process, as a busy machine takes seconds for them."""
    turn, samples = 2 * math.pi / 8000, range(8000 * seconds)
    return struct.pack(f"<{len(samples)}h", *[int(9000 * math.sin(turn * (hertz + n / 1000) * n)) for n in samples])


class Baresip:
    """One baresip with one account. Registers at once unless told not to; sends no keepalives of its own."""

    def __init__(self, host, user, proxy, domain="example.com", answer="manual", register=True, tone=440, port=5060,
                 password="secret", expires=3600, name=None, transport="udp"):
        self.host, self.user, self.aor = host, user, f"sip:{user}@{domain}"
        self.name = name or user
        self.own = f"[{host.address}]:" if ":" in host.address else f"{host.address}:"
        self.tap, self._since = host.lab.tap(host), 0.0
        folder = host.lab.folder / f"baresip-{self.name}"
        folder.mkdir()
        tone_file = host.lab.folder / f"tone-{tone}.wav"
        if not tone_file.exists():
            write_tone(tone_file, tone)
        modules = ("g711", "aufile", "ctrl_tcp", "account", "menu", "rtcpsummary")
        (folder / "config").write_text("\n".join([
            f"module_path {BARESIP_MODULES}", *(f"module{'_app' if m in ('menu', 'ctrl_tcp', 'account') else ''} {m}.so" for m in modules),
            f"sip_listen {self.own}{port}", f"net_interface {host.interfaces[0]}", "ctrl_tcp_listen 127.0.0.1:4444",
            f"audio_source aufile,{tone_file}", "audio_player aufile,none", "audio_alert aufile,none",
            f"audio_path {folder}", "ausrc_srate 8000", "auplay_srate 8000", "ausrc_channels 1", "auplay_channels 1",
            "rtp_ports 10000-10999", "rtcp_mux no", "call_max_calls 4", "call_local_timeout 60", "jitter_buffer_delay 1-5", ""]))
        (folder / "accounts").write_text(
            f'<{self.aor};transport={transport}>;outbound="sip:{proxy};transport={transport}";auth_pass={password};answermode={answer};'
            f"regint={expires if register else 0};audio_codecs=PCMU/8000/1;ptime=20\n")
        (folder / "contacts").write_text("")
        (folder / "uuid").write_text("00000000-0000-4000-8000-000000000000\n")
        self.program = host.start(f"baresip {self.name}", "baresip", "-6" if ":" in host.address else "-4", "-f", folder)
        self.events, self._answers, self._token = queue.Queue(), {}, 0
        self._answered = threading.Condition()
        self._control = lab.wait_until(self._connect, f"{self.name}'s control connection")
        threading.Thread(target=self._listen, daemon=True).start()
        if register:
            self.program.wait_line(r"200 OK .*\[\d+ bindings?\]")  # its event may come before the control connection
        # What happens before it has accepted that connection it tells nobody, and a busy machine may put a first call before.
        self.command("reginfo")

    def _connect(self):
        lab.require(self.program.process.poll() is None, f"{self.name}: baresip ended: {self.program.output[-500:]}")
        connection = self.host.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.connect(("127.0.0.1", 4444))
            return connection
        except OSError:
            connection.close()
            return None

    def _listen(self):
        """Netstrings of JSON: answers and events."""
        kept = b""
        while True:
            try:
                more = self._control.recv(65536)
            except OSError:
                return
            if not more:
                return
            kept += more
            while (found := re.match(rb"(\d+):", kept)) and len(kept) > found.end() + int(found[1]):
                message = json.loads(kept[found.end():found.end() + int(found[1])])
                kept = kept[found.end() + int(found[1]) + 1:]
                if message.get("event"):
                    self.events.put(message)
                else:
                    with self._answered:
                        self._answers[message.get("token")] = message
                        self._answered.notify_all()

    def command(self, command, params="", seconds=lab.PATIENCE):
        self._token += 1
        token = str(self._token)
        text = json.dumps({"command": command, "params": params, "token": token}).encode()
        self._control.sendall(b"%d:%s," % (len(text), text))
        with self._answered:
            lab.require(self._answered.wait_for(lambda: token in self._answers, seconds), f"{self.name}: no answer to {command}")
            return self._answers.pop(token)

    def wait_event(self, *types, seconds=lab.PATIENCE):
        """The next event of one of these types (others before it are passed over)."""
        end = time.monotonic() + seconds
        seen = []
        while True:
            try:
                event = self.events.get(timeout=max(0.001, end - time.monotonic()))
            except queue.Empty:
                raise lab.Failure(f"{self.name}: waited {seconds:g} s in vain for {' or '.join(types)}; came: {seen}") from None
            if event["type"] in types:
                return event
            seen.append(event["type"] + (f"({event['param']})" if event.get("param") else ""))

    def forget(self):
        """Events and audio until now no longer count: a new call begins."""
        self._since = time.time()
        while not self.events.empty():
            self.events.get_nowait()

    def dial(self, uri):
        answer = self.command("dial", uri)
        lab.require(answer.get("ok", True), f"{self.name}: dial {uri}: {answer}")

    def accept(self):
        return self.command("accept")

    def hangup(self):
        return self.command("hangup")

    def heard(self):
        """RTP datagrams that reached this phone in this call."""
        return [d for d in self.tap.rtp() if d.time >= self._since and d.destination.startswith(self.own)]

    def said(self):
        return [d for d in self.tap.rtp() if d.time >= self._since and d.source.startswith(self.own)]

    def stop(self):
        """As a power cut does: no un-REGISTER."""
        self.program.kill()


class Linphone:
    """One linphonec with one account, registered at once. It takes its commands from a pipe and says what happens in words; answers
    to what the tests ask of a Baresip. Its host needs a default route. It plays its tone when a call is up."""

    EVENTS = {"CALL_INCOMING": r"(?i)receiving new incoming call|is contacting you", "CALL_ESTABLISHED": r"(?i)call \d+ with .* connected",
              "CALL_CLOSED": r"(?i)call \d+ with .* ended|call \d+ with .* error"}

    def __init__(self, host, user, proxy, domain="example.com", tone=440, password="secret", expires=3600, transport="udp"):
        self.host, self.user, self.name, self.aor = host, user, user, f"sip:{user}@{domain}"
        self.own, self.tap, self._since = f"{host.address}:", host.lab.tap(host), 0.0
        folder = host.lab.folder / f"linphone-{user}"
        folder.mkdir()
        self._tone = host.lab.folder / f"tone-{tone}.wav"
        if not self._tone.exists():
            write_tone(self._tone, tone)
        ports = {"udp": (5060, 0), "tcp": (0, 5060)}[transport]
        (folder / "rc").write_text("\n".join([
            "[sip]", f"sip_port={ports[0]}", f"sip_tcp_port={ports[1]}", "sip_tls_port=0", "use_ipv6=0", "default_proxy=0", "verify_server_certs=0",
            "[rtp]", "audio_rtp_port=11000", "[net]", "firewall_policy=0", "[video]", "enabled=0", "capture=0", "display=0",
            "[proxy_0]", f"reg_proxy=<sip:{proxy};transport={transport}>", f"reg_route=<sip:{proxy};transport={transport};lr>",
            f"reg_identity={self.aor}", f"reg_expires={expires}", "reg_sendregister=1", "publish=0",
            "[auth_info_0]", f"username={user}", f"userid={user}", f"passwd={password}", f"realm={domain}", f"domain={domain}", ""]))
        (folder / ".local/share/linphone").mkdir(parents=True)  # without it no socket is opened
        os.mkfifo(folder / "commands")
        self._commands = os.open(folder / "commands", os.O_RDWR)
        host.lab.on_close(lambda: os.close(self._commands))
        self.program = host.start(f"linphonec {user}", "sh", "-c", f"exec stdbuf -oL linphonec -c {folder}/rc -d 0 <{folder}/commands",
                                  env={"HOME": str(folder), "TERM": "dumb"}, cwd=folder)
        lab.wait_until(self._registered, f"{user} to be registered")
        self.command("soundcard use files")

    def _registered(self):
        self.command("status register")
        time.sleep(0.2)
        return re.search(r"(?m)^(?:linphonec> ?)?registered, identity=", self.program.output)

    def command(self, text):
        os.write(self._commands, text.encode() + b"\n")

    def wait_event(self, *types, seconds=lab.PATIENCE):
        """The next of these events; its line."""
        found = self.program.wait_line("|".join(self.EVENTS[one] for one in types), seconds)
        if "CALL_ESTABLISHED" in types:
            self.command(f"play {self._tone}")
        return found

    def forget(self):
        self._since = time.time()

    def dial(self, uri):
        self.command(f"call {uri}")

    def accept(self):
        self.command("answer")

    def hangup(self):
        self.command("terminate")

    heard, said = Baresip.heard, Baresip.said

    def stop(self):
        self.program.kill()


def call(caller, callee, uri=None, seconds=lab.PATIENCE):
    """caller calls, callee answers (itself, or here), both are established."""
    caller.forget()
    callee.forget()
    caller.dial(uri or callee.aor)
    try:
        callee.wait_event("CALL_INCOMING", seconds=seconds)
    except lab.Failure as failure:
        raise lab.Failure(f"{failure}; {caller.name} said: {caller.program.output[-600:]}") from None
    callee.accept()
    caller.wait_event("CALL_ESTABLISHED", seconds=seconds)
    callee.wait_event("CALL_ESTABLISHED", seconds=seconds)


def hear_each_other(a, b, packets=50, seconds=lab.PATIENCE):
    """Waits until either phone received that many packets which the other one sent, payload for payload."""
    for ear, mouth in ((a, b), (b, a)):
        lab.wait_until(lambda ear=ear, mouth=mouth: lab.same_audio(mouth.said(), ear.heard()) >= packets,
                       lambda ear=ear, mouth=mouth: f"{packets} packets from {mouth.name} heard at {ear.name} "
                       f"(sent {len(mouth.said())}, came {len(ear.heard())})", seconds)


def hang_up(a, b, seconds=lab.PATIENCE):
    a.hangup()
    b.wait_event("CALL_CLOSED", seconds=seconds)


def sipp(host, scenario, *options, name=None, remote=None, port=5060, media_port=20000, calls=1, seconds=120, audio_port=None, media_ip=None, sdp=""):
    """Starts SIPp in a host with one of our scenarios; one that is to be called (without `remote`) listens when this returns. Its session descriptions have a line `sdp` more, and `audio_port`
    (at `media_ip`), where somebody else speaks for it: SIPp itself holds media_port."""
    file = SCENARIOS / f"{scenario}.xml" if isinstance(scenario, str) else scenario
    if sdp or audio_port or media_ip:
        text, file = file.read_text(), host.lab.folder / f"{host.name}-{scenario}.xml"
        text = text.replace("[media_port]", str(audio_port or "[media_port]")).replace("[media_ip]", media_ip or "[media_ip]")
        file.write_text(text.replace("a=rtpmap:0 PCMU/8000\n", f"a=rtpmap:0 PCMU/8000\n{sdp}\n" if sdp else "a=rtpmap:0 PCMU/8000\n"))
    argv = ["sipp", "-sf", file, "-i", host.address, "-p", port, "-m", calls, "-mp", media_port,
            "-nostdin", "-timeout", f"{seconds}s", "-timeout_error", "-trace_err", "-error_file",
            host.lab.folder / f"sipp-{name or scenario}-errors.log", *options]
    if remote:
        argv.append(remote)
    started = host.start(f"sipp {name or scenario}", *argv, env={"TERM": "dumb"})
    if not remote:
        protocol = "tcp" if "t1" in options else "udp"
        lab.wait_until(lambda: any(e.endswith(f":{port}") for e, _ in host.sockets(protocol)) or started.process.poll() is not None,
                       f"{started.name} to listen")
    return started


def heard_of(ear, mouth):
    return lab.same_audio(mouth.said(), ear.heard())


def more_audio(a, b, packets=40):
    """Both ways, counted from now on."""
    before = {(ear.name, mouth.name): heard_of(ear, mouth) for ear, mouth in ((a, b), (b, a))}
    for ear, mouth in ((a, b), (b, a)):
        lab.wait_until(lambda ear=ear, mouth=mouth: heard_of(ear, mouth) >= before[ear.name, mouth.name] + packets,
                       f"{packets} more packets from {mouth.name} at {ear.name}")


def hold_and_resume(a, b, wan):
    """By `a`, until both hear each other again; `wan` is a tap where the hold must be seen."""
    before = len(wan.sip())
    a.command("hold")
    lab.wait_until(lambda: any("a=sendonly" in text for _, text in wan.sip()[before:]), "the hold to reach the WAN")
    a.command("resume")
    more_audio(a, b)
