#!/bin/sh
# stage.sh STAGE TARGET LIBDIR - builds all that packages hold, in the folder TARGET of cargo, and puts it into the folder
# STAGE as it lies on a system. Packages of each kind are made of it: by deb.sh, kamailio-dns.spec, APKBUILD.
#
# No name of a folder of this machine gets into them: the same sources give the same packages wherever they lie.
# CFLAGS and LDFLAGS are the distribution's, SBINDIR and UNITDIR its folders. CARGO, CARGOFLAGS, FLAGS (extra_defs) and
# DEFS_RM come from the Makefile. TAKEOVER=no leaves out what puts the library into a Kamailio that was not linked with it.
set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES || true

stage=${1:?usage: stage.sh STAGE TARGET LIBDIR}
target=${2:?}
libdir=${3:?}
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
rm -rf "$stage"
mkdir -p "$stage" "$target"
stage=$(cd "$stage" && pwd)
target=$(cd "$target" && pwd)
: "${SOURCE_DATE_EPOCH:?}"
umask 022
unset CARGO_BUILD_TARGET || true

crates=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
# What the distribution asks of Rust has names of the same folders, too; ours come last and count.
RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=$root=/usr/src/kamailio-dns --remap-path-prefix=$target=/usr/src/target \
--remap-path-prefix=$crates=/usr/src/cargo --remap-path-prefix=$sysroot=/usr/src/rust"
# A C compiler is told in the same way; nothing of a path is left without debug information.
CFLAGS="${CFLAGS:-} -g0 -ffile-prefix-map=$root=/usr/src/kamailio-dns -ffile-prefix-map=$target=/usr/src/target"
CARGO_INCREMENTAL=0
CARGO_TARGET_DIR=$target
export SOURCE_DATE_EPOCH RUSTFLAGS CFLAGS CARGO_INCREMENTAL CARGO_TARGET_DIR

build=$target/files
cd "$root"
goals=lib
[ "${TAKEOVER:-yes}" = no ] || goals="lib takeover"
make_here() {
	make --no-print-directory BUILD="$build" CARGOFLAGS="${CARGOFLAGS:---locked}" extra_defs="${FLAGS:-}" \
		DEFS_RM="${DEFS_RM:-}" PREFIX=/usr LIBDIR="$libdir" "$@"
}
for goal in $goals; do
	make_here CARGO="${CARGO:-cargo}" "$goal"
done
make_here CARGO=false DESTDIR="$stage" install >/dev/null
[ "${TAKEOVER:-yes}" != no ] || exit 0

place() { # mode, file, where
	install -D -m "$1" "$2" "$stage$3"
}
place 644 "$build/libkamailio_dns_takeover.so" "$libdir/kamailio-dns/libkamailio_dns_takeover.so"
place 755 "$build/kamailio-dns-check" "${SBINDIR:-/usr/sbin}/kamailio-dns-check"
place 644 docs/man/kamailio-dns-check.8 /usr/share/man/man8/kamailio-dns-check.8
place 644 "$here/unit/zz-kamailio-dns.conf" \
	"${UNITDIR:-/usr/lib/systemd/system}/kamailio.service.d/zz-kamailio-dns.conf"
sed "s|@LIBDIR@|$libdir|" "$here/unit/preload.in" >"$build/preload"
place 755 "$build/preload" /usr/libexec/kamailio-dns/preload
