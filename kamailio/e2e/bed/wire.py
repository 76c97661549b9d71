"""What went over the loopback: DNS questions and SIP messages, seen by a packet socket.

Everything is observed from outside, whoever sent it and whether or not anybody listened at the other end.
"""

import dataclasses
import socket
import struct
import threading
import time

from . import dnsmsg

ETH_P_ALL = 3
ETH_P_IP, ETH_P_IPV6 = 0x0800, 0x86DD
SOL_PACKET, PACKET_STATISTICS = 263, 6
SO_RCVBUFFORCE = 33
UDP, TCP, ICMP = 17, 6, 1
DNS_PORT = 53


@dataclasses.dataclass(frozen=True)
class Sip:
    """One SIP message. `method` is that of the request or, for replies, of its CSeq; `status` is 0 in requests."""

    time: float
    proto: str
    source: str
    target: str
    method: str
    status: int
    call_id: str
    branch: str
    uri: str

    @property
    def arrival(self):
        return f"{self.proto}:{self.target}"


@dataclasses.dataclass(frozen=True)
class Query:
    time: float
    server: str
    name: str
    rtype: str


def _address(text, port):
    return f"[{text}]:{port}" if ":" in text else f"{text}:{port}"


class Observer:
    """Collects from its creation on. Retransmissions are kept apart: see `requests`."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
        self.sock.bind(("lo", 0))
        self.sip = []
        self.queries = []
        self.connects = []
        self.refused = []
        self.sock.settimeout(0.2)
        self.stopping = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.stopping:
            try:
                frame, (_, _, kind, _, _) = self.sock.recvfrom(65535)
            except socket.timeout:
                continue
            # The loopback shows each packet twice.
            if kind == socket.PACKET_OUTGOING:
                self._packet(frame)

    def _packet(self, frame):
        ethertype = struct.unpack_from("!H", frame, 12)[0]
        if ethertype == ETH_P_IP:
            protocol, at = frame[23], 14 + (frame[14] & 15) * 4
            source, target = (socket.inet_ntop(socket.AF_INET, frame[i : i + 4]) for i in (26, 30))
        elif ethertype == ETH_P_IPV6:
            protocol, at = frame[20], 54
            source, target = (socket.inet_ntop(socket.AF_INET6, frame[i : i + 16]) for i in (22, 38))
        else:
            return
        now = time.monotonic()
        if protocol == ICMP and frame[at] == 3:
            self.refused.append(source)
            return
        if protocol not in (UDP, TCP):
            return
        sport, dport = struct.unpack_from("!HH", frame, at)
        if protocol == TCP and frame[at + 13] & 0x12 == 0x02:
            self.connects.append(_address(target, dport))
        payload = frame[at + 8 :] if protocol == UDP else frame[at + (frame[at + 12] >> 4) * 4 :]
        if DNS_PORT in (sport, dport):
            if protocol == TCP:
                payload = payload[2:]
            parsed = dnsmsg.question(payload) if dport == DNS_PORT and dnsmsg.is_query(payload) else None
            if parsed and not dnsmsg.is_probe(payload):
                self.queries.append(Query(now, target, parsed[1], parsed[2]))
            return
        proto = "udp" if protocol == UDP else "tcp"
        message = _sip(now, proto, _address(source, sport), _address(target, dport), payload)
        if message:
            self.sip.append(message)

    def settle(self):
        """Returns when everything sent so far has been looked at: a packet of one's own has come by."""
        mark = f"settle-{time.monotonic_ns()}.test"
        head = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0)
        packet = head + dnsmsg.encode_name(mark) + struct.pack("!HH", 1, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            # Nobody listens there.
            sock.sendto(packet, ("127.255.255.254", DNS_PORT))
        end = time.monotonic() + 30
        while not any(query.name == mark for query in reversed(self.queries[-64:])):
            if time.monotonic() > end:
                raise TimeoutError("the observer saw nothing of its own packet")
            time.sleep(0.01)
        lost = struct.unpack("II", self.sock.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        if lost:
            raise RuntimeError(f"the observer lost {lost} packets")

    def mark(self):
        """A position for `since`."""
        self.settle()
        return len(self.sip), len(self.queries), len(self.connects)

    def requests(self, method, source_port=None, since=(0, 0, 0)):
        """Requests of this method, first transmissions only, optionally only those sent by Kamailio's sockets."""
        self.settle()
        seen, out = set(), []
        for message in self.sip[since[0] :]:
            key = (message.branch, message.target)
            if message.status or message.method != method or key in seen:
                continue
            if source_port and not message.source.endswith(f":{source_port}") and message.proto == "udp":
                continue
            seen.add(key)
            out.append(message)
        return out

    def replies(self, target, since=(0, 0, 0)):
        """Final replies that reached `target`, one for each call and method."""
        self.settle()
        out = {}
        for message in self.sip[since[0] :]:
            if message.status >= 200 and message.target == target:
                out.setdefault((message.call_id, message.method), message)
        return list(out.values())

    def asked(self, since=(0, 0, 0)):
        """(type, name) of all questions, in order; those of the test bed itself are left out."""
        self.settle()
        queries = self.queries[since[1] :]
        return [
            (query.rtype, query.name)
            for query in queries
            if query.rtype != "SOA" and not query.name.startswith("settle-")
        ]


def _sip(now, proto, source, target, payload):
    head, found, _ = payload.partition(b"\r\n\r\n")
    if not found:
        return None
    lines = head.decode("latin-1").split("\r\n")
    first = lines[0].split(" ", 2)
    if len(first) < 3 or "SIP/2.0" not in (first[0], first[2]):
        return None
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    cseq = headers.get("cseq", "0 ?").split()
    branch = headers.get("via", "").partition("branch=")[2].partition(";")[0]
    status = int(first[1]) if first[0] == "SIP/2.0" else 0
    method = cseq[-1] if status else first[0]
    uri = "" if status else first[1]
    return Sip(now, proto, source, target, method, status, headers.get("call-id", ""), branch, uri)
