#!/usr/bin/env bash
# clang-format finds nothing to change, and no text file has a merge's marks left in it.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.."
mapfile -t files < <(find include lib tools tests -name '*.[ch]pp' | sort)
[ "${#files[@]}" -gt 0 ]
clang-format-19 --dry-run --Werror --ferror-limit=1 "${files[@]}" || { echo "run: clang-format-19 -i FILE"; exit 1; }
if grep -rnIE '^(<{7}|>{7}|\|{7}) ' --exclude-dir=build --exclude-dir=.git .; then
    echo "a merge left its marks: decide which side stands"
    exit 1
fi
echo "${#files[@]} files"
