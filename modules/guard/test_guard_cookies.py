# SPDX-License-Identifier: MIT
"""SYN cookies of the guard stage: the packets byte by byte, and connections to a real listener."""

import contextlib
import itertools
import os
import socket
import sys
import threading
import time
from pathlib import Path

import cases
import pytest
from bpf import XDP_PASS, XDP_TX
from netns import connect
from scapy.layers.inet import IP, TCP, UDP, IPOption_RR
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt
from scapy.layers.l2 import Dot1AD, Dot1Q, Ether
from scapy.packet import Raw
from waiting import until

sys.path.insert(0, str(Path(__file__).parent))  # plane.py

import plane  # noqa: E402

PORT = 80
SERVER, CLIENT = {4: "192.0.2.1", 6: "2001:db8::1"}, {4: "192.0.2.2", 6: "2001:db8::2"}
TAGS = {"plain": None, "vlan": Dot1Q(vlan=100, prio=3),
        "qinq": Dot1AD(vlan=200) / Dot1Q(vlan=300)}
LINUX = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (123456, 0)), ("NOP", None), ("WScale", 9)]
WINDOWS = [("MSS", 1440), ("NOP", None), ("WScale", 8), ("NOP", None), ("NOP", None),
           ("SAckOK", b"")]


@pytest.fixture
def namespace(make_namespace):
    """One whose kernel answers each SYN by a cookie."""
    namespace = make_namespace()
    namespace.sysctl("net/ipv4/tcp_syncookies", 2)
    with namespace.entered():
        yield namespace


@pytest.fixture
def listener(namespace):
    with socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        yield server


@pytest.fixture
def guard(namespace):
    with plane.plane() as loaded:
        loaded.set(syn_cookies=plane.COOKIES_KERNEL)
        yield loaded


def network(version, **fields):
    kind = {4: IP, 6: IPv6}[version]
    return kind(src=CLIENT[version], dst=SERVER[version], **fields)


def syn(version=4, options=LINUX, tag=None, sport=1234, **fields):
    packet = cases.ETHER.copy()
    packet = packet / tag.copy() if tag else packet
    return packet / network(version) / TCP(sport=sport, dport=PORT, flags="S", seq=0xFFFFFFFF,
                                           window=64240, options=options, **fields)


def ack(answer, version=4, **changes):
    """What the client says to @answer."""
    tcp = {"sport": 1234, "dport": PORT, "flags": "A", "seq": answer[TCP].ack,
           "ack": answer[TCP].seq + 1 & 0xFFFFFFFF} | changes
    return cases.ETHER / network(version) / TCP(**tcp)


def answer_to(guard, packet):
    action, after = guard.run(packet)
    assert action == XDP_TX
    return Ether(after)


def with_right_checksums(packet):
    packet = packet.copy()
    for layer in (IP, TCP):
        if layer in packet:
            del packet[layer].chksum
    return Ether(bytes(packet))


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("tag", TAGS)
@pytest.mark.parametrize("options", [[], LINUX, WINDOWS])
@pytest.mark.parametrize("payload", [0, 400])
def test_the_answer(guard, listener, version, tag, options, payload):
    question = Ether(bytes(syn(version, options, TAGS[tag]) / Raw(bytes(payload))))
    answer = answer_to(guard, question)
    assert answer == with_right_checksums(answer)
    assert (answer.src, answer.dst) == (question.dst, question.src)
    here, there = answer[IP if version == 4 else IPv6], question[IP if version == 4 else IPv6]
    assert (here.src, here.dst) == (there.dst, there.src)
    assert len(here) == (20 if version == 4 else 40) + 24 == len(bytes(here))
    assert (here.ttl if version == 4 else here.hlim) == 64
    assert [layer.vlan for layer in (answer.getlayer(Dot1Q, 1), answer.getlayer(Dot1AD, 1))
            if layer] == [layer.vlan for layer in (question.getlayer(Dot1Q, 1),
                                                   question.getlayer(Dot1AD, 1)) if layer]
    tcp = answer[TCP]
    assert (tcp.sport, tcp.dport, tcp.flags) == (PORT, 1234, "SA")
    assert (tcp.ack, tcp.window) == (0, 65535)  # of 0xffffffff the next
    ((name, mss),) = tcp.options
    assert name == "MSS" and 536 <= mss <= 1460


@pytest.mark.parametrize("version", [4, 6])
def test_settings_of_the_answer(guard, listener, version):
    guard.set(cookie_mss_ipv4=1400, cookie_mss_ipv6=1380, cookie_window=8192)
    answer = answer_to(guard, syn(version))
    assert answer[TCP].options == [("MSS", 1400 if version == 4 else 1380)]
    assert answer[TCP].window == 8192


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(("options", "sack", "scale"), [
    (LINUX, True, 9),
    ([("Timestamp", (123456, 0))], False, None),
    ([("WScale", 14), ("Timestamp", (123456, 0))], False, 14),
    ([("WScale", 200), ("Timestamp", (123456, 0)), ("SAckOK", b"")], True, 14),
    ([("NOP", None)] * 9 + [("SAckOK", b""), ("Timestamp", (123456, 0))], True, None),
])
def test_timestamps_carry_the_options(guard, listener, version, options, sack, scale):
    """net/ipv4/syncookies.c: scale in bits 0 to 3, 15: none; SACK in bit 4; not in the future."""
    guard.set(flags=plane.TIMESTAMPS, cookie_window_scale=7)
    answer = answer_to(guard, syn(version, options))
    assert answer == with_right_checksums(answer)
    found = dict(option for option in answer[TCP].options if option[0] != "NOP")
    now, echo = found["Timestamp"]
    assert echo == 123456
    assert now & 63 == (15 if scale is None else scale) | sack << 4
    clock = int(time.monotonic() * 1000) & 0xFFFFFFFF
    assert 0 <= clock - now < 64 + 10_000
    assert ("SAckOK" in found, found.get("WScale")) == (sack, None if scale is None else 7)
    assert len(answer[TCP]) == 40


def test_without_timestamps_there_are_no_options(guard, listener):
    guard.set(flags=plane.TIMESTAMPS)
    assert [name for name, _ in answer_to(guard, syn(4, WINDOWS))[TCP].options] == ["MSS"]


@pytest.mark.parametrize("options", [
    [(3, b"")], [(8, bytes(3))], [(254, bytes(30))], [("EOL", None), ("SAckOK", b"")],
])
def test_strange_options_are_not_believed(guard, listener, options):
    guard.set(flags=plane.TIMESTAMPS)
    assert [name for name, _ in answer_to(guard, syn(4, options))[TCP].options] == ["MSS"]


def test_options_cut_at_every_byte(guard, listener):
    """An option's length goes beyond the header, or the header beyond the packet."""
    guard.set(flags=plane.TIMESTAMPS)
    data = bytes(syn())
    for at, length in itertools.product(range(54, len(data)), (0, 1, 2, 40, 255)):
        strange = data[:at] + bytes([length]) + data[at + 1:]
        action, after = guard.run(strange)
        assert action == XDP_TX
        assert Ether(after) == with_right_checksums(Ether(after))
    for length in range(14, len(data)):
        assert guard.run(data[:length]) == (XDP_PASS, data[:length])


def test_a_syn_is_counted_as_answered(guard, listener):
    assert guard.decide(syn()) == ("syn_cookie_sent", "answered")


@pytest.mark.parametrize(("what", "packet"), [
    ("no listener", cases.ETHER / network(4) / TCP(dport=PORT + 1, flags="S")),
    ("SYN and ACK", cases.ETHER / network(4) / TCP(dport=PORT, flags="SA")),
    ("SYN and RST", cases.ETHER / network(4) / TCP(dport=PORT, flags="SR")),
    ("no TCP", cases.ETHER / network(4) / UDP(dport=PORT)),
    ("IPv4 options", cases.ETHER / network(4, options=[IPOption_RR()]) /
        TCP(dport=PORT, flags="S")),
    ("an extension header", cases.ETHER / network(6) / IPv6ExtHdrDestOpt() /
        TCP(dport=PORT, flags="S")),
    ("a fragment", cases.ETHER / network(4, flags="MF") / TCP(dport=PORT, flags="S") /
        Raw(bytes(64))),
])
def test_what_is_not_answered(guard, listener, what, packet):
    assert guard.decide(packet) == ("none", "passed"), what


def test_the_kernel_decides_when(guard, listener, namespace):
    """With tcp_syncookies=1 it wants none while the listener's queue has room."""
    namespace.sysctl("net/ipv4/tcp_syncookies", 1)
    assert guard.decide(syn()) == ("none", "passed")
    namespace.sysctl("net/ipv4/tcp_syncookies", 0)
    assert guard.decide(syn()) == ("none", "passed")


def test_off_is_off(guard, listener):
    guard.set(syn_cookies=plane.COOKIES_OFF)
    assert guard.decide(syn()) == ("none", "passed")


def test_monitor_answers_nothing(guard, listener):
    guard.set(mode=plane.MONITOR)
    assert guard.decide(syn()) == ("syn_cookie_sent", "would_drop")


def test_cookies_by_order(guard, listener):
    guard.set(syn_cookies=plane.COOKIES_ORDERED)
    assert guard.decide(syn()) == ("none", "passed")
    guard.defend(flags=1)
    assert guard.decide(syn()) == ("syn_cookie_sent", "answered")


@pytest.mark.parametrize("version", [4, 6])
def test_answers_of_clients(guard, listener, version):
    guard.add_flags(plane.DETECTION)
    answer = answer_to(guard, syn(version))
    assert guard.decide(ack(answer, version)) == ("syn_cookie_valid", "passed")
    assert guard.source(CLIENT[version])["proven"]
    assert guard.decide(ack(answer, version, ack=12345)) == ("syn_cookie_invalid", "passed")
    guard.defend(flags=1)
    assert guard.decide(ack(answer, version, ack=12345)) == ("syn_cookie_invalid", "dropped")
    assert guard.decide(ack(answer, version)) == ("syn_cookie_valid", "passed")
    assert guard.decide(ack(answer, version, flags="R", ack=12345)) == ("none", "passed")


def test_acks_are_looked_at_where_cookies_went(guard, listener):
    guard.defend(flags=1)
    forged = ack(syn(), ack=12345)
    assert guard.decide(forged) == ("none", "passed")
    answer_to(guard, syn())
    assert guard.decide(forged) == ("syn_cookie_invalid", "dropped")
    guard.now += 119 * plane.SECOND
    assert guard.decide(forged) == ("syn_cookie_invalid", "dropped")
    guard.now += 2 * plane.SECOND
    assert guard.decide(forged) == ("none", "passed")


# ---- connections ----


@pytest.fixture
def server(make_namespace):
    namespace = make_namespace()
    namespace.sysctl("net/ipv4/tcp_syncookies", 2)
    return namespace


@pytest.fixture
def client(make_namespace, server):
    namespace = make_namespace()
    connect(server, namespace)
    for at, addresses in ((server, SERVER), (namespace, CLIENT)):
        at.sysctl("net/ipv6/conf/wire/disable_ipv6", 0)
        at.ip(f"address add {addresses[4]}/24 dev wire")
        at.ip(f"address add {addresses[6]}/64 dev wire nodad")
    return namespace


@pytest.fixture
def live(server, client):
    with plane.plane(is_clock_ours=False) as guard, plane.passing(client), \
            plane.attached(server, guard.stage, guard.program):
        guard.set(syn_cookies=plane.COOKIES_KERNEL)
        yield guard


@contextlib.contextmanager
def echoing(namespace):
    """A server that sends back what it gets, until the socket is closed."""
    with namespace.entered():
        server = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True,
                                      backlog=64)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection:
                    while data := connection.recv(1 << 20):
                        connection.sendall(data)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()


def converse(namespace, version, size=200_000):
    """Whether all comes back that is sent."""
    data = os.urandom(size)
    with namespace.entered():
        connection = socket.create_connection((SERVER[version], PORT), timeout=20)
    with connection:
        sender = threading.Thread(target=connection.sendall, args=(data,))
        sender.start()
        received = bytearray()
        while len(received) < size and (piece := connection.recv(1 << 20)):
            received += piece
        sender.join()
    return received == data


@pytest.mark.parametrize("timestamps", [1, 2])
@pytest.mark.parametrize("version", [4, 6])
def test_connections_to_a_real_listener(live, server, client, version, timestamps):
    """The kernel has sent no cookie itself, and accepted each of ours."""
    server.sysctl("net/ipv4/tcp_timestamps", timestamps)
    if timestamps == 2:
        live.set(flags=plane.TIMESTAMPS, cookie_window_scale=7)
    with echoing(server):
        assert all(converse(client, version) for _ in range(10))
    assert server.extended("SyncookiesSent") == 0
    assert server.extended("SyncookiesRecv") == 10
    assert server.extended("SyncookiesFailed") == 0
    counts = live.counts()
    assert counts["syn_cookie_sent", "answered"][0] == 10
    assert counts["syn_cookie_valid", "passed"][0] == 10
    assert not live.troubles()


def negotiated(server, client, version):
    """struct tcp_info's options (timestamps 1, SACK 2, scale 4) and scales, at both ends."""
    with server.entered():
        listener = socket.create_server(("::", PORT), family=socket.AF_INET6, dualstack_ipv6=True)
    with listener, client.entered():
        with socket.create_connection((SERVER[version], PORT), timeout=20) as there:
            with listener.accept()[0] as here:
                here.sendall(b"x")
                assert there.recv(1) == b"x"
                return [end.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5:7]
                        for end in (there, here)]


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_negotiated_is_what_the_kernel_s_own_cookies_do(live, server, client, version):
    server.sysctl("net/ipv4/tcp_timestamps", 2)
    live.set(syn_cookies=plane.COOKIES_OFF)
    kernel = negotiated(server, client, version)
    assert server.extended("SyncookiesSent") == 1
    assert kernel[0][0] & 7 == 7
    live.set(syn_cookies=plane.COOKIES_KERNEL, flags=plane.TIMESTAMPS,
             cookie_window_scale=kernel[0][1] & 15)
    assert negotiated(server, client, version) == kernel
    assert live.counts()["syn_cookie_sent", "answered"][0] == 1
    assert server.extended("SyncookiesSent") == 1


def test_forged_acks_open_nothing(live, server, client):
    live.defend(flags=1)
    with echoing(server):
        assert converse(client, 4)
        forged = [bytes(cases.ETHER / network(4) / TCP(sport=port, dport=PORT, flags="A", seq=1,
                                                       ack=port)) for port in range(1, 101)]
        client.send_frames("wire", forged)
        until(lambda: live.counts().get(("syn_cookie_invalid", "dropped"), (0, 0))[0] == 100, 10,
              "100 forged ACKs are dropped")
    assert server.extended("SyncookiesFailed") == 0


def test_a_flood_of_syns_costs_the_kernel_nothing(live, server, client):
    """Of addresses that nobody has; meanwhile who wants to connects."""
    flood = [bytes(cases.ETHER / IP(src=f"198.51.100.{number % 250 + 1}", dst=SERVER[4]) /
                   TCP(sport=1024 + number, dport=PORT, flags="S", options=LINUX))
             for number in range(1000)]
    with echoing(server):
        client.send_frames("wire", flood)
        assert converse(client, 4)
        until(lambda: live.counts()["syn_cookie_sent", "answered"][0] >= 1001, 10,
              "1,000 SYNs and ours are answered")
    assert server.snmp("Tcp", "InSegs") < 1000
    assert server.extended("ListenDrops") == 0
