"""A terminal of its own for a program, and what stands on its screen: python3-pyte makes that of the bytes."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time

try:
    import pyte
except ImportError:  # another python3 than Debian's is first on the path; the package is plain Python
    sys.path.append("/usr/lib/python3/dist-packages")
    import pyte

import lab


class Screen(pyte.Screen):
    """With the one order that ncurses gives to xterm and pyte does not know: the last character again (ECMA-48 8.3.103, REP)."""
    last = " "

    def draw(self, data):
        self.last = data[-1:]
        super().draw(data)

    def repeat_last(self, count=1):
        super().draw(self.last * (count or 1))


class Stream(pyte.ByteStream):
    csi = {**pyte.ByteStream.csi, "b": "repeat_last"}
    events = pyte.ByteStream.events | {"repeat_last"}


class Terminal:
    """A program on a terminal of its own, whose screen is what pyte makes of the bytes."""

    def __init__(self, host, *arguments, rows=24, columns=80, term="xterm-256color", environment=None):
        self.master, slave = pty.openpty()
        self.screen = Screen(columns, rows)
        self.stream = Stream(self.screen)
        self.bytes = b""
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        words = {**os.environ, "TERM": term, "LC_ALL": "C.UTF-8", **(environment or {})}
        self.process = subprocess.Popen([*host.enter, *map(str, arguments)], stdin=slave, stdout=slave,
                                        stderr=slave, preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)), env=words)
        self.slave = slave

    def resize(self, rows, columns):
        """The kernel tells the program."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def type(self, text):
        os.write(self.master, text.encode())

    def read(self, seconds):
        """What has come meanwhile; whether anything has."""
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            got = os.read(self.master, 65536)
        except OSError:
            return False
        self.bytes += got
        self.stream.feed(got)
        return True

    def see(self, pattern, seconds=lab.PATIENCE):
        """The lines of a screen that matches."""
        end = time.monotonic() + seconds
        while True:
            lines = [line.rstrip() for line in self.screen.display]
            if re.search(pattern, "\n".join(lines)):
                return lines
            if time.monotonic() > end:
                raise lab.Failure(f"no screen with {pattern!r}: {lines}, of {self.bytes[-500:]!r}")
            self.read(0.1)

    def receive(self, pattern, seconds=lab.PATIENCE):
        """Until the bytes that have come match."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.bytes):
            lab.require(time.monotonic() < end, f"no bytes like {pattern!r}: {self.bytes[-500:]!r}")
            self.read(0.1)

    def ended(self, status=0):
        """As it was before: the first screen, the cursor, echo."""
        try:
            code = self.process.wait(lab.PATIENCE)
        finally:
            while self.read(0.2):
                pass
        lab.require(code == status, f"exit {code}, not {status}: {self.bytes[-300:]!r}")
        lab.require(termios.tcgetattr(self.slave)[3] == self.before[3], f"exit {code}, and the terminal is left without echo: {self.bytes[-200:]!r}")
        return self.bytes
