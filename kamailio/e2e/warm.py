"""Names that are never cold, a warm start, and the trace of a name."""

import os
import re

from bed.wait import wait_for

UDP10 = "udp:127.0.0.10:5060"
NEW = "no such options and commands in the C original"
ZONE = (
    "_sip._udp.trunk.test 3 SRV 1 0 5060 sip1.trunk.test",
    "sip1.trunk.test 3 A 127.0.0.10",
    "other.test 300 A 127.0.0.10",
)
LASTING = tuple(line.replace(" 3 ", " 300 ", 1) for line in ZONE)
URIS = ("sip:u@trunk.test;transport=udp", "sip:u@other.test:5060")
CALLS = 1000


def pinned(s):
    dns = s.dns(ZONE)
    server = s.kamailio(("dns_try_ipv6=no", 'DNS.pin = "sip:trunk.test;transport=udp"', "DNS.keep_fresh = 0"), ipv6=False)
    s.callees({UDP10: 200})

    def state(name="sip:trunk.test;transport=udp"):
        return {pin["name"]: pin["state"] for pin in server.rpc("dns.pins") or []}.get(name)

    wait_for("the pinned name", lambda: state() == "fresh")
    asked = len(dns.asked)
    s.check_that("fetched without a call", asked >= 2)
    # Several of its lives.
    wait_for("it is fetched anew", lambda: len(dns.asked) >= asked + 6)
    s.check("fresh meanwhile", state(), "fresh")
    before = server.rpc("dns.stats")["misses"]
    s.check("a call", s.caller().call("sip:u@trunk.test;transport=udp"), 200)
    s.check("waits for nothing", server.rpc("dns.stats")["misses"], before)
    s.check("pinned by command", server.rpc("dns.pin", "other.test:5060")["status"], "pinned")
    wait_for("the other name", lambda: state("other.test:5060") == "fresh")
    s.check_that("kamcmd shows them", "state: fresh" in server.kamcmd("dns.pins"))
    server.kamcmd("dns.unpin", "other.test:5060")
    s.check("not any more", state("other.test:5060"), None)
    server.rpc("cfg.sets", "dns", "pin", "")
    wait_for("the option is empty", lambda: not server.rpc("dns.pins"))


def _restarted(s, with_snapshot):
    path = os.path.join(s.run_folder, "snapshot")
    os.chmod(s.run_folder, 0o700)
    # These options keep waits short: waits are not the point here.
    core = ["dns_try_ipv6=no", "dns_retr_time=1", "dns_retr_no=1"]
    if with_snapshot:
        core.append(f'DNS.snapshot = "{path}"')
    dns = s.dns(LASTING)
    server = s.kamailio(core, ipv6=False)
    s.callees({UDP10: 200})
    caller = s.caller()
    for uri in URIS:
        s.check(f"before: {uri}", caller.call(uri), 200)
    s.end_kamailio(server)
    dns.lives = False
    dns.rules = {"*": "drop"}
    return s.kamailio(core, ipv6=False), caller, path, dns


def warm(s):
    server, caller, path, dns = _restarted(s, True)
    s.check("its owner's alone", os.stat(path).st_mode & 0o777, 0o600)
    s.check_that("the line of the start", "record sets as expired, 0 left out" in server.log())
    finals = [caller.call(URIS[number % 2]) for number in range(CALLS)]
    s.check("calls to names in use that fail", sum(final != 200 for final in finals), 0)
    s.check_that("served stale", server.rpc("dns.stats")["stale"] >= CALLS)
    dns.rules = {}
    dns.lives = True

    def is_live():
        for uri in URIS:
            caller.call(uri)
        return {("A", "other.test"), ("A", "sip1.trunk.test"), ("SRV", "_sip._udp.trunk.test")} <= set(server.entries())

    wait_for("live records", is_live)
    s.check("saved by command", server.rpc("dns.save")["record_sets"], 3)
    s.check("nothing live gives way", (server.rpc("dns.load")["record_sets"], server.rpc("dns.load")["left_out"]), (0, 3))
    # A file that was changed costs a line.
    s.end_kamailio(server)
    with open(path, "r+b") as file:
        file.seek(40)
        file.write(b"?")
    server = s.kamailio((f'DNS.snapshot = "{path}"',), ipv6=False)
    s.check("one line", server.log().count("is not used: it is not whole, or was changed"), 1)


def cold(s):
    server, caller, _, _ = _restarted(s, False)
    s.check("without a snapshot", caller.call("sip:u@other.test:5060"), 478)
    s.check("nothing stale", server.rpc("dns.stats")["stale"], 0)


def traced(s):
    s.dns(ZONE)
    server = s.kamailio(("dns_try_ipv6=no",), ipv6=False, debug=2)
    s.callees({UDP10: 200})
    caller = s.caller()
    s.check("its bounds", server.rpc("dns.trace", "*.trunk.test", 60),
            {"seconds": 60, "lines": 10000, "logged": "yes"})
    for uri in URIS:
        s.check(f"a call to {uri}", caller.call(uri), 200)
    log = server.log()
    for line in ("*.trunk.test for 60 s", "sip1.trunk.test: type 1: not in the cache, asked for",
                 "sip1.trunk.test: type 1: sent by Udp to 127.0.0.1:53",
                 "sip1.trunk.test: type 1: an answer from 127.0.0.1:53"):
        s.check_that(line, f"DNS trace: {line}" in log)
    s.check_that("of no other name", "DNS trace: other.test" not in log)
    # Calls that the cache answers, in whatever process.
    calls = 12
    for _ in range(calls):
        s.check("a cached call", caller.call(URIS[0]), 200)
    told = re.findall(r"DNS trace: sip1\.trunk\.test: type 1: the cache has 1 records, for [0-9]+ s", server.log())
    s.check_that(f"cached calls are shown: {len(told)}", len(told) >= calls - 4)
    mark = len(server.log())
    server.kamcmd("dns.trace", "x", 1)
    wait_for("its end", lambda: "DNS trace: no more, its time is over" in server.log())
    s.check("said once", server.log().count("no more"), 1)
    for _ in range(4):
        s.check("a call afterwards", caller.call(URIS[0]), 200)
    s.check("and nothing of them", "DNS trace: sip1" in server.log()[mark:].split("no more", 1)[1], False)


def scenarios():
    return [
        ("warm: a pinned name is there before the first call, and stays", pinned, NEW),
        ("warm: a restart in an outage with a snapshot", warm, NEW),
        ("warm: a restart in an outage without", cold, NEW),
        ("warm: a name is followed in the log", traced, NEW),
    ]
