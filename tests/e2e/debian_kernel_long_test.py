#!/usr/bin/env python3
"""mediarelay's fast tiers under Debian's own kernel, which is older than many a machine that tests, and stricter: what the unit may load
there, and what flows by it; VLANs too."""
# ctest: long
# ctest: timeout 1800
import os
import pathlib
import re
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import debian_kernel
import flow_table_test
import lab

CASES = ("flow_table_test.py forwards_each_family follows_changes a_vlan as_nobody", "relay_unit_test.py each_tier_works",
         "relay_steered_test.py large_packets_and_path_mtu", "relay_fast_path_test.py source_rules_hold")


def main():
    wanted = debian_kernel.missing()
    if wanted:
        print(f"skipped: no {wanted}")
        return 77
    release = lab.SOURCE / "build/release"
    programs = release / "bin" if (release / "bin/mediarelay").exists() else lab.PROGRAMS  # a sanitizer is slow where all is emulated
    script = f"export NATKIT_BUILD={lab.BUILD} NATKIT_PROGRAMS={programs} PYTHONDONTWRITEBYTECODE=1 NATKIT_PATIENCE=10 LC_ALL=C.UTF-8\nset -e\n"
    script += "".join(f"python3 {lab.SOURCE}/tests/e2e/{case}\n" for case in CASES)
    with tempfile.TemporaryDirectory(prefix="natkit-kernel-") as folder:
        said = debian_kernel.boot(script, lab.BUILD / "kernel", pathlib.Path(folder), 1700)
    print(said)
    # The console's own codes may stand before the first line.
    missing = [name for case in CASES for name in case.split()[1:] if not re.search(rf"ok +{name} \(", said)]
    if flow_table_test.NO_VLANS in said:
        missing.append("VLANs")
    print(f"not passed: {', '.join(missing)}" if missing else "all passed")
    return 1 if missing else 0


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C.UTF-8")
    sys.exit(main())
