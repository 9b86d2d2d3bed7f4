# SPDX-License-Identifier: MIT
"""What the kernel says about BPF and traffic control: bpftool and tc."""

import glob
import json
import re
import subprocess
from contextlib import suppress
from ctypes import (POINTER, byref, c_int, c_uint32, c_void_p, cast, create_string_buffer,
                    get_errno, sizeof)
from errno import ENOENT

from bpf import TestRunOpts, check, declare, lib, run_raw_tracepoint
from waiting import until

KINDS = ("prog", "map", "link")

declare("bpf_map_get_fd_by_id", c_int, c_uint32)
declare("bpf_prog_get_fd_by_id", c_int, c_uint32)
for kind in KINDS:
    declare(f"bpf_{kind}_get_next_id", c_int, c_uint32, POINTER(c_uint32))


def bpftool(*arguments):
    done = subprocess.run(["bpftool", "--json", *map(str, arguments)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def ids(kind):
    """Ids of all BPF objects of a kind (prog, map, link) that there are."""
    next_of, number, found = getattr(lib, f"bpf_{kind}_get_next_id"), c_uint32(0), set()
    while next_of(number, byref(number)) == 0:
        found.add(number.value)
    assert get_errno() == ENOENT
    return found


def held_by_processes():
    """{kind: ids} that any process has a descriptor of."""
    held = {kind: set() for kind in KINDS}
    for path in glob.iglob("/proc/[0-9]*/fdinfo/*"):
        with suppress(FileNotFoundError, ProcessLookupError), open(path) as file:
            for kind, number in re.findall(r"^(\w+)_id:\s*(\d+)", file.read(), re.M):
                held.get(kind, set()).add(int(number))
    return held


def unowned():
    """{(kind, id)} of BPF objects that live on without a process, such as a filter's program. What
    others on this host have by a descriptor is not among them."""
    there = {kind: ids(kind) for kind in KINDS}
    held = held_by_processes()
    return {(kind, number) for kind in KINDS
            for number in (there[kind] - held[kind]) & ids(kind)}


def until_only(before, when=""):
    """Waits until nothing is unowned that was not in @before. Workers of the kernel free, which
    may take seconds on a busy host; what leaks stays for good."""
    until(lambda: unowned() <= before, 30, lambda: f"{when}: left is {unowned() - before}")


def holdings(daemon):
    """What the daemon has in the kernel: {kind: ids}. At least its programs and maps are there."""
    held = {kind: daemon.bpf_objects(kind) for kind in ("prog", "map", "link")}
    assert held["prog"] and held["map"]
    assert all(held[kind] <= ids(kind) for kind in held)
    return held


def assert_released(held, keep=()):
    """Nothing of @held is there any more; the kernel frees with a delay."""
    def left():
        return {kind: mine & ids(kind) for kind, mine in held.items()
                if kind not in keep and mine & ids(kind)}

    until(lambda: not left(), 5, lambda: f"left in the kernel: {left()}")


def filters(namespace, device):
    """Lines of tc about clsact on @device, both directions."""
    return [line for direction in ("ingress", "egress")
            for line in namespace.tc(f"filter show dev {device} {direction}").splitlines()]


def has_clsact(namespace, device):
    return "clsact" in namespace.tc(f"qdisc show dev {device}")


def assert_untouched(namespace):
    """No program is attached in the namespace, by whatever way, and no clsact qdisc is there."""
    with namespace.entered():
        (net,) = bpftool("net", "show")
    assert not net["tc"] and not net["xdp"], net
    assert "clsact" not in namespace.tc("qdisc show")


class Map:
    """A map of the daemon by its name, to be written to from here."""

    def __init__(self, daemon, name):
        shown = [bpftool("map", "show", "id", number) for number in daemon.bpf_objects("map")]
        (self.info,) = (row for row in shown if row.get("name") == name[:15])
        self.fd = check(lib.bpf_map_get_fd_by_id(self.info["id"]), name)
        self.name = name

    def write(self, key, *values):
        """One value, or one for each CPU: 8 bytes each."""
        assert len(key) == self.info["bytes_key"] and self.info["bytes_value"] == 8
        packed = b"".join(value.to_bytes(8, "little") for value in values)
        check(lib.bpf_map_update_elem(self.fd, key, packed, 0), self.name)

    def write_bytes(self, key, value):
        assert len(key) == self.info["bytes_key"] and len(value) == self.info["bytes_value"]
        check(lib.bpf_map_update_elem(self.fd, key, value, 0), self.name)

    def read(self, key):
        value = create_string_buffer(self.info["bytes_value"])
        check(lib.bpf_map_lookup_elem(self.fd, key, value), self.name)
        return value.raw

    def delete(self, key):
        check(lib.bpf_map_delete_elem(self.fd, key), self.name)


class Program:
    """A program of the daemon by its name, to be run from here."""

    def __init__(self, daemon, name):
        shown = [bpftool("prog", "show", "id", number) for number in daemon.bpf_objects("prog")]
        (info,) = (row for row in shown if row.get("name") == name[:15])
        self.fd = check(lib.bpf_prog_get_fd_by_id(info["id"]), name)

    def run_raw_tracepoint(self, *args):
        return run_raw_tracepoint(self.fd, *args)

    def run_packet(self, payload, repeat=1):
        """With a packet of it behind an Ethernet header; what the last run gave back."""
        data = bytes(14) + payload
        buffer = create_string_buffer(data, len(data))
        options = TestRunOpts(sz=sizeof(TestRunOpts), data_in=cast(buffer, c_void_p),
                              data_size_in=len(data), repeat=repeat)
        check(lib.bpf_prog_test_run_opts(self.fd, byref(options)), "a test run")
        return options.retval
