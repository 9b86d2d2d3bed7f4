# SPDX-License-Identifier: MIT
"""The XDP pipeline under a daemon, with stages of the tests' (tests/packet/stages): where it is
attached, in which of its forms, and what its verdicts do to real traffic."""

import socket
import struct

import pytest
import yaml

from attaching import places, program_status, send_to, silent_frame
from bpf import XDP_DROP, kernel_is_at_least, object_path
from configs import add_config
from daemon import PATIENCE, ROOT, command
from kernel import Map, bpftool
from netns import address_pair, connect
from waiting import until

if kernel_is_at_least(5, 18):
    WAY, PROGRAM = "frags", "xdp_ingress"
elif kernel_is_at_least(5, 12):
    WAY, PROGRAM = "linear", "xdp_linear"
else:
    WAY, PROGRAM = "basic", "xdp_basic"


def write_pipeline(folder):
    """The pipeline's own manifest, and what switches stages on; it ends with the daemon."""
    manifest = yaml.safe_load((ROOT / "pipeline/xdp.yaml").read_text()) | {"persistent": False}
    manifest["options"] += [
        {"name": "first", "type": "bool", "default": True, "rodata": "stage_first"},
        {"name": "second", "type": "bool", "default": False, "rodata": "stage_second"},
        {"name": "verdict", "type": "uint", "default": 0xFFFFFFFF, "rodata": "first_verdict"},
    ]
    add_config(folder, "xdp_stages", yaml.safe_dump(manifest), "tests/packet/stages/xdp_stages")


@pytest.fixture
def run_stages(run, folder):
    def start(*arguments, interfaces="wire*", **options):
        write_pipeline(folder)
        options = {"interfaces": interfaces, **options}
        words = [word for name, value in options.items()
                 for word in ("--option", f"xdp_stages.{name}={value}")]
        return run("--module=", "--config.dir", folder, *words, *arguments)
    return start


def counted(daemon):
    return struct.unpack("2Q", Map(daemon, "first_counts").read(bytes(4)))


def until_counted(daemon, packets, size):
    until(lambda: counted(daemon) == (packets, size), 5 * PATIENCE,
          lambda: f"{counted(daemon)}, not {(packets, size)}")


def test_nothing_is_attached_unless_a_stage_is_on(run, here, there):
    daemon = run()
    status = daemon.status()
    assert "xdp" not in {unit["name"] for unit in status["units"]}
    with here.entered():
        (net,) = bpftool("net", "show")
    assert not net["xdp"]


def test_packets_are_seen_in_the_best_way_there_is(run_stages, here, there):
    daemon = run_stages()
    (unit,) = daemon.status()["units"]
    (probe,) = unit["probes"]
    assert probe["state"] == "used" and probe["attached"] and probe["mechanism"] == WAY
    assert places(daemon, PROGRAM) == {"wire": "xdp native"}
    assert not [program for program in unit["programs"]
                if program["loaded"] and program["name"] != PROGRAM]
    send_to(there, "wire", here, 25)
    until(lambda: counted(daemon)[0] == 25, 5 * PATIENCE, lambda: f"{counted(daemon)}")
    assert not daemon.complaints()


@pytest.mark.parametrize("mode, mechanism", [("native", "xdp native"), ("generic", "xdp generic"),
                                             ("auto", "xdp native")])
def test_mode_is_an_option(run_stages, here, there, mode, mechanism):
    daemon = run_stages(mode=mode)
    assert places(daemon, PROGRAM) == {"wire": mechanism}
    send_to(there, "wire", here, 5)
    until(lambda: counted(daemon)[0] == 5, 5 * PATIENCE, lambda: f"{counted(daemon)}")


def test_generic_is_only_what_somebody_asked_for(run_stages, here, there):
    """lo's driver has no XDP."""
    daemon = run_stages(interfaces="lo")
    assert places(daemon, PROGRAM) == {}
    assert "the driver has none" in program_status(daemon, PROGRAM)["error"]
    daemon.stop()
    daemon = run_stages(interfaces="lo", mode="auto")
    assert places(daemon, PROGRAM) == {"lo": "xdp generic"}
    assert "lo: native XDP is refused (the driver has none)" in daemon.log()
    shown = command("status", "--control.socket", daemon.control).stdout
    assert "lo (xdp generic); lo: not native: the driver has none" in shown


def test_a_reload_changes_the_mode(run, folder, here, there, tmp_path):
    write_pipeline(folder)
    file = tmp_path / "wiregauge.yaml"
    file.write_text("modules: {xdp_stages: {interfaces: wire}}")
    daemon = run("--module=", "--config.dir", folder, "--config", file)
    for mode in ("generic", "native"):
        file.write_text(f"modules: {{xdp_stages: {{interfaces: wire, mode: {mode}}}}}")
        assert "runs" in daemon.reload()
        assert places(daemon, PROGRAM) == {"wire": f"xdp {mode}"}
    file.write_text("modules: {xdp_stages: {mode: genric}}")
    assert "takes native, generic or auto, not 'genric'" in daemon.reload()
    assert places(daemon, PROGRAM) == {"wire": "xdp native"}


@pytest.fixture
def receiver(here, there):
    address_pair(here, there)
    with here.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("10.0.0.1", 7777))
        sock.settimeout(5 * PATIENCE)
        yield sock


def send_datagram(namespace):
    with namespace.entered(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x" * 100, ("10.0.0.1", 7777))


def test_a_drop_is_a_drop(run_stages, there, receiver):
    send_datagram(there)
    assert receiver.recv(200) == b"x" * 100
    daemon = run_stages(verdict=XDP_DROP)
    send_datagram(there)
    until_counted(daemon, 1, 14 + 20 + 8 + 100)
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(200)
    daemon.stop()
    send_datagram(there)
    receiver.settimeout(5 * PATIENCE)
    assert receiver.recv(200) == b"x" * 100


def test_jumbo_frames(run_stages, here, there):
    """Packets in several buffers, whose length is that of all of them."""
    if WAY != "frags":
        pytest.skip("this kernel has no XDP packets of several buffers (Linux 5.18 does)")
    for namespace in (here, there):
        namespace.ip("link set wire mtu 9000")
    daemon = run_stages()
    assert places(daemon, PROGRAM) == {"wire": "xdp native"}
    there.send_frames("wire", [bytes(12) + b"\x88\xb5" + bytes(8000)] * 3)
    until_counted(daemon, 3, 3 * 8014)


def test_a_link_elsewhere_is_not_in_the_way(run_stages, here, there, make_namespace, cleanup):
    """In another namespace: `ip link` frees this one, whatever links there are elsewhere."""
    here.ip(f"link set dev wire xdpdrv obj {object_path('tests/system/foreign_xdp')} sec xdp")
    cleanup.callback(here.ip, "link set dev wire xdpdrv off")
    with here.entered():
        index = socket.if_nametoindex("wire")
    inner, end = make_namespace(), make_namespace()
    connect(inner, end)
    with inner.entered():
        assert socket.if_nametoindex("wire") == index
    daemon = run_stages(netns=f"own,{inner.name}")
    assert list(places(daemon, PROGRAM)) == [f"wire@{inner.name}"]
    # Once more, now that the link elsewhere is there.
    here.ip("link set wire down")
    here.ip("link set wire name apart")
    here.ip("link set apart name wire")
    errors = until(lambda: (lines := daemon.complaints()) and len(lines) > 1 and lines,
                   5 * PATIENCE, lambda: daemon.log())
    for error in errors:
        assert error.endswith("if nobody needs it: ip link set dev wire xdpdrv off")


def test_another_program_is_left_where_it_is(run_stages, here, there, make_namespace, cleanup):
    other = make_namespace()
    connect(here, other, "wire2")
    here.ip(f"link set dev wire xdpdrv obj {object_path('tests/system/foreign_xdp')} sec xdp")
    cleanup.callback(here.ip, "link set dev wire xdpdrv off")
    daemon = run_stages()
    program = program_status(daemon, PROGRAM)
    assert places(daemon, PROGRAM) == {"wire2": "xdp native"}
    assert "(foreign) is there, and it is not replaced" in program["error"]
    assert program["error"].endswith("if nobody needs it: ip link set dev wire xdpdrv off")


def test_interfaces_of_other_namespaces_are_told_apart(run_stages, here, there, make_namespace):
    """Where the indices are the same, the id is not: p->interface."""
    inner = make_namespace()
    with here.entered():
        own = socket.if_nametoindex("wire")
    here.ip(f"link add wire3 type veth peer name wire netns {inner.name}")
    inner.ip("link set wire up")
    here.ip("link set wire3 up")
    daemon = run_stages(netns=f"own,{inner.name}", interfaces="wire", second="true")
    send_to(there, "wire", here, 1)
    until(lambda: seen_at(daemon) == own, 5 * PATIENCE, lambda: f"{seen_at(daemon)}, not {own}")
    here.send_frames("wire3", [silent_frame(inner, "wire")])
    until(lambda: seen_at(daemon) >= 1 << 31, 5 * PATIENCE, lambda: f"{seen_at(daemon)}")


def seen_at(daemon):
    """The interface of the last packet: a field of struct packet."""
    return struct.unpack_from("=I", Map(daemon, "second_packets").read(bytes(4)), 28)[0]
