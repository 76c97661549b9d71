/*
 * Stand-ins for types of Kamailio, for programs without its source tree. Same names, same layouts.
 */

#ifndef KAMAILIO_DNS_HOST_H
#define KAMAILIO_DNS_HOST_H

#include <string.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <netdb.h>

/* counted text, not NUL-terminated */
struct _str
{
	char *s;
	int len;
};
typedef struct _str str;

/* an address: af is AF_INET or AF_INET6, len 4 or 16, octets in network order */
typedef struct ip_addr
{
	unsigned int af;
	unsigned int len;
	union
	{
		unsigned long addrl[16 / sizeof(unsigned long)];
		unsigned int addr32[4];
		unsigned short addr16[8];
		unsigned char addr[16];
	} u;
} ip_addr_t;

union sockaddr_union
{
	struct sockaddr s;
	struct sockaddr_in sin;
	struct sockaddr_in6 sin6;
	struct sockaddr_storage sas;
};

/* transports */
enum sip_protos
{
	PROTO_NONE,
	PROTO_UDP,
	PROTO_TCP,
	PROTO_TLS,
	PROTO_SCTP,
	PROTO_WS,
	PROTO_WSS,
	PROTO_OTHER
};
#define PROTO_LAST PROTO_OTHER

#define SIP_PORT 5060
#define SIPS_PORT 5061

/* SRV prefixes */
#define SRV_UDP_PREFIX "_sip._udp."
#define SRV_UDP_PREFIX_LEN (sizeof(SRV_UDP_PREFIX) - 1)
#define SRV_TCP_PREFIX "_sip._tcp."
#define SRV_TCP_PREFIX_LEN (sizeof(SRV_TCP_PREFIX) - 1)
#define SRV_SCTP_PREFIX "_sip._sctp."
#define SRV_SCTP_PREFIX_LEN (sizeof(SRV_SCTP_PREFIX) - 1)
#define SRV_TLS_PREFIX "_sips._tcp."
#define SRV_TLS_PREFIX_LEN (sizeof(SRV_TLS_PREFIX) - 1)
#define SRV_MAX_PREFIX_LEN SRV_TLS_PREFIX_LEN

/* a word that several processes count in */
typedef struct
{
	volatile int val;
} atomic_t;

/* time: 16 ticks a second, 32 bits, starting anywhere; compare differences only */
typedef unsigned int ticks_t;
typedef int s_ticks_t;
#define TIMER_TICKS_HZ 16U

typedef unsigned long long srv_flags_t;

/* counters */
typedef long counter_val_t;
struct counter_handle_s
{
	unsigned short id;
};
typedef struct counter_handle_s counter_handle_t;
typedef counter_val_t (*counter_cbk_f)(counter_handle_t h, void *param);
struct counter_def_s
{
	counter_handle_t *handle;
	const char *name;
	int flags;
	counter_cbk_f get_cbk;
	void *get_cbk_param;
	const char *descr;
};
typedef struct counter_def_s counter_def_t;

/* the functions of an RPC transport */
struct rpc_delayed_ctx;
typedef unsigned int rpc_capabilities_t;
typedef struct rpc
{
	void (*fault)(void *ctx, int code, char *fmt, ...);
	int (*send)(void *ctx);
	int (*add)(void *ctx, char *fmt, ...);
	int (*scan)(void *ctx, char *fmt, ...);
	int (*rpl_printf)(void *ctx, char *fmt, ...);
	int (*struct_add)(void *handle, char *fmt, ...);
	int (*array_add)(void *handle, char *fmt, ...);
	int (*struct_scan)(void *handle, char *fmt, ...);
	int (*struct_printf)(void *handle, char *name, char *fmt, ...);
	rpc_capabilities_t (*capabilities)(void *ctx);
	struct rpc_delayed_ctx *(*delayed_ctx_new)(void *ctx);
	void (*delayed_ctx_close)(struct rpc_delayed_ctx *dctx);
} rpc_t;

#endif
