#include "print.h"

#include <arpa/inet.h>
#include <string.h>

#include "sip_uri.h"

/* Room for what a column can hold at most; the shown width fits the content. */
enum { MAX_CELL = 300 };

struct widths {
	int address;
	int host;
};

static const char *source_name(int source)
{
	switch (source) {
	case 1:
		return "cache";
	case 2:
		return "network";
	case 3:
		return "literal";
	default:
		return "-";
	}
}

static void format_address(const struct target *target, char *text, size_t size)
{
	if (!inet_ntop((int)target->ip.af, target->ip.u.addr, text, (socklen_t)size))
		snprintf(text, size, "?");
}

void format_destination(const struct target *target, char *text, size_t size)
{
	char address[INET6_ADDRSTRLEN];
	int is_ipv6 = target->ip.af == AF_INET6;

	format_address(target, address, sizeof(address));
	snprintf(text, size, "%s%s%s:%u", is_ipv6 ? "[" : "", address, is_ipv6 ? "]" : "",
		 (unsigned)target->port);
}

static void format_ttl(int ttl, int source, char *text, size_t size)
{
	if (source == 3)
		snprintf(text, size, "-");
	else if (ttl < 0)
		snprintf(text, size, "forever");
	else
		snprintf(text, size, "%d", ttl);
}

/* A name as DNS gave it may hold octets that a terminal acts upon. */
static const char *printable(const char *name, char *text, size_t size)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++)
		text[i] = (name[i] > ' ' && name[i] < 0x7f) ? name[i] : '?';
	text[i] = '\0';
	return text;
}

static int same_naptr(const struct dns_reason *a, const struct dns_reason *b)
{
	return a->naptr_present == b->naptr_present
	       && (!a->naptr_present
		   || (a->naptr_order == b->naptr_order
		       && a->naptr_preference == b->naptr_preference
		       && strcmp(a->naptr_owner, b->naptr_owner) == 0
		       && strcmp(a->naptr_service, b->naptr_service) == 0
		       && strcmp(a->naptr_replacement, b->naptr_replacement) == 0));
}

static int same_srv_owner(const struct dns_reason *a, const struct dns_reason *b)
{
	return a->srv_present == b->srv_present
	       && (!a->srv_present || strcmp(a->srv_owner, b->srv_owner) == 0);
}

/* The lines that say how the targets below them were found. */
static void print_group(FILE *out, const struct dns_reason *why, const struct dns_reason *before)
{
	char owner[MAX_CELL], service[MAX_CELL], replacement[MAX_CELL], ttl[16];
	int new_naptr = !before || !same_naptr(why, before);

	if (why->naptr_present && new_naptr) {
		format_ttl(why->naptr_ttl, why->naptr_source, ttl, sizeof(ttl));
		fprintf(out, "  NAPTR %s: order %u, preference %u, %s -> %s  (ttl %s, %s)\n",
			printable(why->naptr_owner, owner, sizeof(owner)),
			(unsigned)why->naptr_order, (unsigned)why->naptr_preference,
			printable(why->naptr_service, service, sizeof(service)),
			printable(why->naptr_replacement, replacement, sizeof(replacement)), ttl,
			source_name(why->naptr_source));
	}
	if (!new_naptr && same_srv_owner(why, before))
		return;
	if (why->srv_present) {
		format_ttl(why->srv_ttl, why->srv_source, ttl, sizeof(ttl));
		fprintf(out, "  SRV %s  (ttl %s, %s)\n",
			printable(why->srv_owner, owner, sizeof(owner)), ttl,
			source_name(why->srv_source));
	} else if (why->addr_source == 3) {
		fprintf(out, "  the URI holds the address itself\n");
	} else {
		fprintf(out, "  no SRV record in use: the host's own address\n");
	}
}

static struct widths measure(const struct target_list *list)
{
	struct widths widths = {7, 4}; /* of "ADDRESS" and "HOST" */
	char address[INET6_ADDRSTRLEN];
	size_t i;
	int length;

	for (i = 0; i < list->count; i++) {
		format_address(&list->items[i], address, sizeof(address));
		length = (int)strlen(address);
		if (length > widths.address)
			widths.address = length;
		length = (int)strlen(list->items[i].reason.addr_owner);
		if (length > widths.host)
			widths.host = length;
	}
	return widths;
}

static void print_row(FILE *out, const struct report *report, size_t index, struct widths widths)
{
	const struct target *target = &report->list->items[index];
	const struct dns_reason *why = &target->reason;
	char address[INET6_ADDRSTRLEN], host[MAX_CELL], ttl[16], share[16] = "-";

	format_address(target, address, sizeof(address));
	format_ttl(why->addr_ttl, why->addr_source, ttl, sizeof(ttl));
	if (why->srv_present)
		snprintf(share, sizeof(share), "%u/%u", (unsigned)why->srv_priority,
			 (unsigned)why->srv_weight);
	if (why->addr_owner[0])
		printable(why->addr_owner, host, sizeof(host));
	else
		snprintf(host, sizeof(host), "-");
	fprintf(out, "%3u  %-9s  %-*s  %5u  %11s  %-*s  %7s  %s%s\n", (unsigned)(index + 1),
		sip_transport_name(target->transport), widths.address, address,
		(unsigned)target->port, share, widths.host, host, ttl,
		source_name(why->addr_source), index < report->dead ? "  DEAD" : "");
}

static void print_failover(FILE *out, const struct report *report)
{
	const struct target_list *list = report->list;
	char text[64];
	size_t i;

	for (i = 0; i < report->dead && i < list->count; i++) {
		format_destination(&list->items[i], text, sizeof(text));
		fprintf(out, "target %u, %s, declared dead -> ", (unsigned)(i + 1), text);
		if (i + 1 == list->count) {
			fprintf(out, "no target is left\n");
			return;
		}
		format_destination(&list->items[i + 1], text, sizeof(text));
		fprintf(out, "next is %u: %s %s\n", (unsigned)(i + 2),
			sip_transport_name(list->items[i + 1].transport), text);
	}
}

void print_table(FILE *out, const struct report *report)
{
	const struct target_list *list = report->list;
	const struct widths widths = measure(list);
	const struct dns_reason *before = NULL;
	size_t i;

	fprintf(out, "%3s  %-9s  %-*s  %5s  %11s  %-*s  %7s  %s\n", "#", "TRANSPORT", widths.address,
		"ADDRESS", "PORT", "PRIO/WEIGHT", widths.host, "HOST", "TTL", "FROM");
	for (i = 0; i < list->count; i++) {
		print_group(out, &list->items[i].reason, before);
		print_row(out, report, i, widths);
		before = &list->items[i].reason;
	}
	if (list->cut)
		fprintf(out, "there are more: the list was cut at %d targets\n", MAX_TARGETS);
	else if (list->code != END_OF_LIST)
		fprintf(out, "the list may be incomplete: %s\n", dns_strerror(list->code));
	print_failover(out, report);
}

/* What the library looked up, and how to read the code. */
void explain_failure(FILE *out, const struct report *report)
{
	const struct target_query *query = report->query;
	const char *host = query->host;
	int code = report->list->code;

	fprintf(out, "siptargets: no target for %s: %s (code %d)\n", report->uri,
		dns_strerror(code), code);
	switch (code) {
	case -12:
		fprintf(out, "  The NAPTR query for %s got no usable answer from any DNS server.\n"
			     "  This does not mean that the name does not exist.\n", host);
		break;
	case -5:
		fprintf(out, "  The SRV records of %s say that there is no such service, or their\n"
			     "  query got no usable answer from any DNS server.\n", host);
		break;
	case -7:
	case -1:
		if (query->port == 0)
			fprintf(out, "  No SRV record of %s led to an address,\n", host);
		fprintf(out, "  %s A or AAAA record of %s was found.\n",
			query->port == 0 ? "and no" : "No", host);
		break;
	case -11:
		fprintf(out, "  The address is of a family that dns_cache_flags or dns_try_ipv6 rules out.\n");
		break;
	default:
		break;
	}
}
