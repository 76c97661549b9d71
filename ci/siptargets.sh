#!/bin/sh
# siptargets.sh BUILD VERSION - builds siptargets into BUILD, for the machine that the library there is for. CC, CFLAGS
# and LDFLAGS are the compiler and its flags; for another machine the compiler is the linker that cargo is told.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
compiler=${CC:-cc}
if [ -n "${CARGO_BUILD_TARGET:-}" ] && [ "${CC:-cc}" = cc ]; then
	linker=CARGO_TARGET_$(echo "$CARGO_BUILD_TARGET" | tr 'a-z-' 'A-Z_')_LINKER
	compiler=$(printenv "$linker" || true)
	[ -n "$compiler" ] || {
		echo "siptargets is not built: $linker names no compiler for $CARGO_BUILD_TARGET, nor does CC" >&2
		rm -f "$1/siptargets"
		exit 0
	}
fi
trap 'rm -f "$1/siptargets.new.$$"' EXIT
# shellcheck disable=SC2086
$compiler -std=c99 -D_GNU_SOURCE -O2 -g ${CFLAGS:-} "-DKAMAILIO_DNS_VERSION=\"$2\"" -I"$1/include" \
	-o "$1/siptargets.new.$$" "$root"/examples/siptargets/*.c -L"$1" -lkamailio_dns ${LDFLAGS:-}
sh "$here/place.sh" "$1/siptargets.new.$$" "$1/siptargets" 755
