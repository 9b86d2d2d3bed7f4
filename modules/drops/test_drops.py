# SPDX-License-Identifier: MIT
"""Drops that are made on purpose: each is found again under the kernel's own name for it, and as
often as the kernel's other counters have it.

Everything happens in namespaces of the test's own, and series are told by these: what else is
dropped on this host does not matter.
"""

import fcntl
import json
import os
import re
import socket
import struct
import subprocess
from collections import Counter
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1AD, Dot1Q, Ether
from scapy.packet import Raw

from daemon import PATIENCE, Daemon
from netns import Namespace, address_pair, connect, mac
from waiting import until, until_stable

PORT = 4789  # nobody listens there
ADDRESS = {"4": ("10.0.0.1", "10.0.0.2"), "6": ("fd00::1", "fd00::2")}
FAMILY = {"4": socket.AF_INET, "6": socket.AF_INET6}


def read_reasons():
    """The names that this kernel has, as bpftool reads them; none before Linux 5.17."""
    command = "bpftool btf dump file /sys/kernel/btf/vmlinux format c".split()
    dump = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"^enum skb_drop_reason \{(.*?)^\}", dump, re.M | re.S)
    return set(re.findall(r"SKB_DROP_REASON_(\w+)", found[1])) if found else set()


@pytest.fixture(scope="module")
def reasons():
    return read_reasons()


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """(here, there, daemon): what `here` sends on "wire" is dropped in `there`."""
    with ExitStack() as stack:
        here, there = (stack.enter_context(Namespace()) for _ in range(2))
        connect(here, there)
        address_pair(here, there)
        labels = ("by_netns", "by_interface", "by_function")
        daemon = Daemon(here, tmp_path_factory.mktemp("drops"), "--module=drops",
                        *(f"--option=drops.{name}=true" for name in labels))
        stack.callback(daemon.close)
        yield here, there, daemon.wait_ready()


@pytest.fixture
def here(stage):
    return stage[0]


@pytest.fixture
def there(stage):
    return stage[1]


@pytest.fixture
def daemon(stage):
    return stage[2]


def drops(daemon, namespace, *names):
    """Counter of (reason, ip_version, protocol) and what else is in @names. Without ICMPv6: reports
    of multicast groups, which cannot be switched off, come and are dropped when they like."""
    found = Counter()
    for labels, value in daemon.scrape().select("wiregauge_packet_drops_total",
                                                netns=namespace.name):
        if labels["protocol"] == "icmpv6":
            continue
        found[tuple(labels[name] for name in ("reason", "ip_version", "protocol", *names))] += value
    return found


class Watch:
    """What is dropped in a namespace from now on."""

    def __init__(self, daemon, namespace, *names):
        self.read = lambda: drops(daemon, namespace, *names)
        self.before = self.read()

    def since(self):
        return dict(self.read() - self.before)

    def expect(self, expected):
        """Just that, and not more a moment later."""
        until(lambda: sum(self.since().values()) >= sum(expected.values()), 5 * PATIENCE,
              lambda: f"{self.since()}, not {expected}")
        assert until_stable(self.since, 5 * PATIENCE) == expected


def nstat(namespace, name):
    """A counter of the namespace's, by nstat's name: UdpNoPorts, Ip6InHdrErrors, …"""
    shown = json.loads(namespace.run("nstat", "--json", "--zeros", "--ignore", "--noupdate"))
    return shown["kernel"][name]


class Counted:
    """How far counters of nstat's go on."""

    def __init__(self, namespace, names):
        self.read = lambda: sum(nstat(namespace, name) for name in names)
        self.before = self.read()

    def since(self):
        return self.read() - self.before


# ---- ways to lose packets. Each takes the namespaces, the IP version and how many, and gives back
# how many it lost.


def to_no_socket(here, there, version, number):
    with here.entered(), socket.socket(FAMILY[version], socket.SOCK_DGRAM) as sock:
        for _ in range(number):
            sock.sendto(b"nobody", (ADDRESS[version][1], PORT))
    return number


def connect_to_no_socket(here, there, version, number):
    for _ in range(number):
        with here.entered(), socket.socket(FAMILY[version]) as sock:
            with pytest.raises(ConnectionRefusedError):
                sock.connect((ADDRESS[version][1], PORT))
    return number


def to_full_socket(here, there, version, number):
    """What the receive buffer has taken is read: unread, it would be dropped at the end."""
    full = Counted(there, [{"4": "UdpRcvbufErrors", "6": "Udp6RcvbufErrors"}[version]])
    with ExitStack() as stack:
        with there.entered():
            reader = stack.enter_context(socket.socket(FAMILY[version], socket.SOCK_DGRAM))
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        reader.bind((ADDRESS[version][1], PORT))
        with here.entered():
            writer = stack.enter_context(socket.socket(FAMILY[version], socket.SOCK_DGRAM))
        while full.since() < number:
            writer.sendto(bytes(200), (ADDRESS[version][1], PORT))
        reader.setblocking(False)
        with pytest.raises(BlockingIOError):
            while True:
                reader.recv(1)
    return full.since()


def to_firewall(here, there, version, number):
    rule = f"add rule inet wall entry udp dport {PORT} counter drop"
    with there_is(there, "add table inet wall",
                  "add chain inet wall entry { type filter hook input priority 0; }", rule):
        here.send_frames("wire", [frame(there, version) / UDP(dport=PORT) / Raw(b"x")] * number)
        seen = int(re.search(r"counter packets (\d+)",
                             there.run("nft", "list", "table", "inet", "wall"))[1])
    return seen


@contextmanager
def there_is(namespace, *rules):
    namespace.run("nft", "-f", "-", input="\n".join(rules))
    try:
        yield
    finally:
        namespace.run("nft", "flush", "ruleset")


def with_wrong_checksum(header):
    """A transport header whose checksum is not that of the packet."""
    def lose(here, there, version, number):
        packet = frame(there, version) / header / Raw(b"x")
        here.send_frames("wire", [packet] * number)
        return number
    return lose


def with_wrong_header_checksum(here, there, version, number):
    packet = frame(there, version) / UDP(dport=PORT)
    packet[IP].chksum = 1
    here.send_frames("wire", [packet] * number)
    return number


def at_the_last_hop(here, there, version, number):
    """`there` is to forward what has no hop left."""
    sysctl = {"4": "net/ipv4/conf/all/forwarding", "6": "net/ipv6/conf/all/forwarding"}[version]
    packet = frame(there, version, hops=1, to=BEYOND[version]) / UDP(dport=PORT)
    there.sysctl(sysctl, 1)
    try:
        there.ip(f"route add {BEYOND[version]} via {ADDRESS[version][0]}")
        here.send_frames("wire", [packet] * number)
    finally:
        there.ip(f"route delete {BEYOND[version]}")
        there.sysctl(sysctl, 0)
    return number


def to_nowhere(here, there, version, number):
    """`there` has no way for it and does not forward."""
    packet = frame(there, version, to=BEYOND[version]) / UDP(dport=PORT)
    here.send_frames("wire", [packet] * number)
    return number


def from_the_wrong_side(here, there, version, number):
    """The answer would not go back the way that it came."""
    packet = frame(there, version, source=BEYOND[version]) / UDP(dport=PORT)
    there.sysctl("net/ipv4/conf/wire/rp_filter", 1)
    here.send_frames("wire", [packet] * number)
    there.sysctl("net/ipv4/conf/wire/rp_filter", 0)
    return number


BEYOND = {"4": "192.0.2.9", "6": "2001:db8::9"}


def frame(namespace, version, hops=64, source=None, to=None):
    """A frame to @namespace, up to its IP header."""
    source, to = source or ADDRESS[version][0], to or ADDRESS[version][1]
    ether = Ether(src="02:00:00:00:00:01", dst=mac(namespace, "wire"))
    if version == "4":
        return ether / IP(src=source, dst=to, ttl=hops)
    return ether / IPv6(src=source, dst=to, hlim=hops)


# (way, IP version, protocol, reason of the kernel's newest, nstat's counter of the same)
LOSSES = {
    "no-socket": (to_no_socket, "4", "udp", "NO_SOCKET", "UdpNoPorts"),
    "no-socket-v6": (to_no_socket, "6", "udp", "NO_SOCKET", "Udp6NoPorts"),
    "refused": (connect_to_no_socket, "4", "tcp", "NO_SOCKET", "TcpOutRsts"),
    "refused-v6": (connect_to_no_socket, "6", "tcp", "NO_SOCKET", "TcpOutRsts"),
    "full": (to_full_socket, "4", "udp", "SOCKET_RCVBUFF", "UdpRcvbufErrors"),
    "full-v6": (to_full_socket, "6", "udp", "SOCKET_RCVBUFF", "Udp6RcvbufErrors"),
    "firewall": (to_firewall, "4", "udp", "NETFILTER_DROP", None),
    "firewall-v6": (to_firewall, "6", "udp", "NETFILTER_DROP", None),
    "udp-checksum": (with_wrong_checksum(UDP(dport=PORT, chksum=1)), "4", "udp", "UDP_CSUM",
                     "UdpInCsumErrors"),
    "udp-checksum-v6": (with_wrong_checksum(UDP(dport=PORT, chksum=1)), "6", "udp", "UDP_CSUM",
                        "Udp6InCsumErrors"),
    "tcp-checksum": (with_wrong_checksum(TCP(dport=PORT, chksum=1)), "4", "tcp", "TCP_CSUM",
                     "TcpInCsumErrors"),
    "tcp-checksum-v6": (with_wrong_checksum(TCP(dport=PORT, chksum=1)), "6", "tcp", "TCP_CSUM",
                        "TcpInCsumErrors"),
    "ip-checksum": (with_wrong_header_checksum, "4", "udp", "IP_CSUM", "IpExtInCsumErrors"),
    "hops": (at_the_last_hop, "4", "udp", "IP_INHDR", "IpInHdrErrors"),
    "hops-v6": (at_the_last_hop, "6", "udp", "IP_INHDR", "Ip6InHdrErrors"),
    "no-route": (to_nowhere, "4", "udp", "IP_INADDRERRORS", "IpInAddrErrors"),
    "reverse-path": (from_the_wrong_side, "4", "udp", "IP_RPFILTER", "TcpExtIPReversePathFilter"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_lost_has_the_kernels_reason(here, there, daemon, reasons, name):
    way, version, protocol, reason, counter = LOSSES[name]
    watch, counted = Watch(daemon, there), counter and Counted(there, [counter])
    number = way(here, there, version, 7)
    assert number >= 7
    watch.expect({(named(reason, reasons), version, protocol): number})
    assert not counter or counted.since() == number


V4 = IP(src="10.0.0.1", dst="10.0.0.2")
V6 = IPv6(src="fd00::1", dst="fd00::2")
WRONG = UDP(dport=PORT, chksum=1)

# What stands before the header of the transport, or instead of it: as what a packet is known that
# is given up behind these headers, or before anybody looked at them.
HEADERS = {
    "extensions": (V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / WRONG, "UDP_CSUM", "6", "udp"),
    "one-fragment": (V6 / IPv6ExtHdrFragment() / WRONG, "UDP_CSUM", "6", "udp"),
    "two-tags": (Dot1AD(vlan=7) / Dot1Q(vlan=8) / V4 / UDP(), "UNHANDLED_PROTO", "4", "udp"),
    "two-tags-v6": (Dot1Q(vlan=7) / Dot1Q(vlan=8) / V6 / TCP(), "UNHANDLED_PROTO", "6", "tcp"),
    # The kernel takes the first one off.
    "three-tags": (Dot1AD(vlan=7) / Dot1Q(vlan=8) / Dot1Q(vlan=9) / V4 / UDP(), "UNHANDLED_PROTO",
                   "4", "udp"),
    "arp-behind-tags": (Dot1Q(vlan=7) / Dot1Q(vlan=8) / ARP(), "UNHANDLED_PROTO", "none", "arp"),
    "lldp": (Raw(b"\x88\xcc" + bytes(46)), "UNHANDLED_PROTO", "none", "lldp"),
    "no-name": (Raw(b"\x88\xb5" + bytes(46)), "UNHANDLED_PROTO", "none", "other"),
    "cut-off": (Raw(b"\x81\x00\0\7\x81\x00\0\7\x08\x00" + bytes(10)), "UNHANDLED_PROTO", "none",
                "ipv4"),
}


def ether_to(namespace, payload):
    ether = Ether(src="02:00:00:00:00:01", dst=mac(namespace, "wire"))
    if isinstance(payload, Raw):  # begins with the ethertype
        return bytes(ether)[:12] + bytes(payload)
    return bytes(ether / payload)


def named(reason, reasons):
    """As @reason is called on this kernel: what it does not know is not specified."""
    return reason if reason in reasons else "NOT_SPECIFIED"


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_found(here, there, daemon, reasons, name):
    payload, reason, version, protocol = HEADERS[name]
    watch = Watch(daemon, there)
    here.send_frames("wire", [ether_to(there, payload)] * 5)
    watch.expect({(named(reason, reasons), version, protocol): 5})


def test_traffic_that_arrives_is_no_drop(here, there, daemon):
    """Echoed by UDP and over TCP connections, with all that was sent read."""
    watch = Watch(daemon, there)  # not `here`, where the daemon itself is asked over TCP
    for version in ADDRESS:
        echo_datagrams(here, there, version, 20)
        echo_connections(here, there, version, 5)
    assert until_stable(watch.since, 5 * PATIENCE) == {}


def pair(here, there, version, kind):
    """A socket there and its peer here, not yet connected."""
    with there.entered():
        server = socket.socket(FAMILY[version], kind)
        server.bind((ADDRESS[version][1], 0))
    with here.entered():
        return server, socket.socket(FAMILY[version], kind)


def echo_datagrams(here, there, version, number):
    server, client = pair(here, there, version, socket.SOCK_DGRAM)
    with server, client:
        client.connect(server.getsockname())
        for _ in range(number):
            client.send(b"hello")
            server.sendto(*server.recvfrom(99))
            assert client.recv(99) == b"hello"


def echo_connections(here, there, version, number):
    for _ in range(number):
        server, client = pair(here, there, version, socket.SOCK_STREAM)
        with server, client:
            server.listen()
            client.connect(server.getsockname())
            with server.accept()[0] as served:
                client.sendall(b"hello")
                served.sendall(served.recv(99))
                assert client.recv(99) == b"hello"
                client.shutdown(socket.SHUT_WR)
                assert served.recv(1) == b""


@pytest.mark.parametrize("version, mapped", [("4", False), ("6", False), ("4", True)])
def test_what_has_no_header_yet_is_known_by_its_socket(here, there, daemon, reasons, version,
                                                       mapped):
    """The way to the other end vanishes under a connection: IP finds none for what TCP sends, of a
    socket for IPv6 that is connected over IPv4 (@mapped) as well."""
    server, client = pair(here, there, version, socket.SOCK_STREAM)
    if mapped:
        client.close()
        with here.entered():
            client = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    with server, client:
        server.listen()
        address, port = server.getsockname()[:2]
        client.connect((f"::ffff:{address}" if mapped else address, port))
        watch = Watch(daemon, here)
        here.ip(f"route replace unreachable {ADDRESS[version][1]}")
        try:
            client.send(b"lost")
            # Linux 6.18 has no name for this in IPv6
            keys = [(named("IP_OUTNOROUTES", reasons), version, "tcp"),
                    ("NOT_SPECIFIED", version, "tcp")]
            until(lambda: any(key in watch.since() for key in keys), 5 * PATIENCE,
                  lambda: f"{watch.since()}")
        finally:
            here.ip(f"route delete unreachable {ADDRESS[version][1]}")


# ---- by the kernel's own trace


TRACING = Path("/sys/kernel/tracing")


@pytest.fixture
def trace():
    """Lines of the kernel's own tracepoint, in a buffer of ours."""
    if not (TRACING / "instances").exists():
        pytest.skip("tracefs is not mounted at /sys/kernel/tracing")
    instance = TRACING / f"instances/wiregauge-{os.getpid()}"
    instance.mkdir()
    try:
        (instance / "events/skb/kfree_skb/enable").write_text("1")
        yield lambda: (instance / "trace").read_text()
    finally:
        (instance / "events/skb/kfree_skb/enable").write_text("0")
        instance.rmdir()


def test_reasons_are_called_as_in_the_kernels_trace(here, there, daemon, reasons, trace):
    if not reasons:
        pytest.skip("this kernel gives no reasons (Linux 5.17 and newer do)")
    watch = Watch(daemon, there)
    for way in (to_no_socket, to_firewall, from_the_wrong_side):
        way(here, there, "4", 3)
    until(lambda: len(watch.since()) >= 3, 5 * PATIENCE, lambda: f"{watch.since()}")
    traced = set(re.findall(r"reason: (\w+)", trace()))
    assert {reason for reason, _, _ in watch.since()} <= traced


def test_function_and_interface(here, there, daemon, reasons, trace):
    """By whom and where. Which function that is differs from kernel to kernel."""
    watch = Watch(daemon, there, "function", "interface")
    number = to_firewall(here, there, "4", 3)
    until(lambda: sum(watch.since().values()) == number, 5 * PATIENCE, lambda: f"{watch.since()}")
    ((reason, version, protocol, function, interface),) = watch.since()
    assert (reason, version, protocol) == (named("NETFILTER_DROP", reasons), "4", "udp")
    assert interface == "wire" and function in ("nf_hook_slow", "nft_do_chain")
    # an address before Linux 6.2
    assert re.search(rf"location=(?:{function}\b|[0-9a-f]{{16}}\b)", trace())


# ---- interfaces and CPUs


def link_drops(namespace, device):
    """{(direction, cause): packets} as `ip -s link` has them, those that are not 0."""
    (link,) = json.loads(namespace.ip(f"-json -s link show dev {device}"))
    rx, tx = link["stats64"]["rx"], link["stats64"]["tx"]
    found = {("ingress", "dropped"): rx["dropped"], ("ingress", "error"): rx["errors"],
             ("ingress", "no_handler"): rx.get("nohandler", 0),
             ("ingress", "missed"): rx.get("missed_errors", 0),
             ("egress", "dropped"): tx["dropped"], ("egress", "error"): tx["errors"]}
    return {key: value for key, value in found.items() if value}


def exported_link_drops(daemon, device):
    return {(labels["direction"], labels["cause"]): value for labels, value
            in daemon.scrape().select("wiregauge_interface_drops_total", interface=device)}


def test_interface_drops_are_the_kernels(here, there, daemon):
    before = link_drops(here, "wire").get(("ingress", "dropped"), 0)
    there.send_frames("wire", [ether_to(here, Raw(b"\x88\xb5" + bytes(46)))] * 9)
    until(lambda: link_drops(here, "wire").get(("ingress", "dropped"), 0) == before + 9, 5,
          "the kernel's counter")
    assert exported_link_drops(daemon, "wire") == link_drops(here, "wire")


def test_interface_that_cannot_send(here, daemon):
    """A tap whose queue nobody reads."""
    if not os.path.exists("/dev/net/tun"):
        subprocess.run(["modprobe", "tun"], check=False)  # a module on most kernels
    name = "silent"
    with here.entered(), open("/dev/net/tun", "r+b", buffering=0) as tap:
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH", name.encode(), IFF_TAP | IFF_NO_PI))
        here.ip(f"link set {name} txqueuelen 1 up")
        here.run("tc", "qdisc", "replace", "dev", name, "root", "noqueue")
        with here.packet_socket(name) as sock:
            for _ in range(10):
                with suppress(OSError):  # ENOBUFS, as from a queue that is full
                    sock.send(bytes(60))
        lost = link_drops(here, name)
        assert lost[("egress", "dropped")] >= 5
        until(lambda: exported_link_drops(daemon, name) == lost, 5 * PATIENCE,
              lambda: f"{exported_link_drops(daemon, name)}, not {lost}")
    until(lambda: not exported_link_drops(daemon, name), 5 * PATIENCE, "series of what is gone")


TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x0002, 0x1000  # <linux/if_tun.h>


def softnet():
    """{cpu: (dropped, squeezed)}"""
    rows = [line.split() for line in Path("/proc/net/softnet_stat").read_text().splitlines()]
    return {str(int(row[12], 16) if len(row) > 12 else number): (int(row[1], 16), int(row[2], 16))
            for number, row in enumerate(rows)}


def exported_softnet(daemon):
    samples = daemon.scrape()
    names = ("wiregauge_softnet_drops_total", "wiregauge_softnet_time_squeezes_total")
    columns = [{labels["cpu"]: value for labels, value in samples.select(name)} for name in names]
    return {cpu: tuple(column[cpu] for column in columns) for cpu in columns[0]}


def test_softnet_is_the_kernels(daemon):
    """While others on this host receive, the two readings differ; sooner or later they do not."""
    until(lambda: exported_softnet(daemon) == softnet(), 5 * PATIENCE,
          lambda: f"{exported_softnet(daemon)}, not {softnet()}")


@pytest.mark.skipif(not Path("/run/vmtest").exists(),
                    reason="net.core.netdev_max_backlog is the whole host's: only in a guest")
def test_backlog_of_a_cpu(here, there, daemon, reasons):
    """More than a queue before the stack takes is dropped by the CPU, and has a reason as well."""
    watch, before = Watch(daemon, there), softnet()
    backlog = Path("/proc/sys/net/core/netdev_max_backlog")
    usual = backlog.read_text()
    here.ip("link add copies type dummy")
    here.ip("link set copies up")
    here.tc("qdisc add dev copies clsact")
    here.tc("filter add dev copies egress matchall " +
            "action mirred egress mirror dev wire pipe " * 8 + "action ok")
    backlog.write_text("0")
    try:  # the copies of a packet come all before the first of them is received
        here.send_frames("copies", [bytes(frame(there, "4") / UDP(dport=PORT))] * 5)
    finally:
        backlog.write_text(usual)
        here.ip("link delete copies")
    lost = sum(now[0] - then[0] for now, then in zip(softnet().values(), before.values()))
    assert lost >= 5
    assert watch.since()[(named("CPU_BACKLOG", reasons), "4", "udp")] >= lost
    assert exported_softnet(daemon) == softnet()
