/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs routes. */
#include "../../core/action.h"
#include "../../core/dprint.h"
#include "../../core/kemi.h"
#include "../../core/route.h"

#include "dns_wait.h"
#include "route.h"

static str event_name = str_init("dns_wait:continue");

static struct action *find(const str *name)
{
	int place = route_lookup(&main_rt, name->s);

	return place >= 0 ? main_rt.rlist[place] : NULL;
}

/* A server may have both: a native route goes before a function of the same name. */
int route_exists(const str *name)
{
	return name->len > 0 && (find(name) != NULL || sr_kemi_eng_get() != NULL);
}

void route_run(struct sip_msg *msg, const str *name)
{
	struct action *actions = find(name);
	str function = *name;

	if(actions == NULL) {
		if(sr_kemi_route(sr_kemi_eng_get(), msg, get_route_type(), &function, &event_name) < 0)
			LM_ERR("function %.*s failed\n", name->len, name->s);
	} else if(run_top_route(actions, msg, NULL) < 0) {
		LM_DBG("route %.*s ended with an error\n", name->len, name->s);
	}
}

int route_continue(wait_t *wait)
{
	struct action *actions = find(&wait->route);

	if(actions == NULL)
		return tmb.t_continue_cb(wait->index, wait->label, &wait->route, &event_name);
	return tmb.t_continue(wait->index, wait->label, actions);
}
