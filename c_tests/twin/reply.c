/* An RPC transport that writes what a command replies as text:
 *
 *   7 500                      plain values
 *   {name=a, records=[{..}]}   structs and arrays, in the order in which they were filled
 *   fault 400 Not found
 *
 * Values can be added to a struct after its parent went on, so a reply is a tree until the end. */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/dns_cache.h"
#include "core/rpc.h"
#include "core/str.h"

#include "twin.h"

/* one value, or a struct or array with its values */
struct node {
	char kind; /* 's' text, '{' struct, '[' array */
	char *label;
	char *text;
	struct node *first, **last, *next;
};

struct call {
	struct node *reply;
	char **arguments;
	int count, at;
	int fault;
	char reason[256];
};

static struct node *node_add(struct node *parent, char kind, const char *label)
{
	struct node *node = calloc(1, sizeof *node);
	if(node == NULL)
		abort();
	node->kind = kind;
	node->label = label != NULL ? strdup(label) : NULL;
	node->last = &node->first;
	if(parent != NULL) {
		*parent->last = node;
		parent->last = &node->next;
	}
	return node;
}

static void node_print(FILE *out, const struct node *node)
{
	const struct node *child;
	if(node->label != NULL)
		fprintf(out, "%s=", node->label);
	if(node->kind == 's') {
		fputs(node->text, out);
		return;
	}
	putc(node->kind, out);
	for(child = node->first; child != NULL; child = child->next) {
		if(child != node->first)
			fputs(", ", out);
		node_print(out, child);
	}
	putc(node->kind == '{' ? '}' : ']', out);
}

static void node_free(struct node *node)
{
	while(node != NULL) {
		struct node *next = node->next;
		node_free(node->first);
		free(node->label);
		free(node->text);
		free(node);
		node = next;
	}
}

/* takes one value of a format from the arguments; struct and array give their node back */
static int add_value(struct node *parent, char letter, const char *label, va_list *ap)
{
	struct node *node;
	char number[32];
	switch(letter) {
		case 'd':
			snprintf(number, sizeof number, "%d", va_arg(*ap, int));
			node_add(parent, 's', label)->text = strdup(number);
			return 0;
		case 's': {
			const char *text = va_arg(*ap, char *);
			node_add(parent, 's', label)->text = strdup(text != NULL ? text : "(null)");
			return 0;
		}
		case 'S': {
			str *text = va_arg(*ap, str *);
			node_add(parent, 's', label)->text = strndup(text->s, (size_t)text->len);
			return 0;
		}
		case '{':
		case '[':
			node = node_add(parent, letter, label);
			*va_arg(*ap, void **) = node;
			return 0;
		default:
			node_add(parent, 's', label)->text = strdup("(unknown format letter)");
			return -1;
	}
}

static void reply_fault(void *ctx, int code, char *format, ...)
{
	struct call *call = ctx;
	va_list ap;
	call->fault = code;
	va_start(ap, format);
	vsnprintf(call->reason, sizeof call->reason, format, ap);
	va_end(ap);
}

static int reply_send(void *ctx)
{
	(void)ctx;
	return 0;
}

static int add_all(struct node *parent, const char *format, va_list *ap)
{
	for(; *format; format++)
		if(add_value(parent, *format, NULL, ap) < 0)
			return -1;
	return 0;
}

static int reply_add(void *ctx, char *format, ...)
{
	va_list ap;
	int result;
	va_start(ap, format);
	result = add_all(((struct call *)ctx)->reply, format, &ap);
	va_end(ap);
	return result;
}

static int reply_array_add(void *array, char *format, ...)
{
	va_list ap;
	int result;
	va_start(ap, format);
	result = add_all(array, format, &ap);
	va_end(ap);
	return result;
}

static int reply_struct_add(void *parent, char *format, ...)
{
	va_list ap;
	int result = 0;
	va_start(ap, format);
	for(; *format && result == 0; format++) {
		const char *label = va_arg(ap, char *);
		result = add_value(parent, *format, label, &ap);
	}
	va_end(ap);
	return result;
}

static int add_printed(struct node *parent, const char *label, const char *format, va_list ap)
{
	char text[1024];
	vsnprintf(text, sizeof text, format, ap);
	node_add(parent, 's', label)->text = strdup(text);
	return 0;
}

static int reply_printf(void *ctx, char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	add_printed(((struct call *)ctx)->reply, NULL, format, ap);
	va_end(ap);
	return 0;
}

static int reply_struct_printf(void *parent, char *label, char *format, ...)
{
	va_list ap;
	va_start(ap, format);
	add_printed(parent, label, format, ap);
	va_end(ap);
	return 0;
}

/* Number of values read; negative when the first one that is missing is the last of -count read, as
 * the transports of the core have it. */
static int reply_scan(void *ctx, char *format, ...)
{
	struct call *call = ctx;
	int read = 0, optional = 0;
	va_list ap;
	va_start(ap, format);
	for(; *format; format++) {
		char *text;
		if(*format == '*') {
			optional = 1;
			continue;
		}
		if(*format == '.')
			continue;
		if(call->at >= call->count) {
			if(!optional)
				reply_fault(ctx, 400, "missing argument");
			read = -read;
			break;
		}
		text = call->arguments[call->at++];
		read++;
		if(*format == 'd') {
			*va_arg(ap, int *) = (int)strtol(text, NULL, 10);
		} else if(*format == 's') {
			*va_arg(ap, char **) = text;
		} else if(*format == 'S') {
			str *place = va_arg(ap, str *);
			place->s = text;
			place->len = (int)strlen(text);
		} else {
			reply_fault(ctx, 500, "unknown format letter");
			read = -read;
			break;
		}
	}
	va_end(ap);
	return read;
}

static int reply_struct_scan(void *parent, char *format, ...)
{
	(void)parent;
	(void)format;
	return -1;
}

static rpc_capabilities_t reply_capabilities(void *ctx)
{
	(void)ctx;
	return 0;
}

static rpc_t transport = {
		.fault = reply_fault,
		.send = reply_send,
		.add = reply_add,
		.scan = reply_scan,
		.rpl_printf = reply_printf,
		.struct_add = reply_struct_add,
		.array_add = reply_array_add,
		.struct_scan = reply_struct_scan,
		.struct_printf = reply_struct_printf,
		.capabilities = reply_capabilities,
};

/* The core declares them only where it has its table. */
void dns_cache_mem_info(rpc_t *rpc, void *ctx);
void dns_cache_debug(rpc_t *rpc, void *ctx);
void dns_cache_debug_all(rpc_t *rpc, void *ctx);
void dns_cache_view(rpc_t *rpc, void *ctx);
void dns_cache_rpc_lookup(rpc_t *rpc, void *ctx);
void dns_cache_delete_all(rpc_t *rpc, void *ctx);
void dns_cache_delete_all_force(rpc_t *rpc, void *ctx);
void dns_cache_add_a(rpc_t *rpc, void *ctx);
void dns_cache_add_aaaa(rpc_t *rpc, void *ctx);
void dns_cache_add_srv(rpc_t *rpc, void *ctx);
void dns_cache_delete_a(rpc_t *rpc, void *ctx);
void dns_cache_delete_aaaa(rpc_t *rpc, void *ctx);
void dns_cache_delete_srv(rpc_t *rpc, void *ctx);
void dns_cache_delete_naptr(rpc_t *rpc, void *ctx);
void dns_cache_delete_cname(rpc_t *rpc, void *ctx);
void dns_cache_delete_txt(rpc_t *rpc, void *ctx);
void dns_cache_delete_ebl(rpc_t *rpc, void *ctx);
void dns_cache_delete_ptr(rpc_t *rpc, void *ctx);

static const struct {
	const char *name;
	rpc_function_t function;
} table[] = {
	{"dns.mem_info", dns_cache_mem_info},
	{"dns.debug", dns_cache_debug},
	{"dns.debug_all", dns_cache_debug_all},
	{"dns.view", dns_cache_view},
	{"dns.lookup", dns_cache_rpc_lookup},
	{"dns.delete_all", dns_cache_delete_all},
	{"dns.delete_all_force", dns_cache_delete_all_force},
	{"dns.add_a", dns_cache_add_a},
	{"dns.add_aaaa", dns_cache_add_aaaa},
	{"dns.add_srv", dns_cache_add_srv},
	{"dns.delete_a", dns_cache_delete_a},
	{"dns.delete_aaaa", dns_cache_delete_aaaa},
	{"dns.delete_srv", dns_cache_delete_srv},
	{"dns.delete_naptr", dns_cache_delete_naptr},
	{"dns.delete_cname", dns_cache_delete_cname},
	{"dns.delete_txt", dns_cache_delete_txt},
	{"dns.delete_ebl", dns_cache_delete_ebl},
	{"dns.delete_ptr", dns_cache_delete_ptr},
};

void rpc_call(FILE *out, const char *command, char **arguments, int count)
{
	struct call call = {.arguments = arguments, .count = count};
	const struct node *node;
	size_t i;
	call.reply = node_add(NULL, '[', NULL);
	for(i = 0; i < sizeof table / sizeof table[0]; i++)
		if(strcmp(table[i].name, command) == 0)
			break;
	if(i == sizeof table / sizeof table[0]) {
		fprintf(out, "no such command");
	} else {
		table[i].function(&transport, &call);
		if(call.fault) {
			fprintf(out, "fault %d %s", call.fault, call.reason);
		} else {
			for(node = call.reply->first; node != NULL; node = node->next) {
				if(node != call.reply->first)
					putc(' ', out);
				node_print(out, node);
			}
			if(call.reply->first == NULL)
				fprintf(out, "(empty)");
		}
	}
	node_free(call.reply);
}
