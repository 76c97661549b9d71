#!/bin/sh
# mutants.sh [FILE...] - changes the code in one place after the other, and looks whether a test notices: cargo-mutants on
# the shared memory, the cache and the flights. Without a file: those whose steps have an order.
#
# What the unit tests do not notice is given to the models of loom, those of the same folder.
#
# It works on a copy, in which these layers are a package of their own, for that is built in a fraction of the time. What
# no test noticed is listed; docs/testing.md says what was found of those. Without cargo-mutants it is skipped, says so,
# and ends well. The last line says how many were noticed and how many not, or that it was skipped.
#
#   WORK    folder of the copy (target/mutants), with the lists of all in results
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
	src/cache/copy.rs src/cache/presence.rs src/lookup/flight/claim.rs src/lookup/flight/mod.rs src/lookup/flight/terms.rs \
	src/lookup/flight/verdict.rs

rm -rf "$work/src" "$work/tests"
mkdir -p "$work/src/lookup" "$work/tests/support" || exit 1
cp -r src/host src/rr src/shm src/cache src/error.rs ci/loom/src/resolver.rs "$work/src/" || exit 1
cp -r src/lookup/flight "$work/src/lookup/" || exit 1
cp tests/support/set.rs "$work/tests/support/" || exit 1
cp ci/loom/Cargo.lock "$work/" || exit 1
cp ci/loom/Cargo.toml "$work/"
for module in lib.rs lookup/mod.rs; do
	sed -e '/^#!\[cfg/d' -e '/^#\[path/d' "ci/loom/src/$module" >"$work/src/$module"
done
# Random tests of names need a crate that the package has not.
sed -i 's/^#\[cfg(all(test, not(any(loom, miri))))\]/#[cfg(any())]/' "$work/src/rr/literal.rs"

folders=$(for file; do dirname "$file"; done | sort -u)
results=$work/results
rm -rf "$results"
mkdir -p "$results"
: >"$results/caught"
: >"$results/missed"
: >"$results/unviable"

# change FOLDER FLAG... -- ARGUMENT...: cargo-mutants on the files of this folder; the tests get these arguments
change() {
	folder=$1
	shift
	for file in $chosen; do
		[ "$(dirname "$file")" != "$folder" ] || set -- --file "$file" "$@"
	done
	# shellcheck disable=SC2086
	cargo mutants --dir "$work" --in-place --output "$work" --no-shuffle --colors never --timeout 300 ${FLAGS-} -C=--lib "$@"
}

chosen=$*
for folder in $folders; do
	tests=$(echo "${folder#src/}" | sed 's|/|::|g')::
	out=$work/mutants.out
	again=
	rm -rf "$out" "$out.old"
	# The flights have models alone.
	if [ "$folder" != src/lookup/flight ]; then
		CARGO_TARGET_DIR="$work/target" change "$folder" -- -- shm:: cache:: --skip limit_tests
		cat "$out/caught.txt" "$out/timeout.txt" >>"$results/caught"
		cat "$out/unviable.txt" >>"$results/unviable"
		[ -s "$out/missed.txt" ] || continue
		again=--iterate
	fi
	# shellcheck disable=SC2086
	RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="$work/target/loom" change "$folder" $again -C=--release -- -- \
		"$tests" --skip loom_mistakes
	cat "$out/caught.txt" "$out/timeout.txt" >>"$results/caught"
	cat "$out/missed.txt" >>"$results/missed"
	cat "$out/unviable.txt" >>"$results/unviable"
done

echo "not noticed:"
cat "$results/missed"
of() { # list, file
	sort -u "$results/$1" | grep -c "^$2:"
}
for file in $chosen; do
	echo "$file: $(of caught "$file") noticed, $(of missed "$file") not noticed, $(of unviable "$file") do not compile"
done
noticed=$(sort -u "$results/caught" | grep -c .)
missed=$(sort -u "$results/missed" | grep -c .)
[ "$((noticed + missed))" -gt 0 ] || {
	echo "mutants: nothing was tried"
	exit 1
}
echo "mutants: $noticed noticed, $missed not noticed, $(sort -u "$results/unviable" | grep -c .) do not compile"
