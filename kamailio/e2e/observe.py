"""What the library says about itself, over Kamailio's RPC: it agrees with what was seen from outside."""

UDP10, UDP11 = "udp:127.0.0.10:5060", "udp:127.0.0.11:5060"
NEW_COMMANDS = "no such commands in the C original"
ZONE = (
    "_sip._udp.h.test SRV 1 0 5060 a.h.test",
    "_sip._udp.h.test SRV 2 0 5060 b.h.test",
    "a.h.test A 127.0.0.10",
    "b.h.test A 127.0.0.11",
    "other.test A 127.0.0.10",
)


def _number(text):
    """The last number of kamcmd's output, which shows counters as "name = value" or alone."""
    return int(float(text.split()[-1]))


def counters(s):
    dns = s.dns(ZONE)
    server = s.kamailio(("dns_try_ipv6=no",), ipv6=False)
    s.callees({UDP10: 200, UDP11: 200})
    before = server.rpc("dns.stats")
    caller = s.caller()
    for _ in range(5):
        s.check("the call is answered", caller.call("sip:u@h.test"), 200)
    s.check("a name that does not exist", caller.call("sip:u@none.test:5060"), 478)
    stats = server.rpc("dns.stats")
    s.check("queries as the name server counted them", stats["queries_udp"] - before["queries_udp"], len(dns.asked))
    s.check("no query over TCP", stats["queries_tcp"], before["queries_tcp"])
    s.check_that("later calls were hits", stats["hits"] - before["hits"] >= 8)
    s.check("as many timeouts as silent servers", stats["timeouts"], 0)
    types = {row["type"]: row for row in stats["types"]}
    s.check("live SRV entries", types["SRV"]["live"], 1)
    s.check_that("an absence of an address", types["A"]["negative"] >= 1)
    s.check_that("memory in use within its limit", 0 < stats["memory_used"] <= stats["memory_limit"])
    s.check("query times add up", sum(row["queries"] for row in stats["query_times"]), len(dns.asked))
    s.check("the same in the counter framework", _number(server.kamcmd("cnt.get", "dns", "misses")), stats["misses"])
    statistics = server.rpc("stats.get_statistics", "dns:") or []
    s.check_that("and among the statistics", any(line.startswith("dns:hits ") for line in statistics))
    s.check_that("kamcmd shows them", "queries_udp: " in server.kamcmd("dns.stats"))


def servers(s):
    dns = s.dns(ZONE, addresses=("127.0.0.1", "127.0.0.3"))
    dns.rules[("127.0.0.3", "*")] = "drop"
    with open(s.resolv_conf, "w") as file:
        file.write("nameserver 127.0.0.3\nnameserver 127.0.0.1\noptions timeout:1 attempts:2\n")
    server = s.kamailio(("dns_try_ipv6=no",), ipv6=False)
    s.callees({UDP10: 200})
    s.check("the call is answered", s.caller().call("sip:u@other.test:5060"), 200)
    rows = {row["address"]: row for row in server.rpc("dns.servers")}
    s.check("both servers", sorted(rows), ["127.0.0.1:53", "127.0.0.3:53"])
    s.check("the silent one is down", rows["127.0.0.3:53"]["state"], "down")
    s.check("the other one is up", rows["127.0.0.1:53"]["state"], "up")
    for address in ("127.0.0.1", "127.0.0.3"):
        asked = sum(where == address for where, *_ in list(dns.asked))
        row = rows[f"{address}:53"]
        s.check(f"packets to {address}", row["queries"] + row["resends"], asked)
    s.check("its answers", rows["127.0.0.1:53"]["answers"], 1)
    s.check_that("kamcmd shows them", "state: down" in server.kamcmd("dns.servers"))


def explained(s):
    s.dns(ZONE)
    server = s.kamailio(("dns_try_ipv6=no", "use_dns_failover=on"), ipv6=False)
    s.callees({UDP10: 503, UDP11: 200})
    mark = s.observer.mark()
    s.check("failover to the second target", s.caller().call("sip:u@h.test;transport=udp"), 200)
    told = server.rpc("dns.explain", "sip:u@h.test;transport=udp")
    places = ["udp:" + line.split()[-1] for line in told["targets"]]
    s.check("the targets are where the call went", places, s.arrivals("MESSAGE", mark))
    tree = "\n".join(told["tree"])
    s.check_that("the first SRV record", "1. priority 1 weight 0 -> a.h.test:5060" in tree)
    s.check_that("all from the cache", "before: cached" in tree and "from the network" not in tree)
    s.check_that("kamcmd shows it", "1. udp 127.0.0.10:5060" in server.kamcmd("dns.explain", "sip:h.test;transport=udp"))
    s.check_that("its help", "Where a request" in str(server.rpc("system.methodHelp", "dns.explain")))


def filtered(s):
    s.dns(ZONE)
    server = s.kamailio(("dns_try_ipv6=no",), ipv6=False)
    s.callees({UDP10: 200})
    caller = s.caller()
    for uri in ("sip:u@h.test;transport=udp", "sip:u@other.test:5060"):
        s.check(f"a call to {uri}", caller.call(uri), 200)

    def names(*pattern):
        return {entry["name"] for entry in server.rpc("dns.view", *pattern) or []}

    s.check_that("without a filter all", {"a.h.test", "other.test", "_sip._udp.h.test"} <= names())
    s.check("one name", names("OTHER.test"), {"other.test"})
    s.check_that("a pattern", "_sip._udp.h.test" in names("*.h.test") and "other.test" not in names("*.h.test"))
    s.check("nothing fits", names("nothing*"), set())


def scenarios():
    return [
        ("observe: counters agree with the name server", counters, NEW_COMMANDS),
        ("observe: state of the name servers", servers, NEW_COMMANDS),
        ("observe: an explanation tells where calls go", explained, NEW_COMMANDS),
        ("observe: entries by name", filtered, NEW_COMMANDS),
    ]
