# SPDX-License-Identifier: MIT
"""Waiting for a condition with a deadline: no test sleeps and hopes."""

import time


def until(condition, seconds, what, pause=0.01):
    """The first true value of @condition(); what() or @what says what did not come."""
    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline  # asked before the last try, which then counts
        if result := condition():
            return result
        if late:
            raise AssertionError(f"not within {seconds} s: {what() if callable(what) else what}")
        time.sleep(pause)


def until_stable(read, seconds, quiet=0.1):
    """What @read() gives once it has not changed for @quiet seconds."""
    deadline = time.monotonic() + seconds
    value, since = read(), time.monotonic()
    while time.monotonic() - since < quiet:
        time.sleep(0.01)
        if (now := read()) != value:
            value, since = now, time.monotonic()
        if time.monotonic() > deadline:
            raise AssertionError(f"still changes after {seconds} s: {value}")
    return value
