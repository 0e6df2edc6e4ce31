#!/usr/bin/env python3
"""natclassify against collected captures whose verdicts are known: what a real Kamailio 5.6.3 answered for each request.

Skipped where the collection (../shared/data beside the checkout) is not at hand.
"""
import base64
import collections
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import threading
import zipfile

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev"))
PROGRAM = BUILD / "bin/natclassify"

def data_folder():
    for folder in SOURCE.resolve().parents:
        if (folder / "shared/data/INDEX.md").exists():
            return folder / "shared/data"
    return None


def message_bytes(record):
    return record["message"].encode() if "message" in record else base64.b64decode(record["message_base64"])


def same(record, truth):
    """The truth ends a message at its Content-Length; natkit shows all of the datagram."""
    return hashlib.md5(message_bytes(record)[: truth["len"]]).hexdigest() == truth["md5"]


def classify(path):
    run = subprocess.run([PROGRAM, "--format", "json", path], capture_output=True, timeout=120)
    if run.returncode not in (0, 1):
        sys.exit(f"{path}: exit status {run.returncode}: {run.stderr.decode()[:2000]}")
    found = collections.defaultdict(list)
    for line in run.stdout.splitlines():
        record = json.loads(line)
        if record["type"] == "sip":
            found[record["frame"]].append(record)
    return found


def file_bytes(data, name):
    """A file, or "archive.zip!member"."""
    archive, _, member = name.partition("!")
    if not member:
        return (data / name).read_bytes()
    with zipfile.ZipFile(data / archive) as opened:
        return opened.read(member)


def raw_messages(data, problems):
    """Message files, each as if it came from several addresses: the same numbers as the real Kamailio's."""
    truths = [json.loads(line) for name in ("raw_sip_kamailio", "protos_kamailio") for line in open(data / f"truth/{name}.jsonl")]
    lines = []
    for number, truth in enumerate(truths):
        source = f"[{truth['src']}]:{truth['sport']}" if ":" in truth["src"] else f"{truth['src']}:{truth['sport']}"
        message = base64.b64encode(file_bytes(data, truth["file"])).decode()
        lines.append(json.dumps({"type": "sip", "number": number, "transport": "udp", "source": source, "message_base64": message}) + "\n")
    run = subprocess.run([PROGRAM, "--format", "json"], input="".join(lines), capture_output=True, text=True, timeout=120)
    records = [json.loads(line) for line in run.stdout.splitlines()]
    numbers = {r["number"]: r["nat"].get("nat_uac_test", 0) for r in records if r["type"] == "sip"}
    asked = equal = 0
    for number, truth in enumerate(truths):
        verdict = truth.get("kamailio_5_6_3")
        if verdict is None:
            continue
        asked += 1
        if number in numbers and numbers[number] & 63 == verdict["mask"] & 63:
            equal += 1
        else:
            problems.append(f"{truth['file']} from {truth['src']}: {numbers.get(number)} instead of {verdict['mask']}")
    return asked, equal


def every_capture(data, problems):
    """All of them, with and without --explain: no crash, no hang, and never much memory, whatever is in them."""
    count = 0
    for path in sorted((data / "pcap").rglob("*")):
        if not path.is_file():
            continue
        count += 1
        for mode in ([], ["--explain"]):
            # A sanitizer keeps freed memory for a while: not what is to be measured.
            process = subprocess.Popen([PROGRAM, "--format", "json", *mode, path], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                       env={**os.environ, "ASAN_OPTIONS": "quarantine_size_mb=1"})
            timer = threading.Timer(120, process.kill)
            timer.start()
            told = process.stderr.read().decode(errors="replace")
            told = "".join(line for line in told.splitlines(True) if "name yours, such as --lan" not in line)  # a hint, no fault
            _, status, used = os.wait4(process.pid, 0)
            timer.cancel()
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in (0, 1) or used.ru_maxrss > 100_000 or (process.returncode == 1) != bool(told):
                problems.append(f"{path} {mode}: exit {process.returncode}, {used.ru_maxrss} kB: {told[:500]}")
    return count


def main():
    data = data_folder()
    if data is None:
        print("skipped: no shared/data beside this checkout")
        sys.exit(77)
    by_file = collections.defaultdict(list)
    for line in open(data / "truth/nat_requests.jsonl"):
        truth = json.loads(line)
        by_file[truth["file"]].append(truth)
    asked = equal = messages = missing = invented = 0
    problems = []
    for file, truths in sorted(by_file.items()):
        found = classify(data / file)
        last = max(t["frame"] for t in truths)
        for truth in truths:
            records = found.get(truth["frame"], [])
            record = next((r for r in records if same(r, truth)), None)
            if truth["kind"] == "icmp-quoted":
                if records:
                    problems.append(f"{file} frame {truth['frame']}: a message quoted in ICMP was taken for one")
                continue
            messages += 1
            if record is None:
                missing += 1
                problems.append(f"{file} frame {truth['frame']} n {truth['n']} ({truth['kind']}): not found: {truth['start']}")
                continue
            where = (f"{truth['src']}:{truth['sport']}" if ":" not in truth["src"] else f"[{truth['src']}]:{truth['sport']}")
            if record["source"] != where:
                problems.append(f"{file} frame {truth['frame']}: source {record['source']} instead of {where}")
            verdict = truth.get("kamailio_5_6_3")
            if verdict is None or truth["kind"] != "request":
                continue
            asked += 1
            ours = record["nat"]["nat_uac_test"] & 63
            if ours == verdict["mask"] & 63:
                equal += 1
            else:
                problems.append(f"{file} frame {truth['frame']}: number {ours} instead of {verdict['mask'] & 63}: {truth['start']}")
        known = {t["frame"] for t in truths}
        for frame in found:
            if frame <= last and frame not in known:
                invented += 1
                problems.append(f"{file} frame {frame}: a message that is not in the truth: {found[frame][0].get('method', found[frame][0].get('status'))}")
    asked_raw, equal_raw = raw_messages(data, problems)
    asked, equal = asked + asked_raw, equal + equal_raw
    captures = every_capture(data, problems)
    for problem in problems:
        print(problem)
    print(f"{captures} captures read in both modes")
    print(f"{messages} messages, {missing} missing, {invented} more than in the truth; {equal} of {asked} numbers equal")
    sys.exit(0 if asked and captures and equal / asked >= 0.995 and not problems else 1)


main()
