/* Odd moments: a thread that is cancelled in a lookup, a refresher on both sides of a fork, and what other
 * threads are in at that moment. */

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>

#include "check.h"

static int server;

/* A nameserver that answers no question of its own accord: the test does, when it wants to. */
static void start_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	char text[64];
	server = socket(AF_INET, SOCK_DGRAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(bind(server, (struct sockaddr *)&address, sizeof address), 0);
	getsockname(server, (struct sockaddr *)&address, &size);
	snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
	CHECK_INT(dns_option_set("dns_nameservers", text), 0);
	CHECK_INT(dns_option_set("dns_use_search_list", "no"), 0);
	CHECK_INT(dns_option_set("dns_retr_time", "30"), 0);
	CHECK_INT(dns_option_set("dns_retr_no", "1"), 0);
}

/* Answers the question that comes next: the name does not exist. */
static void answer_one(void)
{
	unsigned char packet[600];
	struct sockaddr_in from;
	socklen_t size = sizeof from;
	ssize_t length = recvfrom(server, packet, sizeof packet, 0, (struct sockaddr *)&from, &size);
	CHECK(length > 16);
	packet[2] |= 0x84;
	packet[3] = 0x83;
	/* no EDNS record in the answer */
	packet[10] = packet[11] = 0;
	size_t end = 12;
	while(end < (size_t)length && packet[end])
		end += packet[end] + 1U;
	sendto(server, packet, end + 5, 0, (struct sockaddr *)&from, size);
}

/* Forgets what came so far: whether the server lives is asked, too, and what is waited for long is sent again. */
static void forget_questions(void)
{
	unsigned char packet[600];
	while(recv(server, packet, sizeof packet, MSG_DONTWAIT) > 0)
		;
}

static int cleaned_up, came_back;

static void clean_up(void *unused)
{
	(void)unused;
	cleaned_up = 1;
}

static int address_of(const char *name)
{
	struct ip_addr ip;
	str owner = {(char *)name, (int)strlen(name)};
	return dns_get_ip(&owner, &ip, DNS_IPV4_ONLY);
}

static void *look_up(void *name)
{
	pthread_cleanup_push(clean_up, NULL);
	address_of(name);
	came_back = 1;
	pthread_testcancel();
	pthread_cleanup_pop(0);
	return NULL;
}

static void a_cancelled_thread_ends_after_its_lookup(void)
{
	pthread_t thread;
	void *result = NULL;
	struct pollfd asked = {server, POLLIN, 0};
	CHECK_INT(pthread_create(&thread, NULL, look_up, "cancelled.example"), 0);
	/* it waits for the answer now */
	CHECK_INT(poll(&asked, 1, 60000), 1);
	CHECK_INT(pthread_cancel(thread), 0);
	answer_one();
	CHECK_INT(pthread_join(thread, &result), 0);
	CHECK(result == PTHREAD_CANCELED);
	CHECK_INT(came_back, 1);
	CHECK_INT(cleaned_up, 1);
	/* what it learnt is known */
	forget_questions();
	CHECK(address_of("cancelled.example") < 0);
	CHECK_INT(poll(&asked, 1, 0), 0);
}

/* An emulator has threads of its own, and ends when a process with threads forks. */
#ifndef EMULATED

static int threads(void)
{
	FILE *file = fopen("/proc/self/status", "r");
	char line[200];
	int count = -1;
	while(file && fgets(line, sizeof line, file))
		sscanf(line, "Threads: %d", &count);
	if(file)
		fclose(file);
	return count;
}

static void a_refresher_on_both_sides_of_a_fork(void)
{
	CHECK_INT(dns_refresh_start(), 0);
	CHECK_INT(threads(), 2);
	for(int stop_first = 0; stop_first < 2; stop_first++) {
		pid_t child = fork();
		if(child == 0) {
			alarm(120);
			for(int i = 0; i < 20; i++) {
				if(stop_first) {
					dns_refresh_stop();
					CHECK_INT(threads(), 1);
				}
				CHECK_INT(dns_refresh_start(), 0);
				CHECK_INT(threads(), 2);
				CHECK_INT(dns_refresh_start(), 0);
				CHECK_INT(threads(), 2);
				dns_refresh_stop();
				/* a thread that was joined may still be counted for a moment */
				for(int wait = 0; threads() != 1 && wait < 1000; wait++)
					usleep(1000);
				CHECK_INT(threads(), 1);
			}
			_exit(checks_result());
		}
		int result = -1;
		waitpid(child, &result, 0);
		CHECK_INT(result, 0);
	}
	CHECK_INT(threads(), 2);
	dns_refresh_stop();
}

#ifndef __SANITIZE_ADDRESS__
static volatile int enough;

/* Is in the library's locks as often as can be. */
static void *starts_and_stops(void *unused)
{
	(void)unused;
	while(!enough) {
		dns_refresh_start();
		dns_refresh_stop();
	}
	return NULL;
}

/* An error, which is a line of the log. */
static int log_a_line(void)
{
	return dns_option_set("dns_cache_mem", "4000000");
}

static void *logs(void *unused)
{
	(void)unused;
	while(!enough)
		log_a_line();
	return NULL;
}

/* Other threads start and stop the refresher and write lines when a process is forked; it does the same at once. */
static void what_other_threads_are_in_at_a_fork(void)
{
	pthread_t others[2];
	int result = 0;
	/* fewer where each takes long */
	const char *few = getenv("FORKS");
	int forks = few ? atoi(few) : 300;
	int before = dup(2), nowhere = open("/dev/null", O_WRONLY);
	CHECK(before > 2 && nowhere > 2);
	dup2(nowhere, 2);
	CHECK_INT(pthread_create(&others[0], NULL, starts_and_stops, NULL), 0);
	CHECK_INT(pthread_create(&others[1], NULL, logs, NULL), 0);
	for(int i = 0; i < forks && result == 0; i++) {
		pid_t child = fork();
		if(child == 0) {
			alarm(60);
			int failed = log_a_line() != -4;
			failed |= dns_refresh_start() != 0;
			dns_refresh_stop();
			_exit(failed);
		}
		CHECK_INT(waitpid(child, &result, 0), child);
		CHECK_INT(result, 0);
	}
	enough = 1;
	for(int i = 0; i < 2; i++)
		CHECK_INT(pthread_join(others[i], NULL), 0);
	dup2(before, 2);
	close(before);
	close(nowhere);
}
#endif

#endif

int main(void)
{
	alarm(300);
	resolv_init();
	start_server();
	if(init_dns_cache() < 0)
		return 2;
	a_cancelled_thread_ends_after_its_lookup();
#ifndef EMULATED
	a_refresher_on_both_sides_of_a_fork();
#ifndef __SANITIZE_ADDRESS__
	/* a child would wait for a lock of the sanitizer's allocator that another thread had at the fork */
	what_other_threads_are_in_at_a_fork();
#endif
#endif
	return checks_result();
}
