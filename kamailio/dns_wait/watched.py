"""Changes of watched URIs: the event route is run once for each."""

import os
import re
import time

from bed import sip
from bed.wait import wait_for
from module import ROUTES, counted, kamailio

CHANGES = int(os.environ.get("DNS_WAIT_CHANGES", "3"))
CARRIER = "sip:carrier.test;transport=udp"
EVENT = """
event_route[dns-wait:changed] {
    xlog("L_NOTICE", "changed $dnsw(uri) added=[$dnsw(added)] removed=[$dnsw(removed)] end=[$dnsw(end)]\\n");
}
"""
SAYS = """
route[OUT] {
    if ($hdr(X-Source) != $null) {
        dns_is_target("sip:carrier.test;transport=udp", "$hdr(X-Source)");
        $var(rc) = 500 - $rc;
        send_reply("$var(rc)", "Said");
        exit;
    }
    t_dns_wait("RESOLVED");
    send_reply("500", "Not suspended");
}
"""
ROUTE = SAYS + ROUTES[ROUTES.index("route[RESOLVED]"):] + EVENT


def _address(number):
    return f"127.1.{number // 200}.{number % 200 + 1}"


def _records(numbers):
    srv = [f"_sip._udp.carrier.test 1 SRV 1 1 5060 h{number}.carrier.test" for number in numbers]
    return [*srv, *(f"h{number}.carrier.test 1 A {_address(number)}" for number in numbers), "busy.test 0 A 127.0.0.10"]


def _targets(numbers):
    return sorted(f"udp:{_address(number)}:5060" for number in numbers)


def _events(server):
    """(added, removed) of each event."""
    found = re.findall(r"changed (\S+) added=\[(.*?)\] removed=\[(.*?)\] end=\[(.*?)\]", server.log())
    return [(sorted(filter(None, added.split(","))), sorted(filter(None, removed.split(",")))) for _, added, removed, _ in found]


def _watch(scenario, **more):
    dns = scenario.dns(_records([0, 1]))
    scenario.callees({"udp:127.0.0.10:5060": 200})
    server = kamailio(scenario, route=ROUTE, more_params=[f'modparam("dns_wait", "watch", "{CARRIER}")'], **more)
    wait_for("the first event", lambda: _events(server))
    scenario.check("the first event", _events(server), [(_targets([0, 1]), [])])
    return dns, server


def changes(scenario):
    """A carrier's addresses change again and again, while calls wait: each change is seen once; the source check follows."""
    dns, server = _watch(scenario)
    caller, beside = scenario.caller(), sip.Caller("127.0.0.1:5082")

    def says(number):
        return 500 - caller.call("sip:u@127.0.0.1:5060", headers=(f"X-Source: {_address(number)}",))

    calls = 0
    for change in range(1, CHANGES + 1):
        before = (says(change - 1), says(change), says(change + 1))
        scenario.check("sources before", before, (1, 1, -1))
        dns.load(_records([change, change + 1]))
        while len(_events(server)) <= change:
            calls += 1
            code = beside.call("sip:u@busy.test:5060")
            if code != 200:
                scenario.fail(f"a call beside: {code}")
            time.sleep(0.02)
        scenario.check("the change", _events(server)[change:], [(_targets([change + 1]), _targets([change - 1]))])
        scenario.check("sources after", (says(change - 1), says(change), says(change + 1)), (-1, 1, 1))
    scenario.check("events", (len(_events(server)), counted(server, "changed")), (CHANGES + 1, CHANGES + 1))
    scenario.check_that(f"calls waited meanwhile: {calls}", counted(server, "suspended") > CHANGES)


def no_change(scenario):
    """What fails or only expires is no change; what comes back as it was neither."""
    dns, server = _watch(scenario)
    dns.rules = {"*": "servfail"}
    time.sleep(4)
    dns.rules = {"*": "drop"}
    time.sleep(4)
    dns.rules = {}
    time.sleep(2)
    scenario.check("events", len(_events(server)), 1)
    dns.load(_records([1]))
    wait_for("the change", lambda: len(_events(server)) > 1)
    scenario.check("the change", _events(server)[1:], [([], _targets([0]))])


def scenarios():
    table = {"changes of a watched URI": changes, "a watched URI that fails": no_change}
    return [(name, function, "") for name, function in table.items()]
