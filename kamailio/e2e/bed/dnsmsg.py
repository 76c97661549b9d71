"""DNS messages, as far as the observer on the wire and the control of NSD need them (RFC 1035)."""

import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "TXT": 16, "AAAA": 28, "SRV": 33, "NAPTR": 35, "OPT": 41}
NAMES = {number: name for name, number in TYPES.items()}


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
