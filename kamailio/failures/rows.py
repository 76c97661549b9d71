"""What is measured: one function for each failure. Each runs in namespaces of its own and returns numbers.

`Bed` starts Kamailio with eight workers, a scripted name server and callees that answer. The name server's
rules are in bed/dnsserver.py.
"""

import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

from bed import dnsserver, kamailio, sandbox, short, sip

from load import Load

WORKERS = 8
CALLEE = "127.0.0.20"
PORT = 5070


class Bed:
    """What a row runs in; ended by `close_all`."""

    all = []

    def __init__(self, build, folder, lines, resolv="nameserver 127.0.0.1\n", core=(), addresses=("127.0.0.1",)):
        sandbox.enter()
        sandbox.bind_resolv_conf(os.path.join(folder, "resolv.conf"), resolv)
        self.dns = dnsserver.ScriptedServer(lines, addresses)
        sip.Callees({f"udp:{CALLEE}:{PORT}": 200})
        self.load = Load()
        self.run_folder = short.folder("kfail-")
        self.kamailio = kamailio.Kamailio(
            build, self.run_folder, core=core, children=WORKERS, ipv6=False, fr_timer=5000, memory=64,
            start_seconds=60,
        )
        Bed.all.append(self)
        self.kamailio.start()

    def counters(self):
        """What the library counted; None on a stock server, which has no such command."""
        try:
            return self.kamailio.rpc("dns.stats")
        except kamailio.RpcFault:
            return None

    def close(self):
        """Ends all processes of the server, also those that wait for a name server."""
        if self.kamailio.process is not None:
            for pid in self.kamailio.pids():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.kamailio.process.wait(10)
        shutil.rmtree(self.run_folder, ignore_errors=True)

    def asked(self, since=0.0, name=None, server=None):
        """Number of questions that came in."""
        return sum(
            when >= since and (name is None or question == name) and (server is None or address == server)
            for address, question, _, when in list(self.dns.asked)
        )


def close_all():
    for bed in Bed.all:
        bed.close()


def uri(name):
    """Only the address of the name is asked for: the URI has a port."""
    return f"sip:user@{name}:{PORT}"


def silent(build, folder, full, core=()):
    """Eight calls at once to a name whose server drops everything; then a ninth."""
    bed = Bed(build, folder, [], core=core)
    # The name server that passes the questions on is well.
    bed.dns.rules["*"], bed.dns.lives = "drop", True
    calls = [bed.load.send("sip:user@silent.test") for _ in range(WORKERS)]
    Load.finish(calls, 60)
    queries = bed.asked()
    # A single call at a time finds out whether the name is answered again: this one may do so.
    again = bed.load.send("sip:user@silent.test")
    Load.finish([again], 60)
    return {
        "blocked": [call.seconds for call in calls],
        "queries": queries,
        "again": again.seconds,
        "codes": sorted({str(call.code) for call in calls}),
    }


def deadline(build, folder, full):
    """The same where the library has a shorter deadline. The original has no such option."""
    return silent(build, folder, full, ["DNS.resolve_deadline=2000"] if build.kind == "ours" else [])


def herd(build, folder, full):
    """Eight calls at once to a name that is not cached, 300 ms away."""
    names = [f"herd{number}.test" for number in range(3)]
    bed = Bed(build, folder, [f"{name} 60 A {CALLEE}" for name in names])
    bed.dns.rules["*"] = 0.3
    queries, times = [], []
    for name in names:
        calls = Load.finish([bed.load.send(uri(name)) for _ in range(WORKERS)], 30)
        queries.append(bed.asked(name=name))
        times += [call.seconds if call.ok else None for call in calls]
    return {"queries": queries, "seconds": times}


def hot(build, folder, full):
    """200 calls/s to one name while its record expires; the name server is 500 ms away."""
    trip, ttl, rate = 0.5, 8, 200
    bed = Bed(build, folder, [f"hot.test {ttl} A {CALLEE}"])
    bed.dns.rules["*"] = trip
    Load.finish([bed.load.send(uri("hot.test"))], 30)
    start = time.monotonic()
    # Long enough for one expiry or one refresh ahead of it, not for a second one.
    calls = bed.load.run([uri("hot.test")], rate, ttl + 2)
    Load.finish(calls, 30)
    return {
        "calls": len(calls),
        "failed": sum(not call.ok for call in calls),
        "delayed": sum(call.seconds is None or call.seconds > trip / 2 for call in calls),
        "longest": max((call.seconds for call in calls if call.seconds is not None), default=None),
        "queries": bed.asked(since=start),
    }


def dead_server(build, folder, full):
    """Misses one after the other; the first of two name servers is silent, the second 100 ms away."""
    trip, count = 0.1, 8 if full else 4
    names = [f"miss{number}.test" for number in range(count)]
    bed = Bed(
        build, folder, [f"{name} 60 A {CALLEE}" for name in names],
        resolv="nameserver 127.0.0.3\nnameserver 127.0.0.1\n", addresses=("127.0.0.1", "127.0.0.3"),
    )
    bed.dns.rules["*"] = trip
    bed.dns.rules[("127.0.0.3", "*")] = "drop"
    added = []
    for name in names:
        (call,) = Load.finish([bed.load.send(uri(name))], 40)
        added.append(call.seconds - trip if call.ok else None)
    return {"trip": trip, "added": added, "dead_asked": bed.asked(server="127.0.0.3")}


def outage(build, folder, full, seconds):
    """Calls to names in use, while the name server is silent for a while."""
    ttl, rate = 5, 50
    names = [f"used{number}.test" for number in range(10)]
    bed = Bed(build, folder, [f"{name} {ttl} A {CALLEE}" for name in names])
    uris = [uri(name) for name in names]
    warm = Load.finish(bed.load.run(uris, rate, 2), 30)
    bed.dns.rules["*"] = "drop"
    calls = bed.load.run(uris, rate, seconds)
    # As long as a caller is kept waiting by a name server that is asked twice.
    Load.finish(calls, 10)
    bed.dns.rules.clear()
    after = Load.finish(bed.load.run(uris, rate, 2), 5)
    return {
        "outage": seconds,
        "calls": len(calls),
        "failed": sum(not call.ok for call in calls),
        "slow": sum(call.ok and call.seconds > 0.5 for call in calls),
        "before": len(warm),
        "failed_before": sum(not call.ok for call in warm),
        "failed_after": sum(not call.ok for call in after),
        "after": len(after),
    }


def new_name(build, folder, full):
    """A name is asked for the first time just after a 1 s outage began; calls go on until one gets through."""
    patience = 75 if full else 10
    bed = Bed(
        build, folder, [f"new.test 60 A {CALLEE}", f"other.test 60 A {CALLEE}"],
        core=["dns_retr_time=1", "dns_retr_no=1"],
    )
    # The name servers are known and well when the outage begins.
    Load.finish([bed.load.send(uri("other.test"))], 30)
    bed.dns.rules["*"] = "drop"
    end = time.monotonic() + 1
    calls, first = [], None
    while first is None and time.monotonic() < end + patience:
        calls.append(bed.load.send(uri("new.test")))
        time.sleep(0.1)
        if time.monotonic() >= end:
            bed.dns.rules.clear()
        first = next((call for call in calls if call.ok), None)
    return {
        "works_after": first.done - end if first else None,
        "patience": patience,
        "calls": len(calls),
        "queries": bed.asked(name="new.test"),
    }


def times_of(calls):
    """When the calls were answered with success: how many of them, soon, late, and the longest wait."""
    done = [call.seconds for call in calls if call.ok]
    return {
        "calls": len(calls),
        "soon": sum(seconds <= 0.1 for seconds in done),
        "late": sum(seconds <= 0.5 for seconds in done),
        "done": len(done),
        "longest": max(done, default=None),
    }


def silent_but(bed, names):
    """Only these names are answered for, each after so many seconds; the name server that passes the questions on is well."""
    bed.dns.rules = {(name, "*"): seconds for name, seconds in names.items()}
    bed.dns.lives = True
    bed.dns.rules["*"] = "drop"


def crowd(build, folder, full, silent_name):
    """20 calls/s to a cached name and one a second to new names, while names are asked for whose servers keep silent."""
    new = [f"new{number}.test" for number in range(200)]
    bed = Bed(build, folder, [f"{name} 600 A {CALLEE}" for name in ["good.test", *new]])
    silent_but(bed, {"good.test": 0, **dict.fromkeys(new, 0.02)})
    Load.finish([bed.load.send(uri("good.test"))], 30)
    fresh, number = iter(new), iter(range(1_000_000))
    phases = []
    for rate in (1, 10, 100) if full else (1, 10):
        good, others, _ = bed.load.mix(
            [(20, lambda: uri("good.test")), (1, lambda: uri(next(fresh))), (rate, lambda: uri(silent_name(next(number))))],
            30 if full else 20,
        )
        Load.finish(good + others, 25)
        phases.append({"rate": rate, "good": times_of(good), "new": times_of(others)})
    return {"phases": phases}


def crowd_of_one_parent(build, folder, full):
    return crowd(build, folder, full, lambda number: f"a{number}.attacker.test")


def crowd_of_many_parents(build, folder, full):
    return crowd(build, folder, full, lambda number: f"x.a{number}.attacker{number}.test")


def one_silent_name(build, folder, full):
    """5 calls/s to a name whose server keeps silent, 10/s to a cached one."""
    bed = Bed(build, folder, [f"good.test 600 A {CALLEE}"])
    silent_but(bed, {"good.test": 0})
    Load.finish([bed.load.send(uri("good.test"))], 30)
    streams = [(10, lambda: uri("good.test")), (5, lambda: uri("x.silent.test"))]
    good, _ = bed.load.mix(streams, 120 if full else 20)
    Load.finish(good, 25)
    return {"good": times_of(good), "queries": bed.asked(name="x.silent.test")}


def lost_packet(build, folder, full):
    """10 calls/s to a new name whose first query packet is lost, 10/s to a cached one."""
    bed = Bed(build, folder, [f"good.test 600 A {CALLEE}", f"new.test 600 A {CALLEE}"])
    bed.dns.rules = {("new.test", "A"): "dropped / after 20 answer"}
    Load.finish([bed.load.send(uri("good.test"))], 30)
    calls = bed.load.mix([(10, lambda: uri("good.test")), (10, lambda: uri("new.test"))], 10)
    good, new = (Load.finish(stream, 25) for stream in calls)
    return {"good": times_of(good), "new": times_of(new), "queries": bed.asked(name="new.test")}


def lossy(build, folder, full):
    """20 calls/s to a name with TTL 0 and 10/s to a cached one, while some packets are lost, by a seed."""
    seconds = 60 if full else 15
    phases = []
    bed = Bed(build, folder, [f"good.test 600 A {CALLEE}", f"zero.test 0 A {CALLEE}"])
    Load.finish([bed.load.send(uri("good.test"))], 30)
    for percent in (1, 5):
        rng = random.Random(percent)
        # A lost query and a lost reply are the same to who asks.
        fates = ["dropped" if rng.random() < 2 * percent / 100 else "after 20 answer" for _ in range(40 * seconds)]
        bed.dns.rules = {("zero.test", "A"): " / ".join(fates)}
        calls = bed.load.mix([(10, lambda: uri("good.test")), (20, lambda: uri("zero.test"))], seconds)
        good, zero = (Load.finish(stream, 25) for stream in calls)
        phases.append({"percent": percent, "good": times_of(good), "name": times_of(zero)})
    return {"phases": phases}


def query_sockets(port=53):
    """The sockets that are connected to a name server."""
    with open("/proc/net/udp") as file:
        fields = [line.split() for line in file][1:]
    return {f"socket:[{field[9]}]" for field in fields if field[2].endswith(f":{port:04X}")}


def owner_of_one(bed, inodes):
    """A process of the server that has one of the sockets open."""
    for pid in bed.kamailio.pids():
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                    return pid
            except FileNotFoundError:
                continue
    return None


def stopped_worker(build, folder, full):
    """A worker is stopped while it asks for a name; calls to that name and to a cached one go on."""
    seconds = 20 if full else 8
    bed = Bed(build, folder, [f"good.test 600 A {CALLEE}", f"new.test 600 A {CALLEE}"])
    bed.dns.rules = {("new.test", "A"): 0.5}
    Load.finish([bed.load.send(uri("good.test"))], 30)
    # A worker may look for an answer to an earlier query when it is called again.
    before = query_sockets()
    first = bed.load.send(uri("new.test"))
    end = time.monotonic() + 0.4
    while (pid := owner_of_one(bed, query_sockets() - before)) is None and time.monotonic() < end:
        time.sleep(0.005)
    if pid is None:
        raise RuntimeError("no worker was seen asking")
    os.kill(pid, signal.SIGSTOP)
    calls = bed.load.mix([(10, lambda: uri("good.test")), (10, lambda: uri("new.test"))], seconds)
    good, new = (Load.finish(stream, 10) for stream in calls)
    os.kill(pid, signal.SIGCONT)
    Load.finish([first], 25)
    return {"good": times_of(good), "new": times_of(new), "answer": 0.5, "first": first.ok, "stopped": seconds}


def only_server_down(build, folder, full):
    """The only name server is down: after one call has found that out, calls to new names, and to a cached one."""
    bed = Bed(build, folder, [f"good.test 600 A {CALLEE}"])
    Load.finish([bed.load.send(uri("good.test"))], 30)
    bed.dns.rules["*"] = "drop"
    (first,) = Load.finish([bed.load.send(uri("first.test"))], 40)
    number = iter(range(1_000_000))
    streams = [(10, lambda: uri("good.test")), (0.5, lambda: uri(f"new{next(number)}.test"))]
    good, new = (Load.finish(calls, 40) for calls in bed.load.mix(streams, 300 if full else 20))
    return {"first": first.seconds, "good": times_of(good), "new": [call.seconds for call in new]}


def silent_zone(build, folder, full):
    """Two name servers, and a zone that both are silent about: a call a second to new names in it, and elsewhere."""
    seconds = 60 if full else 20
    new = [f"new{number}.test" for number in range(seconds + 1)]
    bed = Bed(
        build, folder, [f"{name} 600 A {CALLEE}" for name in ["good.test", *new]],
        resolv="nameserver 127.0.0.1\nnameserver 127.0.0.3\n", addresses=("127.0.0.1", "127.0.0.3"),
    )
    trip = 0.02
    silent_but(bed, {"good.test": 0, **dict.fromkeys(new, trip)})
    Load.finish([bed.load.send(uri("good.test"))], 30)
    fresh, number = iter(new), iter(range(1_000_000))
    streams = [(1, lambda: uri(f"a{next(number)}.zone.test")), (1, lambda: uri(next(fresh)))]
    _, others = bed.load.mix(streams, seconds)
    Load.finish(others, 30)
    return {"new": times_of(others), "trip": trip}


def far_server(build, folder, full):
    """Five new names at once, the name server 800 ms away."""
    names = [f"new{number}.test" for number in range(5)]
    bed = Bed(build, folder, [f"{name} 60 A {CALLEE}" for name in names])
    bed.dns.rules["*"] = 0.8
    return {"new": times_of(Load.finish([bed.load.send(uri(name)) for name in names], 40))}


ROWS = {
    "silent": silent, "deadline": deadline, "herd": herd, "hot": hot, "dead_server": dead_server, "outage": outage, "new_name": new_name,
    "crowd_of_one_parent": crowd_of_one_parent, "crowd_of_many_parents": crowd_of_many_parents,
    "one_silent_name": one_silent_name, "lost_packet": lost_packet, "lossy": lossy, "stopped_worker": stopped_worker,
    "only_server_down": only_server_down, "silent_zone": silent_zone, "far_server": far_server,
}
