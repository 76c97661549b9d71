#!/bin/sh
# fetch_packages.sh SUITE [ARCHITECTURE] - gets Debian's binary packages of Kamailio that the checks use, and unpacks them,
# without installing anything, to $KAMAILIO_CACHE/packages-SUITE, with -ARCHITECTURE when it is not this machine's. Prints
# the folder. Does nothing when they are there.
set -eu

suite=${1:?usage: fetch_packages.sh SUITE [ARCHITECTURE]}
own=$(dpkg --print-architecture)
architecture=${2:-$own}
name=$suite
[ "$architecture" = "$own" ] || name=$suite-$architecture
set -- kamailio kamailio-json-modules kamailio-utils-modules kamailio-tls-modules kamailio-extra-modules \
	kamailio-xml-modules
# What runs on another C library than this machine's is started with that release's own loader.
[ "$name" = bookworm ] || set -- "$@" libc6 libgcc-s1 libpcre2-8-0 libtinfo6 "libreadline8$([ "$suite" = bookworm ] || echo t64)"
here=$(cd "$(dirname "$0")" && pwd)
cache=${KAMAILIO_CACHE:-$(dirname "$here")/build/kamailio}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
dest=$cache/packages-$name

exec 9>"$cache/packages-$name.lock"
flock 9
if [ "$(cat "$dest/.complete" 2>/dev/null)" = "$*" ]; then
	echo "$dest"
	exit 0
fi

. "$here/../ci/fetch/apt.sh"

work=$cache/fetch-packages-$name
rm -rf "$work" "$dest"
mkdir -p "$work" "$dest"
own_apt "$work" "$suite" deb "$architecture"
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
