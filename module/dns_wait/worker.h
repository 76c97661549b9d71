/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The module's own processes. */
#ifndef DNS_WAIT_WORKER_H
#define DNS_WAIT_WORKER_H

/* In mod_init(): what routes of continued transactions begin with. */
int worker_register(void);
/* Does the work of one, and does not come back while all is well. */
int worker_run(int number);

#endif
