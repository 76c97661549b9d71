/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * walk PROCESSES TABLE_KB NAMES ENTRY - what the memory under a lookup costs by itself.
 *
 * In memory that all processes share there is a table of cache lines, TABLE_KB in all, whose places have the numbers
 * of NAMES entries of ENTRY octets each. A lookup takes a name at random, reads its line of the table, and reads of
 * the entry that the line says what a DNS lookup has to: a word of its fixed part, one of the name, and the address
 * behind it. There is no hash and no comparison. Each lookup depends on what the one before read, as those of
 * different calls come one at a time. Prints ns per lookup as a process sees it, the median of the processes.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_PROCESSES 16
#define LINE_WORDS 16
#define FIRST_PLACE 5 /* places of a line begin behind what tells them apart */
#define SECONDS 0.4

struct memory
{
	const uint32_t *table;
	const unsigned char *entries;
	size_t lines, names, entry_octets;
};

static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return 1e9 * (double)time.tv_sec + (double)time.tv_nsec;
}

static size_t line_of(const struct memory *memory, size_t name)
{
	uint64_t mixed = (name + 1) * 0x9E3779B97F4A7C15u;

	mixed ^= mixed >> 29;
	mixed *= 0xBF58476D1CE4E5B9u;
	return (size_t)(((mixed >> 32) * memory->lines) >> 32);
}

/* Enters all names; 0 when there is room for them. */
static int fill(struct memory *memory, uint32_t *table)
{
	for(size_t name = 0; name < memory->names; name++) {
		uint32_t *line = table + line_of(memory, name) * LINE_WORDS;
		int place = FIRST_PLACE;

		while(place < LINE_WORDS && line[place] != 0)
			place++;
		if(place == LINE_WORDS)
			return -1;
		line[place] = (uint32_t)name + 1;
	}
	return 0;
}

static uint32_t word(const unsigned char *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof value);
	return value;
}

static uint32_t look_up(const struct memory *memory, size_t name)
{
	const uint32_t *line = memory->table + line_of(memory, name) * LINE_WORDS;
	const unsigned char *entry;
	int place = FIRST_PLACE;

	while(place < LINE_WORDS - 1 && line[place] != name + 1)
		place++;
	entry = memory->entries + (line[place] - 1) * memory->entry_octets;
	return word(entry + 24) + word(entry + 60) + word(entry + 84);
}

/* ns per lookup of one process */
static double measure(const struct memory *memory, int process)
{
	cpu_set_t one;
	uint32_t state = (uint32_t)process * 77777u + 1;
	unsigned long count = 0;
	double begun, spent;

	CPU_ZERO(&one);
	CPU_SET(process % (int)sysconf(_SC_NPROCESSORS_ONLN), &one);
	sched_setaffinity(0, sizeof one, &one);
	begun = now_ns();
	do {
		for(int i = 0; i < 1000; i++) {
			/* Entries are zero, which a compiler does not know. */
			state = state * 1664525u + 1013904223u;
			state += look_up(memory, (size_t)(((uint64_t)state * memory->names) >> 32));
		}
		count += 1000;
		spent = now_ns() - begun;
	} while(spent < 1e9 * SECONDS);
	/* The last word read counts, so that none may be left out. */
	return state == 0 ? 0 : spent / (double)count;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int processes = argc == 5 ? atoi(argv[1]) : 0;
	size_t table_octets = argc == 5 ? (size_t)atol(argv[2]) << 10 : 0;
	struct memory memory = {.lines = table_octets / 64};
	uint32_t *table;
	unsigned char *entries;
	double costs[MOST_PROCESSES];
	int results[2];

	memory.names = argc == 5 ? (size_t)atol(argv[3]) : 0;
	memory.entry_octets = argc == 5 ? (size_t)atol(argv[4]) : 0;
	if(processes < 1 || processes > MOST_PROCESSES || memory.lines == 0 || memory.names == 0
			|| memory.entry_octets < 88) {
		fprintf(stderr, "usage: walk PROCESSES TABLE_KB NAMES ENTRY\n");
		return 2;
	}
	table = mmap(NULL, table_octets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	entries = mmap(NULL, memory.names * memory.entry_octets, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if(table == MAP_FAILED || entries == MAP_FAILED || pipe(results) != 0)
		return 1;
	memory.table = table;
	memory.entries = entries;
	memset(entries, 0, memory.names * memory.entry_octets);
	if(fill(&memory, table) != 0) {
		fprintf(stderr, "walk: the table is too small\n");
		return 1;
	}
	for(int process = 0; process < processes; process++) {
		if(fork() == 0) {
			double cost = measure(&memory, process);
			_exit(write(results[1], &cost, sizeof cost) != sizeof cost);
		}
	}
	close(results[1]);
	for(int process = 0; process < processes; process++) {
		if(read(results[0], &costs[process], sizeof costs[process]) != sizeof costs[process])
			return 1;
	}
	while(wait(NULL) > 0)
		;
	qsort(costs, (size_t)processes, sizeof costs[0], ascending);
	printf("%.1f\n", costs[processes / 2]);
	return 0;
}
