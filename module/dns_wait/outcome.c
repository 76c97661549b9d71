/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outcomes of the routes that are running, the innermost first. */
#include <stddef.h>

#include "outcome.h"

static outcome_t *now;

static unsigned int depth;

static void use(void)
{
	if(library.use == NULL)
		return;
	library.use(NULL);
	for(unsigned int i = 0; now != NULL && i < now->found_count; i++) {
		if(now->found[i] != NULL)
			library.use_also(now->found[i]);
	}
}

end_t end_of(int error, end_t if_found)
{
	switch(error) {
		case KDNS_OK:
			return if_found;
		case KDNS_E_TIMEOUT:
		case KDNS_E_DEADLINE:
			return END_TIMEOUT;
		default:
			return END_FAILED;
	}
}

void outcome_begin(outcome_t *outcome)
{
	outcome->outer = now;
	now = outcome;
	depth++;
	use();
}

void outcome_end(void)
{
	now = now->outer;
	depth--;
	use();
}

unsigned int outcome_depth(void)
{
	return depth;
}

const outcome_t *outcome_now(void)
{
	return now;
}
