#!/bin/sh
# platforms.sh - a short form of the Rust tests on a machine other than this one: aarch64 with the GNU libc, under
# qemu-user.
#
# Rust's library for the target, a C compiler and qemu-user have to be there; a target for which something is missing is
# counted as skipped, and said to be. Under qemu-user no test runs that kills the owner of a lock, for
# robust locks are not passed on there. The last line says how many passed, failed and were skipped.
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
. ci/packages.sh
passed=0
failed=0
skipped=0
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

skip() { # target, what is missing
	skipped=$((skipped + 1))
	echo "$1: skipped: $2"
}

has_std() { # target
	ls "$(rustc --print target-libdir --target "$1" 2>/dev/null)"/libstd-*.rlib >/dev/null 2>&1
}

# tests TARGET argument...: these arguments of cargo test
tests() {
	target=$1
	shift
	{
		# shellcheck disable=SC2086
		${CARGO:-cargo} test ${CARGOFLAGS:---locked} --target "$target" --no-fail-fast "$@" 2>&1
		echo "cargo status $?"
	} >"$log"
	ok=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
	bad=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
	# A test program that does not build, or dies, has no result line.
	grep -q '^cargo status 0$' "$log" || [ "$bad" -gt 0 ] || bad=1
	[ "$bad" -eq 0 ] || grep -E '^(error|warning: unused|test .* FAILED)|panicked|signal|BUG' "$log" | head -n 20
	passed=$((passed + ok))
	failed=$((failed + bad))
	echo "$target, cargo test $*: $ok passed, $bad failed"
}

# What depends on the machine: layouts, atomics, shared memory, the C interface. What makes thousands of entries would
# take minutes in an emulator.
short_form() { # target
	tests "$1" --lib -- shm:: select:: ffi:: rr:: host:: cache::layout cache::peek cache::srv cache::copy cache::recover
	tests "$1" --test handle_layouts --test handle_garbage
}

aarch64() {
	target=aarch64-unknown-linux-gnu
	if ! has_std $target; then
		skip $target "no Rust library for it (rustup target add $target)"
	elif [ "$(uname -m)" != aarch64 ] && [ -n "$(missing_packages platforms)" ]; then
		skip $target "packages are missing: $(missing_packages platforms)"
	else
		export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
		[ "$(uname -m)" = aarch64 ] ||
			export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
		short_form $target
	fi
}

aarch64
more=
[ "$skipped" -eq 0 ] || more=", $skipped skipped"
echo "platforms: $passed passed, $failed failed$more"
[ "$failed" -eq 0 ]
