"""Waiting, with a watchdog that ends what hangs."""

import time

WATCHDOG = 30.0


def wait_for(what, condition, seconds=WATCHDOG):
    """Returns as soon as `condition()` is true; its value is the result. Raises after `seconds`."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)
