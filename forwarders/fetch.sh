#!/bin/sh
# fetch.sh - gets the forwarding nameservers that the table runs, from Debian's binary packages, and unpacks them with
# the libraries that this machine lacks, without installing anything, to $KAMAILIO_DNS_FORWARDERS, default
# build/forwarders. Prints the folder. Does nothing when they are there.
set -eu

suite=bookworm
servers="unbound dnsmasq-base bind9 knot-resolver pdns-recursor dnsdist systemd-resolved nsd"
here=$(cd "$(dirname "$0")" && pwd)
dest=${KAMAILIO_DNS_FORWARDERS:-$(dirname "$here")/build/forwarders}
mkdir -p "$dest"
dest=$(cd "$dest" && pwd)

exec 9>"$dest/lock"
flock 9
if [ "$(cat "$dest/.complete" 2>/dev/null)" = "$servers" ]; then
	echo "$dest"
	exit 0
fi

. "$here/../ci/fetch/apt.sh"

work=$dest/fetch
rm -rf "$work" "$dest/root"
mkdir -p "$work" "$dest/root"
own_apt "$work" "$suite" deb
# As if nothing were installed: what is here may be newer than what the servers want.
: >"$work/status"
# shellcheck disable=SC2086
{ apt update && apt install -y --download-only --no-install-recommends -o Dir::State::status="$work/status" \
	-o Debug::NoLocking=1 $servers; } >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
for package in "$work"/cache/archives/*.deb; do
	name=$(dpkg-deb -f "$package" Package)
	case $name in
	# They go with the loader, and that is this machine's.
	libc6 | libc-bin | libgcc-s1 | gcc-*-base | libstdc++6) continue ;;
	esac
	version=$(dpkg-query -W -f '${Version}' "$name" 2>/dev/null) || version=
	[ "$version" = "$(dpkg-deb -f "$package" Version)" ] && case " $servers " in *" $name "*) ;; *) continue ;; esac
	dpkg-deb -x "$package" "$dest/root"
done
echo "$servers" >"$dest/.complete"
rm -rf "$work"
echo "$dest"
