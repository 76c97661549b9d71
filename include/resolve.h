/*
 * In place of Kamailio's resolve.h: the same names, served by kamailio-dns.
 */

#ifndef __resolve_h
#define __resolve_h

#include "kamailio_dns.h"
#include "dns_func.h"
#include "dns_wrappers.h"

/* a DNS message */
union dns_query
{
	HEADER hdr;
	unsigned char buff[MAX_QUERY_SIZE];
};

/* the functions that Kamailio calls under a shorter name */
#define resolvehost __resolvehost
#define sip_resolvehost __sip_resolvehost

/* name of an address, asked of libc */
static inline struct hostent *rev_resolvehost(struct ip_addr *ip)
{
	return gethostbyaddr((char *)(ip)->u.addr, (ip)->len, (ip)->af);
}

#endif
