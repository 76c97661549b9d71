/* What stands for Kamailio's three DNS files: functions.h has STUB(name) for each function that is not here. */
#include <arpa/inet.h>
#include <netdb.h>
#include <resolv.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define HIDDEN __attribute__((visibility("hidden")))

struct text
{
	char *start;
	int length;
};
struct address
{
	unsigned int family, length;
	unsigned char octets[16];
};

#ifdef INLINED
HIDDEN int calls;
#else
static int calls;
#endif
static void *table;
extern int log_stderr;
int dns_cache_init = 1;
unsigned int dns_timer_interval = 120;
int dns_flags;

HIDDEN __attribute__((noinline)) int helper(int number)
{
	return number + calls;
}

#define STUB(name)                                       \
	__attribute__((noinline)) int name(int number)       \
	{                                                    \
		calls++;                                         \
		return number > 99 ? helper(number) : calls + 7; \
	}
#include "functions.h"

void *dns_func[4] = {
#ifdef HOOKS
		dns_cache_view,
#else
		(void *)__res_init,
#endif
		(void *)res_search, (void *)gethostbyname, (void *)gethostbyname2};

#if defined(SHORT) && defined(__aarch64__)
/* One instruction is enough for a jump, but not for the mark before it, too. */
__asm__(".globl dns_strerror\n.type dns_strerror, @function\ndns_strerror: hint #34\n.size dns_strerror, 4\nret\n");
#elif defined(SHORT)
__asm__(".globl dns_strerror\n.type dns_strerror, @function\ndns_strerror: ret\n.size dns_strerror, 1\n");
#else
int dns_strerror(int number)
{
	calls += number;
#ifdef MIDDLE
	__asm__ volatile(".globl inside\n.hidden inside\ninside:");
#endif
	return helper(calls);
}
#endif

struct address *str2ip(struct text *name)
{
	static struct address found;
	char copy[64] = {0};

	if(name->length > 63)
		return 0;
	memcpy(copy, name->start, name->length);
	if(inet_pton(AF_INET, copy, found.octets) != 1)
		return 0;
	found.family = AF_INET;
	found.length = 4;
	return &found;
}

/* A handle: srv and a at POINTERS, port at NUMBERS + 8. */
#ifndef POINTERS
#define POINTERS 0
#define NUMBERS 16
#endif

static __attribute__((noinline)) int with_table(
		char *handle, struct text *name, struct address *address, unsigned short *port, char *protocol)
{
	struct address *found = str2ip(name);

	if(!found)
		return -1;
	*address = *found;
	if(*protocol == 0)
		*protocol = 1;
	if(*port == 0)
		*port = 5060;
	memcpy(handle + NUMBERS + 8, port, 2);
	handle[NUMBERS + 12] = *protocol;
	return 0;
}

int dns_sip_resolve(
		char *handle, struct text *name, struct address *address, unsigned short *port, char *protocol, int flags)
{
	/* Only where the takeover tries it out: there it wants no lines in the log. */
#ifdef CRASH
	if(log_stderr)
		*(volatile int *)8 = flags;
#endif
#ifdef HANG
	while(log_stderr)
		pause();
#endif
	if(table)
		return with_table(handle, name, address, port, protocol);
	memset(handle + POINTERS, 0, 16);
	struct address *found = str2ip(name);
	if(!found)
		return -1;
	*address = *found;
	return 0;
}

void dns_hash_put(void *entry)
{
#ifdef COUNTS_ELSEWHERE
	__atomic_sub_fetch((int *)entry + 12, 1, __ATOMIC_SEQ_CST);
#else
	if(entry && __atomic_sub_fetch((int *)entry + 10, 1, __ATOMIC_SEQ_CST) == 0)
		table = 0;
#endif
}
