# SPDX-License-Identifier: MIT
"""The clock on the wall is put an hour forward or back: nothing but it may notice.

A time namespace has no clock of that kind, and the machine's own is not ours to set: the daemon is
lied to by libfaketime, in what it asks of CLOCK_REALTIME.
"""

import glob
import os
import re
import subprocess
import time
from calendar import timegm

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from daemon import BINARY, PATIENCE, SANITIZED
from waiting import until

HOUR = 3600
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP() / UDP() / bytes(50)
PACKETS = "wiregauge_interface_packets_total"


def find_library():
    """libfaketime, of the Debian package faketime."""
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        pytest.skip("libfaketime is not there (Debian package faketime)")
    return found[0]


def sanitizer():
    """ASan wants to be the first library that is loaded."""
    done = subprocess.run(["ldd", BINARY], capture_output=True, text=True, check=True)
    return re.findall(r"=> (\S*/libasan\.so\S*)", done.stdout)


class Clock:
    def __init__(self, path):
        self.path = path
        self.step(0)

    def step(self, seconds):
        """Now it is so many seconds later than it is; negative: earlier."""
        new = self.path.with_suffix(".new")
        new.write_text(f"{seconds:+d}\n")
        new.rename(self.path)

    def environment(self):
        return {
            "LD_PRELOAD": " ".join([*sanitizer(), find_library()]),
            "FAKETIME_TIMESTAMP_FILE": str(self.path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path / "clock")


@pytest.fixture
def daemon(here, there, run, clock):
    return run(env=clock.environment())


def last_stamp(daemon):
    """When the last line of the log was written, as it says."""
    stamp = daemon.log().splitlines()[-1].split(".")[0]
    return timegm(time.strptime(stamp, "%Y-%m-%dT%H:%M:%S"))


def off_by(daemon):
    """How many hours the daemon's clock is wrong by, as its log has it."""
    daemon.reload()
    return round((last_stamp(daemon) - time.time()) / HOUR)


@pytest.mark.parametrize("hours", [1, -1])
def test_stepped_clock_changes_nothing(here, daemon, clock, hours):
    assert off_by(daemon) == 0
    here.send_frames("wire", [FRAME] * 2)
    before, up = daemon.scrape(), daemon.status()["uptime_seconds"]
    with daemon.connect() as idle:
        clock.step(hours * HOUR)
        # It was not idle for an hour.
        idle.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        assert off_by(daemon) == hours  # it does believe it
        here.send_frames("wire", [FRAME] * 3)
        after = daemon.scrape()
        assert after.total(PACKETS, interface="wire", direction="egress") == 5
        for name in ("process_start_time_seconds", "process_max_fds"):
            assert after.value(name) == before.value(name)
        assert up <= daemon.status()["uptime_seconds"] < up + HOUR / 2
    clock.step(0)
    assert off_by(daemon) == 0
    here.ip("link add late type veth peer name other")
    until(lambda: "late" in daemon.attached(), 5 * PATIENCE, "an interface is attached")
    assert daemon.scrape().total(PACKETS, interface="wire", direction="egress") == 5
    assert daemon.complaints() == []
