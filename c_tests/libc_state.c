/* The options apply to libc's resolver, too, which finds hosts where there is no cache. */

#include "check.h"

#include <pthread.h>
#include <resolv.h>

static void set(const char *name, const char *value)
{
	CHECK_INT(dns_option_set(name, value), 0);
}

/* Looks a host up as libc finds it; the hosts file has it, so that nothing is asked. */
static void look(void)
{
	char name[] = "localhost";

	set("use_dns_cache", "0");
	CHECK(resolvehost(name) != NULL);
}

static void *elsewhere(void *unused)
{
	(void)unused;
	look();
	CHECK_INT(_res.retrans, 7);
	CHECK_INT(_res.retry, 2);
	return NULL;
}

int main(void)
{
	pthread_t thread;
	int retrans, retry;

	watchdog(60);
#ifdef __GLIBC__
	CHECK_INT(res_init(), 0);
	retrans = _res.retrans;
	retry = _res.retry;

	/* Options that are not set leave it alone. */
	CHECK_INT(resolv_init(), 0);
	CHECK_INT(_res.retrans, retrans);
	CHECK_INT(_res.retry, retry);
	CHECK((_res.options & RES_DNSRCH) != 0);

	/* Options that are set count at the next start, ... */
	set("dns_retr_time", "3");
	set("dns_retr_no", "1");
	set("dns_servers_no", "1");
	set("dns_use_search_list", "0");
	CHECK_INT(resolv_init(), 0);
	CHECK_INT(_res.retrans, 3);
	CHECK_INT(_res.retry, 1);
	CHECK(_res.nscount <= 1);
	CHECK((_res.options & (RES_DNSRCH | RES_DEFNAMES)) == 0);

	/* ... at the next lookup, in each thread, ... */
	set("dns_retr_time", "7");
	set("dns_retr_no", "2");
	look();
	CHECK_INT(_res.retrans, 7);
	CHECK_INT(_res.retry, 2);
	CHECK_INT(pthread_create(&thread, NULL, elsewhere, NULL), 0);
	CHECK_INT(pthread_join(thread, NULL), 0);

	/* ... and no longer than they are set. */
	set("dns_retr_time", "-1");
	set("dns_retr_no", "-1");
	set("dns_use_search_list", "1");
	resolv_reinit(NULL, NULL);
	CHECK_INT(_res.retrans, retrans);
	CHECK_INT(_res.retry, retry);
	CHECK((_res.options & RES_DNSRCH) != 0);
#else
	(void)elsewhere;
	(void)thread;
	(void)retrans;
	(void)retry;
#endif
	return checks_result();
}
