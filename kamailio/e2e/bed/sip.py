"""Small SIP endpoints for the many short scenarios; sipp carries the full calls (see sipp.py)."""

import re
import selectors
import socket
import threading
import time

SILENT = 0


def parse_place(place):
    """("udp", "127.0.0.10", 5060) of "udp:127.0.0.10:5060" or "udp:[fd00::10]:5060"."""
    proto, rest = place.split(":", 1)
    host, port = rest.rsplit(":", 1)
    return proto, host.strip("[]"), int(port)


def _reply(request, code):
    head = request.split("\r\n\r\n", 1)[0].split("\r\n")
    lines = [f"SIP/2.0 {code} Scripted"]
    for line in head[1:]:
        name = line.partition(":")[0].strip().lower()
        if name == "to" and "tag=" not in line:
            line += ";tag=callee"
        if name in ("via", "from", "to", "call-id", "cseq", "record-route"):
            lines.append(line)
    return "\r\n".join([*lines, "Contact: <sip:callee@127.0.0.1:9>", "Content-Length: 0", "", ""]).encode()


class Callees:
    """Answers requests at many places at once. `codes` maps a place to its final code, SILENT for none.

    The code may be a list: one for each request, the last one for all that follow. A place that is not in
    the table is closed.
    """

    def __init__(self, codes):
        self.codes = {place: list(code) if isinstance(code, (list, tuple)) else [code] for place, code in codes.items()}
        self.answered = {}
        self.selector = selectors.DefaultSelector()
        for place in self.codes:
            proto, host, port = parse_place(place)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            kind = socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM
            sock = socket.socket(family, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host, port))
            if proto == "tcp":
                sock.listen(16)
            self.selector.register(sock, selectors.EVENT_READ, (proto, place))
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
        if proto == "udp":
            data, peer = sock.recvfrom(65535)
            for reply in self._answers(data, place):
                sock.sendto(reply, peer)
        elif proto == "tcp":
            connection, _ = sock.accept()
            self.selector.register(connection, selectors.EVENT_READ, ("connection", place))
        else:
            data = sock.recv(65535)
            if not data:
                self.selector.unregister(sock)
                sock.close()
            for reply in self._answers(data, place):
                sock.sendall(reply)

    def _answers(self, data, place):
        request = data.decode("latin-1")
        if not request.strip() or request.startswith(("ACK", "SIP/2.0")):
            return
        branch = re.search(r"branch=([^;\r\n]+)", request)
        key = (place, branch.group(1) if branch else "")
        if key not in self.answered:
            codes = self.codes[place]
            self.answered[key] = codes.pop(0) if len(codes) > 1 else codes[0]
        if self.answered[key] != SILENT:
            yield _reply(request, self.answered[key])


class Caller:
    """Sends requests to Kamailio over UDP and waits for their final replies."""

    def __init__(self, place="127.0.0.1:5080", proxy=("127.0.0.1", 5060)):
        host, port = place.rsplit(":", 1)
        self.place = place
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, int(port)))
        self.proxy = proxy
        self.count = 0

    def start(self, uri, method="MESSAGE", headers=()):
        """Sends a request without waiting; the result identifies it."""
        self.count += 1
        call_id = f"call-{self.count}-{time.monotonic_ns()}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.place};branch=z9hG4bK{call_id}",
            "Max-Forwards: 70",
            "From: <sip:caller@127.0.0.1>;tag=caller",
            f"To: <{uri}>",
            f"Call-ID: {call_id}",
            f"CSeq: 1 {method}",
            f"Contact: <sip:caller@{self.place}>",
            *headers,
            "Content-Length: 0",
        ]
        text = "\r\n".join([*lines, "", ""])
        self.sock.sendto(text.encode(), self.proxy)
        return call_id, uri, method, text

    def finish(self, call, seconds=30.0):
        """The final code, or None if there was none in time; a failed INVITE is acknowledged."""
        call_id, uri, method, text = call
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.sock.settimeout(max(0.01, min(2.0, end - time.monotonic())))
            try:
                reply = self.sock.recv(65535).decode("latin-1")
            except socket.timeout:
                continue
            code = int(reply.split(" ", 2)[1])
            if call_id not in reply or code < 200:
                continue
            if method == "INVITE":
                self._acknowledge(call, reply, code)
            return code
        return None

    def _acknowledge(self, call, reply, code):
        """ACK for a failure, which belongs to the INVITE's own transaction (RFC 3261 section 17.1.1.3)."""
        if code < 300:
            return
        _, uri, _, text = call
        to = next(line for line in reply.split("\r\n") if line.lower().startswith("to:"))
        lines = [f"ACK {uri} SIP/2.0"]
        for line in text.split("\r\n")[1:]:
            lines.append(to if line.startswith("To:") else line.replace("1 INVITE", "1 ACK"))
        self.sock.sendto("\r\n".join(lines).encode(), self.proxy)

    def call(self, uri, method="MESSAGE", headers=(), seconds=30.0):
        return self.finish(self.start(uri, method, headers), seconds)
