/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The coordinator: carries a plan out, command by command, and writes one JSON object for each role of each job. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../core/cfg/cfg_struct.h"
#include "../../core/dprint.h"

#include "operations.h"

#define MAX_REPETITIONS 64
#define MAX_LINE 4096
/* Numbers of names that no zone has an end of: they begin again before they have 9 digits. */
#define UNIQUE_END 90000000u
#define UNIQUE_ROOM 2000000u

/* Figures of one role, one for each repetition. */
typedef struct
{
	double rate[MAX_REPETITIONS], wall_ns[MAX_REPETITIONS], cpu_ns[MAX_REPETITIONS];
	double half[MAX_REPETITIONS], most_of[MAX_REPETITIONS];
	uint64_t operations, errors;
	histogram_t took;
} figures_t;

static figures_t figures[MAX_ROLES];
static uint64_t next_unique;
static int all_workers;

/* UDP datagrams sent in this network namespace. */
static unsigned long datagrams_sent(void)
{
	FILE *file = fopen("/proc/self/net/snmp", "r");
	char line[2048];
	unsigned long sent = 0;

	if(file == NULL)
		return 0;
	while(fgets(line, sizeof line, file) != NULL)
		sscanf(line, "Udp: %*u %*u %*u %lu", &sent);
	fclose(file);
	return sent;
}

static int ascending(const void *one, const void *other)
{
	double a = *(const double *)one, b = *(const double *)other;
	return (a > b) - (a < b);
}

static double median(double *values, int count)
{
	qsort(values, (size_t)count, sizeof *values, ascending);
	return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Has each worker's names begin where no other's do. */
static void share_unique_names(void)
{
	int place[MAX_ROLES] = {0};

	for(int worker = 0; worker < job->workers; worker++) {
		role_t *role = &job->roles[job->role_of[worker]];
		unsigned part = (role->end - role->first) / (unsigned)role->processes;

		job->first_unique[worker] = next_unique;
		next_unique += UNIQUE_ROOM / (unsigned)(job->workers > 8 ? job->workers : 8);
		if(role->order == ORDER_UNIQUE && part > 0 && role->end > role->first + 1) {
			/* Those of the zone, each once. */
			job->first_unique[worker] = role->first + (uint64_t)place[job->role_of[worker]]++ * part;
			if(role->count == 0 || role->count > part)
				role->count = part;
		}
	}
	if(next_unique > UNIQUE_END)
		next_unique = 0;
}

static void start_workers(void)
{
	job->stop = job->go = job->ready = job->done = 0;
	__atomic_add_fetch(&job->number, 1, __ATOMIC_SEQ_CST);
	job_wake(&job->number);
	while(job->ready < job->workers)
		job_wait(&job->ready, job->ready, 0.2);
	usleep(3000);
	__atomic_store_n(&job->go, 1, __ATOMIC_SEQ_CST);
	job_wake(&job->go);
}

/* Waits for the workers, runs the command at its time, stops them when it takes too long. */
static void wait_for_workers(const char *line)
{
	char command[512];
	double at = plan_text(line, "cmd1", command, sizeof command) ? plan_number(line, "at1", 0) : -1;
	double longest = plan_number(line, "maxsecs", 120);
	uint64_t begun = clock_ns();

	for(;;) {
		int done = __atomic_load_n(&job->done, __ATOMIC_ACQUIRE);
		double passed = (double)(clock_ns() - begun) / 1e9, pause = 0.5;

		if(done >= job->workers)
			return;
		if(at >= 0 && passed >= at) {
			at = -1;
			if(system(command) != 0)
				LM_ERR("command failed: %s\n", command);
		} else if(at >= 0 && at - passed < pause) {
			pause = at - passed + 0.0005;
		}
		if(passed > longest)
			job->stop = 1;
		job_wait(&job->done, done, pause);
	}
}

static void note(int role, int repetition)
{
	static histogram_t took;
	figures_t *figure = &figures[role];
	double rate = 0, wall = 0, cpu = 0;
	uint64_t operations = 0;

	memset(&took, 0, sizeof took);
	for(int worker = 0; worker < job->workers; worker++) {
		const result_t *result = &job->results[worker];

		if(job->role_of[worker] != role)
			continue;
		operations += result->operations;
		figure->errors += result->errors;
		rate += result->wall_s > 0 ? (double)result->operations / result->wall_s : 0;
		wall += result->wall_s;
		cpu += result->cpu_s;
		histogram_merge(&took, &result->took);
	}
	figure->operations += operations;
	figure->rate[repetition] = rate;
	figure->wall_ns[repetition] = operations ? wall * 1e9 / (double)operations : 0;
	figure->cpu_ns[repetition] = operations ? cpu * 1e9 / (double)operations : 0;
	figure->half[repetition] = histogram_share(&took, 0.5) * ns_per_tick;
	figure->most_of[repetition] = histogram_share(&took, 0.99) * ns_per_tick;
	histogram_merge(&figure->took, &took);
}

static void print(FILE *out, const char *label, int role, int repetitions, unsigned long datagrams)
{
	figures_t *figure = &figures[role];

	fprintf(out,
			"{\"label\":\"%s\",\"role\":%d,\"mode\":\"%s\",\"procs\":%d,\"allprocs\":%d,\"ops\":%llu,\"errs\":%llu,"
			"\"ns_op\":%.1f,\"ops_s\":%.0f,\"cpu_ns\":%.1f,\"udp_out\":%lu",
			label, role, operation_name(job->roles[role].mode), job->roles[role].processes, job->workers,
			(unsigned long long)figure->operations, (unsigned long long)figure->errors,
			median(figure->wall_ns, repetitions), median(figure->rate, repetitions), median(figure->cpu_ns, repetitions),
			datagrams);
	if(job->roles[role].is_timed)
		fprintf(out, ",\"p50\":%.0f,\"p99\":%.0f,\"allmax\":%.0f", median(figure->half, repetitions),
				median(figure->most_of, repetitions), (double)figure->took.most * ns_per_tick);
	fprintf(out, "}\n");
}

/* Reads the roles behind the bars of a line, which they are cut off from; their number, or -1. */
static int read_roles(char *line)
{
	char *bar = strchr(line, '|');
	int roles = 0;

	job->workers = 0;
	while(bar != NULL && roles < MAX_ROLES) {
		char *next = strchr(bar + 1, '|');

		*bar = '\0';
		if(next != NULL)
			*next = '\0';
		if(plan_role(bar + 1, &job->roles[roles]) != 0)
			return -1;
		for(int i = 0; i < job->roles[roles].processes && job->workers < all_workers; i++)
			job->role_of[job->workers++] = roles;
		roles++;
		bar = next;
	}
	return job->workers > 0 ? roles : -1;
}

static void run(char *line, FILE *out)
{
	int repetitions, roles = read_roles(line);
	unsigned long datagrams = 0;
	char label[128] = "?";

	if(roles < 0) {
		LM_ERR("not understood: %s\n", line);
		return;
	}
	plan_text(line, "label", label, sizeof label);
	repetitions = (int)plan_number(line, "reps", 1);
	if(repetitions > MAX_REPETITIONS)
		repetitions = MAX_REPETITIONS;
	job->seconds = plan_number(line, "secs", 0.3);
	memset(figures, 0, sizeof figures);
	for(int repetition = 0; repetition < repetitions; repetition++) {
		unsigned long before;

		if(plan_number(line, "flush", 0) != 0)
			dns_cache_flush(0);
		share_unique_names();
		before = datagrams_sent();
		start_workers();
		wait_for_workers(line);
		datagrams += datagrams_sent() - before;
		for(int role = 0; role < roles; role++)
			note(role, repetition);
	}
	if(plan_number(line, "quiet", 0) != 0)
		return;
	for(int role = 0; role < roles; role++)
		print(out, label, role, repetitions, datagrams);
	fflush(out);
}

static void execute(const char *line)
{
	char command[1024];

	if(plan_text(line, "cmd", command, sizeof command) == NULL || system(command) != 0)
		LM_ERR("command failed: %s\n", line);
}

int coordinate(const char *plan, FILE *out, int workers)
{
	FILE *file = fopen(plan, "r");
	char line[MAX_LINE];

	if(file == NULL)
		return -1;
	all_workers = workers;
	while(fgets(line, sizeof line, file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if(line[0] == '#' || line[0] == '\0')
			continue;
		cfg_update();
		if(strncmp(line, "run ", 4) == 0)
			run(line, out);
		else if(strncmp(line, "exec ", 5) == 0)
			execute(line);
		else
			LM_ERR("not a command of a plan: %s\n", line);
	}
	fclose(file);
	return 0;
}
