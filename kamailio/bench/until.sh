#!/bin/sh
# until.sh begin FILE | until.sh SECONDS FILE - has a plan go on at a moment that does not depend on how long
# the steps before took: notes the time in FILE, or waits until that many seconds after it.
#
# Who comes too late is told so by a row "late" in FILE.
set -eu

case $1 in
begin) date "+%s begun" >"$2" ;;
*)
	read -r begun _ <"$2"
	left=$((begun + $1 - $(date +%s)))
	if [ "$left" -ge 0 ]; then
		sleep "$left"
	else
		echo "late 2 1" >>"$2"
	fi
	;;
esac
