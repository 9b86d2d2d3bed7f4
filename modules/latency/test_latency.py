# SPDX-License-Identifier: MIT
"""The latency module: known delays are found again, where they are and nowhere else."""

import socket

import pytest

from netns import address_pair

STACK = "wiregauge_stack_latency_seconds"
NETFILTER = "wiregauge_netfilter_latency_seconds"
FAMILIES = {"4": (socket.AF_INET, "10.0.0."), "6": (socket.AF_INET6, "fd00::")}


@pytest.fixture
def pair(here, there):
    address_pair(here, there)
    here.number, there.number = 1, 2  # the ends of their addresses
    return here, there


@pytest.fixture
def latency(run):
    return lambda *options: run("--module=latency", *(
        word for option in options for word in ("--option", f"latency.{option}")))


def count_of(samples, name, **labels):
    return samples.total(f"{name}_count", **labels)


def exchange_datagrams(server_in, client_in, version, count):
    """UDP there and back, read at once."""
    family, network = FAMILIES[version]
    address = f"{network}{server_in.number}"
    with server_in.entered():
        server = socket.socket(family, socket.SOCK_DGRAM)
    with client_in.entered():
        client = socket.socket(family, socket.SOCK_DGRAM)
    with server, client:
        server.settimeout(5)
        client.settimeout(5)
        server.bind((address, 0))
        for _ in range(count):
            client.sendto(b"question", server.getsockname())
            _, peer = server.recvfrom(100)
            server.sendto(b"answer", peer)
            client.recv(100)


def exchange_segments(server_in, client_in, version, count):
    """TCP there and back on one connection, read at once."""
    family, network = FAMILIES[version]
    address = f"{network}{server_in.number}"
    with server_in.entered():
        listening = socket.create_server((address, 0), family=family)
    with client_in.entered():
        client = socket.create_connection(listening.getsockname()[:2], timeout=5)
    with listening, client, listening.accept()[0] as server:
        server.settimeout(5)
        for _ in range(count):
            client.sendall(b"question")
            server.recv(100)
            server.sendall(b"answer")
            client.recv(100)


STAGES = {"udp": {"driver", "socket_queue", "socket_read"},
          "tcp": {"transport", "socket_queue", "socket_read", "device"}}


@pytest.mark.parametrize("version", FAMILIES)
def test_each_stage_sees_each_packet(pair, latency, version):
    here, there = pair
    daemon = latency()
    exchange_datagrams(here, there, version, 50)
    exchange_segments(there, here, version, 50)
    samples = daemon.scrape()
    for protocol, stages in STAGES.items():
        for stage in stages:
            assert count_of(samples, STACK, stage=stage, protocol=protocol,
                            ip_version=version) >= 100, f"{protocol} {stage}"


@pytest.mark.parametrize("version", FAMILIES)
def test_each_hook_of_netfilter(pair, latency, version):
    here, there = pair
    daemon = latency()
    exchange_datagrams(there, here, version, 50)
    samples = daemon.scrape()
    for hook in ("prerouting", "input", "output", "postrouting"):
        assert count_of(samples, NETFILTER, hook=hook, ip_version=version) >= 50, hook
    assert count_of(samples, NETFILTER, hook="forward", ip_version=version) == 0
