/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A worker: prepares the names of its role, waits for the others, and does its operations. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <linux/futex.h>

#include "../../core/cfg/cfg_struct.h"

#include "operations.h"

/* Random places of names that are drawn before the clock runs. */
#define DRAWS (1u << 16)
/* Operations between two looks at the clock. */
#define BATCH 64
#define ROOM 300

job_t *job;
int pin_workers = 1;

/* The names of a role, and in which order they come. */
typedef struct
{
	const role_t *role;
	str *list;
	char *text;
	unsigned count, next;
	uint32_t *draws;
	uint64_t unique;
	double missing;
	char fresh[ROOM];
	str fresh_name;
} names_t;

void job_wait(volatile int *value, int old, double seconds)
{
	struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

	syscall(SYS_futex, value, FUTEX_WAIT, old, seconds > 0 ? &time : NULL, NULL, 0);
}

void job_wake(volatile int *value)
{
	syscall(SYS_futex, value, FUTEX_WAKE, MAX_WORKERS + 1, NULL, NULL, 0);
}

static uint64_t random_state;

static uint64_t draw(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void draw_uniform(names_t *names)
{
	for(unsigned i = 0; i < DRAWS; i++)
		names->draws[i] = (uint32_t)(draw() % names->count);
}

static void draw_zipf(names_t *names)
{
	double *sums = malloc(sizeof *sums * names->count), sum = 0;

	for(unsigned i = 0; i < names->count; i++) {
		sum += 1.0 / (i + 1);
		sums[i] = sum;
	}
	for(unsigned i = 0; i < DRAWS; i++) {
		double wanted = (double)(draw() >> 11) / 9007199254740992.0 * sum;
		unsigned low = 0, high = names->count - 1;

		while(low < high) {
			unsigned middle = (low + high) / 2;
			if(sums[middle] < wanted)
				low = middle + 1;
			else
				high = middle;
		}
		names->draws[i] = low;
	}
	free(sums);
}

static void prepare_names(names_t *names, const role_t *role, uint64_t first_unique)
{
	size_t room = strlen(role->names.before) + strlen(role->names.after) + 16;

	memset(names, 0, sizeof *names);
	names->role = role;
	names->unique = first_unique;
	names->fresh_name.s = names->fresh;
	names->count = role->end - role->first;
	if(role->order == ORDER_UNIQUE)
		return;
	names->list = malloc(sizeof *names->list * names->count);
	names->text = malloc(room * names->count);
	for(unsigned i = 0; i < names->count; i++) {
		names->list[i].s = names->text + room * i;
		names->list[i].len = plan_name(names->list[i].s, &role->names, role->first + i);
	}
	if(role->order == ORDER_SEQUENCE)
		return;
	names->draws = malloc(sizeof *names->draws * DRAWS);
	if(role->order == ORDER_RANDOM)
		draw_uniform(names);
	else
		draw_zipf(names);
	names->next = (unsigned)draw();
}

static void free_names(names_t *names)
{
	free(names->list);
	free(names->text);
	free(names->draws);
}

static str *fresh_name(names_t *names, const pattern_t *pattern)
{
	names->fresh_name.len = plan_name(names->fresh, pattern, names->unique++);
	return &names->fresh_name;
}

static str *next_name(names_t *names)
{
	const role_t *role = names->role;

	if(role->order == ORDER_UNIQUE)
		return fresh_name(names, &role->names);
	if(role->missing_percent > 0 && (names->missing += role->missing_percent) >= 100) {
		names->missing -= 100;
		return fresh_name(names, &role->missing);
	}
	if(names->draws != NULL)
		return &names->list[names->draws[names->next++ & (DRAWS - 1)]];
	if(names->next >= names->count)
		names->next = 0;
	return &names->list[names->next++];
}

/* The loop whose instructions are counted: callgrind is told its name. */
int __attribute__((noinline)) dnsbench_cg_loop(
		operation_t operation, context_t *context, str *names, unsigned count, unsigned long operations)
{
	unsigned at = 0;
	int result = 0;

	for(unsigned long i = 0; i < operations; i++) {
		result |= operation(context, &names[at]);
		if(++at >= count)
			at = 0;
	}
	return result;
}

/* As fast as it goes, names in sequence; each worker begins elsewhere. */
static void run_fast(context_t *context, names_t *names, result_t *result, int worker, uint64_t end)
{
	operation_t operation = operation_of(context->role->mode);
	unsigned long wanted = context->role->count;
	unsigned at = wanted ? 0 : (unsigned)((uint64_t)worker * names->count / (unsigned)job->workers);

	do {
		unsigned batch = wanted && wanted - result->operations < BATCH ? (unsigned)(wanted - result->operations) : BATCH;

		for(unsigned i = 0; i < batch; i++) {
			if(operation(context, &names->list[at]) < 0)
				result->errors++;
			if(++at >= names->count)
				at = 0;
		}
		result->operations += batch;
		if(wanted && result->operations >= wanted)
			return;
	} while(clock_ticks() < end && !job->stop);
}

/* Any order, each operation timed or not, with pauses or without. */
static void run_any(context_t *context, names_t *names, result_t *result, uint64_t end)
{
	const role_t *role = context->role;
	operation_t operation = operation_of(role->mode);
	uint64_t now = 0;

	do {
		str *name = next_name(names);
		uint64_t begun = role->is_timed ? clock_ticks() : 0;

		if(operation(context, name) < 0)
			result->errors++;
		result->operations++;
		if(role->is_timed) {
			now = clock_ticks();
			histogram_add(&result->took, now - begun);
		} else if((result->operations & 15) == 0) {
			now = clock_ticks();
		}
		if((role->count && result->operations >= role->count) || job->stop || now >= end)
			return;
		if(role->pause_us)
			usleep((useconds_t)role->pause_us);
	} while(1);
}

static void schedule(int policy, int priority)
{
	struct sched_param parameter = {.sched_priority = priority};

	sched_setscheduler(0, policy, &parameter);
}

static void pin(int worker)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(worker % (int)sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof one, &one);
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
		   + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(context_t *context, names_t *names, result_t *result, int worker)
{
	const role_t *role = context->role;
	uint64_t begun = clock_ticks();
	uint64_t end = role->count ? UINT64_MAX : begun + (uint64_t)(job->seconds * 1e9 / ns_per_tick);
	double cpu = cpu_s();
	int is_plain = role->order == ORDER_SEQUENCE && !role->is_timed && role->missing_percent <= 0 && !role->pause_us;

	if(is_plain && role->count && getenv("DNSBENCH_CG") != NULL) {
		result->errors += dnsbench_cg_loop(operation_of(role->mode), context, names->list, names->count, role->count) < 0;
		result->operations = role->count;
	} else if(is_plain) {
		run_fast(context, names, result, worker, end);
	} else {
		run_any(context, names, result, end);
	}
	result->wall_s = (double)(clock_ticks() - begun) * ns_per_tick / 1e9;
	result->cpu_s = cpu_s() - cpu;
}

static void do_job(int worker)
{
	const role_t *role = &job->roles[job->role_of[worker]];
	result_t *result = &job->results[worker];
	context_t context = {.role = role, .worker = worker};
	names_t names;

	/* This also has the pages of the result ready before the clock runs. */
	memset(result, 0, sizeof *result);
	random_state = 88172645463325252u ^ ((uint64_t)(worker + 1) * 0x9E3779B97F4A7C15u);
	if(pin_workers)
		pin(worker);
	prepare_names(&names, role, job->first_unique[worker]);
	if(names.list != NULL && operation_begin(&context, &names.list[0]) != 0)
		result->errors++;

	__atomic_add_fetch(&job->ready, 1, __ATOMIC_SEQ_CST);
	job_wake(&job->ready);
	while(!__atomic_load_n(&job->go, __ATOMIC_ACQUIRE))
		job_wait(&job->go, 0, 1.0);
	if(role->is_realtime)
		schedule(SCHED_FIFO, 10);
	measure(&context, &names, result, worker);
	if(role->is_realtime)
		schedule(SCHED_OTHER, 0);

	operation_end(&context);
	free_names(&names);
	__atomic_add_fetch(&job->done, 1, __ATOMIC_SEQ_CST);
	job_wake(&job->done);
}

void worker_main(int worker)
{
	int seen = 0;

	for(;;) {
		while(__atomic_load_n(&job->number, __ATOMIC_ACQUIRE) == seen)
			job_wait(&job->number, seen, 0);
		seen = job->number;
		cfg_update();
		if(worker < job->workers)
			do_job(worker);
	}
}
