#!/bin/sh
# fetch.sh - gets the forwarding nameservers that the table runs, from Debian's binary packages, and unpacks them with
# the libraries that this machine lacks, without installing anything, to $KAMAILIO_DNS_FORWARDERS, default
# build/forwarders. Prints the folder. Does nothing when they are there.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/ci/fetch/tree.sh"
servers="unbound dnsmasq-base bind9 knot-resolver pdns-recursor dnsdist systemd-resolved nsd"

leave_out() { # file
	name=$(dpkg-deb -f "$1" Package)
	case $name in
	# They go with the loader, and that is this machine's.
	libc6 | libc-bin | libgcc-s1 | gcc-*-base | libstdc++6) return 0 ;;
	esac
	case " $servers " in
	*" $name "*) return 1 ;;
	esac
	[ "$(dpkg-query -W -f '${Version}' "$name" 2>/dev/null)" = "$(dpkg-deb -f "$1" Version)" ]
}
# shellcheck disable=SC2086
fetch_tree bookworm "${KAMAILIO_DNS_FORWARDERS:-$root/build/forwarders}" $servers
