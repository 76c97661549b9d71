"""kamailio_dns_client.h from Python, by ctypes: a wrapper for asyncio, and that it works."""

import asyncio
import ctypes
import socket
import sys
import threading

LIBRARY = ctypes.CDLL(sys.argv[1])
SIGALRM_S = 120


class Terms(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("flags", ctypes.c_uint),
        ("deadline_ms", ctypes.c_uint),
        ("seed", ctypes.c_uint),
        ("user", ctypes.c_void_p),
    ]


class Target(ctypes.Structure):
    _fields_ = [
        ("to", ctypes.c_byte * 128),
        ("to_length", ctypes.c_uint),
        ("transport", ctypes.c_ubyte),
        ("marks", ctypes.c_ubyte),
        ("priority", ctypes.c_ushort),
        ("weight", ctypes.c_ushort),
        ("ttl", ctypes.c_uint),
        ("host", ctypes.c_char * 256),
    ]

    @property
    def address(self):
        raw = bytes(self.to)
        port = int.from_bytes(raw[2:4], "big")
        if int.from_bytes(raw[:2], sys.byteorder) == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, raw[4:8]), port
        return socket.inet_ntop(socket.AF_INET6, raw[8:24]), port


for name in ("kdns_finished", "kdns_user"):
    getattr(LIBRARY, name).restype = ctypes.c_void_p
LIBRARY.kdns_error_text.restype = ctypes.c_char_p


class Failed(Exception):
    def __init__(self, code):
        super().__init__(LIBRARY.kdns_error_text(code).decode())
        self.code = code


class Context:
    """Requests of one event loop."""

    def __init__(self):
        self.pointer = ctypes.c_void_p()
        code = LIBRARY.kdns_open(ctypes.byref(self.pointer))
        if code < 0:
            raise Failed(code)
        self.waiting = {}
        self.timer = None
        self.loop = asyncio.get_running_loop()
        self.loop.add_reader(LIBRARY.kdns_fd(self.pointer), self.turn)

    def turn(self):
        LIBRARY.kdns_process(self.pointer)
        while request := LIBRARY.kdns_finished(self.pointer):
            future = self.waiting.pop(request)
            if not future.done():
                future.set_result(None)
        self.set_timer()

    def set_timer(self):
        if self.timer:
            self.timer.cancel()
        ms = LIBRARY.kdns_timeout(self.pointer)
        self.timer = self.loop.call_later(ms / 1000, self.turn) if ms >= 0 else None

    async def resolve(self, uri, flags=0):
        """The targets of a URI, in the order of use."""
        terms = Terms(size=ctypes.sizeof(Terms), flags=flags)
        request = ctypes.c_void_p()
        text = uri.encode()
        arguments = (self.pointer, text, len(text), ctypes.byref(terms))
        code = LIBRARY.kdns_start(*arguments, ctypes.byref(request))
        if code < 0:
            raise Failed(code)
        future = self.loop.create_future()
        self.waiting[request.value] = future
        self.set_timer()
        try:
            await future
            status = LIBRARY.kdns_status(request)
            if status < 0:
                raise Failed(status)
            return list(self.targets(request))
        finally:
            self.waiting.pop(request.value, None)
            LIBRARY.kdns_release(request)

    @staticmethod
    def targets(request):
        place = 0
        while True:
            target = Target()
            size = ctypes.sizeof(target)
            if LIBRARY.kdns_target(request, place, ctypes.byref(target), size) < 0:
                return
            yield target
            place += 1

    def close(self):
        self.loop.remove_reader(LIBRARY.kdns_fd(self.pointer))
        if self.timer:
            self.timer.cancel()
        LIBRARY.kdns_close(self.pointer)


def serve(server):
    """Addresses for what begins with `a`, silence for `s`, else: no such name."""
    while True:
        query, peer = server.recvfrom(600)
        end = 12
        while query[end]:
            end += query[end] + 1
        end += 5
        kind, rtype = query[13:14], query[end - 3]
        if kind == b"s":
            continue
        is_address = kind == b"a" and rtype == 1
        flags = b"\x84\x80" if kind == b"a" else b"\x84\x83"
        counts = b"\0\x01" + (b"\0\x01" if is_address else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\xc0\0\2\1" if is_address else b""
        server.sendto(query[:2] + flags + counts + query[12:end] + answer, peer)


async def main():
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(server,), daemon=True).start()
    for option, value in (
        ("dns_nameservers", f"127.0.0.1:{server.getsockname()[1]}"),
        ("dns_use_search_list", "no"),
        ("dns_edns", "no"),
        ("dns_retr_time", "20"),
        ("dns_retr_no", "1"),
    ):
        assert LIBRARY.dns_option_set(option.encode(), value.encode()) == 0, option
    context = Context()
    uris = [f"sip:a{number}.example:{5000 + number}" for number in range(200)]
    found = await asyncio.gather(*(context.resolve(uri) for uri in uris))
    for number, targets in enumerate(found):
        addresses = [target.address for target in targets]
        assert addresses == [("192.0.2.1", 5000 + number)], (number, addresses)
    try:
        await context.resolve("sip:nobody.example:5060")
        raise AssertionError("a name that does not exist has targets")
    except Failed as failed:
        assert failed.code == -1, failed
    # One that is given up meanwhile.
    try:
        await asyncio.wait_for(context.resolve("sip:silent.example:5060"), 0.05)
        raise AssertionError("a silent name has targets")
    except asyncio.TimeoutError:
        pass
    assert not context.waiting
    context.close()
    print("204 requests")


asyncio.run(asyncio.wait_for(main(), SIGALRM_S))
