"""Sends one SIP request to a server, answers what arrives at a callee's port, and prints the status that comes back.

call.py SERVER_PORT CALLEE_PORT USER
"""

import select
import socket
import sys
import time

server, callee, user = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]


def request(port):
    """An OPTIONS request, as sent from a port."""
    return "\r\n".join([
        f"OPTIONS sip:{user}@127.0.0.1:{server} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKcall{time.time_ns()}",
        "From: <sip:+1000@127.0.0.1>;tag=1",
        f"To: <sip:{user}@127.0.0.1>",
        f"Call-ID: {time.time_ns()}",
        "CSeq: 1 OPTIONS",
        "Max-Forwards: 5",
        "Content-Length: 0",
        "",
        "",
    ]).encode()


def answer(message):
    """A 200 with the headers that an answer repeats."""
    kept = ("via:", "from:", "to:", "call-id:", "cseq:")
    lines = [line for line in message.decode().split("\r\n") if line.lower().startswith(kept)]
    return "\r\n".join(["SIP/2.0 200 OK", *lines, "Content-Length: 0", "", ""]).encode()


caller = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
caller.bind(("127.0.0.1", 0))
target = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
target.bind(("127.0.0.1", callee))
caller.sendto(request(caller.getsockname()[1]), ("127.0.0.1", server))
end = time.monotonic() + 20
while time.monotonic() < end:
    for ready in select.select([caller, target], [], [], 0.5)[0]:
        message, source = ready.recvfrom(65535)
        if ready is target and message.startswith(b"OPTIONS"):
            target.sendto(answer(message), source)
        elif ready is caller:
            status = message.split()[1].decode()
            if status != "100":
                print(status)
                sys.exit(0)
print("nothing")
