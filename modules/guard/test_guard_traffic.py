# SPDX-License-Identifier: MIT
"""Guard under floods, between real interfaces. What came through is what the kernel counts."""

import collections
import contextlib
import os
import socket
import threading
from pathlib import Path

import plane
import pytest
from daemon import PATIENCE
from flooding import Ethernet, Flood, sources
from guarding import HERE, THERE, gets_through
from waiting import until, until_stable

PORT = 80
IS_SLOW = bool(os.environ.get("VMTEST"))
FORGED = 10_000 if IS_SLOW else 65_536  # sources
CONNECTIONS = 40 if IS_SLOW else 200
MANY = 20_000 if IS_SLOW else 300_000  # frames
LAST_CPU = max(os.sched_getaffinity(0))


@pytest.fixture
def ethernet(here, there, pair):
    """What says to come from 198.18.0.0/15 would be answered through the wire."""
    here.ip(f"route add 198.18.0.0/15 via {THERE}")
    return Ethernet(here, there, HERE)


@pytest.fixture
def echo(here):
    """A server that sends back what it is sent, one connection at a time."""
    with here.entered():
        server = socket.create_server((HERE, PORT), backlog=64)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(10 * PATIENCE)
                    connection.sendall(connection.recv(100))

    thread = threading.Thread(target=serve)
    thread.start()
    yield server
    server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


def converses(there):
    """Whether a connection is made, and what is said over it comes back."""
    with contextlib.suppress(OSError), there.entered():
        with socket.create_connection((HERE, PORT), timeout=10 * PATIENCE) as connection:
            connection.sendall(b"hello")
            return connection.recv(100) == b"hello"
    return False


def half_open(namespace):
    """Connection attempts that the kernel keeps in mind."""
    return len(namespace.run("ss", "-Htn", "state", "syn-recv").splitlines())


class Tracking:
    """The connections that the namespace's conntrack knows, if it can have one."""

    def __init__(self, namespace):
        self.namespace = namespace
        try:
            namespace.run("nft", "add table ip t; add chain ip t c { type filter hook input "
                          "priority 0; }; add rule ip t c ct state new counter")
            self.is_there = Path("/proc/sys/net/netfilter/nf_conntrack_count").exists()
        except (AssertionError, FileNotFoundError):
            self.is_there = False

    def count(self):
        if not self.is_there:
            return 0
        with self.namespace.entered():
            return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text())


# ---- SYN floods ----

def test_a_flood_of_syns_keeps_nobody_out(start, here, there, ethernet, echo):
    here.sysctl("net/ipv4/tcp_syncookies", 2)
    tracking = Tracking(here)
    guard = start(mode="enforce")
    with plane.passing(there), \
            Flood(there, ethernet.syns(sources("198.18.0.0", FORGED), PORT), LAST_CPU) as flood:
        flood.wait_for(MANY)
        connected = 0
        for _ in range(CONNECTIONS):
            connected += converses(there)
            assert half_open(here) == 0
        assert tracking.count() <= 2 * CONNECTIONS
    assert connected >= 0.99 * CONNECTIONS
    # Before the daemon is asked, which takes a connection, too.
    assert here.extended("SyncookiesSent") == 0  # by the kernel
    assert here.extended("SyncookiesRecv") >= connected
    assert here.extended("ListenOverflows") == here.extended("ListenDrops") == 0
    assert here.snmp("Tcp", "InSegs") < 20 * CONNECTIONS
    assert guard.packets("syn_cookie_sent", "answered") >= MANY / 2
    assert guard.rows() == {}


def test_that_flood_without_cookies(start, here, there, ethernet, echo):
    """It fills the listener's queue: what the test above sends is a flood."""
    here.sysctl("net/ipv4/tcp_syncookies", 0)
    start(mode="enforce", syn_cookies="off")
    with Flood(there, ethernet.syns(sources("198.18.0.0", FORGED), PORT), LAST_CPU):
        until(lambda: here.extended("TCPReqQFullDrop") > 1000, 30 * PATIENCE, "a full queue")
        assert half_open(here) >= 32


# ---- the daemon goes ----

def seen(guard):
    """{(reason, verdict): packets} of all that came."""
    return collections.Counter({
        (labels["reason"], labels["verdict"]): int(value) for labels, value
        in guard.daemon.scrape().select("wiregauge_guard_packets_total")})


def came(here):
    return until_stable(lambda: here.counters("wire").rx_packets, 10 * PATIENCE)


def seconds_left(guard):
    (ban,) = (row for row in guard.json("list")["rows"] if row["list"] == "ban")
    return ban["seconds_left"]


def test_killed_under_a_flood(start, here, there, ethernet):
    """What is blocked and banned stays so while no daemon runs; the next one goes on with all, and
    each packet of all these is judged, once."""
    options = {"mode": "enforce", "block": ["198.18.0.0/16"], "limits": ["53/udp 1kpps"]}
    guard = start(**options)
    guard("ban", "198.19.0.1", "--for", "1h")
    guard("block", "198.20.0.0/16")
    unseen = came(here) - sum(seen(guard).values())  # before it was attached
    forged = [source for network in ("198.18.0.0", "198.20.0.0")
              for source in sources(network, FORGED // 4)]
    frames = ethernet.udp([*forged, *[*sources("198.19.0.1", 1)] * 5000])
    with Flood(there, frames, LAST_CPU) as flood:
        flood.wait_for(MANY)
        for _ in range(3):
            left, before = seconds_left(guard), seen(guard)
            guard.daemon.kill()
            flood.wait_for(MANY)
            assert gets_through(there)
            guard = start(**options)
            flood.wait_for(MANY)
            after = seen(guard)
            assert after["banned", "dropped"] > before["banned", "dropped"]
            assert after["blocklisted", "dropped"] >= before["blocklisted", "dropped"] + MANY / 2
            assert left - 600 * PATIENCE < seconds_left(guard) < left
            assert guard.rows() == {("block", "198.18.0.0/16"): "configuration",
                                    ("block", "198.20.0.0/16"): "command",
                                    ("ban", "198.19.0.1"): "command"}
    assert here.snmp("Udp", "NoPorts") == here.snmp("Udp", "InDatagrams") == 0
    assert sum(seen(guard).values()) == came(here) - unseen >= 6 * MANY
