#!/usr/bin/env python3
"""`natclassify | sdprewrite --relay` in front of a running mediarelay: a call's offer and answer name its legs, media passes
through them both ways, and after BYE nothing is left."""
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev")) / "bin"
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import message, sdp  # noqa: E402

# Loopback stands for the LAN here, or the relay would refuse to send there.
CONFIG = """
[network]
lan = ["127.0.0.0/8"]
[media_proxy]
ports = "21000-21099"
[media_proxy.addresses]
lan = ["127.0.0.1"]
wan = ["127.0.0.1"]
[control]
metrics = ""
"""


def record(source, destination, content):
    return json.dumps({"type": "sip", "transport": "udp", "source": source, "destination": destination, "message": content.decode()}) + "\n"


def media_of(text):
    return re.search(r"c=IN IP4 (\S+)", text)[1], int(re.search(r"m=audio (\d+)", text)[1])


def main():
    for program in ("mediarelay", "natclassify", "sdprewrite"):
        if not (BIN / program).exists():
            print(f"skipped: {program} is not built")
            sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "natkit.toml"
        config.write_text(CONFIG)
        relay = subprocess.Popen([BIN / "mediarelay", "serve", "--config", config, "--runtime", folder], stdout=subprocess.DEVNULL)
        try:
            check(folder, config)
        finally:
            relay.terminate()
            relay.wait(10)


def check(folder, config):
    control = pathlib.Path(folder) / "mediarelay.sock"
    deadline = time.monotonic() + 10
    while not control.exists():
        if time.monotonic() > deadline:
            sys.exit("mediarelay did not start")
        time.sleep(0.05)
    a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for phone in (a, b):
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
    via, two = ["127.0.0.1:5070;branch=z9hG4bK1"], "127.0.0.1"
    lines = [record("127.0.0.1:5070", "127.0.0.1:5080", message("INVITE sip:b@x SIP/2.0", vias=via, contact="127.0.0.1:5070", body=sdp(two, a.getsockname()[1]))),
             record("127.0.0.1:5080", "127.0.0.1:5070", message("SIP/2.0 200 OK", vias=via, to_tag="b", body=sdp(two, b.getsockname()[1]))),
             record("127.0.0.1:5070", "127.0.0.1:5080", message("BYE sip:b@x SIP/2.0", vias=via, to_tag="b", cseq="2 BYE"))]
    pipe = subprocess.Popen(f"{BIN}/natclassify --config {config} --format json | {BIN}/sdprewrite --config {config} --relay {control}", shell=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(line):
        pipe.stdin.write(line)
        pipe.stdin.flush()
        return json.loads(pipe.stdout.readline())

    def legs():
        listed = subprocess.run([BIN / "mediarelay", "list", "--runtime", folder, "--format", "json"], capture_output=True, text=True, check=True)
        return [line for line in listed.stdout.splitlines() if '"leg"' in line]

    offer, answer = ask(lines[0]), ask(lines[1])
    to_b, to_a = media_of(offer["message"]), media_of(answer["message"])
    assert to_b != to_a and 21000 <= to_b[1] <= 21099 and 21000 <= to_a[1] <= 21099, (to_b, to_a)
    assert [edit["reason"] for edit in offer["rewrite"]] == ["port of the stream"] or offer["rewrite"], offer
    packet = bytes([0x80, 0, 0, 1]) + bytes(8)
    for _ in range(2):
        a.sendto(packet + b"from a", to_a)
        b.sendto(packet + b"from b", to_b)
    assert b.recv(2000).endswith(b"from a") and a.recv(2000).endswith(b"from b")
    assert len(legs()) == 2, legs()
    assert "rewrite" not in ask(lines[2])
    assert not legs(), legs()
    pipe.stdin.close()
    rest = [json.loads(line) for line in pipe.stdout]
    assert [record["type"] for record in rest] == ["decision"], rest
    assert pipe.wait(10) == 0
    print("offer and answer name the relay, media passes both ways, BYE frees both legs")


main()
