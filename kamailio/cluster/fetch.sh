#!/bin/sh
# fetch.sh - gets unbound and Valkey of Debian trixie with all libraries that they want, and unpacks them, without
# installing anything, to $KAMAILIO_DNS_CLUSTER, default build/cluster. Prints the folder. Does nothing when they are there.
# Bookworm's unbound has no cachedb.
set -eu

suite=trixie
servers="unbound valkey-server valkey-tools"
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
dest=${KAMAILIO_DNS_CLUSTER:-$root/build/cluster}
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)

exec 9>"$dest/lock"
flock 9
if [ "$(cat "$dest/.complete" 2>/dev/null)" = "$servers" ]; then
	echo "$dest"
	exit 0
fi

. "$root/ci/fetch/apt.sh"

work=$dest/fetch
rm -rf "$work" "$dest/root"
mkdir -p "$work" "$dest/root"
own_apt "$work" "$suite" deb
# As if nothing were installed: they run with the C library of their own release.
: >"$work/status"
# shellcheck disable=SC2086
{ apt update && apt install -y --download-only --no-install-recommends -o Dir::State::status="$work/status" \
	-o Debug::NoLocking=1 $servers; } >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
for package in "$work"/cache/archives/*.deb; do
	dpkg-deb -x "$package" "$dest/root"
done
echo "$servers" >"$dest/.complete"
rm -rf "$work"
echo "$dest"
