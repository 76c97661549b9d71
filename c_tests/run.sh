#!/bin/sh
# Builds and runs the C tests. The last line says how many passed, how many failed, and how many were skipped.
#
#   BUILD      folder made by `make lib` (build)
#   CC, CXX    compilers
#   VALGRIND   put in front of each program
#   FOREIGN    not empty: nothing that is installed here fits what is built, which is for another machine or libc
#   EMULATOR   put in front of each program, when it is for another machine: what such a one cannot show is skipped
#   LDFLAGS    for the program with the archive
#   SANITIZE   flags that switch sanitizers on

here=$(cd "$(dirname "$0")" && pwd) || exit 1
root=$(dirname "$here")
BUILD=$(cd "${BUILD:-$root/build}" && pwd) || exit 1
CC=${CC:-cc}
CXX=${CXX:-c++}
out=$(mktemp -d "${TMPDIR:-/tmp}/c_tests.XXXXXX") || exit 1
trap 'rm -rf "$out"' EXIT
passed=0
failed=0
skipped=0
run=${EMULATOR:-}
foreign=${FOREIGN:-$run}

warnings="-Wall -Wextra -Wpedantic -Werror"
includes="-I$BUILD/include -I$out"
compile="$CC -std=c99 -D_GNU_SOURCE -g $warnings $includes ${SANITIZE:-} ${run:+-DEMULATED}"

# Which flags the library was built with is in the header that was made for it.
has() { # flag
	grep -q "^#define $1\$" "$BUILD/include/host/kamailio_flags.h"
}

# Runs a command; its output is only shown when it fails.
check() { # name, command...
	name=$1
	shift
	if "$@" >"$out/log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $name: $*"
		tail -n 25 "$out/log" | sed 's/^/    /'
	fi
}

# Functions of this build, for null.c.
: >"$out/exported_functions.h"
while read -r symbol needs; do
	case $symbol in
	'' | '#'*) continue ;;
	dns_cache_init | dns_timer_interval | dns_flags | dns_func | dns_cnt_defs | dns_cnts_h | \
		dns_last_used_lst | dns_cache_stats) continue ;;
	esac
	for flag in $needs; do
		has "$flag" || continue 2
	done
	echo "FUNCTION($symbol)" >>"$out/exported_functions.h"
done <"$root/symbols/exports.txt"

skip() { # name, why
	skipped=$((skipped + 1))
	echo "$1: skipped: $2"
}

# Each header alone, as C99 and as C++.
for header in kamailio_dns.h kamailio_dns_client.h kamailio_dns_types.h kamailio_dns_cache_defs.h resolve.h dns_cache.h dns_func.h dns_wrappers.h; do
	echo "#include <$header>" >"$out/one.c"
	# shellcheck disable=SC2086
	check "$header as C99" $CC -std=c99 -D_GNU_SOURCE $warnings $includes -fsyntax-only "$out/one.c"
	# shellcheck disable=SC2086
	check "$header as C++" $CXX -x c++ $warnings $includes -fsyntax-only "$out/one.c"
done

# The other layouts of handles.
for member in DNS_HANDLE_HAS_NAPTR DNS_HANDLE_HAS_NAPTR_COUNT; do
	# shellcheck disable=SC2086
	check "$member, build" $compile -D$member -o "$out/$member" "$here/layout.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	# shellcheck disable=SC2086
	check "$member" $run "$out/$member"
done

programs="layout null statics options inlines"
if printf '#include <features.h>\n#ifdef __GLIBC__\nglibc\n#endif\n' | $CC -E -P - 2>/dev/null | grep -q glibc; then
	programs="$programs libc_state"
else
	skip libc_state "the resolver of this libc has no state"
fi
if has USE_DNS_CACHE; then
	programs="$programs lookup rpc rpc_stats rpc_explain rpc_manage fork_stress moments ends descriptors client"
	# A sanitizer or valgrind has memory of its own, which must not be locked.
	if [ -n "$run" ]; then
		skip memory "the figures would be those of the emulator"
		skip "moments, refresher on both sides of a fork" "the emulator ends when a process with threads forks"
	elif [ -z "${SANITIZE:-}${VALGRIND:-}" ]; then
		programs="$programs memory"
	fi
	case ${SANITIZE:-} in
	*address*) skip "moments, locks at a fork" "the sanitizer's allocator has locks that a child finds held" ;;
	esac
	has USE_DNS_FAILOVER && programs="$programs failover"
fi
# Each fork takes long there.
[ -z "${VALGRIND:-}" ] || export FORKS=30
for program in $programs; do
	# shellcheck disable=SC2086
	check "$program, build" $compile -o "$out/$program" "$here/$program.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	tool=${VALGRIND:-}
	# Its children are forked beside a thread, whose memory nobody has in them.
	[ "$program" != moments ] || tool=$(echo "$tool" | sed 's/--leak-check=full/--leak-check=no/')
	# shellcheck disable=SC2086
	check "$program" $tool $run "$out/$program"
done

# The same from Python; what an interpreter leaves behind is not ours.
if has USE_DNS_CACHE && [ -z "${SANITIZE:-}${VALGRIND:-}" ] && command -v python3 >/dev/null; then
	if [ -n "$foreign" ]; then
		skip "client, Python" "the interpreter here is not for what was built"
	else
		check "client, Python" python3 "$here/client.py" "$BUILD/libkamailio_dns.so"
	fi
fi

# The examples; an address needs no nameserver.
if has USE_DNS_CACHE; then
	# shellcheck disable=SC2086
	check "poll example, build" $compile -o "$out/poll" "$root/examples/client/poll.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	$run "$out/poll" sip:192.0.2.1 >"$out/said" 2>&1
	check "poll example" grep -q 'udp \[192.0.2.1\]:5060' "$out/said"
	if [ -n "$foreign" ] || ! pkg-config --exists libuv 2>/dev/null; then
		skip "libuv example" "there is no libuv for what was built"
	else
		# shellcheck disable=SC2046,SC2086
		check "libuv example, build" $compile -o "$out/uv" "$root/examples/client/uv.c" \
			-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD" $(pkg-config --cflags --libs libuv)
		"$out/uv" sip:192.0.2.1 >"$out/said" 2>&1
		check "libuv example" grep -q 'no error, 1 targets' "$out/said"
	fi
fi

# Programs that are known by a symbol that they export.
for host in WITH_CONFIG_CHECK NO_CONFIG_CHECK; do
	# shellcheck disable=SC2086
	check "kamailio -c ($host), build" $compile -rdynamic "-D$host" -o "$out/config_check" "$here/config_check.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	# shellcheck disable=SC2086
	check "kamailio -c ($host)" $run "$out/config_check"
done
if has USE_DNS_CACHE; then
	# shellcheck disable=SC2086
	check "a line of another thread, build" $compile -rdynamic -o "$out/second_thread" "$here/second_thread.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD" -lpthread
	# shellcheck disable=SC2086
	check "a line of another thread" $run "$out/second_thread"
	for lock in LOCK_SET ONE_LOCK; do
		# shellcheck disable=SC2086
		check "emulated atomics ($lock), build" $compile -rdynamic "-D$lock" -o "$out/emulated" "$here/emulated.c" \
			-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
		# shellcheck disable=SC2086
		check "emulated atomics ($lock)" $run "$out/emulated"
	done
fi

# The executable has its own copy of the variables that it names, and the library uses that one. Which kind of program
# is linked so depends on the machine.
if has USE_DNS_CACHE; then
	# shellcheck disable=SC2086
	check "no-pie statics, build" $compile -no-pie -fno-pie -o "$out/statics_nopie" "$here/statics.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	# shellcheck disable=SC2086
	check "no-pie statics" $run "$out/statics_nopie"
	readelf -rW "$out/statics" "$out/statics_nopie" >"$out/relocations" 2>/dev/null
	check "copy relocation" grep -q 'COPY.*dns_cache_init' "$out/relocations"
fi

if [ -n "${SANITIZE:-}" ]; then
	nm "$out/layout" >"$out/symbols"
	check "the sanitizer is in" grep -q '__asan_init' "$out/symbols"
fi

# Taken in while the program runs, and let go of.
if has USE_DNS_CACHE && [ -z "${SANITIZE:-}${VALGRIND:-}" ]; then
	# shellcheck disable=SC2086
	check "unload, build" $CC -std=c99 -D_GNU_SOURCE $warnings -o "$out/unload" "$here/unload.c" -ldl
	# shellcheck disable=SC2086
	check "unload" $run "$out/unload" "$BUILD/libkamailio_dns.so"
fi

# The static archive, linked whole, serves a module that is loaded later. There is none beside a library that was built under
# a sanitizer.
if [ ! -f "$BUILD/libkamailio_dns.a" ]; then
	skipped=$((skipped + 3))
	echo "skipped: the static archive: there is none in $BUILD"
else
	# shellcheck disable=SC2086
	check "module, build" $CC -std=c99 -D_GNU_SOURCE $warnings $includes -fPIC -shared \
		-o "$out/module.so" "$here/static_module.c"
	# shellcheck disable=SC2086
	check "static, build" $CC -std=c99 -D_GNU_SOURCE $warnings $includes -rdynamic \
		-o "$out/static_host" "$here/static_host.c" \
		-Wl,--whole-archive "$BUILD/libkamailio_dns.a" -Wl,--no-whole-archive \
		${LDFLAGS:-} -lresolv -lpthread -ldl -lm -lgcc_s
	# shellcheck disable=SC2086
	check "static" $run "$out/static_host" "$out/module.so"
fi

more=
[ "$skipped" -eq 0 ] || more=", $skipped skipped"
echo "$passed passed, $failed failed$more"
[ "$failed" -eq 0 ]
