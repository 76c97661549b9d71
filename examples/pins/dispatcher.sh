#!/bin/sh
# dispatcher.sh FILE [KAMCMD...] - writes the destinations that dispatcher has now to FILE, which DNS.pin_file names, so
# that their names are never cold. For cron, a timer, or after `dispatcher.reload`. KAMCMD is how kamcmd is called,
# default "kamcmd". Where dispatcher has none, or does not answer, the file stays as it is.
set -eu

file=${1:?usage: dispatcher.sh FILE [KAMCMD...]}
shift
[ $# -gt 0 ] || set -- kamcmd

new=$(mktemp "$file.XXXXXX")
trap 'rm -f "$new"' EXIT
"$@" dispatcher.list | sed -n 's/^[[:space:]]*URI:[[:space:]]*\([^[:space:]]*\).*/\1/p' | sort -u >"$new"
[ -s "$new" ] || {
	echo "dispatcher.sh: dispatcher shows no destination, $file stays as it is" >&2
	exit 1
}
cmp -s "$new" "$file" || {
	chmod 644 "$new"
	# Whoever reads it meanwhile has the old one or the new one.
	mv "$new" "$file"
}
