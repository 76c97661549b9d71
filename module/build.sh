#!/bin/sh
# build.sh TREE FOLDER - builds the module dns_wait to FOLDER/dns_wait.so, if its sources are newer.
#
# TREE is a Kamailio tree that kamailio/build.sh has configured. Nothing is written into it: the module is built in a copy
# of its makefiles and headers, with the tree's own settings. MODULE_CFLAGS and MODULE_LDFLAGS are further options.
set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES || true

tree=$(cd "${1:?usage: build.sh TREE FOLDER}" && pwd)
mkdir -p "${2:?usage: build.sh TREE FOLDER}"
folder=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
header=$here/../include/kamailio_dns_client.h

if [ -e "$folder/dns_wait.so" ] &&
	[ -z "$(find "$here/dns_wait" "$header" "$tree/src/config.mak" -newer "$folder/dns_wait.so")" ]; then
	exit 0
fi
copy=$folder/copy/src
rm -rf "$folder/copy"
mkdir -p "$copy/modules/dns_wait" "$copy/modules/tm"
cp -p "$tree"/src/Makefile* "$tree"/src/config.mak "$copy/"
for list in "$tree"/src/*.lst; do
	[ ! -e "$list" ] || cp -p "$list" "$copy/"
done
(cd "$tree/src" && tar -cf - --exclude='*.o' --exclude='*.d' core) | (cd "$copy" && tar -xf -)
cp -p "$tree"/src/modules/tm/*.h "$copy/modules/tm/"
cp "$here"/dns_wait/Makefile "$here"/dns_wait/*.[ch] "$header" "$copy/modules/dns_wait/"
make -C "$copy/modules/dns_wait" CC_EXTRA_OPTS="-O2 ${MODULE_CFLAGS:-}" LD_EXTRA_OPTS="${MODULE_LDFLAGS:-}" >"$folder/build.log" 2>&1 || {
	tail -n 30 "$folder/build.log" >&2
	echo "module: dns_wait could not be built, see $folder/build.log" >&2
	exit 1
}
mv "$copy/modules/dns_wait/dns_wait.so" "$folder/dns_wait.so"
rm -rf "$folder/copy"
