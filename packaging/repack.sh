#!/bin/sh
# repack.sh VERSION FOLDER DEB... - the same packages with another version, in FOLDER. The libraries in them get an octet
# more at their end, which means nothing: they are other files than before.
set -eu

version=${1:?usage: repack.sh VERSION FOLDER DEB...}
folder=${2:?}
shift 2
mkdir -p "$folder"
work=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX")
trap 'rm -rf "$work"' EXIT
for deb in "$@"; do
	rm -rf "$work/package"
	dpkg-deb -R "$deb" "$work/package"
	old=$(dpkg-deb -f "$deb" Version)
	# Packages of one source ask for each other in the same version.
	awk -v old="$old" -v new="$version" '/^Version: / { print "Version: " new; next }
		{ while ((at = index($0, "(= " old ")")) > 0)
			$0 = substr($0, 1, at - 1) "(= " new ")" substr($0, at + length(old) + 4)
		print }' "$work/package/DEBIAN/control" >"$work/control"
	mv "$work/control" "$work/package/DEBIAN/control"
	find "$work/package" -name 'libkamailio_dns*.so*' -type f -exec sh -c 'echo >>"$1"' sh {} \;
	(cd "$work/package" && find usr etc lib -type f 2>/dev/null | sort | xargs -r md5sum >DEBIAN/md5sums)
	dpkg-deb -Zgzip -z1 --root-owner-group --build "$work/package" "$folder" >/dev/null
done
