# shellcheck shell=sh
# Read by tests that install packages: kamailio.service in the Debian $dir, as systemd puts it together, started and stopped without systemd.
# $space is a folder of the test.
#
#   begin, end      start and stop; begin sets MAINPID
#   look            what the unit runs after the start
#   lines KEY       the values of a key, in systemd's order

# The files in the order of systemd.unit(5).
unit_files() {
	for unit in etc/systemd/system usr/lib/systemd/system lib/systemd/system; do
		[ ! -f "$dir/$unit/kamailio.service" ] || {
			echo "$dir/$unit/kamailio.service"
			break
		}
	done
	find "$dir/etc/systemd/system/kamailio.service.d" "$dir/usr/lib/systemd/system/kamailio.service.d" -name '*.conf' \
		2>/dev/null | awk -F/ '{ print $NF "\t" $0 }' | sort | cut -f 2
}
lines() { # key
	# shellcheck disable=SC2046
	sed -n "s/^$1=//p" $(unit_files)
}
# The environment at this moment, one assignment a line: Environment=, then the files.
environment() {
	lines Environment | tr -d "'\""
	lines EnvironmentFile | while read -r name; do
		for file in "$dir"${name#-}; do
			[ ! -f "$file" ] || grep -E '^[A-Z_]+=' "$file" | tr -d "'\""
		done
	done
}
# with_environment command...: the last assignment of a variable counts
with_environment() {
	environment >"$space/environment"
	awk -F= '{ if (!($1 in v)) n[++c] = $1; v[$1] = $0 } END { for (i = 1; i <= c; i++) print v[n[i]] }' \
		"$space/environment" >"$dir/tmp/environment"
	# shellcheck disable=SC2016
	inside sh -c 'set -a; . /tmp/environment; set +a; '"$1"
}
pid_file=/run/kamailio/kamailio.pid
wait_for() { # command...: until it succeeds; after five minutes something hangs
	tries=6000
	while ! "$@" && [ "$tries" -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	[ "$tries" -gt 0 ]
}
started() { # waits for a Kamailio that makes itself a background process
	wait_for test -s "$dir$pid_file" && MAINPID=$(cat "$dir$pid_file")
}
begin() { # as systemd does for Type=forking
	inside install -d -o kamailio -g kamailio -m 770 /run/kamailio
	lines ExecStartPre | sed 's/^[-+]*//' | while read -r line; do
		with_environment "$line"
	done
	# User=kamailio, as in the unit.
	command=$(lines ExecStart | tail -n 1)
	network=in_network
	with_environment "exec setpriv --reuid=kamailio --regid=kamailio --init-groups $command"
	status=$?
	network=
	[ "$status" = 0 ] && started
}
look() {
	after=$(lines ExecStartPost | sed 's/^[-+]*//' | sed "s/\$MAINPID/$MAINPID/")
	[ -n "$after" ] && with_environment "$after"
}
end() {
	kill -TERM "$MAINPID"
	wait_for test ! -e "/proc/$MAINPID"
	rm -f "$dir$pid_file"
	[ ! -e "/proc/$MAINPID" ]
}
