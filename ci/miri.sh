#!/bin/sh
# miri.sh - the models of `make loom` under Miri, an interpreter that knows what Rust leaves undefined: the functions that
# run, with threads in place of processes, in many interleavings and with stale values, each drawn from a seed. Then two
# mistakes are made, which have to be noticed: what cannot fail shows nothing.
#
# Needs rustup's nightly toolchain with miri and rust-src; without them it is skipped, says so, and ends well. The last
# line says how many passed and failed, or that it was skipped.
#
#   SEEDS       seeds for each model (64); FIRST: the first of them (0)
#   MODELS      a part of the names of the models; by default all but those that take long here, too (loom_long_...)
#   TOOLCHAIN   another name of the toolchain (nightly)
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
toolchain=${TOOLCHAIN:-nightly}
seeds=${SEEDS:-64}
first=${FIRST:-0}
models=${MODELS:-loom_}
passed=0
failed=0

skip() { # what is missing
	echo "miri: skipped, nothing was tried: $1"
	exit 0
}

command -v rustup >/dev/null 2>&1 || skip "there is no rustup, and no toolchain of its with miri"
rustup component list --toolchain "$toolchain" --installed 2>/dev/null | grep -q '^miri' ||
	skip "rustup toolchain install $toolchain --component miri --component rust-src"
rustup component list --toolchain "$toolchain" --installed 2>/dev/null | grep -q '^rust-src' ||
	skip "rustup component add rust-src --toolchain $toolchain"
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-target}/miri"
# Nothing of the system is needed, nor is it asked. Memory that processes share is never freed. What references may alias
# is not followed: each reference to a table of thousands of words would take seconds. Threads change often, for models are
# short.
flags="-Zmiri-isolation-error=hide -Zmiri-ignore-leaks -Zmiri-disable-stacked-borrows -Zmiri-preemption-rate=0.1 -Zmiri-env-forward=LOOM_MUTATION"

# under_miri FLAGS MODEL...: runs the models of these names
under_miri() {
	MIRIFLAGS="$flags $1"
	export MIRIFLAGS
	shift
	# shellcheck disable=SC2086
	cargo "+$toolchain" miri test ${CARGOFLAGS:---locked} --manifest-path ci/loom/Cargo.toml --lib -- "$@" \
		--test-threads=1 >"$log" 2>&1
}

# Where the sysroot cannot be made, or the models do not build, nothing can be said of them.
under_miri "" --list || {
	tail -n 20 "$log"
	echo "miri: 0 passed, 1 failed"
	exit 1
}

skipped=
[ "$models" != loom_ ] || skipped="--skip loom_long"
# shellcheck disable=SC2086
under_miri "-Zmiri-many-seeds=$first..$((first + seeds))" "$models" $skipped || {
	failed=1
	grep -E -A 20 '^error|panicked|FAILED' "$log" | head -n 60
	grep -i 'seed' "$log" | head -n 5
}
# Seeds are tried beside each other, and write between each other's words.
passed=$(grep -ao '[0-9]* passed; 0 failed' "$log" | awk '{ n += $1 } END { print n + 0 }')
[ "$passed" -gt 0 ] || failed=1
echo "models of the name $models, seeds from $first on, $seeds of them: $passed passed, $failed failed"

# notices MISTAKE MODEL: that model fails with the mistake, for one of the seeds, and does not fail without it: what fails
# in any case notices nothing
notices() {
	if LOOM_MUTATION=$1 under_miri "-Zmiri-many-seeds=$first..$((first + seeds))" "$2"; then
		failed=$((failed + 1))
		echo "$1: no seed shows it"
		return
	fi
	seed=$(sed -n 's/.*FAILING SEED: \([0-9]*\).*/\1/p' "$log" | head -n 1)
	if [ -z "$seed" ]; then
		failed=$((failed + 1))
		tail -n 20 "$log"
		echo "$1: $2 did not run"
	elif ! under_miri "-Zmiri-many-seeds=$seed..$((seed + 1))" "$2" || ! grep -qa '[1-9][0-9]* passed; 0 failed' "$log"; then
		failed=$((failed + 1))
		echo "$1: $2 fails without it, too (seed $seed)"
	else
		passed=$((passed + 1))
		echo "$1: noticed by $2 (seed $seed), which passes without it"
	fi
}

# Two that need no rare order: what is shown is that a model can fail here. All others are loom's.
if [ "$models" = loom_ ]; then
	notices UnderflowStays loom_a_release_too_many
	notices LinkInOneTable loom_long_what_changes
fi
echo "miri: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
