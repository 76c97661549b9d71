/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parts of the measuring module share.
 *
 * One coordinator reads the plan and hands jobs to the workers; all of a job is in memory that they share. Nothing
 * here looks into the implementation that is measured: there are only the functions and inline functions of
 * dns_cache.h and dns_wrappers.h, and the UDP counters of the network namespace.
 */
#ifndef DNSBENCH_H
#define DNSBENCH_H

#include <stdint.h>
#include <stdio.h>

#include "../../core/resolve.h"
#include "../../core/dns_cache.h"
#include "../../core/str.h"

#define MAX_WORKERS 32
#define MAX_ROLES 9
#define MAX_PATTERN 112

/* --- histogram.c: how long operations took, in ticks --- */

#define HISTOGRAM_STEPS 32 /* buckets per power of two */
#define HISTOGRAM_BUCKETS (40 * HISTOGRAM_STEPS)

typedef struct
{
	uint64_t count, most;
	uint32_t bucket[HISTOGRAM_BUCKETS];
} histogram_t;

void histogram_add(histogram_t *histogram, uint64_t ticks);
void histogram_merge(histogram_t *into, const histogram_t *from);
/* Ticks that this share (0 to 1) of the operations did not exceed. */
double histogram_share(const histogram_t *histogram, double share);

/* --- clock.c --- */

extern double ns_per_tick;
void clock_calibrate(void);
uint64_t clock_ns(void);
uint64_t clock_ticks(void);

/* --- plan.c: the text of a plan --- */

/* A name with a number in it, or without. */
typedef struct
{
	char before[MAX_PATTERN], after[MAX_PATTERN];
	int has_number;
} pattern_t;

typedef enum
{
	ORDER_SEQUENCE,
	ORDER_RANDOM, /* uniform */
	ORDER_ZIPF,	  /* exponent 1 */
	ORDER_UNIQUE  /* each name once */
} order_t;

/* What some of the workers do. */
typedef struct
{
	int processes;
	int mode; /* see operations.h */
	pattern_t names;
	unsigned first, end;
	order_t order;
	unsigned long count; /* operations; 0: by time */
	int is_timed;		 /* each operation by itself */
	int most_targets;	 /* taken from one handle; 0: all */
	int port, proto;
	pattern_t missing; /* names that are asked for in between ... */
	double missing_percent;
	int pause_us;
	int is_realtime;
} role_t;

/* Value of KEY=VALUE in a line, VALUE in quotes or up to a blank; NULL when there is none. */
const char *plan_text(const char *line, const char *key, char *value, size_t size);
double plan_number(const char *line, const char *key, double otherwise);
/* 0 when the role was understood. */
int plan_role(const char *text, role_t *role);
/* Writes the name with a number of 8 digits; returns its length. */
int plan_name(char *to, const pattern_t *pattern, uint64_t number);

/* --- worker.c --- */

/* What a worker reports of a job. */
typedef struct
{
	uint64_t operations, errors;
	double wall_s, cpu_s;
	histogram_t took;
} result_t;

/* In shared memory. The integers that are waited for are futexes. */
typedef struct
{
	volatile int number; /* of the job; raised when there is a new one */
	volatile int ready, go, done, stop;
	int workers;
	double seconds;
	role_t roles[MAX_ROLES];
	int role_of[MAX_WORKERS];
	uint64_t first_unique[MAX_WORKERS];
	result_t results[MAX_WORKERS];
} job_t;

extern job_t *job;
extern int pin_workers;
void job_wait(volatile int *value, int old, double seconds);
void job_wake(volatile int *value);
/* Does not return. */
void worker_main(int id);

/* --- coordinator.c --- */

/* Carries the plan out, one JSON object per result; 0 if it could be read. */
int coordinate(const char *plan, FILE *out, int workers);

#endif
