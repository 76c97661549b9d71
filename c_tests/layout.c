/* Sizes and offsets of the structs, as C sees them in the headers. */

#include "check.h"

#define SIZE(type, size) CHECK_INT(sizeof(type), size)
#define AT(type, member, offset) CHECK_INT(offsetof(type, member), offset)

int main(void)
{
	SIZE(struct dns_hash_entry, 64);
	AT(struct dns_hash_entry, next, 0);
	AT(struct dns_hash_entry, prev, 8);
	AT(struct dns_hash_entry, last_used_lst, 16);
	AT(struct dns_hash_entry, rr_lst, 32);
	AT(struct dns_hash_entry, refcnt, 40);
	AT(struct dns_hash_entry, last_used, 44);
	AT(struct dns_hash_entry, expire, 48);
	AT(struct dns_hash_entry, total_size, 52);
	AT(struct dns_hash_entry, type, 56);
	AT(struct dns_hash_entry, ent_flags, 58);
	AT(struct dns_hash_entry, name_len, 59);
	AT(struct dns_hash_entry, name, 60);

	SIZE(struct dns_rr, 24);
	AT(struct dns_rr, rdata, 8);
	AT(struct dns_rr, expire, 16);

	SIZE(struct rdata, 32);
	AT(struct rdata, type, 0);
	AT(struct rdata, pclass, 2);
	AT(struct rdata, ttl, 4);
	AT(struct rdata, rdata, 8);
	AT(struct rdata, next, 16);
	AT(struct rdata, name_len, 24);
	AT(struct rdata, name, 25);

	SIZE(struct srv_rdata, 8);
	AT(struct srv_rdata, weight, 2);
	AT(struct srv_rdata, port, 4);
	AT(struct srv_rdata, name_len, 6);
	AT(struct srv_rdata, name, 7);

	SIZE(struct naptr_rdata, 48);
	AT(struct naptr_rdata, flags, 0);
	AT(struct naptr_rdata, services, 8);
	AT(struct naptr_rdata, regexp, 16);
	AT(struct naptr_rdata, repl, 24);
	AT(struct naptr_rdata, order, 32);
	AT(struct naptr_rdata, pref, 34);
	AT(struct naptr_rdata, flags_len, 36);
	AT(struct naptr_rdata, repl_len, 39);
	AT(struct naptr_rdata, skip_record, 40);
	AT(struct naptr_rdata, str_table, 41);

	SIZE(struct a_rdata, 4);
	SIZE(struct aaaa_rdata, 16);
	SIZE(struct cname_rdata, 2);
	SIZE(struct ptr_rdata, 2);
	SIZE(struct dns_cstr, 16);
	SIZE(struct txt_rdata, 24);
	AT(struct txt_rdata, tslen, 2);
	AT(struct txt_rdata, txt, 8);
	SIZE(struct ebl_rdata, 24);
	AT(struct ebl_rdata, apex, 8);
	AT(struct ebl_rdata, position, 18);
	AT(struct ebl_rdata, str_table, 19);

	SIZE(union dns_query, 8192);
	SIZE(struct dns_func_t, 32);
	AT(struct dns_func_t, sr_gethostbyname2, 24);
	SIZE(struct dns_counters_h, 4);
	SIZE(struct dns_srv_proto, 8);
	AT(struct dns_srv_proto, proto_pref, 4);
	SIZE(struct dns_lu_lst, 16);
	SIZE(counter_def_t, 48);
	SIZE(struct ip_addr, 24);
	AT(struct ip_addr, u, 8);
	SIZE(str, 16);
	SIZE(union sockaddr_union, 128);
	SIZE(rpc_t, 96);
	SIZE(atomic_t, 4);

#ifdef DNS_HANDLE_HAS_NAPTR_COUNT
	SIZE(struct dns_srv_handle, 48);
	AT(struct dns_srv_handle, naptr, 0);
	AT(struct dns_srv_handle, srv, 8);
	AT(struct dns_srv_handle, a, 16);
	AT(struct dns_srv_handle, naptr_count, 24);
	AT(struct dns_srv_handle, srv_tried_rrs, 32);
	AT(struct dns_srv_handle, port, 40);
	AT(struct dns_srv_handle, srv_no, 42);
	AT(struct dns_srv_handle, ip_no, 43);
	AT(struct dns_srv_handle, proto, 44);
#elif defined DNS_HANDLE_HAS_NAPTR
	SIZE(struct dns_srv_handle, 40);
	AT(struct dns_srv_handle, naptr, 0);
	AT(struct dns_srv_handle, srv, 8);
	AT(struct dns_srv_handle, proto, 36);
#else
	SIZE(struct dns_srv_handle, 32);
	AT(struct dns_srv_handle, srv, 0);
	AT(struct dns_srv_handle, a, 8);
	AT(struct dns_srv_handle, srv_tried_rrs, 16);
	AT(struct dns_srv_handle, port, 24);
	AT(struct dns_srv_handle, srv_no, 26);
	AT(struct dns_srv_handle, ip_no, 27);
	AT(struct dns_srv_handle, proto, 28);
#ifdef USE_DNS_CACHE
	CHECK_INT(dns_handle_layout(), sizeof(struct dns_srv_handle));
#endif
#endif
	return checks_result();
}
