# SPDX-License-Identifier: MIT
"""Kernels that run no BPF program at a tracepoint while certain processes run, such as an agent
that is not to be traced; nor in softirqs that interrupt these. Whatever happens there, as when many
timers expire at once, nobody can count by such a program.

    @tried_again
    def test_counts(pair, daemon): …

There a test that fails has two more tries, each with a pair and a daemon of its own.
"""

import contextlib
import functools
import inspect
import time
from ctypes import c_void_p
from pathlib import Path

from bpf import Object, check, declare, lib, object_path

declare("bpf_program__attach", c_void_p, c_void_p)
declare("bpf_link__destroy", None, c_void_p)

TRIES = 3
LOOKED_S = 20  # an agent has its softirqs every second or so
ENOUGH = 3


def softirqs():
    """How many began since the start of the machine."""
    _, *rows = Path("/proc/softirqs").read_text().splitlines()
    return sum(int(word) for row in rows for word in row.split()[1:])


@contextlib.contextmanager
def seen_by_program():
    """How many a program has seen, as a function."""
    with Object(object_path("tests/system/softirqs")) as o:
        o.load()
        link = lib.bpf_program__attach(o.program("on_softirq"))
        check(0 if link else -1, "attach")
        try:
            yield lambda: int.from_bytes(o.get_variable(".bss", "softirqs"), "little")
        finally:
            lib.bpf_link__destroy(link)


@functools.cache
def programs_are_left_out():
    """Whether there are softirqs that no program at their tracepoint sees."""
    deadline = time.monotonic() + LOOKED_S
    with seen_by_program() as seen:
        # The program is asked first here and last below: it never has less than the kernel.
        began = -seen() + softirqs()
        while time.monotonic() < deadline:
            if softirqs() - seen() >= began + ENOUGH:
                return True
            time.sleep(0.05)
    return False


def tried_again(test):
    """@test of (pair, daemon, …) becomes one of (fresh, …): a fixture, a function that makes both
    anew."""
    def wrapper(fresh, **arguments):
        for _ in range(TRIES - 1):
            try:
                return test(*fresh(), **arguments)
            except AssertionError:
                if not programs_are_left_out():
                    raise
        return test(*fresh(), **arguments)

    functools.update_wrapper(wrapper, test)
    own = [p for name, p in inspect.signature(test).parameters.items()
           if name not in ("pair", "daemon")]
    wrapper.__signature__ = inspect.Signature(
        [inspect.Parameter("fresh", inspect.Parameter.POSITIONAL_OR_KEYWORD), *own])
    return wrapper
