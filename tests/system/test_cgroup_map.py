# SPDX-License-Identifier: MIT
"""`cgroup_id_map`: the programs know which cgroups they are about, from before the first event."""

import shutil

import pytest

from bpf import object_path
from cgroup import execute, identity
from kernel import bpftool
from waiting import until

EXECS = "ebpf_exporter_chosen_execs_total"

CONFIG = """
cgroup_id_map:
  name: chosen
  {type}
  regexps: {regexps}
metrics:
  counters:
    - {{name: chosen_execs_total, help: Programs executed in chosen cgroups}}
"""


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "configs"
    path.mkdir()
    return path


def write_config(folder, kind, groups, *patterns):
    name = {"hash": "cgroup_map", "cgrp_storage": "cgroup_storage"}[kind]
    regexps = "".join(f"\n    - ^{groups.path}/{pattern}" for pattern in patterns)
    (folder / f"{name}.yaml").write_text(CONFIG.format(
        type="" if kind == "hash" else f"type: {kind}", regexps=regexps))
    shutil.copy(object_path(f"tests/system/{name}"), folder)


def entries(daemon):
    """{cgroup id: value} of the hash map"""
    (number,) = (row["id"] for row in bpftool("map", "show")
                 if row["id"] in daemon.bpf_objects("map") and row.get("name") == "chosen")
    return {int.from_bytes(bytes(int(byte, 16) for byte in row["key"]), "little"):
            int.from_bytes(bytes(int(byte, 16) for byte in row["value"]), "little")
            for row in bpftool("map", "dump", "id", number)}


def has_storage():
    with open("/proc/kallsyms") as file:
        return any(line.split()[2] == "bpf_cgrp_storage_get" for line in file)


@pytest.mark.parametrize("kind", ["hash", "cgrp_storage"])
def test_only_chosen_groups_are_counted(run, folder, groups, kind):
    if kind == "cgrp_storage" and not has_storage():
        pytest.skip("this kernel has no storage of cgroups (Linux 6.2)")
    chosen, other = groups.make("a.service"), groups.make("b.slice")
    write_config(folder, kind, groups, r".*\.service$", "also$")
    daemon = run("--module=", "--config.dir", folder)
    execute(chosen, 3)
    execute(other, 2)
    assert daemon.scrape().value(EXECS) == 3
    execute(groups.make("also"))
    # It may have been too early; each run that counts is one
    counted = until(lambda: execute(groups.path / "also") or
                    (now := daemon.scrape().value(EXECS)) > 3 and now, 10, "the later is counted")
    execute(groups.path / "also", 2)
    execute(groups.make("neither"), 2)
    assert daemon.scrape().value(EXECS) == counted + 2
    assert not daemon.complaints()


def test_an_entry_goes_with_its_group(run, folder, groups):
    first = identity(groups.make("x.service"))
    write_config(folder, "hash", groups, r".*\.service$")
    daemon = run("--module=", "--config.dir", folder)
    assert entries(daemon) == {first: 1}
    groups.remove("x.service")
    until(lambda: entries(daemon) == {}, 10, "its entry is removed")
    second = identity(groups.make("x.service"))
    until(lambda: entries(daemon) == {second: 1}, 10, "the new one has an entry")
    assert first != second


def test_a_changed_config_chooses_anew(run, folder, groups):
    one, two = identity(groups.make("one")), identity(groups.make("two"))
    write_config(folder, "hash", groups, "one$")
    daemon = run("--module=", "--config.dir", folder)
    assert entries(daemon) == {one: 1}
    write_config(folder, "hash", groups, "(.*/)?two$")
    assert "refused" not in daemon.reload()
    until(lambda: entries(daemon) == {two: 1}, 10, "the new map is filled")
    three = identity(groups.make("two/two"))
    until(lambda: entries(daemon) == {two: 1, three: 1}, 10, "the new one is followed")
