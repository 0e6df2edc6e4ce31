"""Headless Chromium, driven by its own protocol (DevTools) over two pipes: no driver, no port, nothing that must be installed beside it.
Nothing of natkit's code."""
import base64
import json
import os
import pathlib
import select
import shutil
import subprocess
import time

import lab

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-default-apps", "--disable-extensions", "--mute-audio", "--remote-debugging-pipe")


def installed():
    return shutil.which("chromium") is not None


class Browser:
    """One browser, in the network of `host`. Console messages, failed requests and asked addresses of all pages are noted."""

    def __init__(self, host, folder):
        self.folder = pathlib.Path(folder)
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        command = ["chromium", *FLAGS, f"--user-data-dir={self.folder}/profile", "about:blank"]
        # Chromium reads descriptor 3 and writes descriptor 4; ours may have just these numbers.
        given, taken = os.dup(to_browser), os.dup(from_browser)
        high = [fd for fd in (os.dup(given), os.dup(taken))]
        script = f'exec 3<&{high[0]} 4>&{high[1]}; exec "$0" "$@"'
        self.process = subprocess.Popen([*host.enter, "bash", "-c", script, *command], pass_fds=high, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.folder / "chromium.log", "wb"), env={**os.environ, "HOME": str(self.folder)})
        for fd in (to_browser, from_browser, given, taken, *high):
            os.close(fd)
        self._last, self._unread, self.events = 0, b"", []
        self.pages = []

    def close(self):
        try:
            self.call("Browser.close")
        except (lab.Failure, OSError):
            self.process.kill()
        self.process.wait(lab.PATIENCE)
        os.close(self._write)
        os.close(self._read)

    # --- the protocol

    def _message(self, end):
        while b"\0" not in self._unread:
            left = end - time.monotonic()
            lab.require(left > 0 and select.select([self._read], [], [], left)[0], "the browser says nothing")
            chunk = os.read(self._read, 1 << 20)
            lab.require(chunk, "the browser is gone: " + (self.folder / "chromium.log").read_text(errors="replace")[-1000:])
            self._unread += chunk
        text, _, self._unread = self._unread.partition(b"\0")
        return json.loads(text)

    def call(self, method, session=None, seconds=lab.PATIENCE, **parameters):
        self._last += 1
        request = {"id": self._last, "method": method, "params": parameters}
        if session:
            request["sessionId"] = session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self._write, data):]
        end = time.monotonic() + seconds
        while True:
            message = self._message(end)
            if message.get("id") == request["id"]:
                lab.require("error" not in message, f"{method}: {message.get('error')}")
                return message["result"]
            if "method" in message:
                self._event(message)

    def _event(self, message):
        for page in self.pages:
            if page.session == message.get("sessionId"):
                page.on_event(message["method"], message["params"])

    def page(self, own_cookies=False):
        """A new page; with its own cookies, as of another person."""
        context = {"browserContextId": self.call("Target.createBrowserContext")["browserContextId"]} if own_cookies else {}
        target = self.call("Target.createTarget", url="about:blank", **context)["targetId"]
        page = Page(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])
        self.pages.append(page)
        for domain in ("Page", "Runtime", "Log", "Network"):
            page.call(f"{domain}.enable")
        return page


class Page:
    def __init__(self, browser, session):
        self.browser, self.session = browser, session
        self.console, self.asked = [], []

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def on_event(self, method, parameters):
        if method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.console.append(str(parameters["args"]))
        elif method == "Runtime.exceptionThrown":
            self.console.append(str(parameters["exceptionDetails"])[:2000])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.console.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.asked.append(parameters["request"]["url"])

    def open(self, address):
        self.call("Page.navigate", url=address)
        self.wait("document.readyState === 'complete'")

    def run(self, script):
        """The value of a script, which may wait."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True, userGesture=True)
        lab.require("exceptionDetails" not in result, f"{script[:200]}: {result.get('exceptionDetails')}")
        return result["result"].get("value")

    def wait(self, script, what=None, seconds=lab.PATIENCE):
        """Until the script is true; a page that is on its way to another one has no answer for a moment."""
        def true():
            try:
                return self.run(script)
            except lab.Failure as failure:
                if "context" in str(failure) or "navigat" in str(failure):
                    return None
                raise
        return lab.wait_until(true, lambda: f"{what or script}; the page says: {self.text()[:1500]}", seconds)

    def text(self):
        try:
            return self.run("document.body ? document.body.innerText : ''") or ""
        except lab.Failure:
            return ""

    def see(self, *texts):
        for text in texts:
            self.wait(f"document.body?.innerText.includes({json.dumps(text)})", f"the text {text!r}")

    def fill(self, selector, text):
        self.run(f"""(() => {{ const field = document.querySelector({json.dumps(selector)}); field.focus(); field.value = {json.dumps(text)};
            field.dispatchEvent(new Event("input", {{ bubbles: true }})); field.dispatchEvent(new Event("change", {{ bubbles: true }})); }})()""")

    def click(self, text, within="body"):
        """The button or link of that text (or label), as soon as it is there and can be pressed."""
        self.wait(f"""(() => {{ const found = [...document.querySelectorAll({json.dumps(within)} + " button, " + {json.dumps(within)} + " a")]
            .find((one) => !one.disabled && one.offsetParent !== null && [one.textContent.trim(), one.getAttribute("aria-label")].includes({json.dumps(text)}));
            if (found) found.click(); return Boolean(found); }})()""", f"something to press that says {text!r}")

    def press(self, key):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27}
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key], **(text if kind == "keyDown" else {}))

    def look(self, dark=False, width=1280, height=900):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def picture(self, path):
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        pathlib.Path(path).write_bytes(data)
        return data

    def choose_file(self, selector, path):
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", nodeId=node, files=[str(path)])

    def cookies(self):
        return {one["name"]: one for one in self.call("Network.getCookies")["cookies"]}

    def complaints(self, axe):
        """What axe-core finds that is serious; `axe` is its source."""
        if not self.run("'axe' in window"):
            self.call("Runtime.evaluate", expression=axe)
        found = json.loads(self.run("axe.run(document, { iframes: false }).then((result) => JSON.stringify(result.violations))"))
        return [(one["id"], one["impact"], [node["html"][:300] + " " + node.get("failureSummary", "")[:300] for node in one["nodes"][:4]])
                for one in found if one["impact"] in ("serious", "critical")]
