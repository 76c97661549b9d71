/* siptargets: where can a request for this SIP URI be sent, in which order, and why?
 *
 * Uses nothing of the library but its header, so it is also an example of a C program that embeds it:
 * options, resolv_init(), init_dns_cache(), fork, lookups in the workers, destroy_dns_cache(). */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kamailio_dns.h"
#include "sip_uri.h"
#include "workers.h"

static const char help[] =
	"usage: siptargets [OPTION]... URI\n"
	"\n"
	"Shows where a SIP request for the URI can be sent: every target in the order in which a proxy\n"
	"tries them, and the DNS records that led there (RFC 3263: NAPTR, SRV, A, AAAA).\n"
	"\n"
	"  siptargets sip:example.org\n"
	"  siptargets --naptr 'sip:bob@example.org;transport=tcp'\n"
	"  siptargets --server 127.0.0.1:5300 --fail 1 sips:example.org\n"
	"\n"
	"DNS:\n"
	"  --server ADDR[:PORT]  ask this DNS server instead of those in /etc/resolv.conf;\n"
	"                        several: repeat the option or separate them by commas\n"
	"  --naptr, --no-naptr   start with NAPTR records, or not (default: not)\n"
	"  --lb                  balance load: random order by SRV weight (RFC 2782)\n"
	"  --set NAME=VALUE      set any option of the library, by its name in kamailio.cfg\n"
	"  --list-options        show the options, their values and meaning, then stop\n"
	"\n"
	"What to do with the list:\n"
	"  --fail N              declare the first N targets dead and show the failover\n"
	"  --workers N           look up in N processes, one after the other (default 1, at most 64);\n"
	"                        they share the cache, so the later ones need no DNS query\n"
	"  --query-log FILE      log of the DNS server, one line a query: counts each worker's\n"
	"                        queries, and shows them when there is no target\n"
	"  --json                write JSON (described in examples/README.md)\n"
	"  --explain             show the whole decision tree instead: every record found, chosen or\n"
	"                        not, and why (as dns.explain inside Kamailio)\n"
	"\n"
	"  --help, --version     show this text, or the version, then stop\n"
	"\n"
	"The table: PRIO/WEIGHT are of the SRV record, HOST owns the address, TTL is in seconds.\n"
	"FROM says where a record came from: 'network' = a query was sent for it just now, 'cache' = it\n"
	"was known, or came along with the answer to another query, 'literal' = the URI is an address.\n"
	"\n"
	"Exit status: 0 = there is a target; 1 = there is none, or all are declared dead; 2 = the URI or\n"
	"an option is wrong; 3 = out of memory or another trouble.\n";

enum {
	OPT_SERVER = 256,
	OPT_NAPTR,
	OPT_NO_NAPTR,
	OPT_LB,
	OPT_SET,
	OPT_LIST,
	OPT_FAIL,
	OPT_WORKERS,
	OPT_QUERY_LOG,
	OPT_JSON,
	OPT_EXPLAIN,
	OPT_HELP,
	OPT_VERSION
};

static const struct option long_options[] = {
	{"server", required_argument, NULL, OPT_SERVER},
	{"naptr", no_argument, NULL, OPT_NAPTR},
	{"no-naptr", no_argument, NULL, OPT_NO_NAPTR},
	{"lb", no_argument, NULL, OPT_LB},
	{"set", required_argument, NULL, OPT_SET},
	{"list-options", no_argument, NULL, OPT_LIST},
	{"fail", required_argument, NULL, OPT_FAIL},
	{"workers", required_argument, NULL, OPT_WORKERS},
	{"query-log", required_argument, NULL, OPT_QUERY_LOG},
	{"json", no_argument, NULL, OPT_JSON},
	{"explain", no_argument, NULL, OPT_EXPLAIN},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{NULL, 0, NULL, 0},
};

struct arguments {
	struct job job;
	char servers[512]; /* dns_nameservers, separated by blanks */
	int list_options;
	int explain;
};

static int usage_error(const char *what, const char *value, const char *why)
{
	fprintf(stderr, "siptargets: %s '%s': %s\nTry 'siptargets --help'.\n", what, value, why);
	return EXIT_USAGE;
}

static int set_option(const char *name, const char *value)
{
	int rc = dns_option_set(name, value);

	return rc == 0 ? EXIT_FOUND : usage_error("option", name, dns_option_strerror(rc));
}

/* NAME=VALUE */
static int set_assignment(const char *text)
{
	const char *equals = strchr(text, '=');
	char name[64];

	if (!equals || equals == text)
		return usage_error("--set", text, "it is not NAME=VALUE");
	if ((size_t)(equals - text) >= sizeof(name))
		return usage_error("--set", text, "there is no option with so long a name");
	memcpy(name, text, (size_t)(equals - text));
	name[equals - text] = '\0';
	return set_option(name, equals + 1);
}

static int add_servers(struct arguments *arguments, const char *text)
{
	size_t used = strlen(arguments->servers), length = strlen(text), i;

	if (used + length + 2 > sizeof(arguments->servers))
		return usage_error("--server", text, "too many servers");
	if (used)
		arguments->servers[used++] = ' ';
	for (i = 0; i <= length; i++)
		arguments->servers[used + i] = text[i] == ',' ? ' ' : text[i];
	/* The library would take an empty list for "those of resolv.conf". */
	if (strspn(text, ", \t") == length)
		return usage_error("--server", text, "it is not ADDR[:PORT]");
	return EXIT_FOUND;
}

static int parse_number(const char *option, const char *text, unsigned long max, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno || *value > max)
		return usage_error(option, text, "it is not a number in the range allowed");
	return EXIT_FOUND;
}

static int list_options(void)
{
	struct dns_option_info info;
	char value[600];
	unsigned index;

	for (index = 0; dns_option_describe(index, &info) == 0; index++) {
		if (dns_option_get(info.name, value, sizeof(value)) < 0)
			continue;
		printf("%-24s %11s %-4s %s\n", info.name, value[0] ? value : "(empty)", info.unit,
		       info.help);
	}
	return EXIT_FOUND;
}

/* `value` is the option's value; for an unknown option, what was written. */
static int take_option(struct arguments *arguments, int option, const char *value)
{
	unsigned long number;
	int rc = EXIT_FOUND;

	switch (option) {
	case OPT_SERVER:
		return add_servers(arguments, value);
	case OPT_NAPTR:
		return set_option("dns_try_naptr", "yes");
	case OPT_NO_NAPTR:
		return set_option("dns_try_naptr", "no");
	case OPT_LB:
		return set_option("dns_srv_lb", "yes");
	case OPT_SET:
		return set_assignment(value);
	case OPT_FAIL:
		rc = parse_number("--fail", value, MAX_TARGETS, &number);
		arguments->job.fail = number;
		return rc;
	case OPT_WORKERS:
		rc = parse_number("--workers", value, MAX_WORKERS, &number);
		arguments->job.workers = (unsigned)number;
		if (rc == EXIT_FOUND && number == 0)
			rc = usage_error("--workers", value, "at least one is needed");
		return rc;
	case OPT_QUERY_LOG:
		arguments->job.query_log = value;
		return EXIT_FOUND;
	case OPT_JSON:
		arguments->job.json = 1;
		return EXIT_FOUND;
	case OPT_EXPLAIN:
		arguments->explain = 1;
		return EXIT_FOUND;
	case OPT_LIST:
		arguments->list_options = 1;
		return EXIT_FOUND;
	case OPT_HELP:
		fputs(help, stdout);
		exit(EXIT_FOUND);
	case OPT_VERSION:
#ifdef KAMAILIO_DNS_VERSION
		printf("siptargets, kamailio-dns %s\n", KAMAILIO_DNS_VERSION);
#else
		printf("siptargets, kamailio-dns\n");
#endif
		exit(EXIT_FOUND);
	case ':':
		return usage_error("option", value, "it needs a value");
	default:
		return usage_error("option", value, "it is unknown, or takes no value");
	}
}

static int parse_uri(struct arguments *arguments, struct sip_uri *uri, const char *text)
{
	char error[512];

	if (sip_uri_parse(text, uri, error, sizeof(error)) < 0
	    || sip_uri_transport(uri, &arguments->job.query.transport, error, sizeof(error)) < 0)
		return usage_error("not a usable SIP URI", text, error);
	arguments->job.uri = text;
	arguments->job.query.host = sip_uri_target(uri)->text;
	arguments->job.query.port = uri->port;
	return EXIT_FOUND;
}

static void print_line(void *out, int depth, const char *subject, const char *text)
{
	fprintf(out, "%*s%s: %s\n", 2 * depth, "", subject, text);
}

/* The library checks the URI again, but not as strictly as sip_uri_parse() did. */
static int explain(const char *uri)
{
	int targets = dns_explain(uri, -1, print_line, stdout);

	if (targets < 0) {
		fprintf(stderr, "siptargets: %s: %s\n", uri, dns_strerror(targets));
		return EXIT_TROUBLE;
	}
	return targets > 0 ? EXIT_FOUND : EXIT_NO_TARGET;
}

int main(int argc, char **argv)
{
	struct arguments arguments;
	struct sip_uri uri;
	int option, rc = EXIT_FOUND;

	memset(&arguments, 0, sizeof(arguments));
	arguments.job.workers = 1;
	opterr = 0; /* the messages are our own */
	while (rc == EXIT_FOUND
	       && (option = getopt_long(argc, argv, ":", long_options, NULL)) != -1)
		rc = take_option(&arguments, option, optarg ? optarg : argv[optind - 1]);
	if (rc == EXIT_FOUND && arguments.servers[0])
		rc = set_option("dns_nameservers", arguments.servers);
	if (rc != EXIT_FOUND)
		return rc;
	if (arguments.list_options)
		return list_options();
	if (argc - optind != 1) {
		fprintf(stderr, "siptargets: exactly one URI is needed, %d given\n"
				"Try 'siptargets --help'.\n", argc - optind);
		return EXIT_USAGE;
	}
	rc = parse_uri(&arguments, &uri, argv[optind]);
	if (rc != EXIT_FOUND)
		return rc;
	/* The cache must exist before the first fork: that is how the workers come to share it. */
	if (resolv_init() != 0 || init_dns_cache() != 0) {
		fprintf(stderr, "siptargets: the DNS library could not be started\n");
		return EXIT_TROUBLE;
	}
	rc = arguments.explain ? explain(argv[optind]) : run_workers(&arguments.job);
	destroy_dns_cache();
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "siptargets: cannot write the output: %s\n", strerror(errno));
		return EXIT_TROUBLE;
	}
	return rc;
}
