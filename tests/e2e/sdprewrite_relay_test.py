#!/usr/bin/env python3
"""`natclassify | sdprewrite --relay` in front of a running mediarelay: offers and answers name its legs, RTP and TCP media pass
through them, hold, refusals and streams that go do to the legs what they should, and after BYE nothing is left. All of that with
one process for all messages, and with a process of its own for each message."""
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
ports = "21000-21499"
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


class Single(Pipe):
    """The same with a process for each message: nothing is remembered but by mediarelay."""

    def __init__(self, folder, config):
        self.folder, self.config = folder, config
        self.control = pathlib.Path(folder) / "mediarelay.sock"
        self.calls, self.status = 1000, 0

    def start(self):
        return subprocess.Popen(f"set -o pipefail; {BIN}/natclassify --config {self.config} --format json | {BIN}/sdprewrite --config {self.config} --relay {self.control}",
                                shell=True, executable="/bin/bash", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        return self.ask_at_once([line])[0]

    def ask_at_once(self, lines):
        """Each to a process; they run at the same time."""
        processes = [self.start() for _ in lines]
        for process, line in zip(processes, lines):
            process.stdin.write(line)
            process.stdin.close()
        answers = []
        for process in processes:
            answers.append(json.loads(process.stdout.readline()))
            rest = [json.loads(line) for line in process.stdout]
            assert {record["type"] for record in rest} <= {"decision"}, rest
            self.status = max(self.status, process.wait(60))
        return answers

    def close(self, status=0):
        assert self.status == status, self.status


class Call:
    """The messages of one call between A and B."""

    def __init__(self, pipe):
        pipe.calls += 1
        self.pipe, self.name, self.cseq = pipe, f"call-{pipe.calls}", 1

    def request(self, *args, **more):
        return self.pipe.ask(self.request_line(*args, **more))

    def request_line(self, method, body="", *, sender=A, tag="b", branch="1", cseq=None):
        dialog = {"to_tag": tag} if sender == A else {"from_tag": tag, "to_tag": "a"}
        content = message(f"{method} sip:b@x SIP/2.0", vias=[f"{sender};branch=z9hG4bK{branch}"], call_id=self.name, contact=sender, body=body,
                          cseq=f"{cseq or self.cseq} {method}", **dialog)
        return record(sender, B if sender == A else A, content)

    def response(self, *args, **more):
        return self.pipe.ask(self.response_line(*args, **more))

    def response_line(self, status, body="", *, sender=B, method="INVITE", tag="b", branch="1", cseq=None):
        to = A if sender == B else B
        dialog = {"to_tag": tag} if sender == B else {"from_tag": tag, "to_tag": "a"}
        content = message(f"SIP/2.0 {status}", vias=[f"{to};branch=z9hG4bK{branch}"], call_id=self.name, body=body, cseq=f"{cseq or self.cseq} {method}", **dialog)
        return record(sender, to, content)

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


def talk(a, b, to_a, to_b):
    """Each sends to where it was told, and what the other hears is that."""
    talk.said += 1
    packet = bytes([0x80, 0, 0, talk.said]) + bytes(8)
    for _ in range(2):
        a.sendto(packet + b"from a", to_a)
        b.sendto(packet + b"from b", to_b)
    for phone, said in ((a, b"from b"), (b, b"from a")):
        while not phone.recv(2000) == packet + said:  # what was said before may still be there
            pass


talk.said = 0


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
    assert to_b != to_a and 21000 <= to_b[1] <= 21499 and 21000 <= to_a[1] <= 21499, (to_b, to_a)
    assert offer["rewrite"], offer
    talk(a, b, to_a, to_b)
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


def muxed(pipe):
    """RTCP shares the RTP port where both ends say so (RFC 5761), and where an answer does not, it has the next one again."""
    mux = "a=rtcp-mux\r\n"
    def legs():
        return [leg.get("mux", False) for leg in pipe.legs()]
    call = Call(pipe)
    call.set_up(sdp(HOST, 4000, extra=mux), sdp(HOST, 4002))
    assert legs() == [False, False], pipe.legs()
    call.again(sdp(HOST, 4000, extra=mux))
    call.response("183 Session Progress", sdp(HOST, 4002, extra=mux))
    assert legs() == [True, True], pipe.legs()
    call.response("488 Not Acceptable Here")
    assert legs() == [False, False], pipe.legs()
    call.again(sdp(HOST, 4000, extra=mux))
    call.response("200 OK", sdp(HOST, 4002, extra=mux))
    assert legs() == [True, True], pipe.legs()
    call.end()


def names(pipe):
    """A name in c= is not looked up: the message passes unchanged, and no leg is opened for it."""
    mine = type(pipe)(pipe.folder, pipe.config)
    out = Call(mine).request("INVITE", sdp("media.example.com", 4000), tag="")
    assert "rewrite" not in out and "media.example.com" in out["message"], out
    assert not pipe.legs(), pipe.legs()
    mine.close(1)


def not_relayed(pipe):
    """What the relay may not send to is refused by it: the message passes unchanged, and BYE frees what was opened for it."""
    mine = type(pipe)(pipe.folder, pipe.config)
    call = Call(mine)
    out = call.request("INVITE", sdp("169.254.1.1", 4000), tag="")
    assert "rewrite" not in out and "169.254.1.1" in out["message"], out
    call.end()
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
    assert len(all_legs) == 4, pipe.legs()
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


def late_offer(pipe):
    """The offer comes in the 200 and the answer in the ACK; or in a reliable 183 and its PRACK."""
    call = Call(pipe)
    assert "rewrite" not in call.request("INVITE", tag="")
    a, b = peer(), peer()
    to_a = media_of(call.response("200 OK", sdp(HOST, port(b)))["message"])
    assert not any(leg.get("joined") for leg in pipe.legs()), "nobody has answered"
    to_b = media_of(call.request("ACK", sdp(HOST, port(a)))["message"])
    talk(a, b, to_a, to_b)
    call.end()
    call = Call(pipe)
    call.request("INVITE", tag="")
    to_a = media_of(call.response("183 Session Progress", sdp(HOST, port(b)))["message"])
    to_b = media_of(call.request("PRACK", sdp(HOST, port(a)), cseq=2)["message"])
    call.response("200 OK")
    talk(a, b, to_a, to_b)
    call.end()


def forks(pipe):
    """Two branches answer: the first has the legs. BYE to the other one frees nothing, nor does its refusal of anything."""
    call = Call(pipe)
    a, b, late = peer(), peer(), peer()
    for branch in ("1", "2"):
        offer = call.request("INVITE", sdp(HOST, port(a)), tag="", branch=branch)
    call.response("183 Session Progress", sdp(HOST, port(late)), tag="late", branch="2")
    to_a = media_of(call.response("200 OK", sdp(HOST, port(b)), branch="1")["message"])
    late_to_a = media_of(call.response("200 OK", sdp(HOST, port(late)), tag="late", branch="2")["message"])
    assert to_a == late_to_a
    before = pipe.legs()
    talk(a, b, to_a, media_of(offer["message"]))
    call.cseq += 1
    call.request("BYE", tag="late")
    assert same(pipe.legs(), before), pipe.legs()
    talk(a, b, to_a, media_of(offer["message"]))
    call.end()


def cancelled(pipe):
    """CANCEL frees nothing; the 487 does. A stream that only a refused offer brought goes with it."""
    call = Call(pipe)
    call.request("INVITE", sdp(HOST, 4000), tag="")
    call.request("CANCEL", tag="")
    assert len(pipe.legs()) == 2
    call.response("487 Request Terminated")
    assert not pipe.legs(), pipe.legs()
    call = Call(pipe)
    call.set_up(sdp(HOST, 4000), sdp(HOST, 4002))
    before = pipe.legs()
    call.again(sdp(HOST, 4000, extra="m=video 4010 RTP/AVP 31\r\n"))
    assert len(pipe.legs()) == 4
    told = call.response("488 Not Acceptable Here", sdp(HOST, 4020))
    assert "rewrite" not in told and same(pipe.legs(), before), pipe.legs()
    call.end()


def glare(pipe):
    """Both offer at once (RFC 3261 section 14.1): each refusal leads back to what its own offer changed, and no more."""
    call = Call(pipe)
    call.set_up(sdp(HOST, 4000), sdp(HOST, 4002))
    before = pipe.legs()
    for accepted in (False, True):
        call.again(sdp(HOST, 5000))
        call.request("INVITE", sdp(HOST, 6000), sender=B, cseq=call.cseq + 100)
        assert {leg["party"]["endpoint"] for leg in pipe.legs()} == {f"{HOST}:5000", f"{HOST}:6000"}
        call.response("491 Request Pending")
        assert {leg["party"]["endpoint"] for leg in pipe.legs()} == {f"{HOST}:4000", f"{HOST}:6000"}, pipe.legs()
        call.response("200 OK" if accepted else "491 Request Pending", sdp(HOST, 4000) if accepted else "", sender=A, cseq=call.cseq + 100)
        assert same(pipe.legs(), before) != accepted, pipe.legs()
    assert {leg["party"]["endpoint"] for leg in pipe.legs()} == {f"{HOST}:4000", f"{HOST}:6000"}, pipe.legs()
    call.again(sdp(HOST, 5000))
    call.response("488 Not Acceptable Here")
    assert {leg["party"]["endpoint"] for leg in pipe.legs()} == {f"{HOST}:4000", f"{HOST}:6000"}, pipe.legs()
    call.end()


def capabilities(pipe):
    """What OPTIONS and its answer describe is no offer: nothing is opened for it."""
    call = Call(pipe)
    assert "rewrite" not in call.response("200 OK", sdp(HOST, 4000), method="OPTIONS")
    assert not pipe.legs(), pipe.legs()


def at_once(pipe):
    """The branches of a fork go to processes that run at the same time: one pair of legs, and no branch is forgotten."""
    for turn in range(6):
        call = Call(pipe)
        branches = [str(n) for n in range(4)]
        lines = [call.request_line("INVITE", sdp(HOST, 4000), tag="", branch=branch) for branch in branches]
        shown = {media_of(answer["message"]) for answer in pipe.ask_at_once(lines)}
        assert len(shown) == 1 and len(pipe.legs()) == 2, (shown, pipe.legs())
        if turn % 2:
            pipe.ask_at_once([call.response_line("486 Busy Here", tag=branch, branch=branch) for branch in branches])
        for branch in branches if turn % 2 == 0 else []:
            assert len(pipe.legs()) == 2, "a branch still rings"
            call.response("486 Busy Here", tag=branch, branch=branch)
        assert not pipe.legs(), pipe.legs()


def relay_restarted(pipe):
    """mediarelay is killed between offer and answer: the next one has the legs and all that is to be known of the call."""
    a, b = peer(), peer()
    call = Call(pipe)
    to_b = media_of(call.request("INVITE", sdp(HOST, port(a)), tag="")["message"])
    pipe.relay.kill()
    pipe.relay.wait(60)
    pipe.relay.start()
    talk(a, b, media_of(call.response("200 OK", sdp(HOST, port(b)))["message"]), to_b)
    call.end()


def manual(pipe):
    """The example of sdprewrite(1) prints what it says, also for messages without a record around them."""
    page = (SOURCE / "man/sdprewrite.1").read_text()
    example = re.search(r'^\.\\" run by [^\n]*\n\.Bd -literal -offset indent\n(.*?)^\.Ed$', page, re.M | re.S)[1].replace("\\e", "\\")
    folder = pathlib.Path(pipe.folder)
    for name, start, more in (("invite", "INVITE sip:b@x SIP/2.0", {"body": sdp(HOST, 4000)}), ("ok", "SIP/2.0 200 OK", {"to_tag": "b", "body": sdp(HOST, 4002)}),
                              ("bye", "BYE sip:b@x SIP/2.0", {"to_tag": "b", "cseq": "2 BYE"})):
        (folder / f"{name}.sip").write_bytes(message(start, vias=[f"{A};branch=z9hG4bK1"], call_id="manual", **more))
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "RUNTIME": pipe.folder, "NATKIT_CONFIG": str(pipe.config)}
    done = subprocess.run(["bash", "-e", "-c", example], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["side 0, tag a: joined", "side 1, tag b: joined", "0"], (done.stdout, done.stderr)
    shown = [media_of((folder / f"{name}-out.sip").read_text()) for name in ("invite", "ok")]
    assert all(21000 <= port <= 21499 for _, port in shown) and shown[0] != shown[1], shown


class Mediarelay:
    def __init__(self, folder, config):
        self.folder, self.config = folder, config
        self.start()

    def start(self):
        control = pathlib.Path(self.folder) / "mediarelay.sock"
        self.process = subprocess.Popen([BIN / "mediarelay", "serve", "--config", self.config, "--runtime", self.folder], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while subprocess.run([BIN / "mediarelay", "status", "--runtime", self.folder], capture_output=True).returncode != 0:
            if time.monotonic() > deadline:
                sys.exit(f"mediarelay did not start: {control}")
            time.sleep(0.05)

    def kill(self):
        self.process.kill()

    def wait(self, seconds):
        self.process.wait(seconds)


def main():
    for program in ("mediarelay", "natclassify", "sdprewrite"):
        if not (BIN / program).exists():
            print(f"skipped: {program} is not built")
            sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "natkit.toml"
        config.write_text(CONFIG)
        relay = Mediarelay(folder, config)
        try:
            for kind in (Pipe, Single):
                pipe = kind(folder, config)
                pipe.relay = relay
                cases = (audio, hold_and_refusal, bundle, muxed, names, not_relayed, refused, streams_that_go, relay_forgot, t120, bfcp, msrp, late_offer, forks, cancelled, glare, capabilities)
                for case in cases + ((at_once, relay_restarted, manual) if kind is Single else ()):
                    case(pipe)
                    print(f"{kind.__name__}, {case.__name__}: {case.__doc__}", flush=True)
                pipe.close()
        finally:
            relay.process.terminate()
            relay.wait(60)


main()
