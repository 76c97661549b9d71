#!/bin/sh
# fetch.sh SUITE - gets Debian's source package of Kamailio and unpacks it to $KAMAILIO_CACHE/src-SUITE.
#
# SUITE is bookworm (Kamailio 5.6.3) or trixie (6.0.1). No host is named here: the archive, and the keys
# it is signed with, are those that this machine's own apt uses. apt's own lists stay as they are.
# Prints the folder. Does nothing when it is there.
set -eu

suite=${1:?usage: fetch.sh bookworm|trixie}
here=$(cd "$(dirname "$0")" && pwd)
cache=${KAMAILIO_CACHE:-$(dirname "$here")/build/kamailio}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
dest=$cache/src-$suite

# One at a time: tests, benchmarks and make may all ask for it.
exec 9>"$cache/fetch-$suite.lock"
flock 9
if [ -f "$dest/.complete" ]; then
	echo "$dest"
	exit 0
fi

# The first archive with the component main among apt's sources, deb822 or one line each:
# "URI keyring", the keyring empty when apt is not told one.
archive() {
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -f "$f" ] || continue
		awk -v RS= '{
			uri = key = ""; main = deb = 0; n = split($0, line, "\n")
			for (i = 1; i <= n; i++) {
				if (line[i] ~ /^#/) continue
				split(line[i], word, /[ \t]+/)
				if (word[1] == "URIs:") uri = word[2]
				if (word[1] == "Signed-By:") key = word[2]
				if (line[i] ~ /^Types:.*deb/) deb = 1
				if (line[i] ~ /^Components:.*main/) main = 1
				if (line[i] ~ /^Suites:.*security/ || line[i] ~ /^Enabled:.*no/) main = 0
			}
			if (uri && deb && main) print uri, key
		}' "$f"
	done
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
		awk '/^deb[ \t]/ && / main/ && !/security/ {
			key = ""
			if (match($0, /signed-by=[^] \t]+/)) key = substr($0, RSTART + 10, RLENGTH - 10)
			sub(/\[[^]]*\]/, "")
			print $2, key
		}'
}
archive | head -n 1 >"$cache/archive"
read -r uri key <"$cache/archive" || true
rm -f "$cache/archive"
[ -n "${uri:-}" ] || {
	echo "fetch.sh: no Debian archive among this machine's apt sources" >&2
	exit 1
}

work=$cache/fetch-$suite
rm -rf "$work" "$dest"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
{
	echo "Types: deb-src"
	echo "URIs: $uri"
	echo "Suites: $suite"
	echo "Components: main"
	[ -z "${key:-}" ] || echo "Signed-By: $key"
} >"$work/apt.sources"

apt() {
	apt-get -q -o Dir::Etc::sourcelist="$work/apt.sources" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root "$@"
}
cd "$work"
apt update >"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
# trixie's package lists a detached signature that apt may fail to get: what counts is below.
apt source --download-only kamailio >>"$work/log" 2>&1 || true

dsc=$(ls kamailio_*.dsc 2>/dev/null | head -n 1)
[ -n "$dsc" ] || {
	cat "$work/log" >&2
	exit 1
}
# Name, size and SHA-256 of each part come from the .dsc; the tarballs must be there and match.
awk '/^Checksums-Sha256:/ { on = 1; next } /^[^ ]/ { on = 0 } on && $3 ~ /\.tar\./ && $3 !~ /\.asc$/ { print $1 "  " $3 }' \
	"$dsc" >sums
[ -s sums ] && sha256sum --check --quiet sums || {
	cat "$work/log" >&2
	echo "fetch.sh: $dsc: a part is missing or wrong" >&2
	exit 1
}
# Without the part that is not there, dpkg-source would stop.
sed -i '/\.asc$/d' "$dsc"
dpkg-source --no-check --no-copy -x "$dsc" "$dest" >>"$work/log" 2>&1 || {
	cat "$work/log" >&2
	exit 1
}
cd "$cache"
touch "$dest/.complete"
rm -rf "$work"
echo "$dest"
