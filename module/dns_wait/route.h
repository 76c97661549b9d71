/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes of the script: of the native configuration, or functions of a KEMI script. */
#ifndef DNS_WAIT_ROUTE_H
#define DNS_WAIT_ROUTE_H

#include "../../core/parser/msg_parser.h"

#include "waits.h"

/* 1: there is such a route, as far as can be known. */
int route_exists(const str *name);
/* Runs it for a request that was not suspended. */
void route_run(struct sip_msg *msg, const str *name);
/* Has tm run it for a suspended transaction; what t_continue() says. */
int route_continue(wait_t *wait);

#endif
