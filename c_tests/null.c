/*
 * Every exported function with all arguments zero: before the cache exists, with it, and after its
 * end. run.sh makes exported_functions.h from symbols/exports.txt, one FUNCTION(name) a line.
 *
 * The functions are called through one type with eight integer arguments. C does not define that, the
 * calling conventions of the platforms that Kamailio runs on do: who takes fewer ignores the rest.
 */

#include "check.h"

typedef long generic_f(long, long, long, long, long, long, long, long);

struct function
{
	const char *name;
	generic_f *call;
};

#define FUNCTION(name) extern generic_f null_##name __asm__(#name);
#include "exported_functions.h"
#undef FUNCTION

static const struct function functions[] = {
#define FUNCTION(name) {#name, null_##name},
#include "exported_functions.h"
#undef FUNCTION
};

/* those that change for good what the next phase needs, or give out memory */
static int left_out(const char *name)
{
	return strcmp(name, "init_dns_cache") == 0
		   || strcmp(name, "destroy_dns_cache") == 0
		   || strcmp(name, "dns_handle_new") == 0;
}

static void call_all(const char *when)
{
	size_t i;
	for(i = 0; i < sizeof functions / sizeof functions[0]; i++) {
		if(left_out(functions[i].name))
			continue;
		/* seen when it crashes */
		fprintf(stderr, "%s: %s\n", when, functions[i].name);
		functions[i].call(0, 0, 0, 0, 0, 0, 0, 0);
		checks_made++;
	}
}

int main(void)
{
	watchdog(120);
	use_no_network();
	call_all("before");
#ifdef USE_DNS_CACHE
	CHECK_INT(init_dns_cache(), 0);
	call_all("with");
	/* a second start changes nothing */
	CHECK_INT(init_dns_cache(), 0);
	destroy_dns_cache();
	call_all("after");
	destroy_dns_cache();
#endif
	CHECK(checks_made > 80 || sizeof functions / sizeof functions[0] < 80);
	return checks_result();
}
