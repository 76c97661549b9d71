/* dns.explain and dns_explain(). */

#include "capture.h"

static char said[16384];

static void take_line(void *data, int depth, const char *subject, const char *line)
{
	size_t used = strlen(said);
	CHECK(data == said);
	CHECK(depth >= 0 && depth < 8);
	snprintf(said + used, sizeof said - used, "%d %s %s\n", depth, subject, line);
}

static void records(void)
{
	CHECK_INT(add_absent(33, "_sip._tcp.e.example"), 0);
	CHECK_INT(add_absent(33, "_sips._tcp.e.example"), 0);
	CHECK_INT(add(33, "_sip._udp.e.example", "h.e.example", 10, 20, 5070), 0);
	CHECK_INT(add(33, "_sip._udp.e.example", "h2.e.example", 20, 20, 5071), 0);
	CHECK_INT(add(1, "h.e.example", "192.0.2.1", 0, 0, 0), 0);
	CHECK_INT(add(1, "h2.e.example", "192.0.2.2", 0, 0, 0), 0);
}

static void as_function(void)
{
	said[0] = '\0';
	CHECK_INT(dns_explain("sip:alice@e.example", DNS_IPV4_ONLY, take_line, said), 2);
	CHECK(strstr(said, "0 uri host e.example, no port, no transport\n") == said);
	CHECK(strstr(said, "1 option dns_try_naptr=no: no NAPTR\n") != NULL);
	CHECK(strstr(said, "1 srv SRV _sip._udp.e.example: 2 records from the cache, permanent;") != NULL);
	CHECK(strstr(said, "2 srv 1. priority 10 weight 20 -> h.e.example:5070\n") != NULL);
	CHECK(strstr(said, "1 srv _sip._tcp.e.example: not asked, udp has targets\n") != NULL);
	CHECK(strstr(said, "0 target 1. udp 192.0.2.1:5070\n") != NULL);
	CHECK(strstr(said, "0 target 2. udp 192.0.2.2:5071\n") != NULL);
	CHECK_INT(dns_explain("sip:e.example", DNS_IPV4_ONLY, NULL, NULL), 2);
	CHECK(dns_explain("http://e.example", 0, take_line, said) < 0);
	CHECK(dns_explain(NULL, 0, take_line, said) < 0);
}

static void as_command(void)
{
	CALL(dns_explain_rpc, "sip:e.example;transport=udp");
	CHECK_INT(last_fault, 0);
	CHECK(strstr(reply, "{ uri=sip:e.example;transport=udp tree=[ uri: host e.example, no port, udp ")
			== reply);
	CHECK(strstr(reply, "  naptr: the URI names the transport") != NULL);
	CHECK(strstr(reply, " targets=[ 1. udp 192.0.2.1:5070 2. udp 192.0.2.2:5071 ") != NULL);
	CALL(dns_explain_rpc, "mailto:x@e.example");
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "Not a SIP URI");
	CALL(dns_explain_rpc, "sip:e.example:0");
	CHECK_TEXT(last_fault_text, "Bad port in the URI");
	CALL0(dns_explain_rpc);
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "A SIP URI is wanted");
	struct_limit = 0;
	CALL(dns_explain_rpc, "sip:e.example");
	CHECK_INT(last_fault, 500);
	struct_limit = 1 << 30;
	/* nobody listens at the nameserver's port */
	CALL(dns_explain_rpc, "sip:lost.example:5060");
	CHECK_INT(last_fault, 0);
	CHECK(strstr(reply, "A lost.example: the servers cannot be reached") != NULL);
	CHECK(strstr(reply, " targets=[ no target: no address ") != NULL);
	CHECK_INT(dns_option_set("use_dns_cache", "0"), 0);
	CALL(dns_explain_rpc, "sip:e.example");
	CHECK_INT(last_fault, 500);
}

int main(void)
{
	watchdog(60);
	use_no_network();
	CHECK_INT(resolv_init(), 0);
	CHECK_INT(init_dns_cache(), 0);
	records();
	as_function();
	as_command();
	return checks_result();
}
