/* A program that changes counts of references without atomic instructions, as Kamailio up to 6.0 on aarch64: its
 * counts and the library's would miss each other. There is no cache then, and no handle holds an entry. */

#include "check.h"

/* Kamailio's, in builds without atomic instructions; the lock itself is of no interest here. */
#ifdef ONE_LOCK
void *_atomic_lock;
#else
void *_atomic_lock_set;
#endif

int main(void)
{
	struct dns_srv_handle handle;
	struct ip_addr ip;
	unsigned short port = 5071;
	char proto = PROTO_UDP, value[20];
	str address = text("192.0.2.9"), unknown = text("unknown.example");

	memset(&handle, 0, sizeof handle);
	use_no_network();
	resolv_init();
	CHECK_INT(init_dns_cache(), 0);
	CHECK_INT(dns_cache_init, 0);
	CHECK(dns_option_get("use_dns_cache", value, sizeof value) >= 0);
	CHECK_TEXT(value, "0");
	CHECK(dns_option_get("use_dns_failover", value, sizeof value) >= 0);
	CHECK_TEXT(value, "0");
	CHECK(add(1, "host.example", "192.0.2.1", 0, 0, 0) < 0);
	CHECK_INT(dns_sip_resolve(&handle, &address, &ip, &port, &proto, DNS_IPV4_ONLY), 0);
	CHECK_TEXT(ip_text(&ip), "192.0.2.9");
	CHECK(dns_sip_resolve(&handle, &unknown, &ip, &port, &proto, DNS_IPV4_ONLY) < 0);
	CHECK(handle.a == NULL && handle.srv == NULL);
	/* nor can it be switched on */
	CHECK(dns_option_set("use_dns_cache", "yes") < 0);
	return checks_result();
}
