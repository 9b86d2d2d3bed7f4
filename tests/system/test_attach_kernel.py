# SPDX-License-Identifier: MIT
"""Programs at functions of the kernel run exactly as often as these are called. Not every kernel
has all ways to get there; `make lab` runs this on those that do."""

import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from attaching import (attached_metric, has_symbol, metrics_of, places, program_status,
                       until_runs, write_config)
from kernel import assert_released, holdings

PROGRAMS = ("on_kprobe", "on_kretprobe", "on_kprobe_multi", "on_kretprobe_multi", "on_ksyscall",
            "on_kretsyscall", "on_fentry", "on_fexit", "on_fmod_ret", "on_lsm")
OPTIONS = "options: [{name: comm, type: string, rodata: comm}]\n"
METRICS = metrics_of(PROGRAMS)

# Under another name from the moment that it is told to: 19 connections, 19 system calls.
EVENTS = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 4716))
open("/proc/self/comm", "w").write(sys.argv[1])
for _ in range(19):
    socket.create_connection(("127.0.0.1", 4716)).close()
    listener.accept()[0].close()
    os.getppid()
"""
NUMBER = 19


@pytest.fixture
def comm():
    """A name that no other process has."""
    return f"wg-{secrets.token_hex(4)}"


@pytest.fixture
def run_program(run, folder, comm):
    def start(program, **options):
        write_config(folder, "kernel", "attach_kernel", [f"program: {program}, hook: section"],
                     extra=OPTIONS, metrics=METRICS)
        return run("--module=", "--config.dir", folder, "--option", f"kernel.comm={comm}",
                   **options)
    return start


def make_events(namespace, comm):
    with namespace.entered():
        subprocess.run([sys.executable, "-c", EVENTS, comm], check=True, timeout=120)


def lack_of(program):
    """What is to be told where this kernel cannot have @program; None where it can."""
    if not program.startswith("on_k"):
        return None
    if not Path("/sys/bus/event_source/devices/kprobe").exists():
        return "this kernel has no kprobes"
    if "multi" in program and not has_symbol("register_fprobe"):
        return "this kernel cannot probe several functions at once"
    return None


# Of kernels, or sandboxes, that have none of these at all: known only from their answer.
REFUSAL = "refuses fentry, fexit, fmod_ret and lsm programs"


@pytest.mark.parametrize("program", PROGRAMS)
def test_program_runs_as_often_as_the_function(run_program, here, comm, program):
    daemon = run_program(program)
    error, lack = program_status(daemon, program).get("error", ""), lack_of(program)
    if lack:
        assert lack in error
        pytest.skip(lack)
    if REFUSAL in error:
        pytest.skip(REFUSAL)
    assert list(places(daemon, program).values()) == ["section"], error
    assert attached_metric(daemon, program) == 1
    make_events(here, comm)
    until_runs(daemon, program, NUMBER)
    held = holdings(daemon)
    daemon.kill()
    assert_released(held)


@pytest.mark.parametrize("program", ["on_changed_kprobe", "on_changed_fentry"])
def test_function_that_the_compiler_changed(run_program, program):
    if has_symbol("ip_rcv_finish_core"):
        pytest.skip("this kernel has the function as it was written")
    daemon = run_program(program)
    error, lack = program_status(daemon, program)["error"], lack_of("on_kprobe")
    if lack or REFUSAL in error:
        pytest.skip(lack or REFUSAL)
    assert "this kernel has 'ip_rcv_finish_core." in error
    assert "in the place of 'ip_rcv_finish_core', which the compiler changed" in error


OTHER_LSMS = ["unshare", "--mount", "sh", "-c",
              "mount -t tmpfs tmpfs /sys/kernel/security && "
              "echo lockdown,yama > /sys/kernel/security/lsm; exec \"$@\"", "sh"]


def test_lsm_program_that_would_never_run_is_not_attached(run_program):
    daemon = run_program("on_lsm", through=OTHER_LSMS)
    status = program_status(daemon, "on_lsm")
    if REFUSAL in status["error"]:
        pytest.skip(REFUSAL)
    assert status["attached"] is False
    assert "boot it with lsm=lockdown,yama,bpf" in status["error"]
