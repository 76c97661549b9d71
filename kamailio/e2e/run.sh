#!/bin/sh
# run.sh SUITE... [-- options of main.py] - builds Kamailio and runs the end-to-end tests against the library.
#
# BUILD is the folder of libkamailio_dns.so, default build. STOCK=1 runs them against the stock server: what
# fails then are the listed defects of the C original.
# The last line sums up all suites: "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)

suites=
while [ $# -gt 0 ]; do
	case $1 in
	--)
		shift
		break
		;;
	*) suites="$suites $1" ;;
	esac
	shift
done

log=$(mktemp "${TMPDIR:-/tmp}/kamailio-e2e.XXXXXX")
trap 'rm -f "$log"' EXIT
passed=0
failed=0
for suite in ${suites:-bookworm}; do
	variables=$(sh "$root/kamailio/build.sh" "$suite" "$build")
	eval "$variables"
	server=$KAM_OURS
	[ -z "${STOCK:-}" ] || server=$KAM_STOCK
	echo "--- $suite: $("$server" -v 2>/dev/null | head -n 1 || true)"
	python3 "$here/main.py" --suite "$suite" --server "$server" --modules "$KAM_MODULES" --kamcmd "$KAM_CMD" \
		--libs "$KAM_LIBS" --out "$build/e2e/$suite" "$@" 2>&1 | tee "$log" || true
	line=$(tail -n 1 "$log")
	case $line in
	*" passed, "*" failed") ;;
	*) line="0 passed, 1 failed" ;;
	esac
	passed=$((passed + ${line%% *}))
	line=${line% failed}
	failed=$((failed + ${line##* }))
done
echo "all suites: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
