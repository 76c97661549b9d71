"""The rows of the table: what is compared, in which unit, and what is to be reached."""


class Row:
    """One comparison. `goal` is how many times less the library has to need than the C original."""

    def __init__(self, text, suite, label, procs, goal=None, key="ns_op", unit="ns", floor=None, most=None):
        self.text, self.suite, self.label, self.procs = text, suite, label, procs
        self.goal, self.key, self.unit, self.floor, self.most = goal, key, unit, floor, most

    def value(self, results, side):
        return _find(results, side, self.suite, self.label, self.procs, self.key)

    def judge(self, stock, ours):
        """(ratio, what is to be reached, reached: True, False or None)."""
        ratio = stock / ours if ours else None
        if self.most is not None:
            return ratio, f"at most {self.most:,g} {self.unit}".strip(), ours <= self.most
        if self.goal is None:
            return ratio, "", None
        return ratio, f"{self.goal:g} x", ratio is not None and ratio >= self.goal


class Derived(Row):
    """A figure computed from several rows of one side."""

    def __init__(self, text, compute, unit, least=None, most=None, more=None):
        super().__init__(text, None, None, None, unit=unit, most=most)
        self.compute, self.least, self.more = compute, least, more

    def value(self, results, side):
        try:
            return self.compute(lambda *place: _need(_find(results, side, *place)))
        except LookupError:
            return None

    def judge(self, stock, ours):
        if self.least is not None:
            return ours / stock if stock else None, f"at least {self.least:g} {self.unit}", ours >= self.least
        if self.more is not None:
            ratio = ours / stock if stock else None
            return ratio, f"{self.more:g} x as many", ratio is not None and ratio >= self.more
        return super().judge(stock, ours)


class Counted(Row):
    """Instructions an operation."""

    def __init__(self, text, name, most=None):
        super().__init__(text, None, None, None, unit="", most=most)
        self.name = name

    def value(self, results, side):
        return results["instructions"][side].get(self.name)


def _need(value):
    if value is None:
        raise LookupError
    return value


def _find(results, side, suite, label, procs, key):
    for row_label, row_procs, row in results["rows"][side].get(suite, []):
        if (row_label, row_procs) == (label, procs):
            return row.get(key)
    return None


def _stall(suite, label):
    """The longest stall, µs; none when the readers ran at another moment than the collection."""
    def compute(find):
        try:
            find(suite, "late", 2, "cpu_ns")
        except LookupError:
            return find(suite, label, 2, "allmax") / 1000
        raise LookupError
    return compute


def _held(find):
    """Of 10,000 names asked a second time, without a network: those that have an address."""
    return find("capacity", "again", 1, "ops") - find("capacity", "again", 1, "errs")


def _ns(suite, label, procs, key="ns_op"):
    return lambda find: find(suite, label, procs, key)


def _cycle(lookups, counted, factor=1):
    """What going through 4 SRV targets needs at least: one entry held, four others looked at."""
    return lambda find: find("hits", "floor_counted", counted, "ns_op") * factor \
        + 4 * find("hits", "floor_lookup", lookups, "ns_op")


def _hostent(find):
    """A lookup by 8 processes, and a struct hostent filled, which takes its share of the CPUs alike."""
    lookup, lookup_8 = (find("hits", "floor_lookup", procs, "ns_op") for procs in (1, 8))
    return lookup_8 + find("hostent", "fill", 1, "cpu_ns") * lookup_8 / lookup


# Floors that the machine itself sets, measured in the same run: name: (how the floor is computed, what it is).
FLOORS = {
    "lookup": (_ns("hits", "floor_lookup", 1), "a read-only hash lookup in shared memory, 1 process"),
    "lookup_2": (_ns("hits", "floor_lookup", 2), "the same, 2 processes"),
    "lookup_8": (_ns("hits", "floor_lookup", 8), "the same, 8 processes"),
    "fill": (_ns("hostent", "fill", 1, "cpu_ns"), "a struct hostent filled, name and address at hand"),
    "hostent_8": (_hostent, "a read-only lookup and a struct hostent filled, 8 processes, computed"),
    "p99_2": (_ns("hits", "floor_lookup.lat", 2, "p99"), "its p99, 2 processes, as the same clock reads it"),
    "counted": (_ns("hits", "floor_counted", 1), "such a lookup with one reference counted and given back, 1 process"),
    "counted_8": (_ns("hits", "floor_counted", 8), "the same, 8 processes on one entry"),
    "cycle": (_cycle(1, 1), "one lookup with a reference and four without, 1 process"),
    "cycle_8": (_cycle(8, 8), "the same, 8 processes on one entry"),
    "cycle_own": (_cycle(8, 1, 4), "the same, 8 processes on entries of their own: computed, for there are 2 CPUs"),
    "random": (_ns("scale", "floor_random", 1), "a read-only hash lookup among 65,536 names in shared memory, uniform, 1 process"),
    "random_8": (_ns("scale", "floor_random", 8), "the same, 8 processes"),
    "walk": (_ns("scale", "walk", 1, "cpu_ns"), "a line of a table for 64 MB, then an entry of 112 octets, 100,000 of them, one lookup after the other, 1 process"),
    "walk_8": (_ns("scale", "walk", 8, "cpu_ns"), "the same, 8 processes"),
    "private": (_ns("hits", "floor_private", 1), "one locked addition and one subtraction, own line"),
    "shared_8": (_ns("hits", "floor_shared", 8), "the same, 8 processes on one line"),
    "fresh": (_ns("miss", "question_fresh", 2, "cpu_ns"), "the system calls of one question, a socket for each, CPU, 2 processes"),
    "drawn": (_ns("miss", "question_drawn", 2, "cpu_ns"), "the same, one socket whose port is drawn anew"),
    "raw": (_ns("miss", "res_raw", 2, "cpu_ns"), "res_search() alone, CPU, 2 processes"),
}


def floor_of(results, name):
    """A floor's value, ns; None when it was not measured, or for no name."""
    if name not in FLOORS:
        return None
    try:
        return FLOORS[name][0](lambda *place: _need(_find(results, "ours", *place)))
    except LookupError:
        return None


ROWS = [
    ("Cached lookups", [
        Row("dns_get_ip, one hot name, 1 process", "hits", "a_1", 1, 2, floor="lookup"),
        Row("same, 2 processes", "hits", "a_1", 2, 25, floor="lookup_2"),
        Row("same, 8 processes", "hits", "a_1", 8, 20, floor="lookup_8"),
        Derived("total throughput of 2 processes over that of 1", lambda find: find("hits", "a_1", 2, "ops_s") / find("hits", "a_1", 1, "ops_s"), "x", least=1.9),
        Row("p99 of dns_get_ip, 2 processes", "hits", "a_1.lat", 2, 20, key="p99", floor="p99_2"),
        Row("negative hit, 1 process", "hits", "neg", 1),
        Row("negative hit, 8 processes", "hits", "neg", 8, 15, floor="lookup_8"),
        Row("dns_resolvehost, 1 process", "hits", "resolvehost", 1),
        Row("dns_resolvehost, 8 processes", "hits", "resolvehost", 8, 15, floor="hostent_8"),
        Row("dns_get_he, 1 process", "hits", "get_he", 1),
        Row("dns_get_he, 8 processes", "hits", "get_he", 8, 15, floor="hostent_8"),
        Row("dns_srv_get_ip, 4 targets, 1 process", "hits", "srv4", 1),
        Row("dns_srv_get_ip, 4 targets, 8 processes", "hits", "srv4", 8),
        Row("dns_sip_resolvehost, 4 targets, 1 process", "hits", "sip_resolvehost", 1),
        Row("dns_sip_resolvehost, 4 targets, 8 processes", "hits", "sip_resolvehost", 8),
    ]),
    ("Handles: all targets of one destination", [
        Row("4 SRV targets, 1 process", "hits", "sip_s4", 1, 1.8, floor="cycle"),
        Row("4 SRV targets, 8 processes, same name", "hits", "sip_s4", 8, 4, floor="cycle_8"),
        Row("4 SRV targets, 8 processes, a name each", "hits", "sip_own", 8, 8, floor="cycle_own"),
        Row("16 SRV targets, 1 process", "hits", "sip_s16", 1),
        Row("4 SRV targets by weight (dns_srv_lb), 1 process", "weight", "lb_s4", 1),
        Row("4 SRV targets by weight, 8 processes, same name", "weight", "lb_s4", 8),
        Row("address only (port given), 1 process", "hits", "sip_a", 1, floor="counted"),
        Row("NAPTR, 4 SRV targets, 1 process", "naptr", "sip_n4", 1, 2, floor="cycle"),
        Row("NAPTR, 4 SRV targets, 8 processes", "naptr", "sip_n4", 8, 5, floor="cycle_8"),
        Row("copy and put of a handle, same entry, 8 processes", "hits", "handle", 8, floor="shared_8"),
    ]),
    ("Many names", [
        Row("100,000 names, uniform, 1 process", "scale", "scale_100000", 1, 50, floor="walk"),
        Row("100,000 names, uniform, 8 processes", "scale", "scale_100000", 8, 100, floor="walk_8"),
        Row("zipf over 10,000 names, 500 KB, 8 processes", "zipf", "zipf_10000", 8, 5),
        Derived("A entries of 20-byte names held in 500 KB", _held, "", more=1),
    ]),
    ("Misses", [
        Row("miss on loopback, CPU, 1 process", "miss", "miss", 1, key="cpu_ns"),
        Row("miss on loopback, CPU, 2 processes", "miss", "miss", 2, 1.67, key="cpu_ns", floor="drawn"),
        Derived("miss when 10 MB are full over a miss in an empty cache, 2 processes", lambda find: find("full10m", "miss_full", 2, "p50") / find("full10m", "miss_before", 2, "p50"), "x", most=1.2),
        Derived("a cached reader meanwhile, over its own speed", lambda find: find("full10m", "reader_during_miss", 2, "ops_s") / find("full10m", "reader_before", 1, "ops_s"), "x", least=0.9),
        Derived("64 hot names while 8 processes ask for made-up ones, CPU of a lookup over that before", lambda find: find("flood", "hot_in_flood", 9, "cpu_ns") / find("flood", "hot_before", 1, "cpu_ns"), "x", most=2),
    ]),
    ("Longest stall of a reader, 100,000 entries", [
        Derived("idle loop", _stall("gcwalk", "idle"), "µs"),
        Derived("collection, nothing expired", _stall("gcwalk", "gc_walk"), "µs", most=100),
        Derived("collection, all expired", _stall("gcexp", "gc_expired"), "µs", most=100),
        Derived("flush of everything", _stall("gcwalk", "flush"), "µs", most=100),
    ]),
    ("Instructions (callgrind)", [
        Counted("cached dns_get_ip", "a_1", 300),
        Counted("the same, with a search list", "a_1_search", 310),
        Counted("negative hit", "neg"),
        Counted("dns_get_he", "get_he", 425),
        Counted("the same, with a search list", "get_he_search", 435),
        Counted("dns_srv_get_ip, 4 targets", "srv4", 745),
        Counted("the same, with a search list", "srv4_search", 755),
        Counted("cycle over 4 SRV targets", "sip_s4", 2_500),
        Counted("the same, with a search list", "sip_s4_search", 2_510),
        Counted("cycle over 16 SRV targets", "sip_s16"),
        Counted("cycle over 4 SRV targets by weight (dns_srv_lb)", "lb_sip_s4"),
        Counted("NAPTR and 4 SRV targets", "sip_n4", 2_900),
        Counted("miss, user space", "miss", 12_000),
    ]),
]
