/*
 * The exported variables. An executable takes a copy relocation of those it names, so this shows that
 * both sides see one variable: C writes and the library reads, and the other way round.
 */

#include "check.h"

static int my_init_called;

static int my_init(void)
{
	my_init_called++;
	return 0;
}

static struct hostent *my_gethostbyname(const char *name)
{
	static char address[4] = {(char)192, 0, 2, 99};
	static char *addresses[2] = {address, NULL};
	static char *aliases[2] = {(char *)"alias.example", NULL};
	static struct hostent host;
	host.h_name = (char *)name;
	host.h_aliases = aliases;
	host.h_addrtype = AF_INET;
	host.h_length = 4;
	host.h_addr_list = addresses;
	return &host;
}

int main(void)
{
	char buffer[64];
	struct dns_func_t functions;
	struct hostent *host;

	watchdog(60);
	use_no_network();
#ifdef USE_DNS_CACHE
	CHECK_INT(dns_cache_init, 1);
	CHECK_INT(dns_timer_interval, 120);
	CHECK_INT(dns_flags, 0);
	dns_timer_interval = 77;
	CHECK_INT(dns_option_get("dns_cache_gc_interval", buffer, sizeof buffer), 2);
	CHECK_TEXT(buffer, "77");
	CHECK_INT(dns_option_set("dns_cache_gc_interval", "60"), 0);
	CHECK_INT(dns_timer_interval, 60);

	/* without a cache the flags stay 0, whatever the options say */
	dns_cache_init = 0;
	CHECK_INT(dns_option_set("dns_srv_lb", "on"), 0);
	CHECK_INT(init_dns_cache(), 0);
	CHECK_INT(dns_flags, 0);
	dns_option_get("use_dns_cache", buffer, sizeof buffer);
	CHECK_TEXT(buffer, "0");
	dns_cache_init = 1;
	CHECK_INT(dns_option_set("use_dns_cache", "1"), 0);
	CHECK_INT(init_dns_cache(), 0);
	CHECK_INT(dns_flags, DNS_SRV_RR_LB);
	CHECK_INT(dns_option_set("dns_cache_flags", "4"), 0);
	CHECK_INT(dns_flags, DNS_SRV_RR_LB | DNS_IPV6_FIRST);
	CHECK_INT(dns_option_set("dns_try_ipv6", "no"), 0);
	CHECK_INT(dns_flags, DNS_SRV_RR_LB | DNS_IPV4_ONLY);
	CHECK(dns_last_used_lst != NULL && dns_last_used_lst->next == dns_last_used_lst);
	destroy_dns_cache();
	CHECK_INT(dns_flags, 0);
#else
	(void)buffer;
#endif
	/* the table of functions: used by the library, whoever wrote it */
	CHECK(dns_func.sr_gethostbyname != NULL && dns_func.sr_res_init != NULL);
	functions = dns_func;
	functions.sr_res_init = my_init;
	functions.sr_gethostbyname = my_gethostbyname;
	load_dnsfunc(&functions);
	CHECK(dns_func.sr_gethostbyname == my_gethostbyname);
	resolv_init();
	CHECK_INT(my_init_called, 1);
	host = resolvehost((char *)"anything.example");
	CHECK(host != NULL);
	if(host != NULL) {
		CHECK_TEXT(host->h_name, "anything.example");
		CHECK_TEXT(host->h_aliases[0], "alias.example");
		CHECK(host->h_aliases[1] == NULL && host->h_addr_list[1] == NULL);
		CHECK_INT((unsigned char)host->h_addr_list[0][3], 99);
	}

	CHECK_TEXT(dns_cnt_defs[0].name, "failed_dns_request");
	CHECK_TEXT(dns_cnt_defs[1].name, "slow_dns_request");
	CHECK(dns_cnt_defs[0].handle == &dns_cnts_h.failed_dns_req);
	CHECK(dns_cnt_defs[2].name == NULL);
	return checks_result();
}
