# SPDX-License-Identifier: MIT
"""Configs in the manner of ebpf_exporter's, each under tests/dropin/ with a program of its own: run
as they are, while something happens, they show the series that ebpf_exporter documents."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
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

def test_syscalls(drop_in):
    daemon = drop_in("syscalls")

    def call():
        for _ in range(1000):
            os.getppid()
        for _ in range(500):
            try:
                os.stat("/there/is/none")
            except FileNotFoundError:
                pass

    as_ours(call)
    samples = daemon.scrape()
    assert samples.value("ebpf_exporter_syscalls_total", syscall="getppid") == 1000
    assert samples.value("ebpf_exporter_syscall_errors_total", error="ENOENT") == 500
    assert "# HELP ebpf_exporter_syscalls_total Number of calls for each syscall\n" in samples.text
    assert "# TYPE ebpf_exporter_syscalls_total counter\n" in samples.text


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

def test_cpu_label(drop_in):
    """Two bytes behind the key; with nothing else, the array's index is stripped."""
    daemon = drop_in("cpu_samples")

    def samples():
        return daemon.scrape().select("ebpf_exporter_cpu_samples_total")

    until(lambda: sum(value for _, value in samples()) > 50, 10, "samples are taken")
    cpus = {labels["cpu"] for labels, _ in samples()}
    assert all(set(labels) == {"cpu"} for labels, _ in samples())
    assert {str(cpu) for cpu in os.sched_getaffinity(0)} <= cpus
    kinds = daemon.scrape().select("ebpf_exporter_cpu_mode_samples_total")
    assert kinds and all(set(labels) == {"kind", "cpu"} for labels, _ in kinds)
    assert {labels["kind"] for labels, _ in kinds} == {"0"}


def test_xdp_at_a_device_sums_over_cpus(here, there, drop_in):
    """SEC("xdp/wire"); the array has an entry for every key."""
    daemon = drop_in("xdp_protocols")
    ethernet = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
    there.send_frames("wire", [ethernet / IP() / UDP()] * 7 + [ethernet / IP() / TCP()] * 5 +
                      [ethernet / IP() / ICMP()] * 2 + [ethernet / ARP()] * 3)
    name = "ebpf_exporter_xdp_packets_total"

    def total():
        return daemon.scrape().total(name)

    until(lambda: total() >= 14, 10, total)
    samples = daemon.scrape()
    counts = {labels["protocol"]: value for labels, value in samples.select(name)}
    assert (counts["udp"], counts["tcp"], counts["icmp"]) == (7, 5, 2)
    assert counts["41"] == 0 and len(counts) == 256  # allow_unknown: the number itself
    assert "never" not in counts  # 0x11 is no spelling of what uint makes of 17
    assert total() == 14


# --- kallsyms

def test_stacks_and_addresses_of_symbols(drop_in):
    daemon = drop_in("stacks")
    with open("/dev/null", "rb", buffering=0) as null:
        as_ours(lambda: [os.lseek(null.fileno(), 0, os.SEEK_SET) for _ in range(9)])
    samples = daemon.scrape()
    name = "ebpf_exporter_known_addresses_total"
    assert labels_of(samples, name) == {(("function", "do_syscall_64"),): 9,
                                        (("function", "schedule"),): 9,
                                        (("function", "unknown_addr:0x1"),): 9}
    stacks = samples.select("ebpf_exporter_lseek_stacks_total")
    assert sum(value for _, value in stacks) == 9
    assert all("do_syscall_64" in labels["kstack"].split("\n") for labels, _ in stacks)


# --- events

def test_perf_event_array_counts_events(drop_in, cleanup):
    """Each event counts 1; what no pattern matches is left out, one group is what is shown."""
    daemon = drop_in("execs")
    home = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
    home.chmod(0o755)  # not only root runs what is in it
    for name in ("dropin-one", "dropin-two", "loader"):
        shutil.copy("/bin/true", home / name)
    for _ in range(25):
        subprocess.run([home / "dropin-one"], check=True)
        subprocess.run([home / "dropin-two"], check=True)
        subprocess.run([home / "loader"], check=True, user=65534)
    name = "ebpf_exporter_execs_total"
    until(lambda: daemon.scrape().total(name) >= 75, 10, lambda: daemon.scrape().select(name))
    counts = {(labels["command"], labels["uid"]): value
              for labels, value in daemon.scrape().select(name)}
    assert counts == {("dropin", "0"): 50, ("loader", "65534"): 25}


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

def test_the_daemon_passes_its_mark_once(drop_in):
    daemon = drop_in("once")
    assert daemon.scrape().value("ebpf_exporter_post_attach_runs_total") == 1
    assert daemon.scrape().value("ebpf_exporter_post_attach_runs_total") == 1


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
