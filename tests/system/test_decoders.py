# SPDX-License-Identifier: MIT
"""Decoders whose names the kernel has: the daemon against what the host itself says."""

import re
import secrets
import shutil
import subprocess
from pathlib import Path

import pytest

from bpf import object_path
from cgroup import execute, identity
from kernel import Map, bpftool
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


# --- container

def test_a_container_is_known_by_its_group(run_config, groups):
    """As Docker makes them without systemd: a group named by the container's 64 digits."""
    daemon = run_config((CONFIG % "").replace("cgroup}]", "container}]"))
    digits = secrets.token_hex(32)
    execute(groups.make(digits), 2)
    execute(groups.make(f"{digits}/inside"))
    until(lambda: daemon.scrape().value(EXECS, group=digits[:12]) == 3, 10, "it is known")
    outside = daemon.scrape().value(EXECS, group="")
    assert outside > 0  # the shells that started those


# --- netns

NAMESPACES = "ebpf_exporter_namespace_execs_total"

NETNS = """
metrics:
  counters:
    - name: namespace_execs_total
      help: Programs executed by network namespace
      labels:
        - {name: namespace, size: 4, decoders: [{name: uint}, {name: netns}]}
"""


def ip_netns(*arguments):
    subprocess.run(["ip", "netns", *arguments], check=True)


@pytest.fixture
def namespace(cleanup):
    """The name of one that `ip netns` has made."""
    name = f"wg-{secrets.token_hex(4)}"
    cleanup.callback(lambda: Path("/run/netns", name).exists() and ip_netns("delete", name))
    return name


def test_a_network_namespace_has_its_name(run_config, namespace):
    daemon = run_config(NETNS)
    ip_netns("add", namespace)
    inode = Path("/run/netns", namespace).stat().st_ino
    for _ in range(3):
        ip_netns("exec", namespace, "/bin/true")
    # `ip` is executed outside, what it executes then is inside
    assert daemon.scrape().value(NAMESPACES, namespace=namespace) == 3
    ip_netns("delete", namespace)
    samples = daemon.scrape()
    assert samples.value(NAMESPACES, namespace=namespace) is None
    assert samples.value(NAMESPACES, namespace=f"unknown:{inode}") == 3
    ip_netns("add", namespace)
    ip_netns("exec", namespace, "/bin/true")
    # The kernel gives the numbers of namespaces that went to new ones
    again = Path("/run/netns", namespace).stat().st_ino == inode
    assert daemon.scrape().value(NAMESPACES, namespace=namespace) == (4 if again else 1)
    assert not daemon.complaints()


# --- btf_enum

NUMBERS = "ebpf_exporter_number_total"

ENUM = """
metrics:
  counters:
    - name: number_total
      help: Numbers that a test writes
      labels:
        - {name: reason, size: 4, decoders: [{name: uint}, {name: btf_enum, btf_enum: %s}]}
"""


def enum_values(name):
    """{number: its first name}, as bpftool reads the kernel's BTF."""
    path = Path("/sys/kernel/btf/vmlinux")
    if not path.exists():
        pytest.skip("this kernel has no BTF")
    found = {}
    for row in bpftool("btf", "dump", "file", path)["types"]:
        if row["kind"] == "ENUM" and row["name"] == name and row["vlen"]:
            for value in row["values"]:
                found.setdefault(value["val"] % 2**32, value["name"])
            return found
    pytest.skip(f"this kernel has no enum {name}")


def test_numbers_of_an_enum_have_the_names_of_this_kernel(run_config):
    values = enum_values("skb_drop_reason")
    daemon = run_config(ENUM % "skb_drop_reason")
    numbers = Map(daemon, "number_total")
    assert len(values) > 20
    for number in values:
        numbers.write(number.to_bytes(4, "little"), number + 1)
    numbers.write((10**9).to_bytes(4, "little"), 7)
    shown = {row["reason"]: value for row, value in daemon.scrape().select(NUMBERS)}
    expected = {name: number + 1 for number, name in values.items()}
    assert shown == expected | {"unknown:1000000000": 7}


def test_an_enum_that_is_not_there_is_refused(launch, tmp_path):
    enum_values("skb_drop_reason")
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "decoders.yaml").write_text(ENUM % "skb_drop_raeson")
    shutil.copy(object_path("tests/system/decoders"), folder)
    code, log = launch("--module=", "--config.dir", folder).fails()
    assert code == 2
    assert re.search(r"decoders.yaml:7:\d+: error: this kernel has no enum 'skb_drop_raeson', "
                     r"did you mean 'skb_drop_reason'\?", log)
