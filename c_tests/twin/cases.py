"""The cases: every combination that matters, made here, so that none is forgotten.

In a command `@` is the case's own domain, `%` the one of somebody else (see worlds.py).
"""

import itertools


class Case:
    def __init__(self, family, world, commands, options=None, resolver="plain"):
        self.family, self.world, self.resolver = family, world, resolver
        self.options = dict(options or {})
        self.commands = [commands] if isinstance(commands, str) else list(commands)
        self.name = None  # c1, c2, ... once all are known

    def domain(self, zone="test"):
        return f"{self.name}.{self.world}.{zone}"

    def lines(self):
        yield f"case {self.name}"
        for option, value in self.options.items():
            yield f"option {option} {value}"
        for command in self.commands:
            yield command.replace("@", self.domain()).replace("%", self.domain("far"))
        yield "end"

    def title(self, number):
        """How a row is named in the table, and what the rules are matched with."""
        options = ",".join(f"{k}={v}" for k, v in self.options.items())
        place = f"#{number} " if len(self.commands) > 1 else ""
        return f"{self.family} {self.world} [{options}] {place}{self.commands[number - 1]}"


ALL_PROTOCOLS = {"tls_disable": 0, "sctp_disable": 0}
PORTS = (0, 5080)
PROTOCOLS = (0, 1, 2, 3, 4, 5)
NAPTR_FLAG = 16


def targets():
    """The whole way from a URI to targets: both ways to ask, over port, transport, flags and zones."""
    srv_worlds = ["s_udp", "s_tcp", "s_all", "s_prio", "s_dead", "s_deadtcp", "s_root", "s_roottcp",
                  "s_part", "s_literal", "s_weight", "s_alias", "s_cname"]
    plain = ["a_four", "a_six", "a_both", "a_none", "a_cname", "a_chain"]
    worlds = plain + [f"{s}-a_{a}" for s in srv_worlds for a in ("four", "none")]
    for world, port, proto, flags in itertools.product(worlds, PORTS, (0, 1, 2, 3), (0, 1, 2, 4)):
        # where no SRV record is asked for, SRV makes no difference
        if port and world.startswith("s_") and (proto > 1 or flags > 1):
            continue
        yield Case("sip", world, f"sip @ {port} {proto} {flags}")
    for world in ("a_both", "s_all-a_four"):
        for port, proto in itertools.product(("-", 0, 5080), ("-", 0, 4, 5, 6)):
            yield Case("sip", world, f"sip @ {port} {proto} 0", ALL_PROTOCOLS)

    naptr_worlds = ["n_udp", "n_tcp", "n_tls", "n_sctp", "n_all", "n_two", "n_dead", "n_deadtwo", "n_pref",
                    "n_case", "n_odd", "n_cname"]
    worlds = [f"{n}-a_four" for n in naptr_worlds] + ["n_all-a_none", "n_odd-s_udp-a_none", "n_dead-a_none",
                                                       "n_dead-s_tcp-a_four", "s_all-a_four", "a_four"]
    for world, port, proto, naptr in itertools.product(worlds, PORTS, (0, 1, 3), (0, NAPTR_FLAG)):
        yield Case("sip", world, [f"sip @ {port} {proto} {naptr}"], ALL_PROTOCOLS)
    for world, families, naptr in itertools.product(worlds, (0, 1, 2, 4), (0, NAPTR_FLAG)):
        if naptr or world not in ("s_all-a_four", "a_four"):
            yield Case("sip", world, [f"sip @ 0 0 {naptr + families}"])


def hostents():
    """The way without failover: one hostent."""
    worlds = ["a_four", "a_six", "a_both", "a_none", "a_cname", "a_chain", "a_twelve", "s_udp-a_four",
              "s_tcp-a_four", "s_all-a_none", "s_dead-a_four", "s_deadtcp-a_four", "s_root-a_four", "s_prio-a_none",
              "s_weight-a_none", "s_literal-a_none"]
    for world, port, proto in itertools.product(worlds, (0, 5080), (0, 1, 2, 3, 4, 5, 7)):
        yield Case("he", world, f"he @ {port} {proto}", ALL_PROTOCOLS)
    for world in ("a_both", "s_all-a_four"):
        for port, proto in (("-", 0), (0, "-"), ("-", "-")):
            yield Case("he", world, f"he @ {port} {proto}")
    for world, families in itertools.product(("a_both", "a_four", "a_six", "s_prio-a_both"), (0, 1, 2, 4)):
        yield Case("he", world, ["host @", "he @ 0 1", "su @ 0 1"], {"dns_cache_flags": families})
    worlds = ["n_udp-a_four", "n_tcp-a_four", "n_tls-a_four", "n_all-a_none", "n_dead-a_four", "n_odd-a_four",
              "n_pref-a_none", "s_all-a_four", "s_udp-a_four", "s_tcp-a_four", "a_four", "a_none"]
    for world, port, proto in itertools.product(worlds, PORTS, (0, 1, 3, 5)):
        yield Case("he", world, f"he @ {port} {proto}", {"dns_try_naptr": 1})
    for world, port, proto in itertools.product(worlds, PORTS, (0, 1)):
        yield Case("su", world, f"su @ {port} {proto}", {"dns_try_naptr": 1, **ALL_PROTOCOLS})
        yield Case("su", world, f"su @ {port} {proto}")


def protocol_options():
    """What the preferences and the switched-off transports do."""
    preferences = [(30, 20, 10, 20), (5, 20, 20, 1), (0, 0, 0, 0), (10, 10, 10, 10), (-1, 20, 10, 5),
                   (30, -1, 10, 20), (30, 20, -1, 5), (1, 2, 3, 4), (10, 20, 100, 20), (-1, -1, 10, -1)]
    switches = [(0, 1, 1), (0, 0, 0), (0, 0, 1), (1, 1, 1), (1, 1, 0)]
    for (u, t, l, k), (tcp, tls, sctp) in itertools.product(preferences, switches):
        options = {"dns_udp_pref": u, "dns_tcp_pref": t, "dns_tls_pref": l, "dns_sctp_pref": k,
                   "tcp_disable": tcp, "tls_disable": tls, "sctp_disable": sctp}
        yield Case("pref", "s_all-a_four", ["protocols 0", "protocols 3", "sip @ 0 0 0"], options)
        if sctp == tls:
            for ignore in (0, 1):
                yield Case("pref", "n_all-a_none", "sip @ 0 0 16", {**options, "dns_naptr_ignore_rfc": ignore})
    yield Case("pref", "n_all-a_none", ["sip @ 0 0 16", "set dns_naptr_ignore_rfc 0", "sip @ 0 0 16",
                                        "set dns_tls_pref -1", "sip @ 0 0 16", "protocols 0"], ALL_PROTOCOLS)


def all_cases():
    families = [targets, hostents, protocol_options]
    found = [case for family in families for case in family()]
    for number, case in enumerate(found, 1):
        case.name = f"c{number}"
    return found
