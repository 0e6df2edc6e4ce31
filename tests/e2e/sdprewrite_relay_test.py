#!/usr/bin/env python3
"""`natclassify | sdprewrite --relay` in front of a running mediarelay: offers and answers name its legs, RTP and TCP media pass
through them, hold, refusals and streams that go do to the legs what they should, and after BYE nothing is left."""
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


A, B = "127.0.0.1:5070", "127.0.0.1:5080"
HOST = "127.0.0.1"


def record(source, destination, content):
    return json.dumps({"type": "sip", "transport": "udp", "source": source, "destination": destination, "message": content.decode()}) + "\n"


def media_of(text, kind="audio"):
    return re.search(r"c=IN IP4 (\S+)", text)[1], int(re.search(rf"m={kind} (\d+)", text)[1])


class Pipe:
    """natclassify | sdprewrite --relay, fed line by line."""

    def __init__(self, folder, config):
        self.folder, self.config = folder, config
        self.control = pathlib.Path(folder) / "mediarelay.sock"
        self.process = subprocess.Popen(f"{BIN}/natclassify --config {config} --format json | {BIN}/sdprewrite --config {config} --relay {self.control}",
                                        shell=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.calls = 0

    def ask(self, line):
        self.process.stdin.write(line)
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def legs(self):
        listed = subprocess.run([BIN / "mediarelay", "list", "--runtime", self.folder, "--format", "json"], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in listed.stdout.splitlines() if '"leg"' in line]

    def close(self, status=0):
        self.process.stdin.close()
        rest = [json.loads(line) for line in self.process.stdout]
        assert {record["type"] for record in rest} == {"decision"}, rest
        assert self.process.wait(60) == status


class Call:
    """The messages of one call between A and B."""

    def __init__(self, pipe):
        pipe.calls += 1
        self.pipe, self.name, self.cseq = pipe, f"call-{pipe.calls}", 1

    def request(self, method, body="", *, sender=A, tag="b", branch="1", cseq=None):
        dialog = {"to_tag": tag} if sender == A else {"from_tag": tag, "to_tag": "a"}
        content = message(f"{method} sip:b@x SIP/2.0", vias=[f"{sender};branch=z9hG4bK{branch}"], call_id=self.name, contact=sender, body=body,
                          cseq=f"{cseq or self.cseq} {method}", **dialog)
        return self.pipe.ask(record(sender, B if sender == A else A, content))

    def response(self, status, body="", *, method="INVITE", tag="b", branch="1"):
        content = message(f"SIP/2.0 {status}", vias=[f"{A};branch=z9hG4bK{branch}"], call_id=self.name, to_tag=tag, body=body, cseq=f"{self.cseq} {method}")
        return self.pipe.ask(record(B, A, content))

    def set_up(self, offer, answer, kind="audio"):
        """Where B and A are told to send, and both messages."""
        out, back = self.request("INVITE", offer, tag=""), self.response("200 OK", answer)
        return media_of(out["message"], kind), media_of(back["message"], kind), out, back

    def again(self, body):
        self.cseq += 1
        return self.request("INVITE", body)

    def end(self):
        self.cseq += 1
        assert "rewrite" not in self.request("BYE")
        assert not self.pipe.legs(), self.pipe.legs()


def same(some, others):
    """The same legs, for the same parties, with the same hold."""
    def told(legs):
        return sorted((leg["leg"], leg["party"]["endpoint"], leg.get("hold", False)) for leg in legs)
    return told(some) == told(others)


def peer():
    phone = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    phone.bind((HOST, 0))
    phone.settimeout(60)
    return phone


def port(phone):
    return phone.getsockname()[1]


def listener():
    server = socket.create_server((HOST, 0))
    server.settimeout(60)
    return server


# --- what is tried

def audio(pipe):
    """Offer and answer name the relay, media passes both ways, and BYE frees both legs."""
    a, b = peer(), peer()
    call = Call(pipe)
    to_b, to_a, offer, _ = call.set_up(sdp(HOST, port(a)), sdp(HOST, port(b)))
    assert to_b != to_a and 21000 <= to_b[1] <= 21099 and 21000 <= to_a[1] <= 21099, (to_b, to_a)
    assert offer["rewrite"], offer
    packet = bytes([0x80, 0, 0, 1]) + bytes(8)
    for _ in range(2):
        a.sendto(packet + b"from a", to_a)
        b.sendto(packet + b"from b", to_b)
    assert b.recv(2000).endswith(b"from a") and a.recv(2000).endswith(b"from b")
    assert len(pipe.legs()) == 2, pipe.legs()
    call.end()


def hold_and_refusal(pipe):
    """Hold by c=0.0.0.0 reaches the relay; an offer that is refused, and a branch that is, leave the call alone."""
    call = Call(pipe)
    call.request("INVITE", sdp(HOST, 4000), tag="", branch="1")
    call.request("INVITE", sdp(HOST, 4000), tag="", branch="2")
    call.response("486 Busy Here", tag="x", branch="1")
    assert len(pipe.legs()) == 2, "the other branch still rings"
    call.response("200 OK", sdp(HOST, 4002), branch="2")
    before = {leg["leg"]: leg for leg in pipe.legs()}
    assert len(before) == 2 and not any(leg.get("hold") for leg in before.values()), before
    held = call.again(sdp("0.0.0.0", 4000))
    assert "c=IN IP4 0.0.0.0" in held["message"], held
    call.response("200 OK", sdp(HOST, 4002))
    assert [leg.get("hold", False) for leg in pipe.legs()].count(True) == 1, pipe.legs()
    held = pipe.legs()
    for status in ("491 Request Pending", "488 Not Acceptable Here"):
        call.again(sdp(HOST, 5000))
        assert any(leg["party"]["endpoint"] == f"{HOST}:5000" for leg in pipe.legs()), pipe.legs()
        call.response(status)
        assert same(pipe.legs(), held), (pipe.legs(), held)
    call.again(sdp(HOST, 5000))
    call.request("CANCEL")
    call.response("487 Request Terminated")
    assert same(pipe.legs(), held), (pipe.legs(), held)
    call.again(sdp(HOST, 4000))
    call.response("200 OK", sdp(HOST, 4002))
    assert same(pipe.legs(), list(before.values())), (pipe.legs(), before)
    call.end()


def bundle(pipe):
    """Streams over one port have one pair of legs; a port each, bundled by the answer, and the second pair goes."""
    def described(*ports):
        streams = "".join(f"m=video {p} RTP/AVP 31\r\na=mid:{i + 1}\r\n" for i, p in enumerate(ports[1:]))
        return sdp(HOST, ports[0], extra="a=mid:0\r\n" + streams).replace("t=0 0\r\n", "t=0 0\r\na=group:BUNDLE 0 1\r\n")
    for offered, legs in (((4000, 4000), 2), ((4000, 4002), 4)):
        call = Call(pipe)
        offer = call.request("INVITE", described(*offered), tag="")
        assert len(pipe.legs()) == legs, pipe.legs()
        assert (media_of(offer["message"]) == media_of(offer["message"], "video")) == (legs == 2), offer
        back = call.response("200 OK", described(4010, 4010))
        assert media_of(back["message"]) == media_of(back["message"], "video"), back
        assert len(pipe.legs()) == 2, pipe.legs()
        call.end()


def names(pipe):
    """A name in c= is not looked up: the message passes unchanged, and no leg is opened for it."""
    mine = Pipe(pipe.folder, pipe.config)
    out = Call(mine).request("INVITE", sdp("media.example.com", 4000), tag="")
    assert "rewrite" not in out and "media.example.com" in out["message"], out
    assert not pipe.legs(), pipe.legs()
    mine.close(1)


def refused(pipe):
    """The last branch that is refused frees the legs; a challenge does not."""
    call = Call(pipe)
    first = call.request("INVITE", sdp(HOST, 4000), tag="")
    call.response("407 Proxy Authentication Required", tag="x")
    call.cseq += 1
    second = call.request("INVITE", sdp(HOST, 4000), tag="", branch="2")
    assert media_of(first["message"]) == media_of(second["message"]), (first, second)
    assert len(pipe.legs()) == 2
    call.response("603 Decline", branch="2")
    assert not pipe.legs(), pipe.legs()


def streams_that_go(pipe):
    """A stream that the answer rejects gives its legs back; a fax in place of audio has others, if it is accepted."""
    video = "m=video {} RTP/AVP 31\r\n"
    call = Call(pipe)
    call.set_up(sdp(HOST, 4000, extra=video.format(4010)), sdp(HOST, 4002, extra=video.format(4012)))
    all_legs = {leg["leg"] for leg in pipe.legs()}
    assert len(all_legs) == 4
    call.again(sdp(HOST, 4000, extra=video.format(0)))
    assert len(pipe.legs()) == 4, "the offer may be refused"
    call.response("200 OK", sdp(HOST, 4002, extra=video.format(0)))
    two = {leg["leg"] for leg in pipe.legs()}
    assert len(two) == 2 and two < all_legs
    fax = sdp(HOST, 4020, kind="image", protocol="udptl", formats="t38")
    call.again(fax)
    call.response("488 Not Acceptable Here")
    assert {leg["leg"] for leg in pipe.legs()} == two, pipe.legs()
    call.again(fax)
    call.response("200 OK", sdp(HOST, 4022, kind="image", protocol="udptl", formats="t38"))
    legs = pipe.legs()
    assert len(legs) == 2 and not {leg["leg"] for leg in legs} & two and {leg["stream"] for leg in legs} == {"udp"}, legs
    call.end()


def relay_forgot(pipe):
    """Legs that the relay has given up are replaced by others when signalling speaks again."""
    call = Call(pipe)
    call.set_up(sdp(HOST, 4000), sdp(HOST, 4002))
    subprocess.run([BIN / "mediarelay", "free", "--runtime", pipe.folder, "--call-id", call.name], check=True, capture_output=True)
    call.again(sdp(HOST, 4000))
    call.response("200 OK", sdp(HOST, 4002))
    assert len(pipe.legs()) == 2 and all(leg.get("joined") for leg in pipe.legs()), pipe.legs()
    call.end()


def through(server, to, meanwhile=lambda: None):
    """A connection to the relay is one with the server that its other party has, and stays so."""
    with socket.create_connection(to, 60) as client:
        client.settimeout(60)
        other, _ = server.accept()
        with other:
            other.settimeout(60)
            for _ in range(2):
                for one, two in ((client, other), (other, client)):
                    one.sendall(b"a few bytes")
                    assert two.recv(100) == b"a few bytes"
                meanwhile()


def t120(pipe):
    """T.120 has no a=setup: who offers listens, and who answers connects."""
    call = Call(pipe)
    with listener() as server:
        data = {"kind": "application", "protocol": "TCP", "formats": "t120"}
        to_b, _, offer, _ = call.set_up(sdp(HOST, port(server), **data), sdp(HOST, 1503, **data), "application")
        assert {leg["stream"] for leg in pipe.legs()} == {"t120"}, pipe.legs()
        assert f"m=application {to_b[1]} TCP t120" in offer["message"], offer
        through(server, to_b)
    call.end()


def bfcp(pipe):
    """What actpass leaves open, the answer decides for both; a later offer may keep the connection."""
    call = Call(pipe)
    with listener() as server:
        data = {"kind": "application", "protocol": "TCP/BFCP", "formats": "*"}
        offer = sdp(HOST, port(server), **data, extra="a=setup:actpass\r\na=connection:new\r\n")
        answer = sdp(HOST, 9, **data, extra="a=setup:active\r\na=connection:new\r\n")
        to_b, to_a, out, back = call.set_up(offer, answer, "application")
        assert "a=setup:actpass" in out["message"] and "a=setup:active" in back["message"] and to_a[1] == 9, (out, back)
        assert {leg["stream"] for leg in pipe.legs()} == {"tcp"}, pipe.legs()
        def offered_again():
            call.again(offer.replace(":new", ":existing"))
            call.response("200 OK", answer.replace(":new", ":existing"))

        through(server, to_b, offered_again)
    call.end()


def msrp(pipe):
    """MSRP (RFC 4975): who offers connects, to the endpoint in a=path."""
    call = Call(pipe)
    with listener() as server:
        data = {"kind": "message", "protocol": "TCP/MSRP", "formats": "*"}
        path = "a=accept-types:text/plain\r\na=path:msrp://127.0.0.1:{}/s1;tcp\r\n"
        _, to_a, _, back = call.set_up(sdp(HOST, 7654, **data, extra=path.format(7654)), sdp(HOST, port(server), **data, extra=path.format(port(server))), "message")
        assert f"a=path:msrp://127.0.0.1:{to_a[1]}/s1;tcp" in back["message"], back
        through(server, to_a)
    call.end()


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
            control = pathlib.Path(folder) / "mediarelay.sock"
            deadline = time.monotonic() + 60
            while not control.exists():
                if time.monotonic() > deadline:
                    sys.exit("mediarelay did not start")
                time.sleep(0.05)
            pipe = Pipe(folder, config)
            for case in (audio, hold_and_refusal, bundle, names, refused, streams_that_go, relay_forgot, t120, bfcp, msrp):
                case(pipe)
                print(f"{case.__name__}: {case.__doc__}")
            pipe.close()
        finally:
            relay.terminate()
            relay.wait(60)


main()
