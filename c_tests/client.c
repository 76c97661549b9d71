/* kamailio_dns_client.h: 1,000 requests at once, ended at random, and a fork in the midst of it. */

#define _GNU_SOURCE 1
#include <poll.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "nameserver.h"

#include <kamailio_dns_client.h>

#define REQUESTS 1000

/* The first letter of a name says how the server treats it. */
static const char kinds[] = "anrs"; /* an address, no such name, refused, silent */

struct one
{
	struct kdns_request *request;
	char kind;
	int cancelled, fetched;
};

static struct one all[REQUESTS];
static unsigned long long seed;

static unsigned draw(unsigned below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(seed >> 33) % below;
}

static pid_t server_of_the_client(void)
{
	pid_t server = start_server();
	CHECK_INT(dns_option_set("dns_edns", "no"), 0);
	/* a question has the library's own limit */
	CHECK_INT(dns_option_set("dns_retr_time", "20"), 0);
	CHECK_INT(dns_option_set("dns_retr_no", "1"), 0);
	return server;
}

static void start(struct kdns *context, struct one *one, int number)
{
	struct kdns_terms terms = {.size = sizeof terms, .deadline_ms = 60000, .user = one};
	char uri[64];
	one->kind = kinds[draw(sizeof kinds - 1)];
	terms.flags = draw(2) ? KDNS_IPV4_ONLY : 0;
	int length = snprintf(uri, sizeof uri, "sip:%c%d.example:5060", one->kind, number);
	CHECK_INT(kdns_start(context, uri, (size_t)length, &terms, &one->request), KDNS_OK);
}

static int expected(const struct one *one)
{
	switch(one->kind) {
		case 'a':
			return KDNS_OK;
		case 'n':
			return KDNS_E_ABSENT;
		case 'r':
			return KDNS_E_REFUSED;
		default:
			return KDNS_E_TIMEOUT;
	}
}

static void fetch(struct kdns *context)
{
	struct kdns_request *request;
	while((request = kdns_finished(context)) != NULL) {
		struct one *one = kdns_user(request);
		CHECK(one->request == request);
		one->fetched++;
		int status = kdns_status(request);
		if(one->cancelled && status == KDNS_E_CANCELLED)
			continue;
		if(status != expected(one))
			printf("kind %c: %s\n", one->kind, kdns_error_text(status));
		CHECK_INT(status, expected(one));
		struct kdns_target target;
		if(status == KDNS_OK) {
			CHECK_INT(kdns_target(request, 0, &target, sizeof target), KDNS_OK);
			struct sockaddr_in *to = (struct sockaddr_in *)&target.to;
			CHECK_INT(ntohl(to->sin_addr.s_addr), 0xc0000201);
			CHECK_INT(ntohs(to->sin_port), 5060);
			CHECK_INT(kdns_target(request, 1, &target, sizeof target), KDNS_E_ABSENT);
		} else {
			struct kdns_failure failure;
			CHECK_INT(kdns_failure(request, &failure, sizeof failure), KDNS_OK);
			CHECK_INT(failure.name[0], one->kind);
		}
	}
}

static int *verdict;

/* A child has an error everywhere, and does as it likes with its copies. */
static void in_child(struct kdns *context)
{
	alarm(60);
	CHECK_INT(kdns_process(context), KDNS_E_FORKED);
	CHECK_INT(kdns_fd(context), KDNS_E_FORKED);
	CHECK(kdns_finished(context) == NULL);
	for(int i = 0; i < REQUESTS; i += 3) {
		CHECK_INT(kdns_status(all[i].request), KDNS_E_FORKED);
		kdns_release(all[i].request);
	}
	kdns_close(context);
	*verdict = checks_result();
	/* another program has no leaks of this one's */
	execlp("true", "true", (char *)NULL);
	_exit(1);
}

static void turn(struct kdns *context)
{
	struct pollfd one = {kdns_fd(context), POLLIN, 0};
	poll(&one, 1, kdns_timeout(context));
	kdns_process(context);
}

static void a_thousand_at_once(struct kdns *context)
{
	int left = REQUESTS, turns = 0;
	pid_t child = -1;
	for(int i = 0; i < REQUESTS; i++)
		start(context, &all[i], i);
	while(left > 0) {
		turn(context);
		if(draw(4) == 0) {
			struct one *one = &all[draw(REQUESTS)];
			if(kdns_status(one->request) == KDNS_UNDER_WAY) {
				one->cancelled = 1;
				CHECK_INT(kdns_cancel(one->request), KDNS_OK);
			}
		}
		fetch(context);
		if(++turns == 20 && (child = fork()) == 0)
			in_child(context);
		left = 0;
		for(int i = 0; i < REQUESTS; i++)
			left += all[i].fetched == 0;
	}
	CHECK(child > 0);
	waitpid(child, NULL, 0);
	CHECK_INT(*verdict, 0);
	for(int i = 0; i < REQUESTS; i++)
		CHECK_INT(all[i].fetched, 1);
}

/* Requests with a known answer end at once; released ones are not fetched; the others end with their context. */
static void an_end_in_the_midst(struct kdns *context)
{
	for(int i = 0; i < REQUESTS; i++) {
		kdns_release(all[i].request);
		memset(&all[i], 0, sizeof all[i]);
		start(context, &all[i], 5000 + i);
	}
	for(int i = 0; i < 5; i++)
		turn(context);
	for(int i = 0; i < REQUESTS; i += 2) {
		kdns_release(all[i].request);
		all[i].request = NULL;
	}
	fetch(context);
	for(int i = 0; i < REQUESTS; i += 2)
		CHECK_INT(all[i].fetched, 0);
	kdns_close(context);
	for(int i = 1; i < REQUESTS; i += 2) {
		int status = kdns_status(all[i].request);
		CHECK(status == KDNS_E_CLOSED || status == expected(&all[i]));
		kdns_release(all[i].request);
	}
}

int main(void)
{
	const char *given = getenv("SEED");
	struct kdns *context;
	alarm(280);
	seed = given ? strtoull(given, NULL, 10) : (unsigned long long)time(NULL);
	printf("SEED=%llu\n", seed);
	verdict = mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	*verdict = -1;
	pid_t server = server_of_the_client();
	CHECK_INT(kdns_open(&context), KDNS_OK);
	a_thousand_at_once(context);
	an_end_in_the_midst(context);
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	return checks_result();
}
