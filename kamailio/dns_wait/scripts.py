"""What scripts, operators and the system do at awkward places: each request has one answer, and the server goes on."""

import os
import resource
import socket

from bed import sip
from bed.wait import wait_for
from module import ROUTES, counted, counts, kamailio, wait_until_counted
from waits import FIRST, PLACES, RECORDS, SECOND, SLOW, THIRD, answered, finals_of

RESOLVED = ROUTES[ROUTES.index("route[RESOLVED]"):]


def waits_for_itself(scenario):
    """A route whose way out is the wait that it was run by: for a name that is known to fail that would have no end."""
    scenario.dns(RECORDS)
    route = """
route[OUT] { t_dns_wait("AGAIN"); send_reply("500", "Not suspended"); }
route[AGAIN] {
    if ($dnsw(end) == "failed") {
        $ru = "sip:u@absent.test:5060";
        t_dns_wait("AGAIN");
        send_reply("480", "No way is left: $rc");
        exit;
    }
    t_relay();
}
"""
    server = kamailio(scenario, route=route)
    caller = scenario.caller()
    for name in ("absent.test", "other.test", "absent.test"):
        scenario.check(f"the call to {name}", caller.call(f"sip:u@{name}:5060", "INVITE"), 480)
    wait_until_counted(server, "waiting", 0)


def one_after_the_other(scenario):
    """The route of a wait waits for the next name, in the same transaction: one that fails, one in time, a known one."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.2}
    scenario.callees(dict.fromkeys(PLACES, 200))
    route = """
route[OUT] { t_dns_wait("SECOND"); send_reply("500", "Not suspended"); }
route[SECOND] {
    if ($dnsw(end) != "failed") { send_reply("501", "$dnsw(end)"); exit; }
    $ru = "sip:u@none.ttl.test:5060";
    t_dns_wait("THIRD");
    send_reply("502", "Not suspended");
}
route[THIRD] {
    if ($dnsw(end) != "waited") { send_reply("503", "$dnsw(end)"); exit; }
    $ru = "sip:u@127.0.0.12:5060";
    t_dns_wait("LAST");
    send_reply("504", "Not run");
}
route[LAST] {
    if ($dnsw(end) != "ready") { send_reply("505", "$dnsw(end)"); exit; }
    if (!t_relay()) send_reply("506", "Not relayed");
}
"""
    server = kamailio(scenario, route=route)
    scenario.check("the call", scenario.caller().call("sip:u@absent.test:5060", "INVITE"), 200)
    scenario.check("arrivals", scenario.arrivals(), [THIRD])
    scenario.check("counts", counts(server, "suspended", "continued", "ready", "waiting"),
                   {"suspended": 2, "continued": 2, "ready": 1, "waiting": 0})


def nobody_answers(scenario):
    """The failure route is run by tm's timer, in a timer process: the wait begins there."""
    dns = scenario.dns(RECORDS)
    dns.rules = {("two.test", "A"): 0.3}
    scenario.callees({FIRST: sip.SILENT, SECOND: 200, THIRD: 200})
    route = ROUTES.replace("if (!t_relay())", 't_on_failure("SILENT"); if (!t_relay())') + """
failure_route[SILENT] {
    if (!t_check_status("408")) exit;
    $ru = "sip:u@" + $hdr(X-Next) + ":5060";
    t_dns_wait("SECOND");
    xlog("L_ERR", "not suspended: $rc\\n");
}
route[SECOND] { if (!t_relay()) send_reply("500", "Not relayed"); }
"""
    server = kamailio(scenario, route=route, deadline=500, options={"fr_timer": 1000})
    caller = scenario.caller()
    for name in ("two.test", "two.test", "127.0.0.12"):
        scenario.check(f"the call that goes on to {name}",
                       caller.call("sip:u@127.0.0.10:5060", "INVITE", headers=(f"X-Next: {name}",)), 200)
    scenario.check("counts", counts(server, "suspended", "continued", "ready", "waiting"),
                   {"suspended": 1, "continued": 1, "ready": 5, "waiting": 0})


def other_routes(scenario):
    """Routes of other kinds call a route that waits: nothing is suspended, the script is told, and all goes on."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.3}
    scenario.callees(dict.fromkeys(PLACES, 200))
    route = """
route[OUT] {
    t_on_branch("BRANCH");
    t_on_reply("REPLY");
    t_relay();
}
route[WAITS] {
    t_dns_wait("NEVER", "sip:absent.test:5060");
    $var(said) = $rc;
    xlog("L_NOTICE", "in $var(where): $var(said)\\n");
}
route[NEVER] { xlog("L_NOTICE", "run in $var(where)\\n"); }
branch_route[BRANCH] { $var(where) = "branch"; route(WAITS); }
onreply_route[REPLY] { $var(where) = "reply"; route(WAITS); }
event_route[dns-wait:changed] { $var(where) = "event"; route(WAITS); }
event_route[tm:local-request] { $var(where) = "local"; route(WAITS); }
"""
    server = kamailio(scenario, route=route, more_params=['modparam("dns_wait", "watch", "sip:127.0.0.11")'])
    wait_for("the event", lambda: counted(server, "changed") == 1)
    caller = scenario.caller()
    scenario.check("the call", caller.call("sip:u@127.0.0.10:5060", "INVITE"), 200)
    scenario.check("another", caller.call("sip:u@127.0.0.10:5060"), 200)
    scenario.check("what the routes are told", [server.log().count(f"in {where}: -1") for where in ("branch", "reply", "event")],
                   [2, 2, 1])
    scenario.check("routes that were run", server.log().count("run in"), 0)
    scenario.check("counts", counts(server, "suspended", "waiting"), {"suspended": 0, "waiting": 0})


LONG_NAME = ".".join(["a" * 60] * 160)


def odd_uris(scenario):
    """URIs that are none, or are far too long: the route is run at once and is told that there is nothing."""
    scenario.dns(RECORDS)
    route = """
route[OUT] {
    switch ($hdr(X-Case)) {
        case "empty": t_dns_wait("RESOLVED", ""); break;
        case "null": t_dns_wait("RESOLVED", "$avp(nothing)"); break;
        case "scheme": t_dns_wait("RESOLVED", "sip:"); break;
        case "tel": t_dns_wait("RESOLVED", "tel:+431"); break;
        case "port": t_dns_wait("RESOLVED", "sip:one.test:99999"); break;
        case "header": t_dns_wait("RESOLVED", "$hdr(X-URI)"); break;
        case "destination": $du = $hdr(X-URI); t_dns_wait("RESOLVED"); break;
        case "branch": append_branch("$hdr(X-URI)"); t_dns_wait("RESOLVED"); break;
        case "request": t_dns_wait("RESOLVED"); break;
        case "route": t_dns_wait("nowhere"); send_reply("485", "No such route: $rc"); break;
        case "ready": dns_ready("$hdr(X-URI)"); send_reply("485", "$rc"); break;
        case "prefetch": dns_prefetch("$hdr(X-URI)"); send_reply("485", "$rc"); break;
        case "target": dns_is_target("$hdr(X-URI)", "127.0.0.1"); send_reply("485", "$rc"); break;
        case "port of a target": dns_is_target("sip:one.test", "127.0.0.1", "70000"); send_reply("485", "$rc"); break;
    }
    send_reply("486", "Not run");
}
""" + RESOLVED
    server = kamailio(scenario, route=route)
    caller = scenario.caller()
    long_uri = f"sip:{LONG_NAME}:5060"
    table = [("empty", "", {478}), ("null", "", {478, 486}), ("scheme", "", {478}), ("tel", "", {478}), ("port", "", {478}),
             ("header", long_uri, {478, 486}), ("header", "sip:" + "u" * 9990 + "@", {478, 486}), ("destination", long_uri, {478}),
             ("branch", "sip:%00;;;", {478, 486}), ("route", "", {485}), ("ready", long_uri, {485}), ("prefetch", long_uri, {485}),
             ("target", long_uri, {485}), ("port of a target", "", {485})]
    for case, uri, codes in table:
        code = caller.call("sip:u@absent.test:5060", headers=(f"X-Case: {case}", f"X-URI: {uri}"), seconds=10)
        scenario.check_that(f"{case} of {len(uri)} octets: {code}", code in codes)
    for uri in (long_uri, "tel:+431", "sip:@", "sip:one.test:0"):
        call = caller.start(uri, headers=("X-Case: request",))
        scenario.check_that(f"a request to {uri[:20]}", caller.finish(call, 10) in (400, 478, 484))
    wait_until_counted(server, "waiting", 0)


def way_out_is_kept(scenario):
    """The sending socket that a script chose counts after the wait, in a request and in a failure route; so does a Path."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 0.2}
    scenario.callees({FIRST: 486, SECOND: 200})
    route = """
route[OUT] {
    t_newtran();
    $fs = "udp:127.0.0.1:5070";
    t_dns_wait("RESOLVED");
    send_reply("500", "Not suspended");
}
""" + RESOLVED.replace("if (!t_relay())", 't_on_failure("BUSY"); if (!t_relay())') + """
failure_route[BUSY] {
    if (!t_check_status("486")) exit;
    $ru = "sip:u@two.test:5060";
    $fs = "udp:127.0.0.1:5071";
    t_dns_wait("SECOND");
}
route[SECOND] { if (!t_relay()) send_reply("501", "Not relayed"); }
"""
    core = ("listen=udp:127.0.0.1:5070", "listen=udp:127.0.0.1:5071")
    server = kamailio(scenario, route=route, core=core)
    scenario.check("the call", scenario.caller().call(SLOW, "INVITE"), 200)
    scenario.observer.settle()
    sent = [(each.source, each.arrival) for each in scenario.observer.sip
            if each.method == "INVITE" and not each.status and each.arrival in (FIRST, SECOND)]
    scenario.check("sent", sent, [("127.0.0.1:5070", FIRST), ("127.0.0.1:5071", SECOND)])
    scenario.check("waits", counted(server, "continued"), 2)


def streams(scenario):
    """Requests that come by TCP wait, and go out by TCP to what was found; one whose caller hangs up meanwhile, too."""
    dns = scenario.dns([*RECORDS, "_sip._tcp.stream.test SRV 1 1 5060 two.test"])
    dns.rules = {"*": 0.3}
    scenario.callees({"tcp:127.0.0.11:5060": 200})
    server = kamailio(scenario)

    def send(number):
        stream = socket.create_connection(("127.0.0.1", 5060))
        text = [f"MESSAGE sip:u{number}@stream.test;transport=tcp SIP/2.0", f"Via: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK{number}",
                "Max-Forwards: 70", "From: <sip:caller@127.0.0.1>;tag=caller", "To: <sip:u@stream.test>", f"Call-ID: stream{number}",
                "CSeq: 1 MESSAGE", "Content-Length: 0", "", ""]
        stream.sendall("\r\n".join(text).encode())
        return stream

    first = send(1)
    wait_until_counted(server, "waiting", 1)
    first.settimeout(20)
    scenario.check("the reply", first.recv(65535).split(b" ", 2)[1], b"200")
    server.rpc("dns.delete_all")
    second = send(2)
    wait_until_counted(server, "waiting", 1)
    second.close()
    wait_until_counted(server, "continued", 2)
    wait_for("both arrivals", lambda: scenario.arrivals("MESSAGE").count("tcp:127.0.0.11:5060") == 2)


def options_change(scenario):
    """What an operator sets counts for the very next wait, though all of the module's workers are idle."""
    scenario.dns(["one.test A 127.0.0.10", "other.test A 127.0.0.10", 'other.test NAPTR 1 1 "s" "SIP+D2U" "" _sip._udp.srv.test',
                  "_sip._udp.srv.test SRV 1 1 5060 two.test", "two.test A 127.0.0.11"])
    scenario.callees({FIRST: 200, SECOND: 200})
    server = kamailio(scenario, core=("dns_try_naptr=no",))
    caller = scenario.caller()
    scenario.check("a call before", caller.call(SLOW), 200)
    server.rpc("cfg.set_now_int", "core", "dns_try_naptr", 1)
    scenario.check("a call afterwards", caller.call("sip:u@other.test"), 200)
    line = next(each for each in server.log().split("\n") if "resolved MESSAGE sip:u@other.test" in each)
    scenario.check_that(f"targets by NAPTR: {line}", "targets=udp:127.0.0.11:5060" in line)


def flushed_meanwhile(scenario):
    """The cache is emptied, resolv.conf read again and options set while many wait: each goes on once, and asks nothing more."""
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": 1.0}
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario)
    caller = scenario.caller()
    calls = [caller.start("sip:u@one.test:5060") for _ in range(20)] + [caller.start("sip:u@srv.test") for _ in range(20)]
    wait_until_counted(server, "suspended", 40)
    while counted(server, "waiting") > 0:
        server.rpc("dns.delete_all")
        server.rpc("cfg.set_now_int", "core", "dns_reinit", 1)
        server.rpc("cfg.set_now_int", "core", "dns_cache_max_ttl", 50)
    # That a request has gone on does not say that the callee's answer is here.
    wait_for("answers", lambda: len(answered(scenario)) == len(calls))
    scenario.check("answers", [finals_of(scenario, call) for call in calls], [[(200, "MESSAGE")]] * 40)
    scenario.check("sent on", len(scenario.arrivals("MESSAGE")), 40)
    scenario.check("counts", counts(server, "suspended", "continued", "gone"), {"suspended": 40, "continued": 40, "gone": 0})


def many_fetches(scenario):
    """dns_prefetch() has a bound, which says no, and takes no room from transactions; when answers came there is room again."""
    dns = scenario.dns([*RECORDS, *(f"p{each}.test A 127.0.0.10" for each in range(20))])
    dns.rules = {**{(f"p{each}.test", "A"): 1.5 for each in range(20)}, ("one.test", "A"): 0.2}
    scenario.callees(dict.fromkeys(PLACES, 200))
    route = ROUTES.replace("route[OUT] {", """route[OUT] {
    if ($hdr(X-Fetch) != $null) {
        dns_prefetch("$hdr(X-Fetch)");
        $var(rc) = 500 - $rc;
        send_reply("$var(rc)", "Said");
        exit;
    }""")
    server = kamailio(scenario, route=route, max_waiting=3, workers=1)
    caller = scenario.caller()

    def fetch(number):
        return 500 - caller.call("sip:u@127.0.0.1:5060", headers=(f"X-Fetch: sip:p{number}.test:5060",))

    scenario.check("fetched, and refused", [fetch(number) for number in range(10)], [1] * 3 + [-1] * 7)
    wait_for("questions", lambda: len({name for name, _ in dns.questions()}) >= 3)
    scenario.check("asked for", len({name for name, _ in dns.questions()}), 3)
    scenario.check("a call has room", caller.call(SLOW), 200)
    wait_for("room again", lambda: fetch(15) == 1)
    scenario.check("counts", counts(server, "suspended", "shed", "waiting"), {"suspended": 1, "shed": 0, "waiting": 0})


def no_descriptor(scenario):
    """A SIP worker that may open nothing more cannot look into the cache by itself: a call to a known name goes on all the same."""
    scenario.dns(RECORDS)
    scenario.callees(dict.fromkeys(PLACES, 200))
    server = kamailio(scenario)
    caller = scenario.caller()
    scenario.check("a call that waits", caller.call(SLOW), 200)
    workers = [int(each["PID"]) for each in server.rpc("core.psx") if "udp receiver" in str(each)]
    for worker in workers:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (len(os.listdir(f"/proc/{worker}/fd")),) * 2)
    scenario.check("a call to what is known", caller.call(SLOW), 200)
    scenario.check("another", caller.call(SLOW), 200)


WATCHED = 100


def hundred_watched(scenario):
    """A hundred watched URIs: an event for each, and one for each change, all at the same time."""
    names = [f"c{each}.test" for each in range(WATCHED)]

    def records(last):
        return [f"{name} 1 A 127.2.{number}.{last}" for number, name in enumerate(names)]

    dns = scenario.dns(records(1))
    route = ROUTES + """
event_route[dns-wait:changed] { xlog("L_NOTICE", "changed $dnsw(uri) [$dnsw(added)] [$dnsw(removed)]\\n"); }
"""
    server = kamailio(scenario, route=route,
                      more_params=[f'modparam("dns_wait", "watch", "sip:{name}:5060;transport=udp")' for name in names])
    wait_for("the first events", lambda: counted(server, "changed") == WATCHED)
    for turn in (2, 3):
        dns.load(records(turn))
        wait_for("events", lambda turn=turn: counted(server, "changed") == turn * WATCHED)
    log = server.log()
    missing = [number for number in range(WATCHED) for turn in (2, 3)
               if f"changed sip:c{number}.test:5060;transport=udp [udp:127.2.{number}.{turn}:5060] "
               f"[udp:127.2.{number}.{turn - 1}:5060]" not in log]
    scenario.check("changes without event", missing, [])


def scenarios():
    table = {
        "a route that waits for itself": waits_for_itself,
        "one wait after the other": one_after_the_other,
        "a wait in a failure route of the timer": nobody_answers,
        "a wait in routes of other kinds": other_routes,
        "odd URIs": odd_uris,
        "the way out is kept": way_out_is_kept,
        "streams": streams,
        "options change": options_change,
        "the cache is emptied while many wait": flushed_meanwhile,
        "many fetches": many_fetches,
        "no descriptor is left": no_descriptor,
        "a hundred watched URIs": hundred_watched,
    }
    return [(name, function, "") for name, function in table.items()]
