#!/bin/sh
# is_built.sh BUILD "FLAGS" - whether BUILD has the library of these sources, built with these flags.

stamp=$1/.built
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$2" ] || exit 1
for source in src include examples/siptargets build.rs cbindgen.toml Cargo.toml Cargo.lock; do
	[ -z "$(find "$source" -type f -newer "$stamp" | head -n 1)" ] || exit 1
done
