/* What a thread of the library's says inside Kamailio, beside the first one, which alone counts the lines that it is at.
 * The program here stands for a Kamailio. */

#include <pthread.h>
#include <syslog.h>

#include "capture.h"
#include "stands_for_kamailio.h"

/* Its log. */
static char said[1024];
int log_stderr, process_no;
volatile int dprint_crit;
str *log_prefix_val;

int get_debug_level(char *module, int length);
int get_debug_level(char *module, int length)
{
	(void)module;
	(void)length;
	return 3;
}

int get_debug_facility(char *module, int length);
int get_debug_facility(char *module, int length)
{
	(void)module;
	(void)length;
	return LOG_DAEMON;
}

static void keep(int priority, const char *format, ...)
{
	va_list args;
	(void)priority;
	va_start(args, format);
	vsnprintf(said, sizeof said, format, args);
	va_end(args);
}

void (*_km_log_func)(int priority, const char *format, ...) = keep;

/* has the library say something, one way or the other */
static void *say(void *unused)
{
	CALL(dns_trace_rpc, "followed.example", "60");
	return unused;
}

static void say_in_thread(void)
{
	pthread_t thread;
	CHECK_INT(pthread_create(&thread, NULL, say, NULL), 0);
	CHECK_INT(pthread_join(thread, NULL), 0);
}

#define SAYS(text) (strstr(said, text) != NULL)

int main(void)
{
	str prefix = text("{of a request} ");

	watchdog(60);
	log_prefix_val = &prefix;
	say(NULL);
	CHECK(SAYS("followed.example"));
	CHECK(SAYS(": {of a request} <core>"));
	CHECK_INT(dprint_crit, 0);

	/* a handler of a signal that came while a line was being written */
	said[0] = '\0';
	dprint_crit = 1;
	say(NULL);
	CHECK_TEXT(said, "");
	CHECK_INT(dprint_crit, 1);

	/* another thread, at that moment */
	say_in_thread();
	CHECK(SAYS("followed.example"));
	CHECK(!SAYS("{of a request}"));
	CHECK_INT(dprint_crit, 1);
	dprint_crit = 0;
	return checks_result();
}
