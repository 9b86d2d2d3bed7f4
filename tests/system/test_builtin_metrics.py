# SPDX-License-Identifier: MIT
"""What the daemon says of itself, against what the kernel and the test know."""

import os
import platform
import re
import subprocess
import time

import pytest

from configs import add_config, u32
from daemon import BINARY
from exposition import read_text
from kernel import Map, Program, bpftool
from test_formats import MANIFEST
from waiting import until

STATS = "/proc/sys/kernel/bpf_stats_enabled"

# Added to the maps of formats.bpf.c: entries that cannot be decoded, and a limit.
CHANGES = [
    ("A gauge of almost the same name, labels: [{name: n, size: 4, decoders: [{name: uint}]}]",
     "Decoded wrongly, labels: [{name: n, size: 4, decoders: [{name: string}, "
     "{name: ip_proto}]}]"),
    ("help: Nothing yet,", "help: Limited, max_series: 2, overflow: drop,"),
]


@pytest.fixture
def daemon(folder, run_configs):
    manifest = MANIFEST
    for old, new in CHANGES:
        assert old in manifest
        manifest = manifest.replace(old, new)
    add_config(folder, "formats", manifest, "tests/system/formats")
    return run_configs()


def test_configs_and_build(daemon):
    samples = daemon.scrape()
    assert samples.select("ebpf_exporter_enabled_configs") == [({"name": "formats"}, 1)]
    version = re.search(r"[0-9]+\.[0-9]+\S*", subprocess.run(
        [BINARY, "--version"], capture_output=True, text=True).stdout)[0]
    assert samples.select("ebpf_exporter_build_info") == [
        ({"arch": platform.machine(), "version": version}, 1)]


def test_programs(daemon):
    samples = daemon.scrape()
    (number,) = daemon.bpf_objects("prog")
    info = bpftool("prog", "show", "id", number)
    assert samples.select("ebpf_exporter_ebpf_program_info") == [
        ({"config": "formats", "program": "observe", "tag": info["tag"], "id": str(number)}, 1)]
    # There is no such tracepoint.
    assert samples.select("ebpf_exporter_ebpf_program_attached") == [({"id": str(number)}, 0)]


@pytest.fixture
def run_counters():
    """The kernel counts runs, as far as the test may switch that on."""
    with open(STATS) as file:
        before = file.read()
    try:
        with open(STATS, "w") as file:
            file.write("1")
    except OSError as error:
        pytest.skip(f"kernel.bpf_stats_enabled cannot be set here: {error}")
    yield
    with open(STATS, "w") as file:
        file.write(before)


NAMES = ("ebpf_exporter_ebpf_program_run_count_total",
         "ebpf_exporter_ebpf_program_run_time_seconds")


def test_run_counters(run_counters, daemon):
    (number,) = daemon.bpf_objects("prog")
    program = Program(daemon, "observe")
    for _ in range(10):
        program.run_raw_tracepoint(5, 1)
    families = read_text(daemon.request()[2])
    count, seconds = (families[name].samples[name, frozenset({("id", str(number))})]
                      for name in NAMES)
    info = bpftool("prog", "show", "id", number)
    assert count == info["run_cnt"] == 10
    assert seconds == info["run_time_ns"] / 1e9 > 0


def test_run_counters_that_stand_still_are_not_shown(daemon):
    with open(STATS) as file:
        if file.read().strip() != "0":
            pytest.skip("kernel.bpf_stats_enabled is 1 here")
    assert not {*NAMES} & {*read_text(daemon.request()[2])}


def test_decoder_errors(daemon):
    """A broken entry is counted at each scrape; the others are shown."""
    Map(daemon, "pair").write(b"6\0\0\0", 7)
    Map(daemon, "pair").write(b"x\0\0\0", 8)
    name = "ebpf_exporter_decoder_errors_total"
    for scrapes in (1, 2, 3):
        samples = daemon.scrape()
        assert samples.select(name) == [({"config": "formats"}, scrapes)]
        assert samples.select("ebpf_exporter_pair") == [({"n": "tcp"}, 7)]


def test_how_full_maps_are(daemon):
    target = Map(daemon, "texts_total")
    for number in range(300):
        target.write(bytes(64) + u32(number), 1)
    samples = daemon.scrape()
    labels = {"config": "formats", "map": "texts_total"}
    assert samples.value("wiregauge_map_entries", **labels) == 300
    assert samples.value("wiregauge_map_max_entries", **labels) == 100000
    target.delete(bytes(64) + u32(0))
    assert daemon.scrape().value("wiregauge_map_entries", **labels) == 299
    assert {labels["map"] for labels, _ in samples.select("wiregauge_map_max_entries")} == {
        "texts_total", "runs", "pair", "pair_total", "empty_total", "classic_seconds",
        "coarse_seconds", "fine_seconds"}


def test_overflow_is_counted(daemon):
    for number in range(4):
        Map(daemon, "empty_total").write(u32(number), 1)
    samples = daemon.scrape()
    assert samples.select("wiregauge_entries_overflow_total") == [
        ({"config": "formats", "map": "empty_total"}, 2)]
    assert len(samples.select("ebpf_exporter_empty_total")) == 2


def status_field(daemon, name):
    with open(f"/proc/{daemon.pid}/status") as file:
        return int(re.search(rf"^{name}:\s+(\d+)", file.read(), re.M)[1]) * 1024


def test_process(daemon, here):
    daemon.scrape()
    samples = daemon.scrape()
    names = {name for name, _, _ in samples.rows if name.startswith("process_")}
    assert names == {"process_" + name for name in (
        "cpu_seconds_total", "max_fds", "network_receive_bytes_total",
        "network_transmit_bytes_total", "open_fds", "resident_memory_bytes", "start_time_seconds",
        "virtual_memory_bytes", "virtual_memory_max_bytes")}
    resident = samples.value("process_resident_memory_bytes")
    assert resident == pytest.approx(status_field(daemon, "VmRSS"), rel=0.5)
    assert samples.value("process_virtual_memory_bytes") == pytest.approx(
        status_field(daemon, "VmSize"), rel=0.5)
    # The connection of the scrape is one more.
    assert samples.value("process_open_fds") - len(daemon.descriptors()) in (0, 1)
    with open(f"/proc/{daemon.pid}/limits") as file:
        limits = file.read()
    assert samples.value("process_max_fds") == int(re.search(r"Max open files\s+(\d+)", limits)[1])
    with open(f"/proc/{daemon.pid}/stat") as file:
        fields = file.read().rpartition(")")[2].split()
    ticks = os.sysconf("SC_CLK_TCK")
    assert 0 < samples.value("process_cpu_seconds_total") <= \
        (int(fields[11]) + int(fields[12])) / ticks + 1
    boot = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    assert samples.value("process_start_time_seconds") == pytest.approx(
        boot + int(fields[19]) / ticks, abs=1)


def octets(namespace):
    with namespace.entered(), open("/proc/thread-self/net/netstat") as file:
        names, values = (line.split() for line in file if line.startswith("IpExt:"))
    return [int(values[names.index(name)]) for name in ("InOctets", "OutOctets")]


def test_bytes_over_the_network(daemon, here):
    before = octets(here)
    daemon.scrape()
    found = [until(lambda: daemon.scrape().value(f"process_network_{name}_bytes_total"), 5, name)
             for name in ("receive", "transmit")]
    after = octets(here)
    assert all(low < value <= high for low, value, high in zip(before, found, after))
