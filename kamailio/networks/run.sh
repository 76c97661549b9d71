#!/bin/sh
# run.sh [SUITE...] [-- options of main.py] - builds Kamailio, stock and on the library, and makes the same calls through
# both on the same networks.
#
# BUILD is the folder of libkamailio_dns.so, default build. Suites: bookworm (5.6.3), trixie (6.0.1).
# The last line is "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)

. "$root/kamailio/tally.sh"

suites=$(suites_of "$@")
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	shift
done
[ $# -eq 0 ] || shift

# What bed/kamailio.py loads; further modules cost time only.
KAMAILIO_MODULES=${KAMAILIO_MODULES:-"kex corex tm sl rr pv textops siputils xlog ctl cfg_rpc counters jsonrpcs"}
export KAMAILIO_MODULES

for suite in $suites; do
	variables=$(sh "$root/kamailio/build.sh" "$suite" "$build")
	eval "$variables"
	tally python3 -B "$here/main.py" --out "$build/networks/$suite" \
		--build "$suite,stock,$KAM_STOCK,$KAM_MODULES,$KAM_CMD,$KAM_LIBS" \
		--build "$suite,ours,$KAM_OURS,$KAM_MODULES,$KAM_CMD,$KAM_LIBS" "$@"
done
tally_end ""
