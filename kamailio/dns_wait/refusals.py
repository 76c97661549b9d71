"""What the module refuses at the start, and a server that does not run on the library."""

import os

from bed.kamailio import Build, Kamailio
from bed.wait import wait_for
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
    return Build(build.suite, server, build.modules, build.kamcmd, build.libs, loader=build.loader)


def late_deadline(scenario):
    log = _refused(scenario, _start(scenario, deadline=FR_TIMER))
    lines = [line for line in log.split("\n") if "deadline is 6000 ms" in line and "6000 ms" in line.split("fr_timer")[-1]]
    scenario.check("lines that say why", len(lines), 1)


def bad_values(scenario):
    for name, value in (("workers", 0), ("deadline", 1), ("max_waiting", 0)):
        log = _refused(scenario, _start(scenario, **{name: value}))
        scenario.check_that(f"{name}={value} is refused", f"{name} is {value}, and can be" in log)
    log = _refused(scenario, _start(scenario, watch='"tel:+431"', event_callback='"changed"'))
    scenario.check_that("a URI that cannot be watched", "tel:+431 cannot be watched: no SIP URI that can be used" in log)
    log = _refused(scenario, _start(scenario, watch='"sip:one.test"'))
    scenario.check_that("nobody to be told", "neither an event_route[dns-wait:changed] nor an event_callback" in log)


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
    others = [f'loadmodule "{name}.so"' for name in ("corex", "ipops", "enum", "dispatcher")]
    for lines in (others + module_lines(), module_lines() + others):
        lines = [*lines, 'modparam("dispatcher", "list_file", "/dev/null")']
        server = Kamailio(scenario.build, scenario.run_folder, params=lines,
                          route=ROUTES + 'route[OTHER] { xlog("$dns(x=>count) $dnsw(end)\\n"); }', fr_timer=FR_TIMER, ipv6=False)
        with open(server.config) as file:
            text = file.read()
        with open(server.config, "w") as file:
            # The bed loads it before all others.
            file.write(text.replace('loadmodule "corex.so"\n', "", 1))
        scenario.servers.append(server)
        server.start()
        scenario.check("it answers", counted(server, "waiting"), 0)
        scenario.check("modules", {"corex", "ipops", "enum", "dispatcher", "dns_wait"} <= set(_modules(server)), True)
        scenario.end_kamailio(server)


def _modules(server):
    return [each.strip() for each in server.rpc("core.modules")]


def example(scenario):
    """The example of the documentation, as it stands, with what the test bed needs to talk to it."""
    dns = scenario.dns(["one.test A 127.0.0.10", "two.test A 127.0.0.11", "_sip._udp.carrier.example.com SRV 1 1 5060 two.test"])
    dns.rules = {("one.test", "A"): 0.5}
    scenario.callees({"udp:127.0.0.10:5060": 486, "udp:127.0.0.11:5060": 200})
    module = os.environ["DNS_WAIT_MODULE"]
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../module/dns_wait/example.cfg")) as file:
        text = file.read()
    bed = (f'mpath="{scenario.build.modules}:{os.path.dirname(module)}"\nloadmodule "kex.so"\nloadmodule "counters.so"\n'
           'loadmodule "jsonrpcs.so"\nmodparam("jsonrpcs", "transport", 4)\n'
           f'modparam("jsonrpcs", "dgram_socket", "{scenario.run_folder}/rpc")\n')
    server = Kamailio(scenario.build, scenario.run_folder)
    with open(server.config, "w") as file:
        file.write(text.replace('loadmodule "tm.so"', bed + 'loadmodule "tm.so"', 1))
    scenario.servers.append(server)
    server.start()
    wait_for("the carrier's targets", lambda: "sip:carrier.example.com: new udp:127.0.0.11:5060, gone " in server.log())
    caller = scenario.caller()
    scenario.check("a call that goes on to the carrier", caller.call("sip:u@one.test:5060", "INVITE"), 200)
    scenario.check("arrivals", scenario.arrivals(), ["udp:127.0.0.10:5060", "udp:127.0.0.11:5060"])
    scenario.check("a name that does not exist", caller.call("sip:u@absent.test:5060", "INVITE"), 404)
    scenario.check("waits", counted(server, "continued"), 2)


KEMI = """
function ksr_request_route() {
    if (KSR.is_method("CANCEL") || KSR.is_method("ACK")) { KSR.tm.t_relay(); return; }
    if (KSR.dns_wait.dns_ready("sip:one.test:5060") > 0 && KSR.pv.get("$rU") == "ready") {
        KSR.sl.send_reply(200, "Ready");
        return;
    }
    if (KSR.dns_wait.t_dns_wait("resolved") < 0) KSR.sl.send_reply(500, "Not suspended");
}
function resolved() {
    if (KSR.pv.get("$dnsw(end)") == "failed") { KSR.sl.send_reply(404, "Failed"); return; }
    KSR.tm.t_relay();
}
function ksr_changed(name) {
    KSR.notice("event " + name + " " + KSR.pv.get("$dnsw(uri)") + " new " + KSR.pv.get("$dnsw(added)") + "\\n");
}
"""


def kemi(scenario):
    """A script in JavaScript."""
    dns = scenario.dns(["one.test A 127.0.0.10", "known.test A 127.0.0.11"])
    dns.rules = {("one.test", "A"): 0.5}
    scenario.callees({"udp:127.0.0.10:5060": 200})
    script = os.path.join(scenario.run_folder, "kamailio.js")
    with open(script, "w") as file:
        file.write(KEMI)
    more = ['loadmodule "app_jsdt.so"', f'modparam("app_jsdt", "load", "{script}")', 'cfgengine "jsdt"',
            'modparam("dns_wait", "watch", "sip:known.test:5060")', 'modparam("dns_wait", "event_callback", "ksr_changed")']
    server = Kamailio(scenario.build, scenario.run_folder, ("dns_try_ipv6=no",), params=[*module_lines(deadline=4000), *more],
                      fr_timer=FR_TIMER, ipv6=False)
    # A native request_route would be run, and not the script's.
    with open(server.config) as file:
        text = file.read()
    with open(server.config, "w") as file:
        file.write(text.partition("request_route {")[0])
    scenario.servers.append(server)
    server.start()
    caller = scenario.caller()
    scenario.check("the call", caller.call("sip:u@one.test:5060"), 200)
    scenario.check("a name that does not exist", caller.call("sip:u@absent.test:5060"), 404)
    scenario.check("waits", counted(server, "continued"), 2)
    scenario.check("from the cache", caller.call("sip:u@one.test:5060"), 200)
    scenario.check("dns_ready", caller.call("sip:ready@127.0.0.1:5060"), 200)
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), ["udp:127.0.0.10:5060"] * 2)
    event = "event dns-wait:changed sip:known.test:5060 new udp:127.0.0.11:5060"
    wait_for("the event", lambda: event in server.log())
    scenario.check("events", server.log().count("event dns-wait:changed"), 1)


def scenarios():
    table = {
        "a deadline that is too late": late_deadline,
        "values that cannot be": bad_values,
        "a server on its own DNS code": without_library,
        "a server on its own DNS code, as the option says": not_available,
        "beside other modules": neighbours,
        "the example": example,
        "a KEMI script": kemi,
    }
    return [(name, function, "") for name, function in table.items()]
