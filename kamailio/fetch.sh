#!/bin/sh
# fetch.sh SUITE - gets Debian's source package of Kamailio and unpacks it to $KAMAILIO_CACHE/src-SUITE.
#
# SUITE is bookworm (Kamailio 5.6.3) or trixie (6.0.1). No host is named here: the archive, and the keys
# it is signed with, are those that this machine's own apt uses. apt's own lists stay as they are.
# Prints the folder. Does nothing when it is there.
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

. "$here/archive.sh"

work=$cache/fetch-$suite
rm -rf "$work" "$dest"
mkdir -p "$work"
own_apt "$work" "$suite" deb-src
cd "$work"
apt update >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
# trixie's package lists a detached signature that apt may fail to get: what counts is below.
apt source --download-only kamailio >>"$work/log" 2>&1 || true

dsc=$(ls kamailio_*.dsc 2>/dev/null | head -n 1)
[ -n "$dsc" ] || {
	cat "$work/log" >&2
	exit 1
}
# Name, size and SHA-256 of each part come from the .dsc; the tarballs must be there and match.
awk '/^Checksums-Sha256:/ { on = 1; next } /^[^ ]/ { on = 0 } on && $3 ~ /\.tar\./ && $3 !~ /\.asc$/ { print $1 "  " $3 }' \
	"$dsc" >sums
[ -s sums ] && sha256sum --check --quiet sums || {
	cat "$work/log" >&2
	echo "fetch.sh: $dsc: a part is missing or wrong" >&2
	exit 1
}
# Without the part that is not there, dpkg-source would stop.
sed -i '/\.asc$/d' "$dsc"
dpkg-source --no-check --no-copy -x "$dsc" "$dest" >>"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
cd "$cache"
touch "$dest/.complete"
rm -rf "$work"
echo "$dest"
