#!/bin/sh
# kamailio_deb.sh SUITE DEBS OUT - Debian's own source package of Kamailio with one patch, by which the core is linked with
# the library: the new source package and all binary packages, in the folder OUT.
#
# SUITE is bookworm or trixie; the newest of it and of its security updates is taken. DEBS has the packages of `make deb`.
# PACKAGE_ROOT is a folder in which debootstrap made a Debian of that suite; else root.sh makes one. Nothing is written into
# it: what the build needs is installed into a layer over it, from its own apt sources, and the build itself has no network.
# SOURCE_DATE_EPOCH, JOBS, DEB_MAINTAINER; KEEP=yes keeps the layer for a look. Needs root, and 6 GB of disk.
# ONLY="tls presence" makes only the packages of these groups of modules, besides the core with its own: for a try. Then the
# others of Debian's cannot be installed beside it.
set -eu

suite=${1:?usage: kamailio_deb.sh SUITE DEBS OUT}
debs=$(cd "${2:?}" && pwd)
mkdir -p "${3:?}"
out=$(cd "$3" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
: "${SOURCE_DATE_EPOCH:?}"
: "${DEB_MAINTAINER:=kamailio-dns <kamailio-dns@localhost>}"
: "${JOBS:=$(nproc)}"
export SOURCE_DATE_EPOCH DEB_MAINTAINER JOBS
. "$here/layer.sh"
. "$here/version.sh"

fail() {
	echo "kamailio_deb.sh: $*" >&2
	exit 1
}

# --- outside: sources, and the layer's place

if [ "${INSIDE:-}" != yes ]; then
	[ "$(id -u)" -eq 0 ] || fail "it needs root"
	root=${PACKAGE_ROOT:-$(sh "$here/root.sh" "$suite")}
	grep -q "^VERSION_CODENAME=$suite\$" "$root/etc/os-release" || fail "$root has no Debian of $suite"
	root=$(cd "$root" && pwd)
	space=$out/layer
	rm -rf "$space" "$out/source"
	mkdir -p "$space"
	dsc=$(sh "$here/../ci/fetch/source.sh" kamailio "$suite" "$out/source")
	# Most releases have no security update of it.
	if newer=$(sh "$here/../ci/fetch/source.sh" kamailio "$suite-security" "$out/source-security" 2>/dev/null) &&
		dpkg --compare-versions "$(version_of "$newer")" gt "$(version_of "$dsc")"; then
		rm -rf "$out/source"
		mv "$out/source-security" "$out/source"
		dsc=$out/source/$(basename "$newer")
	fi
	rm -rf "$out/source-security"
	status=0
	INSIDE=yes PACKAGE_ROOT=$root LAYER=$space DSC=$dsc unshare --mount --pid --fork --kill-child --mount-proc \
		sh "$0" "$suite" "$debs" "$out" || status=$?
	[ "${KEEP:-}" = yes ] || rm -rf "$space"
	rm -rf "$out/source"
	exit "$status"
fi

# --- inside

log=$out/build.log
step() { # what, command...
	what=$1
	shift
	echo "$what ($(date -u +%H:%M:%S))" | tee -a "$log"
	"$@" >>"$log" 2>&1 || {
		tail -n 30 "$log" >&2
		fail "$what failed, see $log"
	}
}
: >"$log"
open_layer "$PACKAGE_ROOT" "$LAYER"
place=/usr/src/kamailio-dns-build
mkdir -p "$dir$place/debs"
cp "$debs"/libkamailio-dns0_*.deb "$debs"/libkamailio-dns-dev_*.deb "$dir$place/debs/"
cp "$(dirname "$DSC")"/kamailio_* "$dir$place/"
version=$(version_of "$DSC")
ours=$(our_version "$version")
tree=$place/kamailio-build
echo "Kamailio $version of Debian becomes $ours"

step "lists of packages" inside apt-get -q update
step "tools" inside apt-get -q -y install --no-install-recommends build-essential debhelper dpkg-dev fakeroot
step "the library" inside sh -c "apt-get -q -y install --no-install-recommends $place/debs/*.deb"
step "unpacking" inside dpkg-source --no-check -x "$place/$(basename "$DSC")" "$tree"

# The patch, the dependency, the entry of the changelog.
cp "$here/kamailio-dns.patch" "$dir$tree/debian/patches/kamailio-dns.patch"
echo kamailio-dns.patch >>"$dir$tree/debian/patches/series"
(cd "$dir$tree" && patch -p1 -s <debian/patches/kamailio-dns.patch)
mkdir -p "$dir$tree/.pc"
library=$(dpkg-deb -f "$(echo "$debs"/libkamailio-dns-dev_*.deb)" Version)
sed -i "s/^Build-Depends:\$/&\n libkamailio-dns-dev (>= ${library%-*}),/" "$dir$tree/debian/control"
grep -q '^ libkamailio-dns-dev' "$dir$tree/debian/control" || fail "debian/control has no list of Build-Depends"
if [ -n "${ONLY:-}" ]; then
	# debian/rules moves a file of berkeley's.
	ONLY="$ONLY berkeley"
	sed -i "s/^D = /PACKAGE_GROUPS := \$(filter $ONLY,\$(PACKAGE_GROUPS))\nEXTRA_GROUPS :=\n&/" "$dir$tree/debian/rules"
	awk -v RS= -v ORS='\n\n' -v only="$ONLY" '
		BEGIN { n = split(only, group, " "); due["kamailio"] = due["kamailio-berkeley-bin"] = 1
			for (i = 1; i <= n; i++) due["kamailio-" group[i] "-modules"] = 1 }
		/^Source:/ || ($1 == "Package:" && $2 in due)' "$dir$tree/debian/control" >"$dir$tree/debian/control.new"
	mv "$dir$tree/debian/control.new" "$dir$tree/debian/control"
fi
{
	echo "kamailio ($ours) $suite; urgency=medium"
	echo
	echo "  * The core is linked with libkamailio_dns in place of its own DNS code"
	echo "    (kamailio-dns.patch)."
	echo
	echo " -- $DEB_MAINTAINER  $(date -u -R -d "@$SOURCE_DATE_EPOCH")"
	echo
	cat "$dir$tree/debian/changelog"
} >"$dir$tree/debian/changelog.new"
mv "$dir$tree/debian/changelog.new" "$dir$tree/debian/changelog"

step "what the build needs" inside apt-get -q -y build-dep --no-install-recommends "$tree"
no_network() {
	network="unshare --net" inside sh -c "cd $tree && export DEB_BUILD_OPTIONS='parallel=$JOBS nocheck' \
		SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH && $*"
}
step "the source package" no_network dpkg-source -b .
# The parser first: with several jobs Kamailio's Makefile has two makes of it at a time, which read each other's halves.
step "configuration" no_network make -f debian/rules configure-stamp
step "the parser" no_network make -C src -j1 core/cfg.tab.c core/cfg.tab.h core/lex.yy.c
step "the packages" no_network dpkg-buildpackage -b -nc -us -uc -j"$JOBS"
rm -f "$out"/kamailio*.deb "$out"/kamailio_*
for file in "$dir$place"/*"$(file_version "$ours")"*; do
	cp "$file" "$out/"
done
cp "$dir$place"/kamailio_*.orig.tar.* "$out/"
echo "$(find "$out" -maxdepth 1 -name '*.deb' ! -name '*dbgsym*' | wc -l) packages in $out"
