/*
 * In place of Kamailio's dns_func.h: the same names, served by kamailio-dns.
 */

#ifndef DNS_FUNC_H
#define DNS_FUNC_H

#include "kamailio_dns.h"

typedef int (*res_init_t)(void);
typedef int (*res_search_t)(const char *, int, int, unsigned char *, int);
typedef struct hostent *(*gethostbyname_t)(const char *);
typedef struct hostent *(*gethostbyname2_t)(const char *, int);

#endif
