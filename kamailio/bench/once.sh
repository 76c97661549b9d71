#!/bin/sh
# once.sh KAMAILIO MODULES PLAN OUT CONFIGURATION - runs one plan in namespaces of its own: a loopback, a resolv.conf,
# and a nameserver on port 53 that nobody else sees.
#
# MODULES is the folder of dnsbench.so, OUT gets the results, CONFIGURATION has further lines of kamailio.cfg.
#   WORK      folder with nsd's configuration, see nameserver.sh
#   PROGRAMS  folder of the program question, which tells when the nameserver answers
#   WORKERS   processes of the module (8)
#   SEARCH    domains of a search line in resolv.conf (none)
#   WRAP      put in front of Kamailio
#   LIMIT     s after which it is ended (900)
# OUT.log has what Kamailio logged. LD_LIBRARY_PATH goes to Kamailio alone.
set -eu

kamailio=$1 modules=$2 plan=$3 out=$4 configuration=$5
folder=$out.run
rm -rf "$folder"
mkdir -p "$folder"
: >"$out"
echo 'nameserver 127.0.0.1' >"$folder/resolv.conf"
[ -z "${SEARCH:-}" ] || echo "search $SEARCH" >>"$folder/resolv.conf"
{
	cat <<-END
		debug=2
		log_stderror=yes
		children=1
		auto_aliases=no
		disable_tcp=yes
		listen=udp:127.0.0.1:5060
		mpath="$modules"
	END
	cat "$configuration"
	cat <<-END
		loadmodule "dnsbench.so"
		modparam("dnsbench", "plan", "$plan")
		modparam("dnsbench", "out", "$out")
		modparam("dnsbench", "workers", ${WORKERS:-8})
		request_route { exit; }
	END
} >"$folder/kamailio.cfg"
export kamailio folder out
export libraries="${LD_LIBRARY_PATH:-}"
unset LD_LIBRARY_PATH
user=
[ "$(id -u)" -eq 0 ] || user=--map-root-user
# shellcheck disable=SC2086
exec unshare $user --mount --net --propagation private sh -c '
	set -eu
	ulimit -c 0
	ip link set lo up
	mount --bind "$folder/resolv.conf" "$(readlink -f /etc/resolv.conf)"
	nsd -d -c "$WORK/nsd/nsd.conf" >"$folder/nsd.log" 2>&1 &
	nameserver=$!
	tries=300
	until "$PROGRAMS/question" 1 1 fresh >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || {
			cat "$folder/nsd.log" >&2
			break
		}
		sleep 0.1
	done
	# shellcheck disable=SC2086
	LD_LIBRARY_PATH=$libraries timeout -k 10 "${LIMIT:-900}" ${WRAP:-} "$kamailio" -f "$folder/kamailio.cfg" -DD -E -m 256 -M 32 \
		-Y "$folder" -P "$folder/kamailio.pid" >"$out.log" 2>&1 || true
	kill "$nameserver"
	wait "$nameserver" || true
'
