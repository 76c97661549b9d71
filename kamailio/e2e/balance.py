"""Calls spread by SRV weight (RFC 2782)."""

CALLS = 1000
# (target, weight). All have one priority.
TARGETS = [("127.0.0.10", 10), ("127.0.0.11", 30), ("127.0.0.12", 60), ("127.0.0.13", 0)]
# Chi-square, three degrees of freedom, 1 %.
LIMIT = 11.345


def _shares():
    """A draw from 0 to the sum, both included; 0 is the record of weight 0."""
    total = sum(weight for _, weight in TARGETS) + 1
    return {f"udp:{target}:5060": CALLS * (weight or 1) / total for target, weight in TARGETS}


def _chi_square(arrivals, shares):
    return sum((arrivals.count(place) - share) ** 2 / share for place, share in shares.items())


def _zone():
    lines = [f"_sip._udp.lb SRV 10 {weight} 5060 t{number}.lb" for number, (_, weight) in enumerate(TARGETS)]
    lines += [f"t{number}.lb A {target}" for number, (target, _) in enumerate(TARGETS)]
    # A target of a worse priority, whatever its weight, gets nothing.
    return lines + ["_sip._udp.lb SRV 20 65535 5060 worse.lb", "worse.lb A 127.0.0.19"]


def _calls(scenario):
    before = scenario.observer.mark()
    scenario.sipp_calls("sip:u@lb.test", count=CALLS, rate=250, limit=100)
    return scenario.arrivals(since=before)


def by_weight(scenario):
    scenario.nsd(_zone())
    for target, _ in TARGETS:
        scenario.sipp_callee(f"udp:{target}:5060")
    scenario.kamailio(("use_dns_failover=on", "dns_srv_lb=on"), children=4, memory=256)
    shares = _shares()
    arrivals = _calls(scenario)
    # One in a hundred fair draws fails at 1 %. Two in a row do not.
    if _chi_square(arrivals, shares) >= LIMIT:
        arrivals = _calls(scenario)
    scenario.check("number of calls", len(arrivals), CALLS)
    scenario.check("targets", set(arrivals), set(shares))
    counts = {place: arrivals.count(place) for place in shares}
    scenario.check_that(f"shares {counts}, chi-square {_chi_square(arrivals, shares):.1f} below {LIMIT}",
                        _chi_square(arrivals, shares) < LIMIT)
    # The test itself: a spread without weights must not pass.
    even = [place for place in shares for _ in range(CALLS // len(shares))]
    scenario.check_that("an even spread is told apart", _chi_square(even, shares) > LIMIT)


def without(scenario):
    """With dns_srv_lb off all calls go to the heaviest record of the best priority."""
    scenario.nsd(_zone())
    for target, _ in TARGETS:
        scenario.sipp_callee(f"udp:{target}:5060")
    scenario.kamailio(("use_dns_failover=on",))
    before = scenario.observer.mark()
    scenario.sipp_calls("sip:u@lb.test", count=50, rate=250, limit=50)
    scenario.check("arrivals", scenario.arrivals(since=before), ["udp:127.0.0.12:5060"] * 50)


def scenarios():
    return [
        ("balance: 1000 calls by weight 10, 30, 60, 0", by_weight, "B32"),
        ("balance: off", without, ""),
    ]
