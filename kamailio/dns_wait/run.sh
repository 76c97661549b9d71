#!/bin/sh
# run.sh SUITE... [-- options of main.py] - builds Kamailio and the module dns_wait, and runs the module's scenarios.
#
# BUILD is the folder of libkamailio_dns.so, default build. LONG=1 runs the crowds instead, one after the other. The last line sums up all suites: "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)

. "$root/kamailio/tally.sh"
. "$root/kamailio/scripted_server.sh"

build_scripted_server "$build"
suites=$(suites_of "$@")
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	shift
done
[ $# -eq 0 ] || shift
[ -z "${LONG:-}" ] || set -- --jobs 1 "$@"

for suite in $suites; do
	variables=$(sh "$root/kamailio/build.sh" "$suite" "$build")
	eval "$variables"
	sh "$root/module/build.sh" "$KAM_TREE" "$build/module/$suite"
	export DNS_WAIT_MODULE="$build/module/$suite/dns_wait.so" DNS_WAIT_STOCK="$KAM_STOCK"
	echo "--- $suite: $("$KAM_OURS" -v 2>/dev/null | head -n 1 || true)"
	tally python3 "$here/main.py" --suite "${suite%%-handle*}" --server "$KAM_OURS" --modules "$KAM_MODULES" --kamcmd "$KAM_CMD" \
		--libs "$KAM_LIBS" --out "$build/dns_wait/$suite" "$@"
done
tally_end "all suites"
