#!/usr/bin/env python3
"""Phones that ask for no rport (RFC 3581): one that sends from another port than it listens on is answered where it listens, registers
and is called; one whose NAT's ALG has made its Via public, and where nobody listens at that port, is answered where it sends from."""
import pathlib
import select
import socket
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import raw_sip
import site_of_phones as sites


class OldPhone(raw_sip.Party):
    """Speaks from a port of its own; hears at `heard`, "via" or "source", and nowhere else. Repeats a request as RFC 3261 says."""

    def __init__(self, host, edge, user, heard="via"):
        super().__init__(host, edge, user=user)
        self.mouth = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.mouth.bind((host.address, 49152))
        self.ear = self.socket
        if heard == "source":
            self.socket.close()
            self.ear = self.socket = self.mouth

    def send(self, text):
        address, _, port = self.edge.partition(":")
        text = text.replace(";rport", "")
        self.mouth.sendto(text.encode(), (address, int(port or 5060)))
        return text

    def ask(self, text, seconds=lab.PATIENCE, copies=False):
        self.copies = 0
        end, wait = time.monotonic() + seconds, 0.5
        while time.monotonic() < end:
            self.send(text)
            self.copies += 1
            if select.select([self.ear], [], [], wait)[0]:
                return self.wait(r"SIP/2\.0 [2-6]", seconds)
            wait = min(2 * wait, 4)
        raise lab.Failure(f"{self.user}: no answer in {seconds} s")


def is_called(site, caller, old):
    caller.send(caller.request("MESSAGE", f"sip:{old.user}@example.com", cseq=5))
    got = old.wait(r"MESSAGE ")
    old.answer(got, 200)
    caller.wait(r"SIP/2\.0 200")


def registers_and_is_called(net):
    site = sites.Site(net).start()
    caller = raw_sip.Party(site.lan_host(), sites.LAN_EDGE, user="carol")
    for host, edge, user in ((site.lan_host(), sites.LAN_EDGE, "cisco"), (site.wan_host(), sites.WAN_EDGE, "older")):
        old = OldPhone(host, edge, user)
        lab.require(old.register().startswith("SIP/2.0 200"), f"{user} cannot register")
        lab.require(old.copies == 1, f"{user} had to say it {old.copies} times")
        is_called(site, caller, old)
    alg = OldPhone(site.wan_host(), sites.WAN_EDGE, "alg", heard="source")
    lab.require(alg.register().startswith("SIP/2.0 200"), "behind an ALG: cannot register")
    lab.require(alg.copies == 2, f"behind an ALG: said {alg.copies} times")
    is_called(site, caller, alg)
    lab.require(alg.register(cseq=3).startswith("SIP/2.0 200") and alg.copies == 1, f"not remembered: {alg.copies} times")


if __name__ == "__main__":
    lab.main(registers_and_is_called)
