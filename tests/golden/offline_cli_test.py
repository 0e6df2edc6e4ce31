#!/usr/bin/env python3
"""natclassify and sdprewrite from the command line: forms of input and output, exit status, diagnostics, pipes that close."""
import contextlib
import fcntl
import gzip
import json
import os
import pathlib
import pty
import select
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev")) / "bin"
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, ip_packet, message, sdp, udp_packet  # noqa: E402

ENVIRONMENT = {**os.environ, "NATKIT_CONFIG": ""}
REGISTER = message("REGISTER sip:example.com SIP/2.0", vias=["192.168.1.5:5060;branch=z9hG4bK1"], cseq="1 REGISTER", contact="192.168.1.5:5060")
INVITE = message("INVITE sip:b@example.com SIP/2.0", vias=["192.168.1.5:5060;branch=z9hG4bK1;received=198.51.100.7;rport=4001"], contact="192.168.1.5:5060",
                 body=sdp("192.168.1.5", 4000))
failures = []


def run(program, *options, stdin=b""):
    return subprocess.run([BIN / program, *options], input=stdin, capture_output=True, timeout=60, env=ENVIRONMENT)


def check(why, good, done=None):
    if not good:
        failures.append(why + (f": exit {done.returncode}, {done.stdout[:600]!r}, {done.stderr[:600]!r}" if done else ""))


def records(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def natclassify(folder):
    done = run("natclassify", "--source", "198.51.100.7", stdin=REGISTER)
    check("a source without port is 5060", done.returncode == 0 and records(done)[0]["source"] == "198.51.100.7:5060", done)
    done = run("natclassify", stdin=INVITE)
    check("received and rport tell the source", done.returncode == 0 and records(done)[0]["source"] == "198.51.100.7:4001", done)
    check("no decision about a party of whom nothing is known", [r["type"] for r in records(done)] == ["sip"], done)
    done = run("natclassify", stdin=REGISTER)
    check("no source at all", done.returncode == 1 and b"stdin:1:" in done.stderr and b"--source" in done.stderr, done)
    done = run("natclassify", "--source", "198.51.100.7:4001", stdin=REGISTER + INVITE)
    check("several raw messages", [r.get("method") for r in records(done)] == ["REGISTER", "INVITE"], done)
    smuggled = REGISTER.replace(b"CSeq:", b"Subject: hi\rP-Asserted-Identity: <sip:boss@example.com>\r\nCSeq:", 1)
    done = run("natclassify", "--source", "198.51.100.7:4001", stdin=smuggled + INVITE)
    check("a bare CR is told, and the message judged", [r.get("method") for r in records(done)] == ["REGISTER", "INVITE"] and done.returncode == 1 and
          b"a CR without LF" in done.stderr and b"stdin:1: line " in done.stderr, done)

    record = {"type": "sip", "source": "198.51.100.7:4001", "message": REGISTER.decode(), "mine": [1, {"z": 1, "a": 2}]}
    lines = [json.dumps(record), "{broken", "", '{"type":"client","id":"7"}', json.dumps({**record, "source": "nowhere:1"})]
    done = run("natclassify", stdin="\n".join(lines).encode())
    found = records(done)
    check("bad lines are told, the rest is done", done.returncode == 1 and b"stdin:2: not a JSON object" in done.stderr and b"stdin:5: source:" in done.stderr, done)
    check("a record keeps what it had, in order", list(found[0]) == ["type", "source", "message", "mine", "nat"] and found[0]["mine"] == record["mine"], done)
    check("records of others pass", found[1] == {"type": "client", "id": "7"}, done)

    done = run("natclassify", "--lan", "10.0.0.0/8,192.168.0.0/16", "--format", "text", "--same", "192.168.1.1", "192.0.2.1")
    check("--same", done.returncode == 0 and b"the same: no" in done.stdout and b"needed (lan-and-other)" in done.stdout, done)
    for options in (["--lan", "nonsense"], ["--source", "x:y"], ["--same", "1.2.3.4"], ["--format", "xml"], ["--nonsense"], ["/nonexistent"], [str(folder)]):
        done = run("natclassify", *options, stdin=REGISTER)
        check(f"{options} is a usage error", done.returncode == 2 and done.stderr.startswith(b"natclassify: ") and not done.stdout, done)
    done = run("natclassify", "--version")
    check("--version", done.returncode == 0 and b"natkit" in done.stdout, done)
    bare = sdp("192.168.1.5", 4000).encode()
    done = run("natclassify", stdin=bare)
    check("a bare description has no sender", done.returncode == 1 and b"--source" in done.stderr and b"stdin" in done.stderr, done)
    done = run("natclassify", "--source", "198.51.100.7:4001", stdin=bare)
    found = records(done)
    check("with --source a bare description is judged", done.returncode == 0 and found[0]["type"] == "sdp" and found[0]["source"] == "198.51.100.7:4001" and
          found[0]["nat"]["place"] == "far-end" and found[0]["nat"]["tests"] == ["private-sdp", "sdp-differs-from-source"] and
          found[0]["message"] == bare.decode(), done)
    done = run("natclassify", "--source", "198.51.100.7:4001", "--format", "text", stdin=bare)
    check("the same for people", done.stdout.startswith(b"SDP ") and b"far-end" in done.stdout and b"private-sdp" in done.stdout, done)
    done = run("natclassify", "--source", "198.51.100.7:4001", stdin=bare.replace(b"c=IN IP4 192.168.1.5", b"c=IN IP4 media.example.com"))
    check("a name in c= is told", records(done)[0]["nat"]["evidence"] ==
          [{"field": "SDP c=", "value": "media.example.com", "test": "sdp-names-host"}], done)
    long_line = json.dumps(record)[:-1] + ',"pad":"' + "x" * 4_300_000 + '"}'
    done = run("natclassify", stdin="\n".join([long_line, json.dumps(record)]).encode())
    check("a line that is too long costs itself alone", done.returncode == 1 and b"stdin:1: a line longer than 4 MiB" in done.stderr and len(records(done)) == 1)
    check("nothing in, nothing out", run("natclassify").returncode == 0)

    capture = Capture()
    whole = udp_packet("198.51.100.7:4001", "203.0.113.5:5060", INVITE)[20:]
    capture.ip(0, ip_packet("198.51.100.7", "203.0.113.5", 17, whole[:200], ident=9, fragment=0x2000))
    capture.ip(1, ip_packet("198.51.100.7", "203.0.113.5", 17, whole[200:], ident=9, fragment=25))
    capture.ip(2, ip_packet("203.0.113.5", "198.51.100.7", 1, bytes([3, 3, 0, 0, 0, 0, 0, 0]) + udp_packet("198.51.100.7:4001", "203.0.113.5:5060", INVITE)))
    path = folder / "fragments.pcap"
    capture.save(path)
    done = run("natclassify", str(path))
    check("fragments make one message, ICMP quotes none", [(r["type"], r.get("frame")) for r in records(done)] == [("sip", 2), ("decision", None)], done)
    check("gzip, from a pipe", run("natclassify", stdin=gzip.compress(path.read_bytes())).stdout == done.stdout)
    done = run("natclassify", stdin=path.read_bytes()[:-10])
    check("a capture cut short: what was good is done", done.returncode == 1 and len(records(done)) == 2, done)


def sdprewrite():
    for bytes_in in (INVITE, REGISTER + INVITE, b"\r\n" + INVITE + b"\n\n", INVITE.replace(b"\r\n", b"\n"), b"v=0\nm=audio 1 x y", b"", b"\r\n", b"hello"):
        done = run("sdprewrite", stdin=bytes_in)
        check(f"without a target nothing changes: {bytes_in[:30]!r}", done.stdout == bytes_in and done.returncode == (1 if bytes_in == b"hello" else 0), done)
    done = run("sdprewrite", "--to", "203.0.113.10:40000", "--explain", stdin=INVITE)
    check("raw in, raw out", b"c=IN IP4 203.0.113.10\r\n" in done.stdout and b"m=audio 40000 " in done.stdout and done.returncode == 0, done)
    check("edits have line and reason", b"stdin:14: '192.168.1.5' became '203.0.113.10' (address of the session)" in done.stderr, done)
    smuggled = INVITE.replace(b"CSeq:", b"Subject: hi\rP-Asserted-Identity: <sip:boss@example.com>\r\nCSeq:", 1)
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=smuggled)
    check("with a bare CR nothing is rewritten", done.stdout == smuggled and done.returncode == 1 and b"a CR without LF" in done.stderr, done)
    done = run("sdprewrite", "--to", "203.0.113.10:40000", "--format", "json", stdin=INVITE)
    check("--format json asks for records", [e["after"] for e in records(done)[0]["rewrite"]] == ["203.0.113.10", "40000"], done)
    two = sdp("10.0.0.1", 4000, extra="m=video 4002 RTP/AVP 31\r\nm=audio 0 RTP/AVP 0\r\nm=audio 4004 RTP/AVP 0\r\n").encode()
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=two)
    check("streams take port pairs in order, rejected ones none", [line.split()[1] for line in done.stdout.splitlines() if line.startswith(b"m=")] ==
          [b"40000", b"40002", b"0", b"40004"], done)
    group = sdp("10.0.0.1", 4000, extra="a=mid:a\r\nm=video 4000 RTP/AVP 31\r\na=mid:v\r\nm=audio 0 RTP/AVP 0\r\na=mid:b\r\na=bundle-only\r\n"
                "m=audio 4004 RTP/AVP 0\r\n").replace("t=0 0\r\n", "t=0 0\r\na=group:BUNDLE a v b\r\n").encode()
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=group)
    check("streams of a bundle keep to one port", [line.split()[1] for line in done.stdout.splitlines() if line.startswith(b"m=")] ==
          [b"40000", b"40000", b"0", b"40002"], done)
    twice = sdp("10.0.0.1", 4000).encode() * 2
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=twice)
    check("two descriptions in one pass unchanged", done.stdout == twice and done.returncode == 1 and b"a second description" in done.stderr, done)
    done = run("sdprewrite", "--to", "video=203.0.113.10:40000", stdin=two)
    check("only one kind", b"m=audio 4000 " in done.stdout and b"m=video 40000 " in done.stdout and done.stdout.count(b"c=IN IP4") == 2, done)
    line = json.dumps({"type": "sip", "message": INVITE.decode(), "nat": {"place": "far-end"}}) + "\n"
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=(line + "nonsense\n").encode())
    out = done.stdout.splitlines()
    check("JSON in, JSON out; bad lines pass unchanged", list(json.loads(out[0])) == ["type", "message", "nat", "rewrite"] and out[1] == b"nonsense" and
          done.returncode == 1 and b"stdin:2: not a JSON object" in done.stderr, done)
    long = INVITE.replace(b"Content-Length: ", b"Content-Length: 9")
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=long)
    check("refused: unchanged, told, 1", done.stdout == long and done.returncode == 1 and b"Content-Length" in done.stderr, done)
    for why, large in (("a message", INVITE + b"x" * 1_200_000 + b"\r\n" + INVITE), ("a line", b'{"type":"sip","pad":"' + b"x" * 4_300_000 + b'"}\n'),
                       ("a description", sdp("10.0.0.1", 4000).encode() + b"a=x\r\n" * 300_000)):
        done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=large)
        check(f"{why} that is too large is passed on unchanged, told, 1", done.returncode == 1 and done.stdout == large and b"longer than" in done.stderr)
    lines = b'{"type":"sip","pad":"' + b"x" * 4_300_000 + b'"}\n'
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=lines + line.encode())
    check("and the next line is rewritten", done.stdout.startswith(lines) and b"rewrite" in done.stdout[len(lines):] and done.returncode == 1)
    signed = message("INVITE sip:b@example.com SIP/2.0", vias=["192.168.1.5:5060;branch=z9hG4bK1"], body="--x\r\nContent-Type: application/sdp\r\n\r\n"
                     + sdp("192.168.1.5", 4000) + "\r\n--x--\r\n").replace(b"application/sdp\r\nContent-Length", b"multipart/signed;boundary=x\r\nContent-Length")
    done = run("sdprewrite", "--to", "203.0.113.10:40000", stdin=signed)
    check("signed: refused", done.returncode == 1 and done.stdout == signed and b"multipart/signed" in done.stderr, done)
    done = run("sdprewrite", stdin=signed)
    check("signed, and nothing is asked for: fine", done.returncode == 0 and done.stdout == signed and not done.stderr, done)
    for options in (["--to", "x"], ["--to", "1.2.3.4:0"], ["--ice", "maybe"], ["--origin", "x"], ["/nonexistent"], ["--relay", "x", "--to", "192.0.2.1"]):
        done = run("sdprewrite", *options, stdin=INVITE)
        check(f"{options} is a usage error", done.returncode == 2 and not done.stdout and done.stderr.startswith(b"sdprewrite: "), done)
    done = run("sdprewrite", "--relay", "/nonexistent.sock", stdin=INVITE)
    check("no relay: told, and passed on unchanged", done.returncode == 1 and done.stdout == INVITE and b"/nonexistent.sock" in done.stderr, done)


def closed_pipe():
    record = json.dumps({"type": "sip", "source": "198.51.100.7:4001", "message": REGISTER.decode()}) + "\n"
    for program in ("natclassify", "sdprewrite"):
        done = subprocess.run(["bash", "-c", f"yes '{record.strip()}' | head -20000 | {{ {BIN / program}; echo $? >&2; }} | head -1"], capture_output=True,
                              timeout=60, env=ENVIRONMENT)
        check(f"{program}: a closed pipe ends it quietly with 0", done.stderr.strip() == b"0", done)


def conversation():
    """Who types, or writes into a pipe and waits, gets each answer at once."""
    pipe = subprocess.Popen([BIN / "sdprewrite", "--to", "203.0.113.10:40000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)
    got = b""
    for _ in range(2):
        pipe.stdin.write(INVITE)
        pipe.stdin.flush()
        deadline = time.monotonic() + 60
        wanted = got.count(b"m=audio 40000") + 1
        while got.count(b"m=audio 40000") < wanted and time.monotonic() < deadline:
            if select.select([pipe.stdout], [], [], 1)[0]:
                got += os.read(pipe.stdout.fileno(), 65536)
    check(f"an answer to each message at once: {got!r}", got.count(b"m=audio 40000") == 2)
    pipe.stdin.close()
    pipe.wait(60)


def on_terminal(command, *, stdout_too, environment=None):
    """What a terminal shows: standard error, and standard output where asked for; standard output else."""
    shown, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=terminal if stdout_too else subprocess.PIPE, stderr=terminal,
                               env={**ENVIRONMENT, "TERM": "xterm", **(environment or {})})
    os.close(terminal)
    parts, rest = [], []
    reader = threading.Thread(target=lambda: rest.append(process.stdout.read()) if process.stdout else None)
    reader.start()
    with contextlib.suppress(OSError):  # EIO: nobody writes any more
        while part := os.read(shown, 65536):
            parts.append(part)
    process.wait(120)
    reader.join()
    os.close(shown)
    return b"".join(parts), rest[0] if rest else b""


def terminal(folder):
    invite = folder / "invite.sip"
    invite.write_bytes(INVITE)
    colour = b"\x1b[33m"  # far-end is yellow
    plain = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    ENVIRONMENT.update(plain)
    ENVIRONMENT.pop("NO_COLOR", None)
    shown, _ = on_terminal([BIN / "natclassify", invite], stdout_too=True)
    check(f"on a terminal: text, in colour {shown!r}", shown.startswith(b"\x1b[1mINVITE") and colour in shown)
    for environment in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        shown, _ = on_terminal([BIN / "natclassify", invite], stdout_too=True, environment=environment)
        check(f"{environment}: text without colour {shown!r}", shown.startswith(b"INVITE") and b"\x1b[" not in shown)
    _, out = on_terminal([BIN / "natclassify", invite], stdout_too=False)
    check("into a pipe: records", out.startswith(b'{"type":"sip"'))

    capture = Capture()
    vias = ["203.0.113.9:5060;branch=z9hG4bK1"]
    ends = ("203.0.113.9:5060", "203.0.113.20:5060")
    capture.udp(0, *ends, message("INVITE sip:b@x SIP/2.0", vias=vias, contact=ends[0], body=sdp("203.0.113.9", 4000)))
    capture.udp(0.1, *reversed(ends), message("SIP/2.0 200 OK", vias=vias, to_tag="b", contact=ends[1], body=sdp("203.0.113.20", 4002)))
    capture.rtp(0.3, "203.0.113.9:4000", "203.0.113.20:4002", 40_000)
    long = folder / "long.pcap"
    capture.save(long)
    progress = str(long).encode() + b":  "
    shown, out = on_terminal([BIN / "natclassify", "--explain", long], stdout_too=False)
    check("progress while results go elsewhere", progress in shown and b" %" in shown and shown.endswith(b"\r\x1b[K") and b'"explanation"' in out)
    shown, _ = on_terminal([BIN / "natclassify", "--explain", long], stdout_too=True)
    text = shown.split(b"\x1b[K")
    check("and with --explain on the same terminal, where it gives way to results", progress in shown and b"hears nothing" in shown and
          not any(b"%" in part and b"call" in part for part in text))
    shown, _ = on_terminal([BIN / "natclassify", long], stdout_too=True)
    check("results that come as it reads are progress enough", progress not in shown)


with tempfile.TemporaryDirectory() as name:
    natclassify(pathlib.Path(name))
    terminal(pathlib.Path(name))
conversation()
sdprewrite()
closed_pipe()
print(*failures, f"{len(failures)} failures", sep="\n")
sys.exit(1 if failures else 0)
