/* A module as a server loads it: it uses functions that the server itself does not name. */

#include <stdlib.h>
#include <string.h>

#include <kamailio_dns.h>

int module_works(void);

int module_works(void)
{
	char literal[] = "[2001:db8::7]";
	str s;
	struct ip_addr ip;
	memset(&ip, 0, sizeof ip);
	s.s = literal;
	s.len = (int)strlen(literal);
	free_rdata_list(get_record(NULL, 1, 0));
	return str2ip6buf(&s, &ip) == 0 && ip.len == 16 && ip.u.addr[15] == 7;
}
