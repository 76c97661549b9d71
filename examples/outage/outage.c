/* outage: workers that look one destination up again and again, and what becomes of it when the nameserver dies.
 *
 *   outage SERVER HOST SECONDS
 *
 * Workers share the cache; each resolves HOST as a SIP proxy would, every 10 ms, and the process that started them
 * keeps the cache fresh. Once a second there is a line that says how the lookups of this second ended, and where
 * their records came from. SERVER is killed by somebody else meanwhile: see examples/run.sh.
 *
 * Exit status: 0 = every lookup found a target, 1 = one did not, 2 = usage, 3 = other trouble. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kamailio_dns.h"

enum { WORKERS = 4, PAUSE_MS = 10, LONGEST_S = 60 };

/* What all processes share; each worker writes to its own place. */
struct tally {
	unsigned long found, failed, longest_us;
};

static uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000 + (uint64_t)time.tv_nsec / 1000;
}

static void pause_ms(long ms)
{
	struct timespec time = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static int resolve(const char *host)
{
	struct dns_handle *handle = dns_handle_new();
	struct ip_addr ip;
	unsigned short port = 0;
	char proto = PROTO_UDP;
	int rc;

	if (!handle)
		return -1;
	rc = dns_handle_resolve(handle, host, &ip, &port, &proto, dns_flags);
	dns_handle_free(handle);
	return rc;
}

static void work(const char *host, volatile struct tally *own, uint64_t until)
{
	while (now_us() < until) {
		uint64_t begun = now_us();
		unsigned long took;

		if (resolve(host) == 0)
			own->found++;
		else
			own->failed++;
		took = (unsigned long)(now_us() - begun);
		if (took > own->longest_us)
			own->longest_us = took;
		pause_ms(PAUSE_MS);
	}
}

static unsigned long metric(const char *name)
{
	unsigned i;

	for (i = 0; i < dns_metric_count(); i++) {
		if (strcmp(dns_metric_name(i), name) == 0)
			return (unsigned long)dns_metric_value(i);
	}
	return 0;
}

static struct tally sum(volatile struct tally *tallies)
{
	struct tally all = {0, 0, 0};
	int i;

	for (i = 0; i < WORKERS; i++) {
		all.found += tallies[i].found;
		all.failed += tallies[i].failed;
		if (tallies[i].longest_us > all.longest_us)
			all.longest_us = tallies[i].longest_us;
		/* A worker may write its own meanwhile: a maximum is lost at worst, for this line alone. */
		tallies[i].longest_us = 0;
	}
	return all;
}

static int report(volatile struct tally *tallies, int seconds)
{
	struct tally before = {0, 0, 0}, all = {0, 0, 0};
	unsigned long queries = 0, lost = 0, stale = 0;
	int second;

	printf("  %6s %8s %6s %7s %11s  %7s %10s  %s\n", "second", "lookups", "found", "failed", "longest", "queries",
	       "unanswered", "expired records used");
	fflush(stdout);
	for (second = 1; second <= seconds; second++) {
		pause_ms(1000);
		all = sum(tallies);
		printf("  %6d %8lu %6lu %7lu %8.2f ms  %7lu %10lu  %lu\n", second,
		       all.found + all.failed - before.found - before.failed, all.found - before.found,
		       all.failed - before.failed, (double)all.longest_us / 1000,
		       metric("queries_udp") - queries, metric("timeouts") - lost, metric("stale") - stale);
		fflush(stdout);
		before = all;
		queries = metric("queries_udp");
		lost = metric("timeouts");
		stale = metric("stale");
	}
	printf("  in all %lu lookups, %lu failed\n", all.found + all.failed, all.failed);
	return all.found > 0 && all.failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
	volatile struct tally *tallies;
	int i, rc, seconds = argc == 4 ? atoi(argv[3]) : 0;
	uint64_t until;

	if (seconds < 1 || seconds > LONGEST_S) {
		fprintf(stderr, "usage: outage SERVER HOST SECONDS\n");
		return 2;
	}
	tallies = mmap(NULL, WORKERS * sizeof(*tallies), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	/* The cache must exist before the first fork: that is how the workers come to share it. */
	if (tallies == MAP_FAILED || dns_option_set("dns_nameservers", argv[1]) != 0
	    || dns_option_set("use_dns_failover", "yes") != 0 || dns_option_set("dns_retr_time", "1") != 0
	    || resolv_init() != 0 || init_dns_cache() != 0) {
		fprintf(stderr, "outage: the DNS library could not be started\n");
		return 3;
	}
	until = now_us() + (uint64_t)seconds * 1000000;
	for (i = 0; i < WORKERS; i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 3;
		if (pid == 0) {
			work(argv[2], &tallies[i], until);
			_exit(0);
		}
	}
	/* A thread, so after the last fork. */
	if (dns_refresh_start() != 0) {
		fprintf(stderr, "outage: no refresher\n");
		return 3;
	}
	rc = report(tallies, seconds);
	dns_refresh_stop();
	while (wait(NULL) > 0)
		;
	destroy_dns_cache();
	return rc;
}
