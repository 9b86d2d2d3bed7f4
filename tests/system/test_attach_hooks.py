# SPDX-License-Identifier: MIT
"""Rows of `attach:`, each hook: the program runs exactly as often as what it is attached to
happens, follows what it is attached to, leaves others alone, and is gone with the daemon."""

import ctypes
import os
import re
import secrets
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from attaching import (attached_metric, has_symbol, metrics_of, places, program_status, runs,
                       send_to, silent_frame, until_runs, write_config)
from bpf import check, lib, object_path
from daemon import PATIENCE, command
from kernel import assert_released, bpftool, holdings
from netns import address_pair, connect
from trying import RUNS
from waiting import until, until_stable

PROGRAMS = ("on_xdp", "on_xdp_other", "on_netfilter", "on_skb_ingress", "on_skb_egress",
            "on_sock_ops", "on_connect4", "on_perf_event", "on_maps", "on_map_elem",
            "on_tcx")
METRICS = metrics_of(PROGRAMS)
MAPS = "program: on_maps, hook: iter"
ENTRIES = "program: on_map_elem, hook: iter, map: seven"
CHANGED = METRICS + "description: changed\n"


def write_rows(folder, *rows, name="hooks", metrics=METRICS, **options):
    write_config(folder, name, "attach_hooks", rows, metrics=metrics, **options)


@pytest.fixture
def run_rows(run, folder):
    """Runs a config with these rows, and no built-in module."""
    def start(*rows, arguments=(), **options):
        write_rows(folder, *rows, **options)
        return run("--module=", "--config.dir", folder, *arguments)
    return start


# --- which programs are loaded

def test_programs_on_request_stay_unloaded(run_rows, here):
    daemon = run_rows(MAPS)
    states = {program["name"]: program["loaded"]
              for unit in daemon.status()["units"] for program in unit["programs"]}
    assert set(states) == set(PROGRAMS)
    assert [name for name, loaded in states.items() if loaded] == ["on_maps"]
    assert not daemon.complaints()


WHEN = "options:\n  - {name: deep, type: bool, default: false}\n"


@pytest.mark.parametrize("value", ["true", "false"])
def test_when_switches_a_program_on(run_rows, value):
    daemon = run_rows(MAPS,
                      "program: on_perf_event, hook: perf_event, when: deep, "
                      "event: 'type=software,config=cpu-clock,frequency=50'",
                      extra=WHEN, arguments=("--option", f"hooks.deep={value}"))
    program = program_status(daemon, "on_perf_event")
    assert program["loaded"] == (value == "true")
    assert bool(program["attachments"]) == (value == "true")
    assert not daemon.complaints()


# --- traffic control

@pytest.mark.parametrize("mechanism", ["tcx", "clsact"])
def test_tc_counts_each_frame(launch, folder, here, there, mechanism):
    write_rows(folder, "program: on_tcx, hook: tc_ingress, interfaces: wire")
    daemon = launch("--module=", "--config.dir", folder, "--tc.mechanism", mechanism).wait_ready()
    if mechanism == "tcx" and not has_symbol("tcx_link_attach"):
        assert "this kernel has no TCX" in program_status(daemon, "on_tcx")["error"]
        return
    assert places(daemon, "on_tcx") == {"wire": mechanism}
    send_to(there, "wire", here, 14)
    until_runs(daemon, "on_tcx", 14)


# --- xdp

XDP = "program: on_xdp, hook: xdp, interfaces: 'wire*'"


def test_xdp_counts_each_frame(run_rows, here, there):
    daemon = run_rows(XDP)
    assert places(daemon, "on_xdp") == {"wire": "xdp native"}
    assert attached_metric(daemon, "on_xdp") == 1
    send_to(there, "wire", here, 37)
    until_runs(daemon, "on_xdp", 37)
    assert not daemon.complaints()


@pytest.mark.parametrize("mode, mechanism", [("native", "xdp native"), ("generic", "xdp generic")])
def test_xdp_mode(run_rows, here, there, mode, mechanism):
    daemon = run_rows(f"{XDP}, mode: {mode}")
    assert places(daemon, "on_xdp") == {"wire": mechanism}
    send_to(there, "wire", here, 5)
    until_runs(daemon, "on_xdp", 5)


def test_xdp_is_generic_with_a_warning_where_the_driver_has_none(run_rows, here):
    daemon = run_rows("program: on_xdp, hook: xdp, interfaces: lo")
    assert places(daemon, "on_xdp") == {"lo": "xdp generic"}
    assert "lo: native XDP is refused (the driver has none)" in daemon.log()
    (place,) = program_status(daemon, "on_xdp")["attachments"]
    assert place["caveat"] == "not native: the driver has none"
    shown = command("status", "--control.socket", daemon.control).stdout
    assert "lo (xdp generic); lo: not native: the driver has none" in shown


def test_xdp_native_where_the_driver_has_none_is_told(run_rows, here):
    daemon = run_rows("program: on_xdp, hook: xdp, interfaces: lo, mode: native")
    assert places(daemon, "on_xdp") == {}
    assert attached_metric(daemon, "on_xdp") == 0
    assert "(native) to lo: the driver has none; mode generic or auto may do" in daemon.log()


def test_xdp_follows_interfaces(run_rows, here, there, make_namespace):
    daemon = run_rows(XDP)
    other = make_namespace()
    connect(here, other, "wire2")
    until(lambda: set(places(daemon, "on_xdp")) == {"wire", "wire2"}, 5, "the new one is followed")
    send_to(other, "wire2", here, 3)
    until_runs(daemon, "on_xdp", 3)
    here.ip("link del wire2")
    until(lambda: set(places(daemon, "on_xdp")) == {"wire"}, 5, "the one that went is forgotten")
    here.ip("link set wire down")
    here.ip("link set wire name apart")
    until(lambda: not places(daemon, "on_xdp"), 5, "the renamed one is left")
    with here.entered():
        (net,) = bpftool("net", "show")
    assert not net["xdp"]


def test_xdp_follows_interfaces_without_capabilities(run_rows, here, there, make_namespace):
    daemon = run_rows(XDP, arguments=("--capabilities.keep=none",))
    other = make_namespace()
    connect(here, other, "wire2")
    until(lambda: places(daemon, "on_xdp").get("wire2") == "xdp native" or
          "wire2: cannot attach" in daemon.log(), 5, lambda: f"wire2 is followed\n{daemon.log()}")
    if os.uname().release.startswith("5.") and "Operation not permitted" in daemon.log():
        pytest.skip("this kernel wants capabilities for links of XDP")
    assert places(daemon, "on_xdp").get("wire2") == "xdp native", daemon.log()


@pytest.fixture
def foreign_xdp(here, there, cleanup, tmp_path):
    """Somebody else's program at wire; removed at the end."""
    here.ip(f"link set dev wire xdpdrv obj {object_path('tests/system/foreign_xdp')} sec xdp")
    cleanup.callback(here.ip, "link set dev wire xdpdrv off")


def xdp_program(namespace, device):
    with namespace.entered():
        (net,) = bpftool("net", "show")
    (row,) = (row for row in net["xdp"] if row["devname"] == device)
    return row["id"]


@pytest.mark.parametrize("mode", ["auto", "native", "generic"])
def test_xdp_of_another_is_never_replaced(run_rows, here, there, foreign_xdp, mode):
    before = xdp_program(here, "wire")
    daemon = run_rows(f"{XDP}, mode: {mode}")
    assert xdp_program(here, "wire") == before
    assert attached_metric(daemon, "on_xdp") == 0
    error = program_status(daemon, "on_xdp")["error"]
    assert f"the program {before} (foreign) is there, and it is not replaced" in error
    advice = re.search("if nobody needs it: (.*)", error)[1]
    assert advice == "ip link set dev wire xdpdrv off"


def test_what_xdp_loader_attached_it_takes_away(run_rows, here, there, cleanup):
    """Its dispatcher is one program for several."""
    foreign = object_path("tests/system/foreign_xdp")
    here.ip(f"link set dev wire xdpdrv obj {foreign} sec xdp/dispatcher")
    cleanup.callback(here.ip, "link set dev wire xdpdrv off")
    daemon = run_rows(XDP)
    error = program_status(daemon, "on_xdp")["error"]
    assert "(xdp_dispatcher) is there, and it is not replaced" in error
    assert error.endswith("if nobody needs it: xdp-loader unload wire --all")


def test_xdp_link_of_another_daemon_is_never_replaced(run, run_rows, here, there, tmp_path):
    run_rows(XDP)
    before = xdp_program(here, "wire")
    second = tmp_path / "second"
    second.mkdir()
    write_rows(second, XDP)
    daemon = run("--module=", "--config.dir", second, listen="127.0.0.1:9436")
    assert xdp_program(here, "wire") == before
    advice = re.search("if nobody needs it: bpftool link detach id ([0-9]+)$",
                       program_status(daemon, "on_xdp")["error"])
    assert bpftool("link", "show", "id", advice[1])["type"] == "xdp"


def test_strict_ends_where_xdp_is_taken(launch, folder, here, there, foreign_xdp):
    write_rows(folder, XDP)
    code, log = launch("--module=", "--config.dir", folder, "--config.strict").fails()
    assert code == 1 and "is there, and it is not replaced" in log, log


def test_xdp_is_gone_after_kill(run_rows, here, there):
    daemon = run_rows(XDP)
    held = holdings(daemon)
    daemon.kill()
    assert_released(held)
    with here.entered():
        (net,) = bpftool("net", "show")
    assert not net["xdp"]


# --- xdp, reload

class HeldMap:
    """A map of others' by its id, which outlives them while it is held."""

    def __init__(self, number):
        self.fd = check(lib.bpf_map_get_fd_by_id(number), "map")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        os.close(self.fd)

    def value(self, index):
        value = ctypes.create_string_buffer(8)
        check(lib.bpf_map_lookup_elem(self.fd, index.to_bytes(4, "little"), value), "lookup")
        return int.from_bytes(value.raw, "little")

def reload_rows(daemon, folder, *rows, **options):
    write_rows(folder, *rows, **options)
    said = daemon.reload()
    assert "the new configuration runs" in said, said


SENDER = """
import select, socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sock.bind((sys.argv[1], 0))
frame, sent = bytes.fromhex(sys.argv[2]), 0
while sent < 100000 and not select.select([sys.stdin], [], [], 0.0005)[0]:
    sent += sock.send(frame) > 0
print(sent)
"""


@contextmanager
def frames_all_the_while(namespace, device, to):
    """Afterwards the function that it gives says how many there were."""
    frame = silent_frame(to, device).hex()
    with namespace.entered():
        process = subprocess.Popen([sys.executable, "-c", SENDER, device, frame],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    sent = []
    try:
        yield lambda: sent[0]
    finally:
        sent.append(int(process.communicate("stop\n", timeout=60)[0]))


def test_xdp_program_is_swapped_in_its_place(run_rows, folder, here, there):
    """The same link has the new program: at no time there was none."""
    daemon = run_rows(XDP)
    links = daemon.bpf_objects("link")
    program = xdp_program(here, "wire")
    for number in range(5):
        reload_rows(daemon, folder, XDP, metrics=f"{METRICS}description: {number}\n")
        assert daemon.bpf_objects("link") == links
        assert xdp_program(here, "wire") != program
        program = xdp_program(here, "wire")
    send_to(there, "wire", here, 4)
    until_runs(daemon, "on_xdp", 4)


def test_no_frame_passes_unseen_in_a_reload(run_rows, folder, here, there):
    """What the old program and the new one have counted together is what was sent."""
    daemon = run_rows(XDP)
    shown = [bpftool("map", "show", "id", number) for number in daemon.bpf_objects("map")]
    (old,) = (row["id"] for row in shown if row.get("name") == "runs_total")
    with HeldMap(old) as before, frames_all_the_while(there, "wire", here) as sent:
        until(lambda: runs(daemon, "on_xdp") > 10, 5 * PATIENCE, "frames are counted")
        reload_rows(daemon, folder, XDP, metrics=CHANGED)
        counted = until_stable(lambda: before.value(0), 5)
        until(lambda: runs(daemon, "on_xdp") > 10, 5 * PATIENCE, "frames are counted")
    until_runs(daemon, "on_xdp", sent() - counted)


def test_xdp_another_program_takes_the_place(run_rows, folder, here, there):
    daemon = run_rows(XDP)
    reload_rows(daemon, folder, "program: on_xdp_other, hook: xdp, interfaces: wire")
    assert places(daemon, "on_xdp_other") == {"wire": "xdp native"}
    send_to(there, "wire", here, 6)
    until_runs(daemon, "on_xdp_other", 6)
    assert not daemon.complaints()


def test_xdp_another_mode_takes_the_place(run_rows, folder, here, there):
    daemon = run_rows(f"{XDP}, mode: generic")
    reload_rows(daemon, folder, f"{XDP}, mode: native")
    assert places(daemon, "on_xdp") == {"wire": "xdp native"}
    assert not daemon.complaints()


def test_xdp_of_a_config_that_goes_makes_room(run_rows, folder, here, there):
    daemon = run_rows(XDP)
    (folder / "hooks.yaml").unlink()
    reload_rows(daemon, folder, XDP, name="others")
    assert places(daemon, "on_xdp") == {"wire": "xdp native"}
    assert not daemon.complaints()


def test_xdp_leaves_what_the_row_no_longer_names(run_rows, folder, here, there, make_namespace):
    other = make_namespace()
    connect(here, other, "wire2")
    daemon = run_rows(XDP)
    assert set(places(daemon, "on_xdp")) == {"wire", "wire2"}
    reload_rows(daemon, folder, "program: on_xdp, hook: xdp, interfaces: ['wire*', '!wire2']")
    assert set(places(daemon, "on_xdp")) == {"wire"}
    with here.entered():
        (net,) = bpftool("net", "show")
    assert [row["devname"] for row in net["xdp"]] == ["wire"]


def test_interfaces_of_a_kind(run_rows, folder, here, there):
    """Those that come later as well; and those that are of it no more by the next configuration."""
    daemon = run_rows("program: on_xdp, hook: xdp, interfaces: ['kind:veth', '!kind:bridge']")
    assert set(places(daemon, "on_xdp")) == {"wire"}
    here.ip("link add other type veth peer name another")
    until(lambda: set(places(daemon, "on_xdp")) == {"wire", "other", "another"}, 5 * PATIENCE,
          "all veths")
    reload_rows(daemon, folder, "program: on_xdp, hook: xdp, interfaces: ['*', '!kind:v*']")
    until(lambda: set(places(daemon, "on_xdp")) == {"lo"}, 5 * PATIENCE, "no veths")


def test_no_interface_is_chosen(run_rows, folder, here, there):
    """It is told, at the start and whenever somebody asks."""
    daemon = run_rows("program: on_xdp, hook: xdp, interfaces: 'kind:physical'")
    assert places(daemon, "on_xdp") == {}
    (line,) = daemon.complaints()
    assert "no interface is there that is chosen by kind:physical" in line
    assert "an interface that is chosen by kind:physical" in command(
        "status", "--control.socket", daemon.control).stdout


def test_unchanged_config_keeps_its_counts(run_rows, folder, here, there):
    daemon = run_rows(XDP)
    send_to(there, "wire", here, 9)
    until_runs(daemon, "on_xdp", 9)
    write_rows(folder, MAPS, name="second", metrics="")
    assert "the new configuration runs" in daemon.reload()
    send_to(there, "wire", here, 2)
    until_runs(daemon, "on_xdp", 11)


# --- netfilter

needs_netfilter = pytest.mark.skipif(not has_symbol("bpf_nf_link_attach"),
                                     reason="this kernel has no BPF links of netfilter")
NETFILTER = "program: on_netfilter, hook: netfilter, family: ipv4, netfilter_hook: input"


def udp_socket(namespace, address=None):
    with namespace.entered():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    if address:
        sock.bind((address, 4711))
    sock.settimeout(5)
    return sock


def send_datagrams(source, target, address, number, size=1):
    """UDP from one namespace to another; each is received."""
    with udp_socket(target, address) as receiver, udp_socket(source) as sender:
        for _ in range(number):
            sender.sendto(bytes(size), (address, 4711))
            assert len(receiver.recv(8000)) == size


@pytest.fixture
def addresses(here, there):
    address_pair(here, there)


@needs_netfilter
def test_netfilter_counts_each_packet(run_rows, here, there, addresses):
    daemon = run_rows(f"{NETFILTER}, priority: -50")
    assert places(daemon, "on_netfilter") == {"ipv4 input -50": "netfilter link"}
    assert attached_metric(daemon, "on_netfilter") == 1
    send_datagrams(there, here, "10.0.0.1", 12)
    until_runs(daemon, "on_netfilter", 12)
    send_datagrams(here, there, "10.0.0.2", 3)  # not its hook
    assert runs(daemon, "on_netfilter") == 12


FRAGMENTS = f"{NETFILTER.replace('input', 'prerouting')}, priority: -300"


@needs_netfilter
@pytest.mark.parametrize("more, number", [("", 3), (", defragment: true", 1)])
def test_netfilter_sees_fragments_or_the_whole(run_rows, here, there, addresses, more, number):
    daemon = run_rows(FRAGMENTS + more)
    send_datagrams(there, here, "10.0.0.1", 1, size=4000)
    until_runs(daemon, "on_netfilter", number)


@needs_netfilter
def test_netfilter_takes_the_next_priority_that_is_free(run_rows, here):
    daemon = run_rows(NETFILTER, NETFILTER)
    assert set(places(daemon, "on_netfilter")) == {"ipv4 input 0", "ipv4 input 1"}


@needs_netfilter
def test_netfilter_counts_on_in_a_reload(run_rows, folder, here, there, addresses):
    daemon = run_rows(NETFILTER)
    reload_rows(daemon, folder, NETFILTER, metrics=CHANGED)
    assert set(places(daemon, "on_netfilter")) == {"ipv4 input 1"}
    send_datagrams(there, here, "10.0.0.1", 4)
    until_runs(daemon, "on_netfilter", 4)
    reload_rows(daemon, folder, NETFILTER)
    assert set(places(daemon, "on_netfilter")) == {"ipv4 input 0"}


@needs_netfilter
def test_netfilter_defragment_behind_the_point_where_that_is_done(run_rows):
    daemon = run_rows(f"{NETFILTER}, priority: -400, defragment: true")
    assert attached_metric(daemon, "on_netfilter") == 0
    error = program_status(daemon, "on_netfilter")["error"]
    assert "defragment needs a priority over -400" in error


@needs_netfilter
def test_netfilter_is_gone_after_kill(run_rows, here, there, addresses):
    daemon = run_rows(NETFILTER)
    held = holdings(daemon)
    daemon.kill()
    assert_released(held)


# --- cgroups

def cgroup_root():
    with open("/proc/self/mountinfo") as file:
        for line in file:
            fields, _, filesystem = line.partition(" - ")
            if filesystem.split()[0] == "cgroup2":
                return Path(fields.split()[4])
    return None


@pytest.fixture
def cgroup(cleanup):
    """A cgroup of the test's own."""
    root = cgroup_root()
    if not root:
        pytest.skip("cgroup2 is not mounted")
    path = root / f"wg-{secrets.token_hex(4)}"
    path.mkdir()
    cleanup.callback(lambda: until(lambda: try_rmdir(path), 5, f"{path} is empty"))
    return path


def try_rmdir(path):
    try:
        path.rmdir()
    except OSError:
        return False
    return True


def run_in(cgroup, namespace, code):
    """Runs Python in the cgroup."""
    with namespace.entered():
        done = subprocess.run(
            ["sh", "-c", 'echo $$ > "$1"/cgroup.procs; exec "$2" -c "$3"', "sh", cgroup,
             sys.executable, code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


DATAGRAMS = """
import socket
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 4712))
receiver.settimeout(5)
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(17):
    sender.sendto(b"x", ("127.0.0.1", 4712))
    receiver.recv(16)
"""
CONNECTIONS = """
import socket
listener = socket.create_server(("127.0.0.1", 4713))
for _ in range(5):
    with socket.create_connection(("127.0.0.1", 4713)):
        listener.accept()[0].close()
"""


@pytest.mark.parametrize("program, hook, code, number", [
    ("on_skb_ingress", "cgroup_skb_ingress", DATAGRAMS, 17),
    ("on_skb_egress", "cgroup_skb_egress", DATAGRAMS, 17),
    ("on_skb_egress", "cgroup", DATAGRAMS, 17),
    ("on_sock_ops", "sock_ops", CONNECTIONS, 5),
    ("on_sock_ops", "cgroup", CONNECTIONS, 5),
    ("on_connect4", "cgroup", CONNECTIONS, 5),
], ids=lambda value: "traffic" if "import" in str(value) else str(value))
def test_cgroup_hooks_count_what_is_done_there(run_rows, here, cgroup, program, hook, code, number):
    daemon = run_rows(f"program: {program}, hook: {hook}, cgroup: {cgroup}")
    assert places(daemon, program) == {str(cgroup): "cgroup link"}
    run_in(cgroup, here, code)
    until_runs(daemon, program, number)
    held = holdings(daemon)
    daemon.kill()
    assert_released(held)


def test_without_a_cgroup_it_is_the_root(run_rows, here, cgroup):
    daemon = run_rows("program: on_connect4, hook: cgroup")
    assert places(daemon, "on_connect4") == {str(cgroup_root()): "cgroup link"}
    run_in(cgroup, here, CONNECTIONS)
    assert runs(daemon, "on_connect4") >= 5  # others of this machine may connect, too


@pytest.mark.parametrize("path, text", [
    ("/nonexistent", "cannot open the cgroup /nonexistent: No such file or directory"),
    ("/tmp", "/tmp is not a cgroup of cgroup2"),
])
def test_no_such_cgroup(run_rows, path, text):
    daemon = run_rows(f"program: on_connect4, hook: cgroup, cgroup: {path}")
    assert attached_metric(daemon, "on_connect4") == 0
    assert text in program_status(daemon, "on_connect4")["error"]
    assert text in daemon.log()


def test_cgroup_program_counts_on_in_a_reload(run_rows, folder, here, cgroup):
    row = f"program: on_connect4, hook: cgroup, cgroup: {cgroup}"
    daemon = run_rows(row)
    reload_rows(daemon, folder, row, metrics=CHANGED)
    run_in(cgroup, here, CONNECTIONS)
    until_runs(daemon, "on_connect4", 5)


# --- perf events

def cpus_online():
    with open("/sys/devices/system/cpu/online") as file:
        ranges = [part.split("-") for part in file.read().strip().split(",")]
    return [cpu for ends in ranges for cpu in range(int(ends[0]), int(ends[-1]) + 1)]


def perf_event(event):
    return f"program: on_perf_event, hook: perf_event, event: '{event}'"


@pytest.mark.parametrize("event", [
    "type=1,config=0,frequency=100", "type=software,config=cpu-clock,frequency=100",
    "type=software,config=0x0,sample_period=10000000",
])
def test_perf_event_runs_on_each_cpu(run_rows, event):
    daemon = run_rows(perf_event(event))
    assert places(daemon, "on_perf_event") == {f"cpu {cpu}": "perf event" for cpu in cpus_online()}
    until(lambda: runs(daemon, "on_perf_event") > 20, 10 * PATIENCE, "the clock ticks")
    held = holdings(daemon)
    daemon.kill()
    assert_released(held)


def test_perf_event_counts_each_page_fault(run_rows, here):
    """With a period of 1 each event is one run: as many as the kernel's own counts of a process."""
    daemon = run_rows(perf_event("type=software,config=page-faults,sample_period=1"))
    before = runs(daemon, "on_perf_event")
    code = ("import mmap, resource\n"
            "m = mmap.mmap(-1, 4096 * 3000, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)\n"
            "m.madvise(15)\n"  # MADV_NOHUGEPAGE: each page by itself
            "[m.__setitem__(i * 4096, 1) for i in range(3000)]\n"
            "r = resource.getrusage(resource.RUSAGE_SELF)\n"
            "print(r.ru_minflt + r.ru_majflt)\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    faults = int(done.stdout)
    assert faults >= 3000
    # Others of this machine have faults, too; the kernel may leave out some when there are many.
    assert runs(daemon, "on_perf_event") - before >= 0.9 * faults


def test_perf_event_that_this_machine_has_not(run_rows):
    daemon = run_rows(perf_event("type=4095,config=1,frequency=100"))
    assert attached_metric(daemon, "on_perf_event") == 0
    error = program_status(daemon, "on_perf_event")["error"]
    assert "cannot open the perf event on CPU 0: this machine has no such event" in error


# --- iterators

@pytest.fixture
def over_entries():
    if not RUNS["program.iter_map_elem"]():
        pytest.skip("this kernel refuses iterators over the entries of maps")


def test_iterator_runs_at_each_scrape(run_rows):
    daemon = run_rows(MAPS)
    assert places(daemon, "on_maps") == {"iter/bpf_map": "iterator"}
    first = runs(daemon, "on_maps")
    assert first > 0
    assert [runs(daemon, "on_maps") for _ in range(3)] == [first + i for i in (1, 2, 3)]


def test_iterator_over_the_entries_of_a_map(over_entries, run_rows):
    daemon = run_rows(ENTRIES)
    assert places(daemon, "on_map_elem") == {"seven": "iterator"}
    first = runs(daemon, "on_map_elem")
    assert first % 7 == 0 and first > 0
    assert [runs(daemon, "on_map_elem") for _ in range(3)] == [first + 7 * i for i in (1, 2, 3)]


def test_iterator_that_the_kernel_refuses(run_rows):
    if RUNS["program.iter_map_elem"]():
        pytest.skip("this kernel does not refuse them")
    daemon = run_rows(MAPS, ENTRIES)
    error = program_status(daemon, "on_map_elem")["error"]
    assert "refuses iterators over the entries of maps" in error


def test_iterator_runs_not_more_often_than_its_interval(run_rows):
    daemon = run_rows(f"{MAPS}, interval: 1h")
    assert [runs(daemon, "on_maps") for _ in range(4)] == [1] * 4


def test_iterator_of_a_map_needs_one(over_entries, run_rows):
    daemon = run_rows("program: on_map_elem, hook: section")
    assert attached_metric(daemon, "on_map_elem") == 0
    assert "a row of `attach:` with `map:`" in program_status(daemon, "on_map_elem")["error"]


# --- all at once

ALL = [XDP, "program: on_sock_ops, hook: sock_ops", "program: on_connect4, hook: cgroup",
       "program: on_skb_ingress, hook: cgroup_skb_ingress",
       "program: on_skb_egress, hook: cgroup_skb_egress",
       MAPS,
       perf_event("type=software,config=cpu-clock,frequency=10"),
       *([NETFILTER] if has_symbol("bpf_nf_link_attach") else [])]


def test_nothing_is_left_after_a_stop(run_rows, folder, here, there, cgroup):
    daemon = run_rows(*ALL)
    assert all(program_status(daemon, row.split()[1].rstrip(","))["attached"] for row in ALL)
    held = holdings(daemon)
    assert held["link"]  # before Linux 5.15 perf events have none
    daemon.stop()
    assert_released(held)


def test_a_reload_releases_what_it_replaced(run_rows, folder, here, there, cgroup):
    daemon = run_rows(*ALL)
    held = holdings(daemon)
    reload_rows(daemon, folder, *ALL, metrics=CHANGED)
    assert all(program_status(daemon, row.split()[1].rstrip(","))["attached"] for row in ALL)
    # A link may have got the new program; one that was left holds the old one.
    assert_released(held, keep=("link",))


def test_a_refused_reload_leaves_all_as_it_was(run_rows, folder, here, there, cgroup):
    daemon = run_rows(*ALL)
    held = holdings(daemon)
    write_rows(folder, *ALL, "program: on_xdp, hook: xdp", metrics=CHANGED)
    assert "the new configuration is refused" in daemon.reload()
    assert holdings(daemon) == held


# --- status for people

def test_status_says_where_each_program_is(run_rows, here, there, cgroup):
    daemon = run_rows(XDP, f"program: on_connect4, hook: cgroup, cgroup: {cgroup}",
                      perf_event("type=1,config=0,frequency=10"))
    text = command("status", "--control.socket", daemon.control).stdout
    assert re.search(r"on_xdp\s.* wire \(xdp native\)", text), text
    assert f"{cgroup} (cgroup link)" in text
    assert "cpu 0" in text and "(perf event)" in text
    assert re.search(r"on_netfilter\s.*not loaded", text), text
