"""A site whose natkit serves its pages, and who asks for them: by Chromium, or byte by byte."""
import json
import os
import pathlib
import re
import socket

import browser
import lab
import site_of_phones as sites

PASSWORD = "correct horse"
PORT = 8080
URL = f"http://127.0.0.1:{PORT}"


def axe():
    """The source of axe-core where tests/run has installed it; else nothing."""
    top = pathlib.Path(__file__).resolve().parents[2]
    path = pathlib.Path(os.environ.get("NATKIT_AXE", top / "build/npm/node_modules/axe-core/axe.min.js"))
    if not path.exists():
        print("        without axe-core: tests/run installs it where npm is")
        return None
    return path.read_text()


class WebSite(sites.Site):
    def start(self, web=None, users=("admin",), **changes):
        self.write_config(web={"listen": f'"127.0.0.1:{PORT}"', "users": '"web.users"', **(web or {})}, **changes)
        for user in users:
            done = self.edge.run(lab.PROGRAMS / "natkit", "web", "passwd", user, "--config", self.config, stdin=PASSWORD + "\n")
            lab.require(done.returncode == 0, f"natkit web passwd: {done}")
        self.natkit = self.edge.start("natkit", lab.PROGRAMS / "natkit", "run", "--config", self.config)
        self.wait_up()
        self.wait_pages()
        return self

    def wait_pages(self, seconds=lab.PATIENCE):
        def up():
            try:
                return self.request("GET", "/login").status == 200
            except OSError:
                return False
        lab.wait_until(up, "the pages to be served", seconds)

    def open_browser(self):
        made = browser.Browser(self.edge, self.net.folder)
        self.net.on_close(made.close)
        return made

    def connect(self, host=None):
        connection = (host or self.edge).socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.settimeout(lab.PATIENCE)
        connection.connect(("127.0.0.1", PORT))
        return connection

    def request(self, method, path, body=b"", **headers):
        """One request; header names with "_" for "-". What is None is left out."""
        with self.connect() as connection:
            wanted = {"Host": f"127.0.0.1:{PORT}", "Origin": URL if method == "POST" else None, "Connection": "close",
                      "Content-Length": len(body) if body or method == "POST" else None,
                      **{name.replace("_", "-"): value for name, value in headers.items()}}
            head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in wanted.items() if value is not None)
            try:
                connection.sendall(head.encode() + b"\r\n" + body)
            except ConnectionError:
                pass  # it has heard enough
            return Answer(connection)

    def log_in(self, user="admin", password=PASSWORD, **headers):
        body = f"user={user}&password={password.replace(' ', '+')}".encode()
        return self.request("POST", "/login", body, Content_Type="application/x-www-form-urlencoded", **headers)

    def session(self, user="admin"):
        """A logged-in one: what to send with requests, its CSRF token among it."""
        answer = self.log_in(user)
        lab.require(answer.status == 303, f"log in: {answer}")
        cookie = "; ".join(line.split(";")[0] for line in answer.all("set-cookie"))
        told = self.request("GET", "/api/session", Cookie=cookie).json()
        return {"Cookie": cookie, "X_CSRF_Token": told["csrf"], "Content_Type": "application/json"}


class Answer:
    def __init__(self, connection):
        raw = b""
        try:
            while chunk := connection.recv(1 << 16):
                raw += chunk
        except ConnectionError:
            pass
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        found = re.match(r"HTTP/1\.[01] (\d+)", self.head)
        self.status = int(found[1]) if found else 0

    def all(self, name):
        return re.findall(rf"(?im)^{name}: *(.*?)\r?$", self.head)

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.head}\n{self.body[:500]!r}"
