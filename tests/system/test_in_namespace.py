# SPDX-License-Identifier: MIT
"""A daemon that is started into a namespace from outside, and several that measure one each."""

import json
import os
import re
import socket
from contextlib import ExitStack

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from daemon import PATIENCE, command
from kernel import assert_untouched, filters, has_clsact
from netns import address_pair
from waiting import until

MECHANISMS = pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
PORTS = {"sport": 4321, "dport": 4322}  # scapy's own would be those of DNS
FRAME = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
FRAMES = {"4": FRAME / IP(src="10.9.0.1", dst="10.9.0.2") / UDP(**PORTS) / bytes(50),
          "6": FRAME / IPv6(src="fd09::1", dst="fd09::2") / UDP(**PORTS) / bytes(50)}
QUERY = FRAME / IP(src="10.9.0.1", dst="10.9.0.2") / UDP(sport=4321, dport=53) / \
    DNS(qd=DNSQR(qname="www.example.org"))
PACKETS = "wiregauge_interface_packets_total"
MODULES = {"dns", "drops", "flows", "latency", "packets", "tcp"}
ONLY_PACKETS = ("--module", "packets")
NO_CGROUPS = "all cgroups will be unknown"

WAYS_IN = {
    "ip": lambda namespace: ("ip", "netns", "exec", namespace.name),
    "nsenter": lambda namespace: ("nsenter", f"--net={namespace.path}"),
}


@pytest.fixture
def run_in(launch):
    """Starts a daemon in any namespace, not just `here`."""
    def start(namespace, *arguments, **options):
        daemon = launch(*arguments, through=WAYS_IN["nsenter"](namespace), **options)
        daemon.namespace = namespace
        return daemon.wait_ready()

    return start


def udp(daemon, direction, version="4"):
    return daemon.scrape().total(PACKETS, interface="wire", direction=direction,
                                 ip_version=version, protocol="udp")


def listening(daemon):
    return daemon.scrape().value("wiregauge_tcp_connections", state="listen")


def modules(daemon):
    return {module["name"] for unit in daemon.status()["units"] for module in unit["modules"]}


def flows(daemon):
    """{(interface, direction)} of the query in the table of flows."""
    done = command("flows", "--json", "--port", "53", "--control.socket", daemon.control)
    assert done.returncode == 0, done.stderr
    return {(row["interface"], row["direction"]) for row in json.loads(done.stdout)["rows"]}


@pytest.mark.parametrize("way", WAYS_IN)
def test_entered_from_another(here, there, launch, way):
    """`ip netns exec` mounts another /sys, without cgroups and tracefs; nsenter leaves it."""
    daemon = launch(through=WAYS_IN[way](there))
    daemon.namespace = there
    daemon.wait_ready()
    assert os.stat(f"/proc/{daemon.pid}/ns/net").st_ino == os.stat(there.path).st_ino
    assert MODULES <= modules(daemon) and daemon.attached() == {"lo", "wire"}
    for number, (version, frame) in enumerate(FRAMES.items(), 2):
        there.send_frames("wire", [frame] * number)
        here.send_frames("wire", [frame] * 5)
        assert udp(daemon, "egress", version) == number
        until(lambda of=version: udp(daemon, "ingress", of) == 5, PATIENCE, "they arrive")
    assert [line for line in daemon.complaints() if NO_CGROUPS not in line] == []
    daemon.stop()
    assert_untouched(there)


@MECHANISMS
def test_one_in_each(here, there, run_in, mechanism):
    """Same port, same interface name; each has what its own namespace sees."""
    options = ["--tc.mechanism", mechanism]
    for module in ("dns", "flows", "packets", "tcp"):
        options += ["--module", module]
    daemons = [run_in(namespace, *options) for namespace in (here, there)]
    first, second = daemons
    idle = [listening(daemon) for daemon in daemons]
    address_pair(here, there)
    here.send_frames("wire", [FRAMES["4"]] * 3 + [FRAMES["6"]] * 4 + [QUERY])
    for version, number in (("4", 4), ("6", 4)):
        assert (udp(first, "egress", version), udp(first, "ingress", version)) == (number, 0)
        until(lambda of=version, all=number: udp(second, "ingress", of) == all, PATIENCE,
              "they arrive")
        assert udp(second, "egress", version) == 0
    assert flows(first) == {("wire", "egress")} and flows(second) == {("wire", "ingress")}
    queries = "wiregauge_dns_queries_total"
    assert [(d.scrape().total(queries, role="client"), d.scrape().total(queries, role="server"))
            for d in daemons] == [(1, 0), (0, 1)]
    with ExitStack() as stack:
        with here.entered():
            for _ in range(2):
                stack.enter_context(socket.create_server(("10.0.0.1", 0)))
        assert [listening(daemon) for daemon in daemons] == [idle[0] + 2, idle[1]]
    assert [daemon.complaints() for daemon in daemons] == [[], []]


@MECHANISMS
@pytest.mark.parametrize("end", ["stop", "kill"])
def test_the_end_of_one(here, there, run_in, mechanism, end):
    """However one ends, and whatever is cleaned up after it, the other one goes on."""
    options = ("--tc.mechanism", mechanism, *ONLY_PACKETS)
    first, second = [run_in(namespace, *options) for namespace in (here, there)]
    before = filters(there, "wire")
    if end == "stop":
        first.stop()
    else:
        first.kill()
        with here.entered():
            done = command("cleanup")
        # lo and wire, both ways
        left = 4 if mechanism == "clsact" else 0
        assert (done.returncode, done.stdout) == (0, f"removed {left} filters\n"), done.stderr
    assert_untouched(here)
    assert filters(there, "wire") == before and has_clsact(there, "wire") == bool(before)
    there.send_frames("wire", [FRAMES["4"]] * 2)
    assert udp(second, "egress") == 2
    again = run_in(here, *options)
    here.send_frames("wire", [FRAMES["4"]])
    assert udp(again, "egress") == 1
    until(lambda: udp(second, "ingress") == 1, PATIENCE, "it arrives")


def test_second_without_a_socket_of_its_own(here, there, run_in, launch):
    """A control socket is a file, which namespaces share: it says so, and harms nobody."""
    first = run_in(here, *ONLY_PACKETS)
    refused = launch("--control.socket", first.control, *ONLY_PACKETS,
                     through=WAYS_IN["nsenter"](there))
    code, log = refused.fails()
    assert code == 1 and re.search("another daemon answers.*--control.socket", log), log
    assert_untouched(there)
    here.send_frames("wire", [FRAMES["4"]])
    assert udp(first, "egress") == 1


def test_served_in_another(here, there, launch):
    """A port that was opened outside stays outside: a scraper need not come in."""
    with there.entered(), socket.create_server(("127.0.0.1", 0)) as server:
        daemon = launch(*ONLY_PACKETS, listen=f"fd://{server.fileno()}",
                        pass_fds=[server.fileno()])
        port = server.getsockname()[1]
    daemon.wait_ready()
    here.send_frames("wire", [FRAMES["4"]] * 3)
    text = there.run("curl", "--silent", "--fail", f"http://127.0.0.1:{port}/metrics")
    assert re.search(rf'{PACKETS}{{direction="egress",interface="wire",ip_version="4",'
                     r'protocol="udp"} 3\n', text), text
