/* A Kamailio module that calls the DNS functions at every moment of the server's life, and says what came of
 * it: one line for each, "probe MOMENT CALL RESULT", into the file PROBE_FILE. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/dns_cache.h"
#include "core/globals.h"
#include "core/resolve.h"
#include "core/sr_module.h"

MODULE_VERSION

static const char *moment = "loading";

static void say(const char *call, const char *result)
{
	const char *name = getenv("PROBE_FILE");
	FILE *file = name ? fopen(name, "a") : NULL;

	if (!file)
		return;
	fprintf(file, "probe %s %s %s\n", moment, call, result);
	fclose(file);
}

static void say_number(const char *call, int number)
{
	char text[16];

	snprintf(text, sizeof text, "%d", number);
	say(call, text);
}

/* The first address, as text. */
static const char *address(struct hostent *he)
{
	static char text[64];

	if (!he || !he->h_addr_list || !he->h_addr_list[0])
		return "none";
	if (!inet_ntop(he->h_addrtype, he->h_addr_list[0], text, sizeof text))
		return "broken";
	return text;
}

static str counted(char *text)
{
	str s = {text, strlen(text)};
	return s;
}

/* What works without asking anybody. */
static void literals(void)
{
	str ip = counted("192.0.2.1");
	str six = counted("[2001:db8::1]");
	union sockaddr_union su;
	char proto = PROTO_UDP;

	say("str2ip", str2ip(&ip) ? "ok" : "none");
	say("str2ip6", str2ip6(&six) ? "ok" : "none");
	say("resolvehost-literal", address(resolvehost("192.0.2.9")));
	say_number("sip_hostport2su-literal", sip_hostport2su(&su, &ip, 5060, &proto));
}

/* What asks the DNS. */
static void names(void)
{
	struct dns_srv_handle handle;
	union sockaddr_union su;
	str domain = counted("example.org");
	str host = counted("sip1.example.org");
	unsigned short port = 0;
	char proto = PROTO_NONE;
	struct rdata *list;

	say("resolvehost", address(resolvehost("sip1.example.org")));
	say("resolvehost-missing", address(resolvehost("missing.example.org")));
	say("sip_resolvehost", address(sip_resolvehost(&domain, &port, &proto)));
	say_number("sip_resolvehost-port", port);
	proto = PROTO_UDP;
	say_number("sip_hostport2su", sip_hostport2su(&su, &host, 5060, &proto));
	list = get_record("sip1.example.org", T_A, RES_ONLY_TYPE);
	say("get_record", list ? "ok" : "none");
	free_rdata_list(list);
	dns_srv_handle_init(&handle);
	proto = PROTO_UDP;
	say_number("dns_sip_resolve2su", dns_sip_resolve2su(&handle, &su, &domain, 0, &proto, dns_flags));
	dns_srv_handle_put(&handle);
	dns_srv_handle_put_shm_unsafe(&handle);
}

static void callbacks(void)
{
	fix_dns_flags(NULL, NULL);
	reinit_proto_prefs(NULL, NULL);
	resolv_reinit(NULL, NULL);
	dns_set_local_ttl(0);
	say("callbacks", "ok");
}

static void add(void)
{
	str name = counted("added.example.org");
	str value = counted("192.0.2.200");

	say_number("dns_cache_add_record", dns_cache_add_record(T_A, &name, 60, &value, 0, 0, 0, 0));
}

/* A parameter: called while kamailio.cfg is read. */
static int parse_time(modparam_t type, void *value)
{
	(void)type;
	(void)value;
	moment = "parsing";
	say_number("resolv_init", resolv_init());
	literals();
	names();
	callbacks();
	add();
	return 0;
}

static int on_init(void)
{
	moment = "init";
	say_number("init_dns_cache-again", init_dns_cache());
	say_number("resolv_init-again", resolv_init());
	literals();
	names();
	callbacks();
	add();
	return 0;
}

static int on_child(int rank)
{
	if (rank != 1 && rank != 2)
		return 0;
	moment = rank == 1 ? "child1" : "child2";
	literals();
	names();
	callbacks();
	return 0;
}

/* Only the main process runs this, before the core's own destroy_dns_cache(). */
static void on_destroy(void)
{
	moment = "destroyed";
	destroy_dns_cache();
	literals();
	names();
	callbacks();
	add();
	destroy_dns_cache();
	say("destroy_dns_cache-again", "ok");
}

static param_export_t parameters[] = {
	{"now", PARAM_INT | PARAM_USE_FUNC, (void *)parse_time},
	{0, 0, 0}
};

struct module_exports exports = {
	"probe", DEFAULT_DLFLAGS, 0, parameters, 0, 0, 0, on_init, on_child, on_destroy
};

int mod_register(char *path, int *dlflags, void *p1, void *p2)
{
	(void)path;
	(void)dlflags;
	(void)p1;
	(void)p2;
	literals();
	callbacks();
	return 0;
}
