#!/usr/bin/env python3
"""The shell examples of mediarelay(1) run, in a site where their addresses are real."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import lab
import media
from media import Edge

WANTED = [  # what each example must print, as patterns of its lines
    [r"A sends to 192\.168\.10\.1:\d+, B to 203\.0\.113\.10:\d+", "signal"],
    [r'.*"leg":"[0-9a-f]{10}","local":"192\.168\.10\.1:\d+".*"local":"203\.0\.113\.10:\d+".*', r".* joined .*call demo", r".* joined .*call demo",
     r'\{"freed":2\}'],
    [r"A: 192\.168\.10\.1:\d+, B: 203\.0\.113\.10:\d+"] * 2 + ["signal"] * 2,
    [r'\["leg","local","rtcp"\]'],
]


def examples(net):
    edge = Edge(net).serve()
    page = (lab.SOURCE / "man/mediarelay.1").read_text()
    found = re.findall(r'^\.\\" run by [^\n]*\n\.Bd -literal -offset indent\n(.*?)^\.Ed$', page, re.M | re.S)
    lab.require(len(found) == len(WANTED), f"{len(found)} examples")
    environment = {"PATH": f"{lab.PROGRAMS}:/usr/bin:/bin:/usr/sbin:/sbin", "NATKIT_CONFIG": str(edge.config), "RUNTIME": str(edge.runtime)}
    # The examples use the runtime directory of the configuration.
    edge.config.write_text(edge.config.read_text() + f'[control]\nsocket = "{edge.runtime}/natkit.sock"\n')
    for text, wanted in zip(found, WANTED):
        done = edge.host.run("bash", "-m", "-c", text.replace("\\e", "\\"), env=environment)
        lines = done.stdout.splitlines()
        lab.require(len(lines) == len(wanted) and all(re.fullmatch(p, line) for p, line in zip(wanted, lines)),
                    f"{text}\nprinted {done.stdout}{done.stderr}")


if __name__ == "__main__":
    lab.main(examples)
