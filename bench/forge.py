# SPDX-License-Identifier: MIT
"""Floods as frames that never were a socket buffer: BPF_F_TEST_XDP_LIVE_FRAMES (Linux 5.18).

    with world(there), Forge(there, ethernet.frame(0, …), cpu=1) as flood:
        flood.wait_for(1_000_000)

The kernel runs forge.bpf.c on the CPU of who asks for it, which sends out of "wire" there, and goes
on to what the frames come to when 64 are under way. So a CPU that has a queue of its own sends as
many as it takes, and none is lost between.
"""

import contextlib
import ctypes
import ipaddress
import multiprocessing
import os
import socket
import time
from pathlib import Path

from bpf import Object, TestRunOpts, check, lib
from plane import attached
from waiting import until

FIRST, SOURCES = "198.18.0.0", 1 << 16  # within what RFC 2544 has for benchmarks
FRAME_SIZE, SPARE = 74, 2  # forge.bpf.c
PROTOCOL_AT, TCP_CHECKSUM_WORD = 23, 25
LIVE_FRAMES = 1 << 1  # BPF_F_TEST_XDP_LIVE_FRAMES of <linux/bpf.h>
AT_ONCE = 1 << 18  # each call takes some 20 ms to tidy up
BURST_S = 0.05  # and a millisecond or two of its CPU, which are to be few
PATIENCE_S = 60


@contextlib.contextmanager
def loaded(program, sources, **values):
    with Object(Path(os.environ["BUILD_ROOT"]) / "bench/forge.bpf.o") as forge:
        forge.choose(program)
        values.update(first=int(ipaddress.IPv4Address(FIRST)), sources=sources)
        for name, value in values.items():
            forge.set_rodata(name, value)
        forge.load()
        yield forge


@contextlib.contextmanager
def world(namespace, sources=SOURCES):
    """Who is at the other end, and takes the answers to forged sources as a router would that sends
    them on; the rest goes to the namespace. A veth needs a program to take what its peer sends
    back at XDP in any case."""
    with loaded("world", sources) as forge, attached(namespace, forge, "world"):
        yield


class Forge:
    """Sends @frame, from so many sources, out of "wire" until it is left: as many as can be, or
    @per_second, in bursts of BURST_S. @nowhere: it makes them, and no more."""

    def __init__(self, namespace, frame, cpu, per_second=None, sources=SOURCES, nowhere=False):
        assert len(frame) == FRAME_SIZE
        with namespace.entered():
            interface = socket.if_nametoindex("wire")
        is_tcp = frame[PROTOCOL_AT] == socket.IPPROTO_TCP
        self._stack = contextlib.ExitStack()
        self.object = self._stack.enter_context(loaded(
            "forge", sources, frame=int.from_bytes(frame, "little"),
            interface=0 if nowhere else interface,
            transport_checksum=TCP_CHECKSUM_WORD if is_tcp else 0))
        self.namespace, self.cpu, self.per_second = namespace, cpu, per_second
        self.buffer = ctypes.create_string_buffer(frame + bytes(SPARE), FRAME_SIZE + SPARE)
        self._sent = multiprocessing.RawValue(ctypes.c_uint64)
        self.process = multiprocessing.get_context("fork").Process(target=self._run)

    def _run(self):
        os.sched_setaffinity(0, {self.cpu})
        due = time.monotonic()
        with self.namespace.entered():
            while True:
                count = self._due(due)
                self._send(count)
                self._sent.value += count
                due += count / self.per_second if self.per_second else 0

    def _due(self, since):
        if not self.per_second:
            return AT_ONCE
        time.sleep(max(0, since + BURST_S - time.monotonic()))
        return max(1, min(AT_ONCE, int((time.monotonic() - since) * self.per_second)))

    def _send(self, count):
        options = TestRunOpts(
            sz=ctypes.sizeof(TestRunOpts), data_in=ctypes.cast(self.buffer, ctypes.c_void_p),
            data_size_in=len(self.buffer), repeat=count, flags=LIVE_FRAMES)
        fd = lib.bpf_program__fd(self.object.program("forge"))
        with contextlib.suppress(InterruptedError):
            check(lib.bpf_prog_test_run_opts(fd, ctypes.byref(options)), "forge")

    def wait_for(self, more):
        """Until so many more were sent."""
        goal = self._sent.value + more
        until(lambda: self._sent.value >= goal or not self.process.is_alive(), PATIENCE_S,
              lambda: f"{more} frames more")
        assert self.process.is_alive()

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.join()
        self._stack.close()


def give_each_cpu_a_queue(namespace, cpus):
    """What a CPU sends is received by it: nobody fills a ring that another one is to empty."""
    for cpu in cpus:
        path = f"/sys/class/net/wire/queues/tx-{cpu}/xps_cpus"
        namespace.run("ip", "netns", "exec", namespace.name, "sh", "-c",
                      f"echo {1 << cpu:x} > {path}")
