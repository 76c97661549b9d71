/* SPDX-License-Identifier: GPL-2.0-or-later */
/* $dnsw(...). */
#ifndef DNS_WAIT_VARS_H
#define DNS_WAIT_VARS_H

#include "../../core/pvar.h"

int vars_parse_name(pv_spec_p spec, str *name);
int vars_get(struct sip_msg *msg, pv_param_t *param, pv_value_t *result);

#endif
