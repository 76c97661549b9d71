/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processor's own counter where there is one, for it costs less than a call for the time. */
#include <time.h>

#include "dnsbench.h"

double ns_per_tick = 1.0;

uint64_t clock_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

uint64_t clock_ticks(void)
{
#if defined(__x86_64__)
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return ((uint64_t)high << 32) | low;
#else
	return clock_ns();
#endif
}

void clock_calibrate(void)
{
	struct timespec pause = {0, 200000000};
	uint64_t ns = clock_ns(), ticks = clock_ticks();

	nanosleep(&pause, NULL);
	ns_per_tick = (double)(clock_ns() - ns) / (double)(clock_ticks() - ticks);
}
