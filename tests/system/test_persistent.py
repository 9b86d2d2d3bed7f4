# SPDX-License-Identifier: MIT
"""`persistent: true`: programs and maps outlive the daemon, the next one goes on with them without
losing a packet, and what is not wanted any more goes."""

import ctypes
import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from attaching import places, program_status, send_to, write_config
from bpf import check, declare, lib
from configs import u32, u64
from daemon import BINARY, PATIENCE, SANITIZED, command
from keeper import (HEAD, ROW, SILENT, SLICE, assert_all_came, assert_all_were_seen, frames,
                    kill_under_traffic, names_under, persistence, pinned, reload_under_traffic,
                    send, start, write, xdp_of)
from kernel import Map, assert_untouched, bpftool
from netns import Namespace, connect
from waiting import until

declare("bpf_map_create", ctypes.c_int, ctypes.c_uint32, ctypes.c_char_p, *[ctypes.c_uint32] * 3,
        ctypes.c_void_p)

# Under the sanitizers each start takes a second and more; in a virtual machine everything does.
KILLS = 6 if SANITIZED or os.environ.get("VMTEST") else 40
MANY = 10_000 if os.environ.get("VMTEST") else 200_000


# --- it goes on, and the next one takes it over

def test_confined_daemon_takes_over(start):
    if ctypes.CDLL(None).syscall(444, None, 0, 1) <= 0:  # landlock_create_ruleset(2): the version
        pytest.skip("this kernel has no Landlock")
    start().stop()
    assert persistence(start("--sandbox=on"))["adopted"]


def test_killed_under_traffic_no_frame_is_lost(start, send, here):
    kill_under_traffic(start, send, here, MANY, range(1, 6))


def test_reload_under_traffic_no_frame_is_lost(start, send, folder, here):
    daemon = reload_under_traffic(start, send, folder, here, MANY, range(1, 6))
    assert persistence(daemon)["pinned"]


def test_killed_at_any_moment_no_frame_is_lost(start, launch, send, folder, here):
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    part = random.Random(seed).random
    daemon = start()
    began = time.monotonic()
    daemon.reload()
    takes = time.monotonic() - began
    with send() as sender:
        for number in range(KILLS):
            write(folder, head=HEAD.replace("default: 1,", f"default: {2 + number % 14},"))
            if number % 3:
                daemon.process.send_signal(signal.SIGTERM if number % 3 == 1 else signal.SIGHUP)
                time.sleep(part() * takes)
            daemon.kill()
            if number % 3 == 0:
                daemon = launch("--module=", "--config.dir", folder)
                time.sleep(part() * 4 * takes)
                daemon.kill()
            daemon = start(wait=False)
    assert_all_were_seen(sender, here, daemon, set(frames(daemon)))
    assert len(names_under(persistence(daemon)["path"])) == 5
    assert not daemon.complaints()


def test_stop_leaves_it(start, here, there):
    daemon = start(version=3)
    state = persistence(daemon)
    assert (state["pinned"], state["adopted"]) == (True, False)
    assert "STAYS keeper: goes on when the daemon ends, by " + state["path"] in \
        command("status", "--control.socket", daemon.control).stdout
    program = xdp_of(here)
    daemon.stop()
    assert "keeper: goes on without the daemon at 1 interface, until the next one takes it over, " \
        "or: wiregauge cleanup" in daemon.log()
    assert xdp_of(here) == program
    send_to(there, "wire", here, 7)
    assert names_under(state["path"]) == {
        f"0/maps/{name}" for name in ("frames_total", "learnt", "prefixes", "nested")} | {
        f"links/xdp-{os.stat(here.path).st_ino}-{index_of(here)}"}
    assert Path(state["path"]).parent.stat().st_mode & 0o777 == 0o700
    daemon = start(version=4)
    assert frames(daemon) == {3: 7}
    assert persistence(daemon) == {"pinned": True, "adopted": True, "path": state["path"]}
    assert daemon.scrape().value("wiregauge_persistent_pinned", config="keeper") == 1
    ((row,),) = [program_status(daemon, "persist")["interfaces"]]
    assert (row["pinned"], row["adopted"]) == (True, True)
    assert "; it went on with what was there before" in \
        command("status", "--control.socket", daemon.control).stdout
    send_to(there, "wire", here, 2)
    until(lambda: frames(daemon) == {3: 7, 4: 2}, 5 * PATIENCE, "they are counted")
    assert not daemon.complaints()


def index_of(namespace, device="wire"):
    (link,) = json.loads(namespace.ip(f"-json link show dev {device}"))
    return link["ifindex"]


# --- maps

def learn(daemon, entries):
    learnt, prefixes = Map(daemon, "learnt"), Map(daemon, "prefixes")
    for key, value in entries.items():
        learnt.write(u32(key), value)
        prefixes.write(u32(32) + u32(key), value)
    for found in (learnt, prefixes):
        os.close(found.fd)


def content(daemon, name):
    """{key: value} of a map with 4 bytes of key at the end and 8 of value."""
    (number,) = (number for number in daemon.bpf_objects("map")
                 if bpftool("map", "show", "id", number).get("name") == name[:15])
    return {int.from_bytes(bytes(int(byte, 16) for byte in row["key"][-4:]), "little"):
            int.from_bytes(bytes(int(byte, 16) for byte in row["value"]), "little")
            for row in bpftool("map", "dump", "id", number)}


ENTRIES = {key: key * 1000 for key in range(20)}


def test_maps_of_another_size_keep_what_was_in_them(start, here, there):
    daemon = start(version=3)
    learn(daemon, ENTRIES)
    send_to(there, "wire", here, 9)
    daemon.kill()
    daemon = start(version=4, room=128, length=32)
    assert content(daemon, "learnt") == content(daemon, "prefixes") == ENTRIES
    assert frames(daemon) == {3: 9}
    assert persistence(daemon)["adopted"]
    assert "map 'learnt' has room for 128 entries now, and had for 64: all 20 were kept" \
        in daemon.log()
    assert not daemon.complaints()
    send_to(there, "wire", here, 2)
    until(lambda: frames(daemon) == {3: 9, 4: 2}, 5 * PATIENCE, "they are counted")
    # And what is pinned is the new map: the one after that goes on with it.
    daemon.kill()
    daemon = start(version=5, room=128, length=32)
    assert content(daemon, "learnt") == ENTRIES and frames(daemon) == {3: 9, 4: 2}
    assert "has room for" not in daemon.log()


def test_what_does_not_fit_a_smaller_map_is_told(start):
    daemon = start()
    learn(daemon, ENTRIES)
    daemon.kill()
    daemon = start(room=8)
    kept = content(daemon, "learnt")
    assert len(kept) == 8 and kept.items() <= ENTRIES.items()
    assert "map 'learnt' has room for 8 entries now, and had for 64: 8 were kept, 12 are lost" \
        in daemon.log()
    assert content(daemon, "prefixes") == ENTRIES


def test_reload_with_another_size(start, folder):
    daemon = start()
    learn(daemon, ENTRIES)
    write(folder, head=HEAD.replace("default: 64", "default: 256"))
    assert "the new configuration runs" in daemon.reload()
    assert content(daemon, "learnt") == ENTRIES
    daemon.kill()
    daemon = start()
    assert content(daemon, "learnt") == ENTRIES
    assert not daemon.complaints()


def test_maps_in_maps_are_kept(start):
    daemon = start()
    outer = Map(daemon, "nested")
    inner = check(lib.bpf_map_create(2, b"inner", 4, 8, 1, None), "an array")
    check(lib.bpf_map_update_elem(inner, u32(0), u64(77), 0), "inner")
    check(lib.bpf_map_update_elem(outer.fd, u32(2), u32(inner), 0), "outer")
    os.close(inner)
    number = int.from_bytes(outer.read(u32(2)), "little")
    os.close(outer.fd)
    daemon.kill()
    outer = Map(start(), "nested")
    assert int.from_bytes(outer.read(u32(2)), "little") == number
    inner = check(lib.bpf_map_get_fd_by_id(number), "it lives")
    value = ctypes.create_string_buffer(8)
    check(lib.bpf_map_lookup_elem(inner, u32(0), value), "inner")
    assert value.raw == u64(77)
    os.close(inner)
    os.close(outer.fd)


def test_another_layout_begins_anew(start, send, folder, here):
    daemon = start(version=1)
    learn(daemon, ENTRIES)
    path = persistence(daemon)["path"]
    with send() as sender:
        sender.wait_for(SLICE)
        daemon.kill()
        write(folder, layout=7)
        daemon = start(version=2)
        since = sender.sent + SLICE  # of which it has not told yet
        sender.wait_for(4 * SLICE)
    assert content(daemon, "learnt") == {}
    assert not persistence(daemon)["adopted"]
    assert {name.split("/")[0] for name in names_under(path)} == {"7", "links"}
    assert f"{path}/0/maps/learnt: not needed any more: removed 0 pinned links and 1 maps" \
        in daemon.log()
    # The link is the one from before: no frame was lost, only what was counted before.
    assert_all_came(sender, here)
    assert frames(daemon)[2] >= sender.sent - since > 0 and set(frames(daemon)) == {2}
    ((row,),) = [program_status(daemon, "persist")["interfaces"]]
    assert row["adopted"]
    assert not daemon.complaints()


def create_map(path, name, value_size):
    subprocess.run(["bpftool", "map", "create", path, "type", "hash", "key", "4", "value",
                    str(value_size), "entries", "64", "name", name], check=True)


def test_layout_changes_also_where_an_interface_refuses(start, folder):
    daemon = start()
    path = persistence(daemon)["path"]
    daemon.kill()
    write(folder, interfaces="['wire*', lo]", layout=1)  # lo has no native XDP
    daemon = start()
    assert "the driver has none" in daemon.log()
    assert {name.split("/")[0] for name in names_under(path)} == {"1", "links"}


def test_map_of_another_kind_begins_anew(start):
    daemon = start()
    path = Path(persistence(daemon)["path"])
    learn(daemon, ENTRIES)
    daemon.stop()
    (path / "0/maps/learnt").unlink()
    create_map(path / "0/maps/learnt", "learnt", 16)
    daemon = start()
    assert content(daemon, "learnt") == {} and content(daemon, "prefixes") == ENTRIES
    assert "map 'learnt' begins anew, and what was in it is lost: its entries had 4 + 16 bytes" \
        in daemon.log()
    daemon.kill()
    daemon = start()
    assert not daemon.complaints()


# --- what is in the way, or not there

def test_foreign_things_in_the_way_are_left(start, here):
    daemon = start()
    path = Path(persistence(daemon)["path"])
    daemon.stop()
    (path / "0/maps/learnt").unlink()
    (path / "0/maps/learnt").symlink_to(path / "0/maps/prefixes")
    daemon = start()
    assert (path / "0/maps/learnt").is_symlink()
    assert f"keeper: map 'learnt' begins anew: {path}/0/maps/learnt is no map of ours, and it is " \
        "not touched; remove it if nobody needs it" in daemon.log()
    assert "; NOT ALL IS PINNED: " in \
        command("status", "--control.socket", daemon.control).stdout
    assert persistence(daemon)["pinned"] and "is no map of ours" in persistence(daemon)["error"]
    ((row,),) = [program_status(daemon, "persist")["interfaces"]]
    assert (row["pinned"], row["adopted"]) == (True, True)
    daemon.stop()
    with here.entered():
        done = command("cleanup")
    assert f"left 1 things in {path.parent} that are not ours" in done.stdout
    assert names_under(path.parent) == {"keeper/0/maps/learnt"}
    (path / "0/maps/learnt").unlink()


def in_own_mounts(commands):
    """A command that ends by becoming another, in a mount namespace of its own, as `ip netns exec`
    makes one."""
    return ("unshare", "--mount", "sh", "-ec", f'{commands}; exec "$@"', "sh")


WITHOUT_BPFFS = "umount -l -a -t bpf; ! mountpoint -q /sys/fs/bpf"


# How it is, and what is said.
TROUBLES = {
    "read-only": ("mount -t bpf -o ro bpffs /sys/fs/bpf",
                  "cannot make the directory /sys/fs/bpf/wiregauge: Read-only file system"),
    "would not last": (WITHOUT_BPFFS,
                       "no bpffs is mounted, and one that is mounted here would end with this "
                       "process's own mount namespace"),
    "somebody else's": ("mount -t bpf bpffs /sys/fs/bpf; mkdir -m 755 /sys/fs/bpf/wiregauge",
                        "/sys/fs/bpf/wiregauge is not used: it must belong to user 0, and be open "
                        "to nobody else (mode 700)"),
    "in the way": ("mount -t bpf bpffs /sys/fs/bpf; ln -s /tmp /sys/fs/bpf/wiregauge",
                   "cannot open the directory /sys/fs/bpf/wiregauge: "),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_without_a_place_for_pins_it_runs_and_ends(start, here, there, trouble):
    commands, words = TROUBLES[trouble]
    daemon = start(through=in_own_mounts(commands))
    (complaint,) = daemon.complaints()
    assert f"what is persistent runs, but ends with the daemon: {words}" in complaint
    state = persistence(daemon)
    assert not state["pinned"] and words in state["error"]
    assert daemon.scrape().value("wiregauge_persistent_pinned", config="keeper") == 0
    assert "ENDS keeper: ends with the daemon; NOT ALL IS PINNED: " in \
        command("status", "--control.socket", daemon.control).stdout
    send_to(there, "wire", here, 5)
    until(lambda: frames(daemon) == {1: 5}, 5 * PATIENCE, "they are counted")
    # A reload still goes on with the maps: they are those of the unit before.
    daemon.kill()
    assert_untouched(here)


def test_without_a_place_a_reload_keeps_the_maps(start, folder, here, there):
    daemon = start(through=in_own_mounts(TROUBLES["read-only"][0]))
    learn(daemon, ENTRIES)
    write(folder, head=HEAD.replace("default: 1,", "default: 2,"))
    assert "the new configuration runs" in daemon.reload()
    assert content(daemon, "learnt") == ENTRIES
    assert persistence(daemon)["adopted"]
    daemon.stop()
    assert_untouched(here)


def as_in_a_container(commands):
    """Likewise, and the mounts are those of the first process."""
    return ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
            "sh", "-ec", f'{commands}; "$@" & wait', "sh")


def end_container(daemon, namespace):
    """It ends with the first process, a moment later."""
    daemon.kill()
    with namespace.entered():
        until(lambda: command("cleanup").returncode == 0, 5 * PATIENCE,
              "the daemon has gone")


def test_bpffs_is_mounted_where_it_is_missing(start, here):
    daemon = start(through=as_in_a_container(WITHOUT_BPFFS))
    assert persistence(daemon)["pinned"]
    assert "mounted a bpffs at /sys/fs/bpf" in daemon.log()
    end_container(daemon, here)


def test_bpffs_cannot_be_mounted(start, here):
    daemon = start(through=as_in_a_container("mount -t tmpfs -o ro none /sys/fs"))
    words = "no bpffs is mounted, and it cannot be: No such file or directory"
    assert words in persistence(daemon)["error"]
    end_container(daemon, here)


# --- interfaces

def test_interface_that_goes_takes_its_pin_along(start, here, there, make_namespace):
    connect(here, make_namespace(), "wire2")
    daemon = start()
    links = Path(persistence(daemon)["path"]) / "links"
    until(lambda: len(list(links.iterdir())) == 2, 5 * PATIENCE, "both are pinned")
    here.ip("link del wire2")
    until(lambda: len(list(links.iterdir())) == 1, 5 * PATIENCE, "the one that went is not")
    daemon.kill()
    here.ip("link del wire")
    connect(here, there)
    daemon = start()
    (link,) = links.iterdir()
    assert link.name.endswith(f"-{index_of(here)}")
    assert not daemon.complaints()


def test_other_interface_with_the_same_index(start, here, there):
    daemon = start()
    index = index_of(here)
    daemon.kill()
    here.ip("link del wire")
    here.ip(f"link add wire index {index} numtxqueues 1 type veth "
            f"peer name wire numtxqueues 1 netns {there.name}")
    for namespace in (here, there):
        namespace.ip("link set wire up")
    assert xdp_of(here) is None
    daemon = start(version=2)
    assert xdp_of(here) == program_status(daemon, "persist")["id"]
    send_to(there, "wire", here, 3)
    until(lambda: frames(daemon) == {2: 3}, 5 * PATIENCE, "they are counted")
    assert not daemon.complaints()


def test_interface_that_went_elsewhere(start, here, there, make_namespace):
    """Its program went with it: there it is not wanted."""
    daemon, other = start(), make_namespace()
    daemon.kill()
    here.ip(f"link set wire netns {other.name}")
    assert xdp_of(other)
    daemon = start(wait=False)
    assert xdp_of(other) is None
    (complaint,) = daemon.complaints()
    assert "keeper: no interface is there that is chosen by wire*" in complaint


def test_interface_that_is_not_wanted_any_more(start, folder, here, make_namespace):
    connect(here, make_namespace(), "wire2")
    daemon = start()
    until(lambda: set(places(daemon, "persist")) == {"wire", "wire2"}, 5 * PATIENCE, "both")
    daemon.kill()
    write(folder, interfaces="wire")
    daemon = start()
    until(lambda: xdp_of(here, "wire2") is None, 5 * PATIENCE, "it is taken away")
    assert xdp_of(here) and set(places(daemon, "persist")) == {"wire"}
    here.ip("link set wire down")
    here.ip("link set wire name apart")
    until(lambda: xdp_of(here, "apart") is None, 5 * PATIENCE, "a renamed one is left")
    assert not list(Path(persistence(daemon)["path"]).glob("links/*"))


def test_other_mode(start, folder, here):
    daemon = start()
    daemon.kill()
    write(folder, row=ROW.replace("native", "generic"))
    daemon = start()
    assert places(daemon, "persist") == {"wire": "xdp generic"}
    assert "wire: the program from before is taken away, and the new one attached after that: it " \
        "is attached in another way" in daemon.log()
    daemon.kill()
    daemon = start()
    assert not daemon.complaints()


def test_interfaces_of_other_namespaces(start, folder, here, there):
    row = ROW + f", netns: [own, {there.name}]"
    write(folder, row=row)
    daemon = start()
    until(lambda: len(places(daemon, "persist")) == 2, 5 * PATIENCE, "both are attached")
    links = Path(persistence(daemon)["path"]) / "links"
    inodes = {str(os.stat(namespace.path).st_ino) for namespace in (here, there)}
    assert {name.split("-")[1] for name in os.listdir(links)} == inodes
    daemon.kill()
    here.send_frames("wire", [SILENT] * 4)
    there.send_frames("wire", [SILENT] * 3)
    daemon = start(version=2)
    until(lambda: len(places(daemon, "persist")) == 2, 5 * PATIENCE, "both are attached")
    assert frames(daemon) == {1: 7}
    assert xdp_of(there) == xdp_of(here) == program_status(daemon, "persist")["id"]
    assert all(row["adopted"] for row in program_status(daemon, "persist")["interfaces"])
    (complaint,) = daemon.complaints()
    assert "do not tell interfaces of different network namespaces apart" in complaint


# --- switched off, or taken away

def write_other(folder):
    """A config that is not persistent."""
    write_config(folder, "other", "attach_hooks", ["program: on_sock_ops, hook: sock_ops"],
                 metrics="metrics: {counters: [{name: runs_total, help: x, "
                         "labels: [{name: program, size: 4, decoders: [{name: uint}]}]}]}\n")


def test_switched_off_by_a_reload(start, folder, here):
    write_other(folder)
    daemon = start()
    path = Path(persistence(daemon)["path"])
    (folder / "keeper.yaml").unlink()
    assert "the new configuration runs" in daemon.reload()
    assert xdp_of(here) is None and not path.exists()
    assert f"{path}: it does not run any more: removed 0 pinned links and 4 maps" in daemon.log()
    assert not daemon.complaints()


def test_switched_off_by_a_start(start, launch, here):
    daemon = start()
    path = Path(persistence(daemon)["path"])
    daemon.kill()
    daemon = launch("--module=packets").wait_ready()
    assert xdp_of(here) is None and not path.parent.exists()
    assert f"{path}: it does not run any more: removed 1 pinned links and 4 maps" in daemon.log()


def test_no_longer_persistent(start, folder, here, there):
    daemon = start()
    path = Path(persistence(daemon)["path"])
    write(folder, head=HEAD.replace("persistent: true\nlayout: {layout}\n", ""))
    assert "the new configuration runs" in daemon.reload()
    assert not path.exists() and places(daemon, "persist")
    daemon.stop()
    assert_untouched(here)


def test_wrong_config_leaves_what_is_there(start, launch, folder, here):
    daemon = start()
    daemon.kill()
    program = xdp_of(here)
    text = (folder / "keeper.yaml").read_text()
    write_other(folder)
    (folder / "keeper.yaml").write_text(text.replace("layout:", "laiout:"))
    daemon = launch("--module=packets", "--config.dir", folder).wait_ready()
    assert xdp_of(here) == program
    daemon.stop()
    (folder / "other.yaml").unlink()
    (folder / "keeper.yaml").write_text(text)
    daemon = start()
    assert persistence(daemon)["adopted"]


def test_program_that_the_verifier_refuses_leaves_what_is_there(start, launch, folder, here):
    daemon = start()
    learn(daemon, ENTRIES)
    daemon.kill()
    program = xdp_of(here)
    broken = launch("--module=packets", "--config.dir", folder, "--option", "keeper.broken=true")
    broken.wait_ready()
    (unit,) = broken.status()["broken"]
    assert unit["name"] == "keeper" and xdp_of(here) == program
    broken.stop()
    daemon = start()
    assert content(daemon, "learnt") == ENTRIES


def test_start_that_fails_leaves_nothing_new(launch, folder, here, there, pinned):
    write(folder, interfaces="[wire, lo]")  # which has no native XDP
    code, log = launch("--module=", "--config.dir", folder, "--config.strict").fails()
    assert code == 1 and "the driver has none" in log, log
    assert_untouched(here)
    with here.entered():
        assert command("cleanup").stdout == "removed 0 filters\n"


def test_cleanup(start, here):
    daemon = start()
    path = Path(persistence(daemon)["path"])
    with here.entered():
        done = command("cleanup")
    assert done.returncode == 1 and "a daemon runs in this network namespace" in done.stderr
    assert names_under(path)
    daemon.kill()
    with here.entered():
        assert command("cleanup", "--keep-pinned").stdout == "removed 0 filters\n"
        assert names_under(path) and xdp_of(here)
        done = command("cleanup")
    assert done.stdout == "removed 0 filters\nremoved 1 pinned links and 4 maps\n"
    assert not path.parent.exists() and xdp_of(here) is None


# --- two daemons

def test_second_daemon_leaves_it_alone(start, launch, folder, tmp_path, here, there):
    first = start()
    path = persistence(first)["path"]
    before = names_under(path)
    second = launch("--module=", "--config.dir", folder,
                    listen="127.0.0.1:9436").wait_ready()
    assert "what is persistent runs, but ends with the daemon: a daemon that runs in this " \
        f"network namespace has {Path(path).parent}" in second.log()
    until(lambda: "and it is not replaced" in second.log(), 5 * PATIENCE, second.log)
    second.stop()
    third = launch("--module=packets", listen="127.0.0.1:9436").wait_ready()
    third.stop()
    assert names_under(path) == before
    send_to(there, "wire", here, 4)
    until(lambda: frames(first) == {1: 4}, 5 * PATIENCE, "it goes on")


def test_daemons_of_two_namespaces(start, launch, folder, here, there, cleanup):
    first = start()
    second = launch("--module=", "--config.dir", folder,
                    through=("nsenter", f"--net={there.path}"))
    second.namespace = there
    second.wait_ready()
    until(lambda: places(second, "persist"), 5 * PATIENCE, second.log)
    paths = [Path(persistence(daemon)["path"]) for daemon in (first, second)]
    assert paths[0] != paths[1]
    first.kill()
    second.kill()
    first = start()
    assert persistence(first)["adopted"] and names_under(paths[1]) and xdp_of(there)
    with there.entered():
        assert command("cleanup").stdout.endswith("removed 1 pinned links and 4 maps\n")
    assert names_under(paths[0]) and xdp_of(here) and xdp_of(there) is None


@pytest.fixture
def own_bpffs(cleanup):
    """A command that ends by becoming another, where a bpffs is that nobody else has, and the path
    by which that is reached from here."""
    holder = subprocess.Popen(["unshare", "--mount", "sh", "-ec",
                               "mount -t bpf bpffs /sys/fs/bpf; echo ready; exec sleep 600"],
                              stdout=subprocess.PIPE, text=True)
    cleanup.callback(holder.wait)
    cleanup.callback(holder.kill)
    assert holder.stdout.readline() == "ready\n"
    return ("nsenter", f"--mount=/proc/{holder.pid}/ns/mnt"), Path(f"/proc/{holder.pid}/root")


def test_cleanup_of_all_namespaces(launch, own_bpffs, folder, here, make_namespace):
    """Of one that is gone and of one whose daemon was killed, but not where a daemon runs."""
    enter, root = own_bpffs
    paths, gone, there = [], Namespace(), make_namespace()
    write(folder)

    def clean(*arguments):
        with here.entered():
            done = subprocess.run([*enter, BINARY, "cleanup", *arguments], capture_output=True,
                                  text=True, timeout=30 * PATIENCE)
        return done.returncode

    with gone:
        for namespace in (there, gone, here):
            namespace.ip("link add wire type veth peer name peer")
            daemon = launch("--module=", "--config.dir", folder,
                            through=(*enter, f"--net={namespace.path}"))
            daemon.namespace = namespace
            daemon.wait_ready()
            until(lambda: places(daemon, "persist"), 5 * PATIENCE, daemon.log)
            paths.append(root / persistence(daemon)["path"][1:])
            if namespace != here:
                daemon.kill()
    assert all(names_under(path) for path in paths)
    assert clean() == 1
    assert clean("--all-namespaces", "--keep-pinned") == 2
    assert clean("--all-namespaces") == 0
    assert [path.parent.exists() for path in paths] == [False, False, True]
    assert xdp_of(there) is None and xdp_of(here)
    daemon.stop()
    assert clean("--all-namespaces") == 0
    assert not names_under(root / "sys/fs/bpf/wiregauge")
