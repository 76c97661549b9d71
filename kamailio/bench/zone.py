#!/usr/bin/env python3
"""Prints the zone of the benchmark.

h%08u   A           100,000 names, for hits and misses
g%08u   A           as many that live 20 s, for what happens when they expire
q%08u   SRV         1,000 names with 4 targets each (_sip._udp)
s4, s16 SRV         4 or 16 targets of one priority and weight (_sip._udp)
n4      NAPTR, SRV  UDP, then TCP, with 4 targets each
*.w     A           any number of names that exist
x...    -           names that do not
"""

NAMES = 100_000
SHORT_TTL = 20
OWN_SRV = 1_000


def address(number):
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def lines():
    yield "$ORIGIN bench.test.\n$TTL 86400"
    yield "@ SOA ns.bench.test. root.bench.test. 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1"
    for number in range(NAMES):
        yield f"h{number:08} A {address(number)}"
        yield f"g{number:08} {SHORT_TTL} A {address(number)}"
    for number in range(OWN_SRV):
        for target in range(1, 5):
            yield f"_sip._udp.q{number:08} SRV 10 10 5060 t{target}.s4"
    yield "*.w A 10.9.9.9"
    for count in (4, 16):
        for target in range(1, count + 1):
            yield f"_sip._udp.s{count} SRV 10 10 5060 t{target}.s{count}"
            yield f"t{target}.s{count} A 10.201.{count}.{target}"
    for protocol, service in (("udp", "SIP+D2U"), ("tcp", "SIP+D2T")):
        order = 10 if protocol == "udp" else 20
        yield f'n4 NAPTR {order} 10 "s" "{service}" "" _sip._{protocol}.n4'
        for target in range(1, 5):
            yield f"_sip._{protocol}.n4 SRV 10 10 5060 t{target}.s4"


if __name__ == "__main__":
    print("\n".join(lines()))
