# SPDX-License-Identifier: MIT
"""Metrics out of ring buffers and perf event arrays: each event is in a series, or known as lost.

The programs of events.bpf.c send what a test run gives them, as often as it says.
"""

import ctypes
import os
import re
import signal
import struct
import threading
import time
from contextlib import contextmanager
from ctypes import c_int, c_uint32
from pathlib import Path

import pytest

from bpf import TestRunOpts, check, declare, lib, object_path
from configs import LABEL, SINGLE, add_config, enabled, u32
from daemon import PATIENCE
from kernel import bpftool
from waiting import until

declare("bpf_prog_get_fd_by_id", c_int, c_uint32)

HEADER = bytes(14)  # Ethernet's, which the kernel wants of a packet
LOST = "wiregauge_events_lost_total"
ERRORS = "ebpf_exporter_decoder_errors_total"

MANIFEST = f"""
metrics:
  counters:
    - {{name: ring_total, labels: [{LABEL % ("id", 4)}]}}
    - {{name: ring_plain_total}}
    - {{name: limited_total, max_series: 3, ttl: 1s, labels: [{LABEL % ("id", 4)}]}}
    - {{name: perf_total, perf_event_array: true, labels: [{LABEL % ("id", 4)}]}}
    - name: flushed_total
      perf_event_array: true
      flush_interval: 700ms
      labels: [{LABEL % ("id", 4)}]
    - name: ring_values
      labels:
        - {{name: id, size: 2, padding: 2, decoders: [{{name: uint}}]}}
      values:
        - {{name: sent_bytes_total, offset: 8}}
        - {{name: sent_small_total, offset: 4, size: 1}}
        - {{name: queue_length, type: gauge, offset: 16, size: 4}}
  histograms:
    - name: ring_bytes
      bucket_type: linear
      bucket_min: 1
      bucket_max: 3
      labels: [{LABEL % ("id", 4)}, {LABEL % ("bucket", 4)}]
"""


class Sender:
    """Runs the programs that a daemon has loaded."""

    def __init__(self, daemon):
        self.fds = {row["name"][:15]: check(lib.bpf_prog_get_fd_by_id(row["id"]), row["name"])
                    for row in (bpftool("prog", "show", "id", number)
                                for number in daemon.bpf_objects("prog"))}

    def close(self):
        for fd in self.fds.values():
            os.close(fd)

    def __call__(self, program, record, repeat=1):
        """True when the last one was sent."""
        data = HEADER + record
        buffer = ctypes.create_string_buffer(data, len(data))
        options = TestRunOpts(sz=ctypes.sizeof(TestRunOpts),
                              data_in=ctypes.cast(buffer, ctypes.c_void_p),
                              data_size_in=len(data), repeat=repeat)
        check(lib.bpf_prog_test_run_opts(self.fds[program[:15]], ctypes.byref(options)), program)
        assert options.retval in (0, 1)
        return options.retval == 0


@contextmanager
def on_cpu(cpu):
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cpu})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@pytest.fixture
def daemon(run_configs, folder):
    add_config(folder, "events", MANIFEST, "tests/system/events")
    return run_configs()


@pytest.fixture
def send(daemon, cleanup):
    sender = Sender(daemon)
    cleanup.callback(sender.close)
    return sender


def series(daemon, name):
    """{id: value}"""
    return {labels.get("id"): int(value)
            for labels, value in daemon.scrape().select(f"ebpf_exporter_{name}")}


def lost(daemon, name):
    return int(daemon.scrape().value(LOST, config="events", map=name))


def malformed(daemon):
    return int(daemon.scrape().value(ERRORS, config="events"))


KINDS = [("to_ring", "ring_total"), ("to_perf", "perf_total")]


@pytest.mark.parametrize(("program", "name"), KINDS)
def test_a_scrape_shows_what_was_just_sent(daemon, send, program, name):
    assert series(daemon, name) == {}
    sent = {}
    for number in range(60):
        sent[str(number % 7)] = sent.get(str(number % 7), 0) + 1
        assert send(program, u32(number % 7))
        assert series(daemon, name) == sent
    assert lost(daemon, name) == 0 and malformed(daemon) == 0


@pytest.mark.parametrize(("program", "name"), KINDS)
def test_what_does_not_fit_is_counted_as_lost(daemon, send, program, name):
    """However fast they come; and all of a burst but a buffer full, while nobody reads."""
    rounds, burst, last = 3, 100000, 0
    cpus = sorted(os.sched_getaffinity(0))
    for cpu in cpus:
        with on_cpu(cpu):
            daemon.process.send_signal(signal.SIGSTOP)
            send(program, u32(cpu), burst)
            daemon.process.send_signal(signal.SIGCONT)
            for _ in range(rounds - 1):
                send(program, u32(cpu), burst)
            # What a perf buffer lost, the kernel tells with the next one that fits there.
            daemon.scrape()
            assert send(program, u32(1000))
            last += 1
    shown = series(daemon, name)
    assert shown.pop("1000") == last
    assert set(shown) == set(map(str, cpus))
    assert lost(daemon, name) > 0
    assert sum(shown.values()) + lost(daemon, name) == rounds * burst * len(cpus)
    assert malformed(daemon) == 0


@pytest.mark.parametrize(("program", "name"), KINDS)
def test_records_that_are_too_short_or_too_long(daemon, send, program, name):
    wrong = [u32(5, 0, 0, 0), bytes(64)]
    if program == "to_ring":  # a perf buffer fills up to 4, 12, 20 …
        wrong += [bytes(1), bytes(3), bytes(9)]
    assert send(program, u32(5))
    for count, record in enumerate(wrong, 1):
        assert send(program, record)
        assert malformed(daemon) == count
    assert series(daemon, name) == {"5": 1}


def test_without_labels_events_are_counted_whatever_is_in_them(daemon, send):
    for count in range(1, 4):
        assert send("to_plain", bytes(1))
        assert series(daemon, "ring_plain_total") == {None: count}


def test_values_are_summed_and_the_last_gauge_stands(daemon, send):
    def record(number, garbage, small, sent, length):
        return struct.pack("<HHB3xQI", number, garbage, small, sent, length)

    assert send("to_values", record(1, 0xffff, 200, 2**40, 7) + bytes(4))
    assert send("to_values", record(1, 0x1234, 100, 5, 3))
    assert send("to_values", record(2, 0, 0, 0, 2**32 - 1))
    assert series(daemon, "sent_bytes_total") == {"1": 2**40 + 5, "2": 0}
    assert series(daemon, "sent_small_total") == {"1": 300, "2": 0}
    assert series(daemon, "queue_length") == {"1": 3, "2": 2**32 - 1}


def test_the_last_label_of_a_histogram_is_the_bucket(daemon, send):
    for bucket in (0, 1, 1, 3, 4, 4, 4):  # 0 and 4 are outside; in a map 4 would be the sum
        assert send("to_histogram", u32(9, bucket))
    name, samples = "ebpf_exporter_ring_bytes", daemon.scrape()
    buckets = {labels["le"]: value for labels, value in samples.select(f"{name}_bucket", id="9")}
    assert buckets == {"1": 2, "2": 2, "3": 3, "+Inf": 3}
    assert samples.value(f"{name}_count", id="9") == 3
    assert samples.value(f"{name}_sum", id="9") == 0


def test_records_that_never_wake_the_daemon_are_taken(daemon, send):
    """A program that says BPF_RB_NO_WAKEUP fills the buffer; without a scrape it gets free."""
    sent = 0
    while send("to_ring_silently", u32(1)):
        sent += 1
        assert sent < 4096
    until(lambda: send("to_ring_silently", u32(1)), 5 * PATIENCE, "there is room again")
    assert series(daemon, "ring_total")["1"] >= sent + 1


def consumer(daemon):
    """Threads of the daemon that read events: folders in /proc."""
    return [task for task in Path(f"/proc/{daemon.pid}/task").iterdir()
            if (task / "comm").read_text() == "events\n"]


def wakeups(task):
    return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", (task / "status").read_text(),
                         re.M)[1])


@pytest.mark.parametrize(("program", "name"), KINDS)
def test_many_events_wake_the_daemon_seldom(daemon, send, program, name):
    (task,) = consumer(daemon)
    before = wakeups(task)
    for _ in range(10000):
        send(program, u32(1))
    assert series(daemon, name)["1"] + lost(daemon, name) == 10000
    assert wakeups(task) - before < 1000


def test_the_thread_that_reads_events_has_no_capabilities(daemon):
    (task,) = consumer(daemon)

    def capabilities():
        sets = re.findall(r"^Cap(?:Prm|Eff):\s*(\w+)", (task / "status").read_text(), re.M)
        return [int(text, 16) for text in sets]

    until(lambda: capabilities() == [0, 0], 5, capabilities)


def test_counters_begin_anew_at_each_flush_interval(daemon, send):
    def shown():
        return series(daemon, "flushed_total")

    assert send("to_flushed", u32(1))
    until(lambda: shown() == {}, 5 * PATIENCE, "the first interval is over")

    def sent_and_shown():
        assert send("to_flushed", u32(1))
        return shown() == {"1": 1}

    until(sent_and_shown, 5 * PATIENCE, "only what came after it is shown")
    assert lost(daemon, "flushed_total") == 0


def test_limits_hold_for_events_too(daemon, send):
    for number in range(10):
        assert send("to_limited", u32(number))
    shown = series(daemon, "limited_total")
    assert len(shown) == 4 and shown["other"] == 7 and sum(shown.values()) == 10
    for number in range(100):  # beyond what the tally keeps for three series
        assert send("to_limited", u32(number))
    assert daemon.scrape().value("wiregauge_events_overflow_total", map="limited_total") > 0
    until(lambda: set(series(daemon, "limited_total")) <= {"other"}, 10 * PATIENCE,
          "what did not change for a second is gone")
    assert send("to_limited", u32(77))
    assert series(daemon, "limited_total")["77"] == 1


def test_a_reload_keeps_what_was_counted_and_ends_what_is_gone(daemon, send, folder):
    assert send("to_ring", u32(3)) and send("to_perf", u32(4))
    (task,) = consumer(daemon)
    add_config(folder, "kinds", SINGLE)
    daemon.reload()
    assert enabled(daemon) == {"events", "kinds"} and consumer(daemon) == [task]
    assert send("to_ring", u32(3)) and send("to_perf", u32(4))
    assert series(daemon, "ring_total") == {"3": 2} and series(daemon, "perf_total") == {"4": 2}

    (folder / "events.yaml").unlink()
    daemon.reload()
    assert enabled(daemon) == {"kinds"} and consumer(daemon) == []
    assert daemon.scrape().select(LOST) == []


def test_nothing_is_lost_while_all_happens_at_once(daemon, send, folder):
    """Events, scrapes, questions and reloads, of this config unchanged and of others that come and
    go; a build with ThreadSanitizer sees here who touches what."""
    done, sent, failed = threading.Event(), {"ring_total": 0, "perf_total": 0}, []

    def repeat(action):
        def loop():
            try:
                while not done.is_set():
                    action()
            except BaseException as error:
                failed.append(error)
        return threading.Thread(target=loop)

    def send_some():
        for program, name in KINDS:
            for number in range(20):
                sent[name] += send(program, u32(number))
        time.sleep(0.001)  # not faster than they can be read: none is to be lost

    threads = [repeat(send_some), repeat(daemon.status), *(repeat(daemon.scrape) for _ in range(3))]
    for thread in threads:
        thread.start()
    for number in range(20):
        if number % 3 == 2:
            (folder / "more.yaml").unlink()
        else:
            add_config(folder, "more", f"namespace: n{number}\n{MANIFEST}", "tests/system/events")
        daemon.reload()
    done.set()
    for thread in threads:
        thread.join()
    assert not failed, failed
    for name, count in sent.items():
        assert sum(series(daemon, name).values()) + lost(daemon, name) >= count > 0
        assert sum(series(daemon, name).values()) == count
    daemon.stop()


def test_a_daemon_that_is_stopped_while_events_come(daemon, send):
    for _ in range(20):
        send("to_ring", u32(1), 2000)
        send("to_perf", u32(2), 2000)
    daemon.stop()
