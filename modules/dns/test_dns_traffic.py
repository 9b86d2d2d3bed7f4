# SPDX-License-Identifier: MIT
"""Real servers and clients: what is counted, against the server's own statistics and tshark."""

import collections
import json
import os
import random
import re
import socket
import struct
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from itertools import zip_longest
from pathlib import Path

import pytest
from daemon import BINARY, PATIENCE, command
from netns import address_pair, connect
from waiting import until, until_stable

sys.path.insert(0, str(Path(__file__).parent))
from nsd import Nsd  # noqa: E402

QUERIES = 10_000 if PATIENCE == 1 else 1_000
TYPES = {"A": 1, "MX": 15, "TXT": 16, "AAAA": 28}
RCODES = {"NOERROR": 0, "NXDOMAIN": 3, "REFUSED": 5}
NAMES = {
    "NOERROR": ["example.co.uk", "www.example.co.uk", "WWW.Example.CO.UK"],
    "NXDOMAIN": ["nobody.example.co.uk", "a.b.c.d.example.co.uk",
                 ".".join(["x" * 63] * 3 + ["y" * 47]) + ".example.co.uk"],
    "REFUSED": ["www.example.org", "example.net"],
}
DOMAINS = {"example.co.uk", "example.org", "example.net"}


class Capture:
    """What tshark reads in the traffic of @device meanwhile."""

    FIELDS = ("dns.flags.response", "dns.flags.rcode", "dns.qry.type", "dns.qry.name", "dns.time",
              "dns.id")

    def __init__(self, namespace, device, path):
        self.namespace, self.device, self.path = namespace, device, path

    def __enter__(self):
        with self.namespace.entered():
            self.process = subprocess.Popen(
                ["dumpcap", "-q", "-i", self.device, "-B", "64", "-f", "port 53", "-w", self.path],
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        until(lambda: self.path.exists() and self.path.stat().st_size > 0, 10 * PATIENCE,
              "dumpcap captures")
        return self

    def __exit__(self, *exception):
        # What is in its buffer it forgets at the end.
        until_stable(lambda: self.path.stat().st_size, 20 * PATIENCE, quiet=1)
        self.process.terminate()
        self.said = self.process.communicate()[1]

    def read(self):
        """A dict of FIELDS for each message."""
        assert re.search(r"dropped on interface '\S+': \d+/0 ", self.said), self.said
        done = subprocess.run(
            ["tshark", "-r", self.path, "-Y", "dns", "-T", "fields", "-E", "separator=/t",
             "-E", "occurrence=a", *(word for f in self.FIELDS for word in ("-e", f))],
            capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            # Several messages in one segment: as many values, but of fields that queries lack.
            for values in zip_longest(*(column.split(",") for column in line.split("\t"))):
                yield dict(zip(self.FIELDS, values))


def wire(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def make_query(number, name, qtype):
    header = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0)
    return header + wire(name) + struct.pack("!HH", TYPES[qtype], 1)


def script(count, seed=1, first=0):
    """Queries in a row that is always the same: (id, message, rcode, type, name)."""
    dice = random.Random(seed)
    for i in range(first, first + count):
        rcode, qtype = dice.choice(list(RCODES)), dice.choice(list(TYPES))
        name = dice.choice(NAMES[rcode])
        number = i * 40503 & 0xFFFF  # an odd factor: no two are alike
        yield number, make_query(number, name, qtype), rcode, qtype, name


def ask_udp(namespace, address, queries, window=32, lost=lambda message: False):
    """Asks all, and waits for the responses to those that are not @lost."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespace.entered(), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((address, 53))
        sock.settimeout(10 * PATIENCE)
        for at in range(0, len(queries), window):
            part = queries[at:at + window]
            for message in part:
                sock.send(message)
            for _ in range(sum(not lost(message) for message in part)):
                sock.recv(4096)


def read_exactly(sock, size):
    data = b""
    while len(data) < size:
        data += sock.recv(size - len(data)) or pytest.fail("the server closed the connection")
    return data


def ask_tcp(namespace, address, queries, window=16):
    """The same over a connection for every 100, several messages in a segment."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for start in range(0, len(queries), 100):
        with namespace.entered(), socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.settimeout(10 * PATIENCE)
            sock.connect((address, 53))
            for at in range(start, min(start + 100, len(queries)), window):
                part = queries[at:min(at + window, start + 100)]
                sock.sendall(b"".join(struct.pack("!H", len(m)) + m for m in part))
                for _ in part:
                    read_exactly(sock, *struct.unpack("!H", read_exactly(sock, 2)))


@pytest.fixture
def pair(here, make_namespace):
    there = make_namespace()
    connect(here, there, offloads="on")
    address_pair(here, there)
    return here, there


@pytest.fixture
def serve(cleanup, tmp_path):
    return lambda namespace: cleanup.enter_context(
        Nsd(namespace, tmp_path / f"nsd-{namespace.name}"))


def sides(here, there):
    """{role of here: (who asks, who answers, number of the address of who answers)}"""
    return {"client": (here, there, 2), "server": (there, here, 1)}


def counts(samples, name, role, label):
    """{value of a label: number} of what is not 0"""
    found = collections.Counter()
    for labels, value in samples.select(name, role=role):
        found[labels[label]] += int(value)
    return {key: value for key, value in found.items() if value}


def by(rows):
    return dict(collections.Counter(rows))


def total(samples, what, role):
    return int(samples.value(f"wiregauge_dns_{what}_total", role=role))


STRAYS = ("unmatched_responses", "retransmitted_queries", "untracked_queries",
          "unreadable_messages", "uncounted_responses")


def check_strays(samples, role, **expected):
    for what in STRAYS:
        assert total(samples, what, role) == expected.get(what, 0), what


def check_role(samples, role, asked):
    """All queries of the script @asked have been answered, and are counted so."""
    responses = by(rcode for _, _, rcode, _, _ in asked)
    assert counts(samples, "wiregauge_dns_queries_total", role, "qtype") == by(q[3] for q in asked)
    assert set(counts(samples, "wiregauge_dns_queries_total", role, "domain")) == DOMAINS
    assert counts(samples, "wiregauge_dns_responses_total", role, "rcode") == responses
    assert counts(samples, "wiregauge_dns_latency_seconds_count", role, "rcode") == responses
    assert counts(samples, "wiregauge_dns_timeouts_total", role, "server") == {}
    check_strays(samples, role)


def check_latencies(samples, role, seconds):
    """The cumulative buckets are those of @seconds, each of which may be off by one native bucket
    and the time that a packet takes from our hook to the capture's; one in a hundred by more, as
    something else may run between the two."""
    slack, width, apart = len(seconds) // 100 + 1, 2 ** (1 / 8), 10e-6 * PATIENCE
    bounds = collections.Counter()
    for labels, value in samples.select("wiregauge_dns_latency_seconds_bucket", role=role):
        bounds[float(labels["le"])] += int(value)
    assert len(bounds) > 15
    for bound, count in bounds.items():
        least = sum(s * width + apart <= bound for s in seconds)
        most = sum(s <= bound * width + apart for s in seconds)
        assert least - slack <= count <= most + slack, (bound, least, count, most)


def ask_all_ways(asks, number, messages):
    """UDP and TCP, IPv4 and IPv6."""
    half, most = len(messages) // 2, len(messages) * 9 // 10
    ask_udp(asks, f"10.0.0.{number}", messages[:half])
    ask_udp(asks, f"fd00::{number}", messages[half:most])
    ask_tcp(asks, f"10.0.0.{number}", messages[most:(most + len(messages)) // 2])
    ask_tcp(asks, f"fd00::{number}", messages[(most + len(messages)) // 2:])


def check_server(samples, role, said):
    """@said: its statistics."""
    ways = ("num.udp", "num.udp6", "num.tcp", "num.tcp6")
    assert [said[way] for way in ways] == [QUERIES // 2, QUERIES * 2 // 5, QUERIES // 20,
                                           QUERIES // 20]
    assert {rcode: said[f"num.rcode.{rcode}"] for rcode in RCODES} == counts(
        samples, "wiregauge_dns_responses_total", role, "rcode")
    assert {qtype: said[f"num.type.{qtype}"] for qtype in TYPES} == counts(
        samples, "wiregauge_dns_queries_total", role, "qtype")


def check_capture(samples, role, asked, seen):
    """@seen: the messages on the wire."""
    responses = [row for row in seen if row["dns.flags.response"] == "1"]
    assert len(responses) == len(seen) - len(responses) == QUERIES
    assert by(int(row["dns.flags.rcode"]) for row in responses) == by(
        RCODES[query[2]] for query in asked)
    assert by(int(row["dns.qry.type"]) for row in seen if row["dns.flags.response"] == "0") == by(
        TYPES[query[3]] for query in asked)
    check_latencies(samples, role, [float(row["dns.time"]) for row in responses])


def test_a_real_server(pair, run, serve, tmp_path):
    """One at each end, that the other end asks; counts as the server has them, times as tshark."""
    here, there = pair
    ends = sides(here, there)
    servers = {role: serve(answers) for role, (_, answers, _) in ends.items()}
    daemon = run("--module", "dns")
    asked = {role: list(script(QUERIES, seed, first=seed * QUERIES))
             for seed, role in enumerate(ends)}
    with Capture(here, "wire", tmp_path / "pcap") as capture:
        for role, (asks, _, number) in ends.items():
            ask_all_ways(asks, number, [query[1] for query in asked[role]])
            samples = daemon.scrape()
            later = {"client": "server"}.get(role)
            assert not later or samples.total("wiregauge_dns_queries_total", role=later) == 0
    seen = list(capture.read())
    for role, (_, _, number) in ends.items():
        check_role(samples, role, asked[role])
        assert set(counts(samples, "wiregauge_dns_latency_seconds_count", role, "server")) == {
            f"10.0.0.{number}", f"fd00::{number}"}
        check_server(samples, role, servers[role].statistics())
        ids = {query[0] for query in asked[role]}
        check_capture(samples, role, asked[role],
                      [row for row in seen if int(row["dns.id"], 0) in ids])
    assert len(seen) == 4 * QUERIES


def test_one_in_twenty_is_dropped(pair, run, serve):
    """By nftables at the server, which counts them; the client does not ask again."""
    here, there = pair
    server = serve(there)
    asked = list(script(QUERIES))
    lost = {query[0] for query in asked[7::20]}
    there.run("nft", "-f", "-", input=f"""
        table inet t {{
            counter lost {{}}
            set lost {{ typeof @th,64,16; elements = {{ {", ".join(map(str, lost))} }} }}
            chain input {{
                type filter hook input priority 0;
                udp dport 53 @th,64,16 @lost counter name lost drop
            }}
        }}""")
    # Longer than any answer takes, also of a server that has to wait for a CPU.
    daemon = run("--module", "dns", "--option", "dns.timeout_ms=5000")
    ask_udp(here, "fd00::2", [query[1] for query in asked],
            lost=lambda message: struct.unpack_from("!H", message)[0] in lost)
    dropped = int(re.search(r"packets (\d+)", there.run("nft", "list", "counters"))[1])
    assert dropped == len(lost) == QUERIES // 20
    assert server.statistics()["num.udp6"] == QUERIES - dropped

    def timeouts():
        return counts(daemon.scrape(), "wiregauge_dns_timeouts_total", "client", "server")

    until(lambda: timeouts() == {"fd00::2": dropped}, 10 * PATIENCE,
          lambda: f"{dropped} timeouts, not {timeouts()}")
    samples = daemon.scrape()
    responses = counts(samples, "wiregauge_dns_responses_total", "client", "rcode")
    assert responses == by(query[2] for query in asked if query[0] not in lost)
    assert counts(samples, "wiregauge_dns_queries_total", "client", "qtype") == by(
        query[3] for query in asked)
    check_strays(samples, "client")


class Records:
    """What `wiregauge dns queries --json` shows."""

    def __init__(self, process):
        self.process, self.rows = process, []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.rows.append(json.loads(line))

    def named(self, *names):
        return [row for row in self.rows if row["name"] in names]

    def wait_for(self, count, without):
        def those():
            return [row for row in list(self.rows) if row["name"] != without]
        until(lambda: len(those()) >= count, 10 * PATIENCE,
              lambda: f"{count} records, not {len(those())}")
        return those()


@contextmanager
def looking(daemon, ask):
    """Looks at queries; @ask asks for ready.example. until that is seen."""
    arguments = (BINARY, "dns", "queries", "--json", "--control.socket", daemon.control)
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        try:
            records = Records(process)
            until(lambda: ask() or records.rows, 10 * PATIENCE, "a first record")
            yield records
        finally:
            process.terminate()


def table(daemon, *arguments):
    """Without what stands for those that a map has no room for, as long as there are none."""
    done = command("table", "dns", *arguments, "--json", "--control.socket", daemon.control)
    assert done.returncode == 0, done.stderr
    return [row for row in json.loads(done.stdout)["rows"]
            if "other" not in (row.get("domain"), row.get("server"), row.get("process"))]


READY = make_query(0xFFFF, "ready.example", "A")
OURSELVES = Path("/proc/self/comm").read_text().strip()


def test_records_of_queries(pair, run, serve, tmp_path):
    """Each query of the script, with the process that asks, or at a server answers; each latency
    within a bucket of tshark's."""
    here, there = pair
    for namespace in pair:
        serve(namespace)
    daemon = run("--module", "dns")
    # Of many in one segment the last is told after all others were, which the capture does not see.
    ways = {"udp": ask_udp, "tcp": partial(ask_tcp, window=4)}
    places = [(role, asks, protocol, address.format(number))
              for role, (asks, _, number) in sides(here, there).items()
              for protocol in ways for address in ("10.0.0.{}", "fd00::{}")]
    asked = list(script(100 * len(places), seed=2))
    with looking(daemon, lambda: ask_udp(here, "10.0.0.2", [READY])) as records:
        with Capture(here, "wire", tmp_path / "pcap") as capture:
            for i, (_, asks, protocol, address) in enumerate(places):
                ways[protocol](asks, address, [q[1] for q in asked[i * 100:i * 100 + 100]])
        rows = records.wait_for(len(asked), without="ready.example")
    seen = {int(row["id"]): row for row in rows}
    assert len(seen) == len(rows) == len(asked)
    for i, query in enumerate(asked):
        role, _, *place = places[i // 100]
        check_record(seen[query[0]], query, role, place)
    times = {int(row["dns.id"], 0): float(row["dns.time"]) for row in capture.read()
             if row["dns.time"]}
    for role in sides(here, there):
        check_each_latency({number: row for number, row in seen.items() if row["role"] == role},
                           times)
    assert {int(row["pid"]) for row in rows
            if (row["role"], row["protocol"]) == ("client", "udp")} == {os.getpid()}
    check_processes(daemon)


def check_record(row, query, role, place):
    _, _, rcode, qtype, name = query
    assert (row["role"], [row["protocol"], row["server"]]) == (role, place)
    assert (row["name"], row["qtype"], row["rcode"]) == (name.lower(), qtype, rcode)
    assert row["interface"] == "wire" and row["client_port"] != "53"
    if row["protocol"] == "udp":
        assert row["process"] == (OURSELVES if role == "client" else "nsd: server 1")


def check_each_latency(seen, times):
    """But for one in ten: something ran between the two hooks, ours and the capture's, as happens
    to one in twenty on a loaded machine; on an emulated one, to one in eight, one in four."""
    width, apart = 2 ** (1 / 8), 10e-6 * PATIENCE
    far = [(row["latency"], times[number]) for number, row in seen.items()
           if not times[number] / width - apart <= row["latency"] <= times[number] * width + apart]
    assert len(far) <= len(seen) // (10 if PATIENCE == 1 else 4), far


def check_processes(daemon):
    """By process, and all of them together."""
    rows = {row["process"]: int(row["queries"]) for row in table(daemon, "processes")}
    total = daemon.scrape().total("wiregauge_dns_queries_total", role="client")
    assert sum(rows.values()) == total
    assert rows[OURSELVES] > 0.95 * total, rows
    assert not set(rows) - {OURSELVES, "unknown"}


def test_records_of_odd_names(pair, run, cleanup):
    """As RFC 4343 writes them; what a terminal would take for a command is no exception."""
    daemon = run("--module", "dns", "--option", "dns.timeout_ms=3600000")
    server = Answerer(*pair, cleanup)
    longest = wire(".".join(["x" * 63] * 3 + ["y" * 61]))
    names = {
        b"\3a.b\1\\\4\x1b[0m\0": "a\\.b.\\\\.\\027[0m",
        b"\2\xff \0": "\\255\\032",
        b"\0": ".",
        longest: ".".join(["x" * 63] * 3 + ["y" * 61]),
        b"\xc0\x0c": "(unreadable)",
        wire("www.example.com")[:-3]: "(unreadable)",
    }
    assert len(longest) == 255
    with looking(daemon, lambda: server.exchange(READY)) as records:
        for number, name in enumerate(names):
            server.exchange(struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + name + b"\0\1\0\1")
        server.exchange(struct.pack("!6H", 99, 0x0100, 0, 0, 0, 0))
        rows = records.wait_for(len(names) + 1, without="ready.example")
    assert [row["name"] for row in rows] == [*names.values(), "(none)"]


def test_records_of_timeouts(pair, run, cleanup):
    """They are told, also while nobody reads metrics."""
    daemon = run("--module", "dns", "--option", "dns.timeout_ms=300")
    server = Answerer(*pair, cleanup)
    with looking(daemon, lambda: server.exchange(READY)) as records:
        server.ask(1)
        until(lambda: records.named("www.example.com"), 10 * PATIENCE, "the timeout")
    (row,) = records.named("www.example.com")
    assert (row["rcode"], row["process"], row["role"]) == ("timeout", OURSELVES, "client")
    assert row["latency"] > 0.3


def test_tables(pair, run, serve):
    """The command line shows what the metrics say."""
    here, there = pair
    serve(there)
    daemon = run("--module", "dns")
    asked = list(script(200))
    ask_udp(here, "10.0.0.2", [query[1] for query in asked])
    domains = {row["domain"]: int(row["queries"]) for row in table(daemon, "domains")}
    assert domains == counts(daemon.scrape(), "wiregauge_dns_queries_total", "client", "domain")
    servers = table(daemon, "dns", "--by", "rcode")
    assert {row["rcode"] for row in servers} == set(RCODES)
    assert {row["server"] for row in servers} == {"10.0.0.2"}
    assert table(daemon, "timeouts") == []
    check_processes(daemon)


def test_loopback(here, run, serve):
    """Each message passes twice, and counts once for each end."""
    serve(here)
    daemon = run("--module", "dns")
    asked = list(script(200))
    ask_udp(here, "127.0.0.1", [query[1] for query in asked[:100]])
    ask_tcp(here, "127.0.0.1", [query[1] for query in asked[100:]])
    samples = daemon.scrape()
    for role in ("client", "server"):
        check_role(samples, role, asked)


@pytest.mark.parametrize("role", ["client", "server"])
def test_stacked_interfaces(pair, run, serve, role):
    """A bridge over a veth: each message passes both, and counts once."""
    here, there = pair
    asks, answers, number = (here, there, 2) if role == "client" else (there, here, 1)
    here.ip("link add name bridge type bridge")
    here.ip("link set wire master bridge")
    here.ip("link set bridge up")
    for namespace, end, device in ((here, 1, "bridge"), (there, 2, "wire")):
        namespace.ip(f"address add 10.0.7.{end}/24 dev {device}")
    serve(answers)
    daemon = run("--module", "dns")
    until(lambda: daemon.attached() >= {"wire", "bridge"}, 5 * PATIENCE, "attached to both")
    asked = list(script(200))
    ask_udp(asks, f"10.0.7.{number}", [query[1] for query in asked[:100]])
    ask_tcp(asks, f"10.0.7.{number}", [query[1] for query in asked[100:]])
    samples = daemon.scrape()
    check_role(samples, role, asked)
    other = "server" if role == "client" else "client"
    assert samples.total("wiregauge_dns_queries_total", role=other) == 0


class Answerer:
    """A server at 10.0.0.2 that answers when it is told to, and a client of it."""

    def __init__(self, here, there, cleanup):
        with there.entered():
            self.server = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        with here.entered():
            self.client = cleanup.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self.server.bind(("10.0.0.2", 53))
        self.client.connect(("10.0.0.2", 53))
        for sock in (self.server, self.client):
            sock.settimeout(5 * PATIENCE)

    def ask(self, number):
        self.send(make_query(number, "www.example.com", "A"))

    def send(self, message):
        self.client.send(message)
        self.query, self.asker = self.server.recvfrom(512)

    def exchange(self, message):
        self.send(message)
        self.answer()

    def answer(self):
        self.server.sendto(self.query[:2] + b"\x81\x80" + self.query[4:], self.asker)
        self.client.recv(512)


def test_asked_again(pair, run, cleanup):
    daemon = run("--module", "dns", "--option", "dns.timeout_ms=3600000")
    server = Answerer(*pair, cleanup)
    server.ask(1)
    server.ask(1)
    server.answer()
    server.answer()
    samples = daemon.scrape()
    assert counts(samples, "wiregauge_dns_queries_total", "client", "domain") == {"example.com": 2}
    assert counts(samples, "wiregauge_dns_responses_total", "client", "rcode") == {"NOERROR": 1}
    assert counts(samples, "wiregauge_dns_timeouts_total", "client", "server") == {}
    check_strays(samples, "client", retransmitted_queries=1, unmatched_responses=1)


def test_answered_too_late(pair, run, cleanup):
    daemon = run("--module", "dns", "--option", "dns.timeout_ms=1")
    server = Answerer(*pair, cleanup)
    server.ask(1)

    def timeouts():
        return counts(daemon.scrape(), "wiregauge_dns_timeouts_total", "client", "server")

    until(lambda: timeouts() == {"10.0.0.2": 1}, 10 * PATIENCE, "the timeout")
    server.answer()
    samples = daemon.scrape()
    assert counts(samples, "wiregauge_dns_responses_total", "client", "rcode") == {}
    check_strays(samples, "client", unmatched_responses=1)
