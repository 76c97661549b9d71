#!/bin/sh
# fetch.sh - gets unbound and Valkey of Debian trixie with all libraries that they want, and unpacks them, without
# installing anything, to $KAMAILIO_DNS_CLUSTER, default build/cluster. Prints the folder. Does nothing when they are there.
# Bookworm's unbound has no cachedb.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
. "$root/ci/fetch/tree.sh"

# They run with the C library of their own release.
leave_out() {
	false
}
fetch_tree trixie "${KAMAILIO_DNS_CLUSTER:-$root/build/cluster}" unbound valkey-server valkey-tools
