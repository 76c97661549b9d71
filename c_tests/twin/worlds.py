"""The DNS data behind a case, derived from the case's domain.

A domain is CASE.WORLD.test; a second one, CASE.WORLD.far, belongs to somebody else. CASE keeps the
cases apart (and their caches, and the server's notes of what was asked); WORLD says which records
there are. A world is a list of parts, joined by '-': one of `part_NAME` below each, with a variant
behind it where the part has variants, such as n_all, s_udp or a_both.
"""

A, CNAME, SOA, PTR, TXT, AAAA, SRV, NAPTR, EBL = 1, 5, 6, 12, 16, 28, 33, 35, 65300
TTL = 300


class World:
    """Records and misbehaviour. Names are relative: '' is the domain, '!x' is x in the other one."""

    def __init__(self):
        self.records = {}
        self.faults = {}
        self.additional = True
        self.soa = (300, 300)

    def add(self, owner, rtype, *values, ttl=TTL):
        self.records.setdefault((owner, rtype), []).extend((ttl, v) for v in values)

    def fault(self, owner, rtype, kind):
        self.faults[(owner, rtype)] = kind

    def naptr(self, order, pref, service, target, flags="s", regexp="", ttl=TTL):
        self.add("", NAPTR, (order, pref, flags, service, regexp, target), ttl=ttl)

    def srv(self, owner, priority, weight, port, target, ttl=TTL):
        self.add(owner, SRV, (priority, weight, port, target), ttl=ttl)


UDP, TCP, TLS, SCTP = "_sip._udp", "_sip._tcp", "_sips._tcp", "_sip._sctp"
SERVICE = {UDP: "SIP+D2U", TCP: "SIP+D2T", TLS: "SIPS+D2T", SCTP: "SIP+D2S"}
OWN = {UDP: ("u", 5070), TCP: ("t", 5071), TLS: ("l", 5072), SCTP: ("k", 5073)}


def target(w, owner):
    """An SRV record to a host of its own, with one address of each family."""
    host, port = OWN[owner]
    w.srv(owner, 10, 10, port, host)
    w.add(host, A, f"10.0.{port - 5000}.1")
    w.add(host, AAAA, f"fd00::{port - 5000}:1")


# --- NAPTR

def part_n(w, variant):
    order = {"udp": [UDP], "tcp": [TCP], "tls": [TLS], "sctp": [SCTP], "all": [TLS, TCP, UDP, SCTP],
             "two": [TCP, UDP], "dead": [UDP], "deadtwo": [TCP, UDP]}
    if variant in order:
        for place, owner in enumerate(order[variant]):
            replacement = owner
            if variant.startswith("dead") and place == 0:
                replacement = "_nowhere._udp"
            w.naptr(10 * place + 10, 5, SERVICE[owner], replacement)
            if (owner, SRV) not in w.records and replacement == owner:
                target(w, owner)
    elif variant == "pref":
        # same order, preference decides; the records come in the other order
        w.naptr(10, 20, "SIP+D2T", TCP)
        w.naptr(10, 10, "SIP+D2T", "_other._tcp")
        target(w, TCP)
        w.srv("_other._tcp", 10, 10, 5099, "o")
        w.add("o", A, "10.0.99.1")
    elif variant == "case":
        w.naptr(10, 10, "sip+d2u", UDP, flags="S")
        target(w, UDP)
    elif variant == "odd":
        # none of these can be used: flags, regexp, services of others
        w.naptr(10, 10, "SIP+D2U", UDP, flags="u", regexp="!^.*$!sip:a@b!")
        w.naptr(20, 10, "SIP+D2U", UDP, flags="a")
        w.naptr(30, 10, "SIPS+D2U", UDP)
        w.naptr(40, 10, "E2U+sip", UDP, flags="u", regexp="!^.*$!sip:a@b!")
        w.naptr(50, 10, "SIP+D2W", "_sip._ws")
        w.naptr(60, 10, "SIP+D2U", UDP, flags="")
    elif variant in ("servfail", "refused", "drop", "cut", "badadd", "badrec"):
        w.naptr(10, 10, "SIP+D2U", UDP)
        if (UDP, SRV) not in w.records:
            target(w, UDP)
        w.fault("", NAPTR, variant)
    elif variant == "cname":
        w.add("", CNAME, "real")
        w.add("real", NAPTR, (10, 10, "s", "SIP+D2T", "", TCP))
        target(w, TCP)
    elif variant == "far":
        w.naptr(10, 10, "SIP+D2U", "!_sip._udp")
        w.srv("!_sip._udp", 10, 10, 5090, "!f")
        w.add("!f", A, "10.0.90.1")
    else:
        raise KeyError(variant)


# --- SRV

def part_s(w, variant):
    single = {"udp": UDP, "tcp": TCP, "tls": TLS, "sctp": SCTP}
    if variant in single:
        target(w, single[variant])
    elif variant == "all":
        for owner in (UDP, TCP, TLS, SCTP):
            target(w, owner)
    elif variant == "prio":
        # arrives in another order than it is used in
        w.srv(UDP, 30, 0, 5083, "p3")
        w.srv(UDP, 10, 0, 5081, "p1")
        w.srv(UDP, 20, 0, 5082, "p2")
        w.add("p1", A, "10.0.81.1", "10.0.81.2")
        w.add("p1", AAAA, "fd00::81:1")
        w.add("p2", A, "10.0.82.1")
        w.add("p3", AAAA, "fd00::83:1")
    elif variant == "weight":
        # without balancing: the heaviest first
        w.srv(UDP, 10, 5, 5081, "w1")
        w.srv(UDP, 10, 60, 5082, "w2")
        w.srv(UDP, 10, 30, 5083, "w3")
        for i in (1, 2, 3):
            w.add(f"w{i}", A, f"10.0.8{i}.9")
    elif variant == "dead":
        w.srv(UDP, 10, 10, 7777, "gone")
    elif variant == "deadtcp":
        w.srv(UDP, 10, 10, 7777, "gone")
        target(w, TCP)
    elif variant == "part":
        # one dead target in the middle
        w.srv(UDP, 10, 0, 5081, "m1")
        w.srv(UDP, 20, 0, 5082, "gone")
        w.srv(UDP, 30, 0, 5083, "m3")
        w.add("m1", A, "10.0.81.7")
        w.add("m3", A, "10.0.83.7")
    elif variant == "literal":
        w.srv(UDP, 10, 0, 5081, "/10.0.81.8")
        w.srv(UDP, 20, 0, 5082, "m2")
        w.add("m2", A, "10.0.82.8")
    elif variant == "root":
        w.srv(UDP, 0, 0, 0, "/")
    elif variant == "roottcp":
        w.srv(UDP, 0, 0, 0, "/")
        target(w, TCP)
    elif variant == "alias":
        w.srv(UDP, 10, 10, 5070, "alias")
        w.add("alias", CNAME, "host")
        w.add("host", A, "10.0.70.5")
    elif variant == "far":
        w.srv(UDP, 10, 10, 5070, "!f")
        w.add("!f", A, "10.0.70.6")
    elif variant == "cname":
        w.add(UDP, CNAME, "_real._udp")
        w.srv("_real._udp", 10, 10, 5070, "u")
        w.add("u", A, "10.0.70.4")
    elif variant in ("servfail", "refused", "drop", "cut", "badadd", "badrec", "empty", "wrongowner"):
        target(w, UDP)
        w.fault(UDP, SRV, variant)
    elif variant == "tailfail":
        w.srv(UDP, 10, 10, 5070, "ill")
        w.add("ill", A, "10.0.70.3")
        w.fault("ill", A, "servfail")
        w.fault("ill", AAAA, "servfail")
        w.additional = False
    else:
        raise KeyError(variant)


# --- addresses of the domain itself

def part_a(w, variant):
    if variant in ("four", "both"):
        w.add("", A, "10.1.0.1", "10.1.0.2")
    if variant in ("six", "both"):
        w.add("", AAAA, "fd01::1", "fd01::2")
    if variant == "cname":
        w.add("", CNAME, "real")
        w.add("real", A, "10.1.0.3")
        w.add("real", AAAA, "fd01::3")
    elif variant == "chain":
        w.add("", CNAME, "c1")
        w.add("c1", CNAME, "c2")
        w.add("c2", CNAME, "c3")
        w.add("c3", A, "10.1.0.4")
    elif variant == "loop":
        w.add("", CNAME, "c1")
        w.add("c1", CNAME, "c2")
        w.add("c2", CNAME, "")
    elif variant == "lost":
        w.add("", CNAME, "nothing")
    elif variant == "farcname":
        w.add("", CNAME, "!f")
        w.add("!f", A, "10.1.0.5")
    elif variant in ("servfail", "refused", "drop", "cut", "badadd", "badrec", "empty", "wrongowner",
                     "wrongclass", "txt0", "slow"):
        w.add("", A, "10.1.0.1")
        w.add("", AAAA, "fd01::1")
        w.fault("", A, variant)
        w.fault("", AAAA, variant)
    elif variant == "many":
        w.add("", A, *(f"10.2.{i // 100}.{i % 100}" for i in range(1, 101)))
    elif variant == "toomany":
        w.add("", A, *(f"10.2.{i // 100}.{i % 100}" for i in range(1, 121)))
    elif variant == "twelve":
        w.add("", A, *(f"10.2.0.{i}" for i in range(1, 13)))
    elif variant not in ("four", "six", "both", "none"):
        raise KeyError(variant)


# --- single matters

def part_noadd(w, _):
    w.additional = False


def part_soa(w, variant):
    w.soa = (int(variant), int(variant))


def part_ttl(w, variant):
    """All records with this TTL, in seconds."""
    for key, values in w.records.items():
        w.records[key] = [(int(variant), value) for _, value in values]


def part_ttls(w, variant):
    """TTLs of NAPTR records, SRV records, and all others, in seconds."""
    naptr, srv, other = map(int, variant.split("_"))
    for (owner, rtype), values in w.records.items():
        ttl = {NAPTR: naptr, SRV: srv}.get(rtype, other)
        w.records[owner, rtype] = [(ttl, value) for _, value in values]


def part_mixed(w, _):
    """Addresses that expire one by one."""
    w.add("", A, "10.3.0.1", ttl=10)
    w.add("", A, "10.3.0.2", ttl=20)
    w.add("", A, "10.3.0.3", ttl=30)


def part_mixedsrv(w, _):
    w.srv(UDP, 10, 0, 5081, "m1", ttl=10)
    w.srv(UDP, 20, 0, 5082, "m2", ttl=30)
    w.add("m1", A, "10.3.1.1")
    w.add("m2", A, "10.3.1.2")


def part_types(w, _):
    """One of each other type."""
    w.add("txt", TXT, ["one", "two words"])
    w.add("ptr", PTR, "host")
    w.add("ebl", EBL, (4, ".", "e164"))
    w.add("mixed", A, "10.4.0.1")
    w.add("mixed", TXT, ["x"])


def part_hop(w, variant):
    """A chain of so many aliases, each only in an answer of its own: they lead from one domain to the other."""
    count = int(variant)
    for i in range(count):
        here = "" if i == 0 else f"{'!' if i % 2 else ''}h{i}"
        there = f"{'!' if (i + 1) % 2 else ''}h{i + 1}"
        w.add(here, CNAME, there)
    w.add(f"{'!' if count % 2 else ''}h{count}", A, "10.5.0.1")


def part_evil(w, _):
    """Somebody's SRV record with an address for a name of another domain in the additional section."""
    w.srv(UDP, 10, 10, 5070, "!victim")
    w.fault(UDP, SRV, "evil")
    w.add("!victim", A, "10.6.0.1")


def part_flood(w, variant):
    """SRV records that lead nowhere, most of them in the additional section."""
    for i in range(int(variant)):
        w.srv(UDP, 10, 0, 5060, f"x{i}")
    w.fault(UDP, SRV, "split")


def part_floodaddr(w, variant):
    w.srv(UDP, 10, 10, 5070, "big")
    w.add("big", A, *(f"10.7.{i // 250}.{i % 250 + 1}" for i in range(int(variant))))


def part_search(w, _):
    """Names that only the search list finds: the search list is CASE.WORLD.test."""
    w.add("short", A, "10.8.0.1")
    w.srv("_sip._udp.short", 10, 10, 5070, "short")
    w.add("short", NAPTR, (10, 10, "s", "SIP+D2U", "", "_sip._udp.short"))
    w.add("ali", CNAME, "short")


def build(name):
    world = World()
    for part in name.split("-"):
        kind, _, variant = part.partition("_")
        globals()["part_" + kind](world, variant)
    return world
