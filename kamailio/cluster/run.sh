#!/bin/sh
# run.sh SUITE... - two proxies and two unbound that share a Valkey; one of each is killed. The programs are those that
# fetch.sh got, the configuration is that of examples/cluster. BUILD is the folder of libkamailio_dns.so, default build.
# The last line sums up: "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)
programs=$(sh "$here/fetch.sh")

. "$root/kamailio/tally.sh"
. "$root/kamailio/scripted_server.sh"

build_scripted_server "$build"
for suite in $(suites_of "$@"); do
	variables=$(sh "$root/kamailio/build.sh" "$suite" "$build")
	eval "$variables"
	tally python3 -B "$here/main.py" --root "$programs/root" --suite "$suite" --server "$KAM_OURS" --modules "$KAM_MODULES" \
		--kamcmd "$KAM_CMD" --libs "$KAM_LIBS" --out "$build/cluster-logs/$suite"
done
tally_end "all suites"
