#!/bin/sh
# Before cargo is called: Rust is new enough, and the crates are there or can be fetched. Else one line says what is
# to be done.

root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$root/ci/rust.sh"
cd "$root" || exit 1

trouble=$(rust_trouble)
[ -z "$trouble" ] || {
	echo "make: $trouble (README.md, Building)" >&2
	exit 1
}
cargo=${CARGO:-cargo}
host=$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')
# shellcheck disable=SC2086
fetch_crates() {
	$cargo fetch --locked ${host:+--target "$host"} ${CARGO_BUILD_TARGET:+--target "$CARGO_BUILD_TARGET"} "$@" \
		>/dev/null 2>&1
}
fetch_crates --offline || CARGO_NET_RETRY=1 fetch_crates || {
	echo "make: crates are missing and no network gives them: run 'make fetch' once where there is one" >&2
	exit 1
}
