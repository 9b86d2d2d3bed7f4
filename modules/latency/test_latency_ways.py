# SPDX-License-Identifier: MIT
"""Each way of each probe that this kernel offers, also those that it does not choose by itself: the
module's manifest with the other ways taken out, run as a user's config. What its part in user space
does is done here."""

import os
import shutil
import socket
import struct
import time

import pytest
import yaml

from bpf import check, lib, object_path
from daemon import ROOT
from kernel import Map
from netns import address_pair

STACK = "wiregauge_stack_latency_seconds_count"
NETFILTER = "wiregauge_netfilter_latency_seconds_count"
SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE = 37, 1 << 3
COUNT = 50
NETWORKS = {"4": (socket.AF_INET, "10.0.0."), "6": (socket.AF_INET6, "fd00::")}


def manifest_of(mechanism):
    """What has only one way keeps it; what has several, but not this one, is left out."""
    manifest = yaml.safe_load((ROOT / "modules/latency/latency.yaml").read_text())
    probes, every, used = [], set(), set()
    for probe in manifest["probes"]:
        every |= {program for way in probe["ways"] for program in way["programs"]}
        if len(probe["ways"]) > 1:
            probe["ways"] = [way for way in probe["ways"] if way["mechanism"] == mechanism]
        if probe["ways"]:
            probes.append(probe)
            used |= {program for way in probe["ways"] for program in way["programs"]}
    rows = [row for row in manifest["attach"] if row["program"] in used]
    off = {row["program"]: {**row, "when": "never"} for row in manifest["attach"]}
    rows += [off.get(program, {"program": program, "hook": "section", "when": "never"})
             for program in sorted(every - used)]
    manifest.update(probes=probes, attach=rows, namespace="wiregauge")
    manifest["options"].append({"name": "never", "type": "bool", "default": False})
    return manifest


def realtime_offset():
    """CLOCK_REALTIME - CLOCK_MONOTONIC, by the tightest of some readings: where that is too small,
    packets that are younger than the error have not been sent yet, and are not counted."""
    readings = []
    for _ in range(20):
        before = time.monotonic_ns()
        now = time.clock_gettime_ns(time.CLOCK_REALTIME)
        after = time.monotonic_ns()
        readings.append((after - before, now - before))
    return min(readings)[1]


def tell_clock(daemon, namespace):
    """As latency.c does."""
    now = time.clock_gettime_ns(time.CLOCK_REALTIME)
    tai = round((time.clock_gettime_ns(time.CLOCK_TAI) - now) / 1e9) * 10**9
    clock = struct.pack("=qqIIII", tai, realtime_offset(), os.stat(namespace.path).st_ino, 1, 0, 0)
    of = Map(daemon, "latency_clock")
    check(lib.bpf_map_update_elem(of.fd, bytes(4), clock, 0), of.name)


@pytest.fixture
def run_by(run, folder, here, cleanup):
    def start(mechanism):
        (folder / "latency.yaml").write_text(yaml.safe_dump(manifest_of(mechanism)))
        shutil.copy(object_path("modules/latency"), folder / "latency.bpf.o")
        holder = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        holder.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, SOF_TIMESTAMPING_RX_SOFTWARE)
        daemon = run("--module=", "--config.dir", folder, "--option", "latency.sampling=always",
                     "--option", "latency.own_netns=true")
        tell_clock(daemon, here)
        return daemon
    return start


def send(here, there, version, kind):
    """@COUNT messages from there to here, each read at once."""
    family, network = NETWORKS[version]
    with here.entered():
        server = socket.socket(family, kind)
    with there.entered():
        client = socket.socket(family, kind)
    with server, client:
        server.settimeout(5)
        server.bind((network + "1", 0))
        if kind == socket.SOCK_STREAM:
            server.listen()
        client.connect(server.getsockname()[:2])
        reader = server.accept()[0] if kind == socket.SOCK_STREAM else server
        for _ in range(COUNT):
            client.send(b"hello")
            reader.recv(100)
        reader.close()


def probes_by(daemon, mechanism):
    """{probe: state} of those that have this way alone."""
    return {probe["name"]: probe["state"] for unit in daemon.status()["units"]
            for probe in unit["probes"] if [way["mechanism"] for way in probe["ways"]] ==
            [mechanism] and probe["name"] in SEEN}


# What each probe with several ways must have seen: (metric, labels)
SEEN = {
    "receive_ip": [(STACK, {"stage": "ip", "protocol": "udp"})],
    "receive_transport_udp": [(STACK, {"stage": "transport", "protocol": "udp"})],
    "receive_socket_queue": [(STACK, {"stage": "socket_queue", "protocol": "udp"}),
                             (STACK, {"stage": "socket_queue", "protocol": "tcp"})],
    "receive_socket_read_udp": [(STACK, {"stage": "socket_read", "protocol": "udp"})],
    "netfilter": [(NETFILTER, {"hook": "prerouting"}), (NETFILTER, {"hook": "input"})],
}


@pytest.mark.parametrize("mechanism", ["fentry", "kprobe", "netfilter", "tp_btf"])
def test_each_way(here, there, run_by, mechanism):
    address_pair(here, there)
    for family in "ip", "ip6":
        here.run("nft", f"add table {family} t; " + "; ".join(
            f"add chain {family} t {hook} {{ type filter hook {hook} priority 0; }}; "
            f"add rule {family} t {hook} counter" for hook in ("prerouting", "input")))
    daemon = run_by(mechanism)
    probes = probes_by(daemon, mechanism)
    assert probes
    if "used" not in probes.values():
        pytest.skip(f"this kernel offers no {mechanism} for {', '.join(probes)}")
    assert set(probes.values()) == {"used"}
    for version in NETWORKS:
        send(here, there, version, socket.SOCK_DGRAM)
        send(here, there, version, socket.SOCK_STREAM)
        samples = daemon.scrape()
        for probe in probes:
            for metric, labels in SEEN[probe]:
                seen = samples.total(metric, ip_version=version, **labels)
                assert seen >= COUNT, (probe, labels)
                assert metric == NETFILTER or seen <= COUNT + 10 or "tcp" in labels.values(), probe


def test_queue_by_either_tracepoint(here, there, run_by):
    address_pair(here, there)
    here.tc("qdisc add dev wire root tbf rate 1mbit burst 2000 limit 100000")
    daemon = run_by("net_dev_queue")
    with here.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for _ in range(10):
            client.sendto(bytes(900), ("10.0.0.2", 9))
    name = "wiregauge_qdisc_latency_seconds"
    deadline = time.monotonic() + 30
    while daemon.scrape().total(f"{name}_count", kind="tbf") < 10:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # 2,000 bytes pass at once, each of the other eight waits 7.5 ms longer than the one before.
    assert daemon.scrape().total(f"{name}_sum", kind="tbf") > 0.05
