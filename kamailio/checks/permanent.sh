#!/bin/sh
# permanent.sh SUITE|DIR - the permanent form of docs/drop-in.md, word by word but for the two paths: a plain make of the
# core links it with the library, a module is linked without it, and the server starts.

. "$(dirname "$0")/lib.sh"

copy=$scratch/kamailio
cp -a --reflink=auto "$KAM_TREE" "$copy"
rm -f "$copy/src/kamailio" "$copy/src/modules/kex/kex.so"

awk '/^```/ { on = $0 == "```make"; next } on' "$root/docs/drop-in.md" >"$scratch/documented"
same "lines of the form" 3 "$(grep -c . "$scratch/documented")"
sed -e "s|/usr/lib/libkamailio_dns.so|$BUILD/libkamailio_dns.so|" -e "s|/usr/share/kamailio-dns|$root/kamailio|" \
	"$scratch/documented" >"$copy/src/GNUmakefile"

unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
if make -C "$copy/src" kamailio >"$scratch/out" 2>&1; then
	ok
else
	bad "the core" "$scratch/out"
fi
readelf -d "$copy/src/kamailio" >"$scratch/out" 2>&1
has "the core needs the library" 'NEEDED.*libkamailio_dns.so.0' "$scratch/out"
nm "$copy/src/kamailio" >"$scratch/out" 2>&1
hasnt "the replaced code is not in" ' [Tt] dns_sip_resolve$' "$scratch/out"
has "the description is in" ' kamailio_dns_layout$' "$scratch/out"

if make -C "$copy/src" modules modules=modules/kex >"$scratch/out" 2>&1; then
	ok
else
	bad "a module" "$scratch/out"
fi
readelf -d "$copy/src/modules/kex/kex.so" >"$scratch/out" 2>&1
has "the module is there" 'NEEDED' "$scratch/out"
hasnt "the module is linked without the library" 'libkamailio_dns' "$scratch/out"

server=$copy/src/kamailio
KAM_LIBS=$KAM_LIBS:$BUILD
{
	load kex
	echo 'request_route { exit; }'
} | configuration "$scratch/cfg"
if start_kamailio "$scratch/cfg"; then
	rpc dns.stats >"$scratch/out" 2>&1
	has "it runs on the library" 'came_in: linked$' "$scratch/out"
	stop_kamailio
	same "exit status" 0 "$stopped"
fi
finish
