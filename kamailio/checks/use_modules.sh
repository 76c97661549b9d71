# shellcheck shell=sh
# Read by modules.sh and prebuilt.sh: loads every module, then runs a server in which those that use the DNS
# functions are called. KAM_MODULES and KAM_LIBS say whose modules.

# Each one alone: dlopen(RTLD_NOW) finds every symbol, the version strings agree.
load_each() { # module...
	for module in "$@"; do
		# What a module needs from others when it is registered.
		case $module in
		tmx) before="tm" ;;
		*) before= ;;
		esac
		{
			for name in $before "$module"; do
				echo "loadmodule \"$name.so\""
			done
			echo 'request_route { exit; }'
		} | configuration "$scratch/one"
		if kamailio -c -f "$scratch/one" >"$scratch/out" 2>&1; then
			ok
		else
			bad "$module.so" "$scratch/out"
		fi
	done
}

# Symbols of the library that a set of modules wants: all of them have to be there.
wanted_symbols() {
	for file in "$KAM_MODULES"/*.so; do
		nm -D --undefined-only "$file"
	done | sed 's/.* U //; s/@.*//' | sort -u >"$scratch/wanted"
	sed 's/[ #].*//' "$root/symbols/exports.txt" | grep . | sort -u >"$scratch/ours"
	comm -12 "$scratch/wanted" "$scratch/ours" >"$scratch/both"
	nm -D --defined-only "$BUILD/libkamailio_dns.so" | sed 's/.* //' | sort -u >"$scratch/defined"
	same "symbols that modules want of the library" "" "$(comm -23 "$scratch/both" "$scratch/defined" | tr '\n' ' ')"
	same "modules use the library" 1 "$([ "$(grep -c . "$scratch/both")" -ge 15 ] && echo 1)"
}

# A SIP request to the server; a callee on a port of its own answers what arrives. Prints the status that comes back.
call() { # server's port, callee's port, user
	timeout 30 python3 "$checks/call.py" "$@"
}

use_modules() {
	callee=$((port + 1))
	printf '1 sip:here.example.org:%s 0\n1 sip:missing.example.org:5060 0\n' "$callee" >"$scratch/dispatcher.list"
	{
		load kex corex tm tmx sl rr pv xlog textops siputils cfg_rpc counters jsonrpcs ipops enum dispatcher \
			nathelper
		cat <<-CFG
			modparam("corex", "dns_cache", "name=kept.example.org;type=A;addr=192.0.2.99;ttl=3600;flags=2")
			modparam("dispatcher", "list_file", "$scratch/dispatcher.list")
			modparam("enum", "domain_suffix", "e164.example.org.")
			request_route {
				if (srv_query("_sip._udp.example.org", "s")) {
					xlog("L_NOTICE", "ipops srv \$srvquery(s=>count) \$srvquery(s=>target[0])\n");
				}
				if (naptr_query("example.org", "n")) {
					xlog("L_NOTICE", "ipops naptr \$naptrquery(n=>count) \$naptrquery(n=>replace[0])\n");
				}
				dns_set_local_ttl("60");
				if (dns_int_match_ip("sip1.example.org", "192.0.2.1")) {
					xlog("L_NOTICE", "ipops match\n");
				}
				if (\$rU =~ "^[+]") {
					if (enum_query("e164.example.org.")) {
						xlog("L_NOTICE", "enum \$ru\n");
					}
				}
				if (is_ipv4("192.0.2.1") && is_ipv6("2001:db8::1")) {
					xlog("L_NOTICE", "ipops literals\n");
				}
				if (ds_select_dst("1", "4")) {
					xlog("L_NOTICE", "dispatcher \$du\n");
				}
				\$du = "sip:here.example.org:$callee";
				t_relay();
				exit;
			}
		CFG
	} | configuration "$scratch/cfg"
	start_kamailio "$scratch/cfg" || return
	rpc dns.lookup A kept.example.org >"$scratch/out" 2>&1
	has "corex: a record that kamailio.cfg adds" 'rr_ip: 192.0.2.99$' "$scratch/out"
	same "tm: a call arrives, and its answer comes back" 200 "$(call "$port" "$callee" '+1555')"
	has "ipops: SRV" 'ipops srv 2 sip1.example.org' "$log"
	has "ipops: NAPTR" 'ipops naptr 1 _sip._udp.example.org' "$log"
	has "ipops: an address of a name" 'ipops match' "$log"
	has "ipops: literals" 'ipops literals' "$log"
	has "enum: NAPTR, its regexp applied" 'enum sip:info@example.org' "$log"
	has "dispatcher: a destination by name" "dispatcher sip:here.example.org:$callee" "$log"
	same "counters" 1 "$(rpc cnt.get dns failed_dns_request | grep -c '^[0-9]')"
	# The RPC interface of jsonrpcs, by a file.
	rpc dns.view >"$scratch/out" 2>&1
	hasnt "every reference was given back" 'reference_counter: ([2-9]|1[0-9])' "$scratch/out"
	sound "while modules use the library"
	stop_kamailio
	same "exit status" 0 "$stopped"
}
