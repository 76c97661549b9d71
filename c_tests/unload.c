/* A program that takes the library in, and lets go of it: threads, handlers of fork and what is cached need its code. */

#include <dlfcn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static int (*function_of(void *library, const char *name))(void)
{
	int (*function)(void) = NULL;
	*(void **)&function = dlsym(library, name);
	return function;
}

static int fail(const char *why)
{
	printf("%s\n", why);
	return 1;
}

int main(int argc, char **argv)
{
	alarm(60);
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
	if(library == NULL)
		return fail(argc > 1 ? dlerror() : "which library?");
	int (*init)(void) = function_of(library, "init_dns_cache");
	int (*init_resolver)(void) = function_of(library, "resolv_init");
	if(init == NULL || init_resolver == NULL)
		return fail("not the library");
	/* before anything was called */
	if(dlclose(library) != 0)
		return fail(dlerror());
	library = dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD);
	if(library == NULL)
		return fail("it went");
	if(init_resolver() < 0 || init() < 0)
		return fail("it is not what it was");
	dlclose(library);
	dlclose(library);
	pid_t child = fork();
	if(child == 0)
		_exit(init() != 0);
	int result = -1;
	waitpid(child, &result, 0);
	return result == 0 ? 0 : fail("a child has no library");
}
