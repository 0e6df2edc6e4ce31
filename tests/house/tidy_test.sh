#!/usr/bin/env bash
# Each source compiles alone, and clang-tidy finds nothing in it: of the files changed since the branch left main (on main: in
# the last commits); with NATKIT_LONG=1 of all. At most 40 files in the short run, newest changes first.
# ctest: serial, timeout 3600
set -euo pipefail
top=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$top"
limit=40
# The preset that compiles each source alone; configured, not built.
database=build/dev
[ -f "$database/compile_commands.json" ] || cmake --preset dev >/dev/null

# A checkout may belong to somebody else than who runs this (continuous integration).
export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0="*"
changed() {
    local base=""
    for branch in origin/main main; do
        base=$(git merge-base HEAD "$branch" 2>/dev/null) && break
    done
    if [ -z "$base" ] || [ "$base" = "$(git rev-parse HEAD)" ]; then
        base=$(git rev-parse -q --verify HEAD~5 || git hash-object -t tree /dev/null)
    fi
    git diff --name-only --diff-filter=d "$base"
    git ls-files --others --exclude-standard
}

if [ "${NATKIT_LONG:-0}" = 1 ]; then
    list=$(find lib tools -name '*.cpp')
    limit=100000
else
    git rev-parse HEAD >/dev/null 2>&1 || { echo "no history here: tests/run --long looks at every file"; exit 77; }
    list=$(changed | while IFS= read -r file; do
        case $file in
            lib/*.cpp | tools/*.cpp) echo "$file" ;;
            include/natkit/*.hpp) # a header is looked at through the source of its name
                source=${file#include/natkit/}
                source=lib/${source%.hpp}.cpp
                [ ! -f "$source" ] || echo "$source"
                ;;
        esac
    done)
fi
mapfile -t files < <(sort -u <<<"$list" | sed '/^$/d')
if [ "${#files[@]}" -gt "$limit" ]; then
    echo "${#files[@]} files changed: looking at the $limit that changed last"
    mapfile -t files < <(stat -c '%Y %n' -- "${files[@]}" | sort -rn | sed "${limit}q" | cut -d' ' -f2-)
fi
[ "${#files[@]}" -gt 0 ] || { echo "no source changed"; exit 0; }
echo "${#files[@]} files"
printf '%s\0' "${files[@]}" | xargs -0 -n 2 -P "$(nproc)" clang-tidy-19 --quiet -p "$database" 2>/dev/null
