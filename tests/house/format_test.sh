#!/usr/bin/env bash
# clang-format finds nothing to change.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.."
mapfile -t files < <(find include lib tools tests -name '*.[ch]pp' | sort)
[ "${#files[@]}" -gt 0 ]
clang-format-19 --dry-run --Werror --ferror-limit=1 "${files[@]}" || { echo "run: clang-format-19 -i FILE"; exit 1; }
echo "${#files[@]} files"
