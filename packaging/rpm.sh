#!/bin/sh
# rpm.sh TARBALL OUT - builds the packages of kamailio-dns.spec from what `make dist` made, into the folder OUT, without
# network. What the build needs is taken as it is here: on Debian there is no list of RPM packages to look it up in.
# SOURCE_DATE_EPOCH is the time of all files; PLACE is the folder of the build (a temporary one). With KAMAILIO_SRC, a folder
# of Kamailio's sources, or bookworm or trixie for Debian's, the module dns_wait is packed for that Kamailio, too.
set -eu

tarball=$(cd "$(dirname "${1:?usage: rpm.sh TARBALL OUT}")" && pwd)/$(basename "$1")
mkdir -p "${2:?}"
out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
: "${SOURCE_DATE_EPOCH:?}"
command -v rpmbuild >/dev/null 2>&1 || {
	echo "rpm.sh: rpmbuild is missing (package rpm)" >&2
	exit 1
}
place=${PLACE:-$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns-rpm.XXXXXX")}
trap 'rm -rf "$place"' EXIT
mkdir -p "$place/SOURCES"
cp "$tarball" "$place/SOURCES/"
set -- rpmbuild -bb --nodeps --define "_topdir $place" --define 'clamp_mtime_to_source_date_epoch 1' \
	--define 'use_source_date_epoch_as_buildtime 1' --define '_buildhost localhost'
if [ -n "${KAMAILIO_SRC:-}" ]; then
	case $KAMAILIO_SRC in
	bookworm | trixie) kamailio=$(sh "$here/../kamailio/fetch.sh" "$KAMAILIO_SRC") ;;
	*) kamailio=$(cd "$KAMAILIO_SRC" && pwd) ;;
	esac
	number=$(sed -n 's/^\(VERSION\|PATCHLEVEL\|SUBLEVEL\) *= *\([0-9]*\).*/\2/p' "$kamailio/src/Makefile.defs" | head -n 3 | paste -sd.)
	tar -C "$kamailio" --exclude=.git --transform "s|^\.|kamailio-$number|" -czf "$place/SOURCES/kamailio-${number}_src.tar.gz" .
	set -- "$@" --define "kamailio_version $number"
fi
set -- "$@" "$here/kamailio-dns.spec"
# A network of its own has none, where that may be.
! unshare --net true 2>/dev/null || set -- unshare --net "$@"
CARGO_TARGET_DIR='' "$@" >"$out/build.log" 2>&1 || {
	tail -n 30 "$out/build.log" >&2
	exit 1
}
rm -f "$out"/*.rpm
find "$place/RPMS" -name '*.rpm' -exec mv {} "$out/" \;
find "$out" -name '*.rpm' | sort
