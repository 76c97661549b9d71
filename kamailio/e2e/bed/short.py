"""Folders of short life, with short names."""

import os
import tempfile

MEMORY = "/dev/shm"
# Logs of a long soak fit, and others have room.
ROOM = 1 << 30


def folder(prefix):
    """A new folder, for a server's log, pid file and Unix sockets, whose names may not be long. It is one in memory where
    there is room: a server was once seen for a minute in unlink() of its pid file, while others wrote much to the disk."""
    return tempfile.mkdtemp(prefix=prefix, dir=MEMORY if _has_room() else None)


def _has_room():
    try:
        there = os.statvfs(MEMORY)
    except OSError:
        return False
    return os.access(MEMORY, os.W_OK) and there.f_bavail * there.f_frsize >= ROOM
