#!/bin/sh
# options.sh SUITE|DIR - our own options as group dns: in kamailio.cfg, and changed while the server runs.

. "$(dirname "$0")/lib.sh"

start_dns "$checks/example.zone"
modules="kex tm sl pv cfg_rpc counters jsonrpcs"

# --- from kamailio.cfg, and what the framework then knows

{
	cat <<-CFG
		DNS.failure_ttl = 7
		DNS.fallback_on_failure = yes
		DNS.stale_ttl = 0
	CFG
	# shellcheck disable=SC2086
	load $modules
	echo 'request_route { exit; }'
} | configuration "$scratch/cfg"

if start_kamailio "$scratch/cfg"; then
	has "how the library came in" 'NOTICE: <core> .*DNS by kamailio-dns [0-9.]+: linked' "$log"
	has "what is in force" 'NOTICE: <core> .*DNS: nameservers .+, search .+, timeout 1 s, attempts 1, cache [0-9]+ KiB' "$log"
	rpc dns.stats >"$scratch/out" 2>&1
	has "dns.stats: how the library came in" 'came_in: linked$' "$scratch/out"
	same "set in kamailio.cfg" 7 "$(rpc cfg.get dns failure_ttl)"
	same "yes in kamailio.cfg" 1 "$(rpc cfg.get dns fallback_on_failure)"
	same "0 in kamailio.cfg" 0 "$(rpc cfg.get dns stale_ttl)"
	same "the default of what is not set" 30 "$(rpc cfg.get dns failure_max_ttl)"

	# Every option of our table that does not belong to programs other than Kamailio, and no other.
	rpc cfg.list dns | sed -n 's/^dns: //p' | sort >"$scratch/listed"
	sed -n 's/^ *[A-Z][A-Za-z0-9]*: [a-z]*("\(dns_[a-z0-9_]*\)",.*/\1/p' "$root/src/host/options/own.rs" |
		grep -v '^dns_log_level$' | sed 's/^dns_\([a-z]\)/\1/' | sort >"$scratch/table"
	if cmp -s "$scratch/listed" "$scratch/table" && [ -s "$scratch/table" ]; then
		ok
	else
		diff "$scratch/table" "$scratch/listed" >"$scratch/out"
		bad "cfg.list has the option table" "$scratch/out"
	fi
	# A sentence for each.
	while read -r name; do
		rpc cfg.help dns "s:$name" >"$scratch/out" 2>&1
		has "cfg.help dns $name" '^[A-Za-z].{10}' "$scratch/out"
	done <"$scratch/listed"
	rpc cfg.list DNS >"$scratch/out" 2>&1
	hasnt "the group of kamailio.cfg is gone" '^DNS: ' "$scratch/out"

	# --- changed at run time, in effect at once, also in processes that have nothing to do

	rpc cfg.seti dns failure_ttl 300 >/dev/null 2>&1
	same "cfg.seti" 300 "$(rpc cfg.get dns failure_ttl)"
	rpc cfg.seti dns failure_ttl 301 >"$scratch/out" 2>&1
	has "cfg.seti above the range" '400 - ' "$scratch/out"
	rpc cfg.seti dns failure_ttl -1 >"$scratch/out" 2>&1
	has "cfg.seti below the range" '400 - ' "$scratch/out"
	same "refused values change nothing" 300 "$(rpc cfg.get dns failure_ttl)"
	rpc cfg.sets dns nameservers "no.address" >"$scratch/out" 2>&1
	has "cfg.sets with a name for an address" '400 - ' "$scratch/out"

	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "the nameserver of kamailio.cfg" 'rr_ip: 192.0.2.1$' "$scratch/out"
	rpc dns.delete_all >/dev/null 2>&1
	rpc cfg.seti dns failure_ttl 0 >/dev/null 2>&1
	# Nobody listens there: the kernel says so at once.
	rpc cfg.sets dns nameservers "127.0.0.1:9" >/dev/null 2>&1
	within 10 sh -c "[ \"\$(timeout 10 '$KAM_CMD' -s unix:$socket dns.lookup A sip2.example.org 2>&1 | grep -c 'Not found')\" = 1 ]"
	same "cfg.sets of the nameservers has an effect" 0 "$?"
	rpc cfg.sets dns nameservers "$dns" >/dev/null 2>&1
	within 10 sh -c "timeout 10 '$KAM_CMD' -s unix:$socket dns.lookup A sip2.example.org 2>&1 | grep -q 'rr_ip: 192.0.2.2$'"
	same "and back" 0 "$?"

	# A change that waits for its commit has no effect before.
	rpc cfg.set_delayed_int dns failure_ttl 11 >/dev/null 2>&1
	same "delayed" 0 "$(rpc cfg.get dns failure_ttl)"
	rpc cfg.rollback >/dev/null 2>&1
	same "rolled back" 0 "$(rpc cfg.get dns failure_ttl)"
	rpc cfg.set_delayed_int dns failure_ttl 12 >/dev/null 2>&1
	rpc cfg.commit >/dev/null 2>&1
	within 10 sh -c "[ \"\$('$KAM_CMD' -s unix:$socket cfg.get dns failure_ttl)\" = 12 ]"
	same "committed" 0 "$?"

	# --- the options of the core: the framework's, with our fixups

	same "an option of the core" 60 "$(rpc cfg.get core dns_cache_negative_ttl)"
	rpc cfg.seti core dns_cache_negative_ttl 61 >/dev/null 2>&1
	within 10 sh -c "[ \"\$('$KAM_CMD' -s unix:$socket cfg.get core dns_cache_negative_ttl)\" = 61 ]"
	same "changed" 0 "$?"
	rpc cfg.seti core use_dns_failover 1 >"$scratch/out" 2>&1
	hasnt "failover with a cache" '400|500' "$scratch/out"
	rpc cfg.seti core use_dns_cache 0 >"$scratch/out" 2>&1
	has "no cache while failover is on" '400 - ' "$scratch/out"
	rpc cfg.seti core dns_cache_mem 600 >/dev/null 2>&1
	within 10 sh -c "'$KAM_CMD' -s unix:$socket dns.mem_info | grep -q 614400"
	same "dns_cache_mem in KiB" 0 "$?"
	sound "while options change"
	stop_kamailio
	same "exit status" 0 "$stopped"
fi

# --- an option that needs a module which is not there

{
	echo 'DNS.transaction_seed = 1'
	load kex tm sl cfg_rpc counters jsonrpcs
	echo 'request_route { exit; }'
} | configuration "$scratch/cfg"
if start_kamailio "$scratch/cfg"; then
	has "no pv.so" 'ERROR: <core> .*DNS.transaction_seed has no effect: pv.so is not loaded' "$log"
	sound "without pv.so"
	stop_kamailio
	same "exit status without pv.so" 0 "$stopped"
fi

# --- kamailio.cfg with mistakes: the start is refused, kamailio -c fails, and the reason is in the log

dns=
printf 'DNS.failure_ttl = 300\nrequest_route { exit; }\n' | configuration "$scratch/good"
kamailio -c -f "$scratch/good" >"$scratch/out" 2>&1
same "kamailio -c of a kamailio.cfg without mistakes" 0 "$?"
has "kamailio -c comes to its end" 'config file ok' "$scratch/out"
refused() { # line of kamailio.cfg, pattern of the log line
	printf '%s\nrequest_route { exit; }\n' "$1" | configuration "$scratch/bad"
	kamailio -c -f "$scratch/bad" >"$scratch/out" 2>&1
	same "exit status of kamailio -c: $1" 255 "$?"
	hasnt "kamailio -c finds fault with $1" 'config file ok' "$scratch/out"
	has "kamailio -c: $1" "ERROR: <core> .*$2" "$scratch/out"
	if LD_LIBRARY_PATH=$KAM_LIBS timeout 20 "$server" -Y "$scratch" -L "$KAM_MODULES" -DD -E -f "$scratch/bad" \
		>"$scratch/out" 2>&1; then
		bad "started with: $1"
	else
		has "start refused: $1" "ERROR: <core> .*$2" "$scratch/out"
	fi
}
refused 'DNS.no_such = 1' 'DNS.no_such = 1: no such option'
refused 'DNS.failure_ttl = 301' 'DNS.failure_ttl = 301: out of range, 0 to 300'
refused 'DNS.failure_ttl = "soon"' 'DNS.failure_ttl = soon: not a value'
refused 'DNS.nameservers = "localhost"' 'DNS.nameservers = localhost: not a value'
refused 'DNS[1].failure_ttl = 3' 'the group has one instance only|not known here'
finish
