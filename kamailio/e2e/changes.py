"""Records that change on the name server or by RPC, name servers that fail, and calls in the middle of it."""

import dataclasses
import time

from bed.kamailio import RpcFault
from bed.wait import wait_for

FAILOVER = ("use_dns_failover=on",)
# Expired records are not served while they are refreshed: an option of the library.
NOT_STALE = ("DNS.stale_ttl = 0",)
BOTH = FAILOVER + ("dns_try_naptr=on",)
UDP10, UDP11, UDP12 = (f"udp:127.0.0.{host}:5060" for host in (10, 11, 12))
OLD, NEW = UDP10, UDP11


@dataclasses.dataclass
class Change:
    """A record of the kind `name` is changed: calls go to OLD before, to NEW afterwards.

    `keep` are lines that stay, `line` is the one that changes; {ttl} and the two targets are filled in.
    `delete` is the RPC command, with its argument, that makes the change count at once.
    """

    name: str
    line: str
    old: str
    new: str
    delete: str
    keep: tuple = ()
    uri: str = "sip:u@h.test"

    def zone(self, target, ttl):
        return [line.format(ttl=ttl) for line in self.keep] + [self.line.format(ttl=ttl, target=target)]


HOSTS = ("a.h.test A 127.0.0.10", "b.h.test A 127.0.0.11")
CHANGES = [
    Change("A", "h.test {ttl} A {target}", "127.0.0.10", "127.0.0.11", "dns.delete_a h.test"),
    Change("SRV", "_sip._udp.h.test {ttl} SRV 1 0 5060 {target}", "a.h.test", "b.h.test",
           "dns.delete_srv _sip._udp.h.test", HOSTS),
    Change("NAPTR", 'h.test {ttl} NAPTR 1 1 "s" "SIP+D2U" "" {target}', "_sip._udp.x.test", "_sip._udp.y.test",
           "dns.delete_naptr h.test", HOSTS + ("_sip._udp.x.test SRV 1 0 5060 a.h.test",
                                              "_sip._udp.y.test SRV 1 0 5060 b.h.test")),
    Change("CNAME", "h.test {ttl} CNAME {target}", "a.h.test", "b.h.test", "dns.delete_cname h.test", HOSTS,
           uri="sip:u@h.test:5060"),
]
# Addresses over IPv6 have their own places.
CHANGE6 = Change("AAAA", "h.test {ttl} AAAA {target}", "fd00::10", "fd00::11", "dns.delete_aaaa h.test")


def _places(change):
    if change is CHANGE6:
        return "udp:[fd00::10]:5060", "udp:[fd00::11]:5060"
    return OLD, NEW


def _zone_lines(lines):
    """Lines for NSD, whose names are absolute there."""
    out = []
    for line in lines:
        words = [word + "." if word.endswith(".test") else word for word in line.split()]
        out.append(" ".join(words))
    return out


def _call(scenario, uri):
    before = scenario.observer.mark()
    scenario.sipp_calls(uri)
    return scenario.arrivals(since=before), scenario.observer.asked(before)


def after_ttl(scenario, change, ttl=3):
    """The change counts after the TTL, and not before."""
    old, new = _places(change)
    for place in (old, new):
        scenario.sipp_callee(place)
    server = scenario.nsd(_zone_lines(change.zone(change.old, ttl)))
    # Nor is it asked ahead of time, so that the question is that of the call.
    kamailio = scenario.kamailio(BOTH + NOT_STALE + ("DNS.refresh_ahead = 0",))
    for _ in range(5):
        server.change(_zone_lines(change.zone(change.old, ttl)))
        kamailio.rpc("dns.delete_all")
        asked_after = time.monotonic()
        scenario.check("before the change", _call(scenario, change.uri)[0], [old])
        asked_before = time.monotonic()
        server.change(_zone_lines(change.zone(change.new, ttl)))
        arrivals, asked = _call(scenario, change.uri)
        # On a machine that is too slow for this the TTL may be over already: then that says nothing.
        if time.monotonic() < asked_after + ttl - 0.2:
            break
    else:
        scenario.fail("this machine is too slow to call within the TTL")
        return
    scenario.check("within the TTL", (arrivals, asked), ([old], []))
    time.sleep(max(0.0, asked_before + ttl + 0.2 - time.monotonic()))
    arrivals, asked = _call(scenario, change.uri)
    scenario.check("after the TTL", arrivals, [new])
    scenario.check_that("after the TTL the name server is asked", asked)


def deleted(scenario, change):
    """dns.delete_* makes the change count at once; deleting what is not there is an error."""
    old, new = _places(change)
    for place in (old, new):
        scenario.sipp_callee(place)
    server = scenario.nsd(_zone_lines(change.zone(change.old, 600)))
    kamailio = scenario.kamailio(BOTH)
    scenario.check("before the change", _call(scenario, change.uri)[0], [old])
    server.change(_zone_lines(change.zone(change.new, 600)))
    scenario.check("after the change", _call(scenario, change.uri), ([old], []))
    command, name = change.delete.split()
    kamailio.kamcmd(command, name)
    scenario.check("after the deletion", _call(scenario, change.uri)[0], [new])
    server.change(_zone_lines(change.zone(change.old, 600)))
    kamailio.kamcmd("dns.delete_all")
    scenario.check("after the deletion of all", _call(scenario, change.uri)[0], [old])
    try:
        kamailio.kamcmd(command, "never-seen.test")
        fault = None
    except RpcFault as error:
        fault = error.code
    scenario.check("deleting what is not there", fault, "400")


def absent_then_there(scenario):
    """A name that appears on the server is found after the negative TTL of its SOA, not before."""
    dns = scenario.dns([], negative_ttl=3)
    scenario.callees({UDP10: 200})
    scenario.kamailio(BOTH)
    caller = scenario.caller()
    for number in range(5):
        uri, lines = f"sip:u@h{number}.test", [f"h{number}.test A 127.0.0.10"]
        asked_after = time.monotonic()
        scenario.check("no such name", caller.call(uri), 478)
        asked_before = time.monotonic()
        dns.load(lines)
        before = scenario.observer.mark()
        code, asked = caller.call(uri), scenario.observer.asked(before)
        if time.monotonic() < asked_after + 2.8:
            break
    else:
        scenario.fail("this machine is too slow to call within the TTL")
        return
    scenario.check("within the negative TTL", (code, asked), (478, []))
    time.sleep(max(0.0, asked_before + 3.2 - time.monotonic()))
    scenario.check("after the negative TTL", caller.call(uri), 200)


def stale(scenario):
    """With dns_stale_ttl an expired record in use is served at once while it is refreshed."""
    dns = scenario.dns(["h.test 1 A 127.0.0.10"])
    scenario.callees({UDP10: 200, UDP11: 200})
    kamailio = scenario.kamailio(FAILOVER + ("DNS.stale_ttl = 600", "DNS.refresh_ahead = 0"))
    caller = scenario.caller()
    scenario.check("fresh", caller.call("sip:u@h.test:5060"), 200)
    dns.load(["h.test 60 A 127.0.0.11"])
    time.sleep(1.5)
    scenario.check("expired", caller.call("sip:u@h.test:5060"), 200)

    def refreshed():
        entry = kamailio.entries().get(("A", "h.test"))
        return entry and entry["records"][0]["rr_ip"] == "127.0.0.11"

    wait_for("the refresh", refreshed)
    scenario.check("refreshed", caller.call("sip:u@h.test:5060"), 200)
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), [UDP10, UDP10, UDP11])


def outage(scenario):
    """Names in use outlive an outage of the name servers with dns_stale_ttl, and do not without."""
    dns = scenario.dns(["h.test 1 A 127.0.0.10"])
    scenario.callees({UDP10: 200})
    caller = None
    for seconds, code in ((600, 200), (0, 478)):
        dns.rules = {}
        kamailio = scenario.kamailio((f"DNS.stale_ttl = {seconds}", "dns_retr_no=1", "dns_retr_time=1"))
        caller = caller or scenario.caller()
        scenario.check("before the outage", caller.call("sip:u@h.test:5060"), 200)
        dns.rules = {"*": "drop"}
        time.sleep(1.5)
        for _ in range(3):
            scenario.check(f"in the outage, dns_stale_ttl {seconds}", caller.call("sip:u@h.test:5060"), code)
        scenario.end_kamailio(kamailio)


def rpc_records(scenario):
    """Records added by RPC are used, those that are permanent survive dns.delete_all."""
    scenario.dns(["h.test A 127.0.0.10"])
    scenario.callees({UDP10: 200, UDP11: 200, "udp:127.0.0.12:5070": 200, "udp:[fd00::10]:5060": 200})
    kamailio = scenario.kamailio(FAILOVER)
    caller = scenario.caller()

    def arrival(uri):
        before = scenario.observer.mark()
        code = caller.call(uri)
        return (scenario.arrivals("MESSAGE", before) or [code])[0]

    kamailio.kamcmd("dns.add_a", "own.test", 60, "127.0.0.11", 0)
    scenario.check("dns.add_a", arrival("sip:u@own.test:5060"), UDP11)
    kamailio.kamcmd("dns.add_aaaa", "own6.test", 60, "fd00::10", 0)
    scenario.check("dns.add_aaaa", arrival("sip:u@own6.test:5060"), "udp:[fd00::10]:5060")
    kamailio.kamcmd("dns.add_a", "host.test", 60, "127.0.0.12", 0)
    kamailio.kamcmd("dns.add_srv", "_sip._udp.s.test", 60, 1, 0, 5070, "host.test", 0)
    scenario.check("dns.add_srv", arrival("sip:u@s.test"), "udp:127.0.0.12:5070")
    kamailio.kamcmd("dns.add_a", "h.test", 60, "127.0.0.11", 2)
    kamailio.kamcmd("dns.delete_all")
    scenario.check("a permanent record after dns.delete_all", arrival("sip:u@h.test:5060"), UDP11)
    scenario.check("a record after dns.delete_all", arrival("sip:u@own.test:5060"), 478)
    kamailio.kamcmd("dns.delete_all_force")
    scenario.check("a permanent record after dns.delete_all_force", arrival("sip:u@h.test:5060"), UDP10)
    looked_up = kamailio.rpc("dns.lookup", "A", "h.test")
    scenario.check("dns.lookup", [record["rr_ip"] for record in looked_up["records"]], ["127.0.0.10"])


def _failing(scenario, rule):
    """A failing server is no proof of absence: the next call after it has recovered is a good one."""
    dns = scenario.dns(["h.test A 127.0.0.10"])
    scenario.callees({UDP10: 200})
    scenario.kamailio(("dns_retr_no=1", "dns_retr_time=1"))
    caller = scenario.caller()
    dns.rules = {"*": rule}
    scenario.check("while the server fails", caller.call("sip:u@h.test:5060"), 478)
    dns.rules = {}
    time.sleep(1.5)
    scenario.check("after it has recovered", caller.call("sip:u@h.test:5060"), 200)


def no_downgrade(scenario):
    """A NAPTR query without an answer does not send to the address what has another way to go."""
    dns = scenario.dns(["h.test A 127.0.0.10"])
    scenario.callees({UDP10: 200})
    scenario.kamailio(BOTH)
    dns.rules = {("h.test", "NAPTR"): "servfail"}
    scenario.check("the call", scenario.caller().call("sip:u@h.test"), 478)
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), [])


def foreign_additional(scenario):
    """Addresses of other domains in the additional section are not believed."""
    dns = scenario.dns([
        "_sip._udp.evil.test SRV 1 0 5060 sip.bank.test",
        "sip.bank.test A 127.0.0.10",
    ])
    dns.additional = {("_sip._udp.evil.test", "SRV"): ["sip.bank.test 3600 A 127.0.0.11"]}
    scenario.callees({UDP10: 200, UDP11: 200})
    scenario.kamailio(FAILOVER)
    caller = scenario.caller()
    scenario.check("the call to the other domain", caller.call("sip:u@evil.test"), 200)
    scenario.check("the call to the domain", caller.call("sip:u@sip.bank.test:5060"), 200)
    scenario.check("arrivals", scenario.arrivals("MESSAGE"), [UDP10, UDP10])


def very_many_records(scenario):
    """Three hundred SRV records without usable targets end, with and without failover."""
    dns = scenario.dns([f"_sip._udp.h.test SRV {number} 0 5060 none{number}.test" for number in range(70)])
    dns.additional = {
        ("_sip._udp.h.test", "SRV"): [f"_sip._udp.h.test 60 SRV {number} 0 5060 none{number}.test" for number in range(70, 300)]
    }
    for core in ((), FAILOVER):
        server = scenario.kamailio(core)
        if not core:
            caller = scenario.caller()
        scenario.check(f"the call, {core}", caller.call("sip:u@h.test", seconds=60), 478)
        scenario.check("another call", caller.call("sip:u@none.test:5060"), 478)
        scenario.end_kamailio(server)


def trailing_dot(scenario):
    """A host name that ends in a dot is the same name, and comes from the cache, too."""
    scenario.dns(["h.test A 127.0.0.10"])
    scenario.callees({UDP10: 200})
    scenario.kamailio(FAILOVER)
    caller = scenario.caller()
    scenario.check("first call", caller.call("sip:u@h.test.:5060"), 200)
    before = scenario.observer.mark()
    scenario.check("second call", caller.call("sip:u@h.test.:5060"), 200)
    scenario.check("questions", scenario.observer.asked(before), [])


PENDING = [
    "_sip._udp.h.test {ttl} SRV 1 0 5060 a.h.test",
    "_sip._udp.h.test {ttl} SRV 2 0 5060 b.h.test",
    "a.h.test {ttl} A 127.0.0.10",
    "b.h.test {ttl} A 127.0.0.11",
]


def _pending(scenario, during, ttl=60, core=FAILOVER):
    """A call that waits for its first target goes on to the second one, whatever happens meanwhile."""
    scenario.dns([line.format(ttl=ttl) for line in PENDING])
    scenario.callees({UDP10: 0, UDP11: 200})
    kamailio = scenario.kamailio(core, fr_timer=2000)
    caller = scenario.caller()
    call = caller.start("sip:u@h.test", "INVITE")
    time.sleep(0.5)
    during(scenario, kamailio)
    scenario.check("the call", caller.finish(call), 200)
    scenario.check("its arrivals", scenario.arrivals(), [UDP10, UDP11])
    scenario.check("the next call finds its way", caller.call("sip:u@a.h.test:5060", seconds=1.0), None)


def _flush(scenario, kamailio):
    kamailio.rpc("dns.delete_all_force")


def _replace(scenario, kamailio):
    for rtype, name in (("srv", "_sip._udp.h.test"), ("a", "a.h.test")):
        kamailio.rpc(f"dns.delete_{rtype}", name)
    kamailio.rpc("dns.add_srv", "_sip._udp.h.test", 60, 1, 0, 5060, "elsewhere.test", 0)


def _option(scenario, kamailio):
    kamailio.kamcmd("cfg.seti", "core", "dns_srv_lb", 1)
    kamailio.kamcmd("cfg.seti", "core", "dns_cache_mem", 1000)


def _nothing(scenario, kamailio):
    pass


def scenarios():
    out = []
    for change in [*CHANGES, CHANGE6]:
        out.append((f"change of {change.name}: after the TTL, not before",
                    lambda scenario, change=change: after_ttl(scenario, change), ""))
        out.append((f"change of {change.name}: at once with dns.delete",
                    lambda scenario, change=change: deleted(scenario, change), ""))
    out += [
        ("a name that was absent", absent_then_there, "B09"),
        ("expired records are served while they are refreshed", stale, ""),
        ("an outage of the name servers", outage, ""),
        ("records by RPC", rpc_records, ""),
        ("SERVFAIL is not absence", lambda scenario: _failing(scenario, "servfail"), "B09"),
        ("a timeout is not absence", lambda scenario: _failing(scenario, "drop"), "B09"),
        ("REFUSED is not absence", lambda scenario: _failing(scenario, "refused"), "B09"),
        ("an unanswered NAPTR query", no_downgrade, "B38"),
        ("foreign additional data", foreign_additional, "B06"),
        ("three hundred SRV records", very_many_records, "B02"),
        ("a name with a dot at its end", trailing_dot, "B33"),
        ("a call while the cache is flushed", lambda scenario: _pending(scenario, _flush), ""),
        ("a call while its records are replaced", lambda scenario: _pending(scenario, _replace), ""),
        ("a call while options change", lambda scenario: _pending(scenario, _option), ""),
        ("a call that outlives its records", lambda scenario: _pending(scenario, _nothing, ttl=1), ""),
    ]
    return out
