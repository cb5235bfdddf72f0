#!/bin/sh
# Have the named servers' programs on this machine, or say in one line what to install. Nothing is started here.
set -eu

# Debian keeps PostgreSQL's programs out of PATH, one folder a version.
have() {
    if [ "$1" = postgresql ]; then
        command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
    else
        command -v "$1" >/dev/null
    fi
}

missing=
for package in "$@"; do
    have "$package" || missing="$missing $package"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
else
    echo "The tests need:$missing. Install with: apt-get install$missing" >&2
    exit 1
fi
