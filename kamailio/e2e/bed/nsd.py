"""NSD as the authoritative server of the zone "test" on 127.0.0.1."""

import os
import socket
import struct
import subprocess

from . import dnsmsg
from .wait import wait_for

HEAD = """$ORIGIN test.
$TTL 60
@ IN SOA ns hostmaster {serial} 3600 600 86400 60
@ IN NS ns
ns IN A 127.0.0.1
"""

CONF = """server:
    server-count: 1
    ip-address: 127.0.0.1
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    database: ""
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    xfrdir: "{folder}"
    logfile: "{folder}/nsd.log"
    minimal-responses: no
    rrl-ratelimit: 0
remote-control:
    control-enable: yes
    control-interface: "{folder}/nsd.ctl"
zone:
    name: test
    zonefile: test.zone
"""


class Nsd:
    """`records` are lines of a zone file with the origin "test."."""

    def __init__(self, folder, records):
        self.folder = folder
        self.serial = 0
        self._write(records)
        self.conf = os.path.join(folder, "nsd.conf")
        with open(self.conf, "w") as file:
            file.write(CONF.format(folder=folder))
        with open(os.path.join(folder, "nsd.out"), "w") as out:
            self.process = subprocess.Popen(
                ["nsd", "-d", "-c", self.conf], stdout=out, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
            )
        wait_for("nsd", lambda: self._control("zonestatus", "test").returncode == 0)

    def _write(self, records):
        self.serial += 1
        with open(os.path.join(self.folder, "test.zone"), "w") as file:
            file.write(HEAD.format(serial=self.serial) + "\n".join(line.strip() for line in records) + "\n")

    def _control(self, *words):
        return subprocess.run(["nsd-control", "-c", self.conf, *words], capture_output=True, text=True)

    def change(self, records):
        """Replaces the zone and returns when the server answers from the new one."""
        self._write(records)
        done = self._control("reload", "test")
        if done.returncode != 0:
            raise RuntimeError(f"nsd: {done.stdout}{done.stderr}")
        wait_for("the reloaded zone", lambda: self._served() == self.serial)

    @staticmethod
    def _served():
        """Serial number that the server answers with."""
        query = struct.pack("!HHHHHH", 1, 0, 1, 0, 0, 0) + dnsmsg.encode_name("test") + struct.pack("!HH", 6, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            sock.sendto(query, ("127.0.0.1", 53))
            try:
                reply = sock.recv(4096)
            except (OSError, socket.timeout):
                return None
        # Behind the question and the record's head, two names: the first bytes of ns.test and hostmaster.test.
        at = reply.find(b"\x0ahostmaster") + 1 + 10
        return struct.unpack_from("!I", reply, at + 2)[0]

    def stop(self):
        self.process.terminate()
        self.process.wait(10)
