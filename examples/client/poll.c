/*
 * Resolves SIP URIs in an event loop of poll(): all that are named, at once.
 *
 *   cc -o poll poll.c $(pkg-config --cflags --libs kamailio-dns)
 *   ./poll sip:example.org 'sips:example.net' sip:alice@198.51.100.1
 */

#define _GNU_SOURCE 1
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <kamailio_dns_client.h>

static void print_target(const struct kdns_target *target)
{
	static const char *const transports[] = {"", "udp", "tcp", "tls", "sctp", "ws", "wss"};
	char host[NI_MAXHOST], port[NI_MAXSERV];
	const struct sockaddr *to = (const struct sockaddr *)&target->to;
	if(getnameinfo(to, target->to_length, host, sizeof host, port, sizeof port,
			   NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		printf("  %s [%s]:%s  %s%s\n", transports[target->transport], host, port, target->host,
				target->marks & KDNS_STALE ? "  expired" : "");
}

static void print(struct kdns_request *request)
{
	struct kdns_target target;
	struct kdns_failure failure;
	int status = kdns_status(request);
	printf("%s: %s\n", (const char *)kdns_user(request), kdns_error_text(status));
	for(unsigned place = 0; kdns_target(request, place, &target, sizeof target) == KDNS_OK; place++)
		print_target(&target);
	if(status < 0 && kdns_failure(request, &failure, sizeof failure) == KDNS_OK && failure.type)
		printf("  it was the question of type %d for %s\n", failure.type, failure.name);
}

int main(int argc, char **argv)
{
	struct kdns *context;
	int left = 0, error = kdns_open(&context);
	if(error < 0) {
		fprintf(stderr, "%s\n", kdns_error_text(error));
		return 1;
	}
	for(int i = 1; i < argc; i++) {
		struct kdns_terms terms = {.size = sizeof terms, .user = argv[i]};
		struct kdns_request *request;
		error = kdns_start(context, argv[i], strlen(argv[i]), &terms, &request);
		if(error < 0)
			printf("%s: %s\n", argv[i], kdns_error_text(error));
		else
			left++;
	}
	while(left > 0) {
		struct pollfd dns = {kdns_fd(context), POLLIN, 0};
		poll(&dns, 1, kdns_timeout(context));
		kdns_process(context);
		for(struct kdns_request *request; (request = kdns_finished(context)); left--) {
			print(request);
			kdns_release(request);
		}
	}
	kdns_close(context);
	return 0;
}
