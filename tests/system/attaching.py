# SPDX-License-Identifier: MIT
"""Configs whose programs count how often they ran, each under its number in the map runs_total."""

import shutil

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
