# shellcheck shell=sh
# Read by the tests of the module's packages: Kamailio with the module's example in the Debian $dir, in a network where nobody
# answers. $space is a folder of the test; layer.sh and unit.sh are read before.
#
#   example_runs TAKEOVER FILE [OPTION...]   with the library: the server is up, and asks for the carrier that FILE watches
#   example_says_why FILE [OPTION...]        without it: the server ends by itself, and says why

said_enough() {
	grep -q 'DNS lookup failed.*carrier\.example\.com' "$space/example" || ! kill -0 "$server" 2>/dev/null
}
example_runs() {
	preload=$1
	file=$2
	shift 2
	network="unshare --net"
	inside env LD_PRELOAD="$preload" kamailio -DD -E -P /run/example.pid -f "$file" "$@" >"$space/example" 2>&1 &
	server=$!
	network=
	wait_for said_enough
	is_up=1
	kill -0 "$server" 2>/dev/null || is_up=0
	# What it says while it ends is its own.
	cp "$space/example" "$space/said"
	[ ! -s "$dir/run/example.pid" ] || kill -TERM "$(cat "$dir/run/example.pid")" 2>/dev/null
	wait "$server"
	cat "$space/said"
	[ "$is_up" = 1 ] && grep -q 'carrier\.example\.com' "$space/said" && grep -q 'took over' "$space/said" &&
		! grep -q -e ERROR -e CRITICAL "$space/said"
}
example_says_why() {
	file=$1
	shift
	network="unshare --net"
	# 124 is timeout's own status: the server would run.
	inside timeout 300 kamailio -DD -E -f "$file" "$@" >"$space/example" 2>&1
	status=$?
	network=
	cat "$space/example"
	[ "$status" != 124 ] && [ "$status" != 0 ] && grep -q 'does not run on kamailio-dns' "$space/example"
}
