/*
 * The same in an event loop of libuv's: a poll handle for the descriptor, a timer for what has its time.
 *
 *   cc -o uv uv.c $(pkg-config --cflags --libs kamailio-dns libuv)
 *   ./uv sip:example.org sip:example.net
 */

#define _GNU_SOURCE 1
#include <stdio.h>
#include <string.h>

#include <uv.h>

#include <kamailio_dns_client.h>

static struct kdns *context;
static uv_poll_t readable;
static uv_timer_t timer;
static int left;

static void go_on(void);

static void on_input(uv_poll_t *handle, int status, int events)
{
	(void)handle, (void)status, (void)events;
	go_on();
}

static void on_time(uv_timer_t *handle)
{
	(void)handle;
	go_on();
}

/* To be called after whatever may have changed when there is something to do. */
static void set_timer(void)
{
	int ms = kdns_timeout(context);
	if(ms < 0)
		uv_timer_stop(&timer);
	else
		uv_timer_start(&timer, on_time, (uint64_t)ms, 0);
}

static void go_on(void)
{
	struct kdns_request *request;
	kdns_process(context);
	for(; (request = kdns_finished(context)); left--) {
		struct kdns_target target;
		unsigned count = 0;
		while(kdns_target(request, count, &target, sizeof target) == KDNS_OK)
			count++;
		printf("%s: %s, %u targets\n", (const char *)kdns_user(request),
				kdns_error_text(kdns_status(request)), count);
		kdns_release(request);
	}
	if(left > 0) {
		set_timer();
		return;
	}
	uv_poll_stop(&readable);
	uv_timer_stop(&timer);
}

int main(int argc, char **argv)
{
	uv_loop_t *loop = uv_default_loop();
	int error = kdns_open(&context);
	if(error < 0) {
		fprintf(stderr, "%s\n", kdns_error_text(error));
		return 1;
	}
	for(int i = 1; i < argc; i++) {
		struct kdns_terms terms = {.size = sizeof terms, .user = argv[i]};
		struct kdns_request *request;
		if(kdns_start(context, argv[i], strlen(argv[i]), &terms, &request) == KDNS_OK)
			left++;
		else
			printf("%s: no SIP URI\n", argv[i]);
	}
	uv_poll_init(loop, &readable, kdns_fd(context));
	uv_timer_init(loop, &timer);
	uv_poll_start(&readable, UV_READABLE, on_input);
	set_timer();
	uv_run(loop, UV_RUN_DEFAULT);
	kdns_close(context);
	return 0;
}
