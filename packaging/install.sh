#!/bin/sh
# install.sh ROOT DEBS - called by test.sh in mounts and processes of its own: installs Debian's kamailio and the packages
# of the folder DEBS into a layer over ROOT, starts it as the unit says, and takes it all away again.
# Prints "N passed, N failed".
set -u

lower=$(cd "$1" && pwd) || exit 1
debs=$(cd "$2" && pwd) || exit 1
mount --make-rprivate /
layer=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
trap 'umount -l "$layer/root" 2>/dev/null; umount -l "$layer"; rmdir "$layer"' EXIT
# In memory: it is gone with the mount.
mount -t tmpfs -o size=1500m tmpfs "$layer" || exit 1
mkdir "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$layer/upper,workdir=$layer/work" "$layer/root" || exit 1
dir=$layer/root
mount -t proc proc "$dir/proc"
mount --bind /dev "$dir/dev"
mount -t tmpfs tmpfs "$dir/run"
cp -L /etc/resolv.conf "$dir/etc/resolv.conf"
cp -L /etc/hosts "$dir/etc/hosts"
mkdir -p "$dir/tmp/deb"
cp "$debs"/*.deb "$dir/tmp/deb/"
# Nothing is started by an installation.
printf '#!/bin/sh\nexit 101\n' >"$dir/usr/sbin/policy-rc.d"
chmod 755 "$dir/usr/sbin/policy-rc.d"

passed=0
failed=0
log=$layer/log
check() { # what, command...
	what=$1
	shift
	if "$@" >"$log" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "FAILED: $what"
		tail -n 15 "$log" | sed 's/^/    /'
	fi
}
fails() {
	! "$@"
}
# in_network: in front of what has a network of its own, of loopback alone
in_network() {
	# shellcheck disable=SC2016
	unshare --net sh -c 'ip link set lo up && exec "$@"' sh "$@"
}
inside() {
	${network:-} chroot "$dir" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"
}
# What is there, but for people's own, and what installations leave behind: caches and logs of apt, dpkg and ldconfig.
files() {
	(cd "$dir" && find . -xdev \( -path ./home -o -path ./var/cache -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/log \
		-o -path ./tmp -o -path ./root \) -prune -o -print | grep -v '^./etc/ld.so.cache' | sort)
}

# The unit as systemd puts it together: the files in the order of systemd.unit(5), then what each line means.
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
lines() { # key: its values
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
	environment >"$layer/environment"
	awk -F= '{ if (!($1 in v)) n[++c] = $1; v[$1] = $0 } END { for (i = 1; i <= c; i++) print v[n[i]] }' \
		"$layer/environment" >"$dir/tmp/environment"
	# shellcheck disable=SC2016
	inside sh -c 'set -a; . /tmp/environment; set +a; '"$1"
}
pid_file=$dir/run/kamailio/kamailio.pid
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
	[ "$status" = 0 ] || return 1
	tries=200
	while [ ! -s "$pid_file" ] && [ "$tries" -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	MAINPID=$(cat "$pid_file")
}
look() {
	after=$(lines ExecStartPost | sed 's/^[-+]*//' | sed "s/\$MAINPID/$MAINPID/")
	[ -n "$after" ] && with_environment "$after"
}
end() {
	kill -TERM "$MAINPID"
	tries=200
	while [ -e "/proc/$MAINPID" ] && [ "$tries" -gt 0 ]; do
		tries=$((tries - 1))
		sleep 0.05
	done
	rm -f "$pid_file"
	[ ! -e "/proc/$MAINPID" ]
}
is_in() {
	grep 'libkamailio_dns' "/proc/$MAINPID/maps"
}
answers() {
	inside timeout 20 kamcmd dns.stats >"$layer/stats" && cat "$layer/stats" && grep -q 'came_in: takeover' "$layer/stats" &&
		grep -q 'takeover: kamailio-dns took over .* report defects of DNS to kamailio-dns' "$layer/stats"
}

check "lists of packages" inside apt-get -qq update
check "Debian's kamailio" inside apt-get -qq install --no-install-recommends kamailio kamailio-extra-modules
check "a start without the packages" begin
check "is on Debian's own code" fails is_in
check "and ends" end
files >"$layer/before"

check "two packages" inside sh -c 'apt-get -qq install --no-install-recommends /tmp/deb/libkamailio-dns0_*.deb /tmp/deb/kamailio-dns_*.deb'
check "nothing of Kamailio was changed" inside dpkg --verify kamailio
check "Debian's kamailio can be taken over" inside kamailio-dns-check /usr/sbin/kamailio
check "the next start" begin
check "is on the library" is_in
check "which the unit sees" look
check "and which answers" answers
check "it ends" end

echo 'LD_PRELOAD=libm.so.6' >>"$dir/etc/default/kamailio"
check "a start with a preload of the operator's" begin
check "has the library" is_in
check "and the operator's" grep -q libm.so.6 "/proc/$MAINPID/maps"
check "and ends" end
sed -i '/^LD_PRELOAD=/d' "$dir/etc/default/kamailio"

check "kamailio again" inside apt-get -qq install --reinstall kamailio
check "the next start" begin
check "is still on the library" is_in
check "our packages again, while it runs" inside sh -c 'apt-get -qq install --reinstall /tmp/deb/libkamailio-dns0_*.deb /tmp/deb/kamailio-dns_*.deb'
check "it answers" answers
check "removal while it runs" inside apt-get -qq remove kamailio-dns libkamailio-dns0
check "it answers then, too" answers
check "it ends" end
check "the next start" begin
check "is on Debian's own code" fails is_in
check "and ends" end
check "purge" inside apt-get -qq purge kamailio-dns libkamailio-dns0
rm -f "$dir/tmp/environment"
files >"$layer/after"
check "nothing is left" diff "$layer/before" "$layer/after"

check "all four packages" inside sh -c 'apt-get -qq install --no-install-recommends /tmp/deb/*.deb'
check "siptargets" inside siptargets --version
check "and they go" inside sh -c 'apt-get -qq purge kamailio-dns kamailio-dns-tools libkamailio-dns-dev libkamailio-dns0'

echo "$passed passed, $failed failed"
