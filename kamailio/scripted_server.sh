# shellcheck shell=sh
# Sourced: builds examples/scripted_server, the nameserver of the tests, to the folder $1 where it is not newer than its
# sources, and exports its path as SCRIPTED_SERVER.

build_scripted_server() { # folder
	sources="$root/examples/scripted_server $root/tests/support/net"
	SCRIPTED_SERVER=$1/scripted_server
	export SCRIPTED_SERVER
	# shellcheck disable=SC2086
	[ ! -x "$SCRIPTED_SERVER" ] || [ -n "$(find $sources -newer "$SCRIPTED_SERVER")" ] || return 0
	${RUSTC:-rustc} --edition 2024 -O -o "$SCRIPTED_SERVER.new.$$" "$root/examples/scripted_server/main.rs" || return 1
	mv "$SCRIPTED_SERVER.new.$$" "$SCRIPTED_SERVER"
}
