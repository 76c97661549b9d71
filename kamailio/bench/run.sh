#!/bin/sh
# run.sh [options of main.py] - measures Kamailio 6.0.1 as Debian builds it beside the same on the library.
#
# BUILD is the folder of libkamailio_dns.so, default build. PERF is the folder of the measuring module
# (dnsbench, fetched apart from this repository), default ../shared/perf beside it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$(cd "${BUILD:-$root/build}" && pwd)
perf=${PERF:-$root/../shared/perf}
[ -d "$perf/dnsbench" ] || {
	echo "bench: no measuring module in $perf; set PERF" >&2
	exit 1
}
work=${BENCH_WORK:-$build/bench}
mkdir -p "$work"
work=$(cd "$work" && pwd)

case " $* " in
*" --again "*)
	# Nothing is run, so nothing needs to be built.
	exec python3 "$here/main.py" --perf "$perf" --work "$work" --module none --stock none --ours none "$@"
	;;
esac
command -v dig >/dev/null || {
	echo "bench: dig is missing (bind9-dnsutils): the measuring module's scripts wait for the server with it" >&2
	exit 1
}
variables=$(sh "$root/kamailio/build.sh" trixie "$build")
eval "$variables"
module=$work/module/dnsbench.so
if [ ! -e "$module" ] || [ "$perf/dnsbench/dnsbench.c" -nt "$module" ]; then
	bash "$perf/build.sh" "$KAM_TREE" "$work/module" >/dev/null
fi
[ -e "$work/nsd/nsd.conf" ] || WORK=$work bash "$perf/setup-nsd.sh" >/dev/null
for program in question walk fill; do
	if [ ! -e "$work/$program" ] || [ "$here/$program.c" -nt "$work/$program" ]; then
		"${CC:-cc}" -O2 -o "$work/$program" "$here/$program.c"
	fi
done
exec python3 "$here/main.py" --perf "$perf" --work "$work" --module "$work/module" --programs "$work" \
	--stock "$KAM_STOCK" --ours "$KAM_OURS" --libs "$KAM_LIBS" \
	--modules "$KAM_MODULES" --kamcmd "$KAM_CMD" "$@"
