/* SIP and SIPS URIs (RFC 3261 section 25.1), as far as they say where to send a request. */
#ifndef SIP_URI_H
#define SIP_URI_H

#include <stddef.h>

/* Longest host, in octets: the longest name that DNS can look up. */
#define SIP_URI_MAX_HOST 255

/* Transports, by Kamailio's numbers. */
enum sip_transport {
	TRANSPORT_NONE,
	TRANSPORT_UDP,
	TRANSPORT_TCP,
	TRANSPORT_TLS,
	TRANSPORT_SCTP,
	TRANSPORT_WS,
	TRANSPORT_WSS
};

enum sip_host_kind { SIP_HOST_NAME, SIP_HOST_IPV4, SIP_HOST_IPV6 };

struct sip_host {
	enum sip_host_kind kind;
	char text[SIP_URI_MAX_HOST + 1]; /* IPv6 without its brackets */
};

struct sip_uri {
	int secure; /* sips: */
	struct sip_host host;
	int has_maddr;
	struct sip_host maddr;
	unsigned short port; /* 0 = none given */
	int transport; /* TRANSPORT_*, TRANSPORT_NONE = none given */
};

/* Parses the whole text. Returns 0; or -1 with the reason in `error`, `uri` undefined. */
int sip_uri_parse(const char *text, struct sip_uri *uri, char *error, size_t size);

/* The host that the request goes to: maddr, else the host (RFC 3263 section 4). */
const struct sip_host *sip_uri_target(const struct sip_uri *uri);

/* The transport that the URI demands, or TRANSPORT_NONE. Returns 0; or -1 with the reason in `error`
 * when scheme, transport and port contradict each other. */
int sip_uri_transport(const struct sip_uri *uri, int *transport, char *error, size_t size);

/* "UDP", "TCP" ...; "any" for TRANSPORT_NONE. */
const char *sip_transport_name(int transport);

#endif
