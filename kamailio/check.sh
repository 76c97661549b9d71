#!/bin/sh
# check.sh SUITE|DIR... - every check of Kamailio with the library: see the heads of the files in checks/.
#
# BUILD is the folder of libkamailio_dns.so (build). CHECKS="lookup options" runs only those.
# The last line sums up: "N passed, N failed".
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
. "$here/tally.sh"

for suite in "$@"; do
	for check in ${CHECKS:-lookup options log lifecycle memory layout modules permanent prebuilt headers flags}; do
		tally sh "$here/checks/$check.sh" "$suite"
	done
done
tally_end ""
