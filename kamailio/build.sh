#!/bin/sh
# build.sh SUITE|DIR [LIBDIR] - builds Kamailio with Debian's flags, in a copy of its sources.
#
#   SUITE    bookworm (5.6.3) or trixie (6.0.1): Debian's source package, see fetch.sh
#   DIR      any Kamailio source tree; it is copied, nothing is written into it
#   LIBDIR   folder with libkamailio_dns.so; without it only the stock executable and the modules are built
#
# The core's objects and the modules are built once; the stock executable and ours differ in the three
# objects that the library replaces, and in nothing else. Repeating costs nothing but the link of ours,
# and that only when the library is newer. Everything is kept in $KAMAILIO_CACHE, default build/kamailio.
#
# KAMAILIO_BUILD=make|cmake chooses the build system of a tree that has both (default make),
# KAMAILIO_MODULES="tm sl ..." the modules (default: the file modules; "none": no module).
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
modules=${KAMAILIO_MODULES:-$(sed 's/#.*//' "$here/modules")}
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

if [ ! -f "$tree/.copied" ] || [ "$name" != "${name#tree-}" ]; then
	mkdir -p "$tree"
	# Only what is newer: a tree that somebody works on is built again where it changed.
	(cd "$source" && tar -cf - --exclude=.git --exclude='*.o' --exclude='*.d' --exclude='*.so' .) |
		(cd "$tree" && tar -xf - --keep-newer-files 2>/dev/null)
	touch "$tree/.copied"
fi

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
