# SPDX-License-Identifier: MIT
"""What the tcp module counts against what the kernel counts: nstat and ss."""

import collections
import errno
import functools
import json
import os
import queue
import re
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from daemon import BINARY, PATIENCE, PORT, Daemon, command
from kernel import bpftool
from left_out import tried_again
from netns import connect
from waiting import until

sys.path.insert(0, str(Path(__file__).parent))
from tcp_traffic import (  # noqa: E402
    CLIENT, SERVER, V4, V6, address, connect_at_once, converse, difference, exchange, listen,
    make_socket, no_rules, nstat, number, receive, refused, rules, ss, stream,
)

# Guests are emulated: fewer there.
CONNECTIONS = int(os.environ.get("TCP_CONNECTIONS", 10000 if PATIENCE == 1 else 1000))
FAMILIES = {"4": V4, "6": V6}


@pytest.fixture
def make_pair(make_namespace):
    """A client's and a server's namespace, with addresses."""
    def make():
        client, server = make_namespace(), make_namespace()
        connect(client, server)
        number(client, "wire", CLIENT)
        number(server, "wire", SERVER)
        return client, server

    return make


@pytest.fixture
def pair(make_pair):
    return make_pair()


@pytest.fixture
def start(run):
    return lambda: run("--module", "tcp", "--option", "tcp.by_netns=true",
                       "--option", "tcp.by_ip_version=true")


@pytest.fixture
def daemon(start):
    return start()


@pytest.fixture
def fresh(make_pair, start):
    """For left_out.py: another pair and another daemon, instead of the last."""
    daemons = []

    def make():
        for daemon in daemons:
            daemon.stop()
        pair = make_pair()
        daemons[:] = [start()]
        return pair, *daemons

    return make


class Seen:
    """What the daemon counts of a namespace."""

    def __init__(self, daemon, namespace, **labels):
        self.samples = daemon.scrape()
        self.labels = {"netns": namespace.name, **labels}

    def total(self, metric, **labels):
        return int(self.samples.total(f"wiregauge_tcp_{metric}", **self.labels, **labels))

    def counts(self):
        """{counter or number of observations and its own labels: value}"""
        found = collections.Counter()
        for name, labels, value in self.samples.rows:
            if name.startswith("wiregauge_tcp_") and self.labels.items() <= labels.items() and \
                    name.endswith(("_total", "_count")):
                own = {key: text for key, text in labels.items() if key not in self.labels}
                found[name.removeprefix("wiregauge_tcp_"), tuple(sorted(own.items()))] += value
        return found


def as_nstat(seen):
    """The kernel's counters as ours give them."""
    def retransmitted(*types):
        return sum(seen.total("retransmitted_segments_total", type=type_) for type_ in types)

    return {
        "TcpActiveOpens": seen.total("opened_connections_total", role="client") +
                          seen.total("failed_connections_total", role="client"),
        "TcpPassiveOpens": seen.total("opened_connections_total", role="server") +
                           seen.total("failed_connections_total", role="server"),
        "TcpAttemptFails": seen.total("failed_connections_total"),
        "TcpEstabResets": seen.total("broken_connections_total"),
        "TcpOutRsts": seen.total("resets_total", direction="sent"),
        "TcpRetransSegs": seen.total("retransmitted_segments_total"),
        "TcpExtTCPSynRetrans": retransmitted("syn", "synack"),
        "TcpExtTCPFastRetrans": retransmitted("fast"),
    }


def missed_runs(daemon):
    """{program: how often the kernel did not run it, as it ran already}"""
    shown = [bpftool("prog", "show", "id", number) for number in daemon.bpf_objects("prog")]
    return {row["name"]: row["recursion_misses"] for row in shown if row.get("recursion_misses")}


def compare(daemon, namespaces, before, but=()):
    """Ours and the kernel's own, @but some, come to be the same, once all is quiet. What the kernel
    counted."""
    for namespace in namespaces:
        def both():
            kernel = difference(nstat(namespace), before[namespace])
            ours = as_nstat(Seen(daemon, namespace))
            return ({name: value for name, value in ours.items() if name not in but},
                    {name: kernel[name] for name in ours if name not in but})

        def same():
            ours, theirs = both()
            return ours == theirs

        until(same, 10 * PATIENCE, lambda: f"{namespace.name}, ours and nstat's: {both()}; runs "
              f"that the kernel left out: {missed_runs(daemon)}")
    return [difference(nstat(namespace), before[namespace]) for namespace in namespaces]


@pytest.mark.parametrize("version", FAMILIES)
def test_many_connections(pair, daemon, version):
    client, server = pair
    before = {namespace: nstat(namespace) for namespace in pair}
    with listen(server, FAMILIES[version], SERVER, 7) as listening:
        for _ in range(CONNECTIONS // 2):
            converse(client, listening)
    compare(daemon, pair, before)
    seen = Seen(daemon, client, ip_version=version)
    n = CONNECTIONS // 2
    assert seen.total("opened_connections_total", role="client") == n
    assert seen.total("connect_latency_seconds_count", role="client") == n
    assert seen.total("connection_duration_seconds_count", role="client") == n
    # as ss counts: the SYN and the FIN are a byte each
    assert seen.total("bytes_total", direction="sent") == 102 * n
    assert seen.total("bytes_total", direction="received") == 1001 * n


@pytest.mark.parametrize("version", FAMILIES)
def test_refused(pair, daemon, version):
    client, server = pair
    before = {namespace: nstat(namespace) for namespace in pair}
    for _ in range(50):
        refused(client, FAMILIES[version], SERVER, 9)
    _, kernel = compare(daemon, pair[:1], before) + [difference(nstat(server), before[server])]
    seen = Seen(daemon, client, ip_version=version)
    assert seen.total("failed_connections_total", role="client", reason="ECONNREFUSED") == 50
    assert seen.total("resets_total", direction="received", reason="ECONNREFUSED") == 50
    assert seen.total("connect_latency_seconds_count") == 0
    assert kernel["TcpOutRsts"] == 50


@pytest.mark.parametrize("version", FAMILIES)
def test_reset(pair, daemon, version):
    client, server = pair
    before = {namespace: nstat(namespace) for namespace in pair}
    with listen(server, FAMILIES[version], SERVER, 7) as listening:
        for _ in range(50):
            converse(client, listening, reset=True)
    compare(daemon, pair, before)
    seen = Seen(daemon, client, ip_version=version)
    assert seen.total("resets_total", direction="received", reason="ECONNRESET") == 50
    assert seen.total("broken_connections_total", role="client") == 50
    seen = Seen(daemon, server, ip_version=version)
    assert seen.total("resets_total", direction="sent") == 50
    assert seen.total("broken_connections_total", role="server") == 50


@pytest.mark.parametrize("version", FAMILIES)
@tried_again
def test_timed_out(pair, daemon, version):
    client, server = pair
    before = {namespace: nstat(namespace) for namespace in pair}
    rules(server, "input", "tcp dport 9 drop")
    ends = connect_at_once(client, FAMILIES[version], SERVER, 9, 20, tries=1)
    assert ends == [errno.ETIMEDOUT] * 20
    kernel, _ = compare(daemon, pair, before)
    seen = Seen(daemon, client, ip_version=version)
    assert seen.total("failed_connections_total", role="client", reason="ETIMEDOUT") == 20
    assert seen.total("retransmitted_segments_total", type="syn") == kernel["TcpRetransSegs"] >= 20


# Half of 20, and of those that are sent again half of them.
TWICE = "numgen inc mod 1000 vmap {0-9 : drop, 20-24 : drop}"


@pytest.mark.parametrize("where", ["server", "client", "leaving"])
@pytest.mark.parametrize("version", FAMILIES)
@tried_again
def test_lost_handshakes(pair, daemon, version, where):
    """SYNs lost on their way in or out, or the answers to them."""
    client, server = pair
    before = {namespace: nstat(namespace) for namespace in pair}
    rules(*{
        "server": (server, "input", f"tcp dport 7 tcp flags & (syn | ack) == syn {TWICE}"),
        "client": (client, "input", f"tcp sport 7 tcp flags & (syn | ack) == (syn | ack) {TWICE}"),
        "leaving": (client, "output", f"tcp dport 7 tcp flags & (syn | ack) == syn {TWICE}"),
    }[where])
    with listen(server, FAMILIES[version], SERVER, 7) as listening:
        assert connect_at_once(client, FAMILIES[version], SERVER, 7, 20) == [0] * 20
        for _ in range(20):
            listening.accept()[0].close()
    kernel, _ = compare(daemon, pair, before)
    assert kernel["TcpRetransSegs"] >= 10
    seen = Seen(daemon, client, ip_version=version)
    assert seen.total("connect_latency_seconds_count", role="client") == 20
    assert slower_than(seen, "connect_latency_seconds", 0.5, role="client") >= 10
    seen = Seen(daemon, server, ip_version=version)
    assert seen.total("connect_latency_seconds_count", role="server") == 20
    if where == "client":
        assert seen.total("retransmitted_segments_total", type="synack") > 0
        assert slower_than(seen, "connect_latency_seconds", 0.5, role="server") >= 10


def slower_than(seen, histogram, seconds, **labels):
    """How many observations are above a bucket's bound."""
    return seen.total(histogram + "_count", **labels) - \
        seen.total(histogram + "_bucket", le=repr(seconds), **labels)


# By namespace and hook. What does not leave is sent again by the kernel as if it were for the first
# time; so there the packets lost are such that were lost on arrival before.
LARGE = "tcp dport 7 meta length > 500 numgen inc"
LOSSES = {
    "some on arrival": [(SERVER, "input", f"{LARGE} mod 30 0 drop")],
    "some on leaving": [(SERVER, "input", f"{LARGE} mod 30 0 drop"),
                        (CLIENT, "output", f"{LARGE} mod 7 0 drop")],
    "requests": [(SERVER, "input", "tcp dport 7 meta length 120-600 numgen inc mod 3 0 drop")],
    "acknowledgements": [(CLIENT, "input", "tcp sport 7 numgen inc mod 2 0 drop")],
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("version", FAMILIES)
def test_lost_data(pair, daemon, version, loss):
    client, server = pair
    before = {namespace: nstat(namespace) for namespace in pair}
    with listen(server, FAMILIES[version], SERVER, 7) as listening, \
            make_socket(client, FAMILIES[version]) as sock:
        sock.connect(listening.getsockname()[:2])
        with listening.accept()[0] as accepted:
            for host, hook, rule in LOSSES[loss]:
                rules(pair[host - 1], hook, rule)
            if loss.startswith("some"):
                stream(sock, accepted, 2 << 20)
            else:
                for _ in range(10):
                    exchange(sock, accepted, request=bytes(300))
            out_of_order = int(ss(server, 7).get("rcv_ooopack", 0))
            for host, _, _ in LOSSES[loss]:
                no_rules(pair[host - 1])
    # The kernel counts as fast only what it could send.
    but = ["TcpExtTCPFastRetrans"] if loss == "some on leaving" else []
    kernel, other = compare(daemon, pair, before, but)
    assert kernel["TcpRetransSegs"] + other["TcpRetransSegs"] > 0
    seen, ours = Seen(daemon, client, ip_version=version), Seen(daemon, server, ip_version=version)
    # nstat counts buffers, of which the socket's queue makes one out of several segments.
    assert ours.total("out_of_order_segments_total") == out_of_order >= other["TcpExtTCPOFOQueue"]
    # A probe may carry new data; then nothing is sent again. The kernel's count leaves out, like
    # that of the fast ones, what was lost before it left.
    assert loss == "some on leaving" or \
        seen.total("retransmitted_segments_total", type="tlp") <= kernel["TcpExtTCPLossProbes"]
    if loss == "some on arrival":
        assert seen.total("retransmitted_segments_total", type="fast") > 0
        assert out_of_order > 0


# --- sockets that are there: what the iterator finds, in the daemon's own namespace

OTHER = {"4": "6", "6": "4"}


@pytest.fixture(params=FAMILIES)
def version(request):
    """Of the connections that are looked at. Those that ask for metrics are of the other one."""
    return request.param


@pytest.fixture
def launch_here(launch, here, there, version):
    """Starts a daemon that is asked over the other version, in a namespace with a neighbour."""
    number(here, "wire", SERVER)
    number(there, "wire", CLIENT)
    here.sysctl("net/ipv6/conf/lo/disable_ipv6", 0)
    host = {"4": "127.0.0.1", "6": "::1"}[OTHER[version]]

    def start(*options):
        listen_at = {"4": "127.0.0.1", "6": "[::1]"}[OTHER[version]]
        daemon = launch("--module", "tcp", "--option", "tcp.by_netns=true",
                        "--option", "tcp.by_ip_version=true", *options,
                        listen=f"{listen_at}:{PORT}").wait_ready()
        daemon.connect = functools.partial(Daemon.connect, daemon, host)
        return daemon

    return start


def ss_states(namespace, version):
    """{state: how many} of `ss`."""
    states = collections.Counter(
        line.split()[0].lower().replace("-", "_")
        for line in namespace.run("ss", "-tanH", f"-{version}").splitlines())
    names = {"estab": "established", "fin_wait_1": "fin_wait1", "fin_wait_2": "fin_wait2"}
    return {names.get(state, state): count for state, count in states.items()}


def seen_states(daemon, namespace, version):
    seen = daemon.scrape().select("wiregauge_tcp_connections", netns=namespace.name,
                                  ip_version=version)
    return {labels["state"]: int(value) for labels, value in seen if value}


def sockets_of_all_states(here, there, family, stack):
    """Sockets in @here; each state comes a different number of times."""
    def connection():
        client = stack.enter_context(make_socket(there, family))
        client.connect(listening.getsockname()[:2])
        return stack.enter_context(listening.accept()[0]), client

    def after(count, change):
        for ours, theirs in [connection() for _ in range(count)]:
            change(ours, theirs)

    listening = stack.enter_context(listen(here, family, SERVER, 7))
    after(2, lambda ours, theirs: None)                         # established
    after(3, lambda ours, theirs: theirs.close())               # close_wait
    after(4, lambda ours, theirs: ours.close())                 # fin_wait2
    after(5, lambda ours, theirs: (ours.close(), theirs.close()))   # time_wait
    half_open(here, there, family, stack)
    pairs = [connection() for _ in range(8)]
    for ours, theirs in pairs[:5]:
        theirs.shutdown(socket.SHUT_WR)
        assert ours.recv(1) == b""
    rules(there, "input", "tcp sport 7 drop",
          "tcp sport 8 tcp flags & (syn | ack) == (syn | ack) drop")
    for ours, _ in pairs:
        ours.close()                                            # last_ack 5, fin_wait1 3
    for _, theirs in pairs[5:7]:
        theirs.close()                                          # two of these: closing


def half_open(here, there, family, stack):
    """6 in syn_recv, 7 in syn_sent."""
    stack.enter_context(listen(here, family, SERVER, 8))
    rules(there, "input", "tcp sport 8 tcp flags & (syn | ack) == (syn | ack) drop")
    rules(here, "output", "tcp dport 9 drop")
    for count, there_or_here, host, port in ((6, there, SERVER, 8), (7, here, CLIENT, 10)):
        for _ in range(count):
            sock = stack.enter_context(make_socket(there_or_here, family))
            sock.setblocking(False)
            sock.connect_ex((address(family, host), port))


def test_sockets_by_state(launch_here, here, there, version):
    daemon = launch_here()
    with ExitStack() as stack:
        rules(there, "input", "tcp dport 10 drop")
        sockets_of_all_states(here, there, FAMILIES[version], stack)

        def both():
            return seen_states(daemon, here, version), ss_states(here, version)

        until(lambda: len(set(map(str, map(sorted, map(dict.items, both()))))) == 1,
              20 * PATIENCE, lambda: f"ours and ss's: {both()}")
        seen, _ = both()
        assert len(seen) >= 8, seen


def test_live_connection(launch_here, here, there, version):
    """Bytes of a connection count while it is there, and it may be older than the daemon."""
    family = FAMILIES[version]
    with listen(here, family, SERVER, 7) as listening, make_socket(there, family) as client:
        client.connect(listening.getsockname()[:2])
        with listening.accept()[0] as accepted:
            exchange(client, accepted)
            daemon = launch_here()

            def bytes_seen():
                seen = Seen(daemon, here, ip_version=version)
                return [seen.total("bytes_total", direction=way) for way in ("received", "sent")]

            assert bytes_seen() == [0, 0]
            exchange(client, accepted, request=bytes(300), reply=bytes(5000))
            assert bytes_seen() == [300, 5000]
            exchange(client, accepted, request=bytes(300), reply=bytes(5000))
            acknowledged(here, 7)
            info = ss(here, 7)
            client.close()
            accepted.recv(1)
        # What it had carried before the start counts now: all that ss knows, and two FINs.
        until(lambda: bytes_seen() == [int(info["bytes_received"]) + 1,
                                       int(info["bytes_acked"]) + 1], 10 * PATIENCE, bytes_seen)
    seen = Seen(daemon, here, ip_version=version)
    assert seen.total("connection_duration_seconds_count", role="unknown") == 1


WITHOUT_CGROUPS = ("unshare", "-m", "sh", "-c", 'umount -l -a -t cgroup2; exec "$@"', "sh")


def test_root_cgroup_where_none_is_mounted(launch, here, there):
    """As under `ip netns exec`: ids have no paths then, but that of the root is always 1."""
    number(here, "wire", SERVER)
    number(there, "wire", CLIENT)
    daemon = launch("--module", "tcp", through=WITHOUT_CGROUPS).wait_ready()
    with listen(here, socket.AF_INET, SERVER, 7) as listening, \
            make_socket(there, socket.AF_INET) as client:
        client.connect(listening.getsockname()[:2])
        own = Path("/proc/self/cgroup").read_text(encoding="ascii").rpartition("0::")[2].strip()
        done = command("tcp", "--json", "--by", "cgroup", "--control.socket", daemon.control)
    (row,) = json.loads(done.stdout)["rows"]
    assert row["cgroup"] == "/" if own == "/" else row["cgroup"].startswith("unknown_cgroup_id:")


def acknowledged(namespace, port):
    until(lambda: "unacked" not in ss(namespace, port), 5 * PATIENCE, lambda: ss(namespace, port))


def test_closed_before_it_was_ever_read(launch_here, here, there, version):
    family = FAMILIES[version]
    with listen(here, family, SERVER, 7) as listening, make_socket(there, family) as client:
        client.connect(listening.getsockname()[:2])
        with listening.accept()[0] as accepted:
            exchange(client, accepted)
            daemon = launch_here()
            client.close()
            accepted.recv(1)

        def seen():
            found = Seen(daemon, here, ip_version=version)
            return (found.total("bytes_total", direction="received"),
                    found.total("bytes_total", direction="sent"),
                    found.total("connection_duration_seconds_count", role="unknown"))

        until(lambda: seen() == (101, 1001, 1), 10 * PATIENCE, seen)


def test_windows(launch_here, here, there, version):
    """Congestion window and slow start threshold, observed at each scrape."""
    family, daemon = FAMILIES[version], launch_here()
    with listen(here, family, SERVER, 7) as listening, make_socket(there, family) as client:
        client.connect(listening.getsockname()[:2])
        with listening.accept()[0] as accepted:
            rules(there, "input", "tcp sport 7 meta length > 500 numgen inc mod 30 0 drop")
            stream(accepted, client, 1 << 20)
            acknowledged(here, 7)
            info = ss(here, 7)
            sums = [observed_windows(daemon, here, version) for _ in range(2)]
    (cwnd, ssthresh), n = (sums[1][i] - sums[0][i] for i in range(2)), sums[1][2] - sums[0][2]
    assert (cwnd, ssthresh, n) == (int(info["cwnd"]), int(info["ssthresh"]), 1)
    (bound,) = (bound for bound, count in sums[1][3].items() if count > sums[0][3][bound])
    assert bound / 2 < cwnd <= bound


def observed_windows(daemon, namespace, version):
    seen = Seen(daemon, namespace, ip_version=version)
    return (seen.total("congestion_window_segments_sum"),
            seen.total("slow_start_threshold_segments_sum"),
            seen.total("congestion_window_segments_count"),
            observed(seen.samples, "congestion_window_segments", namespace, version))


def observed_rtt(daemon, namespace, version):
    return observed(daemon.scrape(), "rtt_seconds", namespace, version)


def observed(samples, metric, namespace, version):
    """{upper bound of bucket: observations}, without those of the buckets below."""
    seen = samples.select(f"wiregauge_tcp_{metric}_bucket", netns=namespace.name,
                          ip_version=version)
    below, found = 0, {}
    for bound, value in sorted((float(labels["le"]), value) for labels, value in seen):
        found[bound], below = value - below, value
    return found


@pytest.mark.parametrize("delay", [False, True])
def test_round_trip_times(launch_here, here, there, version, delay):
    """What is seen at a packet is what ss says then. With @delay the peer acknowledges late."""
    family, daemon = FAMILIES[version], launch_here("--option", "tcp.sampling=always")
    with listen(here, family, SERVER, 7) as listening, make_socket(there, family) as client:
        client.connect(listening.getsockname()[:2])
        with listening.accept()[0] as accepted:
            for _ in range(30):
                accepted.sendall(b"!")
                receive(client, 1)
                if delay:
                    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
                    acknowledged(here, 7)
                else:
                    client.sendall(b"?")
                    receive(accepted, 1)
            acknowledged(here, 7)
            rtt = float(ss(here, 7)["rtt"].split("/")[0]) / 1000
            before = observed_rtt(daemon, here, version)
            client.sendall(b"?")
            receive(accepted, 1)
            after = observed_rtt(daemon, here, version)
    grown = [bound for bound in after if after[bound] > before[bound]]
    assert len(grown) == 1
    # A bucket is as wide as its lower bound is high; one beside the right one is near enough.
    assert grown[0] / 4 < rtt <= grown[0] * 2
    assert (rtt > 0.02) == delay


def drops_by_port(namespace, port):
    """Of the listening sockets, as ss says."""
    text = namespace.run("ss", "-ltmnHO", "sport", "=", f":{port}")
    return sum(int(drops) for drops in re.findall(r"skmem:\(.*?,d(\d+)\)", text))


def test_listen_overflows(launch_here, here, there, version):
    """By port, when nobody accepts; also of a socket that is gone since."""
    family, daemon = FAMILIES[version], launch_here()
    before = nstat(here)
    ports = {7: 4, 8: 6}  # how many want to be accepted, by one who has place for two
    with ExitStack() as stack:
        listening = {port: stack.enter_context(listen(here, family, SERVER, port, backlog=1))
                     for port in ports}
        for port, count in ports.items():
            for _ in range(count):
                client = stack.enter_context(make_socket(there, family))
                client.setblocking(False)
                client.connect_ex((address(family, SERVER), port))

        def overflows(port):
            return Seen(daemon, here, ip_version=version).total("listen_overflows_total",
                                                                port=str(port))

        # A SYN is sent again after a second: some more of each.
        until(lambda: all(drops_by_port(here, port) > count for port, count in ports.items()),
              20 * PATIENCE, lambda: [drops_by_port(here, port) for port in ports])
        stack.callback(no_rules, here)
        rules(here, "input", "tcp dport { 7, 8 } drop")

        def both():
            return [(overflows(port), drops_by_port(here, port)) for port in ports]

        until(lambda: all(ours == theirs for ours, theirs in both()), 5 * PATIENCE, both)

        assert overflows("other") == 0

    def totals():
        seen, kernel = Seen(daemon, here, ip_version=version), difference(nstat(here), before)
        return (seen.total("listen_overflows_total") +
                Seen(daemon, here, ip_version="0", port="other").total("listen_overflows_total"),
                seen.total("listen_drops_total"),
                kernel["TcpExtListenOverflows"], kernel["TcpExtListenDrops"])

    def agree():
        ours, our_drops, overflows, drops = totals()
        return ours == overflows > 10 and our_drops == drops

    until(agree, 5 * PATIENCE, totals)  # the sockets are gone


def test_zero_windows(launch_here, here, there, version):
    """Windows that a reader who does not read closes."""
    family, daemon = FAMILIES[version], launch_here()

    def ours():
        return daemon.scrape().value("wiregauge_tcp_zero_window_total")

    def kernel():
        return nstat(here)["TcpExtTCPToZeroWindowAdv"]

    assert ours() == kernel()
    with listen(here, family, SERVER, 7) as listening, make_socket(there, family) as client:
        client.connect(listening.getsockname()[:2])
        with listening.accept()[0] as accepted:
            before = kernel()
            client.setblocking(False)
            until(lambda: send_some(client) and kernel() > before, 20 * PATIENCE, kernel)
            for _ in range(3):  # makes room, which is filled at once
                accepted.recv(1 << 22)
                send_some(client)
    until(lambda: ours() == kernel() > before, 5 * PATIENCE, lambda: (ours(), kernel()))


def send_some(sock):
    """As much as goes."""
    try:
        while True:
            sock.send(bytes(1 << 16))
    except BlockingIOError:
        return True


# --- wiregauge tcp

def table(daemon, namespace, *arguments):
    """Its rows about sockets of @namespace, as JSON has them."""
    done = command("tcp", "--json", "--control.socket", daemon.control, *arguments)
    assert done.returncode == 0, done.stderr
    return [row for row in json.loads(done.stdout)["rows"] if row["netns"] == namespace.name]


def test_table_of_connections(launch_here, here, there, version):
    """Each connection with what ss says of it, and the process."""
    family, daemon = FAMILIES[version], launch_here()
    with ExitStack() as stack:
        listening = stack.enter_context(listen(there, family, CLIENT, 7))
        client = stack.enter_context(make_socket(here, family))
        client.connect(listening.getsockname()[:2])
        accepted = stack.enter_context(listening.accept()[0])
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        exchange(client, accepted, request=bytes(20000))
        accepted.sendall(bytes(500))  # which is not read
        port = client.getsockname()[1]
        acknowledged(here, port)
        acknowledged(there, 7)
        (row,) = table(daemon, here, "--port", "7")
        info = ss(here, port)
    assert row["process"] == Path("/proc/self/comm").read_text().strip()
    assert int(row["pid"]) == os.getpid()
    assert (row["local"], row["peer"]) == (address(family, SERVER), address(family, CLIENT))
    assert (int(row["local_port"]), int(row["peer_port"])) == (port, 7)
    assert (row["role"], row["state"]) == ("client", "established")
    assert row["receive_queue"] == 500 and row["send_queue"] == 0
    assert row["cwnd"] == int(info["cwnd"])
    assert row["rtt"] == pytest.approx(float(info["rtt"].split("/")[0]) / 1000, abs=1e-6)
    assert row["min_rtt"] == pytest.approx(float(info["minrtt"]) / 1000, abs=1e-6)
    assert row["bytes"] == int(info["bytes_acked"])
    assert row["received"] == int(info["bytes_received"])


def test_table_of_servers(launch_here, here, there, version):
    """Who accepts is known by who listens; by process all of its connections are one row."""
    family, daemon = FAMILIES[version], launch_here()
    with ExitStack() as stack:
        listening = stack.enter_context(listen(here, family, SERVER, 7))
        for _ in range(3):
            client = stack.enter_context(make_socket(there, family))
            client.connect(listening.getsockname()[:2])
            exchange(client, stack.enter_context(listening.accept()[0]))
        rows = table(daemon, here, "--port", "7")
        assert [(row["role"], int(row["pid"])) for row in rows] == [("server", os.getpid())] * 3
        assert sum(row["received"] for row in rows) == 300


@contextmanager
def records(daemon):
    """Who looks at connections as they close: gives what reads one more line of JSON."""
    with subprocess.Popen([BINARY, "tcp", "closed", "--json", "--control.socket", daemon.control],
                          stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def test_records_of_closed_connections(launch_here, here, there, version):
    """Each connection as it ends, with what it was; also one that never was."""
    family, daemon = FAMILIES[version], launch_here()
    with records(daemon) as looking, listen(there, family, CLIENT, 7) as listening:
        def conversation():
            with make_socket(here, family) as client:
                client.connect(listening.getsockname()[:2])
                with listening.accept()[0] as accepted:
                    exchange(client, accepted)
                    found = client.getsockname()[1]
                    client.close()
                    assert accepted.recv(1) == b""
                    return found

        lines = queue.Queue()
        threading.Thread(target=lambda: [lines.put(json.loads(line)) for line in looking.stdout],
                         daemon=True).start()
        # Who looks is known to the programs a moment later.
        until(lambda: conversation() and not lines.empty(), 10 * PATIENCE, "a first record")
        port = conversation()
        refused(here, family, CLIENT, 9)
        seen = []

        def has(**fields):
            while not lines.empty():
                seen.append(lines.get())
            return [row for row in seen if row.get("netns") == here.name and
                    all(str(row.get(name)) == str(value) for name, value in fields.items())]

        (row,) = until(lambda: has(local_port=port), 10 * PATIENCE, lambda: seen)
        (failed,) = until(lambda: has(peer_port=9), 10 * PATIENCE, lambda: seen)
    assert (row["local"], row["peer"]) == (address(family, SERVER), address(family, CLIENT))
    assert (row["role"], row["error"], int(row["pid"])) == ("client", "-", os.getpid())
    assert (row["sent"], row["received"]) == (102, 1001)
    assert 0 < row["min_rtt"] <= row["duration"] < 10 * PATIENCE
    assert (failed["state"], failed["error"]) == ("syn_sent", "ECONNREFUSED")
