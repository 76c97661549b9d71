"""Every DNS option of Kamailio, set in kamailio.cfg and changed at run time, shows its effect.

Each row is observed without and with the option: the two must differ, so no row can pass without the
option at work.
"""

import dataclasses
import time

import pretend
from bed.kamailio import RpcFault
from bed.wait import wait_for

PLACES = {f"udp:127.0.0.{host}:5060": 200 for host in (10, 11, 12)}
PLACES |= {"tcp:127.0.0.11:5060": 200, "udp:127.0.0.20:5060": 503, "udp:[fd00::10]:5060": 200}

# Options whose value at start the framework does not let through while running.
NOT_AT_RUN_TIME = "not at run time"
NOT_IN_FILE = "not in the file"


class Bench:
    """A running server, its name server, and ways to look at them."""

    def __init__(self, scenario, server, dns, caller, row):
        self.scenario = scenario
        self.server = server
        self.dns = dns
        self.caller = caller
        self.row = row

    def code(self, uri="sip:u@h.test"):
        return self.caller.call(uri)

    def arrival(self, uri="sip:u@h.test"):
        """Where a request arrives first, or its final code if nowhere."""
        before = self.scenario.observer.mark()
        code = self.caller.call(uri)
        arrivals = self.scenario.arrivals("MESSAGE", before)
        return arrivals[0] if arrivals else code

    def expires(self, rtype, name):
        """Seconds an entry has left, None if there is none."""
        entry = self.server.entries().get((rtype, name))
        return entry["expires"] if entry else None


@dataclasses.dataclass
class Row:
    """`observe(bench)` gives `default` without the option and `effect` with `value`.

    `name` is the framework's name and, if `keyword` is empty, that of the file. `base` are further lines of
    the file, `only` excludes one of the two ways.
    """

    name: str
    value: int
    records: list
    observe: object
    default: object
    effect: object
    base: tuple = ()
    initial: int = 0
    keyword: str = ""
    only: str = ""
    resolv_conf: str = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"
    rules: dict = dataclasses.field(default_factory=dict)
    servers: tuple = ("127.0.0.1",)
    prepare: object = None
    environment: object = None
    suites: tuple = ("bookworm", "trixie")
    note: str = ""
    # The C original does it otherwise.
    defect: str = ""

    @property
    def title(self):
        return f"{self.keyword or self.name}={self.value}" + (f" ({self.note})" if self.note else "")


# --- what is looked at


def code(bench):
    return bench.code()


def arrival(bench):
    return bench.arrival()


def asks_again(bench):
    """Does the second call ask the name server?"""
    bench.code()
    before = bench.scenario.observer.mark()
    bench.code()
    return bool(bench.scenario.observer.asked(before))


def first_srv(bench):
    """Service that is asked for first."""
    before = bench.scenario.observer.mark()
    bench.code()
    return [name for rtype, name in bench.scenario.observer.asked(before) if rtype == "SRV"][0]


def resends(bench):
    """Packets that the library sent again, which are no attempts; the C original sends none."""
    try:
        return bench.server.rpc("dns.stats")["resends"]
    except RpcFault:
        return 0


def times_asked(bench):
    """How often a name server that does not answer is asked for an address."""
    name, before = f"h{time.monotonic_ns()}.test", resends(bench)
    bench.code(f"sip:u@{name}:5060")
    types = [rtype for question, rtype in bench.dns.questions() if question == name]
    return (len(types) - (resends(bench) - before)) / len(set(types))


def waits_long(bench):
    """Is a name that nobody answers for waited for as long as two attempts of two seconds take?"""
    start = time.monotonic()
    bench.code(f"sip:u@h{time.monotonic_ns()}.test:5060")
    return time.monotonic() - start >= 3.9


def servers_asked(bench):
    name = f"h{time.monotonic_ns()}.test"
    bench.code(f"sip:u@{name}:5060")
    return sorted({server for server, asked, _, _ in bench.dns.asked if asked == name})


def short_name(bench):
    return bench.code("sip:u@h:5060")


def targets_of_many_calls(bench):
    """Number of first targets that forty calls have."""
    return len({bench.arrival() for _ in range(40)})


def negative_expires(bench):
    bench.code("sip:u@none.test:5060")
    left = bench.expires("A", "none.test")
    return "none" if left is None else "long" if left > 10 else "short"


def positive_expires(bench):
    bench.code("sip:u@h.test:5060")
    left = bench.expires("A", "h.test")
    return "none" if left is None else "long" if left > 10 else "short"


def memory_limit(bench):
    return bench.server.rpc("dns.mem_info")["limit"]


def accepts_more(bench):
    """Fills the cache with records that do not expire; is there room for the last one?"""
    try:
        for number in range(2000):
            bench.server.rpc("dns.add_a", f"name-{number}.test", 600, "127.0.0.10", 0)
    except RpcFault:
        return False
    return True


def cache_there(bench):
    bench.code()
    try:
        bench.server.rpc("dns.view")
    except RpcFault as fault:
        return str(fault)
    return "there"


def slow_counted(bench):
    def count():
        return int(bench.server.rpc("cnt.get", "dns", "slow_dns_request"))

    before = count()
    bench.code(f"sip:u@h{time.monotonic_ns()}.test:5060")
    return count() > before


def collected(bench):
    """Does an expired entry go although nobody asks for it?"""
    bench.server.rpc("dns.lookup", "A", "brief.test")

    def gone():
        entries = bench.server.rpc("dns.debug")["entries"]
        return not any((entry["name"], entry["type"]) == ("brief.test", 1) for entry in entries)

    try:
        return wait_for("the collection", gone, 4)
    except TimeoutError:
        return False


def kept_address(bench):
    """Which address is kept when an alias's answer brings another than the one that is there."""
    bench.server.rpc("dns.add_a", "real.h.test", 40, "127.0.0.13", 0)
    bench.server.rpc("dns.lookup", "A", "h.test")
    records = bench.server.rpc("dns.lookup", "A", "real.h.test")["records"]
    return [record["rr_ip"] for record in records]


def server_in_use(bench):
    """Which server is asked after the file was changed and the resolver told so."""
    with open(bench.scenario.resolv_conf, "w") as file:
        file.write("nameserver 127.0.0.2\n")
    bench.server.kamcmd("cfg.seti", "core", "dns_reinit", 1)
    return servers_asked(bench)


# --- the table

NAPTR = [
    'h.test NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.via.test',
    'h.test NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.via.test',
    "_sip._udp.via.test SRV 1 0 5060 u.via.test",
    "_sip._tcp.via.test SRV 1 0 5060 t.via.test",
    "u.via.test A 127.0.0.10",
    "t.via.test A 127.0.0.11",
    "h.test A 127.0.0.12",
]
UDP10, UDP12, TCP11 = "udp:127.0.0.10:5060", "udp:127.0.0.12:5060", "tcp:127.0.0.11:5060"
ADDRESS = ["h.test A 127.0.0.10"]
ADDRESS6 = ["h.test AAAA fd00::10"]
BOTH = ADDRESS + ADDRESS6
ALIAS = ["h.test CNAME real.h.test", "real.h.test A 127.0.0.10"]
PAIR = [
    "_sip._udp.h.test SRV 1 50 5060 a.h.test",
    "_sip._udp.h.test SRV 1 50 5060 b.h.test",
    "a.h.test A 127.0.0.10",
    "b.h.test A 127.0.0.11",
]
# An option of the library: expired entries are not kept to be served while they cannot be refreshed.
NOT_STALE = ("DNS.stale_ttl = 0",)
TRY_NAPTR = ("dns_try_naptr=on",)
# Servers that never answered are not asked once more without EDNS, so that attempts can be counted.
WITH_EDNS = ('DNS.edns = "yes"',)
NOBODY = {"*": "drop"}
TWO_SERVERS = {
    "servers": ("127.0.0.1", "127.0.0.2"),
    "resolv_conf": "nameserver 127.0.0.1\nnameserver 127.0.0.2\noptions timeout:1 attempts:1\n",
}
SEARCH = "nameserver 127.0.0.1\nsearch lan.test\noptions timeout:1 attempts:1\n"

ROWS = [
    Row("dns_try_ipv6", 0, ADDRESS6, code, 200, 478, initial=1),
    Row("dns_try_naptr", 1, NAPTR, arrival, UDP12, UDP10,),
    Row("dns_udp_pref", -1, NAPTR, arrival, UDP10, TCP11, base=TRY_NAPTR, initial=30),
    Row("dns_tcp_pref", 40, NAPTR, arrival, UDP10, TCP11, base=TRY_NAPTR, initial=20),
    Row("dns_tls_pref", 40, ADDRESS, first_srv, "_sip._udp.h.test", "_sips._tcp.h.test", base=TRY_NAPTR, initial=10,
        prepare=lambda server: pretend.transport(server, "tls_disable")),
    Row("dns_sctp_pref", 40, ADDRESS, first_srv, "_sip._udp.h.test", "_sip._sctp.h.test", base=TRY_NAPTR, initial=20,
        prepare=lambda server: pretend.transport(server, "sctp_disable"), defect="B28"),
    Row("dns_naptr_ignore_rfc", 0, NAPTR, arrival, UDP10, TCP11, base=TRY_NAPTR, initial=1),
    Row("dns_retr_time", 2, [], waits_long, False, True, base=("dns_retr_no=2", *WITH_EDNS), initial=1, rules=NOBODY),
    Row("dns_retr_no", 3, [], times_asked, 1, 3, base=WITH_EDNS, initial=1, rules=NOBODY),
    Row("dns_servers_no", 1, [], servers_asked, ["127.0.0.1", "127.0.0.2"], ["127.0.0.1"], initial=2, rules=NOBODY,
        **TWO_SERVERS),
    Row("dns_use_search_list", 0, ["h.lan.test A 127.0.0.10"], short_name, 200, 478, initial=1, resolv_conf=SEARCH),
    Row("dns_search_full_match", 0, ["h.other.test A 127.0.0.10"], short_name, 478, 200, initial=1, resolv_conf=SEARCH,
        environment=lambda scenario: pretend.foreign_search(scenario.folder, "other.test")),
    Row("use_dns_cache", 0, ADDRESS, asks_again, False, True, initial=1),
    Row("use_dns_failover", 1, ["h.test A 127.0.0.20", "h.test AAAA fd00::10"], code, 500, 200),
    Row("dns_srv_lb", 1, PAIR, targets_of_many_calls, 1, 2, base=("use_dns_failover=on",)),
    Row("dns_cache_flags", 1, ADDRESS6, code, 200, 478, note="IPv4 only"),
    Row("dns_cache_flags", 2, ADDRESS, code, 200, 478, note="IPv6 only"),
    Row("dns_cache_flags", 4, BOTH, arrival, UDP10, "udp:[fd00::10]:5060", note="IPv6 first"),
    Row("dns_cache_negative_ttl", 5, [], negative_expires, "long", "short", initial=60),
    Row("dns_cache_negative_ttl", 0, [], negative_expires, "long", "none", initial=60, note="off"),
    Row("dns_cache_min_ttl", 50, ["h.test 2 A 127.0.0.10"], positive_expires, "short", "long"),
    Row("dns_cache_max_ttl", 5, ADDRESS, positive_expires, "long", "short", initial=-1),
    Row("dns_cache_mem", 1000, [], memory_limit, 500 << 10, 1000 << 10, initial=500),
    Row("dns_cache_gc_interval", 1, ["brief.test 1 A 127.0.0.10"], collected, False, True, base=NOT_STALE,
        only=NOT_AT_RUN_TIME),
    Row("dns_cache_del_nonexp", 1, [], accepts_more, False, True, base=("dns_cache_mem=100",)),
    Row("dns_cache_init", 0, ADDRESS, cache_there, "there", "500 dns cache support disabled (see use_dns_cache)",
        only=NOT_AT_RUN_TIME),
    Row("dns_cache_rec_pref", 2, ALIAS, kept_address, ["127.0.0.13"], ["127.0.0.10"], note="new goes before old"),
    Row("dns_cache_rec_pref", 3, ALIAS, kept_address, ["127.0.0.13"], ["127.0.0.10"], note="the longer-lived one"),
    Row("dns_slow_query_ms", 100, [], slow_counted, False, True, rules={"*": 0.3}),
    Row("dns_reinit", 1, [], server_in_use, None, ["127.0.0.2"], servers=("127.0.0.1", "127.0.0.2"), only=NOT_IN_FILE),
    # --- other spellings in the file
    Row("dns_udp_pref", -1, NAPTR, arrival, UDP10, TCP11, TRY_NAPTR, keyword="dns_udp_preference", only=NOT_AT_RUN_TIME),
    Row("dns_tcp_pref", 40, NAPTR, arrival, UDP10, TCP11, TRY_NAPTR, keyword="dns_tcp_preference", only=NOT_AT_RUN_TIME),
    Row("dns_srv_lb", 1, PAIR, targets_of_many_calls, 1, 2, ("use_dns_failover=on",), keyword="dns_srv_loadbalancing",
        only=NOT_AT_RUN_TIME),
    Row("dns_cache_del_nonexp", 1, [], accepts_more, False, True, ("dns_cache_mem=100",),
        keyword="dns_cache_delete_nonexpired", only=NOT_AT_RUN_TIME),
    Row("use_dns_cache", 0, ADDRESS, asks_again, False, True, keyword="dns_use_cache", only=NOT_AT_RUN_TIME,
        suites=("trixie",)),
    Row("use_dns_failover", 1, ["h.test A 127.0.0.20", "h.test AAAA fd00::10"], code, 500, 200,
        keyword="dns_use_failover", only=NOT_AT_RUN_TIME, suites=("trixie",)),
]


def _bench(scenario, row, dns, caller, lines):
    with open(scenario.resolv_conf, "w") as file:
        file.write(row.resolv_conf)
    environment = row.environment(scenario) if row.environment else {}
    server = scenario.kamailio(row.base + lines, environment=environment)
    if row.prepare:
        row.prepare(server)
    return Bench(scenario, server, dns, caller, row)


def _parts(scenario, row):
    dns = scenario.dns(row.records, addresses=row.servers)
    # Names of their own, for observations that need new ones.
    dns.wildcard("name-", "A", "127.0.0.10")
    # Names are silent here, not name servers.
    dns.rules, dns.lives = row.rules, True
    scenario.callees(PLACES)
    return dns, scenario.caller()


def _flush(bench):
    try:
        bench.server.rpc("dns.delete_all_force")
    except RpcFault:
        # The cache is off.
        pass


def in_file(scenario, row):
    dns, caller = _parts(scenario, row)
    for lines, expected in (((), row.default), ((f"{row.keyword or row.name}={row.value}",), row.effect)):
        bench = _bench(scenario, row, dns, caller, lines)
        scenario.check(f"with {lines}", row.observe(bench), expected)
        scenario.end_kamailio(bench.server)


def at_run_time(scenario, row):
    dns, caller = _parts(scenario, row)
    bench = _bench(scenario, row, dns, caller, ())
    if row.default is not None:
        scenario.check("before the change", row.observe(bench), row.default)
        bench.server.kamcmd("cfg.seti", "core", row.name, row.value)
    _flush(bench)
    scenario.check("after the change", row.observe(bench), row.effect)
    if row.default is not None:
        bench.server.kamcmd("cfg.seti", "core", row.name, row.initial)
        _flush(bench)
        scenario.check("after the way back", row.observe(bench), row.default)


def _refused(bench, name, value):
    try:
        bench.server.kamcmd("cfg.seti", "core", name, value)
    except RpcFault:
        return True
    return False


# (lines of the file, listens to IPv6, option, value): changes that must be refused while running
REFUSALS = [
    ((), False, "dns_try_ipv6", 1),
    (("dns_cache_init=off",), True, "use_dns_cache", 1),
    (("use_dns_failover=on",), True, "use_dns_cache", 0),
    (("use_dns_cache=off",), True, "use_dns_failover", 1),
    ((), True, "dns_cache_flags", 5),
    ((), True, "dns_cache_rec_pref", 4),
]


def refusals(scenario):
    scenario.dns(ADDRESS)
    for lines, ipv6, name, value in REFUSALS:
        server = scenario.kamailio(lines, ipv6=ipv6)
        bench = Bench(scenario, server, None, None, None)
        scenario.check(f"{name}={value} with {lines} refused", _refused(bench, name, value), True)
        scenario.end_kamailio(server)


def scenarios(suite):
    out = [("options: changes that must be refused", refusals, "")]
    for row in ROWS:
        if suite not in row.suites:
            continue
        for kind, run, other in (("in the file", in_file, NOT_IN_FILE), ("at run time", at_run_time, NOT_AT_RUN_TIME)):
            if row.only != other:
                out.append((f"option {kind}: {row.title}", lambda scenario, row=row, run=run: run(scenario, row), row.defect))
    return out
