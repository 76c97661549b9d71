#!/bin/sh
# source.sh PACKAGE SUITE FOLDER - gets the parts of Debian's source package PACKAGE in SUITE to FOLDER, which is
# emptied before, and checks them. Prints the path of the .dsc file, which names no signature any more.
set -eu

package=${1:?usage: source.sh PACKAGE SUITE FOLDER}
suite=${2:?usage: source.sh PACKAGE SUITE FOLDER}
folder=${3:?usage: source.sh PACKAGE SUITE FOLDER}
here=$(cd "$(dirname "$0")" && pwd)
. "$here/apt.sh"

for tool in apt-get sha256sum; do
	command -v "$tool" >/dev/null 2>&1 || {
		echo "source.sh: $tool is missing: this fetches from Debian's archive" >&2
		exit 1
	}
done
rm -rf "$folder"
mkdir -p "$folder"
own_apt "$folder" "$suite" deb-src
cd "$folder"

fail() {
	tail -n 5 log >&2
	echo "source.sh: $package of $suite: $1" >&2
	exit 1
}

apt update >log 2>&1 || fail "the archive does not answer"
# Some packages list a detached signature that the archive may not have: what counts is below.
apt source --download-only "$package" >>log 2>&1 || true
dsc=$(find . -maxdepth 1 -name "${package}_*.dsc" | head -n 1)
[ -n "$dsc" ] || fail "not to be had"
# Name, size and SHA-256 of each part come from the .dsc; the tarballs must be there and match.
awk '/^Checksums-Sha256:/ { on = 1; next } /^[^ ]/ { on = 0 } on && $3 ~ /\.tar\./ && $3 !~ /\.asc$/ { print $1 "  " $3 }' \
	"$dsc" >sums
{ [ -s sums ] && sha256sum --check --quiet sums; } >>log 2>&1 || fail "a part is missing or wrong"
# With the part that is not there, dpkg-source would stop.
sed -i '/\.asc$/d' "$dsc"
echo "$folder/${dsc#./}"
