#!/bin/sh
# fetch.sh SUITE - gets Debian's source package of Kamailio and unpacks it to $KAMAILIO_CACHE/src-SUITE.
#
# SUITE is bookworm (Kamailio 5.6.3) or trixie (6.0.1). Prints the folder. Does nothing when it is there.
set -eu

suite=${1:?usage: fetch.sh bookworm|trixie}
here=$(cd "$(dirname "$0")" && pwd)
cache=${KAMAILIO_CACHE:-$(dirname "$here")/build/kamailio}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
dest=$cache/src-$suite

# One at a time: tests, benchmarks and make may all ask for it.
exec 9>"$cache/fetch-$suite.lock"
flock 9
if [ -f "$dest/.complete" ]; then
	echo "$dest"
	exit 0
fi

work=$cache/fetch-$suite
rm -rf "$dest"
dsc=$(sh "$here/../ci/fetch/source.sh" kamailio "$suite" "$work")
dpkg-source --no-check --no-copy -x "$dsc" "$dest" >>"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
touch "$dest/.complete"
rm -rf "$work"
echo "$dest"
