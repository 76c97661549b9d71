/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by the files of the module. README says what the module does, waits.h how a wait goes its way. */
#ifndef DNS_WAIT_H
#define DNS_WAIT_H

#include "../../core/config.h"
#include "../../core/sr_module.h"
#include "../../core/str.h"
#include "../tm/tm_load.h"

/* Return values of the script functions. */
#define DW_TRUE 1
#define DW_END 0 /* the script ends here */
#define DW_FALSE (-1)
#define DW_NOT_KNOWN (-2)
#define DW_SHED (-2)
#define DW_STALE (-3)
#define DW_BAD (-4)
#define DW_UNAVAILABLE (-10)

/* URIs of one request: its destination, and those of its further branches. */
#define MOST_URIS (MAX_BRANCHES_LIMIT + 1)

/* Module parameters, read only after the start. */
typedef struct settings
{
	int workers;
	int deadline_ms;
	int most_waiting;
	int shed_returns;
	int without_library;
	int stale_is_target;
} settings_t;

extern settings_t settings;
extern struct tm_binds tmb;

unsigned long long now_ms(void);

#endif
