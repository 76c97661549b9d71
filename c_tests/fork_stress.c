/*
 * Many processes look up, add, delete, flush, fail over and copy handles at once. Afterwards every
 * entry that is left is held by the cache alone.
 */

#include <sys/mman.h>
#include <sys/wait.h>

#include "check.h"

#define WORKERS 8
#define ROUNDS 3000
#define NAMES 24

/* a handle that one process leaves for another, as tm does with its transactions */
struct mailbox
{
	volatile int lock;
	int full;
	struct dns_srv_handle handle;
};

static struct mailbox *mailbox;

static void mail_lock(void)
{
	while(__sync_lock_test_and_set(&mailbox->lock, 1))
		usleep(10);
}

static void mail_unlock(void)
{
	__sync_lock_release(&mailbox->lock);
}

static unsigned int draw(unsigned int *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static void name_of(char *buffer, size_t size, const char *prefix, unsigned int number)
{
	snprintf(buffer, size, "%sh%u.example", prefix, number % NAMES);
}

static int worker(unsigned int seed)
{
	unsigned int state = seed, round;
	for(round = 0; round < ROUNDS; round++) {
		unsigned int number = draw(&state), what = draw(&state) % 100;
		char host[64], srv[64], address[32];
		str name, value;
		name_of(host, sizeof host, "", number);
		name_of(srv, sizeof srv, "_sip._udp.", number);
		snprintf(address, sizeof address, "192.0.2.%u", 1 + draw(&state) % 4);
		name = text(host);
		value = text(address);
		if(what < 15) {
			dns_cache_add_record(1, &name, 60, &value, 0, 0, 0, 0);
			name = text(srv), value = text(host);
			dns_cache_add_record(33, &name, 60, &value, 1, 1, 5060, 0);
		} else if(what < 20) {
			dns_cache_delete_single_record(1, &name, &value, 0);
		} else if(what < 21) {
			dns_cache_flush(0);
		} else if(what < 60) {
			/* always there: permanent */
			struct hostent *he = resolvehost((char *)"fixed.example");
			if(he == NULL || (unsigned char)he->h_addr_list[0][3] != 77)
				return 1;
		} else {
			struct dns_srv_handle handle;
			struct ip_addr ip;
			unsigned short port = 0;
			char proto = PROTO_UDP;
			int rc, steps = 0;
			name = text("fixed.example");
			dns_srv_handle_init(&handle);
			do {
				port = 0, proto = PROTO_UDP;
				rc = dns_sip_resolve(&handle, &name, &ip, &port, &proto, DNS_IPV4_ONLY);
				if(rc == 0 && port != 5077)
					return 2;
			} while(dns_srv_handle_next(&handle, rc) && ++steps < 10);
			if(steps >= 10)
				return 3;
			mail_lock();
			if(mailbox->full)
				dns_srv_handle_put_shm_unsafe(&mailbox->handle);
			dns_srv_handle_cpy(&mailbox->handle, &handle);
			mailbox->full = 1;
			mail_unlock();
			dns_srv_handle_put(&handle);
		}
	}
	return 0;
}

static int held(const char *name, int type)
{
	struct dns_srv_handle handle;
	struct ip_addr ip;
	/* the single address of an SRV target is copied, that of a host with a port is held */
	unsigned short port = type == 33 ? 0 : 5077;
	char proto = PROTO_UDP;
	str n = text(name);
	int count = -1;
	dns_srv_handle_init(&handle);
	if(dns_sip_resolve(&handle, &n, &ip, &port, &proto, DNS_IPV4_ONLY) == 0) {
		struct dns_hash_entry *entry = type == 33 ? handle.srv : handle.a;
		CHECK(entry != NULL);
		if(entry != NULL)
			count = entry->refcnt.val;
	}
	dns_srv_handle_put(&handle);
	return count;
}

int main(void)
{
	pid_t children[WORKERS];
	int i, status;

	watchdog(300);
	use_no_network();
	CHECK_INT(dns_option_set("dns_cache_del_nonexp", "1"), 0);
	CHECK_INT(dns_option_set("dns_cache_mem", "300"), 0);
	CHECK_INT(init_dns_cache(), 0);
	CHECK_INT(add(1, "fixed.example", "192.0.2.77", 0, 0, 0), 0);
	CHECK_INT(add(33, "_sip._udp.fixed.example", "fixed.example", 1, 1, 5077), 0);
	mailbox = mmap(NULL, sizeof *mailbox, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(mailbox != MAP_FAILED);

	fflush(stdout);
	for(i = 0; i < WORKERS; i++) {
		children[i] = fork();
		if(children[i] == 0)
			_exit(worker((unsigned int)(i * 7919 + 1)));
		CHECK(children[i] > 0);
	}
	for(i = 0; i < WORKERS; i++) {
		if(children[i] <= 0)
			continue;
		CHECK_INT(waitpid(children[i], &status, 0), children[i]);
		CHECK(WIFEXITED(status));
		CHECK_INT(WEXITSTATUS(status), 0);
	}
	if(mailbox->full)
		dns_srv_handle_put(&mailbox->handle);
	CHECK_INT(held("fixed.example", 33), DNS_REFCNT_LINKED + 1);
	CHECK_INT(held("fixed.example", 1), DNS_REFCNT_LINKED + 1);
	dns_cache_flush(1);
	dns_gc_run();
	destroy_dns_cache();
	return checks_result();
}
