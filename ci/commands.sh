#!/bin/sh
# Tries the commands that README.md and examples/README.md give, as they stand there, and what they promise of a library
# that is in use while it is built or installed again. Prints "N passed, N failed".

cd "$(dirname "$0")/.." || exit 1
scratch=$(mktemp -d "${TMPDIR:-/tmp}/kamailio-dns.XXXXXX") || exit 1
server=
user_pid=
clean_up() {
	exec 8>&- 9>&-
	# Both end when their standard input does.
	[ -z "$server" ] || wait "$server" 2>/dev/null
	[ -z "$user_pid" ] || wait "$user_pid" 2>/dev/null
	rm -rf "$scratch"
}
trap clean_up EXIT
log=$scratch/log
: >"$log"
. ci/checks.sh
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# blocks FILE LANGUAGE: the lines of the file's code blocks in that language ("" for those without one)
blocks() {
	awk -v fence="\`\`\`$2" '/^```/ { is_open = !is_open; on = is_open && $0 == fence; next } on' "$1"
}

# --- a library of our own, so that nothing else is disturbed

build=$scratch/build
make_here() {
	make BUILD="$build" "$@"
}
inode() {
	stat -c %i "$1"
}

check "make" make_here
library=$build/libkamailio_dns.so
file=$(readlink -f "$library")
before=$(inode "$file")
check "make again" make_here
check "a library that did not change stays" is "$before" "$(inode "$file")"

# A program that has the library mapped, and calls it after it was replaced.
cat >"$scratch/user.c" <<'END'
#include <dlfcn.h>
#include <stdio.h>
int main(int argc, char **argv)
{
	void *library = argc == 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
	int (*start)(void), (*cache)(void);

	if (!library)
		return 2;
	*(void **)&start = dlsym(library, "resolv_init");
	*(void **)&cache = dlsym(library, "init_dns_cache");
	puts("mapped");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return start() != 0 || cache() != 0;
}
END
check "a program that uses it" "${CC:-cc}" -o "$scratch/user" "$scratch/user.c" -ldl
mkfifo "$scratch/in" "$scratch/out"

# use FILE: starts the program on it; finish_use: its exit status
use() {
	"$scratch/user" "$1" <"$scratch/in" >"$scratch/out" &
	user_pid=$!
	exec 9>"$scratch/in"
	read -r _ <"$scratch/out"
}
finish_use() {
	exec 9>&-
	wait "$user_pid"
	status=$?
	user_pid=
	return "$status"
}

# The library in place is another one than what cargo has: it is built anew while the program runs.
cp "$file" "$scratch/old"
echo other >>"$scratch/old"
mv "$scratch/old" "$file"
before=$(inode "$file")
use "$file"
check "make puts the library in place" make_here
check "by a rename" test "$before" != "$(inode "$file")"
check "a program that has the old one mapped goes on" finish_use

# --- make install, without cargo

mkdir "$scratch/bin"
cat >"$scratch/bin/cargo" <<END
#!/bin/sh
echo "\$*" >>"$scratch/cargo_was_called"
exit 1
END
chmod 755 "$scratch/bin/cargo"
install_here() {
	PATH=$scratch/bin:$PATH make_here CARGO=cargo DESTDIR="$scratch/root" "$@"
}
check "make install" install_here install
check "no cargo was called" test ! -e "$scratch/cargo_was_called"
installed=$scratch/root/usr/local/lib/$(basename "$file")
before=$(inode "$installed")
for name in COPYING NOTICES; do
	check "make install: $name" cmp "$name" "$scratch/root/usr/local/share/doc/kamailio-dns/$name"
done
for page in man1/siptargets.1 man3/kamailio_dns.3 man7/kamailio-dns.7; do
	check "make install: $page" test -s "$scratch/root/usr/local/share/man/$page"
done
check "make install: siptargets" env LD_LIBRARY_PATH="$scratch/root/usr/local/lib" \
	"$scratch/root/usr/local/bin/siptargets" --version

# ldconfig is run by root for the running system, and then only.
for name in ldconfig id; do
	cat >"$scratch/bin/$name" <<-END
		#!/bin/sh
		[ $name = ldconfig ] || { echo "\${USER_ID:-0}"; exit; }
		echo "\$*" >>"$scratch/ldconfig_was_called"
	END
	chmod 755 "$scratch/bin/$name"
done
for_the_loader() { # id, DESTDIR
	rm -f "$scratch/ldconfig_was_called"
	PATH=$scratch/bin:$PATH USER_ID=$1 sh ci/ldconfig.sh "$2" /usr/local/lib
}
check "ldconfig for root" for_the_loader 0 ""
check "it was called" test -e "$scratch/ldconfig_was_called"
check "no ldconfig for others" for_the_loader 1000 ""
check "it was not called for others" test ! -e "$scratch/ldconfig_was_called"
check "no ldconfig with DESTDIR" for_the_loader 0 /somewhere
check "it was not called with DESTDIR" test ! -e "$scratch/ldconfig_was_called"
rm -f "$scratch/bin/ldconfig" "$scratch/bin/id"
check "make install again" install_here install
check "an installed library that did not change stays" is "$before" "$(inode "$installed")"
echo other >>"$installed"
use "$installed"
check "make install over another one" install_here install
check "by a rename, too" test "$before" != "$(inode "$installed")"
check "a program that has the installed one mapped goes on" finish_use
install_other_flags() {
	! install_here extra_defs=-DUSE_DNS_CACHE_STATS install
}
check "other flags would be built" install_other_flags
check "by cargo" test -e "$scratch/cargo_was_called"
check "make install PREFIX" install_here PREFIX=/opt/dns install
check "its pkg-config file" grep -q '^prefix=/opt/dns$' "$scratch/root/opt/dns/lib/pkgconfig/kamailio-dns.pc"

# --- README.md

# Every line of its blocks that is a command is one of those that are tried: for real, or, where it takes minutes and
# other tests do it, as far as make itself is concerned.
blocks README.md '' | sed 's/[[:space:]]*#.*//' | grep -v '^$' >"$scratch/commands"
grep -o '`make [^`]*`' README.md examples/README.md | sed 's/^[^`]*`//; s/`$//' >>"$scratch/commands"
sort -u "$scratch/commands" >"$scratch/each"
check "README.md has commands" test -s "$scratch/each"
while read -r command; do
	case $command in
	make\ *extra_defs* | make\ *DEFS_RM*)
		# ci/flags.sh compiles what they select.
		check "$command" sh -c "$command features"
		;;
	"apt install ./libkamailio-dns0_*.deb ./kamailio-dns_*.deb" | "systemctl restart kamailio" | "kamcmd dns.stats")
		# `make package-test` does it, with the unit's commands in place of systemctl.
		check "$command" grep -q 'kamcmd dns.stats' packaging/install.sh
		;;
	make | make\ *) check "$command" sh -c "make -n ${command#make}" ;;
	*) check "a command that nobody tries: $command" false ;;
	esac
done <"$scratch/each"
check "make uninstall" install_here uninstall
check "nothing is left" test ! -e "$installed"

# The C program: between what declares try_to_send() and what reads the result, the text of README.md.
check "make install once more" install_here install
{
	echo 'static int sent, sent_to;'
	echo '#include <poll.h>'
	blocks README.md c | sed -n '/#include/p'
	echo 'static int try_to_send(const struct ip_addr *ip, unsigned short port, char proto)'
	echo '{ return ip->af != 0 && port == 5060 && proto == PROTO_UDP && ++sent == 2; }'
	echo 'static int try_to_send_to(const struct sockaddr_storage *to, unsigned length, unsigned char transport)'
	echo '{ sent_to += to->ss_family != 0 && length > 0 && transport > 0; return 0; }'
	echo 'int main(int argc, char **argv) { if (argc == 2) dns_option_set("dns_nameservers", argv[1]);'
	blocks README.md c | sed '/#include/d'
	echo 'return sent != 2 || sent_to < 2; }'
} >"$scratch/program.c"
compile_program() {
	PKG_CONFIG_PATH=$scratch/root/usr/local/lib/pkgconfig
	PKG_CONFIG_SYSROOT_DIR=$scratch/root
	export PKG_CONFIG_PATH PKG_CONFIG_SYSROOT_DIR
	# shellcheck disable=SC2046
	"${CC:-cc}" -o "$scratch/program" "$scratch/program.c" $(pkg-config --cflags --libs kamailio-dns)
}

# --- examples/README.md

# Its block builds a nameserver and a program here; both are moved away. The nameserver's line waits for its input to
# end, so it is begun first, and its address is put where the text says PORT.
blocks examples/README.md sh >"$scratch/by_hand"
grep -v -e '^\./' "$scratch/by_hand" >"$scratch/build_by_hand"
mkdir "$scratch/here"
for name in examples include; do
	ln -s "$PWD/$name" "$scratch/here/$name"
done
ln -s "$build" "$scratch/here/build"
by_hand() {
	(cd "$scratch/here" && sh -e "$scratch/build_by_hand")
}
check "examples/README.md: what is built by hand" by_hand
mkfifo "$scratch/server.in" "$scratch/server.out"
serve=$(sed -n 's/^\(\.\/zone_server[^#]*\).*/\1/p' "$scratch/by_hand")
(cd "$scratch/here" && eval "exec $serve") <"$scratch/server.in" >"$scratch/server.out" 2>>"$log" &
server=$!
exec 8>"$scratch/server.in"
read -r address <"$scratch/server.out"
check "examples/README.md: $serve" test -n "$address"
grep '^\./siptargets' "$scratch/by_hand" | while read -r command; do
	(cd "$scratch/here" && eval "$(echo "$command" | sed "s/127\.0\.0\.1:PORT/$address/")") </dev/null ||
		echo "failed: $command"
done >"$scratch/siptargets" 2>&1
asked() {
	cat "$scratch/siptargets"
	! grep -q '^failed' "$scratch/siptargets" && grep -q ' UDP .*192.0.2.1 ' "$scratch/siptargets" &&
		grep -q '^usage: siptargets' "$scratch/siptargets"
}
check "examples/README.md: what it asks" asked

# What `make run` does once the library is built; URI with a nameserver of ours in place of the system's.
check "make run" env BUILD="$build" sh examples/run.sh
check "it prints less than 60 lines" test "$(wc -l <"$log")" -lt 60
check "make run DEMO=full" env BUILD="$build" DEMO=full sh examples/run.sh
check "make run URI" env BUILD="$build" ARGS="--naptr --server $address" URI=sip:example.org sh examples/run.sh

if command -v pkg-config >/dev/null 2>&1; then
	check "the program of README.md" compile_program
	check "it runs" env LD_LIBRARY_PATH="$scratch/root/usr/local/lib" "$scratch/program" "$address"
else
	check "pkg-config is missing" false
fi

checks_end
