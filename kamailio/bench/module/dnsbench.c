/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dnsbench - measures the DNS functions of the Kamailio that it is loaded into, as black boxes.
 *
 * The module forks workers and a coordinator, which carries out the plan of a file and ends the server.
 *
 *   modparam("dnsbench", "plan", FILE)     what to do, see plan.c
 *   modparam("dnsbench", "out", FILE)      results are added to it, one JSON object a line
 *   modparam("dnsbench", "workers", N)     processes that can be used
 *   modparam("dnsbench", "pin", 0)         workers are not bound to a CPU each
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../core/cfg/cfg_struct.h"
#include "../../core/dprint.h"
#include "../../core/pt.h"
#include "../../core/sr_module.h"

#include "operations.h"

MODULE_VERSION

static char *plan;
static char *out;
static int workers = 8;
static FILE *results;

static int mod_init(void)
{
	if(plan == NULL || out == NULL) {
		LM_ERR("plan and out must be set\n");
		return -1;
	}
	if(workers > MAX_WORKERS)
		workers = MAX_WORKERS;
	job = mmap(NULL, sizeof *job, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if(job == MAP_FAILED || floor_init() != 0) {
		LM_ERR("no memory\n");
		return -1;
	}
	results = fopen(out, "a");
	if(results == NULL) {
		LM_ERR("cannot write %s\n", out);
		return -1;
	}
	register_procs(workers + 1);
	cfg_register_child(workers + 1);
	return 0;
}

static void coordinator_main(void)
{
	usleep(300000);
	if(coordinate(plan, results, workers) != 0)
		LM_ERR("cannot read %s\n", plan);
	fclose(results);
	kill(getppid(), SIGTERM);
	for(;;)
		pause();
}

static int child_init(int rank)
{
	if(rank != PROC_MAIN)
		return 0;
	/* Inherited by all. */
	clock_calibrate();
	for(int i = 0; i <= workers; i++) {
		int pid = fork_process(PROC_NOCHLDINIT, i < workers ? "dnsbench worker" : "dnsbench coordinator", 1);

		if(pid < 0)
			return -1;
		if(pid > 0)
			continue;
		if(cfg_child_init())
			return -1;
		if(i < workers)
			worker_main(i);
		else
			coordinator_main();
	}
	return 0;
}

/* clang-format off */
static param_export_t params[] = {
	{"plan", PARAM_STRING, &plan},
	{"out", PARAM_STRING, &out},
	{"workers", PARAM_INT, &workers},
	{"pin", PARAM_INT, &pin_workers},
	{0, 0, 0}
};

struct module_exports exports = {
	"dnsbench", DEFAULT_DLFLAGS, 0, params, 0, 0, 0, mod_init, child_init, 0
};
/* clang-format on */
