/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shared lists of waits. The lock is held for a few stores. */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../../core/dprint.h"
#include "../../core/globals.h"
#include "../../core/locking.h"
#include "../../core/mem/shm_mem.h"

#include "dns_wait.h"
#include "waits.h"

/* One part in so many of the shared memory is left to others. */
#define RESERVED_PART 10

typedef struct list
{
	wait_t *first, *last;
	/* Waits that this worker has not given back. */
	unsigned int held;
	int descriptor;
} list_t;

/* Each kind is counted by itself up to max_waiting, so URIs that are fetched ahead take no room from transactions. */
typedef enum kind
{
	KIND_SUSPENDED,
	KIND_ERRAND,
	KINDS
} kind_t;

typedef struct shared
{
	gen_lock_t lock;
	unsigned int now[KINDS];
	list_t lists[MOST_WORKERS];
} shared_t;

static shared_t *shared;

int waits_init(void)
{
	shared = shm_malloc(sizeof *shared);
	if(shared == NULL)
		return -1;
	memset(shared, 0, sizeof *shared);
	if(lock_init(&shared->lock) == NULL)
		return -1;
	for(int i = 0; i < settings.workers; i++) {
		shared->lists[i].descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if(shared->lists[i].descriptor < 0) {
			LM_ERR("no descriptor: %s\n", strerror(errno));
			return -1;
		}
	}
	return 0;
}

void waits_destroy(void)
{
	if(shared == NULL)
		return;
	lock_destroy(&shared->lock);
	shm_free(shared);
	shared = NULL;
}

unsigned int waits_now(void)
{
	return shared != NULL ? shared->now[KIND_SUSPENDED] : 0;
}

int waits_descriptor(int worker)
{
	return shared->lists[worker].descriptor;
}

/* Counts one more, and says whose it is; -1: there are as many as may be. A route may hold its worker up, so the one with the
 * fewest gets it. */
static int reserve(kind_t kind)
{
	int least = 0;

	lock_get(&shared->lock);
	if(shared->now[kind] >= (unsigned int)settings.most_waiting) {
		lock_release(&shared->lock);
		return -1;
	}
	for(int i = 1; i < settings.workers; i++) {
		if(shared->lists[i].held < shared->lists[least].held)
			least = i;
	}
	shared->now[kind]++;
	shared->lists[least].held++;
	lock_release(&shared->lock);
	return least;
}

static void unreserve(int worker, kind_t kind)
{
	lock_get(&shared->lock);
	shared->now[kind]--;
	shared->lists[worker].held--;
	lock_release(&shared->lock);
}

unsigned int waits_branches(void)
{
	unsigned int count = 0;

	while(count < MOST_URIS - 1 && get_sip_branch((int)count) != NULL)
		count++;
	return count;
}

str waits_next_hop(const branch_t *branch)
{
	str out = {(char *)branch->uri, (int)branch->len};

	if(branch->dst_uri_len > 0) {
		out.s = (char *)branch->dst_uri;
		out.len = (int)branch->dst_uri_len;
	}
	return out;
}

static str copy_text(char **to, const str *text)
{
	str out = {*to, text->s != NULL ? text->len : 0};

	if(out.len > 0)
		memcpy(out.s, text->s, (size_t)out.len);
	out.s[out.len] = '\0';
	*to += out.len + 1;
	return out;
}

static size_t room_for(const str *text)
{
	return (text->s != NULL ? (size_t)text->len : 0) + 1;
}

static void copy_branches(wait_t *wait)
{
	for(unsigned int i = 0; i < wait->branch_count; i++)
		memcpy(&wait->branches[i], get_sip_branch((int)i), sizeof(branch_t));
}

/* A wait is one piece of memory: the struct, its parts, its branches, its texts. */
static void fill(wait_t *wait, struct sip_msg *msg, const str *route, const str *uri)
{
	char *text;

	wait->since_ms = now_ms();
	text = (char *)(wait->branches + wait->branch_count);
	wait->route = copy_text(&text, route);
	wait->ruri = copy_text(&text, GET_RURI(msg));
	wait->duri = copy_text(&text, &msg->dst_uri);
	wait->path = copy_text(&text, &msg->path_vec);
	wait->socket = msg->force_send_socket;
	wait->ruri_q = get_ruri_q();
	getbflagsval(0, &wait->ruri_flags);
	copy_branches(wait);
	for(unsigned int i = 0; i < wait->part_count; i++) {
		wait->parts[i].wait = wait;
		if(i > 0)
			wait->parts[i].uri = waits_next_hop(&wait->branches[i - 1]);
	}
	if(uri != NULL)
		wait->parts[0].uri = copy_text(&text, uri);
	else
		wait->parts[0].uri = wait->duri.len > 0 ? wait->duri : wait->ruri;
}

/* Memory of that size, beside what the parts and branches need. */
static wait_t *reserve_memory(kind_t kind, unsigned int parts, unsigned int branches, size_t size, no_room_t *why)
{
	int worker;
	wait_t *wait;

	/* Suspended transactions need memory to be answered, and so do all others. */
	if(shm_available() < shm_mem_size / RESERVED_PART) {
		*why = NO_ROOM_MEMORY;
		return NULL;
	}
	worker = reserve(kind);
	if(worker < 0) {
		*why = NO_ROOM_LIMIT;
		return NULL;
	}
	size += sizeof *wait + parts * sizeof(part_t) + branches * sizeof(branch_t);
	wait = shm_malloc(size);
	if(wait == NULL) {
		unreserve(worker, kind);
		*why = NO_ROOM_MEMORY;
		return NULL;
	}
	memset(wait, 0, size);
	wait->worker = worker;
	wait->part_count = parts;
	wait->branch_count = branches;
	wait->parts = (part_t *)(wait + 1);
	wait->branches = (branch_t *)(wait->parts + parts);
	return wait;
}

wait_t *wait_reserve(struct sip_msg *msg, const str *route, const str *uri, no_room_t *why)
{
	unsigned int branches = waits_branches();
	size_t texts = room_for(route) + room_for(GET_RURI(msg)) + room_for(&msg->dst_uri) + room_for(&msg->path_vec)
				   + (uri != NULL ? room_for(uri) : 0);
	wait_t *wait = reserve_memory(KIND_SUSPENDED, uri != NULL ? 1 : 1 + branches, branches, texts, why);

	if(wait != NULL)
		fill(wait, msg, route, uri);
	return wait;
}

wait_t *wait_reserve_errand(errand_t errand, const str *uri)
{
	no_room_t why;
	wait_t *wait = reserve_memory(KIND_ERRAND, 1, 0, room_for(uri), &why);
	char *text;

	if(wait == NULL)
		return NULL;
	wait->errand = errand;
	wait->parts[0].wait = wait;
	text = (char *)wait->branches;
	wait->parts[0].uri = copy_text(&text, uri);
	return wait;
}

void wait_hand_over(wait_t *wait)
{
	list_t *list = &shared->lists[wait->worker];
	uint64_t one = 1;
	ssize_t done;

	lock_get(&shared->lock);
	if(list->last != NULL)
		list->last->next = wait;
	else
		list->first = wait;
	list->last = wait;
	lock_release(&shared->lock);
	do {
		done = write(list->descriptor, &one, sizeof one);
	} while(done < 0 && errno == EINTR);
	/* A full descriptor is readable, which is all that the worker needs. */
}

wait_t *waits_take(int worker)
{
	list_t *list = &shared->lists[worker];
	uint64_t count;
	ssize_t done = read(list->descriptor, &count, sizeof count);
	wait_t *first;

	(void)done;
	lock_get(&shared->lock);
	first = list->first;
	list->first = list->last = NULL;
	lock_release(&shared->lock);
	return first;
}

void wait_give_back(wait_t *wait)
{
	int worker = wait->worker;
	kind_t kind = wait->errand == ERRAND_WAIT ? KIND_SUSPENDED : KIND_ERRAND;

	shm_free(wait);
	unreserve(worker, kind);
}
