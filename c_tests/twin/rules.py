"""What differs from the original, and why. See ruling.py for how a rule reads."""

import re

from ruling import Rule, differs_from, same_as

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
Rule("B03", r"^sip n_(odd|dead|tls|sctp)-(s_tcp-)?a_four .* sip @ 0 0 (16|17|20)$",
     lambda m, row: row.other(re.sub(r"(16|17|20)$", lambda f: str(int(f[0]) - 16), row.title)),
     original="and no end$")
Rule("B03", r"^sip n_deadtwo-a_four .* sip @ 0 0 (?:16|17|20)$",
     lambda m, row: {"16": f"{UDP4} {UDP6} -1", "17": f"{UDP4} -1", "20": f"{UDP6} {UDP4} -1"}[row.title[-2:]],
     original="and no end$")

# When the last NAPTR candidate is used up, the search is over; it does not start again without NAPTR.
Rule("COMPAT: every candidate is visited once (b03)", r"^sip n_.* sip @ 0 0 18$",
     lambda m, row: re.sub(r"-7$", "-1", row.original), original=r"\d -7$")
# One failed call marks the records for all others.
Rule("B10", r"^pref n_all-a_none .* #3 sip", f"{TLS4} {TLS6} {TCP4} {TCP6} {UDP4} {UDP6} {SCTP4} {SCTP6} -1")
Rule("B10", r"^pref n_all-a_none .* #5 sip", f"{TCP4} {TCP6} {UDP4} {UDP6} {SCTP4} {SCTP6} -1")

# --- hostents

Rule("B51", r"^he .* he @ 0 5$", lambda m, row: re.sub(r":\d+ /5$", ":80 /5", row.other(
    row.title.replace("he @ 0 ", "he @ 5080 "))), when=differs_from("he @ 0 ", "he @ 5080 "))
Rule("B18", r"^he s_root-a_four .* he @ 0 [01]$", "NULL")
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
    """6.0.1 puts the first of the usable transports last where all have the same preference above 0."""
    values = set(re.findall(r"_pref=(-?\d+)", row.title))
    return len(values) == 1 and values != {"0"} and len(usable(row.title)) > 1


def none_usable(_, row):
    return not usable(row.title)


Rule("B28", r"^pref s_all.* protocols 0$", list_text, when=list_has_gap, versions=R563, loose=True)
Rule("B28", r"^pref s_all.* sip @ 0 0 0$", first_srv, when=list_has_gap, versions=R563, loose=True)
Rule("B28", r"^pref s_all.* protocols 0$", list_text, when=all_equal, versions=R601)
Rule("B28", r"^pref s_all.* sip @ 0 0 0$", first_srv, when=all_equal, versions=R601)
Rule("B28", r"^pref n_all.* #6 protocols 0$", "3: 1 2 4", versions=R563)
Rule("B28", r"^pref s_all.* protocols 0$", "0:", when=none_usable, original="endless loop|crash")
Rule("B28", r"^pref s_all.* protocols 3$", "1: 3", when=none_usable, original="not reached")
Rule("B28", r"^pref s_all.* sip @ 0 0 0$", first_srv, when=none_usable, original="not reached")
Rule("B28", r"^pref n_all-a_none \[dns_udp.* sip @ 0 0 16$", "-7", when=none_usable, original="endless loop|crash")
