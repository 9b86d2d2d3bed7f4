# SPDX-License-Identifier: MIT
"""Interfaces that go, or change their name, while packets rush through them."""

import os
import threading
from contextlib import contextmanager

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from daemon import PATIENCE, SANITIZED
from kernel import unowned, until_only
from netns import connect
from waiting import until

MECHANISMS = pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
SLOW = SANITIZED or "VMTEST" in os.environ  # in a virtual machine all is emulated
ROUNDS = 3 if SLOW else 10
FRAME = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() / bytes(50))
PACKETS = "wiregauge_interface_packets_total"


class Flood:
    """Frames without end out of @device; what was taken, and what may have been."""

    def __init__(self, namespace, device):
        self.sock = namespace.packet_socket(device)
        self.sent = self.tried = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self.ended.is_set():
            self.tried += 1
            try:
                self.sock.send(FRAME)
                self.sent += 1
            except OSError:  # it is down, or gone
                self.ended.wait(0.001)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.ended.set()
        self.thread.join()
        self.sock.close()


@contextmanager
def scraping(daemon):
    """Scrapes on and on meanwhile; each has to succeed."""
    ended, failures = threading.Event(), []

    def scrape():
        while not ended.is_set() and not failures:
            try:
                status, _, body = daemon.request()
                if status != 200:
                    failures.append(body)
            except OSError as error:
                failures.append(error)

    thread = threading.Thread(target=scrape, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    assert not failures


def counted(daemon, device):
    return daemon.scrape().total(PACKETS, interface=device, direction="egress")


@MECHANISMS
def test_removed_under_load(here, there, run, mechanism):
    daemon = run("--tc.mechanism", mechanism)
    until(lambda: daemon.attached("tc_egress") == {"lo", "wire"}, 5 * PATIENCE, "all are attached")
    before, descriptors = unowned(), len(daemon.descriptors())
    with scraping(daemon):
        for _ in range(ROUNDS):
            connect(here, there, "brief")
            with Flood(here, "brief"), Flood(there, "brief"):
                until(lambda: counted(daemon, "brief") > 100, 5 * PATIENCE, "it is counted")
                here.ip("link del brief")
                until(lambda: "brief" not in daemon.scrape().interfaces(), 5 * PATIENCE,
                      "it is gone from the scrapes")
    until(lambda: daemon.attached() == {"lo", "wire"}, 5 * PATIENCE, "it is gone from the status")
    until(lambda: len(daemon.descriptors()) <= descriptors, 10 * PATIENCE, "its links are closed")
    until_only(before)
    here.send_frames("wire", [FRAME] * 3)
    assert counted(daemon, "wire") == 3
    assert daemon.complaints() == []


@MECHANISMS
def test_renamed_under_load(here, there, run, mechanism):
    """A frame that was refused may have come past the counter before that."""
    daemon = run("--tc.mechanism", mechanism)
    until(lambda: "wire" in daemon.attached("tc_egress"), 5 * PATIENCE, "it is attached")
    name = "wire"
    with Flood(here, "wire") as flood, scraping(daemon):
        for number in range(ROUNDS):
            before = flood.sent
            here.ip(f"link set {name} down")
            here.ip(f"link set {name} name wire{number}")
            name = f"wire{number}"
            here.ip(f"link set {name} up")
            until(lambda: flood.sent > before + 100, 5 * PATIENCE, "frames leave again")
    assert flood.sent <= counted(daemon, name) <= flood.tried
    assert daemon.scrape().interfaces() == {"lo", name}
    assert daemon.attached() == {"lo", name}
    assert daemon.complaints() == []


def test_removed_by_the_hundred_under_load(here, there, run):
    """Others are served meanwhile, though the kernel takes its time for each link."""
    daemon = run()
    count = 10 if SLOW else 50
    here.ip_batch([f"link add x{number} group 7 type veth peer name y{number} netns {there.name}"
                   for number in range(count)])
    with scraping(daemon), Flood(here, "wire") as flood:
        until(lambda: len(daemon.attached("tc_egress")) == count + 2, 60 * PATIENCE, "attached")
        here.ip("link del group 7")
        until(lambda: daemon.attached() == {"lo", "wire"}, 60 * PATIENCE, "all are gone")
    assert counted(daemon, "wire") >= flood.sent > 0
    assert daemon.complaints() == []
