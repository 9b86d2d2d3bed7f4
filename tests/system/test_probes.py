# SPDX-License-Identifier: MIT
"""A probe is measured by the first of its ways that this kernel offers, whole, and exactly that one
counts. Kernels choose differently; `make lab` shows by which way each went."""

import http.client
import json
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from attaching import (has_symbol, metrics_of, places, program_status, runs, until_runs,
                       write_config)
from bpf import object_path
from daemon import PATIENCE, command
from kernel import assert_released, holdings
from waiting import until

PROGRAMS = ("by_fentry", "by_kprobe", "by_tp_btf", "no_function", "no_tracepoint", "not_attached",
            "no_such_field", "refused", "by_netfilter", "as_last")
OPTIONS = """
options:
  - {name: comm, type: string, rodata: comm}
  - {name: wanted, type: bool, default: true}
  - {name: share, type: string, default: always}
"""
NUMBER = 19
PRIORITIES = 16  # that are tried: src/kernel/netfilter.c

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
    assert re.search("absent +- +not on this kernel\n", text)
    for way in ("raw_tp", "tp_btf"):
        assert re.search(f"\n- {way}: .+?\n  \\(absent\\)\n", text, re.DOTALL), text
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


# --- sampling

SAMPLED = {"connect": ({"sampled": "share"}, [("fentry", "by_fentry"), ("kprobe", "by_kprobe"),
                                              ("tp_btf", "by_tp_btf")]),
           "other": ({"sampled": "share"}, [("raw_tp", "as_last")])}


@pytest.fixture
def run_sampled(run_probes):
    return lambda share, **options: run_probes(SAMPLED, "--option", f"ladder.share={share}",
                                               **options)


def observed(daemon, probe="connect"):
    return daemon.scrape().value("wiregauge_probe_observed_seconds_total", module="ladder",
                                 probe=probe)


def stands_still(daemon):
    """No slice is going on."""
    return observed(daemon) == observed(daemon)


def hold(daemon):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.connect(str(daemon.control))
    connection.request("GET", "/v1/hold?module=ladder")
    response = connection.getresponse()
    assert response.status == 200, response.read()
    seconds = json.loads(response.read())["seconds"]
    connection.close()
    return seconds


def threads(daemon):
    return [task.read_text().strip() for task in Path(f"/proc/{daemon.pid}/task").glob("*/comm")]


def program_of(daemon):
    return f"by_{probe_metric(daemon, 'connect')[0]}"


def test_always_is_all_the_time_without_slices(run_sampled, here, comm):
    daemon = run_sampled("always")
    assert "slices" not in threads(daemon)
    began, first = time.monotonic(), observed(daemon)
    connect_often(here, comm)
    until_runs(daemon, program_of(daemon), NUMBER)
    until_runs(daemon, "as_last", NUMBER)
    until(lambda: observed(daemon) - first > 0.2, 5 * PATIENCE, "time that was observed")
    assert observed(daemon) - first <= time.monotonic() - began
    assert probe_status(daemon, "connect")["share"] == 1


def test_off_is_not_loaded(run_sampled):
    daemon = run_sampled("off")
    assert probe_status(daemon, "connect")["state"] == "off"
    assert not daemon.scrape().select("wiregauge_probe_observed_seconds_total")
    assert not any(program_status(daemon, program)["loaded"] for program in PROGRAMS)


def test_slices(run_sampled, here, comm):
    """Both probes are attached now and then, at the same time, and nothing is left of a slice."""
    began = time.monotonic()
    daemon = run_sampled("20%")
    program, held = program_of(daemon), len(daemon.descriptors())
    made = 0
    while observed(daemon) < 1.1:  # six slices at least
        assert time.monotonic() - began < 120 * PATIENCE
        connect_often(here, comm)
        made += NUMBER
    share = observed(daemon) / (time.monotonic() - began)
    assert 0.02 < share < 0.6
    seen = runs(daemon, program)
    assert 0 < seen < made and 0 < runs(daemon, "as_last") < made
    assert observed(daemon, "other") == pytest.approx(observed(daemon), abs=0.1 * PATIENCE)
    assert probe_metric(daemon, "connect")[1] == 1
    until(lambda: len(daemon.descriptors()) <= held, 30 * PATIENCE,
          lambda: f"{held} descriptors again, not {len(daemon.descriptors())}")
    assert "20% of the time" in command("status", "--control.socket", daemon.control).stdout
    assert not daemon.complaints()


def test_one_that_misses_its_slice_misses_it_alone(run_probes, run, folder, tmp_path):
    """No two programs of netfilter have one priority: another daemon's have all that are tried."""
    probes = {"output": ({"sampled": "share"}, [("netfilter", "by_netfilter")]),
              "other": ({"sampled": "share"}, [("raw_tp", "as_last")])}
    daemon = run_probes(probes, "--option", "ladder.share=10%", rows=NETFILTER_ROW)
    if not has_symbol("bpf_nf_link_attach"):
        pytest.skip("this kernel has no netfilter links (Linux 6.4 and newer have them)")
    (tmp_path / "way").mkdir()
    write_config(tmp_path / "way", "way", "probes", [
        *(f"{NETFILTER_ROW[0]}, priority: {priority}" for priority in range(PRIORITIES)),
        *(f"program: {name}, hook: section, when: never" for name in PROGRAMS if
          name != "by_netfilter")], extra="options: [{name: never, type: bool, default: false}]\n")

    def in_the_way():
        other = run("--module=", "--config.dir", tmp_path / "way", listen="127.0.0.1:9436")
        if "ipv4 output 0" in places(other, "by_netfilter"):
            return other
        other.stop()  # a slice was going on
        return None

    other = until(in_the_way, 60 * PATIENCE, "a place between two slices")
    until(lambda: not probe_status(daemon, "output")["attached"], 30 * PATIENCE, "a failure")
    (way,) = probe_status(daemon, "output")["ways"]
    assert "program 'by_netfilter'" in way["error"]
    assert probe_metric(daemon, "output")[1] == 0 and probe_metric(daemon, "other")[1] == 1
    missed, seen = observed(daemon, "output"), observed(daemon, "other")
    until(lambda: observed(daemon, "other") > seen + 0.3, 60 * PATIENCE, "two slices more")
    assert observed(daemon, "output") == missed
    assert "probe 'output' misses a slice" in daemon.log()
    other.stop()
    until(lambda: observed(daemon, "output") > missed, 30 * PATIENCE, "a slice again")
    assert "error" not in probe_status(daemon, "output")["ways"][0]


def test_slices_go_on(run_sampled):
    """Each slice adds what it lasts, also where programs cannot be attached a second time."""
    daemon = run_sampled("50%")
    for probe in ("connect", "other"):
        for _ in range(3):
            until(lambda: stands_still(daemon), 20 * PATIENCE, "between two slices")
            before = observed(daemon, probe)
            until(lambda: observed(daemon, probe) > before, 20 * PATIENCE, "the next slice")
    assert probe_status(daemon, "connect")["attached"] is True
    assert not daemon.complaints()


def test_who_looks_has_all_of_it(run_sampled, here, comm):
    """Long after its first slice, and a long time before the next, somebody looks for a while."""
    daemon = run_sampled("0.01%")
    program = program_of(daemon)
    until(lambda: observed(daemon) > 0 and stands_still(daemon), 10 * PATIENCE, "the first slice")
    connect_often(here, comm)
    assert runs(daemon, program) == 0
    seconds = hold(daemon)
    until(lambda: not stands_still(daemon), 5 * PATIENCE, "attached for who looks")
    assert probe_status(daemon, "connect")["held"] is True
    connect_often(here, comm)
    until_runs(daemon, program, NUMBER)
    until(lambda: stands_still(daemon), (seconds + 10) * PATIENCE, "detached again")
    assert probe_status(daemon, "connect")["held"] is False
    connect_often(here, comm)
    assert runs(daemon, program) == NUMBER


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_stays_of_what_is_sampled(run_sampled, number):
    daemon = run_sampled("50%")
    until(lambda: observed(daemon) > 0.5, 20 * PATIENCE, "some slices")
    held = holdings(daemon)
    daemon.kill() if number == signal.SIGKILL else daemon.stop()
    assert_released(held)


def test_reload_changes_the_share(run_probes, folder, here, comm):
    daemon = run_probes(SAMPLED)
    config, always = folder / "ladder.yaml", "default: always"
    for share, default in ((0.0001, "default: 0.01%"), (1, always)):
        config.write_text(re.sub("default: (always|0.01%)", default, config.read_text()))
        daemon.reload()
        assert probe_status(daemon, "connect")["share"] == share
        assert ("slices" in threads(daemon)) is (share < 1)
    connect_often(here, comm)
    until_runs(daemon, program_of(daemon), NUMBER)


@pytest.mark.parametrize("value", ["often", "2", "0%", "101%", "true"])
def test_wrong_share_is_refused(launch, folder, value):
    write_probes(folder, SAMPLED)
    code, log = launch("--module=", "--config.dir", folder, "--option",
                       f"ladder.share={value}").fails()
    assert code == 2
    assert "option 'share' of module 'ladder' takes off, always, or a share of the time" in log
    assert f"not '{value}'" in log


def test_what_cannot_be_sampled_is_refused(tmp_path):
    shutil.copy(object_path("tests/system/attach_hooks"), tmp_path / "wrong.bpf.o")
    (tmp_path / "wrong.yaml").write_text("""
options: [{name: share, type: string, default: 2%}]
attach: [{program: on_tcx, hook: tc_ingress, interfaces: wire}]
probes: [{name: frames, sampled: share, ways: [{mechanism: tc, programs: [on_tcx]}]}]
""")
    done = command("config", "check", tmp_path / "wrong.yaml")
    assert done.returncode == 2
    what = "program 'on_tcx' of hook 'tc_ingress' cannot be of a probe that is sampled"
    assert what in done.stderr
