#!/bin/sh
# e2e.sh SUITE... [-- options of kamailio/e2e/main.py] - the end-to-end tests on Debian's own binaries, which are not
# changed, with the library inside by takeover.
#
# BUILD is the folder of the library and of libkamailio_dns_takeover.so, default build. Packages are unpacked, nothing
# is installed; those of other releases than bookworm run with that release's own loader and C library. All replaced
# code ends the server when it runs (KAMAILIO_DNS_TAKEOVER=trap): what passes shows that none of it does.
# MACHINE=arm64: with packages of that machine, in an emulator. BUILD is then what was built for it; versions before 6.1
# have to be left alone there.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)
# shellcheck disable=SC2209
KAMAILIO_DNS_TAKEOVER=trap
[ "${MACHINE:-}" != arm64 ] || KAMAILIO_DNS_TAKEOVER="trap emulated"
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

check=$build/kamailio-dns-check
[ "${MACHINE:-}" != arm64 ] || check="qemu-aarch64 -L /usr/aarch64-linux-gnu $check"

# What the server says when it is left alone; nothing when it is taken over.
refusal() {
	# shellcheck disable=SC2086
	LD_PRELOAD=$build/libkamailio_dns_takeover.so JOURNAL_STREAM=0:0 LD_LIBRARY_PATH=$libs timeout 300 $loader "$server" -v \
		2>&1 >"$build/e2e-version" | grep 'no takeover'
}

for suite in $suites; do
	# shellcheck disable=SC2086
	packaged "$suite" ${MACHINE:-} || exit 1
	echo "--- $suite, by takeover: $($check "$server" || true)"
	case ${MACHINE:-}-$suite in
	arm64-bookworm | arm64-trixie)
		if refusal | grep 'counts references under locks of its own' && grep '^version: kamailio' "$build/e2e-version"; then
			passed=$((passed + 1))
		else
			failed=$((failed + 1))
			echo "FAILED: $suite of arm64 is left alone"
		fi
		continue
		;;
	esac
	# Debian's next release may have a Kamailio that is not known yet. Then that it runs as ever is all there is to see.
	if [ "$suite" = forky ] && refusal && grep '^version: kamailio' "$build/e2e-version"; then
		passed=$((passed + 1))
		skipped=$((skipped + 1))
		echo "skipped: calls through $suite, which is left alone"
		continue
	fi
	tally python3 "$root/kamailio/e2e/main.py" --suite "$suite" --server "$server" --modules "$modules" \
		--kamcmd "$kamcmd" --libs "$libs" --loader "$loader" --preload "$build/libkamailio_dns_takeover.so" \
		--out "$build/e2e/takeover${MACHINE:+-$MACHINE}-$suite" "$@"
done
tally_end "all suites"
