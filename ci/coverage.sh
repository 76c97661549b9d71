#!/bin/sh
# Which lines of the library the Rust tests run. Needs llvm-profdata and llvm-cov of the LLVM that rustc was built with: from
# rustup (component llvm-tools), Debian's llvm-N, or a folder LLVM_BIN. COVERAGE=dir has what is built and found.
# Processes that tests kill count, too: counters are in a file that all forked processes have mapped.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
cd "$here/.." || exit 1
coverage=${COVERAGE:-build/coverage}
mkdir -p "$coverage/raw" || exit 1
coverage=$(cd "$coverage" && pwd) || exit 1

major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
host=$(rustc -vV | sed -n 's/^host: //p')
tools=
for folder in "${LLVM_BIN:-}" "$(rustc --print sysroot)/lib/rustlib/$host/bin" "/usr/lib/llvm-$major/bin"; do
	if [ -n "$folder" ] && [ -x "$folder/llvm-profdata" ] && [ -x "$folder/llvm-cov" ]; then
		tools=$folder
		break
	fi
done
[ -n "$tools" ] || {
	echo "coverage: llvm-profdata and llvm-cov of LLVM $major are missing: rustup component add llvm-tools, or llvm-$major" >&2
	exit 1
}

# Those whose subject is the project itself, and the soak, which takes as long as one lets it, cover nothing.
tests=
for file in tests/*.rs; do
	name=$(basename "$file" .rs)
	case $name in
	alone | compat | defects | documents | exports | header | layering | man | man_client | soak) ;;
	*) tests="$tests --test $name" ;;
	esac
done

rm -f "$coverage"/raw/*
export CARGO_TARGET_DIR="$coverage/target"
export RUSTFLAGS="-C instrument-coverage -C llvm-args=-runtime-counter-relocation"
# shellcheck disable=SC2086
LLVM_PROFILE_FILE="$coverage/raw/build-%p.profraw" ${CARGO:-cargo} test ${CARGOFLAGS:---locked} --features fault_injection --lib $tests \
	--no-run 2>"$coverage/build.log" || {
	tail -n 30 "$coverage/build.log" >&2
	exit 1
}
rm -f "$coverage"/raw/*
# A tenth of the random zones: the others run the same lines.
export RFC3263_ZONES="${RFC3263_ZONES:-1000}"
# shellcheck disable=SC2086
LLVM_PROFILE_FILE="$coverage/raw/%p%c.profraw" ${CARGO:-cargo} test ${CARGOFLAGS:---locked} --features fault_injection --lib $tests \
	--no-fail-fast >"$coverage/tests.log" 2>&1
status=$?
sed -n 's/.*Executable .*(\(.*\))$/\1/p' "$coverage/build.log" >"$coverage/programs"
find "$coverage/raw" -name '*.profraw' -size +0 >"$coverage/files"
"$tools/llvm-profdata" merge -sparse --failure-mode=all --input-files="$coverage/files" -o "$coverage/all.profdata" || exit 1
first=$(head -n 1 "$coverage/programs")
objects=$(sed 1d "$coverage/programs" | sed 's/^/--object /')
# shellcheck disable=SC2086
"$tools/llvm-cov" export --format=lcov --instr-profile="$coverage/all.profdata" "$first" $objects >"$coverage/lcov.info" || exit 1
grep -E '^test .* FAILED$' "$coverage/tests.log"
[ "$status" = 0 ] || echo "coverage: some tests failed: $coverage/tests.log"
python3 "$here/coverage.py" "$coverage/lcov.info" "$coverage/uncovered.txt"
