#!/bin/sh
# change_handle.sh DNS_CACHE_H OCTETS - gives struct dns_srv_handle in a tree's header another layout, for tests.
#
#   48   that of Kamailio 6.1.5: a pointer to a NAPTR entry in front, and an int behind the pointers
#   56   the same with one member more, which no Kamailio has
#
# The header's inline functions treat the new pointer as the others. Done once; a header that has it stays as it is.
set -eu

header=${1:?usage: change_handle.sh DNS_CACHE_H 48|56}
octets=${2:?usage: change_handle.sh DNS_CACHE_H 48|56}
case $octets in 48 | 56) ;; *)
	echo "change_handle.sh: 48 or 56, not $octets" >&2
	exit 1
	;;
esac
if grep -q 'naptr_tried' "$header"; then
	exit 0
fi

awk -v octets="$octets" '
	/^struct dns_srv_handle$/ { inside = 1 }
	inside && /\*srv;/ { print "\tstruct dns_hash_entry *naptr;"; changed++ }
	inside && /^};/ { inside = 0; if (octets == 56) print "\tvoid *one_more;" }
	# What is done with one pointer is done with the other before.
	held != "" {
		line = $0; gsub(/h->srv/, "h->naptr", line)
		print "\t\tif(h->naptr) {"; print line; print "\t\t\th->naptr = 0;"; print "\t\t}"
		print held; held = ""; changed++
	}
	/^\t\tif\(h->srv\) \{/ { held = $0; next }
	/^\t\tif\(h->srv\)$/ { print "\t\tif(h->naptr)"; print "\t\t\tatomic_inc(&h->naptr->refcnt);"; changed++ }
	/^\th->srv = h->a = 0;/ { print "\th->naptr = 0;"; print "\th->naptr_tried = 0;"; changed++ }
	{ print }
	inside && /\*a;/ { print "\tint naptr_tried;"; changed++ }
	END { if (changed != 6) { print changed " of 6 places found" >"/dev/stderr"; exit 1 } }
' "$header" >"$header.new"
mv "$header.new" "$header"
