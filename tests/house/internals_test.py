#!/usr/bin/env python3
"""natkit-internals(7) names real files, folders, functions, types and layers, natkit-migrating(7) real keys; every key of the
configuration has a bad value among the tests and stands in natkit.toml(5), and every metric in natkit(1) with what to do when it
rises."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
problems = []


def sources():
    """Text of each source file, by its path."""
    paths = [p for folder in ("lib", "include", "tools") for p in (TOP / folder).rglob("*.[ch]pp")]
    return {p.relative_to(TOP).as_posix(): p.read_text(errors="replace") for p in paths}


def defines(text, name):
    """Whether that text declares or defines the function: Class::method and a.b::function are looked for as they are written, and
    a method also in the body of its class."""
    scope, _, last = name.rpartition("::")
    if scope and re.search(rf"\b{name}\(", text):
        return True
    if scope and not re.search(rf"\b(struct|class) (\w+::)*{scope.rpartition('::')[2]}\b[^;]*?{{", text):
        return False
    # What stands before a declared name is a type, not "return", an operator or a parenthesis.
    return any(m[1] not in ("return", "co_return", "else", "throw") for m in re.finditer(rf"(\w+|>)[ &*]+{last}\(", text))


def is_type(name):
    """Whether a file of that namespace (nat::Rule: natkit::nat) declares the type."""
    scope, _, last = name.rpartition("::")
    return any(re.search(rf"\b(struct|class|enum class) {last}\b[^;]*?{{", text)
               and (not scope or re.search(rf"namespace natkit::{scope}\b", text)) for text in code.values())


def exists(path):
    """A file or folder of the tree, or one that a page names without its folder, as it does where the folder is plain."""
    if path.startswith(("include/natkit/X/", "lib/X/", "tests/unit/X/")):
        return True  # how names are formed
    near = ("lib/engine/supervise", "tests/support", "tools/natkit") if "/" not in path else ()
    return any(TOP.glob(path)) or any((TOP / folder / path).exists() for folder in near)


internals = (TOP / "man/natkit-internals.7").read_text()
code = sources()
names = 0
for words in re.findall(r"\bPa ([^\n]*?)(?: No .*)?$", internals, re.M):
    for word in words.split():
        if re.fullmatch(r"[\w./*-]*\w[\w./*-]*", word):
            names += 1
            if not exists(word):
                problems.append(f"natkit-internals(7): no file or folder {word}")
for name in re.findall(r"\bFn (\S+)", internals):
    names += 1
    if not any(defines(text, name) for text in code.values()):
        problems.append(f"natkit-internals(7): no function {name}")
# A function with its file behind it, in parentheses or after "in", is in that file.
for name, path in re.findall(r"\bFn (\S+)\n(?:in\n\.|\.Pq )Pa (\S+)", internals):
    if path in code and not defines(code[path], name):
        problems.append(f"natkit-internals(7): {name} is not in {path}")
for name in re.findall(r"\bVt (\S+)", internals):
    names += 1
    if not is_type(name):
        problems.append(f"natkit-internals(7): no type {name}")
for word in re.findall(r"\bLi (\w+)", internals):
    names += 1
    if not any(re.search(rf"\b{word}\b", text) for text in code.values()):
        problems.append(f"natkit-internals(7): no {word}")
# The layers it lists are the rows of CMakeLists.txt: the folders of the core, then libraries.
rows = dict(re.findall(r"^natkit_library\((\w+) +FOLDERS ([\w/ .]+?)(?: +LINKS.*)?\)", (TOP / "CMakeLists.txt").read_text(), re.M))
core = re.search(r"\.It core : ([\w ]+)$", internals, re.M)[1].split()
if core != [folder for folder in rows["core"].split() if (TOP / "lib" / folder).is_dir()]:
    problems.append(f"natkit-internals(7): the core's folders are {rows['core']}")
for library in re.search(r"\.It (sip ,[\w ,]+)$", internals, re.M)[1].replace(",", "").split():
    if library not in rows:
        problems.append(f"natkit-internals(7): no library {library}")
if names < 80:
    problems.append(f"natkit-internals(7): only {names} names were found in it")

# Keys as lib/config/schema.cpp and proxies.cpp read them: section → keys.
schema = (TOP / "lib/config/schema.cpp").read_text() + (TOP / "lib/config/proxies.cpp").read_text()
keys = set(re.findall(r'section\.(?:value|list|number|boolean|find|has)\("(\w+)"', schema))
keys |= set(re.findall(r'read_ranges\(section, "(\w+)"', schema))
bad_values = (TOP / "tests/unit/config/bad_values.inc").read_text()
page = (TOP / "man/natkit.toml.5").read_text()
for key in sorted(keys):
    if not re.search(rf"\b{key}:? ", re.sub(r'"\[[^\n]*?\n', "", bad_values)) and f"] {key}:" not in bad_values:
        problems.append(f"tests/unit/config/bad_values.inc: no bad value of {key}")
    if not re.search(rf"\b{key}\b", page):
        problems.append(f"natkit.toml(5): no {key}")
migrating = (TOP / "man/natkit-migrating.7").read_text()
known = set(re.findall(r"\w+", page))
for section, names in re.findall(r"\.Li \[([\w.]+)\] ([^\n;]+)", migrating):
    if f"[{section}]" not in page:
        problems.append(f"natkit-migrating(7): no section [{section}]")
    problems += [f"natkit-migrating(7): no key {n} in [{section}]" for n in re.findall(r"[a-z_]{3,}", names) if n not in known]

# Metrics.
tally = "".join(p.read_text() for p in (TOP / "lib/engine/supervise").glob("*.cpp"))
metrics = set(re.findall(r'"(natkit_\w+)"', tally))
natkit_page = (TOP / "man/natkit.1").read_text()
described = natkit_page.partition(".Sh METRICS")[2].partition(".Sh ENVIRONMENT")[0]
entries = re.split(r"\n\.It ", described)[1:]
for metric in sorted(metrics):
    mine = [entry for entry in entries if re.search(rf"\b{metric}\b", entry.splitlines()[0])]
    if not mine:
        problems.append(f"natkit(1): metric {metric} is not described")
    elif not re.search(r"rise|Near|At 0|falls|grows|No cause for", mine[0]):
        problems.append(f"natkit(1): {metric}: it does not say what to do when it rises")

# The header fields that are removed from untrusted sides.
identities = re.findall(r'\{"([\w-]+)", "([^"]+)"(?:, Withheld::\w+)?\}', (TOP / "lib/sip/message/identity.cpp").read_text())
listed = (TOP / "man/natkit-security.7").read_text().partition(".Ss Identities")[2].partition(".Ss ")[0]
told = [(name, source) for names, source in re.findall(r"\.It\n([\w, -]+)\n\.Pq ([^\n]+)", listed) for name in names.split(", ")]
if not identities or told != identities:
    problems.append(f"natkit-security(7): its identity fields are not those of lib/sip/message/identity.cpp: {set(told) ^ set(identities)}")

print(*problems, sep="\n")
print(f"{len(keys)} keys, {len(metrics)} metrics, {len(problems)} problems")
sys.exit(1 if problems or not keys or not metrics else 0)
