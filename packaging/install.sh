#!/bin/sh
# install.sh ROOT DEBS - called by test.sh in mounts and processes of its own: installs Debian's kamailio and the packages
# of the folder DEBS into a layer over ROOT, starts it as the unit says, makes calls, and takes it all away again.
# The last line is "N passed, N failed, N skipped".
set -u

lower=$(cd "$1" && pwd) || exit 1
debs=$(cd "$2" && pwd) || exit 1
here=$(cd "$(dirname "$0")" && pwd) || exit 1
. "$here/bed.sh"
open_bed "$lower"
mkdir -p "$dir/tmp/deb"
cp "$debs"/*.deb "$dir/tmp/deb/"

# What is there, but for people's own, and what installations leave behind: caches and logs of apt, dpkg and ldconfig.
files() {
	(cd "$dir" && find . -xdev \( -path ./home -o -path ./var/cache -o -path ./var/lib/apt -o -path ./var/lib/dpkg -o -path ./var/log \
		-o -path ./tmp -o -path ./root \) -prune -o -print | grep -v '^./etc/ld.so.cache' | sort)
}

# --- Debian as it is

check "lists of packages" apt update
check "Debian's kamailio" apt install kamailio kamailio-extra-modules
check "a network" open_network
debian=$(inside dpkg-query -W -f '${Version}' kamailio)
start_on_own "without the packages"
files >"$space/before"

# --- the first page of README: two packages, restart, look

two='/tmp/deb/libkamailio-dns0_*.deb /tmp/deb/kamailio-dns_*.deb'
clock() {
	cut -d ' ' -f 1 /proc/uptime
}
since=$(clock)
check "two packages" apt install "$two"
check "the next start" begin
check "kamcmd dns.stats" answers
check "a call" call
check "it asked the DNS" asked_by_it
echo "$debian: from apt install to a call on the library: $(echo "$since $(clock)" | awk '{ printf "%.1f", $2 - $1 }') s"
check "on the library" is_in
check "which the unit sees" look
check "nothing of Kamailio was changed" inside dpkg --verify kamailio
check "Debian's kamailio can be taken over" inside kamailio-dns-check /usr/sbin/kamailio
check "it ends" end

# --- the unit, with what operators add

verify() { # as systemd reads it, all files together
	systemd-analyze verify --root="$dir" --man=no --recursive-errors=no kamailio.service 2>&1 | tee "$space/verify"
	[ ! -s "$space/verify" ]
}
own=$dir/etc/systemd/system/kamailio.service.d
if command -v systemd-analyze >/dev/null 2>&1; then
	check "systemd-analyze verify" verify
	mkdir -p "$own"
	printf '[Service]\nExecStartPots=/bin/true\n' >"$own/wrong.conf"
	check "systemd-analyze sees a wrong line" fails verify
	rm -r "$own"
else
	skip "the unit was not verified: systemd-analyze is missing (package systemd)"
fi
with_preload() { # title
	check "$1: start" begin
	check "$1: the library" is_in
	check "$1: and the operator's" grep -q libm.so.6 "/proc/$MAINPID/maps"
	check "$1: end" end
}
echo 'LD_PRELOAD=libm.so.6' >>"$dir/etc/default/kamailio"
with_preload "a preload in /etc/default"
sed -i '/^LD_PRELOAD=/d' "$dir/etc/default/kamailio"
mkdir -p "$own"
printf '[Service]\nEnvironment=LD_PRELOAD=libm.so.6\n' >"$own/preload.conf"
with_preload "a preload in a drop-in"
# Behind ours by its name: what it sets is there when the list is written, and the file with the list counts after it.
mv "$own/preload.conf" "$own/zzz.conf"
with_preload "a preload in a later drop-in"
rm -r "$own"

# --- where the loader drops a preload without a word, the operator learns it

check "setcap" apt install libcap2-bin
check "file capabilities" inside setcap cap_net_bind_service=+ep /usr/sbin/kamailio
check "file capabilities: start" begin
check "file capabilities: Debian's own code" fails is_in
check "file capabilities: it is noticed, and said" look_says 'file capabilities or the setuid bit'
check "file capabilities: end" end
check "no capabilities" inside setcap -r /usr/sbin/kamailio
check "no setcap" apt purge --autoremove libcap2-bin

# --- without a unit

takeover=$(echo "$dir"/usr/lib/*/kamailio-dns/libkamailio_dns_takeover.so)
takeover=${takeover#"$dir"}
foreground() { # as a container has it; the process in the foreground is Kamailio's main one
	inside install -d -o kamailio -g kamailio -m 770 /run/kamailio
	network=in_network
	inside env LD_PRELOAD="$takeover" kamailio -DD -E -u kamailio -g kamailio -P /run/kamailio/kamailio.pid >"$space/foreground" 2>&1 &
	network=
	started
}
check "kamailio -DD" foreground
check "kamailio -DD: on the library" is_in
check "kamailio -DD: it answers" answers
check "kamailio -DD: end" end
cp "$dir/etc/default/kamailio" "$space/default"
printf 'RUN_KAMAILIO=yes\nexport LD_PRELOAD=%s\n' "$takeover" >>"$dir/etc/default/kamailio"
init_script() {
	network=in_network
	inside /etc/init.d/kamailio start
	network=
	started
}
check "init script" init_script
check "init script: on the library" is_in
check "init script: it answers" answers
check "init script: end" end
cp "$space/default" "$dir/etc/default/kamailio"

# --- Kamailio and the library come and go

check "kamailio again" apt install --reinstall kamailio
start_on_library "kamailio installed again"
check "our packages again, while it runs" apt install --reinstall "$two"
check "our packages again: it answers" answers
check "our packages again: a call" call

library=$(dpkg-deb -f "$(echo "$debs"/libkamailio-dns0_*.deb)" Version)
# shellcheck disable=SC2086
check "a later version of ours" sh "$here/repack.sh" "$library.1" "$dir/tmp/later" "$debs"/libkamailio-dns0_*.deb "$debs"/kamailio-dns_*.deb
check "upgrade while it runs" apt install '/tmp/later/*.deb'
check "upgrade: done" installed libkamailio-dns0 "$library.1"
check "upgrade: the old file is in use" is_replaced
check "upgrade: a call" call
check "upgrade: end" end
start_on_library "after the upgrade"
check "after the upgrade: the new file is in use" fails is_replaced
check "downgrade while it runs" apt install --allow-downgrades "$two"
check "downgrade: done" installed libkamailio-dns0 "$library"
check "downgrade: the file before is in use" is_replaced
check "downgrade: a call" call
check "downgrade: end" end
start_on_library "after the downgrade"

# A security update of Debian's: the same files in later packages, which apt finds by itself.
update=$(next_updates "$debian" "$(release)" | head -n 1)
security_update() {
	later_debian "$update" kamailio kamailio-extra-modules && offer /tmp/update && apt upgrade
}
check "a security update while it runs" security_update
check "security update: done" installed kamailio "$update"
check "security update: a call" call
check "security update: end" end
start_on_library "after the security update"
check "after the security update: end" end
withdraw /tmp/update
# What Debian's archive of security updates has on this day, if anything.
suite=$(sed -n 's/^VERSION_CODENAME=//p' "$dir/etc/os-release")
sed -n "s|^deb \(.*[^/]\)/* $suite main.*|deb \1-security $suite-security main|p" "$dir/etc/apt/sources.list" \
	>"$dir/etc/apt/sources.list.d/security.list"
check "the archive of security updates" apt update
update=$(inside apt-cache policy kamailio | sed -n 's/^ *Candidate: //p')
if [ "$update" != "$debian" ]; then
	echo "Debian's own security update: $update"
	check "$update" apt install --only-upgrade kamailio kamailio-extra-modules
	check "$update: done" installed kamailio "$update"
	check "$update can be taken over" inside kamailio-dns-check /usr/sbin/kamailio
	start_on_library "$update"
	check "$update: end" end
fi
rm "$dir/etc/apt/sources.list.d/security.list"
back() {
	apt update && apt install --allow-downgrades "kamailio=$debian" "kamailio-extra-modules=$debian"
}
check "Debian's version before" back
start_on_library "Debian's version before"

check "removal while it runs" apt remove kamailio-dns libkamailio-dns0
check "removal: it answers" answers
check "removal: a call" call
check "removal: end" end
start_on_own "after the removal"
check "purge" apt purge kamailio-dns libkamailio-dns0
rm -f "$dir/tmp/environment"
files >"$space/after"
check "nothing is left" diff "$space/before" "$space/after"

check "installed once more" apt install "$two"
start_on_library "installed once more"
check "purge while it runs" apt purge kamailio-dns libkamailio-dns0
check "purge: a call" call
check "purge: end" end
start_on_own "after the purge"
files >"$space/after"
check "nothing is left then" diff "$space/before" "$space/after"

# --- an executable of `make kamailio`, put in place by hand as it says

build=$(dirname "$debs")
# by_hand FIRST LAST: the lines of commands between these, in the Debian, but what is for make and for systemd
by_hand() {
	sh "$root/kamailio/next_steps.sh" "$suite" "$build" | sed -n "/^  $1/,/^  $2/s/^  //p" |
		grep -v -e '^make install' -e '^systemctl' | sed "s|$build/||" >"$dir/tmp/by_hand"
	cat "$dir/tmp/by_hand"
	[ -s "$dir/tmp/by_hand" ] && inside sh -exc 'cd /tmp && . ./by_hand'
}
make_here() {
	(cd "$root" && unset MAKEFLAGS MFLAGS MAKELEVEL && make BUILD="$build" PREFIX=/usr DESTDIR="$dir" \
		LIBDIR="/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)" "$@")
}
if [ -x "$build/kamailio-$suite" ] && (cd "$root" && sh ci/is_built.sh "$build" "$(cat "$build/.built")"); then
	cp "$build/kamailio-$suite" "$dir/tmp/"
	check "by hand: make install" make_here install
	check "by hand: the loader's list" inside ldconfig
	check "by hand: in place" by_hand 'make install' 'systemctl'
	check "by hand: start" begin
	check "by hand: linked" stats 'came_in: linked'
	check "by hand: a call" call
	check "by hand: end" end
	check "by hand: kamailio again" apt install --reinstall kamailio
	check "by hand: it stays" cmp "$dir/usr/sbin/kamailio" "$dir/tmp/kamailio-$suite"
	check "by hand: back" by_hand 'rm ' 'systemctl'
	check "by hand: make uninstall" make_here uninstall
	start_on_own "by hand: back"
else
	skip "putting it in place by hand: make kamailio SUITE=$suite was not made"
fi

check "all four packages" apt install '/tmp/deb/*.deb'
check "siptargets" inside siptargets --version
check "and they go" apt purge kamailio-dns kamailio-dns-tools libkamailio-dns-dev libkamailio-dns0

checks_end
