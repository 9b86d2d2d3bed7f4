# SPDX-License-Identifier: MIT
"""Configs whose programs count how often they ran, each under its number in the map runs_total."""

import shutil
from pathlib import Path

from bpf import object_path
from daemon import PATIENCE
from netns import mac
from waiting import until


def metrics_of(programs):
    """The series runs_total{program=NAME}."""
    names = ", ".join(f"{number}: {name}" for number, name in enumerate(programs))
    return f"""
metrics:
  counters:
    - name: runs_total
      help: How often each program ran
      labels:
        - name: program
          size: 4
          decoders:
            - name: uint
            - {{name: static_map, static_map: {{{names}}}}}
"""


def write_config(folder, name, test_object, rows=(), extra="", metrics=""):
    """@test_object: the name of a tests/system/*.bpf.c; @rows: of `attach:`"""
    attach = "attach:\n" + "".join(f"  - {{{row}}}\n" for row in rows) if rows else ""
    (folder / f"{name}.yaml").write_text(extra + attach + metrics)
    shutil.copy(object_path(f"tests/system/{test_object}"), folder / f"{name}.bpf.o")


def has_symbol(name):
    """Whether the kernel has a function of that name."""
    with open("/proc/kallsyms") as file:
        return any(line.split()[2] == name for line in file)


def kprobes_are_closed():
    """Debian's kernels begin with 3, where perf_event_open(2) takes CAP_SYS_ADMIN."""
    return int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) > 2


def what_runs(status):
    """Programs and the ways of probes, to compare who has CAP_SYS_ADMIN with who has not: probes
    that can go by a kprobe are left out where that is closed."""
    programs = {(unit["name"], p["name"], p["loaded"], p.get("attached"))
                for unit in status["units"] for p in unit["programs"]
                if not p.get("waits_for") and not p.get("probe")}
    probes = {(p["module"], p["name"], p["state"], p.get("mechanism"))
              for unit in status["units"] for p in unit["probes"]
              if not (kprobes_are_closed() and any(way["mechanism"] == "kprobe"
                                                   for way in p["ways"]))}
    return programs | probes


def runs(daemon, program):
    return daemon.scrape().value("ebpf_exporter_runs_total", program=program)


def until_runs(daemon, program, number):
    """Exactly @number, and not more a moment later."""
    until(lambda: runs(daemon, program) >= number, 5 * PATIENCE,
          lambda: f"{program} ran {runs(daemon, program)} times, not {number}\n{daemon.log()}")
    assert runs(daemon, program) == number


def program_status(daemon, name):
    (found,) = (program for unit in daemon.status()["units"] for program in unit["programs"]
                if program["name"] == name)
    return found


def places(daemon, name):
    """{where program @name is: by what mechanism}"""
    return {row["at"]: row["mechanism"] for row in program_status(daemon, name)["attachments"]}


def attached_metric(daemon, name):
    samples = daemon.scrape()
    ((labels, _),) = samples.select("ebpf_exporter_ebpf_program_info", program=name)
    return samples.value("ebpf_exporter_ebpf_program_attached", id=labels["id"])


def silent_frame(to, device):
    """A frame that nobody answers: of an experimental protocol."""
    return bytes.fromhex(mac(to, device).replace(":", "")) + bytes(6) + b"\x88\xb5" + bytes(46)


def send_to(namespace, device, to, number):
    namespace.send_frames(device, [silent_frame(to, device)] * number)
