/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text of a plan, one command a line, '#' before a comment:
 *
 *   run label=L [reps=N] [secs=F] [maxsecs=F] [flush=1] [quiet=1] [at1=F cmd1="SHELL"] | role ... [| role ...]
 *   exec cmd="SHELL"
 *
 * reps is how often the job is repeated, secs how long each takes, maxsecs when jobs that end by count are stopped.
 * flush empties the cache before, quiet prints nothing, cmd1 is run at1 seconds after the beginning.
 *
 *   role: mode=M procs=N pat=BEFORE%AFTER lo=A hi=B order=rand|zipf|uniq iters=N once=1 lat=1 max=N port=N proto=N
 *         misspat=BEFORE%AFTER misspct=F paceus=N fifo=1
 *
 * '%' stands for a number of 8 digits, from lo up to below hi. iters operations are done (once: one for each name), or
 * as many as secs allow. lat measures each by itself. misspct of a hundred operations ask for a new name of misspat.
 * paceus is a pause after each, fifo the scheduling class of that name. max, port and proto are for handles.
 */
#include <stdlib.h>
#include <string.h>

#include "operations.h"

const char *plan_text(const char *line, const char *key, char *value, size_t size)
{
	size_t length = strlen(key), end = 0;
	const char *at = line;
	char last = ' ';

	for(; (at = strstr(at, key)) != NULL; at += length) {
		if((at == line || at[-1] == ' ') && at[length] == '=')
			break;
	}
	if(at == NULL)
		return NULL;
	at += length + 1;
	if(*at == '"') {
		last = '"';
		at++;
	}
	while(at[end] != '\0' && at[end] != last && end < size - 1)
		end++;
	memcpy(value, at, end);
	value[end] = '\0';
	return value;
}

double plan_number(const char *line, const char *key, double otherwise)
{
	char value[64];

	return plan_text(line, key, value, sizeof value) ? atof(value) : otherwise;
}

static int read_pattern(const char *text, const char *key, pattern_t *pattern)
{
	char value[MAX_PATTERN];
	char *number;

	memset(pattern, 0, sizeof *pattern);
	if(plan_text(text, key, value, sizeof value) == NULL)
		return -1;
	number = strchr(value, '%');
	pattern->has_number = number != NULL;
	if(number != NULL) {
		*number = '\0';
		strcpy(pattern->after, number + 1);
	}
	strcpy(pattern->before, value);
	return 0;
}

static order_t read_order(const char *text)
{
	char value[16];

	if(plan_text(text, "order", value, sizeof value) == NULL)
		return ORDER_SEQUENCE;
	if(strcmp(value, "rand") == 0)
		return ORDER_RANDOM;
	if(strcmp(value, "zipf") == 0)
		return ORDER_ZIPF;
	return ORDER_UNIQUE;
}

int plan_role(const char *text, role_t *role)
{
	char mode[32] = "get_ip";

	memset(role, 0, sizeof *role);
	plan_text(text, "mode", mode, sizeof mode);
	role->mode = operation_find(mode);
	if(role->mode < 0)
		return -1;
	if(read_pattern(text, "pat", &role->names) != 0)
		read_pattern("pat=h%.bench.test", "pat", &role->names);
	read_pattern(text, "misspat", &role->missing);
	role->missing_percent = plan_number(text, "misspct", 0);
	role->processes = (int)plan_number(text, "procs", 1);
	role->first = (unsigned)plan_number(text, "lo", 0);
	role->end = (unsigned)plan_number(text, "hi", role->first + 1);
	if(role->end <= role->first || !role->names.has_number)
		role->end = role->first + 1;
	role->order = read_order(text);
	role->count = (unsigned long)plan_number(text, "iters", 0);
	if(plan_number(text, "once", 0) != 0)
		role->count = role->end - role->first;
	role->is_timed = plan_number(text, "lat", 0) != 0;
	role->most_targets = (int)plan_number(text, "max", 0);
	role->port = (int)plan_number(text, "port", 0);
	role->proto = (int)plan_number(text, "proto", 0);
	role->pause_us = (int)plan_number(text, "paceus", 0);
	role->is_realtime = plan_number(text, "fifo", 0) != 0;
	return 0;
}

int plan_name(char *to, const pattern_t *pattern, uint64_t number)
{
	size_t before = strlen(pattern->before), after = strlen(pattern->after);

	memcpy(to, pattern->before, before + 1);
	if(!pattern->has_number)
		return (int)before;
	for(int digit = 7; digit >= 0; digit--) {
		to[before + (size_t)digit] = (char)('0' + number % 10);
		number /= 10;
	}
	memcpy(to + before + 8, pattern->after, after + 1);
	return (int)(before + 8 + after);
}
