#!/bin/sh
# run.sh [SUITE...] - the twin tests against Debian's Kamailio of these suites (bookworm trixie).
#
#   BUILD           folder made by `make lib` (build)
#   KAMAILIO_CACHE  where Kamailio's trees are kept, see kamailio/build.sh
#
# The table of results is BUILD/twin/report.txt. Closing line: N passed, N failed.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$(dirname "$here")")
BUILD=$(cd "${BUILD:-$root/build}" && pwd) || exit 1
[ $# -gt 0 ] || set -- bookworm trixie
mkdir -p "$BUILD/twin"
: >"$BUILD/twin/report.txt"
passed=0
failed=0

for suite in "$@"; do
	out=$BUILD/twin/$suite
	rm -rf "$out"
	mkdir -p "$out"
	# build.sh prints assignments; KAM_TREE is the one of use here.
	if assignments=$(KAMAILIO_MODULES=none sh "$root/kamailio/build.sh" "$suite") && eval "$assignments" &&
		sh "$here/build.sh" "$KAM_TREE" "$out"; then
		version=$(sed -n "s/.*-DVERSION='\"\([0-9.]*\)\"'.*/\1/p" "$out/flags")
		sh "$here/ns.sh" python3 -B "$here/run.py" "$out/driver" "$out/original" "$BUILD" "$out" "$version" |
			tee "$out/log"
		cat "$out/report.txt" >>"$BUILD/twin/report.txt"
	else
		echo "twin: Kamailio of $suite could not be built" | tee "$out/log"
	fi
	# no closing line: it did not get to its end
	counts=$(sed -n 's/^\([0-9]*\) passed, \([0-9]*\) failed$/\1 \2/p' "$out/log" | tail -n 1)
	counts=${counts:-0 1}
	passed=$((passed + ${counts% *}))
	failed=$((failed + ${counts#* }))
done

echo "table: $BUILD/twin/report.txt"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
