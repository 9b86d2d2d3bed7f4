# SPDX-License-Identifier: MIT
"""Tables on the command line: `tables:` of a config over maps that a test writes."""

import ipaddress
import json
import os
import signal
import struct
import subprocess
import time

import pytest

from configs import add_config, u32
from daemon import BINARY, PATIENCE, command
from kernel import Map
from terminal import Terminal, in_terminal
from waiting import until

MANIFEST = """
options:
  - {name: cpus, type: bool, default: false}
metrics:
  counters:
    - name: flow_table
      export: false
      labels:
        - {name: source, size: 16, decoders: [{name: inet_ip}]}
        - {name: destination, size: 16, decoders: [{name: inet_ip}]}
        - {name: port, size: 2, padding: 2, decoders: [{name: uint}]}
        - {name: ifindex, size: 4, decoders: [{name: uint}]}
      values:
        - {name: bytes, offset: 0}
        - {name: packets, offset: 8}
        - {name: first_ns, offset: 16, type: gauge}
        - {name: last_ns, offset: 24, type: gauge}
        - {name: comm, offset: 32, size: 16, decoders: [{name: string}]}
    - name: cpu_flows_total
      help: Of each CPU
      labels: [{name: flow, size: 4, decoders: [{name: uint}]}]
    - name: delays
      labels:
        - {name: stage, size: 4, decoders: [{name: uint}]}
        - {name: low, of: stage, size: 1, when: cpus, decoders: [{name: uint}]}
      values:
        - name: delay_seconds
          help: Delays
          type: histogram
          offset: 8
          sum_offset: 0
          bucket_type: native
          schema: 0
          bucket_max: 39
          bucket_multiplier: 2^-30
tables:
  - name: flows
    help: Who talks to whom
    empty: no flow so far
    map: flow_table
    sort: bytes
    columns:
      - {name: source, filter: address}
      - {name: destination, filter: address}
      - {name: port, filter: port, importance: 3}
      - {name: interface, from: ifindex, filter: interface}
      - {name: process, from: comm, filter: process}
      - {name: bytes, unit: bytes, importance: 9}
      - {name: packets, unit: packets, importance: 5}
      - {name: first, from: first_ns, unit: age, multiplier: 1e-9, merge: min}
      - {name: last, from: last_ns, header: LAST SEEN, unit: age, multiplier: 1e-9, merge: max}
      - {name: zone, from: ifindex}
    groups:
      - {name: flow, columns: [source, destination, port, process]}
      - {name: host, columns: [source]}
      - {name: process, columns: [process]}
      - {name: zone, columns: [zone]}
  - name: cpus
    help: Flows of each CPU added up
    when: cpus
    map: cpu_flows_total
    columns: [{name: flow}, {name: count, from: cpu_flows_total, unit: count}]
  - name: delay
    help: Delays
    map: delays
    draw: true
    columns: [{name: stage}, {name: low}, {name: delay, from: delay_seconds}]
    groups:
      - {name: stage, columns: [stage, low]}
      - {name: low, columns: [low]}
"""


def address(text):
    found = ipaddress.ip_address(text)
    mapped = b"\0" * 10 + b"\xff\xff" + found.packed if found.version == 4 else found.packed
    return mapped


def now_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


class Flows:
    """The map flow_table."""

    def __init__(self, daemon):
        self.map = Map(daemon, "flow_table")

    def write(self, source, destination, port, size, packets=1, process="curl", interface=1,
              first=None, last=None):
        key = struct.pack("=16s16sHHI", address(source), address(destination), port, 0, interface)
        self.map.write_bytes(key, struct.pack("=QQQQ16s", size, packets, first or now_ns(),
                                              last or now_ns(), process.encode()))


@pytest.fixture
def daemon(run_configs, folder):
    add_config(folder, "tables", MANIFEST, "tests/system/tables")
    return run_configs()


@pytest.fixture
def flows(daemon):
    return Flows(daemon)


def show(daemon, *arguments, config="tables", table="flows"):
    return command("table", config, table, *arguments, "--control.socket", daemon.control)


def lines(daemon, *arguments, **names):
    done = show(daemon, *arguments, **names)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def ask(daemon, *arguments, **names):
    done = show(daemon, "--json", *arguments, **names)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def pick(answer, *names):
    return [tuple(row[name] for name in names) for row in answer["rows"]]


# --- once

def test_the_largest_first_and_nothing_is_lost(daemon, flows):
    for i in range(100):
        flows.write("10.0.0.1", f"10.0.1.{i}", 1000 + i, size=1000 * (i + 1), packets=2)
    answer = ask(daemon)
    assert pick(answer, "port", "bytes", "packets") == \
        [(str(1000 + i), 1000 * (i + 1), 2) for i in reversed(range(100))]
    assert answer["other"]["rows"] == 0
    answer = ask(daemon, "--limit", "3", "--sort", "bytes")
    assert pick(answer, "bytes") == [(100_000,), (99_000,), (98_000,)]
    assert answer["other"]["rows"] == 97 and answer["total"]["rows"] == 100
    rest = sum(1000 * i for i in range(1, 98))
    assert answer["other"]["bytes"] == rest and answer["other"]["packets"] == 2 * 97
    assert answer["total"]["bytes"] == rest + 297_000
    out = lines(daemon, "--limit", "3")
    assert len(out) == 1 + 3 + 2
    assert out[0].split() == "SOURCE DESTINATION PORT PROCESS BYTES PACKETS FIRST LAST SEEN".split()
    assert out[1].split()[:5] == ["10.0.0.1", "10.0.1.99", "1099", "curl", "100"]
    assert "other (97)" in out[4] and "4.75 MB" in out[4] and "total" in out[5]


def test_groups_add_up(daemon, flows):
    flows.write("10.0.0.1", "10.0.0.2", 80, size=10, process="curl", interface=1)
    flows.write("10.0.0.1", "10.0.0.3", 80, size=20, process="wget", interface=2)
    flows.write("2001:db8::1", "2001:db8::2", 443, size=25, process="wget", interface=2)
    assert pick(ask(daemon, "--by", "host"), "source", "bytes", "packets", "entries") == \
        [("10.0.0.1", 30, 2, 2), ("2001:db8::1", 25, 1, 1)]
    assert pick(ask(daemon, "--by=process"), "process", "bytes") == [("wget", 45), ("curl", 10)]
    assert pick(ask(daemon, "--by", "port,interface"), "port", "interface", "bytes") == \
        [("443", "2", 25), ("80", "2", 20), ("80", "1", 10)]
    assert "process" not in ask(daemon, "--by", "host")["rows"][0]


@pytest.mark.parametrize("arguments, ports", [
    ((), {80, 443, 8080, 53, 22}),
    (("--address", "10.0.0.1"), {80, 443}),
    (("--address", "10.0.0.0/30"), {80, 443}),
    (("--address", "10.0.0.0/23"), {80, 443, 8080}),
    (("--address", "10.0.1.9"), {8080}),
    (("--address", "2001:db8::/32"), {53}),
    (("--address", "10.0.1.9,2001:db8::2"), {8080, 53}),
    (("--address", "10.0.1.9", "--address", "2001:db8::2"), {8080, 53}),
    (("--port", "80,443"), {80, 443}),
    (("--port", "80-8080"), {80, 443, 8080}),
    (("--port", "80-443", "--process", "wget"), {443}),
    (("--process", "w*"), {443, 8080}),
    (("--interface", "2"), {8080, 53}),
    (("--where", "port=8*"), {80, 8080}),
    (("--where", "destination=10.0.*", "--where", "process=curl"), {80}),
    (("--process", "nginx"), set()),
    (("--process", "a-name-that-is-longer-than-the-kernel-keeps"), {22}),
    (("--port", "0-65535"), {80, 443, 8080, 53, 22}),
    (("--port", "ssh"), set()),
])
def test_filters(daemon, flows, arguments, ports):
    flows.write("10.0.0.1", "10.0.0.2", 80, size=1, process="curl", interface=1)
    flows.write("10.0.0.1", "10.0.0.3", 443, size=1, process="wget", interface=1)
    flows.write("10.0.1.9", "10.0.0.77", 8080, size=1, process="wget", interface=2)
    flows.write("2001:db8::1", "2001:db8::2", 53, size=1, process="dig", interface=2)
    flows.write("192.0.2.1", "192.0.2.2", 22, size=1, process="a-name-that-is-", interface=3)
    assert {int(row["port"]) for row in ask(daemon, *arguments)["rows"]} == ports


def test_points_in_time_are_ages(daemon, flows):
    age = min(10**9, now_ns() // 128)  # nothing is older than the machine, which a guest is not
    flows.write("10.0.0.1", "10.0.0.2", 80, size=1, first=now_ns() - 100 * age,
                last=now_ns() - 30 * age)
    flows.write("10.0.0.1", "10.0.0.2", 81, size=1, first=now_ns() - 50 * age,
                last=now_ns() - 2 * age)
    (row,) = ask(daemon, "--by", "host")["rows"]
    seconds = age / 10**9
    assert 100 * seconds <= row["first"] < 100 * seconds + 30
    assert 2 * seconds <= row["last"] < 2 * seconds + 30


# --- in a terminal

def wide(flows, count=1):
    for i in range(count):
        flows.write("2001:db8:1111:2222:3333:4444:5555:6666",
                    "2001:db8:1111:2222:3333:4444:5555:7777", 10000 + i, size=1_000_000 + i,
                    process="a-process-name")


def narrow(daemon, *arguments, **size):
    return in_terminal("table", "tables", "flows", *arguments, "--control.socket", daemon.control,
                       **size)


def test_what_does_not_fit_the_terminal_is_left_out_and_named(daemon, flows):
    wide(flows)
    out = narrow(daemon, columns=60)
    assert max(map(len, out)) <= 60
    assert out[0].split() == ["SOURCE", "DESTINATION", "PORT", "BYTES", "PACKETS"]
    source, destination, *numbers = out[1].split()
    assert source.startswith("2001:db") and "…" in source and source.endswith("5:6666")
    assert destination.endswith(":7777") and numbers == ["10000", "1.00", "MB", "1"]
    assert " ".join(out[2:]) == "No room for: process, first, last; " \
        "--columns NAME,… shows those that you want, --json all"
    # There is room for all, or nobody reads it on a screen.
    assert narrow(daemon, columns=200)[2:] == lines(daemon)[2:] == []
    assert len(lines(daemon)[1]) > 120


def test_columns_that_are_wanted(daemon, flows):
    wide(flows)
    out = narrow(daemon, "--columns", "process,last,bytes", columns=60)
    assert out[0].split() == ["PROCESS", "LAST", "SEEN", "BYTES"]
    assert out[1].split()[0] == "a-process-name" and len(out) == 2
    assert lines(daemon, "--columns", "port")[:2] == ["PORT", "10000"]
    done = show(daemon, "--columns", "byte")
    assert done.returncode == 2
    assert "no column 'byte' here, did you mean 'bytes'?; there are: source," in done.stderr


def test_what_rows_are_about_comes_first(daemon, flows):
    """Wherever it is in the config, and whatever there is room for."""
    wide(flows)
    assert lines(daemon, "--by", "zone")[0].split()[:2] == ["ZONE", "BYTES"]
    assert narrow(daemon, "--by", "zone", columns=20)[0].split() == ["ZONE", "BYTES"]


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_as_many_rows_as_fit(daemon, flows, columns):
    wide(flows, 50)
    out = narrow(daemon, columns=columns, rows=24)
    assert 16 <= len(out) <= 22
    assert out[0].startswith("SOURCE") and max(map(len, out)) <= columns
    assert "10010" in narrow(daemon, "--limit", "40", columns=columns)[40]


@pytest.mark.parametrize("columns", [30, 60, 200])
def test_watched_tables_fit_the_screen(daemon, flows, columns, cleanup):
    wide(flows, 50)
    terminal = Terminal("table", "tables", "flows", "--watch=0.1", "--control.socket",
                        daemon.control, columns=columns, rows=24)
    cleanup.callback(terminal.close)

    terminal.wait_for(lambda t: len(t.screens) > 3, "some screens")
    for screen in terminal.screens[2:]:
        assert 22 <= len(screen) <= 24 and max(map(len, screen)) <= columns
        assert screen[2].startswith("SOURCE")
        assert ("No room for" in "".join(screen)) == (columns < 200)


def test_values_of_cpus_are_added_up(run_configs, folder):
    add_config(folder, "tables", MANIFEST, "tests/system/tables")
    daemon = run_configs("--option", "tables.cpus=true")
    counts = Map(daemon, "cpu_flows_total")
    counts.write(u32(7), *range(1, os.cpu_count() + 1))
    total = sum(range(1, os.cpu_count() + 1))
    assert pick(ask(daemon, table="cpus"), "flow", "count") == [("7", total)]
    assert daemon.scrape().value("ebpf_exporter_cpu_flows_total", flow="7") == total


def add_delays(daemon, stage, buckets):
    """@buckets: {index: count}"""
    value = struct.pack("=Q40Q", 3 << 20, *(buckets.get(i, 0) for i in range(40)))
    Map(daemon, "delays").write_bytes(u32(stage), value)


def test_histograms(daemon):
    # Key k + 1 has values up to 2^k · 2^-30 s.
    add_delays(daemon, 1, {11: 90, 12: 0, 21: 9, 31: 1})
    (row,) = ask(daemon, table="delay")["rows"]
    histogram = row["delay"]
    assert histogram["count"] == 100
    assert histogram["sum"] == pytest.approx(3 * 2**-10)
    filled = {bucket["le"]: bucket["count"] for bucket in histogram["buckets"] if bucket["count"]}
    assert filled == {2**-20: 90, 2**-10: 9, 1: 1}
    assert len(histogram["buckets"]) == 21
    assert 2**-21 < histogram["p50"] <= 2**-20
    assert histogram["p90"] == pytest.approx(2**-20)
    assert 2**-11 < histogram["p99"] <= 2**-10


def test_histograms_are_drawn(daemon):
    add_delays(daemon, 1, {11: 80, 12: 40, 13: 1})
    add_delays(daemon, 2, {5: 1})
    out = lines(daemon, table="delay")
    assert out[0].startswith("stage 1: 121 observed, p50 ")
    assert [line.split("│")[0].split() for line in out[1:4]] == \
        [["≤", "954", "ns", "80"], ["≤", "1.91", "µs", "40"], ["≤", "3.81", "µs", "1"]]
    bars = [line.split("│")[1] for line in out[1:4]]
    assert bars[0] == "█" * 60 and bars[1] == "█" * 30 and bars[2] == "▊"
    assert out[4] == "" and out[5].startswith("stage 2: 1 observed")
    out = lines(daemon, "--summary", table="delay")
    assert out[0].split() == ["STAGE", "COUNT", "P50", "P90", "P99", "MAX"]
    assert out[1].split()[:2] == ["1", "121"] and out[1].endswith("  3.81 µs")


def test_drawn_histograms_fit_the_terminal(daemon):
    """Buckets in a row that are empty are one line, and there are no more histograms than fit."""
    add_delays(daemon, 1, {11: 80, 13: 1, 31: 2})
    add_delays(daemon, 2, {5: 1})
    add_delays(daemon, 3, {i: 1 for i in range(5, 30)})

    def drawn(*arguments, rows):
        out = in_terminal("table", "tables", "delay", *arguments, "--control.socket",
                          daemon.control, columns=60, rows=rows)
        assert max(map(len, out)) <= 60
        return out
    out = drawn(rows=18)
    assert out[0].startswith("stage 1: 83 observed, p50 ")
    # The title, 80 at most 954 ns, none, 1 at most 3.81 µs, none for long, 2 at most 1 s
    bars = [line.split("│")[0].split() for line in out if "≤" in line or "⋮" in line]
    assert bars == [["≤", "954", "ns", "80"], ["≤", "1.91", "µs", "0"],
                    ["≤", "3.81", "µs", "1"], ["⋮"], ["≤", "1.00", "s", "2"]]
    assert out[-1] == "2 more: --limit 0 for all, --where COLUMN=TEXT to choose"
    assert len(out) <= 16
    out = drawn("--limit", "0", rows=18)
    assert len([line for line in out if line.startswith("stage")]) == 3
    assert drawn("--where", "stage=2", rows=18)[0].startswith("stage 2: 1 observed")


def test_what_was_never_counted_is_not_shown(daemon):
    """A program may have put a row there for later."""
    add_delays(daemon, 1, {11: 1})
    add_delays(daemon, 2, {})
    assert [line.split()[0] for line in lines(daemon, "--summary", table="delay")] == \
        ["STAGE", "1", "total"]
    assert len(ask(daemon, table="delay")["rows"]) == 2

def test_a_map_for_tables_only_is_no_metric(daemon, flows):
    flows.write("10.0.0.1", "10.0.0.2", 80, size=1)
    samples = daemon.scrape()
    assert "flow_table" not in samples.text and "ebpf_exporter_bytes" not in samples.text


def test_texts_cannot_command_a_terminal(daemon, flows):
    flows.write("10.0.0.1", "10.0.0.2", 80, size=1, process="a\x1b[2Jb\x9bc")
    out = show(daemon).stdout
    assert "\x1b" not in out and "a?[2Jb" in out
    assert ask(daemon)["rows"][0]["process"] == "a\x1b[2Jb\x9bc"


# --- what can go wrong

@pytest.mark.parametrize("arguments, code, words", [
    (("tables", "flows", "--by", "hosts"), 2, "no group or column 'hosts', did you mean 'host'"),
    (("tables", "flows", "--by", "nothing"), 2,
     "'nothing'; it has: flow, host, process, zone, source, destination, port, interface\n"),
    (("tables", "flows", "--sort", "byte"), 2, "did you mean 'bytes'"),
    (("tables", "flows", "--sort", "source"), 2, "no column of numbers 'source'"),
    (("tables", "flows", "--address", "10.0.0"), 2, "takes an address"),
    (("tables", "flows", "--address", "10.0.0.0/33"), 2, "takes an address"),
    (("tables", "flows", "--address", "10.0.0.1, ,localhost"), 2, "not 'localhost'"),
    (("tables", "flows", "--address", ""), 2, "--address takes at least one"),
    (("tables", "flows", "--port", "99999999"), 2,
     "'port' takes a port up to 65535, or several such as 8000-8100, not '99999999'"),
    (("tables", "flows", "--port", "65536"), 2, "takes a port up to 65535"),
    (("tables", "flows", "--port", "80-65536"), 2, "takes a port up to 65535"),
    (("tables", "flows", "--port", "90-80"), 2, "not '90-80'"),
    (("tables", "flows", "--port", "-80"), 2, "not '-80'"),
    (("tables", "flows", "--port", "80-"), 2, "not '80-'"),
    (("tables", "flows", "--port", "80 90"), 2, "not '80 90'"),
    (("tables", "flows", "--port", "8*"), 2, "not '8*'"),
    (("tables", "flows", "--interface", "a-name-of-16-chars"), 2, "at most 15 characters"),
    (("tables", "flows", "--where", "color=red"), 2,
     "no column of texts 'color'; it has: source, destination, port, interface, process, zone\n"),
    (("tables", "flows", "--where", "color"), 2, "--where takes COLUMN=TEXT"),
    (("tables", "flows", "--limit", "-1"), 2, "--limit takes"),
    (("tables", "flows", "--watch=0"), 2, "--watch takes seconds"),
    (("tables", "delay", "--port", "80"), 2, "no column of this table is about 'port'"),
    (("tables", "flow"), 2, "'tables' has no table 'flow'; it has: flows, cpus, delay"),
    (("tables", "cpus"), 1, "--option tables.cpus=true"),
    (("tables", "delay", "--by", "low"), 1, "nothing is counted by 'low' while the module's option "
     "'cpus' is off; on with: wiregauge run --option MODULE.cpus=true"),
    (("tables", "delay", "--by", "stage,low"), 1, "nothing is counted by 'low'"),
    (("nothing",), 2, "runs no module or config 'nothing'"),
    ((), 2, "table takes the name"),
])
def test_what_is_wrong_is_said(daemon, arguments, code, words):
    done = command("table", *arguments, "--control.socket", daemon.control)
    assert done.returncode == code and words in done.stderr and done.stdout == "", done


def test_an_empty_table_is_told(daemon):
    done = show(daemon)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "no flow so far\n"
    assert show(daemon, "--port", "1").stderr == "nothing fits what is asked for\n"
    assert show(daemon, table="delay").stderr == "nothing has been counted yet\n"
    assert ask(daemon)["rows"] == []


def test_without_a_daemon(tmp_path):
    done = command("packets", "--control.socket", tmp_path / "none")
    assert done.returncode == 1 and "start one with: wiregauge run" in done.stderr


def test_a_module_that_is_not_on(daemon):
    done = command("packets", "--control.socket", daemon.control)
    assert done.returncode == 1 and "module 'packets' is not on" in done.stderr


# --- again and again

@pytest.fixture
def watch(daemon, cleanup):
    """Starts `wiregauge table … --watch` and gives back the process."""
    def start(*arguments, table="flows"):
        process = subprocess.Popen(
            [BINARY, "table", "tables", table, *arguments, "--control.socket", daemon.control],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        cleanup.callback(process.communicate)
        cleanup.callback(process.kill)
        return process
    return start


def test_watched_counters_are_rates(daemon, flows, watch):
    flows.write("10.0.0.1", "10.0.0.2", 80, size=10_000)
    flows.write("10.0.0.1", "10.0.0.2", 81, size=5_000)
    process = watch("--json", "--watch=0.2")
    first = json.loads(process.stdout.readline())
    assert first["seconds"] is None and "bytes_per_second" not in first["rows"][0]
    assert pick(first, "port") == [("80",), ("81",)]
    # Now 81 grows faster, so it comes first, and there is a new one.
    flows.write("10.0.0.1", "10.0.0.2", 81, size=6_000)
    flows.write("10.0.0.1", "10.0.0.2", 82, size=500)
    grown = until(lambda: (answer := json.loads(process.stdout.readline())) and
                  any(row["bytes_per_second"] for row in answer["rows"]) and answer,
                  10 * PATIENCE, "what has grown is told")
    assert pick(grown, "port", "bytes") == [("81", 6_000), ("82", 500), ("80", 10_000)]
    for row, bytes_since in zip(grown["rows"], (1_000, 500, 0)):
        assert row["bytes_per_second"] == pytest.approx(bytes_since / grown["seconds"])
    assert grown["total"]["bytes_per_second"] == pytest.approx(1_500 / grown["seconds"])
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10 * PATIENCE)
    assert process.returncode == 0


def test_two_who_watch_do_not_disturb_each_other(daemon, flows, watch):
    flows.write("10.0.0.1", "10.0.0.2", 80, size=1000)
    one, other = watch("--json", "--watch=0.1"), watch("--json", "--watch=0.3")
    for process in (one, other):
        json.loads(process.stdout.readline())
    flows.write("10.0.0.1", "10.0.0.2", 80, size=3000)

    def sum_of(process):
        grown = 0
        for _ in range(8):
            answer = json.loads(process.stdout.readline())
            grown += answer["rows"][0]["bytes_per_second"] * answer["seconds"]
        return grown
    assert sum_of(one) == pytest.approx(2000)
    assert sum_of(other) == pytest.approx(2000)


def test_watched_histograms_are_of_the_interval(daemon, watch):
    add_delays(daemon, 1, {11: 90})
    process = watch("--json", "--watch=0.1", table="delay")
    assert json.loads(process.stdout.readline())["rows"][0]["delay"]["count"] == 90
    add_delays(daemon, 1, {11: 90, 15: 7})
    until(lambda: json.loads(process.stdout.readline())["rows"][0]["delay"]["count"] == 7,
          10 * PATIENCE, "only what came since is in it")


def test_watched_without_a_terminal(daemon, flows, watch):
    flows.write("10.0.0.1", "10.0.0.2", 80, size=1000)
    process = watch("--watch=0.1")
    out = [process.stdout.readline() for _ in range(9)]
    assert "  tables by flow, since the start: Who talks to whom\n" in out[0]
    assert out[1] == "\n" and out[2].startswith("SOURCE") and out[4] == "\n"
    assert "tables by flow, last 0." in out[5] and "BYTES/s" in out[7] and "0 B/s" in out[8]


def test_the_daemon_ends_while_it_is_watched(daemon, flows, watch):
    process = watch("--json", "--watch=0.1")
    process.stdout.readline()
    daemon.stop()
    _, complaint = process.communicate(timeout=10 * PATIENCE)
    # Between two questions, or in the middle of one.
    assert process.returncode == 1
    assert "no daemon answers" in complaint or "did not answer" in complaint


def test_whoever_reads_goes(daemon, flows, watch):
    process = watch("--json", "--watch=0.1")
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10 * PATIENCE) == 0


# --- a large one

def test_large_tables_do_not_travel(daemon, flows):
    for i in range(20_000):
        flows.write(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}", "10.9.9.9", i % 60_000, size=i + 1)
    done = show(daemon, "--json", "--limit", "10")
    assert len(done.stdout) < 10_000
    answer = json.loads(done.stdout)
    assert answer["total"]["bytes"] == sum(range(1, 20_001)) and answer["other"]["rows"] == 19_990
    assert len(ask(daemon)["rows"]) == 20_000
