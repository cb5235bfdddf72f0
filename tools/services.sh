#!/bin/sh
# Have the named Debian packages' programs on this machine, or say in one line what to install. Nothing is started here.
set -eu

have() {
    case "$1" in
        # Debian keeps PostgreSQL's programs out of PATH, one folder a version.
        postgresql) command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 ;;
        php-cli) command -v php >/dev/null ;;
        php-soap) php -m 2>/dev/null | grep -qx soap ;;
        default-jdk-headless) command -v javac >/dev/null ;;
        libjaxws-java) [ -e /usr/share/java/jaxws-rt.jar ] ;;
        libgoogle-gson-java) [ -e /usr/share/java/gson.jar ] ;;
        libwss4j-java) [ -e /usr/share/java/wss4j.jar ] ;;
        *) command -v "$1" >/dev/null ;;
    esac
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
