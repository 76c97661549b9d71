"""Calls by sipp through Kamailio, with NSD as the name server: where they arrive, and how they end."""

import dataclasses

from bed.kamailio import RELAY, STATELESS

NAPTR = ("dns_try_naptr=on",)
FAILOVER = ("use_dns_failover=on",)
BOTH = NAPTR + FAILOVER
BLOCKLIST = ("use_dst_blocklist=yes", "dst_blocklist_expire=60")

UDP10, UDP11, UDP12 = (f"udp:127.0.0.{host}:5060" for host in (10, 11, 12))


@dataclasses.dataclass
class Flow:
    """One row. Each entry of `calls` is a call: (final code, arrivals of its INVITE in order).

    `callees` maps places to the code they answer with, or one for each call; other places are closed, 0 is a
    place that is silent.
    `asked` is what is asked of the name server over all calls, as a set, A and AAAA apart.
    """

    name: str
    zone: str
    uri: str
    calls: list
    callees: dict
    core: tuple = ()
    params: tuple = ()
    route: str = RELAY
    asked: set = None
    # The C original does it otherwise: number of the defect.
    defect: str = ""
    # Self-test: the zone that must make it fail, where other addresses would not.
    wrong: str = ""


NOWHERE = "nowhere A 127.0.0.10"

OUTBOUND = """
route[OUT] {
    $du = "sip:proxy.test";
    if (!t_relay()) sl_reply_error();
}
"""

TWO_HOSTS = """
_sip._udp.two SRV 1 0 5060 one.two
_sip._udp.two SRV 2 0 5060 other.two
one.two A 127.0.0.10
other.two A 127.0.0.11
two A 127.0.0.90
"""

NAPTR_UDP = """
n NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.n
n NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp.n
_sip._udp.n SRV 1 0 5070 u.n
_sip._tcp.n SRV 1 0 5071 t.n
u.n A 127.0.0.10
t.n A 127.0.0.11
n A 127.0.0.90
"""


def twice(code, *arrivals):
    """Two calls that do the same: the second one from the cache."""
    return [(code, list(arrivals)), (code, list(arrivals))]


FLOWS = [
    # --- RFC 3263, step by step
    Flow("NAPTR, SRV, A", NAPTR_UDP, "sip:u@n.test", twice(200, "udp:127.0.0.10:5070"),
         {"udp:127.0.0.10:5070": 200}, NAPTR, asked={("NAPTR", "n.test"), ("SRV", "_sip._udp.n.test")}),
    Flow("NAPTR, SRV, A with failover", NAPTR_UDP, "sip:u@n.test", twice(200, "udp:127.0.0.10:5070"),
         {"udp:127.0.0.10:5070": 200}, BOTH, asked={("NAPTR", "n.test"), ("SRV", "_sip._udp.n.test")}),
    Flow("NAPTR to TCP", NAPTR_UDP, "sip:u@n.test", twice(200, "tcp:127.0.0.11:5071"),
         {"tcp:127.0.0.11:5071": 200}, BOTH + ("dns_tcp_pref=40",),
         asked={("NAPTR", "n.test"), ("SRV", "_sip._tcp.n.test")}),
    Flow("NAPTR only for TCP", "\n".join(line for line in NAPTR_UDP.split("\n") if "udp" not in line), "sip:u@n.test",
         twice(200, "tcp:127.0.0.11:5071"), {"tcp:127.0.0.11:5071": 200}, NAPTR,
         asked={("NAPTR", "n.test"), ("SRV", "_sip._tcp.n.test")}),
    Flow("SRV without NAPTR", TWO_HOSTS, "sip:u@two.test", twice(200, UDP10), {UDP10: 200}, BOTH,
         # All transports at once.
         asked={("NAPTR", "two.test"), ("SRV", "_sip._udp.two.test"), ("SRV", "_sip._tcp.two.test")}),
    Flow("SRV only for TCP", "_sip._tcp.s SRV 1 0 5071 t.s\nt.s A 127.0.0.11\ns A 127.0.0.90", "sip:u@s.test",
         twice(200, "tcp:127.0.0.11:5071"), {"tcp:127.0.0.11:5071": 200}, FAILOVER,
         asked={("SRV", "_sip._udp.s.test"), ("SRV", "_sip._tcp.s.test")}),
    Flow("A only", "a A 127.0.0.10", "sip:u@a.test", twice(200, UDP10), {UDP10: 200}, BOTH,
         asked={("NAPTR", "a.test"), ("SRV", "_sip._udp.a.test"), ("SRV", "_sip._tcp.a.test")}),
    Flow("AAAA only", "a AAAA fd00::10", "sip:u@a.test", twice(200, "udp:[fd00::10]:5060"),
         {"udp:[fd00::10]:5060": 200}, FAILOVER),
    Flow("SRV to AAAA", "_sip._udp.a SRV 1 0 5070 h.a\nh.a AAAA fd00::11", "sip:u@a.test",
         twice(200, "udp:[fd00::11]:5070"), {"udp:[fd00::11]:5070": 200}, FAILOVER),
    Flow("CNAME to A", "c CNAME real\nreal A 127.0.0.10", "sip:u@c.test", twice(200, UDP10), {UDP10: 200}, FAILOVER),
    Flow("CNAME of CNAME, behind SRV", "_sip._udp.c SRV 1 0 5070 c1\nc1 CNAME c2\nc2 CNAME real\nreal A 127.0.0.10",
         "sip:u@c.test", twice(200, "udp:127.0.0.10:5070"), {"udp:127.0.0.10:5070": 200}, FAILOVER),
    Flow("CNAME to SRV", "_sip._udp.c CNAME _sip._udp.two" + TWO_HOSTS, "sip:u@c.test", twice(200, UDP10),
         {UDP10: 200}, FAILOVER),
    # --- what the URI says goes before what DNS says
    Flow("explicit port", NAPTR_UDP + "n AAAA fd00::19", "sip:u@n.test:5066", twice(200, "udp:127.0.0.90:5066"),
         {"udp:127.0.0.90:5066": 200}, BOTH, asked=set(), defect="B13"),
    Flow("explicit port, no failover", NAPTR_UDP, "sip:u@n.test:5066", twice(200, "udp:127.0.0.90:5066"),
         {"udp:127.0.0.90:5066": 200}, NAPTR, asked=set(), defect="B12"),
    Flow("explicit transport", NAPTR_UDP, "sip:u@n.test;transport=tcp", twice(200, "tcp:127.0.0.11:5071"),
         {"tcp:127.0.0.11:5071": 200}, BOTH, asked={("SRV", "_sip._tcp.n.test")}, defect="B13"),
    Flow("explicit port and transport", NAPTR_UDP, "sip:u@n.test:5066;transport=tcp",
         twice(200, "tcp:127.0.0.90:5066"), {"tcp:127.0.0.90:5066": 200}, BOTH, asked=set(), defect="B13"),
    Flow("address in the URI", "a A 127.0.0.90", "sip:u@127.0.0.10:5070", twice(200, "udp:127.0.0.10:5070"),
         {"udp:127.0.0.10:5070": 200}, BOTH, asked=set()),
    # --- what cannot be had
    Flow("no such name", "a A 127.0.0.90", "sip:u@nowhere.test", twice(478), {}, BOTH,
         asked={("NAPTR", "nowhere.test"), ("SRV", "_sip._udp.nowhere.test"), ("SRV", "_sip._tcp.nowhere.test")},
         wrong=NOWHERE),
    Flow("no such name, no failover", "a A 127.0.0.90", "sip:u@nowhere.test", twice(478), {}, wrong=NOWHERE),
    Flow("service not offered: SRV target is the root", "_sip._udp.r SRV 0 0 0 .\n_sip._tcp.r SRV 0 0 0 .\nr A 127.0.0.90",
         "sip:u@r.test", twice(478), {}, FAILOVER, defect="B18", wrong="r A 127.0.0.10"),
    # --- failover of tm
    Flow("first target refuses with ICMP", TWO_HOSTS, "sip:u@two.test", [(200, [UDP10, UDP11])], {UDP11: 200}, FAILOVER),
    Flow("first target cannot be reached", TWO_HOSTS.replace("A 127.0.0.10", "A 192.0.2.1"), "sip:u@two.test",
         twice(200, UDP11), {UDP11: 200}, FAILOVER),
    Flow("first target is silent", TWO_HOSTS, "sip:u@two.test", [(200, [UDP10, UDP11])], {UDP10: 0, UDP11: 200}, FAILOVER),
    Flow("first target answers 503", TWO_HOSTS, "sip:u@two.test", twice(200, UDP10, UDP11), {UDP10: 503, UDP11: 200},
         FAILOVER),
    Flow("first target answers 486: no failover", TWO_HOSTS, "sip:u@two.test", twice(486, UDP10),
         {UDP10: 486, UDP11: 200}, FAILOVER),
    Flow("no failover when it is off", TWO_HOSTS, "sip:u@two.test", [(408, [UDP10])], {UDP10: 0, UDP11: 200}),
    Flow("first target is on the blocklist", TWO_HOSTS, "sip:u@two.test", [(200, [UDP10, UDP11]), (200, [UDP11])],
         {UDP10: 0, UDP11: 200}, FAILOVER + BLOCKLIST),
    Flow("several addresses of one host", "m A 127.0.0.10\nm A 127.0.0.11", "sip:u@m.test:5060",
         [(500, sorted([UDP10, UDP11]))], {UDP10: 503, UDP11: 503}, FAILOVER),
    Flow("IPv4, then IPv6", "m A 127.0.0.10\nm AAAA fd00::10", "sip:u@m.test", twice(200, UDP10, "udp:[fd00::10]:5060"),
         {UDP10: 503, "udp:[fd00::10]:5060": 200}, FAILOVER),
    Flow("UDP fails, then TCP by NAPTR", NAPTR_UDP, "sip:u@n.test", twice(200, "udp:127.0.0.10:5070", "tcp:127.0.0.11:5071"),
         {"udp:127.0.0.10:5070": 503, "tcp:127.0.0.11:5071": 200}, BOTH, defect="B10"),
    Flow("priorities in order", "_sip._udp.p SRV 30 9 5060 c.p\n_sip._udp.p SRV 10 1 5060 a.p\n_sip._udp.p SRV 20 5 5060 b.p\n"
         "a.p A 127.0.0.10\nb.p A 127.0.0.11\nc.p A 127.0.0.12", "sip:u@p.test", twice(200, UDP10, UDP11, UDP12),
         {UDP10: 503, UDP11: 503, UDP12: 200}, FAILOVER + ("dns_srv_lb=on",)),
    # --- all targets dead
    Flow("all targets silent", TWO_HOSTS, "sip:u@two.test", [(408, [UDP10, UDP11])], {UDP10: 0, UDP11: 0}, FAILOVER),
    Flow("all targets answer 503", TWO_HOSTS, "sip:u@two.test", twice(500, UDP10, UDP11), {UDP10: 503, UDP11: 503},
         FAILOVER),
    Flow("NAPTR without working SRV, dead address", 'n NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.none\nn A 127.0.0.10',
         "sip:u@n.test", [(408, [UDP10])], {UDP10: 0}, BOTH, defect="B03"),
    Flow("all targets cannot be reached", "r A 192.0.2.1\nr A 192.0.2.2", "sip:u@r.test", twice(477), {}, FAILOVER,
         wrong="r A 127.0.0.10"),
    # --- one failed call changes nothing for the next
    Flow("a failed call, then a good one, through NAPTR", 'n NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.carrier\n'
         "_sip._udp.carrier SRV 1 0 5070 h.carrier\nh.carrier A 127.0.0.10", "sip:u@n.test",
         [(500, ["udp:127.0.0.10:5070"]), (200, ["udp:127.0.0.10:5070"]), (200, ["udp:127.0.0.10:5070"])],
         {"udp:127.0.0.10:5070": [503, 200, 200]}, BOTH, defect="B10"),
    # --- the next hop is another than that of the request
    Flow("failover stays with the next hop", 'proxy NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.proxy\n'
         "_sip._udp.proxy SRV 1 0 5070 h.proxy\nh.proxy A 127.0.0.10\n"
         'b NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.b\n_sip._udp.b SRV 1 0 5070 h.b\nh.b A 127.0.0.11', "sip:u@b.test",
         twice(500, "udp:127.0.0.10:5070"), {"udp:127.0.0.10:5070": 503, "udp:127.0.0.11:5070": 200}, BOTH,
         route=OUTBOUND, defect="B14"),
    # --- stateless
    Flow("forward()", NAPTR_UDP, "sip:u@n.test", twice(200, "udp:127.0.0.10:5070"), {"udp:127.0.0.10:5070": 200},
         BOTH, route=STATELESS),
    Flow("forward(), no failover", TWO_HOSTS, "sip:u@two.test", twice(200, UDP10), {UDP10: 200}, route=STATELESS),
    Flow("forward(), first target cannot be reached", TWO_HOSTS.replace("A 127.0.0.10", "A 192.0.2.1"), "sip:u@two.test",
         twice(200, UDP11), {UDP11: 200}, FAILOVER, route=STATELESS),
    Flow("forward(), nothing there", "a A 127.0.0.90", "sip:u@nowhere.test", twice(500), {}, FAILOVER, route=STATELESS,
         wrong=NOWHERE),
]


def _answer(scenario, flow, running, number):
    """Has the callees at work that this call needs."""
    for place, codes in flow.callees.items():
        code = codes[number] if isinstance(codes, list) else codes
        old = running.get(place)
        if code and (old is None or old[1] != code):
            if old:
                old[0].stop()
            running[place] = scenario.sipp_callee(place, code), code


def run(scenario, flow):
    zone = flow.wrong if scenario.sabotage and flow.wrong else flow.zone
    scenario.nsd(zone.strip().split("\n"))
    # A silent place takes what arrives, so that no ICMP message comes back.
    silent = {place: 0 for place, code in flow.callees.items() if code == 0}
    if silent:
        scenario.callees(silent)
    scenario.kamailio(flow.core, params=flow.params, route=flow.route)
    running = {}
    for number, (final, arrivals) in enumerate(flow.calls):
        _answer(scenario, flow, running, number)
        before = scenario.observer.mark()
        scenario.sipp_calls(flow.uri, final)
        scenario.check(f"call {number + 1}: final code", scenario.finals(before), [final])
        seen = scenario.arrivals(since=before)
        # The order of the addresses of one host is the name server's.
        if flow.name == "several addresses of one host":
            seen.sort()
        scenario.check(f"call {number + 1}: arrivals", seen, arrivals)
        if number:
            scenario.check(f"call {number + 1}: questions", scenario.observer.asked(before), [])
    if flow.asked is not None:
        asked = {question for question in scenario.observer.asked() if question[0] not in ("A", "AAAA")}
        scenario.check("questions but those for addresses", asked, flow.asked)


def needs_dns(name):
    """False for the flow that other addresses on the name server cannot make fail."""
    return name != "flow: address in the URI"


def scenarios():
    return [(f"flow: {flow.name}", lambda scenario, flow=flow: run(scenario, flow), flow.defect) for flow in FLOWS]
