/*
 * Flags that the library was built with, for programs that are not Kamailio. `make install` puts a
 * file in this one's place that fits the installed library; these are the defaults.
 */

#ifndef KAMAILIO_DNS_FLAGS_H
#define KAMAILIO_DNS_FLAGS_H

#ifndef USE_DNS_CACHE
#define USE_DNS_CACHE
#endif
#ifndef USE_DNS_FAILOVER
#define USE_DNS_FAILOVER
#endif
#ifndef USE_NAPTR
#define USE_NAPTR
#endif

#endif
