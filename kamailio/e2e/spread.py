"""Calls spread over equal targets by the library's own options, and what a stateless proxy makes of them."""

from bed.kamailio import STATELESS
from bed.wait import wait_for

PLACES = [f"udp:127.0.0.{host}:5060" for host in (10, 11, 12, 13)]
EQUALS = [f"_sip._udp.h SRV 1 50 5060 t{host}.h" for host in range(4)]
EQUALS += [f"t{host}.h A 127.0.0.{10 + host}" for host in range(4)]
ADDRESSES = [f"h A 127.0.0.{10 + host}" for host in range(4)]
CALLS, SENDINGS = 24, 5

DRAWN = ("use_dns_failover=on", "dns_srv_lb=on")
ROTATED = ("DNS.rotate = 1",)
SEEDED = ("DNS.transaction_seed = 1",)


def _arrivals(scenario, before, call_id):
    """Where Kamailio sent each request of a call, retransmissions and all."""
    scenario.observer.settle()
    messages = scenario.observer.sip[before[0] :]
    return [message.arrival for message in messages
            if message.call_id == call_id and not message.status and message.source.endswith(":5060")]


def _targets(scenario, caller, uri):
    """The targets of one transaction: a request, the same again and again, and one with its CSeq number."""
    before = scenario.observer.mark()
    call_id, _, method, text = caller.start(uri)
    for _ in range(SENDINGS - 1):
        caller.sock.sendto(text.encode(), caller.proxy)
    caller.sock.sendto(text.replace(method, "INFO").encode(), caller.proxy)
    wait_for("all that was sent", lambda: len(_arrivals(scenario, before, call_id)) > SENDINGS, 20)
    return set(_arrivals(scenario, before, call_id))


def _stateless(scenario, records, core, uri, one):
    scenario.nsd(records)
    scenario.callees(dict.fromkeys(PLACES, 200))
    scenario.kamailio(core, route=STATELESS, children=4)
    caller = scenario.caller()
    targets = [_targets(scenario, caller, uri) for _ in range(CALLS)]
    scenario.check("transactions that went to one target each", sum(len(each) == 1 for each in targets) == CALLS, one)
    # All of 24 calls at one of four equals: once in 10^14.
    scenario.check_that(f"transactions are spread: {targets}", len(set().union(*targets)) > 1)


def drawn(scenario):
    _stateless(scenario, EQUALS, DRAWN + SEEDED, "sip:u@h.test", True)


def drawn_without(scenario):
    _stateless(scenario, EQUALS, DRAWN, "sip:u@h.test", False)


def rotated(scenario):
    _stateless(scenario, ADDRESSES, ROTATED + SEEDED, "sip:u@h.test:5060", True)


def rotated_without(scenario):
    _stateless(scenario, ADDRESSES, ROTATED, "sip:u@h.test:5060", False)


def _firsts(scenario, caller, count):
    """Where so many calls, one after the other, arrive first."""
    out = []
    for _ in range(count):
        before = scenario.observer.mark()
        caller.call("sip:u@h.test:5060")
        out += scenario.arrivals("MESSAGE", before)[:1]
    return out


def at_run_time(scenario):
    """Changed while Kamailio runs, the options count in all its processes."""
    scenario.nsd(ADDRESSES + ["h AAAA fd00::10"])
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = scenario.kamailio(("use_dns_failover=on",), children=4)
    caller = scenario.caller()
    scenario.check("targets without dns_rotate", len(set(_firsts(scenario, caller, 8))), 1)
    server.kamcmd("cfg.seti", "dns", "rotate", 1)
    # Each process takes the change over before its next request, so the turns of all are one row.
    turned = _firsts(scenario, caller, 8)
    scenario.check("targets in turn", sorted(turned[:4]), PLACES)
    scenario.check("and again", turned[4:], turned[:4])
    server.kamcmd("cfg.seti", "dns", "rotate", 0)
    scenario.check("targets after the way back", len(set(_firsts(scenario, caller, 8))), 1)


def _walk(scenario, caller):
    before = scenario.observer.mark()
    caller.call("sip:u@h.test:5060")
    return scenario.arrivals("MESSAGE", before)


def families(scenario):
    scenario.nsd(["h A 127.0.0.20", "h A 127.0.0.21", "h AAAA fd00::10", "h AAAA fd00::11"])
    four = ["udp:127.0.0.20:5060", "udp:127.0.0.21:5060"]
    six = ["udp:[fd00::10]:5060", "udp:[fd00::11]:5060"]
    scenario.callees(dict.fromkeys(four + six, 503))
    server = scenario.kamailio(("use_dns_failover=on",))
    caller = scenario.caller()
    # The server turns its answers, but what comes from the cache stands as it came.
    walked = _walk(scenario, caller)
    scenario.check("one family", sorted(walked[:2]), four)
    scenario.check("then the other", sorted(walked[2:]), six)
    server.kamcmd("cfg.sets", "dns", "family_order", "interleave")
    scenario.check("in turn", _walk(scenario, caller), [walked[0], walked[2], walked[1], walked[3]])
    server.kamcmd("cfg.sets", "dns", "family_order", "as_flags")
    scenario.check("the way back", _walk(scenario, caller), walked)


def scenarios():
    return [
        ("spread: a stateless proxy, by weight, one target for a transaction", drawn, "RFC 3263 4.4"),
        ("spread: a stateless proxy, by weight, each request drawn", drawn_without, ""),
        ("spread: a stateless proxy, in turn, one target for a transaction", rotated, "no such option"),
        ("spread: a stateless proxy, in turn, each request counted", rotated_without, "no such option"),
        ("spread: dns_rotate at run time", at_run_time, "no such option"),
        ("spread: dns_family_order at run time", families, "no such option"),
    ]
