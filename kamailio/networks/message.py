"""Replies in the form of the wire (RFC 1035), among them such as no sound server sends."""

import socket
import struct

from bed import dnsmsg

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)


def _string(text):
    return bytes([len(text)]) + text.encode()


def rdata(rtype, value):
    """Wire form of the data of one record from its text form."""
    if rtype == "A":
        return socket.inet_pton(socket.AF_INET, value)
    if rtype == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if rtype in ("CNAME", "NS", "PTR"):
        return dnsmsg.encode_name(value)
    if rtype == "TXT":
        return _string(value)
    words = value.split()
    if rtype == "SRV":
        return struct.pack("!HHH", *map(int, words[:3])) + dnsmsg.encode_name(words[3])
    if rtype == "NAPTR":
        order, preference, flags, service, regexp, replacement = (word.strip('"') for word in words)
        return (
            struct.pack("!HH", int(order), int(preference))
            + b"".join(map(_string, (flags, service, regexp)))
            + dnsmsg.encode_name(replacement)
        )
    if rtype == "SOA":
        return dnsmsg.encode_name(words[0]) + dnsmsg.encode_name(words[1]) + struct.pack("!5I", *map(int, words[2:]))
    raise ValueError(f"no text form for {rtype}")


def record(owner, rtype, ttl, value):
    data = rdata(rtype, value)
    return dnsmsg.encode_name(owner) + struct.pack("!HHIH", dnsmsg.TYPES[rtype], 1, ttl, len(data)) + data


# Root, type OPT, 1232 octets by UDP.
OPT_RECORD = b"\0" + struct.pack("!HHIH", dnsmsg.TYPES["OPT"], 1232, 0, 0)


def reply(query, rcode, answer=(), authority=(), additional=()):
    """An authoritative reply to `query`; the sections are lists of encoded records. EDNS is answered with EDNS."""
    at = 12
    while query[at]:
        at += 1 + query[at]
    if query[at + 5 : at + 8] == OPT_RECORD[:3]:
        additional = (*additional, OPT_RECORD)
    head = query[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(answer), len(authority), len(additional))
    return head + query[12 : at + 5] + b"".join((*answer, *authority, *additional))
