/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operations that can be measured. */
#ifndef DNSBENCH_OPERATIONS_H
#define DNSBENCH_OPERATIONS_H

#include "dnsbench.h"

typedef struct
{
	const role_t *role;
	int worker;
	struct dns_srv_handle held; /* by the mode "handle" */
} context_t;

/* Negative: failed. */
typedef int (*operation_t)(context_t *context, str *name);

/* Number of a mode by its name; -1 for none. */
int operation_find(const char *name);
const char *operation_name(int mode);
operation_t operation_of(int mode);
/* What an operation needs before the first time; 0 when it is there. */
int operation_begin(context_t *context, str *name);
void operation_end(context_t *context);

/* floor.c: what the machine needs for the least that a lookup has to do. */
int floor_init(void);
int floor_lookup(context_t *context, str *name);
int floor_counted(context_t *context, str *name);
int floor_shared(context_t *context, str *name);
int floor_private(context_t *context, str *name);

#endif
