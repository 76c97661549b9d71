/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What became of a wait, for as long as its route runs in this process. */
#ifndef DNS_WAIT_OUTCOME_H
#define DNS_WAIT_OUTCOME_H

#include "library.h"

typedef enum end
{
	END_READY = 1,
	END_WAITED,
	END_FAILED,
	END_TIMEOUT,
	END_SHED,
	END_UNAVAILABLE,
} end_t;

typedef struct outcome
{
	/* That of the route which this one was run in. */
	struct outcome *outer;
	end_t end;
	/* enum kdns_error; 0 where there are targets. */
	int error;
	unsigned int waited_ms;
	/* What variables show; NULL: nothing was asked. */
	struct kdns_request *request;
	/* What was found for the destination and each branch, NULL among them. Given back by who made the outcome. */
	struct kdns_request *const *found;
	unsigned int found_count;
} outcome_t;

/* What an error of the library is called for the script. */
end_t end_of(int error, end_t if_found);

/* How many outcomes there are, one in the other. */
unsigned int outcome_depth(void);

/* From here to outcome_end() variables show it, and lookups of this process find what its requests found. */
void outcome_begin(outcome_t *outcome);
void outcome_end(void);

/* The one whose route is running, or NULL. */
const outcome_t *outcome_now(void);

#endif
