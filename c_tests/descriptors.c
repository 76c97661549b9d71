/* A program that closes what it does not know, and opens its own: that gets the numbers of what the library kept. */

#define _GNU_SOURCE 1
#include <fcntl.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "nameserver.h"

#include <kamailio_dns_client.h>

#define NUMBERS 64

/* What is open under a number. */
enum kind
{
	NOTHING,
	SOCKET,
	QUEUE,
	COUNTER,
	OTHER
};

static enum kind kind_of(int number)
{
	char path[64], what[64];
	snprintf(path, sizeof path, "/proc/self/fd/%d", number);
	ssize_t length = readlink(path, what, sizeof what - 1);
	if(length < 0)
		return NOTHING;
	what[length] = '\0';
	if(strncmp(what, "socket:", 7) == 0)
		return SOCKET;
	if(strcmp(what, "anon_inode:[eventpoll]") == 0)
		return QUEUE;
	return strcmp(what, "anon_inode:[eventfd]") == 0 ? COUNTER : OTHER;
}

/* A socket of the program's, with a peer and a datagram that waits. */
static int ours, peer;
/* What the program has in the library's place. */
static enum kind taken[NUMBERS];

static int bound(struct sockaddr_in *address)
{
	socklen_t size = sizeof *address;
	int number = fcntl(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), F_DUPFD, NUMBERS);
	memset(address, 0, sizeof *address);
	address->sin_family = AF_INET;
	address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK_INT(bind(number, (struct sockaddr *)address, sizeof *address), 0);
	CHECK_INT(getsockname(number, (struct sockaddr *)address, &size), 0);
	return number;
}

static void open_ours(void)
{
	struct sockaddr_in here, there;
	ours = bound(&here);
	peer = bound(&there);
	CHECK_INT(connect(ours, (struct sockaddr *)&there, sizeof there), 0);
	CHECK_INT(connect(peer, (struct sockaddr *)&here, sizeof here), 0);
	CHECK_INT(send(peer, "waits", 5, 0), 5);
}

/* Closes what the library has, and puts the program's own in the places; gives how many of a kind there were. */
static int take_over(enum kind counted)
{
	int count = 0;
	for(int number = 3; number < NUMBERS; number++) {
		enum kind kind = kind_of(number);
		taken[number] = kind;
		count += kind == counted;
		if(kind == NOTHING)
			continue;
		CHECK_INT(close(number), 0);
	}
	for(int number = 3; number < NUMBERS; number++) {
		struct epoll_event event = {.events = EPOLLIN, .data.u64 = 77};
		int fresh = ours;
		if(taken[number] == NOTHING)
			continue;
		if(taken[number] == QUEUE) {
			fresh = epoll_create1(0);
			CHECK_INT(epoll_ctl(fresh, EPOLL_CTL_ADD, ours, &event), 0);
		} else if(taken[number] == COUNTER) {
			fresh = eventfd(0, EFD_NONBLOCK);
		}
		if(fresh == number)
			continue;
		CHECK_INT(dup2(fresh, number), number);
		if(fresh != ours)
			close(fresh);
	}
	return count;
}

static void is_untouched(void)
{
	struct sockaddr_in wanted, address;
	socklen_t size = sizeof wanted;
	getsockname(peer, (struct sockaddr *)&wanted, &size);
	for(int number = 3; number < NUMBERS; number++) {
		struct epoll_event events[8];
		char octets[8] = "";
		uint64_t counted;
		switch(taken[number]) {
			case NOTHING:
				continue;
			case QUEUE:
				CHECK_INT(kind_of(number), QUEUE);
				CHECK_INT(epoll_wait(number, events, 8, 0), 1);
				CHECK_INT(events[0].data.u64, 77);
				continue;
			case COUNTER:
				CHECK_INT(kind_of(number), COUNTER);
				CHECK_INT(read(number, &counted, sizeof counted), -1);
				continue;
			default:
				CHECK_INT(kind_of(number), SOCKET);
				memset(&address, 0, sizeof address);
				size = sizeof address;
				CHECK_INT(getpeername(number, (struct sockaddr *)&address, &size), 0);
				CHECK_INT(address.sin_port, wanted.sin_port);
				CHECK_INT(recv(number, octets, sizeof octets, MSG_PEEK), 5);
				CHECK(memcmp(octets, "waits", 5) == 0);
				/* nothing was sent by it */
				CHECK_INT(recv(peer, octets, sizeof octets, 0), -1);
		}
	}
}

static void give_up_ours(void)
{
	for(int number = 3; number < NUMBERS; number++)
		if(taken[number] != NOTHING)
			CHECK_INT(close(number), 0);
	memset(taken, 0, sizeof taken);
}

static int address_of(const char *name)
{
	struct ip_addr ip;
	str owner = text(name);
	return dns_get_ip(&owner, &ip, DNS_IPV4_ONLY);
}

static const char *new_name(char kind)
{
	static char name[64];
	static int number;
	snprintf(name, sizeof name, "%c%d-of-%d.example", kind, number++, (int)getpid());
	return name;
}

static void a_child_keeps_the_programs(void)
{
	pid_t child = fork();
	if(child == 0) {
		is_untouched();
		CHECK_INT(address_of(new_name('a')), 0);
		is_untouched();
		fflush(stdout);
		_exit(checks_result());
	}
	int result = -1;
	CHECK_INT(waitpid(child, &result, 0), child);
	CHECK_INT(result, 0);
}

/* Puts the program's own in the place of the library's sockets; lookups go on without touching it. */
static void lookups_beside_ours(void)
{
	CHECK(take_over(SOCKET) > 0);
	a_child_keeps_the_programs();
	for(int i = 0; i < 3; i++)
		CHECK_INT(address_of(new_name('a')), 0);
	is_untouched();
}

/* Sockets that wait for the next question. */
static void sockets_in_reserve(void)
{
	CHECK_INT(address_of(new_name('a')), 0);
	lookups_beside_ours();
	a_child_keeps_the_programs();
	give_up_ours();
	CHECK_INT(address_of(new_name('a')), 0);
}

static int is_connected_to(int number, in_port_t port)
{
	struct sockaddr_in address;
	socklen_t size = sizeof address;
	return getpeername(number, (struct sockaddr *)&address, &size) == 0 && address.sin_port == port;
}

/* Sockets whose questions are still open: a server is down, and may come back. */
static void sockets_of_open_questions(void)
{
	struct sockaddr_in address;
	char both[160];
	int is_open = 0, silent = bound(&address);
	snprintf(both, sizeof both, "127.0.0.1:%d %s", ntohs(address.sin_port), server_text);
	CHECK_INT(dns_option_set("dns_nameservers", both), 0);
	for(int i = 0; i < 3; i++)
		CHECK_INT(address_of(new_name('a')), 0);
	for(int number = 3; number < NUMBERS; number++)
		is_open |= is_connected_to(number, address.sin_port);
	CHECK(is_open);
	lookups_beside_ours();
	give_up_ours();
	close(silent);
	CHECK_INT(dns_option_set("dns_nameservers", server_text), 0);
}

/* Event queues, and what wakes who waits at them. */
static void what_events_come_through(void)
{
	struct kdns *context = NULL;
	struct kdns_request *request = NULL;
	char uri[80];
	CHECK(dns_refresh_run() >= 0);
	CHECK_INT(kdns_open(&context), 0);
	snprintf(uri, sizeof uri, "sip:%s;transport=udp", new_name('s'));
	CHECK_INT(kdns_start(context, uri, strlen(uri), NULL, &request), 0);
	CHECK(kdns_process(context) >= 0);
	CHECK(take_over(QUEUE) > 1);
	a_child_keeps_the_programs();
	CHECK(kdns_process(context) >= 0);
	is_untouched();
	kdns_cancel(request);
	kdns_release(request);
	CHECK(dns_refresh_run() >= 0);
	is_untouched();
	kdns_close(context);
	is_untouched();
	CHECK_INT(address_of(new_name('a')), 0);
	is_untouched();
	give_up_ours();
}

int main(void)
{
	alarm(300);
	resolv_init();
	pid_t server = start_server();
	CHECK_INT(dns_option_set("dns_retr_time", "1"), 0);
	CHECK_INT(dns_option_set("dns_retr_no", "1"), 0);
	if(init_dns_cache() < 0)
		return 2;
	open_ours();
	sockets_in_reserve();
	sockets_of_open_questions();
	what_events_come_through();
	kill(server, SIGKILL);
	return checks_result();
}
