#!/usr/bin/env python3
"""What cannot work is said clearly, with exit status 2, and nothing is left behind: no process, no socket, no file."""
import pathlib
import re
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import site_of_phones as sites

NOT_ROOT = ["setpriv", "--bounding-set=-net_bind_service,-dac_override,-dac_read_search", "--inh-caps=-all"]


def refused(site, pattern, *prefix):
    """Runs natkit, which must refuse with a message that fits."""
    program = site.edge.start("natkit", *prefix, lab.PROGRAMS / "natkit", "run", "--config", site.config)
    status = program.wait_exit()
    lab.require(status == 2, f"exit status {status}; it said: {program.output}")
    lab.require(re.search(pattern, program.output), f"no {pattern!r} in: {program.output}")
    lab.require("Sanitizer" not in program.output and "terminate called" not in program.output, program.output)
    lab.wait_until(lambda: not sites.natkit_processes(), f"no process to be left: {sites.natkit_processes()}")
    left = [p.relative_to(site.folder).as_posix() for p in site.folder.rglob("*") if p.is_socket()]
    lab.require(not left, f"left behind: {left}")
    lab.require(not [e for e, _ in site.edge.sockets() if e.endswith(":5060")], "a SIP socket is left")
    site.net.programs.remove(program)


def bad_configuration(net):
    site = sites.Site(net)
    cases = [  # why, changes, what it must say
        ("not an address", {"network": {"lan": '["192.168.10.0/33"]'}}, r"natkit\.toml:\d+:\d+: \[network\] lan: .*192\.168\.10\.0/33"),
        ("unknown key, with what was meant", {"sip": {"domain": '["example.com"]'}}, r"natkit\.toml:\d+:\d+: \[sip\] domain: .*domains"),
        ("a number where a duration is wanted", {"pinger": {"udp_interval": "25"}}, r"natkit\.toml:\d+:\d+: \[pinger\] udp_interval: "),
        ("ports upside down", {"media_proxy": {"ports": '"30000-20000"'}}, r"natkit\.toml:\d+:\d+: \[media_proxy\] ports: "),
    ]
    for why, changes, pattern in cases:
        site.write_config(**changes)
        try:
            refused(site, pattern)
        except lab.Failure as failure:
            raise lab.Failure(f"{why}: {failure}") from None
    site.config.write_text("[network\n")
    refused(site, r"natkit\.toml:1:\d+: ")
    site.config.unlink()
    refused(site, r"natkit\.toml: .*[Nn]o such file")


def port_in_use(net):
    site = sites.Site(net)
    site.write_config()
    with site.edge.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((sites.WAN_EDGE, 5061))
        site.write_config(sip={"listen": f'["udp:{sites.LAN_EDGE}:5060", "udp:{sites.WAN_EDGE}:5061"]'})
        refused(site, r"203\.0\.113\.10:5061.*in use")


def already_running(net):
    """A second natkit on the same configuration refuses, and the first one is not disturbed."""
    site = sites.Site(net).start()
    before = {worker: site.pid(worker) for worker in ("natkit", *sites.WORKERS)}
    second = site.edge.start("second natkit", lab.PROGRAMS / "natkit", "run", "--config", site.config)
    lab.require(second.wait_exit() == 2, f"exit status {second.process.returncode}; it said: {second.output}")
    lab.require(re.search(r"runs already|in use", second.output), f"it said: {second.output}")
    lab.require({worker: site.pid(worker) for worker in before} == before, "the first one was disturbed")


def missing_right(net):
    site = sites.Site(net)
    site.write_config(sip={"listen": f'["udp:{sites.WAN_EDGE}:506"]'})
    refused(site, r"203\.0\.113\.10:506\b.*([Pp]ermission denied|right)", *NOT_ROOT)
    closed = site.folder / "closed"
    closed.mkdir(mode=0o500)
    site.write_config(control={"socket": '"closed/run/natkit.sock"'})
    refused(site, r"closed/run.*([Pp]ermission denied|right)", *NOT_ROOT)
    site.write_config(registrar={"state": '"sqlite:closed/state.db"'})
    refused(site, r"closed/state\.db", *NOT_ROOT)


def stopping_leaves_nothing(net):
    site = sites.Site(net).start()
    lab.require(site.natkit.stop() == 0, f"exit status {site.natkit.process.returncode}")
    lab.wait_until(lambda: not sites.natkit_processes(), f"no process to be left: {sites.natkit_processes()}")
    left = [p.name for p in site.runtime.iterdir() if p.is_socket()]
    lab.require(not left, f"left behind: {left}")
    lab.require(not [e for e, _ in site.edge.sockets() if e.endswith(":5060")], "a SIP socket is left")


if __name__ == "__main__":
    lab.main(bad_configuration, port_in_use, already_running, missing_right, stopping_leaves_nothing)
