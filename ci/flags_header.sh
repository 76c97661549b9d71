#!/bin/sh
# Writes host/kamailio_flags.h for a build: the arguments are its flags.

cat <<'HEAD'
/* Flags that the library was built with, for programs that are not Kamailio. Generated. */

#ifndef KAMAILIO_DNS_FLAGS_H
#define KAMAILIO_DNS_FLAGS_H

HEAD
for flag in "$@"; do
	printf '#ifndef %s\n#define %s\n#endif\n' "$flag" "$flag"
done
printf '\n#endif\n'
