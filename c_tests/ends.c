/* Lookups while a thread or the process ends: in destructors of keys, which run after those of a library's own
 * thread-locals, and in handlers of atexit(). */

#define _GNU_SOURCE 1
#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>

#include "nameserver.h"

#include <kamailio_dns_client.h>

static int defects;

static void on_line(void *unused, int level, const char *line)
{
	(void)unused;
	if(level == -4) {
		defects++;
		printf("logged: %s\n", line);
	}
}

static int is_right(const struct hostent *host, const char *name)
{
	static const unsigned char octets[] = {192, 0, 2, 1};
	return host != NULL && strcmp(host->h_name, name) == 0 && host->h_addrtype == AF_INET
		   && host->h_addr_list[0] != NULL && memcmp(host->h_addr_list[0], octets, 4) == 0;
}

static const char *new_name(void)
{
	static char name[64];
	static int number;
	snprintf(name, sizeof name, "a%d-of-%d.example", number++, (int)getpid());
	return name;
}

static void one_address(const char *name)
{
	struct ip_addr ip;
	str owner = text(name);
	memset(&ip, 0, sizeof ip);
	CHECK_INT(dns_get_ip(&owner, &ip, DNS_IPV4_ONLY), 0);
	CHECK_TEXT(ip_text(&ip), "192.0.2.1");
}

/* The requests of an event loop. */
static void one_request(void)
{
	struct kdns *context = NULL;
	struct kdns_request *request = NULL;
	char uri[80];
	const char *name = new_name();
	snprintf(uri, sizeof uri, "sip:%s;transport=udp", name);
	CHECK_INT(kdns_open(&context), 0);
	CHECK_INT(kdns_resolve(context, uri, strlen(uri), NULL, &request), 0);
	CHECK_INT(kdns_status(request), KDNS_OK);
	CHECK_INT(kdns_use(request), KDNS_OK);
	one_address(name);
	CHECK_INT(kdns_use(NULL), KDNS_OK);
	kdns_release(request);
	kdns_close(context);
}

/* Known names, unknown ones, and results that C keeps. */
static void ask(void)
{
	struct ip_addr ip;
	unsigned short port = 0;
	const char *name = new_name();
	char kept_name[64];
	str none = text("none.example"), service = text("_sip._udp.none.example");
	one_address("a.example");
	one_address(name);
	one_address(name);
	strcpy(kept_name, new_name());
	struct hostent *kept = resolvehost(kept_name);
	CHECK(is_right(kept, kept_name));
	name = new_name();
	CHECK(is_right(resolvehost((char *)name), name));
	CHECK(is_right(resolvehost((char *)name), name));
	CHECK(is_right(kept, kept_name));
	CHECK_INT(dns_get_ip(&none, &ip, DNS_NO_FLAGS), -E_DNS_NO_IP);
	CHECK(dns_srv_get_ip(&service, &ip, &port, DNS_NO_FLAGS) < 0);
	one_request();
	CHECK(dns_refresh_run() >= 0);
	CHECK_INT(defects, 0);
}

static pthread_key_t key;
/* Results of a thread that its destructors look at. */
static struct hostent *of_thread;
static char name_of_thread[64];
static int asked, rounds;

static void in_a_key(void *round)
{
	if(of_thread != NULL && round == &rounds)
		CHECK(is_right(of_thread, name_of_thread));
	ask();
	asked++;
	if(round == &rounds)
		CHECK_INT(pthread_setspecific(key, &asked), 0);
}

static void *asks_and_ends(void *unused)
{
	(void)unused;
	ask();
	strcpy(name_of_thread, new_name());
	of_thread = resolvehost(name_of_thread);
	CHECK(is_right(of_thread, name_of_thread));
	CHECK_INT(pthread_setspecific(key, &rounds), 0);
	return NULL;
}

static void *asks_at_its_end_alone(void *unused)
{
	(void)unused;
	of_thread = NULL;
	CHECK_INT(pthread_setspecific(key, &rounds), 0);
	return NULL;
}

static int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = 0;
	while(folder && readdir(folder))
		count++;
	if(folder)
		closedir(folder);
	return count;
}

static void threads_that_end(void)
{
	CHECK_INT(pthread_key_create(&key, in_a_key), 0);
	int before = 0;
	for(int i = 0; i < 12; i++) {
		pthread_t thread;
		asked = 0;
		CHECK_INT(pthread_create(&thread, NULL, i % 2 ? asks_at_its_end_alone : asks_and_ends, NULL), 0);
		CHECK_INT(pthread_join(thread, NULL), 0);
		CHECK_INT(asked, 2);
		if(i == 1)
			before = open_descriptors();
	}
	/* no thread has left a socket */
	CHECK_INT(open_descriptors(), before);
}

static pid_t server;
static struct hostent *of_process;

/* The handlers run from the last to the first. */
static void last_handler(void)
{
	fflush(stdout);
	if(server > 0)
		kill(server, SIGKILL);
	_exit(asked == 1 ? checks_result() : 1);
}

static void handler(void)
{
	CHECK(is_right(of_process, "a.example"));
	ask();
	asked++;
}

static void children_that_end(void)
{
	for(int asks_before = 0; asks_before < 2; asks_before++) {
		pid_t child = fork();
		if(child == 0) {
			alarm(120);
			server = 0;
			if(asks_before)
				ask();
			exit(0);
		}
		int result = -1;
		CHECK_INT(waitpid(child, &result, 0), child);
		CHECK_INT(result, 0);
	}
}

int main(void)
{
	alarm(300);
	resolv_init();
	server = start_server();
	if(init_dns_cache() < 0)
		return 2;
	dns_log_to(on_line, NULL);
	CHECK_INT(atexit(last_handler), 0);
	CHECK_INT(atexit(handler), 0);
	of_process = resolvehost((char *)"a.example");
	CHECK(is_right(of_process, "a.example"));
	children_that_end();
	threads_that_end();
	ask();
	asked = 0;
	return 0;
}
