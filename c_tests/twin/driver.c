/* Runs cases, each in a process of its own, and writes a line for each of their commands.
 *
 *   driver CASES RESULTS
 *
 * A case:   case NAME
 *           option NAME VALUE      any number, before the core starts
 *           early COMMAND ...      any number, before the cache is there
 *           COMMAND ...            see commands.c
 *           end
 * A result: NAME <tab> number of the command <tab> what it gave
 *
 * A process that dies, or uses more than its CPU time, has that as the result of the command that it
 * was in. */

#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "twin.h"

#define MAX_LINES 64
/* CPU milliseconds: no case needs a tenth of that, so more is an endless loop */
#define CPU_LIMIT 500
/* seconds on the clock, for a process that waits for ever */
#define WALL_LIMIT 100

static char lines[MAX_LINES][512];
static int line_count;
static char name[128];
/* number of the command that the child is in */
static volatile int *at;

static void reset_signals(void)
{
	struct itimerval cpu = {{0, 0}, {CPU_LIMIT / 1000, CPU_LIMIT % 1000 * 1000}};
	struct rlimit none = {0, 0};
	signal(SIGPROF, SIG_DFL);
	signal(SIGALRM, SIG_DFL);
	setitimer(ITIMER_PROF, &cpu, NULL);
	setrlimit(RLIMIT_CORE, &none);
	alarm(WALL_LIMIT);
}

static FILE *results;
static int number;

static void run_line(char *line)
{
	*at = ++number;
	fprintf(results, "%s\t%d\t", name, number);
	command_run(line, results);
	putc('\n', results);
	fflush(results);
}

static int is_early(const char *line)
{
	return strncmp(line, "early ", 6) == 0;
}

static void early(void)
{
	int i;
	for(i = 0; i < line_count; i++)
		if(is_early(lines[i]))
			run_line(lines[i] + 6);
}

static void child(void)
{
	int i, result;
	char option[64];
	long value;
	reset_signals();
	for(i = 0; i < line_count; i++)
		if(sscanf(lines[i], "option %63s %ld", option, &value) == 2
				&& host_option(option, value) < 0) {
			fprintf(results, "%s\t0\tno option %s\n", name, option);
			return;
		}
	result = host_start(early);
	if(result < 0)
		fprintf(results, "%s\t0\tstart %d\n", name, result);
	for(i = 0; i < line_count; i++)
		if(strncmp(lines[i], "option ", 7) != 0 && !is_early(lines[i]))
			run_line(lines[i]);
	*at = 0;
}

/* what ended the child, when it was not its own exit */
static void report(int status)
{
	const char *why = "died";
	if(WIFEXITED(status) && WEXITSTATUS(status) == 0 && *at == 0)
		return;
	if(WIFSIGNALED(status)) {
		switch(WTERMSIG(status)) {
			case SIGPROF:
				why = "endless loop";
				break;
			case SIGALRM:
				why = "waits for ever";
				break;
			default:
				why = "crash";
		}
	}
	fprintf(results, "%s\t%d\t%s\n", name, *at, why);
}

static void run_case(void)
{
	pid_t pid;
	int status;
	*at = 0;
	fflush(results);
	pid = fork();
	if(pid == 0) {
		child();
		fflush(results);
		_exit(0);
	}
	if(pid < 0 || waitpid(pid, &status, 0) != pid) {
		perror("driver");
		exit(2);
	}
	report(status);
}

int main(int argc, char **argv)
{
	FILE *cases;
	char line[512];
	if(argc != 3)
		return 2;
	cases = fopen(argv[1], "r");
	results = fopen(argv[2], "a");
	at = mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if(cases == NULL || results == NULL || at == MAP_FAILED) {
		perror("driver");
		return 2;
	}
	while(fgets(line, sizeof line, cases) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if(sscanf(line, "case %127s", name) == 1) {
			line_count = 0;
		} else if(strcmp(line, "end") == 0) {
			run_case();
		} else if(line_count < MAX_LINES) {
			strcpy(lines[line_count++], line);
		} else {
			fprintf(stderr, "driver: %s: too many lines\n", name);
			return 2;
		}
	}
	return fclose(results) == 0 ? 0 : 2;
}
