#!/usr/bin/env python3
"""mediarelay under what natkit.service gives it, and nothing else: user, capabilities, filter of system calls, read-only /proc/sys and
/sys, after its ExecStartPre as root. Each tier works there; without the capabilities everything works on plain sockets; the programs
that do not relay have not got them."""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import flow_site
import lab
import site_of_phones
from media import Edge, Peer

UNIT = lab.SOURCE / "tools/natkit/natkit.service"
LAUNCH = [sys.executable, "-B", lab.SOURCE / "tests/support/under_unit.py", UNIT, "nobody"]
PHONE, PEER = "192.168.10.5", "203.0.113.50"
NETWORK_RIGHTS = 1 << 12 | 1 << 13 | 1 << 39  # CAP_NET_ADMIN, CAP_NET_RAW, CAP_BPF


def for_nobody(net):
    """Where nobody may read and write."""
    lab.sh("chmod", "755", net.folder)
    runtime = net.folder / "run"
    runtime.mkdir(mode=0o700, exist_ok=True)
    lab.sh("chown", "nobody", runtime)


def prepare(host, config):
    done = host.run(lab.PROGRAMS / "natkit", "prepare-host", "--config", config, "--user", "nobody")
    lab.require(done.returncode == 0, f"prepare-host: {done.returncode} {done.stderr}")
    lab.require(host.run("cat", "/proc/sys/net/ipv4/ip_local_reserved_ports").stdout == "20000-20999\n", "the ports are not reserved")
    for family in ("ipv4", "ipv6"):
        lab.require(host.run("cat", f"/proc/sys/net/{family}/conf/lo/forwarding").stdout == "1\n", f"{family}: lo.forwarding")
    lab.require(host.run("cat", "/proc/sys/net/ipv4/ip_forward").stdout == "0\n", "the host forwards")


class Site(Edge):
    def __init__(self, net, **options):
        super().__init__(net, **options)
        self.phone = net.host("phone").attach("eth0", self.lan, PHONE + "/24")
        self.other = net.host("peer").attach("eth0", self.wan, PEER + "/24")
        self.host.sysctl("net.ipv4.ip_forward", 0)
        for_nobody(net)

    def start(self, without=""):
        self.program = self.host.start("mediarelay", *LAUNCH, lab.PROGRAMS / "mediarelay", "serve", "--config", self.config,
                                       "--runtime", self.runtime, env={"NATKIT_WITHOUT": without})
        self.program.wait_line("serving on")
        self.talk = self.control()

    def relays(self, promoted):
        a, b = Peer(self.phone, PHONE, 4000), Peer(self.other, PEER, 6000)
        made = self.talk.ask("relay", call_id="one", a={"party": {"endpoint": a.endpoint}}, b={"party": {"endpoint": b.endpoint}})
        end, flows = time.monotonic() + (15 if promoted else 1.5), 0
        while time.monotonic() < end and (flows < 2 or not promoted):
            a.speak(made["a"]["local"], 1)
            b.speak(made["b"]["local"], 2)
            lab.require(a.hear(2) and b.hear(2), "not relayed")
            time.sleep(0.02)
            flows = self.talk.ask("status")["fast_flows"]
        lab.require(flows == (2 if promoted else 0), f"{flows} flows: {self.talk.ask('status')['fast_path']}\n{self.program.output}")
        a.socket.close()
        b.socket.close()
        if promoted:
            self.program.kill()
        else:
            self.program.stop()


def each_tier_works(net):
    site = Site(net)
    plain = site.config.read_text()
    # A host must keep ports for itself.
    site.config.write_text(plain.replace("20000-20999", "1024-65535"))
    done = site.host.run(lab.PROGRAMS / "natkit", "prepare-host", "--config", site.config, "--user", "nobody")
    lab.require(done.returncode == 1 and "leave fewer than 1024" in done.stderr, f"{done.returncode} {done.stderr}")
    site.config.write_text(plain)
    prepare(site.host, site.config)
    for keys, promoted in (('fast_path = "off"\nreceive = "sockets"', False), ('fast_path = "off"\nreceive = "auto"', False),
                           ("", True)):
        site.config.write_text(plain.replace("[media_proxy]", f"[media_proxy]\n{keys}"))
        site.start()
        steered = site.talk.ask("status")["receive"]
        lab.require(steered["steered"] == ("sockets" not in keys), f"{keys}: {steered}")
        site.relays(promoted)
    done = site.host.run(lab.PROGRAMS / "natkit", "clean-host", env={"SERVICE_RESULT": "signal"})
    pins = pathlib.Path(flow_site.PINS)
    lab.require(done.returncode == 0 and list(pins.iterdir()), "a crash is cleaned up after, and calls end")
    done = site.host.run(lab.PROGRAMS / "natkit", "clean-host", env={"SERVICE_RESULT": "success"})
    lab.require(done.returncode == 0 and not pins.exists(), f"clean-host: {done.returncode} {done.stderr}")
    left = site.host.run("tc", "filter", "show", "dev", "lan0", "ingress").stdout
    lab.require("natkit" not in left, left)
    # Without the rights.
    site.start(without="CAP_BPF CAP_NET_ADMIN CAP_NET_RAW")
    lab.require(not site.talk.ask("status")["receive"]["steered"], "steered without rights")
    site.relays(False)


def rights(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {name: int(value, 16) for name, value in (line.split(":\t") for line in text.splitlines() if line.startswith("Cap"))}


def only_mediarelay_has_them(net):
    site = site_of_phones.Site(net)
    for path in (net.folder, site.folder):
        lab.sh("chmod", "755", path)
    lab.sh("chown", "-R", "nobody", site.folder)
    site.write_config(media_proxy={"ports": '"20000-20999"'})
    prepare(site.edge, site.config)
    site.natkit = site.edge.start("natkit", *LAUNCH, lab.PROGRAMS / "natkit", "run", "--config", site.config)
    site.wait_up()
    for name in ("mediarelay", "sipedge", "natpinger"):
        for again in (False, True):
            pid = site.pid(name)
            has, want = rights(pid), NETWORK_RIGHTS if name == "mediarelay" else 0
            lab.require(all(has[key] & NETWORK_RIGHTS == want for key in ("CapPrm", "CapEff", "CapAmb")), f"{name}: {has}")
            if not again:
                os.kill(pid, 9)
                lab.wait_until(lambda: [c for c in site.ask("natkit", "status")["components"] if c["name"] == name and
                                        c["state"] == "running" and c["pid"] != pid], f"{name} is back")
                site.wait_up()
    lab.require(site.ask("mediarelay", "status")["fast_path"]["on"], site.natkit.output)
    shown = site.edge.run(lab.PROGRAMS / "natkit", "status", "--config", site.config, "--format", "text").stdout
    lab.require("media steered, fast path 0" in shown, shown)


if __name__ == "__main__":
    flow_site.skip_without_root("e2e.relay_unit")
    lab.main(each_tier_works, only_mediarelay_has_them)
