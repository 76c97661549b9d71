#!/bin/sh
# Every test: Rust, then C. The last line sums up; the exit status is 0 only when nothing failed.
#
# CARGO, CARGOFLAGS, FEATURES, BUILD, CC, CXX come from the Makefile.

log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

# The Rust tests go through a pipe, so the status travels in a file.
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

# run TITLE command...: runs it and adds its closing line "N passed, N failed" to the sum
total_passed=$rust_passed
total_failed=$rust_failed
summary="Rust: $rust_passed passed, $rust_failed failed"
run() {
	title=$1
	shift
	echo "--- $title"
	"$@" 2>&1 | tee "$log"
	line=$(grep -E '(^|[^0-9])[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	passed=$(echo "$line" | awk '{ for (i = 2; i <= NF; i++) if ($i == "passed,") print $(i - 1) }')
	failed=$(echo "$line" | awk '{ for (i = 2; i <= NF; i++) if ($i == "failed") print $(i - 1) }')
	# No closing line: it did not get to its end.
	[ -n "$failed" ] || failed=1
	total_passed=$((total_passed + ${passed:-0}))
	total_failed=$((total_failed + failed))
	summary="$summary
$title: ${passed:-0} passed, $failed failed"
}

run "C" sh c_tests/run.sh
if command -v valgrind >/dev/null 2>&1; then
	run "C under valgrind" env \
		VALGRIND="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite" \
		sh c_tests/run.sh
else
	echo "valgrind is missing: ci/setup.sh installs it"
	total_failed=$((total_failed + 1))
fi
run "C with sanitizers" env \
	SANITIZE="-fsanitize=address,undefined -fno-sanitize-recover=all" sh c_tests/run.sh
run "siptargets" sh examples/check.sh
# The original has these on; a library without them has less to compare than the cases ask for.
twin=yes
for feature in use_dns_cache use_dns_failover use_naptr dns_srv_lb cache_relevant_recs_only; do
	case " ${FEATURES:-} " in
	*" $feature "*) ;;
	*) twin=no ;;
	esac
done
[ "$twin" = no ] || run "twin" sh c_tests/twin/run.sh
# Where DNS fails, the original is beside ours, too. `make failure-table` is the long version.
# shellcheck disable=SC2086
[ "$twin" = no ] || run "failures" sh kamailio/failures/run.sh ${FAILURE_SUITES:-bookworm} -- --jobs 14
# Both versions of Kamailio, whole: calls, then calls while everything changes.
# shellcheck disable=SC2086
if [ "$twin" = yes ]; then
	run "end to end" sh kamailio/e2e/run.sh ${E2E_SUITES:-bookworm trixie}
	run "soak" sh kamailio/soak/run.sh ${E2E_SUITES:-bookworm trixie}
fi
run "flags" sh ci/flags.sh
for suite in bookworm trixie; do
	run "kamailio of $suite" env BUILD="${BUILD:-build}" sh kamailio/check.sh "$suite"
done

echo
echo "$summary"
echo "$total_passed passed, $total_failed failed"
[ "$total_failed" -eq 0 ]
