#!/usr/bin/env python3
"""The settings changed while natkit runs: tried dry, made, undone unless confirmed within a minute, an older version brought
back; and no byte of the file changes but those of the value."""
import hashlib
import itertools
import json
import os
import pathlib
import signal
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import site_of_phones
from site_of_phones import natkit

NATKIT = lab.PROGRAMS / "natkit"
numbers = itertools.count(1)
LIMIT = 60  # seconds in which a change has to be confirmed
HEAD = """# The edge of the office.  \t
[x-unknown]          # kept as it is
"odd key" = [1, {a = 2}]
"""


def start(net):
    """A site whose file has comments in odd places; natkit warns of the unknown section, so it is a comment here."""
    site = site_of_phones.Site(net)
    site.write_config()
    text = site.config.read_text()
    text = text.replace('lan = ["192.168.10.0/24"]', 'lan   = [ "192.168.10.0/24", # the office\n  # homes\n]   # end')
    site.config.write_text("".join(f"# {line}\n" for line in HEAD.splitlines()) + text + "# the last line, without a break")
    site.natkit = site.edge.start("natkit", NATKIT, "run", "--config", site.config)
    site.wait_up()
    return site


def reply_to(site, command, **parameters):
    """Each request has an id of its own: natkit remembers what it has answered."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(lab.PATIENCE)
        connection.connect(str(site.runtime / "natkit.sock"))
        connection.sendall(json.dumps({"id": f"settings-{next(numbers)}", "cmd": command, **parameters}).encode() + b"\n")
        return json.loads(connection.makefile().readline())


def error(site, command, **parameters):
    reply = reply_to(site, command, **parameters)
    lab.require("error" in reply, f"{command} was not refused: {reply}")
    return reply["error"]


def ask(site, command, **parameters):
    reply = reply_to(site, command, **parameters)
    lab.require("ok" in reply, f"{command}: {reply}")
    return reply["ok"]


def setting(shown, section, key):
    return next(one for page in shown["sections"] for one in page["settings"] if (one["section"], one["key"]) == (section, key))


def place(site):
    return site.ask("sipedge", "clients")["clients"][0]["place"]


def a_change_and_its_end(net):
    site = start(net)
    far = site.wan_host()
    site.phone(far, "far")
    lab.wait_until(lambda: site.status()["clients"] == 1, "a client")
    before = site.config.read_text()
    shown = ask(site, "settings")
    lab.require(shown["hash"] == hashlib.sha256(before.encode()).hexdigest() and shown["writable"], str(shown)[:200])
    lab.require([page["name"] for page in shown["sections"]] == ["network", "pinger", "media_proxy", "sip", "registrar"], str(shown))
    servers = setting(shown, "network", "nat_servers")
    lab.require(servers["value"] == [] and not servers["set"] and servers["guide"] == "NAT Server IP Addresses", str(servers))
    lab.require(setting(shown, "network", "lan")["value"] == ["192.168.10.0/24"], "lan is not shown")
    changes = [{"section": "network", "key": "nat_servers", "value": f"{far.address}-{far.address} ; the far office"},
               {"section": "network", "key": "lan", "value": ["192.168.10.0/24", "192.168.77.0/24"]}]
    tried = ask(site, "settings-preview", hash=shown["hash"], changes=changes)
    lab.require("1 registered client of 1 would change place" in tried["effects_text"] and tried["problems"] == [], str(tried))
    lab.require('\n+nat_servers = [\n+    "203.0.113.50-203.0.113.50",  # the far office\n+]\n' in tried["diff"] and '+  "192.168.77.0/24",\n' in tried["diff"], tried["diff"])
    lab.require(site.config.read_text() == before and place(site) == "wan", "a preview has changed something")
    wrong = ask(site, "settings-preview", hash=shown["hash"], changes=[{"section": "pinger", "key": "udp_interval", "value": "1w"}])
    lab.require(wrong["problems"][0]["key"] == "udp_interval" and "natkit.toml:" in wrong["problems"][0]["where"], str(wrong))
    # What is refused changes nothing.
    for words, parameters in (("the file was changed meanwhile", {"hash": "0" * 64, "changes": changes, "by": "s1"}),
                              ("no setting that can be changed", {"hash": shown["hash"], "by": "s1", "changes": [{"section": "registrar", "key": "open", "value": False}]}),
                              ("not a time", {"hash": shown["hash"], "by": "s1", "changes": [{"section": "pinger", "key": "udp_interval", "value": "1w"}]}),
                              ("by is missing", {"hash": shown["hash"], "changes": changes})):
        said = error(site, "settings-apply", **parameters)
        lab.require(words in said["message"], f"{parameters}: {said}")
    lab.require(site.config.read_text() == before, "a refused change has changed the file")
    mode = site.config.stat().st_mode
    # Made, and undone by itself.
    applied = ask(site, "settings-apply", hash=shown["hash"], changes=changes, by="s1", who="anna", client="192.0.2.1")
    after = site.config.read_text()
    lab.require(applied["hash"] == hashlib.sha256(after.encode()).hexdigest() and place(site) == "far-end", f"{applied}: {place(site)}")
    want = before.replace('# homes\n]   # end\n', '# homes\n  "192.168.77.0/24",\n]   # end\nnat_servers = [\n    "203.0.113.50-203.0.113.50",  # the far office\n]\n')
    want = want.replace('# the office\n  # homes\n  "192.168.77.0/24",\n', '# the office\n  "192.168.77.0/24",\n  # homes\n')
    lab.require(after == want, f"other bytes changed:\n{after}")
    lab.require(site.config.stat().st_mode == mode, "the mode has changed")
    lab.require(setting(ask(site, "settings"), "network", "nat_servers")["text"] == "203.0.113.50-203.0.113.50  ; the far office", "its comment is not shown")
    pending = ask(site, "settings", by="s1")["pending"]
    lab.require(pending["who"] == "anna" and pending["yours"] and 0 < pending["seconds_left"] <= LIMIT, str(pending))
    lab.require(ask(site, "status")["unconfirmed_settings"] == pending["version"], "the status does not tell that it waits")
    lab.require('"s1"' not in json.dumps(ask(site, "settings")), "the session's name is told to others")
    lab.require("another session" in error(site, "settings-confirm", by="s2")["message"], "another session confirmed")
    lab.require("waits to be confirmed" in error(site, "settings-apply", hash=applied["hash"], by="s2",
                                                 changes=[{"section": "pinger", "key": "method", "value": "options"}])["message"], "two at once")
    lab.wait_until(lambda: site.config.read_text() == before and place(site) == "wan", "the change to be undone", LIMIT + lab.PATIENCE)
    site.natkit.wait_line(r"settings: anna \(192\.0\.2\.1\) changed network\.lan, network\.nat_servers", again=True)
    site.natkit.wait_line("version 2 by anna is undone: nobody confirmed it")
    lab.require("pending" not in ask(site, "settings"), "it still waits")
    # Again, and confirmed; then the first one is brought back.
    applied = ask(site, "settings-apply", hash=shown["hash"], changes=changes, by="s1", who="anna")
    ask(site, "settings-confirm", by="s1")
    lab.require(error(site, "settings-undo", by="s1")["code"] == "not-found", "undone though confirmed")
    versions = ask(site, "settings-versions")["versions"]
    lab.require([(v["version"], v["state"]) for v in versions] == [(3, "confirmed"), (2, "undone"), (1, "found")], str(versions))
    lab.require(versions[0]["current"] and versions[0]["who"] == "anna", str(versions))
    restored = ask(site, "settings-restore", version=1, hash=applied["hash"], by="s2")
    lab.require(site.config.read_text() == before and place(site) == "wan", "version 1 is not back")
    # Whoever it is may undo it at once.
    ask(site, "settings-undo", by="s3")
    lab.require(site.config.read_text() == after and place(site) == "far-end" and restored["version"] == 4, "not undone")
    site.natkit.stop()


def killed_while_it_waits(net):
    site = start(net)
    site.phone(site.wan_host(), "far")
    lab.wait_until(lambda: site.status()["clients"] == 1, "a client")
    before = site.config.read_text()
    kept = site.folder / "settings/unconfirmed.json"

    def apply():
        shown = ask(site, "settings")
        change = {"section": "network", "key": "nat_servers", "value": "203.0.113.50"}
        ask(site, "settings-apply", hash=shown["hash"], changes=[change], by="s1")
        lab.require(place(site) == "far-end" and kept.exists(), "it did not change")
        site.natkit.kill()

    def start_again():
        site.natkit = site.edge.start("natkit", NATKIT, "run", "--config", site.config)
        site.wait_up()

    # Its time goes on: the next natkit takes the word of the session.
    apply()
    start_again()
    lab.require(ask(site, "settings")["pending"]["seconds_left"] <= LIMIT, "nothing waits")
    ask(site, "settings-undo")
    lab.wait_until(lambda: place(site) == "wan", "the change to be undone")
    # Its time has passed while there was no natkit.
    apply()
    record = json.loads(kept.read_text())
    record["until_ms"] -= 1000 * LIMIT
    kept.write_text(json.dumps(record))
    start_again()
    lab.wait_until(lambda: place(site) == "wan", "the change to be undone at the start")
    lab.require(site.config.read_text() == before and not kept.exists(), "the file is not as before")
    # natkit cannot start with it: it goes at once.
    shown = ask(site, "settings")
    listen = [*setting(shown, "sip", "listen")["value"], f"tcp:{site_of_phones.WAN_EDGE}:5070"]
    ask(site, "settings-apply", hash=shown["hash"], changes=[{"section": "sip", "key": "listen", "value": listen}], by="s1")
    site.natkit.kill()
    for pid in [pid for pids in site_of_phones.natkit_processes().values() for pid in pids]:
        os.kill(pid, signal.SIGKILL)
    lab.wait_until(lambda: not site_of_phones.natkit_processes(), "all programs to be gone")
    other = site.edge.socket(socket.AF_INET, socket.SOCK_STREAM)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    other.bind((site_of_phones.WAN_EDGE, 5070))
    other.listen()
    start_again()
    site.natkit.wait_line("the change of the settings by s1, which nobody confirmed, is undone", again=True)
    lab.require(site.config.read_text() == before and "pending" not in ask(site, "settings"), "the file is not as before")
    other.close()
    site.natkit.stop()


def by_command_line(net):
    site = start(net)
    before = site.config.read_text()
    said = natkit(site, "settings", "--format", "text").stdout
    lab.require("NAT Pinger" in said and "network.nat_servers" in said and "(default)" in said, said)
    said = natkit(site, "settings", "set", "pinger.method", "options", "--dry-run", "--format", "text").stdout
    lab.require('+method = "options"' in said and '[pinger] method: "crlf" → "options"' in said, said)
    lab.require("1w" in natkit(site, "settings", "set", "pinger.udp_interval", "1w", "--dry-run", status=2).stderr, "no problem was told")
    natkit(site, "settings", "set", "pinger.method", "options")
    lab.require('method = "options"' in site.config.read_text(), "nothing was set")
    natkit(site, "settings", "undo")
    lab.require(site.config.read_text() == before, "not undone")
    natkit(site, "settings", "set", "network.nat_servers", "203.0.113.64-203.0.113.79", "198.51.100.7", "--keep")
    lab.require('nat_servers = ["203.0.113.64-203.0.113.79", "198.51.100.7"]\n' in site.config.read_text(), "no list was set")
    natkit(site, "settings", "reset", "network.nat_servers")
    natkit(site, "settings", "confirm")
    lab.require(site.config.read_text() == before, "not reset")
    said = natkit(site, "settings", "versions", "--format", "text").stdout
    lab.require("network.nat_servers" in said and "confirmed" in said and "undone" in said, said)
    natkit(site, "settings", "restore", "3", "--keep")
    lab.require("198.51.100.7" in site.config.read_text(), "version 3 is not back")
    natkit(site, "settings", "set", "daemon.user", "root", status=1)
    natkit(site, "settings", "set", "pinger.method", status=2)
    natkit(site, "settings", "restore", "x", status=2)
    # At most twenty are kept.
    for number in range(22):
        natkit(site, "settings", "set", "pinger.clients_limit", str(100 + number), "--keep")
    versions = ask(site, "settings-versions")["versions"]
    lab.require(len(versions) == 20 and versions[0]["version"] == 27, str(versions))
    site.natkit.stop()


def read_only(net):
    """On a file system that natkit may not write."""
    site = site_of_phones.Site(net)
    site.write_config(control={"socket": f'"{site.runtime}/natkit.sock"'}, registrar={"state": f'"sqlite:{site.folder}/state.db"'})
    folder = site.folder / "etc"
    folder.mkdir()
    site.config = site.config.rename(folder / "natkit.toml")
    lab.sh("mount", "--bind", folder, folder)
    lab.sh("mount", "-o", "remount,bind,ro", folder)
    site.natkit = site.edge.start("natkit", NATKIT, "run", "--config", site.config)
    site.wait_up()
    shown = ask(site, "settings")
    lab.require(not shown["writable"] and "ead-only file system" in shown["why_not"], str(shown)[:300])
    said = error(site, "settings-apply", hash=shown["hash"], by="s1", changes=[{"section": "pinger", "key": "method", "value": "options"}])
    lab.require(said["message"].startswith("read only: "), str(said))
    lab.require("read only: " in natkit(site, "settings", "--format", "text").stdout, "it is not said")
    site.natkit.stop()
    lab.sh("umount", folder)


if __name__ == "__main__":
    lab.main(a_change_and_its_end, killed_while_it_waits, by_command_line, read_only)
