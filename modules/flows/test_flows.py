# SPDX-License-Identifier: MIT
"""The flows stage in the TC pipeline: what the table holds after known packets, and that nothing is
lost where it has no room."""

import collections
import contextlib
import ipaddress
import json
import os
import random
import socket
import struct
import subprocess
import time
from typing import NamedTuple

import cases
import model
import pytest
from bpf import TC_ACT_UNSPEC, Object, object_path
from daemon import PATIENCE, command
from netns import address_pair
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw

from waiting import until_stable

WAYS, ROWS_OFFSET = 16, 136
LLC = 256
INGRESS, EGRESS = 0, 1
TICK_NS = 10_000_000  # no kernel's tick is longer, and 2^22 ns are not

KEY = struct.Struct("=16s16sIHHHHHBB")
FLOW = struct.Struct("=48sQQQBBHIQQ16sQ")
OTHER_KEY = struct.Struct("=IB3x")
OTHER = struct.Struct("=4Q")


class Key(NamedTuple):
    local: ipaddress.IPv4Address
    remote: ipaddress.IPv4Address
    interface: int
    local_port: int
    remote_port: int
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
    port: int
    pid: int
    first_ns: int
    cgroup: int
    command: str


def address(raw):
    found = ipaddress.IPv6Address(raw)
    return found.ipv4_mapped or found


def unpack_key(raw):
    local, remote, *others = KEY.unpack(raw)
    return Key(address(local), address(remote), *others)


def unpack_flow(raw):
    *numbers, command, one = FLOW.unpack(raw)[1:]
    assert one == 1
    return Flow(*numbers, command.split(b"\0")[0].decode())


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


def make_key(source, destination, interface, protocol, vlan, inner_vlan, direction, ip_version):
    """Of the sender's and the receiver's (address, port)."""
    local, remote = (source, destination) if direction == EGRESS else (destination, source)
    return Key(local[0], remote[0], interface, local[1], remote[1], protocol, vlan, inner_vlan,
               direction, ip_version)


def udp_key(frame, interface, direction):
    """The key of an untagged UDP frame over IPv4 without options."""
    source, destination, source_port, destination_port = struct.unpack_from("!IIHH", frame, 26)
    ends = [(ipaddress.IPv4Address(source), source_port),
            (ipaddress.IPv4Address(destination), destination_port)]
    return make_key(*ends, interface, 17, 0, 0, direction, 4)


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
def loaded(sets=4096, other=None, **rodata):
    with Object(object_path("pipeline/tc")) as pipeline:
        pipeline.set_rodata("stage_flows", True)
        for variable, value in rodata.items():
            pipeline.set_rodata(variable, value)
        pipeline.set_rodata("flows_size", sets * WAYS)
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
    protocol = found.ethertype if found.ethertype >= 1536 else LLC
    return make_key((ipaddress.ip_address(source), found.source_port),
                    (ipaddress.ip_address(destination), found.destination_port), LOOPBACK,
                    found.protocol if found.ip_version else protocol,
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


# --- with the daemon: against the kernel's counters, and who sends

def table(daemon, *arguments, name="flows"):
    """The rows of `wiregauge flows`, all of them."""
    done = command(*name.split(), "--json", "--limit", 0, "--control.socket", daemon.control,
                   *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["rows"]


def by_direction(rows):
    return {row["direction"]: (row["packets"], row["bytes"]) for row in rows}


class Sender:
    """Sends frames from a namespace, on a CPU of its own: a process, so that two go on at once."""

    def __init__(self, namespace, cpu, frames):
        self.socket = namespace.packet_socket("wire")
        self.socket.settimeout(30)
        cpus = sorted(os.sched_getaffinity(0))
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.sched_setaffinity(0, {cpus[cpu % len(cpus)]})
                for frame in frames:
                    self.socket.send(frame)
                os._exit(0)
            finally:
                os._exit(1)

    def wait(self):
        self.socket.close()
        assert os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1]) == 0


def kernel_counters(namespace, before):
    """{direction: (packets, bytes)} once nothing is on its way any more."""
    found = until_stable(lambda: namespace.counters("wire"), 20).since(before)
    return {"ingress": (found.rx_packets, found.rx_bytes),
            "egress": (found.tx_packets, found.tx_bytes)}


def random_frames(flows, packets, seed):
    """Frames of that many flows: each once, and as many more as there are to be, of all sizes."""
    rng = random.Random(seed)
    numbers = [*range(flows), *(rng.randrange(flows) for _ in range(packets - flows))]
    rng.shuffle(numbers)
    return [udp(number, rng.randrange(60, 300)) for number in numbers]


def totals(frames):
    """{(client's address, its port): (packets, bytes)}"""
    sent, octets = collections.Counter(), collections.Counter()
    for frame in frames:
        flow = struct.unpack_from("!IxxxxH", frame, 26)
        sent[flow] += 1
        octets[flow] += len(frame)
    return {(str(ipaddress.IPv4Address(address)), str(port)):
            (sent[address, port], octets[address, port]) for address, port in sent}


def test_each_flow_of_a_generator_is_exact(here, there, run):
    """5,000 flows each way at once: each as it was sent, all of them the interface's counters."""
    daemon = run("--module=flows", "--option", "flows.size=65536")  # so that no set is full
    flows = 5000 if PATIENCE == 1 else 1000
    before = here.counters("wire")
    out, back = random_frames(flows, 4 * flows, seed=1), random_frames(flows, 5 * flows, seed=2)
    senders = [Sender(here, 0, out), Sender(there, 1, back)]
    for sender in senders:
        sender.wait()
    kernel = kernel_counters(here, before)
    rows = table(daemon, "--interface", "wire")
    ends = {"egress": ("local", "local_port"), "ingress": ("remote", "remote_port")}
    for direction, frames in (("egress", out), ("ingress", back)):
        found = {tuple(row[end] for end in ends[direction]): (row["packets"], row["bytes"])
                 for row in rows if row["direction"] == direction}
        assert found == totals(frames)
        assert kernel[direction] == (len(frames), sum(map(len, frames)))
    assert by_direction(table(daemon, "--interface", "wire", "--by", "interface")) == kernel
    assert not any(row["evicted"] for row in table(daemon, name="flows other"))


def test_many_flows_through_a_small_table_are_all_there(here, there, run):
    """200,000 flows, on two CPUs at once, through a table of 10,000: with `other` they are what the
    interface counted, and what the packets module did."""
    flows, size = (200_000, 10_000) if PATIENCE == 1 else (20_000, 1_000)
    daemon = run("--module=flows,packets", "--option", f"flows.size={size}")
    before = here.counters("wire")
    halves = [random_frames(flows // 2, flows // 2 * 5 // 4, seed) for seed in (3, 4)]
    halves[1] = [frame[:26] + b"\x0b" + frame[27:] for frame in halves[1]]  # other addresses
    shared = random_frames(500, 20_000 if PATIENCE == 1 else 2_000, seed=5)  # on both CPUs
    senders = [Sender(there, cpu, half + shared) for cpu, half in enumerate(halves)]
    senders += [Sender(here, 0, shared)]
    for sender in senders:
        sender.wait()
    kernel = kernel_counters(here, before)
    assert kernel["ingress"][0] == len(halves[0]) + len(halves[1]) + 2 * len(shared)

    nothing = collections.Counter()  # of flows of this direction, all of which gave way
    in_table = {row["direction"]: row
                for row in table(daemon, "--interface", "wire", "--by", "interface")}
    other = {row["direction"]: row
             for row in table(daemon, "--interface", "wire", name="flows other")}
    for direction, expected in kernel.items():
        kept, gone = in_table.get(direction, nothing), other[direction]
        assert (kept["packets"] + gone["packets"], kept["bytes"] + gone["bytes"]) == expected
        assert gone["started"] - gone["evicted"] == kept["flows"]
    assert 0.9 * size < sum(row["flows"] for row in in_table.values()) <= size
    assert sum(row["started"] for row in other.values()) >= flows
    samples = daemon.scrape()
    assert samples.sum_traffic("wire", "ingress") == kernel["ingress"]
    check_metrics(samples, other["ingress"], next(
        row for row in table(daemon, "--interface", "wire", name="flows other")
        if row["direction"] == "ingress"))


def check_metrics(samples, before, after):
    """The scrape itself is flows, which others give way to."""
    labels = {"interface": "wire", "direction": "ingress"}
    for column, metric in (("packets", "other_packets"), ("bytes", "other_bytes"),
                           ("started", "started"), ("evicted", "evicted")):
        value = samples.value(f"wiregauge_flows_{metric}_total", **labels)
        assert before[column] <= value <= after[column] <= before[column] + 100_000


# --- metrics of the top talkers

class Increases:
    """What Prometheus would make of the series of a metric at the wire, from scrape to scrape."""

    def __init__(self, metric):
        self.metric, self.before, self.total = metric, {}, 0

    def take(self, samples):
        """{labels but interface and direction: increase, None of what is new}"""
        now = {tuple(sorted((name, value) for name, value in labels.items()
                            if name not in ("interface", "direction"))): value
               for labels, value in samples.select(self.metric, interface="wire",
                                                   direction="ingress")}
        found = {}
        for key, value in now.items():
            was = self.before.get(key)
            assert was is None or value >= was, f"{key} went from {was} to {value}"
            found[key] = None if was is None else value - was
        self.total += sum(increase or 0 for increase in found.values())
        self.before = now
        return found


def frames_of(hosts, light, seed):
    """Frames of {host: how many}, and one each of @light flows of hosts of their own."""
    frames = [udp(host * 50000 + number % 3, 300) for host, count in hosts.items()
              for number in range(count)]
    frames += [udp((1000 + seed * light + number) * 50000, 60 + number % 40)
               for number in range(light)]
    random.Random(seed).shuffle(frames)
    return frames


def host(number):
    return str(ipaddress.IPv4Address(0x0A000000 + number))


@pytest.mark.parametrize("size", [65536, 256])
def test_top_hosts(here, there, run, size):
    """Counters that only grow, of whoever has most at the time; with the rest, they are what the
    interface counted, also where most flows have no room."""
    daemon = run("--module=flows", "--option", f"flows.size={size}", "--option",
                 "flows.top_hosts=4")
    octets = Increases("wiregauge_flows_host_bytes_total")
    packets = Increases("wiregauge_flows_host_packets_total")
    before, sent = here.counters("wire"), 0
    octets.before = packets.before = {(("remote", "other"),): 0}
    for seed in range(6):
        hosts = {1: 1000, 2: 900, 3: 5} if seed < 3 else {1: 5, 3: 4000, 4: 3800}
        frames = frames_of(hosts, 400, seed)
        Sender(there, 0, frames).wait()
        kernel = kernel_counters(here, before)["ingress"]
        samples = daemon.scrape()
        grown = packets.take(samples)
        octets.take(samples)
        assert (packets.total, octets.total) == kernel
        shown = {row["remote"] for row, _ in samples.select("wiregauge_flows_host_bytes_total")}
        assert len(samples.select("wiregauge_flows_host_bytes_total")) <= 4 + 4
        assert {host(1), host(2)} <= shown if seed < 3 else {host(3), host(4)} <= shown
        sent += len(frames)
        if size == 65536 and seed not in (0, 3):
            missing = [count - grown[("remote", host(number)),]
                       for number, count in hosts.items() if count > 500]
            assert min(missing) >= 0
            # What a busy machine's interface did not get is nobody's.
            assert sum(missing) <= sent - kernel[0]


def test_top_pairs(here, there, run):
    daemon = run("--module=flows", "--option", "flows.top_pairs=50")
    octets = Increases("wiregauge_flows_pair_bytes_total")
    octets.take(daemon.scrape())
    octets.before[("local", "other"), ("remote", "other")] = 0
    before = here.counters("wire")
    for seed in range(2):
        Sender(there, 0, frames_of({1: 100, 2: 200}, 3, seed=1)).wait()
        grown = octets.take(daemon.scrape())
        assert octets.total == kernel_counters(here, before)["ingress"][1]
    assert grown[("local", "192.0.2.2"), ("remote", host(2))] == 200 * 300
    assert not daemon.scrape().select("wiregauge_flows_host_bytes_total")


TALK = """
import socket, sys
name, kind, role, address, port = sys.argv[1:]
open("/proc/self/comm", "w").write(name)
kind, port = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}[kind], int(port)
family = socket.AF_INET6 if ":" in address else socket.AF_INET
s = socket.socket(family, kind)
s.settimeout(60)
if role == "server":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, port))
    if kind == socket.SOCK_STREAM:
        s.listen()
    print("ready", flush=True)
    if kind == socket.SOCK_STREAM:
        peer = s.accept()[0]
        while data := peer.recv(100):
            peer.sendall(data)
    else:
        for _ in range(3):
            s.sendto(*s.recvfrom(100))
else:
    s.connect((address, port))
    for _ in range(3):
        s.sendall(b"hello")
        s.recv(100)
"""


def talk(server_in, client_in, kind, address, port):
    """A client and a server, each a process of its own name."""
    start = ["/usr/bin/python3", "-c", TALK]
    with server_in.entered():
        server = subprocess.Popen([*start, "wg-server", kind, "server", address, str(port)],
                                  stdout=subprocess.PIPE)
    with server:
        try:
            assert server.stdout.readline() == b"ready\n"
            client_in.run(*start, "wg-client", kind, "client", address, str(port))
            assert server.wait(60) == 0
        finally:
            server.kill()
    return server.pid


@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("version, local, remote", [("4", "10.0.0.1", "10.0.0.2"),
                                                    ("6", "fd00::1", "fd00::2")])
def test_whose_flow_it_is(here, there, run, kind, version, local, remote):
    """Both directions are the process's, of who connects and of who is connected to."""
    address_pair(here, there)
    daemon = run("--module=flows")
    talk(there, here, kind, remote, 5001)
    pid = talk(here, there, kind, local, 5002)
    rows = {(row["remote_port"] == "5001", row["direction"]): row
            for row in table(daemon, "--by", "flow", "--interface", "wire")
            if row["protocol"] == kind}
    assert len(rows) == 4
    processes = {key: row["process"] for key, row in rows.items()}
    assert processes == {
        (True, "egress"): "wg-client", (True, "ingress"): "wg-client",
        (False, "egress"): "wg-server",
        # UDP: the flow was there before the server had said anything, and is the server's then
        (False, "ingress"): "wg-server",
    }
    of_server = table(daemon, "--by", "process,pid", "--process", "wg-server")
    assert [row["pid"] for row in of_server] == [str(pid)]
    assert {row["local"] for row in rows.values()} == {local}
    assert {row["remote"] for row in rows.values()} == {remote}


def test_what_no_process_here_sends_has_none(here, there, run):
    """The kernel's own answers: a ping's, and the reset of a connection that nobody listens for."""
    address_pair(here, there)
    daemon = run("--module=flows")
    there.run("ping", "-q", "-c", "3", "-i", "0.01", "10.0.0.1")
    with there.entered():
        client = socket.socket()
    with client, pytest.raises(ConnectionRefusedError):
        client.connect(("10.0.0.1", 5003))
    rows = table(daemon, "--interface", "wire")
    # What finds neighbours and routers comes when it likes.
    assert {(row["protocol"], row["direction"]) for row in rows
            if row["protocol"] not in ("arp", "icmpv6")} == {
        (protocol, direction) for protocol in ("icmp", "tcp")
        for direction in ("egress", "ingress")}
    assert {row["process"] for row in rows} == {""}


def test_processes_can_be_left_out(here, there, run):
    address_pair(here, there)
    daemon = run("--module=flows", "--option", "flows.processes=false")
    talk(there, here, "udp", "10.0.0.2", 5001)
    assert {row["process"] for row in table(daemon)} == {""}


def test_cgroup_of_a_flow(here, there, run, groups):
    address_pair(here, there)
    daemon = run("--module=flows", "--option", "flows.cgroups=true")
    inside = groups.make("talker")
    with there.entered():
        sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with sink:
        sink.bind(("10.0.0.2", 0))
        send = ("import socket, sys; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
                ".sendto(b'x', (sys.argv[1], int(sys.argv[2])))")
        here.run("sh", "-c", f'echo $$ >{inside}/cgroup.procs; exec "$@"', "sh",
                 "/usr/bin/python3", "-c", send, *map(str, sink.getsockname()))
    rows = table(daemon, name="flows cgroups")
    assert any(row["cgroup"].endswith(f"/{groups.path.name}/talker") and row["packets"] == 1
               for row in rows), rows
