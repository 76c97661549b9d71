"""Runs the calls of one network through one Kamailio; in namespaces of its own."""

import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import threading
import time

from bed import kamailio, sandbox, short

import draw
from server import SHOWN_BY_TWO_ZONES, Server

WORKERS = 4
PLACES = [(host, port) for host in (draw.CALLEE, draw.BACKUP, draw.OTHER) for port in (5060, draw.PORT)]
# Longer than the original looks for anything with the options of the table.
PATIENCE = 45
CALL_ID = re.compile(rb"^call-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


class Callees:
    """Answers each request with 200, and notes where it came to: `arrived` has call-id: place."""

    def __init__(self):
        self.arrived = {}
        self.selector = selectors.DefaultSelector()
        for host, port in PLACES:
            for kind, proto in ((socket.SOCK_DGRAM, "udp"), (socket.SOCK_STREAM, "tcp")):
                sock = socket.socket(socket.AF_INET, kind)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                sock.bind((host, port))
                if proto == "tcp":
                    sock.listen(16)
                self.selector.register(sock, selectors.EVENT_READ, (proto, f"{proto}:{host}:{port}"))
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            for key, _ in self.selector.select():
                proto, place = key.data
                try:
                    self._ready(key.fileobj, proto, place)
                except OSError:
                    self.selector.unregister(key.fileobj)

    def _ready(self, sock, proto, place):
        if proto == "tcp":
            connection, _ = sock.accept()
            self.selector.register(connection, selectors.EVENT_READ, ("connection", place))
            return
        data, peer = sock.recvfrom(65535)
        if proto == "connection" and not data:
            self.selector.unregister(sock)
            sock.close()
            return
        found = CALL_ID.search(data)
        if not found or data.startswith(b"SIP/2.0"):
            return
        self.arrived.setdefault(found.group(1).decode(), place)
        lines = ["SIP/2.0 200 OK"]
        for line in data.decode("latin-1").split("\r\n\r\n")[0].split("\r\n")[1:]:
            if line.partition(":")[0].strip().lower() in ("via", "from", "to", "call-id", "cseq"):
                lines.append(line + (";tag=callee" if line.lower().startswith("to:") else ""))
        reply = "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()
        if proto == "udp":
            sock.sendto(reply, peer)
        else:
            sock.sendall(reply)


class Caller:
    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 5080))

    def call(self, call_id, uri):
        """(final code or None, seconds until it came)"""
        message = (
            f"MESSAGE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5080;branch=z9hG4bK{call_id}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:caller@127.0.0.1>;tag=caller\r\nTo: <{uri}>\r\nCall-ID: {call_id}\r\nCSeq: 1 MESSAGE\r\n"
            "Content-Length: 0\r\n\r\n"
        )
        start = time.monotonic()
        self.sock.sendto(message.encode(), ("127.0.0.1", 5060))
        while time.monotonic() < start + PATIENCE:
            self.sock.settimeout(max(0.01, start + PATIENCE - time.monotonic()))
            try:
                reply = self.sock.recv(65535)
            except socket.timeout:
                break
            code = int(reply.split(b" ", 2)[1])
            found = CALL_ID.search(reply)
            if code >= 200 and found and found.group(1).decode() == call_id:
                return code, time.monotonic() - start
        return None, PATIENCE


def _kill(server):
    """With the processes that wait for a nameserver."""
    for pid in server.pids():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    server.process.wait(10)


def measure(kind, build, network, folder):
    """For each call: {"code", "seconds", "place", "contacts": first contacts with a fault, "asked"}."""
    sandbox.enter()
    addresses = [draw.FIRST_SERVER, draw.SECOND_SERVER][: len(network["servers"])]
    lines = network.get("written") or [f"nameserver {address}" for address in addresses]
    _bind(os.path.join(folder, "resolv.conf"), "/etc/resolv.conf", lines + network["resolv"])
    if network.get("hosts"):
        _bind(os.path.join(folder, "hosts"), "/etc/hosts", network["hosts"])
    core = network["core"] + (network.get("ours", []) if kind == "ours" else [])
    servers = [
        Server(address, draw.records(network["calls"], one["other"]), one["faults"], one["tcp"])
        for address, one in zip(addresses, network["servers"], strict=True)
    ]
    callees, caller = Callees(), Caller()
    run_folder = short.folder("knet-")
    server = kamailio.Kamailio(
        build, run_folder, core=core, children=WORKERS, ipv6=False, fr_timer=5000, start_seconds=90,
    )
    out, met = [], set()
    try:
        server.start()
        # A call without DNS: whatever is done once is done.
        caller.call("warm", f"sip:u@{draw.CALLEE}:{draw.PORT}")
        for number, call in enumerate(network["calls"]):
            asked = sum(one.asked for one in servers)
            for one in servers:
                one.call_begins()
            call_id = f"call-{number}"
            code, seconds = caller.call(call_id, call["uri"])
            # Packets that are still under way belong to this call.
            time.sleep(0.05)
            contacts = _contacts(servers, met) + _is_first_of_absent(network, number)
            out.append({
                "code": code, "seconds": seconds, "place": callees.arrived.get(call_id), "contacts": contacts,
                "asked": sum(one.asked for one in servers) - asked,
            })
    finally:
        if server.process is not None:
            _kill(server)
        shutil.copy(server.log_path, os.path.join(folder, "kamailio.log"))
        shutil.rmtree(run_folder, ignore_errors=True)
    return out


def _bind(path, place, lines):
    """Makes the file at `path`, with these lines, this namespace's file at `place`. One letter may be no UTF-8."""
    with open(path, "w", encoding="latin-1") as file:
        file.write("\n".join(lines) + "\n")
    subprocess.run(["mount", "--bind", path, os.path.realpath(place)], check=True)


def _contacts(servers, met):
    """How many first contacts with a fault there were since `met`, which is brought up to date."""
    count = 0
    for one in servers:
        for kind, zones in list(one.hits.items()):
            for zone in list(zones):
                known = sum(key[:2] == (one.address, kind) for key in met)
                if (one.address, kind, zone) not in met:
                    count += known < (2 if kind in SHOWN_BY_TWO_ZONES else 1)
                    met.add((one.address, kind, zone))
    return count


def _is_first_of_absent(network, number):
    """A server that is not there counts no hits: the first call is the first contact."""
    absent = any(fault["do"] == "icmp" for one in network["servers"] for fault in one["faults"])
    absent = absent or any(one["tcp"] == "none" for one in network["servers"])
    return absent and number == 0
