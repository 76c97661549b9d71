/* SPDX-License-Identifier: GPL-2.0-or-later */
/* $dnsw(name): how the wait ended whose route is running, or what changed of a watched URI; null in every other route. */
#include <stdio.h>
#include <string.h>

#include "../../core/dprint.h"

#include "outcome.h"
#include "targets.h"
#include "vars.h"
#include "watch.h"

typedef enum var
{
	VAR_END,
	VAR_ERROR,
	VAR_CODE,
	VAR_WAITED,
	VAR_COUNT,
	VAR_TARGETS,
	VAR_TTL,
	VAR_SOURCE,
	VAR_NAME,
	VAR_SERVER,
	VAR_URI,
	VAR_ADDED,
	VAR_REMOVED,
	VARS
} var_t;

static const char *const names[VARS] = {
		"end", "error", "code", "waited", "count", "targets", "ttl", "source", "name", "server", "uri", "added", "removed"};

static char text[4096];

int vars_parse_name(pv_spec_p spec, str *name)
{
	for(int i = 0; i < VARS; i++) {
		if((size_t)name->len == strlen(names[i]) && strncmp(name->s, names[i], (size_t)name->len) == 0) {
			spec->pvp.pvn.type = PV_NAME_INTSTR;
			spec->pvp.pvn.u.isname.type = 0;
			spec->pvp.pvn.u.isname.name.n = i;
			return 0;
		}
	}
	LM_ERR("there is no $dnsw(%.*s)\n", name->len, name->s);
	return -1;
}

static const char *word_of(end_t end)
{
	static const char *const words[] = {
			[END_READY] = "ready", [END_WAITED] = "waited", [END_FAILED] = "failed", [END_TIMEOUT] = "timeout",
			[END_SHED] = "shed", [END_UNAVAILABLE] = "unavailable"};

	return words[end];
}

static int give(struct sip_msg *msg, pv_param_t *param, pv_value_t *result, const char *value)
{
	str out = {(char *)value, (int)strlen(value)};

	return pv_get_strval(msg, param, result, &out);
}

static int target(const outcome_t *outcome, unsigned int place, struct kdns_target *out)
{
	return outcome->request != NULL && library.target(outcome->request, place, out, sizeof *out) == KDNS_OK;
}

static unsigned int target_count(const outcome_t *outcome)
{
	struct kdns_target each;
	unsigned int count = 0;

	while(target(outcome, count, &each))
		count++;
	return count;
}

/* All targets in the order of use, with commas; those that find no room are left out. */
static const char *targets(const outcome_t *outcome)
{
	struct kdns_target each;
	size_t length = 0;

	text[0] = '\0';
	for(unsigned int i = 0; target(outcome, i, &each); i++)
		length = target_add(text, length, sizeof text, &each);
	return text;
}

static const char *source(const outcome_t *outcome)
{
	struct kdns_target first;

	if(!target(outcome, 0, &first))
		return "none";
	if(first.marks & KDNS_STALE)
		return "stale";
	if(first.marks & KDNS_EDITED)
		return "edited";
	return first.marks & KDNS_ASKED ? "asked" : "cache";
}

static int get_failure(struct sip_msg *msg, pv_param_t *param, pv_value_t *result, const outcome_t *outcome, var_t var)
{
	struct kdns_failure failure;

	if(outcome->request == NULL || library.failure(outcome->request, &failure, sizeof failure) != KDNS_OK)
		return pv_get_null(msg, param, result);
	if(var == VAR_NAME && failure.name[0] != '\0') {
		snprintf(text, sizeof text, "%s", failure.name);
		return give(msg, param, result, text);
	}
	if(var == VAR_SERVER && failure.server_length > 0 && target_place(text, sizeof text, "", &failure.server) > 0)
		return give(msg, param, result, text);
	return pv_get_null(msg, param, result);
}

/* In the event route of a change. */
static int get_of_change(struct sip_msg *msg, pv_param_t *param, pv_value_t *result, const change_t *change, var_t var)
{
	switch(var) {
		case VAR_URI:
			return give(msg, param, result, change->uri);
		case VAR_ADDED:
			return give(msg, param, result, change->added);
		case VAR_REMOVED:
			return give(msg, param, result, change->removed);
		default:
			return pv_get_null(msg, param, result);
	}
}

int vars_get(struct sip_msg *msg, pv_param_t *param, pv_value_t *result)
{
	const outcome_t *outcome = outcome_now();
	var_t var = (var_t)param->pvn.u.isname.name.n;
	struct kdns_target first;

	if(watch_now() != NULL)
		return get_of_change(msg, param, result, watch_now(), var);
	if(outcome == NULL)
		return pv_get_null(msg, param, result);
	switch(var) {
		case VAR_END:
			return give(msg, param, result, word_of(outcome->end));
		case VAR_ERROR:
			if(outcome->end == END_UNAVAILABLE)
				return give(msg, param, result, "the library is not there");
			return give(msg, param, result, library.error_text(outcome->error));
		case VAR_CODE:
			return pv_get_sintval(msg, param, result, outcome->error);
		case VAR_WAITED:
			return pv_get_uintval(msg, param, result, outcome->waited_ms);
		case VAR_COUNT:
			return pv_get_uintval(msg, param, result, target_count(outcome));
		case VAR_TARGETS:
			return give(msg, param, result, targets(outcome));
		case VAR_TTL:
			/* An address in the URI lives for no time. */
			if(!target(outcome, 0, &first) || first.ttl == 4294967295u)
				return pv_get_null(msg, param, result);
			return pv_get_uintval(msg, param, result, first.ttl);
		case VAR_SOURCE:
			return give(msg, param, result, source(outcome));
		case VAR_NAME:
		case VAR_SERVER:
			return get_failure(msg, param, result, outcome, var);
		default:
			return pv_get_null(msg, param, result);
	}
}
