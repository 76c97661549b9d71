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

. "$root/kamailio/tally.sh"
. "$root/kamailio/scripted_server.sh"

build_scripted_server "$build"
# The alerts are judged by Prometheus' own program. Without it their scenario fails, and no other.
sh "$root/ci/fetch/promtool.sh" || true

suites=$(suites_of "$@")
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	shift
done
[ $# -eq 0 ] || shift

for suite in $suites; do
	variables=$(sh "$root/kamailio/build.sh" "$suite" "$build")
	eval "$variables"
	server=$KAM_OURS
	[ -z "${STOCK:-}" ] || server=$KAM_STOCK
	echo "--- $suite: $("$server" -v 2>/dev/null | head -n 1 || true)"
	tally python3 "$here/main.py" --suite "${suite%%-handle*}" --server "$server" --modules "$KAM_MODULES" --kamcmd "$KAM_CMD" \
		--libs "$KAM_LIBS" --out "$build/e2e/$suite" "$@"
done
tally_end "all suites"
