"""Runs calls to SIP zones through real forwarding nameservers, and compares where they go with what is written down.

main.py --root FOLDER --siptargets PROGRAM --out FOLDER [--short]

All run as ordinary processes on addresses of 127.0.0.0/8 and end with this program. The last line sums up. What cannot be
started here is skipped, with what it said."""

import argparse
import ctypes
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import servers
import zones

AUTHORITY = ("127.19.0.1", 5390)
FIRST_PORT = 5391
PATIENCE_S = 15
# What is on in each pass: options, and TCP alone.
PASSES = [
    ("as it is", {}, False),
    ("cookies, 0x20", {"dns_cookies": "yes", "dns_0x20": "yes"}, False),
    ("cookies", {"dns_cookies": "yes"}, False),
    ("0x20", {"dns_0x20": "yes"}, False),
    ("without EDNS", {"dns_edns": "no"}, False),
    ("TCP", {}, True),
    ("TCP, cookies, 0x20", {"dns_cookies": "yes", "dns_0x20": "yes"}, True),
]
SHORT_PASSES = 2


class Missing(Exception):
    """A server cannot be run here."""


def dies_with_us():
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


class Process:
    """A server that runs."""

    def __init__(self, place, command, own_paths):
        root = place.root
        libraries = [f"{root}/{path}" for path in (
            "usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "lib/systemd", "usr/lib/x86_64-linux-gnu/systemd")]
        libraries += [f"{root}/usr/lib/{name}" for name in sorted(os.listdir(f"{root}/usr/lib")) if "-linux-gnu" in name]
        environment = dict(os.environ, LD_LIBRARY_PATH=":".join(libraries))
        if own_paths:
            command = ["unshare", "-m", "sh", os.path.join(os.path.dirname(os.path.abspath(__file__)), "own_paths.sh"),
                       root, place.folder, *command]
        elif not os.path.exists(command[0]):
            raise Missing("not fetched")
        self.place = place
        self.output = os.path.join(place.folder, "output")
        with open(self.output, "w") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=place.folder,
                                            env=environment, preexec_fn=dies_with_us, start_new_session=True)

    def wait_until_ready(self):
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if self.process.poll() is not None:
                break
            if answers(self.place.address, self.place.port):
                return
        with open(self.output, errors="replace") as out:
            lines = out.read().strip().splitlines()
        raise Missing(lines[-1][-200:] if lines else "it does not answer")

    def end(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def answers(address, port):
    """True when a server knows the zone, over UDP."""
    query = struct.pack("!6H", 7, 0x100, 1, 0, 0, 0) + b"\2ns\7example\3net\0" + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(0.3)
        try:
            asker.sendto(query, (address, port))
            reply = asker.recv(4096)
        except OSError:
            time.sleep(0.05)
            return False
    _, flags, _, records, _, _ = struct.unpack("!6H", reply[:12])
    return flags & 15 == 0 and (records > 0 or flags & 0x200 != 0)


def targets_of(arguments, server, options, tcp, uri):
    command = [arguments.siptargets, "--server", f"{server[0]}:{server[1]}", "--json", "--naptr"]
    for name, value in {"dns_use_search_list": "no", **options}.items():
        command += ["--set", f"{name}={value}"]
    environment = dict(os.environ)
    if tcp:
        environment["RES_OPTIONS"] = "use-vc"
    run = subprocess.run([*command, uri], capture_output=True, text=True, timeout=60, env=environment)
    try:
        worker = json.loads(run.stdout)["workers"][0]
    except (ValueError, KeyError, IndexError):
        return None, (run.stdout + run.stderr)[-300:]
    return [f"{t['transport']} {t['address'].strip('[]')}:{t['port']}" for t in worker["targets"]], ""


def is_as_expected(found, groups):
    if found is None or len(found) != sum(len(group) for group in groups):
        return False
    at = 0
    for group in groups:
        if set(found[at:at + len(group)]) != group:
            return False
        at += len(group)
    return True


class Tally:
    passed = failed = skipped = 0

    def line(self):
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def calls_through(arguments, tally, name, server):
    passes = PASSES[:SHORT_PASSES] if arguments.short else PASSES
    for title, options, tcp in passes:
        # A server that drops replies to limit its rate spares who comes over TCP.
        if name == "BIND that limits its rate" and not tcp:
            continue
        wrong = []
        for uri, groups in zones.CALLS:
            found, trouble = targets_of(arguments, server, options, tcp, uri)
            groups = zones.expected(name, groups)
            if found and name == "unbound with dns64":
                found = zones.without_synthesized(found)
            if is_as_expected(found, groups):
                tally.passed += 1
            else:
                tally.failed += 1
                wrong.append(f"    {uri}: {found} {trouble}, not {[sorted(g) for g in groups]}")
        print(f"{name}, {title}: {'as expected' if not wrong else 'WRONG'}", flush=True)
        for line in wrong:
            print(line[:600], flush=True)


def forwarder(arguments, tally, number, name, start, own_paths):
    folder = os.path.join(arguments.out, name.replace(" ", "-"))
    # BIND listens on addresses of interfaces only, so not on any of 127.0.0.0/8.
    address = "127.0.0.1" if name.startswith("BIND") else f"127.19.1.{number}"
    place = servers.Place(folder, address, FIRST_PORT + number, AUTHORITY, arguments.root)
    process = None
    try:
        process = Process(place, start(place), own_paths)
        process.wait_until_ready()
        calls_through(arguments, tally, name, (place.address, place.port))
    except Missing as missing:
        tally.skipped += 1
        print(f"{name}: skipped: {missing}", flush=True)
    finally:
        if process:
            process.end()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", required=True)
    parser.add_argument("--siptargets", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--short", action="store_true")
    arguments = parser.parse_args()
    shutil.rmtree(arguments.out, ignore_errors=True)
    tally = Tally()
    place = servers.Place(os.path.join(arguments.out, "authority"), *AUTHORITY, None, arguments.root)
    authority = Process(place, servers.nsd(place, zones.ZONE), False)
    try:
        authority.wait_until_ready()
        calls_through(arguments, tally, "no forwarder", AUTHORITY)
        table = servers.FORWARDERS if arguments.short else servers.FORWARDERS + servers.ODD
        for number, (name, start, own_paths) in enumerate(table, 1):
            forwarder(arguments, tally, number, name, start, own_paths)
    finally:
        authority.end()
    print(tally.line())
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
