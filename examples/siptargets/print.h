/* Target lists for people (a table) and for programs (JSON). */
#ifndef PRINT_H
#define PRINT_H

#include <stdio.h>

#include "targets.h"

/* Everything that the output shows about one run. */
struct report {
	const char *uri;
	const struct target_query *query;
	const struct target_list *list;
	size_t dead; /* targets 1..dead are declared dead */
};

/* "192.0.2.1:5060", "[2001:db8::1]:5060"; `size` of at least 56 octets. */
void format_destination(const struct target *target, char *text, size_t size);

/* The table, the failover lines, and a last line that says what was chosen. */
void print_table(FILE *out, const struct report *report);

/* Why there is no target, in words. */
void explain_failure(FILE *out, const struct report *report);

/* One string in quotes, escaped. */
void print_json_string(FILE *out, const char *text);

/* The members `targets`, `chosen` and `error` of an object that the caller opens and closes. The
 * shape is documented in examples/README.md. */
void print_json_members(FILE *out, const struct report *report);

#endif
