/* An RPC transport that writes down what it is told: `reply`, `last_fault`, `last_fault_text`. */

#ifndef CAPTURE_H
#define CAPTURE_H

#include <stdarg.h>

#include "check.h"

static char reply[262144];
static const char *arguments[8]; /* texts; numbers as digits */
static int next_argument;
static int last_fault;
static char last_fault_text[256];
static int struct_limit = 1 << 30; /* structs that fit into a reply */
static int structs;

static void note(const char *format, ...)
{
	size_t used = strlen(reply);
	va_list args;
	va_start(args, format);
	vsnprintf(reply + used, sizeof reply - used, format, args);
	va_end(args);
}

static void fault(void *ctx, int code, char *fmt, ...)
{
	va_list args;
	(void)ctx;
	va_start(args, fmt);
	vsnprintf(last_fault_text, sizeof last_fault_text, fmt, args);
	va_end(args);
	last_fault = code;
}

static int no_send(void *ctx)
{
	(void)ctx;
	return 0;
}

static int put_values(char *fmt, va_list args, int named)
{
	for(; *fmt; fmt++) {
		const char *name = named ? va_arg(args, const char *) : NULL;
		if(name != NULL)
			note("%s=", name);
		switch(*fmt) {
			case 'd':
				note("%d ", va_arg(args, int));
				break;
			case 's':
				note("%s ", va_arg(args, const char *));
				break;
			case 'S': {
				str *s = va_arg(args, str *);
				note("%.*s ", s->len, s->s);
				break;
			}
			case 'J':
				note("%llu ", va_arg(args, unsigned long long));
				break;
			case '{':
				if(structs++ >= struct_limit)
					return -1;
				/* fall through */
			case '[':
				note("%c ", *fmt);
				*va_arg(args, void **) = reply;
				break;
			default:
				note("?%c? ", *fmt);
				return -1;
		}
	}
	return 0;
}

static int add_values(void *ctx, char *fmt, ...)
{
	int rc;
	va_list args;
	(void)ctx;
	va_start(args, fmt);
	rc = put_values(fmt, args, 0);
	va_end(args);
	return rc;
}

static int add_fields(void *handle, char *fmt, ...)
{
	int rc;
	va_list args;
	CHECK(handle == reply);
	va_start(args, fmt);
	rc = put_values(fmt, args, 1);
	va_end(args);
	return rc;
}

static int scan_values(void *ctx, char *fmt, ...)
{
	int read = 0;
	va_list args;
	(void)ctx;
	va_start(args, fmt);
	for(; *fmt; fmt++, read++) {
		const char *value = arguments[next_argument];
		if(*fmt == '*') { /* what follows may be missing */
			read--;
			continue;
		}
		if(value == NULL)
			break;
		next_argument++;
		if(*fmt == 'd')
			*va_arg(args, int *) = atoi(value);
		else if(*fmt == 's')
			*va_arg(args, const char **) = value;
		else
			*va_arg(args, str *) = text(value);
	}
	va_end(args);
	return read;
}

static rpc_t rpc = {.fault = fault,
		.send = no_send,
		.add = add_values,
		.scan = scan_values,
		.struct_add = add_fields,
		.array_add = add_values};

#define CALL(function, ...) call(function, (const char *[]){__VA_ARGS__, NULL})
#define CALL0(function) call(function, (const char *[]){NULL})

static void call(void (*command)(rpc_t *, void *), const char **args)
{
	int i;
	for(i = 0; i < 7 && args[i] != NULL; i++)
		arguments[i] = args[i];
	arguments[i] = NULL;
	next_argument = 0;
	reply[0] = '\0';
	last_fault = 0;
	last_fault_text[0] = '\0';
	structs = 0;
	command(&rpc, &rpc);
}

#endif
