#!/bin/sh
# build.sh TREE OUT - from a Kamailio tree whose core is built:
#
#   OUT/original/libkamailio_dns.so.0   the tree's resolve.c, dns_cache.c, dns_func.c
#   OUT/driver                          our driver with the rest of the core; takes the library
#                                       that LD_LIBRARY_PATH leads to
#
# Nothing is written into TREE. Everything in OUT is made anew.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=$(cd "$1/src" && pwd)
mkdir -p "$2/original" "$2/objects"
out=$(cd "$2" && pwd)

# Compiler and flags of the tree; Debian's -O2 comes on top, as in its packages.
printf 'include config.mak\np:;@:\n$(info @CC $(CC))\n$(info @D $(C_DEFS))\n$(info @F $(CFLAGS))\n' |
	make -s --no-print-directory -C "$src" -f - p >"$out/flags"
cc=$(sed -n 's/^@CC //p' "$out/flags")
flags="$(sed -n 's/^@D //p' "$out/flags") $(sed -n 's/^@F //p' "$out/flags") -O2"

compile() { # source, object, more flags
	eval "$cc $flags $3 -c '$1' -o '$2'"
}

for name in resolve dns_cache dns_func; do
	compile "$src/core/$name.c" "$out/objects/$name.o" "-w -fPIC -I'$src' -I'$src/core'"
done
$cc -shared -Wl,-soname,libkamailio_dns.so.0 -o "$out/original/libkamailio_dns.so.0" \
	"$out/objects/resolve.o" "$out/objects/dns_cache.o" "$out/objects/dns_func.o" -lresolv

for name in driver commands reply host; do
	compile "$here/$name.c" "$out/objects/$name.o" \
		"-Wall -Wextra -Werror -Wno-cast-align -isystem '$src' -isystem '$src/core' -I'$here'"
done

# What the library learns the structures from.
compile "$here/../../kamailio/kamailio_dns_layout.c" "$out/objects/layout.o" "-Wall -I'$src/core'"

# The core without its main() and without the clock, which host.c has.
objcopy --redefine-sym main=kamailio_main "$src/main.o" "$out/objects/main.o"
objcopy --weaken-symbol=get_ticks_raw "$src/core/timer.o" "$out/objects/timer.o"
find "$src/core" -name '*.o' | grep -v -e '/core/resolve\.o$' -e '/core/dns_cache\.o$' \
	-e '/core/dns_func\.o$' -e '/core/timer\.o$' >"$out/core_objects"
# shellcheck disable=SC2046
$cc -rdynamic -o "$out/driver" "$out/objects/driver.o" "$out/objects/commands.o" \
	"$out/objects/reply.o" "$out/objects/host.o" "$out/objects/layout.o" "$out/objects/main.o" "$out/objects/timer.o" \
	$(cat "$out/core_objects") "$out/original/libkamailio_dns.so.0" -ldl -lresolv -lm -lpthread
