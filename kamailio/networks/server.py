"""A nameserver with faults, over UDP and TCP.

Each fault is a dict: {"do": what, "type": only for that type, "zone": only at and below that name}; without type and
zone it is for everything. The first fault that fits a question is what happens.
"""

import random
import socket
import struct
import threading
import time

from bed import dnsmsg

import message

UDP_OCTETS = 512

# Faults that may come from a zone as well as from the server. The library believes such a fault of the server when two
# zones have shown it, so two zones meet it for the first time.
SHOWN_BY_TWO_ZONES = ("opt_dropped", "opt_servfail", "opt_notimp")


def without_additional(reply):
    """The reply without its last record, an OPT, and its count."""
    return reply[:10] + b"\0\0" + reply[12:-len(message.OPT_RECORD)]


def has_opt(query):
    return struct.unpack_from("!H", query, 10)[0] > 0


def udp_octets(query):
    """What the asker takes by UDP: the OPT record is the last one, and has no cookie by default."""
    at = query.rfind(b"\0" + struct.pack("!H", dnsmsg.TYPES["OPT"]), 12)
    return struct.unpack_from("!H", query, at + 3)[0] if has_opt(query) and at > 0 else UDP_OCTETS


class OverTcp(threading.local):
    """Whether this thread serves a TCP connection."""

    is_set = False


class Server:
    """Serves `records`, {(owner, type): [value]}, at an address. `tcp` is "ok", "closed", "silent" or "none"."""

    def __init__(self, address, records, faults, tcp="ok", rng=None):
        self.address, self.records, self.faults, self.tcp = address, records, faults, tcp
        self.rng = rng or random.Random(0)
        self.hits = {}
        self.asked = 0
        self.lost = {}
        self.open = []
        self.over_tcp = OverTcp()
        self.lost_until = 0.0
        if any(fault["do"] == "icmp" for fault in faults):
            return
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.bind((address, 53))
        threading.Thread(target=self._serve_udp, args=(sock,), daemon=True).start()
        if tcp != "none":
            listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, 53))
            listener.listen(64)
            threading.Thread(target=self._serve_tcp, args=(listener,), daemon=True).start()

    def call_begins(self):
        """For faults that have to do with the moment."""
        self.lost.clear()
        bursts = [fault["seconds"] for fault in self.faults if fault["do"] == "burst"]
        self.lost_until = time.monotonic() + max(bursts, default=0)

    # --- over UDP

    def _serve_udp(self, sock):
        while True:
            query, peer = sock.recvfrom(65535)
            if dnsmsg.question(query) is None:
                continue
            delay, reply = self._react(query)
            if reply is None:
                continue
            if len(reply) > udp_octets(query):
                reply = message.reply(query, message.NOERROR)
                reply = reply[:2] + bytes([reply[2] | 2]) + reply[3:]
            if delay:
                late = threading.Timer(delay, sock.sendto, (reply, peer))
                late.daemon = True
                late.start()
            else:
                sock.sendto(reply, peer)

    # --- over TCP

    def _serve_tcp(self, listener):
        while True:
            connection, _ = listener.accept()
            if self.tcp == "closed":
                connection.close()
                self._hit("tcp")
            elif self.tcp == "ok":
                threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()
            else:
                # Kept open, and silent.
                self.open.append(connection)
                self._hit("tcp")

    def _serve_connection(self, connection):
        file = connection.makefile("rb")
        try:
            while True:
                head = file.read(2)
                query = file.read(struct.unpack("!H", head)[0]) if len(head) == 2 else b""
                if dnsmsg.question(query) is None:
                    break
                self.over_tcp.is_set = True
                delay, reply = self._react(query)
                if reply is None:
                    continue
                time.sleep(delay)
                connection.sendall(struct.pack("!H", len(reply)) + reply)
        except OSError:
            pass
        connection.close()

    # --- what is answered

    def _hit(self, fault, name=""):
        """Notes that a question met the fault: {fault: {zone: how often}}, a zone being the last two labels."""
        zones = self.hits.setdefault(fault, {})
        zone = ".".join(name.split(".")[-2:])
        zones[zone] = zones.get(zone, 0) + 1

    def _fits(self, fault, name, rtype):
        zone = fault.get("zone")
        return fault.get("type") in (None, rtype) and (zone is None or name == zone or name.endswith("." + zone))

    def _react(self, query):
        """(seconds to wait, reply or None)"""
        _, name, rtype = dnsmsg.question(query)
        if dnsmsg.is_probe(query):
            lost = any(fault["do"] in ("dead", "lossy") for fault in self.faults) or time.monotonic() < self.lost_until
            return 0, None if lost else message.reply(query, message.REFUSED)
        self.asked += 1
        delay = 0
        for fault in self.faults:
            if not self._fits(fault, name, rtype):
                continue
            do = fault["do"]
            if do == "slow":
                self._hit(do, name)
                delay = fault["seconds"]
                continue
            done = getattr(self, "_do_" + do)(query, name, rtype)
            if done is not NOTHING:
                self._hit(do, name)
                return delay, done
        return delay, self.answer(query, name, rtype)

    def answer(self, query, name, rtype):
        """What the data says."""
        answer, owner = [], name
        while (owner, rtype) not in self.records and (owner, "CNAME") in self.records and len(answer) < 8:
            target = self.records[owner, "CNAME"][0]
            answer.append(message.record(owner, "CNAME", 300, target))
            owner = target
        answer += [message.record(owner, rtype, 300, value) for value in self.records.get((owner, rtype), ())]
        additional = [
            message.record(value.split()[-1], "A", 300, address)
            for value in (self.records.get((owner, rtype), ()) if rtype == "SRV" else ())
            for address in self.records.get((value.split()[-1], "+A"), ())
        ]
        if (owner, rtype) in self.records:
            return message.reply(query, message.NOERROR, answer, (), additional)
        known = any(other == owner or other.endswith("." + owner) for other, _ in self.records)
        apex = ".".join(owner.split(".")[-2:])
        soa = message.record(apex, "SOA", 60, f"ns.{apex} hostmaster.{apex} 1 3600 600 86400 60")
        return message.reply(query, message.NOERROR if known else message.NXDOMAIN, answer, [soa])

    def _do_none(self, query, name, rtype):
        return NOTHING

    def _do_dead(self, query, name, rtype):
        return None

    _do_silent = _do_dead

    def _do_burst(self, query, name, rtype):
        return None if time.monotonic() < self.lost_until else NOTHING

    def _do_lossy(self, query, name, rtype):
        """The first packets of each question are lost, and all probes."""
        lost = max((fault.get("packets", 1) for fault in self.faults if fault["do"] == "lossy"), default=0)
        count = self.lost.get((name, rtype), 0)
        self.lost[name, rtype] = count + 1
        return None if count < lost else NOTHING

    def _do_servfail(self, query, name, rtype):
        return message.reply(query, message.SERVFAIL)

    def _do_refused(self, query, name, rtype):
        return message.reply(query, message.REFUSED)

    def _do_notimp(self, query, name, rtype):
        return message.reply(query, message.NOTIMP)

    def _do_formerr(self, query, name, rtype):
        return message.reply(query, message.FORMERR)

    def _do_nxdomain(self, query, name, rtype):
        """For a type that the server does not know, though the name exists."""
        return message.reply(query, message.NXDOMAIN)

    def _do_empty(self, query, name, rtype):
        """NOERROR without anything, as from a server that does not recurse: neither AA nor RA."""
        reply = message.reply(query, message.NOERROR)
        return reply[:2] + struct.pack("!H", 0x8100) + reply[4:]

    def _do_referral(self, query, name, rtype):
        """Lame: it leads to the root."""
        root = b"\0" + struct.pack("!HHIH", dnsmsg.TYPES["NS"], 1, 300, 20) + dnsmsg.encode_name("a.root-servers.net")
        reply = message.reply(query, message.NOERROR, (), [root])
        return reply[:2] + struct.pack("!H", 0x8100) + reply[4:]

    def _do_truncated(self, query, name, rtype):
        """TC and nothing else, by UDP alone."""
        if self.over_tcp.is_set:
            return NOTHING
        reply = message.reply(query, message.NOERROR)
        return reply[:2] + bytes([reply[2] | 2]) + reply[3:]

    def _do_opt_dropped(self, query, name, rtype):
        return None if has_opt(query) else NOTHING

    def _do_opt_servfail(self, query, name, rtype):
        return without_additional(message.reply(query, message.SERVFAIL)) if has_opt(query) else NOTHING

    def _do_opt_formerr(self, query, name, rtype):
        return without_additional(message.reply(query, message.FORMERR)) if has_opt(query) else NOTHING

    def _do_opt_notimp(self, query, name, rtype):
        return without_additional(message.reply(query, message.NOTIMP)) if has_opt(query) else NOTHING

    def _do_opt_echoed(self, query, name, rtype):
        """The OPT record stands among the answers."""
        if not has_opt(query):
            return NOTHING
        reply = self.answer(query, name, rtype)
        counts = list(struct.unpack_from("!HHHH", reply, 4))
        if counts[2]:
            return NOTHING
        counts[1], counts[3] = counts[1] + 1, counts[3] - 1
        return reply[:4] + struct.pack("!HHHH", *counts) + reply[12:]

    def _do_opt_missing(self, query, name, rtype):
        """The count says that there is an OPT record, but there is none."""
        reply = self.answer(query, name, rtype)
        return reply[:-len(message.OPT_RECORD)] if has_opt(query) else NOTHING

    # --- what nobody should believe

    def _do_long_address(self, query, name, rtype):
        """Addresses with an octet too many."""
        values = self.records.get((name, rtype))
        if rtype != "A" or not values:
            return NOTHING
        records = []
        for value in values:
            data = socket.inet_aton(value) + b"\0"
            head = struct.pack("!HHIH", dnsmsg.TYPES["A"], 1, 300, len(data))
            records.append(dnsmsg.encode_name(name) + head + data)
        return message.reply(query, message.NOERROR, records)

    def _do_other_class(self, query, name, rtype):
        """Records of class CH."""
        values = self.records.get((name, rtype))
        if not values:
            return NOTHING
        records = []
        for value in values:
            data = message.rdata(rtype, value)
            records.append(dnsmsg.encode_name(name) + struct.pack("!HHIH", dnsmsg.TYPES[rtype], 3, 300, len(data)) + data)
        return message.reply(query, message.NOERROR, records)


# The result of a fault that does not concern the query.
NOTHING = object()
