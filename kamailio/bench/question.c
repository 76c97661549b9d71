/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * question PROCESSES COUNT WAY - what the system calls of one DNS question cost by themselves.
 *
 * Each process, on a CPU of its own as far as there are some, asks 127.0.0.1 port 53 for the A records of COUNT
 * names of the benchmark's zone, one after the other, does nothing with the answers, and measures the processor
 * time that it used. Prints ns of processor time per question, the median of the processes.
 *
 * WAY is how a question gets a source port that nobody can foretell:
 *   fresh   a socket for each: socket, connect, send, poll, recv, close
 *   drawn   one socket whose port is drawn anew: connect, send, poll, recv, and the association dissolved
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PROCESSES 16

static size_t put_label(unsigned char *at, const char *label)
{
	size_t length = strlen(label);
	*at = (unsigned char)length;
	memcpy(at + 1, label, length);
	return length + 1;
}

static size_t write_question(unsigned char *message, unsigned number)
{
	char host[16];
	size_t end = 12;

	memset(message, 0, end);
	message[0] = (unsigned char)(number >> 8);
	message[1] = (unsigned char)number;
	message[2] = 1; /* recursion desired */
	message[5] = 1; /* one question */
	snprintf(host, sizeof host, "h%08u", number);
	end += put_label(message + end, host);
	end += put_label(message + end, "bench");
	end += put_label(message + end, "test");
	memcpy(message + end, "\0\0\1\0\1", 5); /* the root, type A, class IN */
	return end + 5;
}

static int open_socket(void)
{
	return socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* One question and its answer; 0 if it went well. */
static int ask(int *fd, int is_drawn, unsigned number)
{
	static const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(53)};
	unsigned char message[512], answer[4096];
	size_t length = write_question(message, number);
	struct pollfd wait = {.events = POLLIN};
	int result = -1;

	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if(*fd < 0 && (*fd = open_socket()) < 0)
		return -1;
	wait.fd = *fd;
	if(connect(*fd, (struct sockaddr *)&server, sizeof server) == 0
			&& send(*fd, message, length, 0) == (ssize_t)length
			&& poll(&wait, 1, 2000) == 1
			&& recv(*fd, answer, sizeof answer, 0) > 12)
		result = 0;
	if(is_drawn && result == 0) {
		if(connect(*fd, &nowhere, sizeof nowhere) != 0)
			return -1;
		(void)!recv(*fd, answer, sizeof answer, 0); /* nothing: the drain that a resolver needs */
	} else {
		close(*fd);
		*fd = -1;
	}
	return result;
}

static double used_ns(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return 1e9 * (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
		   + 1e3 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Processor time of one process per question, ns; negative if a question failed. */
static double measure(int place, unsigned count, int is_drawn)
{
	cpu_set_t one;
	double before;
	int fd = -1;

	CPU_ZERO(&one);
	CPU_SET(place % (int)sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof one, &one);
	before = used_ns();
	for(unsigned i = 0; i < count; i++) {
		if(ask(&fd, is_drawn, (unsigned)place * count + i) != 0)
			return -1;
	}
	return (used_ns() - before) / count;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int processes = argc == 4 ? atoi(argv[1]) : 0;
	unsigned count = argc == 4 ? (unsigned)atoi(argv[2]) : 0;
	int is_drawn = argc == 4 && strcmp(argv[3], "drawn") == 0;
	double costs[MOST_PROCESSES];
	int results[2];

	if(processes < 1 || processes > MOST_PROCESSES || count == 0
			|| (!is_drawn && strcmp(argv[3], "fresh") != 0)) {
		fprintf(stderr, "usage: question PROCESSES COUNT fresh|drawn\n");
		return 2;
	}
	if(pipe(results) != 0)
		return 1;
	for(int place = 0; place < processes; place++) {
		if(fork() == 0) {
			double cost = measure(place, count, is_drawn);
			_exit(write(results[1], &cost, sizeof cost) != sizeof cost);
		}
	}
	close(results[1]);
	for(int place = 0; place < processes; place++) {
		if(read(results[0], &costs[place], sizeof costs[place]) != sizeof costs[place]
				|| costs[place] < 0) {
			fprintf(stderr, "question: no answer\n");
			return 1;
		}
	}
	while(wait(NULL) > 0)
		;
	qsort(costs, (size_t)processes, sizeof costs[0], ascending);
	printf("%.0f\n", costs[processes / 2]);
	return 0;
}
