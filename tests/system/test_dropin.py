# SPDX-License-Identifier: MIT
"""Configs in the manner of ebpf_exporter's, each under tests/dropin/ with a program of its own: run
as they are, while something happens, they show the series that ebpf_exporter documents."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.l2 import ARP, Ether

from bpf import object_path
from daemon import ROOT
from waiting import until


@pytest.fixture
def drop_in(run, tmp_path):
    """Runs the config @name with ebpf_exporter's flags."""
    def start(name):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(ROOT / f"tests/dropin/{name}.yaml", folder)
        shutil.copy(object_path(f"tests/dropin/{name}"), folder)
        daemon = run(f"--config.dir={folder}", f"--config.names={name}", "--module=",
                     "--config.strict")
        assert daemon.complaints() == []
        return daemon
    return start


def as_ours(action):
    """Runs @action in a thread that the programs know (tests/dropin/dropin.h)."""
    failures = []

    def body():
        Path("/proc/thread-self/comm").write_text("dropin-test")
        try:
            action()
        except BaseException as failure:
            failures.append(failure)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert not failures, failures


def labels_of(samples, name):
    return {tuple(sorted(labels.items())): value for labels, value in samples.select(name)}


# --- counters: uint, syscall, errno

# --- histograms of all four types, with and without a sum

OFFSETS = [0, 0, 1, 2, 3, 4, 5, 49, 50, 51, 100, 101, 500, 500, 501, 4096]


@pytest.fixture
def offsets(drop_in):
    daemon = drop_in("offsets")
    with open("/dev/null", "rb", buffering=0) as null:
        as_ours(lambda: [os.lseek(null.fileno(), offset, os.SEEK_SET) for offset in OFFSETS])
    return daemon.scrape()


def buckets(samples, name, **labels):
    """[(le, count)], +Inf last"""
    return [(float(row.pop("le")), value) for row, value
            in samples.select(f"ebpf_exporter_{name}_bucket", **labels)]


def expected_buckets(bounds):
    """Cumulative; what is beyond the last counts there: that is how these programs clamp."""
    counts = [sum(offset <= bound for offset in OFFSETS) for bound in bounds[:-1]]
    return [*zip(bounds, [*counts, len(OFFSETS)]), (float("inf"), len(OFFSETS))]


def scaled(rows, factor):
    return [(pytest.approx(bound * factor), count) for bound, count in rows]


def test_exp2(offsets):
    name, labels = "exp2_offset_seconds", {"whence": "set"}
    bounds = [2**i for i in range(21)]
    assert buckets(offsets, name, **labels) == scaled(expected_buckets(bounds), 1e-6)
    assert offsets.value(f"ebpf_exporter_{name}_sum", **labels) == pytest.approx(sum(OFFSETS) / 1e6)
    assert offsets.value(f"ebpf_exporter_{name}_count", **labels) == len(OFFSETS)


def test_exp2zero_without_a_sum(offsets):
    name = "exp2zero_offset_bytes"
    bounds = [0, 1, 2, 4, 8, 16, 32]
    assert buckets(offsets, name) == expected_buckets(bounds)
    assert offsets.value(f"ebpf_exporter_{name}_sum") == 0
    assert offsets.value(f"ebpf_exporter_{name}_count") == len(OFFSETS)


def test_linear(offsets):
    name = "linear_offset_bytes"
    assert buckets(offsets, name) == expected_buckets([0, 100, 200, 300, 400, 500])
    steps = sum(offset // 100 for offset in OFFSETS)
    assert offsets.value(f"ebpf_exporter_{name}_sum") == steps * 100
    assert offsets.value(f"ebpf_exporter_{name}_count") == len(OFFSETS)


def test_fixed(offsets):
    name = "fixed_offset_bytes"
    assert buckets(offsets, name) == expected_buckets([1, 50, 500])
    assert offsets.value(f"ebpf_exporter_{name}_sum") == sum(OFFSETS)
    assert offsets.value(f"ebpf_exporter_{name}_count") == len(OFFSETS)
    assert "# TYPE ebpf_exporter_fixed_offset_bytes histogram\n" in offsets.text


# --- per-CPU maps

# --- kallsyms

# --- events

# --- cgroups

def cgroup_root():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, kind = line.split(" - ")
        if kind.split()[0] == "cgroup2":
            return Path(fields.split()[4])
    pytest.skip("no cgroup2 hierarchy is mounted")


@pytest.fixture
def make_cgroup(cleanup):
    def make(prefix):
        path = cgroup_root() / f"{prefix}-{secrets.token_hex(4)}"
        path.mkdir()
        cleanup.callback(path.rmdir)
        return path
    return make


def lseek_in(cgroup, times):
    """A process in @cgroup that calls lseek."""
    script = (f"import os, sys; sys.stdin.read(); fd = os.open('/dev/null', os.O_RDONLY)\n"
              f"for i in range({times}): os.lseek(fd, 0, 0)")
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as child:
        (cgroup / "cgroup.procs").write_text(str(child.pid))
        child.stdin.close()
        assert child.wait(30) == 0


def test_cgroup_id_map_holds_the_cgroups_that_match(drop_in, make_cgroup):
    before = make_cgroup("dropin-traced")
    other = make_cgroup("dropin-other")
    daemon = drop_in("cgroups")
    later = make_cgroup("dropin-traced")
    name = "ebpf_exporter_cgroup_lseeks_total"

    def counts():
        return {Path(labels["cgroup"]).name: value for labels, value
                in daemon.scrape().select(name)}

    def calls(cgroup):
        lseek_in(cgroup, 100)
        return counts().get(cgroup.name, 0) >= 100

    assert calls(before)
    until(lambda: calls(later), 10, "the new cgroup is traced")
    assert not calls(other)
    assert set(counts()) == {before.name, later.name}


# --- attaching

@pytest.fixture
def tracefs():
    """For tracepoints by name; mounted while a test needs it."""
    path = "/sys/kernel/tracing"
    if os.path.exists(f"{path}/events"):
        yield
        return
    done = subprocess.run(["mount", "-t", "tracefs", "none", path], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"tracefs cannot be mounted: {done.stderr.strip()}")
    yield
    subprocess.run(["umount", path], check=True)


def test_tracepoint_with_addresses(tracefs, here, there, drop_in):
    daemon = drop_in("tcp_states")
    here.ip("addr add 192.0.2.1/24 dev wire")
    there.ip("addr add 192.0.2.2/24 dev wire")
    with there.entered():
        server = socket.create_server(("192.0.2.2", 4321))

    def talk():
        with here.entered():
            for _ in range(3):
                socket.create_connection(("192.0.2.2", 4321), timeout=10).close()

    with server:
        as_ours(talk)
        states = {(labels["state"], labels["family"]): value for labels, value in
                  daemon.scrape().select("ebpf_exporter_tcp_states_total", address="192.0.2.2",
                                         port="4321")}
    assert states[("syn_sent", "ipv4")] == 3
    assert states[("established", "ipv4")] == 3
    assert states[("unknown:4", "ipv4")] == 3  # fin_wait1, which the config does not name
