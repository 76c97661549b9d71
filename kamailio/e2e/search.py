"""A search list whose domain has a wildcard: calls go where the name says.

Each scenario is judged by the same arrivals on the library and on the stock server (`STOCK=1`), which passes all but
the one that names its defect. Kamailio has IPv6 sockets, so it looks for both families; the carrier has IPv4 alone.
"""

import time

CARRIER, BACKUP, WILDCARD = (f"udp:127.0.0.{host}:5060" for host in (10, 11, 66))
WILDCARD6 = "udp:[fd00::12]:5060"
RESOLV = "nameserver 127.0.0.1\nsearch corp.test\noptions timeout:1 attempts:2\n"
FAILOVER = ("use_dns_failover=on", "dns_try_ipv6=on", "dns_try_naptr=on")
# The records of a host end between two calls, those of the wildcard do not.
TTL = 3
PAUSE = 4
SECONDS = 20


def _world(scenario, records, names, types=("A", "AAAA"), **more):
    """`names` are those that the wildcard has, below its domain, with addresses of these types."""
    dns = scenario.dns(records, negative_ttl=60)
    for name in names:
        for rtype in types:
            dns.wildcard(f"{name}.corp.test", rtype, {"A": "127.0.0.66", "AAAA": "fd00::12"}[rtype])
    with open(scenario.resolv_conf, "w") as file:
        file.write(RESOLV)
    return scenario.kamailio(FAILOVER, **more)


def _calls(scenario, caller, uri, pause=PAUSE):
    """Where each of the calls of SECONDS arrived."""
    end = time.monotonic() + SECONDS
    places = []
    while time.monotonic() < end:
        before = scenario.observer.mark()
        caller.call(uri)
        places.append(scenario.arrivals("MESSAGE", before))
        time.sleep(pause)
    return places


def carrier(scenario, uri, pause=PAUSE):
    """The A record of a carrier ends again and again while the wildcard's AAAA record lives on."""
    name = "sbc.carrier.test"
    scenario.callees({CARRIER: 200, WILDCARD: 200, WILDCARD6: 200})
    _world(scenario, [f"{name} {TTL} A 127.0.0.10"], [name])
    places = _calls(scenario, scenario.caller(), uri, pause)
    scenario.check("arrivals", places, [[CARRIER]] * len(places))


def failover(scenario, types):
    """The first host of a carrier fails: calls go on to its second one, and to no other."""
    hosts = ["a.carrier.test", "b.carrier.test"]
    records = [
        f"_sip._udp.carrier.test {TTL} SRV 1 0 5060 a.carrier.test",
        f"_sip._udp.carrier.test {TTL} SRV 2 0 5060 b.carrier.test",
        f"a.carrier.test {TTL} A 127.0.0.10",
        f"b.carrier.test {TTL} A 127.0.0.11",
    ]
    callees = scenario.callees({CARRIER: 200, BACKUP: 200, WILDCARD: 200, WILDCARD6: 200})
    _world(scenario, records, [*hosts, "carrier.test"], types, fr_timer=500)
    caller = scenario.caller()
    places = _calls(scenario, caller, "sip:u@carrier.test")
    scenario.check("arrivals before the failure", places, [[CARRIER]] * len(places))
    callees.codes[CARRIER] = [0]
    places = _calls(scenario, caller, "sip:u@carrier.test")
    scenario.check("arrivals after the failure", places, [[CARRIER, BACKUP]] * len(places))


def short_name(scenario):
    """A name without a domain is the host that the search list has, and is that host after its records end."""
    scenario.callees({CARRIER: 200, WILDCARD: 200, WILDCARD6: 200})
    dns = scenario.dns([f"pbx.corp.test {TTL} A 127.0.0.10", "pbx 60 A 127.0.0.66"])
    dns.wildcard("pbx.lab.test", "AAAA", "fd00::12")
    with open(scenario.resolv_conf, "w") as file:
        file.write(RESOLV.replace("corp.test", "corp.test lab.test"))
    scenario.kamailio(FAILOVER)
    places = _calls(scenario, scenario.caller(), "sip:u@pbx:5060")
    scenario.check("arrivals", places, [[CARRIER]] * len(places))


def scenarios():
    uri = "sip:u@sbc.carrier.test"
    return [
        ("search list: a carrier beside a wildcard", lambda scenario: carrier(scenario, uri), ""),
        ("search list: a carrier with a port beside a wildcard", lambda scenario: carrier(scenario, uri + ":5060"), ""),
        ("search list: a carrier in constant use beside a wildcard", lambda scenario: carrier(scenario, uri, 0.5), ""),
        ("search list: a carrier's failover beside a wildcard of IPv4",
         lambda scenario: failover(scenario, ("A",)), ""),
        # The original goes on to the wildcard's host, and stays there for the life of its record.
        ("search list: a carrier's failover beside a wildcard of both families",
         lambda scenario: failover(scenario, ("A", "AAAA")), "the walk of the search list by each family alone"),
        ("search list: a short name", short_name, ""),
    ]
