#!/bin/sh
# build.sh OUT TARGET - builds all that the packages of Debian hold, in the folder TARGET of cargo, and the packages, into OUT.
#
# SOURCE_DATE_EPOCH is the time of all files. CARGO, CARGOFLAGS, FLAGS (extra_defs) and DEFS_RM come from the Makefile.
set -eu

out=${1:?usage: build.sh OUT TARGET}
target=${2:?}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out" "$target"

command -v dpkg-shlibdeps >/dev/null 2>&1 || {
	echo "make deb: dpkg-shlibdeps is missing (package dpkg-dev)" >&2
	exit 1
}
[ "$(dpkg --print-architecture)" = amd64 ] || {
	echo "make deb: packages are made for amd64 only" >&2
	exit 1
}
CFLAGS=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get CFLAGS | sed 's/-ff[a-z]*-prefix-map=[^ ]*//')
LDFLAGS=$(DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get LDFLAGS)
export CFLAGS LDFLAGS
sh "$here/stage.sh" "$target/stage" "$target" "/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)"
STAGE=$target/stage sh "$here/deb.sh" "$out"
