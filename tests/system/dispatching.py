# SPDX-License-Identifier: MIT
"""libxdp's dispatcher at "wire", into which xdp-loader(8) puts programs of others, those of
dispatched.bpf.c, and of which it says what is there. As fixtures, imported:

    dispatcher      there is one, with the program "one" in it
    joined          the same, and ours can be put into it
"""

import os
import re
import shutil
import subprocess

import pytest

from bpf import kernel_is_at_least, object_path
from kernel import bpftool

OURS = "wiregauge_entry"
FIRST, LAST = 5, 50  # priorities; ours is 10


class Dispatcher:
    """What is at "wire" of a namespace."""

    def __init__(self, namespace):
        self.namespace = namespace

    def _run(self, *arguments):
        with self.namespace.entered():
            return subprocess.run(["xdp-loader", *map(str, arguments)], capture_output=True,
                                  text=True, check=False)

    def add(self, program, priority):
        done = self._run("load", "-m", "native", "-n", program, "-P", priority, "wire",
                         object_path("tests/system/dispatched"))
        assert done.returncode == 0, done.stdout + done.stderr

    def programs(self):
        """[(priority, name)], in the order in which they run."""
        shown = self._run("status", "wire").stdout
        return [(int(priority), name)
                for priority, name in re.findall(r"^ => +(\d+) +(\S+)", shown, re.M)]

    def remove(self, name):
        shown = self._run("status", "wire").stdout
        (number,) = re.findall(rf"^ => +\d+ +{name} +(\d+)", shown, re.M)
        done = self._run("unload", "wire", "-i", number)
        assert done.returncode == 0, done.stdout + done.stderr

    def remove_all(self):
        self._run("unload", "wire", "--all")

    def counted(self, name):
        """Packets that the program let by."""
        (program,) = (row for row in bpftool("prog", "show") if row.get("name") == name)
        (row,) = bpftool("map", "dump", "id", program["map_ids"][0])
        return row["formatted"]["value"]


def is_dispatched(namespace):
    with namespace.entered():
        (net,) = bpftool("net", "show")
    return any(bpftool("prog", "show", "id", row["id"]).get("name") == "xdp_dispatcher"
               for row in net["xdp"])


@pytest.fixture
def dispatcher(here, there, cleanup):
    """With one program in it."""
    if not shutil.which("xdp-loader"):
        pytest.skip("xdp-loader is not there (Debian package xdp-tools)")
    if not os.path.ismount("/sys/fs/bpf"):
        subprocess.run(["mount", "-t", "bpf", "bpffs", "/sys/fs/bpf"], check=True)
    made = Dispatcher(here)
    cleanup.callback(made.remove_all)
    made.add("one", FIRST)
    if not is_dispatched(here):
        pytest.skip("this kernel has no programs that replace functions of others (freplace), of "
                    "which a dispatcher is made")
    return made


def why_not_joined():
    """What the daemon says of a dispatcher that nothing can be put into; None where it can be: the
    kernel decides, and which dispatcher libxdp has. LIBXDP_OBJECT_PATH may name one of 1.5.5."""
    if not kernel_is_at_least(6, 1):
        return "this kernel lets no program in a dispatcher go on to another"
    if kernel_is_at_least(6, 12) and "LIBXDP_OBJECT_PATH" not in os.environ:
        return "this kernel takes only a dispatcher of libxdp 1.5.5 or newer"
    return None


@pytest.fixture
def joined(dispatcher):
    """One that others can be put into."""
    if why_not_joined():
        pytest.skip(why_not_joined())
    return dispatcher
