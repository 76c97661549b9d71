/* A server with the static archive linked in; loads a module that needs the library. */

#include <dlfcn.h>
#include <stdio.h>

#include <kamailio_dns.h>

int main(int argc, char **argv)
{
	int (*works)(void);
	void *module;

	if(argc < 2 || resolv_init() != 0)
		return 2;
	module = dlopen(argv[1], RTLD_NOW);
	if(module == NULL) {
		printf("%s\n", dlerror());
		return 1;
	}
	*(void **)&works = dlsym(module, "module_works");
	if(works == NULL || !works()) {
		printf("the module does not work\n");
		return 1;
	}
	return 0;
}
