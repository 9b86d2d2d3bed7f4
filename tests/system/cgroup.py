# SPDX-License-Identifier: MIT
"""Cgroups (version 2) for tests, wherever they are mounted."""

import os
import secrets
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path

from waiting import until


def mount_point():
    """Where cgroup2 is, and can be written to; else None."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ")
        path = Path(left.split()[4])
        if right.split()[0] == "cgroup2" and left.split()[3] == "/" and os.access(path, os.W_OK):
            return path
    return None


class Cgroup:
    """A group of a test's own, with those below it; it is removed at the end."""

    def __init__(self, name=None):
        self.path = mount_point() / (name or f"wg-{secrets.token_hex(4)}")

    def __enter__(self):
        self.path.mkdir()
        return self

    def __exit__(self, *exception):
        self.remove_all()

    def remove_all(self):
        for directory, _, _ in os.walk(self.path, topdown=False):
            self._remove(Path(directory))

    @staticmethod
    def _remove(path):
        def try_it():
            with suppress(OSError):  # busy, until its last process is reaped
                path.rmdir()
            return not path.exists()

        until(try_it, 10, f"{path} is empty")

    def make(self, name):
        path = self.path / name
        path.mkdir()
        return path

    def remove(self, name):
        self._remove(self.path / name)


def identity(path):
    """The id of the group, as the kernel's programs see it."""
    return path.stat().st_ino


def execute(path, times=1):
    """A program is executed in the group, so many times."""
    for _ in range(times):
        subprocess.run(["/bin/sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec /bin/true', path],
                       check=True)


@contextmanager
def process_in(group, *entering):
    """A process in the group, and in the network namespace that @entering enters; the value is what
    executes one program more there."""
    sleeper = subprocess.Popen(
        [*entering, "/bin/sh", "-c",
         'echo $$ > "$0/cgroup.procs" && echo ready && exec sleep 600', group],
        stdout=subprocess.PIPE, text=True)
    try:
        assert sleeper.stdout.readline() == "ready\n"
        yield lambda: subprocess.run(["nsenter", f"--net=/proc/{sleeper.pid}/ns/net", "/bin/true"],
                                     check=True)
    finally:
        sleeper.kill()
        sleeper.wait()
        sleeper.stdout.close()
