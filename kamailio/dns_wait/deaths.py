"""Ends: of the server while transactions are suspended or go on, of a worker at each step, and a worker that is stopped."""

import os
import signal

from bed import sip
from bed.wait import wait_for
from module import ROUTES, counted, counts, kamailio, wait_until_counted

FIRST = "udp:127.0.0.10:5060"
RECORDS = ["one.test 0 A 127.0.0.10"]
URI = "sip:u@one.test:5060"
BLOCKS = ROUTES.replace("if (!t_relay())", 'sleep("3"); if (!t_relay())')


def _workers(server):
    return [int(each["PID"]) for each in server.rpc("core.psx") if "dns_wait" in str(each)]


def _kill_and_wait(scenario, server):
    """The server ends with a worker, says that it failed, and does not hang."""
    os.kill(_workers(server)[0], signal.SIGKILL)
    wait_for("the end of the server", lambda: server.process.poll() is not None, 90)
    scenario.servers.remove(server)
    scenario.check_that("it says that it failed", server.process.returncode != 0)


def _start(scenario, rule, route=ROUTES, callee=200, **more):
    dns = scenario.dns(RECORDS)
    dns.rules = {"*": rule}
    scenario.callees({FIRST: callee})
    return kamailio(scenario, route=route, more_params=['loadmodule "cfgutils.so"'], workers=1, **more)


def killed_idle(scenario):
    server = _start(scenario, 0.1)
    scenario.check("a call before", scenario.caller().call(URI), 200)
    _kill_and_wait(scenario, server)


def killed_while_resolving(scenario):
    server = _start(scenario, "drop")
    caller = scenario.caller()
    calls = [caller.start(URI, "INVITE") for _ in range(20)]
    wait_until_counted(server, "waiting", len(calls))
    _kill_and_wait(scenario, server)


def killed_in_the_route(scenario):
    server = _start(scenario, 0.1, BLOCKS)
    scenario.caller().start(URI, "INVITE")
    wait_until_counted(server, "continued", 1)
    _kill_and_wait(scenario, server)


def killed_after_the_route(scenario):
    """What was sent on is tm's."""
    server = _start(scenario, 0.1, callee=sip.SILENT)
    scenario.caller().start(URI, "INVITE")
    wait_for("the INVITE", lambda: scenario.arrivals() == [FIRST])
    _kill_and_wait(scenario, server)


def stopped(scenario):
    """tm's timer answers what a stopped worker does not continue; it continues nothing of that later on."""
    server = _start(scenario, 0.2, deadline=1000, options={"fr_timer": 1500})
    caller = scenario.caller()
    worker = _workers(server)[0]
    os.kill(worker, signal.SIGSTOP)
    calls = [caller.start(URI) for _ in range(10)]
    codes = [caller.finish(call) for call in calls]
    scenario.check("answers", codes, [408] * 10)
    os.kill(worker, signal.SIGCONT)
    wait_until_counted(server, "waiting", 0)
    scenario.check("counts", counts(server, "suspended", "continued", "gone"), {"suspended": 10, "continued": 0, "gone": 10})
    scenario.check("sent on", scenario.arrivals("MESSAGE"), [])
    scenario.check("a call afterwards", caller.call(URI), 200)


def ends_while_suspended(scenario):
    """In good order, as a server without anything to do."""
    server = _start(scenario, "drop")
    caller = scenario.caller()
    for _ in range(50):
        caller.start(URI, "INVITE")
        caller.start(URI)
    wait_until_counted(server, "waiting", 100)
    scenario.check("suspended", counted(server, "suspended"), 100)
    scenario.end_kamailio(server)


def ends_in_the_route(scenario):
    server = _start(scenario, 0.1, BLOCKS)
    caller = scenario.caller()
    for _ in range(20):
        caller.start(URI)
    wait_until_counted(server, "continued", 1)
    scenario.check_that("others are to go on", counted(server, "waiting") > 1)
    scenario.end_kamailio(server)


def scenarios():
    table = {
        "a worker is killed that has nothing to do": killed_idle,
        "a worker is killed that resolves": killed_while_resolving,
        "a worker is killed in the route": killed_in_the_route,
        "a worker is killed after the route": killed_after_the_route,
        "a worker is stopped": stopped,
        "the server ends while transactions are suspended": ends_while_suspended,
        "the server ends while a transaction goes on": ends_in_the_route,
    }
    return [(name, function, "") for name, function in table.items()]
