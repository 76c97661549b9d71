/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks up the library's functions in the server. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <string.h>

#include "library.h"

library_t library;
static int is_there;

static int find(const char *name, void *place)
{
	void *symbol = dlsym(RTLD_DEFAULT, name);

	/* A pointer to a function is written as what it is: octets of that size. */
	memcpy(place, &symbol, sizeof symbol);
	return symbol != NULL;
}

int library_find(void)
{
	is_there = find("kdns_open", &library.open) && find("kdns_set", &library.set)
			   && find("kdns_error_text", &library.error_text) && find("kdns_resolve", &library.resolve)
			   && find("kdns_start", &library.start) && find("kdns_fd", &library.fd)
			   && find("kdns_timeout", &library.timeout) && find("kdns_process", &library.process)
			   && find("kdns_finished", &library.finished) && find("kdns_status", &library.status)
			   && find("kdns_failure", &library.failure) && find("kdns_user", &library.user)
			   && find("kdns_target", &library.target) && find("kdns_use", &library.use)
			   && find("kdns_use_also", &library.use_also) && find("kdns_watch", &library.watch)
			   && find("kdns_release", &library.release) && find("kdns_ready", &library.ready)
			   && find("kdns_prefetch", &library.fetch_ahead) && find("kdns_is_target", &library.is_target);
	return is_there;
}

int library_is_there(void)
{
	return is_there;
}
