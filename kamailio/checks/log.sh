#!/bin/sh
# log.sh SUITE|DIR - our log lines look as the core's own, on each of its ways out, at its levels.

. "$(dirname "$0")/lib.sh"

# It asks itself, and does not answer: queries are slow, and that is logged.
port=15094
dns=127.0.0.1:$port
options() { # lines of kamailio.cfg
	{
		echo "$1"
		echo 'dns_slow_query_ms=100'
		echo 'latency_log=1'
		load pv sl tm cfg_rpc counters
		cat <<-'CFG'
			request_route {
				$du = "sip:slow.example.org:5060;transport=udp";
				forward();
			}
		CFG
	} | configuration "$scratch/cfg"
}
# One SIP request, over UDP.
send_request() { # host
	python3 - "$port" "${1:-slow.example.org}" <<-'PY'
		import socket, sys
		lines = [f"OPTIONS sip:{sys.argv[2]} SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKlog", "From: <sip:a@127.0.0.1>;tag=1",
		         "To: <sip:b@127.0.0.1>", "Call-ID: log-check", "CSeq: 1 OPTIONS", "Max-Forwards: 5", "Content-Length: 0", "", ""]
		socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto("\r\n".join(lines).encode(), ("127.0.0.1", int(sys.argv[1])))
	PY
}
place='<core> \[kamailio-dns/src/[a-z_/]+\.rs:[0-9]+\]: '

# --- stderr, with a prefix

options 'log_prefix="{$rm} "'
if start_kamailio "$scratch/cfg"; then
	send_request
	within 20 grep -q 'slow.example.org' "$log"
	has "level, prefix, place" "^ ?[0-9]+\([0-9]+\) NOTICE: \{OPTIONS\} $place.*slow.example.org" "$log"
	rpc cfg.sets dns nameservers bogus >/dev/null 2>&1
	within 5 grep -q 'dns.nameservers' "$log"
	has "an error" "^ ?[0-9]+\([0-9]+\) ERROR: $place.*dns.nameservers" "$log"
	# The form is that of the core's own lines, but for the function's name.
	has "the core's lines" '^ ?[0-9]+\([0-9]+\) INFO: <core> \[core/[a-z_/]+\.c:[0-9]+\]: ' "$log"
	same "the slow query is counted" 1 "$(rpc cnt.get dns slow_dns_request | sed 's/[1-9][0-9]*/1/')"
	has "what failed and why" "NOTICE: \{OPTIONS\} ${place}DNS lookup failed: type [0-9]+ name [a-z_.]*slow.example.org: no answer in time" "$log"
	within 10 grep -q "nameserver $dns does not answer" "$log"
	has "a server that is down" "WARNING: .*${place}nameserver $dns does not answer: it is passed over until it does" "$log"
	send_request
	sleep 1
	same "which is said once" 1 "$(grep -c "nameserver $dns does not answer" "$log")"
	same "the failed lookup is counted" 1 "$(rpc cnt.get dns failed_dns_request | sed 's/[1-9][0-9]*/1/')"

	# The level is the one of now.
	rpc cfg.seti core debug -2 >/dev/null 2>&1
	sleep 0.3
	before=$(grep -c 'dns.nameservers = bogus: not' "$log")
	rpc cfg.sets dns nameservers bogus >/dev/null 2>&1
	sleep 0.3
	same "below the level nothing is written" "$before" "$(grep -c 'dns.nameservers = bogus: not' "$log")"
	stop_kamailio
	same "exit status" 0 "$stopped"
fi

# --- a server that stops and goes on

start_dns "$checks/example.zone"
{
	echo 'DNS.server_retry = 1'
	load pv sl tm cfg_rpc counters
	cat <<-'CFG'
		request_route {
			$du = "sip:" + $rd + ";transport=udp";
			forward();
		}
	CFG
} | configuration "$scratch/cfg"
if start_kamailio "$scratch/cfg"; then
	kill -STOP "$dns_pid"
	send_request
	within 20 grep -q "nameserver $dns does not answer" "$log"
	has "it stops" "nameserver $dns does not answer" "$log"
	kill -CONT "$dns_pid"
	asked=0
	asks() {
		asked=$((asked + 1))
		send_request "a$asked.example.org"
		grep -q "nameserver $dns answers again" "$log"
	}
	within 20 asks
	has "it goes on" "NOTICE: .*${place}nameserver $dns answers again, [0-9]+ s after" "$log"
	stop_kamailio
fi
exec 8>&-
wait "$dns_pid" 2>/dev/null
dns=127.0.0.1:$port

# --- stderr, in colour

options 'log_color=yes'
if start_kamailio "$scratch/cfg"; then
	rpc cfg.sets dns nameservers bogus >/dev/null 2>&1
	within 5 grep -q 'dns.nameservers' "$log"
	escape=$(printf '\033')
	has "coloured" "^$escape\[[0-9;]+m.*ERROR: $place.*dns.nameservers" "$log"
	stop_kamailio
fi

# --- structured

options ''
if start_kamailio "$scratch/cfg" --log-engine=json; then
	rpc cfg.sets dns nameservers bogus >/dev/null 2>&1
	within 5 grep -q 'dns.nameservers = bogus: not' "$log"
	has "json" '"level": "ERROR", "module": "core", "file": "kamailio-dns/src/[a-z_/]+\.rs", "line": [0-9]+, .*message": "dns.nameservers = bogus: not' "$log"
	stop_kamailio
fi

# --- syslog: priority is facility and severity; LOG_LOCAL3 (19 << 3) and LOG_ERR (3) make 155

${CC:-cc} -shared -fPIC -O1 -Wall -o "$scratch/syslog.so" "$checks/syslog_to_file.c" || bad "syslog_to_file.c"
options 'log_facility=LOG_LOCAL3
log_stderror=no'
export SYSLOG_FILE="$scratch/syslog"
(
	export LD_LIBRARY_PATH="$KAM_LIBS" LD_PRELOAD="$scratch/syslog.so"
	exec "$server" -Y "$scratch" -L "$KAM_MODULES" -DD -f "$scratch/cfg"
) >"$log" 2>&1 &
kamailio_pid=$!
if within 20 rpc core.echo ok; then
	rpc cfg.sets dns nameservers bogus >/dev/null 2>&1
	within 5 grep -q 'dns.nameservers = bogus: not' "$SYSLOG_FILE"
	has "syslog" "^<155> ERROR: $place.*dns.nameservers" "$SYSLOG_FILE"
	has "the core's own lines go the same way" "^<155> ERROR: <core> \[core/cfg/cfg_ctx.c:[0-9]+\]: " "$SYSLOG_FILE"
	hasnt "nothing on stderr" 'dns.nameservers' "$log"
else
	bad "start with syslog" "$SYSLOG_FILE"
fi
stop_kamailio
finish
