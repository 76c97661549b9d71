#!/bin/sh
# build.sh OUT TARGET - builds all that the packages hold, in the folder TARGET of cargo, and the packages, into OUT.
#
# No name of a folder of this machine gets into them: the same sources give the same packages wherever they lie.
# SOURCE_DATE_EPOCH is the time of all files. CARGO, CARGOFLAGS, FLAGS (extra_defs) and DEFS_RM come from the Makefile.
set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES || true

out=${1:?usage: build.sh OUT TARGET}
target=${2:?}
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
mkdir -p "$out" "$target"
out=$(cd "$out" && pwd)
target=$(cd "$target" && pwd)
: "${SOURCE_DATE_EPOCH:?}"
umask 022
unset CARGO_BUILD_TARGET || true

command -v dpkg-shlibdeps >/dev/null 2>&1 || {
	echo "make deb: dpkg-shlibdeps is missing (package dpkg-dev)" >&2
	exit 1
}
[ "$(dpkg --print-architecture)" = amd64 ] || {
	echo "make deb: the takeover is for amd64 only" >&2
	exit 1
}

crates=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
RUSTFLAGS="--remap-path-prefix=$root=/usr/src/kamailio-dns --remap-path-prefix=$target=/usr/src/target \
--remap-path-prefix=$crates=/usr/src/cargo --remap-path-prefix=$sysroot=/usr/src/rust"
# A C compiler is told in the same way; nothing of a path is left without debug information.
CFLAGS="$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CFLAGS | sed 's/-ff[a-z]*-prefix-map=[^ ]*//') \
-g0 -ffile-prefix-map=$root=/usr/src/kamailio-dns -ffile-prefix-map=$target=/usr/src/target"
LDFLAGS=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get LDFLAGS)
CARGO_INCREMENTAL=0
export SOURCE_DATE_EPOCH RUSTFLAGS CFLAGS LDFLAGS CARGO_INCREMENTAL
export CARGO_TARGET_DIR="$target"

build=$target/files
stage=$target/stage
rm -rf "$stage"
libdir=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
cd "$root"
for goal in lib takeover; do
	make --no-print-directory BUILD="$build" CARGO="${CARGO:-cargo}" CARGOFLAGS="${CARGOFLAGS:---locked}" \
		extra_defs="${FLAGS:-}" DEFS_RM="${DEFS_RM:-}" PREFIX=/usr LIBDIR="$libdir" "$goal"
done
make --no-print-directory BUILD="$build" CARGO=false extra_defs="${FLAGS:-}" DEFS_RM="${DEFS_RM:-}" PREFIX=/usr \
	LIBDIR="$libdir" DESTDIR="$stage" install >/dev/null
STAGE=$stage BUILD=$build sh "$here/deb.sh" "$out"
