/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls of the interface that is measured, as Kamailio's core and modules make them. */
#include <string.h>

#include "../../core/resolve.h"
#include "../../core/dns_cache.h"
#include "../../core/dns_wrappers.h"

#include "operations.h"

/* More than any list of targets here has. */
#define MAX_TARGETS 256

/* What the measuring itself costs. */
static int __attribute__((noinline)) nothing(context_t *context, str *name)
{
	(void)context;
	__asm__ volatile("" ::"r"(name->s), "r"(name->len) : "memory");
	return 0;
}

static int get_ip(context_t *context, str *name)
{
	struct ip_addr address;

	(void)context;
	return dns_get_ip(name, &address, dns_flags);
}

static int srv_get_ip(context_t *context, str *name)
{
	struct ip_addr address;
	unsigned short port = 0;

	(void)context;
	return dns_srv_get_ip(name, &address, &port, dns_flags);
}

/* All targets of a destination, one after the other, as tm takes them when each fails. */
static int all_targets(context_t *context, str *name)
{
	const role_t *role = context->role;
	struct dns_srv_handle handle;
	struct ip_addr address;
	unsigned short port = (unsigned short)role->port;
	char proto = (char)role->proto;
	int count = 0, first, result;

	dns_srv_handle_init(&handle);
	first = result = dns_sip_resolve(&handle, name, &address, &port, &proto, dns_flags);
	while(result >= 0) {
		count++;
		if(role->most_targets != 0 && count >= role->most_targets)
			break;
		if(count > MAX_TARGETS || !dns_srv_handle_next(&handle, result))
			break;
		port = (unsigned short)role->port;
		proto = (char)role->proto;
		result = dns_sip_resolve(&handle, name, &address, &port, &proto, dns_flags);
	}
	dns_srv_handle_put(&handle);
	return first;
}

static int get_he(context_t *context, str *name)
{
	(void)context;
	return dns_get_he(name, dns_flags) != NULL ? 0 : -1;
}

static int resolvehost_(context_t *context, str *name)
{
	(void)context;
	return dns_resolvehost(name->s) != NULL ? 0 : -1;
}

static int sip_resolvehost_(context_t *context, str *name)
{
	unsigned short port = (unsigned short)context->role->port;
	char proto = (char)context->role->proto;

	return dns_sip_resolvehost(name, &port, &proto) != NULL ? 0 : -1;
}

static int copy_handle(context_t *context, str *name)
{
	struct dns_srv_handle copy;

	(void)name;
	dns_srv_handle_cpy(&copy, &context->held);
	__asm__ volatile("" ::"r"(&copy) : "memory");
	dns_srv_handle_put(&copy);
	return 0;
}

/* The resolver without cache that the core's table of functions names. */
static int raw(context_t *context, str *name)
{
	unsigned char answer[8192];

	(void)context;
	return dns_func.sr_res_search(name->s, 1 /* class IN */, T_A, answer, sizeof answer) < 0 ? -1 : 0;
}

static const struct
{
	const char *name;
	operation_t operation;
} modes[] = {
		{"null", nothing},
		{"get_ip", get_ip},
		{"srv_get_ip", srv_get_ip},
		{"sip", all_targets},
		{"get_he", get_he},
		{"resolvehost", resolvehost_},
		{"sip_resolvehost", sip_resolvehost_},
		{"handle", copy_handle},
		{"res", raw},
		{"xadd", floor_shared},
		{"xaddp", floor_private},
		{"ref", floor_counted},
		{"refro", floor_lookup},
};

#define MODES ((int)(sizeof modes / sizeof modes[0]))

int operation_find(const char *name)
{
	for(int mode = 0; mode < MODES; mode++) {
		if(strcmp(modes[mode].name, name) == 0)
			return mode;
	}
	return -1;
}

const char *operation_name(int mode)
{
	return modes[mode].name;
}

operation_t operation_of(int mode)
{
	return modes[mode].operation;
}

int operation_begin(context_t *context, str *name)
{
	struct ip_addr address;
	unsigned short port = (unsigned short)context->role->port;
	char proto = (char)context->role->proto;

	dns_srv_handle_init(&context->held);
	if(operation_of(context->role->mode) != copy_handle)
		return 0;
	return dns_sip_resolve(&context->held, name, &address, &port, &proto, dns_flags) < 0 ? -1 : 0;
}

void operation_end(context_t *context)
{
	dns_srv_handle_put(&context->held);
}
