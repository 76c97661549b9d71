#!/bin/sh
# Checks siptargets against the zones of the demonstration: exact targets and order, the records that
# led to them, failover, sharing between processes, exit statuses. Variables as for run.sh.

. "$(dirname "$0")/demo_tools.sh"

build_demo
start_zone_server

checks=0
failures=0

report() {
	checks=$((checks + 1))
	[ "$2" = "$3" ] && return
	failures=$((failures + 1))
	printf 'FAILED: %s\n--- expected\n%s\n--- got\n%s\n---\n' "$1" "$2" "$3"
}

run() {
	"$siptargets" --server "$server" "$@" 2>"$scratch/stderr"
}

# One line for each target: transport address port.
targets() {
	sed -n 's/^{"rank":[0-9]*,"transport":"\([A-Z]*\)","address":"\([^"]*\)","port":\([0-9]*\),.*/\1 \2 \3/p'
}

# expect NAME "LINES" ARGUMENT...: the exact targets, and exit status 0 if there are any, else 1.
expect() {
	name=$1 expected=$2
	shift 2
	output=$(run --json "$@")
	status=$?
	report "$name: targets" "$expected" "$(printf '%s\n' "$output" | targets)"
	[ -n "$expected" ] && wanted=0 || wanted=1
	report "$name: exit status" "$wanted" "$status"
}

# expect_match NAME PATTERN COUNT ARGUMENT...: how many lines of the JSON match.
expect_match() {
	name=$1 pattern=$2 count=$3
	shift 3
	report "$name" "$count" "$(run --json "$@" | grep -c -e "$pattern")"
}

# expect_usage ARGUMENT...: refused with exit status 2 and a message, no output.
expect_usage() {
	output=$(run "$@")
	report "usage: $*" "2 " "$? $output"
	report "usage message: $*" "siptargets: " "$(head -n 1 "$scratch/stderr" | cut -c 1-12)"
}

udp='UDP 192.0.2.1 5060
UDP 2001:db8::1 5060
UDP 192.0.2.2 5060
UDP 192.0.2.3 5070
UDP 198.51.100.1 5060
UDP 198.51.100.2 5060'
tcp='TCP 192.0.2.1 5060
TCP 2001:db8::1 5060
TCP 192.0.2.2 5060
TCP 198.51.100.1 5060
TCP 198.51.100.2 5060'
tls='TLS 192.0.2.1 5061
TLS 2001:db8::1 5061
TLS 198.51.100.1 5061
TLS 198.51.100.2 5061'

expect 'NAPTR, local preference' "$udp
$tcp
$tls" --naptr sip:example.org
# Records of a higher order do not count beside one that can be used (RFC 3403 section 4.1).
expect 'NAPTR, order of the owner' "$tls" --naptr --set dns_naptr_ignore_rfc=no sip:example.org
expect 'NAPTR, UDP ruled out' "$tcp
$tls" --naptr --set dns_udp_pref=-1 sip:example.org
expect 'transport in the URI' "$tcp" --naptr 'sip:example.org;transport=tcp'
expect 'sips is TLS' "$tls" --naptr sips:example.org
expect 'sips with tcp is TLS' "$tls" 'sips:example.org;transport=tcp'
expect 'SRV without NAPTR' "$udp" 'sip:example.org;transport=udp'
expect 'IPv4 only' 'TLS 192.0.2.1 5061
TLS 198.51.100.1 5061
TLS 198.51.100.2 5061' --set dns_try_ipv6=no sips:example.org
expect 'no IPv6 address' '' --set dns_try_ipv6=no sip:six.example.org
expect 'IPv6 only' 'UDP 2001:db8::20 5060' sip:six.example.org
expect 'only an address' 'UDP 192.0.2.20 5060' sip:plain.example.org
expect 'only an address, TLS' 'TLS 192.0.2.20 5061' sips:plain.example.org
expect 'port in the URI' 'UDP 192.0.2.80 5080' --naptr sip:example.org:5080
expect 'WebSocket with port' 'WSS 192.0.2.20 443' 'sips:plain.example.org:443;transport=ws'
expect 'upper case' 'UDP 192.0.2.20 5060' SIP:PLAIN.EXAMPLE.ORG
expect 'final dot' 'UDP 192.0.2.20 5060' sip:plain.example.org.
expect 'chain of aliases' 'UDP 192.0.2.20 5060' sip:www.example.org
expect 'alias out of the zone' 'UDP 198.51.100.50 5060' sip:partner.example.org
expect 'loop of aliases' '' sip:loop.example.org
expect 'SRV only' 'UDP 192.0.2.2 5080' sip:srv-only.example.org
expect 'first target silent' 'UDP 192.0.2.66 5060
UDP 192.0.2.1 5060
UDP 2001:db8::1 5060' 'sip:dead.example.org'
expect 'first target without address' 'UDP 192.0.2.2 5060' sip:ghost.example.org
expect 'service not offered' '' 'sip:no-sip.example.org;transport=udp'
expect 'no service offered' '' sip:no-sip.example.org
expect 'no such name' '' sip:nobody.example.org
expect 'refused' '' sip:example.com
expect 'IPv4 literal' 'UDP 192.0.2.9 5060' sip:192.0.2.9
expect 'IPv6 literal' 'TCP 2001:db8::9 5070' 'sip:[2001:db8::9]:5070;transport=tcp'
expect 'sips literal' 'TLS 192.0.2.9 5061' sips:192.0.2.9
expect 'maddr' 'UDP 192.0.2.20 5060' 'sip:x@example.com;maddr=plain.example.org'
expect 'user, password, headers' 'UDP 192.0.2.20 5060' 'sip:a%40b;c=d:p&w@plain.example.org;lr?to=x&y='

# 60 SRV records do not fit into a UDP reply.
report 'answer over TCP' 60 "$(run --json sip:big.example.org | targets | wc -l | tr -d ' ')"
report 'asked again over TCP' yes \
	"$(grep -q '^tcp _sip._udp.big.example.org. SRV NOERROR answers=60' "$log" && echo yes)"

# Reasons.
expect_match 'NAPTR reason' \
	'"naptr":{"owner":"example.org","order":10,"preference":50,"service":"SIPS+D2T","replacement":"_sips._tcp.example.org","ttl":[0-9]*,"from":"[a-z]*"}' \
	4 --naptr sip:example.org
expect_match 'SRV reason' \
	'"srv":{"owner":"_sip._udp.example.org","priority":10,"weight":0,"port":5070,"target":"sip3.example.org","ttl":[0-9]*,"from":"' \
	1 'sip:example.org;transport=udp'
expect_match 'address reason, the end of the alias' \
	'"naptr":null,"srv":null,"host":{"owner":"plain.example.org","ttl":[0-9]*,"from":"network"}' \
	1 sip:www.example.org
expect_match 'literal' '"host":{"owner":"[^"]*","ttl":null,"from":"literal"}' 1 sip:192.0.2.9

# Load balancing: a permutation of each priority group, so the same targets in total.
report 'balanced: same targets' "$(printf '%s\n' "$udp" | sort)" \
	"$(run --json --lb 'sip:example.org;transport=udp' | targets | sort)"
report 'balanced: backup last' 'UDP 198.51.100.1 5060
UDP 198.51.100.2 5060' "$(run --json --lb 'sip:example.org;transport=udp' | targets | tail -n 2 | sort)"
heavy=0 i=0
while [ $i -lt 40 ]; do
	run --json --lb 'sip:example.org;transport=udp' | targets | head -n 1 |
		grep -q 192.0.2.1 && heavy=$((heavy + 1))
	i=$((i + 1))
done
# 60 of 90: outside 12..39 of 40 less than once in a million runs (binomial).
report "balanced: the heaviest is first in most draws ($heavy of 40)" yes \
	"$([ $heavy -ge 12 ] && [ $heavy -le 39 ] && echo yes)"

# Failover.
expect_match 'failover: dead targets' '"dead":true' 2 --fail 2 'sip:example.org;transport=tcp'
expect_match 'failover: next one' '"chosen":3,"error":null' 1 --fail 2 'sip:example.org;transport=tcp'
run --fail 9 sip:plain.example.org >"$scratch/out"
report 'failover: nothing left' 1 $?
report 'failover: says so' 1 "$(grep -c 'no target is left' "$scratch/out")"

# Workers: the first one asks, the others find all in the shared cache.
run --json --naptr --workers 4 --query-log "$log" sip:example.org >"$scratch/out"
queries=$(sed -n 's/.*"queries":\([0-9]*\)}.*/\1/p' "$scratch/out")
report 'workers: first asks' yes "$([ "$(echo "$queries" | head -n 1)" -gt 0 ] && echo yes)"
report 'workers: others do not' '0
0
0' "$(echo "$queries" | tail -n +2)"
report 'workers: same targets' "$(targets <"$scratch/out" | head -n 15)" \
	"$(targets <"$scratch/out" | tail -n 15)"
report 'workers: all targets' 60 "$(targets <"$scratch/out" | wc -l | tr -d ' ')"
tail -n 17 "$scratch/out" | grep '^{"rank"' >"$scratch/last"
report 'workers: nothing from the network' 0 "$(grep -c '"network"' "$scratch/last")"

# An absent name is remembered too.
run --json --workers 2 --query-log "$log" sip:nobody.example.org >"$scratch/out"
report 'absence is shared' 0 \
	"$(sed -n 's/.*"queries":\([0-9]*\)}.*/\1/p' "$scratch/out" | tail -n 1)"

# JSON is well-formed: reduce values to 'v' until one is left.
well_formed() {
	tr '\n' ' ' | sed -E -e 's/\\["\\]/e/g' -e 's/"[^"]*"/v/g' \
		-e 's/(true|false|null|-?[0-9]+)/v/g' -e 's/ //g' \
		-e ':again' -e 's/\[(v(,v)*)?\]/v/g' -e 's/\{(v:v(,v:v)*)?\}/v/g' -e 't again'
}
report 'JSON of a list' v "$(run --json --naptr --workers 2 sip:example.org | well_formed)"
report 'JSON of a failure' v "$(run --json sip:nobody.example.org | well_formed)"

# The decision tree ends with the targets of the list.
for uri in sip:example.org sips:example.org 'sip:example.org;transport=tcp' sip:plain.example.org \
	'sip:[2001:db8::7]:5070'; do
	report "explained: $uri" "$(run --json --naptr "$uri" | targets)" \
		"$(run --naptr --explain "$uri" |
			sed -n 's/^target: [0-9]*\. \([a-z]*\) \[*\([0-9a-f.:]*[0-9a-f]\)\]*:\([0-9]*\)$/\1 \2 \3/p' |
			sed -e 's/^udp/UDP/; s/^tcp/TCP/; s/^tls/TLS/')"
done
# The URI, which alone tells sips: from transport=tls, says which rule applies.
for demand in sips:example.org/sips: 'sip:example.org;transport=tls/transport=tls'; do
	report "explained: ${demand%/*} closes" 1 "$(run --naptr --explain "${demand%/*}" |
		grep -c "^uri: ${demand##*/} closes all transports without encryption")"
done
report 'explained: sip: closes nothing' 0 "$(run --naptr --explain sip:example.org | grep -c closes)"
run --explain sip:nobody.example.org >"$scratch/out"
report 'explained: no target' '1 1' "$? $(grep -c '^error: no target' "$scratch/out")"

# A name as people write it, which a search list completes; with a final dot, or from a record, it is the absolute one.
echo 'search example.org' >"$scratch/search.conf"
relative() { # argument...
	run --set dns_resolv_conf="$scratch/search.conf" "$@"
}
report 'relative: host' 1 "$(relative --json sip:plain:5060 | grep -c '"owner":"plain.example.org"')"
report 'relative: explained' 1 "$(relative --explain sip:plain:5060 |
	grep -c 'A plain: 1 record, relative, found as plain.example.org ')"
report 'relative: with a final dot' '1 0' "$(
	relative --explain sip:plain.:5060 >"$scratch/out"
	echo "$? $(grep -c relative "$scratch/out")"
)"
report 'relative: as it is written' '1 0' "$(
	relative --explain sip:plain.example.org:5060 >"$scratch/out"
	echo "$(grep -c '^target:' "$scratch/out") $(grep -c 'found as' "$scratch/out")"
)"

# Wrong URIs and options.
expect_usage
expect_usage sip:a sip:b
for uri in '' example.org tel:1234 sip: sip:@b sip:a@b@c sip:a..b sip:.b sip:-a sip:a_b sip:1.2.3 \
	sip:300.1.1.1 'sip:[::1' 'sip:[::g]' 'sip:[]' sip:b: sip:b:0 sip:b:65536 \
	sip:b:99999999999999999999 'sip:b c' 'sip:b;' 'sip:b;;lr' 'sip:b;transport' \
	'sip:b;transport=' 'sip:b;transport=x' 'sip:b;transport=tcp;transport=tcp' 'sip:b;maddr=' \
	'sip:b;maddr=a/b' 'sip:b?x' 'sip:%4@b' 'sip:b#x' 'sips:b;transport=udp' \
	'sips:b;transport=sctp' 'sip:b;transport=ws' 'sip:b/c' "sip:$(printf '%0300d' 0).org" \
	"sip:a$(printf '%063d' 0).org"; do
	expect_usage "$uri"
done
for option in --set=x --set=nonsense=1 --set=dns_try_naptr=maybe --fail=x --fail=-1 --workers=0 \
	--workers=65 --server=example.org '--server=,' --server=127.0.0.1:0 --unknown; do
	expect_usage "$option" sip:plain.example.org
done
report 'help' 0 "$(run --help >/dev/null; echo $?)"
report 'version' siptargets "$(run --version | cut -c 1-10)"
report 'options' 1 "$(run --list-options | grep -c '^dns_try_naptr ')"

echo "$((checks - failures)) passed, $failures failed"
[ "$failures" -eq 0 ]
