/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dns_wait: transactions wait for DNS, and no worker does. The module's interface. */
#include <stddef.h>
#include <time.h>

#include "../../core/cfg/cfg_struct.h"
#include "../../core/dprint.h"
#include "../../core/kemi.h"
#include "../../core/mod_fix.h"
#include "../../core/pt.h"
#include "../../core/timer_ticks.h"

#include "counts.h"
#include "dns_wait.h"
#include "library.h"
#include "script.h"
#include "vars.h"
#include "waits.h"
#include "watch.h"
#include "worker.h"

MODULE_VERSION

settings_t settings = {
		.workers = 2,
		.deadline_ms = 5000,
		.most_waiting = 1000,
};
struct tm_binds tmb;

unsigned long long now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (unsigned long long)time.tv_sec * 1000 + (unsigned long long)(time.tv_nsec / 1000000);
}

/* --- functions of native scripts: each parameter may have variables */

static int fixup_text(void **param, int number)
{
	(void)number;
	return fixup_spve_null(param, 1);
}

static int free_text(void **param, int number)
{
	(void)number;
	return fixup_free_spve_null(param, 1);
}

static int text_of(struct sip_msg *msg, char *param, str *to)
{
	if(fixup_get_svalue(msg, (gparam_t *)param, to) == 0)
		return 0;
	LM_ERR("a parameter has no value\n");
	return -1;
}

static int w_wait(struct sip_msg *msg, char *route, char *none)
{
	str name;

	(void)none;
	return text_of(msg, route, &name) == 0 ? script_wait(msg, &name, NULL) : DW_BAD;
}

static int w_wait_uri(struct sip_msg *msg, char *route, char *uri)
{
	str name, text;

	if(text_of(msg, route, &name) != 0 || text_of(msg, uri, &text) != 0)
		return DW_BAD;
	return script_wait(msg, &name, &text);
}

static int w_ready(struct sip_msg *msg, char *uri, char *none)
{
	str text;

	(void)none;
	return text_of(msg, uri, &text) == 0 ? script_ready(&text) : DW_BAD;
}

static int w_prefetch(struct sip_msg *msg, char *uri, char *none)
{
	str text;

	(void)none;
	return text_of(msg, uri, &text) == 0 ? script_prefetch(&text) : DW_BAD;
}

static int is_target(const str *uri, const str *ip, const str *port, const str *transport)
{
	int number = 0;

	if(port != NULL && str2sint((str *)port, &number) != 0)
		return DW_BAD;
	return script_is_target(uri, ip, number, transport != NULL ? transport_of(transport) : 0);
}

static int w_is_target2(struct sip_msg *msg, char *uri, char *ip)
{
	str texts[2];

	if(text_of(msg, uri, &texts[0]) != 0 || text_of(msg, ip, &texts[1]) != 0)
		return DW_BAD;
	return is_target(&texts[0], &texts[1], NULL, NULL);
}

static int w_is_target3(struct sip_msg *msg, char *uri, char *ip, char *port)
{
	str texts[3];

	if(text_of(msg, uri, &texts[0]) != 0 || text_of(msg, ip, &texts[1]) != 0 || text_of(msg, port, &texts[2]) != 0)
		return DW_BAD;
	return is_target(&texts[0], &texts[1], &texts[2], NULL);
}

static int w_is_target4(struct sip_msg *msg, char *uri, char *ip, char *port, char *transport)
{
	str texts[4];

	if(text_of(msg, uri, &texts[0]) != 0 || text_of(msg, ip, &texts[1]) != 0 || text_of(msg, port, &texts[2]) != 0
			|| text_of(msg, transport, &texts[3]) != 0)
		return DW_BAD;
	return is_target(&texts[0], &texts[1], &texts[2], &texts[3]);
}

/* --- functions of KEMI scripts */

static int ki_wait(struct sip_msg *msg, str *route)
{
	return script_wait(msg, route, NULL);
}

static int ki_wait_uri(struct sip_msg *msg, str *route, str *uri)
{
	return script_wait(msg, route, uri);
}

static int ki_ready(struct sip_msg *msg, str *uri)
{
	(void)msg;
	return script_ready(uri);
}

static int ki_prefetch(struct sip_msg *msg, str *uri)
{
	(void)msg;
	return script_prefetch(uri);
}

static int ki_is_target(struct sip_msg *msg, str *uri, str *ip)
{
	(void)msg;
	return script_is_target(uri, ip, 0, 0);
}

static int ki_is_target_port(struct sip_msg *msg, str *uri, str *ip, str *port)
{
	(void)msg;
	return is_target(uri, ip, port, NULL);
}

static int ki_is_target_proto(struct sip_msg *msg, str *uri, str *ip, str *port, str *transport)
{
	(void)msg;
	return is_target(uri, ip, port, transport);
}

/* clang-format off */
static sr_kemi_t kemi_exports[] = {
	{ str_init("dns_wait"), str_init("t_dns_wait"), SR_KEMIP_INT, ki_wait,
		{ SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE } },
	{ str_init("dns_wait"), str_init("t_dns_wait_uri"), SR_KEMIP_INT, ki_wait_uri,
		{ SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE } },
	{ str_init("dns_wait"), str_init("dns_ready"), SR_KEMIP_INT, ki_ready,
		{ SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE } },
	{ str_init("dns_wait"), str_init("dns_prefetch"), SR_KEMIP_INT, ki_prefetch,
		{ SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE } },
	{ str_init("dns_wait"), str_init("dns_is_target"), SR_KEMIP_INT, ki_is_target,
		{ SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE } },
	{ str_init("dns_wait"), str_init("dns_is_target_port"), SR_KEMIP_INT, ki_is_target_port,
		{ SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE, SR_KEMIP_NONE } },
	{ str_init("dns_wait"), str_init("dns_is_target_proto"), SR_KEMIP_INT, ki_is_target_proto,
		{ SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_STR, SR_KEMIP_NONE, SR_KEMIP_NONE } },
	{ {0, 0}, {0, 0}, 0, NULL, { 0, 0, 0, 0, 0, 0 } }
};

static cmd_export_t commands[] = {
	{"t_dns_wait", (cmd_function)w_wait, 1, fixup_text, free_text, REQUEST_ROUTE | FAILURE_ROUTE},
	{"t_dns_wait", (cmd_function)w_wait_uri, 2, fixup_text, free_text, REQUEST_ROUTE | FAILURE_ROUTE},
	{"dns_ready", (cmd_function)w_ready, 1, fixup_text, free_text, ANY_ROUTE},
	{"dns_prefetch", (cmd_function)w_prefetch, 1, fixup_text, free_text, ANY_ROUTE},
	{"dns_is_target", (cmd_function)w_is_target2, 2, fixup_text, free_text, ANY_ROUTE},
	{"dns_is_target", (cmd_function)w_is_target3, 3, fixup_text, free_text, ANY_ROUTE},
	{"dns_is_target", (cmd_function)w_is_target4, 4, fixup_text, free_text, ANY_ROUTE},
	{0, 0, 0, 0, 0, 0}
};

static param_export_t params[] = {
	{"workers", PARAM_INT, &settings.workers},
	{"deadline", PARAM_INT, &settings.deadline_ms},
	{"max_waiting", PARAM_INT, &settings.most_waiting},
	{"shed_returns", PARAM_INT, &settings.shed_returns},
	{"without_library", PARAM_INT, &settings.without_library},
	{"stale_is_target", PARAM_INT, &settings.stale_is_target},
	{"watch", PARAM_STRING | PARAM_USE_FUNC, (void *)watch_param},
	{"event_callback", PARAM_STR, &watch_callback},
	{0, 0, 0}
};

static pv_export_t variables[] = {
	{ {"dnsw", sizeof "dnsw" - 1}, PVT_OTHER, vars_get, 0, vars_parse_name, 0, 0, 0 },
	{ {0, 0}, 0, 0, 0, 0, 0, 0, 0 }
};
/* clang-format on */

/* --- the start */

static int check_range(const char *name, int value, int least, int most)
{
	if(value >= least && value <= most)
		return 0;
	LM_ERR("%s is %d, and can be %d to %d\n", name, value, least, most);
	return -1;
}

static int check_settings(void)
{
	return check_range("workers", settings.workers, 1, MOST_WORKERS) == 0
				   && check_range("deadline", settings.deadline_ms, 100, 600000) == 0
				   && check_range("max_waiting", settings.most_waiting, 1, 1000000) == 0
			   ? 0
			   : -1;
}

/* tm's fr_timer as the script sets it, ms; 0: it cannot be had. */
static unsigned int final_timer_ms(void)
{
	str group_name = str_init("tm"), name = str_init("fr_timer");
	cfg_group_t *group;
	cfg_mapping_t *variable;
	unsigned int ticks;

	if(cfg_lookup_var(&group_name, &name, &group, &variable) != 0 || group->handle == NULL || *group->handle == NULL)
		return 0;
	memcpy(&ticks, (const char *)*group->handle + variable->offset, sizeof ticks);
	return (unsigned int)TICKS_TO_MS(ticks);
}

static int mod_init(void)
{
	if(check_settings() != 0)
		return -1;
	if(load_tm_api(&tmb) == -1) {
		LM_ERR("the module tm has to be loaded before\n");
		return -1;
	}
	if(counts_register() != 0) {
		LM_ERR("the statistics cannot be registered\n");
		return -1;
	}
	if(!library_find()) {
		if(settings.without_library)
			return 0;
		LM_ERR("this server does not run on kamailio-dns; without_library=1 has the module answer \"not available\"\n");
		return -1;
	}
	if(watch_prepare() != 0)
		return -1;
	if(waits_init() != 0 || worker_register() < 0) {
		LM_ERR("no memory\n");
		return -1;
	}
	register_procs(settings.workers);
	cfg_register_child(settings.workers);
	return 0;
}

static int check_deadline(void)
{
	unsigned int timer_ms = final_timer_ms();

	if(timer_ms == 0 || (unsigned int)settings.deadline_ms < timer_ms)
		return 0;
	LM_ERR("deadline is %d ms, and has to be less than tm's fr_timer, %u ms\n", settings.deadline_ms, timer_ms);
	return -1;
}

static int fork_workers(void)
{
	for(int i = 0; i < settings.workers; i++) {
		int pid = fork_process(PROC_XWORKER, "dns_wait worker", 1);

		if(pid < 0)
			return -1;
		if(pid == 0) {
			if(cfg_child_init() != 0)
				return -1;
			/* The end of this process ends the server, as that of any worker. */
			exit(worker_run(i) != 0 ? 1 : 0);
		}
	}
	return 0;
}

static int child_init(int rank)
{
	if(!library_is_there())
		return 0;
	if(rank == PROC_INIT)
		return check_deadline();
	return rank == PROC_MAIN ? fork_workers() : 0;
}

static void mod_destroy(void)
{
	waits_destroy();
}

int mod_register(char *path, int *dlflags, void *p1, void *p2)
{
	(void)path;
	(void)dlflags;
	(void)p1;
	(void)p2;
	return sr_kemi_modules_add(kemi_exports);
}

struct module_exports exports = {
		"dns_wait", DEFAULT_DLFLAGS, commands, params, 0, variables, 0, mod_init, child_init, mod_destroy};
