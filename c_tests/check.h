/* Checks for the C tests: each failed one is printed, the program's exit status is 1 then. */

#ifndef CHECK_H
#define CHECK_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kamailio_dns.h>
#include <resolve.h>
#include <dns_cache.h>

static int checks_failed;
static int checks_made;

#define CHECK(condition)                                                 \
	do {                                                                 \
		checks_made++;                                                   \
		if(!(condition)) {                                               \
			checks_failed++;                                             \
			printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
		}                                                                \
	} while(0)

#define CHECK_INT(value, expected)                                             \
	do {                                                                       \
		long long value_ = (long long)(value), expected_ = (long long)(expected); \
		checks_made++;                                                         \
		if(value_ != expected_) {                                              \
			checks_failed++;                                                   \
			printf("%s:%d: failed: %s is %lld, not %lld\n", __FILE__, __LINE__, \
					#value, value_, expected_);                                \
		}                                                                      \
	} while(0)

#define CHECK_TEXT(value, expected)                                            \
	do {                                                                       \
		const char *value_ = (value), *expected_ = (expected);                 \
		checks_made++;                                                         \
		if(value_ == NULL || strcmp(value_, expected_) != 0) {                 \
			checks_failed++;                                                   \
			printf("%s:%d: failed: %s is \"%s\", not \"%s\"\n", __FILE__,      \
					__LINE__, #value, value_ ? value_ : "(null)", expected_);  \
		}                                                                      \
	} while(0)

/* the result of main() */
static inline int checks_result(void)
{
	if(checks_made == 0) {
		printf("nothing was checked\n");
		return 1;
	}
	return checks_failed != 0;
}

/* ends the program when it hangs */
static inline void watchdog(unsigned int seconds)
{
	alarm(seconds);
}

static inline str text(const char *s)
{
	str t;
	t.s = (char *)s;
	t.len = (int)strlen(s);
	return t;
}

/* no name is asked of a real nameserver: port 1 of the loopback is closed */
static inline void use_no_network(void)
{
	CHECK_INT(dns_option_set("dns_nameservers", "127.0.0.1:1"), 0);
	CHECK_INT(dns_option_set("dns_retr_time", "1"), 0);
	CHECK_INT(dns_option_set("dns_retr_no", "1"), 0);
	CHECK_INT(dns_option_set("dns_use_search_list", "no"), 0);
	CHECK_INT(dns_option_set("dns_log_level", "-5"), 0);
}

#ifdef USE_DNS_CACHE

/* a permanent record; type 1, 28 or 33 */
static inline int add(int type, const char *name, const char *value, int priority,
		int weight, int port)
{
	str n = text(name), v = text(value);
	return dns_cache_add_record((unsigned short)type, &n, 3600, &v, priority,
			weight, port, DNS_FLAG_PERMANENT);
}

/* "no such name" for a type, permanently */
static inline int add_absent(int type, const char *name)
{
	str n = text(name), v = text("");
	return dns_cache_add_record((unsigned short)type, &n, 3600, &v, 0, 0, 0,
			DNS_FLAG_PERMANENT | DNS_FLAG_BAD_NAME);
}

static inline const char *ip_text(const struct ip_addr *ip)
{
	static char buffer[INET6_ADDRSTRLEN];
	if(ip->len != 4 && ip->len != 16)
		return "(no address)";
	inet_ntop((int)ip->af, ip->u.addr, buffer, sizeof buffer);
	return buffer;
}

#endif
#endif
