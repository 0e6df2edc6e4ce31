#!/usr/bin/env python3
"""under_unit.py UNIT USER PROGRAM ARGUMENTS…: what systemd does for a unit with rights: its user, its capabilities (ambient and
bounding), no new privileges, its system call filter, /proc/sys and /sys read-only but for its ReadWritePaths. Needs root. With
NATKIT_WITHOUT=CAP_… (names, with blanks between) the unit has not those capabilities."""
import ctypes
import os
import pathlib
import pwd
import subprocess
import sys

ALLOW, ERRNO = 0x7FFF0000, 0x00050000


def values(unit, key):
    return [line.split("=", 1)[1] for line in pathlib.Path(unit).read_text().splitlines() if line.startswith(key + "=")]


def expand(name):
    """The system calls of a group of systemd's, or the one."""
    if not name.startswith("@"):
        return {name}
    listed = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True).stdout
    found = set()
    for line in listed.splitlines()[1:]:
        word = line.strip()
        if word and not word.startswith("#"):
            found |= expand(word)
    return found


def allowed(unit):
    calls = set()
    for line in values(unit, "SystemCallFilter"):
        for word in line.removeprefix("~").split():
            calls = calls - expand(word) if line.startswith("~") else calls | expand(word)
    return calls


def filter_calls(calls):
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(ERRNO | 1))  # EPERM
    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # this machine has it
            seccomp.seccomp_rule_add(context, ALLOW, number, 0)
    if seccomp.seccomp_load(context) != 0:
        sys.exit("under_unit: no filter of system calls can be loaded")


def read_only(unit):
    """In a mount namespace of its own, already."""
    def sh(*argv):
        subprocess.run(argv, check=True)
    for path in ("/proc/sys", "/sys"):
        sh("mount", "--rbind", path, path)
    free = [path for line in values(unit, "ReadWritePaths") for word in line.split() for path in [word.removeprefix("-")]
            if os.path.isdir(path)]
    for path in free:
        sh("mount", "--bind", path, path)
    mounts = [line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines()]
    for path in set(mounts):
        if (path == "/proc/sys" or path == "/sys" or path.startswith("/sys/")) and path not in free:
            subprocess.run(["mount", "-o", "remount,bind,ro", path], stderr=subprocess.DEVNULL, check=False)


def main():
    if sys.argv[1] == "--inside":
        filter_calls(set(os.environ.pop("NATKIT_CALLS").split()))
        # The search for leaks needs more than the unit allows.
        os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        os.execv(sys.argv[2], sys.argv[2:])
    unit, user, program = sys.argv[1], sys.argv[2], sys.argv[3:]
    if os.environ.get("NATKIT_UNIT_MOUNTS") != "made":
        os.environ["NATKIT_UNIT_MOUNTS"] = "made"
        os.execvp("unshare", ["unshare", "--mount", sys.executable, "-B", *sys.argv])
    calls = allowed(unit)
    read_only(unit)
    without = {"CAP_" + name.removeprefix("CAP_") for name in os.environ.pop("NATKIT_WITHOUT", "").split()}

    def rights(key):
        names = [name for line in values(unit, key) for name in line.split() if name not in without]
        return ",".join(["-all", *("+" + name.removeprefix("CAP_").lower() for name in names)])
    entry = pwd.getpwnam(user)
    os.environ["NATKIT_CALLS"] = " ".join(calls)
    os.execvp("setpriv", ["setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups",
                          f"--inh-caps={rights('AmbientCapabilities')}", f"--ambient-caps={rights('AmbientCapabilities')}",
                          f"--bounding-set={rights('CapabilityBoundingSet')}", "--no-new-privs",
                          sys.executable, "-B", __file__, "--inside", *program])


if __name__ == "__main__":
    main()
