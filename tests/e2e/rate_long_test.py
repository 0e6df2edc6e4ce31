#!/usr/bin/env python3
"""500 calls a second for 60 seconds, SDP rewritten, two legs each, no media: none fails. With an optimised build, where there is one."""
# ctest: long
# ctest: serial
# ctest: timeout 600
import os
import pathlib
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
built = TOP / "build/release/bin"
if "NATKIT_PROGRAMS" not in os.environ and all((built / one).exists() for one in ("natkit", "sipedge", "mediarelay", "natpinger")):
    os.environ["NATKIT_PROGRAMS"] = str(built)
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import rate_test
from rate_test import lab


def five_hundred_a_second(net):
    rate_test.calls(net, 500, 60)


if __name__ == "__main__":
    lab.main(five_hundred_a_second)
