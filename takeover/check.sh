#!/bin/sh
# check.sh - builds the takeover, puts it into BUILD, and runs its own tests: its refusals and its proof, on a small program
# that stands for a Kamailio. Prints "N passed, N failed".
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT
target=${CARGO_TARGET_DIR:-target}/takeover
tests() {
	make BUILD="${BUILD:-build}" CARGO="${CARGO:-cargo}" takeover || return 1
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
