# SPDX-License-Identifier: MIT
"""Network namespaces of a test's own, silent but for what the test sends.

    with Namespace() as here, Namespace() as there:
        connect(here, there)                  # a veth pair, "wire" at both ends
        with here.entered():                  # sockets and processes made here belong there
            ...
        here.counters("wire").tx_packets      # ip -s link
"""

import ctypes
import json
import secrets
import socket
import subprocess
from contextlib import contextmanager
from typing import NamedTuple

CLONE_NEWNET = 0x40000000  # <linux/sched.h>
libc = ctypes.CDLL(None, use_errno=True)

# A namespace by itself sends nothing: no router solicitations, no duplicate address detection, and
# no IPv6 at all, whose multicast reports cannot be switched off, unless a test wants it.
SILENT = {
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/default/autoconf": 0,
    "net/ipv6/conf/default/router_solicitations": 0,
    "net/ipv6/conf/default/addr_gen_mode": 1,
    "net/ipv6/conf/default/disable_ipv6": 1,
}


class Counters(NamedTuple):
    """What the kernel itself counts for an interface."""

    rx_packets: int
    rx_bytes: int
    tx_packets: int
    tx_bytes: int

    def since(self, before):
        return Counters(*(now - then for now, then in zip(self, before)))


def setns(fd):
    if libc.setns(fd, CLONE_NEWNET) < 0:
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    def __init__(self):
        self.name = f"wg-{secrets.token_hex(4)}"
        self.path = f"/run/netns/{self.name}"

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            for name, value in SILENT.items():
                self.sysctl(name, value)
            self.ip("link set lo up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception):
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    @contextmanager
    def entered(self):
        """This thread, and what it starts meanwhile, in the namespace."""
        with open("/proc/thread-self/ns/net") as home, open(self.path) as namespace:
            setns(namespace.fileno())
            try:
                yield
            finally:
                setns(home.fileno())

    def run(self, *command, input=None):
        with self.entered():
            done = subprocess.run(command, input=input, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout

    def ip(self, arguments):
        return self.run("ip", *arguments.split())

    def ip_batch(self, lines):
        self.run("ip", "-batch", "-", input="\n".join(lines))

    def tc(self, arguments):
        return self.run("tc", *arguments.split())

    def sysctl(self, name, value):
        with self.entered(), open(f"/proc/sys/{name}", "w") as file:
            file.write(str(value))

    def counters(self, device):
        (link,) = json.loads(self.ip(f"-json -s link show dev {device}"))
        stats = link["stats64"]
        return Counters(*(stats[way][unit]
                          for way in ("rx", "tx") for unit in ("packets", "bytes")))

    def snmp(self, protocol, field):
        """A counter of the namespace's protocol stack, as nstat has them."""
        return self._stack_counter("/proc/net/snmp", protocol, field)

    def extended(self, field, protocol="TcpExt"):
        """Likewise one of those that no MIB has."""
        return self._stack_counter("/proc/net/netstat", protocol, field)

    def _stack_counter(self, path, protocol, field):
        with self.entered(), open(path) as file:
            names, values = (line.split() for line in file if line.startswith(protocol + ":"))
        return int(values[names.index(field)])

    def packet_socket(self, device):
        """Sends and receives raw frames on @device."""
        with self.entered():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.bind((device, 0))
        return sock

    def send_frames(self, device, frames):
        with self.packet_socket(device) as sock:
            for frame in frames:
                sock.send(bytes(frame))


def connect(here, there, name="wire", offloads="off", queues=1):
    """A veth pair, up, called @name at both ends. With offloads off a packet is a packet."""
    wide = f"numtxqueues {queues} numrxqueues {queues}"
    here.ip(f"link add {name} {wide} type veth peer name {name} {wide} netns {there.name}")
    for namespace in (here, there):
        set_offloads(namespace, name, offloads)
        namespace.ip(f"link set {name} up")


def set_offloads(namespace, device, state):
    features = "tso gso gro tx rx sg txvlan rxvlan".split()
    namespace.run("ethtool", "-K", device, *(word for name in features for word in (name, state)))


def mac(namespace, device):
    (link,) = json.loads(namespace.ip(f"-json link show dev {device}"))
    return link["address"]


def address_pair(here, there, device="wire"):
    """10.0.0.1 and fd00::1 here, …2 there, with static neighbours: nobody asks for an address."""
    ends = [(here, 1, there, 2), (there, 2, here, 1)]
    for own, number, _, _ in ends:
        own.sysctl(f"net/ipv6/conf/{device}/disable_ipv6", 0)
        own.ip(f"address add 10.0.0.{number}/24 dev {device}")
        own.ip(f"address add fd00::{number}/64 dev {device} nodad")
    for own, _, other, number in ends:
        for address in (f"10.0.0.{number}", f"fd00::{number}"):
            own.ip(f"neighbour replace {address} dev {device} "
                   f"lladdr {mac(other, device)} nud permanent")
