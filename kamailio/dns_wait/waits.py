"""What becomes of transactions that wait: each goes on once, or is answered once, and nobody else waits."""

import time

from bed import sip
from bed.wait import wait_for
from module import ROUTES, counted, counts, kamailio, wait_until_counted

PLACES = [f"udp:127.0.0.{last}:5060" for last in (10, 11, 12)]
FIRST, SECOND, THIRD = PLACES
RECORDS = ["one.test A 127.0.0.10", "two.test A 127.0.0.11", "_sip._udp.srv.test SRV 1 1 5060 one.test",
           "none.ttl.test 0 A 127.0.0.10", "also.ttl.test 0 A 127.0.0.11"]
SLOW = "sip:u@one.test:5060"


def answered(scenario):
    """The Call-IDs of all calls to whose caller a final reply went."""
    return {reply.call_id for reply in scenario.observer.sip if reply.status >= 200 and reply.target == "127.0.0.1:5080"}


def finals_of(scenario, call):
    """All final replies that the caller got for a request, retransmissions of the same left out."""
    scenario.observer.settle()
    seen = {(reply.status, reply.method) for reply in scenario.observer.sip
            if reply.status >= 200 and reply.call_id == call[0] and reply.target == "127.0.0.1:5080"}
    return sorted(seen)


def _sent(scenario, call):
    """How often Kamailio sent a request on, for the first time."""
    return len([each for each in scenario.observer.requests(call[2], 5060) if each.call_id == call[0]])


def goes_on(scenario):
    """The only SIP worker serves another call while the first one waits."""
    dns = scenario.dns(RECORDS)
    dns.rules = {("one.test", "A"): 1.5}
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario)
    caller, other = scenario.caller(), sip.Caller("127.0.0.1:5081")
    first = caller.start(SLOW)
    wait_until_counted(server, "waiting", 1)
    scenario.check("another call meanwhile", other.call("sip:u@127.0.0.12:5060"), 200)
    scenario.check("the first one waits still", counted(server, "waiting"), 1)
    scenario.check("the first call", caller.finish(first), 200)
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), [THIRD, FIRST])
    before = len(dns.questions())
    scenario.check("again, from the cache", caller.call(SLOW), 200)
    scenario.check("questions for that", len(dns.questions()) - before, 0)
    scenario.check("counts", counts(server, "ready", "suspended", "continued", "waited", "gone", "waiting"),
                   {"ready": 2, "suspended": 1, "continued": 1, "waited": 1, "gone": 0, "waiting": 0})


def invite(scenario):
    """A whole call by sipp, through SRV."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.3}
    scenario.sipp_callee(FIRST)
    server = kamailio(scenario)
    scenario.sipp_calls("sip:u@srv.test")
    scenario.check("counts", counts(server, "waited", "continued", "gone"), {"waited": 1, "continued": 1, "gone": 0})


def fails(scenario):
    scenario.dns(RECORDS)
    server = kamailio(scenario)
    caller = scenario.caller()
    call = caller.start("sip:u@absent.test:5060", "INVITE")
    scenario.check("the call", caller.finish(call), 478)
    scenario.check("counts", counts(server, "failed", "continued"), {"failed": 1, "continued": 1})
    scenario.check("known to be missing: at once", caller.call("sip:u@absent.test:5060"), 478)
    scenario.check("waits", counted(server, "suspended"), 1)


def deadline(scenario):
    """A silent name: the deadline is earlier than the resolver's own end."""
    dns = scenario.dns(RECORDS)
    dns.rules = {("one.test", "*"): "drop"}
    server = kamailio(scenario, deadline=700)
    caller = scenario.caller()
    call = caller.start(SLOW, "INVITE")
    scenario.check("the call", caller.finish(call), 504)
    wait_until_counted(server, "waiting", 0)
    scenario.check("answers", finals_of(scenario, call), [(504, "INVITE")])
    scenario.check("counts", counts(server, "timeout", "continued", "gone"), {"timeout": 1, "continued": 1, "gone": 0})


def cancelled(scenario):
    """CANCEL while the transaction is suspended: it is answered then, and its route never runs."""
    dns = scenario.dns(RECORDS)
    dns.rules = {("one.test", "A"): 1.5}
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario)
    caller = scenario.caller()
    call = caller.start(SLOW, "INVITE")
    wait_until_counted(server, "waiting", 1)
    caller.sock.sendto(call[3].replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL").encode(), caller.proxy)
    scenario.check("the first final reply", caller.finish(call) in (200, 487), True)
    wait_for("both answers", lambda: len(finals_of(scenario, call)) >= 2)
    wait_until_counted(server, "waiting", 0)
    scenario.check("answers", finals_of(scenario, call), [(200, "CANCEL"), (487, "INVITE")])
    scenario.check("sent on", _sent(scenario, call), 0)
    scenario.check("counts", counts(server, "continued", "gone"), {"continued": 0, "gone": 1})


def retransmitted(scenario):
    dns = scenario.dns(RECORDS)
    dns.rules = {("one.test", "A"): 1.0}
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario)
    caller = scenario.caller()
    call = caller.start(SLOW, "INVITE")
    for _ in range(5):
        caller.sock.sendto(call[3].encode(), caller.proxy)
    scenario.check("the call", caller.finish(call), 200)
    caller.sock.sendto(call[3].encode(), caller.proxy)
    wait_until_counted(server, "waiting", 0)
    scenario.check("sent on", _sent(scenario, call), 1)
    scenario.check("counts", counts(server, "suspended", "continued"), {"suspended": 1, "continued": 1})


def limit(scenario):
    """Above the limit the route goes on at once, and says so; when others have gone on there is room again."""
    dns = scenario.dns(RECORDS)
    dns.rules = {(f"silent{each}.test", "*"): "drop" for each in range(5)}
    server = kamailio(scenario, max_waiting=2, deadline=1500)
    caller = scenario.caller()
    calls = [caller.start(f"sip:u@silent{each}.test:5060") for each in range(5)]
    wait_for("answers", lambda: sum(len(finals_of(scenario, call)) for call in calls) == 5)
    scenario.check("answers", [finals_of(scenario, call) for call in calls],
                   [[(504, "MESSAGE")]] * 2 + [[(503, "MESSAGE")]] * 3)
    scenario.check("counts", counts(server, "suspended", "shed", "waiting"), {"suspended": 2, "shed": 3, "waiting": 0})
    scenario.check("there is room again", caller.call("sip:u@absent.test:5060"), 478)


def kept(scenario):
    """A record that may not be cached is asked for once: the route uses what was found."""
    dns = scenario.dns(RECORDS)
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario)
    caller = scenario.caller()
    for turn in (1, 2):
        scenario.check("the call", caller.call("sip:u@none.ttl.test:5060"), 200)
        scenario.check("questions", dns.questions().count(("none.ttl.test", "A")), turn)
    scenario.check("waits", counted(server, "suspended"), 2)


def failure_kept(scenario):
    """What was not answered in time is not asked for again, nor waited for, by a route that relays all the same."""
    dns = scenario.dns(RECORDS)
    dns.rules = {("one.test", "*"): "drop"}
    route = ROUTES.replace('if ($dnsw(end) == "timeout") { send_reply("504", "No answer"); exit; }', '$var(begin) = $TV(sn);')
    route = route.replace('send_reply("500", "Not relayed")', '{ $var(took) = $TV(sn) - $var(begin); '
                          'if ($var(took) > 1) send_reply("501", "Waited again"); else send_reply("500", "Not relayed"); }')
    server = kamailio(scenario, route=route, deadline=700)
    scenario.check("the call", scenario.caller().call(SLOW), 500)
    scenario.check("counts", counts(server, "timeout", "continued"), {"timeout": 1, "continued": 1})


def all_kept(scenario):
    """What was found for the destination and for each branch is used, in a branch route, too."""
    dns = scenario.dns(RECORDS)
    scenario.callees({FIRST: sip.SILENT, SECOND: 200})
    route = ROUTES.replace("t_dns_wait", 'append_branch("sip:u@also.ttl.test:5060"); t_dns_wait', 1)
    route = route.replace("if (!t_relay())", 't_on_branch("EACH"); if (!t_relay())') + """
branch_route[EACH] {
    append_hf("X-End: $dnsw(end)\\r\\n");
}
"""
    server = kamailio(scenario, route=route)
    scenario.check("the call", scenario.caller().call("sip:u@none.ttl.test:5060", "INVITE"), 200)
    sent = {each.arrival for each in scenario.observer.requests("INVITE", 5060)}
    scenario.check("sent to", sent, {FIRST, SECOND})
    scenario.check("questions", sorted(dns.questions()), [("also.ttl.test", "A"), ("none.ttl.test", "A")])
    scenario.check("waits", counted(server, "suspended"), 1)


def branches(scenario):
    """Further branches, $du, and a request URI that was changed when the transaction was there already."""
    dns = scenario.dns(RECORDS)
    scenario.callees({FIRST: sip.SILENT, SECOND: 200, THIRD: 200})
    route = ROUTES.replace("t_dns_wait", """
        t_newtran();
        $ru = "sip:changed@127.0.0.99:5060";
        append_branch("sip:u@two.test:5060");
        $du = "sip:one.test:5060";
        t_dns_wait""", 1)
    server = kamailio(scenario, route=route)
    caller = scenario.caller()
    scenario.check("the call", caller.call("sip:u@127.0.0.12:5060", "INVITE"), 200)
    sent = {(each.uri, each.arrival) for each in scenario.observer.requests("INVITE", 5060)}
    scenario.check("sent to", sent, {("sip:changed@127.0.0.99:5060", FIRST), ("sip:u@two.test:5060", SECOND)})
    scenario.check("questions", sorted(dns.questions()), [("one.test", "A"), ("two.test", "A")])
    scenario.check("waits", counted(server, "suspended"), 1)


def failure_route(scenario):
    """A second wait, in the failure route of a call that went on after a first one."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.4}
    scenario.callees({FIRST: 486, SECOND: 200})
    route = ROUTES.replace("if (!t_relay())", 't_on_failure("BUSY"); if (!t_relay())') + """
failure_route[BUSY] {
    if (!t_check_status("486")) exit;
    $ru = "sip:u@two.test:5060";
    t_dns_wait("SECOND");
}
route[SECOND] {
    if (!t_relay()) send_reply("500", "Not relayed");
}
"""
    server = kamailio(scenario, route=route)
    caller = scenario.caller()
    scenario.check("the call", caller.call(SLOW, "INVITE"), 200)
    scenario.check("arrivals", scenario.arrivals(), [FIRST, SECOND])
    scenario.check("counts", counts(server, "suspended", "continued"), {"suspended": 2, "continued": 2})


def asks_the_cache(scenario):
    """dns_ready, dns_prefetch and dns_is_target never wait, and tell apart what they do not know."""
    scenario.dns(RECORDS)
    route = """
route[OUT] {
    $var(ip) = $hdr(X-IP);
    switch ($rU) {
        case "ready": dns_ready("sip:srv.test"); break;
        case "prefetch": dns_prefetch("sip:srv.test"); break;
        case "target": dns_is_target("sip:srv.test", "$var(ip)"); break;
        case "port": dns_is_target("sip:srv.test", "$var(ip)", "5061"); break;
        case "proto": dns_is_target("sip:srv.test", "$var(ip)", "5060", "udp"); break;
        case "bad": dns_is_target("sip:srv.test", "nonsense"); break;
    }
    $var(rc) = 500 - $rc;
    send_reply("$var(rc)", "Said");
}
"""
    kamailio(scenario, route=route)
    caller = scenario.caller()

    def says(function, ip="127.0.0.10"):
        return 500 - caller.call(f"sip:{function}@127.0.0.1:5060", headers=(f"X-IP: {ip}",))

    scenario.check("not ready", says("ready"), -1)
    scenario.check("not known", says("target"), -2)
    scenario.check("prefetch", says("prefetch"), 1)
    wait_for("what was fetched", lambda: says("ready") == 1)
    # A target is known as soon as its address is; that an address is none of them, when all questions have their answers.
    wait_for("all targets", lambda: says("target", "192.0.2.1") == -1)
    scenario.check("one of them", says("target"), 1)
    scenario.check("another port", says("port"), -1)
    scenario.check("port and transport", says("proto"), 1)
    scenario.check("no address", says("bad"), -4)


BLOCKS = ROUTES.replace("if (!t_relay())", 'if ($rU == "blocks") sleep("3"); if (!t_relay())')


def _one_blocks(scenario, workers):
    """The final codes of two calls: the route of the first one blocks for 3 s, longer than tm gives the second one."""
    dns = scenario.dns(RECORDS)
    dns.rules = {("two.test", "A"): 0.5}
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario, route=BLOCKS, more_params=['loadmodule "cfgutils.so"'], workers=workers, deadline=1000,
                      options={"fr_timer": 1500})
    caller = scenario.caller()
    first = caller.start("sip:blocks@one.test:5060")
    wait_until_counted(server, "continued", 1)
    second = caller.start("sip:u@two.test:5060")
    wait_for("both", lambda: finals_of(scenario, first) and finals_of(scenario, second))
    wait_until_counted(server, "waiting", 0)
    return server, [finals_of(scenario, call) for call in (first, second)]


def one_blocks(scenario):
    """With one worker tm's timer ends the second call meanwhile; it is answered once, and does not go on afterwards."""
    server, finals = _one_blocks(scenario, 1)
    scenario.check("answers", finals, [[(200, "MESSAGE")], [(408, "MESSAGE")]])
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), [FIRST])
    scenario.check("counts", counts(server, "suspended", "continued", "gone"), {"suspended": 2, "continued": 1, "gone": 1})


def another_goes_on(scenario):
    server, finals = _one_blocks(scenario, 2)
    scenario.check("answers", finals, [[(200, "MESSAGE")], [(200, "MESSAGE")]])
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), [SECOND, FIRST])
    scenario.check("counts", counts(server, "suspended", "continued", "gone"), {"suspended": 2, "continued": 2, "gone": 0})


def no_memory(scenario):
    """When shared memory is at its end, requests are answered, and all is well when it is there again."""
    dns = scenario.dns(RECORDS)
    dns.lives = True
    dns.rules = {"*": "drop", ("one.test", "A"): "answer"}
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario, max_waiting=5000, deadline=3000, options={"memory": 6, "fr_timer": 5000})
    caller = scenario.caller()
    calls = []
    for number in range(900):
        calls.append(caller.start(f"sip:u@s{number}.test:5060"))
        time.sleep(0.001)
    wait_for("answers", lambda: len(answered(scenario)) == len(calls), 60)
    codes = [finals_of(scenario, call) for call in calls]
    scenario.check("requests with one answer", sum(len(each) == 1 for each in codes), len(calls))
    wait_until_counted(server, "waiting", 0)
    refused = counted(server, "no_memory")
    scenario.check_that(f"some found no memory, and others waited: {refused}", 0 < refused < len(calls))
    scenario.check("answers", {code for each in codes for code, _ in each}, {503, 504})
    scenario.check("those that waited", counted(server, "continued"), len(calls) - refused)
    # tm keeps what has ended for 5 s.
    wait_for("memory", lambda: caller.call(SLOW) == 200, 60)


def cache_off(scenario):
    """Without the cache a call waits as well, and t_relay() asks nothing."""
    dns = scenario.dns(RECORDS)
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario, core=("use_dns_cache=off",))
    caller = scenario.caller()
    scenario.check("the call", caller.call(SLOW), 200)
    scenario.check("waits", counted(server, "waited"), 1)
    scenario.check("questions", dns.questions(), [("one.test", "A")])
    scenario.check("a call through SRV", caller.call("sip:u@srv.test"), 200)
    scenario.check("a call to what may not be kept", caller.call("sip:u@none.ttl.test:5060"), 200)
    scenario.check("none twice", sorted(dns.questions()), sorted(set(dns.questions())))


def scenarios():
    table = {
        "a call waits, and nobody else": goes_on,
        "a whole call through SRV": invite,
        "a name that does not exist": fails,
        "deadline": deadline,
        "CANCEL while suspended": cancelled,
        "retransmissions while suspended": retransmitted,
        "the limit": limit,
        "what was found is kept for the route": kept,
        "what failed is kept for the route": failure_kept,
        "what was found is kept for all branches": all_kept,
        "branches and destinations": branches,
        "a wait in a failure route": failure_route,
        "questions to the cache": asks_the_cache,
        "a route that blocks": one_blocks,
        "a route that blocks, and another worker": another_goes_on,
        "shared memory ends": no_memory,
        "the cache is off": cache_off,
    }
    return [(name, function, "") for name, function in table.items()]
