#!/usr/bin/env bash
# Our shell scripts pass shellcheck.
set -euo pipefail
cd "$(dirname -- "${BASH_SOURCE[0]}")/../.."
scripts=()
while IFS= read -r file; do
    case $file in
        *.sh) scripts+=("$file") ;;
        *) if head -c 64 "$file" | grep -qaE '^#! ?/(usr/bin/env |usr/bin/|bin/)(ba)?sh'; then scripts+=("$file"); fi ;;
    esac
done < <(find .ci tools tests completions -type f 2>/dev/null | sort)
[ "${#scripts[@]}" -gt 0 ]
shellcheck -x -P SCRIPTDIR -e SC1091 "${scripts[@]}"
echo "${#scripts[@]} scripts"
