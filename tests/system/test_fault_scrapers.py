# SPDX-License-Identifier: MIT
"""Scrapes by the thousand, and scrapers that stop in the middle."""

import itertools
import os
import re
import signal
import subprocess
import sys

import pytest

from configs import LABEL, add_config
from daemon import PATIENCE, SANITIZED
from waiting import until

# The sanitizers keep what was freed for a while, so memory grows there; their own search for leaks
# at the end of each test says more.
SCRAPES = 1000 if SANITIZED or os.environ.get("VMTEST") else 10000
WARM_UP = SCRAPES // 20
GROWTH_KIB = 256  # 27 bytes a scrape; malloc's own pieces and the kernel's pages are in it

FORMATS = [
    "Accept: text/plain",
    "Accept: text/plain\r\nAccept-Encoding: gzip",
    "Accept: application/openmetrics-text;version=1.0.0",
    "Accept: application/openmetrics-text;version=1.0.0\r\nAccept-Encoding: gzip",
    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
    "encoding=delimited",
    "Accept: application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;"
    "encoding=delimited\r\nAccept-Encoding: gzip",
]
REQUESTS = [f"GET /metrics HTTP/1.1\r\nHost: localhost\r\n{format}\r\n\r\n".encode()
            for format in FORMATS]
LENGTH = re.compile(rb"^content-length: *(\d+)\r$", re.I | re.M)
TYPE = re.compile(rb"^content-type: *([^;\r]+)", re.I | re.M)


def memory_kib(daemon):
    """(resident, of these anonymous)"""
    with open(f"/proc/{daemon.pid}/status") as file:
        rows = dict(line.split(":") for line in file)
    return tuple(int(rows[name].split()[0]) for name in ("VmRSS", "RssAnon"))


class Client:
    """Asks again and again over one connection."""

    def __init__(self, daemon):
        self.sock = daemon.connect()
        self.types = set()

    def scrape(self, request):
        self.sock.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive(1 << 16)
        head, body = data.split(b"\r\n\r\n", 1)
        head += b"\r\n"
        assert head.startswith(b"HTTP/1.1 200 "), head
        missing = int(LENGTH.search(head)[1]) - len(body)
        while missing > 0:
            missing -= len(self._receive(missing))
        self.types.add(TYPE.search(head)[1])

    def _receive(self, size):
        data = self.sock.recv(size)
        assert data, "the daemon closed the connection"
        return data


def test_memory_stays_flat(here, there, run):
    daemon = run()
    client = Client(daemon)
    requests = itertools.cycle(REQUESTS)
    for number in range(SCRAPES):
        if number == WARM_UP:
            before = memory_kib(daemon)
        client.scrape(next(requests))
    after = memory_kib(daemon)
    assert client.types == {b"text/plain", b"application/openmetrics-text",
                            b"application/vnd.google.protobuf"}
    print(f"{SCRAPES} scrapes: resident {before[0]} → {after[0]} KiB, "
          f"anonymous {before[1]} → {after[1]} KiB")
    assert SANITIZED or after[1] - before[1] < GROWTH_KIB
    assert daemon.complaints() == []


# --- scrapers that stop

# Says "mid" once it has a part of the body; goes on reading when it is let to.
SCRAPER = """
import socket, sys
sock = socket.create_connection(("127.0.0.1", 9435))
sock.sendall(b"GET /metrics HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
data = sock.recv(1000)
print("mid", flush=True)
sys.stdin.readline()
try:
    while more := sock.recv(1 << 16):
        data += more
except ConnectionError:
    pass
sys.stdout.buffer.write(data)
"""
WIDE = ("metrics: {counters: [{name: wide_total, help: x, "
        f"labels: [{LABEL % ('number', 4)}]}}]}}\n")
WIDE_LINES = 40000


@pytest.fixture
def stopped_scrapers(here, cleanup):
    """Starts scrapers, each with a page of its own, and stops them in the middle of it."""

    def start(count):
        scrapers = []
        for _ in range(count):
            with here.entered():
                scraper = subprocess.Popen([sys.executable, "-c", SCRAPER], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE)
            cleanup.enter_context(scraper)
            cleanup.callback(scraper.kill)
            assert scraper.stdout.readline() == b"mid\n"
            scraper.send_signal(signal.SIGSTOP)
            scrapers.append(scraper)
        return scrapers

    return start


def go_on(scraper):
    scraper.send_signal(signal.SIGCONT)
    head, body = scraper.communicate(b"\n")[0].split(b"\r\n\r\n", 1)
    return int(LENGTH.search(head + b"\r\n")[1]), body


@pytest.fixture
def daemon(here, run, folder):
    """One whose page does not fit into the buffers of a connection."""
    for name in ("rmem", "wmem"):
        here.sysctl(f"net/ipv4/tcp_{name}", "4096 16384 65536")
    add_config(folder, "fault", WIDE, "tests/system/fault")
    return run("--config.dir", folder)


def is_whole(page):
    return page.count(b"\nebpf_exporter_wide_total{") == WIDE_LINES


def test_suspended_scrapers_hurt_nobody(here, daemon, stopped_scrapers):
    scrapers = stopped_scrapers(5)
    for _ in range(20):
        status, _, page = daemon.request()
        assert status == 200 and is_whole(page)
    here.ip("link add late type veth peer name other")
    until(lambda: "late" in daemon.attached(), 5 * PATIENCE, "an interface is attached")
    # Each has its page to the end, or sees that it has not: the connection was closed before that.
    for scraper in scrapers:
        promised, body = go_on(scraper)
        assert body.startswith(b"# HELP ")
        assert len(body) < promised or (len(body) == promised and is_whole(body))
    assert is_whole(daemon.request()[2])


def test_ends_while_scrapers_are_suspended(daemon, stopped_scrapers):
    stopped_scrapers(5)
    assert daemon.stop() < 2 * PATIENCE
