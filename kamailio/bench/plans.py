"""What is run: suites, each a configuration and a plan for the module dnsbench.

A plan is text, one command a line; its syntax is described at the head of module/plan.c. Every suite runs in a
Kamailio of its own, the C original and this library in turn.
"""

# Processes of the module, as many as the largest row needs.
WORKERS = 9
ZONE = "bench.test"
HOST = f"pat=h00000000.{ZONE}"


def _timed(label, role, procs, reps, secs):
    return f"run label={label} reps={reps} secs={secs} | procs={procs} {role}"


def _primed(lines, label, role, procs, reps=5, secs=0.2, latency=()):
    """Rows of one role; the first pass fills the cache."""
    lines.append(f"run label=prime quiet=1 | {role} iters=2")
    lines.extend(_timed(label, role, n, reps, secs) for n in procs)
    lines.extend(_timed(label + ".lat", role + " lat=1", n, 3, 0.4) for n in latency)


def _own_names(label, pattern, role, procs, reps, secs):
    """Each process has a name of its own."""
    roles = " | ".join(f"procs=1 {role} pat={pattern % n}" for n in range(procs))
    return f"run label={label} reps={reps} secs={secs} | {roles}"


def hits(quick):
    reps, secs = (3, 0.15) if quick else (5, 0.25)
    lines = [
        "run label=prime quiet=1 | mode=get_ip lo=0 hi=64 once=1",
        f"run label=prime quiet=1 | mode=get_ip pat=x%.{ZONE} lo=0 hi=64 once=1",
        f"run label=prime quiet=1 | mode=sip proto=1 pat=q%.{ZONE} lo=0 hi=8 once=1",
    ]

    def row(label, role, procs, latency=()):
        _primed(lines, label, role, procs, reps, secs, latency)

    row("null", "mode=null", (1,))
    row("floor_private", "mode=xaddp", (1, 2))
    row("floor_shared", "mode=xadd", (1, 2, 8))
    row("floor_lookup", f"mode=refro {HOST}", (1, 2, 8), latency=(2,))
    row("floor_counted", f"mode=ref {HOST}", (1, 2, 8))
    row("a_1", f"mode=get_ip {HOST}", (1, 2, 4, 8), latency=(2,))
    row("a_64", "mode=get_ip lo=0 hi=64", (1, 8))
    row("neg", f"mode=get_ip lo=0 hi=64 pat=x%.{ZONE}", (1, 8))
    row("get_he", "mode=get_he lo=0 hi=64", (1, 8))
    row("resolvehost", "mode=resolvehost lo=0 hi=64", (1, 8))
    row("srv4", f"mode=srv_get_ip pat=_sip._udp.s4.{ZONE}", (1, 8))
    row("sip_a", f"mode=sip port=5060 proto=1 {HOST}", (1, 8))
    row("sip_s4", f"mode=sip proto=1 pat=s4.{ZONE}", (1, 2, 8))
    row("sip_s16", f"mode=sip proto=1 pat=s16.{ZONE}", (1, 8))
    row("sip_resolvehost", f"mode=sip_resolvehost proto=1 pat=s4.{ZONE}", (1, 8))
    row("handle", f"mode=handle port=5060 proto=1 {HOST}", (1, 8))
    lines.append(_own_names("sip_own", f"q%08d.{ZONE}", "mode=sip proto=1", 8, reps, secs))
    return lines


def _one(quick, label, role):
    lines = []
    reps, secs = (3, 0.15) if quick else (5, 0.25)
    _primed(lines, label, role, (1, 8), reps, secs)
    return lines


def naptr(quick):
    return _one(quick, "sip_n4", f"mode=sip max=4 proto=0 pat=n4.{ZONE}")


def hostent(quick):
    # The library has no part in it: a floor.
    return [f'exec cmd="echo fill 1 `@PROGRAMS@/fill h00000000.{ZONE}` >> @ASKED@"']


def weight(quick):
    return _one(quick, "lb_s4", f"mode=sip proto=1 pat=s4.{ZONE}")


SCALE_MEM_KB = 65_536
# 11 places a line of 64 octets, a place for each 72 octets of the limit.
SCALE_TABLE_KB = SCALE_MEM_KB * 64 // (11 * 72)


def scale(quick):
    lines, last = [], 0
    for count in (100, 10_000, 100_000):
        lines.append(f"run label=prime quiet=1 maxsecs=120 | procs=2 mode=get_ip order=uniq lo={last} hi={count}")
        last = count
        reps = 2 if quick else 3
        for procs in (1, 8):
            lines.append(_timed(f"scale_{count}", f"mode=get_ip order=rand lo=0 hi={count}", procs, reps, 0.3))
    for procs in (1, 8):
        # As many names as the module's own table holds.
        lines.append(_timed("floor_random", "mode=refro order=rand lo=0 hi=65536", procs, reps, 0.3))
        # A table for that much memory, and entries as large as the C structs of one address need.
        lines.append(f'exec cmd="echo walk {procs} `@PROGRAMS@/walk {procs} {SCALE_TABLE_KB} 100000 112` >> @ASKED@"')
    return lines


def zipf(quick):
    reps = 1 if quick else 3
    return [
        f"run label=warm quiet=1 secs={1 if quick else 3} | procs=2 mode=get_ip order=zipf lo=0 hi=10000",
        f"run label=zipf_10000 reps={reps} secs=1 | procs=8 lat=1 mode=get_ip order=zipf lo=0 hi=10000",
    ]


def capacity(quick):
    return [
        "run label=fill reps=1 maxsecs=60 | mode=get_ip lo=0 hi=10000 once=1",
        # Without network nothing that is asked for takes the place of what is held.
        'exec cmd="ip addr flush dev lo"',
        "run label=again reps=1 maxsecs=60 | mode=get_ip lo=0 hi=10000 once=1",
    ]


def miss(quick):
    reps, count = (2, 5_000) if quick else (5, 20_000)
    lines = []
    for procs in (1, 2):
        lines.append(f"run label=res_raw reps={reps} maxsecs=60 | procs={procs} mode=res order=uniq lo=0 hi={count}")
        lines.append(f"run label=miss reps={reps} flush=1 maxsecs=60 | procs={procs} mode=get_ip order=uniq lo=0 hi={count}")
        for way in ("fresh", "drawn"):
            lines.append(f'exec cmd="echo question_{way} {procs} `@PROGRAMS@/question {procs} {count} {way}` >> @ASKED@"')
    return lines


def full10m(quick):
    reader = f"procs=1 mode=get_ip lat=1 {HOST}"
    missing = f"mode=get_ip lat=1 lo=1 hi=1 misspct=100 misspat=u%.w.{ZONE}"
    return [
        # Two processes: one alone is measured with or without the time in which its CPU sleeps and wakes.
        "run label=miss_before reps=1 | procs=2 mode=get_ip lat=1 order=uniq lo=0 hi=2000",
        f"run label=reader_before reps=3 secs=0.5 | {reader}",
        "run label=fill quiet=1 maxsecs=120 | procs=2 mode=get_ip order=uniq lo=0 hi=90000",
        "run label=miss_full reps=1 maxsecs=60 | procs=2 mode=get_ip lat=1 order=uniq lo=90000 hi=96000",
        f"run label=touch quiet=1 | mode=get_ip {HOST} iters=1",
        f"run label=reader_during_miss reps=3 secs=1 | {reader} | procs=1 {missing}",
    ]


def flood(quick):
    # Half of the made-up names exist, by a wildcard; half do not.
    made_up = "mode=get_ip lo=1 hi=1 misspct=100 misspat"
    hot = "procs=1 mode=get_ip lo=0 hi=64"
    return [
        "run label=prime quiet=1 | mode=get_ip lo=0 hi=64 once=1",
        f"run label=hot_before reps=3 secs=0.5 | {hot}",
        f"run label=hot_in_flood secs={2 if quick else 20} | {hot} | procs=4 {made_up}=u%.w.{ZONE} | procs=4 {made_up}=x%.{ZONE}",
    ]


PACED = f"procs=2 mode=get_ip lat=1 fifo=1 paceus=50 {HOST}"
# How often the walk is made, s, and how long it is looked for; when the walk that finds all expired is made.
WALK_EVERY, WALK_SECS, EXPIRED_AT = 5, 6, 30


def gcwalk(quick):
    return [
        "run label=prime quiet=1 | mode=get_ip lo=0 hi=1 once=1",
        "run label=fill quiet=1 maxsecs=120 | procs=2 mode=get_ip order=uniq lo=0 hi=100000",
        f"run label=idle secs={WALK_SECS} | mode=null lat=1 procs=2 fifo=1 paceus=50",
        f"run label=gc_walk secs={WALK_SECS} maxsecs=20 | {PACED}",
        # A permanent record stays, so the reader is not delayed by a query of its own.
        f'exec cmd="@KAMCMD@ -s unix:@SOCKET@ dns.add_a fixed.{ZONE} 3600 10.0.0.1 2"',
        'run label=flush secs=2 at1=1 cmd1="@KAMCMD@ -s unix:@SOCKET@ dns.delete_all" maxsecs=10 | '
        + PACED.replace(HOST, f"pat=fixed.{ZONE}"),
    ]


def gcexp(quick):
    # The names live 20 s. The readers run around the moment of the walk and no longer, for what else stalls
    # them is the machine's.
    return [
        'exec cmd="sh @UNTIL@ begin @ASKED@"',
        f"run label=prime quiet=1 | mode=get_ip {HOST} iters=1",
        f"run label=fill quiet=1 maxsecs=60 | procs=2 mode=get_ip order=uniq pat=g%.{ZONE} lo=0 hi=100000",
        f'exec cmd="sh @UNTIL@ {EXPIRED_AT - 3} @ASKED@"',
        f"run label=gc_expired secs={WALK_SECS} maxsecs=60 | {PACED}",
    ]


# A control socket, for RPC commands while readers run.
CONTROL = 'loadmodule "@MODULES@/ctl.so"\nmodparam("ctl", "binrpc", "unix:@SOCKET@")'

BY_WEIGHT = "dns_srv_lb=yes\nuse_dns_failover=yes"

# name: (lines, lines of kamailio.cfg, rounds in full, rounds in quick; 0 = not run)
SUITES = {
    "hits": (hits, "", 4, 1),
    "hostent": (hostent, "", 3, 1),
    "naptr": (naptr, "dns_try_naptr=yes", 5, 1),
    "weight": (weight, BY_WEIGHT, 5, 1),
    "scale": (scale, f"dns_cache_mem={SCALE_MEM_KB}", 5, 1),
    "zipf": (zipf, "", 2, 1),
    "capacity": (capacity, "", 1, 1),
    "miss": (miss, "dns_cache_mem=65536", 5, 1),
    "full10m": (full10m, "dns_cache_mem=10000", 3, 0),
    "flood": (flood, "dns_cache_del_nonexp=yes", 2, 1),
    "gcwalk": (gcwalk, f"dns_cache_mem=65536\ndns_cache_gc_interval={WALK_EVERY}\n" + CONTROL, 3, 0),
    # The C original takes the last line for a variable of the configuration's own.
    "gcexp": (gcexp, f"dns_cache_mem=65536\ndns_cache_gc_interval={EXPIRED_AT}\nDNS.stale_ttl = 0", 3, 0),
}


def _counted(role, prime=None, config="", count=20_000):
    return (role, prime or role + " iters=2 lat=1", config, count)


# The search line of rows with one: names of the zone are found as they are written.
SEARCH_DOMAINS = "corp.test"

# Instructions under callgrind: (role, role that fills the cache, lines of kamailio.cfg, operations).
COUNTED = {
    "null": _counted("mode=null"),
    "a_1": _counted(f"mode=get_ip {HOST}"),
    "neg": _counted(f"mode=get_ip pat=x00000000.{ZONE}"),
    "get_he": _counted(f"mode=get_he {HOST}"),
    "srv4": _counted(f"mode=srv_get_ip pat=_sip._udp.s4.{ZONE}"),
    "sip_s4": _counted(f"mode=sip proto=1 pat=s4.{ZONE}"),
    "sip_s16": _counted(f"mode=sip proto=1 pat=s16.{ZONE}", count=5_000),
    "lb_sip_s4": _counted(f"mode=sip proto=1 pat=s4.{ZONE}", config=BY_WEIGHT),
    "sip_n4": _counted(f"mode=sip max=4 proto=0 pat=n4.{ZONE}", config="dns_try_naptr=yes"),
    "miss": _counted("mode=get_ip lo=0 hi=1000", f"mode=get_ip pat=h00099999.{ZONE} iters=2 lat=1",
                     "dns_cache_mem=65536", 1000),
}
# The same with a search list.
SEARCHED = {f"{name}_search": name for name in ("a_1", "get_he", "srv4", "sip_s4")}
COUNTED |= {searched: COUNTED[name] for searched, name in SEARCHED.items()}
COUNTED_QUICK = ("a_1", "a_1_search", "sip_s4", "sip_s4_search", "sip_n4", "miss")
