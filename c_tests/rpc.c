/* The RPC commands against a transport that writes down what it is told. */

#include "capture.h"

static void adding(void)
{
	CALL(dns_cache_add_a, "a.example", "3600", "192.0.2.1", "2");
	CHECK_INT(last_fault, 0);
	CHECK_TEXT(reply, "");
	CALL(dns_cache_add_aaaa, "a.example", "3600", "2001:db8::1", "2");
	CHECK_INT(last_fault, 0);
	CALL(dns_cache_add_srv, "_sip._udp.a.example", "60", "10", "20", "5070", "a.example", "0");
	CHECK_INT(last_fault, 0);
	CALL(dns_cache_add_a, "a.example", "3600", "300.0.2.1", "2");
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "Failed to add the entry to the cache");
	CALL(dns_cache_add_srv, "_sip._udp.a.example", "60", "99999", "20", "5070", "x", "0");
	CHECK_INT(last_fault, 400);
	/* the transport has complained about missing arguments already */
	CALL(dns_cache_add_a, "a.example");
	CHECK_INT(last_fault, 0);
}

static void viewing(void)
{
	CALL(dns_cache_rpc_lookup, "t_a", "A.example");
	CHECK_INT(last_fault, 0);
	CHECK(strstr(reply, "{ name=a.example type=A size_bytes=") == reply);
	CHECK(strstr(reply, " reference_counter=2 permanent=yes expires=0 last_used=") != NULL);
	CHECK(strstr(reply, " negative_entry=no records=[ { rr_idx=0 rr_ip=192.0.2.1 "
						"rr_permanent=yes rr_expires=0 ")
			!= NULL);
	CALL(dns_cache_rpc_lookup, "SRV", "_sip._udp.a.example");
	CHECK(strstr(reply, "rr_idx=0 rr_name=a.example rr_port=5070 rr_priority=10 rr_weight=20 "
						"rr_permanent=no rr_expires=")
			!= NULL);
	CALL(dns_cache_rpc_lookup, "MX", "a.example");
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "Invalid type");

	CALL0(dns_cache_view);
	CHECK_INT(last_fault, 0);
	CHECK(strstr(reply, "name=a.example type=AAAA") != NULL);
	CHECK(strstr(reply, "name=_sip._udp.a.example type=SRV") != NULL);
	CHECK(strstr(reply, " reference_counter=1 ") != NULL
			|| strstr(reply, " reference_counter=2 ") != NULL);
	CALL(dns_cache_view, "A.Example");
	CHECK(strstr(reply, "name=a.example type=AAAA") != NULL);
	CHECK(strstr(reply, "name=_sip._udp.a.example") == NULL);
	CALL(dns_cache_view, "_sip*");
	CHECK(strstr(reply, "{ name=_sip._udp.a.example type=SRV") == reply);
	CHECK(strstr(reply, "{ name=a.example ") == NULL);
	CALL(dns_cache_view, "no-such*");
	CHECK_INT(last_fault, 0);
	CHECK_TEXT(reply, "");
	/* B36: named fields, of which no transport drops any */
	CALL0(dns_cache_mem_info);
	CHECK(strstr(reply, "{ used=") == reply && strstr(reply, " limit=") != NULL);
	CALL0(dns_cache_debug);
	CHECK(strstr(reply, "{ entries=[ { name=") == reply);
	CHECK(strstr(reply, "name=a.example type=28 size_bytes=") != NULL);
	CHECK(strstr(reply, " reference_counter=1 ") != NULL);
	CALL0(dns_cache_debug_all);
	CHECK(strstr(reply, "{ records=[ { name=") == reply);
	CHECK(strstr(reply, " rr_idx=0 ip=192.0.2.1 rr_expires=") != NULL);
	CHECK(strstr(reply, " srv=a.example ") != NULL);
}

/* a reply that does not fit leaves nothing locked (B07) */
static void failing_replies(void)
{
	struct_limit = 1;
	CALL0(dns_cache_view);
	CHECK_INT(last_fault, 500);
	struct_limit = 1 << 30;
	CALL0(dns_cache_view);
	CHECK_INT(last_fault, 0);
	CALL(dns_cache_add_a, "later.example", "60", "192.0.2.5", "0");
	CHECK_INT(last_fault, 0);
	CHECK_INT(dns_cache_print_entry(&rpc, &rpc, NULL), -1);
	CHECK_INT(dns_cache_print_entry(NULL, NULL, NULL), -1);
}

static void deleting(void)
{
	CALL(dns_cache_delete_a, "a.example");
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "Permanent entries cannot be deleted");
	CALL(dns_cache_delete_srv, "_sip._udp.a.example");
	CHECK_INT(last_fault, 0);
	CALL(dns_cache_delete_srv, "_sip._udp.a.example");
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "Not found");
	CALL(dns_cache_delete_naptr, "a.example");
	CHECK_TEXT(last_fault_text, "Not found");
	CALL0(dns_cache_delete_all);
	CHECK_TEXT(reply, "{ status=ok ");
	CALL(dns_cache_rpc_lookup, "A", "a.example");
	CHECK_INT(last_fault, 0);
	CALL0(dns_cache_delete_all_force);
	CHECK_TEXT(reply, "{ status=ok ");
	CALL0(dns_cache_view);
	CHECK_TEXT(reply, "");
}

static void without_cache(void)
{
	CHECK_INT(dns_option_set("use_dns_cache", "0"), 0);
	CALL0(dns_cache_view);
	CHECK_INT(last_fault, 500);
	CHECK_TEXT(last_fault_text, "dns cache support disabled (see use_dns_cache)");
	CALL(dns_cache_add_a, "a.example", "3600", "192.0.2.1", "2");
	CHECK_INT(last_fault, 400);
	CHECK_INT(dns_option_set("use_dns_cache", "1"), 0);
	destroy_dns_cache();
	CALL0(dns_cache_mem_info);
	CHECK_INT(last_fault, 500);
	CALL(dns_cache_add_a, "a.example", "3600", "192.0.2.1", "2");
	CHECK_INT(last_fault, 400);
}

int main(void)
{
	watchdog(60);
	use_no_network();
	CHECK_INT(init_dns_cache(), 0);
#ifdef USE_DNS_CACHE_STATS
	CHECK_INT(init_dns_cache_stats(1), 0);
	CHECK_INT(init_dns_cache_stats(4), 0);
	CHECK(dns_cache_stats != NULL && dns_cache_stats[3].dns_req_cnt == 0);
#endif
	adding();
	viewing();
	failing_replies();
#ifdef USE_DNS_CACHE_STATS
	CALL(dns_cache_stats_get, "dc_all_stats", "0");
	CHECK(strstr(reply, "{ dns_req_cnt=") == reply);
	CHECK(dns_cache_stats[0].dns_req_cnt > 0);
	CALL(dns_cache_stats_get, "no_such", "0");
	CHECK_TEXT(last_fault_text, "unknown dns cache stat parameter");
#endif
#ifdef DNS_WATCHDOG_SUPPORT
	CALL(dns_set_server_state_rpc, "0");
	CALL0(dns_get_server_state_rpc);
	CHECK_TEXT(reply, "0 ");
	CHECK_INT(dns_get_server_state(), 0);
	dns_set_server_state(1);
	CHECK_INT(dns_get_server_state(), 1);
#endif
	deleting();
	without_cache();
	return checks_result();
}
