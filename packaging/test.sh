#!/bin/sh
# test.sh - tests the packages in BUILD/deb. Prints "N passed, N failed, N skipped".
#
# They are unpacked and looked at; built again in another folder, unless TWICE=no; and installed beside Debian's kamailio
# of each suite of PACKAGE_SUITES (bookworm trixie), in a folder that debootstrap makes once (root.sh), or in the folders
# PACKAGE_ROOT. Nothing is written into these: the test works in a layer over them, which is gone afterwards. Packages of
# Debian come from the folder's own apt sources. Needs root for the last part.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(dirname "$here")
debs=$(cd "${BUILD:-$root/build}/deb" && pwd) || exit 1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
. "$root/ci/checks.sh"

# --- what is in them

packages="libkamailio-dns0 libkamailio-dns-dev kamailio-dns kamailio-dns-tools"
all=$scratch/all
for package in $packages; do
	deb=$(echo "$debs/${package}"_*.deb)
	check "$package is there" test -f "$deb"
	dpkg-deb -x "$deb" "$scratch/$package"
	dpkg-deb -e "$deb" "$scratch/$package.control"
	dpkg-deb -x "$deb" "$all"
	sums() { (cd "$scratch/$package" && md5sum --quiet -c "$scratch/$package.control/md5sums"); }
	check "$package: sums" sums
	check "$package: licence" grep -q '^License: GPL-2.0-or-later' "$scratch/$package/usr/share/doc/$package/copyright"
	check "$package: nothing for the operator to edit" test ! -e "$scratch/$package.control/conffiles"
	check "$package: nothing outside /usr" test "$(ls "$scratch/$package")" = usr
done
# A file that two packages have cannot be installed twice.
find "$scratch"/*dns* -path '*.control' -prune -o ! -type d -printf '%P\n' | grep '^usr' | sort | uniq -d >"$scratch/twice"
check "no file is in two packages" test ! -s "$scratch/twice"

check "NOTICES has the crates that are linked" python3 "$here/notices.py" --check
check "the notices are in the packages" grep -q '^hickory-proto [0-9.]*: .*; used under MIT' \
	"$all/usr/share/doc/libkamailio-dns0/copyright"

library=$(echo "$all"/usr/lib/*/libkamailio_dns.so.0.*)
libraries=$(dirname "$library")
nm -D --defined-only "$library" | awk '{ print $3 }' | sort >"$scratch/exported"
sed -n 's/^ \(.*\)@Base .*/\1/p' "$scratch/libkamailio-dns0.control/symbols" | sort >"$scratch/symbols"
check "the symbols file has what is exported" cmp "$scratch/exported" "$scratch/symbols"
check "the tools run" env LD_LIBRARY_PATH="$libraries" "$all/usr/bin/siptargets" --version
no_folders() { # of this machine
	for file in "$library" "$libraries"/libkamailio_dns.a "$libraries"/kamailio-dns/*.so "$all"/usr/bin/* "$all"/usr/sbin/*; do
		! grep -aF -e "$root/" -e "${CARGO_HOME:-$HOME/.cargo}/" "$file" >/dev/null || { echo "$file"; return 1; }
	done
}
check "no folder of this machine is named" no_folders
for page in man1/siptargets.1 man3/kamailio_dns.3 man7/kamailio-dns.7 man8/kamailio-dns-check.8; do
	check "$page" test -s "$all/usr/share/man/$page.gz"
done

# Of lintian's errors none, but for the address when no DEB_MAINTAINER was given. There is no bug that a first package closes.
if command -v lintian >/dev/null 2>&1; then
	without=initial-upload-closes-no-bugs
	[ -n "${DEB_MAINTAINER:-}" ] || without=$without,bogus-mail-host,bogus-mail-host-in-debian-changelog
	check "lintian" lintian --allow-root --suppress-tags "$without" --fail-on error,warning "$debs"/*.deb
else
	skip "lintian is missing (package lintian)"
fi

# --- the drop-in: the list of preloads

preload=$all/usr/libexec/kamailio-dns/preload
# The file that it names is only in the folder of this test.
sed "s|^takeover=|takeover=$all|" "$preload" >"$scratch/preload"
takeover=$all$(sed -n 's/^takeover=//p' "$preload")
written() { # LD_PRELOAD before: the line that is written
	# The shell itself loads none of it.
	KAMAILIO_DNS_RUN=$scratch/run sh -c 'LD_PRELOAD=$1; set -- write; . "$0"' "$scratch/preload" "$1" &&
		sed -n 's/^LD_PRELOAD=//p' "$scratch/run/environment"
}
check "no other preload" is "$takeover" "$(written '')"
check "one that is there already stays" is "$takeover:/usr/lib/other.so" "$(written /usr/lib/other.so)"
check "several stay in their order" is "$takeover:a.so:b.so" "$(written 'a.so b.so')"
check "the second start writes the same" is "$takeover:a.so" "$(written "$takeover:a.so")"
mv "$takeover" "$takeover.away"
check "without the library the others stay" is "a.so" "$(written "$takeover:a.so")"
check "without the library nothing is loaded" is "" "$(written "$takeover")"
mv "$takeover.away" "$takeover"
check "a process without the library is noticed" fails sh "$scratch/preload" look $$
check "a process that is gone is noticed" fails sh "$scratch/preload" look 99999999

# --- the same from another folder

if [ "${TWICE:-yes}" = no ]; then
	skip "the same packages from another folder: TWICE=no"
else
	mkdir -p "$scratch/another/folder"
	(cd "$root" && git ls-files -co --exclude-standard -z | tar --null --no-recursion -T - -cf -) |
		tar -C "$scratch/another/folder" -xf -
	epoch=${SOURCE_DATE_EPOCH:-$(git -C "$root" log -1 --format=%ct)}
	again() {
		(cd "$scratch/another/folder" && unset MAKEFLAGS MFLAGS MAKELEVEL &&
			CARGO_TARGET_DIR=$scratch/another/target SOURCE_DATE_EPOCH=$epoch BUILD=build make BUILD=build deb)
	}
	check "built in another folder" again
	for deb in "$debs"/*.deb; do
		check "$(basename "$deb") is the same" cmp "$deb" "$scratch/another/folder/build/deb/$(basename "$deb")"
	done
	rm -rf "$scratch/another"
fi

# --- installed beside Debian's kamailio

install_into() { # folder with a Debian
	echo "--- installed into $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' "$1/etc/os-release")"
	unshare --mount --pid --fork --kill-child --mount-proc sh "$here/install.sh" "$1" "$debs" >"$scratch/install" 2>&1
	tally_up "$scratch/install"
}

if [ "$(id -u)" -ne 0 ] || ! unshare --mount --net true 2>/dev/null; then
	skip "installation: it needs root, and mounts of its own"
elif ! command -v sipp >/dev/null || ! command -v python3 >/dev/null; then
	skip "installation: its calls need sipp (package sip-tester) and python3"
elif [ -n "${PACKAGE_ROOT:-}" ]; then
	for folder in $PACKAGE_ROOT; do
		install_into "$folder"
	done
else
	for suite in ${PACKAGE_SUITES:-bookworm trixie}; do
		if folder=$(sh "$here/root.sh" "$suite" 2>"$scratch/root"); then
			install_into "$folder"
		else
			skip "installation in $suite: $(tail -n 1 "$scratch/root")"
		fi
	done
fi

checks_end
