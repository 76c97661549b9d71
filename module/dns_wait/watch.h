/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * URIs whose targets are watched: the first worker's second thread sees what changes, its first one runs the event route.
 */
#ifndef DNS_WAIT_WATCH_H
#define DNS_WAIT_WATCH_H

#include "../../core/sr_module.h"
#include "../../core/str.h"

#include "library.h"

/* A change of a URI's targets, in memory of the process. */
typedef struct change
{
	struct change *next;
	const char *uri;
	/* Lists of targets. */
	char *added, *removed;
} change_t;

/* Module parameter: one more URI. */
int watch_param(modparam_t type, void *value);
/* Module parameter: the function of a KEMI script. */
extern str watch_callback;
/* In mod_init(): what is to be run. */
int watch_prepare(void);
/* Before the second thread is there: begins to watch in a context. `leave` is called in the thread that turns the context, and
 * gets what is to be given to watch_run(). */
int watch_begin(struct kdns *context, void (*leave)(change_t *change));

/* Runs the event route for a change, and frees it. */
void watch_run(change_t *change);
/* The change whose route is running, or NULL. */
const change_t *watch_now(void);

#endif
