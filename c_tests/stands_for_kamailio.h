/* What a program has that the library takes for a Kamailio, and no more. For one file of a program. */

#ifndef STANDS_FOR_KAMAILIO_H
#define STANDS_FOR_KAMAILIO_H

/* The symbols by which the library knows a Kamailio. */
void *core_cfg, *default_core_cfg;
unsigned get_ticks_raw(void);
unsigned get_ticks_raw(void)
{
	return 0;
}

/* A description that says nothing has nothing that differs. */
struct kamailio_dns_item
{
	const char *name;
	unsigned offset, size;
};
struct kamailio_dns_layout
{
	char magic[16];
	unsigned format, count, item_size;
	const struct kamailio_dns_item *items;
};
static const struct kamailio_dns_item no_items[1];
extern const struct kamailio_dns_layout kamailio_dns_layout;
const struct kamailio_dns_layout kamailio_dns_layout = {
		"kamailio-dns", 1, 0, sizeof(struct kamailio_dns_item), no_items};

#endif
