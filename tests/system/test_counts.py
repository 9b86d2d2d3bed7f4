# SPDX-License-Identifier: MIT
"""Every packet and byte, both ways: against the kernel's own counters and the generator's count."""

import fcntl
import json
import os
import socket
import struct
import subprocess
import threading
from collections import Counter
from contextlib import contextmanager

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrFragment, fragment6
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from bpf import object_path
from daemon import PATIENCE
from netns import address_pair, connect
from waiting import until, until_stable

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
V4 = IP(src="192.0.2.1", dst="192.0.2.2")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2")
SIZE = "wiregauge_interface_packet_size_bytes"


@pytest.fixture
def run(run_packets):
    return run_packets


def data(size):
    return Raw(bytes(size))


# (ip_version, protocol) as they are labelled → frames without their Ethernet header. Sizes differ,
# so that no mistake is made up for by another.
IP_MIX = {
    ("4", "icmp"): [V4 / ICMP() / data(20), V4 / ICMP() / data(900)],
    ("6", "icmpv6"): [V6 / ICMPv6EchoRequest(data=bytes(77))],
    ("4", "udp"): [V4 / UDP() / data(1), *fragment(V4 / UDP() / data(3000), fragsize=1000)],
    ("6", "udp"): [V6 / UDP() / data(300),
                   *fragment6(V6 / IPv6ExtHdrFragment() / UDP() / data(3000), 1280)],
    ("4", "tcp"): [V4 / TCP(flags="S"), V4 / TCP(flags="A") / data(1448)],
    ("6", "tcp"): [V6 / TCP(flags="A") / data(1000)],
    ("4", "253"): [IP(src="192.0.2.1", dst="192.0.2.2", proto=253) / data(10)],
}
MIX = {key: [ETHER / packet for packet in packets] for key, packets in IP_MIX.items()}
MIX[("4", "udp")] += [ETHER / Dot1Q(vlan=100) / V4 / UDP() / data(400),
                      ETHER / Dot1AD(vlan=7) / Dot1Q(vlan=100) / V4 / UDP() / data(401)]
MIX[("6", "tcp")] += [ETHER / Dot1Q(vlan=100) / Dot1Q(vlan=200) / V6 / TCP() / data(402)]
MIX[("none", "arp")] = [ETHER / ARP(), ETHER / Dot1Q(vlan=9) / ARP()]
MIX[("none", "other")] = [ETHER.copy() / data(46)]
MIX[("none", "other")][0].type = 0x88B5  # IEEE 802: local experimental ethertype 1


def repeat(mix, first):
    """Each kind another number of times: first, first + 1, …"""
    return {key: [bytes(frame) for frame in frames] * (first + index)
            for index, (key, frames) in enumerate(mix.items())}


def totals(frames):
    return len(frames), sum(map(len, frames))


def sent_as_traffic(direction, kinds):
    return {(direction, *key): totals(frames) for key, frames in kinds.items()}


def flatten(kinds):
    return [frame for frames in kinds.values() for frame in frames]


def link_counters(namespace, device, before=None):
    """{direction: (packets, bytes)} by the kernel's count, once nothing is on its way any more."""
    now = until_stable(lambda: namespace.counters(device), 5)
    if before:
        now = now.since(before)
    return {"ingress": (now.rx_packets, now.rx_bytes), "egress": (now.tx_packets, now.tx_bytes)}


def test_scripted_mix_is_counted_exactly(here, there, run):
    daemon = run()
    before = here.counters("wire")
    sent = {"egress": repeat(MIX, 3), "ingress": repeat(MIX, 11)}
    here.send_frames("wire", flatten(sent["egress"]))
    there.send_frames("wire", flatten(sent["ingress"]))
    kernel = link_counters(here, "wire", before)
    samples = daemon.scrape()
    assert samples.traffic("wire") == {**sent_as_traffic("egress", sent["egress"]),
                                       **sent_as_traffic("ingress", sent["ingress"])}
    for direction, kinds in sent.items():
        assert samples.sum_traffic("wire", direction) == kernel[direction]
        check_sizes(samples, direction, [len(frame) for frame in flatten(kinds)])


def check_sizes(samples, direction, sizes):
    """The histogram: cumulative, its bounds inclusive."""
    labels = {"interface": "wire", "direction": direction}
    assert samples.value(f"{SIZE}_count", **labels) == len(sizes)
    assert samples.value(f"{SIZE}_sum", **labels) == sum(sizes)
    for row, count in samples.select(f"{SIZE}_bucket", **labels):
        assert count == sum(size <= float(row["le"]) for size in sizes), row


def test_the_stacks_own_traffic_is_counted_exactly(here, there, run):
    """Not frames made by hand, but sockets: ping, UDP in fragments, TCP, on IPv4 and IPv6."""
    address_pair(here, there)
    daemon = run()
    until_stable(lambda: here.counters("wire"), 5, quiet=0.3)
    before, traffic = here.counters("wire"), daemon.scrape().traffic("wire")
    here.run("ping", "-q", "-c", "5", "-i", "0.002", "-s", "100", "10.0.0.2")
    here.run("ping", "-q", "-c", "5", "-i", "0.002", "-s", "100", "fd00::2")
    send_datagrams(here, there, "10.0.0.2", 7, 4000)
    send_datagrams(there, here, "fd00::1", 9, 4000)
    kernel = link_counters(here, "wire", before)
    samples = daemon.scrape()
    after = samples.traffic("wire")
    new = {key: tuple(now - then for now, then in zip(row, traffic.get(key, (0, 0))))
           for key, row in after.items()}
    for direction in ("egress", "ingress"):
        assert new[direction, "4", "icmp"] == (5, 5 * (14 + 20 + 8 + 100))
        assert tuple(map(sum, zip(*(row for key, row in new.items() if key[0] == direction)))) == \
            kernel[direction]
    # 1480 bytes a fragment behind the IPv4 header; 1448 behind IPv6 and fragment header
    assert new["egress", "4", "udp"] == (7 * 3, 7 * (4008 + 3 * (14 + 20)))
    assert new["ingress", "6", "udp"] == (9 * 3, 9 * (4008 + 3 * (14 + 40 + 8)))
    assert new["egress", "6", "icmpv6"][0] >= 5


def send_datagrams(sender, receiver, address, count, size):
    """UDP datagrams, all of which arrive."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with receiver.entered():
        sink = socket.socket(family, socket.SOCK_DGRAM)
    with sender.entered():
        source = socket.socket(family, socket.SOCK_DGRAM)
    with sink, source:
        sink.settimeout(5)
        sink.bind((address, 0))
        for _ in range(count):
            source.sendto(bytes(size), sink.getsockname())
            assert len(sink.recv(65536)) == size


# --- super-packets

TCP_INFO_BYTES_SENT = 200  # offset of tcpi_bytes_sent in struct tcp_info, <linux/tcp.h>


def bytes_sent(sock):
    """Payload of all segments, those sent again included."""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return struct.unpack_from("Q", info, TCP_INFO_BYTES_SENT)[0]


def exchange(client_in, server_in, address, size):
    """@size bytes each way over TCP, at once; the payload bytes that client and server sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with server_in.entered():
        listening = socket.create_server((address, 0), family=family)
    with client_in.entered():
        client = socket.create_connection(listening.getsockname()[:2], timeout=20)
    with listening, client, listening.accept()[0] as server:
        server.settimeout(20)
        threads = [threading.Thread(target=talk, args=(sock, size)) for sock in (client, server)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return bytes_sent(client), bytes_sent(server)


def talk(sock, size):
    """Sends @size bytes and reads until the other side has nothing more to send."""
    sender = threading.Thread(target=lambda: (sock.sendall(bytes(size)),
                                              sock.shutdown(socket.SHUT_WR)))
    sender.start()
    while sock.recv(1 << 20):
        pass
    sender.join()


def segments_sent(namespace):
    """What this namespace's TCP has sent; OutSegs leaves out what was sent again."""
    return namespace.snmp("Tcp", "OutSegs") + namespace.snmp("Tcp", "RetransSegs")


@pytest.mark.parametrize("version, server, header", [
    ("4", "10.0.0.2", 14 + 20 + 20),
    ("6", "fd00::2", 14 + 40 + 20),
])
def test_super_packets_count_as_their_segments(here, make_namespace, run, version, server, header):
    there = make_namespace()
    connect(here, there, offloads="on")
    address_pair(here, there)
    for namespace in (here, there):  # every header is the same then, but for the MSS in the SYNs
        for name in ("tcp_timestamps", "tcp_sack", "tcp_window_scaling"):
            namespace.sysctl(f"net/ipv4/{name}", 0)
    daemon = run()
    daemon.scrape()
    before, out, back = here.counters("wire"), segments_sent(here), segments_sent(there)
    sent, received = exchange(here, there, server, 8 << 20)
    link_counters(here, "wire")
    out, back = segments_sent(here) - out, segments_sent(there) - back
    veth = here.counters("wire").since(before)
    traffic = daemon.scrape().traffic("wire")
    assert traffic["egress", version, "tcp"] == (out, sent + out * header + 4)
    assert traffic["ingress", version, "tcp"] == (back, received + back * header + 4)
    assert veth.tx_packets < out / 2 and veth.rx_packets < back / 2  # so there were super-packets


# --- tags that the kernel keeps aside

def send_tagged_by_bpf(namespace, frames):
    """Out of "wire" with a tag, as if from a VLAN device, which not every kernel has."""
    (wire,) = json.loads(namespace.ip("-json link show dev wire"))
    with namespace.packet_socket("tagger") as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, wire["ifindex"])
        for frame in frames:
            sock.send(frame)


def set_up_tagger(here, there):
    connect(here, there, "tagger")
    for namespace in (here, there):
        namespace.tc("qdisc add dev tagger clsact")
        program = object_path("tests/system/tag")
        namespace.tc(f"filter add dev tagger egress bpf da obj {program} sec tc")


@pytest.mark.parametrize("accelerated", [True, False])
def test_tag_that_the_kernel_keeps_aside(here, there, run, accelerated):
    set_up_tagger(here, there)
    for namespace in (here, there):
        namespace.run("ethtool", "-K", "wire", "txvlan", "on" if accelerated else "off")
    daemon = run()
    before = here.counters("wire")
    frames = [bytes(ETHER / V4 / UDP() / data(size)) for size in (10, 100, 1000)]
    send_tagged_by_bpf(here, frames)
    send_tagged_by_bpf(there, frames * 2)
    kernel = link_counters(here, "wire", before)
    traffic = daemon.scrape().traffic("wire")
    count, size = totals(frames)
    assert traffic == {("egress", "4", "udp"): (count, size + 4 * count),
                       ("ingress", "4", "udp"): (2 * count, 2 * (size + 4 * count))}
    # A tag that stays aside to the end is not in what veth counts, though it is on the wire.
    aside = 4 * count if accelerated else 0
    assert kernel == {"egress": (count, size + 4 * count - aside),
                      "ingress": (2 * count, 2 * (size + 4 * count - aside))}


def test_vlan_device(here, there, run):
    for namespace in (here, there):
        with namespace.entered():
            made = subprocess.run("ip link add link wire name tagged type vlan id 100".split(),
                                  capture_output=True, text=True)
        if "Unknown device type" in made.stderr:
            pytest.skip("this kernel has no VLAN devices (CONFIG_VLAN_8021Q)")
        assert made.returncode == 0, made.stderr
        namespace.ip("link set tagged up")
    daemon = run()
    frames = [bytes(ETHER / V4 / UDP() / data(size)) for size in (10, 100, 1000)]
    here.send_frames("tagged", frames)
    there.send_frames("tagged", frames * 2)
    kernel = link_counters(here, "wire"), link_counters(here, "tagged")
    samples = daemon.scrape()
    for direction in ("egress", "ingress"):
        assert samples.sum_traffic("wire", direction) == kernel[0][direction]  # txvlan is off
    assert samples.sum_traffic("tagged", "egress") == kernel[1]["egress"]
    # vlan_do_receive() counts without the Ethernet header, unlike what Ethernet devices do.
    packets, size = kernel[1]["ingress"]
    assert samples.sum_traffic("tagged", "ingress") == (packets, size + packets * len(Ether()))


# --- devices without a link layer

TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x1, 0x1000  # <linux/if_tun.h>


@contextmanager
def tunnel_of(namespace, name="tunnel"):
    """What is written there arrives at the device, what leaves it is read there."""
    if not os.path.exists("/dev/net/tun"):
        subprocess.run(["modprobe", "tun"], check=False)  # a module on most kernels
    with namespace.entered():
        file = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(file, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI))
        namespace.ip(f"link set {name} up")
        yield file
    finally:
        os.close(file)


@pytest.fixture
def tun(here):
    with tunnel_of(here) as file:
        yield file


def send_to_tunnel(namespace, packets):
    with namespace.entered():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    with sock:
        for packet in packets:
            ethertype = 0x0800 if packet[0] >> 4 == 4 else 0x86DD
            sock.sendto(packet, ("tunnel", ethertype))


def test_tun_has_no_ethernet_header(here, run, tun):
    daemon = run()
    before = here.counters("tunnel")
    received, sent = repeat(IP_MIX, 2), repeat(IP_MIX, 5)
    for packet in flatten(received):
        os.write(tun, packet)
    send_to_tunnel(here, flatten(sent))
    came_out = Counter()
    until(lambda: came_out.update([os.read(tun, 65536)]) or came_out.total() == len(flatten(sent)),
          5, "all packets come out")
    assert came_out == Counter(flatten(sent))
    kernel = link_counters(here, "tunnel", before)
    samples = daemon.scrape()
    assert samples.traffic("tunnel") == {**sent_as_traffic("ingress", received),
                                         **sent_as_traffic("egress", sent)}
    for direction in ("ingress", "egress"):
        assert samples.sum_traffic("tunnel", direction) == kernel[direction]
    assert daemon.attached("tc_l3_ingress") == {"tunnel"}
    assert "tunnel" not in daemon.attached("tc_ingress")


# Their programs are loaded when the first of them comes.

def headerless_programs(daemon):
    return [program for unit in daemon.status()["units"] for program in unit["programs"]
            if program["name"].startswith("tc_l3_")]


def receive(daemon, file, device, count):
    """Until they are at @device, then that many packets."""
    until(lambda: device in daemon.attached("tc_l3_ingress") & daemon.attached("tc_l3_egress"),
          5 * PATIENCE, "the programs are there")
    for _ in range(count):
        os.write(file, bytes(V4 / UDP() / data(100)))


@pytest.mark.parametrize("mechanism", ["auto", "clsact"])
def test_tun_that_comes_later(here, there, run, mechanism):
    daemon = run("--tc.mechanism", mechanism)
    here.send_frames("wire", [bytes(ETHER / V4 / UDP())] * 3)
    waiting = headerless_programs(daemon)
    assert len(waiting) == 2 and not any(program["loaded"] for program in waiting)
    assert {program["waits_for"] for program in waiting} == {
        "the first device without a link layer"}
    with tunnel_of(here) as first, tunnel_of(here, "second") as second:
        receive(daemon, first, "tunnel", 5)
        receive(daemon, second, "second", 7)
        samples = daemon.scrape()
        assert samples.traffic("tunnel") == {("ingress", "4", "udp"): (5, 5 * 128)}
        assert samples.traffic("second") == {("ingress", "4", "udp"): (7, 7 * 128)}
        # They count in the maps of the others.
        assert samples.traffic("wire")["egress", "4", "udp"][0] == 3
        loaded = headerless_programs(daemon)
        assert all(program["loaded"] and "waits_for" not in program for program in loaded)
    assert daemon.complaints() == []


def test_reload_takes_over_from_programs_that_came_later(here, run, tmp_path):
    config = tmp_path / "wiregauge.yaml"
    config.write_text("modules: {packets: {}}\n")
    daemon = run("--config", config)
    with tunnel_of(here) as file:
        receive(daemon, file, "tunnel", 2)
        before = headerless_programs(daemon)
        config.write_text("modules: {packets: {sizes: false}}\n")
        assert "the new configuration runs" in daemon.reload()
        after = headerless_programs(daemon)
        assert all(program["loaded"] for program in after)
        assert {program["id"] for program in after}.isdisjoint(program["id"] for program in before)
        receive(daemon, file, "tunnel", 4)
        assert daemon.scrape().traffic("tunnel") == {("ingress", "4", "udp"): (4, 4 * 128)}
    # None is there any more: those of the next configuration wait again.
    until(lambda: not daemon.attached("tc_l3_ingress"), 5 * PATIENCE, "it is gone")
    config.write_text("modules: {packets: {}}\n")
    assert "the new configuration runs" in daemon.reload()
    assert not any(program["loaded"] for program in headerless_programs(daemon))


@pytest.mark.parametrize("argument", ["--capabilities.keep=none", "--config.strict"])
def test_all_is_loaded_at_the_start(here, run, argument):
    """Where it could not be loaded later, and where all that is wrong has to show now."""
    assert all(program["loaded"] for program in headerless_programs(run(argument)))
