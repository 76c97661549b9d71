#!/bin/sh
# e2e.sh SUITE... [-- options of kamailio/e2e/main.py] - the end-to-end tests on Debian's own binaries, which are not
# changed, with the library inside by takeover.
#
# BUILD is the folder of the library and of libkamailio_dns_takeover.so, default build. Packages are unpacked, nothing
# is installed; those of other releases than bookworm run with that release's own loader and C library. All replaced
# code ends the server when it runs (KAMAILIO_DNS_TAKEOVER=trap): what passes shows that none of it does.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)
# shellcheck disable=SC2209
KAMAILIO_DNS_TAKEOVER=trap
export KAMAILIO_DNS_TAKEOVER

. "$root/kamailio/tally.sh"
. "$root/kamailio/scripted_server.sh"
. "$here/packaged.sh"

build_scripted_server "$build"
sh "$root/ci/fetch/promtool.sh" || true

suites=$(suites_of "$@")
while [ $# -gt 0 ] && [ "$1" != -- ]; do
	shift
done
[ $# -eq 0 ] || shift

for suite in $suites; do
	packaged "$suite" || exit 1
	echo "--- $suite, by takeover: $("$build/kamailio-dns-check" "$server" || true)"
	tally python3 "$root/kamailio/e2e/main.py" --suite "$suite" --server "$server" --modules "$modules" \
		--kamcmd "$kamcmd" --libs "$libs" --loader "$loader" --preload "$build/libkamailio_dns_takeover.so" \
		--out "$build/e2e/takeover-$suite" "$@"
done
tally_end "all suites"
