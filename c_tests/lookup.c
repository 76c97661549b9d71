/* Lookups answered by permanent records, without any network. */

#include "check.h"

static void hosts(void)
{
	str name = text("two.example"), six = text("six.example"), none = text("none.example");
	str literal = text("192.0.2.77");
	struct ip_addr ip;
	struct hostent *host;

	CHECK_INT(add(1, "two.example", "192.0.2.1", 0, 0, 0), 0);
	CHECK_INT(add(1, "two.example", "192.0.2.2", 0, 0, 0), 0);
	CHECK_INT(add(28, "six.example", "2001:db8::6", 0, 0, 0), 0);
	CHECK_INT(add_absent(1, "six.example"), 0);
	CHECK_INT(add_absent(1, "none.example"), 0);
	CHECK_INT(add_absent(28, "none.example"), 0);

	host = resolvehost((char *)"two.example");
	CHECK(host != NULL);
	if(host != NULL) {
		CHECK_TEXT(host->h_name, "two.example");
		CHECK_INT(host->h_addrtype, AF_INET);
		CHECK_INT(host->h_length, 4);
		CHECK(host->h_aliases != NULL && host->h_aliases[0] == NULL);
		CHECK(host->h_addr_list[0] != NULL && host->h_addr_list[1] != NULL);
		CHECK(host->h_addr_list[2] == NULL);
		CHECK_INT((unsigned char)host->h_addr_list[1][3], 2);
	}
	CHECK(resolvehost((char *)"TWO.Example") != NULL);
	CHECK(dns_resolvehost((char *)"two.example") != NULL);
	host = dns_get_he(&six, DNS_NO_FLAGS);
	CHECK(host != NULL && host->h_addrtype == AF_INET6 && host->h_length == 16);
	CHECK(dns_get_he(&six, DNS_IPV4_ONLY) == NULL);
	CHECK(dns_get_he(&none, DNS_NO_FLAGS) == NULL);
	CHECK(resolvehost((char *)"none.example") == NULL);
	CHECK(resolvehost((char *)"") == NULL);
	CHECK(resolvehost(NULL) == NULL);

	CHECK_INT(dns_get_ip(&name, &ip, DNS_NO_FLAGS), 0);
	CHECK_TEXT(ip_text(&ip), "192.0.2.1");
	CHECK_INT(dns_get_ip(&literal, &ip, DNS_NO_FLAGS), 0);
	CHECK_TEXT(ip_text(&ip), "192.0.2.77");
	ip.af = 1234;
	CHECK_INT(dns_get_ip(&none, &ip, DNS_NO_FLAGS), -E_DNS_NO_IP);
	CHECK_INT(ip.af, 1234);
}

static void results_stay(void)
{
	char first[64];
	struct hostent *host = resolvehost((char *)"two.example"), *other = NULL;
	int i;
	CHECK(host != NULL);
	strcpy(first, host->h_name);
	for(i = 0; i < 10; i++)
		other = resolvehost((char *)"192.0.2.200");
	CHECK(other != NULL && other != host);
	CHECK_TEXT(host->h_name, first);
	CHECK_INT((unsigned char)host->h_addr_list[0][3], 1);
}

static void services(void)
{
	str name = text("srv.example"), prefixed = text("_sip._udp.srv.example");
	str literal = text("192.0.2.9");
	union sockaddr_union su;
	struct ip_addr ip;
	struct hostent *host;
	unsigned short port = 0;
	/* callers cast the address of wider variables: only one octet may change */
	int wide = 0x11223300;

	CHECK_INT(add(33, "_sip._udp.srv.example", "two.example", 10, 5, 5071), 0);
	host = dns_srv_get_he(&prefixed, &port, DNS_NO_FLAGS);
	CHECK(host != NULL);
	CHECK_INT(port, 5071);
	port = 0;
	CHECK_INT(dns_srv_get_ip(&prefixed, &ip, &port, DNS_NO_FLAGS), 0);
	CHECK_INT(port, 5071);
	CHECK_TEXT(ip_text(&ip), "192.0.2.1");

	port = 0;
	host = sip_resolvehost(&name, &port, (char *)&wide);
	CHECK(host != NULL);
	CHECK_INT(port, 5071);
	CHECK_INT(wide, 0x11223301);
	/* a given port wins over SRV (B12) */
	port = 5080;
	host = sip_resolvehost(&literal, &port, NULL);
	CHECK(host != NULL);
	CHECK_INT(port, 5080);

	memset(&su, 0, sizeof su);
	wide = 0;
	CHECK_INT(sip_hostport2su(&su, &name, 0, (char *)&wide), 0);
	CHECK_INT(su.sin.sin_family, AF_INET);
	CHECK_INT(ntohs(su.sin.sin_port), 5071);
	CHECK_INT(ntohl(su.sin.sin_addr.s_addr), 0xC0000201);
	CHECK_INT(sip_hostport2su(&su, &literal, 5090, NULL), 0);
	CHECK_INT(ntohs(su.sin.sin_port), 5090);
	name = text("none.example");
	wide = PROTO_UDP;
	memset(&su, 7, sizeof su);
	CHECK_INT(sip_hostport2su(&su, &name, 5060, (char *)&wide), -1);
	CHECK_INT(su.sin.sin_port, 0x0707);
}

static void editing(void)
{
	str name = text("edit.example"), value = text("192.0.2.10"), bad = text("300.1.1.1");
	str other = text("192.0.2.11"), empty = text("");
	char long_name[300];
	str longest;

	memset(long_name, 'a', sizeof long_name);
	longest.s = long_name, longest.len = sizeof long_name;
	CHECK_INT(dns_cache_add_record(1, &name, 60, &bad, 0, 0, 0, 0), -1);
	CHECK_INT(dns_cache_add_record(16, &name, 60, &value, 0, 0, 0, 0), -1);
	CHECK_INT(dns_cache_add_record(0, &name, 60, &value, 0, 0, 0, 0), -1);
	CHECK_INT(dns_cache_add_record(1, &empty, 60, &value, 0, 0, 0, 0), -1);
	CHECK_INT(dns_cache_add_record(1, &name, 60, &empty, 0, 0, 0, 0), -1);
	CHECK_INT(dns_cache_add_record(1, &longest, 60, &value, 0, 0, 0, 0), -1);
	CHECK_INT(dns_cache_add_record(33, &name, 60, &value, 70000, 0, 0, 0), -1);
	CHECK_INT(dns_cache_add_record(1, &name, 60, &value, 0, 0, 0, 0), 0);
	CHECK(resolvehost((char *)"edit.example") != NULL);
	CHECK_INT(dns_cache_add_record(1, &name, 60, &other, 0, 0, 0, 0), 0);
	CHECK(resolvehost((char *)"edit.example")->h_addr_list[1] != NULL);
	CHECK_INT(dns_cache_delete_single_record(1, &name, &value, DNS_FLAG_PERMANENT), -1);
	CHECK_INT(dns_cache_delete_single_record(1, &name, &value, 0), 0);
	CHECK(resolvehost((char *)"edit.example")->h_addr_list[1] == NULL);
	CHECK_INT(dns_cache_delete_single_record(1, &name, &value, 0), -1);
	/* a flush without force spares what is permanent */
	dns_cache_flush(0);
	CHECK(resolvehost((char *)"two.example") != NULL);
	CHECK_INT(dns_cache_delete_single_record(1, &name, &other, 0), -1);
}

int main(void)
{
	watchdog(60);
	use_no_network();
	CHECK_INT(dns_option_set("sctp_disable", "1"), 0);
	CHECK_INT(resolv_init(), 0);
	CHECK_INT(init_dns_cache(), 0);
	hosts();
	results_stay();
	services();
	editing();
	CHECK_INT(dns_gc_run(), 0);
	/* nothing is due */
	CHECK_INT(dns_refresh_run(), 0);
	CHECK_INT(dns_refresh_start(), 0);
	CHECK_INT(dns_refresh_start(), 0);
	dns_refresh_stop();
	destroy_dns_cache();
	CHECK_INT(dns_gc_run(), -1);
	CHECK_INT(dns_refresh_run(), -1);
	CHECK_INT(dns_refresh_start(), -1);
	dns_refresh_stop();
	/* past the cache, literals still work */
	CHECK(resolvehost((char *)"192.0.2.1") != NULL);
	return checks_result();
}
