# shellcheck shell=sh
# The steps of build.sh for Kamailio's CMake files; read by it. Both executables come from one build folder, one
# after the other: but for three files their objects are the same.

folder=$tree/cmake

set_up() { # arguments of cmake
	# CMake's own release flags are -O3; these are Debian's, as in the other build.
	cmake -S "$tree" -B "$folder" -DCMAKE_BUILD_TYPE=None -DCMAKE_C_FLAGS="$cflags" \
		-DCMAKE_EXE_LINKER_FLAGS="$ldflags" -DCMAKE_INSTALL_PREFIX=/usr "$@" >"$tree/configure.log" 2>&1 || fail configure
}

executable() { # where to
	cmake --build "$folder" --target kamailio -j "$jobs" >"$tree/core.log" 2>&1 || fail core
	cp "$(find "$folder" -name kamailio -type f -perm -u+x | head -n 1)" "$1"
}

configure() {
	[ -f "$folder/Makefile" ] || set_up
}

build_stock() {
	[ -f "$tree/kamailio.stock" ] && [ "$name" = "${name#tree-}" ] && return
	set_up -UCMAKE_PROJECT_kamailio_INCLUDE
	executable "$tree/kamailio.stock"
}

build_modules() {
	mkdir -p "$tree/modules" "$tree/lib"
	wanted=
	for module in $modules; do
		# Only modules that this configuration of the tree builds have a folder.
		if [ ! -e "$tree/modules/$module.so" ] && [ -d "$folder/src/modules/$module" ]; then
			wanted="$wanted $module"
		fi
	done
	[ -n "$wanted" ] || return 0
	# shellcheck disable=SC2086
	cmake --build "$folder" -j "$jobs" --target $wanted >"$tree/modules.log" 2>&1 || fail modules
	for module in $wanted; do
		file=$(find "$folder/src/modules/$module" -name "$module.so" | head -n 1)
		[ -z "$file" ] || ln -sf "$file" "$tree/modules/"
	done
}

build_kamcmd() {
	[ -e "$tree/kamcmd" ] && return
	cmake --build "$folder" -j "$jobs" --target kamcmd >"$tree/kamcmd.log" 2>&1 || fail kamcmd
	ln -sf "$(find "$folder" -name kamcmd -type f | head -n 1)" "$tree/kamcmd"
}

build_ours() {
	ours=$libdir/kamailio-$name$flavour
	is_newest "$ours" && return
	set_up -DCMAKE_PROJECT_kamailio_INCLUDE="$here/library.cmake" -DKAMAILIO_DNS_LIBRARY="$linked"
	executable "$ours"
}
