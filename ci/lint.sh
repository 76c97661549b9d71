#!/bin/sh
# lint.sh - scripts, Python and spelling, for `make lint`. What clippy does for Rust stands in the Makefile.
#
# A tool that is not here is counted as skipped, and said to be. The last line says how many passed, failed, were
# skipped; the status is 0 when nothing failed.
set -u

cd "$(dirname "$0")/.." || exit 1
. ci/packages.sh
PATH=$PATH:$PWD/build/lint/bin
passed=0
failed=0
skipped=0
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

# check TOOL WHERE-FROM argument...: runs the tool; WHERE-FROM says how to get it
check() {
	tool=$1 from=$2
	shift 2
	if ! has_program "$tool"; then
		skipped=$((skipped + 1))
		echo "$tool: skipped: it is missing ($from)"
	elif "$tool" "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
		echo "$tool: nothing found"
	else
		failed=$((failed + 1))
		echo "FAILED: $tool"
		head -n 60 "$log"
	fi
}

# Every script: by its name, or by its first line.
scripts() {
	find . \( -path ./.git -o -path ./target -o -path ./build -o -path ./vendor -o -path ./fuzz/target \) -prune -o \
		-type f -size -200k -print | sort | while read -r file; do
		case $file in
		*.sh) echo "$file" ;;
		*) head -c 64 "$file" | head -n 1 | grep -aqE '^#! ?/(usr/)?bin/(env )?(ba)?sh' && echo "$file" ;;
		esac
	done
}

# shellcheck disable=SC2046
check shellcheck "package shellcheck" $(scripts)
check ruff "sh ci/fetch/ruff.sh" check --quiet --no-cache --output-format concise .
check codespell "package codespell" --quiet-level 2
check promtool "sh ci/fetch/promtool.sh" test rules examples/prometheus/alerts_test.yml

if python3 module/readme.py module/dns_wait --check; then
	passed=$((passed + 1))
	echo "README of dns_wait: as its XML"
else
	failed=$((failed + 1))
fi

more=
[ "$skipped" -eq 0 ] || more=", $skipped skipped"
echo "$passed passed, $failed failed$more"
[ "$failed" -eq 0 ]
