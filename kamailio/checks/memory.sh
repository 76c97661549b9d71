#!/bin/sh
# memory.sh SUITE|DIR - real memory is what was asked for: mlock_pages beside the original, in the foreground and as a
# daemon; memory cgroups; limits on locked memory; and a dns_cache_mem for which there is no room.
#
# Locked memory and cgroups need root, and the cgroups of version 1 or a place in those of version 2 where one may be
# made. What cannot be had is counted as skipped, and said.

. "$(dirname "$0")/lib.sh"

start_dns "$checks/example.zone"
port=15096
skipped=0

skip() { # what
	skipped=$((skipped + 1))
	echo "skipped: $1"
}

# configured KIB LINE...: a server with that dns_cache_mem
configured() {
	{
		echo "dns_cache_mem=$1"
		shift
		for line in "$@"; do
			echo "$line"
		done
		load cfg_rpc
		echo 'request_route { exit; }'
	} | configuration "$scratch/cfg"
	# The original has no options of the library's.
	grep -v '^DNS\.' "$scratch/cfg" >"$scratch/cfg.stock"
}

# as_stock / as_ours: which of the two starts next
as_stock() {
	server=$KAM_STOCK
	cfg=$scratch/cfg.stock
}
as_ours() {
	server=$KAM_OURS
	cfg=$scratch/cfg
}

status() { # field of the server's /proc/PID/status, kB
	sed -n "s/^$1:[[:space:]]*\\([0-9]*\\) kB/\\1/p" "/proc/$kamailio_pid/status"
}

# What ours may need beside the original for a dns_cache_mem of so many KiB: docs/memory.md, "Address space and
# memory"; control block, counters, tables of questions and of nameservers, the library's own code.
most() {
	[ "$1" -gt 4096 ] && limit=$1 || limit=4096
	echo $((limit * 13 / 10 + 2048 + 9000))
}

# locked foreground|daemon: kB that the configured server has locked, with room for its answer to core.echo
locked() {
	if [ "$1" = foreground ]; then
		start_kamailio "$cfg" || return 1
	else
		rm -f "$scratch/pid"
		kamailio -P "$scratch/pid" -f "$cfg" >"$log" 2>&1
		if ! within 20 rpc core.echo ok; then
			bad "start as a daemon" "$log"
			return 1
		fi
		kamailio_pid=$(cat "$scratch/pid")
	fi
	lck=$(status VmLck)
	stop_kamailio
}

beside_the_original() {
	for kib in 500 200000; do
		configured "$kib" mlock_pages=yes
		for how in foreground daemon; do
			title="mlock_pages, dns_cache_mem=$kib, $how"
			as_stock
			locked "$how" || continue
			theirs=$lck
			as_ours
			locked "$how" || continue
			echo "$title: VmLck $theirs kB in the original, $lck kB with the library"
			same "$title: the original locks memory" yes "$([ "$theirs" -gt 0 ] && echo yes)"
			same "$title: no more than was asked for" yes \
				"$([ $((lck - theirs)) -le "$(most "$kib")" ] && echo yes)"
			# The original takes its cache from shared memory, which is locked whatever the cache takes.
			[ "$kib" = 500 ] || same "$title: all that was asked for" yes \
				"$([ $((lck - theirs)) -ge "$kib" ] && echo yes)"
		done
	done
}

# begin [COMMAND...]: starts the server through a command that execs its arguments, with more_options; 0 if it answers
more_options=
begin() {
	: >"$log"
	(
		export LD_LIBRARY_PATH="$KAM_LIBS"
		# shellcheck disable=SC2086
		exec "$@" "$server" -Y "$scratch" -L "$KAM_MODULES" -DD -E -f "$cfg" $more_options
	) >"$log" 2>&1 8>&- &
	kamailio_pid=$!
	within 20 rpc core.echo ok
}

# limited BYTES: starts it with that limit on locked memory, without the right to lock more
limited() {
	begin prlimit --memlock="$1" setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock
}

with_a_limit() {
	# A limit that is too low for anybody: a warning of the host's, and everything works.
	title="RLIMIT_MEMLOCK of 1 MiB"
	configured 500 mlock_pages=yes
	as_ours
	limited 1048576
	same "$title: started" 0 "$?"
	same "$title: has nothing locked" 0 "$(status VmLck)"
	same "$title: warnings" 1 "$(grep -c 'failed to lock the memory' "$log")"
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$title: the cache works" 'rr_ip: 192.0.2.1$' "$scratch/out"
	stop_kamailio
	# What the original and the cache need.
	for kib in 500 200000; do
		configured "$kib" mlock_pages=yes
		as_stock
		locked foreground || continue
		bytes=$(((lck + $(most "$kib")) * 1024))
		title="RLIMIT_MEMLOCK of $((bytes >> 20)) MiB, dns_cache_mem=$kib"
		if ! prlimit --memlock="$bytes" true 2>/dev/null; then
			skip "$title: such a limit cannot be set here"
			continue
		fi
		as_ours
		limited "$bytes"
		same "$title: started" 0 "$?"
		same "$title: has it locked" yes "$([ "$(status VmLck)" -gt 0 ] && echo yes)"
		hasnt "$title" 'failed to lock the memory' "$log"
		stop_kamailio
	done
}

# make_group BYTES: a memory cgroup of that size; sets group, swap counted where it can be
make_group() {
	name=kamailio-memory-$$
	if [ -f /sys/fs/cgroup/memory/memory.limit_in_bytes ]; then
		group=/sys/fs/cgroup/memory/$name
		mkdir "$group" 2>/dev/null && echo "$1" 2>/dev/null >"$group/memory.limit_in_bytes" || return 1
		echo "$1" 2>/dev/null >"$group/memory.memsw.limit_in_bytes" || true
	else
		group=/sys/fs/cgroup/$name
		mkdir "$group" 2>/dev/null && echo "$1" 2>/dev/null >"$group/memory.max" || return 1
		echo 0 2>/dev/null >"$group/memory.swap.max" || true
	fi
}
remove_group() {
	[ -z "$group" ] || within 10 rmdir "$group"
	group=
}

# in_group WHO: starts the server in the cgroup; sets answers
in_group() {
	answers=no
	# shellcheck disable=SC2016
	! begin sh -c 'echo 0 >"$0" && exec "$@"' "$group/cgroup.procs" || answers=yes
	used=$(cat "$group/memory.max_usage_in_bytes" "$group/memory.peak" 2>/dev/null | head -n 1)
	stop_kamailio
	echo "$title: $1 answers: $answers; at most $((${used:-0} / 1024)) kB in use"
}

# Where the original starts, ours does. With 64 MiB of shared memory, Kamailio's own default, 64 MiB are too few for
# either.
in_containers() {
	for row in "64 500 16" "768 500 64" "768 200000 64"; do
		# shellcheck disable=SC2086
		set -- $row
		if ! make_group $(($1 << 20)); then
			skip "a container of $1 MiB: no memory cgroup can be made here"
			remove_group
			continue
		fi
		title="container of $1 MiB, dns_cache_mem=$2, $3 MiB of shared memory"
		configured "$2" mlock_pages=yes
		more_options="-m $3"
		as_stock
		in_group "the original"
		theirs=$answers
		as_ours
		in_group "with the library"
		same "$title: the original answers" yes "$theirs"
		same "$title" "$theirs" "$answers"
		remove_group
	done
	more_options=
}

# More than there is address space for: one line at start, refused while running, and the true number shown.
no_room() {
	title="dns_cache_mem without room"
	configured 4000000
	as_ours
	begin prlimit --as=$((1200 << 20))
	same "$title: started" 0 "$?"
	same "$title: lines about it" 1 "$(grep -c 'dns_cache_mem' "$log")"
	in_force=$(sed -n 's/.*4000000 KiB cannot be had for the DNS cache (dns_cache_mem): \([0-9]*\) KiB are in force.*/\1/p' "$log")
	same "$title: less is in force" yes "$([ "${in_force:-0}" -gt 4096 ] && [ "$in_force" -lt 1200000 ] && echo yes)"
	rpc dns.mem_info >"$scratch/out" 2>&1
	has "$title: dns.mem_info" "limit: $((${in_force:-0} * 1024))\$" "$scratch/out"
	rpc cfg.seti core dns_cache_mem $((${in_force:-0} + 1)) >"$scratch/out" 2>&1
	has "$title: more is refused" '400 - ' "$scratch/out"
	has "$title: and why" "cannot be raised to $((${in_force:-0} + 1)) KiB: there is room for ${in_force:-0} KiB" "$log"
	rpc dns.mem_info >"$scratch/out" 2>&1
	has "$title: unchanged by that" "limit: $((${in_force:-0} * 1024))\$" "$scratch/out"
	rpc cfg.seti core dns_cache_mem 8000 >/dev/null 2>&1
	rpc dns.mem_info >"$scratch/out" 2>&1
	has "$title: less is taken" 'limit: 8192000$' "$scratch/out"
	rpc cfg.seti core dns_cache_mem "${in_force:-0}" >/dev/null 2>&1
	rpc dns.mem_info >"$scratch/out" 2>&1
	has "$title: and that number again" "limit: $((${in_force:-0} * 1024))\$" "$scratch/out"
	rpc dns.lookup A sip1.example.org >"$scratch/out" 2>&1
	has "$title: the cache works" 'rr_ip: 192.0.2.1$' "$scratch/out"
	stop_kamailio
	sound "$title"
}

group=
trap 'status=$?; stop_kamailio; remove_group; (exit $status); clean_up' EXIT
no_room
if [ "$(id -u)" = 0 ]; then
	beside_the_original
	with_a_limit
	in_containers
else
	skip "mlock_pages and memory cgroups: not root"
fi
[ "$skipped" -gt 0 ] || skipped=
finish
