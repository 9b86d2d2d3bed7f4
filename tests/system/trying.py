# SPDX-License-Identifier: MIT
"""What this kernel can do, by bpf(2) itself and what other tools say: nothing of wiregauge's.

`RUNS[id]()` loads a program of that kind, attaches it, makes happen what it is for, and says
whether the kernel has counted that it ran.
"""

import ctypes
import json
import os
import re
import secrets
import socket
import struct
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path

from cgroup import Cgroup, mount_point
from netns import Namespace, connect
from waiting import until

libc = ctypes.CDLL(None, use_errno=True)
libbpf = ctypes.CDLL("libbpf.so.1", use_errno=True)
SYS_bpf, SYS_perf_event_open = 321, 298  # x86_64
MAP_CREATE, MAP_LOOKUP, MAP_UPDATE, PROG_LOAD, OBJ_PIN = 0, 1, 2, 5, 6
RAW_TRACEPOINT_OPEN, MAP_LOOKUP_BATCH, LINK_CREATE, ENABLE_STATS, ITER_CREATE = 17, 24, 28, 32, 33
PERF_EVENT_IOC_SET_BPF, PERF_EVENT_IOC_ENABLE = 0x40042408, 0x2400
TYPEDEF, FUNC = 8, 12  # BTF_KIND_*
ENOENT = 2


def checked(result, what=""):
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


def bpf(command, attr):
    attr = attr.ljust(152, b"\0")
    return checked(libc.syscall(SYS_bpf, command, attr, len(attr)), f"bpf({command})")


class Loaded:
    """A program that gives back @result."""

    def __init__(self, kind, attach_type=0, btf_id=0, flags=0, result=0):
        insns = ctypes.create_string_buffer(
            struct.pack("<BBhi", 0xb7, 0, 0, result) + struct.pack("<BBhi", 0x95, 0, 0, 0))
        name = ctypes.create_string_buffer(b"GPL")
        attr = struct.pack(
            "<IIQQIIQII16sIIIIQIIQII", kind, 2, ctypes.addressof(insns), ctypes.addressof(name),
            0, 0, 0, 0, flags, b"oracle", 0, attach_type, 0, 0, 0, 0, 0, 0, 0, btf_id)
        self.fd = bpf(PROG_LOAD, attr)

    @property
    def id(self):
        text = Path(f"/proc/self/fdinfo/{self.fd}").read_text()
        return int(re.search(r"^prog_id:\s*(\d+)", text, re.M)[1])

    def info(self):
        done = subprocess.run(["bpftool", "--json", "prog", "show", "id", str(self.id)],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def runs(self):
        """How often it ran, as the kernel counts it."""
        return self.info().get("run_cnt", 0)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        os.close(self.fd)


@contextmanager
def statistics():
    fd = bpf(ENABLE_STATS, struct.pack("<I", 0))
    try:
        yield
    finally:
        os.close(fd)


def fires(program, attach, trigger):
    """Whether @program ran after @trigger(), attached by @attach(stack)."""
    with program, statistics(), ExitStack() as stack:
        attach(stack)
        trigger()
        with suppress(AssertionError):
            return bool(until(program.runs, 5, "it ran"))
        return False


def holding(stack, fd):
    stack.callback(os.close, fd)
    return fd


def answered(run):
    """False where the kernel, or a command, refuses what @run does."""
    def asked(*arguments, **options):
        try:
            return bool(run(*arguments, **options))
        except (OSError, AssertionError):
            return False

    return asked


# ---- by BTF

libbpf.btf__load_vmlinux_btf.restype = ctypes.c_void_p
libbpf.btf__find_by_name_kind.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32]


@lru_cache
def kernel_btf():
    return libbpf.btf__load_vmlinux_btf()


def btf_id(name, kind):
    return checked(libbpf.btf__find_by_name_kind(kernel_btf(), name.encode(), kind), name)


def start_process():
    subprocess.run(["true"], check=True)


def read_file():
    Path("/proc/self/stat").read_text()


def raw_open(name, program):
    return lambda stack: holding(stack, bpf(RAW_TRACEPOINT_OPEN, struct.pack(
        "<QI", ctypes.addressof(name) if name else 0, program.fd)))


@answered
def raw_tp():
    program, name = Loaded(17), ctypes.create_string_buffer(b"sched_process_fork")
    return fires(program, raw_open(name, program), start_process)


@answered
def tp_btf():
    program = Loaded(26, 23, btf_id("btf_trace_sched_process_fork", TYPEDEF))
    return fires(program, raw_open(None, program), start_process)


@answered
def at_function(attach_type):
    program = Loaded(26, attach_type, btf_id("vfs_read", FUNC))
    return fires(program, raw_open(None, program), read_file)


def link(stack, program, target, attach_type, more=b""):
    return holding(stack, bpf(LINK_CREATE, struct.pack("<IIII", program.fd, target, attach_type, 0)
                              + more))


def iterator_runs(name, more=b""):
    """How often a program runs as what is asked for is read once."""
    program = Loaded(26, 28, btf_id(name, FUNC))
    with program, statistics(), ExitStack() as stack:
        fd = link(stack, program, 0, 28, more)
        os.read(holding(stack, bpf(ITER_CREATE, struct.pack("<II", fd, 0))), 16)
        return program.runs()


@answered
def iterator():
    return iterator_runs("bpf_iter_bpf_prog")


@answered
def iterator_over_entries():
    fd = bpf(MAP_CREATE, struct.pack("<IIIII", 2, 4, 8, 3, 0))  # an array of 3
    info = ctypes.create_string_buffer(struct.pack("<I", fd))
    try:
        more = struct.pack("<QI", ctypes.addressof(info), 4)
        return iterator_runs("bpf_iter_bpf_map_elem", more) >= 3
    finally:
        os.close(fd)


# ---- perf events

def perf_event(stack, program, kind, config, period=0, config1=0, config2=0, everywhere=True):
    attr = struct.pack("<IIQQQQQIIQQ", kind, 72, config, period, 0, 0, 0, 1, 0, config1, config2)
    fd = holding(stack, checked(libc.syscall(
        SYS_perf_event_open, attr, -1 if everywhere else 0, 0 if everywhere else -1, -1, 8)))
    for request, argument in ((PERF_EVENT_IOC_SET_BPF, program.fd), (PERF_EVENT_IOC_ENABLE, 0)):
        checked(libc.ioctl(fd, ctypes.c_ulong(request), argument))


def device(name):
    return int(Path(f"/sys/bus/event_source/devices/{name}/type").read_text())


@answered
def at_kprobe(at_return):
    bit = Path("/sys/bus/event_source/devices/kprobe/format/retprobe").read_text().split(":")[1]
    program, name = Loaded(2), ctypes.create_string_buffer(b"vfs_read")
    return fires(program, lambda stack: perf_event(
        stack, program, device("kprobe"), 1 << int(bit) if at_return else 0,
        config1=ctypes.addressof(name)), read_file)


@answered
def kprobe_multi():
    program, name = Loaded(2, 42), ctypes.create_string_buffer(b"vfs_read")
    names = (ctypes.c_uint64 * 1)(ctypes.addressof(name))
    more = struct.pack("<IIQQQ", 0, 1, ctypes.addressof(names), 0, 0)
    return fires(program, lambda stack: link(stack, program, 0, 42, more), read_file)


def offset_in_file(function):
    """(file, offset) of a function of the C library, by where it is mapped."""
    address = ctypes.cast(getattr(libc, function), ctypes.c_void_p).value
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, _, *path = line.split()
        start, end = (int(number, 16) for number in span.split("-"))
        if start <= address < end:
            return path[0], address - start + int(offset, 16)
    raise AssertionError(function)


@answered
def uprobe():
    file, offset = offset_in_file("getppid")
    program, path = Loaded(2), ctypes.create_string_buffer(file.encode())
    return fires(program, lambda stack: perf_event(
        stack, program, device("uprobe"), 0, everywhere=False, config1=ctypes.addressof(path),
        config2=offset), libc.getppid)


def be_busy():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass


@answered
def at_perf_event():
    program = Loaded(7)
    return fires(program, lambda stack: perf_event(stack, program, 1, 0, period=1000000,
                                                   everywhere=False), be_busy)


def start_process_on_first_cpu():
    """Where the event is."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    try:
        start_process()
    finally:
        os.sched_setaffinity(0, before)


def mounts(kind):
    return [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()
            if line.split(" - ")[1].split()[0] == kind]


@answered
def tracepoint():
    assert mounts("tracefs")
    number = int(Path(mounts("tracefs")[0], "events/sched/sched_process_fork/id").read_text())
    program = Loaded(5)
    return fires(program, lambda stack: perf_event(stack, program, 2, number),
                 start_process_on_first_cpu)


# ---- in the network

def send_to_itself():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("127.0.0.1", 9))


@answered
def netfilter():
    program = Loaded(32, 45, result=1)
    with Namespace() as here, here.entered():
        return fires(program, lambda stack: link(stack, program, 0, 45,
                                                 struct.pack("<IIiI", 2, 1, 7, 0)), send_to_itself)


@answered
def tcx():
    program = Loaded(3)
    with Namespace() as here, here.entered():
        return fires(program, lambda stack: link(stack, program, 1, 47), send_to_itself)


@contextmanager
def pinned(program, directory):
    """Where a command finds it, in a bpffs of its own."""
    subprocess.run(["mount", "-t", "bpf", "bpffs", directory], check=True)
    path = Path(directory) / f"oracle-{secrets.token_hex(4)}"
    name = ctypes.create_string_buffer(str(path).encode())
    try:
        bpf(OBJ_PIN, struct.pack("<QI", ctypes.addressof(name), program.fd))
        yield path
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        subprocess.run(["umount", directory], check=True)


@answered
def clsact(directory):
    """By tc(8)."""
    program = Loaded(3)
    with program, pinned(program, directory) as path, Namespace() as here, statistics():
        here.tc("qdisc add dev lo clsact")
        here.tc(f"filter add dev lo egress bpf direct-action object-pinned {path}")
        with here.entered():
            send_to_itself()
        return program.runs()


@answered
def xdp(directory, word, flags=0, mtu=1500):
    """By ip(8) at a veth, to which a packet is sent."""
    program = Loaded(6, 37, flags=flags, result=2)
    with (program, pinned(program, directory) as path, Namespace() as here, Namespace() as there,
          statistics()):
        connect(here, there)
        for namespace in (here, there):
            namespace.ip(f"link set wire mtu {mtu}")
        here.ip(f"link set dev wire {word} pinned {path}")
        there.send_frames("wire", [bytes([255] * 6) + bytes(6) + b"\x88\xb5" + bytes(46)])
        return until(program.runs, 5, "it ran")


# ---- cgroups

JOIN = "import os; open('{}/cgroup.procs', 'w').write(str(os.getpid()))\nimport socket\n"
SEND = "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"
CONNECT = "s = socket.create_server(('127.0.0.1', 0)); socket.create_connection(s.getsockname())"


@answered
def in_cgroup(kind, attach_type, code):
    assert mount_point()
    program = Loaded(kind, attach_type, result=1)
    with program, Cgroup() as group, statistics(), ExitStack() as stack:
        link(stack, program, holding(stack, os.open(group.path, os.O_RDONLY)), attach_type)
        subprocess.run(["/usr/bin/python3", "-c", JOIN.format(group.path) + code], check=True)
        return program.runs()


RUNS = {
    "program.tp_btf": tp_btf, "program.raw_tp": raw_tp, "program.tracepoint": tracepoint,
    "program.fentry": lambda: at_function(24), "program.fexit": lambda: at_function(25),
    "program.kprobe": lambda: at_kprobe(False), "program.kretprobe": lambda: at_kprobe(True),
    "program.kprobe_multi": kprobe_multi, "program.uprobe": uprobe,
    "program.perf_event": at_perf_event, "program.iter": iterator,
    "program.iter_map_elem": iterator_over_entries, "program.netfilter": netfilter,
    "program.tcx": tcx, "program.cgroup_skb": lambda: in_cgroup(8, 1, SEND),
    "program.sock_ops": lambda: in_cgroup(13, 3, CONNECT),
}

# With a folder to mount something at.
RUNS_PINNED = {
    "program.clsact": clsact,
    "program.xdp_native": lambda directory: xdp(directory, "xdpdrv"),
    "program.xdp_generic": lambda directory: xdp(directory, "xdpgeneric"),
    # Beyond a page, which takes frags.
    "program.xdp_frags": lambda directory: xdp(directory, "xdpdrv", flags=1 << 5, mtu=9000),
}


# ---- maps and helpers

BATCHED = {"hash": 1, "array": 2, "percpu_hash": 5, "percpu_array": 6, "lru_hash": 9,
           "lru_percpu_hash": 10, "lpm_trie": 11}


def batches(name):
    """Whether all of a map of the kind can be read in one call; OSError where there is none."""
    kind = BATCHED[name]
    key_size = 4 if name.endswith("array") else 8
    fd = bpf(MAP_CREATE, struct.pack("<IIIII", kind, key_size, 8, 4, 1 if kind == 11 else 0))
    try:
        room, key = ctypes.create_string_buffer(1 << 16), ctypes.create_string_buffer(64)
        at, key_at = ctypes.addressof(room), ctypes.addressof(key)
        bpf(MAP_UPDATE, struct.pack("<IIQQQ", fd, 0, key_at, at, 0))
        bpf(MAP_LOOKUP, struct.pack("<IIQQQ", fd, 0, key_at, at, 0))
        try:
            bpf(MAP_LOOKUP_BATCH, struct.pack("<QQQQIIQQ", 0, at + 32768, at + 40000, at, 4, fd, 0,
                                              0))
        except OSError as error:
            return error.errno == ENOENT  # that was all
        return True
    finally:
        os.close(fd)


def may_call(name):
    """Whether a program at a tracepoint may call a helper, as the verifier says."""
    header = Path("/usr/include/linux/bpf.h").read_text()
    names = re.findall(r"^\s+FN\((\w+)(?:, \d+, ##ctx)?\)", header, re.M)
    insns = ctypes.create_string_buffer(
        struct.pack("<BBhi", 0x85, 0, 0, names.index(name)) +
        struct.pack("<BBhi", 0xb7, 0, 0, 0) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    name, log = ctypes.create_string_buffer(b"GPL"), ctypes.create_string_buffer(4096)
    attr = struct.pack(
        "<IIQQIIQII16sIIIIQIIQII", 26, 3, ctypes.addressof(insns), ctypes.addressof(name), 1, 4096,
        ctypes.addressof(log), 0, 0, b"oracle", 0, 23, 0, 0, 0, 0, 0, 0, 0,
        btf_id("btf_trace_sched_process_fork", TYPEDEF))
    with suppress(OSError):
        os.close(bpf(PROG_LOAD, attr))
    return not re.search(rb"(invalid|unknown) func |cannot use helper", log.value)


@lru_cache
def features():
    """What bpftool(8) finds: {"maps": names, "helpers": names}"""
    done = subprocess.run(["bpftool", "--json", "feature", "probe", "kernel"], capture_output=True,
                          text=True)
    found = json.loads(done.stdout)
    helpers = {name.removeprefix("bpf_") for names in found["helpers"].values()
               if isinstance(names, list) for name in names}
    kinds = {name.removeprefix("have_").removesuffix("_map_type")
             for name, there in found["map_types"].items() if there}
    return {"maps": kinds, "helpers": helpers}
