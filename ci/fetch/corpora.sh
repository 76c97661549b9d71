#!/bin/sh
# corpora.sh - gets what other DNS programs test themselves with, from Debian's source packages: unbound's scenarios
# and packets, the packets and names of c-ares, BIND's packets. None of it is in the repository.
#
# Each goes to a folder of its own in $KAMAILIO_DNS_CORPORA, default build/corpora, as its package has it. Does nothing
# for one that is there. Later releases have scenarios that earlier ones lack, but an archive may list a package that it
# does not have: trixie's are welcome, not needed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
corpora=${KAMAILIO_DNS_CORPORA:-$(cd "$here/../.." && pwd)/build/corpora}
mkdir -p "$corpora"
corpora=$(cd "$corpora" && pwd)
exec 9>"$corpora/lock"
flock 9
missing=0

# corpus NAME PACKAGE SUITE WHERE...: of the package's tarball, the files that match one of the patterns
corpus() {
	name=$1 package=$2 suite=$3
	shift 3
	[ ! -f "$corpora/$name/.complete" ] || return 0
	work=$corpora/fetch-$name
	if dsc=$(sh "$here/source.sh" "$package" "$suite" "$work" 2>"$corpora/$name.log") && unpack "$@"; then
		rm -rf "$work" "$corpora/$name.log"
		echo "fetched: $name, from $package of $suite"
	else
		rm -rf "$work"
		[ "$name" = unbound-trixie ] || missing=$((missing + 1))
		echo "not fetched: $name: $(tail -n 1 "$corpora/$name.log")" >&2
	fi
}

unpack() { # patterns
	rm -rf "${corpora:?}/$name"
	mkdir -p "$corpora/$name"
	tar -xf "$work/$(awk '/\.orig\.tar\.[a-z]*$/ { print $3; exit }' "$dsc")" -C "$corpora/$name" --strip-components=1 \
		--wildcards --no-wildcards-match-slash "$@" 2>>"$corpora/$name.log" || return 1
	sed -n 's/^Version: //p' "$dsc" >"$corpora/$name/.complete"
}

corpus unbound-bookworm unbound bookworm '*/testdata/*.rpl' '*/testdata/test_packets.*' '*/LICENSE'
corpus unbound-trixie unbound trixie '*/testdata/*.rpl' '*/testdata/test_packets.*' '*/LICENSE'
corpus c-ares c-ares bookworm '*/test/fuzzinput/*' '*/test/fuzznames/*' '*/LICENSE.md'
corpus bind bind9 bookworm '*/fuzz/dns_message_parse.in/*' '*/fuzz/dns_rdata_fromwire_text.in/*' '*/COPYRIGHT'
[ "$missing" -eq 0 ]
