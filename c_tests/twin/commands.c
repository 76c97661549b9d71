/* The commands of a case, one line each. In the arguments `-` is a NULL pointer, `g` as flags the
 * library's own dns_flags. */

#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/dns_cache.h"
#include "core/ip_addr.h"
#include "core/resolve.h"
#include "core/str.h"

#include "twin.h"

#define MAX_WORDS 16
/* more steps than any case has targets: who gets here does not end */
#define MAX_STEPS 24

static char *words[MAX_WORDS];
static int word_count;

/* in words: an empty argument is written "" */
static const char *word(int i)
{
	if(i >= word_count)
		return "-";
	return strcmp(words[i], "\"\"") == 0 ? "" : words[i];
}

static int is_null(int i)
{
	return strcmp(word(i), "-") == 0;
}

static long number(int i)
{
	return is_null(i) ? 0 : strtol(word(i), NULL, 0);
}

static int flags_word(int i)
{
	return strcmp(word(i), "g") == 0 ? dns_flags : (int)number(i);
}

/* the same terminated text as callers have */
static str text(int i)
{
	str s;
	s.s = (char *)word(i);
	s.len = (int)strlen(s.s);
	return s;
}

static void put_ip(FILE *out, const struct ip_addr *ip)
{
	char buffer[INET6_ADDRSTRLEN];
	if((ip->af == AF_INET && ip->len == 4) || (ip->af == AF_INET6 && ip->len == 16))
		fputs(inet_ntop((int)ip->af, ip->u.addr, buffer, sizeof buffer), out);
	else
		fprintf(out, "(af %u, length %u)", ip->af, ip->len);
}

/* ADDRESS:PORT/PROTO, without what was not asked for (negative) */
static void put_target(FILE *out, const struct ip_addr *ip, int port, int proto)
{
	if(port >= 0 && ip->af == AF_INET6)
		putc('[', out);
	put_ip(out, ip);
	if(port >= 0)
		fprintf(out, ip->af == AF_INET6 ? "]:%d" : ":%d", port);
	if(proto >= 0)
		fprintf(out, "/%d", proto);
}

static void put_hostent(FILE *out, const struct hostent *he)
{
	char buffer[INET6_ADDRSTRLEN];
	int i;
	if(he == NULL) {
		fputs("NULL", out);
		return;
	}
	fprintf(out, "%s", he->h_name);
	for(i = 0; he->h_aliases != NULL && he->h_aliases[i] != NULL; i++)
		fprintf(out, " alias %s", he->h_aliases[i]);
	for(i = 0; he->h_addr_list[i] != NULL; i++)
		fprintf(out, " %s",
				inet_ntop(he->h_addrtype, he->h_addr_list[i], buffer, sizeof buffer));
	if(he->h_length != (he->h_addrtype == AF_INET ? 4 : 16))
		fprintf(out, " (length %d)", he->h_length);
}

/* --- failover handles; number 0 to 3 */

static struct dns_srv_handle handles[4];
static struct {
	unsigned short port;
	char proto;
} last[4];

/* A resolve; proto goes on from the step before, as forward() does it. */
static int resolve_step(FILE *out, int h, int name, int port, int proto, int flags)
{
	struct ip_addr ip;
	unsigned short port_value = (unsigned short)number(port);
	str host = text(name);
	int result;
	memset(&ip, 0, sizeof ip);
	result = dns_sip_resolve(&handles[h], &host, &ip, is_null(port) ? NULL : &port_value,
			is_null(proto) ? NULL : &last[h].proto, flags);
	last[h].port = port_value;
	if(result < 0) {
		fprintf(out, "%d", result);
	} else {
		if(result > 0)
			fprintf(out, "%d ", result);
		put_target(out, &ip, is_null(port) ? -1 : port_value,
				is_null(proto) ? -1 : last[h].proto);
	}
	return result;
}

/* sip NAME PORT PROTO FLAGS: all targets */
static void do_sip(FILE *out)
{
	int step, result;
	dns_srv_handle_init(&handles[0]);
	last[0].proto = (char)number(3);
	for(step = 0; step < MAX_STEPS; step++) {
		if(step)
			putc(' ', out);
		result = resolve_step(out, 0, 1, 2, 3, flags_word(4));
		if(!dns_srv_handle_next(&handles[0], result))
			break;
	}
	if(step == MAX_STEPS)
		fputs(" and no end", out);
	dns_srv_handle_put(&handles[0]);
}

/* walk NAME PORT PROTO FLAGS: how many targets there are, up to a thousand */
static void do_walk(FILE *out)
{
	int steps, result = 0;
	dns_srv_handle_init(&handles[0]);
	last[0].proto = (char)number(3);
	for(steps = 0; steps < 1000; steps++) {
		struct ip_addr ip;
		unsigned short port = (unsigned short)number(2);
		str host = text(1);
		result = dns_sip_resolve(&handles[0], &host, &ip, &port, &last[0].proto, flags_word(4));
		if(!dns_srv_handle_next(&handles[0], result))
			break;
	}
	if(steps == 1000)
		fputs("no end", out);
	else
		fprintf(out, "%d targets, then %d", steps, result);
	dns_srv_handle_put(&handles[0]);
}

/* h-init H PROTO, h-resolve H NAME PORT PROTO FLAGS, h-next H, h-put H, h-copy FROM TO */
static void do_handle(FILE *out, const char *what)
{
	int h = (int)number(1) & 3;
	if(strcmp(what, "init") == 0) {
		dns_srv_handle_init(&handles[h]);
		last[h].proto = (char)number(2);
	} else if(strcmp(what, "resolve") == 0) {
		resolve_step(out, h, 2, 3, 4, flags_word(5));
		return;
	} else if(strcmp(what, "next") == 0) {
		fprintf(out, "%d", dns_srv_handle_next(&handles[h], 0) != 0);
		return;
	} else if(strcmp(what, "put") == 0) {
		dns_srv_handle_put(&handles[h]);
	} else if(strcmp(what, "copy") == 0) {
		int to = (int)number(2) & 3;
		dns_srv_handle_cpy(&handles[to], &handles[h]);
		last[to] = last[h];
	} else {
		fprintf(out, "no such command");
		return;
	}
	fputs("ok", out);
}

/* he NAME PORT PROTO: the resolver for callers without failover; raw-he: the part without cache */
static void do_he(FILE *out, int raw)
{
	str host = text(1);
	unsigned short port = (unsigned short)number(2);
	char proto = (char)number(3);
	unsigned short *port_place = is_null(2) ? NULL : &port;
	char *proto_place = is_null(3) ? NULL : &proto;
	struct hostent *he;
	if(raw)
		he = _sip_resolvehost(&host, port_place, proto_place);
	else
		he = sip_resolvehost(&host, port_place, proto_place);
	put_hostent(out, he);
	if(he != NULL && port_place != NULL)
		fprintf(out, " :%d", port);
	if(he != NULL && proto_place != NULL)
		fprintf(out, " /%d", proto);
}

/* su NAME PORT PROTO */
static void do_su(FILE *out)
{
	union sockaddr_union su;
	struct ip_addr ip;
	str host = text(1);
	char proto = (char)number(3);
	int result;
	memset(&su, 0, sizeof su);
	result = sip_hostport2su(&su, &host, (unsigned short)number(2), is_null(3) ? NULL : &proto);
	fprintf(out, "%d", result);
	if(result < 0)
		return;
	su2ip_addr(&ip, &su);
	putc(' ', out);
	put_target(out, &ip, su_getport(&su), is_null(3) ? -1 : proto);
}

static void put_counted(FILE *out, const char *s, int length)
{
	fprintf(out, " \"%.*s\"", length, s);
}

/* record NAME TYPE FLAGS: the list as get_record() gives it */
static void do_record(FILE *out)
{
	struct rdata *list = get_record((char *)word(1), (int)number(2), (int)number(3)), *rr;
	char buffer[INET6_ADDRSTRLEN];
	int i;
	if(list == NULL) {
		fputs("NULL", out);
		return;
	}
	for(rr = list; rr != NULL; rr = rr->next) {
		if(rr != list)
			fputs("; ", out);
		fprintf(out, "%s %u", rr->name, rr->ttl);
		if(rr->rdata == NULL) {
			fprintf(out, " type %d", rr->type);
			continue;
		}
		switch(rr->type) {
			case T_A:
				fprintf(out, " A %s", inet_ntop(AF_INET, ((struct a_rdata *)rr->rdata)->ip,
											  buffer, sizeof buffer));
				break;
			case T_AAAA:
				fprintf(out, " AAAA %s",
						inet_ntop(AF_INET6, ((struct aaaa_rdata *)rr->rdata)->ip6, buffer,
								sizeof buffer));
				break;
			case T_CNAME:
				fprintf(out, " CNAME %s", ((struct cname_rdata *)rr->rdata)->name);
				break;
			case T_PTR:
				fprintf(out, " PTR %s", ((struct ptr_rdata *)rr->rdata)->ptrdname);
				break;
			case T_SRV: {
				struct srv_rdata *srv = rr->rdata;
				fprintf(out, " SRV %d %d %d %s", srv->priority, srv->weight, srv->port,
						srv->name);
				break;
			}
			case T_NAPTR: {
				struct naptr_rdata *n = rr->rdata;
				fprintf(out, " NAPTR %d %d", n->order, n->pref);
				put_counted(out, n->flags, n->flags_len);
				put_counted(out, n->services, n->services_len);
				put_counted(out, n->regexp, n->regexp_len);
				fprintf(out, " %s", n->repl);
				break;
			}
			case T_TXT: {
				struct txt_rdata *txt = rr->rdata;
				fputs(" TXT", out);
				for(i = 0; i < txt->cstr_no; i++)
					put_counted(out, txt->txt[i].cstr, txt->txt[i].cstr_len);
				break;
			}
			case T_EBL: {
				struct ebl_rdata *ebl = rr->rdata;
				fprintf(out, " EBL %d", ebl->position);
				put_counted(out, ebl->separator, ebl->separator_len);
				put_counted(out, ebl->apex, ebl->apex_len);
				break;
			}
			default:
				fprintf(out, " type %d with data", rr->type);
		}
	}
	free_rdata_list(list);
}

/* literal TEXT: all parsers */
static void do_literal(FILE *out)
{
	str s = text(1);
	ip_addr_t *ip, buffer;
	int result;
	ip = str2ip(&s);
	fputs("v4 ", out);
	ip ? put_ip(out, ip) : (void)fputs("NULL", out);
	ip = str2ip6(&s);
	fputs(" v6 ", out);
	ip ? put_ip(out, ip) : (void)fputs("NULL", out);
	ip = str2ipx(&s);
	fputs(" any ", out);
	ip ? put_ip(out, ip) : (void)fputs("NULL", out);
	result = str2ipxbuf(&s, &buffer);
	fprintf(out, " buffer %s", result == 0 ? "ok" : "no");
}

/* protocols PROTO: order in which SRV names are asked */
static void do_protocols(FILE *out)
{
	struct dns_srv_proto list[PROTO_LAST + 1];
	char proto = (char)number(1);
	size_t count, i;
	memset(list, 0, sizeof list);
	count = create_srv_pref_list(is_null(1) ? NULL : &proto, list);
	fprintf(out, "%d:", (int)count);
	for(i = 0; i < count && i < PROTO_LAST; i++)
		fprintf(out, " %d", list[i].proto);
}

/* add TYPE NAME TTL VALUE PRIORITY WEIGHT PORT FLAGS; remove TYPE NAME VALUE FLAGS */
static void do_add(FILE *out)
{
	str name = text(2), value = text(4);
	fprintf(out, "%d",
			dns_cache_add_record((unsigned short)number(1), &name, (int)number(3), &value,
					(int)number(5), (int)number(6), (int)number(7), (int)number(8)));
}

static void do_remove(FILE *out)
{
	str name = text(2), value = text(3);
	fprintf(out, "%d", dns_cache_delete_single_record(
							   (unsigned short)number(1), &name, &value, (int)number(4)));
}

/* ip NAME FLAGS, srv-ip NAME FLAGS, get-he NAME FLAGS, srv-he NAME FLAGS */
static void do_get(FILE *out, const char *what)
{
	str name = text(1);
	struct ip_addr ip;
	unsigned short port = 0;
	int flags = flags_word(2), result;
	struct hostent *he;
	memset(&ip, 0, sizeof ip);
	if(strcmp(what, "get-he") == 0) {
		put_hostent(out, dns_get_he(&name, flags));
		return;
	}
	if(strcmp(what, "srv-he") == 0) {
		he = dns_srv_get_he(&name, &port, flags);
		put_hostent(out, he);
		if(he != NULL)
			fprintf(out, " :%d", port);
		return;
	}
	result = strcmp(what, "ip") == 0 ? dns_get_ip(&name, &ip, flags)
									 : dns_srv_get_ip(&name, &ip, &port, flags);
	fprintf(out, "%d", result);
	if(result < 0)
		return;
	putc(' ', out);
	put_target(out, &ip, strcmp(what, "srv-ip") == 0 ? port : -1, -1);
}

/* asked DOMAIN: types of the queries for names in it since the last time, from the DNS server */
static void do_asked(FILE *out)
{
	struct sockaddr_in to;
	struct timeval patience = {10, 0};
	char reply[512];
	ssize_t length = -1;
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	memset(&to, 0, sizeof to);
	to.sin_family = AF_INET;
	to.sin_port = htons(5399);
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if(connect(s, (struct sockaddr *)&to, sizeof to) == 0
			&& send(s, word(1), strlen(word(1)), 0) > 0)
		length = recv(s, reply, sizeof reply, 0);
	close(s);
	if(length < 0)
		fputs("the DNS server does not answer", out);
	else
		fwrite(reply, 1, (size_t)length, out);
}

static void run(FILE *out)
{
	const char *what = words[0];
	unsigned int value;
	if(strcmp(what, "sip") == 0) {
		do_sip(out);
	} else if(strcmp(what, "walk") == 0) {
		do_walk(out);
	} else if(strncmp(what, "h-", 2) == 0) {
		do_handle(out, what + 2);
	} else if(strcmp(what, "he") == 0) {
		do_he(out, 0);
	} else if(strcmp(what, "raw-he") == 0) {
		do_he(out, 1);
	} else if(strcmp(what, "host") == 0) {
		put_hostent(out, resolvehost((char *)word(1)));
	} else if(strcmp(what, "su") == 0) {
		do_su(out);
	} else if(strcmp(what, "ip") == 0 || strcmp(what, "srv-ip") == 0
			  || strcmp(what, "get-he") == 0 || strcmp(what, "srv-he") == 0) {
		do_get(out, what);
	} else if(strcmp(what, "record") == 0) {
		do_record(out);
	} else if(strcmp(what, "asked") == 0) {
		do_asked(out);
	} else if(strcmp(what, "forget") == 0) {
		FILE *nowhere = fopen("/dev/null", "w");
		do_asked(nowhere);
		fclose(nowhere);
		fputs("ok", out);
	} else if(strcmp(what, "literal") == 0) {
		do_literal(out);
	} else if(strcmp(what, "protocols") == 0) {
		do_protocols(out);
	} else if(strcmp(what, "add") == 0) {
		do_add(out);
	} else if(strcmp(what, "remove") == 0) {
		do_remove(out);
	} else if(strcmp(what, "rpc") == 0) {
		int i;
		for(i = 2; i < word_count; i++)
			words[i] = (char *)word(i);
		rpc_call(out, word(1), words + 2, word_count - 2);
	} else if(strcmp(what, "flush") == 0) {
		dns_cache_flush((int)number(1));
		fputs("ok", out);
	} else if(strcmp(what, "local-ttl") == 0) {
		dns_set_local_ttl((int)number(1));
		fputs("ok", out);
	} else if(strcmp(what, "seconds") == 0) {
		host_advance(16 * number(1));
		fputs("ok", out);
	} else if(strcmp(what, "ticks") == 0) {
		host_advance(number(1));
		fputs("ok", out);
	} else if(strcmp(what, "counters") == 0) {
		fprintf(out, "failed %ld slow %ld", host_counter("failed_dns_request"),
				host_counter("slow_dns_request"));
	} else if(strcmp(what, "set") == 0) {
		fprintf(out, "%d", host_set(word(1), number(2)));
	} else if(strcmp(what, "get") == 0) {
		if(strcmp(word(1), "dns_flags") == 0)
			fprintf(out, "%d", dns_flags);
		else if(host_get(word(1), &value) == 0)
			fprintf(out, "%d", (int)value);
		else
			fputs("no such option", out);
	} else if(strcmp(what, "error") == 0) {
		fputs(dns_strerror((int)number(1)), out);
	} else if(strcmp(what, "resolv-init") == 0) {
		fprintf(out, "%d", resolv_init());
	} else if(strcmp(what, "destroy") == 0) {
		destroy_dns_cache();
		fputs("ok", out);
	} else {
		fputs("no such command", out);
	}
}

void command_run(char *line, FILE *out)
{
	char *at = line;
	word_count = 0;
	while(word_count < MAX_WORDS) {
		while(isspace((unsigned char)*at))
			*at++ = '\0';
		if(*at == '\0')
			break;
		words[word_count++] = at;
		while(*at != '\0' && !isspace((unsigned char)*at))
			at++;
	}
	if(word_count > 0)
		run(out);
}
