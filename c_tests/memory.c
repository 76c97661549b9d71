/* Real memory is what was asked for: mlockall(), limits on locked memory and address space. */

#define _GNU_SOURCE 1
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "check.h"

/* kB besides dns_cache_mem: counters and tables, room for calls in progress, address space for each size of
 * entries */
#define CONTROL 9000

static long status(const char *key)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[200];
	long value = -1;
	while(file && fgets(line, sizeof line, file)) {
		if(strncmp(line, key, strlen(key)) == 0)
			value = atol(line + strlen(key));
	}
	if(file)
		fclose(file);
	return value;
}

/* a record under a name with a number in it, which may be evicted */
static int add_numbered(const char *format, int number)
{
	char name[250];
	snprintf(name, sizeof name, format, number);
	str owner = text(name), value = text("192.0.2.1");
	return dns_cache_add_record(1, &owner, 3600, &value, 0, 0, 0, 0);
}

/* the beginning of a child, and its end */
static void begin(void)
{
	alarm(120);
	checks_failed = checks_made = 0;
	fflush(stdout);
}

static void leave(int result)
{
	fflush(stdout);
	_exit(result);
}

/* kB that a process locks which has a cache of `kib` (0 = none) */
static long locked(const char *kib, int flags_before)
{
	int out[2];
	long value = -1;
	if(pipe(out) < 0)
		return -1;
	pid_t child = fork();
	if(child == 0) {
		begin();
		resolv_init();
		if(kib)
			dns_option_set("dns_cache_mem", kib);
		if(flags_before)
			mlockall(flags_before);
		int failed = kib && init_dns_cache() < 0;
		if(!flags_before)
			failed |= mlockall(MCL_CURRENT | MCL_FUTURE) < 0;
		value = failed ? -1 : status("VmLck:");
		/* what is locked is there: resident pages are no more than that */
		if(write(out[1], &value, sizeof value) != sizeof value)
			_exit(1);
		_exit(0);
	}
	if(read(out[0], &value, sizeof value) != sizeof value)
		value = -1;
	waitpid(child, NULL, 0);
	close(out[0]);
	close(out[1]);
	return value;
}

static void mlockall_takes_what_was_asked_for(void)
{
	long without = locked(NULL, 0);
	CHECK(without > 0);
	for(int before = 0; before < 2; before++) {
		int flags = before ? MCL_CURRENT | MCL_FUTURE : 0;
		long small = locked("500", flags), large = locked("65536", flags);
		CHECK(small > 0);
		CHECK(small - without < 500 + CONTROL);
		CHECK(large - without > 65536);
		CHECK(large - without < 65536 * 14 / 10 + CONTROL);
	}
}

/* Limits on locked memory and on address space count what is mapped, used or not. */
static void no_more_is_mapped(void)
{
	pid_t child = fork();
	if(child == 0) {
		begin();
		resolv_init();
		long before = status("VmSize:");
		CHECK_INT(init_dns_cache(), 0);
		CHECK(status("VmSize:") - before < 500 + CONTROL);
		leave(checks_result());
	}
	int result = -1;
	waitpid(child, &result, 0);
	CHECK_INT(result, 0);
}

/* Of 1000 entries of one size how many are there that were put into a cache full of entries of another; -1 when
 * something failed */
static int change_of_sizes(int lock)
{
	const char *longer = "a-name-so-much-longer-that-its-entry-is-of-another-size-altogether-%d.and-so-is-the-memory-"
						 "that-it-takes.example";
	pid_t child = fork();
	if(child == 0) {
		int found = 0;
		begin();
		dns_option_set("dns_cache_del_nonexp", "yes");
		dns_option_set("dns_nameservers", "127.0.0.1:1");
		dns_option_set("dns_log_level", "-5");
		resolv_init();
		if(init_dns_cache() < 0 || (lock && mlockall(MCL_CURRENT) < 0))
			leave(255);
		for(int i = 0; i < 8000; i++) {
			if(add_numbered("h%d.example", i) != 0)
				leave(255);
		}
		for(int i = 0; i < 1000; i++) {
			if(add_numbered(longer, i) != 0)
				leave(255);
		}
		for(int i = 0; i < 1000; i++) {
			char name[250];
			struct ip_addr ip;
			snprintf(name, sizeof name, longer, i);
			str owner = text(name);
			found += dns_get_ip(&owner, &ip, DNS_IPV4_ONLY) == 0;
		}
		leave(found / 10);
	}
	int result = -1;
	waitpid(child, &result, 0);
	return WIFEXITED(result) && WEXITSTATUS(result) != 255 ? WEXITSTATUS(result) * 10 : -1;
}

/* In locked memory the kernel takes no page back; entries of other sizes find room all the same. */
static void sizes_change_in_locked_memory(void)
{
	int unlocked = change_of_sizes(0), locked_too = change_of_sizes(1);
	/* Chance decides which entries go: 160 to 320 are there. Where pages cannot change their size none gets in. */
	CHECK(unlocked > 100);
	CHECK(locked_too > 100);
}

static void more_than_there_is_room_for(void)
{
	pid_t child = fork();
	if(child == 0) {
		begin();
		resolv_init();
		dns_option_set("dns_cache_mem", "8000");
		dns_option_set("dns_cache_mem_max", "20000");
		CHECK_INT(init_dns_cache(), 0);
		CHECK_INT(dns_option_set("dns_cache_mem", "20000"), 0);
		CHECK_INT(dns_option_set("dns_cache_mem", "20001"), -4);
		CHECK_INT(dns_option_set("dns_cache_mem", "0"), 0);
		leave(checks_result());
	}
	int result = -1;
	waitpid(child, &result, 0);
	CHECK_INT(result, 0);
	child = fork();
	if(child == 0) {
		begin();
		struct rlimit limit = {400 << 20, 400 << 20};
		setrlimit(RLIMIT_AS, &limit);
		dns_option_set("dns_log_level", "-5");
		dns_option_set("dns_cache_mem", "4000000");
		resolv_init();
		/* cut, not refused */
		CHECK_INT(init_dns_cache(), 0);
		CHECK_INT(add_numbered("host%d.example", 1), 0);
		CHECK_INT(dns_option_set("dns_cache_mem", "4000000"), -4);
		leave(checks_result());
	}
	result = -1;
	waitpid(child, &result, 0);
	CHECK_INT(result, 0);
}

/* Ordinary users may lock some memory only. */
static int may_lock_much(void)
{
	pid_t child = fork();
	if(child == 0) {
		size_t much = 160ul << 20;
		void *map = mmap(NULL, much, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		_exit(map == MAP_FAILED || mlockall(MCL_CURRENT) < 0);
	}
	int result = -1;
	waitpid(child, &result, 0);
	return result == 0;
}

int main(void)
{
	if(may_lock_much()) {
		mlockall_takes_what_was_asked_for();
		sizes_change_in_locked_memory();
	} else
		printf("memory: not checked in locked memory, of which this user may have too little\n");
	no_more_is_mapped();
	more_than_there_is_room_for();
	return checks_result();
}
