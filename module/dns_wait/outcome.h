/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outcome of a wait, for as long as its route runs in this process. */
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
	/* The outcome of the route in which this route runs. */
	struct outcome *outer;
	end_t end;
	/* enum kdns_error; 0 where there are targets. */
	int error;
	unsigned int waited_ms;
	/* The request that variables show; NULL: nothing was asked. */
	struct kdns_request *request;
	/* The requests of the destination and of each branch; some may be NULL. Whoever made the outcome gives them back. */
	struct kdns_request *const *found;
	unsigned int found_count;
} outcome_t;

/* The script's name of an error of the library. */
end_t end_of(int error, end_t if_found);

/* Number of outcomes, one in the other. */
unsigned int outcome_depth(void);

/* From here to outcome_end() variables show the outcome, and lookups of this process find what its requests found. */
void outcome_begin(outcome_t *outcome);
void outcome_end(void);

/* The outcome whose route is running, or NULL. */
const outcome_t *outcome_now(void);

#endif
