#!/bin/sh
# place.sh FROM TO [MODE] - puts a copy of a file into place by a rename, and only when it is another one: who has the
# old one mapped keeps it, and nothing that was not built looks newer.
# place.sh --link TARGET NAME - the same for a symbolic link.
set -eu

if [ "$1" = --link ]; then
	[ "$(readlink "$3" 2>/dev/null)" != "$2" ] || exit 0
	ln -s "$2" "$3.new.$$"
	mv -fT "$3.new.$$" "$3"
	exit 0
fi
if [ ! -f "$2" ] || ! cmp -s "$1" "$2"; then
	trap 'rm -f "$2.new.$$"' EXIT
	cp "$1" "$2.new.$$"
	chmod "${3:-$([ -x "$1" ] && echo 755 || echo 644)}" "$2.new.$$"
	mv -f "$2.new.$$" "$2"
fi
