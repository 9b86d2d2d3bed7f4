# SPDX-License-Identifier: MIT
"""A host that has something of everything to measure: TCP that opens, fails, is reset and loses
segments, listeners that accept too slowly, DNS that answers, refuses and is silent, datagrams for
nobody, a queue, and sources that guard is told to block.

    with Busy(here, there, folder):         # ends of a veth pair "wire" with addresses
        ...
"""

import contextlib
import itertools
import socket
import struct
import sys
import threading
from contextlib import ExitStack, closing, suppress
from pathlib import Path

from netns import mac
from waiting import until

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "modules/dns"), str(ROOT / "modules/guard")]

from flooding import Ethernet, sources  # noqa: E402
from nsd import Nsd  # noqa: E402

HERE, THERE, SILENT = "10.0.0.1", "10.0.0.2", "10.0.0.3"
BLOCKED = "192.0.2.0/24"  # sources of some frames, for guard
WEB, SLOW, NOBODY = 80, 81, 9
NOW = struct.pack("ii", 1, 0)  # SO_LINGER: a close that resets
NAMES = [f"{host}.example{n}.co.uk" for n in range(30) for host in ("www", "mail")]
LOSSES = """
table inet busy {
	chain losses {
		type filter hook input priority 0;
		tcp dport 80 tcp flags & (syn | fin) == 0 numgen random mod 40 0 drop
	}
}
"""


def query(number, name, qtype):
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    header = struct.pack("!6H", number, 0x0100, 1, 0, 0, 0)  # recursion is wanted; one question
    return header + labels + struct.pack("!BHH", 0, qtype, 1)


class Busy:
    def __init__(self, here, there, folder, pause=0.02):
        self.here, self.there, self.folder, self.pause = here, there, folder, pause
        self.end = threading.Event()
        self.done = {}  # what: how often

    def __enter__(self):
        with ExitStack() as stack:
            self._prepare(stack)
            workers = (self._fetch, self._ask, self._scatter, self._overrun, self._intrude)
            for worker in workers:
                thread = threading.Thread(target=self._repeat, args=(worker,))
                thread.start()
                stack.callback(thread.join)
                stack.callback(self.end.set)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.end.set()
        self.stack.close()

    def wait_for_all(self, seconds):
        """Until each kind of traffic was there."""
        until(lambda: len(self.done) == 5 and min(self.done.values()) > 3, seconds, self.done)

    def _prepare(self, stack):
        self.here.ip(f"neighbour replace {SILENT} dev wire lladdr {mac(self.there, 'wire')} "
                     "nud permanent")
        self.here.tc("qdisc replace dev wire root tbf rate 50mbit burst 10k limit 60k")
        self.there.run("nft", "-f", "-", input=LOSSES)
        for namespace in (self.here, self.there):
            stack.enter_context(Nsd(namespace, self.folder / f"nsd-{namespace.name}"))
            stack.enter_context(self._web(namespace))
        self.slow = stack.enter_context(closing(self._listen(self.here, SLOW, 0)))
        self.frames = stack.enter_context(self.there.packet_socket("wire"))

    def _repeat(self, worker):
        for number in itertools.count():
            with suppress(OSError):  # which is as it should be: some fail
                worker(number)
            self.done[worker.__name__] = number
            if self.end.wait(self.pause):
                return

    # --- sockets

    def open(self, namespace, kind=socket.SOCK_STREAM, timeout=0.5):
        with namespace.entered():
            sock = socket.socket(socket.AF_INET, kind)
        sock.settimeout(timeout)
        return sock

    def _listen(self, namespace, port, backlog=64):
        server = self.open(namespace)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("0.0.0.0", port))
        server.listen(backlog)
        return server

    @contextlib.contextmanager
    def _web(self, namespace):
        """Answers each connection's request with as many bytes as it says."""
        server = self._listen(namespace, WEB)

        def serve():
            while not self.end.is_set():
                with suppress(OSError), closing(server.accept()[0]) as client:
                    client.settimeout(2)
                    client.sendall(bytes(int(client.recv(100))))

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield
        finally:
            self.end.set()
            thread.join()
            server.close()

    # --- traffic

    def get(self, namespace, address, size, upload=0):
        with closing(self.open(namespace, timeout=2)) as client:
            client.connect((address, WEB))
            client.sendall(b"%-100d" % size + bytes(upload))
            while client.recv(65536):
                pass

    def _fetch(self, number):
        """Both ways; what goes out loses some segments. Some are refused, some reset."""
        self.get(self.here, THERE, 20_000, upload=50_000 if number % 3 == 0 else 0)
        self.get(self.there, HERE, 200_000 if number % 10 == 0 else 5_000)
        if number % 5 == 0:
            with closing(self.open(self.here)) as client:
                client.connect((THERE, WEB))
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
            with closing(self.open(self.here)) as client:
                client.connect((THERE, NOBODY))

    def _ask(self, number):
        """What is answered, refused, and not answered at all; here is a client and a server."""
        name = "www.example.co.uk" if number % 3 else NAMES[number // 3 % len(NAMES)]
        for namespace, address in ((self.here, THERE), (self.there, HERE)):
            with closing(self.open(namespace, socket.SOCK_DGRAM)) as sock:
                sock.sendto(query(number % 65536, name, (1, 28, 15)[number % 3]), (address, 53))
                sock.recv(2000)
        if number % 10 == 0:
            with closing(self.open(self.here, socket.SOCK_DGRAM)) as sock:
                sock.sendto(query(number % 65536, name, 1), (SILENT, 53))

    def _scatter(self, number):
        """To a port that nobody has."""
        with closing(self.open(self.there, socket.SOCK_DGRAM)) as sock:
            sock.sendto(bytes(100), (HERE, NOBODY))

    def _overrun(self, number):
        """More connections than a process accepts that accepts none."""
        with ExitStack() as stack:
            for _ in range(3):
                client = stack.enter_context(closing(self.open(self.there, timeout=0.2)))
                client.connect((HERE, SLOW))

    def _intrude(self, number):
        """From sources that guard blocks; of a protocol that nobody has."""
        ethernet = Ethernet(self.here, self.there, HERE) if number == 0 else self.ethernet
        self.ethernet = ethernet
        for frame in ethernet.udp(sources("192.0.2.1", 20), NOBODY):
            self.frames.send(frame)
        self.frames.send(ethernet.header[:12] + b"\x88\xb5" + bytes(46))
