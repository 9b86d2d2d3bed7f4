# SPDX-License-Identifier: MIT
"""Programs that go where their SEC() says: each runs exactly as often as what it is attached to
happens. And those that cannot go there: they are told, and the others run all the same."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from attaching import (attached_metric, has_symbol, metrics_of, places, program_status, runs,
                       send_to, until_runs, write_config)
from daemon import BINARY, PATIENCE, command
from kernel import assert_released, holdings
from netns import connect
from waiting import until

BUILD = Path(os.environ.get("BUILD_ROOT", ""))
TARGET = BUILD / "tests/system/target"
PROGRAMS = ("on_tracepoint", "on_raw_tracepoint", "on_btf_tracepoint", "on_uprobe", "on_uretprobe",
            "on_usdt", "on_perf_event", "on_iter_task", "on_iter_tcp", "on_iter_udp", "on_xdp",
            "on_mark")
OPTIONS = """
options:
  - {name: comm, type: string, rodata: comm}
  - {name: port, type: uint, rodata: port}
"""
METRICS = metrics_of(PROGRAMS)

# A mount namespace of the daemon's own, with tracefs or without.
WITH_TRACEFS = ["unshare", "--mount", "sh", "-c",
                "mount -t tracefs tracefs /sys/kernel/tracing; exec \"$@\"", "sh"]
# debugfs has it inside.
WITHOUT_TRACEFS = ["unshare", "--mount", "sh", "-c",
                   "umount -R /sys/kernel/debug /sys/kernel/tracing 2>/dev/null; exec \"$@\"", "sh"]


@pytest.fixture
def comm():
    """A name that no other process has."""
    return f"wg-{secrets.token_hex(4)}"


@pytest.fixture
def run_programs(run, folder):
    """Runs a config in which these programs are switched on."""
    def start(*programs, options=(), **more):
        rows = [f"program: {name}, hook: section" for name in programs]
        write_config(folder, "sections", "attach_sections", rows, extra=OPTIONS, metrics=METRICS)
        arguments = [word for option in options for word in ("--option", f"sections.{option}")]
        return run("--module=", "--config.dir", folder, *arguments, **more)
    return start


# --- tracepoints

def execute(directory, comm, number):
    """Executes a program of that name so many times."""
    program = shutil.copy("/bin/true", directory / comm)
    for _ in range(number):
        subprocess.run([program], check=True)


@pytest.mark.parametrize("program", ["on_tracepoint", "on_raw_tracepoint", "on_btf_tracepoint"])
def test_tracepoint(run_programs, tmp_path, comm, program):
    daemon = run_programs(program, options=[f"comm={comm}"], through=WITH_TRACEFS)
    assert list(places(daemon, program).values()) == ["section"]
    assert attached_metric(daemon, program) == 1
    execute(tmp_path, comm, 23)
    until_runs(daemon, program, 23)
    held = holdings(daemon)
    daemon.kill()
    assert_released(held)


# --- probes of programs

@pytest.fixture
def target(tmp_path):
    """Runs what the probes are at, which is "./target" to the daemon."""
    if not TARGET.exists():
        pytest.skip("sys/sdt.h was not there when this was built (Debian: systemtap-sdt-dev)")
    shutil.copy(TARGET, tmp_path / "target")

    def call(times):
        done = subprocess.run([tmp_path / "target"], input=str(times), capture_output=True,
                              text=True, check=True)
        assert int(done.stdout) == times * (times + 1)

    return call


@pytest.mark.parametrize("program, factor", [("on_uprobe", 1), ("on_uretprobe", 2), ("on_usdt", 1)])
def test_probe_of_a_program(run_programs, tmp_path, target, program, factor):
    """What it counts is the sum of the arguments, or of what was given back."""
    daemon = run_programs(program, cwd=tmp_path)
    if program == "on_usdt" and not has_symbol("bpf_perf_link_attach"):
        assert "cannot tell apart the probes" in program_status(daemon, program)["error"]
        pytest.skip("this kernel has no cookies for probes (Linux 5.15)")
    assert attached_metric(daemon, program) == 1
    target(10)
    until_runs(daemon, program, factor * sum(range(1, 11)))
    target(3)
    until_runs(daemon, program, factor * (sum(range(1, 11)) + sum(range(1, 4))))


# --- the mark

def test_mark_runs_once_when_all_is_attached(run_programs):
    daemon = run_programs("on_mark", "on_iter_task")
    assert attached_metric(daemon, "on_mark") == 1
    until_runs(daemon, "on_mark", 1)


def test_mark_runs_for_what_is_new_only(run_programs, run, folder, tmp_path):
    """Neither a reload nor another daemon makes it run again."""
    daemon = run_programs("on_mark")
    until_runs(daemon, "on_mark", 1)
    write_config(folder, "second", "attach_sections", ["program: on_mark, hook: section"],
                 metrics=METRICS + "namespace: second\n")
    assert "the new configuration runs" in daemon.reload()
    until(lambda: daemon.scrape().value("second_runs_total", program="on_mark") == 1, 5,
          "it runs for the second config")
    other = tmp_path / "other"
    other.mkdir()
    write_config(other, "third", "attach_sections", ["program: on_mark, hook: section"],
                 metrics=METRICS)
    third = run("--module=", "--config.dir", other, listen="127.0.0.1:9436")
    until(lambda: program_status(third, "on_mark")["attached"], 5, "the other daemon's is attached")
    assert runs(daemon, "on_mark") == 1
    assert daemon.scrape().value("second_runs_total", program="on_mark") == 1


def test_mark_is_in_the_dynamic_symbol_table(tmp_path):
    stripped = tmp_path / "wiregauge"
    subprocess.run(["strip", "-o", stripped, BINARY], check=True)
    done = subprocess.run(["nm", "-D", "--defined-only", stripped], capture_output=True, text=True,
                          check=True)
    assert re.search(r" T post_attach_mark$", done.stdout, re.M)


# --- perf events, iterators, devices

def test_perf_event(run_programs):
    daemon = run_programs("on_perf_event")
    assert "cpu 0" in places(daemon, "on_perf_event")
    until(lambda: runs(daemon, "on_perf_event") > 20, 10 * PATIENCE, "the clock ticks")


def per_scrape(daemon, program):
    """What one run of an iterator adds."""
    before = runs(daemon, program)
    return runs(daemon, program) - before


THREADS = """
import sys, threading
open("/proc/self/comm", "w").write(sys.argv[1])
done = threading.Event()
def wait():
    open(f"/proc/self/task/{threading.get_native_id()}/comm", "w").write(sys.argv[1])
    started.release()
    done.wait()
started = threading.Semaphore(0)
for _ in range(4):
    threading.Thread(target=wait).start()
for _ in range(4):
    started.acquire()
print("ready", flush=True)
sys.stdin.readline()
done.set()
"""


def test_iterator_of_tasks(run_programs, comm):
    daemon = run_programs("on_iter_task", options=[f"comm={comm}"])
    assert per_scrape(daemon, "on_iter_task") == 0
    process = subprocess.Popen([sys.executable, "-c", THREADS, comm], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        assert per_scrape(daemon, "on_iter_task") == 5  # four threads, and the first
    finally:
        process.communicate("\n", timeout=30)
    assert per_scrape(daemon, "on_iter_task") == 0


@pytest.mark.parametrize("program, kind", [
    ("on_iter_tcp", socket.SOCK_STREAM), ("on_iter_udp", socket.SOCK_DGRAM),
])
def test_iterator_of_sockets(run_programs, here, cleanup, program, kind):
    daemon = run_programs(program, options=["port=4715"])
    assert per_scrape(daemon, program) == 0
    for _ in range(3):
        with here.entered():
            sock = cleanup.enter_context(socket.socket(socket.AF_INET, kind))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind(("127.0.0.1", 4715))
        if kind == socket.SOCK_STREAM:
            sock.listen()
    assert per_scrape(daemon, program) == 3


def test_xdp_of_a_device(run_programs, here, there):
    daemon = run_programs("on_xdp")
    assert places(daemon, "on_xdp") == {"wire": "xdp native"}
    send_to(there, "wire", here, 8)
    until_runs(daemon, "on_xdp", 8)


def test_xdp_of_a_device_that_comes_later(run_programs, here, make_namespace):
    daemon = run_programs("on_xdp")
    assert attached_metric(daemon, "on_xdp") == 0
    assert "there is no interface 'wire'; it is attached when that comes" in daemon.log()
    there = make_namespace()
    connect(here, there)
    until(lambda: places(daemon, "on_xdp") == {"wire": "xdp native"}, 5, "it is attached")
    assert attached_metric(daemon, "on_xdp") == 1
    assert "error" not in program_status(daemon, "on_xdp")
    send_to(there, "wire", here, 3)
    until_runs(daemon, "on_xdp", 3)


# --- what cannot be

NO_KPROBES = "this kernel has no kprobes"
KPROBES = Path("/sys/bus/event_source/devices/kprobe").exists()
SOUND = "metrics: {counters: [{name: sound_total}]}\n"

# program → what is told of it; of those that kernels differ in only where that is known.
REFUSED = {
    "unsound": "the kernel's verifier refuses a program(.|\n)*"
               "(dereference of modified ctx|invalid bpf_context access)",  # the latter: Linux 7
    "on_fentry_missing": "this kernel has no function 'wiregauge_no_such'",
    "on_btf_missing": "this kernel has no such tracepoint",
    "on_freplace": "replaces a function of another loaded program, and nothing says of which",
    "on_kprobe_missing": "this kernel has no function 'wiregauge_no_such'" if KPROBES
                         else NO_KPROBES,
    "on_kretprobe_missing": "this kernel has no function 'wiregauge_no_such'" if KPROBES
                            else NO_KPROBES,
    "on_ksyscall_missing": "this kernel has no system call 'wiregauge_no_such'" if KPROBES
                           else NO_KPROBES,
    "on_raw_missing": "this kernel has no such tracepoint",
    "on_uprobe_no_file": "there is no such file",
    "on_uprobe_no_symbol": "the file has no such function",
    "on_usdt_missing": "must include <bpf/usdt.bpf.h>",
    "on_xdp_missing": "there is no interface 'wiregauge-none'",
    "on_perf_event_wrong": "either frequency= .* or sample_period= .* is needed",
}


def write_refused(folder, *programs):
    rows = [f"program: {name}, hook: section" for name in ("sound", *programs)]
    write_config(folder, "refused", "attach_refused", rows, metrics=SOUND)


@pytest.mark.parametrize("program", REFUSED)
def test_one_that_cannot_be_is_told_and_the_others_run(run, folder, program):
    write_refused(folder, program)
    daemon = run("--module=", "--config.dir", folder)
    status = program_status(daemon, program)
    assert status["attached"] is False
    assert re.search(REFUSED[program], status["error"]), status["error"]
    assert re.search(REFUSED[program], daemon.log()), daemon.log()
    assert attached_metric(daemon, "sound") == 1
    first = daemon.scrape().value("ebpf_exporter_sound_total")
    until(lambda: daemon.scrape().value("ebpf_exporter_sound_total") > first, 5, "it counts")
    text = command("status", "--control.socket", daemon.control).stdout
    assert re.search(f"{program} .*not (loaded|attached): ", text, re.I), text


@pytest.mark.parametrize("program", REFUSED)
def test_strictly_one_that_cannot_be_ends_it(launch, folder, program):
    write_refused(folder, program)
    code, log = launch("--module=", "--config.dir", folder, "--config.strict").fails()
    assert code != 0 and re.search(REFUSED[program], log), log


def test_all_of_them_at_once(run, folder):
    write_refused(folder, *REFUSED)
    daemon = run("--module=", "--config.dir", folder)
    assert attached_metric(daemon, "sound") == 1
    assert all(program_status(daemon, name)["attached"] is False for name in REFUSED)


def test_a_kind_that_is_not_known(run, folder):
    write_config(folder, "unknown", "attach_no_kind", metrics="description: A kind of later\n")
    daemon = run("--module=", "--config.dir", folder)
    error = program_status(daemon, "on_no_kind")["error"]
    assert "no kind of program that is known here has such a SEC" in error
    assert attached_metric(daemon, "sound") == 1


def test_the_last_one_that_cannot_be_is_the_config(run, folder):
    """With nothing left of it, a config is broken; the others run."""
    write_config(folder, "refused", "attach_refused", ["program: unsound, hook: section"],
                 metrics=SOUND)
    write_config(folder, "nothing", "kinds", metrics="metrics: {counters: [{name: single_total}]}")
    daemon = run("--module=", "--config.dir", folder)
    (broken,) = daemon.status()["broken"]
    assert broken["name"] == "refused"


@pytest.mark.parametrize("program, text", [
    ("on_tracepoint_missing", "this kernel has no tracepoint 'sched/wiregauge_no_such'"),
    ("on_tracepoint", None),
])
def test_tracepoint_with_tracefs(run, folder, program, text):
    write_refused(folder, program)
    daemon = run("--module=", "--config.dir", folder, through=WITH_TRACEFS)
    assert program_status(daemon, program)["attached"] is (text is None)
    assert not text or text in daemon.log()


def test_tracepoint_without_tracefs(run, folder):
    write_refused(folder, "on_tracepoint")
    daemon = run("--module=", "--config.dir", folder, through=WITHOUT_TRACEFS)
    assert program_status(daemon, "on_tracepoint")["attached"] is False
    assert "tracefs is not mounted: mount -t tracefs" in daemon.log()


def test_fentry_that_the_kernel_refuses(run, folder):
    write_refused(folder, "on_fentry", "on_lsm")
    daemon = run("--module=", "--config.dir", folder)
    states = [program_status(daemon, name) for name in ("on_fentry", "on_lsm")]
    if any(state["loaded"] for state in states):
        pytest.skip("this kernel does not refuse them")
    for state in states:
        assert re.search("refuses fentry, fexit, fmod_ret and lsm|no such LSM hook|would never run",
                         state["error"])
    assert attached_metric(daemon, "sound") == 1
