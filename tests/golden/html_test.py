#!/usr/bin/env python3
"""natclassify --explain --format html: one file that a browser shows without a request and without a complaint, in which text of messages
stays text; what is in it, and when it is refused. Looked at with headless Chromium."""
import contextlib
import html.parser
import os
import pathlib
import shutil
import socketserver
import subprocess
import sys
import tempfile
import threading

SOURCE = pathlib.Path(os.environ.get("NATKIT_SOURCE", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = pathlib.Path(os.environ.get("NATKIT_BUILD", SOURCE / "build/dev")) / "bin/natclassify"
sys.path.insert(0, str(SOURCE / "tests/support"))
from captures import Capture, message, sdp  # noqa: E402

A, B, EDGE = "203.0.113.9:5060", "203.0.113.20:5060", "203.0.113.5:5060"
# What a Call-ID and a reason phrase may hold, and what would run or ask if it were markup.
EVIL = "<img/src='http://evil.example/x.png'/onerror=console.error(1)>"
SCRIPT = '"><script>console.error(2)</script></style></svg><iframe src=http://evil.example/f>'
failures = []


def check(why, good, more=""):
    if not good:
        failures.append(f"{why}: {str(more)[:1500]}")


def relayed_call(c, start, call_id, *, answered=True, reason="Busy Here", user="b"):
    """By way of EDGE, which relays; the callee's media is there or not."""
    def udp(time, source, destination, text):
        c.udp(start + time, source, destination, text.replace(b"sip:a@example.com", b"sip:" + user.encode() + b"@example.com"))

    one = [A + ";branch=z9hG4bK1"]
    two = [EDGE + ";branch=z9hG4bK2"] + one
    more = {"call_id": call_id}
    for repeat in (0, 0.5, 1.5):
        udp(repeat, A, EDGE, message(f"INVITE sip:b@{EDGE} SIP/2.0", vias=one, contact=A, body=sdp("203.0.113.9", 4000), **more))
    udp(1.6, EDGE, B, message(f"INVITE sip:b@{B} SIP/2.0", vias=two, contact=A, body=sdp("203.0.113.5", 30010), **more))
    if not answered:
        udp(1.7, B, EDGE, message(f"SIP/2.0 500 {reason}", vias=two, to_tag="b", **more))
        udp(1.8, EDGE, A, message(f"SIP/2.0 500 {reason}", vias=one, to_tag="b", **more))
        return
    udp(1.7, B, EDGE, message("SIP/2.0 200 OK", vias=two, to_tag="b", contact=B, body=sdp("203.0.113.20", 4002), **more))
    udp(1.8, EDGE, A, message("SIP/2.0 200 OK", vias=one, to_tag="b", contact=EDGE, body=sdp("203.0.113.5", 30000), **more))
    udp(1.9, A, EDGE, message(f"ACK sip:b@{EDGE} SIP/2.0", vias=one, to_tag="b", cseq="1 ACK", **more))
    udp(1.95, EDGE, B, message(f"ACK sip:b@{B} SIP/2.0", vias=two, to_tag="b", cseq="1 ACK", **more))
    udp(9, A, EDGE, message(f"BYE sip:b@{EDGE} SIP/2.0", vias=one, to_tag="b", cseq="2 BYE", **more))
    udp(9.05, EDGE, A, message("SIP/2.0 200 OK", vias=one, to_tag="b", cseq="2 BYE", **more))


def media(c, start, *, swallowed):
    ssrc = 10 + start
    c.rtp(start + 2, "203.0.113.9:4000", "203.0.113.5:30000", 300, ssrc=ssrc)
    c.rtp(start + 2.001, "203.0.113.5:30010", "203.0.113.20:4002", 300, ssrc=ssrc)
    c.rtp(start + 2, "203.0.113.20:4002", "203.0.113.5:30010", 300, ssrc=ssrc + 1)
    if not swallowed:
        c.rtp(start + 2.001, "203.0.113.5:30000", "203.0.113.9:4000", 300, ssrc=ssrc + 1)


def run(*words):
    return subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=60, env={**os.environ, "NATKIT_CONFIG": ""})


class Page(html.parser.HTMLParser):
    """Elements with their attributes, and the text between them."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.raw = [], "", False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.raw = tag in ("style", "script")

    def handle_endtag(self, tag):
        self.raw = False

    def handle_data(self, data):
        if not self.raw:
            self.text += data + "\n"

    def count(self, tag, kind=None):
        return sum(1 for name, attrs in self.elements if name == tag and (kind is None or kind in (attrs.get("class") or "").split()))


class Browser:
    """Headless Chromium behind a proxy of ours, which notes what is asked of it."""

    # What the browser itself asks for is none of the page's doing.
    OWN = ("google.com", "googleapis.com", "gvt1.com", "gstatic.com", "googleusercontent.com", "chromium.org")

    def __init__(self, work):
        self.work, self.asked = work, []
        asked = self.asked

        class Note(socketserver.StreamRequestHandler):
            def handle(self):
                asked.append(self.rfile.readline(4096).decode(errors="replace").strip())
                self.wfile.write(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Note)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def show(self, page, *options):
        """What the browser made of it, what the console said, and what was asked for."""
        self.asked.clear()
        done = subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--disable-default-apps", f"--user-data-dir={self.work}/profile",
             f"--proxy-server=127.0.0.1:{self.server.server_address[1]}", "--proxy-bypass-list=<-loopback>", "--enable-logging=stderr",
             "--virtual-time-budget=2000", *(options or ("--dump-dom",)), page.as_uri()],
            capture_output=True, text=True, timeout=120)
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        asked = [line for line in self.asked if not any(name in line for name in self.OWN)]
        return done.stdout, console, asked


def make_pages(work):
    c = Capture()
    relayed_call(c, 0, EVIL)
    media(c, 0, swallowed=True)
    relayed_call(c, 20, SCRIPT.replace(" ", "/"), answered=False, reason=EVIL + SCRIPT, user="x&lt;b&gt;'y")
    relayed_call(c, 40, "well@example.com")
    media(c, 40, swallowed=False)
    c.save(work / "calls.pcap")
    made = run("--explain", "--format", "html", str(work / "calls.pcap"))
    check("the page is made", made.returncode == 0 and not made.stderr, (made.returncode, made.stderr))
    (work / "ticket.html").write_text(made.stdout)
    (work / "bad.html").write_text("<!DOCTYPE html><title>x</title><img src='http://evil.example/x.png'><script>console.error('told')</script>")
    return made.stdout


def as_text(text):
    """What does not need a browser."""
    page = Page(text)
    names = {name for name, _ in page.elements}
    check("nothing that runs or asks", not names & {"script", "img", "iframe", "link", "object", "embed", "form", "base"}, names)
    asking = [(name, attrs) for name, attrs in page.elements
              if any(key.startswith("on") or key in ("src", "style", "action") or (key == "href" and not (value or "").startswith("#")) for key, value in attrs.items())]
    check("no attribute that runs or asks", not asking, asking)
    policy = [attrs["content"] for name, attrs in page.elements if name == "meta" and "http-equiv" in attrs]
    check("its policy allows its own style alone", policy == ["default-src 'none'; style-src 'unsafe-inline'"], policy)
    ids = [attrs["id"] for _, attrs in page.elements if "id" in attrs]
    check("no id twice", len(ids) == len(set(ids)), ids)
    labels = {word for _, attrs in page.elements for word in (attrs.get("aria-labelledby") or "").split()}
    check("what names something is there", labels and labels <= set(ids), labels - set(ids))


def look(text, dom, console, asked):
    check("no complaint", not console, console)
    check("no request", not asked, asked)
    page = Page(dom)
    check("main elements", page.count("main") == 1 and page.count("h1") == 1 and page.count("article", "call") == 2 and page.count("svg", "ladder") == 2
          and page.count("svg", "timeline") == 1 and page.count("svg", "paths") == 1 and page.count("details") >= 3, page.elements[:60])
    for svg in [attrs for name, attrs in page.elements if name == "svg"]:
        check("a picture has its words", svg.get("role") == "img" and svg.get("aria-labelledby"), svg)
    for words in (EVIL, "the caller does not hear the callee", "relay-swallows", "INVITE ×3", "1 healthy call", "well@example.com", "Packets a second"):
        check(f"says {words!r}", words in page.text, page.text[:3000])
    check("markup stays text in the second call too", SCRIPT.replace(" ", "/") in page.text and SCRIPT[:20] in page.text, page.text[:3000])
    check("the browser made of it what was written", [name for name, _ in page.elements] == [name for name, _ in Page(text).elements],
          [(a, b) for a, b in zip(page.elements, Page(text).elements) if a[0] != b[0]][:3])


def refusals():
    for words in (["--format", "html"], ["--explain", "--format", "html", "--same", "192.0.2.1", "192.0.2.2"]):
        done = run(*words)
        check(f"{words}: usage", done.returncode == 2 and not done.stdout and "--format html goes with --explain" in done.stderr, done)
    done = subprocess.run([PROGRAM, "--explain", "--format", "html"], input='{"type":"other"}\n', capture_output=True, text=True, timeout=60,
                          env={**os.environ, "NATKIT_CONFIG": ""})
    check("nothing but a page", done.stdout.startswith("<!DOCTYPE html>") and "No call" in done.stdout and "other" not in Page(done.stdout).text, done)


def main():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        text = make_pages(work)
        as_text(text)
        refusals()
        if not failures and shutil.which("chromium") is None:
            print("skipped: chromium is not installed (tools/packages.txt, section test)")
            return 77
        if not failures:
            browser = Browser(work)
            _, console, asked = browser.show(work / "bad.html")
            check("what a bad page does is noticed", any("told" in line for line in console) and any("evil.example" in line for line in asked), (console, asked))
            look(text, *browser.show(work / "ticket.html"))
            sizes = []
            for scheme in (0, 1):  # dark, light
                _, console, asked = browser.show(work / "ticket.html", f"--screenshot={work}/{scheme}.png", "--window-size=1200,1600",
                                                 f"--blink-settings=preferredColorScheme={scheme}")
                check("a picture without complaint", not console and not asked, (console, asked))
                with contextlib.suppress(OSError):
                    sizes.append((work / f"{scheme}.png").read_bytes())
            check("two pictures, light and dark", len(sizes) == 2 and all(len(picture) > 20000 for picture in sizes) and sizes[0] != sizes[1],
                  [len(picture) for picture in sizes])
    print(f"html: {len(failures)} failures", *failures, sep="\n")
    return 1 if failures else 0


sys.exit(main())
