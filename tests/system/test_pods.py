# SPDX-License-Identifier: MIT
"""Pods and containers: real groups and namespaces, with the files of a kubelet that is not here."""

import json
import secrets
import shutil
import socket
import subprocess
import sys
import uuid

import pytest

from bpf import object_path
from cgroup import execute, process_in
from daemon import PATIENCE, command
from netns import address_pair
from waiting import until

EXECS = "ebpf_exporter_execs_total"
SOON = 10 * PATIENCE  # seconds
NAMESPACES = "ebpf_exporter_namespace_execs_total"

CONFIG = """
metrics:
  counters:
    - name: execs_total
      help: Programs executed by cgroup
      labels:
        - {name: is, size: 8, decoders: [{name: uint}, {name: %s}]}
    - name: namespace_execs_total
      help: Programs executed by network namespace
      labels:
        - {name: is, size: 4, decoders: [{name: uint}, %s]}
"""


class Node:
    """What kubelet has on a node, below a folder, and the cgroups of its pods."""

    def __init__(self, root, groups):
        self.root, self.groups = root, groups
        self.links = root / "var/log/containers"
        self.links.mkdir(parents=True)

    def start(self, namespace, pod, container):
        """The group of a new container in a new pod."""
        uid, digits = uuid.uuid4(), secrets.token_hex(32)
        slice_ = self.groups.make(f"kubepods-burstable-pod{str(uid).replace('-', '_')}.slice")
        group = slice_ / f"cri-containerd-{digits}.scope"
        group.mkdir()
        target = f"/var/log/pods/{namespace}_{pod}_{uid}/{container}/0.log"
        (self.links / f"{pod}_{namespace}_{container}-{digits}.log").symlink_to(target)
        return group

    def forget(self, pod):
        for link in self.links.glob(f"{pod}_*"):
            link.unlink()


@pytest.fixture
def node(tmp_path, groups):
    return Node(tmp_path / "root", groups)


@pytest.fixture
def start(run, tmp_path, node):
    """The daemon with these decoders, and the node's files."""
    def start_with(cgroups="pod", namespaces="{name: netns}"):
        folder = tmp_path / "configs"
        folder.mkdir()
        (folder / "decoders.yaml").write_text(CONFIG % (cgroups, namespaces))
        shutil.copy(object_path("tests/system/decoders"), folder)
        return run("--module=", "--config.dir", folder, "--path.rootfs", node.root)

    return start_with


@pytest.mark.parametrize("decoder, expected", [
    ("pod", "web-0"), ("pod_namespace", "shop"), ("container_name", "nginx")])
def test_pods_are_named_as_they_come_and_go(start, node, decoder, expected):
    execute(node.start("shop", "web-0", "nginx"), 2)
    daemon = start(decoder)
    early = node.start("shop", "web-0", "nginx")
    execute(early, 3)
    until(lambda: daemon.scrape().value(EXECS, **{"is": expected}) == 3, SOON, "it is named")
    # One that came later, and one that went: its series keeps its name.
    execute(node.start("data", "db-0", "postgres"))
    later = {"pod": "db-0", "pod_namespace": "data", "container_name": "postgres"}[decoder]
    until(lambda: daemon.scrape().value(EXECS, **{"is": later}) == 1, SOON, "it is named")
    node.forget("web-0")
    assert daemon.scrape().value(EXECS, **{"is": expected}) == 3
    assert not daemon.complaints()


def test_a_pods_network_namespace_has_its_name(start, node):
    daemon = start()
    group = node.start("shop", "web-0", "nginx")
    with process_in(group, "unshare", "--net") as execute_there:
        execute_there()
        # The shell, what it became, and the one that was asked for
        until(lambda: daemon.scrape().value(NAMESPACES, **{"is": "shop/web-0"}) == 3, SOON,
              "it is named")
    assert not daemon.complaints()


def test_a_namespaces_group_tells_its_container(start, node):
    daemon = start(namespaces="{name: netns_cgroup}, {name: container_name}")
    group = node.start("shop", "web-0", "nginx")
    with process_in(group, "unshare", "--net") as execute_there:
        execute_there()
        until(lambda: daemon.scrape().value(NAMESPACES, **{"is": "nginx"}) == 3, SOON,
              "it is named")
    assert daemon.scrape().value(NAMESPACES, **{"is": ""}) > 0  # the host's own


@pytest.mark.parametrize("name, expected", [
    (f"cni-{uuid.uuid4()}", "shop/web-0"),  # as CNI makes them
    (named := f"wg-{secrets.token_hex(4)}", named)])
def test_a_file_that_was_named_by_chance_gives_way(start, node, cleanup, name, expected):
    daemon = start()
    subprocess.run(["ip", "netns", "add", name], check=True)
    cleanup.callback(lambda: subprocess.run(["ip", "netns", "delete", name], check=True))
    entering = "nsenter", f"--net=/run/netns/{name}"
    with process_in(node.start("shop", "web-0", "nginx"), *entering) as execute_there:
        execute_there()
        until(lambda: daemon.scrape().value(NAMESPACES, **{"is": expected}), SOON, "it is named")


def test_tables_and_series_show_pods(launch, node, here, there):
    """Those of the built-in modules that tell cgroups apart."""
    address_pair(here, there)
    daemon = launch("--module=flows,tcp", "--option", "flows.cgroups=true", "--option",
                    "tcp.by_cgroup=true", "--path.rootfs", node.root).wait_ready()
    group = node.start("shop", "web-0", "nginx")
    with there.entered():
        listener = socket.create_server(("10.0.0.2", 80))
    client = "import socket; socket.create_connection((\"10.0.0.2\", 80)).close()"
    here.run("sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$1" -c "$2"', str(group),
             sys.executable, client)
    listener.close()
    until(lambda: daemon.scrape().value("wiregauge_tcp_opened_connections_total", role="client",
                                        cgroup="shop/web-0/nginx") == 1, SOON, "it is named")
    done = command("flows", "cgroups", "--json", "--control.socket", daemon.control)
    rows = json.loads(done.stdout)["rows"]
    assert any(row["cgroup"] == "shop/web-0/nginx" and row["packets"] for row in rows), rows
