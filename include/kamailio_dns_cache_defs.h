/*
 * Constants of the cache: flags, errors, events.
 */

#ifndef KAMAILIO_DNS_CACHE_DEFS_H
#define KAMAILIO_DNS_CACHE_DEFS_H

/* load balancing among SRV records is part of the handle's meaning, as in the C original */
#ifndef DNS_SRV_LB
#define DNS_SRV_LB
#endif

/* request flags: the flags arguments, and the variable dns_flags */
#define DNS_NO_FLAGS 0
#define DNS_IPV4_ONLY 1
#define DNS_IPV6_ONLY 2
#define DNS_IPV6_FIRST 4
#define DNS_SRV_RR_LB 8
#define DNS_TRY_NAPTR 16
/* of this library: the options dns_rotate and dns_family_order=interleave; dns.trace is on */
#define DNS_ROTATE 0x20000000
#define DNS_INTERLEAVE 0x40000000
#define DNS_TRACED 0x10000000

/* flags of entries, and of adding and deleting records */
#define DNS_FLAG_BAD_NAME 1	 /* negative */
#define DNS_FLAG_PERMANENT 2 /* never expires */

/* parts of dns_hash_entry.refcnt: holders (add 1 for one more), and whether the cache holds it */
#define DNS_REFCNT_HOLDERS 0x3fffffff
#define DNS_REFCNT_LINKED 0x40000000

/* defaults of the options */
#define DEFAULT_DNS_NEG_CACHE_TTL 60		/* s */
#define DEFAULT_DNS_CACHE_MIN_TTL 0			/* s */
#define DEFAULT_DNS_CACHE_MAX_TTL ((unsigned int)(-1)) /* s */
#define DEFAULT_DNS_MAX_MEM 500				/* KiB */
#define DEFAULT_DNS_TIMER_INTERVAL 120		/* s */

/* events that a blocklist knows */
#define IP_ERR_BAD_DST 2
#define IP_ERR_SND 3
#define IP_ERR_TIMEOUT 4
#define IP_ERR_TCP_CON 5

/* dns.stats_get: all counters */
#define DNS_CACHE_ALL_STATS "dc_all_stats"

/* results of the iterating functions are negative values of these; see dns_strerror() */
enum dns_errors
{
	E_DNS_OK = 0,
	E_DNS_EOR,			  /* no more records: the end, not an error */
	E_DNS_UNKNOWN,		  /* unspecified */
	E_DNS_INTERNAL_ERR,	  /* a defect, or no memory */
	E_DNS_BAD_SRV_ENTRY,  /* SRV entry unusable */
	E_DNS_NO_SRV,		  /* SRV name does not resolve */
	E_DNS_BAD_IP_ENTRY,	  /* A or AAAA entry unusable */
	E_DNS_NO_IP,		  /* A or AAAA name does not resolve */
	E_DNS_BAD_IP,		  /* address in the record invalid */
	E_DNS_BLOCKLIST_IP,	  /* address is on the blocklist */
	E_DNS_NAME_TOO_LONG,  /* 256 octets or more */
	E_DNS_AF_MISMATCH,	  /* literal of a family that the flags exclude */
	E_DNS_NO_NAPTR,		  /* NAPTR name does not resolve */
	E_DNS_CRITICAL		  /* a transport without SRV records needs a port */
};

#endif
