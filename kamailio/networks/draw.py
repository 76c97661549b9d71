"""Networks, zones and URIs: the table that is always there, and networks drawn by a seed.

A network is plain data, so that it can be printed and given to a process of its own:
{"name", "servers": [{"faults", "tcp", "other"}], "core": [lines of kamailio.cfg], "resolv": [lines], "calls": [call]}
A call is {"shape", "base", "uri"}: one zone of its own, so that nothing of it is cached before.
"""

import random

CALLEE = "127.0.0.20"
BACKUP = "127.0.0.21"
OTHER = "127.0.0.66"
FIRST_SERVER, SECOND_SERVER = "127.0.0.3", "127.0.0.4"
PORT = 5070


def _srv(base, *targets, proto="udp"):
    return [(f"_sip._{proto}.{base}", "SRV", f"{priority} 0 {PORT} {target}") for priority, target in targets]


def _host(base):
    return [(base, "A", CALLEE)]


def _one_target(base):
    return _srv(base, (0, f"a.{base}")) + [(f"a.{base}", "A", CALLEE)]


def _two_targets(base):
    """The first is in another zone."""
    return _srv(base, (1, f"a.one-{base}"), (2, f"b.{base}")) + [(f"a.one-{base}", "A", CALLEE), (f"b.{base}", "A", BACKUP)]


def _naptr(base):
    return [
        (base, "NAPTR", f'10 10 "s" "SIP+D2U" "" _sip._udp.{base}'),
        (base, "NAPTR", f'20 10 "s" "SIP+D2T" "" _sip._tcp.{base}'),
        *_srv(base, (0, f"a.{base}")), *_srv(base, (0, f"b.{base}"), proto="tcp"),
        (f"a.{base}", "A", CALLEE), (f"b.{base}", "A", BACKUP),
    ]


def _naptr_elsewhere(base):
    """The SRV records of the best NAPTR record are in another zone."""
    return [
        (base, "NAPTR", f'10 10 "s" "SIP+D2U" "" _sip._udp.one-{base}'),
        (base, "NAPTR", f'20 10 "s" "SIP+D2T" "" _sip._tcp.{base}'),
        *_srv(f"one-{base}", (0, f"a.one-{base}")), *_srv(base, (0, f"b.{base}"), proto="tcp"),
        (f"a.one-{base}", "A", CALLEE), (f"b.{base}", "A", BACKUP),
    ]


def _alias(base):
    return [(base, "CNAME", f"h.one-{base}"), (f"h.one-{base}", "A", CALLEE)]


def _tcp_only(base):
    return _srv(base, (0, f"a.{base}"), proto="tcp") + [(f"a.{base}", "A", CALLEE)]


def _srv_and_host(base):
    return _one_target(base) + [(base, "A", BACKUP)]


def _elsewhere_and_host(base):
    """The target is in another zone, and the name has an address as well."""
    target = f"a.one-{base}"
    return _srv(base, (0, target)) + [(target, "A", CALLEE), (base, "A", BACKUP)]


def _large(base):
    """Larger than 512 octets, and than 1232."""
    targets = [(priority, f"target-number-{priority:02}.{base}") for priority in range(1, 31)]
    return _srv(base, *targets) + [(target, "A", CALLEE if priority == 1 else BACKUP) for priority, target in targets]


def _with_additional(base):
    """The address of the target comes along with the SRV record."""
    return _one_target(base) + [(f"a.{base}", "+A", CALLEE)]


def _additional_of_others(base):
    """The address of a target in another zone comes along, and its own zone says something else."""
    target = f"a.one-{base}"
    return _srv(base, (0, target)) + [(target, "A", CALLEE), (target, "+A", OTHER)]


def _tls_alone(base):
    """The NAPTR record names TLS alone, which this server does not have; there are SRV records for UDP, too."""
    return [
        (base, "NAPTR", f'10 10 "s" "SIPS+D2T" "" _sips._tcp.{base}'),
        (f"_sips._tcp.{base}", "SRV", f"0 0 5061 a.{base}"), *_one_target(base),
    ]


def _late_target(base):
    """Of very many targets only the last has an address."""
    return _srv(base, *[(priority, f"t{priority}.{base}") for priority in range(1, 71)]) + [(f"t70.{base}", "A", CALLEE)]


SHAPES = {
    "host": _host, "one_target": _one_target, "two_targets": _two_targets, "naptr": _naptr,
    "naptr_elsewhere": _naptr_elsewhere, "alias": _alias, "tcp_only": _tcp_only, "srv_and_host": _srv_and_host,
    "elsewhere_and_host": _elsewhere_and_host,
    "large": _large, "with_additional": _with_additional, "additional_of_others": _additional_of_others,
    "tls_alone": _tls_alone, "late_target": _late_target,
}
# How each is called.
URIS = {
    "host": ["sip:u@{}:5070", "sip:u@{}"], "alias": ["sip:u@{}:5070", "sip:u@{}"],
    "tcp_only": ["sip:u@{};transport=tcp"], "srv_and_host": ["sip:u@{}", "sip:u@{}:5070"],
}
# Shapes that the original has no trouble with by itself.
DRAWN = [shape for shape in SHAPES if shape not in ("additional_of_others", "tls_alone", "late_target")]

QUICK = ["dns_retr_time=1", "dns_retr_no=1"]
NAPTR = ["dns_try_naptr=yes", "use_dns_failover=yes"]


def records(calls, other=False):
    """{(owner, type): [value]} of all zones; `other`: addresses are those of another host."""
    out = {}
    for call in calls:
        for owner, rtype, value in SHAPES[call["shape"]](call["base"]):
            if other and rtype in ("A", "+A"):
                value = OTHER
            out.setdefault((owner, rtype), []).append(value)
    return out


def call(number, shape, which=0):
    base = f"c{number}.test"
    choices = URIS.get(shape, ["sip:u@{}"])
    return {"shape": shape, "base": base, "uri": choices[which % len(choices)].format(base)}


def right_place(call):
    """Where a call arrives that gets all its answers; `None` where the original and the library do not agree on that."""
    if call["shape"] in ("additional_of_others", "tls_alone"):
        return None
    proto = "tcp" if "transport=tcp" in call["uri"] else "udp"
    asks_srv = f":{PORT}" not in call["uri"]
    host = BACKUP if call["shape"] == "srv_and_host" and not asks_srv else CALLEE
    port = 5060 if call["shape"] in ("host", "alias") and asks_srv else PORT
    return f"{proto}:{host}:{port}"


def server(*faults, tcp="ok", other=False):
    return {"faults": list(faults), "tcp": tcp, "other": other}


def fault(do, rtype=None, **more):
    return {"do": do, **({"type": rtype} if rtype else {}), **more}


def network(name, servers, shapes, core=(), resolv=(), **more):
    """The calls are to zones of these shapes, one after the other; "shape/1" takes the second way to call it.

    `more`: "written", how the servers stand in resolv.conf; "ours", options that the library alone has; "hosts", lines of
    the hosts file; "patient", without the options that make the original fast.
    """
    calls = []
    for shape in shapes:
        shape, _, which = shape.partition("/")
        calls.append(call(len(calls), shape, int(which or 0)))
    quick = [] if more.get("patient") else QUICK
    return {"name": name, "servers": servers, "core": [*quick, *core], "resolv": list(resolv), "calls": calls, **more}


def silent_zone(number):
    """The zone beside that of call `number` is silent."""
    return fault("silent", zone=f"one-c{number}.test")


USUAL = ["host", "one_target", "host/1", "two_targets"]

# Every fault that is known, alone. The short form has those of SHORT.
TABLE = [
    network("well", [server()], USUAL),
    network("well, large sets", [server()], ["large", "with_additional", "large"]),
    network("well, NAPTR", [server()], ["naptr", "naptr_elsewhere", "alias", "tcp_only"], NAPTR),
    *[network(f"{do}", [server(fault(do))], USUAL)
      for do in ("opt_dropped", "opt_servfail", "opt_formerr", "opt_notimp", "opt_echoed", "opt_missing")],
    network("opt_dropped, large sets", [server(fault("opt_dropped"))], ["large", "host", "large"]),
    *[network(f"{do} for {rtype}", [server(fault(do, rtype))], ["srv_and_host", "srv_and_host", "host", "srv_and_host"])
      for do in ("notimp", "servfail", "refused", "empty", "silent", "nxdomain", "formerr") for rtype in ("SRV",)],
    *[network(f"{do} for {rtype}", [server(fault(do, rtype))], ["naptr", "srv_and_host", "naptr", "host"], NAPTR)
      for do in ("notimp", "servfail", "refused", "empty", "silent", "nxdomain", "formerr") for rtype in ("NAPTR",)],
    *[network(f"{do} for {rtype}", [server(fault(do, rtype))], ["host", "one_target", "host/1", "srv_and_host"])
      for do in ("notimp", "servfail", "empty", "silent", "nxdomain") for rtype in ("AAAA",)],
    network("the zone of the first target is silent", [server(silent_zone(0), silent_zone(2))],
            ["two_targets", "host", "two_targets"], ["use_dns_failover=yes"]),
    network("the zone of the only target is silent", [server(silent_zone(0), silent_zone(2))],
            ["elsewhere_and_host", "host", "elsewhere_and_host"]),
    network("the zone of the best NAPTR record is silent", [server(silent_zone(0), silent_zone(2))],
            ["naptr_elsewhere", "host", "naptr_elsewhere"], NAPTR),
    *[network(f"truncated, TCP {tcp}", [server(fault("none"), tcp=tcp)], ["large", "host", "large"])
      for tcp in ("closed", "none", "silent")],
    *[network(f"nothing but TC, TCP {tcp}", [server(fault("truncated", "SRV"), tcp=tcp)], ["srv_and_host", "host", "srv_and_host"])
      for tcp in ("closed", "none", "silent")],
    *[network(f"first server: {do}", [server(fault(do)), server()], USUAL)
      for do in ("dead", "icmp", "silent", "servfail", "refused", "notimp", "formerr", "empty", "referral")],
    *[network(f"second server: {do}", [server(), server(fault(do))], USUAL)
      for do in ("dead", "icmp", "refused", "referral")],
    network("first server slow, the second has other data", [server(fault("slow", seconds=0.6)), server(other=True)], USUAL),
    network("one server, slow", [server(fault("slow", seconds=0.7))], USUAL),
    network("one server, slow, large sets", [server(fault("slow", seconds=0.6))], ["large", "host", "large"]),
    network("opt_dropped, slow", [server(fault("opt_dropped"), fault("slow", seconds=0.6))], ["host", "one_target", "host", "host/1"]),
    *[network(f"first {packets} packets and probes are lost, {attempts} attempts", [server(fault("lossy", packets=packets))], USUAL,
              [f"dns_retr_no={attempts}"])
      for packets, attempts in ((1, 2), (1, 4), (2, 4))],
    network("a second and a half of loss, probes too, 4 attempts", [server(fault("burst", seconds=1.5))], USUAL, ["dns_retr_no=4"]),
    network("half a second of loss, probes too", [server(fault("burst", seconds=0.5))], USUAL),
    network("half a second of loss, two servers", [server(fault("burst", seconds=0.5)), server(fault("burst", seconds=0.5))], USUAL),
    *[network(f"resolv.conf has {written}", [server()], USUAL, written=[written])
      for written in ("nameserver 127.0.0.003", "nameserver 127.3", "nameserver\t127.0.0.3  # caf\u00e9", "nameserver 0x7f.0.0.3")],
    network("hosts file, SRV is silent", [server(fault("silent", "SRV"))], ["srv_and_host", "host", "host/1"],
            hosts=[f"{BACKUP} c0.test", f"{CALLEE} c2.test"], ours=['DNS.hosts_file="/etc/hosts"']),
    network("first server dead, usual timeouts", [server(fault("dead")), server()], ["host", "one_target"], patient=True),
    network("the zone of the first target is silent, usual timeouts", [server(silent_zone(0))], ["two_targets", "host"],
            ["use_dns_failover=yes"], patient=True),
    network("SRV silent, usual timeouts", [server(fault("silent", "SRV"))], ["srv_and_host", "srv_and_host"], patient=True),
    # Hosts are found by libc then, with the options that the original gives it.
    *[network(f"without the cache: {name}", servers, USUAL, ["use_dns_cache=off", *core])
      for name, servers, core in (
          ("first server silent", [server(fault("silent")), server()], ()),
          ("first packet is lost", [server(fault("lossy", packets=1))], ("dns_retr_no=2",)),
          ("the zone of the first target is silent", [server(silent_zone(1), silent_zone(3))], ("use_dns_failover=yes",)),
      )],
    network("without the cache: search list off, its zone has the name", [server()], ["host", "one_target"],
            ["use_dns_cache=off", "dns_use_search_list=no"], ["search corp.example", "options ndots:2"]),
    network("search list", [server()], ["host", "one_target"], resolv=["search corp.example", "options ndots:2"]),
    network("search list, its zone is silent", [server(fault("silent", zone="corp.example"))], ["host", "one_target"],
            ["dns_use_search_list=yes"], ["search corp.example"]),
]
SHORT = (
    "opt_dropped", "opt_echoed", "notimp for SRV", "silent for SRV", "servfail for NAPTR", "silent for AAAA",
    "the zone of the first target is silent", "truncated, TCP closed", "first server: dead", "first server: icmp",
    "first server: empty", "without the cache: first server silent", "first server slow, the second has other data", "first 2 packets and probes are lost, 4 attempts",
)

# A network for each line of COMPAT.md that says where a call of the original arrives and ours does not, or elsewhere.
RULES = {
    "other-class": network("records of another class", [server(fault("other_class", "A"))], ["host", "one_target"]),
    "long-address": network("addresses of five octets", [server(fault("long_address", "A"))], ["host", "one_target"]),
    "others-additional": network(
        "additional data of another zone", [server()], ["additional_of_others", "additional_of_others"]),
    "others-alias": network(
        "the zone of an alias's target is silent", [server(silent_zone(0), silent_zone(1))], ["alias", "alias/1"]),
    "failed-naptr": network("NAPTR fails", [server(fault("servfail", "NAPTR"))], ["naptr", "srv_and_host"], NAPTR),
    "tls-alone": network("TLS alone is offered", [server()], ["tls_alone", "tls_alone"], NAPTR),
    "bounded-work": network("very many targets", [server()], ["late_target", "late_target"], ["use_dns_failover=yes"]),
}


def _drawn_fault(rng, calls):
    do = rng.choice((
        "opt_dropped", "opt_servfail", "opt_formerr", "opt_notimp", "opt_echoed", "opt_missing", "notimp", "servfail",
        "refused", "empty", "silent", "nxdomain", "formerr", "zone", "slow", "lossy", "burst", "dead", "icmp", "referral",
        "truncated",
    ))
    if do == "zone":
        return fault("silent", zone=f"one-c{rng.randrange(calls)}.test")
    if do in ("slow", "burst"):
        return fault(do, seconds=rng.choice((0.1, 0.3, 0.6)))
    if do in ("notimp", "servfail", "refused", "empty", "silent", "nxdomain", "formerr", "truncated"):
        return fault(do, rng.choice(("SRV", "NAPTR", "AAAA")))
    return fault(do)


def _turn(do):
    """What keeps a query with EDNS from the server's data goes first, what spoils the answer last."""
    if do in ("opt_echoed", "opt_missing"):
        return 2
    return 0 if do.startswith("opt_") else 1


def draw(seed, number):
    """Network `number` of a seed."""
    rng = random.Random(f"{seed}/{number}")
    shapes = [rng.choice(DRAWN) + rng.choice(("", "/1")) for _ in range(5)]
    servers = []
    for _ in range(rng.choice((1, 1, 2))):
        faults = [_drawn_fault(rng, len(shapes)) for _ in range(rng.choice((0, 1, 1, 2)))]
        faults.sort(key=lambda one: _turn(one["do"]))
        servers.append(server(*faults, tcp=rng.choice(("ok", "ok", "closed", "none"))))
    core = NAPTR if rng.random() < 0.5 else []
    # Usual timeouts take the original twenty seconds a call.
    patient = rng.random() < 0.1
    return network(f"seed {seed}, network {number}", servers, shapes[:2] if patient else shapes, core, patient=patient)
