#!/bin/sh
# The main job: where does a SIP request go, and why?
#
#   BUILD=build sh examples/run.sh                        a short demonstration with a nameserver of our own
#   BUILD=build DEMO=full sh examples/run.sh              the long one, see full.sh
#   BUILD=build URI=sip:example.org sh examples/run.sh    that URI, asked for in the real DNS
#
# BUILD, CC, RUSTC, CFLAGS and ZONE_SERVER are described in demo_tools.sh; ARGS holds further options
# for siptargets when URI is given.

. "$(dirname "$0")/demo_tools.sh"

case ${DEMO:-short} in
short) ;;
full)
	[ -n "${URI:-}" ] || exec sh "$examples/full.sh"
	;;
*) die "DEMO=$DEMO: it is short or full" ;;
esac

build_demo

if [ -n "${URI:-}" ]; then
	# shellcheck disable=SC2086
	"$siptargets" ${ARGS:---naptr} "$URI"
	exit
fi

start_zone_server
trouble() {
	die "$1: exit status $?"
}

echo '1. Where does a request for sip:alice@example.org go, from a proxy that speaks TLS alone? NAPTR, SRV, then A and'
echo '   AAAA lead there (RFC 3263), and stand beside each target.'
"$siptargets" --server "$server" --naptr --set dns_udp_pref=-1 --set dns_tcp_pref=-1 sip:alice@example.org ||
	trouble siptargets

echo
echo '2. Failover: the first two targets over TCP are dead. The rest of their group is next, then the backup.'
"$siptargets" --server "$server" --fail 2 'sip:alice@example.org;transport=tcp' || trouble siptargets

echo
echo '3. Workers are forked before anybody asks, and share one cache: the first asks, the second finds it all.'
"$siptargets" --server "$server" --workers 2 --query-log "$log" sip:www.example.org || trouble siptargets

echo
echo '4. Four workers look up a name that may be kept for 2 s. Then the nameserver is killed.'
"$outage" "$server" brief.example.org 6 &
lookups=$!
sleep 2.5
kill -9 "$server_pid"
wait "$server_pid" 2>/dev/null
server_pid=
echo '  ------ the nameserver is killed, the calls go on ------'
wait "$lookups" || trouble outage

echo
echo 'More: make run DEMO=full; a domain of the real DNS: make run URI=sip:...; all targets: make help'
