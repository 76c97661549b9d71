#!/bin/sh
# check.sh - builds the takeover, puts it into BUILD, and runs its own tests: its refusals and its proof, on a small program
# that stands for a Kamailio. Prints "N passed, N failed". MACHINE=arm64: that program is one for arm64, in an emulator, and
# the takeover in BUILD was built for it.
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT
target=${CARGO_TARGET_DIR:-target}/takeover
build=${BUILD:-build}
if [ "${MACHINE:-}" = arm64 ]; then
	build=$(cd "$build" && pwd) || exit 1
	TAKEOVER_CC=aarch64-linux-gnu-gcc
	TAKEOVER_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
	# In a folder of its own: the library beside it would be taken in place of the tests' one.
	folder=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
	TAKEOVER_FILE=$folder/libkamailio_dns_takeover.so
	cp "$build/libkamailio_dns_takeover.so" "$TAKEOVER_FILE" || exit 1
	trap 'rm -rf "$log" "$folder"' EXIT
	export TAKEOVER_CC TAKEOVER_RUNNER TAKEOVER_FILE
fi
tests() {
	[ "${MACHINE:-}" = arm64 ] ||
		make BUILD="$build" CARGO="${CARGO:-cargo}" takeover || return 1
	# shellcheck disable=SC2086
	CARGO_TARGET_DIR=$target ${CARGO:-cargo} test ${CARGOFLAGS:---locked} --no-fail-fast --manifest-path takeover/Cargo.toml
}
tests >"$log" 2>&1
status=$?
passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
failed=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
# What does not build, or dies, has no result line.
[ "$status" -eq 0 ] || [ "$failed" -gt 0 ] || failed=1
[ "$failed" -eq 0 ] || grep -vE '^test .* ok$' "$log" | tail -n 40
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
