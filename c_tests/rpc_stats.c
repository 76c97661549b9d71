/* dns.stats and the counters by name. */

#include <sys/wait.h>

#include "capture.h"

static long long value_of(const char *name)
{
	unsigned index;
	for(index = 0; index < dns_metric_count(); index++)
		if(strcmp(dns_metric_name(index), name) == 0)
			return (long long)dns_metric_value(index);
	return -1;
}

static void names(void)
{
	unsigned index, other;
	CHECK(dns_metric_count() >= 16);
	for(index = 0; index < dns_metric_count(); index++) {
		CHECK(dns_metric_name(index) != NULL && dns_metric_name(index)[0] != '\0');
		CHECK(dns_metric_help(index) != NULL && dns_metric_help(index)[0] != '\0');
		for(other = 0; other < index; other++)
			CHECK(strcmp(dns_metric_name(index), dns_metric_name(other)) != 0);
	}
	CHECK(dns_metric_name(dns_metric_count()) == NULL);
	CHECK(dns_metric_help(dns_metric_count()) == NULL);
	CHECK_INT(dns_metric_value(dns_metric_count()), 0);
}

/* the calls of several processes add up */
static void counting(void)
{
	struct ip_addr ip;
	long long hits = value_of("hits"), absent = value_of("negative_hits");
	long long misses = value_of("misses"), failures = value_of("failure_hits");
	int child, status;
	for(child = 0; child < 3; child++) {
		pid_t pid = fork();
		if(pid == 0) {
			dns_get_ip(&(str){"a.example", 9}, &ip, DNS_IPV4_ONLY);
			dns_get_ip(&(str){"a.example", 9}, &ip, DNS_IPV4_ONLY);
			dns_get_ip(&(str){"none.example", 12}, &ip, DNS_IPV4_ONLY);
			_exit(0);
		}
		CHECK(waitpid(pid, &status, 0) == pid);
	}
	CHECK_INT(value_of("hits") - hits, 6);
	CHECK_INT(value_of("negative_hits") - absent, 3);
	CHECK_INT(value_of("misses") - misses, 0);
	/* nobody listens at the nameserver's port: a failure, which is remembered */
	CHECK(dns_get_ip(&(str){"lost.example", 12}, &ip, DNS_IPV4_ONLY) < 0);
	CHECK_INT(value_of("misses") - misses, 1);
	CHECK(dns_get_ip(&(str){"lost.example", 12}, &ip, DNS_IPV4_ONLY) < 0);
	CHECK_INT(value_of("misses") - misses, 1);
	CHECK_INT(value_of("failure_hits") - failures, 1);
	CHECK(value_of("queries_udp") >= 1);
}

static void stats(void)
{
	char text[64];
	CALL0(dns_stats_rpc);
	CHECK_INT(last_fault, 0);
	snprintf(text, sizeof text, "{ hits=%lld ", value_of("hits"));
	CHECK(strstr(reply, text) == reply);
	snprintf(text, sizeof text, " queries_udp=%lld ", value_of("queries_udp"));
	CHECK(strstr(reply, text) != NULL);
	CHECK(strstr(reply, " version=0.") != NULL && strstr(reply, " uptime=") != NULL);
	CHECK(strstr(reply, " came_in=linked ") != NULL);
	CHECK(strstr(reply, " memory_used=") != NULL && strstr(reply, " memory_limit=") != NULL);
	CHECK(strstr(reply, " repairs=0 ") != NULL);
	CHECK(strstr(reply, " types=[ { type=A live=1 negative=1 failed=1 expired=0 permanent=2 ")
			!= NULL);
	CHECK(strstr(reply, " query_times=[ ") != NULL);
	CALL0(dns_servers_rpc);
	CHECK_INT(last_fault, 0);
	/* nobody listens there, which costs an attempt; only silence marks a server */
	CHECK(strstr(reply, "{ address=127.0.0.1:1 state=up round_trip_us=0 ") == reply);
	CHECK(strstr(reply, " failures=1 queries=") != NULL && strstr(reply, " answers=0 ") != NULL);
	CHECK(strstr(reply, " resends=0 probe=unknown slot=1 ") != NULL);
	CHECK(strstr(reply, " edns=yes query_times=[ ") != NULL);
	struct_limit = 0;
	CALL0(dns_stats_rpc);
	CHECK_INT(last_fault, 500);
	struct_limit = 1 << 30;
	dns_stats_rpc(NULL, NULL);
	/* the counters are there without a cache, too */
	destroy_dns_cache();
	CALL0(dns_stats_rpc);
	CHECK_INT(last_fault, 0);
	CHECK(strstr(reply, "{ hits=") == reply && strstr(reply, "memory_used") == NULL);
}

static void histogram(void)
{
	unsigned long classes = dns_latency_histogram(NULL, 0);
	uint64_t few[2] = {7, 7}, all[64];
	CHECK(classes > 20 && classes <= 64);
	CHECK_INT(dns_latency_histogram(few, 1), classes);
	CHECK_INT(few[1], 7);
	CHECK_INT(dns_latency_histogram(all, 64), classes);
}

int main(void)
{
	watchdog(60);
	use_no_network();
	CHECK_INT(resolv_init(), 0);
	CHECK_INT(init_dns_cache(), 0);
	CHECK_INT(add(1, "a.example", "192.0.2.1", 0, 0, 0), 0);
	CHECK_INT(add_absent(1, "none.example"), 0);
	names();
	counting();
	histogram();
	stats();
	return checks_result();
}
