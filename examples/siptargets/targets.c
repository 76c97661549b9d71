#include "targets.h"

#include <stdlib.h>
#include <string.h>

static struct target *append(struct target_list *list)
{
	struct target *items;

	/* Grows at 0, 8, 16, 32 ... */
	if (list->count == 0 || (list->count >= 8 && (list->count & (list->count - 1)) == 0)) {
		size_t capacity = list->count ? 2 * list->count : 8;

		items = realloc(list->items, capacity * sizeof(*items));
		if (!items)
			return NULL;
		list->items = items;
	}
	memset(&list->items[list->count], 0, sizeof(*items));
	return &list->items[list->count++];
}

int targets_find(const struct target_query *query, struct target_list *list)
{
	struct dns_handle *handle = dns_handle_new();
	struct target *target;
	struct ip_addr ip;
	unsigned short port;
	char proto;

	memset(list, 0, sizeof(*list));
	if (!handle)
		return -1;
	for (;;) {
		port = query->port;
		proto = (char)query->transport;
		memset(&ip, 0, sizeof(ip));
		list->code = dns_handle_resolve(handle, query->host, &ip, &port, &proto, dns_flags);
		if (list->code != 0)
			break;
		if (list->count == MAX_TARGETS) {
			list->cut = 1;
			break;
		}
		target = append(list);
		if (!target) {
			dns_handle_free(handle);
			return -1;
		}
		target->transport = proto;
		target->ip = ip;
		target->port = port;
		dns_handle_reason(handle, &target->reason);
		/* "This one is dead": on to the next. */
		if (!dns_handle_next(handle)) {
			list->code = END_OF_LIST;
			break;
		}
	}
	dns_handle_free(handle);
	return 0;
}

void targets_free(struct target_list *list)
{
	free(list->items);
	memset(list, 0, sizeof(*list));
}
