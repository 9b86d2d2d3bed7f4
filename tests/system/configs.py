# SPDX-License-Identifier: MIT
"""Users' configs for tests: in a folder, over the maps of kinds.bpf.c or another object."""

import shutil

from bpf import object_path
from daemon import ROOT

LABEL = "{name: %s, size: %d, decoders: [{name: uint}]}"
SINGLE = "metrics: {counters: [{name: single_total, help: x}]}\n"


def add_example(folder, name):
    shutil.copy(ROOT / f"examples/{name}.yaml", folder)
    shutil.copy(object_path(f"examples/{name}"), folder)


def add_config(folder, name, manifest, object="tests/system/kinds"):
    """A config over the maps of kinds.bpf.c, or of another object."""
    (folder / f"{name}.yaml").write_text(manifest)
    shutil.copy(object_path(object), folder / f"{name}.bpf.o")


def u16(number):
    return number.to_bytes(2, "little")


def u32(*numbers):
    return b"".join(number.to_bytes(4, "little") for number in numbers)


def u64(number):
    return number.to_bytes(8, "little")


def enabled(daemon):
    return {labels["name"] for labels, _ in daemon.scrape().select("ebpf_exporter_enabled_configs")}
