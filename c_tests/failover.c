/* From one target to the next, through both kinds of handle. */

#include "check.h"

static struct dns_srv_handle handle;

/* holders of an entry: the cache's own reference is the bit above */
static int refs(const struct dns_hash_entry *entry)
{
	return entry->refcnt.val & DNS_REFCNT_HOLDERS;
}

static int step(const char *name, struct ip_addr *ip, unsigned short *port, char *proto)
{
	str n = text(name);
	*port = 0;
	*proto = 0;
	return dns_sip_resolve(&handle, &n, ip, port, proto, DNS_IPV4_ONLY);
}

static void targets(void)
{
	struct
	{
		const char *address;
		int port;
	} expected[] = {{"192.0.2.1", 5071}, {"192.0.2.2", 5071}, {"192.0.2.99", 5073},
			{"192.0.2.3", 5074}};
	struct ip_addr ip;
	unsigned short port;
	char proto;
	size_t i;
	int rc;

	memset(&handle, 0x55, sizeof handle);
	dns_srv_handle_init(&handle);
	for(i = 0; i < 4; i++) {
		rc = step("fail.example", &ip, &port, &proto);
		CHECK_INT(rc, 0);
		CHECK_TEXT(ip_text(&ip), expected[i].address);
		CHECK_INT(port, expected[i].port);
		CHECK_INT(proto, PROTO_UDP);
		CHECK_INT(dns_srv_handle_next(&handle, rc), 1);
	}
	rc = step("fail.example", &ip, &port, &proto);
	CHECK_INT(rc, -E_DNS_EOR);
	CHECK_INT(dns_srv_handle_next(&handle, rc), 0);
	dns_srv_handle_put(&handle);
	CHECK(handle.srv == NULL && handle.a == NULL);
	dns_srv_handle_put(&handle);
}

/* at its end a handle stays there, also for a caller that does not look at the result */
static void end_of_list(void)
{
	struct ip_addr ip;
	unsigned short port;
	char proto;
	int i;

	CHECK_INT(add(1, "plain.example", "192.0.2.7", 0, 0, 0), 0);
	CHECK_INT(add_absent(33, "_sip._udp.plain.example"), 0);
	CHECK_INT(add_absent(33, "_sip._tcp.plain.example"), 0);
	CHECK_INT(add_absent(33, "_sips._tcp.plain.example"), 0);
	dns_srv_handle_init(&handle);
	CHECK_INT(step("plain.example", &ip, &port, &proto), 0);
	for(i = 0; i < 3; i++) {
		CHECK_INT(dns_srv_handle_next(&handle, 0), 1);
		CHECK_INT(step("plain.example", &ip, &port, &proto), -E_DNS_EOR);
	}
	dns_srv_handle_put(&handle);
}

static void references(void)
{
	struct dns_srv_handle copy;
	struct dns_hash_entry *srv, *a;
	struct ip_addr ip;
	unsigned short port;
	char proto;

	dns_srv_handle_init(&handle);
	CHECK_INT(step("fail.example", &ip, &port, &proto), 0);
	srv = handle.srv, a = handle.a;
	CHECK(srv != NULL && a != NULL);
	CHECK_TEXT(srv->name, "_sip._udp.fail.example");
	CHECK_INT(srv->name_len, strlen(srv->name));
	CHECK_INT(srv->type, 33);
	/* the other bits are the library's own */
	CHECK_INT(srv->ent_flags & (DNS_FLAG_BAD_NAME | DNS_FLAG_PERMANENT), DNS_FLAG_PERMANENT);
	CHECK_INT(refs(srv), 1);
	CHECK_INT(refs(a), 1);
	CHECK(srv->refcnt.val & DNS_REFCNT_LINKED);

	dns_srv_handle_cpy(&copy, &handle);
	CHECK_INT(refs(srv), 2);
	CHECK_INT(refs(a), 2);
	/* what Kamailio's inline code does by hand */
	__sync_fetch_and_add(&srv->refcnt.val, 1);
	dns_hash_put(srv);
	__sync_fetch_and_add(&srv->refcnt.val, 1);
	dns_hash_put_entry(srv, __FILE__, __LINE__);
	CHECK_INT(refs(srv), 2);
	dns_srv_handle_ref(&handle);
	CHECK_INT(refs(srv), 3);
	dns_hash_put_shm_unsafe(srv);
	dns_hash_put_entry_shm_unsafe(a, __FILE__, __LINE__);
	CHECK_INT(refs(a), 2);

	/* an entry outlives its removal as long as somebody holds it */
	dns_cache_flush(1);
	CHECK_TEXT(srv->name, "_sip._udp.fail.example");
	CHECK_INT(refs(srv), 2);
	CHECK(!(srv->refcnt.val & DNS_REFCNT_LINKED));
	dns_srv_handle_put_shm_unsafe(&copy);
	CHECK_INT(refs(srv), 1);
	CHECK_INT(dns_srv_handle_next(&handle, 0), 1);
	CHECK_INT(step("fail.example", &ip, &port, &proto), 0);
	CHECK_TEXT(ip_text(&ip), "192.0.2.2");
	dns_srv_handle_reset(&handle);
	CHECK(handle.srv == NULL && handle.a == NULL && handle.port == 0);
	dns_srv_handle_put(&handle);
}

static void fill(void)
{
	CHECK_INT(add(33, "_sip._udp.fail.example", "a.fail.example", 1, 0, 5071), 0);
	CHECK_INT(add(33, "_sip._udp.fail.example", "dead.fail.example", 2, 0, 5072), 0);
	CHECK_INT(add(33, "_sip._udp.fail.example", "192.0.2.99", 3, 0, 5073), 0);
	CHECK_INT(add(33, "_sip._udp.fail.example", "b.fail.example", 4, 0, 5074), 0);
	CHECK_INT(add(1, "a.fail.example", "192.0.2.1", 0, 0, 0), 0);
	CHECK_INT(add(1, "a.fail.example", "192.0.2.2", 0, 0, 0), 0);
	CHECK_INT(add_absent(1, "dead.fail.example"), 0);
	CHECK_INT(add(1, "b.fail.example", "192.0.2.3", 0, 0, 0), 0);
}

static void socket_addresses(void)
{
	str name = text("fail.example"), literal = text("2001:db8::5");
	union sockaddr_union su;
	char proto = 0;

	dns_srv_handle_init(&handle);
	CHECK_INT(dns_sip_resolve2su(&handle, &su, &name, 0, &proto, DNS_IPV4_ONLY), 0);
	CHECK_INT(ntohs(su.sin.sin_port), 5071);
	dns_srv_handle_put(&handle);
	dns_srv_handle_init(&handle);
	proto = PROTO_TLS;
	CHECK_INT(dns_sip_resolve2su(&handle, &su, &literal, 0, &proto, DNS_NO_FLAGS), 0);
	CHECK_INT(su.sin6.sin6_family, AF_INET6);
	CHECK_INT(ntohs(su.sin6.sin6_port), 5061);
	CHECK_INT(su.sin6.sin6_addr.s6_addr[15], 5);
	/* a literal leaves nothing to go on with */
	CHECK_INT(dns_srv_handle_next(&handle, 0), 0);
	memset(&su, 7, sizeof su);
	proto = 0;
	CHECK_INT(dns_sip_resolve2su(&handle, &su, &literal, 0, &proto, DNS_IPV4_ONLY),
			-E_DNS_AF_MISMATCH);
	CHECK_INT(su.sin6.sin6_port, 0x0707);
	CHECK_INT(proto, 0);
	dns_srv_handle_put(&handle);
}

static void opaque(void)
{
	struct dns_handle *h = dns_handle_new();
	struct dns_reason reason;
	struct ip_addr ip;
	unsigned short port = 0;
	char proto = 0;
	int targets = 0, rc;

	CHECK(h != NULL);
	do {
		port = 0, proto = 0;
		rc = dns_handle_resolve(h, "fail.example", &ip, &port, &proto, DNS_IPV4_ONLY);
		if(rc != 0)
			break;
		CHECK_INT(dns_handle_reason(h, &reason), 0);
		CHECK_INT(reason.naptr_present, 0);
		CHECK_INT(reason.srv_present, 1);
		CHECK_TEXT(reason.srv_owner, "_sip._udp.fail.example");
		CHECK_INT(reason.srv_port, port);
		CHECK_INT(reason.srv_ttl, -1);
		CHECK_INT(reason.addr_source,
				port == 5073 ? DNS_SOURCE_LITERAL : DNS_SOURCE_CACHE);
		targets++;
	} while(dns_handle_next(h));
	CHECK_INT(targets, 4);
	CHECK_INT(rc, -E_DNS_EOR);
	dns_handle_free(h);
}

/* the order of the targets of lb.example for a seed, as digits */
static long order(unsigned int seed, int mirrored)
{
	struct dns_handle *h = dns_handle_new();
	str name = text("lb.example");
	struct ip_addr ip;
	unsigned short port;
	char proto;
	long digits = 0;
	int rc, more;

	dns_srv_handle_init(&handle);
	CHECK_INT(mirrored ? dns_srv_handle_seed(&handle, seed) : dns_handle_seed(h, seed), 0);
	do {
		port = 0, proto = PROTO_UDP;
		rc = mirrored ? dns_sip_resolve(&handle, &name, &ip, &port, &proto,
								DNS_IPV4_ONLY | DNS_SRV_RR_LB)
					  : dns_handle_resolve(h, "lb.example", &ip, &port, &proto,
							  DNS_IPV4_ONLY | DNS_SRV_RR_LB);
		if(rc == 0)
			digits = digits * 10 + ip.u.addr[3];
		more = mirrored ? dns_srv_handle_next(&handle, rc) : rc == 0 && dns_handle_next(h);
	} while(more);
	dns_srv_handle_put(&handle);
	dns_handle_free(h);
	return digits;
}

/* RFC 3263 section 4.4: a stateless proxy needs the same order each time */
static void seeds(void)
{
	char target[] = "192.0.2.1";
	long first, seen[2] = {0, 0};
	unsigned int seed;
	int i;

	for(i = 1; i <= 4; i++) {
		target[8] = (char)('0' + i);
		CHECK_INT(add(33, "_sip._udp.lb.example", target, 1, 10, 5060), 0);
	}
	for(seed = 1; seed < 20; seed++) {
		first = order(seed, 0);
		CHECK(first > 1000 && first < 4400);
		CHECK_INT(order(seed, 0), first);
		CHECK_INT(order(seed, 1), first);
		if(seen[0] == 0)
			seen[0] = first;
		else if(first != seen[0])
			seen[1] = first;
	}
	CHECK(seen[1] != 0);
}

int main(void)
{
	watchdog(60);
	use_no_network();
	CHECK_INT(dns_option_set("use_dns_failover", "1"), 0);
	CHECK_INT(resolv_init(), 0);
	CHECK_INT(init_dns_cache(), 0);
	fill();
	targets();
	end_of_list();
	socket_addresses();
	opaque();
	references();
	seeds();
	return checks_result();
}
