#!/bin/sh
# deb.sh OUT - Debian packages of the library, in the folder OUT:
#
#   libkamailio-dns0     the library, and the takeover for a Kamailio that was not linked with it
#   libkamailio-dns-dev  headers, archive, what a core of Kamailio is linked with
#   kamailio-dns         switches the takeover on for kamailio.service
#   kamailio-dns-tools   siptargets
#
# STAGE is what stage.sh made with Debian's LIBDIR; `make deb` does both. The same sources give the same packages, wherever
# they lie: times are SOURCE_DATE_EPOCH. DEB_MAINTAINER='Name <address>' is who answers for the packages; without it they bear
# an address of no use, which lintian refuses.
set -eu

out=${1:?usage: deb.sh OUT}
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
stage=$(cd "${STAGE:?}" && pwd)
: "${SOURCE_DATE_EPOCH:?}"
export SOURCE_DATE_EPOCH
umask 022
export LC_ALL=C

version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)-1
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns-deb.XXXXXX")
trap 'rm -rf "$work"' EXIT

. "$here/deb_parts.sh"

# move PATH...: from the stage; what no package takes is found at the end
move() {
	for path in "$@"; do
		for file in "$work/stage"/$path; do
			[ -e "$file" ] || [ -L "$file" ] || {
				echo "deb.sh: nothing was installed as $path" >&2
				exit 1
			}
			name=${file#"$work/stage"}
			mkdir -p "$folder$(dirname "$name")"
			mv "$file" "$folder$name"
		done
	done
}

cp -a "$stage" "$work/stage"
rm -f "$out"/*kamailio-dns*.deb

# --- the library

begin libkamailio-dns0
move "$libdir/libkamailio_dns.so.*" "$libdir/kamailio-dns"
library=$(find "$folder$libdir" -name 'libkamailio_dns.so.0.*')
chmod 644 "$library"
strip_library "$library"
strip_library "$folder$libdir/kamailio-dns/libkamailio_dns_takeover.so"
echo "libkamailio_dns 0 libkamailio-dns0 (>= ${version%-1})" >"$folder/DEBIAN/shlibs"
{
	echo "libkamailio_dns.so.0 libkamailio-dns0 #MINVER#"
	nm -D --defined-only "$library" | awk -v v="${version%-1}" '{ print " " $3 "@Base " v }' | sort
} >"$folder/DEBIAN/symbols"
echo 'activate-noawait ldconfig' >"$folder/DEBIAN/triggers"
finish "Section: libs
Multi-Arch: same
Depends: $(needs "$library" "$folder$libdir/kamailio-dns/libkamailio_dns_takeover.so")" <<'END'
Description: DNS cache and SIP failover for Kamailio - library
 It takes the place of the DNS code of the SIP server Kamailio: NAPTR, SRV and
 address records, load balancing, failover to the next target, and a cache that
 all workers share. Other C programs can use it, too.
 .
 With the library comes what puts it into a Kamailio that was not linked with
 it; the package kamailio-dns switches that on.
END

# --- for those who link with it

begin libkamailio-dns-dev
move "$libdir/libkamailio_dns.so" "$libdir/libkamailio_dns.a" "$libdir/pkgconfig" /usr/include/kamailio-dns \
	/usr/share/kamailio-dns "/usr/share/man/man3"
strip --strip-debug --enable-deterministic-archives "$folder$libdir/libkamailio_dns.a"
finish "Section: libdevel
Depends: libkamailio-dns0 (= $version)" <<'END'
Description: DNS cache and SIP failover for Kamailio - development files
 Headers, static archive and pkg-config file of the library, and what a core of
 Kamailio is linked with to use it.
END

# --- siptargets

begin kamailio-dns-tools
move /usr/bin/siptargets /usr/share/man/man1
strip --strip-unneeded --remove-section=.comment "$folder/usr/bin/siptargets"
finish "Section: net
Depends: $(needs "$folder/usr/bin/siptargets"), libkamailio-dns0 (= $version)" <<'END'
Description: shows where requests for a SIP URI go, and why
 siptargets looks up a SIP URI as the SIP server Kamailio does and shows every
 target in the order in which they are tried, with the DNS records that led
 there.
END

# --- what switches it on

begin kamailio-dns
move /usr/share/man/man7 /usr/share/man/man8 /usr/sbin/kamailio-dns-check /usr/libexec/kamailio-dns \
	/usr/lib/systemd/system/kamailio.service.d
strip --strip-unneeded --remove-section=.comment "$folder/usr/sbin/kamailio-dns-check"
for document in drop-in takeover observability caching resolver tuning troubleshooting security targets memory where; do
	install -D -m 644 "$root/docs/$document.md" "$docs/$document.md"
done
# What these pages refer to.
for example in prometheus pins cluster; do
	for file in "$root/examples/$example"/*; do
		install -D -m 644 "$file" "$docs/examples/$example/${file##*/}"
	done
done
for script in postinst postrm; do
	cp "$here/kamailio-dns.$script" "$folder/DEBIAN/$script"
done
finish "Section: net
Depends: $(needs "$folder/usr/sbin/kamailio-dns-check"), libkamailio-dns0 (= $version)
Recommends: kamailio
Suggests: kamailio-dns-tools" <<'END'
Description: DNS cache and SIP failover for Kamailio - for kamailio.service
 Has the next start of kamailio.service use the library in place of Kamailio's
 own DNS code. No file of Kamailio is changed; without this package it is as it
 was. A Kamailio that is not known runs on its own code, and says why.
 .
 Installing does not restart Kamailio.
END

rm -rf "$work/stage/usr/share/doc/kamailio-dns"
left=$(find "$work/stage" ! -type d)
[ -z "$left" ] || {
	echo "deb.sh: in no package:" >&2
	echo "$left" | sed "s|^$work/stage||" >&2
	exit 1
}
