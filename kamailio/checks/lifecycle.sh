#!/bin/sh
# lifecycle.sh SUITE|DIR - the DNS functions at every moment of the server's life: while modules are loaded,
# while kamailio.cfg is read, in mod_init (with the init functions called once more), in children, and after the
# cache is destroyed; with the cache, without one, and daemonized. probe.c makes the calls.

. "$(dirname "$0")/lib.sh"
. "$checks/build_probe.sh"

start_dns "$checks/example.zone"
port=15095
export PROBE_FILE="$scratch/probe"

build_probe

probe() { # line of kamailio.cfg: a server with the probe in it
	: >"$PROBE_FILE"
	{
		echo "$1"
		load tm sl pv cfg_rpc counters jsonrpcs
		echo 'loadmodule "probe.so"'
		echo 'modparam("probe", "now", 1)'
		echo 'request_route { exit; }'
	} | configuration "$scratch/cfg"
}
# said MOMENT CALL RESULT
said() {
	same "$title: $1 $2" "$3" "$(sed -n "s/^probe $1 $2 //p" "$PROBE_FILE" | sort -u | tr '\n' ' ' | sed 's/ $//')"
}
literals_work() { # moment
	said "$1" str2ip ok
	said "$1" str2ip6 ok
	said "$1" resolvehost-literal 192.0.2.9
	said "$1" sip_hostport2su-literal 0
	said "$1" callbacks ok
}
names_work() { # moment
	said "$1" resolvehost 192.0.2.1
	said "$1" resolvehost-missing none
	said "$1" sip_resolvehost 192.0.2.1
	said "$1" sip_resolvehost-port 5060
	said "$1" sip_hostport2su 0
	said "$1" get_record ok
}
# Results of adding a record while parsing, in mod_init and after the cache.
all_moments() {
	literals_work loading
	for moment in parsing init child1 child2 destroyed; do
		literals_work "$moment"
		names_work "$moment"
		said "$moment" dns_sip_resolve2su 0
	done
	said parsing resolv_init 0
	said init resolv_init-again 0
	said init init_dns_cache-again 0
	said parsing dns_cache_add_record "$1"
	said init dns_cache_add_record "$2"
	said destroyed dns_cache_add_record "$3"
	said destroyed destroy_dns_cache-again ok
}

title="cache"
probe ""
if start_kamailio "$scratch/cfg"; then
	rpc dns.lookup A added.example.org >"$scratch/out" 2>&1
	has "$title: what mod_init added" 'rr_ip: 192.0.2.200$' "$scratch/out"
	rpc dns.view >"$scratch/out" 2>&1
	hasnt "$title: every reference was given back" 'reference_counter: ([2-9]|1[0-9])' "$scratch/out"
	same "$title: the counters are there once" 1 "$(rpc cnt.grps_list | grep -c '^dns$')"
	same "$title: they count" 1 "$([ "$(rpc cnt.get dns failed_dns_request)" -ge 1 ] && echo 1)"
	same "$title: all queries are counted, too" 1 "$([ "$(rpc cnt.get dns total_dns_request)" -ge 1 ] && echo 1)"
	sound "$title"
	# What mod_init asked for is there in a process that was forked later.
	asked=$(grep -c . "$scratch/queries")
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$title: looked up in another process" 'rr_ip: 192.0.2.1$' "$scratch/out"
	same "$title: without a query" "$asked" "$(grep -c . "$scratch/queries")"
	stop_kamailio
	same "$title: exit status" 0 "$stopped"
	sound "$title, after the end"
	all_moments -1 0 -1
fi

title="dns_cache_init=0"
probe "dns_cache_init=0"
if start_kamailio "$scratch/cfg"; then
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$title: dns.lookup" '500 - dns cache support disabled' "$scratch/out"
	rpc cfg.seti core use_dns_cache 1 >"$scratch/out" 2>&1
	has "$title: use_dns_cache" '400 - ' "$scratch/out"
	rpc cfg.seti core use_dns_failover 1 >"$scratch/out" 2>&1
	has "$title: use_dns_failover" '400 - ' "$scratch/out"
	sound "$title"
	stop_kamailio
	same "$title: exit status" 0 "$stopped"
	all_moments -1 -1 -1
fi

title="use_dns_cache=0"
probe "use_dns_cache=0"
if start_kamailio "$scratch/cfg"; then
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$title: dns.lookup" '500 - dns cache support disabled' "$scratch/out"
	rpc cfg.seti core use_dns_failover 1 >"$scratch/out" 2>&1
	has "$title: use_dns_failover" '400 - ' "$scratch/out"
	# It can be switched on while the server runs.
	rpc cfg.seti core use_dns_cache 1 >"$scratch/out" 2>&1
	within 10 sh -c "timeout 10 '$KAM_CMD' -s unix:$socket dns.lookup A sip1.example.org 2>&1 | grep -q 'rr_ip: 192.0.2.1$'"
	same "$title: switched on" 0 "$?"
	sound "$title"
	stop_kamailio
	same "$title: exit status" 0 "$stopped"
	all_moments -1 -1 -1
fi

# Daemonized: the process that set the cache up is not the one that goes on.
title="daemonized"
probe ""
kamailio -P "$scratch/pid" -f "$scratch/cfg" >"$log" 2>&1
same "$title: started" 0 "$?"
if within 20 rpc core.echo ok; then
	kamailio_pid=$(cat "$scratch/pid")
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$title: dns.lookup" 'rr_ip: 192.0.2.1$' "$scratch/out"
	rpc cfg.seti dns failure_ttl 9 >/dev/null 2>&1
	same "$title: own options" 9 "$(rpc cfg.get dns failure_ttl)"
	stop_kamailio
	literals_work child1
	names_work child2
	said destroyed destroy_dns_cache-again ok
else
	bad "$title: no answer" "$log"
	[ ! -f "$scratch/pid" ] || kamailio_pid=$(cat "$scratch/pid")
fi

# The check of a configuration makes the calls of parsing, and ends without destroy.
title="kamailio -c"
probe ""
kamailio -c -f "$scratch/cfg" >"$log" 2>&1
same "$title" 0 "$?"
sound "$title"
literals_work parsing
names_work parsing
said destroyed destroy_dns_cache-again ""
finish
