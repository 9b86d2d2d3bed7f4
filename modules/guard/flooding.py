# SPDX-License-Identifier: MIT
"""Floods: as many frames a second as one CPU can send, and what the namespace they come to makes
of them.

    with Flood(there, udp(here, there, sources("192.0.2.0", 65536))) as flood:
        flood.wait_for(1_000_000)
"""

import array
import ctypes
import ipaddress
import multiprocessing
import os
import socket
import struct
import time

from daemon import PATIENCE
from netns import libc, mac
from waiting import until

SOL_PACKET, PACKET_QDISC_BYPASS = 263, 20  # <linux/if_packet.h>
BATCH = 1024  # UIO_MAXIOV: more at once are not sent
MESSAGE_WORDS = 8  # struct mmsghdr
HALF_A_RING = 128  # VETH_RING_SIZE / 2 of drivers/net/veth.c
FRAME_BYTES = 768  # what a small frame counts for; the kernel doubles SO_SNDBUF
SYN, ACK = 0x02, 0x10
TCP_OPTIONS = bytes((2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7))


def sources(first, count):
    """So many addresses, from @first on."""
    start = int(ipaddress.IPv4Address(first))
    return range(start, start + count)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


class Ethernet:
    """From the one end of "wire" to the other."""

    def __init__(self, here, there, destination):
        addresses = (mac(here, "wire"), mac(there, "wire"))
        self.header = bytes.fromhex("".join(addresses).replace(":", "")) + b"\x08\x00"
        self.destination = int(ipaddress.IPv4Address(destination))

    def frame(self, source, protocol, payload):
        """IPv4 without options."""
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0,
                         source, self.destination)
        return b"".join((self.header, ip[:10], checksum(ip).to_bytes(2, "big"), ip[12:], payload))

    def udp(self, addresses, port=9, size=18, first=1024):
        """No checksum, which IPv4 allows. @first: of the sources' ports."""
        return [self.frame(source, socket.IPPROTO_UDP,
                           struct.pack("!HHHH", first + i % 60000, port, 8 + size, 0) + bytes(size))
                for i, source in enumerate(addresses)]

    def syns(self, addresses, port=80, first=1024):
        return [self.frame(source, socket.IPPROTO_TCP,
                           self._syn(source, first + i % 60000, port, i))
                for i, source in enumerate(addresses)]

    def _syn(self, source, sport, dport, seq):
        size = 20 + len(TCP_OPTIONS)
        tcp = struct.pack("!HHIIBBHHH", sport, dport, seq, 0, size // 4 << 4, SYN, 64240, 0,
                          0) + TCP_OPTIONS
        pseudo = struct.pack("!IIHH", source, self.destination, socket.IPPROTO_TCP, size)
        return b"".join((tcp[:16], checksum(pseudo + tcp).to_bytes(2, "big"), tcp[18:]))


class Flood:
    """Sends @frames, all of one length, over and over out of "wire", until it is left: as many as
    are taken, or @per_second. A process: it must not share the interpreter with the test, and is at
    a CPU of its own if that is said.

    It waits while half a ring's places are taken: in a full one the frames of others are lost as
    well, before anybody who is tested has seen them."""

    def __init__(self, namespace, frames, cpu=None, per_second=None):
        self.socket = namespace.packet_socket("wire")
        self.per_second = per_second
        self.socket.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, HALF_A_RING * FRAME_BYTES // 2)
        self.cpu = cpu
        self.count = len(frames)
        self.data = ctypes.create_string_buffer(b"".join(frames))
        self.vectors, self.messages = self._prepare(len(frames[0]))
        self._sent = multiprocessing.RawValue(ctypes.c_uint64)
        self.process = multiprocessing.get_context("fork").Process(target=self._run)

    def _prepare(self, size):
        """What sendmmsg() takes: a struct iovec and a struct mmsghdr for each."""
        vectors, messages = array.array("Q"), array.array("Q")
        base = ctypes.addressof(self.data)
        for i in range(self.count):
            vectors.extend((base + i * size, size))
        base, _ = vectors.buffer_info()
        for i in range(self.count):
            messages.extend((0, 0, base + i * 16, 1, 0, 0, 0, 0))
        return vectors, messages

    def _run(self):
        if self.cpu is not None:
            os.sched_setaffinity(0, {self.cpu})
        fd, (base, _) = self.socket.fileno(), self.messages.buffer_info()
        at, due = 0, time.monotonic()
        while True:
            batch = min(self._due(due), self.count - at)
            sent = libc.sendmmsg(fd, ctypes.c_void_p(base + at * MESSAGE_WORDS * 8), batch, 0)
            self._sent.value += max(sent, 0)
            at = (at + max(sent, 1)) % self.count  # the first was dropped: the next
            due += batch / self.per_second if self.per_second else 0

    def _due(self, since):
        """How many are to be sent now; where there is a rate, what a millisecond has of it, or
        what was missed."""
        if not self.per_second:
            return BATCH
        time.sleep(max(0, since + 0.001 - time.monotonic()))
        return max(1, min(BATCH, int((time.monotonic() - since) * self.per_second)))

    @property
    def sent(self):
        return self._sent.value

    def wait_for(self, more):
        """Until so many more were sent."""
        goal = self.sent + more
        until(lambda: self.sent >= goal or not self.process.is_alive(), 120 * PATIENCE,
              lambda: f"{more} frames more than {goal - more}: {self.sent}")
        assert self.process.is_alive()

    def __enter__(self):
        self.process.start()
        return self

    def __exit__(self, *exception):
        self.process.terminate()
        self.process.join()
        self.socket.close()
