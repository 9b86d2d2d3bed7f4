# SPDX-License-Identifier: MIT
"""Who reads large pages slowly keeps nobody from getting theirs, and does not fill the memory."""

import re
import socket
from contextlib import ExitStack

import pytest

from configs import add_config, u32
from daemon import PATIENCE, SANITIZED
from exposition import CONTENT_TYPES
from kernel import Map
from test_formats import MANIFEST, PREFIX
from waiting import until

SERIES = 40000  # some 5 MB as text
READERS = 40    # so that their pages are three times what slow readers may hold


@pytest.fixture
def daemon(folder, run_configs):
    add_config(folder, "formats", MANIFEST, "tests/system/formats")
    daemon = run_configs()
    target = Map(daemon, "texts_total")
    for number in range(SERIES):
        target.write(b"x" * 64 + u32(number), number)
    return daemon


def ask_slowly(daemon, format):
    """A connection on which the answer has begun, and nobody reads on."""
    sock = daemon.connect()
    sock.settimeout(60 * PATIENCE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: %s\r\n\r\n"
                 % CONTENT_TYPES[format].encode())
    assert sock.recv(12) == b"HTTP/1.1 200"
    return sock


def peak_memory(daemon):
    with open(f"/proc/{daemon.pid}/status") as file:
        return int(re.search(r"^VmHWM:\s+(\d+) kB", file.read(), re.M)[1]) * 1024


def test_slow_readers(daemon):
    whole = len(daemon.request()[2])
    with ExitStack() as stack:
        for number in range(READERS):
            stack.enter_context(ask_slowly(daemon, ("text", "openmetrics")[number % 2]))
        for format, content_type in CONTENT_TYPES.items():
            status, _, body = daemon.request(headers={"Accept": content_type})
            assert status == 200
            assert body.count(b"x" * 64) == SERIES, format
        # Those who have held theirs longest had to let go: only some 64 MiB may be held.
        until(lambda: daemon.count_sockets() < READERS * 2 / 3, 30 * PATIENCE, "they are cut off")
        assert SANITIZED or peak_memory(daemon) < whole * READERS / 2 + (32 << 20)
    assert daemon.scrape().value(f"{PREFIX}texts_total", text="x" * 64, number="7") == 7
    assert all("nowhere" in line for line in daemon.complaints())
