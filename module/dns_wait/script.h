/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions of scripts, without what differs between the native language and KEMI. */
#ifndef DNS_WAIT_SCRIPT_H
#define DNS_WAIT_SCRIPT_H

#include "../../core/parser/msg_parser.h"
#include "../../core/str.h"

/* `uri` NULL: the request's destination and branches. */
int script_wait(struct sip_msg *msg, const str *route, const str *uri);
int script_ready(const str *uri);
int script_prefetch(const str *uri);
/* `port` 0 and `transport` 0: any. */
int script_is_target(const str *uri, const str *ip, int port, int transport);
/* 1 UDP, 2 TCP, ...; -1: none of these. */
int transport_of(const str *name);

#endif
