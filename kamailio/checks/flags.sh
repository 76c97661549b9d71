#!/bin/sh
# flags.sh SUITE|DIR - compile flags, in the tree and in the library, the Makefile.defs way: for each row of the
# table the core is built with the tree's flags and linked against a library built with its own, the result says
# so with -v, starts, and answers. The core's own files are not what prevents a row from being built: they are
# replaced; with them the rows without USE_DNS_CACHE or USE_NAPTR do not build.
#
# Objects that a flag does not concern are those of the stock build. LAYOUT marks flags that move members of the
# core's option block: then all of the core is compiled.

. "$(dirname "$0")/lib.sh"

if [ ! -f "$src/config.mak" ]; then
	echo "flags of a CMake tree are not checked"
	finish
fi

# What any of the flags changes.
concerned="main.o core/cfg.tab.o core/lex.yy.o core/cfg_core.o core/core_cmd.o core/forward.o core/proxy.o core/sr_module.o
	core/ver.o kamailio_dns_layout.o"

# row NAME TREE-EXTRA TREE-WITHOUT LIBRARY-EXTRA LIBRARY-WITHOUT LAYOUT: flags without the -D; "" is none
row() {
	name=$1
	wanted "$name" || return
	folder=$scratch/tree
	rm -rf "$folder"
	mkdir "$folder"
	# The library, with debug information and without optimisation: what counts is that it links and works.
	features=$(make -s -C "$root" features extra_defs="$(dashes "$4")" DEFS_RM="$(dashes "$5")" 2>"$scratch/out") || {
		bad "$name: flags of the library" "$scratch/out"
		return
	}
	(cd "$root" && "${CARGO:-cargo}" rustc --locked --quiet --lib --crate-type cdylib --no-default-features \
		--features "$features" --target-dir "$BUILD/flags") >"$scratch/out" 2>&1 || {
		bad "$name: the library" "$scratch/out"
		return
	}
	mkdir -p "$scratch/lib"
	cp "$BUILD/flags/debug/libkamailio_dns.so" "$scratch/lib/libkamailio_dns.so"
	ln -sf libkamailio_dns.so "$scratch/lib/$(soname "$scratch/lib/libkamailio_dns.so")"

	# The tree: links to sources and objects. What make writes must never be a link, or it would write into the
	# tree that everybody shares: lists and dependencies go, and generated sources become copies.
	cp -as "$src/." "$folder/"
	find "$folder" \( -name '*.d' -o -name '*.lst' -o -name '*.mak' \) -type l -exec rm {} +
	# shellcheck disable=SC2086
	(cd "$folder" && rm -f kamailio $concerned modules/ctl/*.o modules/ctl/ctl.so)
	for generated in core/lex.yy.c core/cfg.tab.c core/cfg.tab.h core/autover.h; do
		rm "$folder/$generated"
		cp -p "$src/$generated" "$folder/$generated"
	done
	[ -z "$6" ] || find "$folder" -path "$folder/modules" -prune -o -name '*.o' -exec rm {} +
	make -C "$folder" cfg prefix=/usr FLAVOUR=kamailio CC_EXTRA_OPTS="-O0 -DVERSION_NODATE" \
		EXTRA_DEFS="$(dashes "$2")" DEFS_RM="$(dashes "$3")" group_include=kstandard >"$scratch/out" 2>&1 || {
		bad "$name: make cfg" "$scratch/out"
		return
	}
	# As old as the stock build's: with a newer one all objects would be made again, with one older than
	# Makefile.defs it would itself be made again, without our flags.
	touch -r "$src/config.mak" "$folder/config.mak"
	# Where the flags are kept, what is kept from the stock build would have all objects made again.
	rm -f "$folder/makecfg.lst"
	make -C "$folder" makecfg.lst >"$scratch/out" 2>&1 || {
		bad "$name: the list of flags" "$scratch/out"
		return
	}
	for list in makecfg.lst modules.lst; do
		touch -r "$src/$list" "$folder/$list"
	done
	# The generated sources are newer than what they are made of, in the order in which they are made: two makes
	# of the parser at once would read each other's halves.
	touch "$folder/core/cfg.tab.c" "$folder/core/cfg.tab.h"
	touch "$folder/core/lex.yy.c" "$scratch/begin"
	# Should make think otherwise, one after the other.
	make -C "$folder" -j1 core/cfg.tab.c core/cfg.tab.h core/lex.yy.c >"$scratch/out" 2>&1 || {
		bad "$name: the parser" "$scratch/out"
		return
	}
	make -C "$folder" -j"$(nproc)" -f "$root/kamailio/library.mk" -f Makefile \
		KAMAILIO_DNS_LIBRARY="$scratch/lib/libkamailio_dns.so" kamailio >"$scratch/out" 2>&1 || {
		grep -E "error|missing" "$scratch/out" | head -n 5; lines=8 bad "$name: the core" "$scratch/out"
		return
	}
	ok
	[ -n "$6" ] || same "$name: objects that the flags do not concern are not made again" "" \
		"$(cd "$folder" && find . -name '*.o' -newer "$scratch/begin" | sed 's|^\./||' | others | head -n 3)"
	make -C "$folder" modules modules=modules/ctl >"$scratch/out" 2>&1 || {
		bad "$name: ctl" "$scratch/out"
		return
	}
	same "$name: the shared tree was not written to" "" "$(find "$src" -type f -newer "$scratch/begin" | head -n 3)"
	server=$folder/kamailio
	KAM_MODULES=$folder/modules/ctl
	KAM_LIBS=$KAM_TREE/lib:$scratch/lib
	kamailio -v >"$scratch/version" 2>&1
	for flag in $2; do
		# NAPTR_CACHE_ALL_ARS is not among the flags that Kamailio prints.
		[ "$flag" = NAPTR_CACHE_ALL_ARS ] || has "$name: -v" "[ ,]$flag(,|$)" "$scratch/version"
	done
	for flag in $3; do
		hasnt "$name: -v" "[ ,]$flag(,|$)" "$scratch/version"
	done
	{
		load ctl | sed 1d
		echo 'request_route { exit; }'
	} | configuration "$scratch/cfg"
	if start_kamailio "$scratch/cfg"; then
		"${7:-answers}"
		sound "$name"
		stop_kamailio
		same "$name: exit status" 0 "$stopped"
	fi
}
# shellcheck disable=SC2086
others() { grep -vxF "$(printf '%s\n' $concerned)"; }
dashes() { for flag in $1; do printf ' -D%s' "$flag"; done; }
soname() { readelf -d "$1" | sed -n 's/.*Library soname: \[\(.*\)\].*/\1/p'; }

# The cache is there, and the options are found where the core keeps them.
answers() {
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$name: dns.lookup" 'rr_ip: 192.0.2.1$' "$scratch/out"
	rpc dns.mem_info >"$scratch/out" 2>&1
	has "$name: dns_cache_mem, 500 KiB, from the core's block" '512000' "$scratch/out"
}
statistics() {
	answers
	rpc dns.stats_get dc_all_stats 0 >"$scratch/out" 2>&1
	has "$name: dns.stats_get" 'dns_req_cnt: [1-9]' "$scratch/out"
}
watchdog() {
	answers
	same "$name: dns.get_server_state" 1 "$(rpc dns.get_server_state)"
	rpc dns.set_server_state 0 >/dev/null 2>&1
	same "$name: dns.set_server_state" 0 "$(rpc dns.get_server_state)"
}
both() {
	statistics
	watchdog
}
# No RPC commands without a cache; the server resolves the name that it listens on without one.
no_cache() {
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$name: no dns.lookup" 'error: 500 - command dns.lookup not found' "$scratch/out"
}

start_dns "$checks/example.zone"
port=15120
# ROWS="stats watchdog" runs only rows whose name has one of these words.
# shellcheck disable=SC2086
wanted() { [ -z "${ROWS:-}" ] || echo "$1" | grep -qE "$(echo $ROWS | tr ' ' '|')"; }
#   name                 tree: more                 less                  library: more          less
row "stats"              USE_DNS_CACHE_STATS        ""                    USE_DNS_CACHE_STATS    ""   "" statistics
row "watchdog"           DNS_WATCHDOG_SUPPORT       ""                    DNS_WATCHDOG_SUPPORT   ""   "" watchdog
row "all of them"        "USE_DNS_CACHE_STATS DNS_WATCHDOG_SUPPORT NAPTR_CACHE_ALL_ARS" "" \
	"USE_DNS_CACHE_STATS DNS_WATCHDOG_SUPPORT NAPTR_CACHE_ALL_ARS RESOLVE_DBG NAPTR_DBG DNS_CACHE_DEBUG" "" "" both
row "no failover"        ""                         USE_DNS_FAILOVER      ""   "USE_DNS_FAILOVER DNS_SRV_LB"  ""
row "no failover in the tree" ""                    USE_DNS_FAILOVER      ""                     ""   ""
row "no NAPTR"           ""                         USE_NAPTR             ""                     USE_NAPTR ""
row "no SRV balancing in the library" ""            ""                    ""                     DNS_SRV_LB ""
row "no resolver options" ""                        "HAVE_RESOLV_RES DNS_IP_HACK" ""             ""   ""
# These two compile all of the core, which takes a minute each; where the options lie is found out in the same
# way in every version, so one of Debian's is enough.
if [ "$suite" = bookworm ] && [ -z "${ALL_ROWS:-}" ]; then
	finish
fi
row "no blocklist"       ""                         USE_DST_BLOCKLIST     ""                     ""   LAYOUT
row "no cache"           ""                         "USE_DNS_CACHE USE_DNS_FAILOVER" "" \
	"USE_DNS_CACHE USE_DNS_FAILOVER DNS_SRV_LB CACHE_RELEVANT_RECS_ONLY" LAYOUT no_cache
finish
