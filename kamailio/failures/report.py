"""What the numbers of a row mean: the text of its cells, and whether the library passes."""

WORKERS = 8


def _s(seconds):
    if seconds is None:
        return "no answer"
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _q(count):
    return f"{count} {'query' if count == 1 else 'queries'}"


def _worst(values):
    """The longest time; None, an unanswered call, is longest."""
    return None if any(value is None for value in values) else max(values)


def _silent_cell(m):
    return f"each of 8 workers {_s(_worst(m['blocked']))}; {_q(m['queries'])}; the next call {_s(m['again'])}"


def _silent_pass(ours, stock):
    worst = _worst(ours["blocked"])
    # dns_resolve_deadline is 10 s; the rest is the time of a SIP transaction on a busy machine. Calls give up, and others
    # ask in their place.
    return worst is not None and worst < 11 and ours["queries"] < stock["queries"]


def _deadline_pass(ours, stock):
    worst = _worst(ours["blocked"])
    return worst is not None and worst < 3


def _herd_cell(m):
    return f"{', '.join(map(str, m['queries']))} {'query' if m['queries'][-1] == 1 else 'queries'}; longest call {_s(_worst(m['seconds']))}"


def _herd_pass(ours, stock):
    # How long the server takes is not known at first, so the first question may be sent again.
    first, *later = ours["queries"]
    return first <= 2 and later == [1, 1] and _worst(ours["seconds"]) is not None


def _hot_cell(m):
    lost = f", {m['failed']} failed" if m["failed"] else ""
    return f"{m['delayed']} of {m['calls']} calls delayed{lost}; {_q(m['queries'])}; longest {_s(m['longest'])}"


def _hot_pass(ours, stock):
    return ours["delayed"] == 0 and ours["failed"] == 0 and ours["queries"] == 1


def _dead_cell(m):
    first, *later = m["added"]
    return f"first miss +{_s(first)}, later ones up to +{_s(_worst(later))}; the dead server got {_q(m['dead_asked'])}"


def _dead_pass(ours, stock):
    first, worst = ours["added"][0], _worst(ours["added"][1:])
    return first is not None and first < 1 and worst is not None and worst < ours["trip"]


def _outage_cell(m):
    late = f", {m['slow']} late" if m["slow"] else ""
    return f"{m['failed']} of {m['calls']} calls failed{late}; of those in the 2 s after it {m['failed_after']} of {m['after']}"


def _outage_pass(ours, stock):
    return ours["failed"] == 0 and ours["failed_before"] == 0 and ours["failed_after"] == 0


def _new_cell(m):
    if m["works_after"] is None:
        return f"not within {m['patience']} s after its end"
    return f"{_s(max(0, m['works_after']))} after its end; {_q(m['queries'])}"


def _new_pass(ours, stock):
    return ours["works_after"] is not None and ours["works_after"] <= 2


def _crowd_cell(m):
    return "; ".join(
        f"at {phase['rate']} a second {phase['good']['soon']} of {phase['good']['calls']} within 0.1 s"
        f" (longest {_s(phase['good']['longest'])}, {phase['good']['done']} arrived),"
        f" new names {phase['new']['done']} of {phase['new']['calls']}"
        for phase in m["phases"]
    )


def _crowd_pass(ours, stock):
    def is_well(phase):
        good, new = phase["good"], phase["new"]
        if phase["rate"] > 10:
            return good["soon"] * 600 >= good["calls"] * 590
        # On a busy machine a call may take a little longer for other reasons.
        return good["late"] == good["calls"] and good["soon"] >= good["calls"] * 0.99 and new["done"] == new["calls"]

    return all(map(is_well, ours["phases"]))


def _one_silent_cell(m):
    good = m["good"]
    return f"{good['calls'] - good['soon']} of {good['calls']} later than 0.1 s, longest {_s(good['longest'])}; {_q(m['queries'])}"


def _one_silent_pass(ours, stock):
    good = ours["good"]
    return good["late"] == good["calls"] and good["soon"] >= good["calls"] * 0.99


def _is_free(good, soon=0.99):
    """Calls to a cached name: none late, and hardly one on a busy machine later than 0.1 s."""
    return good["late"] == good["calls"] and good["soon"] >= good["calls"] * soon


def _late_cell(what, times):
    lost = f", {times['calls'] - times['done']} never" if times["done"] < times["calls"] else ""
    return f"{what}: {times['calls'] - times['late']} of {times['calls']} later than 0.5 s{lost}, longest {_s(times['longest'])}"


def _lost_cell(m):
    return f"{_late_cell('the name', m['new'])}; {_late_cell('cached', m['good'])}; {_q(m['queries'])}"


def _lost_pass(ours, stock):
    return ours["new"]["late"] == ours["new"]["calls"] and _is_free(ours["good"])


def _lossy_cell(m):
    return "; ".join(
        f"{phase['percent']} %: {phase['name']['done']} of {phase['name']['calls']} arrive, longest {_s(phase['name']['longest'])};"
        f" cached: {phase['good']['calls'] - phase['good']['soon']} of {phase['good']['calls']} later than 0.1 s"
        for phase in m["phases"]
    )


def _lossy_pass(ours, stock):
    one, five = ours["phases"]
    return (
        one["name"]["done"] == one["name"]["calls"] and five["name"]["done"] >= five["name"]["calls"] * 0.99
        and _is_free(one["good"]) and _is_free(five["good"])
    )


def _stopped_cell(m):
    new = m["new"]
    return f"the name: {new['done']} of {new['calls']} arrive, longest {_s(new['longest'])}; {_late_cell('cached', m['good'])}"


def _stopped_pass(ours, stock):
    new = ours["new"]
    # A packet may wake the stopped worker, and waits then for the next one to wake another.
    return new["done"] == new["calls"] and new["longest"] <= ours["answer"] + 0.5 and ours["good"]["late"] == ours["good"]["calls"]


def _down_cell(m):
    return f"the first {_s(m['first'])}, later ones up to {_s(_worst(m['new']))}; {_late_cell('cached', m['good'])}"


def _down_pass(ours, stock):
    worst = _worst(ours["new"])
    # A busy machine has its part in the time.
    return worst is not None and worst <= 0.6 and _is_free(ours["good"])


def _zone_cell(m):
    return _late_cell("elsewhere", m["new"])


def _zone_pass(ours, stock):
    new = ours["new"]
    return new["late"] == new["calls"] and new["soon"] >= new["calls"] * 0.9


def _far_cell(m):
    return f"{m['new']['done']} of {m['new']['calls']} arrive, longest {_s(m['new']['longest'])}"


def _far_pass(ours, stock):
    return ours["new"]["done"] == ours["new"]["calls"]


# The original does this right, and the library must not do worse.
ALSO_STOCK = {"stopped_worker", "far_server"}

# name: what happens, what is demanded of the library, the cell, the verdict
ROWS = {
    "silent": (
        "A name's servers drop every packet (URI without port and transport). 8 calls at once.",
        "no worker is blocked longer than `dns_resolve_deadline` (10 s); fewer queries for these calls",
        _silent_cell, _silent_pass,
    ),
    "deadline": (
        "The same; the library with `dns_resolve_deadline` = 2 s, for which the original has no option.",
        "no worker is blocked longer than that",
        _silent_cell, _deadline_pass,
    ),
    "herd": (
        "8 workers ask for one uncached name at once, server 300 ms away; three names.",
        "1 query for each name, 2 for the first question put to the server",
        _herd_cell, _herd_pass,
    ),
    "hot": (
        "The busiest name (200 calls/s, TTL 8 s) expires, server 500 ms away.",
        "no call delayed by DNS (half the round trip or more), 1 query",
        _hot_cell, _hot_pass,
    ),
    "dead_server": (
        "The first of two nameservers is silent, the second 100 ms away. Misses one after the other.",
        "the first miss takes half a second more (less than 1 s on a busy machine), later ones less than a round trip",
        _dead_cell, _dead_pass,
    ),
    "outage": (
        "All nameservers silent for {outage:g} s, 50 calls/s to ten names in use (TTL 5 s).",
        "no call fails",
        _outage_cell, _outage_pass,
    ),
    "new_name": (
        "A name is asked for the first time during an outage of 1 s (`dns_retr_time=1`, `dns_retr_no=1`).",
        "it works at most 2 s after the outage",
        _new_cell, _new_pass,
    ),
    "crowd_of_one_parent": (
        "20 calls/s to a cached name, one a second to new names 20 ms away; requests to names whose servers keep silent, below one parent.",
        "every call to the cached name within 0.1 s and all new names resolved at 1 and 10 a second; 590 of 600 at 100",
        _crowd_cell, _crowd_pass,
    ),
    "crowd_of_many_parents": (
        "The same, each of the silent names below a parent of its own.",
        "the same",
        _crowd_cell, _crowd_pass,
    ),
    "one_silent_name": (
        "5 calls/s to one name whose server keeps silent, 10/s to a cached name.",
        "no call to the cached name later than 0.1 s",
        _one_silent_cell, _one_silent_pass,
    ),
    "lost_packet": (
        "10 calls/s to a new name whose first query packet is lost, 10/s to a cached name.",
        "no call to either later than 0.5 s",
        _lost_cell, _lost_pass,
    ),
    "lossy": (
        "20 calls/s to a name with TTL 0, of whose queries and replies 1 % and then 5 % are lost, 10/s to a cached name.",
        "all calls to the name arrive at 1 %, 99 % at 5 %; none to the cached name later than 0.1 s",
        _lossy_cell, _lossy_pass,
    ),
    "stopped_worker": (
        "A worker is stopped while it asks for a name that is answered after 500 ms; 10 calls/s to that name, 10/s to a cached one.",
        "all calls arrive, none later than the answer and 0.5 s",
        _stopped_cell, _stopped_pass,
    ),
    "only_server_down": (
        "The only nameserver is down; calls to new names once the first has found that out, 10 calls/s to a cached name.",
        "each answered within 0.5 s (0.6 s on a busy machine), workers free",
        _down_cell, _down_pass,
    ),
    "silent_zone": (
        "Two nameservers, both silent about one zone; one call a second to new names in it, and to new names elsewhere, 20 ms away.",
        "none of those elsewhere later than a round trip and 0.3 s (0.5 s on a busy machine)",
        _zone_cell, _zone_pass,
    ),
    "far_server": (
        "Five new names at once, the nameserver 800 ms away.",
        "all calls arrive",
        _far_cell, _far_pass,
    ),
}


def miscounted(name, m):
    """What the library's own counters say that outside looks different; None if they agree."""
    counted, (low, high) = m["counters"], m["asked"]
    sent = counted["queries_udp"] + counted["resends"]
    if not low <= sent <= high:
        return f"queries_udp and resends are {sent}, the name server saw {low} to {high}"
    answered = sum(counted[kind] for kind in ("hits", "negative_hits", "failure_hits", "stale", "misses"))
    expected = {
        # A call that comes after the answer, on a slow machine, is a hit.
        "herd": {"coalesced": (WORKERS - 1) * 3 - counted["hits"], "misses": WORKERS * 3 - counted["hits"]},
        "hot": {"refreshed": m.get("queries"), "misses": 1},
        "outage": {"stale": max(1, counted["stale"]), "refresh_failed": max(1, counted["refresh_failed"])},
        "dead_server": {"timeouts": max(1, counted["timeouts"])},
    }.get(name, {})
    wrong = [f"{kind} is {counted[kind]}, not {count}" for kind, count in expected.items() if counted[kind] != count]
    if name == "outage":
        lookups = m["before"] + m["calls"] + m["after"]
        wrong += [] if answered == lookups else [f"{answered} lookups counted, {lookups} made"]
    return "; ".join(wrong) or None


def judge(name, ours, stock):
    """None when the library passes, else why not."""
    if "error" in ours:
        return ours["error"]
    if "error" in stock:
        return "the stock server: " + stock["error"]
    if not ROWS[name][3](ours, stock):
        return "the criterion is not met"
    trouble = miscounted(name, ours)
    if trouble:
        return "the counters disagree: " + trouble
    # A criterion that the original meets as well would prove nothing: the failure did not happen.
    if name in ALSO_STOCK:
        return None
    return "the C original meets the criterion, too" if ROWS[name][3](stock, stock) else None


def cell(name, measured):
    return "could not be measured" if "error" in measured else ROWS[name][2](measured)


def situation(name, measured):
    return ROWS[name][0].format(outage=measured.get("outage", 0))


def table(results, suites, versions, facts):
    """The document. `results` maps (row, suite, "stock"|"ours") to numbers."""
    lines = [
        "# Behaviour under failure",
        "",
        "Written by `make failure-table`; do not edit. Real Kamailio servers with 8 UDP workers, Debian's flags,",
        "the C original (\"stock\") and this library (\"ours\") in the same run, each with a name server of its own",
        "in a network namespace of its own. Options have their defaults unless the row says otherwise.",
        "",
        *[f"- {fact}" for fact in facts],
        "",
    ]
    failed = 0
    for suite in suites:
        lines += [f"## Kamailio {versions[suite]}", "", "| situation | demanded | stock | ours | |", "|---|---|---|---|---|"]
        for name in ROWS:
            if (name, suite, "ours") not in results:
                continue
            ours, stock = results[name, suite, "ours"], results[name, suite, "stock"]
            trouble = judge(name, ours, stock)
            failed += trouble is not None
            lines.append(
                f"| {situation(name, ours)} | {ROWS[name][1]} | {cell(name, stock)} | {cell(name, ours)} "
                f"| {'passed' if trouble is None else '**failed**'} |"
            )
        lines.append("")
    return "\n".join(lines), failed
