#!/usr/bin/env python3
"""The torture messages of RFC 4475 and RFC 5118: what natclassify and sdprewrite make of each, with the RFC's section beside it.

An offline tool reads what it can: a message that a proxy must refuse may still tell where its sender is. sdprewrite is stricter:
what it cannot rewrite safely comes out unchanged, with exit status 1. Skipped without the collection (../shared/data).
"""
import json
import os
import pathlib
import subprocess
import sys

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BIN = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev")) / "bin"

# file, section, methods that natclassify reads ("" none), what sdprewrite does: moves, nothing (no SDP), refuses; why
TABLE_4475 = [
    ("wsinv", "3.1.1.1", "INVITE", "moves", "valid: spaces, folding and case everywhere"),
    ("intmeth", "3.1.1.2", "!interesting-Method0123456789_*+`.%indeed'~", "refuses", "valid: odd tokens and an escaped NUL; a NUL is not passed on"),
    ("esc01", "3.1.1.3", "INVITE", "moves", "valid: escapes in URIs"),
    ("escnull", "3.1.1.4", "REGISTER", "nothing", "valid: escaped nulls in URIs"),
    ("longreq", "3.1.1.7", "INVITE", "moves", "valid: long values"),
    ("dblreq", "3.1.1.8", "REGISTER INVITE", "refuses", "valid, with rubbish behind it that looks like another, of wrong length"),
    ("semiuri", "3.1.1.9", "OPTIONS", "nothing", "valid: semicolon in the user part"),
    ("transports", "3.1.1.10", "OPTIONS", "nothing", "valid: unknown transports in Via"),
    ("badinv01", "3.1.2.1", "INVITE", "moves", "extra separators in Via and Contact: no reason to leave SDP alone"),
    ("clerr", "3.1.2.2", "INVITE", "refuses", "Content-Length larger than the message"),
    ("ncl", "3.1.2.3", "INVITE", "refuses", "negative Content-Length"),
    ("scalar02", "3.1.2.4", "REGISTER", "nothing", "numbers that overflow"),
    ("quotbal", "3.1.2.6", "INVITE", "moves", "unterminated quoted string"),
    ("lwsruri", "3.1.2.8", "INVITE", "moves", "spaces within the Request-URI"),
    ("lwsstart", "3.1.2.9", "INVITE", "moves", "several spaces in the request line"),
    ("trws", "3.1.2.10", "OPTIONS", "refuses", "spaces at the end of the request line"),
    ("regbadct", "3.1.2.13", "REGISTER", "nothing", "a Contact whose parameters cannot be told apart"),
    ("badvers", "3.1.2.16", "", "refuses", "another version of SIP"),
    ("insuf", "3.3.1", "INVITE", "moves", "required fields are missing"),
    ("unkscm", "3.3.2", "OPTIONS", "nothing", "unknown URI scheme"),
    ("bext01", "3.3.5", "OPTIONS", "nothing", "unknown extensions"),
    ("multi01", "3.3.8", "INVITE", "moves", "single fields twice"),
    ("cparam01", "3.3.12", "REGISTER", "nothing", "unknown Contact parameters"),
    ("sdp01", "3.3.15", "INVITE", "moves", "a body that the Accept of the peer does not list"),
    ("inv2543", "3.4.1", "INVITE", "moves", "an INVITE of RFC 2543"),
]
TABLE_5118 = [
    ("ipv6-good", "4.1", "REGISTER", "nothing", "valid IPv6 references"),
    ("ipv6-bad", "4.2", "REGISTER", "nothing", "an IPv6 address without brackets in the Request-URI"),
    ("port-ambiguous", "4.3", "REGISTER", "nothing", "the port reads as part of the address"),
    ("via-received-param-with-delim", "4.5", "BYE", "nothing", "received with brackets"),
    ("ipv6-correct-abnf-2-colons", "4.10", "OPTIONS", "nothing", "more colons than needed"),
    ("ipv6-in-sdp", "4.6", "INVITE", "refuses", "IPv6 in SDP; the file's line ends do not fit its Content-Length"),
]


def data_folder():
    for folder in SOURCE.resolve().parents:
        if (folder / "shared/data/INDEX.md").exists():
            return folder / "shared/data"
    return None


def check(path, methods, deed):
    classified = subprocess.run([BIN / "natclassify", "--format", "json", "--source", "203.0.113.9:1024", path], capture_output=True, timeout=60)
    records = [json.loads(line) for line in classified.stdout.splitlines()]
    read = " ".join(record["method"] for record in records if record["type"] == "sip")
    problems = [f"natclassify read {read!r}: {classified.stderr.decode()}"] if read != methods or classified.returncode != (0 if methods else 1) else []
    before = path.read_bytes()
    rewrite = subprocess.run([BIN / "sdprewrite", "--to", "203.0.113.10:40000", path], capture_output=True, timeout=60)
    moved = b"c=IN IP4 203.0.113.10" in rewrite.stdout and b" 40000 " in rewrite.stdout
    did = "refuses" if rewrite.returncode == 1 else "moves" if moved else "nothing"
    if did != deed or (did != "moves" and rewrite.stdout != before) or (did == "refuses" and not rewrite.stderr):
        problems.append(f"sdprewrite {did} (exit {rewrite.returncode}): {rewrite.stderr.decode()}")
    return problems


def main():
    data = data_folder()
    if data is None:
        print("skipped: no shared/data beside this checkout")
        sys.exit(77)
    failures = 0
    for table, folder, suffix in ((TABLE_4475, "sip/rtckit+php-sip", ".dat"), (TABLE_5118, "sip/poroh+ersip", "")):
        for name, section, methods, deed, why in table:
            for problem in check(data / folder / (name + suffix), methods, deed):
                failures += 1
                print(f"{name} (section {section}, {why}): {problem}")
    print(f"{len(TABLE_4475) + len(TABLE_5118)} messages, {failures} failures")
    sys.exit(1 if failures else 0)


main()
