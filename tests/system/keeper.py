# SPDX-License-Identifier: MIT
"""The config "keeper", which outlives its daemon: its program drops frames and counts them, under
the version that it is of. With the fixtures imported

    daemon = start(version=1)                   # it runs, and is attached at "wire"
    with send() as sender:                      # as many frames a second as there can be
        sender.wait_for(1000)
    assert_all_were_seen(sender, here, daemon, {1})
"""

import ctypes
import re
import socket
import threading
from errno import EINVAL
from pathlib import Path

import pytest

from attaching import places, program_status, write_config
from bpf import Object, TestRunOpts, XdpMd, check, lib, object_path
from daemon import PATIENCE, command
from kernel import KINDS, assert_released, bpftool
from waiting import until, until_stable

LIVE_FRAMES = 1 << 1  # BPF_F_TEST_XDP_LIVE_FRAMES
SLICE = 16384  # frames by one system call
SILENT = bytes(12) + b"\x88\xb5" + bytes(50)  # of an experimental protocol
HEAD = """\
persistent: true
layout: {layout}
options:
  - {{name: version, type: uint, default: 1, rodata: version, help: x}}
  - {{name: broken, type: bool, default: false, rodata: broken, help: x}}
  - {{name: room, type: uint, default: 64, max_entries: learnt, help: x}}
  - {{name: length, type: uint, default: 16, max_entries: frames_total, help: x}}
"""
METRICS = """
metrics:
  counters:
    - {name: frames_total, help: x, labels: [{name: version, size: 4, decoders: [{name: uint}]}]}
"""
ROW = "program: persist, hook: xdp, mode: native, interfaces: {interfaces}"
FRAMES = "ebpf_exporter_frames_total"


def write(folder, interfaces="'wire*'", layout=0, name="keeper", row=ROW, head=HEAD):
    write_config(folder, name, "persistent", [row.format(interfaces=interfaces)],
                 extra=head.format(layout=layout), metrics=METRICS)


@pytest.fixture
def pinned(cleanup, here):
    """Takes away what is left of the test: then nothing of it is in the kernel any more. {kind:
    ids} of what it had there."""
    def remove():
        with here.entered():
            done = command("cleanup")
        assert done.returncode == 0, done.stderr

    held = {kind: set() for kind in KINDS}
    cleanup.callback(assert_released, held)
    cleanup.callback(remove)
    return held


@pytest.fixture
def start(launch, folder, here, there, pinned):
    """Runs the config, with these options of it, and waits until it is attached."""
    write(folder)

    def run(*arguments, wait=True, through=(), **options):
        settings = [word for name, value in options.items()
                    for word in ("--option", f"keeper.{name}={value}")]
        daemon = launch("--module=", "--config.dir", folder, *settings, *arguments,
                        through=through).wait_ready()
        if wait:
            until(lambda: places(daemon, "persist"), 5 * PATIENCE, daemon.log)
        for kind in KINDS:
            pinned[kind] |= daemon.bpf_objects(kind)
        return daemon

    return run


def persistence(daemon, name="keeper"):
    (unit,) = (unit for unit in daemon.status()["units"] if unit["name"] == name)
    return unit["persistence"]


def names_under(path):
    """What is pinned, by its path in @path."""
    return {str(found.relative_to(path)) for found in Path(path).rglob("*") if not found.is_dir()}


def frames(daemon):
    """{version: frames}"""
    return {int(labels["version"]): int(value)
            for labels, value in daemon.scrape().select(FRAMES) if value}


def xdp_of(namespace, device="wire"):
    """The id of the program at an interface, by whatever way; None without."""
    with namespace.entered():
        (net,) = bpftool("net", "show")
    return next((row["id"] for row in net["xdp"] if row["devname"] == device), None)


@pytest.fixture
def send(here, there):
    """Begins to send as many frames a second as there can be."""
    if not Sender.is_possible():
        pytest.skip("this kernel does not send frames by BPF_PROG_TEST_RUN (Linux 5.18 does)")
    return lambda: Sender(there)


class Sender:
    """Frames from @namespace into "wire", as many a second as there can be, until it is stopped."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.sent = 0
        self.failure = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run)

    @classmethod
    def is_possible(cls):
        with Object(object_path("tests/system/persistent")) as o:
            o.choose("transmit")
            o.load()
            try:
                cls(None).send(o, "lo", 1)
            except OSError as error:
                return error.errno != EINVAL
        return True

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exception):
        self.stop()

    def wait_for(self, more):
        """Until so many more were sent."""
        goal = self.sent + more
        until(lambda: self.sent >= goal or self.failure, 60 * PATIENCE, "they are sent")

    def stop(self):
        self.stopping.set()
        self.thread.join()
        if self.failure:
            raise self.failure

    def _run(self):
        try:
            with self.namespace.entered(), Object(object_path("tests/system/persistent")) as o:
                o.choose("transmit")
                o.load()
                while not self.stopping.is_set():
                    self.send(o, "wire", SLICE)
                    self.sent += SLICE
        except OSError as error:
            self.failure = error

    @staticmethod
    def send(o, device, count):
        frame = ctypes.create_string_buffer(SILENT, len(SILENT))
        context = XdpMd(data_end=len(SILENT), ingress_ifindex=socket.if_nametoindex(device))
        options = TestRunOpts(
            sz=ctypes.sizeof(TestRunOpts), data_in=ctypes.cast(frame, ctypes.c_void_p),
            data_size_in=len(SILENT), ctx_in=ctypes.cast(ctypes.byref(context), ctypes.c_void_p),
            ctx_size_in=ctypes.sizeof(context), repeat=count, flags=LIVE_FRAMES, batch_size=64)
        fd = lib.bpf_program__fd(o.program("transmit"))
        check(lib.bpf_prog_test_run_opts(fd, ctypes.byref(options)), "transmit")


def assert_all_came(sender, here):
    """How many frames came: all that were sent, but for those that found the queue of the wire full
    while this machine's only CPU did something else. What no program was there for is not among
    these: then a veth takes no frames, and does not count them."""
    came = until_stable(lambda: here.counters("wire").rx_packets, 5 * PATIENCE)
    full = re.findall(r"tx_queue_\d+_xdp_xmit_errors: (\d+)",
                      sender.namespace.run("ethtool", "-S", "wire"))
    assert came == sender.sent - sum(map(int, full))
    return came


def assert_all_were_seen(sender, here, daemon, versions):
    """Each frame that was sent came, and each that came was counted once."""
    came, seen = assert_all_came(sender, here), frames(daemon)
    assert sum(seen.values()) == came, seen
    assert set(seen) == versions, seen


def reload_under_traffic(start, send, folder, here, many, versions):
    """With so many frames before each reload and after the last. Gives back the daemon, once each
    frame was counted. The first version is 1, which the config has as its default."""
    daemon = start()
    program = program_status(daemon, "persist")["id"]
    with send() as sender:
        for version in versions[1:]:
            sender.wait_for(many)
            write(folder, head=HEAD.replace("default: 1,", f"default: {version},"))
            assert "the new configuration runs" in daemon.reload()
        sender.wait_for(many)
    assert_all_were_seen(sender, here, daemon, set(versions))
    assert program_status(daemon, "persist")["id"] != program
    assert not daemon.complaints()
    return daemon


def kill_under_traffic(start, send, here, many, versions):
    """The same, killed in the place of each reload, and frames before the next start as well."""
    daemon = start(version=versions[0])
    with send() as sender:
        for version in versions[1:]:
            sender.wait_for(many)
            daemon.kill()
            sender.wait_for(many)
            daemon = start(version=version)
            assert persistence(daemon)["adopted"]
        sender.wait_for(2 * many)
    assert sender.sent >= 2 * len(versions) * many
    assert_all_were_seen(sender, here, daemon, set(versions))
    assert not daemon.complaints()
    return daemon
