/*
 * DNS for programs that are not Kamailio: an interface of its own, blocking and for event loops.
 *
 * CONVENTIONS
 *
 * Names. Functions, types and constants begin with kdns_ and KDNS_. Nothing of kamailio_dns.h is needed.
 *
 * Errors. A function that can fail returns an int: 0 or more is success, less is one of enum kdns_error, which
 * kdns_error_text() puts into words. Nothing is written to out-parameters then. What became of a question is told
 * apart the same way by kdns_status(); kdns_failure() says more: which question it was, and which server said it.
 *
 * Ownership. What a function returns as struct kdns *, struct kdns_request * or struct kdns_watch * is given back with
 * kdns_close(), kdns_release() and kdns_unwatch(), each once. A request stays valid when its context is closed first: it
 * has ended then, and is still released. Everything else is written into memory of the caller. Texts are counted, not
 * ended by NUL, and are used during the call only; texts that come back end with NUL.
 *
 * Structs. Those that are read or filled come with their size (sizeof): a later version adds members at the end, and
 * a program that was built before goes on to work.
 *
 * Threads. A context has a lock of its own: every function may be called from every thread at any time, except that
 * after kdns_close(), kdns_release() and kdns_unwatch() nobody uses what was given back. The lock is held for moments,
 * never while something is waited for; kdns_resolve() and kdns_query() wait without it. Callbacks come out of
 * kdns_process(), in its thread, without the lock; they may call everything.
 *
 * Fork. A context belongs to the process that opened it. In a child every function returns KDNS_E_FORKED, and the
 * child gives back what it has copies of with the same three functions; the parent's is not disturbed. The cache is
 * shared if it was made before the fork: by kdns_open(), or by init_dns_cache().
 *
 * Order. There is none to keep: kdns_open() sets up what is missing (not inside Kamailio, which does it itself).
 * Options of the library (kamailio-dns(7)) are set before or after.
 */

#ifndef KAMAILIO_DNS_CLIENT_H
#define KAMAILIO_DNS_CLIENT_H

#include <stddef.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A context: questions under way, and what is kept for them. */
struct kdns;
/* A SIP URI or a question that is being resolved, or was. */
struct kdns_request;
/* A name whose targets are watched. */
struct kdns_watch;

enum kdns_error
{
	KDNS_OK = 0,
	KDNS_UNDER_WAY = 1,       /* of kdns_status(): it has not ended */
	KDNS_E_ABSENT = -1,       /* there is no such name, or it has no such records */
	KDNS_E_NOT_OFFERED = -2,  /* the domain says that it does not offer the service (SRV target ".") */
	KDNS_E_TIMEOUT = -3,      /* no nameserver answered in its time */
	KDNS_E_SERVFAIL = -4,     /* a nameserver said that it failed */
	KDNS_E_REFUSED = -5,      /* a nameserver refused */
	KDNS_E_MALFORMED = -6,    /* no reply that can be used */
	KDNS_E_NETWORK = -7,      /* no nameserver can be reached */
	KDNS_E_NO_SERVERS = -8,   /* there is no nameserver to ask */
	KDNS_E_DEADLINE = -9,     /* the request's time was over */
	KDNS_E_SHED = -10,        /* as many requests are under way as may be */
	KDNS_E_NOT_CACHED = -11,  /* KDNS_CACHE_ONLY, and something is not in the cache */
	KDNS_E_CANCELLED = -12,
	KDNS_E_CLOSED = -13,      /* its context was closed */
	KDNS_E_FAMILY = -14,      /* an address of a family that the flags exclude */
	KDNS_E_BUDGET = -15,      /* dns_max_queries: the name leads to more questions than one request may ask */
	KDNS_E_BAD_URI = -16,     /* no SIP URI, or a port or transport that it cannot have */
	KDNS_E_BAD_NAME = -17,    /* a name that is not asked for */
	KDNS_E_BAD_ARGUMENT = -18,
	KDNS_E_FORKED = -19,      /* the context belongs to the parent process */
	KDNS_E_NO_CACHE = -20,    /* there is none: dns_cache_init, or no memory for it */
	KDNS_E_NO_MEMORY = -21,
	KDNS_E_SYSTEM = -22,      /* the kernel gave no event queue */
	KDNS_E_SWAPPED = -23,     /* a module has put a search function of its own into dns_func: it can only be waited for */
	KDNS_E_NO_REFRESHER = -24,/* nobody is there who would ask */
	KDNS_E_DEFECT = -99       /* a defect of the library was caught */
};

/* flags of struct kdns_terms; what is not said here is as the options of the library say */
#define KDNS_CACHE_ONLY 1  /* nothing is asked: what is missing is KDNS_E_NOT_CACHED */
#define KDNS_IPV4_ONLY 2
#define KDNS_IPV6_ONLY 4
#define KDNS_NAPTR 8       /* as dns_try_naptr=yes */
#define KDNS_NO_NAPTR 16
#define KDNS_IN_ORDER 32   /* as dns_srv_lb=no: SRV records of one priority are not drawn by weight */
#define KDNS_BY_WEIGHT 64  /* as dns_srv_lb=yes */
#define KDNS_FIRST 128     /* the first target is enough */

/* How something is resolved. NULL stands for one that is all 0. */
struct kdns_terms
{
	size_t size;
	unsigned flags;
	unsigned deadline_ms; /* 0: as dns_resolve_deadline says */
	unsigned seed;        /* of the draw among SRV records: equal seeds give equal orders; 0: drawn */
	void *user;           /* for kdns_user() */
};

/* marks of targets, records and answers */
#define KDNS_STALE 1    /* something that led there has expired, and nothing newer could be had */
#define KDNS_EDITED 2   /* a record that led there was put in by an operator */
#define KDNS_ASKED 4    /* it was asked for, at least in part; else all was in the cache */
#define KDNS_REPORTED 8 /* kdns_report_failed() was told of it: it stands behind those that were not */

struct kdns_target
{
	struct sockaddr_storage to; /* address and port */
	unsigned to_length;         /* octets of it that count */
	unsigned char transport;    /* 1 UDP, 2 TCP, 3 TLS, 4 SCTP, 5 WS, 6 WSS */
	unsigned char marks;
	unsigned short priority;    /* of the SRV record, if one led there */
	unsigned short weight;
	unsigned ttl;               /* s, the least of the records that led there; 4294967295: has none */
	char host[256];             /* the name that has the address; the address itself where the URI has it */
};

struct kdns_record
{
	unsigned short type;
	unsigned char marks;
	unsigned ttl;               /* s */
	size_t length;              /* octets of data */
	unsigned char data[1024];   /* as in a DNS message (RFC 1035 section 3.3), names not compressed */
	char text[1024];            /* as in a zone file, cut where it is longer */
};

struct kdns_failure
{
	int error;                  /* as kdns_status() */
	unsigned short type;        /* of the question that counts; 0: none does */
	char name[256];             /* of that question */
	struct sockaddr_storage server; /* who said it, or was silent last */
	unsigned server_length;     /* 0: nobody */
};

/* --- context */

/* Opens a context. KDNS_OK, KDNS_E_NO_CACHE, KDNS_E_SYSTEM, KDNS_E_SWAPPED. */
int kdns_open(struct kdns **context);
/* Ends what is under way, and gives the context back. NULL is no error. */
void kdns_close(struct kdns *context);
/* In words; never NULL. */
const char *kdns_error_text(int error);

/* --- options */

enum kdns_option
{
	KDNS_MOST_REQUESTS = 1, /* that may be under way: 1 to 1000000; at first 10000 */
	KDNS_DEADLINE_MS = 2,   /* of requests that say none; 0, as at first: dns_resolve_deadline */
	KDNS_STEP_US = 3        /* of one kdns_process(), as near as may be: 100 to 1000000; at first 500 */
};

int kdns_set(struct kdns *context, int option, unsigned value);

/* --- resolve, and wait for it */

/* Resolves a SIP URI, or a host with or without port, to targets in the order of use. */
int kdns_resolve(struct kdns *context, const char *uri, size_t length, const struct kdns_terms *terms,
		struct kdns_request **request);
/* Asks for the records of a name and type. */
int kdns_query(struct kdns *context, const char *name, size_t length, unsigned short type,
		const struct kdns_terms *terms, struct kdns_request **request);

/* --- resolve in an event loop */

int kdns_start(struct kdns *context, const char *uri, size_t length, const struct kdns_terms *terms,
		struct kdns_request **request);
int kdns_start_query(struct kdns *context, const char *name, size_t length, unsigned short type,
		const struct kdns_terms *terms, struct kdns_request **request);
/* The descriptor to poll for input; it stays the same. */
int kdns_fd(struct kdns *context);
/* In how many ms kdns_process() is to be called at the latest; -1: no need, whatever the time. */
int kdns_timeout(struct kdns *context);
/* Does what can be done without waiting; the number of requests that have ended and were not fetched yet. */
int kdns_process(struct kdns *context);
/* The next request that has ended, each once; NULL: there is none. */
struct kdns_request *kdns_finished(struct kdns *context);
/* Ends a request: KDNS_E_CANCELLED, and fetched as all others. */
int kdns_cancel(struct kdns_request *request);

/* --- what came of it */

int kdns_status(const struct kdns_request *request);
int kdns_failure(const struct kdns_request *request, struct kdns_failure *failure, size_t size);
void *kdns_user(const struct kdns_request *request);
/* The target, or record, at a place from 0 on; KDNS_E_ABSENT behind the last. */
int kdns_target(const struct kdns_request *request, unsigned place, struct kdns_target *target, size_t size);
int kdns_record(const struct kdns_request *request, unsigned place, struct kdns_record *record, size_t size);
/* Has all lookups of this thread find what the request found, whatever the cache does, until it is called with NULL. */
int kdns_use(const struct kdns_request *request);
void kdns_release(struct kdns_request *request);

/* --- targets that failed */

/* A target of the request failed: for so long it stands behind the others in requests of this context. */
int kdns_report_failed(const struct kdns_request *request, unsigned place, unsigned seconds);

/* --- from the cache alone: these never wait, and take a context or NULL */

/* 1: all that a request to the URI needs is there; 0: not. */
int kdns_ready(struct kdns *context, const char *uri, size_t length, const struct kdns_terms *terms);
/* Starts to resolve, and forgets; without a context the refresher does it. */
int kdns_prefetch(struct kdns *context, const char *uri, size_t length);

enum kdns_answer
{
	KDNS_NO = 0,
	KDNS_YES = 1,          /* by records that are fresh */
	KDNS_STALE_YES = 2,    /* by records that have expired */
	KDNS_NOT_KNOWN_YET = 3 /* and what is missing is being asked for */
};

/*
 * Whether an address (4 or 16 octets) is one of the targets of a URI, by any of its NAPTR and SRV records and both
 * families; with a port or transport that is not 0 only with these. marks may be NULL.
 */
int kdns_is_target(struct kdns *context, const char *uri, size_t length, const unsigned char *address,
		size_t address_length, unsigned short port, unsigned char transport, unsigned *marks);

/* --- watch */

/* What changed: targets of a name that came, and that went; transport 0 where the name itself has the address. */
typedef void kdns_changed(void *user, const struct kdns_target *added, size_t added_count,
		const struct kdns_target *removed, size_t removed_count);

/* Watches the targets of a URI, and keeps them fresh, as long as kdns_process() is called. */
int kdns_watch(struct kdns *context, const char *uri, size_t length, kdns_changed *changed, void *user,
		struct kdns_watch **watch);
void kdns_unwatch(struct kdns_watch *watch);

#ifdef __cplusplus
}
#endif

#endif /* KAMAILIO_DNS_CLIENT_H */
