# shellcheck shell=sh
# Read by install.sh: a network of loopback alone for Kamailio, with a name server and calls. $root is the folder of this
# project, $dir the Debian, $space a folder of the test.
#
#   open_network       makes it; Kamailio's /etc/resolv.conf leads to its name server
#   in_network         in front of a command of its own there
#   call               one call to a name that was not asked for before

open_network() {
	unshare --net sleep infinity &
	holder=$!
	wait_for differs || return 1
	nsenter --net="/proc/$holder/ns/net" ip link set lo up || return 1
	echo 'nameserver 127.0.0.1' >"$space/resolv.conf"
	{
		printf '$ORIGIN calls.test.\n$TTL 300\n'
		echo '@ IN SOA ns hostmaster ( 1 3600 600 86400 60 )'
		echo ' IN NS ns'
		echo 'ns IN A 127.0.0.1'
		echo 'phone IN A 127.0.0.2'
		for number in $(seq 40); do
			echo "_sip._udp.call$number IN SRV 10 0 5070 phone"
		done
	} >"$space/zone"
	"${RUSTC:-rustc}" --edition 2024 -O -o "$space/zone_server" "$root/examples/zone_server/main.rs" || return 1
	mkfifo "$space/dns.in"
	nsenter --net="/proc/$holder/ns/net" "$space/zone_server" --listen 127.0.0.1:53 --log "$space/queries" "$space/zone" \
		<"$space/dns.in" >"$space/dns.out" &
	# It ends when its input does.
	exec 8>"$space/dns.in"
	wait_for test -s "$space/dns.out"
}
differs() {
	[ "$(readlink "/proc/$holder/ns/net")" != "$(readlink /proc/self/ns/net)" ]
}
in_network() {
	# shellcheck disable=SC2016
	nsenter --net="/proc/$holder/ns/net" unshare --mount sh -c \
		'mount --bind "$1" "$2" && shift 2 && exec "$@"' sh "$space/resolv.conf" "$dir/etc/resolv.conf" "$@" 8>&-
}

calls=0
call() {
	calls=$((calls + 1))
	nsenter --net="/proc/$holder/ns/net" python3 -B "$root/packaging/call.py" "call$calls" "$space" 8>&- &&
		# It was the DNS that said where to.
		grep "_sip._udp.call$calls.calls.test" "$space/queries"
}
