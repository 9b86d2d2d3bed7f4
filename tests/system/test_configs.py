# SPDX-License-Identifier: MIT
"""Users' own configs: a yaml and an object in a folder, and what goes wrong with them."""

import os
import re
import shutil
import subprocess
import tempfile
from itertools import pairwise

import pytest

from bpf import lib
from configs import LABEL, SINGLE, add_config, add_example, enabled, u32, u64
from daemon import BINARY, PATIENCE, ROOT, command
from kernel import Map
from waiting import until

CPUS = lib.libbpf_num_possible_cpus()
EXAMPLES = ("timers", "softirq_latency", "program_starts", "cpu_wait")


# --- the examples

@pytest.fixture
def examples(folder):
    for name in EXAMPLES:
        add_example(folder, name)


def kernel_symbols():
    with open("/proc/kallsyms") as file:
        return {line.split()[2] for line in file}


def test_timers_are_counted_by_kernel_function(examples, run_configs):
    daemon = run_configs("--config.names", "timers")
    name = "ebpf_exporter_timer_starts_total"
    first = until(lambda: daemon.scrape().total(name), 10, "timers are started")
    until(lambda: daemon.scrape().total(name) > first, 10, "more are started")
    functions = {labels["function"] for labels, _ in daemon.scrape().select(name)}
    known = {name for name in functions if not name.startswith("unknown_addr:")}
    assert known and known <= kernel_symbols()
    # Another kernel module's timer may have gone with it; the kernel's own are all known.
    assert len(known) >= len(functions) / 2


def softirqs_run():
    """By the kernel's own count: {name: times}"""
    with open("/proc/softirqs") as file:
        rows = [line.split() for line in file][1:]
    return {row[0].rstrip(":").lower(): sum(map(int, row[1:])) for row in rows}


def test_softirq_latency_is_a_histogram_that_grows(examples, run_configs):
    before = softirqs_run()
    daemon = run_configs("--config.names", "softirq_latency")
    name = "ebpf_exporter_softirq_latency_seconds"
    until(lambda: daemon.scrape().value(f"{name}_count", softirq="timer"), 10, "timer softirqs run")
    first = daemon.scrape()
    until(lambda: daemon.scrape().value(f"{name}_count", softirq="timer") >
          first.value(f"{name}_count", softirq="timer"), 10, "more run")
    samples, ran = daemon.scrape(), softirqs_run()
    for labels, count in samples.select(f"{name}_count"):
        buckets = [(float(row["le"]), value) for row, value
                   in samples.select(f"{name}_bucket", softirq=labels["softirq"])]
        assert len(buckets) == 30 - 10 + 1 + 1 and buckets[-1] == (float("inf"), count)
        assert all(low[0] < high[0] and low[1] <= high[1] for low, high in pairwise(buckets))
        assert buckets[0][0] == pytest.approx(2**10 * 1e-9)
        assert 0 < count <= ran[labels["softirq"]] - before[labels["softirq"]]
        total = samples.value(f"{name}_sum", softirq=labels["softirq"])
        assert 0 < total / count < 1  # seconds that one waits


def test_programs_are_counted_where_they_start(examples, run_configs):
    daemon = run_configs("--config.names", "program_starts")
    for _ in range(7):
        subprocess.run(["/bin/true"], check=True)
    counts = daemon.scrape().select("ebpf_exporter_program_starts_total", command="true")
    assert sum(value for _, value in counts) >= 7
    assert all(set(labels) == {"command", "container"} for labels, _ in counts)


def test_cpu_wait_is_a_histogram_by_octave(examples, run_configs):
    daemon = run_configs("--config.names", "cpu_wait")
    name = "ebpf_exporter_cpu_wait_seconds"
    first = until(lambda: daemon.scrape().value(f"{name}_count"), 10, "tasks wait")
    until(lambda: daemon.scrape().value(f"{name}_count") > first, 10, "more wait")
    samples = daemon.scrape()
    bounds = [float(row["le"]) for row, _ in samples.select(f"{name}_bucket")][1:-1]
    assert all(high == 2 * low for low, high in pairwise(bounds)) and bounds[-1] == 32
    assert 0 < samples.value(f"{name}_sum") / samples.value(f"{name}_count") < 1


def test_all_configs_of_a_folder(examples, run_configs, run, folder):
    daemon = run_configs()
    enabled = daemon.scrape().select("ebpf_exporter_enabled_configs")
    assert {labels["name"] for labels, _ in enabled} == set(EXAMPLES)
    assert all(daemon.scrape().value("ebpf_exporter_ebpf_program_attached", **labels) == 1
               for labels in ({"id": row["id"]} for row, _ in
                              daemon.scrape().select("ebpf_exporter_ebpf_program_info")))


# --- what is in a map is what is shown

KINDS = f"""
metrics:
  counters:
    - name: plain_total
      help: A hash with two labels
      labels:
        - name: kind
          size: 4
          decoders: [{{name: uint}}, {{name: static_map, static_map: {{1: one}}}}]
        - {{name: address, size: 4, decoders: [{{name: inet_ip}}]}}
    - {{name: single_total, help: One series without labels}}
    - {{name: percpu_total, help: Summed over CPUs, labels: [{LABEL % ("kind", 4)}]}}
    - name: bycpu_total
      help: By CPU
      labels: [{LABEL % ("kind", 4)}, {LABEL % ("cpu", 2)}]
    - {{name: lru_total, help: Summed over CPUs, labels: [{LABEL % ("kind", 4)}]}}
  histograms:
    - name: exp2_seconds
      help: Powers of two of microseconds
      bucket_type: exp2
      bucket_min: 1
      bucket_max: 4
      bucket_multiplier: 0.000001
      labels: [{LABEL % ("device", 4)}, {LABEL % ("bucket", 4)}]
    - name: exp2zero_bytes
      help: Powers of two, and zero
      bucket_type: exp2zero
      bucket_min: 0
      bucket_max: 3
      labels: [{LABEL % ("bucket", 4)}]
    - name: linear_bytes
      help: Tens
      bucket_type: linear
      bucket_min: 0
      bucket_max: 2
      bucket_multiplier: 10
      labels: [{LABEL % ("bucket", 4)}]
    - name: fixed_bytes
      help: As listed
      bucket_type: fixed
      bucket_keys: [5, 7, 100]
      labels: [{LABEL % ("bucket", 8)}]
"""


def by_cpu(first, step):
    return [first + step * cpu for cpu in range(CPUS)]


# map → [(key, values)]: one value, or one for each CPU
WRITTEN = {
    "plain_total": [
        (u32(1) + bytes([192, 0, 2, 1]), [2**64 - 1]),
        (u32(2) + bytes([0, 0, 0, 0]), [0]),
    ],
    "single_total": [(u32(0), [2**53 + 1])],
    "percpu_total": [(u32(5), by_cpu(1, 10)), (u32(6), [0] * CPUS)],
    "bycpu_total": [(u32(5), by_cpu(3, 100))],
    "lru_total": [(u32(9), by_cpu(2**40, 1))],
    "exp2_seconds": [
        (u32(8, 1), [4]), (u32(8, 3), [2]), (u32(8, 4), [1]),
        (u32(8, 0), [77]), (u32(8, 9), [77]),  # out of range: not shown
        (u32(8, 5), [1000000]),                # bucket_max + 1: the sum
        (u32(3, 2), [1]),
    ],
    "exp2zero_bytes": [(u32(0), [1]), (u32(1), [2]), (u32(3), [3]), (u32(4), [11])],
    "linear_bytes": [(u32(0), [5]), (u32(2), [6]), (u32(3), [12])],
    "fixed_bytes": [(u64(5), by_cpu(1, 0)), (u64(100), by_cpu(2, 0)), (u64(6), by_cpu(9, 9)),
                    (u64(101), by_cpu(400, 0))],
}


def shown():
    """The lines of the exposition that WRITTEN makes, written down by hand."""
    yield f'plain_total{{address="192.0.2.1",kind="one"}} {2**64 - 1}'
    yield 'plain_total{address="0.0.0.0",kind="unknown:2"} 0'
    yield f"single_total {2**53 + 1}"
    yield f'percpu_total{{kind="5"}} {sum(by_cpu(1, 10))}'
    yield 'percpu_total{kind="6"} 0'
    for cpu in range(CPUS):
        yield f'bycpu_total{{cpu="{cpu}",kind="5"}} {3 + 100 * cpu}'
    yield f'lru_total{{kind="9"}} {sum(by_cpu(2**40, 1))}'
    for device, counts, total in (("8", (4, 4, 6, 7), "1"), ("3", (0, 1, 1, 1), "0")):
        for bound, count in zip(("2e-06", "4e-06", "8e-06", "1.6e-05"), counts):
            yield f'exp2_seconds_bucket{{device="{device}",le="{bound}"}} {count}'
        yield f'exp2_seconds_bucket{{device="{device}",le="+Inf"}} {counts[-1]}'
        yield f'exp2_seconds_sum{{device="{device}"}} {total}'
        yield f'exp2_seconds_count{{device="{device}"}} {counts[-1]}'
    yield from unlabelled("exp2zero_bytes", {"0": 1, "1": 3, "2": 3, "4": 6}, 11)
    yield from unlabelled("linear_bytes", {"0": 5, "10": 5, "20": 11}, 120)
    yield from unlabelled("fixed_bytes", {"5": CPUS, "7": CPUS, "100": 3 * CPUS}, 400 * CPUS)


def unlabelled(name, buckets, total):
    count = max(buckets.values())
    for bound, value in buckets.items():
        yield f'{name}_bucket{{le="{bound}"}} {value}'
    yield f'{name}_bucket{{le="+Inf"}} {count}'
    yield f"{name}_sum {total}"
    yield f"{name}_count {count}"


def lines_about_kinds(daemon):
    """Without comments, prefix and the metrics that every daemon has."""
    names = "|".join(WRITTEN)
    return re.findall(rf"^ebpf_exporter_((?:{names}).*)$", daemon.scrape().text, re.M)


def test_every_kind_of_map_is_shown_exactly(folder, run_configs):
    add_config(folder, "kinds", KINDS)
    daemon = run_configs()
    assert len(lines_about_kinds(daemon)) > 0  # arrays have entries from the beginning
    for name, entries in WRITTEN.items():
        target = Map(daemon, name)
        for key, values in entries:
            target.write(key, *values)
    assert sorted(lines_about_kinds(daemon)) == sorted(shown())
    assert daemon.complaints() == []


def test_entries_that_go_are_shown_no_more(folder, run_configs):
    add_config(folder, "kinds", KINDS)
    daemon = run_configs()
    target = Map(daemon, "percpu_total")
    for kind in range(10):
        target.write(u32(kind), *by_cpu(1, 0))
    assert len(daemon.scrape().select("ebpf_exporter_percpu_total")) == 10
    for kind in range(9):
        target.delete(u32(kind))
    assert daemon.scrape().select("ebpf_exporter_percpu_total") == [({"kind": "9"}, CPUS)]


def test_what_is_off_by_default_runs_when_it_is_named(folder, run_configs):
    add_config(folder, "quiet", "enabled: false\n" + SINGLE)
    add_config(folder, "kinds", KINDS)
    daemon = run_configs()
    assert enabled(daemon) == {"kinds"}
    # Of the built-in modules none was asked for.
    assert {"packets", "tcp"} <= set(daemon.status()["off"])
    daemon.stop()
    daemon = run_configs("--config.names", "quiet")
    assert enabled(daemon) == {"quiet"}


# --- what is broken

def fails(launch, *arguments):
    code, log = launch(*arguments).fails()
    assert "ready: " not in log
    return code, log


WRONG_SIZE = SINGLE.replace("help: x", f"help: x, labels: [{LABEL % ('a', 8)}]")
NO_SUCH_MAP = SINGLE.replace("single", "sinlge")


def make_broken(folder, how):
    """A config "broken" in the folder; what the log must say about it."""
    add_config(folder, "broken", SINGLE)
    if how == "object is garbage":
        (folder / "broken.bpf.o").write_bytes(os.urandom(1000))
        return r"cannot read .*broken.* as a BPF object"
    if how == "object is empty":
        (folder / "broken.bpf.o").write_bytes(b"")
        return r"cannot read .*broken.* as a BPF object"
    if how == "object is cut off":
        data = (folder / "broken.bpf.o").read_bytes()
        (folder / "broken.bpf.o").write_bytes(data[:len(data) // 2])
        return r"cannot read .*broken.* as a BPF object"
    if how == "object is missing":
        (folder / "broken.bpf.o").unlink()
        return r"broken\.bpf\.o.*No such file"
    if how == "labels do not fit the map":
        add_config(folder, "broken", WRONG_SIZE)
        return r"broken\.yaml:1:\d+: error: .*8 bytes"
    if how == "no such map":
        add_config(folder, "broken", NO_SUCH_MAP)
        return r"the object has no map 'sinlge_total'; it has: .*single_total"
    if how == "yaml is broken":
        add_config(folder, "broken", "metrics: {")
        return r"broken\.yaml:\d+:\d+: error"
    assert how == "unknown key"
    add_config(folder, "broken", "metrcs: {}\n" + SINGLE)
    return r"broken\.yaml:1:1: error: .*'metrcs'.*did you mean 'metrics'"


BROKEN = pytest.mark.parametrize("how", [
    "object is garbage", "object is empty", "object is cut off", "object is missing",
    "labels do not fit the map", "no such map", "yaml is broken", "unknown key"])


@BROKEN
def test_a_broken_config_does_not_stop_the_others(folder, run_configs, how):
    complaint = make_broken(folder, how)
    add_config(folder, "sound", SINGLE)
    daemon = run_configs()
    assert re.search(complaint, daemon.log()), daemon.log()
    samples = daemon.scrape()
    assert samples.value("ebpf_exporter_single_total") == 0
    assert [row["name"] for row, _ in samples.select("ebpf_exporter_enabled_configs")] == ["sound"]
    (broken,) = daemon.status()["broken"]
    assert broken["name"] == "broken"
    # The same complaint, but that in the log it is called an error.
    assert re.search(complaint.replace("error: ", "").replace(": error", ""), broken["error"])
    assert b"<b>broken</b>" in daemon.request("/")[2]


@BROKEN
def test_strict_makes_it_fatal(folder, launch, how):
    complaint = make_broken(folder, how)
    add_config(folder, "sound", SINGLE)
    code, log = fails(launch, "--module=", "--config.dir", folder, "--config.strict")
    assert code == 2, log
    assert re.search(complaint, log), log


def test_only_broken_configs_are_fatal(folder, launch):
    complaint = make_broken(folder, "unknown key")
    code, log = fails(launch, "--module=", "--config.dir", folder)
    assert code == 2 and re.search(complaint, log), log


def test_two_configs_with_the_same_metric(folder, run_configs):
    add_config(folder, "first", SINGLE)
    add_config(folder, "second", SINGLE)
    daemon = run_configs()
    assert "'ebpf_exporter_single_total' is already exported by first" in daemon.log()
    assert daemon.scrape().value("ebpf_exporter_single_total") == 0


HISTOGRAM = ("metrics: {histograms: [{name: linear_bytes, help: x, bucket_type: linear, "
             "bucket_max: 2, labels: [" + LABEL % ("bucket", 4) + "]}]}\n")
PART = ("metrics: {counters: [{name: single_total, "
        "values: [{name: linear_bytes_count, help: x, offset: 0}]}]}\n")


@pytest.mark.parametrize("manifests", ((HISTOGRAM, PART), (PART, HISTOGRAM)))
def test_a_metric_that_is_a_part_of_another_configs_histogram(folder, run_configs, manifests):
    for name, manifest in zip(("first", "second"), manifests):
        add_config(folder, name, manifest)
    daemon = run_configs()
    assert re.search(r"'ebpf_exporter_linear_bytes\w*' and 'ebpf_exporter_linear_bytes\w*', which "
                     "first exports, would have samples of one name", daemon.log()), daemon.log()
    assert enabled(daemon) == {"first"}
    assert daemon.scrape().text.count("\nebpf_exporter_linear_bytes_count ") == 1


# --- SIGHUP

def test_reload_follows_the_folder(folder, run_configs):
    add_config(folder, "first", SINGLE)
    daemon = run_configs()
    Map(daemon, "single_total").write(u32(0), 42)
    add_config(folder, "second", SINGLE.replace("single", "percpu").replace(
        "help: x", f"help: x, labels: [{LABEL % ('kind', 4)}]"))
    assert "the new configuration runs: 2 modules" in daemon.reload()
    assert enabled(daemon) == {"first", "second"}
    assert daemon.scrape().value("ebpf_exporter_single_total") == 42  # it was not touched
    (folder / "second.yaml").unlink()
    assert "the new configuration runs: 1 module\n" in daemon.reload()
    assert enabled(daemon) == {"first"}
    assert daemon.scrape().value("ebpf_exporter_single_total") == 42
    assert daemon.complaints() == []


def test_reload_refuses_a_metric_of_a_config_that_goes_on(folder, run_configs):
    add_config(folder, "second", SINGLE)
    daemon = run_configs()
    add_config(folder, "first", SINGLE)
    said = daemon.reload()
    assert "refused" in said and "is already exported by first" in said
    assert enabled(daemon) == {"second"}
    assert daemon.scrape().value("ebpf_exporter_single_total") == 0


@BROKEN
def test_reload_refuses_a_broken_config(folder, run_configs, how):
    add_config(folder, "sound", SINGLE)
    daemon = run_configs()
    Map(daemon, "single_total").write(u32(0), 42)
    complaint = make_broken(folder, how)
    assert "refused" in daemon.reload()
    assert re.search(complaint, daemon.log()), daemon.log()
    assert enabled(daemon) == {"sound"}
    assert daemon.scrape().value("ebpf_exporter_single_total") == 42


# --- exit codes

@pytest.mark.parametrize("arguments, code, text", [
    (["--no-such-option"], 2, "run has no option '--no-such-option'"),
    (["--module", "pakets"], 2, "did you mean 'packets'"),
    (["--option", "packets.sises=no"], 2, "did you mean 'sizes'"),
    (["--option", "packets.sizes=maybe"], 2, "takes true or false, not 'maybe'"),
    (["--option", "nonsense"], 2, "takes MODULE.NAME=VALUE"),
    (["--tc.mechanism", "xdp"], 2, "takes auto, tcx or clsact"),
    (["--log.level", "loud"], 2, "takes error, warn, info or debug"),
    (["--config.names", "a"], 2, "needs --config.dir"),
    (["--module="], 2, "nothing to run"),
    (["--config", "/nonexistent.yaml"], 2, "/nonexistent.yaml"),
    (["--config.dir", "/nonexistent"], 2, "cannot read the config directory '/nonexistent'"),
    (["--config.dir", "/nonexistent", "--config.names", "a"], 2,
     "cannot read the config directory '/nonexistent'"),
    (["--btf.path", "/nonexistent"], 2, "cannot read the kernel's BTF from /nonexistent"),
])
def test_exit_codes(launch, arguments, code, text):
    ended, log = fails(launch, *arguments)
    assert ended == code, log
    assert text in log


def test_file_without_btf(folder, launch):
    add_example(folder, "timers")
    code, log = fails(launch, "--module=", "--config.dir", folder, "--btf.path", "/etc/hostname")
    assert code == 2 and "/etc/hostname does not hold a kernel's BTF (--btf.path)" in log, log


NOBODY = 65534


def test_no_permission(here):
    """An unprivileged user, who may read the binary and write there, but not load a program."""
    with tempfile.TemporaryDirectory() as home:
        binary = shutil.copy(BINARY, home)
        os.chown(home, NOBODY, NOBODY)
        with here.entered():
            done = subprocess.run(
                ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", binary,
                 "run", "--web.listen-address", "127.0.0.1:9435",
                 "--control.socket", f"{home}/control.sock"],
                capture_output=True, text=True, timeout=30 * PATIENCE)
    assert done.returncode == 4, done.stderr
    assert re.search("Operation not permitted.*CAP_BPF", done.stderr), done.stderr


def test_config_check_runs_nothing(folder):
    add_config(folder, "sound", SINGLE)
    done = command("run", "--module=", "--config.dir", folder, "--config.check")
    assert (done.returncode, done.stderr) == (0, "")


@BROKEN
def test_config_check_finds_what_is_broken(folder, how):
    complaint = make_broken(folder, how)
    done = command("run", "--module=", "--config.dir", folder, "--config.check")
    assert done.returncode == 2 and re.search(complaint, done.stderr), done.stderr


def test_config_check_of_the_built_in_modules():
    done = command("run", "--config.check")
    assert (done.returncode, done.stderr) == (0, "")
