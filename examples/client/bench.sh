#!/bin/sh
# Builds and runs bench.c, with c-ares and libunbound where pkg-config knows them.
#
#   BUILD           folder made by `make lib` (build)
#   NAMES, ROUNDS   1000 names at once, 20 rounds

here=$(cd "$(dirname "$0")" && pwd) || exit 1
BUILD=$(cd "${BUILD:-$here/../../build}" && pwd) || exit 1
out=$(mktemp -d "${TMPDIR:-/tmp}/bench_client.XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
flags=
for one in libcares:WITH_ARES libunbound:WITH_UNBOUND; do
	if pkg-config --exists "${one%%:*}"; then
		flags="$flags -D${one#*:} $(pkg-config --cflags --libs "${one%%:*}")"
	else
		echo "left out: ${one%%:*} is not installed"
	fi
done
# shellcheck disable=SC2086
${CC:-cc} -O2 -std=c99 -Wall -Wextra -I"$BUILD/include" -o "$out/bench" "$here/bench.c" \
	-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD" $flags || exit 1
"$out/bench" "${NAMES:-1000}" "${ROUNDS:-20}"
