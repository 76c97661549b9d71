# shellcheck shell=sh
# The steps of build.sh for Kamailio's Makefiles; read by it.

# Folders and flags of debian/rules: the executable can take the place of Debian's.
configure() {
	LIBDIR=lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
	export LIBDIR
	set -- prefix=/usr cfg_target=/etc/kamailio/ FLAVOUR=kamailio CC=gcc CC_EXTRA_OPTS="$cflags" LD_EXTRA_OPTS="$ldflags" \
		group_include=kstandard
	if [ -f "$tree/src/config.mak" ] && [ "$LIBDIR $*" = "$(cat "$tree/.configured" 2>/dev/null)" ]; then
		return
	fi
	# What was built with others is built again.
	rm -f "$tree/kamailio.stock" "$tree"/modules/*.so "$tree"/lib/*.so*
	make -C "$tree/src" cfg "$@" >"$tree/configure.log" 2>&1 || fail configure
	echo "$LIBDIR $*" >"$tree/.configured"
}

build_stock() {
	[ -f "$tree/kamailio.stock" ] && [ "$name" = "${name#tree-}" ] && return
	rm -f "$tree/src/kamailio"
	# The parser first: Kamailio's Makefile has two makes of it at a time, which read each other's halves.
	make -C "$tree/src" -j1 core/cfg.tab.c core/cfg.tab.h core/lex.yy.c >"$tree/core.log" 2>&1 || fail core
	make -C "$tree/src" -j"$jobs" kamailio >>"$tree/core.log" 2>&1 || fail core
	mv "$tree/src/kamailio" "$tree/kamailio.stock"
}

build_modules() {
	mkdir -p "$tree/modules" "$tree/lib"
	wanted=
	for module in $modules; do
		if [ ! -f "$tree/modules/$module.so" ] || [ "$name" != "${name#tree-}" ]; then
			[ ! -d "$tree/src/modules/$module" ] || wanted="$wanted modules/$module"
		fi
	done
	[ -n "$wanted" ] || return 0
	make -C "$tree/src" -j"$jobs" modules modules="${wanted# }" >"$tree/modules.log" 2>&1 || fail modules
	for module in $wanted; do
		ln -sf "../src/$module/${module#modules/}.so" "$tree/modules/"
	done
	# 5.6.3 keeps in shared libraries what several modules use.
	for library in "$tree"/src/lib/*/lib*.so*; do
		[ ! -f "$library" ] || ln -sf "../${library#"$tree"/}" "$tree/lib/"
	done
}

build_kamcmd() {
	[ -x "$tree/kamcmd" ] && return
	make -C "$tree/utils/kamcmd" >"$tree/kamcmd.log" 2>&1 || fail kamcmd
	ln -sf utils/kamcmd/kamcmd "$tree/kamcmd"
}

# Our executable: the objects that are there, without three of them, and the library.
build_ours() {
	ours=$libdir/kamailio-$name$flavour
	is_newest "$ours" && return
	rm -f "$tree/src/kamailio"
	if [ "$flavour" = -bare ]; then
		set -- 'objs=$(filter-out core/resolve.o core/dns_cache.o core/dns_func.o,$(sources:.c=.o))' extra_objs="$linked"
	else
		set -- -f "$here/library.mk" -f Makefile KAMAILIO_DNS_LIBRARY="$linked"
	fi
	make -C "$tree/src" "$@" kamailio >"$tree/ours.log" 2>&1 || fail ours
	mv "$tree/src/kamailio" "$ours"
}
