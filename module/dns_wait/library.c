/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks up the library's functions: in the server that is linked with it, or in the library that took the server over. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <string.h>

#include "library.h"

/* The library's name, whoever has loaded it. */
#define SONAME "libkamailio_dns.so.0"

library_t library;
static int is_there;
/* Where dlsym() looks: RTLD_DEFAULT, or the library as dlopen() gives it. */
static void *handle;

static int find(const char *name, void *place)
{
	void *symbol = dlsym(handle, name);

	/* The octets are copied, for C has no conversion from an object's pointer to a function's. */
	memcpy(place, &symbol, sizeof symbol);
	return symbol != NULL;
}

static int find_all(void)
{
	return find("kdns_open", &library.open) && find("kdns_set", &library.set)
			   && find("kdns_error_text", &library.error_text) && find("kdns_resolve", &library.resolve)
			   && find("kdns_start", &library.start) && find("kdns_fd", &library.fd)
			   && find("kdns_timeout", &library.timeout) && find("kdns_process", &library.process)
			   && find("kdns_finished", &library.finished) && find("kdns_status", &library.status)
			   && find("kdns_failure", &library.failure) && find("kdns_user", &library.user)
			   && find("kdns_target", &library.target) && find("kdns_use", &library.use)
			   && find("kdns_use_also", &library.use_also) && find("kdns_watch", &library.watch)
			   && find("kdns_release", &library.release) && find("kdns_ready", &library.ready)
			   && find("kdns_is_target", &library.is_target);
}

/* The takeover keeps the library's symbols from everybody else's; a library that is not there is not loaded. */
static int open_loaded(void)
{
	handle = dlopen(SONAME, RTLD_NOW | RTLD_NOLOAD);
	return handle != NULL;
}

/* Beside the server's own DNS code the library has no cache. */
static int is_in_place(void)
{
	static const char uri[] = "sip:127.0.0.1";

	return library.ready(uri, sizeof uri - 1, NULL) != KDNS_E_NO_CACHE;
}

int library_find(void)
{
	handle = RTLD_DEFAULT;
	is_there = (find_all() || (open_loaded() && find_all())) && is_in_place();
	return is_there;
}

int library_is_there(void)
{
	return is_there;
}
