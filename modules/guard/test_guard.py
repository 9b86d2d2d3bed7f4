# SPDX-License-Identifier: MIT
"""Guard as whoever uses it sees it: rules by command and by configuration, real sessions through
real interfaces, nobody locked out, and nothing forgotten by a restart."""

import json
import select
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether

from daemon import BINARY, PATIENCE, Daemon, command
from dispatching import FIRST, OURS, dispatcher, joined
from flooding import Flood
from guarding import HERE, THERE, Guard, gets_through
from netns import mac
from waiting import until

SSH = 22


def test_it_is_told_where_guard_is(start, here, there, launch, tmp_path):
    """At no interface, unless one is named: a veth's other end may be a container."""
    start.write()
    daemon = launch("--module=guard", "--config", tmp_path / "wiregauge.yaml", "--option",
                    "xdp.interfaces=kind:physical")
    guard = Guard(daemon)
    until(lambda: "ready: " in daemon.log(), 20 * PATIENCE, daemon.log)
    assert guard.status()["interfaces"] == []
    assert guard.status()["no_interface_is"] == "kind:physical"
    assert "chosen by kind:physical" in daemon.log()
    daemon.stop()
    guard = start()
    assert guard.status()["interfaces"] == ["wire"]
    assert "no_interface_is" not in guard.status()


class Session:
    """A TCP connection from @there to a listener of @here."""

    def __init__(self, here, there, port=SSH, address=HERE):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with here.entered(), socket.socket(family) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(1)
            with there.entered():
                self.client = socket.socket(family)
                self.client.settimeout(5 * PATIENCE)
                self.client.connect((address, port))
            self.server, _ = listener.accept()
            self.server.settimeout(5 * PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.client.close()
        self.server.close()

    def is_alive(self):
        """What is said at one end is heard at the other, both ways."""
        for one, other in ((self.client, self.server), (self.server, self.client)):
            one.sendall(b"x")
            assert other.recv(1) == b"x"
        return True

    def is_cut(self, seconds=0.5):
        """What the client says is not heard."""
        self.client.sendall(b"y")
        self.server.settimeout(seconds)
        try:
            self.server.recv(1)
        except TimeoutError:
            return True
        finally:
            self.server.settimeout(5 * PATIENCE)
        return False

    def hears_late(self):
        """What was cut off comes after all, by retransmission."""
        self.server.settimeout(30 * PATIENCE)
        return self.server.recv(1) == b"y"


# ---- blocks ----

def test_monitor_counts_what_enforce_drops(start, there):
    guard = start()
    guard("block", THERE)
    assert gets_through(there)
    assert guard.packets("blocklisted", "would_drop") == 1
    assert guard("mode", "enforce") == "guard is in mode enforce\n"
    assert not gets_through(there)
    assert guard.packets("blocklisted", "dropped") == 1
    assert guard("unblock", THERE) == f"{THERE} is not blocked any more\n"
    assert gets_through(there)
    assert guard.packets("blocklisted", "would_drop") == 1


@pytest.mark.parametrize("network, address", [(f"{THERE}/31", HERE), ("fd00::/64", "fd00::1"),
                                              ("fd00::2", "fd00::1"), ("0.0.0.0/0", HERE)])
def test_networks(start, there, network, address):
    guard = start(mode="enforce")
    assert gets_through(there, address)
    guard("block", network, "--force")
    assert not gets_through(there, address)
    guard("allow", network)
    assert gets_through(there, address)
    guard("disallow", network)
    assert not gets_through(there, address)
    guard("unblock", network)
    assert gets_through(there, address)


def test_what_is_configured_stays(start, there):
    guard = start(mode="enforce", block=["10.0.0.0/24"], allow=["192.0.2.0/24"])
    assert not gets_through(there)
    assert guard.rows() == {("block", "10.0.0.0/24"): "configuration",
                            ("allow", "192.0.2.0/24"): "configuration"}
    assert "is in the block list of the configuration" in guard.refused("unblock", "10.0.0.0/24")
    assert "is in the allow list" in guard.refused("disallow", "192.0.2.0/24")
    guard("block", "10.0.0.0/24")
    assert guard.rows("10.0.0.9") == {("block", "10.0.0.0/24"): "configuration, command"}
    guard("unblock", "10.0.0.0/24")
    assert guard.rows("10.0.0.9") == {("block", "10.0.0.0/24"): "configuration"}
    assert not gets_through(there)


def test_bans_end_by_themselves(start, there):
    guard = start(mode="enforce")
    guard("ban", THERE, "--for", f"{2 * PATIENCE}s")
    assert not gets_through(there)
    assert guard.packets("banned", "dropped") == 1
    assert guard.rows() == {("ban", THERE): "command"}
    until(lambda: gets_through(there), 30 * PATIENCE, "the ban ends")
    assert guard.rows() == {}
    guard("ban", THERE, "--for", "1h")
    assert not gets_through(there)
    guard("unblock", THERE)
    assert gets_through(there)
    guard("ban", "fd00::2", "--for", "1h")  # the network of the source
    assert guard.rows() == {("ban", "fd00::/64"): "command"}
    assert not gets_through(there, "fd00::1")
    assert "guard block 10.0.0.0/24" in guard.refused("ban", "10.0.0.0/24", code=2)


def test_explain(start, there):
    guard = start(block=["10.0.0.0/8"], limits=["sources 1kpps", "10.0.0.0/16 2kpps"])

    def verdict():
        return guard.json("explain", THERE)["verdict"]

    assert verdict() == "blocklisted"
    guard("ban", THERE)
    assert verdict() == "banned"
    guard("allow", "10.0.0.0/30")
    assert verdict() == "allowed"
    assert guard.json("explain", "192.0.2.1")["verdict"] == "limited"
    matches = {row["step"]: row["match"] for row in guard.json("explain", THERE)["rows"]}
    ban, left = matches.pop("ban").split(", for ")
    assert ban == THERE and 0 < int(left.removesuffix("s")) < 60
    assert matches == {
        "allow": "10.0.0.0/30, by command", "block": "10.0.0.0/8, by configuration",
        "limit": "10.0.0.0/16 2kpps"}


# ---- limits ----

def flood(there, count, port=9):
    with there.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _ in range(count):
            sock.sendto(b"x" * 100, (HERE, port))


def test_limits(start, there):
    guard = start(mode="enforce", limits=["9/udp 1pps"])
    flood(there, 100)
    dropped = guard.packets("port_limit", "dropped")
    assert 80 <= dropped <= 90  # ten at once, and those of a slow machine's seconds
    assert guard.json("limits")["rows"] == [{"target": "9/udp", "limit": "1pps",
                                             "by": "configuration", "configured": "1pps"}]
    assert "in the configuration" in guard.refused("unlimit", "9/udp")
    guard("limit", "9/udp", "1mpps")
    flood(there, 100)
    assert guard.packets("port_limit", "dropped") == dropped
    guard("unlimit", "9/udp")
    flood(there, 100)
    assert guard.packets("port_limit", "dropped") > dropped + 80
    guard("limit", "10.0.0.0/24", "5pps", "1mbit")
    flood(there, 100, port=10)
    assert 80 <= guard.packets("source_limit", "dropped") <= 90
    guard("unlimit", "10.0.0.0/24")
    guard("limit", "sources", "1pps")
    before = guard.packets("source_limit", "dropped")
    flood(there, 100, port=10)
    assert guard.packets("source_limit", "dropped") > before
    assert "has no limit" in guard.refused("unlimit", "10.0.0.0/24")


# ---- nobody is locked out ----

def test_a_session_is_not_cut_off(start, here, there):
    guard = start(mode="enforce")
    with Session(here, there) as session:
        for rule in (["block", THERE], ["block", "10.0.0.0/8"], ["ban", THERE],
                     ["limit", THERE, "1pps"]):
            message = guard.refused(*rule)
            assert f"{THERE} (the peer of an SSH session)" in message
            assert "--force" in message
        assert session.is_alive()
        assert guard.rows() == {}
    until(lambda: guard.ask("block", THERE).returncode == 0, 10 * PATIENCE, "the session is over")


def test_gateways_and_servers_are_not_cut_off(start, here, there):
    here.ip("route add default via 10.0.0.254")
    here.ip("-6 route add default via fd00::254")
    guard = start(mode="enforce", protect=["198.51.100.0/25"])
    for network, words in (("10.0.0.254", "a default gateway"), ("fd00::/8", "a default gateway"),
                           ("198.51.100.0/24", "the option protect"), ("127.0.0.1", "loopback")):
        assert words in guard.refused("block", network)
    with open("/etc/resolv.conf") as file:
        servers = [line.split()[1] for line in file if line.startswith("nameserver")]
    for server in servers:
        if not server.startswith("127."):
            assert "a DNS server" in guard.refused("block", server)
    assert "taken out there" in guard.refused("block", "198.51.100.7", "--force")
    guard("block", "198.51.100.128/25")
    assert {"gateway 10.0.0.254", "gateway fd00::254", "option 198.51.100.0/25"} <= set(
        guard.status()["protected"])


def test_by_force_and_taken_back(start, here, there):
    guard = start(mode="enforce")
    with Session(here, there) as session:
        assert session.is_alive()
        answer = guard("block", "10.0.0.0/8", "--force", "--confirm", "5")
        assert "taken back in 5s" in answer
        assert session.is_cut()
        assert len(guard.status()["pending"]) == 1
        assert session.hears_late()
        assert session.is_alive()
        assert guard.rows() == {}
        entry = guard.json("log")["rows"][-1]
        assert (entry["action"], entry["subject"]) == ("revert", "block 10.0.0.0/8")


def test_by_force_and_confirmed(start, here, there):
    guard = start(mode="enforce")
    with Session(here, there) as session:
        guard("block", THERE, "--force", "--confirm", "4")
        guard("confirm")
        assert guard.status()["pending"] == []
        assert "nothing waits" in guard.refused("confirm")
        assert session.is_cut(6)
        guard("unblock", THERE)
        assert session.hears_late()


def test_reverted_by_command(start, there):
    guard = start(mode="enforce")
    guard("block", THERE, "--confirm", "1h")
    guard("limit", "sources", "1kpps", "--confirm", "1h")
    assert [row["what"] for row in guard.status()["pending"]] == [f"block {THERE}",
                                                                  "limit sources"]
    assert guard("revert") == "2 changes taken back\n"
    assert guard.rows() == {}
    assert guard.json("limits")["rows"] == []
    assert gets_through(there)


def test_a_list_cuts_nobody_off(start, here, there):
    """Lists that others make have private networks in them: who is protected gets through."""
    with Session(here, there) as session:
        guard = start(mode="enforce", block=["10.0.0.0/8"])
        assert session.is_alive()
        assert guard.rows(THERE) == {("block", "10.0.0.0/8"): "configuration",
                                     ("allow", THERE): "protection"}
        assert guard.packets("protected", "passed") > 0
    until(lambda: guard.rows(THERE) == {("block", "10.0.0.0/8"): "configuration"}, 40 * PATIENCE,
          "the session is over")
    assert not gets_through(there)


# ---- files ----

def test_files_are_read_again(start, there, tmp_path):
    listed = tmp_path / "list"
    listed.write_text("# mine\n10.0.0.0/24\n2001:db8::/32\n")
    guard = start(mode="enforce", block_files=[str(listed)])
    assert not gets_through(there)
    listed.write_text("192.0.2.0/24\n10.0.0.0/42\n")
    message = guard.refused("reload", code=2)
    assert f"{listed}:2: '10.0.0.0/42' is not an address or a network" in message
    assert not gets_through(there)
    listed.write_text("192.0.2.0/24\n")
    assert "1 networks" in guard("reload")
    assert gets_through(there)
    assert guard.rows() == {("block", "192.0.2.0/24"): "configuration"}


def test_wrong_lines_are_left_out_at_the_start(start, there, tmp_path):
    listed = tmp_path / "list"
    listed.write_text("10.0.0.0/24\nnonsense\n")
    guard = start(mode="enforce", block_files=[str(listed)])
    assert f"{listed}:2: 'nonsense' is not" in guard.daemon.log()
    assert guard.daemon.scrape().value("wiregauge_guard_wrong_list_lines") == 1
    assert not gets_through(there)


def test_many_networks(start, there, tmp_path):
    """200,000 of them, of all lengths: each is found, and what is between them is not."""
    listed = tmp_path / "list"
    with open(listed, "w") as file:
        for i in range(100000):
            file.write(f"11.{i >> 16}.{i >> 8 & 255}.{i & 255}\n")
            file.write(f"12.{i >> 12 & 255}.{i >> 4 & 255}.{(i & 15) << 4}/29\n")
    guard = start(block_files=[str(listed)])
    assert guard.status()["block"]["configuration"] == 200000
    for address, verdict in (("11.0.0.0", "blocklisted"), ("11.1.134.159", "blocklisted"),
                             ("11.1.134.160", "passed"), ("12.0.0.7", "blocklisted"),
                             ("12.0.0.8", "passed"), ("12.24.105.247", "blocklisted")):
        assert guard.json("explain", address)["verdict"] == verdict, address
    guard("block", "13.0.0.0/8")
    assert guard.json("explain", "13.1.1.1")["verdict"] == "blocklisted"
    assert guard.json("explain", "11.0.0.0")["verdict"] == "blocklisted"


# ---- restarts ----

def test_what_was_commanded_outlives_the_daemon(start, there):
    guard = start(block=["192.0.2.0/24"], limits=["53/udp 1kpps"])
    guard("mode", "enforce")
    guard("block", THERE)
    guard("ban", "198.51.100.7", "--for", "1h")
    guard("limit", "192.0.2.0/24", "5kpps")
    guard.daemon.kill()
    assert not gets_through(there)
    guard = start(block=["203.0.113.0/24"], limits=["54/udp 1kpps"])
    assert not gets_through(there)
    assert guard.status()["mode"] == "enforce"
    until(lambda: guard.rows() == {("block", THERE): "command", ("ban", "198.51.100.7"): "command",
                                   ("block", "203.0.113.0/24"): "configuration"},
          5 * PATIENCE, guard.rows)
    assert {(row["target"], row["by"]) for row in guard.json("limits")["rows"]} == {
        ("192.0.2.0/24", "command"), ("54/udp", "configuration")}


def test_what_waits_is_taken_back_by_the_next_daemon(start, there):
    guard = start(mode="enforce")
    guard("block", THERE, "--confirm", "3")
    guard.daemon.kill()
    assert not gets_through(there)
    guard = start(mode="enforce")
    until(lambda: gets_through(there), 10 * PATIENCE, "it is taken back")
    assert guard.rows() == {}


def test_another_mode_is_configured(start, there):
    guard = start(mode="monitor")
    guard("mode", "enforce")
    guard.daemon.stop()
    guard = start(mode="monitor")  # the same as before: the command holds
    assert guard.status()["mode"] == "enforce"
    start.write(mode="enforce")
    guard.daemon.reload()
    start.write(mode="monitor")
    guard.daemon.reload()
    until(lambda: guard.status()["mode"] == "monitor", 5 * PATIENCE, "the mode")


def test_the_configuration_is_read_again(start, there):
    guard = start(mode="enforce", block=["10.0.0.0/24"])
    guard("block", "192.0.2.7")
    start.write(mode="enforce", block=["198.51.100.0/24"])
    guard.daemon.reload()
    until(lambda: guard.rows() == {("block", "198.51.100.0/24"): "configuration",
                                   ("block", "192.0.2.7"): "command"}, 5 * PATIENCE, guard.rows)
    assert gets_through(there)


def test_what_differs_from_the_configuration(start, tmp_path):
    listed = tmp_path / "list"
    listed.write_text("192.0.2.0/24\n198.51.100.0/24\n")
    guard = start(block_files=[str(listed)], limits=["53/udp 1kpps"])

    def differences():
        done = command("config", "diff", "--json", "--control.socket", guard.daemon.control)
        assert done.returncode == 0, done.stderr
        return {(row["what"], row["declared"], row["running"])
                for row in json.loads(done.stdout)["rows"]}

    assert differences() == set()
    guard("mode", "enforce")
    guard("allow", "203.0.113.7")
    guard("block", "192.0.2.0/24")  # is configured
    guard("limit", "53/udp", "2kpps")
    guard("limit", "sources", "3kpps")
    listed.write_text("192.0.2.0/24\n2001:db8::/32\n")
    assert differences() == {
        ("mode", "monitor", "enforce"), ("allow 203.0.113.7", None, "by command"),
        ("limit 53/udp", "1kpps", "2kpps"), ("limit sources", None, "3kpps"),
        ("block 2001:db8::/32", "by configuration", None),
        ("block 198.51.100.0/24", None, "by configuration")}


@pytest.mark.parametrize("option, value, words", [
    ("mode", "off", "takes monitor or enforce, not 'off'"),
    ("block", ["10.0.0.0/40"], "option block: '10.0.0.0/40' is not an address"),
    ("allow", ["::/0"], "option allow: '::/0' is not"),
    ("limits", ["sources fast"], "'fast' is not a rate"),
    ("limits", ["sources 1kpps", "sources 2kpps"], "there are two for the same"),
    ("source_prefix", 63, "63 is none of 64, 56, 48"),
    ("silence", "soon", "'soon' is not a time"),
    ("ssh_ports", ["0"], "'0' is not a port"),
    ("block_files", ["/nowhere/list"], "/nowhere/list"),
])
def test_wrong_options(launch, start, tmp_path, option, value, words):
    start.write(**{option: value})
    code, log = launch("--module=guard", "--config", tmp_path / "wiregauge.yaml",
                       "--config.strict").fails()
    assert code != 0
    assert words in log


def test_a_change_is_logged_once(start):
    guard = start()
    before = len(guard.daemon.log())
    guard("block", "192.0.2.0/24")
    guard("mode", "enforce")
    guard("reload")
    first, second, third = guard.daemon.log()[before:].splitlines()
    assert "guard: block 192.0.2.0/24, by uid 0" in first
    assert "guard: mode" in second
    assert "guard: reload lists" in third


# ---- what guard does by itself ----

EAGER = {"detection": True, "detection_packets": 300, "detection_syns": 60,
         "detection_learn": "1s", "detection_hold": "2s"}
# s, between two questions: one CPU, that is emulated, could do nothing but answer, and what it has
# no time to receive is no flood.
RARELY = 0.5


def frames(here, there, layers):
    ether = Ether(src=mac(there, "wire"), dst=mac(here, "wire"))
    return [bytes(ether / layer) for layer in layers]


def defended(guard):
    return guard.daemon.scrape().value("wiregauge_guard_defended_destinations")


def start_watching(start, **options):
    guard = start(mode="enforce", **EAGER, **options)
    until(lambda: guard.status()["detection"] == "watching", 10 * PATIENCE, "it has learnt")
    return guard


def test_a_flood_is_held_back(start, here, there):
    guard = start_watching(start)
    packets = frames(here, there, [IP(src=f"192.0.2.{i}", dst=HERE) / UDP(dport=9) / (b"x" * 50)
                                   for i in range(250)])
    with Flood(there, packets, per_second=1500):
        until(lambda: guard.packets("drop_share", "dropped") or
              guard.packets("heavy_hitter", "dropped"), 30 * PATIENCE, guard.daemon.log, RARELY)
        assert defended(guard) == 1
        until(lambda: gets_through(there), 10 * PATIENCE, "nobody else is")
        entry = guard.json("log")["rows"][-1]
        assert (entry["action"], entry["subject"]) == ("defend", f"{HERE} 9/udp")
        assert "packets/s" in entry["why"]
    until(lambda: defended(guard) == 0, 30 * PATIENCE, guard.daemon.log)
    assert guard.json("log")["rows"][-1]["action"] == "defend no more"
    before = guard.packets("drop_share", "dropped") + guard.packets("heavy_hitter", "dropped")
    flood(there, 50)
    assert guard.packets("drop_share", "dropped") + guard.packets(
        "heavy_hitter", "dropped") == before


def test_a_flood_of_syns_is_answered(start, here, there):
    here.sysctl("net/ipv4/tcp_syncookies", 2)
    guard = start_watching(start, syn_cookies="defence")
    packets = frames(here, there, [IP(src=f"192.0.2.{i}", dst=HERE) / TCP(dport=80, seq=i)
                                   for i in range(250)])
    with here.entered(), socket.create_server((HERE, 80)), \
            Flood(there, packets, per_second=200):
        until(lambda: guard.packets("syn_cookie_sent", "answered"), 30 * PATIENCE,
              guard.daemon.log, RARELY)
        entry = guard.json("log")["rows"][-1]
        assert (entry["action"], entry["subject"]) == ("defend", f"{HERE} 80/tcp")
        assert entry["why"].endswith(": cookies")
        assert guard.packets("drop_share", "dropped") == 0
    until(lambda: defended(guard) == 0, 30 * PATIENCE, guard.daemon.log)


def test_profile_simple(start, here, there):
    guard = start(mode="enforce", profile="simple", syn_threshold=5, ban_time="1h",
                  automatic_bans=3, protect=[f"{THERE}/32"], syn_cookies="off")

    def attack(source):
        there.send_frames("wire", frames(here, there, [
            IP(src=source, dst=HERE) / TCP(sport=port, dport=80) for port in range(2000, 2020)]))

    assert guard.json("limits")["rows"][0]["limit"] == "10kpps"
    attack("192.0.2.1")
    assert guard.packets("simple_syn", "dropped") == 1
    assert guard.packets("banned", "dropped") > 0
    until(lambda: [(row["action"], row["subject"]) for row in guard.json("log")["rows"]][-1:] ==
          [("ban", "192.0.2.1")], 10 * PATIENCE, guard.daemon.log)
    attack(THERE)
    assert gets_through(there)  # allowed by `protect`
    for i in range(2, 5):
        attack(f"192.0.2.{i}")
    until(lambda: guard.json("log")["rows"][-1]["action"] == "no more automatic bans",
          10 * PATIENCE, guard.daemon.log)
    attack("192.0.2.99")
    assert ("ban", "192.0.2.99") not in guard.rows()
    assert ("ban", "192.0.2.1") in guard.rows()
    guard("unblock", "192.0.2.1", "192.0.2.2")
    until(lambda: guard.json("log")["rows"][-1]["action"] == "automatic bans",
          10 * PATIENCE, guard.daemon.log)


# ---- as a user of its own ----

MOUNT_NAMESPACE = ["unshare", "--mount", "sh", "-c",
                   "mount -t bpf -o mode=700 bpffs /sys/fs/bpf && echo there && exec sleep 1000"]


@pytest.fixture
def private(cleanup):
    """Into a mount namespace that stays, with a bpffs of its own, and without CAP_SYS_ADMIN."""
    holder = subprocess.Popen(MOUNT_NAMESPACE, stdout=subprocess.PIPE, text=True)
    cleanup.callback(holder.wait)
    cleanup.callback(holder.kill)
    assert holder.stdout.readline() == "there\n"
    return ["nsenter", f"--mount=/proc/{holder.pid}/ns/mnt", "setpriv", "--bounding-set=-sys_admin"]


@pytest.fixture
def nobodys(here, private, cleanup):
    """Starts guard as a user who may do what his daemon needs, and no more."""
    directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="wg-", dir="/tmp")))
    directory.chmod(0o777)

    def start(block):
        daemon = Daemon(here, directory, "--user=nobody", "--module=guard",
                        "--option=xdp.interfaces=lo", f"--option=guard.block={block}",
                        f"--option=guard.log_file={directory}/evidence", through=private)
        cleanup.callback(daemon.close)
        daemon.wait_ready()
        held = daemon.status()["privileges"]
        assert held["uid"] != 0 and "cap_sys_admin" not in held["bounding"]
        return Guard(daemon)
    return start


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_lists_are_taken_up_without_cap_sys_admin(nobodys, end):
    """Which it takes to open a map of a map of maps by its number: they have pins of their own."""
    guard = nobodys("192.0.2.0/24")
    guard("block", "198.51.100.7")
    for declared in ("192.0.2.0/24", "203.0.113.0/24", "203.0.113.0/25"):  # then new sets
        getattr(guard.daemon, end)()
        guard = nobodys(declared)
        until(lambda guard=guard, declared=declared: set(guard.rows()) == {
            ("block", declared), ("block", "198.51.100.7")}, 10 * PATIENCE, guard.daemon.log)
        guard("block", "2001:db8::/32")
        guard("unblock", "2001:db8::/32")
        assert all("native" in line for line in guard.daemon.complaints())  # lo has no native XDP


def test_pins_that_lead_elsewhere_are_not_taken_for_the_lists(start):
    """What the map of maps has is right, whatever is under the name beside it."""
    guard = start()
    guard("block", "192.0.2.0/24")
    (path,) = {unit["persistence"]["path"] for unit in guard.daemon.status()["units"]
               if unit.get("persistence", {}).get("pinned")}
    guard.daemon.kill()
    pins = list(Path(path).glob("*/maps/guard_prefixes-*"))
    assert len(pins) == 2
    for pin in pins:
        pin.unlink()
        subprocess.run(["bpftool", "map", "create", pin, "type", "lpm_trie", "key", "20",
                        "value", "8", "entries", "9", "name", "other", "flags", "1"], check=True)
    guard = start()
    assert guard.rows() == {("block", "192.0.2.0/24"): "command"}
    assert not guard.daemon.complaints()


# ---- metrics ----

def test_metrics(start, there):
    guard = start(block=["192.0.2.0/24", "198.51.100.0/24"], limits=["sources 1kpps"])
    guard("allow", "203.0.113.0/24")
    guard("ban", "203.0.113.7")
    guard("mode", "enforce", "--confirm", "1h")
    scrape = guard.daemon.scrape()
    assert scrape.value("wiregauge_guard_entries", list="block", by="configuration") == 2
    assert scrape.value("wiregauge_guard_entries", list="allow", by="command") == 1
    assert scrape.value("wiregauge_guard_bans") == 1
    assert scrape.value("wiregauge_guard_limits") == 1
    assert scrape.value("wiregauge_guard_enforcing") == 1
    assert scrape.value("wiregauge_guard_pending_changes") == 1
    assert scrape.value("wiregauge_guard_protected_addresses") >= 2
    assert scrape.value("wiregauge_guard_heartbeat_age_seconds") <= 5 * PATIENCE
    assert {labels["reason"] for _, labels, _ in scrape.rows if "verdict" in labels} >= {
        "none", "allowed", "blocklisted", "source_limit", "malformed"}
    assert scrape.total("wiregauge_guard_troubles_total") == 0


def test_drops_are_shown_as_they_come(start, there):
    guard = start(mode="enforce", block=["10.0.0.0/24"])
    with subprocess.Popen([BINARY, "guard", "drops", "--json", "--control.socket",
                           guard.daemon.control], stdout=subprocess.PIPE, text=True) as process:
        try:
            def is_shown():
                gets_through(there)  # samples are sent while somebody looks
                return select.select([process.stdout], [], [], 0)[0]

            until(is_shown, 20 * PATIENCE, "a packet that was dropped")
            row = json.loads(process.stdout.readline())
        finally:
            process.terminate()
    assert (row["reason"], row["verdict"], row["source"], row["destination"]) == (
        "blocklisted", "dropped", THERE, HERE)


# ---- beside the programs of others ----

def test_in_a_dispatcher_it_is_what_it_is_alone(joined, start, there):
    guard = start(mode="enforce")
    assert joined.programs() == [(FIRST, "one"), (10, OURS)]
    assert gets_through(there)
    guard("block", THERE)
    assert not gets_through(there)
    guard.daemon.kill()
    assert not gets_through(there)
    guard = start(mode="enforce")
    assert guard.rows()["block", THERE] == "command"
    assert guard.packets("blocklisted", "dropped") >= 2
    guard("unblock", THERE)
    assert gets_through(there)
    joined.remove("one")
    assert joined.programs() == [(10, OURS)]
    assert gets_through(there)
