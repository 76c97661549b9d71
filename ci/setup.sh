#!/bin/sh
# Installs what the tests and the demonstration need, on a fresh Debian machine. Says what is missing
# when it may not.

PATH=$PATH:/usr/sbin:/sbin
missing=
need() { # program, package
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need cc gcc
need c++ g++
need make make
need valgrind valgrind
need nm binutils
# End-to-end and twin tests: callers and callees, name server, network namespaces
need sipp sip-tester
need nsd nsd
need dig bind9-dnsutils
need ip iproute2
need python3 python3
# Kamailio's source packages, its core, and the modules that kamailio/modules names
need flock util-linux
need dpkg-buildflags dpkg-dev
need bison bison
need flex flex
need cmake cmake
need pkg-config pkg-config
header() { # file below /usr/include, package
	[ -e "/usr/include/$1" ] || [ -e "/usr/include/$(cc -dumpmachine 2>/dev/null)/$1" ] || missing="$missing $2"
}
header openssl/ssl.h libssl-dev
header curl/curl.h libcurl4-openssl-dev
header libxml2/libxml/parser.h libxml2-dev
header jansson.h libjansson-dev
header event.h libevent-dev
header pcre.h libpcre3-dev
header pcre2.h libpcre2-dev
header readline/readline.h libreadline-dev
header ncurses.h libncurses-dev
header unistr.h libunistring-dev

if ! command -v cargo >/dev/null 2>&1; then
	echo "setup: cargo is missing: install Rust 1.88 or later" >&2
	exit 1
fi
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	as_root=$(command -v sudo) || {
		echo "setup: missing packages:$missing (needs root to install them)" >&2
		exit 1
	}
fi
command -v apt-get >/dev/null 2>&1 || {
	echo "setup: missing packages:$missing" >&2
	exit 1
}
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086
$as_root apt-get update -qq && $as_root apt-get install -y -qq $missing
