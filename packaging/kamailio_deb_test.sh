#!/bin/sh
# kamailio_deb_test.sh SUITE DEBS OUT - installs what kamailio_deb.sh made in OUT, over Debian's kamailio, as apt does it
# when it is offered a later version: all packages at once. Starts it as the unit says and makes calls; then an update of
# Debian's own comes. PACKAGE_ROOT, or root.sh, has the Debian; DEBS the packages of `make deb`.
# The last line is "N passed, N failed, N skipped".
set -u

suite=${1:?usage: kamailio_deb_test.sh SUITE DEBS OUT}
debs=$(cd "$2" && pwd) || exit 1
out=$(cd "$3" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd) || exit 1

if [ "${INSIDE:-}" != yes ]; then
	lower=${PACKAGE_ROOT:-$(sh "$here/root.sh" "$suite")} || exit 1
	INSIDE=yes PACKAGE_ROOT=$lower exec unshare --mount --pid --fork --kill-child --mount-proc sh "$0" "$suite" "$debs" "$out"
fi

. "$here/bed.sh"
open_bed "$(cd "$PACKAGE_ROOT" && pwd)"

# --- the packages themselves

changes=$(echo "$out"/kamailio_*_amd64.changes)
ours=$(sed -n 's/^Version: //p' "$changes")
mkdir -p "$dir/tmp/ours"
cp "$debs"/libkamailio-dns0_*.deb "$dir/tmp/ours/"
find "$out" -maxdepth 1 -name 'kamailio*.deb' ! -name '*-dbgsym_*' -exec cp {} "$dir/tmp/ours/" \;
check "lists of packages" apt update
debian=${ours%+0kamailiodns*}
earlier() { # version, version
	echo "dpkg --compare-versions $1 lt $2"
	dpkg --compare-versions "$1" lt "$2"
}
is_later() {
	earlier "$debian" "$ours"
}
check "it is later than Debian's" is_later
for update in $(next_updates "$debian" "$(release)"); do
	echo "$debian < $ours < $update"
	check "it is earlier than $update" earlier "$ours" "$update"
done
# As many packages as Debian makes of it, and each module package asks for this very core.
check "the source package" dpkg-source --no-check -x "$out"/kamailio_*.dsc "$dir/tmp/source"
sed -n 's/^Package: //p' "$dir/tmp/source/debian/control" | sort >"$space/due"
find "$dir/tmp/ours" -name 'kamailio*.deb' -exec sh -c 'dpkg-deb -f "$1" Package' sh {} \; | sort >"$space/made"
check "all binary packages are there" diff "$space/due" "$space/made"
exact() {
	for deb in "$dir"/tmp/ours/kamailio-*.deb; do
		case $deb in
		# Programs and papers, no modules.
		*-bin_* | *-dbg_*) continue ;;
		esac
		dpkg-deb -f "$deb" Depends | grep -qF "kamailio (= $ours)" || { echo "$deb" && return 1; }
	done
}
check "module packages ask for this very core" exact
patched() {
	grep -q '^kamailio-dns.patch$' "$dir/tmp/source/debian/patches/series" &&
		diff "$here/kamailio-dns.patch" "$dir/tmp/source/debian/patches/kamailio-dns.patch"
}
check "the source package has the patch" patched

# --- over Debian's

# Some of them; with ONLY not all were made.
some=
for package in kamailio kamailio-extra-modules kamailio-tls-modules kamailio-presence-modules; do
	! grep -qx "$package" "$space/made" || some="$some $package"
done
some=${some# }
check "Debian's kamailio" apt install "$some"
# The folder's archive may have an earlier one than that of security updates.
before=$(inside dpkg-query -W -f '${Version}' kamailio)
check "a network" open_network
start_on_own "Debian's"
check "the new packages are offered" offer /tmp/ours
# libkamailio-dns0 is a new one.
check "apt takes them" apt upgrade --with-new-pkgs
for package in $some; do
	check "$package is ours" installed "$package" "$ours"
done
binary=$dir/usr/sbin/kamailio
linked() {
	readelf -d "$binary" >"$space/dynamic"
	cat "$space/dynamic"
	grep -q 'NEEDED.*libkamailio_dns\.so\.0' "$space/dynamic" && ! grep -qE 'RPATH|RUNPATH' "$space/dynamic"
}
check "the core is linked with the library, without a run path" linked
of_modules() {
	for module in "$dir"/usr/lib/*/kamailio/modules/*.so; do
		! readelf -d "$module" | grep -q libkamailio_dns || { echo "$module" && return 1; }
	done
}
check "no module is" of_modules
start_linked() { # title
	check "$1: start" begin
	check "$1: linked" stats 'came_in: linked'
	check "$1: a call" call
	check "$1: it asked the DNS" asked_by_it
}
start_linked "ours"
check "ours: end" end

# With what switches the takeover on besides: it finds the library in, and leaves it.
cp "$debs"/kamailio-dns_*.deb "$dir/tmp/"
check "kamailio-dns, too" apt install '/tmp/kamailio-dns_*.deb'
start_linked "with the takeover"
check "with the takeover: the unit sees the library" look
check "with the takeover: end" end

# --- an update of Debian's

update=$(next_updates "$debian" "$(release)" | head -n 1)
# shellcheck disable=SC2046
check "Debian's update" later_debian "$update" $(for package in $some; do echo "$package=$before"; done)
check "Debian's update is offered" offer /tmp/update
check "apt takes it" apt upgrade
check "it is Debian's" installed kamailio "$update"
start_on_library "Debian's update, with the takeover"
check "Debian's update, with the takeover: end" end
check "without the takeover" apt purge kamailio-dns
start_on_own "Debian's update"

checks_end
