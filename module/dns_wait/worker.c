/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A worker: two threads in one process. The second one resolves and never waits for anything else; it uses the library and
 * the lists of waits, and nothing else of Kamailio. The first one runs the routes, as every process of Kamailio does. As
 * both are one process, a route uses what was found for it, whether the cache has it or not.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "../../core/cfg/cfg_struct.h"
#include "../../core/dprint.h"
#include "../../core/dset.h"
#include "../../core/script_cb.h"

#include "context.h"
#include "counts.h"
#include "dns_wait.h"
#include "outcome.h"
#include "route.h"
#include "waits.h"
#include "watch.h"
#include "worker.h"

/* Waits that are resolved, for the first thread, and changes of watched URIs. */
static struct
{
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* The first thread waits for something to be filled in. */
	int is_idle;
	wait_t *first, *last;
	change_t *first_change, *last_change;
} resolved = {.lock = PTHREAD_MUTEX_INITIALIZER, .filled = PTHREAD_COND_INITIALIZER};

/* Held while the library works in the second thread: options must not go away under it, see follow_options(). */
static pthread_mutex_t step = PTHREAD_MUTEX_INITIALIZER;
static int own_number;
static struct kdns *context;

/* --- options */

/* The library reads options of this process, which are replaced here when an operator has changed one. The block of old ones
 * is kept until the second thread cannot be reading it any more: t_continue() looks for new ones by itself. */
static void follow_options(void)
{
	static cfg_block_t *kept;
	cfg_block_t *old = kept;

	if(kept != NULL && cfg_local == *cfg_global && kept == cfg_local)
		return;
	pthread_mutex_lock(&step);
	cfg_update();
	CFG_REF(cfg_local);
	kept = cfg_local;
	pthread_mutex_unlock(&step);
	if(old != NULL)
		CFG_UNREF(old);
}

/* The second thread follows options for a first thread that is idle, so that new URIs are resolved by new options. A first
 * thread that runs a route follows by itself. */
static void follow_options_if_idle(void)
{
	if(cfg_local == *cfg_global)
		return;
	pthread_mutex_lock(&resolved.lock);
	if(resolved.is_idle)
		follow_options();
	pthread_mutex_unlock(&resolved.lock);
}

/* --- the second thread */

static void is_resolved(wait_t *wait)
{
	wait->next = NULL;
	pthread_mutex_lock(&resolved.lock);
	if(resolved.last != NULL)
		resolved.last->next = wait;
	else
		resolved.first = wait;
	resolved.last = wait;
	pthread_cond_signal(&resolved.filled);
	pthread_mutex_unlock(&resolved.lock);
}

static void leave_change(change_t *change)
{
	change->next = NULL;
	pthread_mutex_lock(&resolved.lock);
	if(resolved.last_change != NULL)
		resolved.last_change->next = change;
	else
		resolved.first_change = change;
	resolved.last_change = change;
	pthread_cond_signal(&resolved.filled);
	pthread_mutex_unlock(&resolved.lock);
}

static void part_is_over(wait_t *wait)
{
	wait->left--;
	if(wait->left == 0)
		is_resolved(wait);
}

static unsigned int time_left(const wait_t *wait)
{
	unsigned long long spent = now_ms() - wait->since_ms;

	return spent < wait->deadline_ms ? wait->deadline_ms - (unsigned int)spent : 1;
}

/* The library goes on with it by itself: who asks has named one of the operator's domains. */
static void fetch_all(wait_t *wait)
{
	static const unsigned char any[4];
	const str *uri = &wait->parts[0].uri;

	library.is_target(context, uri->s, (size_t)uri->len, any, sizeof any, 0, 0, NULL);
	is_resolved(wait);
}

static void begin(wait_t *wait)
{
	/* One more than there are parts, so that the wait is not over while parts are being begun. */
	wait->left = wait->part_count + 1;
	for(unsigned int i = 0; i < wait->part_count; i++) {
		part_t *part = &wait->parts[i];
		struct kdns_terms terms = {.size = sizeof terms, .user = part};

		/* A URI for which nobody waits has the time that the library gives. */
		if(wait->errand == ERRAND_WAIT)
			terms.deadline_ms = time_left(wait);
		part->error = library.start(context, part->uri.s, (size_t)part->uri.len, &terms, &part->request);
		if(part->error != KDNS_OK) {
			part->request = NULL;
			wait->left--;
		}
	}
	part_is_over(wait);
}

static void take_finished(void)
{
	struct kdns_request *request;

	while((request = library.finished(context)) != NULL) {
		part_t *part = library.user(request);

		part->error = library.status(request);
		part_is_over(part->wait);
	}
}

static void take_new(void)
{
	wait_t *wait = waits_take(own_number);

	while(wait != NULL) {
		wait_t *next = wait->next;

		if(wait->errand == ERRAND_FETCH_ALL)
			fetch_all(wait);
		else
			begin(wait);
		wait = next;
	}
}

static void *resolve(void *nothing)
{
	struct pollfd descriptors[2] = {
			{.fd = library.fd(context), .events = POLLIN}, {.fd = waits_descriptor(own_number), .events = POLLIN}};

	(void)nothing;
	for(;;) {
		int timeout = library.timeout(context);

		/* Anything but "no need" below 0 is an error; then it is looked now and then. */
		if(timeout < -1)
			timeout = 100;
		if(poll(descriptors, 2, timeout) < 0 && errno != EINTR)
			poll(NULL, 0, 10);
		follow_options_if_idle();
		pthread_mutex_lock(&step);
		if(descriptors[1].revents != 0)
			take_new();
		library.process(context);
		take_finished();
		pthread_mutex_unlock(&step);
	}
	return NULL;
}

/* --- the first thread */

/* The wait whose route tm is about to run. */
static wait_t *continued;

static void restore_branches(const wait_t *wait)
{
	for(unsigned int i = 0; i < wait->branch_count; i++) {
		branch_t *branch = &wait->branches[i];
		str uri = {branch->uri, (int)branch->len};
		str duri = {branch->dst_uri, (int)branch->dst_uri_len};
		str path = {branch->path, (int)branch->path_len};
		str instance = {branch->instance, (int)branch->instance_len};
		str ruid = {branch->ruid, (int)branch->ruid_len};
		str agent = {branch->location_ua, (int)branch->location_ua_len};

		if(append_branch(NULL, &uri, &duri, &path, branch->q, branch->flags, branch->force_send_socket, &instance,
				   branch->reg_id, &ruid, &agent)
				< 0)
			LM_ERR("a branch is lost\n");
	}
}

static int is_same(const str *one, const str *other)
{
	return one->len == other->len && (one->len == 0 || memcmp(one->s, other->s, (size_t)one->len) == 0);
}

/* Before the route: the destination is as it was when the transaction was suspended. */
static int restore(struct sip_msg *msg, unsigned int flags, void *param)
{
	wait_t *wait = continued;

	(void)flags;
	(void)param;
	if(wait == NULL)
		return 1;
	continued = NULL;
	count(COUNT_CONTINUED);
	if(!is_same(GET_RURI(msg), &wait->ruri) && rewrite_uri(msg, &wait->ruri) < 0)
		LM_ERR("the request URI is lost\n");
	if(wait->duri.len == 0)
		reset_dst_uri(msg);
	else if(!is_same(&msg->dst_uri, &wait->duri) && set_dst_uri(msg, &wait->duri) < 0)
		LM_ERR("the destination URI is lost\n");
	if(wait->path.len == 0)
		reset_path_vector(msg);
	else if(!is_same(&msg->path_vec, &wait->path) && set_path_vector(msg, (str *)&wait->path) < 0)
		LM_ERR("the Path is lost\n");
	set_force_socket(msg, wait->socket);
	set_ruri_q(wait->ruri_q);
	setbflagsval(0, wait->ruri_flags);
	restore_branches(wait);
	return 1;
}

int worker_register(void)
{
	return register_script_cb(restore, PRE_SCRIPT_CB | FAILURE_CB, NULL);
}

/* The destination counts; where it has no targets, the first branch that has. */
static const part_t *part_that_counts(const wait_t *wait)
{
	for(unsigned int i = 0; i < wait->part_count; i++) {
		if(wait->parts[i].error == KDNS_OK)
			return &wait->parts[i];
	}
	return &wait->parts[0];
}

static void count_end(end_t end)
{
	count(end == END_WAITED ? COUNT_WAITED : end == END_TIMEOUT ? COUNT_TIMEOUT : COUNT_FAILED);
}

static void go_on(wait_t *wait)
{
	const part_t *part = part_that_counts(wait);
	struct kdns_request *found[MOST_URIS];
	outcome_t outcome = {
			.end = end_of(part->error, END_WAITED),
			.error = part->error,
			.waited_ms = (unsigned int)(now_ms() - wait->since_ms),
			.request = part->request,
			.found = found,
			.found_count = wait->part_count,
	};
	int result;

	for(unsigned int i = 0; i < wait->part_count; i++)
		found[i] = wait->parts[i].request;
	count_end(outcome.end);
	clear_branches();
	continued = wait;
	outcome_begin(&outcome);
	result = route_continue(wait);
	outcome_end();
	/* tm has run the route if it came as far as to its beginning. */
	if(continued != NULL) {
		continued = NULL;
		count(COUNT_GONE);
		LM_DBG("transaction %u:%u is gone: %d\n", wait->index, wait->label, result);
	}
	clear_branches();
	for(unsigned int i = 0; i < wait->part_count; i++)
		library.release(found[i]);
	wait_give_back(wait);
}

/* Nobody waits for what was fetched. */
static void forget(wait_t *wait)
{
	library.release(wait->parts[0].request);
	wait_give_back(wait);
}

/* The next wait and the next change, NULL where there is none; waits until there is one of either. */
static void next_resolved(wait_t **wait, change_t **change)
{
	pthread_mutex_lock(&resolved.lock);
	while(resolved.first == NULL && resolved.first_change == NULL) {
		resolved.is_idle = 1;
		pthread_cond_wait(&resolved.filled, &resolved.lock);
	}
	resolved.is_idle = 0;
	*wait = resolved.first;
	if(*wait != NULL && (resolved.first = (*wait)->next) == NULL)
		resolved.last = NULL;
	*change = resolved.first_change;
	if(*change != NULL && (resolved.first_change = (*change)->next) == NULL)
		resolved.last_change = NULL;
	pthread_mutex_unlock(&resolved.lock);
}

/* Signals are the first thread's: Kamailio's handlers end the process. */
static int start_second_thread(void)
{
	sigset_t all, before;
	pthread_t thread;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&thread, NULL, resolve, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if(error != 0)
		LM_ERR("no thread: %s\n", strerror(error));
	return error == 0 ? 0 : -1;
}

int worker_run(int number)
{
	own_number = number;
	context = context_of_process();
	if(context == NULL)
		return -1;
	follow_options();
	/* One of the workers watches. */
	if(number == 0 && watch_begin(context, leave_change) != 0)
		return -1;
	if(start_second_thread() != 0)
		return -1;
	for(;;) {
		wait_t *wait;
		change_t *change;

		next_resolved(&wait, &change);
		follow_options();
		if(change != NULL)
			watch_run(change);
		if(wait != NULL && wait->errand == ERRAND_WAIT)
			go_on(wait);
		else if(wait != NULL)
			forget(wait);
	}
}
