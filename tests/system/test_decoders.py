# SPDX-License-Identifier: MIT
"""Decoders whose names the kernel has: the daemon against what the host itself says."""

import shutil

import pytest

from bpf import object_path
from cgroup import Cgroup, execute, identity, mount_point
from kernel import Map
from waiting import until

EXECS = "ebpf_exporter_execs_total"

CONFIG = """
metrics:
  counters:
    - name: execs_total
      help: Programs executed by cgroup
      labels:
        - {name: group, size: 8, %s decoders: [{name: uint}, {name: cgroup}]}
"""


@pytest.fixture
def groups():
    if not mount_point():
        pytest.skip("no cgroup2 file system is mounted here")
    with Cgroup() as group:
        yield group


@pytest.fixture
def run_config(run, tmp_path):
    """The daemon with one config over the maps of decoders.bpf.c"""
    def start(text):
        folder = tmp_path / "configs"
        folder.mkdir()
        (folder / "decoders.yaml").write_text(text)
        shutil.copy(object_path("tests/system/decoders"), folder)
        return run("--module=", "--config.dir", folder)

    return start


# --- cgroup

def test_a_cgroup_has_its_path(run_config, groups):
    before = groups.make("before")
    daemon = run_config(CONFIG % "")
    execute(before, 3)
    assert daemon.scrape().value(EXECS, group=str(before)) == 3
    # One that comes later, and one inside it
    execute(groups.make("after"))
    inside = groups.make("after/inside")
    execute(inside, 2)
    until(lambda: daemon.scrape().value(EXECS, group=str(inside)) == 2, 10, "it has its name")
    assert daemon.scrape().value(EXECS, group=str(groups.path / "after")) == 1
    assert not daemon.complaints()


def test_a_group_made_anew_is_added_to_its_predecessor(run_config, groups):
    """They differ in their ids only: two series of one name would be a fault."""
    daemon = run_config(CONFIG % "")
    path = groups.make("service")
    first = identity(path)
    execute(path, 2)
    until(lambda: daemon.scrape().value(EXECS, group=str(path)) == 2, 10, "it has its name")
    groups.remove("service")
    groups.make("service")
    assert identity(path) != first
    execute(path, 3)
    until(lambda: daemon.scrape().value(EXECS, group=str(path)) == 5, 10, "both are counted")


def test_a_group_that_went_keeps_its_name(run_config, groups):
    daemon = run_config(CONFIG % "")
    path = groups.make("job")
    execute(path)
    until(lambda: daemon.scrape().value(EXECS, group=str(path)) == 1, 10, "it has its name")
    groups.remove("job")
    # The next one that is known proves that the removal has been read
    marker = groups.make("marker")
    execute(marker)
    until(lambda: daemon.scrape().value(EXECS, group=str(marker)) == 1, 10, "later than that")
    assert daemon.scrape().value(EXECS, group=str(path)) == 1


def test_an_id_of_no_group_is_told(run_config, groups):
    daemon = run_config(CONFIG % "")
    Map(daemon, "execs_total").write((2**60).to_bytes(8, "little"), 7)
    assert daemon.scrape().value(EXECS, group=f"unknown_cgroup_id:{2**60}") == 7


def test_groups_that_went_are_hidden_where_the_config_says_so(run_config, groups):
    daemon = run_config(CONFIG % "delete_unknown: true,")
    path, other = groups.make("job"), groups.make("other")
    execute(path)
    execute(other)
    until(lambda: daemon.scrape().value(EXECS, group=str(path)) == 1, 10, "it has its name")
    groups.remove("job")
    until(lambda: daemon.scrape().value(EXECS, group=str(path)) is None, 10, "it is hidden")
    assert daemon.scrape().value(EXECS, group=str(other)) == 1
