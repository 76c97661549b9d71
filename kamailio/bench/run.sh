#!/bin/sh
# run.sh [options of main.py] - measures Kamailio 6.0.1 as Debian builds it beside the same on the library.
#
# BUILD is the folder of libkamailio_dns.so, default build. BENCH_WORK is where zone, plans and results are kept,
# default BUILD/bench.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)
work=${BENCH_WORK:-$build/bench}
mkdir -p "$work"
work=$(cd "$work" && pwd)

case " $* " in
*" --again "*)
	# Nothing is run, so nothing needs to be built.
	exec python3 "$here/main.py" --work "$work" --module none --stock none --ours none "$@"
	;;
esac
for tool in nsd:nsd ip:iproute2 unshare:util-linux valgrind:valgrind; do
	command -v "${tool%%:*}" >/dev/null || {
		echo "bench: ${tool%%:*} is missing (package ${tool#*:})" >&2
		exit 1
	}
done
variables=$(sh "$root/kamailio/build.sh" trixie "$build")
eval "$variables"
sh "$here/build_module.sh" "$KAM_TREE" "$work/module"
for program in question walk fill; do
	if [ ! -e "$work/$program" ] || [ "$here/$program.c" -nt "$work/$program" ]; then
		"${CC:-cc}" -O2 -o "$work/$program" "$here/$program.c"
	fi
done
sh "$here/nameserver.sh" "$work/nsd"
exec python3 "$here/main.py" --work "$work" --module "$work/module" --programs "$work" \
	--stock "$KAM_STOCK" --ours "$KAM_OURS" --libs "$KAM_LIBS" \
	--modules "$KAM_MODULES" --kamcmd "$KAM_CMD" "$@"
