# shellcheck shell=sh
# Read by the checks: builds Kamailio, starts and stops it, talks to it, counts.
#
# A check is called with a suite (bookworm, trixie) or a Kamailio tree, and ends with finish.
# BUILD is the folder of libkamailio_dns.so (build). Everything else is in a folder of its own that is removed.

checks=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(cd "$checks/../.." && pwd) || exit 1
BUILD=$(cd "${BUILD:-$root/build}" && pwd) || exit 1
suite=${1:?usage: $(basename "$0") bookworm|trixie|DIR}
passed=0
failed=0
skipped=
kamailio_pid=
dns_pid=

scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio.XXXXXX") || exit 1
clean_up() {
	status=$?
	trap - EXIT
	[ -z "$kamailio_pid" ] || stop_kamailio
	# The DNS server ends when its standard input ends.
	exec 8>&-
	[ -z "$dns_pid" ] || wait "$dns_pid" 2>/dev/null
	rm -rf "$scratch"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

assignments=$(sh "$root/kamailio/build.sh" "$suite" "$BUILD") || {
	echo "0 passed, 1 failed"
	exit 1
}
eval "$assignments"
# The sources of the tree, for checks that compile something.
src=$KAM_TREE/src
log=$scratch/log
socket=$scratch/ctl
server=$KAM_OURS

ok() { passed=$((passed + 1)); }
bad() { # what, file to show
	failed=$((failed + 1))
	echo "FAILED: $1"
	[ -z "${2:-}" ] || tail -n "${lines:-15}" "$2" | sed 's/^/    /'
}

# same WHAT EXPECTED FOUND
same() {
	if [ "$2" = "$3" ]; then
		ok
	else
		bad "$1: expected '$2', got '$3'"
	fi
}

# has WHAT PATTERN FILE: a line of the file matches
has() {
	if grep -Eq -- "$2" "$3"; then
		ok
	else
		bad "$1: no line matches '$2'" "$3"
	fi
}

# hasnt WHAT PATTERN FILE
hasnt() {
	if grep -Eq -- "$2" "$3"; then
		bad "$1: $(grep -E -- "$2" "$3" | head -n 3)"
	else
		ok
	fi
}

# within SECONDS command...: repeats it until it succeeds
within() {
	tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# The DNS server of the demonstration, with a zone of its own; sets dns to its address.
start_dns() { # zone file
	zone_server=$BUILD/zone_server
	if [ ! -x "$zone_server" ] || [ "$zone_server" -ot "$root/examples/zone_server/answer.rs" ]; then
		"${RUSTC:-rustc}" --edition 2024 -O -o "$zone_server.new.$$" "$root/examples/zone_server/main.rs" || exit 1
		mv "$zone_server.new.$$" "$zone_server"
	fi
	mkfifo "$scratch/dns.in" "$scratch/dns.out" || exit 1
	"$zone_server" --log "$scratch/queries" "$1" <"$scratch/dns.in" >"$scratch/dns.out" &
	dns_pid=$!
	exec 8>"$scratch/dns.in"
	read -r dns <"$scratch/dns.out" || exit 1
	: >>"$scratch/queries"
}

# A configuration: what every check needs, then standard input.
configuration() { # file
	{
		cat <<-CFG
			listen=udp:127.0.0.1:${port:-15093}
			debug=${debug:-2}
			children=2
			tcp_children=1
			auto_aliases=no
			dns_retr_time=1
			dns_retr_no=1
		CFG
		[ -z "${dns:-}" ] || echo "DNS.nameservers = \"$dns\""
		cat
	} >"$1"
}
load() { # module... : their loadmodule lines, and a control socket
	for module in "$@"; do
		echo "loadmodule \"$module.so\""
	done
	[ "$1" = none ] || printf 'loadmodule "ctl.so"\nmodparam("ctl", "binrpc", "unix:%s")\n' "$socket"
}

kamailio() {
	# 127.0.0.0/8 and a control socket of its own: nothing that runs here already is disturbed.
	LD_LIBRARY_PATH=$KAM_LIBS "$server" -Y "$scratch" -L "$KAM_MODULES" "$@"
}

rpc() {
	# kamcmd waits for ever where nobody answers.
	timeout 20 "$KAM_CMD" -s "unix:$socket" -- "$@"
}

# start_kamailio FILE: in the foreground, logging to stderr, that is $log; waits for its control socket
start_kamailio() {
	: >"$log"
	# The server itself, not a shell around it: it is stopped by this pid.
	(
		export LD_LIBRARY_PATH="$KAM_LIBS"
		exec "$server" -Y "$scratch" -L "$KAM_MODULES" -DD -E -f "$@"
	) >"$log" 2>&1 8>&- &
	kamailio_pid=$!
	if within 20 rpc core.echo ok; then
		return 0
	fi
	bad "start of $(basename "$1")" "$log"
	stop_kamailio
	return 1
}

# Stops it by its pid, and sets stopped to its exit status (143: it had to be killed).
stop_kamailio() {
	[ -n "$kamailio_pid" ] || return 0
	kill "$kamailio_pid" 2>/dev/null
	if ! within 15 gone "$kamailio_pid"; then
		# Its processes too: one that outlives the server may never come to an end, and takes a processor for itself.
		of_server=$(grep -ls "^PPid:[[:space:]]*$kamailio_pid\$" /proc/[0-9]*/status | sed 's|/proc/\(.*\)/status|\1|')
		# shellcheck disable=SC2086 # a list of process ids
		kill -9 "$kamailio_pid" $of_server 2>/dev/null
	fi
	wait "$kamailio_pid" 2>/dev/null
	stopped=$?
	kamailio_pid=
}
gone() {
	state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null)
	[ -z "$state" ] || [ "$state" = Z ]
}

# No child died, nothing is called a bug. When processes end in an unlucky order, the TCP ones complain about
# each other's sockets.
sound() { # what
	grep -v 'core/pass_fd.c.*EOF on' "$log" >"$scratch/sound"
	hasnt "$1" 'CRITICAL|BUG|child process .* exited|core dump|panicked|[Ss]egmentation' "$scratch/sound"
}

finish() {
	echo "$(basename "$0" .sh) $suite: $passed passed, $failed failed${skipped:+, $skipped skipped}"
	[ "$failed" -eq 0 ]
	exit
}
