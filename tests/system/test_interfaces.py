# SPDX-License-Identifier: MIT
"""Interfaces come, go, are renamed and moved, one by one and by hundreds."""

import time

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from daemon import PATIENCE
from netns import Namespace, connect
from waiting import until

FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() / bytes(50)
PACKETS = "wiregauge_interface_packets_total"
PAIRS = 500


@pytest.fixture
def run(run_packets):
    return run_packets


def counted(daemon, device):
    return daemon.scrape().total(PACKETS, interface=device, direction="egress")


def test_created_after_start_is_counted_within_a_second(here, make_namespace, run):
    daemon = run()
    connect(here, make_namespace(), "late")
    created = time.monotonic()

    def is_counted():
        here.send_frames("late", [FRAME])
        return counted(daemon, "late")

    until(is_counted, 1 * PATIENCE, "frames are counted")
    assert time.monotonic() - created < 1 * PATIENCE


def test_renamed_is_reported_under_its_new_name(here, there, run):
    daemon = run()
    here.send_frames("wire", [FRAME] * 3)
    assert counted(daemon, "wire") == 3
    here.ip("link set wire down")
    here.ip("link set wire name cable")
    here.ip("link set cable up")
    here.send_frames("cable", [FRAME] * 2)
    until(lambda: counted(daemon, "cable") == 5, 1 * PATIENCE, "the new name has all packets")
    assert "wire" not in daemon.scrape().interfaces()
    assert "cable" in daemon.attached() and "wire" not in daemon.attached()


def test_name_that_is_not_utf8(here, there, run):
    """The kernel takes almost any bytes; Prometheus and JSON take text."""
    daemon = run()
    here.send_frames("wire", [FRAME])
    here.ip("link set wire down")
    here.run("ip", "link", "set", "wire", "name", b'a\xff"b')
    until(lambda: daemon.attached() == {"lo", 'a\ufffd"b'}, 1 * PATIENCE, "status has it")
    assert counted(daemon, 'a\ufffd"b') == 1


def test_renamed_across_the_globs(here, there, run):
    daemon = run("--option", "tc.interfaces=*,!idle*")
    here.ip("link set wire down")
    here.ip("link set wire name idle0")
    until(lambda: daemon.attached() == {"lo"}, 1 * PATIENCE, "it is detached")
    here.ip("link set idle0 name busy0")
    until(lambda: daemon.attached() == {"lo", "busy0"}, 1 * PATIENCE, "it is attached again")


def test_removed_is_gone_from_the_next_scrape(here, make_namespace, run):
    daemon = run()
    for _ in range(10):
        connect(here, make_namespace(), "brief")
        until(lambda: here.send_frames("brief", [FRAME]) or counted(daemon, "brief"), 1 * PATIENCE,
              "it is counted")
        here.ip("link del brief")
        assert "brief" not in daemon.scrape().interfaces()
    assert daemon.complaints() == []


def test_same_name_begins_anew(here, make_namespace, run):
    """A new interface with an old one's name is another one: no counter is taken over."""
    daemon = run()
    for frames in (5, 2):
        connect(here, make_namespace(), "brief")
        until(lambda: "brief" in daemon.attached(), 1 * PATIENCE, "it is attached")
        here.send_frames("brief", [FRAME] * frames)
        assert counted(daemon, "brief") == frames
        here.ip("link del brief")


@pytest.mark.parametrize("globs, expected", [
    ("*", {"lo", "eth0", "eth1", "veth9"}),
    ("*,!lo", {"eth0", "eth1", "veth9"}),
    ("eth*", {"eth0", "eth1"}),
    ("eth?,!eth1", {"eth0"}),
    ("*,!*eth[19]", {"lo", "eth0"}),
    ("eth*,!eth*", set()),
    ("wlan0", set()),
])
def test_globs_with_exclusions(here, run, globs, expected):
    here.ip_batch([f"link add {name} type veth peer name p-{name}"
                   for name in ("eth0", "eth1", "veth9")])
    daemon = run("--option", f"tc.interfaces={globs},!p-*")
    assert daemon.attached() == expected
    assert daemon.attached("tc_egress") == expected


@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_moved_to_another_namespace_and_back(here, there, make_namespace, run, mechanism):
    daemon = run("--tc.mechanism", mechanism)
    elsewhere = make_namespace()
    here.send_frames("wire", [FRAME])
    assert counted(daemon, "wire") == 1
    here.ip(f"link set wire netns {elsewhere.name}")
    until(lambda: "wire" not in daemon.scrape().interfaces(), 1 * PATIENCE, "it is gone")
    until(lambda: daemon.attached() == {"lo"}, 1 * PATIENCE, "nothing is there any more")
    elsewhere.ip("link set wire up")
    elsewhere.send_frames("wire", [FRAME] * 5)
    assert "wire" not in daemon.scrape().interfaces()
    elsewhere.ip(f"link set wire netns {here.name}")
    here.ip("link set wire up")
    until(lambda: "wire" in daemon.attached(), 1 * PATIENCE, "it is attached again")
    before = counted(daemon, "wire")
    here.send_frames("wire", [FRAME] * 3)
    assert counted(daemon, "wire") == before + 3
    assert daemon.complaints() == []


@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_hundreds_appear_and_vanish(here, make_namespace, run, mechanism):
    there = make_namespace()
    daemon = run("--tc.mechanism", mechanism)
    names = {f"a{number}" for number in range(PAIRS)}
    daemon.scrape()
    before = daemon.descriptors()
    here.ip_batch([f"link add a{number} group 7 type veth peer name b{number} netns {there.name}"
                   for number in range(PAIRS)])
    # The kernel waits for a grace period of RCU whenever a TCX link is made, some 10 ms.
    until(lambda: daemon.attached("tc_egress") == names | {"lo"}, 60 * PATIENCE, "all are attached")
    there.ip_batch([f"link set b{number} up" for number in (0, PAIRS - 1)])
    for name in ("a0", f"a{PAIRS - 1}"):
        here.ip(f"link set {name} up")
        here.send_frames(name, [FRAME])
        assert counted(daemon, name) == 1
    if mechanism == "clsact":  # TCX needs a descriptor for each link
        assert len(daemon.descriptors()) < len(before) + 10
    here.ip("link del group 7")
    until(lambda: daemon.attached() == {"lo"}, 10 * PATIENCE, "all are gone")
    until(lambda: len(daemon.descriptors()) <= len(before), 10, "their descriptors are closed")
    assert daemon.scrape().interfaces() == {"lo"}
    assert daemon.complaints() == []


def test_vanish_while_being_attached(here, run):
    """Created and removed at once, over and over: the daemon comes too late for most of them."""
    daemon = run()
    for _ in range(5):
        here.ip_batch([f"link {verb} f{number}{how}" for number in range(10) for verb, how in
                       (("add", f" type veth peer name g{number}"), ("del", ""))])
    until(lambda: daemon.attached() == {"lo"}, 5 * PATIENCE, "all are gone")
    assert daemon.complaints() == []


def test_whole_namespace_at_the_other_end_vanishes(here, run):
    daemon = run()
    with Namespace() as gone:
        connect(here, gone, "far")
        until(lambda: "far" in daemon.attached(), 1 * PATIENCE, "it is attached")
    until(lambda: daemon.attached() == {"lo"}, 5, "it is gone with its peer")
    assert daemon.complaints() == []
