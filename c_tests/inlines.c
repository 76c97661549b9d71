/* Macros and inline functions of Kamailio's headers, and small functions without network. */

#include "check.h"

static void literals(void)
{
	struct
	{
		const char *text;
		const char *address; /* NULL: none */
		int family;
	} cases[] = {
			{"192.0.2.1", "192.0.2.1", AF_INET}, {"01.02.03.04", "1.2.3.4", AF_INET},
			{"300.1.1.1", NULL, 0}, {"1.2.3.", NULL, 0}, {"...", NULL, 0},
			{"1.2.3.4.5", NULL, 0}, {"[1.2.3.4]", NULL, 0}, {"::", "::", AF_INET6},
			{"[::1]", "::1", AF_INET6}, {"2001:DB8::A", "2001:db8::a", AF_INET6},
			{"1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0", AF_INET6},
			{"::ffff:1.2.3.4", "::ffff:1.2.3.4", AF_INET6}, {"12345::", NULL, 0},
			{"1:2:3:4:5:6:7:", NULL, 0}, {"fe80::1%eth0", NULL, 0}, {"[]", NULL, 0},
			{"[::1", NULL, 0}, {"host", NULL, 0}};
	size_t i;
	for(i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		str t = text(cases[i].text);
		char shown[INET6_ADDRSTRLEN] = "";
		struct ip_addr buffer;
		struct ip_addr *any = str2ipx(&t);
		struct ip_addr *v4 = str2ip(&t), *v6 = str2ip6(&t);
		int family = cases[i].family;
		memset(&buffer, 0, sizeof buffer);
		CHECK_INT(any != NULL, cases[i].address != NULL);
		CHECK_INT(v4 != NULL, family == AF_INET);
		CHECK_INT(v6 != NULL, family == AF_INET6);
		CHECK_INT(str2ipbuf(&t, &buffer) == 0, family == AF_INET);
		CHECK_INT(str2ip6buf(&t, &buffer) == 0, family == AF_INET6);
		CHECK_INT(str2ipxbuf(&t, &buffer) == 0, cases[i].address != NULL);
		if(any != NULL) {
			CHECK_INT(any->af, family);
			CHECK_INT(any->len, family == AF_INET ? 4 : 16);
			CHECK(memcmp(any, &buffer, sizeof buffer) == 0);
			inet_ntop(family, any->u.addr, shown, sizeof shown);
			CHECK_TEXT(shown, cases[i].address);
		}
	}
}

static void literal_results_rotate(void)
{
	str a = text("192.0.2.1"), b = text("192.0.2.2");
	struct ip_addr *first = str2ip(&a), *second = str2ip(&b);
	CHECK(first != second && first->u.addr[3] == 1 && second->u.addr[3] == 2);
}

static void macros(void)
{
	naptr_bmp_t bits = 5;
	struct srv_rdata srv = {0, 0, 0, 9, ""};
	struct naptr_rdata naptr;
	naptr_iterate_init(&bits);
	CHECK_INT(bits, 0);
	CHECK_INT(SRV_RDATA_SIZE(srv), sizeof srv + 9);
	memset(&naptr, 0, sizeof naptr);
	naptr.flags_len = 1, naptr.services_len = 7, naptr.regexp_len = 3, naptr.repl_len = 2;
	CHECK_INT(NAPTR_RDATA_SIZE(naptr), sizeof naptr + 13);
	CHECK_INT(HEX2I('a'), 10);
	CHECK_INT(HEX2I('F'), 15);
	CHECK_INT(HEX2I('g'), -1);
	CHECK_INT(MAX_NAPTR_RRS, 32);
	CHECK_INT(SRV_MAX_PREFIX_LEN, 11);
}

static void wire(void)
{
	unsigned char name[] = "\003sip\007example\000rest";
	unsigned char pointer[] = "\001a\300\014";
	unsigned char address[4] = {192, 0, 2, 7};
	struct a_rdata *a;
	CHECK(dns_skipname(name, name + sizeof name) == name + 13);
	CHECK(dns_skipname(name, name + 12) == NULL);
	CHECK(dns_skipname(pointer, pointer + 4) == pointer + 4);
	CHECK(dns_skipname(pointer, pointer + 3) == NULL);
	a = dns_a_parser(address, address + 4);
	CHECK(a != NULL && a->ip[3] == 7);
	free(a);
	CHECK(dns_a_parser(address, address + 3) == NULL);
	CHECK(dns_aaaa_parser(address, address + 4) == NULL);
}

static void search_list(void)
{
	struct __res_state state;
	memset(&state, 0, sizeof state);
	CHECK_INT(match_search_list(&state, (char *)"example.org"), 0);
	state.dnsrch[0] = (char *)"corp.example";
	state.dnsrch[1] = (char *)"example.org";
	CHECK_INT(match_search_list(&state, (char *)"Example.ORG"), 1);
	CHECK_INT(match_search_list(&state, (char *)"example.net"), 0);
}

#ifdef USE_NAPTR
static void protocols(void)
{
	struct dns_srv_proto list[8];
	char proto = PROTO_TLS;
	char name[MAX_DNS_NAME] = "untouched";
	str host = text("example.org");
	size_t count;

	count = create_srv_pref_list(&proto, list);
	CHECK_INT(count, 1);
	CHECK_INT(list[0].proto, PROTO_TLS);
	proto = PROTO_NONE;
	count = create_srv_pref_list(&proto, list);
	CHECK_INT(count, 3); /* sctp_disable is on */
	CHECK_INT(list[0].proto, PROTO_UDP);
	CHECK_INT(list[1].proto, PROTO_TCP);
	CHECK_INT(list[2].proto, PROTO_TLS);
	CHECK_INT(dns_option_set("dns_tls_pref", "100"), 0);
	CHECK_INT(create_srv_pref_list(NULL, list), 3);
	CHECK_INT(list[0].proto, PROTO_TLS);
	CHECK_INT(naptr_proto_preferred(PROTO_TLS, PROTO_UDP), 1);
	CHECK_INT(naptr_proto_preferred(PROTO_UDP, PROTO_TLS), 0);
	CHECK_INT(dns_option_set("dns_udp_pref", "-1"), 0);
	CHECK_INT(naptr_proto_supported(PROTO_UDP), 0);
	CHECK_INT(create_srv_pref_list(NULL, list), 2);
	/* nothing left: an empty list, no more */
	CHECK_INT(dns_option_set("dns_tls_pref", "-1"), 0);
	CHECK_INT(dns_option_set("dns_tcp_pref", "-1"), 0);
	CHECK_INT(create_srv_pref_list(NULL, list), 0);
	CHECK_INT(dns_option_set("dns_udp_pref", "30"), 0);
	CHECK_INT(dns_option_set("dns_tcp_pref", "20"), 0);
	CHECK_INT(dns_option_set("dns_tls_pref", "10"), 0);
	CHECK_INT(naptr_proto_supported(PROTO_UDP), 1);
	CHECK_INT(naptr_proto_supported(PROTO_SCTP), 0);
	CHECK_INT(naptr_proto_supported(PROTO_WS), 0);
	CHECK_INT(naptr_proto_supported(99), 0);

	create_srv_name(PROTO_WS, &host, name);
	CHECK_TEXT(name, "untouched");
	create_srv_name(PROTO_UDP, &host, name);
	CHECK_TEXT(name, "_sip._udp.example.org");
	create_srv_name(PROTO_TLS, &host, name);
	CHECK_TEXT(name, "_sips._tcp.example.org");
}

static struct naptr_rdata naptr(
		unsigned short order, unsigned short pref, const char *services, const char *repl)
{
	struct naptr_rdata n;
	memset(&n, 0, sizeof n);
	n.flags = (char *)"s", n.flags_len = 1;
	n.services = (char *)services, n.services_len = (unsigned char)strlen(services);
	n.regexp = (char *)"";
	n.repl = (char *)repl, n.repl_len = (unsigned char)strlen(repl);
	n.order = order, n.pref = pref;
	return n;
}

static void naptr_order(void)
{
	struct naptr_rdata tcp5 = naptr(20, 5, "SIP+D2T", "tcp5.example");
	struct naptr_rdata tcp4 = naptr(20, 4, "sip+d2t", "tcp4.example");
	struct naptr_rdata udp = naptr(40, 1, "SIP+D2U", "udp.example");
	struct naptr_rdata enumservice = naptr(1, 1, "E2U+sip", "enum.example");
	struct naptr_rdata *chosen = NULL;
	char chosen_proto = 0;
	struct rdata list[4];
	naptr_bmp_t tried;
	str name;
	char proto;
	const char *expected[] = {"udp.example", "tcp4.example", "tcp5.example"};
	size_t i;

	CHECK_INT(naptr_get_sip_proto(&udp), PROTO_UDP);
	CHECK_INT(naptr_get_sip_proto(&tcp4), PROTO_TCP);
	/* 255 where char has no sign */
	CHECK_INT((signed char)naptr_get_sip_proto(&enumservice), -1);
	CHECK_INT(naptr_choose(&chosen, &chosen_proto, &tcp5, PROTO_TCP), 1);
	CHECK_INT(naptr_choose(&chosen, &chosen_proto, &tcp4, PROTO_TCP), 1);
	CHECK_INT(naptr_choose(&chosen, &chosen_proto, &tcp5, PROTO_TCP), 0);
	CHECK_INT(naptr_choose(&chosen, &chosen_proto, &udp, PROTO_UDP), 1);
	CHECK(chosen == &udp && chosen_proto == PROTO_UDP);

	memset(list, 0, sizeof list);
	for(i = 0; i < 4; i++) {
		list[i].type = T_NAPTR;
		list[i].next = i < 3 ? &list[i + 1] : NULL;
	}
	list[0].rdata = &tcp5, list[1].rdata = &enumservice;
	list[2].rdata = &udp, list[3].rdata = &tcp4;
	naptr_iterate_init(&tried);
	for(i = 0; i < 3; i++) {
		struct rdata *found = naptr_sip_iterate(list, &tried, &name, &proto);
		CHECK(found != NULL);
		CHECK_INT(name.len, strlen(expected[i]));
		CHECK(memcmp(name.s, expected[i], (size_t)name.len) == 0);
	}
	CHECK(naptr_sip_iterate(list, &tried, &name, &proto) == NULL);
}
#endif

int main(void)
{
	watchdog(60);
	literals();
	literal_results_rotate();
	macros();
	wire();
	search_list();
#ifdef USE_NAPTR
	protocols();
	naptr_order();
#endif
#ifdef USE_DNS_CACHE
	CHECK_TEXT(dns_strerror(-E_DNS_NAME_TOO_LONG), "name too long");
	CHECK(dns_strerror(1) != NULL && dns_strerror(-99) != NULL);
#endif
	return checks_result();
}
