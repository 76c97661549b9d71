/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Statistics. */
#include "../../core/counters.h"

#include "counts.h"
#include "waits.h"

static counter_handle_t handles[COUNTS];

static counter_val_t waiting_now(counter_handle_t handle, void *param)
{
	(void)handle;
	(void)param;
	return waits_now();
}

static counter_def_t definitions[] = {
		{&handles[COUNT_READY], "ready", 0, 0, 0, "waits that needed none: all was in the cache"},
		{&handles[COUNT_SUSPENDED], "suspended", 0, 0, 0, "transactions that were suspended"},
		{&handles[COUNT_CONTINUED], "continued", 0, 0, 0, "suspended transactions whose route was run"},
		{&handles[COUNT_GONE], "gone", 0, 0, 0, "suspended transactions that were cancelled or had ended before"},
		{&handles[COUNT_WAITED], "waited", 0, 0, 0, "suspended transactions that got targets"},
		{&handles[COUNT_FAILED], "failed", 0, 0, 0, "suspended transactions whose lookup failed"},
		{&handles[COUNT_TIMEOUT], "timeout", 0, 0, 0, "suspended transactions that nobody answered in time"},
		{&handles[COUNT_SHED], "shed", 0, 0, 0, "transactions that were not suspended: as many were as may be"},
		{&handles[COUNT_NO_MEMORY], "no_memory", 0, 0, 0, "transactions that were not suspended: no shared memory"},
		{&handles[COUNT_REFUSED], "refused", 0, 0, 0, "transactions that tm did not suspend"},
		{&handles[COUNT_CHANGED], "changed", 0, 0, 0, "changes of watched URIs"},
		{0, "waiting", 0, waiting_now, 0, "transactions that are suspended now"},
		{0, 0, 0, 0, 0, 0},
};

int counts_register(void)
{
	return counter_register_array("dns_wait", definitions);
}

void count(count_t which)
{
	counter_inc(handles[which]);
}
