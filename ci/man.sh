#!/bin/sh
# The man pages as man reads them: no warning, and there is text. Prints "N passed, N failed".
cd "$(dirname "$0")/../docs/man" || exit 1
passed=0
failed=0
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT

for page in *.[1-9]; do
	if MANWIDTH=80 LC_ALL=C.UTF-8 man --warnings -E UTF-8 -l -Tutf8 "./$page" >"$scratch/text" 2>"$scratch/complaints" &&
		[ ! -s "$scratch/complaints" ] && grep -q kamailio "$scratch/text"; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $page"
		head -n 10 "$scratch/complaints" | sed 's/^/    /'
	fi
done
[ "$((passed + failed))" -gt 0 ] || failed=1
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
