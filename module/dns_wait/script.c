/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that scripts call. */
#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "../../core/dprint.h"
#include "../../core/dset.h"
#include "../../core/fmsg.h"
#include "../../core/route.h"
#include "../../core/timer_ticks.h"
#include "../tm/h_table.h"

#include "context.h"
#include "counts.h"
#include "dns_wait.h"
#include "outcome.h"
#include "route.h"
#include "script.h"
#include "waits.h"

/* --- t_dns_wait */

static int is_ready(const str *uri)
{
	/* A text that is no URI needs no wait either: the route learns of the error. */
	return library.ready(uri->s, (size_t)uri->len, NULL) != 0;
}

static str destination(struct sip_msg *msg)
{
	return msg->dst_uri.len > 0 ? msg->dst_uri : *GET_RURI(msg);
}

/* The URIs to resolve: the given one, or the destination and those of further branches. */
static unsigned int uris_of(struct sip_msg *msg, const str *uri, str uris[MOST_URIS])
{
	unsigned int branches = uri != NULL ? 0 : waits_branches();

	uris[0] = uri != NULL ? *uri : destination(msg);
	for(unsigned int i = 0; i < branches; i++)
		uris[i + 1] = waits_next_hop(get_sip_branch((int)i));
	return branches + 1;
}

static int all_is_ready(const str *uris, unsigned int count)
{
	for(unsigned int i = 0; i < count; i++) {
		if(!is_ready(&uris[i]))
			return 0;
	}
	return 1;
}

/* Routes that run in each other: one that waits for itself, where all is known, would have no end. */
#define MOST_DEEP 32

static int run_at_once(struct sip_msg *msg, const str *route, outcome_t *outcome)
{
	if(outcome_depth() >= MOST_DEEP) {
		LM_ERR("route %.*s is not run: %d waits run in each other\n", route->len, route->s, MOST_DEEP);
		return DW_BAD;
	}
	outcome_begin(outcome);
	route_run(msg, route);
	outcome_end();
	return DW_END;
}

/* Looks for a URI in the cache alone; the result is an error of the library, 0 = there are targets. */
static int find_ready(const str *uri, struct kdns_request **request)
{
	struct kdns_terms terms = {.size = sizeof terms, .flags = KDNS_CACHE_ONLY};
	struct kdns *context = context_of_process();
	int error = context != NULL ? library.resolve(context, uri->s, (size_t)uri->len, &terms, request) : KDNS_E_NO_CACHE;

	if(error == KDNS_OK)
		return library.status(*request);
	*request = NULL;
	return error;
}

/* Looks for all URIs in the cache; 0: the cache was emptied in this moment, or this process cannot look. The destination
 * counts, or the first branch with targets where the destination has none. */
static int find_all_ready(const str *uris, unsigned int count_of_uris, struct kdns_request **found, outcome_t *outcome)
{
	int is_whole = 1;

	for(unsigned int i = 0; i < count_of_uris; i++) {
		int error = find_ready(&uris[i], &found[i]);

		if(error == KDNS_E_NOT_CACHED || error == KDNS_E_NO_CACHE)
			is_whole = 0;
		if(i == 0 || (error == KDNS_OK && outcome->error != KDNS_OK)) {
			outcome->error = error;
			outcome->request = found[i];
		}
	}
	outcome->end = end_of(outcome->error, END_READY);
	return is_whole;
}

/* All is in the cache: the route has it at hand even if it expires in the next moment. 0: it has to wait after all. */
static int run_ready(struct sip_msg *msg, const str *route, const str *uris, unsigned int count_of_uris, int *result)
{
	struct kdns_request *found[MOST_URIS];
	outcome_t outcome = {.found = found, .found_count = count_of_uris};
	int is_whole = find_all_ready(uris, count_of_uris, found, &outcome);

	if(is_whole) {
		count(COUNT_READY);
		*result = run_at_once(msg, route, &outcome);
	}
	for(unsigned int i = 0; i < count_of_uris; i++)
		library.release(found[i]);
	return is_whole;
}

static int has_no_room(struct sip_msg *msg, const str *route, no_room_t why)
{
	outcome_t outcome = {.end = END_SHED, .error = KDNS_E_SHED};

	count(why == NO_ROOM_LIMIT ? COUNT_SHED : COUNT_NO_MEMORY);
	return settings.shed_returns ? DW_SHED : run_at_once(msg, route, &outcome);
}

/* The request's transaction; NULL: there is none, and `result` is what the script gets. */
static tm_cell_t *transaction(struct sip_msg *msg, int *result)
{
	tm_cell_t *cell = tmb.t_gett();
	int made;

	*result = DW_FALSE;
	if(cell != NULL && cell != T_UNDEFINED)
		return cell;
	made = tmb.t_newtran(msg);
	if(made < 0)
		return NULL;
	if(made == 0) {
		/* A retransmission: tm has answered it. */
		*result = DW_END;
		return NULL;
	}
	cell = tmb.t_gett();
	return cell != T_UNDEFINED ? cell : NULL;
}

/* A script may have given the transaction less time than the module was told of. */
static unsigned int deadline_for(const tm_cell_t *cell)
{
	unsigned int timer_ms = (unsigned int)TICKS_TO_MS(cell->fr_timeout);
	unsigned int most_ms = timer_ms - timer_ms / 10;

	return most_ms < (unsigned int)settings.deadline_ms ? most_ms : (unsigned int)settings.deadline_ms;
}

/* Nothing can fail once tm has suspended the transaction: tm could not be asked to take that back on all versions. */
static int suspend(struct sip_msg *msg, wait_t *wait)
{
	int result;
	tm_cell_t *cell = transaction(msg, &result);

	if(cell == NULL) {
		wait_give_back(wait);
		return result;
	}
	wait->deadline_ms = deadline_for(cell);
	result = tmb.t_suspend(msg, &wait->index, &wait->label);
	if(result != 0) {
		wait_give_back(wait);
		count(COUNT_REFUSED);
		/* 1: it was cancelled, and is answered. */
		return result > 0 ? DW_END : DW_FALSE;
	}
	count(COUNT_SUSPENDED);
	wait_hand_over(wait);
	return DW_END;
}

/* A native script cannot name the function elsewhere, but a route that names it is called from everywhere, and so is KEMI's. */
static int can_wait(struct sip_msg *msg)
{
	return (get_route_type() & (REQUEST_ROUTE | FAILURE_ROUTE)) != 0 && msg->first_line.type == SIP_REQUEST
		   && (msg->REQ_METHOD & (METHOD_ACK | METHOD_CANCEL)) == 0 && !faked_msg_match(msg);
}

int script_wait(struct sip_msg *msg, const str *route, const str *uri)
{
	outcome_t unavailable = {.end = END_UNAVAILABLE};
	str uris[MOST_URIS];
	unsigned int uri_count;
	int result;
	no_room_t why;
	wait_t *wait;

	if(!route_exists(route)) {
		LM_ERR("there is no route %.*s\n", route->len, route->s);
		return DW_BAD;
	}
	if(!can_wait(msg))
		return DW_FALSE;
	if(!library_is_there())
		return run_at_once(msg, route, &unavailable);
	uri_count = uris_of(msg, uri, uris);
	if(all_is_ready(uris, uri_count) && run_ready(msg, route, uris, uri_count, &result))
		return result;
	wait = wait_reserve(msg, route, uri, &why);
	if(wait == NULL)
		return has_no_room(msg, route, why);
	return suspend(msg, wait);
}

/* --- the cache alone */

int script_ready(const str *uri)
{
	int ready;

	if(!library_is_there())
		return DW_UNAVAILABLE;
	ready = library.ready(uri->s, (size_t)uri->len, NULL);
	return ready < 0 ? DW_BAD : ready > 0 ? DW_TRUE : DW_FALSE;
}

/* Has a worker ask; 1: one does. */
static int leave_errand(errand_t errand, const str *uri)
{
	wait_t *wait = wait_reserve_errand(errand, uri);

	if(wait == NULL)
		return 0;
	wait_hand_over(wait);
	return 1;
}

int script_prefetch(const str *uri)
{
	int ready;

	if(!library_is_there())
		return DW_UNAVAILABLE;
	ready = library.ready(uri->s, (size_t)uri->len, NULL);
	if(ready < 0)
		return DW_BAD;
	return ready > 0 || leave_errand(ERRAND_FETCH, uri) ? DW_TRUE : DW_FALSE;
}

/* Octets of the address, 0 for what is none. */
static size_t read_address(const str *text, unsigned char *to)
{
	char buffer[64];
	size_t length = (size_t)text->len;
	const char *from = text->s;

	if(length >= 2 && from[0] == '[' && from[length - 1] == ']') {
		from++;
		length -= 2;
	}
	if(length >= sizeof buffer)
		return 0;
	memcpy(buffer, from, length);
	buffer[length] = '\0';
	if(inet_pton(AF_INET, buffer, to) == 1)
		return 4;
	return inet_pton(AF_INET6, buffer, to) == 1 ? 16 : 0;
}

int transport_of(const str *name)
{
	static const char *const names[] = {"udp", "tcp", "tls", "sctp", "ws", "wss"};

	for(int i = 0; i < 6; i++) {
		if((size_t)name->len == strlen(names[i]) && strncasecmp(name->s, names[i], (size_t)name->len) == 0)
			return i + 1;
	}
	return -1;
}

int script_is_target(const str *uri, const str *ip, int port, int transport)
{
	unsigned char address[16];
	size_t length = read_address(ip, address);

	if(!library_is_there())
		return DW_UNAVAILABLE;
	if(length == 0 || port < 0 || port > 65535 || transport < 0)
		return DW_BAD;
	switch(library.is_target(NULL, uri->s, (size_t)uri->len, address, length, (unsigned short)port,
			(unsigned char)transport, NULL)) {
		case KDNS_YES:
			return DW_TRUE;
		case KDNS_NO:
			return DW_FALSE;
		case KDNS_STALE_YES:
			return settings.stale_is_target ? DW_TRUE : DW_STALE;
		case KDNS_NOT_KNOWN_YET:
			leave_errand(ERRAND_FETCH_ALL, uri);
			return DW_NOT_KNOWN;
		default:
			return DW_BAD;
	}
}
