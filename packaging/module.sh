#!/bin/sh
# module.sh SUITE OUT - the package kamailio-dns-wait-module for Debian's Kamailio of that suite (bookworm, trixie), in the
# folder OUT: the module dns_wait, built from Debian's own sources with Debian's flags.
#
# A module fits the Kamailio that it was compiled for, and no other: its structures have no names in a binary, and an update
# may change them. So the package depends on that one version of Debian's kamailio, and on rebuilds of the same sources (+b1,
# or those of kamailio_deb.sh); apt keeps others away, and the server never comes to refuse. SOURCE_DATE_EPOCH is the time of
# all files. DEB_MAINTAINER as in deb.sh.
set -eu

suite=${1:?usage: module.sh SUITE OUT}
mkdir -p "${2:?usage: module.sh SUITE OUT}"
out=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
: "${SOURCE_DATE_EPOCH:?}"
export SOURCE_DATE_EPOCH
umask 022
export LC_ALL=C

variables=$(sh "$root/kamailio/build.sh" "$suite")
eval "$variables"
kamailio=$(dpkg-parsechangelog -l "$KAM_TREE/debian/changelog" -S Version)
library=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)
version=$library-1+kamailio$(echo "$kamailio" | tr '-' '.')
work=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns-module.XXXXXX")
trap 'rm -rf "$work"' EXIT
. "$here/deb_parts.sh"
rm -f "$out"/kamailio-dns-wait-module_*.deb

begin kamailio-dns-wait-module
flags() {
	DEB_BUILD_MAINT_OPTIONS=hardening=+all dpkg-buildflags --get "$1"
}
# No name of a folder of this machine gets into it.
MODULE_CFLAGS="$(flags CFLAGS | sed 's/-ff[a-z]*-prefix-map=[^ ]*//') $(flags CPPFLAGS) -ffile-prefix-map=$work=/usr/src" \
	MODULE_LDFLAGS=$(flags LDFLAGS) sh "$root/module/build.sh" "$KAM_TREE" "$work/built"
install -D -m 644 "$work/built/dns_wait.so" "$folder$libdir/kamailio/modules/dns_wait.so"
strip_library "$folder$libdir/kamailio/modules/dns_wait.so"
install -m 644 "$root/module/dns_wait/README" "$root/module/dns_wait/example.cfg" "$docs/"
finish "Section: net
Depends: $(needs "$folder$libdir/kamailio/modules/dns_wait.so"), kamailio (>= $kamailio), kamailio (<< $kamailio+c), libkamailio-dns0 (>= $library)
Recommends: kamailio-dns" <<END
Description: transactions that wait for DNS without a worker - for Kamailio
 The module dns_wait of the SIP server Kamailio suspends a transaction whose
 destination is not in the DNS cache, and has it go on when it is resolved. It
 says whether a source is one of a domain's targets, and when these change.
 .
 This package is for Debian's kamailio $kamailio and no other.
END
