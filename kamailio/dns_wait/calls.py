"""Calls by sipp around a wait: cancelled before, during and after it; sent again; forked, and refused again and again."""

import collections
import os

from bed import sipp
from bed.wait import wait_for
from flows_xml import ANSWERS_OPTIONS, RINGS, asks, cancels
from module import ROUTES, counts, kamailio, wait_until_counted

CALLS = int(os.environ.get("DNS_WAIT_CALLS", "10"))
# All of them begin within two seconds: those that want the same name share its question.
RATE = max(50, CALLS // 2)
# A question is given 5 s; this is longer than what the callers do meanwhile.
LATE = 4.5
FIRST, SECOND, THIRD = (f"udp:127.0.0.{last}:5060" for last in (10, 11, 12))
RECORDS = ["one.test 0 A 127.0.0.10", "two.test 0 A 127.0.0.11", "three.test 0 A 127.0.0.12"]


def _play(scenario, xml, uri):
    """sipp's own verdict on CALLS calls by a scenario."""
    status, output = sipp.play(scenario.folder, "flow", xml, uri, CALLS, RATE)
    with open(os.path.join(scenario.folder, "caller.log"), "a") as log:
        log.write(output)
    scenario.check(f"sipp sees the calls to {uri} go as they should", status, 0)


def _callee(scenario, place, code=200, xml=None):
    callee = sipp.Callee(scenario.folder, place, code, xml)
    scenario.endings.append(callee.stop)
    return callee


def _finals(scenario, method):
    """The final codes that each call got, those of retransmissions once."""
    finals = {}
    for reply in scenario.observer.sip:
        if reply.status >= 200 and reply.method == method and reply.target == "127.0.0.1:5080":
            finals.setdefault(reply.call_id, set()).add(reply.status)
    return finals


def _finals_by_call(scenario, method="INVITE", calls=CALLS):
    """How many of so many calls got which final codes. A caller that gave up left before its call had one."""
    wait_for("final replies", lambda: len(_finals(scenario, method)) >= calls)
    scenario.observer.settle()
    finals = _finals(scenario, method)
    return dict(collections.Counter("+".join(map(str, sorted(codes))) for codes in finals.values()))


def _late(scenario, records):
    """A nameserver that answers when all calls have begun, and settings with which one waits for that."""
    with open(scenario.resolv_conf, "w") as file:
        file.write("nameserver 127.0.0.1\noptions timeout:10 attempts:1\n")
    dns = scenario.dns(records)
    dns.rules = {"*": LATE}
    return {"core": ("dns_retr_time=10", "dns_retr_no=1"), "deadline": 10000, "options": {"fr_timer": 20000}}


def _sent_on(scenario, method="INVITE"):
    return len(scenario.observer.requests(method, 5060))


def cancelled_before(scenario):
    """The CANCEL comes while the route still runs, before it comes to t_dns_wait(): nothing is suspended."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.3}
    _callee(scenario, FIRST)
    route = ROUTES.replace("t_dns_wait", 't_newtran(); send_reply("100", "Trying"); usleep("600000"); t_dns_wait', 1)
    server = kamailio(scenario, route=route, more_params=['loadmodule "cfgutils.so"'], options={"children": 2 * CALLS})
    _play(scenario, cancels(150), "sip:u@one.test:5060")
    wait_until_counted(server, "refused", CALLS)
    scenario.check("finals", _finals_by_call(scenario), {"487": CALLS})
    scenario.check("sent on", _sent_on(scenario), 0)
    scenario.check("counts", counts(server, "suspended", "refused", "continued", "waiting"),
                   {"suspended": 0, "refused": CALLS, "continued": 0, "waiting": 0})


def cancelled_meanwhile(scenario):
    settings = _late(scenario, RECORDS)
    _callee(scenario, FIRST)
    server = kamailio(scenario, **settings)
    _play(scenario, cancels(200), "sip:u@one.test:5060")
    wait_until_counted(server, "waiting", 0)
    scenario.check("finals", _finals_by_call(scenario), {"487": CALLS})
    scenario.check("sent on", _sent_on(scenario), 0)
    scenario.check("counts", counts(server, "suspended", "continued", "gone"),
                   {"suspended": CALLS, "continued": 0, "gone": CALLS})


def cancelled_after(scenario):
    """The callee rings when the CANCEL comes; it gets one."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.3}
    _callee(scenario, FIRST, xml=RINGS)
    server = kamailio(scenario)
    _play(scenario, cancels(50, rings=True), "sip:u@one.test:5060")
    scenario.check("finals", _finals_by_call(scenario), {"487": CALLS})
    scenario.check("sent on", (_sent_on(scenario), _sent_on(scenario, "CANCEL")), (CALLS, CALLS))
    scenario.check("counts", counts(server, "suspended", "continued", "gone"),
                   {"suspended": CALLS, "continued": CALLS, "gone": 0})


def cancelled_at_any_time(scenario):
    """The CANCEL comes about when the answer does: each call has one final all the same."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.25}
    _callee(scenario, FIRST, xml=RINGS)
    server = kamailio(scenario)
    for after in (210, 225, 240, 255):
        sipp.play(scenario.folder, f"race{after}", cancels(after), "sip:u@one.test:5060", CALLS, RATE, seconds=30)
    wait_until_counted(server, "waiting", 0)
    # Where the CANCEL comes in the midst of the route, t_relay() fails, and the route may be first with an answer.
    finals = _finals_by_call(scenario, calls=4 * CALLS)
    scenario.check_that(f"calls with one final: {finals}", finals.get("487", 0) + finals.get("500", 0) == 4 * CALLS)
    found = counts(server, "suspended", "continued", "gone")
    scenario.check("each once", found["continued"] + found["gone"], found["suspended"])


def sent_again(scenario):
    """INVITE and OPTIONS again and again while the transaction is suspended: each goes on once. No 100 keeps sipp from it."""
    settings = _late(scenario, [*RECORDS, "busy.test 0 A 127.0.0.11"])
    _callee(scenario, FIRST, xml=ANSWERS_OPTIONS)
    _callee(scenario, SECOND, 486)
    server = kamailio(scenario, more_params=['modparam("tm", "auto_inv_100", 0)'], **settings)
    _play(scenario, asks("INVITE", 486), "sip:u@busy.test:5060")
    _play(scenario, asks("OPTIONS", 200), "sip:u@one.test:5060")
    came = collections.Counter(each.method for each in scenario.observer.sip if each.target == "127.0.0.1:5060" and not each.status)
    scenario.check_that(f"requests came again and again: {came}", min(came["INVITE"], came["OPTIONS"]) > 3 * CALLS)
    wait_until_counted(server, "waiting", 0)
    scenario.check("INVITEs", (_finals_by_call(scenario), _sent_on(scenario)), ({"486": CALLS}, CALLS))
    scenario.check("OPTIONS", (_finals_by_call(scenario, "OPTIONS"), _sent_on(scenario, "OPTIONS")), ({"200": CALLS}, CALLS))
    scenario.check("counts", counts(server, "suspended", "continued"), {"suspended": 2 * CALLS, "continued": 2 * CALLS})


FORKS = ROUTES.replace("t_dns_wait", 'append_branch("sip:u@two.test:5060"); append_branch("sip:u@three.test:5060"); t_dns_wait',
                       1).replace("if (!t_relay())", 't_on_branch("EACH"); if (!t_relay())') + """
branch_route[EACH] {
    append_hf("X-Branch: $dnsw(end)\\r\\n");
    if ($rd == "three.test") drop;
}
"""


def forked(scenario):
    """Three branches after one wait: one refuses, one answers, the branch route drops one."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.3}
    _callee(scenario, FIRST, 486)
    _callee(scenario, SECOND)
    _callee(scenario, THIRD)
    server = kamailio(scenario, route=FORKS)
    scenario.sipp_calls("sip:u@one.test:5060", count=CALLS, limit=CALLS, rate=RATE)
    scenario.check("finals", _finals_by_call(scenario), {"200": CALLS})
    arrivals = scenario.arrivals()
    scenario.check("INVITEs", [arrivals.count(place) for place in (FIRST, SECOND, THIRD)], [CALLS, CALLS, 0])
    scenario.check("counts", counts(server, "suspended", "continued"), {"suspended": CALLS, "continued": CALLS})
    # A name is asked for once for those that wait for it at the same time, and never by t_relay().
    scenario.check_that("questions", len(dns.questions()) <= 3 * CALLS)


PLACES = [f"udp:127.0.0.{last}:5060" for last in range(20, 26)]
ROUNDS = ROUTES.replace("t_dns_wait", "$avp(round) = 0; t_dns_wait", 1).replace(
    "if (!t_relay())", 't_on_failure("REFUSED"); if (!t_relay())') + """
failure_route[REFUSED] {
    if (t_is_canceled()) exit;
    $avp(round) = $avp(round) + 1;
    $ru = "sip:u@n" + $avp(round) + ".test:5060";
    t_dns_wait("RESOLVED");
    xlog("L_NOTICE", "no further wait: $rc\\n");
}
"""


def _rounds(scenario, codes):
    """A call is refused, and goes elsewhere after another wait, again and again. The callees are sipp's."""
    dns = scenario.dns([f"n{each}.test 0 A 127.0.0.{20 + each}" for each in range(len(PLACES))])
    dns.rules = {"*": 0.1}
    for place, code in zip(PLACES, codes, strict=False):
        _callee(scenario, place, code)
    return kamailio(scenario, route=ROUNDS)


def refused_and_refused(scenario):
    """Five callees refuse after a wait each; the sixth answers. 12 branches are all that a transaction has."""
    server = _rounds(scenario, [486] * 5 + [200])
    scenario.sipp_calls("sip:u@n0.test:5060", count=CALLS, limit=CALLS, rate=RATE)
    scenario.check("finals", _finals_by_call(scenario), {"200": CALLS})
    scenario.check("INVITEs", [scenario.arrivals().count(place) for place in PLACES], [CALLS] * 6)
    scenario.check("counts", counts(server, "suspended", "continued", "refused"),
                   {"suspended": 6 * CALLS, "continued": 6 * CALLS, "refused": 0})


def no_branch_left(scenario):
    """The wait for a seventh callee finds no branch: the transaction ends with what it has, once."""
    server = _rounds(scenario, [486] * 6)
    scenario.sipp_calls("sip:u@n0.test:5060", final=486, count=CALLS, limit=CALLS, rate=RATE)
    scenario.check("finals", _finals_by_call(scenario), {"486": CALLS})
    scenario.check("INVITEs", [scenario.arrivals().count(place) for place in PLACES], [CALLS] * 6)
    scenario.check("counts", counts(server, "suspended", "continued", "refused", "waiting"),
                   {"suspended": 6 * CALLS, "continued": 6 * CALLS, "refused": CALLS, "waiting": 0})


def scenarios():
    table = {
        "calls cancelled before the wait": cancelled_before,
        "calls cancelled during the wait": cancelled_meanwhile,
        "calls cancelled after the wait": cancelled_after,
        "calls cancelled when the answer comes": cancelled_at_any_time,
        "calls sent again during the wait": sent_again,
        "calls forked after the wait": forked,
        "calls refused, with a wait each": refused_and_refused,
        "calls without a branch for the wait": no_branch_left,
    }
    return [(name, function, "") for name, function in table.items()]
