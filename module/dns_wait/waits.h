/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waits on their way: a SIP worker suspends a transaction and leaves a wait in the shared list of one of the module's
 * workers; that worker's second thread has it resolved, its first one runs the route and gives the wait back.
 */
#ifndef DNS_WAIT_WAITS_H
#define DNS_WAIT_WAITS_H

#include "../../core/dset.h"
#include "../../core/parser/msg_parser.h"

#define MOST_WORKERS 64

struct wait;
struct kdns_request;

/* One of the URIs that a wait is about. The worker alone writes it, so a wait needs no other memory. */
typedef struct part
{
	struct wait *wait;
	str uri;
	struct kdns_request *request;
	int error;
} part_t;

typedef enum errand
{
	/* A transaction waits. */
	ERRAND_WAIT,
	/* Nobody waits: what the destination needs is fetched, or all that can be its target. */
	ERRAND_FETCH,
	ERRAND_FETCH_ALL,
} errand_t;

/* A suspended transaction, in one piece of shared memory. The texts stand behind it. */
typedef struct wait
{
	struct wait *next;
	errand_t errand;
	unsigned int index, label;
	unsigned long long since_ms;
	unsigned int deadline_ms;
	int worker;
	str route;
	/* Request URI and $du when the transaction was suspended: tm's own copy may be older. */
	str ruri, duri;
	qvalue_t ruri_q;
	flag_t ruri_flags;
	/* The socket that the script chose, and the Path: tm has them as they were when it made the transaction. */
	struct socket_info *socket;
	str path;
	/* The URIs, the destination first; `left` of them are under way. */
	unsigned int part_count, left;
	part_t *parts;
	/* Further branches: tm does not keep them over a suspension. */
	unsigned int branch_count;
	branch_t *branches;
} wait_t;

/* Why there is no room. */
typedef enum no_room
{
	NO_ROOM_LIMIT = 1,
	NO_ROOM_MEMORY,
} no_room_t;

/* Before any fork. */
int waits_init(void);
void waits_destroy(void);

/* Reserves a wait for a request: `uri` is what is resolved, or NULL: the destination and the branches. */
wait_t *wait_reserve(struct sip_msg *msg, const str *route, const str *uri, no_room_t *why);
/* The same for what nobody waits for, of which there may be as many again; NULL: there is no room. */
wait_t *wait_reserve_errand(errand_t errand, const str *uri);
/* Leaves it to its worker. Never blocks, never fails. */
void wait_hand_over(wait_t *wait);
/* Gives it back, whoever has it. */
void wait_give_back(wait_t *wait);

/* For workers: the descriptor that tells of new waits, and these. */
int waits_descriptor(int worker);
wait_t *waits_take(int worker);

/* Branches that the script has added in this process, and where one goes. */
unsigned int waits_branches(void);
str waits_next_hop(const branch_t *branch);

/* How many transactions are suspended. */
unsigned int waits_now(void);

#endif
