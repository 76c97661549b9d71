"""What the module refuses at the start, and a server that does not run on the library."""

import os

from bed.kamailio import Build, Kamailio
from module import FR_TIMER, ROUTES, counted, kamailio, module_lines


def _refused(scenario, server):
    """The log of a server that does not start."""
    try:
        server.start()
    except RuntimeError:
        return server.log()
    server.stop()
    scenario.fail("it has started")
    return ""


def _start(scenario, build=None, **params):
    return Kamailio(build or scenario.build, scenario.run_folder, params=module_lines(**params), route=ROUTES,
                    fr_timer=FR_TIMER, ipv6=False)


def _stock(scenario):
    """The same Kamailio on its own DNS code."""
    build = scenario.build
    server = os.environ["DNS_WAIT_STOCK"]
    return Build(build.suite, server, build.modules, build.kamcmd, build.libs)


def late_deadline(scenario):
    log = _refused(scenario, _start(scenario, deadline=FR_TIMER))
    lines = [line for line in log.split("\n") if "deadline is 6000 ms" in line and "6000 ms" in line.split("fr_timer")[-1]]
    scenario.check("lines that say why", len(lines), 1)


def bad_values(scenario):
    for name, value in (("workers", 0), ("deadline", 1), ("max_waiting", 0)):
        log = _refused(scenario, _start(scenario, **{name: value}))
        scenario.check_that(f"{name}={value} is refused", f"{name} is {value}, and can be" in log)


def without_library(scenario):
    log = _refused(scenario, _start(scenario, _stock(scenario)))
    scenario.check_that("it says why", "does not run on kamailio-dns" in log)


def not_available(scenario):
    scenario.dns(["one.test A 127.0.0.10"])
    scenario.callees({"udp:127.0.0.10:5060": 200})
    scenario.build = _stock(scenario)
    route = ROUTES.replace('route[OUT] {', 'route[OUT] { dns_ready("sip:one.test"); $var(rc) = $rc; '
                           'if ($var(rc) != -10) { send_reply("500", "It is there"); exit; }')
    route = route.replace("if (!t_relay())", 'if ($dnsw(end) != "unavailable") { send_reply("501", "It waited"); exit; } '
                          "if (!t_relay())")
    kamailio(scenario, route=route, without_library=1)
    scenario.check("the call", scenario.caller().call("sip:u@one.test:5060"), 200)


def neighbours(scenario):
    """Beside modules with DNS functions and variables of their own, in both orders."""
    others = [f'loadmodule "{name}.so"' for name in ("ipops", "enum", "dispatcher")]
    for lines in (others + module_lines(), module_lines() + others):
        server = Kamailio(scenario.build, scenario.run_folder, params=[*lines, 'modparam("dispatcher", "list_file", "/dev/null")'],
                          route=ROUTES + 'route[OTHER] { xlog("$dns(x=>count) $dnsw(end)\\n"); }', fr_timer=FR_TIMER, ipv6=False)
        scenario.servers.append(server)
        server.start()
        scenario.check("it answers", counted(server, "waiting"), 0)
        scenario.end_kamailio(server)


def scenarios():
    table = {
        "a deadline that is too late": late_deadline,
        "values that cannot be": bad_values,
        "a server on its own DNS code": without_library,
        "a server on its own DNS code, as the option says": not_available,
        "beside other modules": neighbours,
    }
    return [(name, function, "") for name, function in table.items()]
