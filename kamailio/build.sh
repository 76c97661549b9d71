#!/bin/sh
# build.sh SUITE|DIR [LIBDIR] - builds Kamailio with Debian's flags, in a copy of its sources.
#
#   SUITE    bookworm (5.6.3) or trixie (6.0.1): Debian's source package, see fetch.sh
#   trixie-handle48, trixie-handle56   trixie with another struct dns_srv_handle, see change_handle.sh
#   DIR      any Kamailio source tree; it is copied, nothing is written into it
#   LIBDIR   folder with libkamailio_dns.so; without it only the stock executable and the modules are built
#
# The core's objects and the modules are built once; the stock executable and ours differ in the three
# objects that the library replaces, and in nothing else. Repeating costs nothing but the link of ours,
# and that only when the library is newer. Everything is kept in $KAMAILIO_CACHE, default build/kamailio.
#
# KAMAILIO_BUILD=make|cmake chooses the build system of a tree that has both (default make),
# KAMAILIO_MODULES="tm sl ..." the modules (default: the file modules; "none": no module),
# KAMAILIO_FEWER_MODULES="bookworm" suites without the modules that the file says are only loaded,
# KAMAILIO_LINK=shared|static whether ours is linked with the shared object or with the archive (default shared).
# KAMAILIO_LINK=bare leaves out the object that describes the tree; the library refuses such an executable.
#
# Prints shell assignments, for  eval "$(sh kamailio/build.sh bookworm build)":
#   KAM_TREE      the copy, configured and built
#   KAM_STOCK     the stock executable
#   KAM_OURS      the executable linked against the library (only with LIBDIR)
#   KAM_MODULES   folder of the modules, for mpath
#   KAM_LIBS      folders for LD_LIBRARY_PATH: what modules share, and LIBDIR
#   KAM_CMD       kamcmd
set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES || true

what=${1:?usage: build.sh bookworm|trixie|DIR [LIBDIR]}
libdir=${2:-}
here=$(cd "$(dirname "$0")" && pwd)
cache=${KAMAILIO_CACHE:-$(dirname "$here")/build/kamailio}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
jobs=${JOBS:-$(nproc)}
system=${KAMAILIO_BUILD:-make}

case $what in
bookworm | trixie)
	KAMAILIO_CACHE=$cache sh "$here/fetch.sh" "$what" >/dev/null
	source=$cache/src-$what
	name=$what
	;;
trixie-handle??)
	# A copy of what is built already: only what depends on the struct is compiled again.
	base=${what%-handle*}
	KAMAILIO_CACHE=$cache sh "$here/build.sh" "$base" >/dev/null
	source=$cache/$base
	name=$what
	;;
*)
	source=$(cd "$what" && pwd)
	[ -d "$source/src/core" ] || {
		echo "build.sh: $source is no Kamailio tree (no src/core)" >&2
		exit 1
	}
	name=tree-$(echo "$source" | cksum | cut -d ' ' -f 1)
	;;
esac
[ -f "$source/src/Makefile.defs" ] || system=cmake
[ "$system" = make ] || name=$name-$system
tree=$cache/$name
[ -z "$libdir" ] || libdir=$(cd "$libdir" && pwd)
case " ${KAMAILIO_FEWER_MODULES:-} " in
*" $what "*) listed=$(sed '/^#.* only loaded$/,/^$/d' "$here/modules") ;;
*) listed=$(cat "$here/modules") ;;
esac
modules=${KAMAILIO_MODULES:-$(echo "$listed" | sed 's/#.*//')}
[ "$modules" != none ] || modules=

exec 9>"$cache/build-$name.lock"
flock 9

fail() { # step: what its log ends with
	tail -n 30 "$tree/$1.log" >&2
	echo "build.sh: $1 failed, see $tree/$1.log" >&2
	exit 1
}

# Debian's own flags, as debian/rules asks for them.
export DEB_BUILD_MAINT_OPTIONS=hardening=+all
cflags="$(dpkg-buildflags --get CPPFLAGS) $(dpkg-buildflags --get CFLAGS) -DVERSION_NODATE"
ldflags=$(dpkg-buildflags --get LDFLAGS)
# Where the sources lie is of no interest to anybody.
cflags=$(echo "$cflags" | sed 's/-ff[a-z]*-prefix-map=[^ ]*//')

if [ -n "${base:-}" ]; then
	if [ ! -f "$tree/.copied" ]; then
		rm -rf "$tree"
		flock "$cache/build-$base.lock" cp -a "$source" "$tree"
		rm -f "$tree/kamailio.stock" "$tree"/modules/*.so
		sh "$here/change_handle.sh" "$tree/src/core/dns_cache.h" "${what##*-handle}"
		touch "$tree/.copied"
	fi
elif [ ! -f "$tree/.copied" ] || [ "$name" != "${name#tree-}" ]; then
	mkdir -p "$tree"
	# Only what is newer: a tree that somebody works on is built again where it changed. Without folders, which
	# are made as they are needed: trixie's tar fails on those that are newer.
	(cd "$source" && find . -name .git -prune -o ! -type d ! -name '*.o' ! -name '*.d' ! -name '*.so' -print0 |
		tar -cf - --null --no-recursion -T -) |
		(cd "$tree" && tar -xf - --keep-newer-files 2>/dev/null)
	touch "$tree/.copied"
fi

# What ours is linked with. An archive makes an executable that needs no library.
case ${KAMAILIO_LINK:-shared} in
shared)
	linked=$libdir/libkamailio_dns.so
	flavour=
	;;
static)
	linked=$libdir/libkamailio_dns.a
	flavour=-static
	;;
bare)
	linked=$libdir/libkamailio_dns.so
	flavour=-bare
	;;
*)
	echo "build.sh: KAMAILIO_LINK is shared, static or bare" >&2
	exit 1
	;;
esac
is_newest() { # executable: newer than all that it is made of
	[ -f "$1" ] || return 1
	for part in "$linked" "$tree/kamailio.stock" "$here/kamailio_dns_layout.c" "$here/library.mk" "$here/library.cmake"; do
		[ "$1" -nt "$part" ] || return 1
	done
}

# shellcheck source=/dev/null
. "$here/build_$system.sh"

configure
build_stock
build_modules
build_kamcmd
[ -z "$libdir" ] || build_ours

echo "KAM_TREE='$tree'"
echo "KAM_STOCK='$tree/kamailio.stock'"
[ -z "$libdir" ] || echo "KAM_OURS='$ours'"
echo "KAM_MODULES='$tree/modules'"
echo "KAM_LIBS='$tree/lib${libdir:+:$libdir}'"
echo "KAM_CMD='$tree/kamcmd'"
