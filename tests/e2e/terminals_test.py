#!/usr/bin/env python3
"""What natkit shows of what others have sent, on every kind of terminal: nothing of it steers one, and whatever ends the live view, the
terminal is as it was. In natkit's place there is one who says the worst."""
import json
import os
import pathlib
import re
import signal
import socketserver
import sys
import termios
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from terminal import Terminal

NATKIT = lab.PROGRAMS / "natkit"
EVIL = "evil\x1b]0;title\x07\x1b[31m\u009b31m\u202e\x7f\r\n名前é"
SEEN = "evil?]0;title??[31m?31m????名前é"


class Natkit:
    """The control socket of a natkit whose every word is evil."""

    def __init__(self, net):
        self.enter = []
        self.config = net.folder / "natkit.toml"
        socket = net.folder / "natkit.sock"
        self.config.write_text(f'[control]\nsocket = "{socket}"\n')
        party = {"source": EVIL, "place": EVIL, "why": EVIL, "rule": EVIL}
        quality = {"packets": 90, "lost": 10, "jitter_ms": 12.34, "audio": EVIL}
        call = {"type": "call", "call_id": EVIL, "from": EVIL, "to": EVIL, "state": EVIL, "why": EVIL, "duration_s": 3700.5, "a": party, "b": party,
                "relayed_streams": 1, "relay": True, "quality": quality, "streams": [{"stream": EVIL, "a": {"said": EVIL}, "b": {"learned": EVIL}}]}
        client = {"type": "client", "id": EVIL, "aor": EVIL, "flow": {"remote": EVIL}, "place": EVIL, "why": EVIL, "expires_ms": 5000,
                  "user_agent": EVIL, "contact": EVIL}
        says = {"status": {"state": EVIL, "uptime_s": 75, "pid": 1, "calls": 1, "clients": 1, "degraded": [EVIL], "listen": [EVIL],
                           "no_address": [EVIL], "components": [{"name": EVIL, "state": EVIL, "fast_path": {"on": False, "why": EVIL}}]},
                "calls": {"calls": [call]}, "clients": {"clients": [client]},
                "reload": {"changes": [{"key": EVIL, "before": EVIL, "after": EVIL}], "opened": [EVIL], "closed": [EVIL]},
                "settings-versions": {"versions": [{"version": 1, "time": EVIL, "who": EVIL, "client": EVIL, "summary": EVIL, "state": EVIL}]},
                "settings": {"file": EVIL, "writable": False, "why_not": EVIL, "hash": "x",
                             "sections": [{"guide": EVIL, "settings": [{"section": EVIL, "key": EVIL, "value": EVIL}]}]},
                "settings-preview": {"diff": EVIL, "problems": [{"where": EVIL, "message": EVIL}], "effects": {}}}

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    request = json.loads(line)
                    said = says.get(request["cmd"])
                    reply = {"ok": said} if said else {"error": {"code": "refused", "message": EVIL}}
                    self.wfile.write(json.dumps({"id": request["id"], **reply}).encode() + b"\n")

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

        self.server = Server(str(socket), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def terminal_of(natkit, *words, **how):
    return Terminal(natkit, NATKIT, *(words or ["top"]), "--config", natkit.config, **how)


def require_no_order(what, said):
    """Beyond what ncurses itself sends: no title, no C1, no mark that turns the direction."""
    text = said.decode()
    lab.require(not re.search("[\u0080-\u009f\u202e]", text) and "\x07" not in text and "\x1b]" not in text, f"{what} steers the terminal: {said!r}")


def every_list(net):
    """In a line of text as in JSON: what others have sent is shown, and is no order."""
    natkit = Natkit(net)
    for words in (["status"], ["calls"], ["clients"], ["reload", "--dry-run"], ["settings", "show"], ["settings", "versions"],
                  ["settings", "set", "--dry-run", "pinger.max_failures", "3"], ["hangup", "x"], ["clients", "--remove", "x"], ["drain"]):
        for form in ("text", "json"):
            terminal = terminal_of(natkit, *words, "--format", form)
            status = terminal.process.wait(lab.PATIENCE)
            said = terminal.ended(status)
            what = f"natkit {' '.join(words)} --format {form}"
            require_no_order(what, said)
            lab.require(b"\x1b" not in said and b"\x7f" not in said and b"evil" in said, f"{what}: {said!r}")
            if form == "text" and words[0] != "settings":
                lab.require(SEEN in said.decode(), f"{what}: {said!r}")
    done = lab.sh(NATKIT, "calls", "--format", "json", "--config", natkit.config)
    lab.require(json.loads(done)["from"] == EVIL, f"JSON is another value: {done}")


def top_on_many_terminals(net):
    """What each kind of terminal knows is enough; one that is none gets one look."""
    natkit = Natkit(net)
    for term in ("xterm-256color", "xterm", "linux", "screen", "tmux-256color", "vt100", "vt220"):
        for rows, columns in ((10, 40), (24, 80), (60, 200)):
            terminal = terminal_of(natkit, rows=rows, columns=columns, term=term)
            lines = terminal.see(r"(?s)2 Clients 1\b.*q quits")
            lab.require("natkit evil?" in lines[0] and "q quits" in lines[-1], f"{term}: {lines}")
            if columns == 200:
                shown = "\n".join(terminal.see("1:01:40 .* 10.0 % +12.3 ms"))
                lab.require(SEEN in shown and "degraded: evil" in shown, f"{term}: {shown}")
            for page in "213":
                terminal.type(page)
                terminal.see({"1": "FROM +TO", "2": "CLIENT", "3": "sessions -"}[page])
            require_no_order(term, terminal.bytes)
            terminal.type("q")
            terminal.ended()
    # One look, and why, where nothing can be drawn.
    for term, why in (("dumb", "a terminal that cannot be drawn on"), ("nonsense", "which ncurses does not know here"), ("", "TERM is not set")):
        said = terminal_of(natkit, term=term).ended()
        lab.require(why.encode() in said and b"this is one look" in said and b"clients 1" in said and b"\x1b" not in said, f"{term}: {said}")
    # Names of UTF-8 where the locale is none, and where it is another.
    for locale in ("C", ""):
        terminal = terminal_of(natkit, rows=60, columns=200, environment={"LC_ALL": locale, "LANG": ""})
        lab.require("名前é" in "\n".join(terminal.see("degraded: evil")), f"locale {locale!r}")
        terminal.type("q")
        terminal.ended()


def whatever_ends_it(net):
    """A fault of its own and each signal leave the terminal in order."""
    natkit = Natkit(net)
    for number, status in ((signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGABRT, -signal.SIGABRT),
                           (signal.SIGSEGV, -signal.SIGSEGV), (signal.SIGQUIT, -signal.SIGQUIT)):
        terminal = terminal_of(natkit, environment={"ASAN_OPTIONS": "handle_segv=0:handle_abort=0"})
        terminal.see("natkit evil")
        os.kill(terminal.process.pid, number)
        said = terminal.ended(status)
        lab.require(said.rfind(b"\x1b[?1049l") > said.rfind(b"\x1b[?1049h") and b"\x1b[?25h" in said.rsplit(b"\x1b[?25l")[-1],
                    f"{number}: the screen stays {said[-200:]!r}")
    terminal = terminal_of(natkit)
    terminal.see("natkit evil")
    terminal.type("\x03")
    terminal.ended()
    # What Ctrl-Z does gives the terminal back; this one is nobody's job, so that it goes on at once, and draws again.
    terminal = terminal_of(natkit)
    terminal.see("(?s)natkit evil.*q quits")
    terminal.bytes = b""
    os.kill(terminal.process.pid, signal.SIGTSTP)
    terminal.receive(rb"(?s)\x1b\[\?1049l.*\x1b\[\?1049h")
    terminal.see("natkit evil")
    terminal.type("q")
    terminal.ended()


def a_job_of_a_shell(net):
    """Ctrl-Z gives the shell its terminal; in the foreground again it draws anew."""
    natkit = Natkit(net)
    shell = Terminal(natkit, "bash", "--norc", "-i", rows=40, columns=120, environment={"PS1": "READY> "})
    shell.see("READY>")
    for _ in range(3):
        shell.type(f"{lab.PROGRAMS / 'natkit'} top --config {natkit.config}\n")
        shell.see("(?s)natkit evil.*q quits")
        shell.type("\x1a")
        shell.see("Stopped")
        shell.screen.reset()
        shell.type("fg\n")
        shell.see("(?s)natkit evil.*q quits")
        shell.type("q")
        shell.see("READY>")
        shell.screen.reset()
        shell.type("\n")
        shell.see("READY>")


def a_password_that_is_not_typed(net):
    """Who gives up at a prompt for a password sees again what is typed."""
    natkit = Natkit(net)
    natkit.config.write_text(natkit.config.read_text() + f'[web]\nusers = "{net.folder}/users"\n')
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        terminal = terminal_of(natkit, "web", "passwd", "alice")
        terminal.see("Password of alice:")
        lab.wait_until(lambda: not termios.tcgetattr(terminal.slave)[3] & termios.ECHO, "no echo")
        os.kill(terminal.process.pid, number)
        terminal.ended(-number)


if __name__ == "__main__":
    lab.main(every_list, top_on_many_terminals, whatever_ends_it, a_job_of_a_shell, a_password_that_is_not_typed)
