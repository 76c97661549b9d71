#!/usr/bin/env python3
"""Two proxies, two unbound that share a Valkey; one of each is killed. See run.sh.

The files of examples/cluster are used as they are, with addresses of this namespace in place of those in them.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../e2e"))

from bed import sip
from bed.kamailio import Build
from bed.wait import wait_for
from scenario import Scenario

EXAMPLES = os.path.join(HERE, "../../examples/cluster")
RESOLVERS = ("127.0.0.11", "127.0.0.12")
VALKEY = "127.0.0.20"
PROXIES = ("127.0.0.31", "127.0.0.32")
UPSTREAM = "127.0.0.1"
UDP10 = "udp:127.0.0.10:5060"
ZONE = (
    "_sip._udp.trunk.test 300 SRV 1 0 5060 sip1.trunk.test",
    "sip1.trunk.test 300 A 127.0.0.10",
    *(f"n{number}.test 300 A 127.0.0.10" for number in range(40)),
)
# Lines that the example does not have: where this test's zones are, and that nothing is signed or belongs to another
# user.
OWN = f"""
server:
    do-daemonize: no
    username: ""
    chroot: ""
    directory: ""
    pidfile: ""
    use-syslog: no
    do-ip6: no
    do-not-query-localhost: no
    local-zone: "test." nodefault
    domain-insecure: "test."
    access-control: 127.0.0.0/8 allow
forward-zone:
    name: "."
    forward-addr: {UPSTREAM}
"""


def example(name):
    with open(os.path.join(EXAMPLES, name)) as file:
        return file.read().replace("192.0.2.20", VALKEY).replace("192.0.2.0/24", "127.0.0.0/8")


class Program:
    """A program of another release, with its own loader and libraries."""

    def __init__(self, s, root, path, name, *arguments):
        libraries = f"{root}/usr/lib/x86_64-linux-gnu"
        loader = [f"{root}/usr/lib64/ld-linux-x86-64.so.2", "--library-path", libraries]
        self.log = os.path.join(s.folder, f"{name}.log")
        self.begin = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*loader, f"{root}{path}", *arguments], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT, cwd=s.run_folder)
        s.endings.append(self.kill)

    def said(self):
        """What this run of it has logged."""
        with open(self.log, "rb") as log:
            return log.read()[self.begin:]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class Cluster:
    def __init__(self, s, root):
        self.s = s
        self.root = root
        self.dns = s.dns(ZONE)

    def valkey(self):
        path = os.path.join(self.s.folder, "valkey.conf")
        with open(path, "w") as file:
            file.write(example("valkey.conf"))
        return Program(self.s, self.root, "/usr/bin/valkey-server", "valkey", path)

    def unbound(self, place):
        path = os.path.join(self.s.folder, f"unbound-{place}.conf")
        text = example("unbound.conf").replace("192.0.2.11", RESOLVERS[place])
        with open(path, "w") as file:
            file.write(text + OWN)
        program = Program(self.s, self.root, "/usr/sbin/unbound", f"unbound-{place}", "-d", "-c", path)
        wait_for("unbound", lambda: b"start of service" in program.said())
        return program

    def keys(self):
        """Answers that Valkey has; None while it does not run."""
        libraries = f"{self.root}/usr/lib/x86_64-linux-gnu"
        command = [f"{self.root}/usr/lib64/ld-linux-x86-64.so.2", "--library-path", libraries, f"{self.root}/usr/bin/valkey-cli",
                   "-h", VALKEY, "-a", "change this", "dbsize"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
        return int(done.stdout) if done.stdout.strip().isdigit() else None

    def proxy(self, place):
        order = [RESOLVERS[place], RESOLVERS[1 - place]]
        text = example("kamailio.cfg").replace("192.0.2.11", order[0]).replace("192.0.2.12", order[1])
        core = [line for line in text.splitlines() if line and not line.startswith("#")]
        folder = os.path.join(self.s.run_folder, f"proxy{place}")
        if not os.path.isdir(folder):
            os.mkdir(folder)
            self.s.endings.append(lambda: self.keep(folder, place))
        return self.s.kamailio(("dns_try_ipv6=no", *core), ipv6=False, address=PROXIES[place], folder=folder)

    def keep(self, folder, place):
        """The log is worth reading afterwards."""
        shutil.copy(os.path.join(folder, "kamailio.log"), os.path.join(self.s.folder, f"proxy-{place}.log"))
        shutil.rmtree(folder)

    def caller(self, place):
        return sip.Caller(f"127.0.0.1:508{place}", (PROXIES[place], 5060))


def state(server):
    return {row["address"].split(":")[0]: row["state"] for row in server.rpc("dns.servers")}


def play(s, root):
    cluster = Cluster(s, root)
    valkey = cluster.valkey()
    wait_for("Valkey", lambda: cluster.keys() is not None)
    unbound = [cluster.unbound(place) for place in (0, 1)]
    proxies = [cluster.proxy(place) for place in (0, 1)]
    callers = [cluster.caller(place) for place in (0, 1)]
    s.callees({UDP10: 200})
    wait_for("both unbound", lambda: all(c.call("sip:u@n0.test:5060") == 200 for c in callers))

    def asked():
        return len(cluster.dns.asked)

    # A resolver does not ask for what the other one knows: Valkey is shared.
    s.check("the first proxy", callers[0].call("sip:u@trunk.test;transport=udp"), 200)
    s.check_that("Valkey has it", cluster.keys() >= 2)
    before = asked()
    s.check("the second proxy", callers[1].call("sip:u@trunk.test;transport=udp"), 200)
    s.check("no question beyond Valkey", asked(), before)
    # A resolver dies. Names that are not cached are asked at the other one.
    unbound[0].kill()
    finals = [callers[0].call(f"sip:u@n{number}.test:5060") for number in range(1, 11)]
    s.check("calls while a resolver is dead", [final for final in finals if final != 200], [])
    s.check("the other one is up", state(proxies[0])[RESOLVERS[1]], "up")
    # A proxy dies, as by a signal that nobody handles.
    for pid in proxies[0].pids():
        os.kill(pid, signal.SIGKILL)
    proxies[0].process.wait(10)
    s.servers.remove(proxies[0])
    finals = [callers[1].call(f"sip:u@n{number}.test:5060") for number in range(1, 21)]
    s.check("calls while a proxy and a resolver are dead", [final for final in finals if final != 200], [])
    # The resolver comes back, with nothing in its own memory, and the zone's servers are away: Valkey has what was asked.
    cluster.dns.lives = False
    cluster.dns.rules = {"*": "drop"}
    unbound[0] = cluster.unbound(0)
    unbound[1].kill()
    proxies[1].rpc("dns.delete_all")
    finals = [callers[1].call(f"sip:u@n{number}.test:5060") for number in range(1, 21)]
    s.check("calls that are answered out of Valkey", [final for final in finals if final != 200], [])
    s.check("a name that nobody asked for fails", callers[1].call("sip:u@n39.test:5060") != 200, True)
    cluster.dns.rules = {}
    cluster.dns.lives = True
    # Without Valkey the resolvers are what they are without a shared cache.
    valkey.kill()
    finals = [callers[1].call(f"sip:u@n{number}.test:5060") for number in range(21, 31)]
    s.check("calls without Valkey", [final for final in finals if final != 200], [])
    # The proxy that died comes back, and so does Valkey.
    cluster.valkey()
    wait_for("Valkey again", lambda: cluster.keys() is not None)
    unbound[1] = cluster.unbound(1)
    again = cluster.proxy(0)
    wait_for("all of it", lambda: callers[0].call("sip:u@n31.test:5060") == 200)
    wait_for("Valkey is used again", lambda: callers[0].call("sip:u@n32.test:5060") == 200 and cluster.keys() > 0)
    wait_for("both are up", lambda: set(state(again).values()) == {"up"})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in ("root", "suite", "server", "modules", "kamcmd", "libs", "out"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    os.makedirs(args.out, exist_ok=True)
    build = Build(args.suite, args.server, args.modules, args.kamcmd, args.libs)
    s = Scenario(build, "cluster", os.path.abspath(args.out), observe=False)
    try:
        play(s, os.path.abspath(args.root))
    except Exception:
        s.fail(traceback.format_exc(limit=-3))
    s.end()
    for failure in s.failures:
        print(f"FAILED {failure}")
    print(f"{s.passed} passed, {len(s.failures)} failed")
    sys.stdout.flush()
    os._exit(1 if s.failures else 0)


if __name__ == "__main__":
    main()
