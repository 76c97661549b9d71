#!/bin/sh
# Every test: Rust, then C. The last line sums up; the exit status is 0 only when nothing failed.
#
# CARGO, CARGOFLAGS, FEATURES, BUILD, CC, CXX come from the Makefile.

log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

# The Rust tests go through a pipe, so the status travels in a file.
{
	# shellcheck disable=SC2086
	${CARGO:-cargo} test ${CARGOFLAGS:-} --no-default-features --features "${FEATURES:-}" --no-fail-fast 2>&1
	echo "cargo status $?"
} | tee "$log"
rust_status=$(sed -n 's/^cargo status //p' "$log")
rust_passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
rust_failed=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
# A test program that does not even build, or dies, has no result line.
[ "$rust_status" = 0 ] || [ "$rust_failed" -gt 0 ] || rust_failed=1

sh c_tests/run.sh | tee "$log"
c_passed=$(awk '/ passed, .* failed$/ { n = $1 } END { print n + 0 }' "$log")
c_failed=$(awk '/ passed, .* failed$/ { n = $3 } END { print n + 0 }' "$log")
grep -q ' passed, .* failed$' "$log" || c_failed=1

echo
echo "Rust: $rust_passed passed, $rust_failed failed"
echo "C: $c_passed passed, $c_failed failed"
echo "$((rust_passed + c_passed)) passed, $((rust_failed + c_failed)) failed"
[ $((rust_failed + c_failed)) -eq 0 ]
