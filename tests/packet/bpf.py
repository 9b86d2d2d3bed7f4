# SPDX-License-Identifier: MIT
"""BPF objects in tests: a thin layer over libbpf.so.1 by ctypes.

    with Object(path) as o:
        o.set_rodata("stage_packets", True)
        o.load()
        verdict = o.run("tc_ingress", packet_bytes, gso_size=1448)
        for key, values in o.read("packets_traffic"):  # values: one bytes object for each CPU
            ...
"""

import contextlib
import ctypes
import mmap
import os
import resource
import struct
from ctypes import c_bool, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p

TC_ACT_UNSPEC = -1
XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX, XDP_REDIRECT = range(5)
RUN_ROOM = 1024  # by how much a program may make a packet longer
# enum bpf_map_type
PER_CPU_TYPES = {5, 6, 10}  # PERCPU_HASH, PERCPU_ARRAY, LRU_PERCPU_HASH
ARRAY_TYPES = {2, 6}  # ARRAY, PERCPU_ARRAY
RINGBUF = 27
CHUNK = 8192  # elements of an array that are written at once
BTF_KIND_DATASEC = 15
MMAPABLE = 1 << 10  # BPF_F_MMAPABLE

lib = ctypes.CDLL("libbpf.so.1", use_errno=True)


def declare(name, result, *arguments):
    function = getattr(lib, name)
    function.restype = result
    function.argtypes = arguments


SampleFn = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
PrintFn = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
declare("libbpf_set_print", c_void_p, c_void_p)
declare("libbpf_num_possible_cpus", c_int)
declare("bpf_object__open_file", c_void_p, c_char_p, c_void_p)
declare("bpf_object__load", c_int, c_void_p)
declare("bpf_object__close", None, c_void_p)
declare("bpf_object__btf", c_void_p, c_void_p)
declare("bpf_object__find_map_by_name", c_void_p, c_void_p, c_char_p)
declare("bpf_object__next_map", c_void_p, c_void_p, c_void_p)
declare("bpf_object__find_program_by_name", c_void_p, c_void_p, c_char_p)
declare("bpf_program__set_autoload", c_int, c_void_p, c_bool)
declare("bpf_program__insns", c_void_p, c_void_p)
declare("bpf_program__insn_cnt", c_size_t, c_void_p)
declare("bpf_program__fd", c_int, c_void_p)
declare("bpf_map__name", c_char_p, c_void_p)
declare("bpf_map__fd", c_int, c_void_p)
declare("bpf_map__type", c_int, c_void_p)
declare("bpf_map__key_size", c_uint32, c_void_p)
declare("bpf_map__map_flags", c_uint32, c_void_p)
declare("bpf_map__value_size", c_uint32, c_void_p)
declare("bpf_map__max_entries", c_uint32, c_void_p)
declare("bpf_map__set_max_entries", c_int, c_void_p, c_uint32)
declare("bpf_map__initial_value", c_void_p, c_void_p, ctypes.POINTER(c_size_t))
declare("bpf_map_get_next_key", c_int, c_int, c_void_p, c_void_p)
declare("bpf_map_lookup_elem", c_int, c_int, c_void_p, c_void_p)
declare("bpf_map_delete_elem", c_int, c_int, c_void_p)
declare("bpf_map_update_elem", c_int, c_int, c_void_p, c_void_p, c_uint64)
declare("bpf_map_update_batch", c_int, c_int, c_void_p, c_void_p, ctypes.POINTER(c_uint32),
        c_void_p)
declare("ring_buffer__new", c_void_p, c_int, c_void_p, c_void_p, c_void_p)
declare("ring_buffer__consume", c_int, c_void_p)
declare("ring_buffer__free", None, c_void_p)
declare("bpf_prog_test_run_opts", c_int, c_int, c_void_p)
declare("btf__find_by_name_kind", c_int, c_void_p, c_char_p, c_uint32)
declare("btf__type_by_id", c_void_p, c_void_p, c_uint32)
declare("btf__name_by_offset", c_char_p, c_void_p, c_uint32)


DROP_SAMPLE = SampleFn(lambda context, sample, size: 0)


class SkBuff(ctypes.Structure):
    """struct __sk_buff of <linux/bpf.h>"""

    _fields_ = [
        *((name, c_uint32) for name in (
            "len pkt_type mark queue_mapping protocol vlan_present vlan_tci vlan_proto priority "
            "ingress_ifindex ifindex tc_index").split()),
        ("cb", c_uint32 * 5),
        *((name, c_uint32) for name in (
            "hash tc_classid data data_end napi_id family remote_ip4 local_ip4").split()),
        ("remote_ip6", c_uint32 * 4),
        ("local_ip6", c_uint32 * 4),
        *((name, c_uint32) for name in "remote_port local_port data_meta".split()),
        ("flow_keys", c_uint64),
        ("tstamp", c_uint64),
        ("wire_len", c_uint32),
        ("gso_segs", c_uint32),
        ("sk", c_uint64),
        ("gso_size", c_uint32),
        ("tstamp_type", c_uint8),
        ("hwtstamp", c_uint64),
    ]


class XdpMd(ctypes.Structure):
    """struct xdp_md of <linux/bpf.h>"""

    _fields_ = [(name, c_uint32) for name in (
        "data data_end data_meta ingress_ifindex rx_queue_index egress_ifindex").split()]


class TestRunOpts(ctypes.Structure):
    """struct bpf_test_run_opts of <bpf/bpf.h>"""

    __test__ = False  # not a class of tests, whatever its name
    _fields_ = [
        ("sz", c_size_t),
        ("data_in", c_void_p),
        ("data_out", c_void_p),
        ("data_size_in", c_uint32),
        ("data_size_out", c_uint32),
        ("ctx_in", c_void_p),
        ("ctx_out", c_void_p),
        ("ctx_size_in", c_uint32),
        ("ctx_size_out", c_uint32),
        ("retval", c_uint32),
        ("repeat", c_int),
        ("duration", c_uint32),
        ("flags", c_uint32),
        ("cpu", c_uint32),
        ("batch_size", c_uint32),
    ]


def check(result, what):
    if result < 0:
        code = ctypes.get_errno() or -result
        raise OSError(code, f"{what}: {os.strerror(code)}")
    return result


class Object:
    def __init__(self, path):
        with contextlib.suppress(ValueError):  # below 5.11 maps count as memory that is locked
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY,) * 2)
        self.pointer = lib.bpf_object__open_file(os.fsencode(path), None)
        if not self.pointer:
            raise OSError(ctypes.get_errno(), f"{path}: {os.strerror(ctypes.get_errno())}")
        self.cpus = lib.libbpf_num_possible_cpus()
        self.room = ctypes.create_string_buffer(2048)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        lib.bpf_object__close(self.pointer)

    def load(self):
        check(lib.bpf_object__load(self.pointer), "load")

    def map(self, name):
        found = lib.bpf_object__find_map_by_name(self.pointer, name.encode())
        if not found:
            raise KeyError(name)
        return found

    def set_max_entries(self, name, entries):
        check(lib.bpf_map__set_max_entries(self.map(name), entries), name)

    def set_rodata(self, variable, value):
        """Before load: set a `const volatile` integer."""
        offset, size = self._find_variable(".rodata", variable)
        length = c_size_t()
        start = lib.bpf_map__initial_value(self._section_map(".rodata"), ctypes.byref(length))
        ctypes.memmove(start + offset, int(value).to_bytes(size, "little"), size)

    def get_variable(self, section, variable):
        """After load: a variable's bytes. @section: .bss or .data"""
        offset, size = self._find_variable(section, variable)
        return self._read_section(section)[offset : offset + size]

    def set_variable(self, section, variable, value):
        """After load: set an integer."""
        offset, size = self._find_variable(section, variable)
        data = bytearray(self._read_section(section))
        data[offset : offset + size] = int(value).to_bytes(size, "little")
        fd = lib.bpf_map__fd(self._section_map(section))
        check(lib.bpf_map_update_elem(fd, bytes(4), bytes(data), 0), variable)

    def _read_section(self, section):
        found = self._section_map(section)
        value = ctypes.create_string_buffer(lib.bpf_map__value_size(found))
        check(lib.bpf_map_lookup_elem(lib.bpf_map__fd(found), bytes(4), value), section)
        return value.raw

    def _section_map(self, section):
        found = lib.bpf_object__next_map(self.pointer, None)
        while found and not lib.bpf_map__name(found).decode().endswith(section):
            found = lib.bpf_object__next_map(self.pointer, found)
        return found

    def _find_variable(self, section, variable):
        """(offset, size) of a variable: struct btf_type and btf_var_secinfo of <linux/btf.h>."""
        btf = lib.bpf_object__btf(self.pointer)
        index = check(lib.btf__find_by_name_kind(btf, section.encode(), BTF_KIND_DATASEC), section)
        start = lib.btf__type_by_id(btf, index)
        _, info, _ = struct.unpack("3I", ctypes.string_at(start, 12))
        for row in range(info & 0xFFFF):
            at = ctypes.string_at(start + 12 + 12 * row, 12)
            kind, offset, size = struct.unpack("3I", at)
            name = struct.unpack("I", ctypes.string_at(lib.btf__type_by_id(btf, kind), 4))[0]
            if lib.btf__name_by_offset(btf, name).decode() == variable:
                return offset, size
        raise KeyError(variable)

    def program(self, name):
        found = lib.bpf_object__find_program_by_name(self.pointer, name.encode())
        if not found:
            raise KeyError(name)
        return found

    def instructions(self, program):
        """After load: (opcode, imm) of each, of the functions that it calls as well."""
        found = self.program(program)
        count = lib.bpf_program__insn_cnt(found)
        data = ctypes.string_at(lib.bpf_program__insns(found), 8 * count)
        return [(code, imm) for code, imm in struct.iter_unpack("=B3xi", data)]

    def choose(self, program):
        """Before load: this one too, whose SEC() begins with '?'."""
        check(lib.bpf_program__set_autoload(self.program(program), True), program)

    def run(self, program, data, repeat=1, **context):
        """BPF_PROG_TEST_RUN; what the program returned, signed. @context: fields of __sk_buff."""
        return self._run(program, data, SkBuff(**context), repeat)[0]

    def run_xdp(self, program, data, repeat=1, **context):
        """The same of an XDP program; @context: fields of xdp_md (Linux 5.15), without: of the
        loopback interface. (action, packet as it is then)"""
        if context:
            context.setdefault("data_end", len(data))
        return self._run(program, data, XdpMd(**context) if context else None, repeat)

    def _run(self, program, data, context, repeat):
        after = self._room(len(data) + RUN_ROOM)
        options = TestRunOpts(
            sz=ctypes.sizeof(TestRunOpts),
            data_in=ctypes.cast(data, c_void_p),
            data_size_in=len(data),
            data_out=ctypes.cast(after, c_void_p),
            data_size_out=len(data) + RUN_ROOM,
            ctx_in=ctypes.cast(ctypes.byref(context), c_void_p) if context else None,
            ctx_size_in=ctypes.sizeof(context) if context else 0,
            repeat=repeat,
        )
        fd = lib.bpf_program__fd(self.program(program))
        check(lib.bpf_prog_test_run_opts(fd, ctypes.byref(options)), program)
        return ctypes.c_int32(options.retval).value, ctypes.string_at(after, options.data_size_out)

    def _room(self, size):
        """For what a program makes of a packet; the same for all runs, as there are many."""
        if len(self.room) < size:
            self.room = ctypes.create_string_buffer(size)
        return self.room

    def run_raw_tracepoint(self, program, *args):
        """The same for SEC("raw_tp/…") with these arguments of 64 bits."""
        return run_raw_tracepoint(lib.bpf_program__fd(self.program(program)), *args)

    def keys(self, name):
        fd, size = lib.bpf_map__fd(self.map(name)), lib.bpf_map__key_size(self.map(name))
        key, following = None, ctypes.create_string_buffer(size)
        while lib.bpf_map_get_next_key(fd, key, following) == 0:
            key = ctypes.create_string_buffer(following.raw, size)
            yield key.raw

    def lookup(self, name, key):
        """The value: a list of bytes, one for each CPU (one for maps that are not per-CPU)."""
        found = self.map(name)
        size = lib.bpf_map__value_size(found)
        count = self.cpus if lib.bpf_map__type(found) in PER_CPU_TYPES else 1
        stride = (size + 7) // 8 * 8
        values = ctypes.create_string_buffer(stride * count)
        check(lib.bpf_map_lookup_elem(lib.bpf_map__fd(found), key, values), name)
        return [values.raw[cpu * stride : cpu * stride + size] for cpu in range(count)]

    def read(self, name):
        return [(key, self.lookup(name, key)) for key in self.keys(name)]

    def update(self, name, key, value):
        check(lib.bpf_map_update_elem(lib.bpf_map__fd(self.map(name)), key, value, 0), name)

    def clear(self, name):
        for key in list(self.keys(name)):
            lib.bpf_map_delete_elem(lib.bpf_map__fd(self.map(name)), key)

    def clear_all(self):
        """All maps are as after load, but for variables and the programs' constants."""
        for name in self.maps():
            kind = lib.bpf_map__type(self.map(name))
            if kind in ARRAY_TYPES:
                self._zero(name)
            elif kind == RINGBUF:
                self._drain(name)
            else:
                self.clear(name)

    def maps(self):
        """The names of those that are declared, without the sections of variables."""
        found = lib.bpf_object__next_map(self.pointer, None)
        while found:
            name = lib.bpf_map__name(found).decode()
            if "." not in name:
                yield name
            found = lib.bpf_object__next_map(self.pointer, found)

    @contextlib.contextmanager
    def mapped(self, name):
        """The memory of an array that is declared with BPF_F_MMAPABLE."""
        found = self.map(name)
        size = (lib.bpf_map__value_size(found) + 7) // 8 * 8 * lib.bpf_map__max_entries(found)
        with mmap.mmap(lib.bpf_map__fd(found), size) as memory:
            yield memory

    def _zero(self, name):
        found = self.map(name)
        fd, total = lib.bpf_map__fd(found), lib.bpf_map__max_entries(found)
        if lib.bpf_map__map_flags(found) & MMAPABLE:
            with self.mapped(name) as memory:
                memory[:] = bytes(len(memory))
            return
        count = self.cpus if lib.bpf_map__type(found) in PER_CPU_TYPES else 1
        stride = (lib.bpf_map__value_size(found) + 7) // 8 * 8 * count
        zeros = bytes(min(total, CHUNK) * stride)
        for start in range(0, total, CHUNK):
            indices = range(start, min(start + CHUNK, total))
            done = c_uint32(len(indices))
            keys = struct.pack(f"={len(indices)}I", *indices)
            if lib.bpf_map_update_batch(fd, keys, zeros, ctypes.byref(done), None) < 0:
                for index in indices:  # per-CPU arrays before Linux 5.13
                    self.update(name, struct.pack("=I", index), zeros[:stride])

    def _drain(self, name):
        fd = lib.bpf_map__fd(self.map(name))
        ring = lib.ring_buffer__new(fd, DROP_SAMPLE, None, None)
        check(lib.ring_buffer__consume(ring), name)
        lib.ring_buffer__free(ring)


def run_raw_tracepoint(fd, *args):
    """BPF_PROG_TEST_RUN of a SEC("raw_tp/…") with these arguments of 64 bits."""
    context = (c_uint64 * len(args))(*args)
    options = TestRunOpts(
        sz=ctypes.sizeof(TestRunOpts),
        ctx_in=ctypes.cast(context, c_void_p),
        ctx_size_in=ctypes.sizeof(context),
    )
    check(lib.bpf_prog_test_run_opts(fd, ctypes.byref(options)), "run")
    return ctypes.c_int32(options.retval).value


def sum_u64(values):
    """Adds up the per-CPU values of a struct of u64."""
    rows = [struct.unpack(f"{len(value) // 8}Q", value) for value in values]
    return [sum(column) for column in zip(*rows)]


def kernel_is_at_least(*version):
    """For what a test expects of a kernel; the program itself never asks."""
    return tuple(map(int, os.uname().release.split(".")[:2])) >= version


def object_path(name):
    """An object of the build: "pipeline/tc" → $BUILD_ROOT/pipeline/tc.bpf.o"""
    root = os.environ.get("BUILD_ROOT")
    if not root:
        raise RuntimeError("BUILD_ROOT is not set: the build folder that the BPF objects are in")
    return os.path.join(root, name + ".bpf.o")
