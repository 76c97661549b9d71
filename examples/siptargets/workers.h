/* One lookup in several worker processes, as a forking SIP proxy does it. */
#ifndef WORKERS_H
#define WORKERS_H

#include "targets.h"

#define MAX_WORKERS 64

/* Exit codes, of the program and of its workers. */
enum { EXIT_FOUND = 0, EXIT_NO_TARGET = 1, EXIT_USAGE = 2, EXIT_TROUBLE = 3 };

struct job {
	const char *uri;
	struct target_query query;
	unsigned workers;
	size_t fail; /* targets 1..fail are declared dead */
	int json;
	const char *query_log; /* log of the DNS server, one line a query; NULL = none */
};

/* Forks the workers, lets them look up one after the other, prints what each found. Returns an exit
 * code: the first worker's that is not 0. */
int run_workers(const struct job *job);

#endif
