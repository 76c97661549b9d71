/* The ordered list of places where a request for a host can be sent. */
#ifndef TARGETS_H
#define TARGETS_H

#include <stddef.h>

#include "kamailio_dns.h"

/* More than any real domain has; a list this long is cut and says so. */
#define MAX_TARGETS 4096

/* Result of dns_handle_resolve() when all targets were given (E_DNS_EOR of Kamailio). */
#define END_OF_LIST (-1)

struct target {
	int transport; /* TRANSPORT_* */
	struct ip_addr ip;
	unsigned short port;
	struct dns_reason reason;
};

struct target_list {
	struct target *items;
	size_t count;
	int code; /* why the list ends: -1 (end of list) when complete, else an error */
	int cut; /* reached MAX_TARGETS */
};

struct target_query {
	const char *host;
	unsigned short port; /* 0 = not given */
	int transport; /* TRANSPORT_NONE = not given */
};

/* Walks through all targets as a SIP proxy does when one after the other turns out to be dead.
 * Returns 0, or -1 when memory is out. The caller frees the list in both cases. */
int targets_find(const struct target_query *query, struct target_list *list);

void targets_free(struct target_list *list);

#endif
