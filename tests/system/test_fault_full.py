# SPDX-License-Identifier: MIT
"""Maps that are full: what is in them is served, what is not is told."""

import errno
import re
from typing import NamedTuple

import pytest

from configs import LABEL, add_config, u32
from daemon import PATIENCE, command
from kernel import Map
from waiting import until

ROOM = 8  # narrow_total of fault.bpf.c
MANIFEST = f"""\
metrics:
  counters:
    - {{name: execs_total, help: x}}
    - {{name: narrow_total, help: x, labels: [{LABEL % ("number", 4)}]}}
"""
NAME = "ebpf_exporter_narrow_total"
ENDS = ("left", "right")
ADDRESSES = bytes.fromhex("020000000002 020000000001")
QUEUE = 900  # less than net.core.netdev_max_backlog
IP_ETHERTYPES = (0x0800, 0x86dd)


@pytest.fixture
def daemon(run_configs, folder):
    add_config(folder, "fault", MANIFEST, "tests/system/fault")
    return run_configs()


def is_full(daemon, name):
    (found,) = [row for unit in daemon.status()["units"] for row in unit["maps"]
                if row["name"] == name]
    done = command("status", "--control.socket", daemon.control)
    assert (f"FULL fault: map '{name}'" in done.stdout) == found["full"]
    return found["full"]


def test_full_hash(daemon):
    target = Map(daemon, "narrow_total")
    daemon.scrape()  # the status tells what the last read found
    for number in range(ROOM):
        target.write(u32(number), number + 1)
        assert not is_full(daemon, "narrow_total")  # as of the last scrape
        assert daemon.scrape().total(NAME, number=str(number)) == number + 1
    assert is_full(daemon, "narrow_total")
    with pytest.raises(OSError) as refused:
        target.write(u32(ROOM), 1)
    assert refused.value.errno == errno.E2BIG
    samples = daemon.scrape()
    assert samples.total(NAME) == sum(range(ROOM + 1))
    assert samples.value("ebpf_exporter_execs_total") is not None
    labels = {"config": "fault", "map": "narrow_total"}
    assert samples.value("wiregauge_map_entries", **labels) == ROOM
    assert samples.value("wiregauge_map_max_entries", **labels) == ROOM
    target.delete(u32(0))
    target.write(u32(ROOM), 9)
    assert daemon.scrape().value(NAME, number=str(ROOM)) == 9
    assert not is_full(daemon, "execs_total")  # an array: all of it is there from the start


def count(page, pattern):
    return [int(value) for value in re.findall(pattern.encode() + rb" (\d+)$", page, re.M)]


class Traffic(NamedTuple):
    counted: list  # packets of each kind
    uncounted: int
    room: int


def traffic(daemon):
    _, _, page = daemon.request()
    (uncounted,) = count(page, "^wiregauge_interface_uncounted_packets_total")
    (room,) = count(page, r'^wiregauge_map_max_entries\{config="tc",map="packets_traffic"\}')
    return Traffic(count(page, r"^wiregauge_interface_packets_total\{.*\}"), uncounted, room)


def send_all(here, frames):
    """In parts that the queue between both ends has room for."""
    before = here.counters("right").rx_packets
    for at in range(0, len(frames), QUEUE):
        here.send_frames("left", frames[at:at + QUEUE])
        expected = before + min(at + QUEUE, len(frames))
        until(lambda: here.counters("right").rx_packets == expected, 5 * PATIENCE, "they arrive")


def test_more_kinds_of_packets_than_there_is_room_for(here, run):
    """Every frame is in one counter or the other, as it leaves one end and as it comes in at the
    other."""
    here.ip("link add left type veth peer name right")
    for name in ENDS:
        here.ip(f"link set {name} up")
    daemon = run("--option", "packets.unknown_ethertypes=true", "--option", "packets.sizes=false",
                 "--option", f"tc.interfaces={','.join(ENDS)}")
    frames = [ADDRESSES + number.to_bytes(2, "big") + bytes(46)
              for number in range(0x0600, 0x0600 + 33000) if number not in IP_ETHERTYPES]
    until(lambda: daemon.attached("tc_ingress") == daemon.attached("tc_egress") == set(ENDS),
          5 * PATIENCE, "all are attached")
    sent, counted, room = 0, [], ROOM
    # The kernel allocates entries beside the packets, and has none at hand after many at once.
    while len(counted) < room:
        assert sent < 5 * len(frames), f"{len(counted)} entries of {room}"
        send_all(here, frames)
        sent += len(frames)
        counted, uncounted, room = traffic(daemon)
        assert sum(counted) + uncounted == 2 * sent
    assert len(counted) == room < 2 * len(frames)
    send_all(here, frames)
    after = traffic(daemon)
    assert len(after.counted) == room and sum(after.counted) > sum(counted)
    assert after.uncounted > uncounted
    assert sum(after.counted) + after.uncounted == 2 * (sent + len(frames))
