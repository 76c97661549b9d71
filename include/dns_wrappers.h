/*
 * In place of Kamailio's dns_wrappers.h: nothing is wrapped, the library exports the names itself.
 */

#ifndef DNS_WRAPPERS_H
#define DNS_WRAPPERS_H

#include "kamailio_dns.h"

#endif
