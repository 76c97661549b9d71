/* What stands for the library. */
#include <dlfcn.h>
#include <string.h>

int dns_cache_init, dns_flags;
unsigned int dns_timer_interval;
void *dns_func[4];

#define STUB(name)                       \
	int name(int number)                 \
	{                                    \
		return number + *dns_func ? 1 : 2; \
	}
#include "functions.h"

int dns_strerror(int number)
{
	(void)number;
	/* 4711 when the program's variables are in use. */
	return dns_cache_init == 1 && dns_timer_interval == 120 && dns_flags == 0 ? 4711 : 1;
}
#ifndef LACKS
void *str2ip(void *name)
{
	return name;
}
#endif
int dns_sip_resolve(void)
{
	return 42;
}
void dns_hash_put(void *entry)
{
	(void)entry;
}

struct layout
{
	char magic[16];
	unsigned int format, count, item_size;
	const struct
	{
		const char *name;
		unsigned int offset, size;
	} * items;
};

unsigned int dns_handle_layout(void)
{
	const struct layout *layout = dlsym(RTLD_DEFAULT, "kamailio_dns_layout");

	if(!layout || strcmp(layout->magic, "kamailio-dns") != 0 || layout->format != 1)
		return 0;
	for(unsigned int i = 0; i < layout->count; i++)
		if(strcmp(layout->items[i].name, "dns_srv_handle") == 0 && layout->items[i].size <= 48)
			return layout->items[i].size;
	return 0;
}
