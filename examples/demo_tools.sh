# shellcheck shell=sh
# Sourced by run.sh, full.sh and check.sh: builds the programs and keeps the nameserver.
#
#   BUILD        folder with libkamailio_dns.so (required)
#   CC, RUSTC    compilers (cc, rustc)
#   CFLAGS       further flags for the C program
#   ZONE_SERVER  a zone_server that is built already; else it is built to BUILD

examples=$(cd "$(dirname "$0")" && pwd) || exit 1
CC=${CC:-cc}
RUSTC=${RUSTC:-rustc}

stop_demo() {
	status=$?
	trap - EXIT
	# The server ends when its standard input ends; waiting for it leaves no process behind.
	exec 8>&-
	[ -z "${server_pid:-}" ] || wait "$server_pid" 2>/dev/null
	[ -z "${scratch:-}" ] || rm -rf "$scratch"
	exit "$status"
}

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

build_demo() {
	[ -n "${BUILD:-}" ] || die "BUILD must name the folder with libkamailio_dns.so"
	BUILD=$(cd "$BUILD" && pwd) || exit 1
	[ -e "$BUILD/libkamailio_dns.so" ] || die "there is no $BUILD/libkamailio_dns.so"
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/siptargets.XXXXXX") || exit 1
	trap stop_demo EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	siptargets=$scratch/siptargets
	outage=$scratch/outage
	build_program siptargets
	build_program outage
}

build_program() { # folder
	# CC and CFLAGS may hold several words.
	# shellcheck disable=SC2086
	$CC -std=c99 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 ${CFLAGS:-} \
		-I"$BUILD/include" -o "$scratch/$1" "$examples/$1"/*.c \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD" ||
		die "$1 could not be built"
}

is_built() { # file, folders of its sources
	file=$1
	shift
	[ -x "$file" ] && [ -z "$(find "$@" -newer "$file")" ]
}

# Starts the server on a free loopback port; sets $server to its address, $log to its query log.
start_zone_server() {
	zone_server=${ZONE_SERVER:-$BUILD/zone_server}
	if [ -z "${ZONE_SERVER:-}" ] && ! is_built "$zone_server" "$examples/zone_server" "$examples/../tests/support/net"; then
		if ! "$RUSTC" --edition 2024 -O -o "$zone_server.new.$$" "$examples/zone_server/main.rs" ||
			! mv "$zone_server.new.$$" "$zone_server"; then
			die "the nameserver of the demonstration could not be built"
		fi
	fi
	log=$scratch/queries.log
	: >"$log"
	mkfifo "$scratch/stdin" "$scratch/stdout" || exit 1
	"$zone_server" --log "$log" "$examples/example.org.zone" "$examples/example.net.zone" \
		<"$scratch/stdin" >"$scratch/stdout" &
	server_pid=$!
	exec 8>"$scratch/stdin"
	server=
	read -r server <"$scratch/stdout" || die "the nameserver did not start"
}
