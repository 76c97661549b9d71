# shellcheck shell=sh
# Read by the tests of the takeover: packaged SUITE [arm64] gets Debian's packages of a release and sets
#   server    its kamailio, as it is shipped
#   modules   folder of its modules
#   kamcmd    a kamcmd that runs here
#   libs      folders for LD_LIBRARY_PATH
#   loader    the command that starts the server, for a release with another C library than this machine's, and for
#             another machine
# `root` is the folder of this project.

packaged() {
	folder=$(sh "$root/kamailio/fetch_packages.sh" "$@") || return 1
	native=$(sh "$root/kamailio/fetch_packages.sh" bookworm) || return 1
	server=$folder/usr/sbin/kamailio
	kamcmd=$native/usr/sbin/kamcmd
	shared=$(echo "$folder"/usr/lib/*-linux-gnu)
	modules=$shared/kamailio/modules
	libs=$shared/kamailio
	loader=
	if [ "${2:-}" = arm64 ]; then
		libs=
		# Bookworm's C library is outside usr.
		found=$(find "$folder" -name 'ld-linux-aarch64.so.1' -path '*-linux-gnu/*' | head -n 1)
		loader="qemu-aarch64 $found --library-path $shared:$shared/kamailio:$(dirname "$found")"
	elif [ "$1" != bookworm ]; then
		libs=
		# Rust's and Kamailio's needs beside those of the release: what this machine has.
		loader="$(echo "$shared"/ld-linux-*.so.*) --library-path $shared:$shared/kamailio:/usr/lib/$(basename "$shared")"
	fi
}
