#include "sip_uri.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Character classes of RFC 3261 section 25.1, beyond letters and digits. */
#define MARK "-_.!~*'()"
#define USER_CHARS MARK "&=+$,;?/"
#define PASSWORD_CHARS MARK "&=+$,"
#define PARAM_CHARS MARK "[]/:&+$"
#define HEADER_CHARS MARK "[]/?:+$"

static const struct {
	const char *name; /* as in ;transport= */
	const char *shown;
	int number;
} transports[] = {
	{"udp", "UDP", TRANSPORT_UDP},
	{"tcp", "TCP", TRANSPORT_TCP},
	{"tls", "TLS", TRANSPORT_TLS},
	{"sctp", "SCTP", TRANSPORT_SCTP},
	{"ws", "WS", TRANSPORT_WS},
	{"wss", "WSS", TRANSPORT_WSS},
};
#define TRANSPORTS (sizeof(transports) / sizeof(transports[0]))

/* What is being parsed, and where a complaint goes. */
struct parser {
	const char *at;
	char *error;
	size_t error_size;
};

static int fail(struct parser *p, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(p->error, p->error_size, format, arguments);
	va_end(arguments);
	return -1;
}

/* The C library's isalpha() depends on the locale, these do not. */
static int is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Length of the longest start of the text made of letters, digits, `extra` and %-escapes. */
static size_t span(const char *text, const char *extra)
{
	size_t n = 0;

	while (text[n] != '\0') {
		if (is_letter(text[n]) || is_digit(text[n]) || strchr(extra, text[n]))
			n++;
		else if (text[n] == '%' && is_hex(text[n + 1]) && is_hex(text[n + 2]))
			n += 3;
		else
			break;
	}
	return n;
}

static int equals(const char *text, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(text, word, length) == 0;
}

/* Checks labels: letters, digits and inner hyphens, 1 to 63 octets, the last starts with a
 * letter. A final dot is allowed. */
static int check_name(struct parser *p, const char *name)
{
	const char *label = name;
	size_t length;

	for (;;) {
		length = strcspn(label, ".");
		if (length == 0)
			return fail(p, "host '%s' has an empty label", name);
		if (length > 63)
			return fail(p, "host '%s' has a label longer than 63 characters", name);
		if (label[0] == '-' || label[length - 1] == '-')
			return fail(p, "a label of host '%s' starts or ends with '-'", name);
		if (label[length] == '\0' || label[length + 1] == '\0')
			break;
		label += length + 1;
	}
	if (!is_letter(label[0]))
		return fail(p, "host '%s' is neither an IPv4 address nor a name", name);
	return 0;
}

/* Reads a host at p->at and steps over it. */
static int parse_host(struct parser *p, struct sip_host *host)
{
	struct in6_addr address; /* large enough for both families */
	size_t length, skipped = 0;

	if (p->at[0] == '[') {
		length = strcspn(++p->at, "]");
		if (p->at[length] != ']')
			return fail(p, "'[' without ']'");
		skipped = 1;
	} else {
		length = strspn(p->at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-.");
	}
	if (length == 0)
		return fail(p, "the host is missing");
	if (length > SIP_URI_MAX_HOST)
		return fail(p, "the host is longer than %d characters", SIP_URI_MAX_HOST);
	memcpy(host->text, p->at, length);
	host->text[length] = '\0';
	p->at += length + skipped;
	if (skipped) {
		host->kind = SIP_HOST_IPV6;
		if (inet_pton(AF_INET6, host->text, &address) != 1)
			return fail(p, "'%s' is not an IPv6 address", host->text);
		return 0;
	}
	if (inet_pton(AF_INET, host->text, &address) == 1) {
		host->kind = SIP_HOST_IPV4;
		return 0;
	}
	host->kind = SIP_HOST_NAME;
	return check_name(p, host->text);
}

static int parse_port(struct parser *p, struct sip_uri *uri)
{
	unsigned long port = 0;
	size_t digits = 0;

	for (; is_digit(p->at[digits]); digits++) {
		if (port <= 65535)
			port = port * 10 + (unsigned long)(p->at[digits] - '0');
	}
	if (digits == 0)
		return fail(p, "there is no port after ':'");
	if (port == 0 || port > 65535)
		return fail(p, "port %.*s is not in 1 to 65535", (int)digits, p->at);
	uri->port = (unsigned short)port;
	p->at += digits;
	return 0;
}

static int parse_transport(struct parser *p, const char *value, size_t length, struct sip_uri *uri)
{
	size_t i;

	if (uri->transport != TRANSPORT_NONE)
		return fail(p, "transport is given twice");
	for (i = 0; i < TRANSPORTS; i++) {
		if (equals(value, length, transports[i].name)) {
			uri->transport = transports[i].number;
			return 0;
		}
	}
	return fail(p, "unknown transport '%.*s' (udp, tcp, tls, sctp, ws or wss)", (int)length,
		    value);
}

static int parse_maddr(struct parser *p, const char *value, size_t length, struct sip_uri *uri)
{
	struct parser inner = *p;

	if (uri->has_maddr)
		return fail(p, "maddr is given twice");
	uri->has_maddr = 1;
	inner.at = value;
	if (parse_host(&inner, &uri->maddr) < 0)
		return -1;
	if (inner.at != value + length)
		return fail(p, "maddr '%.*s' is not a host", (int)length, value);
	return 0;
}

/* ;name[=value] ... Those that do not change the destination are only checked for their form. */
static int parse_parameters(struct parser *p, struct sip_uri *uri)
{
	const char *name, *value;
	size_t name_length, value_length;
	int rc = 0;

	while (rc == 0 && *p->at == ';') {
		name = ++p->at;
		name_length = span(name, PARAM_CHARS);
		if (name_length == 0)
			return fail(p, "there is no parameter after ';'");
		p->at += name_length;
		value = NULL;
		value_length = 0;
		if (*p->at == '=') {
			value = ++p->at;
			value_length = span(value, PARAM_CHARS);
			p->at += value_length;
			if (value_length == 0)
				return fail(p, "parameter '%.*s' has no value after '='",
					    (int)name_length, name);
		}
		if (equals(name, name_length, "transport"))
			rc = parse_transport(p, value ? value : "", value_length, uri);
		else if (equals(name, name_length, "maddr"))
			rc = parse_maddr(p, value ? value : "", value_length, uri);
	}
	return rc;
}

/* ?name=value&name=value ... */
static int parse_headers(struct parser *p)
{
	size_t length;

	do {
		length = span(++p->at, HEADER_CHARS);
		p->at += length;
		if (length == 0 || *p->at != '=')
			return fail(p, "after '?' and '&' there must be name=value");
		p->at++;
		p->at += span(p->at, HEADER_CHARS);
	} while (*p->at == '&');
	return 0;
}

/* user[:password]@ */
static int parse_userinfo(struct parser *p)
{
	const char *end = strchr(p->at, '@');
	size_t length;

	if (!end)
		return 0;
	length = span(p->at, USER_CHARS);
	if (length == 0)
		return fail(p, "there is no user before '@'");
	p->at += length;
	if (*p->at == ':') {
		p->at++;
		p->at += span(p->at, PASSWORD_CHARS);
	}
	if (p->at != end)
		return fail(p, "character '%c' cannot be in the part before '@'", *p->at);
	p->at++;
	return 0;
}

int sip_uri_parse(const char *text, struct sip_uri *uri, char *error, size_t size)
{
	struct parser p = {text, error, size};
	const unsigned char *c;

	memset(uri, 0, sizeof(*uri));
	for (c = (const unsigned char *)text; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return fail(&p, "character number %d is a blank, control or non-ASCII character",
				    (int)(c - (const unsigned char *)text) + 1);
	}
	if (strncasecmp(text, "sips:", 5) == 0) {
		uri->secure = 1;
		p.at += 5;
	} else if (strncasecmp(text, "sip:", 4) == 0) {
		p.at += 4;
	} else {
		return fail(&p, "it starts with neither 'sip:' nor 'sips:'");
	}
	if (parse_userinfo(&p) < 0 || parse_host(&p, &uri->host) < 0)
		return -1;
	if (*p.at == ':') {
		p.at++;
		if (parse_port(&p, uri) < 0)
			return -1;
	}
	if (parse_parameters(&p, uri) < 0)
		return -1;
	if (*p.at == '?' && parse_headers(&p) < 0)
		return -1;
	if (*p.at != '\0')
		return fail(&p, "unexpected '%s' after '%.*s'", p.at, (int)(p.at - text), text);
	return 0;
}

const struct sip_host *sip_uri_target(const struct sip_uri *uri)
{
	return uri->has_maddr ? &uri->maddr : &uri->host;
}

int sip_uri_transport(const struct sip_uri *uri, int *transport, char *error, size_t size)
{
	struct parser p = {NULL, error, size};

	*transport = uri->transport;
	if (uri->secure) {
		/* RFC 3261 section 26.2.2: TLS all the way; RFC 7118 for WebSocket. */
		switch (uri->transport) {
		case TRANSPORT_NONE:
		case TRANSPORT_TCP:
		case TRANSPORT_TLS:
			*transport = TRANSPORT_TLS;
			break;
		case TRANSPORT_WS:
		case TRANSPORT_WSS:
			*transport = TRANSPORT_WSS;
			break;
		default:
			return fail(&p, "a sips URI needs TLS, which transport %s does not have",
				    sip_transport_name(uri->transport));
		}
	}
	if ((*transport == TRANSPORT_WS || *transport == TRANSPORT_WSS) && uri->port == 0
	    && sip_uri_target(uri)->kind == SIP_HOST_NAME)
		return fail(&p, "transport %s has no DNS procedure (RFC 7118): give a port",
			    sip_transport_name(*transport));
	return 0;
}

const char *sip_transport_name(int transport)
{
	size_t i;

	for (i = 0; i < TRANSPORTS; i++) {
		if (transports[i].number == transport)
			return transports[i].shown;
	}
	return transport == TRANSPORT_NONE ? "any" : "?";
}
