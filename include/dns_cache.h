/*
 * In place of Kamailio's dns_cache.h: the same names, served by kamailio-dns. The handle functions
 * that are inline there are functions of the library here.
 */

#ifndef __dns_cache_h
#define __dns_cache_h

#include "kamailio_dns.h"
#include "kamailio_dns_cache_defs.h"

#endif
