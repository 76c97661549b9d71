#!/bin/sh
# Every test: Rust, then C, then Kamailio. The last line sums up; the exit status is 0 only when nothing failed.
#
# CARGO, CARGOFLAGS, FEATURES, BUILD, CC, CXX come from the Makefile. What makes calls and waits for timers runs
# beside what computes: two lanes, each with its output in a file that is shown when both have come to their ends.

scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
BUILD=${BUILD:-build}
export BUILD

# done_with TITLE PASSED FAILED SINCE: a line of the sum
done_with() {
	echo "$1: $2 passed, $3 failed ($(($(date +%s) - $4)) s)" | tee -a "$scratch/sum"
}

# run TITLE command...: runs it and adds its closing line "N passed, N failed" to the sum
run() {
	title=$1
	shift
	since=$(date +%s)
	log=$scratch/$(echo "$title" | tr -c 'a-zA-Z0-9\n' '_').log
	echo "--- $title"
	"$@" 2>&1 | tee "$log"
	line=$(grep -E '(^|[^0-9])[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	passed=$(echo "$line" | awk '{ for (i = 2; i <= NF; i++) if ($i == "passed,") print $(i - 1) }')
	failed=$(echo "$line" | awk '{ for (i = 2; i <= NF; i++) if ($i == "failed") print $(i - 1) }')
	# No closing line: it did not get to its end.
	[ -n "$failed" ] || failed=1
	done_with "$title" "${passed:-0}" "$failed" "$since"
}

# The Rust tests go through a pipe, so the status travels in a file.
since=$(date +%s)
log=$scratch/rust.log
{
	# shellcheck disable=SC2086
	${CARGO:-cargo} test ${CARGOFLAGS:-} --no-default-features --features "${FEATURES:-} fault_injection" --no-fail-fast --lib --tests --examples 2>&1
	echo "cargo status $?"
} | tee "$log"
rust_status=$(sed -n 's/^cargo status //p' "$log")
rust_passed=$(awk '/^test result:/ { n += $4 } END { print n + 0 }' "$log")
rust_failed=$(awk '/^test result:/ { n += $6 } END { print n + 0 }' "$log")
# A test program that does not even build, or dies, has no result line.
[ "$rust_status" = 0 ] || [ "$rust_failed" -gt 0 ] || rust_failed=1
done_with Rust "$rust_passed" "$rust_failed" "$since"

# The original has these on; a library without them has less to compare than the cases ask for.
whole=yes
for feature in use_dns_cache use_dns_failover use_naptr dns_srv_lb cache_relevant_recs_only; do
	case " ${FEATURES:-} " in
	*" $feature "*) ;;
	*) whole=no ;;
	esac
done
SUITES=${SUITES:-bookworm trixie}

# Kamailio's cores and modules, for all that follows.
build_kamailio() {
	for suite in $SUITES; do
		if sh kamailio/build.sh "$suite" "$BUILD" >/dev/null; then
			echo "$suite: 1 passed, 0 failed"
		else
			echo "$suite: 0 passed, 1 failed"
			return
		fi
	done
}

calls() {
	# Where DNS fails, the original is beside ours, too. `make failure-table` is the long version.
	# shellcheck disable=SC2086
	run "failures" sh kamailio/failures/run.sh ${FAILURE_SUITES:-bookworm} -- --jobs 14
	# Both versions of Kamailio, whole: calls, then calls while everything changes.
	# shellcheck disable=SC2086
	run "end to end" sh kamailio/e2e/run.sh $SUITES
	# The handle of Kamailio 6.1.5, and the modules that calls need. `make layouts` runs everything on it.
	modules=$(sed -n '/^# what the tests run/,/^$/p' kamailio/modules | sed 's/#.*//')
	case " $SUITES " in
	*" trixie "*)
		run "end to end, handle of 48 octets" env KAMAILIO_MODULES="$modules" \
			sh kamailio/e2e/run.sh trixie-handle48 -- --match "flow: |balance: "
		;;
	esac
	# shellcheck disable=SC2086
	run "soak" sh kamailio/soak/run.sh $SUITES
}

# Rows of the flag table for each suite: one of the two that compile all of the core, the others on one suite
# each. ALL_ROWS=1: every row on both.
flag_rows() {
	[ -z "${ALL_ROWS:-}" ] || return 0
	case $1 in
	bookworm) echo "all.of no.failover no.NAPTR" ;;
	*) echo "watchdog balancing resolver no.cache" ;;
	esac
}

computing() {
	run "C" sh c_tests/run.sh
	if command -v valgrind >/dev/null 2>&1; then
		run "C under valgrind" env \
			VALGRIND="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" \
			sh c_tests/run.sh
	else
		echo "valgrind is missing: ci/setup.sh installs it"
		done_with "C under valgrind" 0 1 "$(date +%s)"
	fi
	run "C with sanitizers" env \
		SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" sh c_tests/run.sh
	run "siptargets" sh examples/check.sh
	run "flags" sh ci/flags.sh
	[ "$whole" = yes ] || return 0
	run "twin" sh c_tests/twin/run.sh
	for suite in $SUITES; do
		run "kamailio of $suite" env ROWS="$(flag_rows "$suite")" sh kamailio/check.sh "$suite"
	done
}

if [ "$whole" = yes ]; then
	run "kamailio is built" build_kamailio
	calls >"$scratch/calls" 2>&1 &
	lane=$!
	computing
	wait "$lane"
	cat "$scratch/calls"
else
	echo "a flag of the original is off: no twin tests, no calls"
	computing
fi

echo
cat "$scratch/sum"
awk -F': ' '{ split($NF, n, " "); passed += n[1]; failed += n[3] }
	END { print passed + 0 " passed, " failed + 0 " failed"; exit failed > 0 }' "$scratch/sum"
