# shellcheck shell=bash
# Installs the Debian packages of tools/packages.txt. Sourced by tools/quickstart and tests/run, which set `top`.
: "${top:?}"

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }
die() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit "${exit_status:-1}"; }

# packages_of SECTION…: the packages of these sections, a line each.
packages_of() {
    local section
    for section; do
        awk -v want="[$section]" '/^\[/ { on = ($0 == want); next } on && NF && !/^#/ { print $1 }' "$top/tools/packages.txt"
    done
}

# missing_packages SECTION…: those of them that are not installed.
missing_packages() {
    local package
    for package in $(packages_of "$@"); do
        [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# install_packages SECTION…: installs what is missing. No daemon starts by being installed.
install_packages() {
    local missing guard="" status=0
    command -v dpkg-query >/dev/null || die "this needs Debian 12 or a relative of it (no dpkg here); tools/packages.txt names what to install"
    mapfile -t missing < <(missing_packages "$@")
    [ "${#missing[@]}" -gt 0 ] || return 0
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        die "run this as root or install sudo; it needs: apt-get install --no-install-recommends ${missing[*]}"
    fi
    say "installing ${#missing[@]} packages: ${missing[*]}"
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        guard=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$guard" >/dev/null
        as_root chmod 755 "$guard"
    fi
    {
        as_root apt-get -q update &&
            as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
                -o Dpkg::Use-Pty=0 install "${missing[@]}" >/dev/null
    } </dev/null || status=$?
    [ -z "$guard" ] || as_root rm -f "$guard"
    [ "$status" = 0 ] || die "apt-get could not install them (status $status)"
}

# build PRESET [TARGET…]: configures where needed and builds. Quiet when there is nothing to do.
build() {
    local preset=$1 dir="$top/build/$1" log
    shift
    if [ ! -f "$dir/build.ninja" ]; then
        mkdir -p "$dir"
        log="$dir/configure.log"
        (cd "$top" && cmake --preset "$preset") >"$log" 2>&1 || { cat "$log" >&2; return 1; }
    fi
    (cd "$top" && cmake --build --preset "$preset" -j "$(nproc)" ${1:+--target "$@"} >&2) </dev/null
}
