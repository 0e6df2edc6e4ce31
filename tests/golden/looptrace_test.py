#!/usr/bin/env python3
"""looptrace on captures with known paths: hops and places, relays made and needed, loops within and across Call-IDs, circles; the
same from a capture, by way of natclassify and from sipedge's own records; DOT and SVG that are well-formed."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import xml.dom.minidom

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev"))
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, message, sdp  # noqa: E402

A, B = "192.168.10.20", "192.168.10.21"
EDGE_IN, EDGE_OUT = "192.168.10.1", "203.0.113.10"
PROXY, PHONE = "203.0.113.60", "203.0.113.50"
HOME = "198.51.100.7"


def walk(capture, hops, *, at=0.0, call_id="call-1", late=False, branches="z9hG4bK", method="INVITE", number=1):
    """An INVITE over `hops`, each (from, to, media told onward, media told back), its 200 and ACK; or an UPDATE. `late`: the offer
    comes back, the answer is in the ACK, or in the request that this names: PRACK, of a 183."""
    early = isinstance(late, str)
    vias = []
    stack = []
    for i, (source, target, onward, _) in enumerate(hops):
        vias = [f"{source}:5060;branch={branches}{call_id}{i}"] + vias
        stack.append(list(vias))
        body = "" if late else sdp(*endpoint(onward))
        capture.udp(at + 0.01 * i, f"{source}:5060", f"{target}:5060",
                    message(f"{method} sip:b@example.com SIP/2.0", vias=vias, call_id=call_id, cseq=f"{number} {method}", contact=f"{source}:5060",
                            to_tag="b" if number > 1 else "", body=body))
    for i in reversed(range(len(hops))):
        source, target, onward, back = hops[i]
        capture.udp(at + 0.5 - 0.01 * i, f"{target}:5060", f"{source}:5060",
                    message("SIP/2.0 183 Progress" if early else "SIP/2.0 200 OK", vias=stack[i], call_id=call_id, cseq=f"{number} {method}",
                            to_tag="b", contact=f"{target}:5060", body=sdp(*endpoint(back))))
    if method != "INVITE":
        return
    for i, (source, target, onward, _) in enumerate(hops):
        third = late if early else "ACK"
        capture.udp(at + 0.6 + 0.01 * i, f"{source}:5060", f"{target}:5060",
                    message(f"{third} sip:b@example.com SIP/2.0", vias=[stack[i][0] + "k"], call_id=call_id, cseq=f"{1 + early} {third}", to_tag="b",
                            body=sdp(*endpoint(onward)) if late else ""))


def endpoint(text):
    address, _, port = text.rpartition(":")
    return address, int(port)


def single(c):
    walk(c, [(A, EDGE_IN, f"{A}:4000", f"{EDGE_IN}:20000"), (EDGE_OUT, PHONE, f"{EDGE_OUT}:20002", f"{PHONE}:5000")])


def spiral(c, **more):
    """LAN, out to a proxy on the WAN, and back to the LAN: two relays, and the two phones could talk directly."""
    walk(c, [(A, EDGE_IN, f"{A}:4000", f"{EDGE_IN}:20000"), (EDGE_OUT, PROXY, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"),
             (PROXY, EDGE_OUT, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"), (EDGE_IN, B, f"{EDGE_IN}:20012", f"{B}:5000")], **more)


def spiral_with_audio(c):
    spiral(c)
    c.rtp(1, f"{A}:4000", f"{EDGE_IN}:20000", 100)
    c.rtp(1, f"{EDGE_IN}:20000", f"{A}:4000", 100, ssrc=2)


def late_offer(c):
    spiral(c, late=True)


def offer_in_183(c):
    """The offer comes in a reliable 183, the answer goes in its PRACK."""
    spiral(c, late="PRACK")


def updated(c):
    """Two relays at first; an UPDATE inside the call then shows the two phones to each other."""
    spiral(c)
    collapsed(c, at=2.0, method="UPDATE", number=2, branches="z9hG4bKu")


def collapsed(c, **more):
    """The same as the scheme would have it: the second pass shows what the first one got."""
    walk(c, [(A, EDGE_IN, f"{A}:4000", f"{B}:5000"), (EDGE_OUT, PROXY, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"),
             (PROXY, EDGE_OUT, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"), (EDGE_IN, B, f"{A}:4000", f"{B}:5000")], **more)


def one_must_stay(c):
    """LAN, a proxy, and on to a home behind a NAT: of two relays one is needed, made of a side of each."""
    walk(c, [(A, EDGE_IN, f"{A}:4000", f"{EDGE_IN}:20000"), (EDGE_OUT, PROXY, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"),
             (PROXY, EDGE_OUT, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"), (EDGE_OUT, HOME, f"{EDGE_OUT}:20012", "10.1.1.5:5000")])


def b2bua(c):
    """The proxy is a B2BUA that gives the call another Call-ID and leaves the media alone."""
    walk(c, [(A, EDGE_IN, f"{A}:4000", f"{EDGE_IN}:20000"), (EDGE_OUT, PROXY, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010")])
    walk(c, [(PROXY, EDGE_OUT, f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"), (EDGE_IN, B, f"{EDGE_IN}:20012", f"{B}:5000")],
         call_id="call-2", at=0.05)


def anchoring(c):
    """A B2BUA that anchors the media: nothing comes back, so there is no loop to be seen."""
    walk(c, [(A, EDGE_IN, f"{A}:4000", f"{EDGE_IN}:20000"), (EDGE_OUT, PROXY, f"{EDGE_OUT}:20002", f"{PROXY}:7000")])
    walk(c, [(PROXY, EDGE_OUT, f"{PROXY}:7002", f"{EDGE_OUT}:20010"), (EDGE_IN, B, f"{EDGE_IN}:20012", f"{B}:5000")],
         call_id="call-2", at=0.05)


def direct(c):
    walk(c, [(PHONE, PROXY, f"{PHONE}:4000", f"{HOME}:5000"), (PROXY, HOME, f"{PHONE}:4000", f"{HOME}:5000")])


def superfluous(c):
    """Both ends are on the WAN."""
    walk(c, [(PHONE, EDGE_OUT, f"{PHONE}:4000", f"{EDGE_OUT}:20000"), (EDGE_OUT, PROXY, f"{EDGE_OUT}:20002", f"{PROXY}:5000")])


def between_private_networks(c):
    """From one NAT to another, whose phone says by its SDP alone where it is."""
    walk(c, [(HOME, EDGE_OUT, "10.1.1.5:4000", f"{EDGE_OUT}:20000"), (EDGE_OUT, PHONE, f"{EDGE_OUT}:20002", "192.168.3.4:5000")])


def unanswered(c):
    c.udp(0, f"{A}:5060", f"{EDGE_IN}:5060", message("INVITE sip:b@x SIP/2.0", vias=[f"{A};branch=z9hG4bK1"], body=sdp(A, 4000)))


def circle(c):
    c.rtp(0.3, f"{EDGE_OUT}:20002", f"{PROXY}:7000", 50, repeat=8)


# capture, paths: (nodes, relays, needed, loop, packets saved or None)
CASES = [
    (single, [(3, 1, 1, False, None)]),
    (spiral, [(5, 2, 0, True, None)]),
    (spiral_with_audio, [(5, 2, 0, True, 200)]),
    (late_offer, [(5, 2, 0, True, None)]),
    (offer_in_183, [(5, 2, 0, True, None)]),
    (updated, [(5, 0, 0, False, None)]),
    (collapsed, [(5, 0, 0, False, None)]),
    (one_must_stay, [(5, 2, 1, True, None)]),
    (b2bua, [(5, 2, 0, True, None)]),
    (anchoring, [(3, 1, 1, False, None), (3, 1, 1, False, None)]),
    (direct, [(3, 0, 0, False, None)]),
    (superfluous, [(3, 1, 0, False, None)]),
    (between_private_networks, [(3, 1, 1, False, None)]),
    (unanswered, []),
    (circle, []),
]


def passing(call_id, caller, callee, streams, tag="b"):
    """A `pass` record: the neighbours' addresses and places; what the caller said and is shown, and the callee."""
    def end(address, edge, place, own):
        return {"place": place, "site": address, "neighbour": f"{address}:5060", "edge": f"{edge}:5060", "tag": own}
    media = [{"kind": "rtp", "caller": {"said": s[0], "shown": s[1]}, "callee": {"said": s[2], "shown": s[3]}} if s else {} for s in streams]
    return {"type": "pass", "call_id": call_id, "caller": end(*caller, "a"), "callee": end(*callee, tag), "streams": media}


OUT = f"{EDGE_OUT}:20002", f"{EDGE_OUT}:20010"  # what the proxy is shown by one pass, and by the other
FIRST = (A, EDGE_IN, "lan"), (PROXY, EDGE_OUT, "wan")
SECOND = (PROXY, EDGE_OUT, "wan"), (B, EDGE_IN, "lan")
RELAYED = [passing("call-1", *SECOND, [(OUT[0], OUT[1], f"{B}:5000", f"{EDGE_IN}:20012")]),
           passing("call-1", *FIRST, [(f"{A}:4000", f"{EDGE_IN}:20000", OUT[1], OUT[0])])]
COLLAPSED = [passing("call-1", *SECOND, [(OUT[0], OUT[1], f"{B}:5000", f"{A}:4000")]),
             passing("call-1", *FIRST, [(f"{A}:4000", f"{B}:5000", OUT[1], OUT[0])])]
HOME_PASS = [passing("call-1", SECOND[0], (HOME, EDGE_OUT, "far-end"), [(OUT[0], OUT[1], "10.1.1.5:5000", f"{EDGE_OUT}:20012")]), RELAYED[1]]
# pass records, paths as above
PASSES = [
    ("one pass", [passing("call-1", FIRST[0], (PHONE, EDGE_OUT, "wan"), [(f"{A}:4000", f"{EDGE_IN}:20000", f"{PHONE}:5000", OUT[0])])],
     [(3, 1, 1, False)]),
    ("a loop", RELAYED, [(5, 2, 0, True)]),
    ("the last exchange counts", [*RELAYED, *COLLAPSED], [(5, 0, 0, False)]),
    ("one must stay", HOME_PASS, [(5, 2, 1, True)]),
    ("another Call-ID", [{**RELAYED[0], "call_id": "call-2"}, RELAYED[1]], [(5, 2, 0, True)]),
    ("two streams, one removed", [{**one, "streams": [*one["streams"], {}]} for one in RELAYED], [(5, 2, 0, True)]),
    ("two calls", [*RELAYED, passing("call-9", FIRST[0], (PHONE, EDGE_OUT, "wan"), [(f"{A}:4002", f"{EDGE_IN}:20020", f"{PHONE}:5000", f"{EDGE_OUT}:20022")])],
     [(5, 2, 0, True), (3, 1, 1, False)]),
]


def check_passes(name, records, wanted):
    text = "".join(json.dumps(record) + "\n" for record in records)
    paths = [json.loads(line) for line in run("--format", "json", stdin=text).splitlines()]
    got = [(len(p["hops"]), p["relays"], p["relays_needed"], p["loop"]) for p in paths]
    svg = xml.dom.minidom.parseString(run("--format", "svg", stdin=text))
    boxes = len([box for box in svg.getElementsByTagName("rect") if box.getAttribute("rx")])
    good = got == wanted and boxes == sum(one[0] for one in wanted)
    if not good:
        print(f"{name}: wanted {wanted}, got {got}, {boxes} boxes")
    return good


def bad_passes():
    """Told with the key that is wrong; the rest is done."""
    lines = [json.dumps({**RELAYED[0], "caller": {"place": "lan"}}), json.dumps({"type": "pass"}), *map(json.dumps, RELAYED)]
    done = subprocess.run([BUILD / "bin/looptrace", "--config", "/dev/null", "--lan", "192.168.10.0/24", "--format", "json"],
                          input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=60)
    good = done.returncode == 1 and "caller.neighbour" in done.stderr and "call_id" in done.stderr and json.loads(done.stdout)["relays"] == 2
    if not good:
        print(f"bad records: {done}")
    return good


def run(*argv, stdin=None):
    done = subprocess.run([BUILD / "bin/looptrace", "--config", "/dev/null", "--lan", "192.168.10.0/24", *argv], input=stdin, capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stderr)
    return done.stdout


def check(make, wanted, path):
    records = [json.loads(line) for line in run("--format", "json", path).splitlines()]
    paths = [r for r in records if r["type"] == "path"]
    got = [(len(p["hops"]), p["relays"], p["relays_needed"], p["loop"], p.get("saved_packets_per_s")) for p in paths]
    good = len(got) == len(wanted)
    for one, want in zip(got, wanted):
        saved = want[4] is None and one[4] is None or want[4] is not None and one[4] is not None and abs(one[4] - want[4]) < 10
        good = good and one[:4] == want[:4] and saved
    if make is b2bua:
        good = good and paths[0]["call_ids"] == ["call-1", "call-2"]
    if make is spiral:
        good = good and [h["place"] for h in paths[0]["hops"]] == ["lan", "lan", "wan", "wan", "lan"] and paths[0]["hops"][3]["visit"] == 2
        good = good and set(paths[0]["hops"][1]["addresses"]) == {EDGE_IN, EDGE_OUT}
    if make is one_must_stay:
        sides = [h["relay"] for h in paths[0]["hops"] if "relay" in h]
        good = good and [(s["caller_side_needed"], s["callee_side_needed"]) for s in sides] == [(True, False), (False, True)]
    if make is circle:
        good = good and [(r["type"], r["from"], r["repeats"]) for r in records] == [("circle", f"{EDGE_OUT}:20002", 350)]
    # By way of natclassify: all but what the packets tell.
    piped = subprocess.run([BUILD / "bin/natclassify", "--config", "/dev/null", "--lan", "192.168.10.0/24", "--format", "json", path],
                           capture_output=True, text=True, timeout=60).stdout
    through = [json.loads(line) for line in run("--format", "json", stdin=piped).splitlines()] if piped else []
    again = [(len(p["hops"]), p["relays"], p["relays_needed"], p["loop"]) for p in through if p["type"] == "path"]
    good = good and again == [one[:4] for one in got]
    # What was needed is one thing to both programs.
    needed = {r["call_id"]: r["relay"] for r in map(json.loads, piped.splitlines()) if r["type"] == "decision"}
    for path_record in (p for p in paths if p["relays"] and len(p["call_ids"]) == 1):
        good = good and needed[path_record["call_ids"][0]] == (path_record["relays_needed"] > 0)
    xml.dom.minidom.parseString(run("--format", "svg", path))
    dot = run("--format", "dot", path)
    good = good and dot.startswith("digraph") and dot.count("{") == dot.count("}")
    text = run("--format", "text", path)
    good = good and ("loop" in text) == any(want[3] for want in wanted)
    if not good:
        print(f"{make.__name__}: wanted {wanted}, got {got}, through natclassify {again}")
        print(json.dumps(records, indent=1)[:4000])
    return good


def main():
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for make, wanted in CASES:
            capture = Capture()
            make(capture)
            path = pathlib.Path(folder) / (make.__name__ + ".pcap")
            capture.save(path)
            failures += not check(make, wanted, path)
    failures += sum(not check_passes(*case) for case in PASSES) + (not bad_passes())
    print(f"{len(CASES)} captures, {failures} failures")
    sys.exit(1 if failures else 0)


main()
