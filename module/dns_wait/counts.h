/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module's statistics, group "dns_wait". Only the thread that runs routes counts: the counters are the process's. */
#ifndef DNS_WAIT_COUNTS_H
#define DNS_WAIT_COUNTS_H

typedef enum count
{
	COUNT_READY,
	COUNT_SUSPENDED,
	COUNT_CONTINUED,
	COUNT_GONE,
	COUNT_WAITED,
	COUNT_FAILED,
	COUNT_TIMEOUT,
	COUNT_SHED,
	COUNT_NO_MEMORY,
	COUNT_REFUSED,
	COUNT_CHANGED,
	COUNTS
} count_t;

int counts_register(void);
void count(count_t which);

#endif
