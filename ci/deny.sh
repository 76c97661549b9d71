#!/bin/sh
# deny.sh - all crates against deny.toml: licences, crates that stand twice, where they come from; and known defects,
# where the database of advisories can be had. Prints "N passed, N failed", and what was skipped.
set -u

cd "$(dirname "$0")/.." || exit 1
. ci/packages.sh
cargo=${CARGO:-cargo}
passed=0
failed=0
skipped=0
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

skip() { # what, why
	skipped=$((skipped + 1))
	echo "$1: skipped: $2"
}

# What nothing was built from yet, and what other machines need, may not be here; nothing below asks the network for it.
for package in . takeover ci/loom; do
	$cargo fetch --locked --manifest-path "$package/Cargo.toml" >/dev/null 2>&1
done

deny() { # what, argument...: arguments of cargo deny
	what=$1
	shift
	if $cargo deny --locked "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "$what: nothing found"
	else
		failed=$((failed + 1))
		echo "FAILED: $what"
		head -n 60 "$log"
	fi
}

if $cargo deny --version >/dev/null 2>&1; then
	# What deny.toml allows for cbindgen and its crates is not met in the two small packages.
	deny "crates of the library" --offline check --deny warnings licenses bans sources
	for package in takeover ci/loom; do
		deny "crates of $package" --offline --manifest-path "$package/Cargo.toml" --config deny.toml \
			check licenses bans sources
	done
	if $cargo deny --locked fetch db >"$log" 2>&1; then
		deny advisories check advisories
	else
		skip advisories "the database of advisories cannot be had here"
	fi
else
	# The rules about licences, doubles and sources, read by a small program of our own.
	for package in . takeover ci/loom; do
		if CARGO="$cargo" python3 ci/crates.py "$package" >"$log" 2>&1; then
			passed=$((passed + 1))
			echo "crates of $package, without cargo-deny: nothing found"
		else
			failed=$((failed + 1))
			echo "FAILED: crates of $package, without cargo-deny"
			head -n 60 "$log"
		fi
	done
	skip advisories "cargo-deny is missing (cargo install --locked cargo-deny)"
fi

more=
[ "$skipped" -eq 0 ] || more=", $skipped skipped"
echo "$passed passed, $failed failed$more"
[ "$failed" -eq 0 ]
