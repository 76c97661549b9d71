/* Stands in for syslog() (LD_PRELOAD): writes the priority and the line to the file SYSLOG_FILE. */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void to_file(int priority, const char *format, va_list arguments)
{
	const char *name = getenv("SYSLOG_FILE");
	FILE *file = name ? fopen(name, "a") : NULL;

	if (!file)
		return;
	setvbuf(file, NULL, _IOFBF, 65536);
	fprintf(file, "<%d> ", priority);
	vfprintf(file, format, arguments);
	fclose(file);
}

void syslog(int priority, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	to_file(priority, format, arguments);
	va_end(arguments);
}

/* What syslog() calls become with _FORTIFY_SOURCE. */
void __syslog_chk(int priority, int flag, const char *format, ...)
{
	va_list arguments;

	(void)flag;
	va_start(arguments, format);
	to_file(priority, format, arguments);
	va_end(arguments);
}
