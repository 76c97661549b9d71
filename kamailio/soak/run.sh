#!/bin/sh
# run.sh SUITE... - the soak of Kamailio on the library, then the shorter one under valgrind.
#
# BUILD is the folder of libkamailio_dns.so, default build. SECONDS_ is the length of the soak (60),
# VALGRIND_SECONDS that of the one under valgrind (20; 0: none).
# The last line sums up: "N passed, N failed".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)
. "$root/kamailio/tally.sh"

soak() { # folder, options of main.py
	out=$1
	shift
	tally python3 "$here/main.py" --suite "$suite" --server "$KAM_OURS" --modules "$KAM_MODULES" --kamcmd "$KAM_CMD" \
		--libs "$KAM_LIBS" --out "$build/$out/$suite" "$@"
}

for suite in $(suites_of "$@"); do
	variables=$(sh "$root/kamailio/build.sh" "$suite" "$build")
	eval "$variables"
	soak soak --seconds "${SECONDS_:-60}"
	[ "${VALGRIND_SECONDS:-20}" = 0 ] ||
		soak soak-valgrind --seconds "${VALGRIND_SECONDS:-20}" --rate 15 --workers 4 --valgrind
done
tally_end soak
