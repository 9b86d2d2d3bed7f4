# SPDX-License-Identifier: MIT
"""One daemon and several network namespaces (`netns:`): what it counts where, under which names,
as namespaces come and go; and that it keeps none of them alive."""

import json
import os
import re
import subprocess

import pytest
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether

from attaching import write_config
from daemon import BINARY, PATIENCE, command
from kernel import Map, assert_untouched
from netns import Namespace, connect
from waiting import until

ETHER = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
PORTS = {"sport": 4321, "dport": 4322}
FRAMES = [ETHER / IP(src="10.9.0.1", dst="10.9.0.2") / UDP(**PORTS) / bytes(50),
          ETHER / IPv6(src="fd09::1", dst="fd09::2") / UDP(**PORTS) / bytes(50)]
NAME = DNSQR(qname="www.example.org")
QUERY = ETHER / IP(src="10.9.0.1", dst="10.9.0.2") / UDP(sport=4321, dport=53) / DNS(id=1, qd=NAME)
FOLLOWED = ETHER / IP(src="10.9.0.1", dst="10.9.0.2") / UDP(sport=4321, dport=53) / \
    DNS(id=2, qd=NAME)
ANSWER = ETHER / IP(src="10.9.0.2", dst="10.9.0.1") / UDP(sport=53, dport=4321) / \
    DNS(id=2, qr=1, qd=NAME)
PACKETS = "wiregauge_interface_packets_total"
MECHANISMS = pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
SOON = 5 * PATIENCE  # the slow way to find a namespace takes three seconds


@pytest.fixture
def follow(run):
    """Starts a daemon `here` that measures packets in these namespaces."""
    def start(*namespaces, arguments=("--module", "packets")):
        names = ",".join(getattr(one, "name", one) for one in namespaces)
        return run(*arguments, "--option", f"tc.netns={names}")

    return start


def counted(daemon, namespace, direction="egress", interface="wire", **labels):
    name = getattr(namespace, "name", namespace)
    return daemon.scrape().total(PACKETS, netns=name, direction=direction, interface=interface,
                                 **labels)


def attached(daemon, program="tc_ingress"):
    """{(namespace or None, interface)}"""
    return {(row.get("netns"), row["interface"])
            for unit in daemon.status()["units"] for of in unit["programs"]
            if of["name"] == program for row in of["interfaces"]}


def until_attached(daemon, *places):
    def is_there():
        return {(getattr(of, "name", of), name) for of, name in places} <= attached(daemon)

    until(is_there, SOON, lambda: f"{places} are attached: {attached(daemon)}")


def until_not_attached(daemon, namespace):
    until(lambda: namespace.name not in {of for of, _ in attached(daemon)}, SOON,
          "nothing is attached there")


def index(namespace, device):
    (link,) = json.loads(namespace.ip(f"-json link show dev {device}"))
    return link["ifindex"]



def test_by_default_the_own_alone(here, there, run):
    daemon = run("--module", "packets", "--module", "flows")
    until_attached(daemon, (None, "lo"), (None, "wire"))
    here.send_frames("wire", FRAMES)
    there.send_frames("wire", FRAMES * 2)
    until(lambda: daemon.scrape().total(PACKETS, interface="wire", direction="ingress") == 4,
          PATIENCE, "they arrive")
    assert daemon.scrape().total(PACKETS, interface="wire", direction="egress") == 2
    assert "netns=" not in daemon.scrape().text
    assert {of for of, _ in attached(daemon)} == {None}
    done = command("flows", "--control.socket", daemon.control)
    assert "NAMESPACE" not in done.stdout
    assert_untouched(there)


@MECHANISMS
def test_same_name_and_index(here, there, launch, mechanism):
    """The two ends have one name and, as each is the second of its namespace, one index."""
    assert index(here, "wire") == index(there, "wire")
    daemon = launch("--module", "packets", "--tc.mechanism", mechanism,
                    "--option", f"tc.netns=own,{there.name}").wait_ready()
    until_attached(daemon, *((of, name) for of in (None, there) for name in ("lo", "wire")))
    before = [namespace.counters("wire") for namespace in (here, there)]
    here.send_frames("wire", FRAMES * 3)
    there.send_frames("wire", FRAMES * 5)
    there.send_frames("lo", FRAMES)
    for namespace, out, into in ((here, 6, 10), (there, 10, 6)):
        until(lambda of=namespace, all=into: counted(daemon, of, "ingress") == all, PATIENCE,
              "they arrive")
        assert counted(daemon, namespace) == out
        assert [counted(daemon, namespace, ip_version=v) for v in "46"] == [out / 2] * 2
    assert [counted(daemon, of, interface="lo", protocol="udp") for of in (here, there)] == [0, 2]
    for namespace, then in zip((here, there), before):
        since = namespace.counters("wire").since(then)
        assert (since.tx_packets, since.rx_packets) == (counted(daemon, namespace),
                                                        counted(daemon, namespace, "ingress"))
    assert attached(daemon) == {(None, "lo"), (None, "wire"),
                                (there.name, "lo"), (there.name, "wire")}
    assert not daemon.complaints()
    daemon.stop()
    assert_untouched(here)
    assert_untouched(there)


def test_not_the_own(here, there, follow):
    daemon = follow(there)
    until_attached(daemon, (there, "wire"))
    here.send_frames("wire", FRAMES)
    until(lambda: counted(daemon, there, "ingress") == 2, PATIENCE, "they arrive")
    assert counted(daemon, here) == 0
    assert {of for of, _ in attached(daemon)} == {there.name}


def test_all_but(here, there, make_namespace, follow):
    another = make_namespace()
    daemon = follow("all", f"!{another.name}")
    until_attached(daemon, (None, "wire"), (there, "wire"))
    there.send_frames("wire", FRAMES)
    until(lambda: counted(daemon, here, "ingress") == 2, PATIENCE, "they arrive")
    assert counted(daemon, there) == 2
    places = attached(daemon)
    assert {(None, "wire"), (there.name, "wire")} <= places
    assert another.name not in {of for of, _ in places}


def test_comes_later_and_goes(here, follow):
    """The kernel ends a namespace when nobody has it any more, and the other end of a veth pair
    with it: that is seen here, within a moment, as the daemon has none of it."""
    later = Namespace()
    daemon = follow("own", later)
    assert not daemon.complaints()
    with later:
        connect(here, later, "late")
        until_attached(daemon, (None, "late"), (later, "late"), (later, "lo"))
        later.send_frames("late", FRAMES)
        assert counted(daemon, later, interface="late") == 2
        later.ip("link add third type veth peer name fourth")
        until_attached(daemon, (later, "third"), (later, "fourth"))
        later.ip("link set third name thirst")
        until_attached(daemon, (later, "thirst"))
        later.ip("link del fourth")
        until(lambda: (later.name, "thirst") not in attached(daemon), SOON, "it goes")
        inode = os.stat(later.path).st_ino
        assert f"net:[{inode}]" not in daemon.descriptors().values()
    until(lambda: "late" not in here.ip("link show"), SOON, "the namespace ends")
    until_not_attached(daemon, later)
    assert not daemon.scrape().select(PACKETS, netns=later.name)
    assert not daemon.complaints()


def test_again_under_the_same_name(here, follow):
    """Another namespace of that name, with the same indices, is another namespace."""
    again = Namespace()
    daemon = follow("own", again)
    for number in (1, 2, 3):
        with again:
            connect(here, again, "late")
            until_attached(daemon, (None, "late"), (again, "late"))
            again.send_frames("late", FRAMES * number)
            assert counted(daemon, again, interface="late") == 2 * number
        until(lambda: "late" not in here.ip("link show"), SOON, "the namespace ends")
        until_not_attached(daemon, again)


def test_moves_from_one_to_the_other(here, there, make_namespace, follow):
    """As the interface of a container does."""
    another = make_namespace()
    daemon = follow("own", there, another)
    until_attached(daemon, (None, "wire"), (there, "wire"))
    there.send_frames("wire", FRAMES)
    assert counted(daemon, there) == 2
    there.ip(f"link set wire netns {another.name}")
    until_attached(daemon, (another, "wire"))
    assert (there.name, "wire") not in attached(daemon)
    another.ip("link set wire up")
    another.send_frames("wire", FRAMES * 2)
    assert (counted(daemon, another), counted(daemon, there)) == (4, 0)
    until(lambda: counted(daemon, here, "ingress") == 6, PATIENCE, "all came here")
    assert not daemon.complaints()


def test_of_a_process_alone(here, cleanup, follow):
    """It has no name: then it is known by its number, and chosen by a file."""
    process = cleanup.enter_context(subprocess.Popen(["unshare", "--net", "sleep", "600"]))
    cleanup.callback(process.kill)
    path = f"/proc/{process.pid}/ns/net"
    own = os.stat("/proc/self/ns/net").st_ino
    until(lambda: os.stat(path).st_ino != own, PATIENCE, "it is unshared")
    inode = os.stat(path).st_ino
    here.run("ip", "link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns",
             str(process.pid))
    daemon = follow("own", path)
    place = (f"net:[{inode}]", "wire")
    until_attached(daemon, place, (f"net:[{inode}]", "lo"))
    enter = ["nsenter", f"--net={path}"]
    here.run(*enter, "ip", "link", "set", "lo", "up")
    here.run(*enter, "ping", "-c", "2", "-i", "0.2", "127.0.0.1")
    assert counted(daemon, f"unknown:{inode}", interface="lo", protocol="icmp") == 4
    process.kill()
    process.wait()
    until(lambda: "wire" not in here.ip("link show"), SOON, "the namespace ends")
    until(lambda: place not in attached(daemon), SOON, "the interface has gone")


def test_in_tables_and_of_dns(here, there, follow, cleanup):
    modules = ("--module", "packets", "--module", "flows", "--module", "dns")
    daemon = follow("own", there, arguments=modules)
    until_attached(daemon, (None, "wire"), (there, "wire"))
    here.send_frames("wire", [QUERY])

    def seen():
        done = command("flows", "--json", "--port", "53", "--control.socket", daemon.control)
        assert done.returncode == 0, done.stderr
        return {(row["netns"], row["interface"], row["direction"])
                for row in json.loads(done.stdout)["rows"]}

    both = {(here.name, "wire", "egress"), (there.name, "wire", "ingress")}
    until(lambda: seen() == both, PATIENCE, "the query is a flow of each")
    queries = "wiregauge_dns_queries_total"
    assert [daemon.scrape().total(queries, role=role) for role in ("client", "server")] == [1, 1]
    done = command("flows", "--by", "interface", "--control.socket", daemon.control)
    assert re.search(rf"wire +{there.name} +ingress +1 ", done.stdout), done.stdout
    done = command("packets", "--by", "interface", "--control.socket", daemon.control)
    assert re.search(rf"wire +{there.name} +1 ", done.stdout), done.stdout
    with subprocess.Popen([BINARY, "dns", "queries", "--json", "--control.socket", daemon.control],
                          stdout=subprocess.PIPE, text=True) as viewer:
        cleanup.callback(viewer.kill)
        until(lambda: Map(daemon, "dns_queries_wanted").read(bytes(4)) == b"\1\0\0\0",
              10 * PATIENCE, "somebody looks")
        here.send_frames("wire", [FOLLOWED])
        there.send_frames("wire", [ANSWER])
        records = [json.loads(viewer.stdout.readline()) for _ in range(2)]
        assert {(record["role"], record["interface"], record["netns"]) for record in records} == \
            {("client", "wire", here.name), ("server", "wire", there.name)}
        viewer.kill()


@MECHANISMS
def test_reload(here, there, run, tmp_path, mechanism):
    """What was attached goes on, with its counters, as others come and go."""
    def write(netns):
        path.write_text("modules:\n  packets:\n    enabled: true\n"
                        f"  tc:\n    netns: {netns}\n    interfaces: wire\n")

    path = tmp_path / "daemon.yaml"
    write("own")
    daemon = run("--config", path, "--module", "packets", "--tc.mechanism", mechanism)
    until_attached(daemon, (None, "wire"))
    assert attached(daemon) == {(None, "wire")}
    write(f"[own, {there.name}]")
    daemon.reload()
    until_attached(daemon, (None, "wire"), (there, "wire"))
    there.send_frames("wire", FRAMES)
    assert counted(daemon, there) == 2
    write(f"{there.name}")
    daemon.reload()
    until(lambda: attached(daemon) == {(there.name, "wire")}, SOON, "it is there alone")
    there.send_frames("wire", FRAMES)
    until(lambda: counted(daemon, there) >= 2, PATIENCE, "it counts")
    assert counted(daemon, here) == 0
    write("own")
    daemon.reload()
    until(lambda: attached(daemon) == {(None, "wire")}, SOON, "it is here alone")
    assert_untouched(there)
    assert not daemon.complaints()


def test_what_a_killed_daemon_left(here, there, launch):
    """Filters of clsact outlive it, in every namespace."""
    options = ("--module", "packets", "--tc.mechanism", "clsact",
               "--option", f"tc.netns=own,{there.name}")
    first = launch(*options).wait_ready()
    until_attached(first, (None, "wire"), (there, "wire"))
    first.kill()
    assert "wiregauge:" in there.tc("filter show dev wire ingress")
    second = launch(*options).wait_ready()
    until_attached(second, (None, "wire"), (there, "wire"))
    there.send_frames("wire", FRAMES)
    assert counted(second, there) == 2
    second.stop()
    assert_untouched(here)
    assert_untouched(there)


def test_without_the_right_to_enter(here, there, run):
    """What is attached goes on; what comes later is said to be out of reach."""
    later = Namespace()
    daemon = run("--module", "packets", "--capabilities.keep", "none",
                 "--option", f"tc.netns=own,{there.name},{later.name}")
    assert any("without cap_sys_admin" in line for line in daemon.complaints())
    there.send_frames("wire", FRAMES)
    assert counted(daemon, there) == 2
    with later:
        until(lambda: "cannot follow the interfaces of another network namespace" in daemon.log(),
              SOON, "it says so")
        assert later.name not in {of for of, _ in attached(daemon)}
    there.send_frames("wire", FRAMES)
    assert counted(daemon, there) == 4


CONFIG = """
metrics:
  counters:
    - name: frames_total
      help: Frames
      labels:
        - {name: interface, size: 4, decoders: [{name: ifname}]}
        - {name: netns, of: interface, size: 4, decoders: [{name: ifnetns}, {name: netns}]}
"""


def test_config_of_a_user_at_xdp(here, there, run, folder):
    write_config(folder, "frames", "namespaces",
                 [f"program: count_frame, hook: xdp, interfaces: wire, netns: [own, {there.name}]"],
                 metrics=CONFIG)
    daemon = run("--module=", "--config.dir", folder)
    places = {(None, "wire"), (there.name, "wire")}
    until(lambda: attached(daemon, "count_frame") == places, SOON, "it is attached")

    def frames(namespace):
        return daemon.scrape().value("ebpf_exporter_frames_total", interface="wire",
                                     netns=namespace.name)

    here.send_frames("wire", FRAMES)
    there.send_frames("wire", FRAMES * 2)
    until(lambda: (frames(here), frames(there)) == (4, 2), PATIENCE, "each has its own")
    assert not daemon.complaints()
    daemon.stop()
    assert_untouched(there)


def test_config_that_does_not_tell_them_apart(there, run, folder):
    write_config(folder, "hooks", "attach_hooks",
                 [f"program: on_xdp, hook: xdp, interfaces: wire, netns: {there.name}"])
    daemon = run("--module=", "--config.dir", folder)
    assert any("interface.bpf.h" in line for line in daemon.complaints())
