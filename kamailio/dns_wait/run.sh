#!/bin/sh
# run.sh SUITE... [-- options of main.py] - builds Kamailio and the module dns_wait, and runs the module's scenarios.
#
# BUILD is the folder of libkamailio_dns.so, default build. LONG=1 runs the crowds instead, one after the other. TAKEOVER=1
# runs them on Debian's own binaries, with libkamailio_dns_takeover.so of BUILD inside; a release with another C library than
# this machine's has its own loader. The last line sums up all suites: "N passed, N failed".
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

[ -z "${TAKEOVER:-}" ] || . "$root/takeover/packaged.sh"

for suite in $suites; do
	preload=
	loader=
	if [ -z "${TAKEOVER:-}" ]; then
		variables=$(sh "$root/kamailio/build.sh" "$suite" "$build")
		eval "$variables"
		server=$KAM_OURS modules=$KAM_MODULES kamcmd=$KAM_CMD libs=$KAM_LIBS
		DNS_WAIT_STOCK=$KAM_STOCK
	else
		variables=$(sh "$root/kamailio/build.sh" "$suite")
		eval "$variables"
		packaged "$suite"
		preload=$build/libkamailio_dns_takeover.so
		DNS_WAIT_STOCK=$server
		# All replaced code ends the server when it runs.
		export KAMAILIO_DNS_TAKEOVER=trap
	fi
	sh "$root/module/build.sh" "$KAM_TREE" "$build/module/$suite"
	export DNS_WAIT_MODULE="$build/module/$suite/dns_wait.so" DNS_WAIT_STOCK
	echo "--- $suite${TAKEOVER:+, by takeover}: $("$KAM_STOCK" -v 2>/dev/null | head -n 1 || true)"
	tally python3 "$here/main.py" --suite "${suite%%-handle*}" --server "$server" --modules "$modules" --kamcmd "$kamcmd" \
		--libs "$libs" --loader "$loader" --preload "$preload" --out "$build/dns_wait/$suite${TAKEOVER:+-takeover}" "$@"
done
tally_end "all suites"
