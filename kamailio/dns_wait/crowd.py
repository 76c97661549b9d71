"""Many requests to silent names, and calls to a known one beside them: how late are those?"""

import json
import os
import socket
import threading
import time

from bed import sip
from bed.wait import wait_for
from module import FR_TIMER, counts, kamailio

SECONDS = 30
SILENT_A_SECOND = 100
CALLS_A_SECOND = 20
LATE = 0.1
DEADLINE_MS = 4000


class Sender:
    """Sends MESSAGE requests at a steady rate, and notes when each is answered finally, and how often."""

    def __init__(self, port, rate, uri, seconds=SECONDS, names=1000000):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind(("127.0.0.1", port))
        self.port, self.rate, self.uri, self.count, self.names = port, rate, uri, seconds * rate, names
        self.sent, self.answers = {}, {}
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._send, self._receive)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        begin = time.monotonic()
        for number in range(self.count):
            time.sleep(max(0.0, begin + number / self.rate - time.monotonic()))
            call = f"{self.port}-{number}"
            uri = self.uri.format(number % self.names)
            lines = [f"MESSAGE {uri} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{call}",
                     "Max-Forwards: 70", "From: <sip:caller@127.0.0.1>;tag=caller", f"To: <{uri}>", f"Call-ID: {call}",
                     "CSeq: 1 MESSAGE", "Content-Length: 0", "", ""]
            self.sent[call] = time.monotonic()
            self.sock.sendto("\r\n".join(lines).encode(), ("127.0.0.1", 5060))

    def _receive(self):
        while True:
            reply = self.sock.recv(65535).decode("latin-1")
            code = int(reply.split(" ", 2)[1])
            call = reply.partition("Call-ID: ")[2].partition("\r\n")[0]
            if code >= 200:
                self.answers.setdefault(call, []).append((code, time.monotonic() - self.sent[call]))

    def all_sent(self):
        return not self.threads[0].is_alive()

    def all_answered(self):
        return self.all_sent() and len(self.answers) == len(self.sent)

    def codes(self):
        """How many got which final codes."""
        out = {}
        for answers in self.answers.values():
            key = "+".join(str(code) for code, _ in answers)
            out[key] = out.get(key, 0) + 1
        return out

    def times(self):
        return [took for answers in self.answers.values() for _, took in answers]


def _silent_but_one(scenario):
    """A nameserver that answers for some names; it ends when nobody holds it any more."""
    good = ["known.test", *(f"n{each}.good.test" for each in range(SECONDS))]
    dns = scenario.dns([f"{name} A 127.0.0.10" for name in good])
    dns.lives = True
    dns.rules = {"*": "drop", **{(name, "A"): "answer" for name in good}}
    scenario.callees({"udp:127.0.0.10:5060": 200})
    return dns


def _figures(calls):
    return {"calls": len(calls.sent), "answered": calls.codes(), "later than 0.1 s": sum(took > LATE for took in calls.times()),
            "longest of a call, s": round(max(calls.times(), default=0), 4)}


def _write(scenario, name, figures):
    with open(os.path.join(scenario.folder, name), "w") as file:
        json.dump(figures, file, indent=1)


def without(scenario):
    """The same with t_relay() alone, on the library or on the original's code (DNS_WAIT_SERVER=stock): figures, no judgement."""
    dns = _silent_but_one(scenario)
    if os.environ.get("DNS_WAIT_SERVER") == "stock":
        scenario.build.server = os.environ["DNS_WAIT_STOCK"]
    scenario.kamailio(("dns_try_ipv6=no",), children=4, fr_timer=FR_TIMER, ipv6=False, memory=128)
    scenario.check("the known name", scenario.caller().call("sip:u@known.test:5060"), 200)
    many = Sender(5090, SILENT_A_SECOND, "sip:u@s{}.silent.test:5060")
    calls = Sender(5091, CALLS_A_SECOND, "sip:u@known.test:5060")
    new = Sender(5092, 1, "sip:u@n{}.good.test:5060")
    wait_for("all sent", lambda: many.all_sent() and calls.all_sent() and new.all_sent(), 60)
    time.sleep(10)
    _write(scenario, "without.json", {**_figures(calls), "calls to new names": _figures(new), "crowd": many.codes(),
                                      "questions": len(dns.questions())})


def crowd(scenario):
    """Each request of the crowd gets one final answer, and each call goes through; how late is in crowd.json."""
    dns = _silent_but_one(scenario)
    server = kamailio(scenario, deadline=DEADLINE_MS, options={"children": 4, "memory": 128})
    scenario.check("the known name", scenario.caller().call("sip:u@known.test:5060"), 200)
    many = Sender(5090, SILENT_A_SECOND, "sip:u@s{}.silent.test:5060")
    calls = Sender(5091, CALLS_A_SECOND, "sip:u@known.test:5060")
    new = Sender(5092, 1, "sip:u@n{}.good.test:5060")
    most = 0
    while not many.all_sent():
        most = max(most, counts(server, "waiting")["waiting"])
        time.sleep(0.5)
    wait_for("all answers", lambda: many.all_answered() and calls.all_answered() and new.all_answered(), 60)
    scenario.check("finals of calls to new names", new.codes(), {"200": SECONDS})
    scenario.check("finals of calls", calls.codes(), {"200": SECONDS * CALLS_A_SECOND})
    scenario.check("requests of the crowd with one final", sum(len(each) == 1 for each in many.answers.values()),
                   SECONDS * SILENT_A_SECOND)
    # Many times as many as there are SIP workers: had these waited, no call would have gone through meanwhile.
    scenario.check_that(f"many were suspended at a time: {most}", most > 40)
    _write(scenario, "crowd.json", {
        **_figures(calls), "calls to new names": _figures(new), "crowd": many.codes(), "longest of the crowd, s": round(max(many.times()), 3),
        "most suspended": most, "questions": len(dns.questions()),
        "counts": counts(server, "suspended", "continued", "gone", "timeout", "failed", "shed", "ready")})


SUSPENDED = 10000


def _used(server):
    """Shared memory in use."""
    return int(server.rpc("core.shmmem")["used"])


class Steady(sip.Callees):
    """A callee that a burst does not end: what it has no room for comes again."""

    def __init__(self, codes):
        super().__init__(codes)
        for key in self.selector.get_map().values():
            key.fileobj.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 20)

    def _ready(self, sock, proto, place):
        try:
            super()._ready(sock, proto, place)
        except OSError as error:
            self.errors = {*getattr(self, "errors", ()), str(error)}


def _write_odd(scenario, caller, callee):
    """What went over the wire for requests that did not end as they should."""
    with open(os.path.join(scenario.folder, "odd.txt"), "w") as file:
        print("errors of the callee:", getattr(callee, "errors", "none"), file=file)
        for call, answers in caller.answers.items():
            if len(answers) == 1 and answers[0][0] in (200, 503):
                continue
            print(call, answers, file=file)
            for each in scenario.observer.sip:
                if each.call_id == call:
                    print("   ", round(each.time - caller.sent[call], 3), each.source, each.target, each.method, each.status,
                          file=file)


def thousands(scenario):
    """10,000 transactions are suspended at once; then DNS answers, and all go on, once. Memory is as it was in the end."""
    with open(scenario.resolv_conf, "w") as file:
        file.write("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    names = range(100)
    dns = scenario.dns([f"_sip._udp.s{each}.late.test SRV 1 1 5060 a{each}.late.test" for each in names]
                       + [f"a{each}.late.test A 127.0.0.10" for each in names])
    # A question is given 5 s: two of them, one after the other, hold all up until all are there.
    dns.rules = {**{(f"_sip._udp.s{each}.late.test", "SRV"): 4.0 for each in names},
                 **{(f"a{each}.late.test", "A"): 4.0 for each in names}}
    callee = Steady({"udp:127.0.0.10:5060": 200})
    server = kamailio(scenario, core=("dns_retr_time=30", "dns_retr_no=1"), deadline=20000, max_waiting=SUSPENDED,
                      options={"children": 4, "memory": 1024, "fr_timer": 60000})
    before = _used(server)
    caller = Sender(5090, 1500, "sip:u@s{}.late.test", 7, len(names))
    total = caller.count
    wait_for("all suspended", lambda: counts(server, "waiting", "shed") == {"waiting": SUSPENDED, "shed": total - SUSPENDED}, 60)
    during = _used(server)
    wait_for("all answers", caller.all_answered, 120)
    _write_odd(scenario, caller, callee)
    scenario.check("finals", caller.codes(), {"200": SUSPENDED, "503": total - SUSPENDED})
    scenario.check("counts", counts(server, "suspended", "continued", "gone", "waiting"),
                   {"suspended": SUSPENDED, "continued": SUSPENDED, "gone": 0, "waiting": 0})
    # tm keeps a transaction for 5 s after its end; what the library and the server keep for good is no leak.
    wait_for("memory is given back", lambda: _used(server) - before < (during - before) // 50, 60)
    _write(scenario, "thousands.json", {"before": before, "during": during, "after": _used(server),
                                        "octets for each": (during - before) // SUSPENDED})


def scenarios():
    return [("a crowd at silent names", crowd, ""), ("the same with t_relay alone", without, ""),
            ("thousands at once", thousands, "")]
