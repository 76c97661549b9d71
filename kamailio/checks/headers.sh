#!/bin/sh
# headers.sh SUITE|DIR - every file that includes dns_cache.h, resolve.h or dns_func.h, directly or through other
# headers, compiles with the library's headers in their place, with the tree's own flags and -Wall, and without
# a warning that it does not have with the tree's headers.

. "$(dirname "$0")/lib.sh"

if [ ! -f "$src/config.mak" ]; then
	echo "a tree that was built with CMake keeps no list of what depends on its headers; not checked"
	finish
fi

# A tree of links to the sources. Quoted includes are looked up beside the link, so headers can be changed.
shadow() { # folder
	mkdir -p "$1"
	(cd "$src" && find . \( -name '*.[chyl]' -o -name 'Makefile*' -o -name '*.mak' -o -name '*.lst' -o -name '*.mk' \) -print) |
		while read -r file; do
			folder=$1/$(dirname "$file")
			[ -d "$folder" ] || mkdir -p "$folder"
			ln -s "$src/$file" "$1/$file"
		done
}

# What the compiler noted when it built the objects says who depends on the headers.
(cd "$src" && find . -name '*.d' -print0 | xargs -0 grep -lE '(core/|\./|^| )(dns_cache|resolve|dns_func)\.h( |$|\)|\\)') |
	grep -vE 'core/(dns_cache|resolve|dns_func)\.d$' | sort >"$scratch/users"

# compile FOLDER LOG: all users, without making code; one make a folder, so that each has its own flags
compile() {
	sed 's|/[^/]*$||' "$scratch/users" | sort -u | while read -r folder; do
		objects=$(grep "^$folder/[^/]*$" "$scratch/users" | sed 's|\.d$|.o|; s|.*/||')
		case $folder in
		# The core is compiled from the top.
		. | ./core | ./core/*)
			prefix=${folder#.}
			prefix=${prefix#/}
			objects=$(for object in $objects; do echo "${prefix:+$prefix/}$object"; done)
			folder=.
			;;
		esac
		# shellcheck disable=SC2086
		make -k -C "$1/$folder" CC='gcc -fsyntax-only' MKDEP=true quiet=verbose $objects
	done >"$2" 2>&1
}

shadow "$scratch/ours"
for header in dns_cache.h resolve.h dns_func.h dns_wrappers.h; do
	rm -f "$scratch/ours/core/$header"
done
cp "$root"/include/*.h "$scratch/ours/core/"
compile "$scratch/ours" "$scratch/ours.log"

count=$(grep -c . "$scratch/users")
compiled=$(grep -c -- ' -fsyntax-only .* -c ' "$scratch/ours.log")
same "files that use the headers were compiled" "$count" "$compiled"
same "many files use the headers" 1 "$([ "$count" -ge 50 ] && echo 1)"
for folder in core modules/tm modules/dispatcher modules/enum modules/ipops; do
	has "$folder is among them" "^\./$folder/" "$scratch/users"
done
hasnt "no errors" ' error: |fatal error:|\*\*\* \[' "$scratch/ours.log"

# The headers were ours: without this the test would prove nothing.
for object in core/forward modules/tm/t_fwd; do
	folder=$scratch/ours/$object
	if grep -q 'resolve.h\|dns_cache.h' "$folder.c" "${folder%/*}"/*.h; then
		ok
	else
		bad "$object.c includes no DNS header"
	fi
done
same "the tree's headers are not reachable" 0 "$(find "$scratch/ours/core" -maxdepth 1 -type l \
	\( -name resolve.h -o -name dns_cache.h -o -name dns_func.h \) | wc -l)"

# Warnings, without the place: with the tree's headers the same ones.
warnings() { sed -n 's/.*warning: //p' "$1" | sort | uniq -c; }
warnings "$scratch/ours.log" >"$scratch/ours.warnings"
if [ -s "$scratch/ours.warnings" ]; then
	shadow "$scratch/stock"
	compile "$scratch/stock" "$scratch/stock.log"
	warnings "$scratch/stock.log" >"$scratch/stock.warnings"
	if diff "$scratch/stock.warnings" "$scratch/ours.warnings" | grep '^>' >"$scratch/out"; then
		bad "new warnings" "$scratch/out"
	else
		ok
	fi
else
	ok
fi
has "-Wall was on" ' -Wall ' "$scratch/ours.log"
finish
