# SPDX-License-Identifier: MIT
"""The latency module: known delays are found again, where they are and nowhere else."""

import json
import math
import os
import socket
import statistics
import struct
import time

import pytest

from daemon import command
from netns import address_pair
from waiting import until

STACK = "wiregauge_stack_latency_seconds"
NETFILTER = "wiregauge_netfilter_latency_seconds"
QDISC = "wiregauge_qdisc_latency_seconds"
HOOKS = ("prerouting", "input", "forward", "output", "postrouting")
STAGES = {"udp": {"driver", "ip", "transport", "socket_queue", "socket_read"},
          "tcp": {"transport", "socket_queue", "socket_read", "device"}}
FAMILIES = {"4": (socket.AF_INET, "10.0.0.", "ip"), "6": (socket.AF_INET6, "fd00::", "ip6")}

SO_TIMESTAMPNS = 35  # <asm-generic/socket.h>
RULES = 10_000


@pytest.fixture
def pair(here, there):
    address_pair(here, there)
    here.number, there.number = 1, 2  # the ends of their addresses
    return here, there


@pytest.fixture
def latency(run):
    """Runs the module, which looks at the namespace of the test alone."""
    return lambda *options: run("--module=latency", *(
        word for option in ("own_netns=true", "sampling=always", *options)
        for word in ("--option", f"latency.{option}")))


# --- what was measured

class Histogram:
    """Of one name and some labels, all series together, since an earlier one."""

    def __init__(self, samples, name, **labels):
        self.count = samples.total(f"{name}_count", **labels)
        self.sum = samples.total(f"{name}_sum", **labels)
        self.buckets = {}
        for row, value in samples.select(f"{name}_bucket", **labels):
            bound = float(row["le"])
            self.buckets[bound] = self.buckets.get(bound, 0) + value

    def __sub__(self, before):
        self.count -= before.count
        self.sum -= before.sum
        self.buckets = {bound: value - before.buckets.get(bound, 0)
                        for bound, value in self.buckets.items()}
        return self

    def quantile(self, q):
        """The upper bound of the bucket that it is in, a power of two."""
        assert self.count
        return min(bound for bound, value in self.buckets.items() if value >= self.count * q)

    def median(self):
        return self.quantile(0.5)

    def agrees_with(self, seconds, q=0.5):
        """Whether a quantile that somebody else has measured is in the same bucket or the next."""
        return self.quantile(q) / 4 <= seconds <= self.quantile(q) * 2


def stack(samples, **labels):
    return Histogram(samples, STACK, **labels)


def hook(samples, name, version):
    return Histogram(samples, NETFILTER, hook=name, ip_version=version)


# --- traffic

def address_of(namespace, version):
    return f"{FAMILIES[version][1]}{namespace.number}"


def udp_pair(server_in, client_in, version):
    """Two datagram sockets that are connected to each other."""
    sockets = []
    for namespace in (server_in, client_in):
        with namespace.entered():
            sockets.append(socket.socket(FAMILIES[version][0], socket.SOCK_DGRAM))
        sockets[-1].settimeout(5)
        sockets[-1].bind((address_of(namespace, version), 0))
    server, client = sockets
    server.connect(client.getsockname()[:2])
    client.connect(server.getsockname()[:2])
    return server, client


def tcp_pair(server_in, client_in, version):
    with server_in.entered():
        listening = socket.create_server((address_of(server_in, version), 0),
                                         family=FAMILIES[version][0])
    with client_in.entered():
        client = socket.create_connection(listening.getsockname()[:2], timeout=5)
    with listening:
        server, _ = listening.accept()
    server.settimeout(5)
    return server, client


PAIRS = {"udp": udp_pair, "tcp": tcp_pair}


def exchange(server_in, client_in, version, protocol, count):
    """Questions and answers, read at once; how long each took."""
    server, client = PAIRS[protocol](server_in, client_in, version)
    took = []
    with server, client:
        for _ in range(count):
            began = time.monotonic()
            client.send(b"question")
            server.recv(100)
            server.send(b"answer")
            client.recv(100)
            took.append(time.monotonic() - began)
    return took


# --- everything is seen

@pytest.mark.parametrize("version", FAMILIES)
def test_each_stage_sees_each_packet(pair, latency, version):
    here, there = pair
    daemon = latency()
    for protocol in STAGES:
        exchange(here, there, version, protocol, 50)
    samples = daemon.scrape()
    seen = {(protocol, stage): stack(samples, protocol=protocol, stage=stage,
                                     ip_version=version).count
            for protocol in STAGES for stage in STAGES[protocol]}
    for stage in STAGES["udp"]:
        assert seen["udp", stage] == 50, stage
    # A connection's end is read as well; segments without data are no more than transport's.
    assert 50 <= seen["tcp", "socket_read"] <= 52 and 50 <= seen["tcp", "socket_queue"] <= 52
    assert seen["tcp", "transport"] >= 50 and seen["tcp", "device"] >= 51


def test_nothing_of_other_namespaces_where_that_is_asked_for(pair, latency, make_namespace):
    here, there = pair
    daemon = latency()
    there.ip("link set lo up")
    exchange(there, there, "4", "udp", 20)
    assert stack(daemon.scrape(), protocol="udp").count == 0
    exchange(here, there, "4", "udp", 20)
    assert stack(daemon.scrape(), protocol="udp", stage="socket_read").count == 20


def test_one_packet_of_some(pair, latency):
    here, there = pair
    daemon = latency("sample_mask=7")
    exchange(here, there, "4", "udp", 2000)
    for stage in STAGES["udp"]:
        # 250 expected; 8 standard deviations of 15 away
        assert 130 <= stack(daemon.scrape(), protocol="udp", stage=stage).count <= 370, stage


# --- labels that are asked for

def test_labels(pair, latency):
    here, there = pair
    daemon = latency("by_interface=true", "by_netns=true", "by_cgroup=true", "by_network=true",
                     "prefix=28", "prefix6=48")
    for version, network in ("4", "10.0.0.0"), ("6", "fd00::"):
        for protocol in STAGES:
            exchange(here, there, version, protocol, 10)
        samples = daemon.scrape()
        for protocol, stages in STAGES.items():
            for stage in stages:
                seen = stack(samples, protocol=protocol, stage=stage, ip_version=version,
                             interface="wire", netns=here.name, network=network)
                assert seen.count >= 10, (protocol, stage)
    sockets = [row for row, _ in samples.select(f"{STACK}_count", stage="socket_queue")]
    assert sockets and all(row["cgroup"].startswith("/") for row in sockets)
    assert {row["cgroup"] for row, _ in samples.select(f"{STACK}_count", stage="driver")} == {""}


def test_labels_that_are_not_asked_for(pair, latency):
    here, there = pair
    daemon = latency()
    exchange(here, there, "4", "udp", 10)
    assert {name for row, _ in daemon.scrape().select(f"{STACK}_count") for name in row} == {
        "direction", "stage", "protocol", "ip_version"}


def test_one_port(pair, latency):
    here, there = pair
    with udp_pair(here, there, "4")[0] as other:
        port = other.getsockname()[1]  # of nobody, later
    daemon = latency(f"port={port}")
    exchange(here, there, "4", "udp", 10)
    exchange(here, there, "4", "tcp", 10)
    assert stack(daemon.scrape()).count == 0
    with there.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        with here.entered():
            server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with server:
            server.settimeout(5)
            server.bind((address_of(here, "4"), port))
            client.sendto(b"hello", server.getsockname())
            server.recv(100)
    samples = daemon.scrape()
    assert {stage: stack(samples, stage=stage).count for stage in STAGES["udp"]} == {
        stage: 1 for stage in STAGES["udp"]}


@pytest.mark.parametrize("version", FAMILIES)
def test_one_network(pair, latency, version):
    """Of the stack, of netfilter and of queues: what is to or from it, and nothing else."""
    here, there = pair
    family, network, table = FAMILIES[version]
    add_chains(here, table)
    here.tc("qdisc add dev wire root tbf rate 1mbit burst 2000 limit 100000")
    more = {"4": ("10.0.1.1/24", "10.0.1.2/24"), "6": ("fd00:1::1/64 nodad", "fd00:1::2/64 nodad")}
    for namespace, address in zip(pair, more[version]):
        namespace.ip(f"address add {address} dev wire")
    daemon = latency("address=" + {"4": "10.0.1.0/24", "6": "fd00:1::/64"}[version])
    send_queued(here, there, family, f"{network}1", f"{network}2")
    samples = daemon.scrape()
    assert stack(samples).count == 0
    assert Histogram(samples, NETFILTER).count == 0
    assert Histogram(samples, QDISC).count == 0
    send_queued(here, there, family, *(address.split("/")[0] for address in more[version]))
    samples = daemon.scrape()
    for stage in STAGES["udp"]:
        assert stack(samples, protocol="udp", stage=stage).count == 20, stage
    # 2,000 bytes pass at once, and neighbours' questions may.
    assert 18 <= Histogram(samples, QDISC, kind="tbf").count <= 24
    for name in ("prerouting", "input", "output", "postrouting"):
        assert 20 <= hook(samples, name, version).count <= 26, name


def send_queued(here, there, family, near, far):
    """20 datagrams through the queue on the way out, and as many back."""
    with here.entered():
        ours = socket.socket(family, socket.SOCK_DGRAM)
    with there.entered():
        theirs = socket.socket(family, socket.SOCK_DGRAM)
    with ours, theirs:
        for sock, address in (ours, near), (theirs, far):
            sock.settimeout(5)
            sock.bind((address, 0))
        ours.connect(theirs.getsockname()[:2])
        theirs.connect(ours.getsockname()[:2])
        for _ in range(20):
            ours.send(bytes(900))
        for _ in range(20):
            theirs.recv(1000)
            theirs.send(b"answer")
            ours.recv(100)


def test_one_interface(pair, latency):
    """The other one is loopback."""
    here, there = pair
    here.ip("link set lo up")
    add_chains(here, "ip")
    daemon = latency("interface=wire")
    exchange(here, here, "4", "udp", 20)
    samples = daemon.scrape()
    assert stack(samples, protocol="udp").count == 0
    assert Histogram(samples, NETFILTER, ip_version="4").count == 0  # IPv6 looks for neighbours
    for protocol in STAGES:
        exchange(here, there, "4", protocol, 20)
    samples = daemon.scrape()
    for protocol, stages in STAGES.items():
        for stage in stages:
            assert stack(samples, protocol=protocol, stage=stage).count >= 20, (protocol, stage)
    for name in ("prerouting", "input", "output", "postrouting"):
        assert hook(samples, name, "4").count >= 40, name


def test_one_interface_that_comes_later(pair, latency):
    here, there = pair
    daemon = latency("interface=later")
    exchange(here, there, "4", "udp", 20)
    assert stack(daemon.scrape(), protocol="udp").count == 0
    here.ip("link set wire down")
    here.ip("link set wire name later up")

    def is_seen():
        exchange(here, there, "4", "udp", 5)
        return stack(daemon.scrape(), protocol="udp", stage="socket_read").count

    until(is_seen, 60, "seen at the interface of that name")


@pytest.mark.parametrize("value", ["10.0.0.0/33", "eth0", "2001:db8::/129", "10.0.0/8"])
def test_what_is_no_network(value):
    done = command("run", "--module=latency", "--option", f"latency.address={value}")
    assert done.returncode == 2
    assert f"takes an address or a network such as 192.0.2.0/24 or 2001:db8::/32, not '{value}'" \
        in done.stderr


# --- on the command line

def test_tables(pair, latency):
    here, there = pair
    daemon = latency()
    exchange(here, there, "4", "udp", 20)

    def table(*arguments):
        done = command("latency", "--control.socket", daemon.control, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    rows = json.loads(table("--json"))["rows"]
    counts = {(row["stage"], row["protocol"]): row["latency"]["count"] for row in rows}
    assert {stage: counts[stage, "udp"] for stage in STAGES["udp"]} == {
        stage: 20 for stage in STAGES["udp"]}
    assert "stage socket_read, protocol udp: 20 observed, p50" in table()


# --- a reader that sleeps

def read_timestamped(sock):
    """One datagram; how long ago it came by the kernel's timestamp, seconds."""
    _, [(_, _, stamp)], _, _ = sock.recvmsg(100, 64)
    seconds, nanoseconds = struct.unpack("qq", stamp)
    return time.clock_gettime_ns(time.CLOCK_REALTIME) / 1e9 - seconds - nanoseconds / 1e9


@pytest.mark.parametrize("version", FAMILIES)
def test_reader_that_sleeps_udp(pair, latency, version):
    here, there = pair
    daemon = latency()
    server, client = udp_pair(here, there, version)
    waited = []
    with server, client:
        server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for _ in range(20):
            client.send(b"hello")
            time.sleep(0.05)
            waited.append(read_timestamped(server))
    samples = daemon.scrape()
    check_only_reading_is_slow(samples, "udp", version, waited)
    read = stack(samples, protocol="udp", stage="socket_read", ip_version=version)
    assert read.sum == pytest.approx(sum(waited), rel=0.09)  # a native bucket's width


@pytest.mark.parametrize("version", FAMILIES)
def test_reader_that_sleeps_tcp(pair, latency, version):
    here, there = pair
    daemon = latency()
    server, client = tcp_pair(here, there, version)
    waited = []
    with server, client:
        for _ in range(20):
            sent = time.monotonic()
            client.send(b"hello")
            time.sleep(0.05)
            server.recv(100)
            waited.append(time.monotonic() - sent)
    check_only_reading_is_slow(daemon.scrape(), "tcp", version, waited)


def check_only_reading_is_slow(samples, protocol, version, waited):
    for stage in STAGES[protocol] - {"device"}:
        seen = stack(samples, protocol=protocol, stage=stage, ip_version=version,
                     direction="ingress")
        if stage == "socket_read":
            assert seen.count >= 20 and seen.agrees_with(statistics.median(waited))
            assert seen.median() > 0.05
        else:
            assert seen.median() < 0.05 / 4, stage


def test_datagrams_that_queue_up_are_each_as_old_as_they_are(pair, latency):
    """Ten in a row, then all are read: and looking at one (MSG_PEEK) is no reading."""
    here, there = pair
    daemon = latency()
    server, client = udp_pair(here, there, "4")
    waited = []
    with server, client:
        server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for _ in range(10):
            client.send(b"hello")
            time.sleep(0.02)
        server.recv(100, socket.MSG_PEEK)
        waited += [read_timestamped(server) for _ in range(10)]
    read = stack(daemon.scrape(), protocol="udp", stage="socket_read")
    assert read.count == 10
    assert read.sum == pytest.approx(sum(waited), rel=0.09)


# --- rules of a firewall

def add_chains(namespace, family, count=0, at="prerouting"):
    """A chain with one rule at each hook, and @count more at one of them."""
    lines = [f"table {family} t {{"]
    rule = {"ip": "ip saddr 192.0.{1}.{2}", "ip6": "ip6 saddr fd99::{0:x}"}[family]
    for name in HOOKS:
        lines += [f"chain {name} {{ type filter hook {name} priority 0;", "counter"]
        lines += [f"{rule.format(i, i >> 8, i & 255)} counter"
                  for i in range(count if name == at else 0)]
        lines += ["}"]
    namespace.run("nft", "-f", "-", input="\n".join([*lines, "}"]))


@pytest.mark.parametrize("version", FAMILIES)
def test_each_hook_of_netfilter(pair, latency, version):
    here, there = pair
    add_chains(here, FAMILIES[version][2])
    daemon = latency()
    exchange(there, here, version, "udp", 50)
    samples = daemon.scrape()
    for name in ("prerouting", "input", "output", "postrouting"):
        # Some more: IPv6's neighbours, and the scrape.
        assert 50 <= hook(samples, name, version).count <= 80, name
    assert hook(samples, "forward", version).count == 0


@pytest.mark.parametrize("version", FAMILIES)
def test_many_rules_in_one_hook(pair, latency, version):
    """They raise that hook and no other, by as much as an answer takes longer."""
    here, there = pair
    family = FAMILIES[version][2]
    add_chains(here, family)
    daemon = latency()
    # The fastest tenth, as a busy machine does other things meanwhile.
    without = statistics.quantiles(exchange(here, there, version, "udp", 200), n=10)[0]
    before = daemon.scrape()
    here.run("nft", "delete", "table", family, "t")
    add_chains(here, family, RULES)
    with_rules = statistics.quantiles(exchange(here, there, version, "udp", 200), n=10)[0]
    after = daemon.scrape()
    seen = {name: hook(after, name, version) - hook(before, name, version) for name in HOOKS}
    assert seen["prerouting"].agrees_with(with_rules - without, 0.1)
    assert seen["prerouting"].median() >= 8 * hook(before, "prerouting", version).median()
    for name in ("input", "output", "postrouting"):
        assert seen[name].median() <= seen["prerouting"].median() / 8, name


# --- a queue

@pytest.mark.parametrize("version", FAMILIES)
def test_token_bucket(pair, latency, version):
    """Datagrams that wait in a tbf are as late as their receiver finds them."""
    here, there = pair
    server, client = udp_pair(there, here, version)
    with server, client:
        server.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        here.tc("qdisc add dev wire root tbf rate 1mbit burst 2000 limit 100000")
        # Not what the kernel sends on its own account.
        daemon = latency(f"address={client.getsockname()[0]}")
        sent = []
        for _ in range(20):
            sent.append(time.time())
            client.send(bytes(900))
        late = []
        for when in sent:
            _, [(_, _, stamp)], _, _ = server.recvmsg(1000, 64)
            seconds, nanoseconds = struct.unpack("qq", stamp)
            late.append(seconds + nanoseconds / 1e9 - when)
    seen = Histogram(daemon.scrape(), QDISC, kind="tbf")
    assert seen.count == 20
    assert seen.agrees_with(statistics.median(late))
    assert seen.sum == pytest.approx(sum(late), rel=0.09)


def test_transmit_latency_has_the_queue_in_it(pair, latency):
    here, there = pair
    here.tc("qdisc add dev wire root tbf rate 2mbit burst 2000 limit 100000")
    daemon = latency()
    server, client = tcp_pair(there, here, "4")
    with server, client:
        client.sendall(bytes(100_000))
        received = 0
        while received < 100_000:
            received += len(server.recv(1 << 20))
    samples = daemon.scrape()
    queued = Histogram(samples, QDISC, kind="tbf")
    transmitted = stack(samples, stage="device", protocol="tcp", direction="egress")
    # 69 segments with data at least, though tbf got some of them together.
    assert 69 <= queued.count <= transmitted.count and queued.median() > 0.005
    assert transmitted.median() >= queued.median() / 2  # acknowledgements do not wait
    assert transmitted.sum >= queued.sum * 0.95


# --- softirqs

def test_softirqs_of_the_network(pair, latency):
    here, there = pair
    daemon = latency()
    exchange(here, there, "4", "udp", 200)
    samples = daemon.scrape()
    for name in ("wait", "run"):
        seen = Histogram(samples, f"wiregauge_softirq_{name}_seconds", softirq="net_rx")
        # One for each datagram, unless two came at once.
        assert seen.count >= 200 and 0 < seen.sum < 60


# --- clocks

CLOCK = struct.Struct("=qqIIII")  # struct latency_clock
HOUR = 3600 * 10**9


def write_clock(daemon, *values):
    from kernel import Map
    from bpf import check, lib
    clock = Map(daemon, "latency_clock")
    check(lib.bpf_map_update_elem(clock.fd, bytes(4), CLOCK.pack(*values), 0), clock.name)


def test_nothing_is_older_than_an_hour(pair, latency):
    """Where the clocks are not what they are taken for, nothing is measured, and no nonsense."""
    here, there = pair
    daemon = latency()
    netns = os.stat(here.path).st_ino
    for wrong in (2 * HOUR, -HOUR, 50 * 365 * 24 * HOUR, -50 * 365 * 24 * HOUR):
        offset = time.clock_gettime_ns(time.CLOCK_REALTIME) - time.monotonic_ns()
        write_clock(daemon, -wrong, offset + wrong, netns, 1, 0, 0)
        exchange(here, there, "4", "udp", 20)
    seen = stack(daemon.scrape(), direction="ingress")
    assert seen.buckets.get(math.inf, 0) == seen.count == 0


def test_clock_that_is_set(pair, latency):
    if "LAB_RESULTS" not in os.environ or os.environ["LAB_RESULTS"].endswith("/host"):
        pytest.skip("only in a guest: the clock of this machine is everybody's")
    here, there = pair
    daemon = latency()
    for step in (90, -90, 100_000, -100_000):
        before = stack(daemon.scrape(), protocol="udp", stage="socket_read")
        time.clock_settime(time.CLOCK_REALTIME, time.time() + step)

        def is_measured():
            exchange(here, there, "4", "udp", 5)
            return stack(daemon.scrape(), protocol="udp", stage="socket_read").count > before.count

        until(is_measured, 30, f"measured after a step of {step} s")
    exchange(here, there, "4", "udp", 50)
    seen = stack(daemon.scrape(), protocol="udp", stage="driver")
    # What was under way while it was set may be off by the step.
    assert seen.median() < 1
