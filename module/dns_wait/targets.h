/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets as scripts see them: "udp:192.0.2.1:5060,tcp:[2001:db8::1]:5060". */
#ifndef DNS_WAIT_TARGETS_H
#define DNS_WAIT_TARGETS_H

#include <stddef.h>
#include <sys/socket.h>

#include "library.h"

/* The longest target, with the comma before it. */
#define TARGET_ROOM 80

/* "192.0.2.1:5060" or "[2001:db8::1]:5060" behind a prefix; octets written, 0 for what has no address or no room. */
size_t target_place(char *to, size_t room, const char *prefix, const struct sockaddr_storage *place);
/* Adds a target to a list that has so many octets; how many it has then. A list without room stays as it is. */
size_t target_add(char *list, size_t length, size_t room, const struct kdns_target *target);

#endif
