#!/bin/sh
# prebuilt.sh bookworm - Debian's own binary modules, unpacked from its packages, in the core that was rebuilt
# with the library: those that the file modules names load, and they work.

. "$(dirname "$0")/lib.sh"
. "$checks/use_modules.sh"

if [ "$suite" != bookworm ]; then
	echo "Debian's packages of other releases want another C library than this machine's; not checked"
	skipped=1
	finish
fi
packages=$(sh "$root/kamailio/fetch_packages.sh" bookworm) || {
	echo "Debian's packages are not here and cannot be had: make fetch"
	skipped=1
	finish
}
folder=$(echo "$packages"/usr/lib/*/kamailio)
KAM_MODULES=$folder/modules
KAM_LIBS=$folder:$BUILD

start_dns "$checks/example.zone"
port=15110
# The core is another one than the package's, and its modules do not notice.
same "version" "$("$packages/usr/sbin/kamailio" -v 2>&1 | sed -n 's/^version: \(kamailio [^ ]* ([^)]*)\).*/\1/p')" \
	"$(kamailio -v 2>&1 | sed -n 's/^version: \(kamailio [^ ]* ([^)]*)\).*/\1/p')"
same "compile flags" "$("$packages/usr/sbin/kamailio" -v 2>&1 | sed -n 's/^flags: //p')" "$(kamailio -v 2>&1 | sed -n 's/^flags: //p')"
# It can take the place of Debian's: folders, limits, compiler and flags are the same. Debian's does not know its revision.
internals() {
	grep -v -e '^ *Version:' -e 'revision ID' >"$scratch/$1"
}
LD_LIBRARY_PATH=$folder "$packages/usr/sbin/kamailio" -I 2>&1 | internals theirs
kamailio -I 2>&1 | internals ours
if diff "$scratch/theirs" "$scratch/ours" >"$scratch/out" && [ -s "$scratch/ours" ]; then
	ok
else
	bad "kamailio -I" "$scratch/out"
fi
readelf -d "$server" >"$scratch/out" 2>&1
hasnt "there is no run path" 'RPATH|RUNPATH' "$scratch/out"
wanted_symbols
# shellcheck disable=SC2046
load_each $(sed 's/#.*//' "$root/kamailio/modules")
use_modules
finish
