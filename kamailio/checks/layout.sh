#!/bin/sh
# layout.sh SUITE|DIR - what the library learns of the core's structures: each way to link the core gives it the
# description, and a core without one, or with a structure that the library does not know, does not start. One line
# in the log says why, and modules that ask for DNS before get errors.
#
# WHOLE=1 also builds the core with CMake, if the tree can be: that takes minutes.

. "$(dirname "$0")/lib.sh"
. "$checks/build_probe.sh"

start_dns "$checks/example.zone"
port=15097

# other SUITE VARIABLE...: the checks go on with another executable
other() {
	tree=$1
	shift
	assignments=$(env "$@" sh "$root/kamailio/build.sh" "$tree" "$BUILD") || {
		bad "build of $tree with $*"
		return 1
	}
	eval "$assignments"
	server=$KAM_OURS
}

# lookups VARIABLE...: the running check of an executable that is linked otherwise
lookups() {
	if env "$@" sh "$checks/lookup.sh" "$suite" >"$scratch/lookup" 2>&1; then
		ok
	else
		bad "lookups, $*" "$scratch/lookup"
	fi
}

# answer MOMENT CALL RESULT: what the probe got
answer() {
	same "$title: $1 $2" "$3" "$(sed -n "s/^probe $1 $2 //p" "$PROBE_FILE" | sort -u | tr '\n' ' ' | sed 's/ $//')"
}

# refused TITLE LINE: the executable at hand does not start, and says so
refused() {
	title=$1
	build_probe
	export PROBE_FILE="$scratch/probe"
	: >"$PROBE_FILE"
	{
		load tm
		echo 'loadmodule "probe.so"'
		echo 'modparam("probe", "now", 1)'
		echo 'request_route { exit; }'
	} | configuration "$scratch/cfg"
	timeout 30 env LD_LIBRARY_PATH="$KAM_LIBS" "$server" -Y "$scratch" -L "$KAM_MODULES" -DD -E -f "$scratch/cfg" >"$log" 2>&1
	same "$title: exit status" 255 "$?"
	same "$title: said once" 1 "$(grep -c 'CRITICAL.*kamailio-dns/' "$log")"
	has "$title" "CRITICAL.*kamailio-dns/.*: $2" "$log"
	# What needs no structure works, and nothing else gives more than an error.
	answer loading str2ip ok
	answer loading callbacks ok
	answer parsing resolv_init -5
	answer parsing get_record none
	answer parsing dns_sip_resolve2su "$3"
	answer parsing callbacks ok
	answer init resolv_init-again ""
	# The check of a configuration has no way to fail, but says it.
	kamailio -c -f "$scratch/cfg" >"$log" 2>&1
	has "$title, kamailio -c" "CRITICAL.*kamailio-dns/.*: $2" "$log"
}

lookups KAMAILIO_LINK=static
if [ -n "${WHOLE:-}" ] && [ -f "$KAM_TREE/CMakeLists.txt" ]; then
	lookups KAMAILIO_BUILD=cmake
	lookups KAMAILIO_BUILD=cmake KAMAILIO_LINK=static
fi
if [ -f "$src/Makefile.defs" ]; then
	other "$suite" KAMAILIO_LINK=bare && refused "without the description" \
		'this Kamailio was linked without kamailio_dns_layout.o, .*make -C src -f [^ ]*library.mk -f Makefile KAMAILIO_DNS_LIBRARY=' -3
fi
if [ "$suite" = trixie ]; then
	other trixie-handle56 KAMAILIO_MODULES="ctl tm" && refused "one member more" \
		'this Kamailio has an unknown layout of struct dns_srv_handle: 56 octets, expected 48; known are' -3
fi
finish
