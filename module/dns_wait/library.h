/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The library's functions, as the server that loads the module has them. The module looks
 * them up at the start: a server on its own DNS code has none, and the module says so instead of failing to load.
 */
#ifndef DNS_WAIT_LIBRARY_H
#define DNS_WAIT_LIBRARY_H

#include "kamailio_dns_client.h"

typedef struct library
{
	__typeof__(&kdns_open) open;
	__typeof__(&kdns_set) set;
	__typeof__(&kdns_error_text) error_text;
	__typeof__(&kdns_resolve) resolve;
	__typeof__(&kdns_start) start;
	__typeof__(&kdns_fd) fd;
	__typeof__(&kdns_timeout) timeout;
	__typeof__(&kdns_process) process;
	__typeof__(&kdns_finished) finished;
	__typeof__(&kdns_status) status;
	__typeof__(&kdns_failure) failure;
	__typeof__(&kdns_user) user;
	__typeof__(&kdns_target) target;
	__typeof__(&kdns_use) use;
	__typeof__(&kdns_use_also) use_also;
	__typeof__(&kdns_release) release;
	__typeof__(&kdns_ready) ready;
	__typeof__(&kdns_is_target) is_target;
	__typeof__(&kdns_watch) watch;
} library_t;

extern library_t library;

/* 1: all functions are there; 0: one is missing. */
int library_find(void);

/* The result of library_find(). */
int library_is_there(void);

#endif
