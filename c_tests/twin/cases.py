"""The cases: every combination that matters, made here, so that none is forgotten.

In a command `@` is the case's own domain, `^` the same in upper case, `~` the domain of somebody else
(see worlds.py).
"""

import itertools


class Case:
    def __init__(self, family, world, commands, options=None, resolver="plain", note=""):
        self.family, self.world, self.note = family, world, note
        # these names are never answered, or so that a resolver goes on waiting
        self.resolver = "hasty" if "_drop" in world or "a_cut" in world else resolver
        self.options = dict(options or {})
        self.commands = [commands] if isinstance(commands, str) else list(commands)
        self.name = None  # c1, c2, ... once all are known

    def domain(self, zone="test"):
        # the search list of resolv.conf is the same for all
        label = "c0" if self.resolver == "search" else self.name
        return f"{label}.{self.world}.{zone}"

    def lines(self):
        yield f"case {self.name}"
        for option, value in self.options.items():
            yield f"option {option} {value}"
        for command in self.commands:
            command = command.replace("@", self.domain()).replace("~", self.domain("far"))
            yield command.replace("^", self.domain().upper())
        yield "end"

    def title(self, number):
        """How a row is named in the table, and what the rules are matched with."""
        options = ",".join(f"{k}={v}" for k, v in self.options.items())
        command, place = self.commands[number - 1], ""
        if len(self.commands) > 1:
            # all before it where these are few, else the first one
            before = self.commands[:number - 1] if number <= 3 else self.commands[:1]
            place = f"#{number} " + (f"({'; '.join(before)}) " if before else "")
        note = f"{self.note}: " if self.note else ""
        return f"{self.family} {self.world} [{options}] {note}{place}{command}"


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
    # what the additional section gave is not asked for again
    for world in [*srv_worlds, *naptr_worlds]:
        yield Case("asked", f"{world}-a_four", ["sip @ 0 0 16", "asked @", "sip @ 0 0 16", "asked @", "rpc dns.view"], ALL_PROTOCOLS)
        yield Case("asked", f"{world}-a_four-noadd", ["sip @ 0 0 16", "asked @", "sip @ 0 0 16", "asked @"], ALL_PROTOCOLS)
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
    for (over_udp, over_tcp, over_tls, over_sctp), (tcp, tls, sctp) in itertools.product(preferences, switches):
        options = {"dns_udp_pref": over_udp, "dns_tcp_pref": over_tcp, "dns_tls_pref": over_tls, "dns_sctp_pref": over_sctp,
                   "tcp_disable": tcp, "tls_disable": tls, "sctp_disable": sctp}
        yield Case("pref", "s_all-a_four", ["protocols 0", "protocols 3", "sip @ 0 0 0"], options)
        if sctp == tls:
            for ignore in (0, 1):
                yield Case("pref", "n_all-a_none", "sip @ 0 0 16", {**options, "dns_naptr_ignore_rfc": ignore})
    yield Case("pref", "n_all-a_none", ["sip @ 0 0 16", "set dns_naptr_ignore_rfc 0", "sip @ 0 0 16",
                                        "set dns_tls_pref -1", "sip @ 0 0 16", "protocols 0"], ALL_PROTOCOLS)


def broken_answers():
    """Servers that fail or answer nonsense, and whether they are asked again."""
    # What was waited for in vain, for 2 s, is remembered for as long.
    again = ["asked @", "{0}", "asked @", "seconds 4", "{0}", "asked @"]
    address = ("servfail", "refused", "cut", "badadd", "badrec", "empty", "wrongowner", "wrongclass", "txt0",
               "many", "toomany", "loop", "lost", "farcname", "drop")
    for variant, command in itertools.product(address, ("ip @ 0", "host @", "sip @ 5080 0 0")):
        commands = [command, *(c.format(command) for c in again), "counters"]
        if variant == "drop":
            commands = commands[:4] + ["counters"]
        yield Case("broken", f"a_{variant}", commands)
    srv = ("servfail", "refused", "cut", "badadd", "badrec", "empty", "wrongowner", "drop", "tailfail", "far")
    for variant, command in itertools.product(srv, ("sip @ 0 0 0", "sip @ 0 1 0", "he @ 0 1", "srv-ip _sip._udp.@ 0")):
        yield Case("broken", f"s_{variant}-a_four", [command, "counters"])
    for variant, command in itertools.product(("servfail", "refused", "cut", "badadd", "badrec", "drop", "far"),
                                              ("sip @ 0 0 16", "he @ 0 0")):
        yield Case("broken", f"n_{variant}-a_four", [command, "counters"], {"dns_try_naptr": 1})
    yield Case("broken", "evil-a_none", ["sip @ 0 0 0", "asked @", "sip victim.~ 5060 0 0", "asked @"])
    for count in (100, 250, 300):
        yield Case("broken", f"flood_{count}-a_four", ["sip @ 0 1 0"])
        yield Case("broken", f"floodaddr_{count}-a_none", ["walk @ 0 1 1"])
        yield Case("broken", f"flood_{count}-a_four", ["he @ 0 1"])
    for count in (200, 255, 300):
        yield Case("broken", f"floodaddr_{count}-a_none", ["ip big.@ 1", "host big.@"])


def aliases():
    for count, command in itertools.product((1, 2, 5, 9, 10, 11, 12, 13), ("ip @ 1", "host @")):
        yield Case("alias", f"hop_{count}", [command, "asked @", command, "asked @"])
    for world in ("a_cname", "a_chain", "a_loop", "a_lost", "s_cname-a_none", "s_alias-a_none", "n_cname-a_none"):
        yield Case("alias", world, ["sip @ 0 0 16", "asked @", "sip @ 0 0 16", "asked @", "host @", "rpc dns.view"])


def names():
    """Names as people write them."""
    for name in ("@.", "UPPER.@", "_x.@", "a..@", ".@", "-.@", "a*b.@", "a/b.@", "a$b.@", '""', ".", "x" * 64 + ".@",
                 "y" * 63 + ".@", (("z" * 60 + ".") * 4) + "example"):
        for command in ("host {}", "ip {} 0", "sip {} 5060 0 0", "record {} 1 0"):
            yield Case("name", "a_both", [command.format(name), "asked @", "counters"])
    for first, second in (("host @", "ip ^ 0"), ("ip ^ 0", "host @"), ("host ^", "get-he @ 0")):
        yield Case("name", "a_both", [first, "asked @", second, "asked @", "rpc dns.view"])
    for flags in (0, 1, 2, 4):
        for literal in ("10.9.9.9", "fd09::9", "[fd09::9]"):
            for port, proto in ((0, 0), (0, 3), (5080, 0), ("-", "-")):
                yield Case("name", "a_none", [f"sip {literal} {port} {proto} {flags}"])
            yield Case("name", "a_none", [f"get-he {literal} {flags}", f"ip {literal} {flags}"])
    for literal in ("10.9.9.9", "fd09::9", "[fd09::9]"):
        for naptr, port, proto in itertools.product((0, 1), (0, 5080), (0, 3)):
            yield Case("name", "a_none", [f"he {literal} {port} {proto}", f"su {literal} {port} {proto}",
                                          f"host {literal}"], {"dns_try_naptr": naptr})


LITERALS = """1.2.3.4 1.2.3 1.2.3. .1.2.3 1..2.3 ... 1.2.3.4. .... 1.2.3.4.5 300.1.1.1 256.256.256.256 1.2.3.999999
01.02.03.04 1.2.3.4a a.b.c.d 0x1.2.3.4 [1.2.3.4] 1 "" :: ::1 1:: [::1] 2001:DB8::A [::1 ::1] [ ] [] : ::: 1::2::3
1:2:3:4:5:6:7:8 1:2:3:4:5:6:7:: ::2:3:4:5:6:7:8 1::3:4:5:6:7:8 1:2:3:4:5:6::8 1:2:3:4:5:6:: 1:2:3:4:5:6:7:
:2:3:4:5:6:7:8 1:2:3:4:5:6:7:8:9 1:2:3:4:5:6:7 12345:: ::ffff:1.2.3.4 ::ffff:0102:0304 fe80::1%eth0 g::1
255.255.255.255 0.0.0.0 1.2.3.-4 ::1.2.3.4 fd00:0:0:0:0:0:0:1""".split()


def literals():
    for text in LITERALS:
        yield Case("literal", "a_none", f"literal {text}")


def record_lists():
    """What modules get."""
    for world, name, rtype in (
            ("a_both", "@", 1), ("a_both", "@", 28), ("a_four", "@", 28), ("a_none", "@", 1), ("a_cname", "@", 1),
            ("a_chain", "@", 1), ("a_cname", "@", 5), ("s_prio-a_none", "_sip._udp.@", 33),
            ("s_weight-a_none", "_sip._udp.@", 33), ("s_root-a_none", "_sip._udp.@", 33),
            ("s_cname-a_none", "_sip._udp.@", 33), ("n_all-a_none", "@", 35), ("n_odd-a_none", "@", 35),
            ("n_pref-a_none", "@", 35), ("types", "txt.@", 16), ("types", "ptr.@", 12), ("types", "ebl.@", 65300),
            ("types", "mixed.@", 1), ("types", "nothing.@", 1), ("a_servfail", "@", 1), ("a_badrec", "@", 1),
            ("a_cut", "@", 1), ("a_badadd", "@", 1), ("a_txt0", "@", 1), ("a_wrongowner", "@", 1), ("a_many", "@", 1),
            ("a_toomany", "@", 1), ("a_wrongclass", "@", 1), ("a_empty", "@", 1), ("flood_300", "_sip._udp.@", 33)):
        for flags in (0, 1, 2, 3):
            yield Case("record", world, [f"record {name} {rtype} {flags}", "counters", "asked @"])
    for name, flags in itertools.product(("short", "ali", "nothing", "_sip._udp.short"), (0, 1)):
        for rtype in (1, 33, 35):
            for full, use in ((0, 1), (1, 1), (1, 0)):
                yield Case("search", "search", ["forget c0.search", f"record {name} {rtype} {flags}", "asked c0.search"],
                           {"dns_search_full_match": full, "dns_use_search_list": use}, resolver="search")
    for command in ("host short", "ip short 0", "sip short 0 0 0", "sip short 0 0 16", "sip short 5080 0 0", "he short 0 0",
                    "host ali", "host nothing", "host short.", "ip SHORT 0"):
        for full, use in ((0, 1), (1, 1), (1, 0)):
            yield Case("search", "search", ["forget c0.search", command, "asked c0.search", command, "asked c0.search", "rpc dns.view"],
                       {"dns_search_full_match": full, "dns_use_search_list": use}, resolver="search", note=command)


def switches():
    """Options that change the whole."""
    worlds = ("a_both", "a_six", "s_all-a_four", "n_all-a_four", "a_none")
    commands = ["host @", "he @ 0 0", "he @ 5080 1", "su @ 0 0", "asked @", "host @", "asked @", "rpc dns.view"]
    for world, naptr, options in itertools.product(worlds, (0, 1), (
            {"use_dns_cache": 0}, {"dns_cache_init": 0}, {"dns_cache_mem": 0}, {"dns_try_ipv6": 0},
            {"use_dns_cache": 0, "dns_try_ipv6": 0}, {"dns_cache_negative_ttl": 0}, {"dns_cache_flags": 2})):
        yield Case("switch", world, commands, {**options, "dns_try_naptr": naptr})
    for world in ("a_both", "a_none", "n_all-a_none"):
        for naptr in (0, 1):
            yield Case("switch", world, ["sip @ 0 0 g", "sip @ 5060 0 g", "get use_dns_cache", "get use_dns_failover"],
                       {"dns_cache_init": 0, "use_dns_failover": 1, "dns_try_naptr": naptr})
    yield Case("switch", "a_four", ["get use_dns_failover"], {"use_dns_cache": 0, "use_dns_failover": 1})
    yield Case("switch", "a_both", ["get dns_flags", "set dns_try_ipv6 0", "get dns_flags", "sip @ 0 0 g", "host @",
                                    "set dns_try_ipv6 1", "get dns_flags", "host @", "sip @ 0 0 g",
                                    "set dns_cache_flags 2", "get dns_flags", "sip @ 0 0 g", "host @",
                                    "set dns_cache_flags 4", "get dns_flags", "sip @ 0 0 g", "host @",
                                    "set dns_cache_flags 5", "get dns_flags", "set dns_srv_lb 1", "get dns_flags",
                                    "set dns_try_naptr 1", "get dns_flags", "set dns_cache_flags 1", "get dns_flags"])
    for flags, ipv6 in itertools.product(range(8), (0, 1)):
        yield Case("switch", "a_both", ["get dns_flags", "host @", "sip @ 0 0 g"],
                   {"dns_cache_flags": flags, "dns_try_ipv6": ipv6})
    yield Case("switch", "a_both", ["set dns_try_ipv6 1", "set use_dns_cache 0", "get use_dns_cache", "host @", "asked @",
                                    "host @", "asked @", "rpc dns.view", "set use_dns_cache 1", "host @", "asked @",
                                    "host @", "asked @"], {"socket_types": 1})
    yield Case("switch", "a_four", ["set use_dns_failover 1", "set use_dns_cache 0", "get use_dns_cache",
                                    "set use_dns_failover 0", "set use_dns_cache 0", "get use_dns_cache",
                                    "set use_dns_failover 1", "get use_dns_failover"])
    yield Case("switch", "a_four", ["set use_dns_cache 1", "get use_dns_cache", "set use_dns_failover 1"],
               {"dns_cache_init": 0})
    yield Case("switch", "a_four", ["set dns_reinit 1", "get dns_reinit", "set dns_cache_mem 1000", "get dns_cache_mem",
                                    "set dns_cache_rec_pref 4", "set dns_cache_rec_pref 3", "set dns_srv_lb 2",
                                    "set dns_retr_time 1", "set dns_retr_no 1", "set dns_servers_no 1", "host @",
                                    "set dns_use_search_list 0", "set dns_use_search_list 1", "host @"])
    for code in range(-16, 2):
        yield Case("switch", "a_none", f"error {code}")


def lifetimes():
    """TTLs, their limits, expiry: the clock moves between the commands."""
    for ttl, low, high in itertools.product((0, 1, 60, 300), (0, 100), (4294967295, 200, 50)):
        options = {"dns_cache_min_ttl": low, "dns_cache_max_ttl": high}
        yield Case("ttl", f"a_four-ttl_{ttl}", ["ip @ 1", "rpc dns.view", "asked @", "seconds 49", "ip @ 1", "asked @",
                                                "seconds 2", "ip @ 1", "asked @", "seconds 50", "ip @ 1", "asked @",
                                                "seconds 100", "ip @ 1", "asked @"], options)
    for ttl in (134217727, 134217728, 268435456, 268439056, 2147483647, 2147483648, 4294967295):
        yield Case("ttl", f"a_four-ttl_{ttl}", ["ip @ 1", "asked @", "ip @ 1", "asked @", "seconds 3700", "ip @ 1",
                                                "asked @", "record @ 1 1"])
    for negative, soa in itertools.product((0, 10, 60, 100), (5, 300)):
        for world, command in (("a_none", "ip @ 0"), ("a_none", "host @"), ("a_four", "ip nothing.@ 1"),
                               ("a_four", "sip nothing.@ 0 1 1")):
            yield Case("ttl", f"{world}-soa_{soa}", [command, "asked @", command, "asked @", "seconds 6", command, "asked @",
                                                     "seconds 50", command, "asked @", "rpc dns.view"],
                       {"dns_cache_negative_ttl": negative})
    yield Case("ttl", "a_four-ttl_60", ["local-ttl 500", "ip @ 1", "local-ttl 0", "rpc dns.view", "seconds 400", "asked @",
                                        "ip @ 1", "asked @", "seconds 101", "ip @ 1", "asked @", "seconds 61", "ip @ 1",
                                        "asked @"])
    for flags, ttl in itertools.product((0, 8), (0, 1)):
        yield Case("ttl", f"s_udp-a_none-ttl_{ttl}", [f"sip @ 0 1 {flags}", "he @ 0 1", "asked @", "he @ 0 1", "asked @"])
    # records of different TTLs, from DNS and from the operator
    walk = ["h-init 0 0", "h-resolve 0 @ 5060 0 1", "h-next 0", "h-resolve 0 @ 5060 0 1", "h-next 0",
            "h-resolve 0 @ 5060 0 1", "h-next 0", "h-resolve 0 @ 5060 0 1", "h-put 0"]
    for pause, place in itertools.product((5, 12, 22, 32), (2, 3, 5)):
        yield Case("mixed", "mixed", walk[:place] + [f"seconds {pause}"] + walk[place:] + ["host @", "rpc dns.view"])
    add = ["rpc dns.add_a m.~ 10 10.3.0.1 0", "rpc dns.add_a m.~ 20 10.3.0.2 0", "rpc dns.add_a m.~ 30 10.3.0.3 0"]
    for pause, place in itertools.product((5, 12, 22, 32), (2, 3, 5)):
        steps = walk[:place] + [f"seconds {pause}"] + walk[place:]
        yield Case("mixed", "a_none", [*add, *(s.replace("@", "m.~") for s in steps), "get-he m.~ 1", "rpc dns.view"],
                   note=f"{pause} s before step {place}")
    srv = [w.replace("5060", "0").replace(" 0 1", " 1 1") for w in walk]
    for pause, place in itertools.product((5, 12, 32), (2, 3, 5)):
        yield Case("mixed", "mixedsrv", srv[:place] + [f"seconds {pause}"] + srv[place:] + ["rpc dns.view"],
                   note=f"{pause} s before step {place}")
    # the entries go while a call is in progress
    # around the wrap of the tick counter
    for steps in (["ip @ 1", "seconds 3", "ip @ 1", "asked @", "seconds 300", "ip @ 1", "asked @"],
                  [*add, "get-he m.~ 1", "seconds 12", "get-he m.~ 1", "rpc dns.view"]):
        for start in (-32, -800, -4800, 2147483600):
            yield Case("wrap", "a_four", steps, {"ticks_start": start})
    for away in ("rpc dns.delete_all", "flush 1", "rpc dns.delete_a @", "seconds 400", "rpc dns.add_a @ 60 10.9.0.1 0"):
        yield Case("mixed", "a_four", walk[:2] + [away] + walk[2:] + ["rpc dns.view", "asked @"], note=away)
    for away in ("rpc dns.delete_all", "flush 1", "rpc dns.delete_srv _sip._udp.@", "seconds 400"):
        yield Case("mixed", "s_prio-a_four", srv[:2] + [away] + srv[2:] + ["rpc dns.view"], note=away)
        naptr = [w.replace("5060 0 1", "0 0 17") for w in walk]
        yield Case("mixed", "n_all-a_four", naptr[:2] + [away] + naptr[2:], note=away)
    # a copy goes its own way
    yield Case("mixed", "s_prio-a_four", ["h-init 0 0", "h-resolve 0 @ 0 0 1", "h-next 0", "h-copy 0 1", "h-resolve 0 @ 0 0 1",
                                          "h-resolve 1 @ 0 0 1", "rpc dns.view", "h-next 1", "h-put 0", "h-resolve 1 @ 0 0 1",
                                          "h-put 1", "rpc dns.view"])
    # the next hop's name is not what the caller passes later
    yield Case("mixed", "n_two-a_four", ["h-init 0 0", "h-resolve 0 @ 0 0 17", "h-next 0", "h-resolve 0 far.~ 0 0 17",
                                         "h-next 0", "h-resolve 0 far.~ 0 0 17", "h-put 0"])


def held_and_expired():
    """A failover that takes its time: sets expire while they are in use, each kind at its own time."""
    step = ["h-next 0", "h-resolve 0 @ {port} 0 {flags}"]
    for world, port, flags in (("n_two", 0, 16), ("n_all", 0, 17), ("s_prio", 0, 0), ("s_part", 0, 1), ("a_both", 5060, 0),
                               ("a_four", 5060, 1), ("s_all", 0, 20)):
        options = ALL_PROTOCOLS if world == "n_all" else {}
        walk = ["h-init 0 0", f"h-resolve 0 @ {port} 0 {flags}"]
        walk += [command.format(port=port, flags=flags) for command in step * 4]
        for naptr, srv, other in itertools.product((10, 300), repeat=3):
            if (naptr == 10 and not world.startswith("n_")) or (srv == 10 and world.startswith("a_")):
                continue
            for pause, place in itertools.product((5, 15), (2, 4, 6)):
                commands = walk[:place] + [f"seconds {pause}"] + walk[place:] + ["h-put 0", "asked @", f"ip @ {flags & 7}"]
                yield Case("held", f"{world}-ttls_{naptr}_{srv}_{other}", commands, options,
                           note=f"{pause} s before step {place}")
    # all of it is over before the next step
    for world, port, flags in (("n_two", 0, 16), ("s_prio", 0, 0), ("a_both", 5060, 0)):
        for place in (2, 4, 6, 8):
            walk = ["h-init 0 0", f"h-resolve 0 @ {port} 0 {flags}"]
            walk += [command.format(port=port, flags=flags) for command in step * 4]
            yield Case("held", world, walk[:place] + ["seconds 1000"] + walk[place:] + ["h-put 0", "rpc dns.view"],
                       note=f"1000 s before step {place}")
    # records of one priority each: balancing has no choice
    for world, flags in itertools.product(("s_prio", "s_part", "s_literal", "s_dead", "s_udp"), (8, 9, 10, 12)):
        yield Case("held", f"{world}-a_four", f"sip @ 0 1 {flags}")


def operator():
    """RPC: replies, faults, and what they change."""
    adds = ["dns.add_a p.~ 100 10.1.1.1 0", "dns.add_a p.~ 200 10.1.1.2 0", "dns.add_a p.~ 100 10.1.1.1 2",
            "dns.add_aaaa p.~ 100 fd01::9 0", "dns.add_a p.~ 50 10.1.1.1 1", "dns.add_a p.~ 50 10.1.1.1 3",
            "dns.add_srv p.~ 100 10 10 5060 t.~ 0", "dns.add_srv p.~ 100 5 10 5061 t.~ 0",
            "dns.add_srv p.~ 100 10 20 5062 u.~ 0", "dns.add_srv p.~ 100 10 10 5060 t.~ 2", "dns.add_a p.~ 0 10.1.1.3 0",
            "dns.add_a p.~ -5 10.1.1.3 0", "dns.add_a p.~ 100 nonsense 0", "dns.add_a p.~ 100 fd01::9 0",
            "dns.add_aaaa p.~ 100 10.1.1.1 0", "dns.add_a P.~ 100 10.1.1.4 0", "dns.add_a p.~ 100 300.1.1.1 0"]
    for one in adds:
        yield Case("rpc", "a_none", [f"rpc {one}", "rpc dns.view"])
    for one, two in itertools.product(adds[:-1], adds[:-1]):
        yield Case("rpc", "a_none", [f"rpc {one}", f"rpc {two}", "rpc dns.view"])
    full = ["rpc dns.add_a p.~ 100 10.1.1.1 0", "rpc dns.add_a q.~ 100 10.1.1.2 2", "rpc dns.add_aaaa p.~ 100 fd01::9 0",
            "rpc dns.add_srv p.~ 100 10 10 5060 t.~ 0", "rpc dns.add_a n.~ 100 x 1"]
    for away in ("dns.delete_a p.~", "dns.delete_aaaa p.~", "dns.delete_srv p.~", "dns.delete_a q.~", "dns.delete_a n.~",
                 "dns.delete_naptr p.~", "dns.delete_cname p.~", "dns.delete_txt p.~", "dns.delete_ebl p.~",
                 "dns.delete_ptr p.~", "dns.delete_a nothing.~", "dns.delete_all", "dns.delete_all_force",
                 "dns.delete_a P.~", "dns.delete_a", "dns.add_a p.~ 100", "dns.lookup", "dns.lookup A"):
        yield Case("rpc", "a_none", [*full, f"rpc {away}", "rpc dns.view", f"rpc {away}"])
        yield Case("rpc", "a_none", [*full, "seconds 150", f"rpc {away}", "rpc dns.view"])
    worlds = ("a_both", "a_cname", "s_prio-a_none", "n_all-a_none", "types", "a_none", "a_servfail")
    types = ("A", "a", "T_A", "AAAA", "SRV", "NAPTR", "CNAME", "TXT", "PTR", "EBL", "MX", "t_naptr")
    for world, rtype in itertools.product(worlds, types):
        name = {"SRV": "_sip._udp.@", "TXT": "txt.@", "PTR": "ptr.@", "EBL": "ebl.@"}.get(rtype, "@")
        yield Case("rpc", world, [f"rpc dns.lookup {rtype} {name}", f"rpc dns.lookup {rtype} {name}", "rpc dns.view"])
    for command in ("dns.mem_info", "dns.debug", "dns.debug_all", "dns.view", "dns.lookup A @", "dns.delete_all",
                    "dns.delete_all_force", "dns.add_a x.~ 60 10.1.1.1 0", "dns.delete_a @"):
        for options in ({"use_dns_cache": 0}, {"dns_cache_init": 0}, {}):
            yield Case("rpc", "a_four", ["host @", f"rpc {command}"], options)
    yield Case("rpc", "n_all-a_both", ["sip @ 0 0 16", "rpc dns.debug", "rpc dns.debug_all", "rpc dns.view"])
    # through an alias
    for command in ("dns.delete_a @", "dns.add_a @ 60 10.1.1.1 0", "dns.add_a @ 60 10.1.1.1 2", "dns.delete_cname @"):
        yield Case("rpc", "a_cname", ["ip @ 0", f"rpc {command}", "rpc dns.view", "ip @ 1", "get-he real.@ 1"], note=command)
    # records of DNS and of the operator
    for pref, flags, ttl in itertools.product((0, 1, 2, 3), (0, 2, 1, 3), (50, 5000)):
        yield Case("recpref", "s_udp-a_none", [f"rpc dns.add_a u.@ {ttl} 10.9.9.9 {flags}", "sip @ 0 1 1",
                                               "ip u.@ 1", "get-he u.@ 1", "rpc dns.view"], {"dns_cache_rec_pref": pref})
    for flags in (0, 1, 2, 3):
        yield Case("remove", "a_none", [*full, "add 1 p.~ 100 10.1.1.9 0 0 0 0", f"remove 1 p.~ 10.1.1.1 {flags}",
                                        f"remove 1 p.~ 10.1.1.7 {flags}", f"remove 1 q.~ 10.1.1.2 {flags}",
                                        f"remove 33 p.~ t.~ {flags}", f"remove 1 n.~ x {flags}", "rpc dns.view",
                                        f"remove 1 p.~ 10.1.1.9 {flags}", "rpc dns.view"])
    for rtype in (1, 28, 33, 35, 5, 16, 12, 0):
        yield Case("remove", "a_none", [f"add {rtype} p.~ 100 10.1.1.1 1 1 1 0", f"add {rtype} p.~ 100 fd00::1 1 1 1 0",
                                        f"add {rtype} n.~ 100 - 1 1 1 3", f"add {rtype} \"\" 100 10.1.1.1 1 1 1 0", "rpc dns.view"])
    # nothing is cached where there is no room
    for mem, drop in itertools.product((0, 500), (0, 1)):
        yield Case("rpc", "a_four", ["ip @ 1", "asked @", "ip @ 1", "asked @", "rpc dns.add_a p.~ 100 10.1.1.1 0",
                                     "rpc dns.add_a q.~ 100 10.1.1.1 2"],
                   {"dns_cache_mem": mem, "dns_cache_del_nonexp": drop})


def life_cycle():
    """Before there is a cache, after it is gone, started twice."""
    early = ["host @", "he @ 0 1", "he @ 5080 1", "su @ 0 1", "sip @ 0 1 0", "sip @ 5080 0 0", "record @ 1 1", "host 10.9.9.9",
             "sip 10.9.9.9 0 0 0", "counters"]
    worlds = ("a_four", "a_six", "a_none", "s_udp-a_none", "s_prio-a_four")
    for world, command in itertools.product(worlds, early):
        yield Case("early", world, [f"early {command}", "asked @", command, "asked @"])
    for world in ("a_four", "n_all-a_four"):
        for command in ("he @ 0 0", "su @ 0 0", "sip @ 0 0 0"):
            yield Case("early", world, [f"early {command}", command], {"dns_try_naptr": 1})
    yield Case("early", "a_four", ["resolv-init", "ip nothing.@ 1", "counters", "host @"])
    for command in ("host @", "sip 10.9.9.9 0 0 0", "get dns_flags"):
        yield Case("early", "a_four", ["host @", "destroy", command])
    # A limit that a busy machine may exceed only where the server is slow on purpose.
    for limit, world in ((0, "a_slow"), (50, "a_slow"), (5000, "a_slow"), (0, "a_four"), (5000, "a_four")):
        yield Case("slow", world, ["ip @ 1", "counters", "ip @ 1", "counters", "set dns_slow_query_ms 0", "flush 1", "ip @ 1",
                                   "counters"], {"dns_slow_query_ms": limit})


def past_the_cache():
    """The resolvers that ask without the cache."""
    worlds = ["a_four", "a_six", "a_both", "a_none", "s_udp-a_four", "s_tcp-a_four", "s_all-a_none", "s_dead-a_four",
              "s_root-a_four", "s_prio-a_none", "n_udp-a_four", "n_tcp-a_four", "n_all-a_none", "n_dead-a_four", "n_odd-a_four"]
    for world, port, proto, naptr in itertools.product(worlds, (0, 5080), (0, 1, 3), (0, 1)):
        yield Case("raw", world, f"raw-he @ {port} {proto}", {"dns_try_naptr": naptr})
    yield Case("raw", "a_four", ["raw-he @ 5080 1", "rpc dns.view"])


def all_cases():
    families = [targets, hostents, protocol_options, broken_answers, aliases, names, literals, record_lists, switches,
                lifetimes, held_and_expired, operator, life_cycle, past_the_cache]
    found = [case for family in families for case in family()]
    for number, case in enumerate(found, 1):
        case.name = f"c{number}"
    return found
