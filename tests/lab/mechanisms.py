# SPDX-License-Identifier: MIT
"""A plugin of pytest for the lab: which tests failed; by which mechanisms the daemons of a run were
attached, and how often their programs ran there. Each daemon is asked before it ends."""

import http.client
import json
import os
import socket
from collections import Counter
from pathlib import Path

MODULES = Path(os.environ["SOURCE_ROOT"], "modules")

runs = Counter()  # (measure, hook, mechanism): times
failed = []       # tests, as pytest takes them on its command line
stats = []        # while this descriptor is open, the kernel counts

BPF_STATS_RUN_TIME = 0  # enum bpf_stats_type


def ask_status(daemon):
    connection = http.client.HTTPConnection("localhost")
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(10)
    try:
        connection.sock.connect(str(daemon.control))
        connection.request("GET", "/v1/status")
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


def measure_of(unit):
    """The modules of a built-in unit without the pipeline that they run in; of all others none."""
    if not unit["builtin"]:
        return ""
    names = [module["name"] for module in unit["modules"]]
    return ", ".join(name for name in names if name != unit["name"]) or unit["name"]


def probe_ways(unit):
    """{probe: by what it is measured}; also of a copy of a module that has one way of all."""
    return {probe["name"]: (f"{probe['module']}: {probe['name']}", "probe", probe["mechanism"])
            for probe in unit.get("probes", [])
            if "mechanism" in probe and (MODULES / probe["module"]).is_dir()}


def note(daemon):
    for unit in ask_status(daemon)["units"]:
        probes = probe_ways(unit)
        for program in unit["programs"]:
            if program.get("probe") in probes:
                if program["loaded"]:
                    runs[probes[program["probe"]]] += program.get("runs", 0)
                continue
            ways = {(place["hook"], place.get("mechanism") or "") for place in
                    program.get("attachments", [])}
            if not ways and program.get("attached"):
                ways = {(program["section"].split("/")[0], "")}
            for hook, mechanism in ways:
                # One that is attached in several ways ran by all of them, as far as can be told.
                runs[measure_of(unit), hook, mechanism] += program.get("runs", 0)


def pytest_configure(config):
    from bpf import declare, lib
    from ctypes import c_int
    from daemon import Daemon

    declare("bpf_enable_stats", c_int, c_int)
    stats.append(lib.bpf_enable_stats(BPF_STATS_RUN_TIME))

    def asking(end):
        def ask_and_end(daemon, *arguments):
            try:
                if daemon.process.poll() is None:
                    note(daemon)
            except (OSError, ValueError, KeyError, http.client.HTTPException):
                pass  # it may be anything but well at the end of a test
            return end(daemon, *arguments)
        return ask_and_end

    Daemon.stop, Daemon.kill = asking(Daemon.stop), asking(Daemon.kill)


def pytest_runtest_logreport(report):
    if report.failed and report.nodeid not in failed:
        failed.append(report.nodeid)


def pytest_sessionfinish(session):
    Path(os.environ["LAB_RESULTS"], "failed").write_text("".join(f"{test}\n" for test in failed))
    rows = [{"measure": measure, "hook": hook, "mechanism": mechanism, "runs": count}
            for (measure, hook, mechanism), count in sorted(runs.items())]
    Path(os.environ["LAB_RESULTS"], "mechanisms.json").write_text(json.dumps(rows, indent=1))
    if stats[0] >= 0:
        os.close(stats[0])
