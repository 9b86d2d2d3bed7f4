# SPDX-License-Identifier: MIT
"""A cgroup with a limit of memory, by either version of cgroups.

    with MemoryCgroup(32 << 20) as group:
        subprocess.run([*group.through, "program", "argument"])
"""

import os
import secrets
import time
from pathlib import Path

import pytest


def mounts():
    """[(where, file system, options)] of the cgroup hierarchies"""
    with open("/proc/self/mountinfo") as file:
        for line in file:
            before, after = line.split(" - ")
            kind, _, options = after.split()
            if kind.startswith("cgroup"):
                yield Path(before.split()[4]), kind, options.split(",")


def own_path(controller):
    """Of this process; "" is version 2."""
    with open("/proc/self/cgroup") as file:
        rows = [line.strip().split(":", 2) for line in file]
    return next(path for _, names, path in rows if controller in names.split(","))


def find_parent():
    """(folder that groups can be made in, file of the limit)"""
    for where, kind, options in mounts():
        if kind == "cgroup" and "memory" in options:
            return where / own_path("memory").lstrip("/"), "memory.limit_in_bytes"
    for where, kind, _ in mounts():
        if kind == "cgroup2" and "memory" in (where / "cgroup.controllers").read_text().split():
            (where / "cgroup.subtree_control").write_text("+memory")
            return where, "memory.max"
    pytest.skip("no cgroup hierarchy here has the memory controller")


class MemoryCgroup:
    def __init__(self, limit):
        parent, self.limit_file = find_parent()
        self.limit = limit
        self.path = parent / f"wg-{secrets.token_hex(4)}"
        # The shell moves itself and then becomes the program.
        self.through = ("sh", "-c", f'echo $$ >{self.path}/cgroup.procs && exec "$@"', "sh")

    def __enter__(self):
        self.path.mkdir()
        (self.path / self.limit_file).write_text(str(self.limit))
        return self

    def __exit__(self, *exception):
        """What ran in it has ended; the kernel needs a moment to see it."""
        deadline = time.monotonic() + 5
        while True:
            try:
                return os.rmdir(self.path)
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
