# SPDX-License-Identifier: MIT
"""A probe is measured by the first of its ways that this kernel offers, whole, and exactly that one
counts. Kernels choose differently; `make lab` shows by which way each went."""

import secrets
import subprocess
import sys

import pytest

from attaching import (has_symbol, metrics_of, places, program_status, runs, until_runs,
                       write_config)
from daemon import command

PROGRAMS = ("by_fentry", "by_kprobe", "by_tp_btf", "no_function", "no_tracepoint", "not_attached",
            "no_such_field", "refused", "by_netfilter", "as_last")
OPTIONS = """
options:
  - {name: comm, type: string, rodata: comm}
  - {name: wanted, type: bool, default: true}
"""
NUMBER = 19

CONNECTS = f"""
import socket, sys
listener = socket.create_server(("127.0.0.1", 4717))
open("/proc/self/comm", "w").write(sys.argv[1])
for _ in range({NUMBER}):
    socket.create_connection(("127.0.0.1", 4717)).close()
    listener.accept()[0].close()
"""


HOOKS = {"by_netfilter": "netfilter, family: ipv4, netfilter_hook: output"}


@pytest.fixture
def comm():
    return f"wg-{secrets.token_hex(4)}"


def write_probes(folder, probes, rows=()):
    """@probes: {name: [(mechanism, programs)], more keys of it}"""
    lines = ["probes:"]
    for name, (keys, ways) in probes.items():
        lines += [f"  - name: {name}", *(f"    {key}: {value}" for key, value in keys.items()),
                  "    ways:", *(f"      - {{mechanism: {mechanism}, programs: [{programs}]}}" for
                                 mechanism, programs in ways)]
    unused = set(PROGRAMS) - {program.strip() for _, ways in probes.values() for _, programs in
                              ways for program in programs.split(",")}
    off = [f"program: {name}, hook: {HOOKS.get(name, 'section')}, when: never" for name in
           sorted(unused)]
    options = OPTIONS + "  - {name: never, type: bool, default: false}\n"
    write_config(folder, "ladder", "probes", [*rows, *off], extra=options + "\n".join(lines) + "\n",
                 metrics=metrics_of(PROGRAMS))


@pytest.fixture
def run_probes(run, folder, comm):
    def start(probes, *arguments, rows=(), **options):
        write_probes(folder, probes, rows)
        return run("--module=", "--config.dir", folder, "--option", f"ladder.comm={comm}",
                   *arguments, **options)
    return start


def connect_often(namespace, comm):
    with namespace.entered():
        subprocess.run([sys.executable, "-c", CONNECTS, comm], check=True, timeout=120)


def probe_status(daemon, name):
    (found,) = (probe for unit in daemon.status()["units"] for probe in unit["probes"] if
                probe["name"] == name)
    return found


def probe_metric(daemon, name):
    """(mechanism, value)"""
    ((labels, value),) = daemon.scrape().select("wiregauge_probe_attached", probe=name)
    assert labels["module"] == "ladder"
    return labels["mechanism"], value


def assert_only(daemon, program):
    """@program saw all connections, all others none."""
    until_runs(daemon, program, NUMBER)
    assert {other: runs(daemon, other) for other in PROGRAMS if other != program} == {
        other: 0 for other in PROGRAMS if other != program}


LADDER = {"connect": ({}, [("fentry", "by_fentry"), ("kprobe", "by_kprobe"),
                           ("tp_btf", "by_tp_btf")])}


def test_first_way_that_the_kernel_offers_is_used(run_probes, here, comm):
    daemon = run_probes(LADDER)
    probe = probe_status(daemon, "connect")
    assert probe["state"] == "used" and probe["attached"] is True
    way = probe["mechanism"]
    assert probe_metric(daemon, "connect") == (way, 1)
    # Each way before it has a reason, none behind it.
    assert [("error" in other) for other in probe["ways"]] == {
        "fentry": [False, False, False], "kprobe": [True, False, False],
        "tp_btf": [True, True, False]}[way]
    connect_often(here, comm)
    assert_only(daemon, f"by_{way}")
    for program in ("by_fentry", "by_kprobe", "by_tp_btf"):
        assert program_status(daemon, program)["loaded"] is (program == f"by_{way}")


@pytest.mark.parametrize("program, reason", [
    ("no_function", "no function 'no_such_function'"),
    ("no_tracepoint", "this kernel has no such tracepoint"),
    ("not_attached", "this kernel has no such tracepoint"),
    ("no_such_field", "the kernel's verifier refuses a program"),
    ("refused", "the kernel's verifier refuses a program"),
])
def test_way_that_fails_gives_way_to_the_next(run_probes, here, comm, program, reason):
    daemon = run_probes({"connect": ({}, [("first", program), ("second", "by_tp_btf")]),
                         "other": ({}, [("only", "as_last")])}, "--config.strict")
    assert probe_metric(daemon, "connect") == ("second", 1)
    (first, second) = probe_status(daemon, "connect")["ways"]
    assert f"program '{program}'" in first["error"] and "error" not in second
    if program != "no_function" or "refuses fentry" not in first["error"]:
        assert reason in first["error"]
    connect_often(here, comm)
    until_runs(daemon, "by_tp_btf", NUMBER)
    until_runs(daemon, "as_last", NUMBER)
    assert runs(daemon, program) == 0
    assert not daemon.complaints()


def test_way_is_used_whole_or_not_at_all(run_probes, here, comm):
    """The first way has one program that is there and one that is not."""
    daemon = run_probes({"connect": ({}, [("both", "by_tp_btf, not_attached"),
                                          ("one", "as_last")])})
    assert probe_metric(daemon, "connect") == ("one", 1)
    connect_often(here, comm)
    assert_only(daemon, "as_last")


def test_way_shares_a_program_with_the_next(run_probes, here, comm):
    daemon = run_probes({"connect": ({}, [("both", "by_tp_btf, not_attached"),
                                          ("less", "by_tp_btf")])})
    assert probe_metric(daemon, "connect") == ("less", 1)
    connect_often(here, comm)
    assert_only(daemon, "by_tp_btf")


def test_what_the_kernel_has_no_way_for_is_told_and_no_failure(run_probes, here, comm):
    daemon = run_probes({"absent": ({}, [("raw_tp", "not_attached"), ("tp_btf", "no_tracepoint")]),
                         "connect": ({}, [("tp_btf", "by_tp_btf")])}, "--config.strict")
    probe = probe_status(daemon, "absent")
    assert (probe["state"], probe["attached"]) == ("not on this kernel", False)
    assert "mechanism" not in probe and all("error" in way for way in probe["ways"])
    assert probe_metric(daemon, "absent") == ("none", 0)
    text = command("status", "--control.socket", daemon.control).stdout
    assert "not on this kernel: raw_tp: program 'not_attached': " in " ".join(text.split())
    assert "ladder: not on this kernel: absent" in daemon.log()
    assert not daemon.complaints()
    connect_often(here, comm)
    assert_only(daemon, "by_tp_btf")


def test_nothing_but_what_the_kernel_lacks_runs_all_the_same(run_probes):
    daemon = run_probes({"absent": ({}, [("tp_btf", "no_tracepoint")])})
    assert probe_metric(daemon, "absent") == ("none", 0)
    assert daemon.scrape().value("ebpf_exporter_runs_total", program="no_tracepoint") == 0


def test_strictly_what_the_verifier_refuses_everywhere_is_a_failure(launch, folder):
    write_probes(folder, {"connect": ({}, [("tp_btf", "no_such_field")])})
    daemon = launch("--module=", "--config.dir", folder, "--config.strict")
    code, log = daemon.fails()
    assert code == 1 and "the kernel's verifier refuses a program" in log


def test_probe_that_is_switched_off_is_not_loaded(run_probes):
    probes = {"connect": ({"when": "wanted"}, [("tp_btf", "by_tp_btf")])}
    daemon = run_probes(probes, "--option", "ladder.wanted=false")
    assert probe_status(daemon, "connect")["state"] == "off"
    assert not daemon.scrape().select("wiregauge_probe_attached", probe="connect")
    assert program_status(daemon, "by_tp_btf")["loaded"] is False


NETFILTER_ROW = (f"program: by_netfilter, hook: {HOOKS['by_netfilter']}",)


def test_programs_with_rows(run_probes, here, comm):
    daemon = run_probes({"output": ({}, [("netfilter", "by_netfilter"), ("tp_btf", "by_tp_btf")])},
                        rows=NETFILTER_ROW)
    mechanism, value = probe_metric(daemon, "output")
    assert value == 1
    connect_often(here, comm)
    if mechanism == "netfilter":
        assert places(daemon, "by_netfilter") == {"ipv4 output 0": "netfilter link"}
        assert runs(daemon, "by_netfilter") > NUMBER
    else:
        assert not has_symbol("bpf_nf_link_attach")
        (first, _) = probe_status(daemon, "output")["ways"]
        assert "netfilter (Linux 6.4" in first["error"]
        assert_only(daemon, "by_tp_btf")


def test_reload_changes_what_is_off(run_probes, folder, here, comm):
    probes = {"connect": ({}, [("raw_tp", "not_attached"), ("tp_btf", "by_tp_btf")])}
    daemon = run_probes(probes)
    write_probes(folder, {"connect": ({}, [("last", "as_last")])})
    daemon.reload()
    assert probe_metric(daemon, "connect") == ("last", 1)
    connect_often(here, comm)
    assert_only(daemon, "as_last")
