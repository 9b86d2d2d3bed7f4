# SPDX-License-Identifier: MIT
"""What the kernel says about BPF and traffic control: bpftool and tc."""

import json
import subprocess

from bpf import check, declare, lib, run_raw_tracepoint
from ctypes import c_int, c_uint32
from waiting import until

declare("bpf_map_get_fd_by_id", c_int, c_uint32)
declare("bpf_prog_get_fd_by_id", c_int, c_uint32)


def bpftool(*arguments):
    done = subprocess.run(["bpftool", "--json", *map(str, arguments)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def ids(kind):
    """Ids of all BPF objects of a kind (prog, map, link) that there are."""
    def show():
        # What goes while it is asked for makes bpftool fail: then again.
        done = subprocess.run(["bpftool", "--json", kind, "show"], capture_output=True, text=True)
        return done.returncode == 0 and done

    return {row["id"] for row in json.loads(until(show, 5, f"bpftool {kind} show").stdout)}


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
