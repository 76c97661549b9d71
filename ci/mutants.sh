#!/bin/sh
# mutants.sh [FILE...] - changes the code in one place after the other, and looks whether a test notices: cargo-mutants on
# the shared memory and the cache. Without a file: those whose steps have an order.
#
# It works on a copy, in which these layers are a package of their own, for that is built in a fraction of the time. What
# no test noticed is listed; docs/testing.md says what was found of those. Without cargo-mutants it is skipped, says so,
# and ends well. The last line says how many were noticed and how many not, or that it was skipped.
#
#   WORK    folder of the copy (target/mutants), with the list of all in mutants.out
#   FLAGS   more of cargo-mutants' flags, such as --shard 0/4
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
work=${WORK:-${CARGO_TARGET_DIR:-target}/mutants}
cargo mutants --version >/dev/null 2>&1 || {
	echo "mutants: skipped, nothing was tried: cargo install cargo-mutants"
	exit 0
}
[ $# -gt 0 ] || set -- src/shm/refword.rs src/shm/claim.rs src/cache/peek.rs src/cache/table.rs src/cache/tables.rs \
	src/cache/copy.rs src/cache/presence.rs

rm -rf "$work/src" "$work/tests"
mkdir -p "$work/src/lookup" "$work/tests/support" || exit 1
cp -r src/host src/rr src/shm src/cache src/error.rs ci/loom/src/resolver.rs "$work/src/" || exit 1
cp -r src/lookup/flight "$work/src/lookup/" || exit 1
cp tests/support/set.rs "$work/tests/support/" || exit 1
cp ci/loom/Cargo.lock "$work/" || exit 1
sed '/^\[target.*loom/,/^$/d' ci/loom/Cargo.toml >"$work/Cargo.toml"
for module in lib.rs lookup/mod.rs; do
	sed -e '/^#!\[cfg/d' -e '/^#\[path/d' "ci/loom/src/$module" >"$work/src/$module"
done
# Random tests of names need a crate that the package has not.
sed -i 's/^#\[cfg(all(test, not(any(loom, miri))))\]/#[cfg(any())]/' "$work/src/rr/literal.rs"

files=
for file in "$@"; do
	files="$files --file $file"
done
# shellcheck disable=SC2086
CARGO_TARGET_DIR="$work/target" cargo mutants --dir "$work" --in-place --output "$work" --no-shuffle --colors never \
	--timeout 300 $files ${FLAGS-} -C=--lib -- -- shm:: cache:: --skip limit_tests
echo "not noticed:"
cat "$work/mutants.out/missed.txt"
count() {
	cat "$@" 2>/dev/null | wc -l
}
out=$work/mutants.out
# file FILE: what became of the changes in it
file() {
	of() {
		cat "$@" 2>/dev/null | grep -c "^$file:"
	}
	file=$1
	echo "$file: $(of "$out/caught.txt" "$out/timeout.txt") noticed, $(of "$out/missed.txt") not noticed," \
		"$(of "$out/unviable.txt") do not compile"
}
for changed; do
	file "$changed"
done
noticed=$(count "$out/caught.txt" "$out/timeout.txt")
missed=$(count "$out/missed.txt")
[ "$((noticed + missed))" -gt 0 ] || {
	echo "mutants: nothing was tried"
	exit 1
}
echo "mutants: $noticed noticed, $missed not noticed, $(count "$out/unviable.txt") do not compile"
