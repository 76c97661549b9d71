"""DNS messages, as far as the scripted server and the observer on the wire need them (RFC 1035)."""

import socket
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35, "OPT": 41}
NAMES = {number: name for name, number in TYPES.items()}

NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def question(message):
    """(id, name in lower case, type) of the question, or None for what is not one question."""
    if len(message) < 12 or struct.unpack_from("!H", message, 4)[0] != 1:
        return None
    labels, at = [], 12
    while at < len(message) and message[at]:
        size = message[at]
        if size > 63:
            return None
        labels.append(message[at + 1 : at + 1 + size].decode("latin-1").lower())
        at += 1 + size
    if at + 5 > len(message):
        return None
    qtype = struct.unpack_from("!H", message, at + 1)[0]
    return struct.unpack_from("!H", message)[0], ".".join(labels), NAMES.get(qtype, str(qtype))


def is_query(message):
    return len(message) >= 12 and not message[2] & 0x80


def is_probe(message):
    """True for the question whether a name server lives: localhost A without RD."""
    return is_query(message) and not message[2] & 1 and question(message)[1:] == ("localhost", "A")


def _string(text):
    return bytes([len(text)]) + text.encode()


def rdata(rtype, value):
    """Wire form of the data of one record from its text form."""
    if rtype == "A":
        return socket.inet_pton(socket.AF_INET, value)
    if rtype == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if rtype in ("CNAME", "NS", "PTR"):
        return encode_name(value)
    if rtype == "TXT":
        return _string(value)
    words = value.split()
    if rtype == "SRV":
        return struct.pack("!HHH", *map(int, words[:3])) + encode_name(words[3])
    if rtype == "NAPTR":
        order, preference, flags, service, regexp, replacement = (word.strip('"') for word in words)
        return (
            struct.pack("!HH", int(order), int(preference))
            + b"".join(map(_string, (flags, service, regexp)))
            + encode_name(replacement)
        )
    if rtype == "SOA":
        return encode_name(words[0]) + encode_name(words[1]) + struct.pack("!5I", *map(int, words[2:]))
    raise ValueError(f"no text form for {rtype}")


def record(owner, rtype, ttl, value):
    data = rdata(rtype, value)
    return encode_name(owner) + struct.pack("!HHIH", TYPES[rtype], 1, ttl, len(data)) + data


# Root, type OPT, 1232 octets by UDP.
OPT_RECORD = b"\0" + struct.pack("!HHIH", TYPES["OPT"], 1232, 0, 0)


def reply(query, rcode, answer=(), authority=(), additional=()):
    """An authoritative reply to `query`; the sections are lists of encoded records. EDNS is answered with EDNS."""
    at = 12
    while query[at]:
        at += 1 + query[at]
    if query[at + 5 : at + 8] == OPT_RECORD[:3]:
        additional = (*additional, OPT_RECORD)
    head = query[:2] + struct.pack("!HHHHH", 0x8580 | rcode, 1, len(answer), len(authority), len(additional))
    return head + query[12 : at + 5] + b"".join((*answer, *authority, *additional))
