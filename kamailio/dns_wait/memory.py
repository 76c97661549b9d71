"""memcheck on a server with the module, beside the original with t_relay() alone: no report more."""

import glob
import os
import re

from bed import memcheck, sip
from bed.wait import wait_for
from module import FR_TIMER, ROUTES, counts, module_lines, wait_until_counted

FIRST, SECOND = "udp:127.0.0.10:5060", "udp:127.0.0.11:5060"
RECORDS = ["one.test 0 A 127.0.0.10", "two.test 0 A 127.0.0.11", "_sip._udp.srv.test SRV 1 1 5060 two.test",
           "busy.test 0 A 127.0.0.10"]
RELAY = """
route[OUT] {
    t_on_failure("BUSY");
    if (!t_relay()) send_reply("478", "Not relayed");
}
failure_route[BUSY] {
    if (!t_check_status("486")) exit;
    $ru = "sip:u@two.test:5060";
    t_relay();
}
"""
WAIT = ROUTES.replace("if (!t_relay())", 't_on_failure("BUSY"); if (!t_relay())') + """
failure_route[BUSY] {
    if (!t_check_status("486")) exit;
    $ru = "sip:u@two.test:5060";
    t_dns_wait("SECOND");
}
route[SECOND] { if (!t_relay()) send_reply("500", "Not relayed"); }
event_route[dns-wait:changed] { xlog("L_NOTICE", "$dnsw(added) $dnsw(removed)\\n"); }
"""
PROCESSES = 5


def _wrapper(folder):
    supp = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../soak/kamailio.supp")
    return ["valgrind", "--trace-children=yes", "--leak-check=full", "--errors-for-leak-kinds=definite",
            "--show-leak-kinds=definite", "--num-callers=30", f"--suppressions={supp}", f"--log-file={folder}/valgrind.%p"]


def _reports(folder):
    """Reports of memcheck by their stacks, each once; how many processes it has summed up."""
    found, finished = memcheck.reports(folder)
    reports = {}
    for _, paragraph in found:
        # The stack's functions: the same report of another build has other lines and addresses.
        reports.setdefault(tuple(re.findall(r"(?:at|by) 0x[0-9A-F]+: (\S+)", paragraph)), paragraph)
    return reports, finished


def _calls(scenario, caller, server=None):
    """Calls that succeed, fail, are refused and go on, wait in vain, and are cancelled."""
    found = [caller.call("sip:u@one.test:5060"), caller.call("sip:u@srv.test"),
             caller.call("sip:u@absent.test:5060", "INVITE"), caller.call("sip:u@busy.test:5060", "INVITE")]
    call = caller.start("sip:u@silent.test:5060", "INVITE")
    if server is not None:
        wait_until_counted(server, "waiting", 1)
        caller.sock.sendto(call[3].replace("INVITE sip", "CANCEL sip").replace("1 INVITE", "1 CANCEL").encode(), caller.proxy)
        wait_until_counted(server, "waiting", 0)
        caller.finish(call)
        found.append(caller.call("sip:u@quiet.test:5060"))
    else:
        caller.finish(call)
    return found


def _run(scenario, name, route, params, stock):
    dns = scenario.dns(RECORDS)
    dns.rules = {("silent.test", "*"): "drop", ("quiet.test", "*"): "drop"}
    folder = os.path.join(scenario.folder, name)
    os.makedirs(folder, exist_ok=True)
    for path in glob.glob(os.path.join(folder, "valgrind.*")):
        os.unlink(path)
    ours = scenario.build.server
    if stock:
        scenario.build.server = os.environ["DNS_WAIT_STOCK"]
    server = scenario.kamailio(("dns_try_ipv6=no",), params=params, route=route, children=1, fr_timer=6 * FR_TIMER, ipv6=False,
                               wrapper=_wrapper(folder), start_seconds=180, stop_seconds=180)
    found = _calls(scenario, scenario.caller() if stock else sip.Caller("127.0.0.1:5081"), None if stock else server)
    if not stock:
        wait_for("the event", lambda: counts(server, "changed") == {"changed": 1})
        found.append(counts(server, "suspended", "waiting"))
    scenario.end_kamailio(server)
    dns.program.kill()
    dns.program.wait()
    scenario.build.server = ours
    reports, finished = _reports(folder)
    scenario.check_that(f"processes that memcheck has summed up: {finished}", finished >= PROCESSES)
    return found, reports


def no_report_more(scenario):
    scenario.callees({FIRST: [200, 486], SECOND: 200})
    _, theirs = _run(scenario, "original", RELAY, (), stock=True)
    params = [*module_lines(deadline=4000, workers=1), 'modparam("dns_wait", "watch", "sip:srv.test")']
    found, ours = _run(scenario, "module", WAIT, params, stock=False)
    scenario.check("calls", found[:3], [200, 200, 478])
    more = [text for stack, text in ours.items() if stack not in theirs]
    with open(os.path.join(scenario.folder, "more.txt"), "w") as file:
        file.write("\n\n".join(more))
    scenario.check(f"reports that the original has not (it has {len(theirs)})", len(more), 0)


def scenarios():
    return [("memcheck beside the original", no_report_more, "")]
