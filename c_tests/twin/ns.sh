#!/bin/sh
# ns.sh COMMAND... - runs it with a loopback, a resolv.conf, a hosts file and an nsswitch.conf of its own.
set -eu
folder=$(mktemp -d "${TMPDIR:-/tmp}/twin.XXXXXX")
trap 'rm -rf "$folder"' EXIT
echo 'hosts: files dns' >"$folder/nsswitch.conf"
echo '127.0.0.1 localhost' >"$folder/hosts"
: >"$folder/resolv.conf"
export TWIN_ETC="$folder"
user=
[ "$(id -u)" -eq 0 ] || user=--map-root-user
# shellcheck disable=SC2086
unshare $user --mount --net --propagation private sh -c '
	ip link set lo up
	for file in resolv.conf hosts nsswitch.conf; do
		# a link into a place that is not there cannot be mounted over
		mount --bind "$TWIN_ETC/$file" "$(readlink -f /etc/$file)"
	done
	exec "$@"' sh "$@"
