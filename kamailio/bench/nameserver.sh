#!/bin/sh
# nameserver.sh FOLDER - writes the zone of the benchmark and nsd's configuration to FOLDER, if they are not there.
set -eu

mkdir -p "${1:?usage: nameserver.sh FOLDER}"
folder=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
if [ -e "$folder/nsd.conf" ] && [ "$folder/bench.test.zone" -nt "$here/zone.py" ] && [ "$folder/nsd.conf" -nt "$0" ]; then
	exit 0
fi
python3 "$here/zone.py" >"$folder/bench.test.zone"
cat >"$folder/nsd.conf" <<END
server:
  ip-address: 127.0.0.1
  port: 53
  server-count: 1
  username: ""
  chroot: ""
  zonesdir: "$folder"
  database: ""
  pidfile: "$folder/nsd.pid"
  xfrdfile: "$folder/xfrd.state"
  zonelistfile: "$folder/zone.list"
  xfrdir: "$folder"
  logfile: "$folder/nsd.log"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: no
remote-control:
  control-enable: no
zone:
  name: bench.test
  zonefile: bench.test.zone
END
