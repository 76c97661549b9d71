"""A Kamailio in the sandbox: its configuration, its processes, its RPC interface."""

import dataclasses
import json
import os
import platform
import signal
import socket
import subprocess
import time

from .wait import wait_for

CONFIG = """#!KAMAILIO
debug={debug}
log_stderror=yes
children={children}
tcp_children=2
auto_aliases=no
enable_tls=no
{core}
listen=udp:{address}:5060
listen=tcp:{address}:5060
{listen6}
mpath="{modules}"
loadmodule "kex.so"
loadmodule "corex.so"
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "xlog.so"
loadmodule "ctl.so"
loadmodule "cfg_rpc.so"
loadmodule "counters.so"
loadmodule "jsonrpcs.so"
modparam("ctl", "binrpc", "unix:{folder}/ctl")
modparam("ctl", "binrpc_max_body_size", 1024)
modparam("ctl", "binrpc_struct_max_body_size", 1024)
modparam("jsonrpcs", "transport", 4)
modparam("jsonrpcs", "dgram_socket", "{folder}/rpc")
modparam("tm", "fr_timer", {fr_timer})
modparam("tm", "fr_inv_timer", {fr_inv_timer})
modparam("tm", "retr_timer1", {retr_timer1})
modparam("tm", "retr_timer2", {retr_timer2})
{params}
request_route {{
    if (is_method("CANCEL")) {{ if (t_check_trans()) t_relay(); exit; }}
    if (has_totag()) {{
        if (loose_route()) {{ t_relay(); exit; }}
        if (is_method("ACK") && t_check_trans()) t_relay();
        exit;
    }}
    t_check_trans();
    if (is_method("INVITE")) record_route();
    route(OUT);
    exit;
}}
{route}
"""

RELAY = """
route[OUT] {
    if ($hdr(X-Next) != $null) $du = $hdr(X-Next);
    if (!t_relay()) sl_reply_error();
}
"""

STATELESS = """
route[OUT] {
    if (!forward()) sl_send_reply("500", "Not forwarded");
}
"""


@dataclasses.dataclass
class Build:
    """Where the programs are. `libs` are the folders in which they look for shared libraries.

    `preload` is loaded into the server before anything else; `loader` is a command that starts the server, for one
    that wants another C library than this machine's.
    """

    suite: str
    server: str
    modules: str
    kamcmd: str
    libs: str = ""
    preload: str = ""
    loader: tuple = ()

    def is_emulated(self):
        return any(os.path.basename(word).startswith("qemu-") for word in self.loader)

    def patience(self):
        """How many times longer a timer of the server or of its callers runs: in an emulator the server's own work takes
        longer than the timers that a scenario waits for, and what it has done in time would count as too late."""
        return 10 if self.is_emulated() else 1


class RpcFault(Exception):
    """The server refused; `code` and the text are its own."""

    def __init__(self, code, text):
        super().__init__(f"{code} {text}")
        self.code = code


# How long the end waits for a moment in which no process runs, seconds.
QUIET_SECONDS = 2


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def _waits_for(pid):
    """The system call that the process is in, with the memory that its first argument points to: a lock's place."""
    try:
        with open(f"/proc/{pid}/syscall") as file:
            call = file.read().split()
        if len(call) < 2:
            return " ".join(call)
        address = int(call[1], 16)
        with open(f"/proc/{pid}/maps") as file:
            for line in file:
                first, last = (int(bound, 16) for bound in line.split()[0].split("-"))
                if first <= address < last:
                    return f"system call {call[0]} at {call[1]} in {' '.join(line.split())}"
        return f"system call {call[0]}"
    except OSError as error:
        return str(error)


class Kamailio:
    """`core` are lines of the global part of the configuration, `params` module parameters."""

    def __init__(self, build, folder, core=(), params=(), route=RELAY, fr_timer=600, children=2, ipv6=True, **more):
        self.build = build
        self.folder = folder
        self.memory = more.get("memory", 64)
        self.wrapper = list(more.get("wrapper", ()))
        patience = build.patience()
        self.start_seconds = more.get("start_seconds", 30) * patience
        self.stop_seconds = more.get("stop_seconds", 60) * patience
        self.environment = dict(os.environ, **more.get("environment", {}))
        if build.libs:
            self.environment["LD_LIBRARY_PATH"] = build.libs
        if build.preload:
            others = self.environment.get("LD_PRELOAD")
            self.environment["LD_PRELOAD"] = ":".join(filter(None, (build.preload, others)))
        listen6 = "listen=udp:[::1]:5060\nlisten=tcp:[::1]:5060" if ipv6 else ""
        text = CONFIG.format(
            address=more.get("address", "127.0.0.1"), debug=more.get("debug", 1), children=children, listen6=listen6, core="\n".join(core),
            modules=build.modules, folder=folder, params="\n".join(params), route=route, fr_timer=fr_timer * patience,
            fr_inv_timer=20000 * patience, retr_timer1=300 * patience, retr_timer2=4000 * patience,
        )
        self.config = os.path.join(folder, "kamailio.cfg")
        with open(self.config, "w") as file:
            file.write(text)
        self.log_path = os.path.join(folder, "kamailio.log")
        self.process = None
        # What its processes were seen to wait for while it ended, each time that two seconds had gone by.
        self.waited_for = []

    def start(self):
        command = [
            *self.wrapper, *self.build.loader, self.build.server, "-f", self.config, "-DD", "-Y", self.folder,
            "-P", os.path.join(self.folder, "kamailio.pid"), "-m", str(self.memory), "-M", "8",
        ]
        with open(self.log_path, "a") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=self.environment
            )
        wait_for("kamailio", self._ready, self.start_seconds)
        return self

    def _ready(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"kamailio ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            self.rpc("core.version", seconds=2)
            return bool(self.wrapper) or self._settled()
        except (OSError, TimeoutError):
            return None

    def _settled(self):
        """All processes are there and wait for something to do: signals to one that starts get lost."""
        pids = self.pids()
        if any(_state(pid) != "S" for pid in pids):
            return False
        try:
            with open(f"/proc/{pids[0]}/syscall") as file:
                waits = file.read().split()[0]
        except OSError:
            return True
        # The main process has nothing left to start when it is in pause(). An emulator has calls of its own for that.
        return waits == "34" if platform.machine() == "x86_64" and not self.build.is_emulated() else True

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def stop(self):
        """Ends the server the orderly way; returns its exit status.

        The children get the signal, too, as from a service manager: when only the main process gets it, now
        and then a child of 5.6.3 stays, of the stock server as of ours.

        The signal is sent when nothing runs. A child ends wherever the signal meets it, also with the lock of
        the timers, for which the main process then waits until its alarm aborts it: the stock server does that, too.
        """
        if self.process is None:
            return None
        if not self.wrapper:
            self._wait_until_quiet()
        end = time.monotonic() + self.stop_seconds
        while self.process.poll() is None and time.monotonic() < end:
            # More than once: a signal between the main process's check and its pause() goes unnoticed.
            children = self.pids()[1:]
            self.process.terminate()
            time.sleep(0.05)
            for pid in children:
                _signal(pid, signal.SIGTERM)
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.waited_for.append({pid: f"{_state(pid)}, {_waits_for(pid)}" for pid in self.pids()})
        if self.process.poll() is None:
            self.process.kill()
        return self.process.wait(10)

    def _wait_until_quiet(self):
        """For a while: a server in the midst of calls is never quiet."""
        try:
            wait_for("silence", lambda: self.process.poll() is not None or self._settled(), QUIET_SECONDS)
        except TimeoutError:
            pass

    def pids(self):
        """The main process and all its children."""
        main = self.process.pid
        out = [main]
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open(f"/proc/{name}/stat") as file:
                        fields = file.read().rpartition(")")[2].split()
                except OSError:
                    continue
                if int(fields[1]) in out:
                    out.append(int(name))
        return out

    # --- RPC

    def raw_rpc(self, method, *params, seconds=20):
        """The octets of the reply to a command over JSON-RPC. For replies beyond 60 KiB use `kamcmd`."""
        own = os.path.join(self.folder, f"rpc-client-{os.getpid()}-{time.monotonic_ns()}")
        request = json.dumps({"jsonrpc": "2.0", "method": method, "params": list(params), "id": 1})
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.bind(own)
            try:
                sock.settimeout(seconds)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                sock.sendto(request.encode(), os.path.join(self.folder, "rpc"))
                return sock.recv(1 << 20)
            finally:
                os.unlink(own)

    def rpc(self, method, *params, seconds=20):
        """A command over JSON-RPC; its result."""
        reply = json.loads(self.raw_rpc(method, *params, seconds=seconds).decode())
        if "error" in reply:
            raise RpcFault(reply["error"].get("code"), reply["error"].get("message"))
        return reply.get("result")

    def plain_environment(self):
        """That of the server's companions: without what is only for the server."""
        return {name: value for name, value in self.environment.items() if name != "LD_PRELOAD"}

    def kamcmd(self, *words, seconds=60):
        """A command as an operator gives it. Returns kamcmd's output; a fault raises."""
        done = subprocess.run(
            [self.build.kamcmd, "-s", f"unix:{self.folder}/ctl", "--", *map(str, words)],
            capture_output=True, text=True, timeout=seconds, env=self.plain_environment(),
        )
        text = done.stdout + done.stderr
        if done.returncode != 0 or text.startswith("error"):
            # "error: 400 - Not found"
            words = text.split()
            raise RpcFault(words[1] if len(words) > 1 else "", text.strip())
        return done.stdout

    def entries(self):
        """dns.view as {(type, name): entry}."""
        view = self.rpc("dns.view") or []
        return {(entry["type"], entry["name"].lower()): entry for entry in view}
