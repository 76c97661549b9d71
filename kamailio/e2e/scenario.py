"""What a scenario gets: parts of the test bed that end with it, and checks.

Checks can be turned against the scenario: with `flip` every expectation is replaced by a wrong one, with
`sabotage` the name server has other addresses than the scenario believes. Either must make it fail.
"""

import os
import re
import shutil
import time

from bed import dnsserver, kamailio, nsd, sandbox, short, sip, sipp, wire

CALLER = "127.0.0.1:5080"
KAMAILIO_PORT = 5060
# Lines of the server's log that are shown when it did not end in good order.
LAST_LINES = 20


def _wrong(expected):
    """Some other value of the same kind."""
    if isinstance(expected, bool):
        return not expected
    if isinstance(expected, (int, float)):
        return expected + 1
    if isinstance(expected, str):
        return expected + "?"
    if isinstance(expected, (list, tuple)):
        return list(expected) + ["something else"]
    if isinstance(expected, (set, frozenset)):
        return set(expected) | {"something else"}
    if isinstance(expected, dict):
        return {**expected, "something": "else"}
    return "something else"


def _moved(line):
    """The record with other addresses."""
    line = re.sub(r"\bA 127\.0\.0\.", "A 127.0.1.", line)
    return re.sub(r"\bAAAA fd00::1(\d)\b", r"AAAA fd00::2\1", line)


def _changes(values):
    """Those that differ from the one before, with their numbers."""
    return {number: value for number, value in enumerate(values) if number == 0 or value != values[number - 1]}


class Scenario:
    def __init__(self, build, name, folder, flip=False, sabotage=False, observe=True):
        self.build = build
        self.name = name
        self.folder = folder
        self.flip = flip
        self.sabotage = sabotage
        self.passed = 0
        self.failures = []
        self.endings = []
        self.servers = []
        self.nameservers = []
        self.run_folder = short.folder("ke2e-")
        self.endings.append(self._remove_run_folder)
        sandbox.enter()
        self.resolv_conf = os.path.join(folder, "resolv.conf")
        sandbox.bind_resolv_conf(self.resolv_conf, f"nameserver 127.0.0.1\noptions timeout:{build.patience()} attempts:2\n")
        self.observer = wire.Observer() if observe else None

    def _remove_run_folder(self):
        for name in os.listdir(self.run_folder):
            path = os.path.join(self.run_folder, name)
            # What is worth reading afterwards.
            if os.path.isfile(path):
                shutil.move(path, os.path.join(self.folder, name))
            elif not os.path.isdir(path):
                os.unlink(path)
        os.rmdir(self.run_folder)

    # --- parts

    def nsd(self, records):
        if self.sabotage:
            records = [_moved(line) for line in records]
        server = nsd.Nsd(self.run_folder, records)
        self.endings.append(server.stop)
        return server

    def dns(self, records=(), **more):
        if self.sabotage:
            records = [_moved(line) for line in records]
        # One that nobody holds would end in the midst of the scenario.
        self.nameservers.append(dnsserver.ScriptedServer(records, **more))
        return self.nameservers[-1]

    def kamailio(self, core=(), folder=None, **more):
        server = kamailio.Kamailio(self.build, folder or self.run_folder, core, **more)
        self.servers.append(server)
        return server.start()

    def end_kamailio(self, server):
        """Stops it; that it still runs and ends in good order is checked."""
        self.servers.remove(server)
        running = server.process is not None and server.process.poll() is None
        since = time.monotonic()
        status = server.stop()
        if running:
            self.check("kamailio ends in good order", status, 0, flippable=False)
        else:
            self.fail(f"kamailio died: {status}")
        # The folder is gone when somebody reads of it; what it said last is not.
        if status != 0:
            last = "\n".join(server.log().splitlines()[-LAST_LINES:])
            self.fail(f"it took {time.monotonic() - since:.1f} s to end, waited for {_changes(server.waited_for)}, and said last:\n{last}")

    def callees(self, codes):
        return sip.Callees(codes)

    def caller(self):
        return sip.Caller(CALLER)

    def sipp_callee(self, place, code=200):
        callee = sipp.Callee(self.folder, place, code, patience=self.build.patience())
        self.endings.append(callee.stop)
        return callee

    def sipp_calls(self, uri, final=200, **more):
        """Calls by sipp; the check is sipp's own verdict on the whole flow."""
        status, output = sipp.calls(self.folder, uri, final, place=CALLER, patience=self.build.patience(), **more)
        with open(os.path.join(self.folder, "caller.log"), "a") as log:
            log.write(output)
        self.check(f"sipp sees the calls to {uri} end with {final}", status, 0)

    # --- observations

    def arrivals(self, method="INVITE", since=(0, 0, 0)):
        """Where Kamailio sent new requests of this method, in order."""
        return [request.arrival for request in self.observer.requests(method, KAMAILIO_PORT, since)]

    def finals(self, since=(0, 0, 0)):
        """Final codes that the caller got for the INVITEs it sent since then."""
        started = {request.call_id for request in self.observer.requests("INVITE", None, since)}
        replies = self.observer.replies(CALLER, since)
        return [reply.status for reply in replies if reply.method == "INVITE" and reply.call_id in started]

    # --- checks

    def check(self, what, actual, expected, flippable=True):
        if self.flip and flippable:
            expected = _wrong(expected)
        if isinstance(expected, tuple):
            expected = list(expected)
        if isinstance(actual, tuple):
            actual = list(actual)
        if actual == expected:
            self.passed += 1
        else:
            self.fail(f"{what}: {actual!r}, expected {expected!r}")

    def check_that(self, what, condition):
        self.check(what, bool(condition), True)

    def fail(self, text):
        self.failures.append(text)

    def end(self):
        servers = [lambda server=server: self.end_kamailio(server) for server in self.servers]
        for ending in servers + self.endings[::-1]:
            try:
                ending()
            except Exception as error:  # One part that does not end must not keep the others.
                self.fail(f"ending: {error!r}")
