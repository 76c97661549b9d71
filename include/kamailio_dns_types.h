/*
 * What the generated header needs and cannot say: types of the host program, constants, and the
 * exported variables in their exact C spelling.
 *
 * Inside a Kamailio source tree (these headers lie in src/core) the tree's own types are used;
 * anywhere else the stand-ins in host/. Define KAMAILIO_DNS_IN_TREE or KAMAILIO_DNS_STANDALONE to
 * decide it by hand.
 */

#ifndef KAMAILIO_DNS_TYPES_H
#define KAMAILIO_DNS_TYPES_H

#if !defined(KAMAILIO_DNS_IN_TREE) && !defined(KAMAILIO_DNS_STANDALONE)
#if defined(__has_include)
#if __has_include("ip_addr.h") && __has_include("atomic_ops.h") && __has_include("sr_module.h")
#define KAMAILIO_DNS_IN_TREE
#endif
#endif
#endif

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netdb.h>
#include <arpa/nameser.h>
#include <resolv.h>

#ifdef KAMAILIO_DNS_IN_TREE
#include "str.h"
#include "config.h"
#include "ip_addr.h"
#include "timer.h"
#include "atomic_ops.h"
#include "counters.h"
#include "rpc.h"
#else
#include "host/kamailio_flags.h"
#include "host/kamailio_host.h"
/* in a tree only dns_cache.h has these: the grammar of kamailio.cfg has tokens of the same names */
#include "kamailio_dns_cache_defs.h"
#endif

/* record types that not every libc names */
#ifndef T_SRV
#define T_SRV 33
#endif
#ifndef T_NAPTR
#define T_NAPTR 35
#endif
#ifndef T_EBL
#define T_EBL 65300
#endif

/* flags of get_record() */
#define RES_ONLY_TYPE 1 /* only records of the type asked */
#define RES_AR 2		/* records of the additional section, too */

/* sizes */
#define MAX_QUERY_SIZE 8192
#define ANS_SIZE 8192
#define DNS_HDR_SIZE 12
#define MAX_DNS_NAME 256
#define MAX_DNS_STRING 255
#define MAX_NAPTR_RRS 32

/* sources of a record in struct dns_reason */
enum dns_sources
{
	DNS_SOURCE_NONE = 0,
	DNS_SOURCE_CACHE,
	DNS_SOURCE_NETWORK,
	DNS_SOURCE_LITERAL
};

/* octets of record data, texts included */
#define RDATA_SIZE(s) (sizeof(struct rdata) + (s).name_len)
#define SRV_RDATA_SIZE(s) (sizeof(struct srv_rdata) + (s).name_len)
#define NAPTR_RDATA_SIZE(s)                                                 \
	(sizeof(struct naptr_rdata) + (s).flags_len + (s).services_len          \
			+ (s).regexp_len + (s).repl_len)
#define CNAME_RDATA_SIZE(s) (sizeof(struct cname_rdata) + (s).name_len)
#define TXT_RDATA_SIZE(s)                                                   \
	(sizeof(struct txt_rdata) + (s).tslen                                   \
			+ ((s).cstr_no - 1) * sizeof(struct dns_cstr))
#define EBL_RDATA_SIZE(s) \
	(sizeof(struct ebl_rdata) + (s).separator_len + (s).apex_len)
#define PTR_RDATA_SIZE(s) (sizeof(struct ptr_rdata) + (s).ptrdname_len)

/* records that naptr_sip_iterate() has given out */
typedef unsigned int naptr_bmp_t;
#define naptr_iterate_init(bmp) \
	do {                        \
		*(bmp) = 0;             \
	} while(0)

/* value of a hexadecimal digit, -1 if it is none */
#define HEX2I(c)                                                            \
	(((c) >= '0' && (c) <= '9')	  ? (c) - '0'                               \
			: ((c) >= 'A' && (c) <= 'F') ? (c) - 'A' + 10                   \
			: ((c) >= 'a' && (c) <= 'f') ? (c) - 'a' + 10                   \
										 : -1)

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Failover state of one request. The members are the library's business: use dns_srv_handle_init(),
 * _next(), _put() and so on. Versions of Kamailio differ in two members. These headers in a tree give
 * it the struct without them, which the library learns from the tree, as any other; to have the one of
 * the version define DNS_HANDLE_HAS_NAPTR_COUNT (6.1.5: 48 octets) or DNS_HANDLE_HAS_NAPTR (40 octets).
 * dns_handle_layout() tells what the library expects.
 */
struct dns_hash_entry;
#ifdef DNS_HANDLE_HAS_NAPTR_COUNT
#define DNS_HANDLE_HAS_NAPTR
#endif
struct dns_srv_handle
{
#ifdef DNS_HANDLE_HAS_NAPTR
	struct dns_hash_entry *naptr; /* NAPTR entry in use */
#endif
	struct dns_hash_entry *srv;		  /* SRV entry in use */
	struct dns_hash_entry *a;		  /* A or AAAA entry in use */
#ifdef DNS_HANDLE_HAS_NAPTR_COUNT
	int naptr_count; /* not used by the library */
#endif
	unsigned long long srv_tried_rrs; /* progress among the SRV records */
	unsigned short port;			  /* of the current target */
	unsigned char srv_no;			  /* position in the SRV order */
	unsigned char ip_no;			  /* position in the address entry */
	unsigned char proto;			  /* transport of the current target */
};

struct dns_func_t;
struct dns_counters_h;
struct dns_lu_lst;
struct t_dns_cache_stats;

/* variables of the library, see the functions of the same topics */
extern struct dns_func_t dns_func;
extern struct dns_counters_h dns_cnts_h;
extern counter_def_t dns_cnt_defs[3];
#ifdef USE_DNS_CACHE
extern int dns_cache_init;				/* 0 = no cache; before init_dns_cache() */
extern unsigned int dns_timer_interval; /* s between garbage collections, 0 = none */
extern int dns_flags;					/* request flags that follow from the options */
extern struct dns_lu_lst *dns_last_used_lst; /* an empty list */
#ifdef USE_DNS_CACHE_STATS
extern struct t_dns_cache_stats *dns_cache_stats;
#endif
#endif

#ifdef __cplusplus
}
#endif

#endif
