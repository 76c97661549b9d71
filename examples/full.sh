#!/bin/sh
# The long tour, in ten steps, against a nameserver of our own: make run DEMO=full. Variables as for run.sh.

. "$(dirname "$0")/demo_tools.sh"

build_demo
start_zone_server

number=0
step() {
	number=$((number + 1))
	printf '\n=== %d. %s\n' "$number" "$1"
	shift
	for line in "$@"; do
		printf '    %s\n' "$line"
	done
	printf '\n'
}

# Prints the command as a user would type it.
print_command() {
	printf '$ siptargets'
	for word in "$@"; do
		case $word in
		"$log") printf ' queries.log' ;;
		*[!A-Za-z0-9:@./=_-]*) printf " '%s'" "$word" ;;
		*) printf ' %s' "$word" ;;
		esac
	done
	printf '\n'
}

# Runs a command against the server.
show() {
	print_command "$@"
	"$siptargets" --server "$server" "$@" || die "siptargets failed with exit status $?"
}

# The same for one that must find no target.
show_no_target() {
	print_command "$@"
	"$siptargets" --server "$server" --query-log "$log" "$@" 2>&1
	status=$?
	[ "$status" -eq 1 ] || die "siptargets: exit status $status, not 1"
	printf '(exit status %d)\n' "$status"
}

cat <<END
A SIP proxy has a request for sip:someone@somewhere. Which machine gets it, over which transport?
DNS holds the answer, in up to three steps: NAPTR names the transports, SRV the servers with their
priorities and weights, A and AAAA their addresses. The library walks these steps, keeps what it
learns in a cache that all processes of the proxy share, and hands out the next target when one
is dead. siptargets, a C program of this folder, shows that walk.

A DNS server with zones of our own (examples/*.zone) now listens on $server;
each command below also gets --server $server.
END

step "All the targets of a domain" \
	"NAPTR records offer TLS, TCP and UDP; the library prefers UDP unless told otherwise." \
	"Order: by priority, then by weight; the backup (priority 20) comes after its group." \
	"TTL: for how many seconds the record may be kept. FROM: where it came from."
show --naptr sip:alice@example.org

step "The same domain, with the order that its owner wishes" \
	"dns_naptr_ignore_rfc=no lets the owner's NAPTR order decide: TLS first (RFC 3263)."
show --naptr --set dns_naptr_ignore_rfc=no sip:alice@example.org

step "Failover" \
	"The first two servers do not answer. The list goes on: first the rest of the group, then" \
	"the backup."
show --fail 2 'sip:alice@example.org;transport=udp'

step "A shared cache" \
	"Three worker processes, forked before anybody asked anything. The first one sends the DNS" \
	"queries; the others find the records in the shared cache and send none."
show --workers 3 --query-log "$log" 'sip:alice@example.org;transport=tcp'

step "Load balancing" \
	"With --lb servers of one priority are drawn at random, in proportion to their weights" \
	"(60 to 30 to 0). Two draws, which may differ:"
show --lb 'sip:alice@example.org;transport=udp'
show --lb 'sip:alice@example.org;transport=udp'

step "No NAPTR, no SRV: only an address" \
	"www is an alias of an alias; the table names the host at the end of the chain."
show sip:www.example.org

step "An address, or a port, in the URI" \
	"An address needs no DNS. A port rules out NAPTR and SRV."
show 'sips:[2001:db8::7]'
show sip:plain.example.org:5080

step "A service that is not offered" \
	"The SRV target '.' says: no SIP here. The A record (a web server) must not be used then."
show_no_target sip:no-sip.example.org

step "A name that does not exist, and a name that nobody can tell about" \
	"The first is known to be absent. For the second the server refuses to answer: that is a" \
	"failure, not an absence, and the library keeps the two apart."
show_no_target sip:nobody.example.org
show_no_target sip:example.com

step "For programs: JSON"
show --json sip:plain.example.org

queries=$(wc -l <"$log")
printf '\nThe DNS server answered %d queries. Try a domain of the real DNS: make run URI=sip:...\n' \
	"$queries"
