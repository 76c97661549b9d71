/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Histograms whose buckets are as wide as a thirty-second of what they hold. */
#include <math.h>

#include "dnsbench.h"

static int bucket_of(uint64_t ticks)
{
	int power, bucket;

	if(ticks < HISTOGRAM_STEPS)
		return (int)ticks;
	power = 63 - __builtin_clzll(ticks);
	bucket = (power - 4) * HISTOGRAM_STEPS + (int)((ticks >> (power - 5)) & (HISTOGRAM_STEPS - 1));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

/* The middle of a bucket. */
static double middle_of(int bucket)
{
	if(bucket < HISTOGRAM_STEPS)
		return bucket + 0.5;
	return ldexp(1.0 + ((bucket % HISTOGRAM_STEPS) + 0.5) / HISTOGRAM_STEPS, bucket / HISTOGRAM_STEPS + 4);
}

void histogram_add(histogram_t *histogram, uint64_t ticks)
{
	histogram->count++;
	if(ticks > histogram->most)
		histogram->most = ticks;
	histogram->bucket[bucket_of(ticks)]++;
}

void histogram_merge(histogram_t *into, const histogram_t *from)
{
	into->count += from->count;
	if(from->most > into->most)
		into->most = from->most;
	for(int i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

double histogram_share(const histogram_t *histogram, double share)
{
	double wanted = ceil(share * (double)histogram->count);
	uint64_t seen = 0;

	if(histogram->count == 0)
		return 0;
	for(int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->bucket[i];
		if(seen > 0 && (double)seen >= wanted)
			return fmin(middle_of(i), (double)histogram->most);
	}
	return (double)histogram->most;
}
