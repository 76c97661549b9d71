/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of watched URIs, from the library to the script. */
#include <stdlib.h>
#include <string.h>

#include "../../core/action.h"
#include "../../core/dprint.h"
#include "../../core/fmsg.h"
#include "../../core/kemi.h"
#include "../../core/route.h"

#include "counts.h"
#include "targets.h"
#include "watch.h"

/* The lexer of native scripts knows no underscore here. */
#define EVENT "dns-wait:changed"

typedef struct watched
{
	struct watched *next;
	char *uri;
} watched_t;

str watch_callback = {NULL, 0};

static watched_t *first;
static struct action *route;
static const change_t *now;
static void (*leave_change)(change_t *change);

int watch_param(modparam_t type, void *value)
{
	const char *uri = value;
	watched_t *watched = malloc(sizeof *watched);

	(void)type;
	if(watched == NULL || (watched->uri = strdup(uri)) == NULL) {
		free(watched);
		LM_ERR("no memory\n");
		return -1;
	}
	watched->next = first;
	first = watched;
	return 0;
}

int watch_prepare(void)
{
	int place = route_lookup(&event_rt, EVENT);

	if(place >= 0)
		route = event_rt.rlist[place];
	if(first != NULL && route == NULL && watch_callback.len <= 0) {
		LM_ERR("there is a URI to watch, and neither an event_route[" EVENT "] nor an event_callback\n");
		return -1;
	}
	for(watched_t *each = first; each != NULL; each = each->next) {
		int ready = library.ready(each->uri, strlen(each->uri), NULL);

		if(ready < 0) {
			LM_ERR("%s cannot be watched: %s\n", each->uri, library.error_text(ready));
			return -1;
		}
	}
	return 0;
}

/* --- the second thread: the library and memory of libc alone */

static char *list_of(const struct kdns_target *targets, size_t count)
{
	size_t room = count * TARGET_ROOM + 1, length = 0;
	char *list = malloc(room);

	if(list == NULL)
		return NULL;
	list[0] = '\0';
	for(size_t i = 0; i < count; i++)
		length = target_add(list, length, room, &targets[i]);
	return list;
}

static void change_free(change_t *change)
{
	free(change->added);
	free(change->removed);
	free(change);
}

static void has_changed(void *user, const struct kdns_target *added, size_t added_count, const struct kdns_target *removed,
		size_t removed_count)
{
	const watched_t *watched = user;
	change_t *change = calloc(1, sizeof *change);

	if(change == NULL)
		return;
	change->uri = watched->uri;
	change->added = list_of(added, added_count);
	change->removed = list_of(removed, removed_count);
	if(change->added == NULL || change->removed == NULL) {
		change_free(change);
		return;
	}
	leave_change(change);
}

/* --- the first thread */

int watch_begin(struct kdns *context, void (*leave)(change_t *change))
{
	leave_change = leave;
	for(watched_t *each = first; each != NULL; each = each->next) {
		struct kdns_watch *watch;
		int error = library.watch(
				context, each->uri, strlen(each->uri), has_changed, sizeof(struct kdns_target), each, &watch);

		if(error != KDNS_OK) {
			LM_ERR("%s cannot be watched: %s\n", each->uri, library.error_text(error));
			return -1;
		}
		/* The watch lives as long as the process. */
	}
	return 0;
}

static void run_event(struct sip_msg *msg)
{
	str name = str_init(EVENT), function = watch_callback;
	sr_kemi_eng_t *engine = sr_kemi_eng_get();

	if(route != NULL)
		run_top_route(route, msg, NULL);
	else if(engine == NULL || sr_kemi_route(engine, msg, EVENT_ROUTE, &function, &name) < 0)
		LM_ERR("function %.*s failed\n", function.len, function.s);
}

void watch_run(change_t *change)
{
	int before = get_route_type();

	if(faked_msg_init() < 0) {
		LM_ERR("no message for the event route\n");
	} else {
		count(COUNT_CHANGED);
		now = change;
		set_route_type(EVENT_ROUTE);
		run_event(faked_msg_next());
		set_route_type(before);
		now = NULL;
	}
	change_free(change);
}

const change_t *watch_now(void)
{
	return now;
}
