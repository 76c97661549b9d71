/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Kamailio core shares with the kamailio-dns library: sizes and offsets, as this tree's own headers have them.
 *
 * Compiled with the tree's flags and linked into its executable, beside the library (library.mk, library.cmake). The
 * library compares at start. It knows several layouts of struct dns_srv_handle and uses the one that it finds here;
 * with one that it does not know, the server does not start.
 *
 * An item is one line: its size and, for a member, its offset. A structure of which no item is here is not compared.
 */

#include <stddef.h>

#include "str.h"
#include "config.h"
#include "ip_addr.h"
#include "atomic_ops.h"
#include "resolve.h"
#include "dns_func.h"
#ifdef USE_DNS_CACHE
#include "dns_cache.h"
#endif
#include "counters.h"
#include "timer.h"
#include "rpc.h"
#include "cfg_core.h"
#if defined USE_DNS_CACHE && defined USE_DNS_FAILOVER && defined __has_include
#if __has_include("../modules/tm/h_table.h")
#include "../modules/tm/h_table.h"
#define HAS_TM
#endif
#endif

struct kamailio_dns_item
{
	const char *name; /* "structure" or "structure.member" */
	unsigned int offset;
	unsigned int size;
};

/* Read by the library under this name; `format` goes up when these two structures change. */
struct kamailio_dns_layout
{
	char magic[16];
	unsigned int format;
	unsigned int count;
	unsigned int item_size;
	const struct kamailio_dns_item *items;
};

#define ITEM(name, type, member) {name, offsetof(type, member), sizeof(((type *)0)->member)}
#define TYPE(type) {#type, 0, sizeof(type)}
#define OF_TYPE(type, member) ITEM(#type "." #member, type, member)
#define STRUCT(tag) {#tag, 0, sizeof(struct tag)}
#define OF(tag, member) ITEM(#tag "." #member, struct tag, member)
/* An option under the name that it has in kamailio.cfg. */
#define OPTION(name, member) ITEM("cfg_group_core." name, struct cfg_group_core, member)

static const struct kamailio_dns_item items[] = {
#ifdef USE_DNS_CACHE
	STRUCT(dns_srv_handle),
	OF(dns_srv_handle, srv),
	OF(dns_srv_handle, a),
	OF(dns_srv_handle, srv_tried_rrs),
	OF(dns_srv_handle, port),
	OF(dns_srv_handle, srv_no),
	OF(dns_srv_handle, ip_no),
	OF(dns_srv_handle, proto),
#endif
#ifdef HAS_TM
	/* Where tm keeps a handle; the library gets a pointer to it. */
	STRUCT(ua_client),
	OF(ua_client, dns_h),
#endif

	STRUCT(_str),
	OF(_str, s),
	OF(_str, len),
	STRUCT(ip_addr),
	OF(ip_addr, af),
	OF(ip_addr, len),
	OF(ip_addr, u),
	{"sockaddr_union", 0, sizeof(union sockaddr_union)},
	ITEM("sockaddr_union.sin", union sockaddr_union, sin),
	ITEM("sockaddr_union.sin6", union sockaddr_union, sin6),
	STRUCT(dest_info),
	OF(dest_info, send_sock),
	OF(dest_info, to),
	OF(dest_info, id),
	OF(dest_info, proto),
	TYPE(atomic_t),
	OF_TYPE(atomic_t, val),

#ifdef USE_DNS_CACHE
	STRUCT(dns_lu_lst),
	OF(dns_lu_lst, next),
	OF(dns_lu_lst, prev),
	STRUCT(dns_rr),
	OF(dns_rr, next),
	OF(dns_rr, rdata),
	OF(dns_rr, expire),
	STRUCT(dns_hash_entry),
	OF(dns_hash_entry, next),
	OF(dns_hash_entry, prev),
	OF(dns_hash_entry, last_used_lst),
	OF(dns_hash_entry, rr_lst),
	OF(dns_hash_entry, refcnt),
	OF(dns_hash_entry, last_used),
	OF(dns_hash_entry, expire),
	OF(dns_hash_entry, total_size),
	OF(dns_hash_entry, type),
	OF(dns_hash_entry, ent_flags),
	OF(dns_hash_entry, name_len),
	OF(dns_hash_entry, name),
#ifdef USE_DNS_CACHE_STATS
	STRUCT(t_dns_cache_stats),
	OF(t_dns_cache_stats, dns_req_cnt),
	OF(t_dns_cache_stats, dc_hits_cnt),
	OF(t_dns_cache_stats, dc_neg_hits_cnt),
	OF(t_dns_cache_stats, dc_lru_cnt),
#endif
#endif

	STRUCT(rdata),
	OF(rdata, type),
	OF(rdata, pclass),
	OF(rdata, ttl),
	OF(rdata, rdata),
	OF(rdata, next),
	OF(rdata, name_len),
	OF(rdata, name),
	STRUCT(a_rdata),
	OF(a_rdata, ip),
	STRUCT(aaaa_rdata),
	OF(aaaa_rdata, ip6),
	STRUCT(srv_rdata),
	OF(srv_rdata, priority),
	OF(srv_rdata, weight),
	OF(srv_rdata, port),
	OF(srv_rdata, name_len),
	OF(srv_rdata, name),
	STRUCT(naptr_rdata),
	OF(naptr_rdata, flags),
	OF(naptr_rdata, services),
	OF(naptr_rdata, regexp),
	OF(naptr_rdata, repl),
	OF(naptr_rdata, order),
	OF(naptr_rdata, pref),
	OF(naptr_rdata, flags_len),
	OF(naptr_rdata, services_len),
	OF(naptr_rdata, regexp_len),
	OF(naptr_rdata, repl_len),
	OF(naptr_rdata, skip_record),
	OF(naptr_rdata, str_table),
	STRUCT(cname_rdata),
	OF(cname_rdata, name_len),
	OF(cname_rdata, name),
	STRUCT(dns_cstr),
	OF(dns_cstr, cstr),
	OF(dns_cstr, cstr_len),
	STRUCT(txt_rdata),
	OF(txt_rdata, cstr_no),
	OF(txt_rdata, tslen),
	OF(txt_rdata, txt),
	STRUCT(ebl_rdata),
	OF(ebl_rdata, separator),
	OF(ebl_rdata, apex),
	OF(ebl_rdata, separator_len),
	OF(ebl_rdata, apex_len),
	OF(ebl_rdata, position),
	OF(ebl_rdata, str_table),
	STRUCT(ptr_rdata),
	OF(ptr_rdata, ptrdname_len),
	OF(ptr_rdata, ptrdname),

	STRUCT(dns_func_t),
	OF(dns_func_t, sr_res_init),
	OF(dns_func_t, sr_res_search),
	OF(dns_func_t, sr_gethostbyname),
	OF(dns_func_t, sr_gethostbyname2),
	STRUCT(dns_srv_proto),
	OF(dns_srv_proto, proto),
	OF(dns_srv_proto, proto_pref),
	STRUCT(dns_counters_h),
	OF(dns_counters_h, failed_dns_req),
	OF(dns_counters_h, slow_dns_req),
	TYPE(counter_handle_t),
	OF_TYPE(counter_handle_t, id),
	TYPE(counter_def_t),
	OF_TYPE(counter_def_t, handle),
	OF_TYPE(counter_def_t, name),
	OF_TYPE(counter_def_t, flags),
	OF_TYPE(counter_def_t, get_cbk),
	OF_TYPE(counter_def_t, get_cbk_param),
	OF_TYPE(counter_def_t, descr),
	STRUCT(timer_ln),
	OF(timer_ln, next),
	OF(timer_ln, prev),
	OF(timer_ln, expire),
	OF(timer_ln, initial_timeout),
	OF(timer_ln, data),
	OF(timer_ln, f),
	OF(timer_ln, flags),
	OF(timer_ln, slow_idx),
	TYPE(rpc_t),
	OF_TYPE(rpc_t, fault),
	OF_TYPE(rpc_t, send),
	OF_TYPE(rpc_t, add),
	OF_TYPE(rpc_t, scan),
	OF_TYPE(rpc_t, rpl_printf),
	OF_TYPE(rpc_t, struct_add),
	OF_TYPE(rpc_t, array_add),
	OF_TYPE(rpc_t, struct_scan),
	OF_TYPE(rpc_t, struct_printf),
	OF_TYPE(rpc_t, capabilities),
	OF_TYPE(rpc_t, delayed_ctx_new),
	OF_TYPE(rpc_t, delayed_ctx_close),

	OPTION("dns_try_ipv6", dns_try_ipv6),
	OPTION("dns_try_naptr", dns_try_naptr),
	OPTION("dns_udp_pref", dns_udp_pref),
	OPTION("dns_tcp_pref", dns_tcp_pref),
	OPTION("dns_tls_pref", dns_tls_pref),
	OPTION("dns_sctp_pref", dns_sctp_pref),
	OPTION("dns_retr_time", dns_retr_time),
	OPTION("dns_slow_query_ms", dns_slow_query_ms),
	OPTION("dns_retr_no", dns_retr_no),
	OPTION("dns_servers_no", dns_servers_no),
	OPTION("dns_use_search_list", dns_search_list),
	OPTION("dns_search_full_match", dns_search_fmatch),
	OPTION("dns_reinit", dns_reinit),
	OPTION("dns_naptr_ignore_rfc", dns_naptr_ignore_rfc),
#ifdef USE_DNS_CACHE
	OPTION("use_dns_cache", use_dns_cache),
	OPTION("dns_cache_flags", dns_cache_flags),
	OPTION("use_dns_failover", use_dns_failover),
	OPTION("dns_srv_lb", dns_srv_lb),
	OPTION("dns_cache_negative_ttl", dns_neg_cache_ttl),
	OPTION("dns_cache_min_ttl", dns_cache_min_ttl),
	OPTION("dns_cache_max_ttl", dns_cache_max_ttl),
	OPTION("dns_cache_mem", dns_cache_max_mem),
	OPTION("dns_cache_del_nonexp", dns_cache_del_nonexp),
	OPTION("dns_cache_rec_pref", dns_cache_rec_pref),
#endif
	OPTION("latency_log", latency_log),
};

extern const struct kamailio_dns_layout kamailio_dns_layout;

/* Nothing in the executable refers to it: the library looks it up by its name. */
__attribute__((used, visibility("default"))) const struct kamailio_dns_layout
		kamailio_dns_layout = {"kamailio-dns", 1, sizeof(items) / sizeof(items[0]),
				sizeof(items[0]), items};
