#!/usr/bin/env python3
"""natclassify -i: what passes an interface, explained while it reads; privileges are gone by then."""
import json
import pathlib
import signal
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
from captures import message, sdp

PROGRAM = lab.PROGRAMS / "natclassify"
A, B = "127.0.0.1:5070", "127.0.0.1:5080"


def send(host, source, destination, payload):
    sender = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.0.0.1", int(source.split(":")[1])))
    sender.sendto(payload, ("127.0.0.1", int(destination.split(":")[1])))
    sender.close()


def a_call_on_an_interface(net):
    host = net.host("host")
    host.ip("link", "set", "lo", "up")
    for interface in ("lo", "any"):
        program = host.start(f"natclassify {interface}", PROGRAM, "--config", "/dev/null", "--explain", "--format", "json", "-i", interface)
        status = pathlib.Path(f"/proc/{program.process.pid}/status")

        def dropped():
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines())
            return int(fields["CapEff"], 16) == 0 and (fields["Uid"].split()[0] != "0" or fields["NoNewPrivs"] == "1")
        lab.wait_until(dropped, "natclassify to open the interface and to give its privileges up")
        vias = [A + ";branch=z9hG4bK1"]
        send(host, A, B, message(f"INVITE sip:b@{B} SIP/2.0", vias=vias, contact=A, body=sdp("127.0.0.1", 4000)))
        send(host, B, A, message("SIP/2.0 200 OK", vias=vias, to_tag="b", contact=B, body=sdp("127.0.0.1", 4002)))
        for step in range(5):
            send(host, "127.0.0.1:4000", "127.0.0.1:4002", bytes([0x80, 0, 0, step]) + bytes(168))
        send(host, A, B, message(f"BYE sip:b@{B} SIP/2.0", vias=vias, to_tag="b", cseq="2 BYE"))
        if interface == "lo":
            program.wait_line('"explanation"')  # about 10 s after its end
        program.signal(signal.SIGINT)
        program.wait_exit()
        explanations = [r for r in map(json.loads, program.output.splitlines()) if r["type"] == "explanation"]
        lab.require(len(explanations) == 1 and explanations[0]["streams"][0]["to_callee"]["arrived_packets"] == 5,
                    f"{interface}: {explanations}")


def refused(net):
    host = net.host("host")
    done = subprocess.run([PROGRAM, "-i", "nowhere"], capture_output=True, text=True, timeout=30, check=False)
    lab.require(done.returncode == 2 and "no interface 'nowhere'" in done.stderr, f"{done.returncode}: {done.stderr}")
    host.ip("link", "set", "lo", "up")
    done = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", PROGRAM, "-i", "lo"], capture_output=True, text=True, timeout=30,
                          check=False)
    if done.returncode != 2:  # inside a user namespace the bounding set cannot be emptied everywhere
        lab.require("setpriv" in done.stderr, f"{done.returncode}: {done.stderr}")
        return
    lab.require("no right to capture on 'lo'" in done.stderr and "sudo" in done.stderr and "tcpdump" in done.stderr, done.stderr)


if __name__ == "__main__":
    lab.main(a_call_on_an_interface, refused)
