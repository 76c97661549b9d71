"""SIP requests at a steady rate, and when and how each was answered."""

import dataclasses
import re
import socket
import threading
import time

CALL_ID = re.compile(rb"^call-id:\s*(\S+)", re.IGNORECASE | re.MULTILINE)


@dataclasses.dataclass
class Call:
    """One request; `done` and `code` stay None until it has a final reply. Times are of the monotonic clock."""

    uri: str
    sent: float
    done: float | None = None
    code: int | None = None

    @property
    def ok(self):
        return self.code == 200

    @property
    def seconds(self):
        """From the request to its final reply."""
        return self.done - self.sent if self.done is not None else None


class Load:
    """A caller that never waits: replies are collected by a thread."""

    def __init__(self, place=("127.0.0.1", 5081), proxy=("127.0.0.1", 5060)):
        self.place = "%s:%d" % place
        self.proxy = proxy
        self.calls = {}
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind(place)
        threading.Thread(target=self._receive, daemon=True).start()

    def _receive(self):
        while True:
            data = self.sock.recv(65535)
            now = time.monotonic()
            found = CALL_ID.search(data)
            call = self.calls.get(found.group(1)) if found else None
            code = int(data.split(b" ", 2)[1]) if data.startswith(b"SIP/2.0 ") else 0
            if call is not None and code >= 200 and call.done is None:
                call.code, call.done = code, now

    def send(self, uri):
        """Sends one MESSAGE."""
        call_id = f"c{len(self.calls)}"
        call = Call(uri, time.monotonic())
        self.calls[call_id.encode()] = call
        self.sock.sendto(
            (
                f"MESSAGE {uri} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {self.place};branch=z9hG4bK{call_id}\r\n"
                "Max-Forwards: 70\r\n"
                "From: <sip:caller@127.0.0.1>;tag=caller\r\n"
                f"To: <{uri}>\r\n"
                f"Call-ID: {call_id}\r\n"
                "CSeq: 1 MESSAGE\r\n"
                "Content-Length: 0\r\n\r\n"
            ).encode(),
            self.proxy,
        )
        return call

    def run(self, uris, rate, seconds):
        """Sends to the URIs in turn, `rate` a second; the calls."""
        start = time.monotonic()
        out = []
        while True:
            due = start + len(out) / rate
            if due >= start + seconds:
                return out
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            out.append(self.send(uris[len(out) % len(uris)]))

    def mix(self, streams, seconds):
        """Sends to several streams at once, each a rate and a function that gives the next URI; a list of calls for each."""
        start = time.monotonic()
        out = [[] for _ in streams]
        while True:
            due, number = min((start + len(calls) / streams[number][0], number) for number, calls in enumerate(out))
            if due >= start + seconds:
                return out
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            out[number].append(self.send(streams[number][1]()))

    @staticmethod
    def finish(calls, seconds):
        """Waits until all calls have their final reply, at most so long."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and any(call.done is None for call in calls):
            time.sleep(0.02)
        return calls
