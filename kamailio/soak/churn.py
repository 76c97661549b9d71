"""What goes on beside the calls: records that rotate, and an operator who never rests."""

import collections
import itertools
import os
import random
import subprocess
import threading
import time

from bed.kamailio import RpcFault

CALLEES = [f"127.0.0.{host}" for host in range(10, 14)]
CALLEES6 = [f"fd00::{host}" for host in range(10, 12)]
NAMES = 32


def uris():
    """What callers ask for. Each name has another way to its addresses, see `zone`."""
    return [f"sip:u@n{number}.test" for number in range(NAMES)] + [f"sip:u@n{number}.test:5060" for number in range(8)]


def zone(version):
    """Records of the zone "test". Whatever the version and the options, every way leads to a callee that is up."""
    lines = []
    for number in range(NAMES):
        name = f"n{number}"
        first = CALLEES[(number + version) % len(CALLEES)]
        second = CALLEES[(number + version + 1) % len(CALLEES)]
        ttl = 1 + number % 3
        kind = number % 6
        if kind == 0:
            lines.append(f'{name} {ttl} NAPTR 10 {version % 3} "s" "SIP+D2U" "" _sip._udp.via.{name}')
            lines.append(f"_sip._udp.via.{name} {ttl} SRV {version % 2} 10 5060 h{version % 4}.via.{name}")
            lines.append(f"_sip._udp.via.{name} {ttl} SRV 1 30 5060 h5.via.{name}")
            # Targets of older records stay, for these records may be in use until their TTL is over.
            lines += [f"h{host}.via.{name} {ttl} A {first}" for host in range(4)]
            lines.append(f"h5.via.{name} {ttl} A {second}")
        if kind in (1, 2):
            lines += [f"_sip._udp.{name} {ttl} SRV 1 {weight} 5060 s{weight}.{name}" for weight in (10, 30, 60)]
            lines += [f"s{weight}.{name} {ttl} A {random.choice(CALLEES)}" for weight in (10, 30, 60)]
        if kind == 2:
            lines.append(f"_sip._udp.{name} {ttl} SRV 2 0 5060 gone.{name}")
        if kind == 3:
            lines.append(f"{name} {ttl} CNAME c{version % 3}.{name}")
            lines += [f"c{alias}.{name} {ttl} A {first}" for alias in range(3)]
        else:
            lines.append(f"{name} {ttl} A {second}")
        if kind == 4:
            lines.append(f"{name} {ttl} A {first}")
            lines.append(f"{name} {ttl} AAAA {CALLEES6[version % 2]}")
    return lines


class Rotation(threading.Thread):
    """A new version of the zone every `period` seconds."""

    def __init__(self, server, period=1.0):
        super().__init__(daemon=True)
        self.server = server
        self.period = period
        self.version = 0
        self.stopping = threading.Event()
        self.error = None

    def run(self):
        while not self.stopping.wait(self.period):
            try:
                self.version += 1
                self.server.change(zone(self.version))
            except Exception as error:
                self.error = repr(error)
                return


# Options and the values that they take. None of them may make a call fail: not IPv4 alone, as the ACK and the
# BYE of a call that went over IPv6 go to an address in their URI.
OPTIONS = {
    "dns_try_naptr": (0, 1),
    "dns_srv_lb": (0, 1),
    "dns_try_ipv6": (1,),
    "dns_cache_flags": (0, 4),
    "dns_udp_pref": (5, 30, 50),
    "dns_tcp_pref": (5, 20, 40),
    "dns_naptr_ignore_rfc": (0, 1),
    "dns_cache_del_nonexp": (0, 1),
    "dns_cache_rec_pref": (0, 1, 2, 3),
    "dns_cache_min_ttl": (0, 1, 2),
    "dns_cache_max_ttl": (1, 60, 3600),
    "dns_cache_negative_ttl": (0, 1, 60),
    "dns_cache_mem": (200, 300, 500, 2000),
    "dns_use_search_list": (0, 1),
    "dns_search_full_match": (0, 1),
    "dns_retr_no": (2, 3),
    "dns_slow_query_ms": (0, 1, 1000),
    "dns_reinit": (1,),
    "use_dns_failover": (0, 1),
}
LOOKED_UP = ("A", "AAAA", "SRV", "NAPTR", "CNAME")


class Operator(threading.Thread):
    """Gives one command after the other over JSON-RPC. `done` counts them, `refused` the faults by command."""

    def __init__(self, kamailio, pause, seed):
        super().__init__(daemon=True)
        self.kamailio = kamailio
        self.pause = pause
        self.random = random.Random(seed)
        self.options = itertools.cycle(OPTIONS)
        self.stopping = threading.Event()
        self.done = collections.Counter()
        self.refused = collections.Counter()
        self.error = None
        # (time, used, limit)
        self.memory = []
        # How often an entry was seen that a call held.
        self.held = 0

    def _drawn_name(self):
        return f"n{self.random.randrange(NAMES)}.test"

    def _command(self):
        """(command, arguments), drawn."""
        name = self._drawn_name()
        address = self.random.choice(CALLEES)
        return self.random.choice([
            ("dns.delete_all",), ("dns.delete_all",), ("dns.delete_all_force",),
            ("dns.delete_a", name), ("dns.delete_aaaa", name), ("dns.delete_cname", name), ("dns.delete_naptr", name),
            ("dns.delete_srv", f"_sip._udp.{name}"), ("dns.delete_txt", name), ("dns.delete_ptr", name),
            ("dns.delete_ebl", name),
            ("dns.add_a", name, 2, address, 0), ("dns.add_a", f"own.{name}", 2, address, 2),
            ("dns.add_aaaa", f"own.{name}", 2, CALLEES6[0], 0),
            ("dns.add_srv", f"_sip._udp.{name}", 2, 1, 10, 5060, f"own.{name}", 0),
            ("dns.lookup", self.random.choice(LOOKED_UP), name), ("dns.lookup", "A", f"none-{self.random.random()}.test"),
            ("dns.view",), ("dns.debug",), ("dns.debug_all",), ("dns.mem_info",), ("dns.mem_info",),
            ("cfg",), ("cfg",), ("cfg",), ("cfg",),
        ])

    def _give(self, command, *words):
        if command == "cfg":
            # In turn, so that each has its turn however short the time is.
            option = next(self.options)
            command, words = "cfg.seti", ("core", option, self.random.choice(OPTIONS[option]))
        # The target of an added SRV record has to be there for the calls.
        if command == "dns.add_srv":
            self.kamailio.rpc("dns.add_a", words[5], 600, self.random.choice(CALLEES), 2)
        result = self.kamailio.rpc(command, *words)
        if command == "dns.debug":
            self.held += sum(entry["reference_counter"] > 1 for entry in result["entries"])
        if command == "dns.mem_info":
            self.memory.append((time.monotonic(), result["used"], result["limit"]))
        self.done[command if command != "cfg.seti" else words[1]] += 1

    def run(self):
        while not self.stopping.wait(self.pause):
            command, *words = self._command()
            try:
                self._give(command, *words)
            except RpcFault as fault:
                # Deleting what is not there, adding to what is permanent.
                self.done[command] += 1
                self.refused[f"{command}: {fault}"] += 1
            except Exception as error:
                self.error = f"{command} {words}: {error!r}"
                return


class Console(threading.Thread):
    """A long kamcmd session: the commands with long replies, over the other transport."""

    def __init__(self, kamailio, pause):
        super().__init__(daemon=True)
        self.kamailio = kamailio
        self.pause = pause
        self.stopping = threading.Event()
        self.done = 0

    def run(self):
        log = open(os.path.join(self.kamailio.folder, "kamcmd.log"), "w")
        session = subprocess.Popen(
            [self.kamailio.build.kamcmd, "-s", f"unix:{self.kamailio.folder}/ctl"], text=True, stdin=subprocess.PIPE,
            stdout=log, stderr=subprocess.STDOUT, env=self.kamailio.plain_environment(),
        )
        while not self.stopping.wait(self.pause):
            for command in ("dns.view", "dns.debug_all", "dns.lookup A n1.test", "cfg.seti core dns_srv_lb 1"):
                session.stdin.write(command + "\n")
                session.stdin.flush()
                self.done += 1
                if self.stopping.wait(self.pause):
                    break
            # The file is only for looking at the last replies.
            log.seek(0)
            log.truncate()
        session.stdin.close()
        session.wait(30)
