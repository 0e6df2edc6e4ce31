#!/usr/bin/env python3
"""natkit-internals(7) names real files and functions; natkit-migrating(7) real keys; every key of the configuration has a bad value
among the tests and stands in natkit.toml(5), and every metric in natkit(1) with what to do when it rises."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
problems = []


def sources():
    return "\n".join(p.read_text(errors="replace") for folder in ("lib", "include", "tools") for p in (TOP / folder).rglob("*.[ch]pp"))


internals = (TOP / "man/natkit-internals.7").read_text()
code = sources()
for words in re.findall(r"\.Pa ([^\n]*)|Pa ([^\n]*)", internals):
    for word in (words[0] or words[1]).split():
        if re.fullmatch(r"[\w./-]+\.(cpp|hpp|py|inc|txt)", word) and "X/y" not in word:
            at = (TOP, TOP / "lib/engine/supervise", TOP / "tests/support", TOP / "tools/natkit")
            if not any((folder / word).exists() for folder in at):
                problems.append(f"natkit-internals(7): no file {word}")
for name in re.findall(r"\.Fn (\S+)", internals):
    if not re.search(rf"\b{re.escape(name.rpartition('::')[2])}\(", code) and name != "main":
        problems.append(f"natkit-internals(7): no function {name}")
for name in re.findall(r"\.Vt (?:\w+::)?(\w+)", internals):
    if not re.search(rf"\b(struct|class|enum class) {name}\b", code):
        problems.append(f"natkit-internals(7): no type {name}")

# Keys as lib/config/schema.cpp reads them: section → keys.
schema = (TOP / "lib/config/schema.cpp").read_text()
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
identities = re.findall(r'\{"([\w-]+)", "([^"]+)"(?:, Withheld::\w+)?\}', (TOP / "lib/sip/identity.cpp").read_text())
listed = (TOP / "man/natkit-security.7").read_text().partition(".Ss Identities")[2].partition(".Ss ")[0]
told = [(name, source) for names, source in re.findall(r"\.It\n([\w, -]+)\n\.Pq ([^\n]+)", listed) for name in names.split(", ")]
if not identities or told != identities:
    problems.append(f"natkit-security(7): its identity fields are not those of lib/sip/identity.cpp: {set(told) ^ set(identities)}")

print(*problems, sep="\n")
print(f"{len(keys)} keys, {len(metrics)} metrics, {len(problems)} problems")
sys.exit(1 if problems or not keys or not metrics else 0)
