#!/bin/sh
# fetch_packages.sh SUITE - gets Debian's binary packages of Kamailio that the checks use, and unpacks them, without
# installing anything, to $KAMAILIO_CACHE/packages-SUITE. Prints the folder. Does nothing when they are there.
set -eu

suite=${1:?usage: fetch_packages.sh SUITE}
set -- kamailio kamailio-json-modules kamailio-utils-modules kamailio-tls-modules kamailio-extra-modules \
	kamailio-xml-modules
# What runs on another C library than this machine's is started with that release's own loader.
[ "$suite" = bookworm ] || set -- "$@" libc6 libgcc-s1 libpcre2-8-0 libreadline8t64 libtinfo6
here=$(cd "$(dirname "$0")" && pwd)
cache=${KAMAILIO_CACHE:-$(dirname "$here")/build/kamailio}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
dest=$cache/packages-$suite

exec 9>"$cache/packages-$suite.lock"
flock 9
if [ "$(cat "$dest/.complete" 2>/dev/null)" = "$*" ]; then
	echo "$dest"
	exit 0
fi

. "$here/../ci/fetch/apt.sh"

work=$cache/fetch-packages-$suite
rm -rf "$work" "$dest"
mkdir -p "$work" "$dest"
own_apt "$work" "$suite" deb
cd "$work"
{ apt update && apt download "$@"; } >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
for package in *.deb; do
	dpkg-deb -x "$package" "$dest"
done
cd "$cache"
echo "$*" >"$dest/.complete"
rm -rf "$work"
echo "$dest"
