# SPDX-License-Identifier: MIT
"""Guard under floods, between real interfaces. What came through is what the kernel counts."""

import collections
import contextlib
import os
import socket
import threading
import time
from pathlib import Path

import plane
import pytest
from daemon import PATIENCE
from flooding import BATCH, Ethernet, Flood, sources
from guarding import HERE, THERE, gets_through
from netns import connect
from waiting import until, until_stable

PORT = 80
IS_SLOW = bool(os.environ.get("VMTEST"))
FORGED = 10_000 if IS_SLOW else 65_536  # sources
CONNECTIONS = 40 if IS_SLOW else 200
MANY_NETWORKS = 20_000 if IS_SLOW else 200_000
MANY = 5_000 if IS_SLOW else 300_000  # frames
CPUS = sorted(os.sched_getaffinity(0))
LAST_CPU = CPUS[-1]
SOURCE = "198.18.0.1"


@pytest.fixture
def queues():
    return 1


@pytest.fixture
def there(make_namespace, here, queues):
    """What two CPUs send into @queues is received by two."""
    namespace = make_namespace()
    connect(here, namespace, queues=queues)
    return namespace


@pytest.fixture
def ethernet(here, there, pair):
    """What says to come from 198.18.0.0/15 would be answered through the wire."""
    here.ip(f"route add 198.18.0.0/15 via {THERE}")
    return Ethernet(here, there, HERE)


@contextlib.contextmanager
def serving(namespace, converse):
    """A server that does that with a connection, one at a time."""
    with namespace.entered():
        server = socket.create_server((HERE, PORT), backlog=64)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = server.accept()
                with connection, contextlib.suppress(OSError):
                    connection.settimeout(10 * PATIENCE)
                    converse(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()


@pytest.fixture
def echo(here):
    with serving(here, lambda connection: connection.sendall(connection.recv(100))):
        yield


@pytest.fixture
def greeter(here):
    with serving(here, lambda connection: connection.sendall(b"hello")):
        yield


def flooding(there, frames, cpu=LAST_CPU):
    """As much as can be; an emulated CPU would do nothing else."""
    return Flood(there, frames, cpu, 3000 if IS_SLOW else None)


def converses(there, number, says=b"hello"):
    """Whether a connection is made, and what is said over it comes back, or is said without asking.
    Each has its own port: of one that it still remembers (TIME_WAIT) the server would take a SYN
    without a cookie."""
    with contextlib.suppress(OSError), there.entered():
        with socket.create_connection((HERE, PORT), timeout=10 * PATIENCE,
                                      source_address=("", 20000 + number)) as connection:
            connection.sendall(says)
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
            flooding(there, ethernet.syns(sources("198.18.0.0", FORGED), PORT)) as flood:
        flood.wait_for(MANY)
        connected = 0
        for number in range(CONNECTIONS):
            connected += converses(there, number)
            assert half_open(here) == 0
        assert tracking.count() <= 2 * CONNECTIONS
    assert connected >= 0.99 * CONNECTIONS
    # Before the daemon is asked, which takes a connection, too.
    assert here.extended("SyncookiesSent") == 0  # by the kernel
    assert here.extended("SyncookiesRecv") >= connected
    assert here.extended("ListenOverflows") == here.extended("ListenDrops") == 0
    assert here.snmp("Tcp", "InSegs") < 20 * CONNECTIONS
    assert guard.packets("syn_cookie_sent", "answered") >= MANY / 4
    assert guard.rows() == {}


def test_a_server_that_speaks_first_under_that_flood(start, here, there, ethernet, greeter):
    """It does not, if the client's one ACK is lost: no state is there that would ask for it."""
    here.sysctl("net/ipv4/tcp_syncookies", 2)
    guard = start(mode="enforce")
    with plane.passing(there), \
            flooding(there, ethernet.syns(sources("198.18.0.0", FORGED), PORT)) as flood:
        flood.wait_for(MANY / 10)
        greeted = sum(converses(there, number, b"") for number in range(CONNECTIONS))
    assert greeted >= 0.99 * CONNECTIONS
    assert here.extended("SyncookiesRecv") >= greeted
    assert guard.packets("syn_cookie_valid", "passed") >= greeted


def test_that_flood_without_cookies(start, here, there, ethernet, echo):
    """It fills the listener's queue: what the test above sends is a flood."""
    here.sysctl("net/ipv4/tcp_syncookies", 0)
    tracking = Tracking(here)
    start(mode="enforce", syn_cookies="off")
    with flooding(there, ethernet.syns(sources("198.18.0.0", FORGED), PORT)):
        until(lambda: here.extended("TCPReqQFullDrop") > 1000, 30 * PATIENCE, "a full queue")
        assert half_open(here) >= 32
        assert tracking.count() > 1000 or not tracking.is_there


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
    with flooding(there, frames) as flood:
        flood.wait_for(MANY)
        for _ in range(3):
            left, before = seconds_left(guard), seen(guard)
            guard.daemon.kill()
            flood.wait_for(MANY)
            until(lambda: gets_through(there), 30 * PATIENCE, "others get through")
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
    assert sum(seen(guard).values()) == came(here) - unseen >= 2 * MANY


# ---- limits ----

@pytest.mark.parametrize("queues", [1, 2])
@pytest.mark.parametrize(("limit", "size", "per_second"), [
    ("1kpps", 18, 1000),
    ("20mbit", 958, 20e6 / 8 / 1000),  # frames of 1,000 bytes
])
def test_a_limit_of_a_source_holds(start, here, there, ethernet, limit, size, per_second, queues):
    """Never more than rate * t + burst, on one CPU and on two at once."""
    if queues > len(CPUS):
        pytest.skip("there are not as many CPUs")
    guard = start(mode="enforce", limits=[f"{SOURCE} {limit}"])
    frames = ethernet.udp([*sources(SOURCE, 1)] * BATCH, size=size)
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        floods = [stack.enter_context(flooding(there, frames, cpu)) for cpu in CPUS[-queues:]]
        until(lambda: time.monotonic() > began + 3, 10, "three seconds")
        for flood in floods:
            flood.wait_for(int(3 * per_second))
    came_through = here.snmp("Udp", "NoPorts")
    took = time.monotonic() - began
    lost = guard.daemon.scrape().value("wiregauge_guard_troubles_total", trouble="cas_lost")
    assert per_second * 0.3 < came_through <= per_second * (took + 0.1) + 1 + lost
    assert guard.packets("none", "passed") >= came_through
    assert guard.packets("source_limit", "dropped") > 0


# ---- lists ----

def write_list(path, *networks):
    """These, and many others."""
    with open(path, "w") as file:
        file.writelines(f"{network}\n" for network in networks)
        for i in range(MANY_NETWORKS // 2):
            number = f"{i >> 16}.{i >> 8 & 255}.{i & 255}"
            file.write(f"11.{number}\n{20 + (i >> 16)}.{i >> 8 & 255}.{i & 255}.0/24\n")


def test_a_list_is_exchanged_in_one_step(start, here, there, ethernet, tmp_path):
    """Who is in the old one and in the new one gets nothing through meanwhile."""
    listed = tmp_path / "list"
    write_list(listed, "198.18.0.1", "198.18.1.0/24")
    guard = start(mode="enforce", block_files=[str(listed)])
    both = ethernet.udp([*sources("198.18.0.1", 1)] * BATCH)
    old, new = (ethernet.udp([*sources(first, 200)]) for first in ("198.18.1.1", "198.18.2.1"))
    there.send_frames("wire", old)
    assert here.snmp("Udp", "NoPorts") == 0
    there.send_frames("wire", new)
    until(lambda: here.snmp("Udp", "NoPorts") == 200, 5 * PATIENCE, "nobody has blocked them")
    write_list(listed, "198.18.0.0/24", "198.18.2.0/24")
    with flooding(there, both) as flood:
        flood.wait_for(MANY / 100)
        before = guard.packets("blocklisted", "dropped")
        guard("reload")
        flood.wait_for(MANY / 100)
    assert here.snmp("Udp", "NoPorts") == 200
    assert guard.packets("blocklisted", "dropped") > before
    there.send_frames("wire", new)
    assert here.snmp("Udp", "NoPorts") == 200
    there.send_frames("wire", old)
    until(lambda: here.snmp("Udp", "NoPorts") == 400, 5 * PATIENCE, "nobody blocks them now")
