#!/bin/sh
# mutants.sh [FILE...] - changes the code in one place after the other, and looks whether a test notices: cargo-mutants
# on the shared memory, the cache, the flights, and what processes leave for the refresher. Without a file: all of theirs,
# which takes hours.
#
# Each change is given to the unit tests; what these do not notice to the short models of loom; what those do not notice
# to the programs of tests/ that use the file most. The first two work on a copy, in which these layers are a package of
# their own, for that is built in a fraction of the time. Tests that wait for another thread, and changes that make no
# program another one (see `same`), are left out.
#
# What no test noticed is listed; docs/testing.md says what was found of those. Without cargo-mutants it is skipped,
# says so, and ends well. The last line says how many were noticed and how many not, or that it was skipped.
#
#   WORK    folder of the copy (target/mutants), with the lists of all in results
#   FLAGS   more of cargo-mutants' flags, such as --shard 0/4
#   STAGES  what they are given to ("unit models programs")
#   JOBS    how many at a time in the stages unit and programs (2)
set -u

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1
work=${WORK:-${CARGO_TARGET_DIR:-target}/mutants}
stages=${STAGES:-unit models programs}
cargo mutants --version >/dev/null 2>&1 || {
	echo "mutants: skipped, nothing was tried: cargo install cargo-mutants"
	exit 0
}
if [ $# -eq 0 ]; then
	files=$(find src/shm src/cache src/lookup/flight src/lookup/board.rs src/lookup/pins.rs -name '*.rs' |
		grep -v -E '/(loom_[a-z]*|[a-z_]*tests|lock_model|kill_point|audit)\.rs$' | sort)
	# shellcheck disable=SC2086
	set -- $files
fi
chosen=$*

# The copy: the package of ci/loom, whose modules are elsewhere.
copy=$work/copy
rm -rf "$copy"
mkdir -p "$copy/src/lookup" "$copy/tests/support" || exit 1
cp -r src/host src/rr src/shm src/cache src/error.rs ci/loom/src/resolver.rs "$copy/src/" || exit 1
cp -r src/lookup/flight src/lookup/board.rs src/lookup/pins.rs src/lookup/loom_*.rs "$copy/src/lookup/" || exit 1
cp tests/support/set.rs "$copy/tests/support/" || exit 1
cp ci/loom/Cargo.lock ci/loom/Cargo.toml "$copy/" || exit 1
for module in lib.rs lookup/mod.rs; do
	sed -e '/^#!\[cfg/d' -e '/^#\[path/d' "ci/loom/src/$module" >"$copy/src/$module"
done
# Random tests of names need a crate that the package has not.
sed -i 's/^#\[cfg(all(test, not(any(loom, miri))))\]/#[cfg(any())]/' "$copy/src/rr/literal.rs"

results=$work/results
rm -rf "$results"
mkdir -p "$results/mutants.out" || exit 1
: >"$results/mutants.out/caught.txt"
: >"$results/mutants.out/unviable.txt"

# The parts of a word have no bit in common; what is written for people has no test.
same='replace \| with \^|<impl std::fmt::Debug'

# change DIR FILES FLAG... -- ARGUMENT...: gives what no earlier stage noticed in these files to the tests of cargo test
# with these arguments
change() {
	dir=$1
	files=$2
	shift 2
	for file in $files; do
		set -- --file "$file" "$@"
	done
	# shellcheck disable=SC2086
	cargo mutants --dir "$dir" --output "$results" --iterate --no-shuffle --colors never --exclude-re "$same" \
		${FLAGS-} "$@" >>"$results/log" 2>&1
	status=$?
	cat "$results/mutants.out/timeout.txt" >>"$results/mutants.out/caught.txt"
	cat "$results/mutants.out/missed.txt" >>"$results/missed"
	# 2: some were not noticed; 3: some ran too long.
	case $status in 0 | 2 | 3) ;; *)
		tail -n 20 "$results/log"
		echo "mutants: cargo-mutants failed"
		exit 1
		;;
	esac
}

# programs FILE: those of tests/ that use what is in the file most
programs() {
	case $1 in
	*/due.rs) echo refresh ;;
	*/admission.rs | */evict.rs | */policy.rs | */collect.rs) echo cache_flood cache_model sizing cache_fork ;;
	*/resize.rs | */recover.rs | */write.rs | */link.rs | */fill.rs | */shm/*) echo cache_fork cache_model cache_kill ;;
	*/pins.rs | */board.rs) echo pins refresh ;;
	src/lookup/*) echo crowd coalesce ;;
	*) echo set_order cache_entries select sizing lookup names ;;
	esac
}

# Those that are tried at the same time have a folder of their own each.
unset CARGO_TARGET_DIR
export CARGO_PROFILE_DEV_DEBUG=0
for stage in $stages; do
	: >"$results/missed"
	case $stage in
	unit)
		# Without this the tests of a full cache take half a minute.
		CARGO_PROFILE_DEV_OPT_LEVEL=1 change "$copy" "$chosen" -j "${JOBS:-2}" --timeout 20 -C=--lib -- -- shm:: cache:: \
			lookup:: --skip readers_see_whole_entries --skip sets_that_change_are_never_mixed --skip readers_find_everything
		;;
	models)
		RUSTFLAGS="--cfg loom" CARGO_TARGET_DIR="$work/models" CARGO_PROFILE_RELEASE_INCREMENTAL=true \
			CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_CODEGEN_UNITS=64 change "$copy" "$chosen" --in-place \
			--timeout 120 -C=--lib -C=--release -- -- shm:: cache:: lookup:: --skip loom_mistakes \
			--skip loom_long
		;;
	programs)
		for file in $chosen; do
			tests=$(programs "$file" | sed 's/[^ ]*/--test &/g')
			# shellcheck disable=SC2086
			change "$root" "$file" -j "${JOBS:-2}" --timeout 180 -C=--features=fault_injection -- $tests
		done
		;;
	*)
		echo "mutants: there is no stage $stage" >&2
		exit 2
		;;
	esac
	echo "$stage: $(grep -c . "$results/missed") not noticed"
done

echo "not noticed:"
cat "$results/missed"
noticed=$(cat "$results"/mutants.out/*caught.txt | sort -u | grep -c .)
missed=$(grep -c . "$results/missed")
[ "$((noticed + missed))" -gt 0 ] || {
	echo "mutants: nothing was tried"
	exit 1
}
echo "mutants: $noticed noticed, $missed not noticed"
