# SPDX-License-Identifier: MIT
"""The daemon with what the DaemonSet gives it, and nothing else: pod.py."""

import json
import secrets
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from attaching import has_symbol, what_runs
from cgroup import process_in
from daemon import PATIENCE, command
from manifests import config_of, kustomize, pod_of
from waiting import until

POD = Path(__file__).with_name("pod.py")
# As docs/kubernetes.md says of kernels on which maps count against a limit of locked memory
LOCKED = set() if has_symbol("bpf_map_kmalloc_node") else {"cap_sys_resource"}


def served(daemon):
    """Once it serves: all modules are loaded, which takes a slow machine a while."""
    until(lambda: "ready: " in daemon.log(), 30 * PATIENCE, daemon.log)
    return daemon.wait_ready()


@pytest.fixture
def pod(launch, tools, tmp_path):
    """A pod of the base or an overlay, its volumes this host's but where @host_paths says."""
    def start(overlay, host_paths=None, folder="pod", config=None):
        objects = kustomize(tools, overlay)
        container, = pod_of(objects)["containers"]
        container["securityContext"]["capabilities"]["add"] += [
            name.removeprefix("cap_").upper() for name in LOCKED]
        files = {"wiregauge.yaml": config} if config else config_of(objects)
        spec = {"pod": pod_of(objects), "files": files, "host_paths": host_paths or {},
                "folder": str(tmp_path / folder)}
        (tmp_path / folder).mkdir()
        path = tmp_path / f"{folder}.json"
        path.write_text(json.dumps(spec))
        arguments = [argument for argument in container["args"][1:]
                     if "listen-address" not in argument]
        daemon = launch(*arguments,
                        through=["unshare", "--mount", "--cgroup", sys.executable, POD, path])
        daemon.control = tmp_path / folder / "run/control.sock"
        return served(daemon)

    return start


def held(daemon, which):
    """The names of the capabilities in that set, as the kernel shows them."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    digits = next(line.split()[1] for line in status.splitlines() if line.startswith(which))
    names = subprocess.run(["capsh", f"--decode={digits}"], capture_output=True, text=True).stdout
    return set(names.strip().partition("=")[2].split(",")) - {""}


def test_all_that_runs_for_root_runs_in_a_pod(pod, launch):
    """With three capabilities, nothing to write to but its socket's directory."""
    daemon = pod("base")
    assert held(daemon, "CapBnd") == {"cap_bpf", "cap_perfmon", "cap_net_admin"} | LOCKED
    assert held(daemon, "CapEff") <= held(daemon, "CapBnd")
    in_pod = daemon.status()
    assert not daemon.complaints()
    daemon.stop()
    as_root = served(launch()).status()
    assert what_runs(in_pod) == what_runs(as_root)


def test_guard_goes_on_from_pod_to_pod(pod, there, tmp_path, cleanup):
    """Its programs and maps are in the node's bpffs."""
    bpffs = tmp_path / "bpffs"
    bpffs.mkdir()
    subprocess.run(["mount", "-t", "bpf", "bpf", bpffs], check=True)
    cleanup.callback(lambda: subprocess.run(["umount", bpffs], check=True))
    # As the overlay has it, but that guard keeps to physical interfaces, which a veth is not.
    config = "modules: {guard: {enabled: true}, xdp: {interfaces: [wire]}}"
    first = pod("overlays/guard", {"bpffs": str(bpffs)}, config=config)
    assert first.scrape().value("wiregauge_persistent_pinned", config="xdp") == 1
    blocked = command("guard", "block", "192.0.2.0/24", "--control.socket", first.control)
    assert blocked.returncode == 0, blocked.stderr
    first.kill()
    assert list(bpffs.glob("wiregauge/*/xdp/links/*"))
    second = pod("overlays/guard", {"bpffs": str(bpffs)}, "second", config)
    listed = command("guard", "list", "--control.socket", second.control)
    assert "192.0.2.0/24" in listed.stdout, listed.stdout + second.log()
    second.stop()
    assert list(bpffs.glob("wiregauge/*/xdp/links/*"))


def test_pods_namespaces_have_their_names(pod, groups, tmp_path, cleanup):
    """Without an API server, a socket of the runtime, or what containers log."""
    name, uid, digits = f"cni-{uuid.uuid4()}", uuid.uuid4(), secrets.token_hex(32)
    subprocess.run(["ip", "netns", "add", name], check=True)
    cleanup.callback(lambda: subprocess.run(["ip", "netns", "delete", name], check=True))
    subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    links = tmp_path / "links"
    links.mkdir()
    (links / f"web-0_shop_nginx-{digits}.log").symlink_to(
        f"/var/log/pods/shop_web-0_{uid}/nginx/0.log")
    slice_ = groups.make(f"kubepods-pod{str(uid).replace('-', '_')}.slice")
    scope = slice_ / f"cri-containerd-{digits}.scope"
    scope.mkdir()
    with process_in(scope, "nsenter", f"--net=/run/netns/{name}"):
        # As the overlay has it, but for the namespaces of everybody else who works here.
        daemon = pod("overlays/pods", {"pod-names": str(links)},
                     config=f"modules: {{tc: {{netns: [{name}]}}}}")
        assert held(daemon, "CapBnd") == LOCKED | {
            "cap_bpf", "cap_perfmon", "cap_net_admin", "cap_sys_admin", "cap_sys_ptrace",
            "cap_net_broadcast"}
        subprocess.run(["ip", "netns", "exec", name, "ping", "-qc", "3", "-i", "0.01", "127.0.0.1"],
                       check=True, stdout=subprocess.DEVNULL)
        until(lambda: daemon.scrape().value(
            "wiregauge_interface_packets_total", netns="shop/web-0", interface="lo",
            direction="ingress", protocol="icmp", ip_version="4"), 10, "it has its name")
        assert not daemon.complaints()
        daemon.stop()
