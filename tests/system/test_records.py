# SPDX-License-Identifier: MIT
"""Records as they come, on the command line: `records:` of a config over a ring buffer."""

import ipaddress
import json
import signal
import struct
import subprocess
import threading
import time

import pytest

from configs import add_config
from daemon import BINARY, PATIENCE, command
from kernel import Map, Program
from terminal import Terminal
from waiting import until

MANIFEST = """
options:
  - {name: closed, type: bool, default: true}
attach:
  - {program: count_rounds, hook: iter}
records:
  - name: closed
    help: Connections as they close
    when: closed
    map: closed
    fields:
      - {name: source, offset: 0, size: 16, decoders: [{name: inet_ip}], filter: address,
         importance: 3}
      - {name: port, offset: 16, size: 2, decoders: [{name: uint}], filter: port, importance: 1}
      - {name: number, offset: 20, size: 4, header: "NO.", importance: 1}
      - {name: process, offset: 40, size: 16, decoders: [{name: string}], filter: process}
      - {name: bytes, offset: 24, unit: bytes, importance: 2}
      - {name: duration, offset: 32, unit: seconds, multiplier: 1e-9, importance: 1}
"""

SENT, LOST, UNWANTED = range(3)


def record(source="10.0.0.1", port=80, number=1, size=1000, duration=0.25, process="curl"):
    address = ipaddress.ip_address(source)
    packed = b"\0" * 10 + b"\xff\xff" + address.packed if address.version == 4 else address.packed
    return struct.pack("=16sHHIQQ16s", packed, port, 0, number, size, int(duration * 1e9),
                       process.encode())


@pytest.fixture
def daemon(run_configs, folder):
    add_config(folder, "records", MANIFEST, "tests/system/records")
    return run_configs()


@pytest.fixture
def send(daemon):
    program = Program(daemon, "send_closed")
    return lambda *arguments, repeat=1, **names: \
        program.run_packet(record(*arguments, **names), repeat)


class Viewer:
    def __init__(self, daemon, *arguments):
        self.lines = []
        self.process = subprocess.Popen(
            [BINARY, "records", "records", *arguments, "--control.socket", daemon.control],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line)

    def wait_for(self, count):
        until(lambda: len(self.lines) >= count, 10 * PATIENCE,
              lambda: f"{count} lines, there are {len(self.lines)}: {self.lines[:5]}")
        return self.lines

    def json(self, count):
        return [json.loads(line) for line in self.wait_for(count)]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()
        self.process.stdout.close()
        self.process.stderr.close()


def is_wanted(daemon):
    return Map(daemon, "closed_wanted").read(bytes(4)) == b"\1\0\0\0"


def rounds(daemon):
    """How often the iterator of the object has run."""
    return int.from_bytes(Map(daemon, "rounds").read(bytes(4)), "little")


@pytest.fixture
def look(daemon, cleanup):
    """Starts to look, and waits until that is known to the programs."""
    def start(*arguments):
        viewer = Viewer(daemon, *arguments)
        cleanup.callback(viewer.close)
        until(lambda: is_wanted(daemon), 10 * PATIENCE, "records are wanted")
        return viewer
    return start


def test_records_are_shown_as_they_come(send, look):
    viewer = look("--json")
    assert send("2001:db8::1", 443, 7, size=2048, duration=1.5, process="wget") == SENT
    (first,) = viewer.json(1)
    assert first.pop("time") > 1_600_000_000
    assert first == {"source": "2001:db8::1", "port": "443", "number": 7, "process": "wget",
                     "bytes": 2048, "duration": 1.5}
    assert send(number=8) == send(number=9) == SENT
    assert [row["number"] for row in viewer.json(3)] == [7, 8, 9]


def test_people_see_columns(send, look):
    viewer = look()
    (header,) = viewer.wait_for(1)
    assert header.split() == ["TIME", "SOURCE", "PORT", "NO.", "PROCESS", "BYTES", "DURATION"]
    send(number=123, size=1_234_567, duration=0.0034)
    send("2001:db8::aaaa:bbbb", 65535, 5, process="a\x1b[31m")
    one, other = viewer.wait_for(3)[1:]
    assert one.split()[1:] == ["10.0.0.1", "80", "123", "curl", "1.23", "MB", "3.40", "ms"]
    assert "a?[31m" in other and "\x1b" not in other


@pytest.fixture
def look_in_terminal(daemon, cleanup):
    def start(*arguments, **size):
        terminal = Terminal("records", "records", *arguments, "--control.socket", daemon.control,
                            **size)
        cleanup.callback(terminal.close)
        terminal.wait_for(lambda t: t.lines, "the header")
        until(lambda: is_wanted(daemon), 10 * PATIENCE, "records are wanted")
        return terminal
    return start


def test_records_are_below_their_headers(send, look_in_terminal):
    """Also those that are wider than any before: then there are new headers."""
    terminal = look_in_terminal(columns=120)
    (header,) = terminal.lines
    send(number=1_234_567, size=1_234_567, duration=0.0034)
    out = terminal.wait_for(lambda t: len(t.lines) >= 3, "new headers and a line").lines
    assert out[1].split() == header.split() and out[1] != header
    for name, text in (("SOURCE", "10.0.0.1"), ("PROCESS", "curl")):
        assert out[1].index(name) == out[2].index(text)
    for name, text in (("NO.", "1234567"), ("BYTES", "1.23 MB"), ("DURATION", "3.40 ms")):
        assert out[1].index(name) + len(name) == out[2].index(text) + len(text)
    # As wide as these, or less.
    send(number=7, size=3)
    out = terminal.wait_for(lambda t: len(t.lines) >= 4, "one line more").lines
    assert len(out) == 4 and out[3].endswith("250 ms")


def test_records_fit_the_terminal(send, look_in_terminal):
    terminal = look_in_terminal(columns=60)
    assert terminal.lines[0] == "No room for: process; --columns NAME,… shows those that you"
    assert terminal.lines[2].split() == ["TIME", "SOURCE", "PORT", "NO.", "BYTES", "DURATION"]
    send("2001:db8:1111:2222:3333:4444:5555:6666")
    out = terminal.wait_for(lambda t: "…" in t.lines[-1], "a line").lines
    assert max(map(len, out)) <= 60


def test_columns_that_are_wanted(send, look, look_in_terminal):
    terminal = look_in_terminal("--columns", "bytes,source")
    assert terminal.lines == ["TIME            BYTES  SOURCE"]
    viewer = look("--columns", "process")
    viewer.wait_for(1)  # the header: from here on it sees what comes
    send(process="wget")
    assert viewer.wait_for(2)[1].split()[1:] == ["wget"]
    assert terminal.wait_for(lambda t: len(t.lines) == 2, "a line").lines[1].split()[1:] == \
        ["1.00", "kB", "10.0.0.1"]


def test_nothing_is_sent_while_nobody_looks(daemon, send, look):
    assert send() == UNWANTED
    viewer = look("--json")
    assert send(number=5) == SENT
    assert [row["number"] for row in viewer.json(1)] == [5]
    viewer.process.send_signal(signal.SIGINT)
    assert viewer.process.wait(10 * PATIENCE) == 0
    seen = rounds(daemon)
    until(lambda: not is_wanted(daemon), 20 * PATIENCE, "nobody wants records any more")
    assert send() == UNWANTED
    assert rounds(daemon) <= seen + 1  # for the last question, which may still have been on its way
    # What came before is not shown to who comes later.
    viewer = look("--json")
    assert send(number=6) == SENT
    assert [row["number"] for row in viewer.json(1)] == [6]


def test_iterators_run_while_somebody_looks(daemon, look):
    """Every second, and nobody reads metrics here."""
    assert rounds(daemon) == 0
    start = time.monotonic()
    look("--json")
    until(lambda: rounds(daemon) >= 2, 10 * PATIENCE, "two rounds")
    assert rounds(daemon) <= time.monotonic() - start + 1


def test_all_who_look_see_all(send, look):
    viewers = [look("--json") for _ in range(3)]
    for viewer in viewers:
        until(lambda: send(number=0) == SENT and viewer.lines, 10 * PATIENCE, "each has begun")
    for number in range(1, 51):
        assert send(number=number) == SENT
    for viewer in viewers:
        until(lambda: '"number":50,' in "".join(viewer.lines), 10 * PATIENCE, "the last is there")
        assert [row["number"] for row in map(json.loads, viewer.lines) if row["number"]] == \
            list(range(1, 51))


@pytest.mark.parametrize("arguments, numbers", [
    (("--address", "10.0.0.0/8"), [1, 3]),
    (("--port", "443", "--process", "w*"), [2]),
    (("--where", "process=curl"), [1]),
])
def test_filters(send, look, arguments, numbers):
    viewer = look("--json", *arguments)
    send("10.0.0.1", 80, 1, process="curl")
    send("2001:db8::1", 443, 2, process="wget")
    send("10.0.0.3", 443, 3, process="dig")
    assert [row["number"] for row in viewer.json(len(numbers))] == numbers


def test_what_is_lost_is_told(daemon, send, look):
    viewer = look("--json")
    send(number=1)
    viewer.json(1)
    # While nobody can ask. The buffer has room for 16384 / 64 bytes, of which it keeps some free.
    daemon.process.send_signal(signal.SIGSTOP)
    assert send(number=2, repeat=1000) == LOST
    daemon.process.send_signal(signal.SIGCONT)


    def told():
        rows = [json.loads(line) for line in viewer.lines]
        seen = sum(row.get("number") == 2 for row in rows)
        return seen, sum(row.get("lost", 0) for row in rows)
    until(lambda: sum(told()) == 1000, 10 * PATIENCE, lambda: f"all are seen or lost: {told()}")
    assert 200 < told()[0] <= 256


@pytest.mark.parametrize("arguments, code, words", [
    (("records", "close"), 2, "no records 'close' of 'records'; it has: closed"),
    (("nothing",), 2, "no records '' of 'nothing'"),
    (("records", "closed", "--port", "9-1"), 2, "takes a port"),
    (("records", "closed", "--where", "color=red"), 2, "no column of texts 'color'"),
    ((), 2, "records takes the name"),
])
def test_what_is_wrong_is_said(daemon, arguments, code, words):
    done = command("records", *arguments, "--control.socket", daemon.control)
    assert done.returncode == code and words in done.stderr, done


def test_a_map_of_another_kind(run_configs, folder, tmp_path):
    add_config(folder, "records", MANIFEST.replace("map: closed", "map: closed_lost"),
               "tests/system/records")
    done = command("config", "check", folder / "records.yaml")
    assert done.returncode == 2 and "map 'closed_lost' is no ring buffer" in done.stderr
