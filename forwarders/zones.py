"""The zone, and where a call to each of its names goes: written down from RFC 3263, not taken from the library."""

PODS = 40


def _zone():
    pods = "".join(f"_sip._udp.pod SRV 0 0 5060 pod-{i}.pod\npod-{i}.pod A 198.51.100.{i}\n" for i in range(1, PODS + 1))
    return f"""$ORIGIN example.net.
$TTL 300
@ SOA ns h 1 3600 600 86400 60
@ NS ns
ns A 127.0.0.1
; a trunk: two session border controllers, the second one for failover; another port
_sip._udp.trunk SRV 10 60 5060 a.trunk
_sip._udp.trunk SRV 20 40 5070 b.trunk
a.trunk A 192.0.2.1
b.trunk A 192.0.2.2
; TCP alone
_sip._tcp.tcponly SRV 10 0 5060 a.trunk
tcponly A 192.0.2.9
; a tenant of a hosted exchange: an alias, or a wildcard without SRV
acme.pbx CNAME shared.pbx
shared.pbx A 192.0.2.3
*.tenant A 192.0.2.4
; a domain that moved, by DNAME
old DNAME trunk
; IMS: NAPTR for three transports and something else, hosts with both families
ims NAPTR 5 10 "u" "E2U+sip" "!^.*$!sip:x@ims.example.net!" .
ims NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.ims
ims NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp.ims
ims NAPTR 30 10 "s" "SIP+D2U" "" _sip._udp.ims
_sips._tcp.ims SRV 0 0 5061 pcscf1.ims
_sip._tcp.ims SRV 0 0 5060 pcscf1.ims
_sip._udp.ims SRV 0 0 5060 pcscf1.ims
_sip._udp.ims SRV 1 0 5060 pcscf2.ims
pcscf1.ims A 192.0.2.5
pcscf1.ims AAAA 2001:db8::5
pcscf2.ims A 192.0.2.6
; a service that is not offered over UDP
_sip._udp.dot SRV 0 0 0 .
dot A 192.0.2.9
; a headless service: more than fits a datagram
{pods}"""


ZONE = _zone()
# URI, the targets: each group in any order, the groups in this one; an empty list = there is none.
CALLS = [
    ("sip:trunk.example.net;transport=udp", [{"UDP 192.0.2.1:5060"}, {"UDP 192.0.2.2:5070"}]),
    ("sip:tcponly.example.net", [{"TCP 192.0.2.1:5060"}]),
    ("sip:acme.pbx.example.net", [{"UDP 192.0.2.3:5060"}]),
    ("sip:x1.tenant.example.net", [{"UDP 192.0.2.4:5060"}]),
    ("sip:b.old.example.net", [{"UDP 192.0.2.2:5060"}]),
    ("sip:ims.example.net", [
        {"UDP 192.0.2.5:5060"}, {"UDP 2001:db8::5:5060"}, {"UDP 192.0.2.6:5060"},
        {"TCP 192.0.2.5:5060"}, {"TCP 2001:db8::5:5060"}, {"TLS 192.0.2.5:5061"}, {"TLS 2001:db8::5:5061"}]),
    ("sip:dot.example.net;transport=udp", []),
    ("sip:nobody.example.net", []),
    ("sip:pod.example.net;transport=udp", [{f"UDP 198.51.100.{i}:5060" for i in range(1, PODS + 1)}]),
]


# What unbound's dns64 makes of the addresses of hosts that have no IPv6.
SYNTHESIZED = " 64:ff9b::"
HOSTS_WITH_IPV6 = ["192.0.2.5:"]


def expected(forwarder, targets):
    """What a policy of the forwarder changes, and nothing else: the library has to believe it."""
    if forwarder == "unbound with RPZ":
        return [{t.replace("192.0.2.2:", "192.0.2.77:") for t in group} for group in targets]
    return targets


def without_synthesized(targets):
    """The targets without the addresses that dns64 added; None where one is missing, or is too many."""
    left = []
    for place, target in enumerate(targets):
        if SYNTHESIZED in target:
            continue
        left.append(target)
        is_next = SYNTHESIZED in (targets[place + 1:] or [""])[0]
        has_ipv6 = any(host in target for host in HOSTS_WITH_IPV6) or "2001:" in target
        if is_next == has_ipv6:
            return None
    return left
