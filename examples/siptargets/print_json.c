#include "print.h"

#include <arpa/inet.h>

#include "sip_uri.h"

void print_json_string(FILE *out, const char *text)
{
	const unsigned char *c;

	fputc('"', out);
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c == '"' || *c == '\\')
			fprintf(out, "\\%c", *c);
		else if (*c < ' ' || *c >= 0x7f)
			/* DNS names are octets, not UTF-8: each is one character here. */
			fprintf(out, "\\u%04x", (unsigned)*c);
		else
			fputc(*c, out);
	}
	fputc('"', out);
}

static void member_string(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\"%s\":", name);
	print_json_string(out, text);
}

/* Time to live and origin, the last members of each record. */
static void members_ttl_from(FILE *out, int ttl, int source)
{
	static const char *const names[] = {"none", "cache", "network", "literal"};

	if (ttl < 0)
		fprintf(out, ",\"ttl\":null");
	else
		fprintf(out, ",\"ttl\":%d", ttl);
	fprintf(out, ",\"from\":\"%s\"", source >= 0 && source <= 3 ? names[source] : "none");
}

static void member_naptr(FILE *out, const struct dns_reason *why)
{
	fprintf(out, "\"naptr\":");
	if (!why->naptr_present) {
		fprintf(out, "null");
		return;
	}
	fputc('{', out);
	member_string(out, "owner", why->naptr_owner);
	fprintf(out, ",\"order\":%u,\"preference\":%u,", (unsigned)why->naptr_order,
		(unsigned)why->naptr_preference);
	member_string(out, "service", why->naptr_service);
	fputc(',', out);
	member_string(out, "replacement", why->naptr_replacement);
	members_ttl_from(out, why->naptr_ttl, why->naptr_source);
	fputc('}', out);
}

static void member_srv(FILE *out, const struct dns_reason *why)
{
	fprintf(out, "\"srv\":");
	if (!why->srv_present) {
		fprintf(out, "null");
		return;
	}
	fputc('{', out);
	member_string(out, "owner", why->srv_owner);
	fprintf(out, ",\"priority\":%u,\"weight\":%u,\"port\":%u,", (unsigned)why->srv_priority,
		(unsigned)why->srv_weight, (unsigned)why->srv_port);
	member_string(out, "target", why->srv_target);
	members_ttl_from(out, why->srv_ttl, why->srv_source);
	fputc('}', out);
}

static void print_target(FILE *out, const struct report *report, size_t index)
{
	const struct target *target = &report->list->items[index];
	const struct dns_reason *why = &target->reason;
	char address[INET6_ADDRSTRLEN];

	if (!inet_ntop((int)target->ip.af, target->ip.u.addr, address, sizeof(address)))
		address[0] = '\0';
	fprintf(out, "{\"rank\":%u,\"transport\":\"%s\",\"address\":\"%s\",\"port\":%u,\"dead\":%s,",
		(unsigned)(index + 1), sip_transport_name(target->transport), address,
		(unsigned)target->port, index < report->dead ? "true" : "false");
	member_naptr(out, why);
	fputc(',', out);
	member_srv(out, why);
	fprintf(out, ",\"host\":{");
	member_string(out, "owner", why->addr_owner);
	members_ttl_from(out, why->addr_source == 3 ? -1 : why->addr_ttl, why->addr_source);
	fprintf(out, "}}");
}

void print_json_members(FILE *out, const struct report *report)
{
	const struct target_list *list = report->list;
	size_t i;

	fprintf(out, "\"targets\":[");
	for (i = 0; i < list->count; i++) {
		fprintf(out, "%s\n", i ? "," : "");
		print_target(out, report, i);
	}
	fprintf(out, "],\n\"complete\":%s,",
		!list->cut && list->code == END_OF_LIST ? "true" : "false");
	if (report->dead < list->count)
		fprintf(out, "\"chosen\":%u,", (unsigned)(report->dead + 1));
	else
		fprintf(out, "\"chosen\":null,");
	if (list->count) {
		fprintf(out, "\"error\":null");
		return;
	}
	fprintf(out, "\"error\":{\"code\":%d,", list->code);
	member_string(out, "message", dns_strerror(list->code));
	fputc('}', out);
}
