/* What stands for the rest of a Kamailio: its names, callers of the DNS functions, and what makes a start unusual.
 * Prints whose code answers, and what a program gets that it starts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef FLAGS
#define FLAGS "USE_TCP, USE_DNS_CACHE, USE_DNS_FAILOVER, USE_NAPTR, HAVE_RESOLV_RES"
#endif
#ifndef VERSION
#define VERSION "5.6.3"
#endif
const char ver_flags[] = FLAGS;
const char ver_version[] = VERSION;
char default_core_cfg[232];
void *core_cfg = default_core_cfg;
int log_stderr;
#ifdef ATOMIC_LOCK
int _atomic_lock;
#endif
unsigned int get_ticks_raw(void)
{
	return 1;
}

#define STUB(name) int name(int);
#include "functions.h"
int dns_strerror(int);
struct text
{
	char *start;
	int length;
};
void *str2ip(struct text *);
int dns_sip_resolve(void *, struct text *, void *, void *, void *, int);

/* As the table of RPC commands: pointers to functions. */
#undef STUB
#define STUB(name) (void *)name,
void *pointers[] = {
#include "functions.h"
		(void *)dns_strerror, (void *)dns_sip_resolve};

#if defined(CHANGED) || defined(THREAD) || defined(DENY) || defined(FULL)
/* Before every other start function. */
static void *wait(void *nothing)
{
	pause();
	return nothing;
}

/* How far a jump goes, and some more. */
#ifdef __aarch64__
#define AROUND ((uintptr_t)1 << 26)
#else
#define AROUND ((uintptr_t)1 << 30)
#endif

static void fill(uintptr_t low, uintptr_t high)
{
	void *found = mmap((void *)low, high - low, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	if(found == (void *)low)
		return;
	/* Emulators take the address for a wish. */
	if(found != MAP_FAILED)
		munmap(found, high - low);
	uintptr_t middle = (low + (high - low) / 2) & ~(uintptr_t)4095;
	if(high - low > 4096) {
		fill(low, middle);
		fill(middle, high);
	}
}

static void early(void)
{
#ifdef CHANGED
#ifdef __aarch64__
	/* Another constant for a function that is not called. */
	volatile unsigned char *octet = (unsigned char *)wait;
#else
	volatile unsigned char *octet = (unsigned char *)dns_strerror;
#endif
	uintptr_t page = (uintptr_t)octet & ~(uintptr_t)4095;
	mprotect((void *)page, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	*octet = 0x90;
	mprotect((void *)page, 4096, PROT_READ | PROT_EXEC);
#endif
#ifdef THREAD
	pthread_t thread;
	pthread_create(&thread, 0, wait, 0);
#endif
#ifdef FULL
	uintptr_t here = (uintptr_t)early & ~(AROUND - 1);
	for(uintptr_t gap = here - 3 * AROUND; gap < here + 4 * AROUND; gap += AROUND)
		fill(gap, gap + AROUND);
#endif
#ifdef DENY
	/* 1: what was written may not be run, as with MemoryDenyWriteExecute. 2: and no file in memory. */
	struct sock_filter filter[] = {
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DENY == 2 ? SYS_memfd_create : 9999, 4, 0),
			BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 2),
			BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
			BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 1, 0),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
			BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#endif
	(void)wait;
	(void)fill;
}
__attribute__((section(".preinit_array"), used)) static void (*start)(void) = early;
#endif

#ifdef MIDDLE
void inside(void);
#endif
#ifdef SHARED_HELPER
int helper(int);
#endif
#ifdef INLINED
extern __attribute__((visibility("hidden"))) int calls;
#endif

#ifdef WHOLE
/* With -flto: what is called here is put in here. */
__attribute__((flatten))
#endif
int main(int count, char **words)
{
	struct text literal = {"192.0.2.1", 9};
	char handle[128] = {0}, address[64];
	unsigned short port = 0;
	char protocol = 0;

	(void)words;
	/* So that somebody refers to all of it. */
	if(count > 99) {
#undef STUB
#define STUB(name) count += name(count);
#include "functions.h"
#ifdef MIDDLE
		inside();
#endif
#ifdef SHARED_HELPER
		count += helper(count);
#endif
#ifdef INLINED
		calls += count;
#endif
	}
	printf("answers: %s\n", dns_strerror(1) == 4711 ? "library" : "host");
	printf("literal: %d\n", dns_sip_resolve(handle, &literal, address, &port, &protocol, 0));
	char *text = dlsym(RTLD_DEFAULT, "kamailio_dns_takeover");
	printf("said: %s\n", text ? text : "");
	fflush(stdout);
	return system("echo \"child: $LD_PRELOAD\"") || str2ip(&literal) == 0;
}
