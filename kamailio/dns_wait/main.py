#!/usr/bin/env python3
"""The module dns_wait in a real Kamailio: the runner of ../e2e with scenarios of its own."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e"), HERE]

import calls  # noqa: E402
import crowd  # noqa: E402
import deaths  # noqa: E402
import main as runner  # noqa: E402
import memory  # noqa: E402
import refusals  # noqa: E402
import scripts  # noqa: E402
import waits  # noqa: E402
import watched  # noqa: E402

if __name__ == "__main__":
    # The long ones are figures more than checks, and want the machine for themselves.
    table = crowd.scenarios() + memory.scenarios() if os.environ.get("LONG") else (
        waits.scenarios() + calls.scenarios() + deaths.scenarios() + watched.scenarios() + refusals.scenarios()
        + scripts.scenarios())
    # A hundred changes take some seconds each, and so does everything under memcheck.
    if os.environ.get("LONG") or os.environ.get("DNS_WAIT_CHANGES"):
        runner.WATCHDOG = 1200
    runner.table = lambda suite: table
    sys.exit(runner.main())
