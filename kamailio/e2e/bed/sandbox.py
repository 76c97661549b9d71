"""A network and mount namespace of one's own, so that tests neither need nor disturb the machine's."""

import ctypes
import os
import subprocess

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

# Addresses beside 127.0.0.0/8 and ::1, for destinations reached over IPv6.
IPV6_NET = "fd00::"
IPV6_HOSTS = range(10, 20)


def _unshare(flags):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {os.strerror(code)}")


def _become_root():
    """Maps the user to root of a user namespace; the namespaces made after it then need no privilege."""
    uid, gid = os.getuid(), os.getgid()
    _unshare(CLONE_NEWUSER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def enter():
    """Moves this process into new namespaces with a working loopback; children started later are in them."""
    if os.getuid() != 0:
        _become_root()
    _unshare(CLONE_NEWNS | CLONE_NEWNET)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    commands = ["link set lo up"]
    commands += [f"addr add {IPV6_NET}{host}/128 dev lo nodad" for host in IPV6_HOSTS]
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), text=True, check=True)


def bind_resolv_conf(path, text):
    """Makes the file at `path` this namespace's /etc/resolv.conf. Write into that file to change it."""
    with open(path, "w") as file:
        file.write(text)
    subprocess.run(["mount", "--bind", path, os.path.realpath("/etc/resolv.conf")], check=True)
