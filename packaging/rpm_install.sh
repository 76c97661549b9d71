#!/bin/sh
# rpm_install.sh ROOT RPMS - called by rpm_test.sh in mounts and processes of its own: rpm installs the packages of the folder
# RPMS into a layer over ROOT, a Debian with Debian's kamailio, and takes them away again. Debian's packages are in no list of
# rpm, so what ours ask for is not looked up. The last line is "N passed, N failed", with what was skipped.
set -u

lower=$(cd "$1" && pwd) || exit 1
rpms=$(cd "$2" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd) || exit 1
. "$here/bed.sh"
. "$here/example.sh"
open_bed "$lower"

# As there: a list of packages, and libraries in /usr/lib64, which its C library knows.
mkdir -p "$dir/etc/ld.so.conf.d"
echo /usr/lib64 >"$dir/etc/ld.so.conf.d/lib64.conf"
packages() { # words of rpm
	rpm --root "$dir" --dbpath /usr/lib/sysimage/rpm "$@"
}
names="kamailio-dns kamailio-dns-libs kamailio-dns-devel kamailio-dns-tools"
# Where it was packed for a Kamailio.
module=$(echo "$rpms"/kamailio-dns-wait-*.rpm)
[ ! -f "$module" ] || names="$names kamailio-dns-wait"
# Everything of theirs, folders that others have, too, left out.
theirs() {
	for file in "$rpms"/*.rpm; do
		rpm -qlp "$file" 2>/dev/null
	done | grep -e kamailio.dns -e dns_wait | sort
}
there() {
	theirs | while read -r path; do
		[ ! -e "$dir$path" ] || echo "$path"
	done
}

check "lists of packages" apt update
check "Debian's kamailio" apt install kamailio
check "a network" open_network
start_on_own "without the packages"
check "a list of packages" packages --initdb
theirs >"$space/theirs"
check "the packages say what is theirs" test -s "$space/theirs"
check "nothing of it is there" test -z "$(there)"

check "rpm installs them" packages -i --nodeps "$rpms"/*.rpm
check "the loader's list" inside ldconfig
check "all of it is there" diff "$space/theirs" - <<END
$(there)
END
# shellcheck disable=SC2086
check "as it was packed" packages -V --nodeps $names
owner() {
	is "kamailio-dns-libs-$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n 1)-1.x86_64" \
		"$(packages -qf /usr/lib64/libkamailio_dns.so.0)"
}
check "the library has its owner" owner
start_on_library "installed"
check "installed: siptargets" inside siptargets --version
if [ -f "$module" ]; then
	example=$(rpm -qlp "$module" 2>/dev/null | grep '/example.cfg$')
	# The folder of Debian's modules is not that of RPM.
	debian_modules=$(cd "$dir" && echo usr/lib/*/kamailio/modules)
	with_folders="-L /$debian_modules:/usr/lib64/kamailio/modules"
	check "the first server ends" end
	# shellcheck disable=SC2086
	check "the server runs with the module's example" example_runs /usr/lib64/kamailio-dns/libkamailio_dns_takeover.so "$example" \
		$with_folders
	# shellcheck disable=SC2086
	check "without the library the server says why it does not start" example_says_why "$example" $with_folders
	start_on_library "after the example"
else
	skip "the module was not packed"
fi
check "the same once more is refused" fails packages -i --nodeps "$rpms"/*.rpm

# The scripts of an upgrade run: the old ones go when the new ones are there.
check "again, while it runs" packages -U --nodeps --replacepkgs "$rpms"/*.rpm
check "again: it answers" answers
check "again: a call" call
check "again: the list of preloads stays" test -e "$dir/run/kamailio-dns/environment"
check "again: end" end
start_on_library "again"

# A file that was changed is noticed.
echo '# changed' >>"$dir/usr/libexec/kamailio-dns/preload"
check "a changed file is noticed" fails packages -V --nodeps kamailio-dns
# shellcheck disable=SC2086
check "removed while it runs" packages -e --nodeps $names
check "removed: it answers" answers
check "removed: a call" call
check "removed: end" end
check "nothing of it is left" test -z "$(there)"
check "nor of its list of preloads" test ! -e "$dir/run/kamailio-dns"
none() {
	is "" "$(packages -qa)"
}
check "nor a package" none
check "the loader's list" inside ldconfig
start_on_own "removed"

checks_end
