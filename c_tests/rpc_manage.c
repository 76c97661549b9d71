/* dns.config, dns.delete and dns.delete_below. */

#include "capture.h"

static void records(void)
{
	char *names[] = {"a.del.example", "b.del.example", "x.b.del.example", "del.example.org", "xdel.example"};
	size_t index;
	for(index = 0; index < sizeof names / sizeof *names; index++)
		CHECK_INT(add(1, names[index], "192.0.2.1", 0, 0, 0), 0);
}

static int is_there(char *name)
{
	struct ip_addr ip;
	return dns_get_ip(&(str){name, (int)strlen(name)}, &ip, DNS_IPV4_ONLY) == 0;
}

/* Entries that add() makes are permanent. */
static void permanent(void)
{
	records();
	CALL(dns_delete_rpc, "a.del.example");
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "Permanent entries cannot be deleted");
	CHECK(is_there("a.del.example"));
	CALL(dns_delete_below_rpc, "del.example");
	CHECK_INT(last_fault, 400);
}

static void fleeting(char *name)
{
	char value[] = "192.0.2.7";
	str n = {name, (int)strlen(name)}, v = {value, (int)strlen(value)};
	CHECK_INT(dns_cache_add_record(1, &n, 600, &v, 0, 0, 0, 0), 0);
}

static void of_a_name(void)
{
	fleeting("one.del.example");
	fleeting("two.del.example");
	CALL(dns_delete_rpc, "ONE.del.example.");
	CHECK_INT(last_fault, 0);
	CHECK_TEXT(reply, "{ deleted=1 permanent=0 ");
	CHECK(!is_there("one.del.example") && is_there("two.del.example"));
	/* the failure of the look just made is forgotten with the name */
	CALL(dns_delete_rpc, "one.del.example");
	CHECK_TEXT(reply, "{ deleted=1 permanent=0 ");
	CALL(dns_delete_rpc, "one.del.example");
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "Not found");
	CALL0(dns_delete_rpc);
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "A name is wanted");
	dns_delete_rpc(NULL, NULL);
}

static void below(void)
{
	fleeting("c.b.del.example");
	fleeting("del.example");
	CALL(dns_delete_below_rpc, "del.example");
	CHECK_INT(last_fault, 0);
	/* two, and c.b and the domain; the permanent ones of records() stay */
	CHECK_TEXT(reply, "{ deleted=3 permanent=3 ");
	CHECK(is_there("a.del.example") && is_there("xdel.example") && is_there("del.example.org"));
	CHECK(!is_there("c.b.del.example"));
	struct_limit = 0;
	fleeting("c.b.del.example");
	CALL(dns_delete_below_rpc, "del.example");
	CHECK_INT(last_fault, 500);
	struct_limit = 1 << 30;
}

static void config(void)
{
	CALL0(dns_config_rpc);
	CHECK_INT(last_fault, 0);
	CHECK(strstr(reply, "{ version=") == reply);
	CHECK(strstr(reply, " nameservers=[ 127.0.0.1:1 ") != NULL);
	CHECK(strstr(reply, " attempts=1 ") != NULL);
	CHECK(strstr(reply, " options=[ ") != NULL);
	CHECK(strstr(reply, " dns_nameservers = 127.0.0.1:1 ") != NULL);
	CHECK(strstr(reply, "dns_cache_mem = ") == NULL);
	CHECK_INT(dns_option_set("dns_cache_min_ttl", "7"), 0);
	CALL0(dns_config_rpc);
	CHECK(strstr(reply, " dns_cache_min_ttl = 7 ") != NULL);
	struct_limit = 0;
	CALL0(dns_config_rpc);
	CHECK_INT(last_fault, 500);
	struct_limit = 1 << 30;
	dns_config_rpc(NULL, NULL);
}

static int lines;
static char line[1024];

static void take_line(void *data, int level, const char *text)
{
	CHECK(data == &lines && level == 2);
	lines++;
	snprintf(line, sizeof line, "%s", text);
}

static void trace(void)
{
	CHECK_INT(dns_option_set("dns_log_level", "2"), 0);
	dns_log_to(take_line, &lines);
	CALL(dns_trace_rpc, "*.trace.example", "5");
	CHECK_INT(last_fault, 0);
	CHECK_TEXT(reply, "{ seconds=5 lines=10000 logged=yes ");
	CHECK_INT(lines, 1);
	CHECK_TEXT(line, "DNS trace: *.trace.example for 5 s");
	CALL(dns_trace_rpc, "x", "0");
	CHECK_TEXT(line, "DNS trace: no more, it was ended");
	CALL0(dns_trace_rpc);
	CHECK_INT(last_fault, 400);
	CHECK_INT(lines, 2);
	dns_log_to(NULL, NULL);
	CHECK_INT(dns_option_set("dns_log_level", "0"), 0);
	dns_trace_rpc(NULL, NULL);
}

static void pins(void)
{
	CALL(dns_pin_rpc, "sip:pin.example:5060");
	CHECK_TEXT(reply, "{ status=pinned ");
	CALL(dns_pin_rpc, "sip:");
	CHECK_INT(last_fault, 400);
	CALL0(dns_pins_rpc);
	CHECK_TEXT(reply, "{ name=sip:pin.example:5060 by=command state=asked for ");
	CALL(dns_unpin_rpc, "sip:pin.example:5060");
	CHECK_TEXT(reply, "{ status=not pinned any more ");
	CALL0(dns_pins_rpc);
	CHECK_TEXT(reply, "");
	dns_pin_rpc(NULL, NULL);
	dns_unpin_rpc(NULL, NULL);
	dns_pins_rpc(NULL, NULL);
}

static void snapshot(void)
{
	CALL0(dns_save_rpc);
	CHECK_INT(last_fault, 400);
	CHECK_TEXT(last_fault_text, "dns_snapshot is empty");
	CALL0(dns_load_rpc);
	CHECK_INT(last_fault, 400);
	CHECK_INT(dns_option_set("dns_snapshot", "/proc/none/%s"), 0);
	CALL0(dns_save_rpc);
	CHECK_TEXT(last_fault_text, "there is no such file or folder");
	CHECK_INT(dns_option_set("dns_snapshot", ""), 0);
	dns_save_rpc(NULL, NULL);
	dns_load_rpc(NULL, NULL);
}

int main(void)
{
	watchdog(60);
	use_no_network();
	CHECK_INT(resolv_init(), 0);
	CHECK_INT(init_dns_cache(), 0);
	permanent();
	of_a_name();
	below();
	config();
	trace();
	pins();
	snapshot();
	return checks_result();
}
