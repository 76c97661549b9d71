"""The scripted DNS server of the twin tests: UDP and TCP on port 53 of 127.0.0.1.

What it answers follows from the name that is asked, see worlds.py. On UDP port 5399 it tells what was
asked: the datagram `DOMAIN` is answered with the types of the queries for names in that domain since
the last such question.
"""

import functools
import ipaddress
import re
import select
import socket
import struct
import sys
import time

import worlds
from worlds import A, AAAA, CNAME, EBL, NAPTR, PTR, SOA, SRV, TXT

NAME = re.compile(r"(?:(.*)\.)?(c\d+\.([a-z0-9_-]+))\.(test|far)$", re.I)
TYPES = {A: "address", AAAA: "address", SRV: "SRV", NAPTR: "NAPTR", CNAME: "CNAME"}
OPT = 41

world_of = functools.lru_cache(None)(worlds.build)
asked = {}


def encode_name(name, base=None):
    """A name; `base` is the domain, its place in the message, and the name asked, for compression."""
    end = b"\0"
    if base and name == base[2]:
        name, end = "", b"\xc0\x0c"
    elif base and (name == base[0] or name.endswith("." + base[0])):
        name, end = name[:-len(base[0])].rstrip("."), struct.pack("!H", 0xC000 | base[1])
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label) + end


def counted(text):
    return bytes([len(text)]) + text.encode()


class Answer:
    """The answer to one question, before it has a wire format."""

    def __init__(self, name, qtype):
        match = NAME.match(name)
        self.rcode, self.answers, self.extra, self.authority = 0, [], [], []
        self.fault = None
        self.compress = None
        if not match:
            self.rcode = 3
            return
        own, self.base, world, zone = match.groups()
        self.world = world_of(world.lower())
        domain = f"{self.base}.{zone}"
        self.compress = (domain, 12 + len(name) - len(domain), name)
        self.relative = ("!" if zone.lower() == "far" else "") + (own or "").lower()
        self.qtype = qtype
        asked.setdefault(self.base.lower(), []).append(TYPES.get(qtype, str(qtype)))
        self.fault = self.world.faults.get((self.relative, qtype))
        self.fill(name)

    def full(self, relative):
        """An owner or a target as it goes on the wire. '/x' is x itself."""
        if relative.startswith("/"):
            return relative[1:]
        if relative.startswith("!"):
            return ".".join(filter(None, (relative[1:], self.base, "far")))
        return ".".join(filter(None, (relative, self.base, "test")))

    def exists(self, relative):
        if relative in ("", "!"):
            return True
        far = relative.startswith("!")
        for owner, _ in self.world.records:
            if owner == relative:
                return True
            if owner.startswith("!") == far and owner.endswith("." + relative.lstrip("!")):
                return True
        return False

    def put(self, section, owner_text, relative, rtype):
        found = self.world.records.get((relative, rtype), [])
        for ttl, value in found:
            section.append((owner_text, rtype, ttl, value))
        return bool(found)

    def fill(self, name):
        owner, relative, seen = name, self.relative, set()
        while relative not in seen:
            seen.add(relative)
            if self.put(self.answers, owner, relative, self.qtype):
                break
            alias = self.world.records.get((relative, CNAME))
            if not alias or self.qtype == CNAME:
                if not self.exists(relative):
                    self.rcode = 3
                self.authority.append((self.full("!" if relative.startswith("!") else ""), SOA,
                                       self.world.soa[0], self.world.soa[1]))
                return
            self.put(self.answers, owner, relative, CNAME)
            zone_before = relative.startswith("!")
            relative = alias[0][1]
            if relative.startswith("!") != zone_before:
                # another server's business
                return
            owner = self.full(relative)
        if self.world.additional:
            self.related()

    def related(self):
        """SRV records of NAPTR replacements, and the addresses of all targets in the same domain."""
        hosts = []
        for _, rtype, _, value in list(self.answers):
            if rtype == NAPTR:
                replacement = value[5]
                if self.put(self.extra, self.full(replacement), replacement, SRV):
                    hosts += [v[3] for _, v in self.world.records[(replacement, SRV)]]
            elif rtype == SRV:
                hosts.append(value[3])
        far = self.relative.startswith("!")
        for host in dict.fromkeys(hosts):
            if host.startswith("!") == far:
                for rtype in (A, AAAA):
                    self.put(self.extra, self.full(host), host, rtype)


def rdata(answer, rtype, value):
    if rtype in (A, AAAA):
        return ipaddress.ip_address(value).packed
    if rtype in (CNAME, PTR):
        return encode_name(answer.full(value), answer.compress)
    if rtype == SRV:
        return struct.pack("!HHH", *value[:3]) + encode_name(answer.full(value[3]), answer.compress)
    if rtype == NAPTR:
        order, pref, flags, service, regexp, target = value
        return (struct.pack("!HH", order, pref) + counted(flags) + counted(service)
                + counted(regexp) + encode_name(answer.full(target)))
    if rtype == TXT:
        return b"".join(counted(text) for text in value)
    if rtype == EBL:
        return bytes([value[0]]) + counted(value[1]) + encode_name(value[2])
    if rtype == SOA:
        return encode_name("ns") + encode_name("host") + struct.pack("!5I", 1, 2, 3, 4, value)
    raise ValueError(rtype)


def encode_record(answer, record, rclass=1):
    owner, rtype, ttl, value = record
    data = value if isinstance(value, bytes) else rdata(answer, rtype, value)
    return encode_name(owner, answer.compress) + struct.pack("!HHIH", rtype, rclass, ttl, len(data)) + data


def reply_to(query, tcp):
    """The octets of a reply; None: no reply."""
    if len(query) < 17:
        return None
    ident, flags = struct.unpack("!HH", query[:4])
    at, labels = 12, []
    while at < len(query) and query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += query[at] + 1
    question = query[12:at + 5]
    qtype = struct.unpack("!H", query[at + 1:at + 3])[0]
    has_opt = struct.unpack("!H", query[10:12])[0] > 0
    limit = 1232 if has_opt else 512
    answer = Answer(".".join(labels), qtype)
    fault, answers, extra = answer.fault, answer.answers, answer.extra
    rclass = 1
    if fault == "drop":
        return None
    if fault == "slow":
        # nobody else is answered meanwhile, which only costs time
        time.sleep(0.15)
    if fault in ("servfail", "refused"):
        answer.rcode, answers, extra = {"servfail": 2, "refused": 5}[fault], [], []
    elif fault == "empty":
        answers, extra = [], []
    elif fault == "badadd":
        extra = [*extra, (answer.full("bad"), SRV, 300, b"\0\1")]
    elif fault == "badrec":
        answers = [*answers, (answers[0][0], qtype, 300, b"\0\1")]
    elif fault == "txt0":
        extra = [(answer.full("note"), TXT, 300, b"")]
    elif fault == "wrongowner":
        answers = [(answer.full("other"), t, ttl, v) for _, t, ttl, v in answers]
    elif fault == "wrongclass":
        rclass = 3
    elif fault == "evil":
        extra = [(answer.full("!victim"), A, 86400, "10.66.66.66")]
    elif fault == "split":
        answers, extra = answers[:1], answers[1:]

    def pack(more_flags, answers, extra):
        opt = [b"\0" + struct.pack("!HHIH", OPT, 1232, 0, 0)] if has_opt else []
        head = struct.pack("!6H", ident, 0x8480 | flags & 0x0100 | more_flags | answer.rcode, 1,
                           len(answers), len(answer.authority), len(extra) + len(opt))
        return b"".join([head, question, *(encode_record(answer, r, rclass) for r in answers),
                         *(encode_record(answer, r) for r in answer.authority),
                         *(encode_record(answer, r) for r in extra), *opt])

    message = pack(0, answers, extra)
    if len(message) > limit and not tcp:
        return pack(0x0200, [], [])
    if fault == "cut":
        return message[:len(message) - 20] if not has_opt else message[:len(message) - 31]
    return message


def serve(address="127.0.0.1"):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    udp.bind((address, 53))
    control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    control.bind((address, 5399))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, 53))
    listener.listen(64)
    print("ready", flush=True)
    streams = {}
    while True:
        ready, _, _ = select.select([udp, control, listener, *streams], [], [])
        for sock in ready:
            if sock is udp:
                query, peer = udp.recvfrom(4096)
                reply = reply_to(query, False)
                if reply is not None:
                    udp.sendto(reply, peer)
            elif sock is control:
                text, peer = control.recvfrom(512)
                base = ".".join(text.decode().lower().split(".")[:2])
                types = sorted(set(asked.pop(base, [])))
                control.sendto((" ".join(types) or "nothing").encode(), peer)
            elif sock is listener:
                stream, _ = listener.accept()
                streams[stream] = b""
            else:
                try:
                    data = sock.recv(4096)
                except ConnectionError:
                    data = b""
                streams[sock] += data
                held = streams[sock]
                if len(held) >= 2 and len(held) >= 2 + int.from_bytes(held[:2], "big"):
                    size = int.from_bytes(held[:2], "big")
                    streams[sock] = held[2 + size:]
                    reply = reply_to(held[2:2 + size], True)
                    if reply is not None:
                        sock.sendall(struct.pack("!H", len(reply)) + reply)
                if not data:
                    del streams[sock]
                    sock.close()


if __name__ == "__main__":
    try:
        serve()
    except KeyboardInterrupt:
        sys.exit(0)
