#!/bin/sh
# module_test.sh DEBS MODULES SUITE... - installs the packages of module.sh (MODULES/SUITE) beside those of deb.sh (DEBS) and
# Debian's kamailio, and shows for which versions of it apt takes them. Prints "N passed, N failed".
#
# PACKAGE_ROOT is a folder in which debootstrap made a Debian of the suite; else root.sh makes one. Nothing is written into it.
# Needs root.
set -u

debs=$(cd "${1:?usage: module_test.sh DEBS MODULES SUITE...}" && pwd) || exit 1
modules=$(cd "${2:?}" && pwd) || exit 1
shift 2
here=$(cd "$(dirname "$0")" && pwd) || exit 1
. "$here/layer.sh"
. "$here/unit.sh"
. "$here/example.sh"
. "$here/../ci/checks.sh"

if [ "${INSIDE:-}" != yes ]; then
	. "$here/../kamailio/tally.sh"
	for suite in "$@"; do
		echo "--- $suite"
		space=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns-module.XXXXXX")
		folder=${PACKAGE_ROOT:-$(sh "$here/root.sh" "$suite")} || exit 1
		tally env INSIDE=yes "PACKAGE_ROOT=$folder" "LAYER=$space" unshare --mount --pid --fork --kill-child --mount-proc \
			sh "$0" "$debs" "$modules" "$suite"
		rm -rf "$space"
	done
	tally_end "all suites"
	exit
fi

suite=$1
space=$LAYER
log=$space/log
open_layer "$PACKAGE_ROOT" "$LAYER" || exit 1
mkdir -p "$dir/debs/other"
cp "$debs"/libkamailio-dns0_*.deb "$debs"/kamailio-dns_*.deb "$modules/$suite"/*.deb "$dir/debs/"
module=$(cd "$modules/$suite" && echo kamailio-dns-wait-module_*.deb)
inside apt-get -q update >"$log" 2>&1
# shellcheck disable=SC2016
check "apt installs it beside Debian's kamailio" inside sh -c 'apt-get -qy --no-install-recommends install kamailio /debs/*.deb'
kamailio=$(inside dpkg-query -W -f '${Version}' kamailio)
check "it is in the folder of Kamailio's modules" inside sh -c 'test -f /usr/lib/*/kamailio/modules/dns_wait.so'

takeover=/$(cd "$dir" && echo usr/lib/*/kamailio-dns/libkamailio_dns_takeover.so)
example=/usr/share/doc/kamailio-dns-wait-module/example.cfg
check "the server runs with the example" example_runs "$takeover" "$example"
check "without the library the server says why it does not start" example_says_why "$example"

# Packages that are nothing but a version of kamailio.
pretend() { # version
	made=$space/pretend
	rm -rf "$made"
	mkdir -p "$made/DEBIAN"
	printf 'Package: kamailio\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <nobody@localhost>\nDescription: none\n' \
		"$1" >"$made/DEBIAN/control"
	dpkg-deb -b "$made" "$dir/debs/other/kamailio.deb" >/dev/null
}
stays() { # whether apt leaves the module installed with that kamailio
	inside apt-get -s --no-remove --allow-downgrades install /debs/other/kamailio.deb
}
upstream=${kamailio%%-*}
. "$here/version.sh"
for version in "$kamailio+b1" "$(our_version "$kamailio")"; do
	pretend "$version"
	check "kamailio $version is the same, built again" stays
done
for version in "$upstream-0" "$kamailio+deb99u1" "$upstream-99" "$upstream.1-1" 99.0.0-1; do
	pretend "$version"
	check "apt refuses kamailio $version beside it" fails stays
done
check "the module goes" inside apt-get -qy purge kamailio-dns-wait-module
check "nothing of it is left" inside sh -c '! find / -xdev -path /debs -prune -o -path /proc -prune -o -name "*dns_wait*" -print | grep .'
pretend "$upstream.1-1"
check "apt does not install it beside another version" fails inside apt-get -s install /debs/other/kamailio.deb "/debs/$module"
for other in "$modules"/*/*.deb; do
	[ "$(basename "$other")" != "$module" ] || continue
	cp "$other" "$dir/debs/other/module.deb"
	check "$(basename "$other") is for another" fails inside apt-get -s install /debs/other/module.deb
done
checks_end
