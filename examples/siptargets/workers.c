#include "workers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "print.h"
#include "sip_uri.h"

struct worker {
	pid_t pid;
	int go; /* write end of the pipe on which the worker waits for its turn */
};

/* Lines of the DNS server's log so far; -1 when it cannot be read. */
static long count_queries(const char *path)
{
	FILE *log = path ? fopen(path, "r") : NULL;
	long lines = 0;
	int c;

	if (!log)
		return -1;
	while ((c = getc(log)) != EOF) {
		if (c == '\n')
			lines++;
	}
	fclose(log);
	return lines;
}

/* What the DNS server was asked and said, from a line of its log on. */
static void print_queries(FILE *out, const char *path, long from)
{
	FILE *log = fopen(path, "r");
	char line[1200];
	long number = 0;

	if (!log)
		return;
	fprintf(out, "  What the DNS server was asked, and its answers:\n");
	while (fgets(line, sizeof(line), log)) {
		if (number++ >= from)
			fprintf(out, "    %s", line);
	}
	fclose(log);
}

/* The work of one worker: look up, print. */
static int work(const struct job *job)
{
	struct target_list list;
	struct report report;
	long before = count_queries(job->query_log);
	int code;

	if (targets_find(&job->query, &list) < 0) {
		fprintf(stderr, "siptargets: out of memory\n");
		targets_free(&list);
		return EXIT_TROUBLE;
	}
	report.uri = job->uri;
	report.query = &job->query;
	report.list = &list;
	report.dead = job->fail < list.count ? job->fail : list.count;
	if (job->json)
		print_json_members(stdout, &report);
	else if (list.count)
		print_table(stdout, &report);
	fflush(stdout);
	if (list.count == 0 && !job->json) {
		explain_failure(stderr, &report);
		if (before >= 0)
			print_queries(stderr, job->query_log, before);
	}
	code = report.dead < list.count ? EXIT_FOUND : EXIT_NO_TARGET;
	targets_free(&list);
	return code;
}

static void print_json_head(const struct job *job)
{
	printf("{\"uri\":");
	print_json_string(stdout, job->uri);
	printf(",\"host\":");
	print_json_string(stdout, job->query.host);
	if (job->query.port)
		printf(",\"port\":%u", (unsigned)job->query.port);
	else
		printf(",\"port\":null");
	if (job->query.transport != TRANSPORT_NONE)
		printf(",\"transport\":\"%s\"", sip_transport_name(job->query.transport));
	else
		printf(",\"transport\":null");
	printf(",\"workers\":[\n");
}

/* What comes before worker `number`'s own output, and what comes after it. */
static void print_before(const struct job *job, unsigned number)
{
	if (job->json)
		printf("%s{\"worker\":%u,", number > 1 ? ",\n" : "", number);
	else if (job->workers > 1)
		printf("%s-- worker %u of %u\n", number > 1 ? "\n" : "", number, job->workers);
	fflush(stdout);
}

static void print_after(const struct job *job, unsigned number, long before, long after)
{
	int counted = before >= 0 && after >= 0;

	if (job->json && counted)
		printf(",\"queries\":%ld}", after - before);
	else if (job->json)
		printf(",\"queries\":null}");
	else if (counted)
		printf("worker %u: %ld DNS quer%s (the server had seen %ld before, %ld after)\n", number,
		       after - before, after - before == 1 ? "y" : "ies", before, after);
	fflush(stdout);
}

/* Waits for the turn; 0 when the parent is gone. */
static int wait_for_turn(int fd)
{
	char turn;
	ssize_t n;

	do
		n = read(fd, &turn, 1);
	while (n < 0 && errno == EINTR);
	return n == 1;
}

/* Forks worker `index`. All are forked before the first lookup: what one of them learns reaches the
 * others through shared memory or not at all. */
static int start(const struct job *job, struct worker *workers, unsigned index)
{
	int ends[2];
	unsigned i;

	if (pipe(ends) < 0)
		return -1;
	workers[index].go = ends[1];
	workers[index].pid = fork();
	if (workers[index].pid != 0) {
		close(ends[0]);
		return workers[index].pid < 0 ? -1 : 0;
	}
	for (i = 0; i <= index; i++)
		close(workers[i].go);
	_exit(wait_for_turn(ends[0]) ? work(job) : EXIT_TROUBLE);
}

/* Gives the worker its turn and waits for its end; its exit code. */
static int let_work(struct worker *worker)
{
	int status;

	if (write(worker->go, "", 1) != 1)
		return EXIT_TROUBLE;
	while (waitpid(worker->pid, &status, 0) < 0) {
		if (errno != EINTR)
			return EXIT_TROUBLE;
	}
	worker->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_TROUBLE;
}

int run_workers(const struct job *job)
{
	struct worker workers[MAX_WORKERS];
	unsigned i, started;
	int code, result = EXIT_FOUND;
	long before;

	memset(workers, 0, sizeof(workers));
	fflush(stdout);
	for (started = 0; started < job->workers; started++) {
		if (start(job, workers, started) < 0) {
			fprintf(stderr, "siptargets: cannot start a worker: %s\n", strerror(errno));
			result = EXIT_TROUBLE;
			break;
		}
	}
	if (result == EXIT_FOUND && job->json)
		print_json_head(job);
	for (i = 0; i < started && result != EXIT_TROUBLE; i++) {
		before = count_queries(job->query_log);
		print_before(job, i + 1);
		code = let_work(&workers[i]);
		if (code == EXIT_TROUBLE)
			fprintf(stderr, "siptargets: worker %u failed\n", i + 1);
		else
			print_after(job, i + 1, before, count_queries(job->query_log));
		if (code != EXIT_FOUND && result != EXIT_TROUBLE)
			result = code == EXIT_TROUBLE || result == EXIT_FOUND ? code : result;
	}
	if (result != EXIT_TROUBLE && job->json)
		printf("\n]}\n");
	for (i = 0; i < started; i++) {
		/* A worker that had no turn sees the end of its pipe and leaves. */
		close(workers[i].go);
		if (workers[i].pid > 0)
			waitpid(workers[i].pid, NULL, 0);
	}
	fflush(stdout);
	return result;
}
