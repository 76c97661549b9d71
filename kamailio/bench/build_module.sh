#!/bin/sh
# build_module.sh TREE FOLDER - builds the measuring module to FOLDER/dnsbench.so, if its sources are newer.
#
# TREE is a Kamailio tree that build.sh has configured. Nothing is written into it: the module is built in a copy of
# its makefiles and headers, with the tree's own settings.
set -eu
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES || true

tree=$(cd "${1:?usage: build_module.sh TREE FOLDER}" && pwd)
mkdir -p "${2:?usage: build_module.sh TREE FOLDER}"
folder=$(cd "$2" && pwd)
here=$(cd "$(dirname "$0")" && pwd)

if [ -e "$folder/dnsbench.so" ] && [ -z "$(find "$here/module" "$tree/src/config.mak" -newer "$folder/dnsbench.so")" ]; then
	exit 0
fi
copy=$folder/copy/src
rm -rf "$folder/copy"
mkdir -p "$copy/modules"
cp -p "$tree"/src/Makefile* "$tree"/src/config.mak "$copy/"
for list in "$tree"/src/*.lst; do
	[ ! -e "$list" ] || cp -p "$list" "$copy/"
done
(cd "$tree/src" && tar -cf - --exclude='*.o' --exclude='*.d' core) | (cd "$copy" && tar -xf -)
mkdir "$copy/modules/dnsbench"
cp "$here"/module/* "$copy/modules/dnsbench/"
make -C "$copy/modules/dnsbench" CC_EXTRA_OPTS="-O2" >"$folder/build.log" 2>&1 || {
	tail -n 30 "$folder/build.log" >&2
	echo "bench: the measuring module could not be built, see $folder/build.log" >&2
	exit 1
}
mv "$copy/modules/dnsbench/dnsbench.so" "$folder/dnsbench.so"
rm -rf "$folder/copy"
