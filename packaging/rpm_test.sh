#!/bin/sh
# rpm_test.sh TARBALL RPMS - what can be checked on Debian of the packages of RPM in the folder RPMS, and of APKBUILD. Those
# of RPM are installed over a Debian with Debian's Kamailio: there is no system of theirs here. TWICE=no leaves out the second
# build in another folder. The last line is "N passed, N failed", with what was skipped.
set -u

tarball=$1
rpms=$(cd "$2" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(dirname "$here")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -rf "$scratch"' EXIT
log=$scratch/log
. "$root/ci/checks.sh"

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)

# --- RPM

spec=$here/kamailio-dns.spec
check "the spec can be read" rpmspec -P "$spec"
check "it has the library's version" is "$version" "$(rpmspec -q --srpm --qf '%{VERSION}' "$spec")"
if command -v rpmlint >/dev/null 2>&1; then
	# Names of packages with libraries are a rule of Mandriva's. The address of the sources is not known yet.
	rpmlint "$spec" | grep ': [EW]: ' | grep -v -e mklibname -e no-buildroot-tag -e invalid-url >"$scratch/rpmlint"
	check "rpmlint" test ! -s "$scratch/rpmlint"
else
	skip "rpmlint is missing (package rpmlint)"
fi
mkdir "$scratch/all"
for package in kamailio-dns kamailio-dns-libs kamailio-dns-devel kamailio-dns-tools; do
	file=$rpms/$package-$version-1.x86_64.rpm
	check "$package is there" test -f "$file"
	(cd "$scratch/all" && rpm2cpio "$file" | cpio -idm --quiet)
done
requires() {
	rpm -qp --requires "$1"
	rpm -qp --requires "$1" 2>/dev/null | grep -qF "$2"
}
check "the tools ask for the library" requires "$rpms/kamailio-dns-tools-$version-1.x86_64.rpm" 'libkamailio_dns.so.0()(64bit)'
provided() {
	rpm -qp --provides "$rpms/kamailio-dns-libs-$version-1.x86_64.rpm" 2>/dev/null >"$scratch/provided"
	cat "$scratch/provided"
	grep -qF 'libkamailio_dns.so.0()(64bit)' "$scratch/provided" && ! grep -q takeover "$scratch/provided"
}
check "the library is offered to those who link with it, the takeover is not" provided
check "siptargets runs" env LD_LIBRARY_PATH="$scratch/all/usr/lib64" "$scratch/all/usr/bin/siptargets" --version
# What the packages of Debian have, these have, too: by name.
names() {
	(cd "$1" && find . ! -type d -printf '%f\n' | sed 's/\.gz$//' | grep -vE '\.md$|^(copyright|changelog.*|COPYING|NOTICES)$' | sort)
}
for deb in "${BUILD:-$root/build}"/deb/*.deb; do
	dpkg-deb -x "$deb" "$scratch/debian"
done
names "$scratch/debian" >"$scratch/of_debian"
names "$scratch/all" >"$scratch/of_rpm"
check "the same files as in Debian's packages" diff "$scratch/of_debian" "$scratch/of_rpm"
named_folder() {
	grep -rlaF -e "$root/" -e "${CARGO_HOME:-$HOME/.cargo}/" -e /kamailio-dns-rpm "$scratch/all"
}
check "no folder of this machine is named" test -z "$(named_folder)"
if [ "${TWICE:-yes}" = no ]; then
	skip "the same packages from another folder: TWICE=no"
else
	check "built in another folder" env PLACE="$scratch/some/other/place" sh "$here/rpm.sh" "$tarball" "$scratch/again"
	for file in "$rpms"/*.rpm; do
		check "$(basename "$file") is the same" cmp "$file" "$scratch/again/$(basename "$file")"
	done
fi

# --- the module, where it was packed

module=$(echo "$rpms"/kamailio-dns-wait-"$version"-*.rpm)
kamailio=$(basename "$module" | sed 's/.*-1\.kamailio\([0-9.]*\)\..*/\1/')
for_one() { # it asks for one version of kamailio, and offers nothing to who links
	rpm -qp --requires "$module" >"$scratch/required"
	rpm -qp --provides "$module" >"$scratch/provided"
	cat "$scratch/required" "$scratch/provided"
	grep -qx "kamailio = $kamailio" "$scratch/required" && ! grep -q '\.so' "$scratch/provided"
}
# Packages that are nothing but a version of kamailio.
pretend() { # version
	printf '%s\n' 'Name: kamailio' "Version: $1" 'Release: 1' 'Summary: none' 'License: none' 'BuildArch: noarch' '%description' none \
		'%files' >"$scratch/pretend.spec"
	rpmbuild -bb --quiet --define "_topdir $scratch/pretend" "$scratch/pretend.spec"
}
takes() { # whether rpm finds the Kamailio that the module asks for, beside that version; what else it needs is not here
	pretend "$1" && rpm --dbpath "$scratch/list" -i --test "$module" "$scratch/pretend/RPMS/noarch/kamailio-$1-1.noarch.rpm" >"$scratch/taken" 2>&1
	cat "$scratch/taken"
	grep -q 'kamailio-dns-libs.* is needed by' "$scratch/taken" && ! grep -q "kamailio = $kamailio is needed by" "$scratch/taken"
}
if [ -f "$module" ]; then
	check "the module asks for one Kamailio" for_one
	check "rpm takes it beside kamailio $kamailio" takes "$kamailio"
	for other in "${kamailio%.*}.99" 99.0.0; do
		check "rpm refuses it beside kamailio $other" fails takes "$other"
	done
	(mkdir "$scratch/module" && cd "$scratch/module" && rpm2cpio "$module" | cpio -idm --quiet)
	named_in_module() {
		grep -rlaF -e "$root/" -e /kamailio-dns-rpm "$scratch/module"
	}
	check "no folder of this machine is named in the module" test -z "$(named_in_module)"
else
	skip "the module dns_wait: it was not packed (KAMAILIO_SRC)"
fi

# --- APKBUILD: what abuild reads, and what its functions do, on this machine's C library

check "APKBUILD is a script" sh -n "$here/APKBUILD"
apk() { # function: as abuild calls it
	# shellcheck disable=SC2016
	env -u RUSTFLAGS -u CARGO_TARGET_DIR builddir="$scratch/apk/kamailio-dns-$version" pkgdir="$scratch/apk/pkg" \
		SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:?}" \
		sh -euc '. "$1"; cd "$builddir"; "$2"' sh "$here/APKBUILD" "$1"
}
check "it has the library's version" is "$version" "$(sh -c '. "$1"; echo "$pkgver"' sh "$here/APKBUILD")"
mkdir "$scratch/apk"
check "its sources" tar -C "$scratch/apk" -xf "$tarball"
for function in build check package; do
	check "its $function()" apk "$function"
done
for name in lib/libkamailio_dns.so.0 include/kamailio-dns/kamailio_dns.h bin/siptargets share/man/man1/siptargets.1; do
	check "it packs $name" test -e "$scratch/apk/pkg/usr/$name"
done
check "the takeover is not in it" test ! -e "$scratch/apk/pkg/usr/lib/kamailio-dns"

# --- installed over a Debian with Kamailio

if [ "$(id -u)" -ne 0 ] || ! unshare --mount --net true 2>/dev/null; then
	skip "installation: it needs root, and mounts of its own"
elif ! command -v sipp >/dev/null; then
	skip "installation: its calls need sipp (package sip-tester)"
elif folder=$(sh "$here/root.sh" bookworm 2>"$scratch/root"); then
	unshare --mount --pid --fork --kill-child --mount-proc sh "$here/rpm_install.sh" "$folder" "$rpms" >"$scratch/install" 2>&1
	tally_up "$scratch/install"
else
	skip "installation: $(tail -n 1 "$scratch/root")"
fi

checks_end
