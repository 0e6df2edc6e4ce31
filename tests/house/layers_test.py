#!/usr/bin/env python3
"""Keeps the layers honest: who includes whom, that the core stays pure, that no folder outgrows a reader, and that a header is
public only when another folder needs it.

What a library may include is read from the table in CMakeLists.txt, so the table, the linking and the includes cannot part.
"""
import os
import pathlib
import re
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NATKIT_BUILD", TOP / "build/dev"))

# Which library's headers a package brings, and where a header is allowed beyond the libraries that name the package.
PACKAGES = {
    "sofia-sip-ua": r"sofia-sip/.*",
    "nlohmann_json": r"nlohmann/.*",
    "simdjson": r"simdjson\.h",
    "tomlplusplus": r"toml\+\+/.*",
    "libcrypto": r"openssl/.*",
    "libssl": r"openssl/.*",
    "sqlite3": r"sqlite3\.h",
    "libpcap": r"pcap(/.*|\.h)",
    "zlib": r"zlib\.h",
    "libuv": r"uv\.h",
    "libcares": r"ares.*\.h",
    "CLI11": r"CLI/.*",
    "libbpf": r"bpf/.*",
    "libsystemd": r"systemd/.*",
    "libmicrohttpd": r"microhttpd\.h",
    "hiredis": r"hiredis/.*",
    "ncursesw": r"(curses|term)\.h",
    "prometheus-cpp-core": r"prometheus/.*",
}
EVERYWHERE_ABOVE = {"nlohmann_json": re.compile(r"lib/engine/|tools/")}
PUBLIC_HEADERS = {"nlohmann/json_fwd.hpp"}  # the only foreign header that a public header may include
SOCKETS = re.compile(r"(sys/socket|sys/un|netinet/.*|arpa/inet|net/if|netdb|sys/epoll|linux/.*)\.h")
IMPURE = re.compile(r"(sys/.*|unistd|fcntl|time|signal|pthread|poll|netdb|arpa/.*|netinet/.*|net/.*|linux/.*|stdio|stdlib)\.h"
                    r"|c?(stdio|time|signal)|iostream|fstream|filesystem|thread|mutex|shared_mutex|condition_variable|future"
                    r"|random|print|format|syncstream|cstdlib|ctime|csignal|cstdio")
# What the core archive may not ask of the system: sockets, clocks, files, environment, randomness, output.
IMPURE_SYMBOLS = re.compile(
    r"^(socket|bind|connect|listen|accept4?|send(to|msg|mmsg)?|recv(from|msg|mmsg)?|[gs]etsockopt|poll|epoll_\w+|select"
    r"|open(at)?(64)?|creat|read|write|pread|pwrite|close|unlink|rename|stat|fopen(64)?|fread|fwrite|fputs?|puts|printf|v?fprintf"
    r"|time|clock|clock_gettime|gettimeofday|nanosleep|sleep|usleep|getenv|setenv|rand|random|getrandom|arc4random"
    r"|getaddrinfo|gethostby\w+|syslog|fork|execv\w*|system|pthread_create"
    r"|std::chrono::_V2::\w+_clock::now\(\)|std::random_device.*|std::basic_[io]?fstream.*|std::basic_filebuf.*"
    r"|std::(cout|cerr|clog|cin)|std::filesystem::.*)(@.*)?$")

# What a folder of lib may hold by itself; a part that is larger is divided into rooms (sub-folders).
LINES_OF_A_FOLDER = 2500
# What stands in one header, and is written nowhere else: constants and tables, and the values that layers share.
ONCE = {
    "include/natkit/base/hash.hpp": r"(?i)0x(cbf29ce484222325|0*100000001b3|9e3779b97f4a7c15|bf58476d1ce4e5b9|94d049bb133111eb)",
    "include/natkit/base/text.hpp": r'"0123456789abcdef"',
    "include/natkit/base/host.hpp": r"enum class Side [^;]*\blan, wan\b",
    "include/natkit/proxy/path_mode.hpp": r"enum class PathMode\b",
    "include/natkit/relay/ports.hpp": r"struct PortRange\b",
}

problems = []


def problem(text):
    problems.append(text)
    print(f"layers: {text}")


def table():
    """Library -> {folders, links, packages}, and program -> links, from the rows of CMakeLists.txt."""
    libraries, programs = {}, {}
    text = (TOP / "CMakeLists.txt").read_text()
    for kind, body in re.findall(r"^natkit_(library|program)\(([^)]*)\)", text, re.M):
        words = body.split()
        row, key = {"FOLDERS": [], "LINKS": [], "PKG": []}, None
        for word in words[1:]:
            if word in row:
                key = word
            else:
                row[key].append(word)
        (libraries if kind == "library" else programs)[words[0]] = row
    return libraries, programs


def closure(libraries, names):
    seen, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += libraries[name]["LINKS"]
    return seen


def includes(path):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            yield number, found[2]


def directory_of(path):
    """The folder of a file of lib or include/natkit, without these: headers and sources are one folder."""
    return re.sub(r"^(include/natkit|lib)/", "", path).rpartition("/")[0]


def folder_of(path, folders):
    """The longest folder of the table that holds this path (engine/relay before engine)."""
    fits = [f for f in folders if path == f or path.startswith(f + "/")]
    return max(fits, key=len) if fits else None


def add_edge(edges, relative, target, where):
    """Notes that the folder of this file includes a header of the folder `target`; rooms are folders of their own."""
    here = directory_of(relative)
    if not relative.startswith("tools/") and here != target:
        edges.setdefault(here, {}).setdefault(target, where)


def check_file(path, own, allowed, folders, libraries, edges):
    relative = path.relative_to(TOP).as_posix()
    public = relative.startswith("include/")
    packages = set(libraries[own]["PKG"]) if own in libraries else {"nlohmann_json", "CLI11"}
    for number, header in includes(path):
        where = f"{relative}:{number}"
        if header.startswith("natkit/"):
            target = folder_of(header.removeprefix("natkit/").rpartition("/")[0], folders)
            if target is None:
                problem(f"{where}: <{header}> belongs to no library of CMakeLists.txt")
            elif folders[target] not in allowed:
                problem(f"{where}: {own} may not include {header}: it does not link {folders[target]}")
            add_edge(edges, relative, header.removeprefix("natkit/").rpartition("/")[0], where)
            continue
        beside = os.path.normpath(path.parent / header)
        if os.path.exists(beside):
            add_edge(edges, relative, directory_of(os.path.relpath(beside, TOP)), where)
            continue
        for package, pattern in PACKAGES.items():
            if not re.fullmatch(pattern, header):
                continue
            above = EVERYWHERE_ABOVE.get(package)
            if public and header not in PUBLIC_HEADERS:
                problem(f"{where}: {header} in a public header: foreign types stay inside their library")
            elif header in PUBLIC_HEADERS and (package in packages or any("text" in closure(libraries, [x]) for x in [own] if x in libraries)):
                pass
            elif not any(re.fullmatch(PACKAGES[p], header) for p in packages if p in PACKAGES) and not (above and above.match(relative)):
                problem(f"{where}: {own} may not include {header}: only the library that names {package} may")
            break
        if own == "core" and IMPURE.fullmatch(header):
            problem(f"{where}: the core may not include <{header}>: it is pure")
        if own != "io" and SOCKETS.fullmatch(header) and not relative.startswith("lib/capture/"):
            problem(f"{where}: <{header}> outside lib/io: only io speaks to sockets")


def check_cycles(edges):
    state = {}

    def visit(folder, trail):
        if state.get(folder) == "done":
            return
        if folder in trail:
            ring = trail[trail.index(folder):] + [folder]
            problem("a ring of includes: " + " -> ".join(ring) +
                    " (" + ", ".join(edges[a][b] for a, b in zip(ring, ring[1:])) + ")")
            return
        for target in sorted(edges.get(folder, {})):
            visit(target, trail + [folder])
        state[folder] = "done"

    for folder in sorted(edges):
        visit(folder, [])


def check_sizes():
    lines = {}
    for path in (TOP / "lib").rglob("*.[ch]pp"):
        folder = directory_of(path.relative_to(TOP).as_posix())
        lines[folder] = lines.get(folder, 0) + path.read_text(errors="replace").count("\n")
    for folder, count in sorted(lines.items()):
        if count > LINES_OF_A_FOLDER:
            problem(f"lib/{folder} has {count} lines: more than {LINES_OF_A_FOLDER}; divide it into rooms")
    return len(lines)


def check_public_headers():
    """A header in include/natkit/engine is used by another folder, or by a header there that is. Unit tests see the headers
    beside the .cpp files of their folder, and make no header public."""
    users = {}
    for path in [p for top in ("lib", "include", "tools", "tests") for p in (TOP / top).rglob("*.[ch]pp")]:
        relative = path.relative_to(TOP).as_posix()
        for _, header in includes(path):
            users.setdefault(header, set()).add(relative)
    headers = {p.relative_to(TOP / "include").as_posix() for p in (TOP / "include/natkit/engine").rglob("*.hpp")}

    def from_outside(header):
        folder = header.removeprefix("natkit/").rpartition("/")[0]
        inside = re.compile(rf"(lib|include/natkit|tests/unit)/{folder}/")
        return any(not inside.match(user) for user in users.get(header, ()))

    needed, todo = set(), [header for header in headers if from_outside(header)]
    while todo:
        header = todo.pop()
        if header not in needed:
            needed.add(header)
            todo += [other for other in headers if f"include/{header}" in users.get(other, ())]
    for header in sorted(headers - needed):
        problem(f"include/{header}: no other folder uses it; its place is beside its .cpp")


def check_once():
    for path in [p for top in ("lib", "include", "tools") for p in (TOP / top).rglob("*.[ch]pp")]:
        relative, text = path.relative_to(TOP).as_posix(), path.read_text(errors="replace")
        for home, pattern in ONCE.items():
            found = re.search(pattern, text)
            if relative == home and not found:
                problem(f"{home}: {pattern} is no longer there")
            elif relative != home and found:
                problem(f"{relative}: {found[0]} stands in {home} already")


def check_core_symbols():
    archive = BUILD / "libnatkit_core.a"
    if not archive.exists():
        problem(f"no {archive}: build it first")
        return 0
    out = subprocess.run(["nm", "-uC", archive], capture_output=True, text=True, check=True).stdout
    names = set()
    for line in out.splitlines():
        found = re.match(r"\s+U (.*)$", line)
        if found:
            names.add(found[1])
            if IMPURE_SYMBOLS.match(found[1]):
                problem(f"the core archive calls {found[1]}: it is pure")
    return len(names)


def main():
    libraries, programs = table()
    folders = {}
    for name, row in libraries.items():
        for folder in row["FOLDERS"]:
            folders[os.path.normpath(folder)] = name
    edges, count = {}, 0
    for path in sorted([*TOP.glob("lib/**/*.[ch]pp"), *TOP.glob("include/natkit/**/*.[ch]pp"), *TOP.glob("tools/**/*.[ch]pp")]):
        relative = path.relative_to(TOP).as_posix()
        count += 1
        if relative.startswith("tools/"):
            program = relative.split("/")[1]
            if program == "common":
                own, links = "tool_main", ["tool_main"]
            elif program in programs:
                own, links = program, programs[program]["LINKS"]
            else:
                problem(f"{relative}: no program of CMakeLists.txt")
                continue
        else:
            folder = folder_of(directory_of(relative), folders)
            if folder is None:
                problem(f"{relative}: its folder belongs to no library of CMakeLists.txt")
                continue
            own = folders[folder]
            links = [own]
        check_file(path, own, closure(libraries, links), folders, libraries, edges)
    check_cycles(edges)
    check_public_headers()
    check_once()
    sizes = check_sizes()
    for name, row in programs.items():
        if name in ("natclassify", "looptrace") and "io" in closure(libraries, row["LINKS"]):
            problem(f"{name} is an offline tool and may not link io")
    symbols = check_core_symbols()
    print(f"layers: {count} files, {sizes} folders, {symbols} symbols the core asks for, {len(problems)} problems")
    if not count or not symbols or not sizes:
        problem("nothing was looked at")
    return 1 if problems else 0


sys.exit(main())
