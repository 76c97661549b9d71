/* A bad line of kamailio.cfg under `kamailio -c`: resolv_init() ends the process there, and nowhere else. The program
 * here stands for a Kamailio whose kamailio.cfg has one line of the library's group. */

#include <sys/wait.h>

#include "check.h"
#include "stands_for_kamailio.h"

#ifndef NO_CONFIG_CHECK
int config_check;
#define check_config(yes) (config_check = (yes))
#else
#define check_config(yes) ((void)(yes))
#endif

/* The group DNS, as the parser leaves it. */
struct variable
{
	unsigned type;
	union
	{
		struct
		{
			char *text;
			int length;
		} text;
		int number;
	} value;
	int min, max;
	struct variable *next;
	int name_length;
	const char *name, *help;
};
struct group
{
	void *mapping, *variables, *instances;
	int count, size, meta_offset, variable_offset;
	void *handle, *original_handle, *next;
	unsigned state;
	int name_length;
	char name[4];
};
static struct variable variable = {.type = 1, .name_length = 11, .name = "failure_ttl"};
static struct group group = {
		.variables = &variable, .count = 1, .state = 1, .name_length = 3, .name = "DNS"};

struct group *cfg_lookup_group(const char *name, int length);
struct group *cfg_lookup_group(const char *name, int length)
{
	return length == 3 && memcmp(name, "DNS", 3) == 0 ? &group : NULL;
}

#define RETURNED 40

/* the exit status of a process that calls resolv_init() with DNS.failure_ttl = value; RETURNED when the call returns */
static int status_of(int value, int checking)
{
	int status = -1;
	pid_t pid = fork();

	if(pid == 0) {
		watchdog(60);
		variable.value.number = value;
		check_config(checking);
		_exit(resolv_init() == 0 ? RETURNED : RETURNED + 1);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status));
	return WEXITSTATUS(status);
}

int main(void)
{
	/* 300 is the highest value */
	CHECK_INT(status_of(300, 0), RETURNED);
	CHECK_INT(status_of(300, 1), RETURNED);
	CHECK_INT(status_of(301, 0), RETURNED);
#ifdef NO_CONFIG_CHECK
	CHECK_INT(status_of(301, 1), RETURNED);
#else
	CHECK_INT(status_of(301, 1), 255);
#endif
	return checks_result();
}
