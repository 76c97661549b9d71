/* Twin tests: what the parts of the driver share. */

#ifndef TWIN_H
#define TWIN_H

#include <stddef.h>
#include <stdio.h>

/* --- host.c: a Kamailio core around the library, without its processes */

/* sets an option before host_start(); 0, or -1 when there is no such option */
int host_option(const char *name, long value);
/* brings the core up as its main() does, with the calls into the library in the same order; `early`
 * is called where the core already resolves names (of its sockets), before there are shared memory,
 * timer and cache; 0, or what the library's start-up gave */
int host_start(void (*early)(void));
/* changes an option of the running core through its cfg framework */
int host_set(const char *name, long value);
/* the value of an option, as the core's option block holds it */
int host_get(const char *name, unsigned int *value);
/* a counter of group dns */
long host_counter(const char *name);
/* moves the core's clock; 16 ticks are a second */
void host_advance(long ticks);

/* --- reply.c: an RPC transport that writes the reply as text */

/* calls an RPC command of the core's table; the reply, or the fault, is written to out */
void rpc_call(FILE *out, const char *command, char **arguments, int count);

/* --- commands.c */

/* runs one command line of a case, its result goes to out as one line of text */
void command_run(char *line, FILE *out);

#endif
