#!/bin/sh
# promtool.sh - gets promtool out of Debian's package prometheus into build/lint/bin. Nothing is installed, so no
# service runs. Does nothing where one is there.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$root/build/lint/bin
if command -v promtool >/dev/null 2>&1 || [ -x "$folder/promtool" ]; then
	exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq download prometheus >log 2>&1 || {
	cat log >&2
	echo "promtool.sh: the package prometheus cannot be had" >&2
	exit 1
}
mkdir -p "$folder"
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xf - ./usr/bin/promtool
# Whoever starts it meanwhile has the old one or the new one.
mv usr/bin/promtool "$folder/promtool.new"
mv "$folder/promtool.new" "$folder/promtool"
