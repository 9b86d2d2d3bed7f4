# SPDX-License-Identifier: MIT
"""Five hundred clients that read or write slowly, or not at all: whoever is not among them is
served as ever, and those who are get what they have asked for, if they take it."""

import os
import random
import resource
import signal
import subprocess
from contextlib import ExitStack

import pytest

from daemon import PATIENCE, PORT
from waiting import until

SLOW = 50 if os.environ.get("VMTEST") else 500  # in a virtual machine a turn of all takes seconds
SCRAPES = 10
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(autouse=True)
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4096), max(before[1], 4096)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def series(text):
    """What does not change between two scrapes."""
    return [line for line in text.splitlines() if not line.startswith("process_")]


class Crowd:
    """Slow clients; each sends or takes a little when it is its turn."""

    def __init__(self, daemon, count):
        self.stack = ExitStack()
        self.answers, self.unsent = {}, {}
        for _ in range(count):
            sock = self.stack.enter_context(daemon.connect())
            sock.setblocking(False)
            self.answers[sock] = b""
            self.unsent[sock] = REQUEST
        self.open = list(self.answers)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def send_some(self, length):
        """Each sends the next bytes of its request."""
        for sock, text in self.unsent.items():
            self.unsent[sock] = text[sock.send(text[:length]):]

    def take_some(self, length):
        """Each takes some of its answer; who has all of it is no longer among the open ones."""
        random.shuffle(self.open)
        for sock in list(self.open):
            try:
                piece = sock.recv(length)
            except BlockingIOError:
                continue
            self.answers[sock] += piece
            if not piece:
                self.open.remove(sock)

    def take_all(self, length):
        until(lambda: self.take_some(length) or not self.open, 30 * PATIENCE,
              lambda: f"{len(self.open)} have no whole answer")


def body_of(answer):
    """The body of an answer that is complete."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), answer[:200]
    (length,) = [int(line.split()[1]) for line in head.split(b"\r\n")
                 if line.startswith(b"Content-Length:")]
    assert len(body) == length
    return body.decode()


def scrape_often(daemon, expected):
    for _ in range(SCRAPES):
        assert series(daemon.scrape().text) == expected


@pytest.fixture
def daemon(there, run):
    """One whose numbers stand still, whatever the test sends it."""
    return run("--module", "packets", "--option", "tc.interfaces=wire")


@pytest.fixture
def expected(daemon):
    return series(daemon.scrape().text)


def test_slow_senders(daemon, expected):
    """Each byte of each request comes by itself; all get their answer in the end."""
    with Crowd(daemon, SLOW) as crowd:
        for _ in range(len(REQUEST) - 1):
            crowd.send_some(1)
        scrape_often(daemon, expected)
        crowd.send_some(1)
        crowd.take_all(1 << 20)
        for answer in crowd.answers.values():
            assert series(body_of(answer)) == expected


def test_slow_readers(daemon, expected):
    """Each takes a few bytes at a time, and gets the whole."""
    with Crowd(daemon, SLOW) as crowd:
        crowd.send_some(len(REQUEST))
        for _ in range(5):
            crowd.take_some(10)
            scrape_often(daemon, expected)
        crowd.take_all(4096)
        for answer in crowd.answers.values():
            assert series(body_of(answer)) == expected


def test_half_a_request(daemon, expected):
    """Whoever does not go on is told so, and gives back its descriptor."""
    before = daemon.count_sockets()
    with Crowd(daemon, SLOW) as crowd:
        crowd.send_some(20)
        scrape_often(daemon, expected)
        crowd.take_all(4096)
        assert {answer.split(b"\r\n")[0] for answer in crowd.answers.values()} == {
            b"HTTP/1.1 408 Request Timeout"}
    until(lambda: daemon.count_sockets() <= before, 10 * PATIENCE, "their descriptors are closed")


def test_a_scraper_that_was_stopped(here, daemon, expected):
    """One that is stopped within its answer holds nobody up."""
    with here.entered():
        curl = subprocess.Popen(["curl", "--silent", "--limit-rate", "1k",
                                 f"http://127.0.0.1:{PORT}/metrics"], stdout=subprocess.PIPE)
    try:
        assert curl.stdout.read(1) == b"#"
        curl.send_signal(signal.SIGSTOP)
        scrape_often(daemon, expected)
    finally:
        curl.kill()
        curl.wait()
    scrape_often(daemon, expected)


def test_more_than_there_is_room_for(daemon, expected):
    """Of three thousand that say nothing some have to go; a newcomer is served."""
    with ExitStack() as stack:
        for i in range(3000):
            stack.enter_context(daemon.connect())
            if i % 100 == 0:
                assert series(daemon.scrape().text) == expected
        # Nobody has more than half of the 2,048 places.
        assert daemon.count_sockets() < 1024 + 20
        scrape_often(daemon, expected)
    assert daemon.complaints() == []


def test_few_descriptors(daemon, expected):
    """When the process gets no more of them, connections that are idle make room."""
    most = max(daemon.descriptors()) + 20
    resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(daemon.connect())
        for _ in range(SCRAPES):
            assert daemon.request("/")[0] == 200
    until(lambda: series(daemon.scrape().text) == expected, 10 * PATIENCE, "all is as before")
    assert all("no descriptor for a new HTTP connection" in line for line in daemon.complaints())


def test_readers_that_do_not_read(daemon, expected):
    """More than the kernel's buffers hold is asked for, and nothing taken: they are sent away."""
    with ExitStack() as stack:
        for _ in range(5):
            sock = stack.enter_context(daemon.connect())
            sock.sendall(REQUEST.replace(b"Connection: close\r\n", b"") * 1500)
        scrape_often(daemon, expected)
        until(lambda: daemon.count_sockets() < 5, 60 * PATIENCE, "they are sent away")
        scrape_often(daemon, expected)
    assert daemon.complaints() == []
