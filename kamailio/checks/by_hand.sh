#!/bin/sh
# by_hand.sh SUITE - docs/drop-in.md, word by word: the commands of its blocks, in their order, on Debian's unpacked source
# package, with the library where `make install PREFIX=/usr` of the page puts it. /usr is a layer over this machine's, in
# mounts of the check's own, so nothing of the machine is changed.
#
# Of the modules only those are built that the check starts Kamailio with. Needs root.

if [ "${BY_HAND_MOUNTS:-}" != own ]; then
	if [ "$(id -u)" -ne 0 ] || ! unshare --mount true 2>/dev/null; then
		echo "it needs root, and mounts of its own"
		echo "by_hand ${1:-}: 0 passed, 0 failed, 1 skipped"
		exit 0
	fi
	BY_HAND_MOUNTS=own exec unshare --mount sh "$0" "$@"
fi

. "$(dirname "$0")/lib.sh"
page=$root/docs/drop-in.md
modules='kex ctl'
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

# block HEADING [LANGUAGE]: the first code block of the section
block() {
	awk -v heading="$1" -v fence="\`\`\`${2:-}" '
		/^##/ { on = index($0, heading) > 0 }
		/^```/ { if (inside) { if (taken) exit; inside = 0; next } inside = 1; taken = on && $0 == fence; next }
		inside && taken' "$page"
}

# do_block WHAT: the commands of standard input, in the scratch folder, as they stand there
do_block() {
	cat >"$scratch/commands"
	same "$1: there are commands" yes "$([ -s "$scratch/commands" ] && echo yes)"
	if (cd "$scratch" && PATH=$scratch/bin:$PATH MAKEFLAGS="$make_flags" sh -e commands) >"$scratch/out" 2>&1 </dev/null; then
		ok
	else
		bad "$1" "$scratch/out"
	fi
}

# is_ours WHAT FILE: a core on the library, that starts
is_ours() {
	readelf -d "$2" >"$scratch/out" 2>&1
	has "$1: it needs the library" 'NEEDED.*libkamailio_dns.so.0' "$scratch/out"
	hasnt "$1: it has no run path" 'RPATH|RUNPATH' "$scratch/out"
	nm "$2" >"$scratch/out" 2>&1
	hasnt "$1: the replaced code is not in" ' [Tt] dns_sip_resolve$' "$scratch/out"
	has "$1: the description is in" ' kamailio_dns_layout$' "$scratch/out"
	server=$2
	{
		load kex
		echo 'request_route { exit; }'
	} | configuration "$scratch/cfg"
	start_kamailio "$scratch/cfg" || return
	rpc dns.stats >"$scratch/out" 2>&1
	has "$1: it runs on the library" 'came_in: linked$' "$scratch/out"
	stop_kamailio
	same "$1: exit status" 0 "$stopped"
}
# is_theirs WHAT FILE: one on the tree's own code
is_theirs() {
	readelf -d "$2" >"$scratch/out" 2>&1
	hasnt "$1: it does not need the library" 'libkamailio_dns' "$scratch/out"
	nm "$2" >"$scratch/out" 2>&1
	has "$1: the code is in" ' T dns_sip_resolve$' "$scratch/out"
}

# fresh: $scratch/kamailio is the tree as it was unpacked
source=$(KAMAILIO_CACHE=$(dirname "$KAM_TREE") sh "$root/kamailio/fetch.sh" "$suite") || exit 1
fresh() {
	rm -rf "$scratch/kamailio"
	cp -a --reflink=auto "$source" "$scratch/kamailio"
}

# --- the library

mkdir "$scratch/bin"
make_flags="BUILD=$BUILD"
same "the page says how it is installed" "make install PREFIX=/usr DESTDIR=..." "$(block 'The library' | tail -n 1)"
(cd "$root" && MAKEFLAGS="$make_flags" sh -ec "$(block 'The library' | tail -n 1 | sed "s|\.\.\.|$scratch/installed|")") \
	>"$scratch/out" 2>&1 || bad "make install" "$scratch/out"
mkdir "$scratch/upper" "$scratch/work"
mount -t overlay overlay -o "lowerdir=$scratch/installed/usr:/usr,upperdir=$scratch/upper,workdir=$scratch/work" /usr || exit 1
mount -t tmpfs tmpfs /run
# The loader's list is of this namespace, too.
cp /etc/ld.so.cache "$scratch/ld.so.cache"
ldconfig -C "$scratch/ld.so.cache"
mount --bind "$scratch/ld.so.cache" /etc/ld.so.cache

# What ours is started with.
KAM_MODULES=
KAM_LIBS=

# --- Makefiles

# One job: with several, Kamailio's Makefile makes the parser twice at a time.
make_flags="modules=$(for m in $modules; do printf 'modules/%s\\ ' "$m"; done)"
make_flags=${make_flags%\\ }
fresh
block "The core, with Kamailio's Makefiles" | do_block "Makefiles"
find_modules() { # folder
	rm -rf "$scratch/modules" && mkdir "$scratch/modules"
	find "$1" -name '*.so' -exec ln -sf {} "$scratch/modules/" \;
	KAM_MODULES=$scratch/modules
}
find_modules "$scratch/kamailio/src/modules"
is_ours "Makefiles" "$scratch/kamailio/src/kamailio"
for module in $modules; do
	readelf -d "$scratch/modules/$module.so" >"$scratch/out" 2>&1
	has "Makefiles: module $module" NEEDED "$scratch/out"
	hasnt "Makefiles: module $module is linked without the library" libkamailio_dns "$scratch/out"
done
# Going back, as the page says.
has "the page says how to go back" 'Makefiles: `rm src/kamailio` first' "$page"
echo 'cd kamailio; rm src/kamailio; make -C src kamailio' | do_block "going back"
is_theirs "going back" "$scratch/kamailio/src/kamailio"

# --- the permanent form

rm -f "$scratch/kamailio/src/kamailio"
block 'for good' make >"$scratch/kamailio/src/GNUmakefile"
same "permanent form: lines" 3 "$(grep -c . "$scratch/kamailio/src/GNUmakefile")"
has "the page names its commands" '^`make`, `make install` and `make -C src kamailio` go on' "$page"
echo 'make -C kamailio/src kamailio' | do_block "permanent form: make -C src kamailio"
is_ours "permanent form: make -C src kamailio" "$scratch/kamailio/src/kamailio"
rm -f "$scratch/kamailio/src/kamailio"
echo 'cd kamailio; make' | do_block "permanent form: make"
is_ours "permanent form: make" "$scratch/kamailio/src/kamailio"
echo 'cd kamailio; make install' | do_block "permanent form: make install"
is_ours "permanent form: installed" /usr/local/sbin/kamailio

# --- CMake

if [ -f "$source/CMakeLists.txt" ]; then
	make_flags=-j$(nproc)
	# Of all modules those that are needed.
	cat >"$scratch/bin/cmake" <<-CMAKE
		#!/bin/sh
		[ "\$1" != --build ] || set -- "\$@" --target kamailio $modules
		exec $(command -v cmake) "\$@"
	CMAKE
	chmod 755 "$scratch/bin/cmake"
	fresh
	block "The core, with Kamailio's CMake files" | do_block "CMake"
	find_modules "$scratch/build/src/modules"
	made=$(find "$scratch/build" -name kamailio -type f -perm -u+x | head -n 1)
	is_ours "CMake" "$made"
	# The build folder keeps the settings.
	rm -f "$made"
	echo 'cmake -S kamailio -B build; cmake --build build' | do_block "CMake, once more"
	is_ours "CMake, once more" "$made"
	back=$(grep -o 'cmake -UCMAKE_PROJECT_kamailio_INCLUDE [^`]*' "$page")
	echo "$back; cmake --build build" | do_block "CMake, going back"
	is_theirs "CMake, going back" "$made"
fi
finish
