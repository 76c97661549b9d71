#!/bin/sh
# root.sh SUITE - makes a folder with a Debian of that suite by debootstrap, once, in $ROOTS (build/roots); prints it. The
# archive is that of this machine's own apt. Needs root.
set -eu

suite=${1:?usage: root.sh bookworm|trixie}
here=$(cd "$(dirname "$0")" && pwd)
roots=${ROOTS:-$(dirname "$here")/build/roots}
mkdir -p "$roots"
roots=$(cd "$roots" && pwd)
PATH=$PATH:/usr/sbin:/sbin

exec 9>"$roots/$suite.lock"
flock 9
[ ! -f "$roots/$suite.complete" ] || {
	echo "$roots/$suite"
	exit 0
}
[ "$(id -u)" -eq 0 ] || {
	echo "root.sh: debootstrap needs root" >&2
	exit 1
}
command -v debootstrap >/dev/null || {
	echo "root.sh: debootstrap is missing (package debootstrap)" >&2
	exit 1
}
. "$here/../ci/fetch/apt.sh"
archive | head -n 1 >"$roots/$suite.archive"
read -r uri key <"$roots/$suite.archive" || true
rm -rf "${roots:?}/$suite"
debootstrap --variant=minbase --include=ca-certificates ${key:+"--keyring=$key"} "$suite" "$roots/$suite" "$uri" \
	>"$roots/$suite.log" 2>&1 9>&- || {
	tail -n 5 "$roots/$suite.log" >&2
	exit 1
}
touch "$roots/$suite.complete"
echo "$roots/$suite"
