"""A name server that does as it is told: answers from a table, stays silent, fails, answers late."""

import socket
import threading
import time

from . import dnsmsg

SOA_VALUE = "ns.test hostmaster.test 1 3600 600 86400 {minimum}"


class ScriptedServer:
    """Serves records given as text lines "owner [ttl] TYPE data"; owners and targets are absolute.

    `rules` maps (name, type), (name, "*") or "*" to what happens instead of an answer: "drop", "servfail",
    "refused", or a number of seconds to wait before the answer. `expand` maps a question's name to the
    owner that the answer gets instead, `additional` maps (name, type) to lines put into the additional section.
    `asked` lists the questions as (server, name, type, time), without those whether the server lives: these it
    answers unless a rule drops everything and `lives` is false.
    """

    def __init__(self, lines=(), addresses=("127.0.0.1",), negative_ttl=60, default_ttl=60):
        self.records = {}
        self.rules = {}
        self.additional = {}
        self.wildcards = []
        self.asked = []
        self.lives = False
        self.negative_ttl = negative_ttl
        self.default_ttl = default_ttl
        self.lock = threading.Lock()
        self.load(lines)
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            sock.bind((address, 53))
            threading.Thread(target=self._serve, args=(sock, address), daemon=True).start()

    def _parse(self, line):
        owner, *rest = line.split(None, 2)
        if rest[0].isdigit():
            ttl = int(rest[0])
            rtype, value = rest[1].split(None, 1)
        else:
            ttl, (rtype, value) = self.default_ttl, rest
        return owner.rstrip(".").lower(), rtype, ttl, value

    def load(self, lines):
        """Replaces all records."""
        records = {}
        for line in lines:
            owner, rtype, ttl, value = self._parse(line)
            records.setdefault((owner, rtype), []).append((ttl, value))
        with self.lock:
            self.records = records

    def wildcard(self, prefix, rtype, value):
        """Every name that starts with `prefix` has this record."""
        self.wildcards.append((prefix, rtype, value))

    def _serve(self, sock, address):
        while True:
            query, peer = sock.recvfrom(4096)
            parsed = dnsmsg.question(query)
            if parsed is None:
                continue
            _, name, rtype = parsed
            if dnsmsg.is_probe(query):
                if self.lives or "drop" not in (self.rules.get("*"), self.rules.get((address, "*"))):
                    sock.sendto(dnsmsg.reply(query, dnsmsg.REFUSED), peer)
                continue
            self.asked.append((address, name, rtype, time.monotonic()))
            rules = self.rules
            rule = rules.get((address, "*"), rules.get((name, rtype), rules.get((name, "*"), rules.get("*"))))
            if rule == "drop":
                continue
            if rule in ("servfail", "refused"):
                rcode = dnsmsg.SERVFAIL if rule == "servfail" else dnsmsg.REFUSED
                sock.sendto(dnsmsg.reply(query, rcode), peer)
            elif isinstance(rule, (int, float)):
                # The answer is that of the moment of the question.
                late = threading.Timer(rule, sock.sendto, (self._answer(query, name, rtype), peer))
                late.daemon = True
                late.start()
            else:
                sock.sendto(self._answer(query, name, rtype), peer)

    def _answer(self, query, name, rtype):
        with self.lock:
            records, extra = self.records, self.additional.get((name, rtype), ())
        answer, owner = [], name
        while (owner, rtype) not in records and (owner, "CNAME") in records and len(answer) < 16:
            ttl, target = records[(owner, "CNAME")][0]
            answer.append(dnsmsg.record(owner, "CNAME", ttl, target))
            owner = target.rstrip(".").lower()
        answer += [dnsmsg.record(owner, rtype, ttl, value) for ttl, value in records.get((owner, rtype), ())]
        for prefix, kind, value in self.wildcards:
            if owner.startswith(prefix) and kind == rtype:
                answer.append(dnsmsg.record(owner, kind, self.default_ttl, value))
        authority, rcode = [], dnsmsg.NOERROR
        found = (owner, rtype) in records or any(
            owner.startswith(prefix) and kind == rtype for prefix, kind, _ in self.wildcards
        )
        if not found:
            soa = SOA_VALUE.format(minimum=self.negative_ttl)
            authority = [dnsmsg.record("test", "SOA", self.negative_ttl, soa)]
            known = any(other == owner or other.endswith("." + owner) for other, _ in records)
            rcode = dnsmsg.NOERROR if known else dnsmsg.NXDOMAIN
        additional = []
        for line in extra:
            extra_owner, extra_type, ttl, value = self._parse(line)
            additional.append(dnsmsg.record(extra_owner, extra_type, ttl, value))
        return dnsmsg.reply(query, rcode, answer, authority, additional)

    def questions(self):
        """(name, type) of all questions so far, in order."""
        return [(name, rtype) for _, name, rtype, _ in list(self.asked)]

    def forget(self):
        self.asked.clear()
