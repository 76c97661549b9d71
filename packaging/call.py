#!/usr/bin/env python3
"""A call through a Kamailio at 127.0.0.1:5060 with Debian's own configuration, which calls nobody but its own subscribers.

    call.py NAME FOLDER

The subscriber NAME registers with a contact whose host is a name, so where the call goes Kamailio has to ask the DNS:
sip:NAME@NAME.calls.test, which leads by SRV to 127.0.0.2:5070. There sipp answers. The status says how the call ended.
"""

import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kamailio", "e2e"))
from bed import sipp  # noqa: E402

CALLEE = "udp:127.0.0.2:5070"


def register(name):
    """Tells Kamailio the contact; returns the first line of its reply."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(20)
        phone.bind(("127.0.0.1", 0))
        host, port = phone.getsockname()
        request = [
            "REGISTER sip:127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{name}{port}",
            f"From: <sip:{name}@127.0.0.1>;tag={port}",
            f"To: <sip:{name}@127.0.0.1>",
            f"Call-ID: {name}-{port}",
            "CSeq: 1 REGISTER",
            f"Contact: <sip:{name}@{name}.calls.test>",
            "Expires: 600",
            "Max-Forwards: 70",
            "Content-Length: 0",
            "",
            "",
        ]
        phone.sendto("\r\n".join(request).encode(), ("127.0.0.1", 5060))
        return phone.recv(65535).decode(errors="replace").split("\r\n")[0]


def main(name, folder):
    reply = register(name)
    print(reply)
    if not reply.startswith("SIP/2.0 200"):
        return 1
    callee = sipp.Callee(folder, CALLEE)
    try:
        status, output = sipp.calls(folder, f"sip:{name}@127.0.0.1", place="127.0.0.1:5080")
    finally:
        callee.stop()
    if status != 0:
        print(output)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
