#!/bin/sh
# platforms.sh [--all] [aarch64] [musl] - what depends on the machine or the libc, on others than those here; both
# without an argument. Rust tests of layouts, atomics, shared memory, selection and the C interface, and all C tests. With
# --all: all Rust tests, and the soak for SOAK_SECONDS (20).
#
#   aarch64   with the GNU libc, under qemu-user
#   musl      x86-64, natively; the library is linked dynamically
#
# Rust's library for the target, a C compiler and, for aarch64, qemu-user have to be there; a target for which something
# is missing is counted as skipped, and said to be. So is each test that an emulator cannot run (emulated.sh). The last
# line says how many passed, failed and were skipped.
#
#   BUILD    the libraries go into BUILD/platforms (build)
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
. ci/packages.sh
. ci/rust.sh
. ci/emulated.sh
all=
[ "${1:-}" != --all ] || {
	all=yes
	shift
}
passed=0
failed=0
skipped=0
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT
build=${BUILD:-build}/platforms

skip() { # target, what is missing
	skipped=$((skipped + 1))
	echo "$1: skipped: $2"
}

# tests TARGET argument...: these arguments of cargo test
tests() {
	target=$1
	shift
	since=$(date +%s)
	{
		# shellcheck disable=SC2086
		${CARGO:-cargo} test ${CARGOFLAGS:---locked} --target "$target" --no-fail-fast "$@" 2>&1
		echo "cargo status $?"
	} >"$log"
	ok=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
	bad=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
	ignored=$(awk '/^test result:/ { n += $8 } END { print n + 0 }' "$log")
	# A test program that does not build, or dies, has no result line.
	grep -q '^cargo status 0$' "$log" || [ "$bad" -gt 0 ] || bad=1
	[ "$bad" -eq 0 ] || grep -E '^(error|warning: unused|test .* FAILED)|panicked|signal|^    `|BUG' "$log" | head -n 40
	passed=$((passed + ok))
	failed=$((failed + bad))
	skipped=$((skipped + ignored))
	[ "$ignored" -eq 0 ] || grep -E '^test .* ignored' "$log" | sed "s/^test /$target, /; s/ \.\.\. ignored/: skipped/"
	echo "$target, cargo test $*: $ok passed, $bad failed ($(($(date +%s) - since)) s)"
}

# number WORD: the number before it in the last line of the log
number() {
	tail -n 1 "$log" | sed -n "s/.*\\(^\\|[^0-9]\\)\\([0-9][0-9]*\\) $1.*/\\2/p"
}

# c_tests TARGET variable=value...: the library, and the C tests with these variables. The library is made with the
# profile of the Rust tests, so that its crates need not be compiled again.
c_tests() {
	target=$1
	shift
	since=$(date +%s)
	if ! make --no-print-directory lib LIB_PROFILE=dev CARGO_BUILD_TARGET="$target" BUILD="$build/$target" \
		>"$log" 2>&1; then
		failed=$((failed + 1))
		tail -n 20 "$log"
		echo "$target, make lib: 0 passed, 1 failed"
		return
	fi
	env BUILD="$build/$target" "$@" sh c_tests/run.sh >"$log" 2>&1
	grep -v ' passed, ' "$log" | sed "s/^/$target, C tests: /"
	bad=$(number failed)
	# No closing line: it did not get to its end.
	passed=$((passed + $(number passed || true) + 0))
	failed=$((failed + ${bad:-1}))
	skipped=$((skipped + $(number skipped || true) + 0))
	echo "$target, C tests: $(tail -n 1 "$log") ($(($(date +%s) - since)) s)"
}

# The Rust tests for a target: those that depend on the machine, or all.
rust_tests() { # target
	if [ -n "$all" ]; then
		all_tests "$1"
	else
		short_form "$1"
	fi
}

# Layouts, atomics, shared memory, the C interface. What makes thousands of entries would take minutes in an emulator.
short_form() { # target
	leave_out "$1" short
	# shellcheck disable=SC2086
	tests "$1" --lib -- shm:: select:: ffi:: rr:: host:: cache::layout cache::peek cache::srv cache::copy cache::recover \
		$skips
	tests "$1" --test handle_layouts --test handle_garbage
}

# In the emulator each test has the process for itself: those that fork are not to do so beside the threads of others.
all_tests() { # target
	leave_out "$1"
	# shellcheck disable=SC2086
	tests "$1" --features fault_injection --lib --tests -- ${emulator:+--test-threads=1} --skip everything_at_once $skips
	SOAK_SECONDS=${SOAK_SECONDS:-20} tests "$1" --features fault_injection --test soak
}

# leave_out TARGET [short]: sets skips for the tests that are left out in the emulator, and says why each of them is
leave_out() {
	skips=
	[ -n "$emulator" ] || return 0
	skips=$(emulated_skips ${2:+"$2"})
	skipped=$((skipped + $(emulated_table ${2:+"$2"} | wc -l)))
	emulated_table ${2:+"$2"} | while read -r test why; do
		echo "$1, $test: skipped: $why"
	done
}

aarch64() {
	target=aarch64-unknown-linux-gnu
	emulator=
	if ! has_std $target; then
		skip $target "no Rust library for it (rustup target add $target)"
		return
	elif [ "$(uname -m)" != aarch64 ]; then
		lacks $target aarch64 && return
		export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
		emulator="qemu-aarch64 -L /usr/aarch64-linux-gnu"
		export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="timeout 900 $emulator"
		set -- CC=aarch64-linux-gnu-gcc CXX=aarch64-linux-gnu-g++
	fi
	rust_tests $target
	c_tests "$target" EMULATOR="$emulator" "$@"
}

# Debian has a compiler for musl and no library of GCC's for it: the one that is here needs the GNU libc. What it is needed
# for, going back through the stack when something panics, Rust brings for programs that are linked statically.
unwinder_of_rust() { # target
	mkdir -p "$build/unwinder" || return
	echo "INPUT($(rustc --print target-libdir --target "$1")/self-contained/libunwind.a)" >"$build/unwinder/libgcc_s.so"
}

musl() {
	target=x86_64-unknown-linux-musl
	emulator=
	if [ "$(uname -m)" != x86_64 ]; then
		skip $target "this machine is another"
	elif ! has_std $target; then
		skip $target "no Rust library for it (rustup target add $target)"
	elif ! lacks $target musl; then
		unwinder_of_rust $target || return
		unwinder=$(cd "$build/unwinder" && pwd)
		export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_LINKER=musl-gcc
		export CARGO_TARGET_X86_64_UNKNOWN_LINUX_MUSL_RUSTFLAGS="-C target-feature=-crt-static -L native=$unwinder"
		rust_tests $target
		c_tests "$target" CC=musl-gcc FOREIGN=yes LDFLAGS="-L$unwinder"
	fi
}

# lacks TARGET WHAT: true, and skips TARGET, when packages for WHAT are missing
lacks() {
	missing=$(missing_packages "$2")
	[ -n "$missing" ] && skip "$1" "packages are missing: $missing"
}

[ $# -gt 0 ] || set -- aarch64 musl
for platform; do
	case $platform in
	aarch64 | musl) $platform ;;
	*)
		echo "platforms: there is no $platform" >&2
		exit 2
		;;
	esac
done
more=
[ "$skipped" -eq 0 ] || more=", $skipped skipped"
echo "platforms: $passed passed, $failed failed$more"
[ "$failed" -eq 0 ]
