/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A context belongs to the process that opened it, so each opens its own when it first needs one. */
#include <stddef.h>
#include <unistd.h>

#include "../../core/dprint.h"

#include "context.h"
#include "dns_wait.h"

static struct kdns *context;
static pid_t owner;

struct kdns *context_of_process(void)
{
	int error;

	if(owner == getpid())
		return context;
	owner = getpid();
	context = NULL;
	error = library.open(&context);
	if(error != KDNS_OK) {
		LM_ERR("the library gives no context: %s\n", library.error_text(error));
		context = NULL;
		return NULL;
	}
	/* The module's own limit counts, and branches are requests, too. */
	library.set(context, KDNS_MOST_REQUESTS, 1000000);
	return context;
}
