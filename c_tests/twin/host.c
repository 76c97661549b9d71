/* The core around the library: its own start-up code in the order of its main(), no process, no
 * socket. The clock is ours, so that a case decides when time passes. */

#include <string.h>

#include "core/cfg/cfg.h"
#include "core/cfg/cfg_ctx.h"
#include "core/cfg/cfg_struct.h"
#include "core/cfg_core.h"
#include "core/counters.h"
#include "core/dns_cache.h"
#include "core/globals.h"
#include "core/lock_ops_init.h"
#include "core/mem/pkg.h"
#include "core/mem/shm.h"
#include "core/pt.h"
#include "core/rpc_lookup.h"
#include "core/resolve.h"
#include "core/shm_init.h"
#include "core/socket_info.h"
#include "core/timer.h"

#include "twin.h"

extern cfg_def_t core_cfg_def[];
extern int socket_types;
extern int sctp_disable;

/* The core draws a random start; so a case can choose one near the wrap of the 32-bit counter. */
static int ticks_start = 1000000;
static ticks_t ticks;
static cfg_ctx_t *cfg_context;

/* takes the place of the core's own function in the executable */
ticks_t get_ticks_raw(void)
{
	return ticks;
}

void host_advance(long by)
{
	ticks += (ticks_t)by;
}

static const struct {
	const char *name;
	int *place;
} variables[] = {
	{"tcp_disable", &tcp_disable},
	{"tls_disable", &tls_disable},
	{"sctp_disable", &sctp_disable},
	{"socket_types", &socket_types},
	{"dns_cache_init", &dns_cache_init},
	{"ticks_start", &ticks_start},
};

/* Offset of an option: all of ours lie between dns_try_ipv6 and dns_cache_rec_pref. */
static const struct {
	const char *name;
	size_t offset;
} options[] = {
#define OPTION(name, member) {#name, offsetof(struct cfg_group_core, member)}
	OPTION(dns_try_ipv6, dns_try_ipv6),
	OPTION(dns_try_naptr, dns_try_naptr),
	OPTION(dns_udp_pref, dns_udp_pref),
	OPTION(dns_tcp_pref, dns_tcp_pref),
	OPTION(dns_tls_pref, dns_tls_pref),
	OPTION(dns_sctp_pref, dns_sctp_pref),
	OPTION(dns_retr_time, dns_retr_time),
	OPTION(dns_slow_query_ms, dns_slow_query_ms),
	OPTION(dns_retr_no, dns_retr_no),
	OPTION(dns_servers_no, dns_servers_no),
	OPTION(dns_use_search_list, dns_search_list),
	OPTION(dns_search_full_match, dns_search_fmatch),
	OPTION(dns_reinit, dns_reinit),
	OPTION(dns_naptr_ignore_rfc, dns_naptr_ignore_rfc),
	OPTION(use_dns_cache, use_dns_cache),
	OPTION(dns_cache_flags, dns_cache_flags),
	OPTION(use_dns_failover, use_dns_failover),
	OPTION(dns_srv_lb, dns_srv_lb),
	OPTION(dns_cache_negative_ttl, dns_neg_cache_ttl),
	OPTION(dns_cache_min_ttl, dns_cache_min_ttl),
	OPTION(dns_cache_max_ttl, dns_cache_max_ttl),
	OPTION(dns_cache_mem, dns_cache_max_mem),
	OPTION(dns_cache_del_nonexp, dns_cache_del_nonexp),
	OPTION(dns_cache_rec_pref, dns_cache_rec_pref),
#undef OPTION
};

static char *place_of(void *block, const char *name)
{
	size_t i;
	for(i = 0; i < sizeof options / sizeof options[0]; i++)
		if(strcmp(options[i].name, name) == 0)
			return (char *)block + options[i].offset;
	return NULL;
}

int host_option(const char *name, long value)
{
	unsigned int word = (unsigned int)value;
	char *place = place_of(&default_core_cfg, name);
	size_t i;
	if(place != NULL) {
		memcpy(place, &word, sizeof word);
		return 0;
	}
	for(i = 0; i < sizeof variables / sizeof variables[0]; i++)
		if(strcmp(variables[i].name, name) == 0) {
			*variables[i].place = (int)value;
			return 0;
		}
	return -1;
}

int host_get(const char *name, unsigned int *value)
{
	char *place = place_of((void *)core_cfg, name);
	if(place == NULL)
		return -1;
	memcpy(value, place, sizeof *value);
	return 0;
}

int host_start(void (*early)(void))
{
	int result;

	ticks = (ticks_t)ticks_start;
	log_stderr = 1;
	default_core_cfg.debug = -10;
	pkg_mem_size = 8 * 1024 * 1024;
	shm_mem_size = 16 * 1024 * 1024;
	if(pkg_init_manager("fm") < 0 || init_counters() < 0 || init_rpcs() < 0
			|| init_lock_ops() != 0)
		return -1001;
	shm_set_mname("fm");
	resolv_init();
	early();
	if(init_shm() < 0 || sr_cfg_init() < 0
			|| cfg_declare("core", core_cfg_def, &default_core_cfg,
					   cfg_sizeof(core), (void **)&core_cfg) != 0
			|| init_timer() < 0)
		return -1002;
	result = init_dns_cache();
	if(result < 0)
		return result;
	if(cfg_shmize() < 0 || counters_prefork_init(1) < 0 || cfg_child_init() < 0
			|| cfg_register_ctx(&cfg_context, NULL) != 0)
		return -1003;
	cfg_update();
	return 0;
}

int host_set(const char *name, long value)
{
	str group = {"core", 4};
	str option;
	int result;
	option.s = (char *)name;
	option.len = (int)strlen(name);
	result = cfg_set_now_int(cfg_context, &group, NULL, &option, (int)value);
	cfg_update();
	return result;
}

long host_counter(const char *name)
{
	counter_handle_t handle;
	if(counter_lookup(&handle, "dns", name) < 0)
		return -1;
	return (long)counter_get_val(handle);
}
