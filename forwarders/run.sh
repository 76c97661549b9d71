#!/bin/sh
# run.sh [--short] - SIP zones through the forwarding nameservers that fetch.sh got. BUILD is the folder of
# libkamailio_dns.so, default build. The last line sums up: "N passed, N failed", and ", N skipped".
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)
servers=$(cd "${KAMAILIO_DNS_FORWARDERS:-$root/build/forwarders}" && pwd)

scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns-forwarders.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
"${CC:-cc}" -std=c99 -D_GNU_SOURCE -O1 -I"$build/include" -o "$scratch/siptargets" "$root"/examples/siptargets/*.c \
	-L"$build" -lkamailio_dns -Wl,-rpath,"$build"
python3 "$here/main.py" --root "$servers/root" --siptargets "$scratch/siptargets" --out "$scratch/out" "$@"
