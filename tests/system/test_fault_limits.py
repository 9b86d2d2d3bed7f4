# SPDX-License-Identifier: MIT
"""Too few descriptors, too little memory: said clearly, survived, and nothing is left over."""

import os
import resource
import signal
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from attaching import has_symbol
from configs import LABEL, add_config
from daemon import PATIENCE, SANITIZED, command
from kernel import assert_untouched, unowned, until_only
from memory_cgroup import MemoryCgroup
from waiting import until

FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() / bytes(50)
PACKETS = "wiregauge_interface_packets_total"
NO_DESCRIPTORS = "too many open files"
NO_MEMORY = "no memory"
MISLEADING = ("verifier", "damaged", "is wrong")
WIDE = ("metrics: {counters: [{name: wide_total, help: x, "
        f"labels: [{LABEL % ('number', 4)}]}}]}}\n")
WIDE_LINE, WIDE_LINES = b"\nebpf_exporter_wide_total{", 40000


def outcome(daemon):
    """"ready", or what it ended with"""
    return until(lambda: "ready" if "ready: " in daemon.log() else daemon.process.poll() is not None
                 and daemon.fails(), 10 * PATIENCE, "it is ready or has ended")


def data_bytes(daemon):
    """What RLIMIT_DATA counts: proc_pid_status(5)."""
    with open(f"/proc/{daemon.pid}/status") as file:
        rows = dict(line.split(":") for line in file)
    return int(rows["VmData"].split()[0]) << 10


def serves(daemon):
    try:
        return daemon.request()[0] == 200
    except OSError:
        return False


# --- descriptors

@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_starts_with_any_number_of_descriptors(here, there, launch, mechanism):
    """From too few for anything to enough: it runs, or ends and says why."""
    ready = 0
    for limit in range(4, 60, 6 if SANITIZED or "VMTEST" in os.environ else 1):
        daemon = launch("--tc.mechanism", mechanism, through=("prlimit", f"--nofile={limit}"))
        result = outcome(daemon)
        if result == "ready":
            assert serves(daemon) or "no descriptor" in daemon.log(), daemon.log()
            daemon.stop()
            ready += 1
        else:
            code, log = result
            assert code == 1 and NO_DESCRIPTORS in log.lower(), f"{limit}: {code}\n{log}"
        assert not any(word in daemon.log() for word in MISLEADING), daemon.log()
        assert_untouched(here)
    assert ready


def in_use(daemon):
    return len(daemon.descriptors())


@contextmanager
def limited(daemon, resource_, limit):
    """The soft limit of a running daemon; the hard one could not be raised again."""
    before = resource.prlimit(daemon.pid, resource_)
    resource.prlimit(daemon.pid, resource_, (limit, before[1]))
    try:
        yield
    finally:
        resource.prlimit(daemon.pid, resource_, before)


def wanted_cpu(daemon):
    """{thread: seconds that it ran or waited for a CPU}: one that spins wants it all the time, also
    on a host where it gets little (Documentation/scheduler/sched-stats.rst)."""
    found = {}
    for path in Path(f"/proc/{daemon.pid}/task").glob("*/schedstat"):
        ran, waited, _ = path.read_text().split()
        found[path.parent.name] = (int(ran) + int(waited)) / 1e9
    return found


def connect_silently(daemon, stack, count):
    """The kernel takes in more of them than the daemon can accept."""
    for _ in range(count):
        stack.enter_context(daemon.connect())


@pytest.mark.parametrize("room", [0, 4])
def test_out_of_descriptors_while_serving(here, there, run, room):
    """With some room, whoever is silent for longest goes for the next one."""
    daemon = run()
    until(lambda: "wire" in daemon.attached("tc_egress"), 5 * PATIENCE, "it is attached")
    with ExitStack() as clients, limited(daemon, resource.RLIMIT_NOFILE,
                                          in_use(daemon) + room if room else 1):
        connect_silently(daemon, clients, 20)
        here.ip("link add late type veth peer name other")
        until(lambda: NO_DESCRIPTORS in daemon.log().lower(), 20 * PATIENCE, "it says so")
        began, before = time.monotonic(), wanted_cpu(daemon)
        time.sleep(2)
        elapsed, after = time.monotonic() - began, wanted_cpu(daemon)
        # It waits, instead of asking for one without end.
        assert max(after[thread] - before[thread] for thread in before) < elapsed * 0.8
        assert len(daemon.complaints()) < 20
    until(lambda: daemon.request()[0] == 200, 10 * PATIENCE, "it serves again")
    daemon.reload()  # which tries the interface again
    until(lambda: {"late", "other"} <= daemon.attached("tc_egress"), 5 * PATIENCE, "all attached")
    here.send_frames("wire", [FRAME] * 3)
    assert daemon.scrape().total(PACKETS, interface="wire", direction="egress") == 3


# --- memory

@pytest.fixture
def limit_memory(cleanup):
    return lambda megabytes: cleanup.enter_context(MemoryCgroup(megabytes << 20)).through


@pytest.mark.skipif(not has_symbol("bpf_map_kmalloc_node"),
                    reason="this kernel counts the memory of maps for no cgroup (Linux 5.11)")
def test_map_that_does_not_fit_into_the_memory(here, there, launch, folder, limit_memory):
    """Its config is broken and says why; the others run."""
    through = limit_memory(192 if SANITIZED else 48)
    before = unowned()
    add_config(folder, "large", "metrics: {counters: [{name: large_total, help: x}]}\n",
               "tests/system/large")
    # The sanitizers' own share grows with what is loaded.
    modules = ("--module", "packets") if SANITIZED else ()
    daemon = launch("--config.dir", folder, *modules, through=through)
    assert outcome(daemon) == "ready", daemon.log()
    (broken,) = daemon.status()["broken"]
    assert broken["name"] == "large" and NO_MEMORY in broken["error"]
    assert NO_MEMORY in daemon.log()
    here.send_frames("wire", [FRAME] * 3)
    until(lambda: daemon.scrape().total(PACKETS, interface="wire", direction="egress") == 3,
          5 * PATIENCE, "packets are counted")
    daemon.stop()
    until_only(before)


def crawls(daemon):
    """Linux 5.10 may let a process go on with a page at a time instead of ending it."""
    try:
        outcome(daemon)
        return False
    except AssertionError:
        return daemon.process.poll() is None


@pytest.mark.skipif(SANITIZED, reason="the sanitizers themselves need hundreds of megabytes")
@pytest.mark.parametrize("megabytes", [3, 4, 5, 6, 8, 10, 12])
def test_starts_with_any_amount_of_memory(here, there, launch, limit_memory, megabytes):
    """It runs, or says that there is no memory, or is killed by the kernel."""
    before = unowned()
    daemon = launch(through=limit_memory(megabytes))
    if "VMTEST" in os.environ and crawls(daemon):
        daemon.kill()
    elif (result := outcome(daemon)) == "ready":
        daemon.kill()
    else:
        code, log = result
        assert code == -signal.SIGKILL or (code == 1 and NO_MEMORY in log), f"{code}\n{log}"
    if not has_symbol("tcx_link_attach"):
        with here.entered():
            assert command("cleanup").returncode == 0
    until_only(before)
    assert_untouched(here)


@pytest.mark.skipif(SANITIZED, reason="the sanitizers end a program that gets no memory")
def test_no_memory_for_a_scrape(here, run, folder):
    """The first scrape of a large map needs megabytes; a scrape that comes later gets them."""
    add_config(folder, "fault", WIDE, "tests/system/fault")
    daemon = run("--config.dir", folder)
    with limited(daemon, resource.RLIMIT_DATA, data_bytes(daemon) + (256 << 10)):
        for _ in range(3):
            status, _, page = daemon.request()
            assert status == 503 or page.count(WIDE_LINE) == 0
            assert b"memory" in page or "memory" in daemon.log()
    assert daemon.request()[2].count(WIDE_LINE) == WIDE_LINES
