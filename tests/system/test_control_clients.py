# SPDX-License-Identifier: MIT
"""A thousand who ask at the control socket at once: each is answered, and whoever scrapes meanwhile
is served as ever."""

import json
import os
import resource
import selectors
import socket
import time
from contextlib import ExitStack

import pytest

from configs import SINGLE, add_config
from daemon import PATIENCE

CLIENTS = 100 if os.environ.get("VMTEST") else 1000  # in a virtual machine a turn takes seconds
SCRAPES = 10


@pytest.fixture(autouse=True)
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 4096), max(before[1], 4096)))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture
def daemon(folder, run_configs):
    add_config(folder, "first", SINGLE)
    return run_configs()


class Crowd:
    """Clients that have all connected, and then ask all at once."""

    def __init__(self, daemon, requests):
        self.stack = ExitStack()
        self.answers = {}
        for request in requests:
            client = self.stack.enter_context(socket.socket(socket.AF_UNIX))
            client.connect(str(daemon.control))
            self.answers[client] = b""
            client.setblocking(False)
        self.requests = dict(zip(self.answers, requests))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stack.close()

    def ask(self, part=1.0):
        """Each sends its request, or the first part of it."""
        for client, request in self.requests.items():
            text = f"{request} HTTP/1.0\r\nHost: wiregauge\r\n\r\n".encode()
            assert client.send(text[:int(len(text) * part)]) > 0

    def take(self):
        """[(status, body)] of all, in their order."""
        with selectors.DefaultSelector() as selector:
            for client in self.answers:
                selector.register(client, selectors.EVENT_READ)
            deadline = time.monotonic() + 60 * PATIENCE
            while selector.get_map():
                assert time.monotonic() < deadline, f"{len(selector.get_map())} have no answer"
                for key, _ in selector.select(1):
                    piece = key.fileobj.recv(1 << 16)
                    self.answers[key.fileobj] += piece
                    if not piece:
                        selector.unregister(key.fileobj)
        return [parse(answer) for answer in self.answers.values()]


def parse(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


def scrapes_are_as_ever(daemon, before):
    for _ in range(SCRAPES):
        samples = daemon.scrape()
        assert samples.value("ebpf_exporter_single_total") == before
    assert daemon.complaints() == []


def test_all_are_answered_and_scrapes_too(daemon):
    before = daemon.scrape().value("ebpf_exporter_single_total")
    with Crowd(daemon, ["GET /v1/status", "GET /v1/table?module=nobody"] * (CLIENTS // 2)) as crowd:
        crowd.ask()
        scrapes_are_as_ever(daemon, before)
        answers = crowd.take()
    assert [status for status, _ in answers] == [200, 400] * (CLIENTS // 2), answers[:2]
    assert all(answer["pid"] == daemon.pid for _, answer in answers[::2])


def test_who_asks_half_a_question_keeps_nobody_out(daemon):
    before = daemon.scrape().value("ebpf_exporter_single_total")
    with Crowd(daemon, ["GET /v1/status"] * CLIENTS) as crowd:
        crowd.ask(0.5)
        scrapes_are_as_ever(daemon, before)
        assert daemon.status()["pid"] == daemon.pid


def test_changes_come_one_after_the_other(daemon):
    """What all of them change is changed so often, and whoever only looks need not wait."""
    before = daemon.scrape().value("ebpf_exporter_single_total")
    count = CLIENTS // 20
    with Crowd(daemon, ["POST /v1/config/reload"] * count) as crowd:
        crowd.ask()
        assert daemon.status()["pid"] == daemon.pid
        for _ in range(SCRAPES):
            assert daemon.scrape().value("ebpf_exporter_single_total") == before
        answers = crowd.take()
    assert answers == [(200, {"done": "the new configuration runs: 1 module"})] * count
    assert daemon.log().count("the new configuration runs") == count
    assert daemon.log().count("/v1/config/reload by uid") == count
