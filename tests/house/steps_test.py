#!/usr/bin/env python3
"""An INVITE passes 15 functions of sipedge at most, and natkit-internals(7) lists them: tests/bench/steps."""
# ctest: long
import os
import pathlib

TOP = pathlib.Path(__file__).resolve().parents[2]
steps = str(TOP / "tests/bench/steps")
os.execv(steps, [steps, "--build", os.environ.get("NATKIT_BUILD", str(TOP / "build/dev"))])
