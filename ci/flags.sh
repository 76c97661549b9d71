#!/bin/sh
# Compile flags, on and off, the Makefile.defs way: sound sets build, nonsense is refused with one clear line. ALL_ROWS=1
# has each flag that adds something alone, too, and not only all of them together. Prints "N passed, N failed".

passed=0
failed=0
log=$(mktemp "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'rm -f "$log"' EXIT

ok() { passed=$((passed + 1)); }
bad() {
	failed=$((failed + 1))
	echo "FAILED: $*"
	head -n 20 "$log"
}

# builds "make words": the flags are taken and what they select compiles without a warning
builds() {
	features=$(make -s features "$@" 2>"$log") || {
		bad "make $*: refused"
		return
	}
	if cargo check --locked --quiet --no-default-features --features "$features" >"$log" 2>&1 && [ ! -s "$log" ]; then
		ok
	else
		bad "make $*: features '$features' do not compile cleanly"
	fi
}

# refuses TEXT "make words": make stops, and says why in one line
refuses() {
	text=$1
	shift
	if make -s features "$@" >"$log" 2>&1; then
		bad "make $*: not refused"
	elif grep -q "$text" "$log" && [ "$(grep -c . "$log")" -eq 1 ]; then
		ok
	else
		bad "make $*: no clear line with '$text'"
	fi
}

builds
if [ -n "${ALL_ROWS:-}" ]; then
	for flag in USE_DNS_CACHE_STATS DNS_WATCHDOG_SUPPORT NAPTR_CACHE_ALL_ARS RESOLVE_DBG NAPTR_DBG DNS_CACHE_DEBUG; do
		builds "extra_defs=-D$flag"
	done
fi
builds "EXTRA_DEFS=-DUSE_DNS_CACHE_STATS -DDNS_WATCHDOG_SUPPORT"
builds "extra_defs=-DUSE_DNS_CACHE_STATS -DDNS_WATCHDOG_SUPPORT -DNAPTR_CACHE_ALL_ARS -DRESOLVE_DBG -DNAPTR_DBG -DDNS_CACHE_DEBUG"
builds "DEFS_RM=-DUSE_NAPTR"
builds "DEFS_RM=-DDNS_SRV_LB"
builds "DEFS_RM=-DUSE_DNS_FAILOVER -DDNS_SRV_LB"
builds "DEFS_RM=-DCACHE_RELEVANT_RECS_ONLY"
builds "DEFS_RM=-DUSE_DNS_CACHE -DUSE_DNS_FAILOVER -DDNS_SRV_LB -DCACHE_RELEVANT_RECS_ONLY"
builds "DEFS_RM=-DUSE_DNS_CACHE -DUSE_DNS_FAILOVER -DDNS_SRV_LB -DCACHE_RELEVANT_RECS_ONLY -DUSE_NAPTR"

refuses "USE_DNS_FAILOVER needs USE_DNS_CACHE" "DEFS_RM=-DUSE_DNS_CACHE"
refuses "DNS_SRV_LB needs USE_DNS_FAILOVER" "DEFS_RM=-DUSE_DNS_FAILOVER"
refuses "NAPTR_DBG needs USE_NAPTR" "DEFS_RM=-DUSE_NAPTR" "extra_defs=-DNAPTR_DBG"
refuses "NAPTR_CACHE_ALL_ARS needs USE_NAPTR" "DEFS_RM=-DUSE_NAPTR" "extra_defs=-DNAPTR_CACHE_ALL_ARS"
refuses "unknown flag: USE_DSN_CACHE" "extra_defs=-DUSE_DSN_CACHE"

# Cargo alone refuses nonsense, too.
if cargo check --locked --quiet --no-default-features --features dns_srv_lb >"$log" 2>&1; then
	bad "cargo took dns_srv_lb without use_dns_failover"
elif grep -q "needs" "$log"; then
	ok
else
	bad "cargo refused dns_srv_lb alone, but not clearly"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
