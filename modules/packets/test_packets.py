# SPDX-License-Identifier: MIT
"""The packets stage in the TC pipeline: what the map holds after known packets."""

import collections
import contextlib
import struct

import cases
import model
import pytest
from bpf import TC_ACT_UNSPEC, Object, object_path, sum_u64
from scapy.layers.inet import TCP, UDP
from scapy.layers.l2 import Ether
from scapy.packet import Raw

KEY = struct.Struct("=IBBH")  # struct packets_key
SIZE_LOG2_MIN, SIZE_BUCKETS = 6, 12
LLC, OTHER = 256, 257
LOOPBACK = 1  # BPF_PROG_TEST_RUN's interface unless it is told another
INGRESS, EGRESS = 0, 1

ALL = cases.every_kind()
Traffic = collections.namedtuple("Traffic", "packets bytes sizes")


@contextlib.contextmanager
def loaded(name="pipeline/tc", max_entries=None, **rodata):
    with Object(object_path(name)) as pipeline:
        for variable, value in rodata.items():
            pipeline.set_rodata(variable, value)
        if max_entries:
            pipeline.set_max_entries("packets_traffic", max_entries)
        pipeline.load()
        yield pipeline


@pytest.fixture(scope="module")
def loaded_once():
    with loaded(stage_packets=True) as pipeline:
        yield pipeline


@pytest.fixture
def pipeline(loaded_once):
    loaded_once.clear("packets_traffic")
    return loaded_once


def sizes(*frames):
    """The histogram of frames of these lengths: each in the first bucket that is not below it."""
    counts = [0] * SIZE_BUCKETS
    for length in frames:
        bounds = [2 ** (SIZE_LOG2_MIN + i) for i in range(SIZE_BUCKETS)]
        counts[next(i for i, bound in enumerate(bounds) if length <= bound)] += 1
    return tuple(counts)


def frames(*lengths):
    return Traffic(len(lengths), sum(lengths), sizes(*lengths))


def traffic(pipeline):
    """{(interface, direction, ip_version, protocol): Traffic}"""
    found = {}
    for key, values in pipeline.read("packets_traffic"):
        packets, octets, *counts = sum_u64(values)
        found[KEY.unpack(key)] = Traffic(packets, octets, tuple(counts))
    return found


def protocol(packet, unknown_ethertypes=False):
    """(ip_version, protocol) that a packet counts under."""
    found = model.parse(packet)
    if found.ip_version:
        return found.ip_version, found.protocol
    if found.ethertype < 1536:
        return 0, LLC
    if found.ethertype == 0x88B5 and not unknown_ethertypes:
        return 0, OTHER
    return 0, found.ethertype


@pytest.mark.parametrize("name", ALL)
def test_each_kind(pipeline, name):
    data = bytes(ALL[name])
    assert pipeline.run("tc_ingress", data, repeat=3) == TC_ACT_UNSPEC
    assert pipeline.run("tc_egress", data) == TC_ACT_UNSPEC
    assert traffic(pipeline) == {
        (LOOPBACK, INGRESS, *protocol(ALL[name])): frames(*[len(data)] * 3),
        (LOOPBACK, EGRESS, *protocol(ALL[name])): frames(len(data)),
    }


@pytest.mark.parametrize("name", cases.IP_KINDS)
def test_without_link_layer(pipeline, name):
    ip = cases.IP_KINDS[name]
    data = bytes(ip).ljust(54, b"\0")  # BPF_PROG_TEST_RUN refuses shorter ones
    assert pipeline.run("tc_l3_ingress", data) == TC_ACT_UNSPEC
    assert pipeline.run("tc_l3_egress", data, repeat=2) == TC_ACT_UNSPEC
    assert traffic(pipeline) == {
        (LOOPBACK, INGRESS, *protocol(cases.ETHER / ip)): frames(len(data)),
        (LOOPBACK, EGRESS, *protocol(cases.ETHER / ip)): frames(len(data), len(data)),
    }


def test_all_kinds_together(pipeline):
    expected = collections.defaultdict(list)
    for packet in ALL.values():
        pipeline.run("tc_ingress", bytes(packet))
        expected[(LOOPBACK, INGRESS, *protocol(packet))].append(len(packet))
    assert traffic(pipeline) == {key: frames(*lengths) for key, lengths in expected.items()}


@pytest.mark.parametrize("length", [15, 63, 64, 65, 128, 129, 1024, 1025, 1514])
def test_bounds_of_sizes_are_inclusive(pipeline, length):
    frame = bytes(Ether(type=0x0806) / Raw(bytes(length - 14)))
    pipeline.run("tc_ingress", frame)
    assert traffic(pipeline) == {(LOOPBACK, INGRESS, 0, 0x0806): frames(length)}


@pytest.mark.parametrize("segs_told", [True, False])
@pytest.mark.parametrize("payload", [1, 1000, 1001, 3300])
@pytest.mark.parametrize(
    "headers", [cases.V4 / TCP(), cases.V6 / TCP(options=[("Timestamp", (1, 2))]), cases.V4 / UDP()]
)
def test_super_packets_count_as_their_segments(pipeline, headers, payload, segs_told):
    stack = cases.ETHER / headers
    cut = [len(stack / Raw(bytes(min(1000, payload - at)))) for at in range(0, payload, 1000)]
    told = len(cut) if segs_told else 0
    super_packet = bytes(stack / Raw(bytes(payload)))
    assert pipeline.run("tc_egress", super_packet, gso_size=1000, gso_segs=told) == TC_ACT_UNSPEC
    assert traffic(pipeline) == {(LOOPBACK, EGRESS, *protocol(stack)): frames(*cut)}


def test_tag_kept_aside_is_on_the_wire():
    packet = cases.ETHER / cases.V4 / TCP() / Raw(bytes(2500))
    segments = [14 + 4 + 20 + 20 + payload for payload in (1000, 1000, 500)]
    with loaded("tests/packet/tc_aside", stage_packets=True) as pipeline:
        assert pipeline.run("tc_aside", bytes(packet), cb=(7,)) == TC_ACT_UNSPEC
        assert traffic(pipeline) == {(LOOPBACK, INGRESS, 4, 6): frames(len(packet) + 4)}
        pipeline.clear("packets_traffic")
        pipeline.run("tc_aside", bytes(packet), cb=(7,), gso_size=1000, gso_segs=3)
        assert traffic(pipeline) == {(LOOPBACK, INGRESS, 4, 6): frames(*segments)}


def test_unknown_ethertypes_by_number_if_asked_for():
    packet = ALL["unknown-ethertype"]
    with loaded(stage_packets=True, packets_unknown_ethertypes=True) as pipeline:
        pipeline.run("tc_ingress", bytes(packet))
        assert traffic(pipeline) == {(LOOPBACK, INGRESS, 0, 0x88B5): frames(len(packet))}


def test_without_sizes():
    packet = ALL["v4-tcp"]
    with loaded(stage_packets=True, packets_sizes=False) as pipeline:
        pipeline.run("tc_ingress", bytes(packet))
        no_sizes = frames(len(packet))._replace(sizes=(0,) * SIZE_BUCKETS)
        assert traffic(pipeline) == {(LOOPBACK, INGRESS, 4, 6): no_sizes}


def test_off_by_default():
    with loaded() as pipeline:
        assert pipeline.run("tc_ingress", bytes(ALL["v4-tcp"])) == TC_ACT_UNSPEC
        assert traffic(pipeline) == {}


def test_full_map_is_told():
    packet = ALL["v6-tcp"]
    super_packet = bytes(cases.ETHER / cases.V4 / UDP() / Raw(bytes(3000)))
    with loaded(stage_packets=True, max_entries=1) as pipeline:
        for name in ("v6-tcp", "v4-tcp", "arp", "v6-tcp"):
            assert pipeline.run("tc_ingress", bytes(ALL[name])) == TC_ACT_UNSPEC
        pipeline.run("tc_ingress", super_packet, gso_size=1000, gso_segs=3)
        assert traffic(pipeline) == {(LOOPBACK, INGRESS, 6, 6): frames(len(packet), len(packet))}
        assert sum_u64(pipeline.lookup("packets_no_room", bytes(4))) == [2 + 3]
