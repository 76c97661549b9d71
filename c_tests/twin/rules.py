"""What differs from the original, and why. See ruling.py for how a rule reads."""

import re

from ruling import Rule, differs_from, same_as

NAMED_ALONE = "COMPAT: by NAPTR records that name TLS alone"
LOWEST_ORDER = "COMPAT: With `dns_naptr_ignore_rfc=no` records of a higher order are not considered"

R563, R601 = ("5.6.3",), ("6.0.1",)

UDP4, TCP4, TLS4, SCTP4 = (f"10.0.7{i}.1:507{i}/{p}" for i, p in ((0, 1), (1, 2), (2, 3), (3, 4)))
UDP6, TCP6, TLS6, SCTP6 = (f"[fd00::7{i}:1]:507{i}/{p}" for i, p in ((0, 1), (1, 2), (2, 3), (3, 4)))


def by_family(v4, v6):
    """The targets of one transport by the family flags at the end of the row, -1 after the last."""
    def ours(match, _):
        order = {"0": (v4, v6), "1": (v4,), "2": (v6,), "4": (v6, v4)}[match["families"]]
        return " ".join([*order, "-1"])
    return ours


# --- dns_sip_resolve() without NAPTR

# The addresses of the domain itself get the port of an SRV record that leads nowhere.
Rule("B19", r"^sip s_dead(tcp)?-a_four \[\] sip @ 0 [01] [014]$", "10.1.0.1:5060/1 10.1.0.2:5060/1 -1",
     when=lambda m, row: not (m[1] and " 0 0 " in row.title))
# The other transports' SRV records are not asked for.
Rule("B19", r"^sip s_deadtcp-a_\w+ \[\] sip @ 0 0 (?P<families>\d)$", by_family(TCP4, TCP6))
# Target ".": the service is not there, and the addresses are no substitute.
Rule("B18", r"^sip s_root-a_\w+ \[\] sip @ 0 [01] \d$", "-5")
Rule("B18", r"^sip s_roottcp-a_\w+ \[\] sip @ 0 1 \d$", "-5")
Rule("B18", r"^sip s_roottcp-a_\w+ \[\] sip @ 0 0 (?P<families>\d)$", by_family(TCP4, TCP6))
# No variable for the transport.
Rule("B50", r"^sip .* sip @ 0 - 0$", lambda m, row: row.original.replace(":0", ":5060"), original=r":0\b")
# WebSocket without port.
Rule("B51", r"^sip .* sip @ 0 ([56]) \d$",
     lambda m, row: re.sub(r":5080/\d", {"5": ":80/5", "6": ":443/6"}[m[1]],
                           row.other(row.title.replace("sip @ 0 ", "sip @ 5080 "))),
     original="^-13$")

# --- dns_sip_resolve() with NAPTR

# NAPTR is asked for although the URI has a port or a transport.
Rule("B13", r"^sip .* sip @ (5080 \d|0 [1-9]) 16$", same_as(r"16$", "0"), when=differs_from(r"16$", "0"))
# NAPTR records of which none can be used: the way without NAPTR, once.
Rule("B03", r"^sip n_(odd|dead|sctp)-(s_tcp-)?a_four .* sip @ 0 0 (16|17|20)$",
     lambda m, row: row.other(re.sub(r"(16|17|20)$", lambda f: str(int(f[0]) - 16), row.title)),
     original="and no end$")
Rule("B03", r"^sip n_deadtwo-a_four .* sip @ 0 0 (?:16|17|20)$",
     lambda m, row: {"16": f"{UDP4} {UDP6} -1", "17": f"{UDP4} -1", "20": f"{UDP6} {UDP4} -1"}[row.title[-2:]],
     original="and no end$")

# When the last NAPTR candidate is used up, the search is over; it does not start again without NAPTR.
Rule("COMPAT: every candidate is visited once (b03)", r"^sip n_.* sip @ 0 0 18$",
     lambda m, row: re.sub(r"-7$", "-1", row.original), original=r"\d -7$")
# One failed call marks the records for all others.
Rule("B10", r"^pref n_all-a_none .* #3 .*16$", f"{TLS4} {TLS6} -1")
Rule("B10", r"^pref n_all-a_none .* #5 .*16$", f"{TCP4} {TCP6} -1")
# TLS is disabled, and the NAPTR records name nothing else.
Rule(NAMED_ALONE, r"^sip n_tls-a_four \[\] sip @ 0 0 (16|17|18|20)$", "-5")
# Each of the four NAPTR records has an order of its own: the first target, and no other transport after it.
Rule(LOWEST_ORDER, r"^pref n_all-a_none .*dns_naptr_ignore_rfc=0\] sip @ 0 0 16$",
     lambda m, row: " ".join([*row.original.split()[:2], "-1"]), where_different=True)

# --- hostents

Rule("B51", r"^he .* he @ 0 5$", lambda m, row: re.sub(r":\d+ /5$", ":80 /5", row.other(
    row.title.replace("he @ 0 ", "he @ 5080 "))), when=differs_from("he @ 0 ", "he @ 5080 "))
Rule("B18", r"^he s_root-a_four .* he @ 0 [01]$", "NULL")
Rule(NAMED_ALONE, r"^he n_tls-a_four .*dns_try_naptr=1.* he @ 0 0$", "NULL")
# An explicit port is replaced.
Rule("B12", r"^he .*dns_try_naptr=1.* he @ 5080 ([013])$",
     lambda m, row: "NULL" if "a_none" in row.title else f"@ 10.1.0.1 10.1.0.2 :5080 /{m[1] if m[1] != '0' else 1}",
     when=lambda m, row: ":5080 " not in row.original and row.original != "NULL")
Rule("B12", r"^su .*dns_try_naptr=1.* su @ 5080 ([01])$",
     lambda m, row: "-1" if "a_none" in row.title else "0 10.1.0.1:5080/1",
     when=lambda m, row: ":5080/" not in row.original and row.original != "-1")

# --- the list of transports


def usable(title):
    """Transports in the order in which they are asked for, from the options in a title."""
    option = {name: int(value) for name, value in re.findall(r"(\w+)=(-?\d+)", title)}
    switch = {1: "", 2: "tcp_disable", 3: "tls_disable", 4: "sctp_disable"}
    preference = {1: "dns_udp_pref", 2: "dns_tcp_pref", 3: "dns_tls_pref", 4: "dns_sctp_pref"}
    found = [p for p in (1, 2, 3, 4) if not option.get(switch[p], 0) and option[preference[p]] >= 0]
    return sorted(found, key=lambda p: -option[preference[p]])


def list_has_gap(_, row):
    """5.6.3 leaves holes in the list where a transport before the last one is not usable."""
    found = usable(row.title)
    return bool(found) and sorted(found) != list(range(1, len(found) + 1))


def list_text(_, row):
    found = usable(row.title)
    return " ".join([f"{len(found)}:", *map(str, found)])


def first_srv(_, row):
    found = usable(row.title)
    if not found:
        return "10.1.0.1:5060/1 10.1.0.2:5060/1 -1"
    return {1: f"{UDP4} {UDP6} -1", 2: f"{TCP4} {TCP6} -1", 3: f"{TLS4} {TLS6} -1",
            4: f"{SCTP4} {SCTP6} -1"}[found[0]]


def all_equal(_, row):
    """6.0.1 puts the first of the usable transports last where all have the same preference above 0; what 5.6.3 does
    depends on memory that it has not written."""
    values = set(re.findall(r"_pref=(-?\d+)", row.title))
    return len(values) == 1 and values != {"0"} and len(usable(row.title)) > 1


def none_usable(_, row):
    return not usable(row.title)


Rule("B28", r"^pref s_all.* protocols 0$", list_text, when=list_has_gap, versions=R563, loose=True)
Rule("B28", r"^pref s_all.* sip @ 0 0 0$", first_srv, when=list_has_gap, versions=R563, loose=True)
Rule("B28", r"^pref s_all.* protocols 0$", list_text, when=all_equal, versions=R601)
Rule("B28", r"^pref s_all.* sip @ 0 0 0$", first_srv, when=all_equal, versions=R601)
Rule("B28", r"^pref s_all.* protocols 0$", list_text, when=all_equal, versions=R563, loose=True)
Rule("B28", r"^pref s_all.* sip @ 0 0 0$", first_srv, when=all_equal, versions=R563, loose=True)
Rule("B28", r"^pref n_all.* #6 .* protocols 0$", "3: 1 2 4", versions=R563)
Rule("B28", r"^pref s_all.* protocols 0$", "0:", when=none_usable, original="endless loop|crash")
Rule("B28", r"^pref s_all.* protocols 3$", "1: 3", when=none_usable, original="not reached")
Rule("B28", r"^pref s_all.* sip @ 0 0 0$", first_srv, when=none_usable, original="not reached")
Rule("B28", r"^pref n_all-a_none \[dns_udp.* sip @ 0 0 16$", "-7", when=none_usable, original="endless loop|crash")

# --- replies that fail or make no sense

V4, V6 = "10.1.0.1", "fd01::1"
FEW = " ".join(f"10.2.0.{i}" for i in range(1, 11))


def answered(ip, host, sip):
    """Ours gives an address, whatever the command."""
    return lambda match, _: {"ip": f"0 {ip}", "host": f"@ {host}", "sip": sip}[match["what"]]


# Failures are forgotten after a second, and not taken for absence.
Rule("B09", r"^broken a_(servfail|refused|cut) \[\] #7 .* asked @$", "address", original="^nothing$")
Rule("B09", r"^broken a_cut \[\] #8 .* counters$", "failed 2 slow 0")
# One odd record does not cost the others, and there may be more than a hundred.
Rule("B24", r"^broken a_(badadd|badrec|txt0) \[\] #\d (\(.*\) )?(?P<what>ip|host|sip) ",
     answered(V4, V4, f"{V4}:5080/1 [{V6}]:5080/1 -1"))
Rule("B24", r"^broken a_toomany \[\] #\d (\(.*\) )?(?P<what>ip|host|sip) ",
     answered("10.2.0.1", FEW, " ".join([*(f"10.2.0.{i}:5080/1" for i in range(1, 7)), "... and no end"])))
Rule("B24", r"^broken [asn]_(badadd|badrec|txt0|toomany|cut)\S* .* counters$", "failed 0 slow 0",
     original="failed [1-9]", when=lambda m, row: "a_cut" not in row.title)
Rule("B24", r"^broken s_(cut|badadd|badrec)-a_four \[\] (#1 )?(?P<what>sip|he|srv-ip) ",
     lambda m, _: {"sip": f"{UDP4} {UDP6} -1", "he": "u.@ 10.0.70.1 :5070 /1", "srv-ip": "0 10.0.70.1:5070"}[m["what"]])
Rule("B24", r"^record a_(badrec|badadd|txt0) .* record @ 1 \d$", "@ 300 A 10.1.0.1", original="^NULL$")
Rule("B24", r"^record a_toomany .* record @ 1 \d$",
     "; ".join(f"@ 300 A 10.2.{i // 100}.{i % 100}" for i in range(1, 121)))
Rule("B24", r"^record a_(badrec|badadd|txt0|toomany) .* counters$", "failed 0 slow 0", original="failed 1")
# Records of other names and classes do not count.
Rule("B25", r"^broken a_wrongclass \[\] #\d (\(.*\) )?(?P<what>ip|host|sip) ",
     lambda m, _: {"ip": "-7", "host": "NULL", "sip": "-7"}[m["what"]])
Rule("B25", r"^broken a_wrong(class|owner) .* counters$", "failed 2 slow 0")
# So there was none, which is a failure, and the question is asked again.
Rule("COMPAT: Records of another class are no answer.", r"^broken a_wrongclass \[\] #7 .* asked @$", "address")
Rule("B25", r"^record a_wrong\w+ \[\] #1 record", "NULL")
Rule("B25", r"^record a_wrong\w+ .* counters$", "failed 1 slow 0")
NOTHING = "COMPAT: An answer with neither data nor denial is a failure, not an absence."
Rule(NOTHING, r"^broken a_wrongowner \[\] #4 .* asked @$", "nothing")
Rule(NOTHING, r"^broken s_wrongowner-a_four .* counters$", "failed 1 slow 0", original="failed 0",
     when=lambda m, row: "(sip" not in row.title)
# A failed NAPTR query does not lead to less.
Rule("B38", r"^broken n_(servfail|refused|drop)-a_four \S+ #1 (?P<what>sip|he) ",
     lambda m, _: {"sip": "-12", "he": "NULL"}[m["what"]])
Rule("COMPAT: Timeout, SERVFAIL, REFUSED and unusable answers are failures",
     r"^broken s_tailfail-a_four \[\] #1 srv-ip", "-5", original="^-1$")
Rule("COMPAT: Timeout, SERVFAIL, REFUSED and unusable answers are failures",
     r"^broken s_tailfail-a_four \[\] #1 sip @", "10.1.0.1:5060/1 10.1.0.2:5060/1 -1", original=":5070/1")
# Additional data of somebody else's domain.
Rule("B06", r"^broken evil-a_none .* sip @ 0 0 0$", "10.6.0.1:5070/1 -1")
Rule("B06", r"^broken evil-a_none .* sip victim", "10.6.0.1:5060/1 -1")


def fewer(_, row):
    """Less than the original counts."""
    count = int(re.search(r"failed (\d+)", row.original)[1])
    return re.compile(f"failed ({'|'.join(map(str, range(count)))}) slow 0")


# One failed lookup is one failure, not one for each query; nothing was asked: no failure.
Rule("B48", r"^(broken|name|switch|raw) .* counters$", fewer, original="failed [1-9]", optional=True)
Rule("B48", r"^broken a_loop .* counters$", "failed 1 slow 0", original="failed 0")

# --- aliases

Rule("B57", r"^alias hop_11 \[\] #1 ip", "0 10.5.0.1")
Rule("B57", r"^alias hop_11 \[\] #1 host", "h11.~ 10.5.0.1")
Rule("B57", r"^alias hop_1[123] .* #4 .* asked @$", "nothing", original="address")
Rule("B57", r"^alias hop_1[23] .* #3 .* ip @ 1$", "-7")
Rule("COMPAT: An absence behind an alias is kept for the target", r"^alias a_lost .* dns\.view: @ (A|AAAA|NAPTR)$",
     "(none)", original="negative_entry=yes")
Rule("COMPAT: An absence behind an alias is kept for the target", r"^alias a_lost .* dns\.view: @ CNAME$",
     re.compile(r".*rr_name=nothing\.@.*"), original=r"^\(none\)$")
Rule("COMPAT: An absence behind an alias is kept for the target",
     r"^alias a_lost .* dns\.view: nothing\.@ (A|AAAA|NAPTR)$", re.compile(".*expires=60, .*negative_entry=yes"),
     original=r"^\(none\)$")

# --- names

Rule("B33", r"^name a_both \[\] (#1 )?(?P<what>ip|host|sip) @\.",
     lambda m, _: {"ip": f"0 {V4}", "host": "@ 10.1.0.1 10.1.0.2",
                   "sip": "10.1.0.1:5060/1 10.1.0.2:5060/1 [fd01::1]:5060/1 [fd01::2]:5060/1 -1"}[m["what"]])
Rule("B56", r"^name a_none \[\] sip (\S+) (5080 0|- -) ([12])$", "-11",
     when=lambda m, row: (":" in m[1]) == (m[3] == "1"))

# --- literals

STRICT = {text: None for text in "1.2.3. .1.2.3 1..2.3 ... 300.1.1.1 256.256.256.256 1.2.3.999999 1:2:3:4:5:6:7: "
          ":2:3:4:5:6:7:8 12345::".split()}
STRICT |= {"1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0", "::2:3:4:5:6:7:8": "0:2:3:4:5:6:7:8",
           "::ffff:1.2.3.4": "::ffff:1.2.3.4", "::1.2.3.4": "::1.2.3.4"}
for text, address in STRICT.items():
    Rule("B20", rf"^literal \S+ \[\] literal {re.escape(text)}$",
         f"v4 NULL v6 {address} any {address} buffer ok" if address else "v4 NULL v6 NULL any NULL buffer no")

# --- the reply of dns.view, an entry a row


def has_other_family(title, others):
    """The original has the addresses of the other family for that name."""
    sibling = title[:-5] + " A" if title.endswith(" AAAA") else title[:-2] + " AAAA"
    return others.get(sibling, "(none)") != "(none)"


Rule("COMPAT: The query for A takes the one for AAAA along", r"dns\.view: \S+ (A|AAAA)$",
     re.compile(r"size_bytes=N, reference_counter=1, permanent=no, expires=\d+, last_used=\d+, negative_entry="
                r"(yes|no, records=\[\{rr_idx=0, rr_ip=.*\])"), original=r"^\(none\)$",
     when=lambda m, row: has_other_family(row.title, row.others))


def renamed(_, row):
    """The replacement of NAPTR records under a name of its own."""
    text = re.sub(r"rr_regexp=([^,]*), rr_regexp=", r"rr_regexp=\1, rr_replacement=", row.original)
    text = text.replace(", rr_flags=", ", rr_skip_record=no, rr_flags=")
    # in the order of the cache, not of the packet
    head, records, tail = re.fullmatch(r"(.*records=\[\{)(.*)(\}\].*)", text).groups()
    records = sorted((re.sub(r"^rr_idx=\d+, ", "", record) for record in records.split("}, {")), key=naptr_order)
    text = head + "}, {".join(f"rr_idx={index}, {record}" for index, record in enumerate(records)) + tail
    # and without the references that the original has lost (B17)
    return re.sub(r"^(size_bytes=N, )reference_counter=\d+", r"\1reference_counter=1", text)


def naptr_order(record):
    """NAPTR records go by order and preference, then by what they say."""
    order, preference, flags, service, regexp, replacement = (
        re.search(rf"rr_{name}=([^,]*)", record)[1]
        for name in ("order", "preference", "flags", "service", "regexp", "replacement"))
    return int(order), int(preference), service, flags, regexp, replacement.lower()


Rule("B37", r" rpc dns\.(view: \S+ NAPTR|lookup ([tT]_)?(NAPTR|naptr) @)$", renamed, original="rr_regexp=.*rr_regexp=")

Rule("COMPAT: The least recently used of a sample goes first", r" rpc dns\.view: ",
     lambda m, row: re.compile(re.sub(r"last_used=\d+", r"last_used=\\d+", re.escape(row.original))),
     original="last_used=", optional=True)

# --- floods

Rule("B02", r"^broken floodaddr_300-a_none \[\] walk", "250 targets, then -1", original="^no end$")
Rule("B02", r"^broken flood_300-a_four \[\] sip", "10.1.0.1:5060/1 10.1.0.2:5060/1 -1", original="endless loop")
Rule("B02", r"^broken flood_300-a_four \[\] he", "@ 10.1.0.1 10.1.0.2 :5060 /1", original="endless loop")
Rule("B24", r"^broken floodaddr_\d+-a_none \[\] #1 ip", "0 10.7.0.1")
Rule("B24", r"^broken floodaddr_\d+-a_none \[\] #2 .* host", " ".join(["big.@", *(f"10.7.0.{i}" for i in range(1, 11))]))

# --- records of DNS and of the operator, dns_cache_rec_pref

# One entry for a name and type.
Rule("B55", r" rpc dns\.view: \S+ \w+ again$", "(none)")
Rule("B55", r"^recpref .*rec_pref=0\] #2 \(\S+ \S+ \S+ \d+ \S+ 1\) sip", "10.0.70.1:5070/1 -1", original="^-7$")
Rule("B55", r"^recpref .*rec_pref=0\] #3 \(\S+ \S+ \S+ \d+ \S+ 1; .* ip ", "0 10.0.70.1", original="^-7$")
Rule("B55", r"^recpref .*rec_pref=0\] #4 \(\S+ \S+ \S+ \d+ \S+ 1\) get-he", "u.@ 10.0.70.1", original="^NULL$")
Rule("B55", r"^recpref .*rec_pref=0\] #5 \(\S+ \S+ \S+ \d+ \S+ 1\) .* u\.@ A$",
     re.compile(r".*expires=300, .*rr_ip=10\.0\.70\.1.*"), original="negative_entry=yes")
Rule("B55", r"^recpref .*rec_pref=0\] #5 \(\S+ \S+ \S+ \d+ \S+ 1\) .* @ A$", "(none)", original="negative_entry=yes")
KEEPS = "COMPAT: None replaces live data, whatever `dns_cache_rec_pref` says."
Rule(KEEPS, r"^recpref .*rec_pref=[23]\] #2 .* sip", "10.9.9.9:5070/1 -1", original=r"^10\.0\.70\.1",
     when=lambda m, row: " 10.9.9.9 1)" not in row.title)
Rule(KEEPS, r"^recpref .*rec_pref=[23]\] #3 .* ip ", "0 10.9.9.9", original=r"10\.0\.70\.1", when=lambda m, row: " 10.9.9.9 1;" not in row.title)
Rule(KEEPS, r"^recpref .*rec_pref=[23]\] #4 .* get-he", "u.@ 10.9.9.9", original=r"10\.0\.70\.1", when=lambda m, row: " 10.9.9.9 1)" not in row.title)
Rule(KEEPS, r"^recpref .*rec_pref=[23]\] #5 .* u\.@ A$", re.compile(r".*rr_ip=10\.9\.9\.9.*"),
     original=r"10\.0\.70\.1", when=lambda m, row: " 10.9.9.9 1)" not in row.title)
FAMILIES = "COMPAT: Additional addresses are kept in the families that the caller's flags allow"
Rule(FAMILIES, r"^(recpref|mixed) .* rpc dns\.view: \S+ AAAA$", "(none)", original="negative_entry=no")

# --- TTLs

Rule("B22", r"^ttl a_four-ttl_0 .* dns\.view: @ A$", "(none)", original="expires=0, ")
Rule("B22", r"^ttl s_udp-a_none-ttl_0 .* he @ 0 1$", "u.@ 10.0.70.1 :5070 /1")
Rule("B22", r"^ttl s_udp-a_none-ttl_0 .* #5 .* asked @$", "SRV address", original="^SRV$")
Rule("B21", r"^ttl a_four-ttl_\d{9,} .* asked @$", "nothing", original="address",
     when=lambda m, row: not re.search(r"#2 |ttl_(2147483648|4294967295) ", row.title))
Rule("B21", r"^ttl a_four-ttl_(2147483648|4294967295) .* record", "@ 0 A 10.1.0.1; @ 0 A 10.1.0.2")
MINIMUM = "COMPAT: Where `dns_cache_min_ttl` is above `dns_cache_max_ttl` the minimum counts."
Rule(MINIMUM, r"^ttl a_four-ttl_300 \[dns_cache_min_ttl=100,dns_cache_max_ttl=50\] .* dns\.view: @ A$",
     lambda m, row: row.original.replace("expires=50", "expires=100"))
Rule(MINIMUM, r"^ttl a_four-ttl_300 \[dns_cache_min_ttl=100,dns_cache_max_ttl=50\] .* asked @$", "nothing",
     original="address", when=lambda m, row: "#9 " in row.title)
NEGATIVE = "COMPAT: NXDOMAIN and NODATA are kept for min(SOA TTL, SOA minimum, `dns_cache_negative_ttl`) (RFC 2308)."
Rule(NEGATIVE, r"^ttl \S+-soa_5 .* asked @$", re.compile("(SRV )?address"), original="^nothing$",
     when=lambda m, row: re.search("#(7|10) ", row.title) and "negative_ttl=0" not in row.title)
Rule(NEGATIVE, r"^ttl \S+-soa_5 .* dns\.view: ", lambda m, row: re.sub(r"expires=\d+", "expires=5", row.original),
     original="negative_entry=yes")
# A set has one TTL.
Rule("B23", r"^mixed mixed .* host @$", "@ 10.3.0.1 10.3.0.2 10.3.0.3", where_different=True)
Rule("B23", r"^mixed mixed .* dns\.view: @ A$", re.compile(
    r".*expires=(\d+), .*records=\[\{[^}]*rr_expires=\1\}, \{[^}]*rr_expires=\1\}, \{[^}]*rr_expires=\1\}\]"),
    original="rr_expires=")
Rule("B23", r"^mixed mixed .* #5 .* h-resolve", "10.3.0.2:5060/1", original="^10.3.0.3")
Rule("B23", r"^(mixed a_none|wrap a_four) .* get-he m\.~ 1$",
     lambda m, row: " ".join(dict.fromkeys(row.original.split())), original=r"(10\.3\.0\.\d) \1")
Rule("B23", r"^mixed mixedsrv .* dns\.view: _sip\._udp\.@ SRV$", re.compile(
    r"\(none\)|.*expires=5, .*rr_expires=5\}, .*rr_expires=5\}\]"), original="rr_expires=")

# --- modules' record lists, the search list

Rule("B05", r"^search .* record \S+ \d+ 1$", lambda m, row: row.original.split("; ", 1)[1], original=" CNAME .*; ")

# The handle: addresses are not given twice, and what is held goes on as a whole when its time is over.
Rule("B23", r"^mixed a_none \[\] \d+ s before step (2|3): #10 .* h-resolve", "-1", original=r"^10\.3\.0\.3",
     when=lambda m, row: " 22 s " in row.title)
Rule("COMPAT: A held entry whose time is over goes on with all its records", r"^mixed a_none \[\] 32 s before step \d: #8 .* h-resolve",
     "10.3.0.2:5060/1", original=r"^10\.3\.0\.3")
Rule("B14", r"^mixed n_two-a_four .* #4 .* h-resolve 0 far\.~", TCP4, original="^-1$")

Rule("COMPAT: The query for A takes the one for AAAA along", r"^search .* dns\.view: (short|ali|SHORT) AAAA$",
     re.compile(".*expires=60, .*negative_entry=yes"), original=r"^\(none\)$")
ABSOLUTE = "COMPAT: Targets of aliases, SRV and NAPTR records are absolute"
Rule(ABSOLUTE, r"^search \S+ \S+ sip short 0 0 16: #5 .* asked c0\.search$", "nothing", original="^SRV$")
Rule(ABSOLUTE, r"^search \S+ \S+ sip short 0 0 16: .* dns\.view: _sip\._udp\.short CNAME$", "(none)")
Rule("B33", r"^search .* dns\.view: short\. (A|AAAA)$", "(none)", original="negative_entry=yes")
Rule("COMPAT: Names in entries, records and RPC replies have no final dot", r"^search .* host short\.: .* dns\.view: short A$",
     re.compile(".*expires=60, .*negative_entry=yes"), original=r"^\(none\)$")
# What the search list found is no alias; it stands with the type that was looked for.
WALKED = "COMPAT: A walk's result is kept for the relative name"
Rule(WALKED, r"^search .* dns\.view: [^@ ]+ CNAME$", "(none)", original=r"rr_name=\S+\.@,")
Rule(WALKED, r"^search .* dns\.view: ([^@ ]+) (A\+AAAA|NAPTR|SRV again)$",
     lambda m, row: re.compile(rf".*negative_entry=no, relative_name=found as {m[1]}\.@, records=\[{{rr_idx=0, rr_name={m[1]}\.@, .*"),
     original=r"^\(none\)$", when=lambda m, row: "host nothing" not in row.title)
Rule("COMPAT: A walk without result is one absence of the relative name", r"^search .* dns\.view: nothing A\+AAAA$",
     re.compile(".*negative_entry=yes, relative_name=not found"), original=r"^\(none\)$")

# --- what is asked for, and what the cache has then (family asked)

Rule("B19", r"^asked s_dead-.* sip @ 0 0 16$", "10.1.0.1:5060/1 10.1.0.2:5060/1 -1")
Rule("B19", r"^asked s_deadtcp-.* sip @ 0 0 16$", f"{TCP4} {TCP6} -1")
Rule("B18", r"^asked s_root-.* sip @ 0 0 16$", "-5")
Rule("B18", r"^asked s_roottcp-.* sip @ 0 0 16$", f"{TCP4} {TCP6} -1")
Rule("B03", r"^asked n_(dead|odd)-.* sip @ 0 0 16$", "10.1.0.1:5060/1 10.1.0.2:5060/1 -1")
Rule("B03", r"^asked n_deadtwo-.* sip @ 0 0 16$", f"{UDP4} {UDP6} -1")
Rule("B10", r"^asked n_\w+-.* #3 .* sip @ 0 0 16$",
     lambda m, row: row.other(re.sub(r"#3 \(.*\) ", "#1 ", row.title)), where_different=True,
     when=lambda m, row: not re.match(r"asked n_(dead|odd|deadtwo)-", row.title))
Rule("B10", r"^(asked|alias) n_.* #4 .* asked @$", "nothing", original="^SRV$")
Rule("B10", r"^(asked|alias) n_.* dns\.view: _sips?\._\w+\.@ SRV$", "(none)", original="negative_entry=yes",
     when=lambda m, row: not re.match(r"asked n_(dead|odd)-", row.title))
Rule("B17", r"^asked n_.* dns\.view: \S+ SRV$", lambda m, row: re.sub(r"reference_counter=\d+", "reference_counter=1", row.original),
     original=r"reference_counter=[2-9]")
Rule("B18", r"^asked s_root(tcp)?-.* #2 .* asked @$", "NAPTR SRV", original="address",
     when=lambda m, row: "roottcp-a_four-noadd" not in row.title)
Rule("B03", r"^asked n_deadtwo-.* #2 .* asked @$", "NAPTR SRV", original="address",
     when=lambda m, row: "noadd" not in row.title)
Rule("B18", r"^asked s_root(tcp)?-.* dns\.view: @ (A|AAAA)$", "(none)")
Rule("B19", r"^asked s_deadtcp-.* dns\.view: @ (A|AAAA)$", "(none)")
Rule("B03", r"^asked n_deadtwo-.* dns\.view: @ (A|AAAA)$", "(none)")
Rule("B19", r"^asked s_dead(tcp)?-.* dns\.view: (_sips?\._\w+\.@ SRV|t\.@ \w+)$", re.compile("size_bytes=N, .*"), original=r"^\(none\)$")
Rule("B18", r"^asked s_root(tcp)?-.* dns\.view: (_sips?\._\w+\.@ SRV|t\.@ \w+)$", re.compile("size_bytes=N, .*"), original=r"^\(none\)$")

# --- past the cache

Rule("B12", r"^raw .*dns_try_naptr=1\] raw-he @ 5080 [013]$", lambda m, row: row.other(row.title.replace("naptr=1", "naptr=0")),
     where_different=True)
Rule("B18", r"^raw s_root-a_four .* raw-he @ 0 [01]$", "NULL")
Rule("B30", r"^raw n_all-a_none .*dns_try_naptr=1\] raw-he @ 0 0$", "u.@ 10.0.70.1 :5070 /1", original="10.0.72.1 :5072 /1")
# The functions that ask past the cache fill it.
Rule("B31", r"^raw a_four .* dns\.view: @ A$", "(none)")

# --- RPC

Rule("B20", r"^rpc .*rpc dns\.add_a p\.~ 100 300\.1\.1\.1 0$", "fault 400 Failed to add the entry to the cache")
Rule("B20", r"^rpc .*300\.1\.1\.1 0\) rpc dns\.view: p\.~ A$", "(none)")
NOTHING_STORED = "COMPAT: `dns.add_*`: TTL 0 without the permanent flag stores nothing"


def only_other(match, row):
    """As if the one of the two that has no time to live were not there."""
    left = [add for add in (match["one"], match["two"]) if add and not re.search(r"~ (0|-5) ", add)]
    if not left:
        return "(none)"
    return row.entry(f"rpc a_none [] #2 ({left[0]}) rpc dns.view", match["key"])


Rule(NOTHING_STORED, r"^rpc a_none \[\] #[23] \((?P<one>rpc dns\.add[^;)]*)(; (?P<two>rpc dns\.add[^;)]*))?\) rpc dns\.view: "
     r"(?P<key>.*)$", only_other, where_different=True,
     when=lambda m, row: any(re.search(r"~ (0|-5) ", add or "") for add in (m["one"], m["two"])))
Rule("B58", r"^remove a_none .* add \d+ \"\" ", "-1", original="^0$")
Rule("B58", r"^remove a_none .* dns\.view:  \w+$", "(none)")

# --- dns_strerror()
Rule("COMPAT: The texts of `dns_strerror()` are our own", r"^switch a_none \[\] error (-?\d+)$", re.compile("[a-z ,A]+.*"), optional=True)

def same_entries(_, row):
    """The entries of the original, with names for their fields; others may be there, too."""
    fields = row.original.split()
    wanted = []
    for place in range(0, len(fields), 7):
        name, rtype, _, _, expires, _, flags = fields[place:place + 7]
        wanted.append(f"(?=.*\\{{name={re.escape(name)}, type={rtype}, size_bytes=N, reference_counter=1, expires={expires}, "
                      rf"last_used=\d+, flags={flags}\}})")
    return re.compile("".join(wanted) + r"\{entries=\[.*\]\}")


Rule("B36", r"^rpc .* rpc dns\.debug$", same_entries, original=r"^\S+ \d+ \d+ ")
Rule("B36", r"^rpc .* rpc dns\.debug_all$",
     lambda m, row: re.compile("".join(f"(?=.*, {kind}={re.escape(value)}, )" for kind, value in re.findall(r"(ip|srv) (\S+)", row.original))
                               + r"\{records=\[.*\]\}"), original=r"^\S+ \d+ \d+ ")
Rule("B36", r"^rpc .* rpc dns\.mem_info$", re.compile(r"\{used=\d+, limit=512000\}"), original=r"^\d+ 512000$")
Rule("B09", r"^rpc a_servfail .* dns\.view: @ (A|AAAA)$", lambda m, row: row.original.replace("expires=60", "expires=1"))
Rule("B17", r"^rpc n_all-a_both .* dns\.view: \S+ SRV$",
     lambda m, row: re.sub(r"reference_counter=\d+", "reference_counter=1", row.original), original=r"reference_counter=[2-9]")
# The operator changes the name that he says, not the one that it is an alias of.
REAL = "size_bytes=N, reference_counter=1, permanent=no, expires=300, last_used=0, negative_entry=no, records=[{{rr_idx=0, " \
       "rr_ip={}, rr_permanent=no, rr_expires=300}}]"
Rule("B26", r"^rpc a_cname .* rpc dns\.delete_a @$", "fault 400 Not found", original=r"^\(empty\)$")
Rule("B26", r"^rpc a_cname .*dns\.(delete|add)_a @.* dns\.view: real\.@ A$", REAL.format("10.1.0.3"), where_different=True)
Rule("B26", r"^rpc a_cname .*dns\.(delete|add)_a @.* dns\.view: real\.@ AAAA$", REAL.format("fd01::3"), where_different=True)
Rule("B26", r"^rpc a_cname .*dns\.add_a @ 60 10\.1\.1\.1 0.* dns\.view: @ A$", re.compile(".*expires=60, .*rr_ip=10.1.1.1, .*"),
     original=r"^\(none\)$")
Rule("B26", r"^rpc a_cname \[\] dns\.add_a .* #4 \(ip @ 0\) ip @ 1$", "0 10.1.1.1", original="^0 10.1.0.3$")
Rule("B26", r"^rpc a_cname .* #5 \(ip @ 0\) get-he real\.@ 1$", "real.@ 10.1.0.3", original="10.1.1.1")

# --- options that change the whole

Rule("B12", r"^switch .*dns_try_naptr=1\] #3 .* he @ 5080 1$", lambda m, row: row.other(row.title.replace("naptr=1", "naptr=0")),
     where_different=True)
Rule("B29", r"^switch \S+ \[dns_cache_init=0,dns_try_naptr=1\] #[246] .* (host @|he @ 0 0|su @ 0 0)$",
     lambda m, row: row.other(row.title.replace("dns_cache_init=0", "use_dns_cache=0")), original="crash|not reached", versions=R563)
Rule("B30", r"^switch n_all-a_four \[dns_cache_init=0,dns_try_naptr=1\] #2 .* he @ 0 0$", "u.@ 10.0.70.1 :5070 /1",
     original="10.0.72.1 :5072 /1")
Rule("B29", r"^switch \S+ \[dns_cache_init=0,dns_try_naptr=1\] #([57]) .* asked @$",
     lambda m, _: "NAPTR SRV address" if m[1] == "5" else "address", original="not reached", versions=R563)
Rule("B29", r"^switch \S+ \[dns_cache_init=0,dns_try_naptr=1\] #8 .* dns\.view$",
     "fault 500 dns cache support disabled (see use_dns_cache)", original="not reached", versions=R563)
Rule("B31", r"^switch n_all-a_four \[use_dns_cache=0,(dns_try_ipv6=0,)?dns_try_naptr=1\] #5 .* asked @$", "NAPTR SRV address",
     original="^NAPTR address$")
Rule("B29", r"^switch (\w+|n_all-\w+) \[dns_cache_init=0,use_dns_failover=1,dns_try_naptr=1\] #([12]) .*sip @ ",
     lambda m, _: {"a_both": "10.1.0.1:5060/1", "a_none": "-5"}.get(m[1], "-5"), original="crash|not reached", versions=R563)
Rule("B30", r"^switch n_all-a_four \[dns_cache_init=0,dns_try_naptr=1\] #4 .* su @ 0 0$", "0 10.0.70.1:5070/1",
     original="10.0.72.1:5072/1", versions=R601)
Rule("B12", r"^switch n_all-a_none \[dns_cache_init=0,use_dns_failover=1,dns_try_naptr=1\] #2 .* sip @ 5060 0 g$", "-5",
     original="10.0.70.1:5070/1", versions=R601)
Rule("B30", r"^switch n_all-a_none \[dns_cache_init=0,use_dns_failover=1,dns_try_naptr=1\] #1 sip", "10.0.70.1:5070/1",
     original="10.0.72.1:5072/1")
Rule("B29", r"^switch \S+ \[dns_cache_init=0,use_dns_failover=1,dns_try_naptr=1\] #[34] .*get ", "0", original="not reached",
     versions=R563)

# --- NAPTR records that expire while a call uses them: the original forgets what the call has tried, and starts again

ONCE = "COMPAT: every candidate is visited once (b03)"
Rule(ONCE, r"^held n_\w+-ttls_10_\d+_\d+ .* h-resolve ", lambda m, row: row.other(row.title.replace("ttls_10_", "ttls_300_")),
     where_different=True)
Rule(ONCE, r"^held n_\w+-ttls_10_\d+_\d+ .* asked @$", re.compile("NAPTR( SRV)?( address)?"), original="^NAPTR$", optional=True)
Rule(ONCE, r"^held n_two \[\] 1000 s .* #11 .* h-resolve ", "-1", original=r"^10\.0\.70\.1")
Rule(ONCE, r"^held n_two \[\] 1000 s .* dns\.view: ", "(none)", original="expires=300", optional=True)
# With weights the first of several addresses is drawn, too.
EITHER = "COMPAT: With a seed (`dns_srv_lb`, or given by the caller) the first of several addresses depends on the seed, too"
Rule("B19", r"^held s_dead-a_four \[\] sip @ 0 1 (8|9|12)$",
     re.compile(r"(10\.1\.0\.1:5060/1 10\.1\.0\.2:5060/1|10\.1\.0\.2:5060/1 10\.1\.0\.1:5060/1) -1"))
Rule(EITHER, r"^held s_prio-a_four \[\] sip @ 0 1 (8|9|12)$",
     lambda m, row: re.compile(re.sub(r"(10\\\.0\\\.81\\\.1:5081/1)(\\? )(10\\\.0\\\.81\\\.2:5081/1)", r"(\1 \3|\3 \1)",
                                      re.escape(row.original))), loose=True)

# --- before there is a cache

EARLY = {"he": "@ 10.1.0.1 10.1.0.2 :5060 /1", "su": "0 10.1.0.1:5060/1", "sip": "10.1.0.1:5060/1"}
Rule("B29", r"^early a_four \[dns_try_naptr=1\] #1 early (he|su|sip) ", lambda m, _: EARLY[m[1]], original="^crash$")
Rule("B29", r"^early a_four \[dns_try_naptr=1\] #2 .*\) (he|su|sip) ",
     lambda m, _: EARLY[m[1]] + (" 10.1.0.2:5060/1 -1" if m[1] == "sip" else ""), original="^not reached$")
Rule("B30", r"^early n_all-a_four \[dns_try_naptr=1\] #1 early (he|su|sip) ",
     lambda m, _: {"he": "u.@ 10.0.70.1 :5070 /1", "su": "0 10.0.70.1:5070/1", "sip": "10.0.70.1:5070/1"}[m[1]])
AGAIN = "COMPAT: A second `resolv_init()` succeeds and leaves the counters as they are"
Rule(AGAIN, r"^early a_four \[\] #1 resolv-init$", "0", original="^-1$")
Rule(AGAIN, r"^early a_four .*resolv-init.* counters$", "failed 1 slow 0", original="^failed 0")

# --- asked along: after all others, which are more precise
Rule("COMPAT: SRV records of all transports are asked for at once", r" rpc dns\.view: (_sips?\._\w+\.\S+ SRV|\w+\.@ (A|AAAA))$",
     re.compile(r"size_bytes=N, reference_counter=1, permanent=no, expires=\d+, last_used=\d+, negative_entry=.*"),
     original=r"^\(none\)$", when=lambda m, row: "dns.add" not in row.title)
