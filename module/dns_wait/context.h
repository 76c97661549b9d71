/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The library's context of this process. */
#ifndef DNS_WAIT_CONTEXT_H
#define DNS_WAIT_CONTEXT_H

#include "library.h"

/* Opened with the first call; NULL: the context cannot be opened, which the log says once. */
struct kdns *context_of_process(void);

#endif
