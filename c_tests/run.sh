#!/bin/sh
# Builds and runs the C tests. The last line says how many passed and how many failed.
#
#   BUILD      folder made by `make lib` (build)
#   CC, CXX    compilers
#   VALGRIND   put in front of each program
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

warnings="-Wall -Wextra -Wpedantic -Werror"
includes="-I$BUILD/include -I$out"
compile="$CC -std=c99 -D_GNU_SOURCE -g $warnings $includes ${SANITIZE:-}"

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
	check "$member" "$out/$member"
done

programs="layout null statics options inlines libc_state"
if has USE_DNS_CACHE; then
	programs="$programs lookup rpc rpc_stats rpc_explain rpc_manage fork_stress moments client"
	# A sanitizer or valgrind has memory of its own, which must not be locked.
	[ -n "${SANITIZE:-}${VALGRIND:-}" ] || programs="$programs memory"
	has USE_DNS_FAILOVER && programs="$programs failover"
fi
for program in $programs; do
	# shellcheck disable=SC2086
	check "$program, build" $compile -o "$out/$program" "$here/$program.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	tool=${VALGRIND:-}
	# Its children are forked beside a thread, whose memory nobody has in them.
	[ "$program" != moments ] || tool=$(echo "$tool" | sed 's/--leak-check=full/--leak-check=no/')
	# shellcheck disable=SC2086
	check "$program" $tool "$out/$program"
done

# The same from Python; what an interpreter leaves behind is not ours.
if has USE_DNS_CACHE && [ -z "${SANITIZE:-}${VALGRIND:-}" ] && command -v python3 >/dev/null; then
	check "client, Python" python3 "$here/client.py" "$BUILD/libkamailio_dns.so"
fi

# The examples; an address needs no nameserver.
if has USE_DNS_CACHE; then
	# shellcheck disable=SC2086
	check "poll example, build" $compile -o "$out/poll" "$root/examples/client/poll.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	"$out/poll" sip:192.0.2.1 >"$out/said" 2>&1
	check "poll example" grep -q 'udp \[192.0.2.1\]:5060' "$out/said"
	if pkg-config --exists libuv 2>/dev/null; then
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
	check "kamailio -c ($host)" "$out/config_check"
done
if has USE_DNS_CACHE; then
	for lock in LOCK_SET ONE_LOCK; do
		# shellcheck disable=SC2086
		check "emulated atomics ($lock), build" $compile -rdynamic "-D$lock" -o "$out/emulated" "$here/emulated.c" \
			-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
		check "emulated atomics ($lock)" "$out/emulated"
	done
fi

# The executable has its own copy of the variables that it names, and the library uses that one.
if has USE_DNS_CACHE; then
	readelf -rW "$out/statics" >"$out/relocations" 2>/dev/null
	check "copy relocation" grep -q 'COPY.*dns_cache_init' "$out/relocations"
	# shellcheck disable=SC2086
	check "no-pie statics, build" $compile -no-pie -o "$out/statics_nopie" "$here/statics.c" \
		-L"$BUILD" -lkamailio_dns -Wl,-rpath,"$BUILD"
	check "no-pie statics" "$out/statics_nopie"
fi

if [ -n "${SANITIZE:-}" ]; then
	nm "$out/layout" >"$out/symbols"
	check "the sanitizer is in" grep -q '__asan_init' "$out/symbols"
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
		-lresolv -lpthread -ldl -lm -lgcc_s
	check "static" "$out/static_host" "$out/module.so"
fi

[ "$skipped" -eq 0 ] || more=", $skipped skipped"

echo "$passed passed, $failed failed${more:-}"
[ "$failed" -eq 0 ]
