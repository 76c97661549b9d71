/*
 * How long an event loop is away for DNS, and how many names it gets a second: this library beside c-ares and libunbound,
 * all with the same nameserver, which is in here. All names of a round are asked for at once, and none twice.
 *
 *   bench [names [rounds]]      make bench-client
 *
 * Each line: requests a second; the longest time that the loop was away, the time of 99 in 100 turns, us; answers, and a
 * number that depends on all of them: it is the same for who gives the same answers.
 */

#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kamailio_dns.h>
#include <kamailio_dns_client.h>

#ifdef WITH_ARES
#include <ares.h>
#endif
#ifdef WITH_UNBOUND
#include <unbound.h>
#endif

#define MOST_TURNS 2000000

static char server_text[64];
static int server_port;
static unsigned names = 1000, rounds = 5;
static uint32_t *turns_us, *turns_cpu_us;
static unsigned turns;

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* A turn: by the clock, and by the processor, for on a busy machine others have their time within it. */
struct turn
{
	uint64_t wall_ns, cpu_ns;
};

static struct turn begin_turn(void)
{
	struct turn turn = {now_ns(), clock_ns(CLOCK_THREAD_CPUTIME_ID)};
	return turn;
}

static void away(struct turn began)
{
	if(turns < MOST_TURNS) {
		turns_cpu_us[turns] = (uint32_t)((clock_ns(CLOCK_THREAD_CPUTIME_ID) - began.cpu_ns) / 1000);
		turns_us[turns++] = (uint32_t)((now_ns() - began.wall_ns) / 1000);
	}
}

static int by_size(const void *one, const void *other)
{
	uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
	return (a > b) - (a < b);
}

/* The address of a name, n123.r4.example: its number, and its round. */
static void answer(unsigned char *packet, size_t length, int server, struct sockaddr_in *to)
{
	static const unsigned char record[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 14, 16, 0, 4, 10};
	size_t end = 12;
	unsigned number = (unsigned)strtoul((char *)packet + 14, NULL, 10);
	while(end < length && packet[end])
		end += packet[end] + 1U;
	end += 5;
	int is_a = packet[end - 3] == 1;
	packet[2] |= 0x84;
	packet[3] = 0x80;
	memset(packet + 6, 0, 6);
	if(is_a) {
		packet[7] = 1;
		memcpy(packet + end, record, sizeof record);
		end += sizeof record;
		packet[end++] = (unsigned char)(number >> 16);
		packet[end++] = (unsigned char)(number >> 8);
		packet[end++] = (unsigned char)number;
	}
	sendto(server, packet, end, 0, (struct sockaddr *)to, sizeof *to);
}

static pid_t start_server(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t size = sizeof address;
	int room = 4 << 20, server = socket(AF_INET, SOCK_DGRAM, 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(server, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if(bind(server, (struct sockaddr *)&address, sizeof address) < 0)
		exit(2);
	getsockname(server, (struct sockaddr *)&address, &size);
	server_port = ntohs(address.sin_port);
	snprintf(server_text, sizeof server_text, "127.0.0.1:%d", server_port);
	pid_t child = fork();
	while(child == 0) {
		unsigned char packet[600];
		struct sockaddr_in from;
		size = sizeof from;
		ssize_t length = recvfrom(server, packet, 512, 0, (struct sockaddr *)&from, &size);
		if(length > 17)
			answer(packet, (size_t)length, server, &from);
	}
	close(server);
	return child;
}

static void name_of(char *name, size_t size, const char *who, unsigned round, unsigned number)
{
	snprintf(name, size, "n%u.%s%u.example", number, who, round);
}

static uint64_t sum, answers;

static void note_answer(uint32_t address)
{
	answers++;
	sum += (uint64_t)ntohl(address) * 2654435761U;
}

static void report(const char *who, uint64_t ns)
{
	if(turns == 0)
		return;
	qsort(turns_us, turns, sizeof *turns_us, by_size);
	qsort(turns_cpu_us, turns, sizeof *turns_cpu_us, by_size);
	size_t of_100 = (turns - 1) * 99ULL / 100;
	printf("%-10s %7.0f requests/s; away %6u us (processor %6u) at most, %5u (%5u) in 99 of 100 turns of %u; %llu answers, %016llx\n",
			who, (double)names * rounds * 1e9 / (double)ns, turns_us[turns - 1], turns_cpu_us[turns - 1], turns_us[of_100],
			turns_cpu_us[of_100], turns, (unsigned long long)answers, (unsigned long long)sum);
	turns = 0;
	sum = answers = 0;
}

static void kdns_round(struct kdns *context, unsigned round)
{
	unsigned left = 0;
	for(unsigned i = 0; i < names; i++) {
		struct kdns_terms terms = {.size = sizeof terms, .flags = KDNS_IPV4_ONLY, .deadline_ms = 20000};
		struct kdns_request *request;
		char uri[128] = "sip:";
		name_of(uri + 4, sizeof uri - 20, "k", round, i);
		strcat(uri, ":5060");
		left += kdns_start(context, uri, strlen(uri), &terms, &request) == KDNS_OK;
	}
	while(left > 0) {
		struct pollfd one = {kdns_fd(context), POLLIN, 0};
		struct kdns_request *request;
		poll(&one, 1, kdns_timeout(context));
		struct turn turn = begin_turn();
		kdns_process(context);
		away(turn);
		for(; (request = kdns_finished(context)); left--) {
			struct kdns_target target;
			if(kdns_target(request, 0, &target, sizeof target) == KDNS_OK)
				note_answer(((struct sockaddr_in *)&target.to)->sin_addr.s_addr);
			kdns_release(request);
		}
	}
}

static void bench_kdns(void)
{
	struct kdns *context;
	dns_option_set("dns_nameservers", server_text);
	dns_option_set("dns_use_search_list", "no");
	dns_option_set("dns_edns", "no");
	dns_option_set("dns_cache_mem", "65536");
	if(kdns_open(&context) < 0)
		exit(2);
	kdns_set(context, KDNS_MOST_REQUESTS, 1000000);
	uint64_t began_ns = now_ns();
	for(unsigned round = 0; round < rounds; round++)
		kdns_round(context, round);
	report("this", now_ns() - began_ns);
	kdns_close(context);
}

#ifdef WITH_ARES
static unsigned ares_left;

static void ares_done(void *unused, int status, int timeouts, unsigned char *reply, int length)
{
	struct hostent *host = NULL;
	(void)unused, (void)timeouts;
	ares_left--;
	if(status == ARES_SUCCESS && ares_parse_a_reply(reply, length, &host, NULL, NULL) == ARES_SUCCESS) {
		uint32_t address;
		memcpy(&address, host->h_addr_list[0], sizeof address);
		note_answer(address);
		ares_free_hostent(host);
	}
}

static void bench_ares(void)
{
	ares_channel channel;
	struct ares_options options = {.timeout = 2000, .tries = 4, .socket_receive_buffer_size = 4 << 20};
	ares_library_init(ARES_LIB_INIT_ALL);
	if(ares_init_options(&channel, &options, ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_RCVBUF) != ARES_SUCCESS)
		exit(2);
	ares_set_servers_ports_csv(channel, server_text);
	uint64_t began_ns = now_ns();
	for(unsigned round = 0; round < rounds; round++) {
		ares_left = names;
		for(unsigned i = 0; i < names; i++) {
			char name[128];
			name_of(name, sizeof name, "a", round, i);
			ares_query(channel, name, 1, 1, ares_done, NULL);
		}
		while(ares_left > 0) {
			fd_set readable, writable;
			struct timeval most = {1, 0};
			FD_ZERO(&readable);
			FD_ZERO(&writable);
			int count = ares_fds(channel, &readable, &writable);
			select(count, &readable, &writable, NULL, ares_timeout(channel, &most, &most));
			struct turn turn = begin_turn();
			ares_process(channel, &readable, &writable);
			away(turn);
		}
	}
	report("c-ares", now_ns() - began_ns);
	ares_destroy(channel);
}
#endif

#ifdef WITH_UNBOUND
static unsigned unbound_left;

static void unbound_done(void *unused, int error, struct ub_result *result)
{
	(void)unused;
	unbound_left--;
	if(error == 0 && result->havedata) {
		uint32_t address;
		memcpy(&address, result->data[0], sizeof address);
		note_answer(address);
	}
	ub_resolve_free(result);
}

static void bench_unbound(void)
{
	struct ub_ctx *context = ub_ctx_create();
	char forward[64];
	snprintf(forward, sizeof forward, "127.0.0.1@%d", server_port);
	ub_ctx_set_option(context, "do-not-query-localhost:", "no");
	ub_ctx_set_option(context, "module-config:", "iterator");
	ub_ctx_set_option(context, "num-queries-per-thread:", "4096");
	ub_ctx_set_option(context, "outgoing-range:", "8192");
	ub_ctx_set_fwd(context, forward);
	ub_ctx_async(context, 1);
	uint64_t began_ns = now_ns();
	for(unsigned round = 0; round < rounds; round++) {
		unbound_left = names;
		for(unsigned i = 0; i < names; i++) {
			char name[128];
			int id;
			name_of(name, sizeof name, "u", round, i);
			if(ub_resolve_async(context, name, 1, 1, NULL, unbound_done, &id) != 0)
				unbound_left--;
		}
		while(unbound_left > 0) {
			struct pollfd one = {ub_fd(context), POLLIN, 0};
			poll(&one, 1, 1000);
			struct turn turn = begin_turn();
			ub_process(context);
			away(turn);
		}
	}
	report("libunbound", now_ns() - began_ns);
	ub_ctx_delete(context);
}
#endif

int main(int argc, char **argv)
{
	if(argc > 1)
		names = (unsigned)strtoul(argv[1], NULL, 10);
	if(argc > 2)
		rounds = (unsigned)strtoul(argv[2], NULL, 10);
	turns_us = malloc(MOST_TURNS * sizeof *turns_us);
	turns_cpu_us = malloc(MOST_TURNS * sizeof *turns_us);
	pid_t server = start_server();
	printf("%u names at once, %u rounds\n", names, rounds);
	bench_kdns();
#ifdef WITH_ARES
	bench_ares();
#endif
#ifdef WITH_UNBOUND
	bench_unbound();
#endif
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	free(turns_us);
	free(turns_cpu_us);
	return 0;
}
