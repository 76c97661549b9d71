/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets in words. Nothing here is Kamailio's, so the resolving thread may use it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "targets.h"

static size_t written(int size, size_t room)
{
	return size > 0 && (size_t)size < room ? (size_t)size : 0;
}

size_t target_place(char *to, size_t room, const char *prefix, const struct sockaddr_storage *place)
{
	char address[INET6_ADDRSTRLEN];

	if(place->ss_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, place, sizeof in);
		inet_ntop(AF_INET, &in.sin_addr, address, sizeof address);
		return written(snprintf(to, room, "%s%s:%u", prefix, address, ntohs(in.sin_port)), room);
	}
	if(place->ss_family == AF_INET6) {
		struct sockaddr_in6 in;

		memcpy(&in, place, sizeof in);
		inet_ntop(AF_INET6, &in.sin6_addr, address, sizeof address);
		return written(snprintf(to, room, "%s[%s]:%u", prefix, address, ntohs(in.sin6_port)), room);
	}
	return 0;
}

size_t target_add(char *list, size_t length, size_t room, const struct kdns_target *target)
{
	static const char *const transports[] = {"?", "udp", "tcp", "tls", "sctp", "ws", "wss"};
	char prefix[8], one[TARGET_ROOM];
	size_t size;

	snprintf(prefix, sizeof prefix, "%s%s:", length > 0 ? "," : "", transports[target->transport <= 6 ? target->transport : 0]);
	size = target_place(one, sizeof one, prefix, &target->to);
	if(size == 0 || length + size >= room)
		return length;
	memcpy(list + length, one, size + 1);
	return length + size;
}
