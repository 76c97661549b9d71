#!/bin/sh
# lookup.sh SUITE|DIR - the running check of `make kamailio`: the configuration is found good, the server
# starts, looks names up over RPC, and stops.

. "$(dirname "$0")/lib.sh"

start_dns "$checks/example.zone"
{
	load kex tm sl pv cfg_rpc counters
	echo 'request_route { exit; }'
} | configuration "$scratch/cfg"

if kamailio -c -f "$scratch/cfg" >"$scratch/out" 2>&1; then ok; else bad "kamailio -c" "$scratch/out"; fi
hasnt "kamailio -c" 'ERROR|CRITICAL' "$scratch/out"

# Which library it is: the one in BUILD, and none of the objects that it replaces; or the archive, and no library.
LD_LIBRARY_PATH=$KAM_LIBS ldd "$server" >"$scratch/libraries" 2>&1
nm --defined-only "$server" >"$scratch/symbols" 2>/dev/null
if [ "${KAMAILIO_LINK:-shared}" = static ]; then
	hasnt "no library is loaded" 'libkamailio_dns' "$scratch/libraries"
	has "functions that only modules use are linked in" ' T dns_set_local_ttl$' "$scratch/symbols"
	has "functions of the library's own are linked in" ' T dns_handle_new$' "$scratch/symbols"
else
	has "the library of the build folder is loaded" "libkamailio_dns.so.* => $BUILD/" "$scratch/libraries"
	hasnt "the core's own DNS functions are not linked in" ' [Tt] (get_record|dns_sip_resolve|init_dns_cache)$' \
		"$scratch/symbols"
fi
has "the executable describes its structures" ' [DR] kamailio_dns_layout$' "$scratch/symbols"

if start_kamailio "$scratch/cfg"; then
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "A" 'rr_ip: 192.0.2.1$' "$scratch/out"
	rpc dns.lookup SRV _sip._udp.example.org >"$scratch/out" 2>&1
	has "SRV" 'rr_name: sip1.example.org$' "$scratch/out"
	has "SRV, second" 'rr_port: 5070$' "$scratch/out"
	rpc dns.lookup NAPTR example.org >"$scratch/out" 2>&1
	has "NAPTR" 'rr_service: SIP.D2U$' "$scratch/out"
	rpc dns.lookup A missing.example.org >"$scratch/out" 2>&1
	has "a name that does not exist" '400 - Not found' "$scratch/out"
	rpc dns.view >"$scratch/out" 2>&1
	has "dns.view" 'name: sip1.example.org$' "$scratch/out"
	same "asked once" 1 "$(grep -c 'sip1.example.org.* A ' "$scratch/queries")"
	rpc dns.lookup A sip1.example.org >/dev/null 2>&1
	same "asked once, looked up twice" 1 "$(grep -c 'sip1.example.org.* A ' "$scratch/queries")"
	sound "while it runs"
	stop_kamailio
	same "exit status" 0 "$stopped"
fi
finish
