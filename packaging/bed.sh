# shellcheck shell=sh
# Read by the tests that install packages, in mounts and processes of their own: what they have in common. $here is this
# folder.
#
#   open_bed ROOT          a layer over ROOT, in memory: $dir. $space is a folder of the test beside it
#   check, checks_end      of ci/checks.sh
#   apt, installed, later_debian, offer, withdraw   packages in $dir
#   start_on_library, start_on_own   a start and what has to be seen of it, a call among it

root=$(dirname "$here")
. "$here/layer.sh"
. "$here/unit.sh"
. "$here/calls.sh"
. "$here/version.sh"
. "$root/ci/checks.sh"

open_bed() {
	mount --make-rprivate /
	space=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
	trap 'exec 8>&-; umount -l "$space/root" 2>/dev/null; umount -l "$space"; rmdir "$space"' EXIT
	# It is gone with the mount.
	mount -t tmpfs -o size=2g tmpfs "$space" || exit 1
	open_layer "$1" "$space" || exit 1
	log=$space/log
}

# --- packages

apt() { # words of apt-get, with patterns for files
	inside sh -c "apt-get -qq --no-install-recommends $*"
}
installed() { # package, version
	found=$(inside dpkg-query -W -f '${Version}' "$1")
	echo "$1 is $found, expected $2"
	[ "$found" = "$2" ]
}
release() { # its number
	sed -n 's/^VERSION_ID="\(.*\)"/\1/p' "$dir/etc/os-release"
}
# Debian's packages as a later version: the same files, in /tmp/update.
later_debian() { # version, package...
	later=$1
	shift
	inside sh -c "mkdir -p /tmp/now && cd /tmp/now && apt-get -qq download $*" &&
		sh "$here/repack.sh" "$later" "$dir/tmp/update" "$dir"/tmp/now/*.deb
}
# A folder of $dir as an archive that apt knows, and what to do when it is gone.
offer() { # folder
	(cd "$dir$1" && dpkg-scanpackages -m . 2>/dev/null >Packages) &&
		echo "deb [trusted=yes] file:$1 ./" >"$dir/etc/apt/sources.list.d/$(basename "$1").list" && apt update
}
withdraw() { # folder
	rm "$dir/etc/apt/sources.list.d/$(basename "$1").list"
	apt update
}

# --- the Kamailio that runs

is_in() {
	grep 'libkamailio_dns' "/proc/$MAINPID/maps"
}
# The library's file was replaced since the start.
is_replaced() {
	is_in | grep 'libkamailio_dns\.so.*(deleted)'
}
stats() { # pattern
	inside timeout 20 kamcmd dns.stats >"$space/stats"
	cat "$space/stats"
	grep -q "$1" "$space/stats"
}
answers() {
	stats 'came_in: takeover' && stats 'takeover: kamailio-dns took over .* report defects of DNS to kamailio-dns'
}
asked_by_it() { # the library's own counter: it asked the name server
	stats 'queries_udp: [1-9]'
}
look_says() { # text: the unit notices that the library is not in
	! look >"$space/look" 2>&1 && cat "$space/look" && grep -q "$1" "$space/look"
}
# What each start has to be: on the library, with a call over it, or on Debian's code.
start_on_library() { # title
	check "$1: start" begin
	check "$1: on the library" is_in
	check "$1: the unit sees it" look
	check "$1: it answers" answers
	check "$1: a call" call
	check "$1: it asked the DNS" asked_by_it
}
start_on_own() { # title
	check "$1: start" begin
	check "$1: on Debian's own code" fails is_in
	check "$1: a call" call
	check "$1: end" end
}
