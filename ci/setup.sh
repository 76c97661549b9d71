#!/bin/sh
# Installs what the tests and the demonstration need, on a fresh Debian machine. Says what is missing
# when it may not.

missing=
need() { # program, package
	command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
need cc gcc
need c++ g++
need make make
need valgrind valgrind
need nm binutils

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
