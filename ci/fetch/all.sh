#!/bin/sh
# Everything that comes from the network but packages, which setup.sh installs: crates, the sources of Kamailio and
# some of its packages, the scenarios and packets of others. Afterwards `make run` and `make test` need no network.
#
# The status is 0 when all is there that the programs need; what tests alone lack is named.

here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$here/../.." && pwd) || exit 1
cargo=${CARGO:-cargo}
failed=

. "$here/../rust.sh"
trouble=$(rust_trouble)
if [ -n "$trouble" ]; then
	echo "fetch: $trouble" >&2
	exit 1
fi

get() { # what, command...
	what=$1
	shift
	if "$@" >/dev/null; then
		echo "fetched: $what"
	else
		echo "not fetched: $what" >&2
		failed="$failed $what,"
	fi
}

cd "$root" || exit 1
# Where there is no network cargo would try again and again.
export CARGO_NET_RETRY=1
# `make lint` does without, and says so.
sh ci/fetch/ruff.sh && echo "fetched: ruff" || echo "not fetched: ruff" >&2
sh ci/fetch/promtool.sh && echo "fetched: promtool" || echo "not fetched: promtool" >&2
get crates "$cargo" fetch --locked --quiet
get "crates of the model" "$cargo" fetch --locked --quiet --manifest-path ci/loom/Cargo.toml
for suite in bookworm trixie; do
	get "Kamailio of $suite" sh kamailio/fetch.sh "$suite"
done
get "Kamailio's packages" sh kamailio/fetch_packages.sh bookworm
# What the next release has changes from day to day; `make test` does without.
sh kamailio/fetch_packages.sh forky >/dev/null && echo "fetched: Kamailio's packages of forky" ||
	echo "not fetched: Kamailio's packages of forky" >&2
get "forwarding nameservers" sh forwarders/fetch.sh
# One test does without, and says so.
sh kamailio/cluster/fetch.sh >/dev/null && echo "fetched: unbound and Valkey" || echo "not fetched: unbound and Valkey" >&2
sh ci/fetch/corpora.sh || failed="$failed corpora,"
[ -z "$failed" ] || {
	echo "fetch: missing:${failed%,}" >&2
	exit 1
}
echo "fetched: all; no network is needed from here on"
