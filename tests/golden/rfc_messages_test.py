#!/usr/bin/env python3
"""The torture messages of RFC 4475 and RFC 5118: what natclassify and sdprewrite make of each, with the RFC's section beside it.

An offline tool reads what it can: a message that a proxy must refuse may still tell where its sender is. sdprewrite is stricter:
what it cannot rewrite safely comes out unchanged, with exit status 1. The messages stand in rfc4475/ and rfc5118/, byte for byte.
"""
import json
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
HERE = pathlib.Path(__file__).resolve().parent
BIN = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev")) / "bin"

# file, section, what natclassify reads (method or status; "" nothing), what sdprewrite does: moves, nothing (no SDP), refuses; why
TABLE_4475 = [
    ("wsinv", "3.1.1.1", "INVITE", "moves", "valid: spaces, folding and case everywhere"),
    ("intmeth", "3.1.1.2", "!interesting-Method0123456789_*+`.%indeed'~", "refuses", "valid: odd tokens and an escaped NUL; a NUL is not passed on"),
    ("esc01", "3.1.1.3", "INVITE", "moves", "valid: escapes in URIs"),
    ("escnull", "3.1.1.4", "REGISTER", "nothing", "valid: escaped nulls in URIs"),
    ("esc02", "3.1.1.5", "RE%47IST%45R", "nothing", "valid: percent signs that escape nothing, also in names"),
    ("lwsdisp", "3.1.1.6", "OPTIONS", "nothing", "valid: no space between display name and <"),
    ("longreq", "3.1.1.7", "INVITE", "moves", "valid: long values"),
    ("dblreq", "3.1.1.8", "REGISTER INVITE", "refuses", "valid, with rubbish behind it that looks like another, of wrong length"),
    ("semiuri", "3.1.1.9", "OPTIONS", "nothing", "valid: semicolon in the user part"),
    ("transports", "3.1.1.10", "OPTIONS", "nothing", "valid: unknown transports in Via"),
    ("mpart01", "3.1.1.11", "MESSAGE", "nothing", "valid: a binary part beside text (its octets are any)"),
    ("unreason", "3.1.1.12", "200", "moves", "valid: a reason phrase in UTF-8"),
    ("noreason", "3.1.1.13", "100", "nothing", "valid: an empty reason phrase"),
    ("badinv01", "3.1.2.1", "INVITE", "moves", "extra separators in Via and Contact: no reason to leave SDP alone"),
    ("clerr", "3.1.2.2", "INVITE", "refuses", "Content-Length larger than the message"),
    ("ncl", "3.1.2.3", "INVITE", "refuses", "negative Content-Length"),
    ("scalar02", "3.1.2.4", "REGISTER", "nothing", "numbers that overflow, in a request"),
    ("scalarlg", "3.1.2.5", "503", "nothing", "numbers that overflow, in a response"),
    ("quotbal", "3.1.2.6", "INVITE", "moves", "unterminated quoted string"),
    ("ltgtruri", "3.1.2.7", "INVITE", "moves", "Request-URI in <>"),
    ("lwsruri", "3.1.2.8", "INVITE", "moves", "spaces within the Request-URI"),
    ("lwsstart", "3.1.2.9", "INVITE", "moves", "several spaces in the request line"),
    ("trws", "3.1.2.10", "OPTIONS", "refuses", "spaces at the end of the request line"),
    ("escruri", "3.1.2.11", "INVITE", "moves", "header fields in the Request-URI"),
    ("baddate", "3.1.2.12", "INVITE", "moves", "a time zone that SIP does not have"),
    ("regbadct", "3.1.2.13", "REGISTER", "nothing", "a Contact whose parameters cannot be told apart"),
    ("badaspec", "3.1.2.14", "OPTIONS", "nothing", "spaces within <>"),
    ("baddn", "3.1.2.15", "OPTIONS", "nothing", "a comma in a display name without quotes"),
    ("badvers", "3.1.2.16", "", "refuses", "another version of SIP"),
    ("mismatch01", "3.1.2.17", "OPTIONS", "nothing", "CSeq names another method"),
    ("mismatch02", "3.1.2.18", "NEWMETHOD", "moves", "the same, of an unknown method"),
    ("bigcode", "3.1.2.19", "", "refuses", "a status of ten digits"),
    ("badbranch", "3.2.1", "OPTIONS", "nothing", "a branch of the magic cookie alone"),
    ("insuf", "3.3.1", "INVITE", "moves", "required fields are missing"),
    ("unkscm", "3.3.2", "OPTIONS", "nothing", "unknown URI scheme"),
    ("novelsc", "3.3.3", "OPTIONS", "nothing", "known URI scheme that is not SIP's"),
    ("unksm2", "3.3.4", "REGISTER", "nothing", "unknown schemes in To, From and Contact"),
    ("bext01", "3.3.5", "OPTIONS", "nothing", "unknown extensions"),
    ("invut", "3.3.6", "INVITE", "nothing", "unknown Content-Type"),
    ("regaut01", "3.3.7", "REGISTER", "nothing", "unknown authorization scheme"),
    ("multi01", "3.3.8", "INVITE", "moves", "single fields twice"),
    ("mcl01", "3.3.9", "OPTIONS", "nothing", "two values of Content-Length; no SDP, so nothing to refuse"),
    ("bcast", "3.3.10", "200", "moves", "a response whose second Via is a broadcast address"),
    ("zeromf", "3.3.11", "OPTIONS", "nothing", "Max-Forwards 0"),
    ("cparam01", "3.3.12", "REGISTER", "nothing", "unknown parameter of a Contact"),
    ("cparam02", "3.3.13", "REGISTER", "nothing", "unknown parameter of a Contact's URI"),
    ("regescrt", "3.3.14", "REGISTER", "nothing", "a Route in a Contact's URI"),
    ("sdp01", "3.3.15", "INVITE", "moves", "a body that the Accept of the peer does not list"),
    ("inv2543", "3.4.1", "INVITE", "moves", "an INVITE of RFC 2543"),
]
TABLE_5118 = [
    ("ipv6-good", "4.1", "REGISTER", "nothing", "valid IPv6 references"),
    ("ipv6-bad", "4.2", "REGISTER", "nothing", "an IPv6 address without brackets in the Request-URI"),
    ("port-ambiguous", "4.3", "REGISTER", "nothing", "the port reads as part of the address"),
    ("port-unambiguous", "4.4", "REGISTER", "nothing", "valid: brackets tell them apart"),
    ("via-received-param-with-delim", "4.5", "BYE", "nothing", "received with brackets"),
    ("via-received-param-no-delim", "4.5", "BYE", "nothing", "received without"),
    ("ipv6-in-sdp", "4.6", "INVITE", "moves", "IPv6 in SDP"),
    ("mult-ip-in-header", "4.7", "BYE", "nothing", "Vias of both families"),
    ("mult-ip-in-sdp", "4.8", "INVITE", "moves", "streams of both families"),
    ("ipv4-mapped-ipv6", "4.9", "INVITE", "moves", "IPv4-mapped IPv6 addresses"),
    ("ipv6-abnf-3-colons", "4.10", "OPTIONS", "nothing", "three colons, which the ABNF of RFC 3261 asks for"),
    ("ipv6-correct-abnf-2-colons", "4.10", "OPTIONS", "nothing", "two, as is right"),
]
# What received tells of who sent a message, where the tool is not told.
RECEIVED = [("via-received-param-with-delim", "[2001:db8::9:255]:5060"), ("via-received-param-no-delim", "[2001:db8::9:255]:5060")]


def check(path, methods, deed):
    classified = subprocess.run([BIN / "natclassify", "--format", "json", "--source", "203.0.113.9:1024", path], capture_output=True, timeout=60)
    records = [json.loads(line) for line in classified.stdout.splitlines()]
    read = " ".join(str(record.get("method", record.get("status"))) for record in records if record["type"] == "sip")
    problems = [f"natclassify read {read!r}: {classified.stderr.decode()}"] if read != methods or classified.returncode != (0 if methods else 1) else []
    before = path.read_bytes()
    rewrite = subprocess.run([BIN / "sdprewrite", "--to", "203.0.113.10:40000", path], capture_output=True, timeout=60)
    moved = b"c=IN IP4 203.0.113.10" in rewrite.stdout and b" 40000 " in rewrite.stdout and b"c=IN IP6" not in rewrite.stdout
    did = "refuses" if rewrite.returncode == 1 else "moves" if moved else "nothing"
    if did != deed or (did != "moves" and rewrite.stdout != before) or (did == "refuses" and not rewrite.stderr):
        problems.append(f"sdprewrite {did} (exit {rewrite.returncode}): {rewrite.stderr.decode()}")
    return problems


def main():
    failures = 0
    for table, folder in ((TABLE_4475, "rfc4475"), (TABLE_5118, "rfc5118")):
        files = sorted(path.stem for path in (HERE / folder).glob("*.sip"))
        if files != sorted(row[0] for row in table):
            failures += 1
            print(f"{folder}: the table and the files differ")
        for name, section, read, deed, why in table:
            for problem in check(HERE / folder / (name + ".sip"), read, deed):
                failures += 1
                print(f"{name} (section {section}, {why}): {problem}")
    for name, source in RECEIVED:
        run = subprocess.run([BIN / "natclassify", "--format", "json", HERE / "rfc5118" / (name + ".sip")], capture_output=True, timeout=60)
        if json.loads(run.stdout)["source"] != source:
            failures += 1
            print(f"{name}: {run.stdout} {run.stderr}")
    print(f"{len(TABLE_4475)} messages of RFC 4475, {len(TABLE_5118)} of RFC 5118, {failures} failures")
    sys.exit(1 if failures else 0)


main()
