#!/bin/sh
# check.sh SUITE|DIR... - every check of Kamailio with the library: see the heads of the files in checks/.
#
# BUILD is the folder of libkamailio_dns.so (build). CHECKS="lookup options" runs only those.
# The last line sums up: "N passed, N failed".
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-check.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT
passed=0
failed=0
for suite in "$@"; do
	for check in ${CHECKS:-lookup options log lifecycle modules prebuilt headers flags}; do
		sh "$here/checks/$check.sh" "$suite" 2>&1 | tee "$log"
		line=$(tail -n 1 "$log")
		case $line in
		*" passed, "*" failed") ;;
		# It did not get to its end.
		*) line="$check $suite: 0 passed, 1 failed" ;;
		esac
		line=${line##*: }
		passed=$((passed + ${line%% *}))
		line=${line% failed}
		failed=$((failed + ${line##* }))
	done
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
