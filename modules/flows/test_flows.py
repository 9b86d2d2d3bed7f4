# SPDX-License-Identifier: MIT
"""The flows stage in the TC pipeline: what the table holds after known packets, and that nothing is
lost where it has no room."""

import collections
import contextlib
import ipaddress
import random
import struct
import time
from typing import NamedTuple

import cases
import model
import pytest
from bpf import TC_ACT_UNSPEC, Object, object_path
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

WAYS, ROWS_OFFSET = 16, 136
INGRESS, EGRESS = 0, 1
TICK_NS = 10_000_000  # no kernel's tick is longer, and 2^22 ns are not

KEY = struct.Struct("=16s16sIHHHHHBB")
FLOW = struct.Struct("=48sQQQBBHIQQ16s")
OTHER_KEY = struct.Struct("=IB3x")
OTHER = struct.Struct("=4Q")


class Key(NamedTuple):
    source: ipaddress.IPv4Address
    destination: ipaddress.IPv4Address
    interface: int
    source_port: int
    destination_port: int
    protocol: int
    vlan: int
    inner_vlan: int
    direction: int
    ip_version: int


class Flow(NamedTuple):
    packets: int
    bytes: int
    last_ns: int
    tcp_flags: int
    tries: int
    pid: int
    first_ns: int
    cgroup: int
    command: str


def address(raw):
    found = ipaddress.IPv6Address(raw)
    return found.ipv4_mapped or found


def unpack_key(raw):
    source, destination, *others = KEY.unpack(raw)
    return Key(address(source), address(destination), *others)


def unpack_flow(raw):
    packets, octets, last, flags, tries, _, pid, first, cgroup, command = FLOW.unpack(raw)[1:]
    return Flow(packets, octets, last, flags, tries, pid, first, cgroup,
                command.split(b"\0")[0].decode())


def rows(sets):
    """{Key: Flow} out of the values of flows_table; no flow is there twice."""
    found = {}
    for value in sets:
        for way in range(WAYS):
            raw = value[ROWS_OFFSET + FLOW.size * way:][:FLOW.size]
            if not any(raw[:KEY.size]):
                continue
            key = unpack_key(raw[:KEY.size])
            assert key not in found, f"twice in the table: {key}"
            found[key] = unpack_flow(raw)
    return found


def sum_other(values):
    """(packets, bytes, started, evicted) over all CPUs"""
    return tuple(map(sum, zip(*(OTHER.unpack(value) for value in values))))


def unpack_other(entries):
    """{(interface, direction): (packets, bytes, started, evicted)}"""
    return {OTHER_KEY.unpack(key): sum_other(values) for key, values in entries}


def udp_key(frame, interface, direction):
    """The key of an untagged UDP frame over IPv4 without options."""
    source, destination, source_port, destination_port = struct.unpack_from("!IIHH", frame, 26)
    return Key(ipaddress.IPv4Address(source), ipaddress.IPv4Address(destination), interface,
               source_port, destination_port, 17, 0, 0, direction, 4)


def monotonic_ns():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def wait_tick():
    """Until what is counted from now on is seen later than what was."""
    until = monotonic_ns() + 2 * TICK_NS
    while monotonic_ns() < until:
        pass


# --- what packets do to it

LOOPBACK = 1  # BPF_PROG_TEST_RUN's interface unless it is told another
ALL = cases.every_kind()


@contextlib.contextmanager
def loaded(sets=1024, other=None, **rodata):
    with Object(object_path("pipeline/tc")) as pipeline:
        pipeline.set_rodata("stage_flows", True)
        for variable, value in rodata.items():
            pipeline.set_rodata(variable, value)
        pipeline.set_rodata("flows_sets", sets)
        pipeline.set_max_entries("flows_table", sets)
        if other:
            pipeline.set_max_entries("flows_other", other)
        pipeline.load()
        yield pipeline


@pytest.fixture(scope="module")
def loaded_once():
    with loaded() as pipeline:
        yield pipeline


@pytest.fixture
def pipeline(loaded_once):
    for index, (value,) in loaded_once.read("flows_table"):
        if any(value[8:]):
            loaded_once.update("flows_table", index, bytes(len(value)))
    loaded_once.clear("flows_other")
    return loaded_once


def read(pipeline):
    return rows(value for _, (value,) in pipeline.read("flows_table"))


def counted(pipeline):
    """{Key: (packets, bytes)}"""
    return {key: (flow.packets, flow.bytes) for key, flow in read(pipeline).items()}


def other(pipeline):
    return unpack_other(pipeline.read("flows_other"))


def key_of(packet, direction):
    """The key that a packet should count under, by scapy's dissection of it."""
    found = model.parse(packet)
    source, destination = "::", "::"
    if found.ip_version:
        layer = Ether(bytes(packet))[{4: IP, 6: IPv6}[found.ip_version]]
        source, destination = layer.src, layer.dst
    return Key(ipaddress.ip_address(source), ipaddress.ip_address(destination), LOOPBACK,
               found.source_port, found.destination_port,
               found.protocol if found.ip_version else found.ethertype,
               found.vlan & 0xFFF, found.inner_vlan & 0xFFF, direction, found.ip_version)


@pytest.mark.parametrize("name", ALL)
def test_each_kind(pipeline, name):
    data = bytes(ALL[name])
    assert pipeline.run("tc_ingress", data, repeat=3) == TC_ACT_UNSPEC
    assert pipeline.run("tc_egress", data) == TC_ACT_UNSPEC
    flows = read(pipeline)
    assert {key: (flow.packets, flow.bytes) for key, flow in flows.items()} == {
        key_of(ALL[name], INGRESS): (3, 3 * len(data)),
        key_of(ALL[name], EGRESS): (1, len(data)),
    }
    assert {flow.tcp_flags for flow in flows.values()} == {model.parse(ALL[name]).tcp_flags}
    assert other(pipeline) == {(LOOPBACK, INGRESS): (0, 0, 1, 0), (LOOPBACK, EGRESS): (0, 0, 1, 0)}


def test_all_kinds_together(pipeline):
    expected = collections.Counter()
    octets = collections.Counter()
    for packet in ALL.values():
        for program, direction in (("tc_ingress", INGRESS), ("tc_egress", EGRESS)):
            pipeline.run(program, bytes(packet))
            expected[key_of(packet, direction)] += 1
            octets[key_of(packet, direction)] += len(packet)
    assert counted(pipeline) == {key: (expected[key], octets[key]) for key in expected}


@pytest.mark.parametrize("name", cases.IP_KINDS)
def test_without_link_layer(pipeline, name):
    ip = cases.IP_KINDS[name]
    data = bytes(ip).ljust(54, b"\0")  # BPF_PROG_TEST_RUN refuses shorter ones
    pipeline.run("tc_l3_ingress", data)
    pipeline.run("tc_l3_egress", data, repeat=2)
    assert counted(pipeline) == {
        key_of(cases.ETHER / ip, INGRESS): (1, len(data)),
        key_of(cases.ETHER / ip, EGRESS): (2, 2 * len(data)),
    }


@pytest.mark.parametrize("name, cut", [
    *(("qinq-v4-tcp", cut) for cut in range(14, 80, 3)),
    *(("v6-all-extensions", cut) for cut in range(54, 150, 5)),  # the kernel takes no shorter ones
])
def test_what_is_cut_off_is_a_flow_as_well(pipeline, name, cut):
    data = bytes(ALL[name])[:cut]
    assert pipeline.run("tc_ingress", data) == TC_ACT_UNSPEC
    ((_, count),) = counted(pipeline).items()
    assert count == (1, len(data))


def test_what_makes_a_flow(pipeline):
    """Each field of the key by itself tells flows apart; what is not in the key does not."""
    base = dict(src="192.0.2.1", dst="192.0.2.2")
    different = [
        cases.ETHER / IP(**base) / UDP(sport=1, dport=2),
        cases.ETHER / IP(src="192.0.2.3", dst="192.0.2.2") / UDP(sport=1, dport=2),
        cases.ETHER / IP(src="192.0.2.1", dst="192.0.2.3") / UDP(sport=1, dport=2),
        cases.ETHER / IP(**base) / UDP(sport=3, dport=2),
        cases.ETHER / IP(**base) / UDP(sport=1, dport=3),
        cases.ETHER / IP(**base) / TCP(sport=1, dport=2),
        cases.ETHER / Dot1Q(vlan=5) / IP(**base) / UDP(sport=1, dport=2),
        cases.ETHER / Dot1Q(vlan=5) / Dot1Q(vlan=6) / IP(**base) / UDP(sport=1, dport=2),
    ]
    alike = [
        Ether(src="02:00:00:00:00:09") / IP(**base, tos=4, ttl=3) / UDP(sport=1, dport=2) / b"x",
        cases.ETHER / Dot1Q(vlan=0, prio=7) / IP(**base) / UDP(sport=1, dport=2),
    ]
    for packet in different:
        pipeline.run("tc_ingress", bytes(packet))
    assert sorted(counted(pipeline).values()) == sorted((1, len(packet)) for packet in different)
    for packet in alike:
        pipeline.run("tc_ingress", bytes(packet))
    total = (3, sum(map(len, [different[0], *alike])))
    assert counted(pipeline)[key_of(different[0], INGRESS)] == total
    assert len(counted(pipeline)) == len(different)


@pytest.mark.parametrize("headers", [cases.V4 / TCP(), cases.V6 / UDP()])
def test_super_packets_count_as_their_segments(pipeline, headers):
    stack = cases.ETHER / headers
    data = bytes(stack / Raw(bytes(2500)))
    pipeline.run("tc_egress", data, gso_size=1000, gso_segs=3)
    assert counted(pipeline) == {key_of(stack, EGRESS): (3, 3 * len(stack) + 2500)}


def test_tcp_flags_are_gathered(pipeline):
    for flags in ("S", "A", "PA", "FA"):
        pipeline.run("tc_ingress", bytes(cases.ETHER / cases.V4 / TCP(flags=flags)))
    (flow,) = read(pipeline).values()
    assert flow.tcp_flags == 0x02 | 0x10 | 0x08 | 0x01


def test_times(pipeline):
    frame = bytes(ALL["v4-udp"])
    before = monotonic_ns()
    pipeline.run("tc_ingress", frame)
    (first,) = read(pipeline).values()
    assert first.first_ns == first.last_ns
    assert before - TICK_NS <= first.first_ns <= monotonic_ns()
    while monotonic_ns() < before + 3 * TICK_NS:
        pass
    pipeline.run("tc_ingress", frame)
    (then,) = read(pipeline).values()
    assert then.first_ns == first.first_ns < then.last_ns <= monotonic_ns()


def udp(number, size=60):
    """The frame of flow @number: built by hand, as scapy would need seconds."""
    address = 0x0A000000 + number // 50000
    port = 10000 + number % 50000
    length = size - 34
    return (b"\2\0\0\0\0\2\2\0\0\0\0\1\x08\0" +
            struct.pack("!BBHHHBBHII", 0x45, 0, size - 14, 0, 0, 64, 17, 0, address, 0xC0000202) +
            struct.pack("!HHHH", port, 53, length, 0) + bytes(length - 8))


def send_at_random(pipeline, flows, packets, seed):
    """{flow: (packets, bytes)} that were sent."""
    rng = random.Random(seed)
    sent = collections.Counter()
    octets = collections.Counter()
    for _ in range(packets):
        flow, size = rng.randrange(flows), rng.randrange(60, 600)
        repeat = rng.randrange(1, 4)
        pipeline.run("tc_ingress", udp(flow, size), repeat=repeat)
        sent[flow] += repeat
        octets[flow] += size * repeat
    return {flow: (sent[flow], octets[flow]) for flow in sent}


def test_each_of_many_flows_is_exact(pipeline):
    sent = send_at_random(pipeline, flows=5000, packets=15000, seed=1)
    assert counted(pipeline) == {
        udp_key(udp(flow), LOOPBACK, INGRESS): count for flow, count in sent.items()}
    assert other(pipeline) == {(LOOPBACK, INGRESS): (0, 0, len(sent), 0)}


@pytest.mark.parametrize("sets", [1, 3, 16])
def test_what_has_no_room_is_in_other(sets):
    with loaded(sets=sets) as pipeline:
        sent = send_at_random(pipeline, flows=1000, packets=5000, seed=sets)
        table = counted(pipeline)
        packets, octets, started, evicted = other(pipeline)[LOOPBACK, INGRESS]
        assert len(table) == sets * WAYS == started - evicted
        assert sum(row[0] for row in table.values()) + packets == sum(p for p, _ in sent.values())
        assert sum(row[1] for row in table.values()) + octets == sum(b for _, b in sent.values())
        assert packets > 0 and evicted > 0
        of_key = {udp_key(udp(flow), LOOPBACK, INGRESS): row
                  for flow, row in sent.items()}
        assert all(row <= of_key[key] for key, row in table.items())


def test_the_flow_that_was_quiet_for_longest_gives_way():
    with loaded(sets=1) as pipeline:
        for flow in range(WAYS):
            pipeline.run("tc_ingress", udp(flow))
        quiet = 11
        wait_tick()
        for flow in set(range(WAYS)) - {quiet}:
            pipeline.run("tc_ingress", udp(flow))
        pipeline.run("tc_ingress", udp(99), repeat=2)
        table = counted(pipeline)
        assert udp_key(udp(quiet), LOOPBACK, INGRESS) not in table
        assert table[udp_key(udp(99), LOOPBACK, INGRESS)] == (2, 120)
        assert other(pipeline) == {(LOOPBACK, INGRESS): (1, 60, 17, 1)}


def test_other_is_of_the_interface_and_direction_of_the_flow_that_went():
    with loaded(sets=1) as pipeline:
        for flow in range(WAYS):
            pipeline.run("tc_egress", udp(flow))
        pipeline.run("tc_ingress", udp(0))
        assert other(pipeline) == {(LOOPBACK, INGRESS): (0, 0, 1, 0),
                                   (LOOPBACK, EGRESS): (1, 60, 16, 1)}


def test_full_other_is_told():
    with loaded(sets=1, other=1) as pipeline:
        for flow in range(WAYS):
            pipeline.run("tc_egress", udp(flow))
        for flow in range(20):
            pipeline.run("tc_ingress", udp(flow), repeat=2)
        assert set(other(pipeline)) == {(LOOPBACK, EGRESS)}
        no_room = sum_other(pipeline.lookup("flows_no_room", bytes(4)))
        table = counted(pipeline)
        assert no_room[2] == 20
        assert sum(row[0] for row in table.values()) + no_room[0] + \
            other(pipeline)[LOOPBACK, EGRESS][0] == WAYS + 20 * 2


def test_off_by_default():
    with Object(object_path("pipeline/tc")) as pipeline:
        pipeline.load()
        assert pipeline.run("tc_ingress", bytes(ALL["v4-tcp"])) == TC_ACT_UNSPEC
        assert read(pipeline) == {}
