"""What an operator sees and does: an outage from begin to end in the log and in the statistics, octets of strangers in what
is shown, pins from a file, damaged snapshots, a full disk."""

import json
import os
import re
import struct
import subprocess
import time

import prometheus
from bed import sip
from bed.kamailio import RpcFault
from bed.wait import wait_for

NEW = "no such options, commands and statistics in the C original"
ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
UDP10 = "udp:127.0.0.10:5060"
ZONE = (
    "known.test 2 A 127.0.0.10",
    "pinned.test 2 A 127.0.0.10",
    "other.test 300 A 127.0.0.10",
)
SERVERS = ("127.0.0.1", "127.0.0.2")
# Lines of ours have a place in these sources.
LINE = re.compile(r"(NOTICE|WARNING|INFO|ERROR|CRITICAL|BUG): <core> \[kamailio-dns/src/[^]]*\]: (?:[a-z_]+\(\): )?(.*)")


def lines(server):
    """(level, text) of the library's lines in the log."""
    return LINE.findall(server.log())


# --- an outage

# Each statistic, and what it has to be before, in, and after an outage in which no server answers: values b, d, a.
SAME, GROWS, ANY = "same", "grows", "any"
STATISTICS = {
    # Of lookups.
    "hits": GROWS, "stale": GROWS, "misses": GROWS, "unanswered": GROWS, "failure_hits": GROWS, "negative_hits": SAME,
    "refreshed": SAME, "refresh_failed": GROWS, "failed_dns_request": GROWS, "slow_dns_request": SAME,
    "coalesced": ANY, "taken_over": ANY, "handed_on": ANY, "handed_on_dropped": SAME, "deadline": ANY, "given_up": SAME,
    "naptr_lost": SAME, "answers_cut": SAME, "query_budget": SAME, "target_budget": SAME, "ttl_capped": SAME,
    # Of questions.
    "queries_udp": GROWS, "queries_tcp": SAME, "total_dns_request": GROWS, "resends": GROWS, "probes": GROWS,
    "timeouts": GROWS, "server_errors": SAME, "discarded": SAME,
    # Of the cache.
    "evicted": SAME, "not_cached": SAME, "lock_busy": SAME, "repairs": SAME,
    "memory_used": ANY, "memory_limit": SAME, "entries": ANY,
    # Of time, of answers: none comes.
    "uptime": GROWS, "query_count": SAME, "query_sum": SAME,
    **{"query_le_" + name: SAME for name in prometheus.CLASSES},
    # Of now.
    "waiting": ANY, "in_background": ANY,
    "servers": 2, "servers_down": (0, 2, 0), "pins": 1, "pins_not_fresh": (0, 1, 0),
    "server_1_state": (1, 2, 1), "server_2_state": (1, 2, 1), "server_1_rtt_us": ANY, "server_2_rtt_us": ANY,
    **{f"server_{slot}_{what}": 0 for slot in range(3, 9) for what in ("state", "rtt_us")},
}


def judge(s, before, during, after):
    s.check("statistics that are shown", {name[len("kamailio_dns_"):] for name in before if "kamailio_dns_" in name},
            set(STATISTICS))
    for name, meaning in STATISTICS.items():
        values = [sample["kamailio_dns_" + name] for sample in (before, during, after)]
        if meaning == GROWS:
            s.check_that(f"{name} grows in the outage: {values}", values[0] < values[1] <= values[2])
        elif meaning == SAME:
            s.check(f"{name} in the outage", values[1], values[0])
        elif meaning == ANY:
            s.check_that(f"{name}: {values}", min(values) >= 0)
        else:
            s.check(name, values, list(meaning) if isinstance(meaning, tuple) else [meaning] * 3)
    s.check_that("memory is in its limit", during["kamailio_dns_memory_used"] <= during["kamailio_dns_memory_limit"])
    s.check_that("answers are timed again", after["kamailio_dns_query_count"] > before["kamailio_dns_query_count"])


# How the library says that it came in: linked, or by takeover.
LINKED = r"linked with this Kamailio"
TAKEN_OVER = (r"kamailio-dns took over \d+ functions of Kamailio [0-9.]+ with \S+; "
              r"report defects of DNS to kamailio-dns, not to Kamailio")

# All that the library says of an outage beside that: level, text, and how often.
SAID = [
    ("NOTICE", r"DNS: nameservers 127.0.0.1:53 127.0.0.2:53, search .*, timeout 1 s, attempts 2, cache 500 KiB", 1, 1),
    ("WARNING", r"nameserver 127.0.0.1:53 does not answer: it is passed over until it does", 1, 1),
    ("WARNING", r"nameserver 127.0.0.2:53 does not answer: it is passed over until it does", 1, 1),
    ("NOTICE", r"nameserver 127.0.0.1:53 answers again, \d+ s after it was said to be down", 1, 1),
    ("NOTICE", r"nameserver 127.0.0.2:53 answers again, \d+ s after it was said to be down", 1, 1),
    ("NOTICE", r"DNS lookup failed: type 1 name [a-z0-9]+\.test: no answer in time; "
               r"asked: 127.0.0.1:53 127.0.0.2:53 \(\d+ more failed since the last such line\)", 1, 5),
    ("NOTICE", r"records that have expired are served, for they could not be fetched anew: (known|pinned)\.test "
               r"\(\d+ more since the last such line\)", 1, 1),
    ("NOTICE", r"no expired records are served any more, for half a minute there were none; it began \d+ s ago "
               r"\(\d+ more since the last such line\)", 1, 1),
]


def outage(s):
    with open(s.resolv_conf, "w") as file:
        file.write("".join(f"nameserver {address}\n" for address in SERVERS) + "options timeout:1 attempts:2\n")
    dns = s.dns(ZONE, addresses=SERVERS)
    core, params, route = prometheus.example_config()
    server = s.kamailio((*core, "dns_try_ipv6=no", "DNS.stale_recent = 0", 'DNS.pin = "pinned.test:5060"'),
                        params=params, route=route, ipv6=False, debug=2, children=4)
    s.callees({UDP10: 200})
    caller = s.caller()

    def state():
        sample = prometheus.scrape()
        return sample["kamailio_dns_servers_down"], sample["kamailio_dns_pins_not_fresh"]

    wait_for("the pinned name", lambda: [pin["state"] for pin in server.rpc("dns.pins") or []] == ["fresh"])
    for name in ("known.test", "other.test", "known.test"):
        s.check(f"before: {name}", caller.call(f"sip:u@{name}:5060"), 200)
    before = prometheus.scrape()
    dns.lives = False
    dns.rules = {"*": "drop"}
    began = time.monotonic()
    number = 0
    while state() != (2, 1) or number < 6:
        s.check("a name in use, all the time", caller.call("sip:u@known.test:5060"), 200)
        s.check("one that lives on", caller.call("sip:u@other.test:5060"), 200)
        caller.call(f"sip:u@n{number}.test:5060", seconds=20)
        # Again, while the failure is remembered.
        caller.call(f"sip:u@n{number}.test:5060", seconds=20)
        number += 1
        if time.monotonic() > began + 120:
            return s.fail(f"no outage is seen: {state()}")
    during = prometheus.scrape()
    told = server.rpc("dns.servers")
    s.check("dns.servers", {row["address"]: row["state"] for row in told}, {f"{a}:53": "down" for a in SERVERS})
    pin = server.rpc("dns.pins")[0]
    s.check("dns.pins", (pin["state"], pin["failure"]), ("failed", "A: no answer that can be used"))
    dns.rules = {}
    dns.lives = True
    wait_for("the end of it", lambda: state() == (0, 0))
    s.check("after: a new name", caller.call("sip:u@other.test:5060"), 200)
    after = prometheus.scrape()
    judge(s, before, during, after)
    wait_for("the last lines", lambda: server.log().count("answers again") == 2 and "no expired records" in server.log(), 60)
    unknown = []
    came_in = TAKEN_OVER if s.build.preload else LINKED
    said = [("NOTICE", rf"DNS by kamailio-dns [0-9.]+: {came_in}", 1, 1), *SAID]
    counts = [0] * len(said)
    for level, text in lines(server):
        places = [place for place, (of, pattern, _, _) in enumerate(said) if of == level and re.fullmatch(pattern, text)]
        if places:
            counts[places[0]] += 1
        else:
            unknown.append((level, text))
    s.check("lines beside these", unknown, [])
    for count, (level, pattern, least, most) in zip(counts, said, strict=True):
        s.check_that(f"{count} times {level} {pattern}", least <= count <= most)


def crowded(s):
    """A full cache, shed calls, a server that EDNS does not suit: each said once, whatever the number of processes."""
    dns = s.dns((*ZONE,))
    server = s.kamailio(("dns_try_ipv6=no", "dns_cache_mem=100", "dns_cache_del_nonexp=no", "DNS.resolve_deadline = 4000"),
                        ipv6=False, debug=1, children=8)
    s.callees({UDP10: 200})
    dns.wildcard("full", "A", "127.0.0.10")
    caller = s.caller()
    for number in range(1500):
        for _ in range(2):
            server.rpc("dns.lookup", "A", f"full{number}.test")
    stats = server.rpc("dns.stats")
    s.check_that(f"some are not kept {stats}", stats["not_cached"] > 100)
    said = [text for _, text in lines(server) if "DNS cache is full" in text]
    s.check("once: it is full", len(said), 1)
    s.check_that("and what to set", re.search(r"it has 100 KiB, dns_cache_mem sets them", said[0]) if said else False)
    dns.rules = {(f"silent{number}.test", "A"): "drop" for number in range(8)}
    for number in range(8):
        caller.start(f"sip:u@silent{number}.test:5060")
    wait_for("calls that give up", lambda: server.rpc("dns.stats")["given_up"] >= 2)
    said = [text for _, text in lines(server) if "wait for DNS" in text]
    s.check("once: too many wait", len(said), 1)
    s.check_that("which, and of what",
                 said and re.match(r"too many of the 8 processes '.+' wait for DNS \(dns_max_waiting=50\).*silent\d\.test", said[0]))


def without_edns(s):
    dns = s.dns(ZONE)
    dns.rules = {"*": "no-edns answer"}
    server = s.kamailio(("dns_try_ipv6=no",), ipv6=False, debug=1, children=4)
    s.callees({UDP10: 200})
    caller = s.caller()
    for name in ("known.test", "other.test", "pinned.test"):
        s.check(f"a call to {name}", caller.call(f"sip:u@{name}:5060"), 200)
    wait_for("the line", lambda: "without EDNS" in server.log())
    s.check("once: without EDNS", server.log().count("nameserver 127.0.0.1:53 is asked without EDNS for now"), 1)


def said_once(s):
    """Sixteen processes meet the same failure in the same moment."""
    s.dns(ZONE).rules = {"*": "servfail"}
    server = s.kamailio(("dns_try_ipv6=no", "DNS.failure_ttl = 0", "DNS.stale_ttl = 0"), ipv6=False, debug=1, children=16)
    caller = s.caller()
    for number in range(64):
        caller.start(f"sip:u@f{number}.test:5060")
    wait_for("the failures", lambda: server.rpc("dns.stats")["unanswered"] >= 60)
    said = [text for _, text in lines(server) if text.startswith("DNS lookup failed")]
    s.check("lines of all failures of 16 processes", len(said), 1)
    s.check_that("and what it was", said and "the nameserver failed (SERVFAIL)" in said[0])


# --- octets of strangers

# Every octet, as a zone file has it, in texts of 64.
TEXTS = ["".join(f"\\{octet:03d}" for octet in range(start, start + 64)) for start in range(0, 256, 64)]


def _strict(s, server, method, *params):
    """A reply over JSON: the raw octets are visible ASCII, and a strict parser reads them."""
    reply = server.raw_rpc(method, *params)
    text = reply.decode("ascii")
    s.check_that(f"{method} {params}: no octet below a blank but line ends", all(" " <= c <= "~" or c in "\n\t" for c in text))
    parsed = json.loads(text)
    for value in _texts(parsed):
        s.check_that(f"{method}: {value!r}", all(" " <= c <= "~" for c in value))
    return parsed


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str):
        yield value


def octets(s):
    records = []
    for number, text in enumerate(TEXTS):
        records += [f'o{number} NAPTR 1 1 "u" "E2U+sip" "{text}" .', f'o{number} TXT "{text}"']
    records += ["odd SRV 1 1 5060 a\\010b\\255\\034\\092c.odd", "_sip._udp.odd SRV 1 1 5060 a\\010b\\255\\034\\092c.odd",
                "alias CNAME x\\027\\091\\050\\074.odd", "known A 127.0.0.10"]
    s.nsd(records)
    server = s.kamailio(("dns_try_ipv6=no", "dns_try_naptr=yes"), ipv6=False, debug=2)
    s.callees({UDP10: 200})
    server.rpc("dns.trace", "*", 60)
    for number in range(len(TEXTS)):
        for rtype in ("NAPTR", "TXT"):
            _strict(s, server, "dns.lookup", rtype, f"o{number}.test")
    caller = s.caller()
    for uri in ("sip:u@odd.test;transport=udp", "sip:u@alias.test:5060", "sip:u@a%0ab\u00e4.test:5060"):
        caller.call(uri, seconds=10)
        _strict(s, server, "dns.explain", uri)
    told = _strict(s, server, "dns.view")["result"]
    s.check_that("it is there", any("\\x0a" in text for text in _texts(told)) and any('"' in t for t in _texts(told)))
    for method in ("dns.debug", "dns.debug_all", "dns.stats", "dns.servers", "dns.config", "dns.pins"):
        _strict(s, server, method)
    _strict(s, server, "dns.view", "*\n\u00e4\"\\")
    _strict(s, server, "dns.pin", "sip:\n\u00e4\"\\@o1.test")
    _strict(s, server, "dns.pins")
    s.check_that("kamcmd", all(" " <= c <= "~" or c in "\n\t" for c in server.kamcmd("dns.view")))
    odd = [line for _, line in lines(server) if not all(" " <= c <= "~" for c in line)]
    s.check("lines with other octets", odd, [])
    s.check_that("names were followed", any("DNS trace: o0.test" in line for _, line in lines(server)))


def arguments(s):
    """Commands without what they want, or with too much: an error over JSON, and the server goes on."""
    s.dns(ZONE)
    server = s.kamailio(("dns_try_ipv6=no",), ipv6=False)
    s.callees({UDP10: 200})
    for method in ("dns.explain", "dns.delete", "dns.delete_below", "dns.pin", "dns.unpin", "dns.trace", "dns.save", "dns.load",
                   "dns.snapshot"):
        reply = json.loads(server.raw_rpc(method).decode())
        s.check(f"{method} without argument", sorted(reply), ["error", "id", "jsonrpc"])
        s.check_that(f"{method}: a code and a text", reply["error"]["code"] >= 400 and reply["error"]["message"])
    for method in ("dns.explain", "dns.pin", "dns.unpin", "dns.trace", "dns.delete", "dns.delete_below", "dns.view", "dns.snapshot"):
        for argument in ("", "%n%s%999d", "x" * 30000, "sip:" + "x" * 30000, "a\u0000b", 7, -1, [], {}, None, 1.5):
            server.raw_rpc(method, argument)
    for seconds in (-1, 3601, "x", 1 << 40):
        server.raw_rpc("dns.trace", "a.test", seconds)
    server.raw_rpc("dns.trace", "x", 0)
    s.check("it goes on", s.caller().call("sip:u@known.test:5060"), 200)
    before = server.rpc("dns.stats")
    told = server.rpc("dns.explain", "sip:other.test:5060")
    s.check_that("it asked", any("from the network" in line for line in told["tree"]))
    after = server.rpc("dns.stats")
    for name in ("hits", "misses", "negative_hits", "queries_udp", "queries_tcp", "unanswered", "coalesced"):
        s.check(f"{name} after an explanation", after[name], before[name])


# --- pins

DISPATCHER = """1 sip:127.0.0.10:5060 0 0
1 sip:known.test:5060;transport=udp 0 0 weight=50
2 sip:other.test:5060 8 5
"""


def pin_file(s):
    s.dns(ZONE)
    path = os.path.join(s.run_folder, "pins")
    targets = os.path.join(s.run_folder, "dispatcher.list")
    with open(targets, "w") as file:
        file.write(DISPATCHER)
    with open(path, "w") as file:
        file.write("# by hand\nsip:pinned.test:5060   # the trunk\nsip:host:0\n")
    server = s.kamailio(("dns_try_ipv6=no", f'DNS.pin_file = "{path}"'), ipv6=False,
                        params=('loadmodule "dispatcher.so"', f'modparam("dispatcher", "list_file", "{targets}")'))
    s.callees({UDP10: 200})

    def pins():
        return {pin["name"]: (pin["by"], pin["state"]) for pin in server.rpc("dns.pins") or []}

    wait_for("the name of the file", lambda: pins() == {"sip:pinned.test:5060": ("file", "fresh")})
    s.check("the bad line", server.log().count(f"{path}: line 3: no name or SIP URI"), 1)
    command = ["sh", os.path.join(ROOT, "examples/pins/dispatcher.sh"), path, server.build.kamcmd, "-s",
               f"unix:{server.folder}/ctl"]
    done = subprocess.run(command, capture_output=True, text=True, env=server.plain_environment(), timeout=30)
    s.check(f"dispatcher.sh {done.stderr}", done.returncode, 0)
    wanted = {"sip:known.test:5060;transport=udp", "sip:other.test:5060", "sip:127.0.0.10:5060"}
    wait_for("dispatcher's destinations", lambda: pins() == {name: ("file", "fresh") for name in wanted})
    before = server.rpc("dns.stats")["misses"]
    s.check("a call", s.caller().call("sip:u@other.test:5060"), 200)
    s.check("waits for nothing", server.rpc("dns.stats")["misses"], before)
    # Where dispatcher does not answer the file stays.
    done = subprocess.run([*command[:-1], f"unix:{server.folder}/nobody"], capture_output=True, text=True,
                          env=server.plain_environment(), timeout=30)
    s.check_that("it says so", done.returncode != 0 and "stays as it is" in done.stderr)
    s.check("its names stay", set(pins()), wanted)
    server.rpc("cfg.sets", "dns", "pin_file", "")
    wait_for("no file", lambda: not pins())
    try:
        server.rpc("cfg.sets", "dns", "pin_file", "/dev/zero")
        s.fail("a device is taken for a file")
    except RpcFault as fault:
        s.check_that("a device is none", fault)


# --- snapshots

def _sum(content):
    value = 0xCBF29CE484222325
    for octet in content:
        value = (value ^ octet) * 0x100000001B3 & (1 << 64) - 1
    return struct.pack(">Q", value)


def _snapshot(s, core=(), folder=None):
    """A server with a snapshot of two names, saved; (server, path, its content)."""
    path = os.path.join(folder or s.run_folder, "snapshot")
    os.chmod(folder or s.run_folder, 0o700)
    s.dns(ZONE)
    server = s.kamailio(("dns_try_ipv6=no", f'DNS.snapshot = "{path}"', *core), ipv6=False)
    s.callees({UDP10: 200})
    caller = s.caller()
    for name in ("known.test", "other.test"):
        s.check(f"a call to {name}", caller.call(f"sip:u@{name}:5060"), 200)
    s.check("saved", server.rpc("dns.save")["record_sets"], 2)
    with open(path, "rb") as file:
        return server, path, file.read()


def damaged(s):
    server, path, whole = _snapshot(s)
    shown = server.rpc("dns.snapshot")
    s.check("dns.snapshot", (shown[0]["record_sets"], shown[0]["octets"]), (2, len(whole)))
    s.check("its names", sorted(entry["name"] for entry in shown[1:]), ["known.test", "other.test"])
    s.check_that("as text", "127.0.0.10" in server.kamcmd("dns.snapshot", "known.*"))
    entries = server.rpc("dns.stats")["entries"]

    def refusal(content, method="dns.load"):
        with open(path, "wb") as file:
            file.write(content)
        try:
            return f"loaded {server.rpc(method)}"
        except RpcFault as fault:
            return str(fault)

    def version(number):
        body = whole[:8] + struct.pack(">I", number) + whole[12:-8]
        return body + _sum(body)

    def written_at(seconds):
        body = whole[:12] + struct.pack(">Q", seconds) + whole[20:-8]
        return body + _sum(body)

    cut = [refusal(whole[:length]) for length in range(len(whole))]
    s.check("cut off, loaded", [text for text in cut if text.startswith("loaded")], [])
    changed = [refusal(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1:]) for place in range(len(whole))]
    s.check("changed, loaded", [text for text in changed if text.startswith("loaded")], [])
    for number in (0, 2, 1 << 31):
        s.check_that("of another version", "another version" in refusal(version(number)))
    s.check_that("of the future", "future" in refusal(written_at(int(time.time()) + 3600)))
    s.check_that("as text, damaged", "400" in refusal(whole[:-1], "dns.snapshot"))
    s.check("nothing came of it", server.rpc("dns.stats")["entries"], entries)
    # A start with each kind costs one line, and the server works.
    caller = None
    for content, reason in ((whole[:50], "it is not whole"), (version(2), "it is of another version"),
                            (b"#!/bin/sh\n" * 9, "it is no snapshot"), (written_at(1 << 40), "it comes from the future")):
        s.end_kamailio(server)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o600)
        seen = len(server.log())
        server = s.kamailio(("dns_try_ipv6=no", f'DNS.snapshot = "{path}"'), ipv6=False)
        said = [line for line in server.log()[seen:].splitlines() if "snapshot" in line and "kamailio-dns" in line]
        s.check(f"lines of the start, {reason}", len(said), 1)
        s.check_that(f"{said}", said and f"is not used: {reason}" in said[0])
        caller = caller or sip.Caller("127.0.0.1:5081")
        s.check("a call", caller.call("sip:u@other.test:5060"), 200)
    s.end_kamailio(server)
    os.chmod(path, 0o666)
    seen = len(server.log())
    server = s.kamailio((f'DNS.snapshot = "{path}"',), ipv6=False)
    s.check_that("others may write it", "is not used: others may write it" in server.log()[seen:])
    try:
        server.rpc("cfg.sets", "dns", "snapshot", "/tmp/elsewhere")
        server.rpc("dns.save")
    except RpcFault:
        pass
    s.check("no command names a file", os.path.exists("/tmp/elsewhere"), False)


def full_disk(s):
    folder = os.path.join(s.run_folder, "disk")
    os.mkdir(folder)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,mode=700", "none", folder], check=True)
    s.endings.append(lambda: (subprocess.run(["umount", "-l", folder], check=True), os.rmdir(folder)))
    server, path, whole = _snapshot(s, folder=folder)
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 512)
        except OSError:
            pass
    try:
        server.rpc("dns.save")
        s.fail("saved on a full disk")
    except RpcFault as fault:
        s.check_that(f"the reason: {fault}", "No space left" in str(fault))
    with open(path, "rb") as file:
        s.check("the old file is as it was", file.read(), whole, flippable=False)
    s.check("nothing is left beside it", sorted(os.listdir(folder)), ["filler", "snapshot"])
    s.end_kamailio(server)
    s.check("at the end: one line", server.log().count(f"no DNS snapshot to {path}: No space left"), 1)
    with open(path, "rb") as file:
        s.check("and the old file", file.read(), whole, flippable=False)
    os.unlink(os.path.join(folder, "filler"))
    server = s.kamailio((f'DNS.snapshot = "{path}"',), ipv6=False)
    s.check_that("it is loaded", "2 record sets as expired" in server.log())


def scenarios():
    return [
        ("operate: an outage from begin to end in the log and in the statistics", outage, NEW),
        ("operate: a full cache and shed calls are said once", crowded, NEW),
        ("operate: a server that EDNS does not suit is said once", without_edns, NEW),
        ("operate: what many processes meet is said once", said_once, NEW),
        ("operate: octets of strangers in what is shown", octets, NEW),
        ("operate: commands without arguments, and with odd ones", arguments, NEW),
        ("operate: pins from a file, and from dispatcher", pin_file, NEW),
        ("operate: snapshots that are damaged, foreign or others'", damaged, NEW),
        ("operate: a full disk leaves the old snapshot", full_disk, NEW),
    ]
