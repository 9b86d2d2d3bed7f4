# SPDX-License-Identifier: MIT
"""The guard stage by itself, for tests: its maps as guard.h has them, and a clock that tests set.

    with plane(stage) as guard:
        guard.block("192.0.2.0/24")
        guard.decide(packet)            # ("blocklisted", "dropped")
"""

import contextlib
import ctypes
import functools
import ipaddress
import os
import socket
import struct

from bpf import XDP_DROP, XDP_PASS, XDP_TX, Object, check, declare, lib, object_path

SECOND = 10**9
REASONS = ("none allowed protected banned blocklisted source_limit port_limit syn_cookie_sent "
           "syn_cookie_valid syn_cookie_invalid simple_syn drop_share heavy_hitter malformed "
           "silent").split()
VERDICTS = "passed dropped would_drop answered".split()
COUNTERS = len(REASONS) * len(VERDICTS)
ACTIONS = {"passed": XDP_PASS, "dropped": XDP_DROP, "would_drop": XDP_PASS, "answered": XDP_TX}
TROUBLES = "cas_lost sources_full bans_full cookie_error".split()
MONITOR, ENFORCE = 0, 1
STATIC, KEEP, PASS = range(3)
COOKIES_OFF, COOKIES_KERNEL, COOKIES_ORDERED = range(3)
ALLOW_LIST, BLOCK_LIST = 0, 1
DECLARED, RUNTIME, AUTOMATIC, PROTECTED = range(1, 5)
PROVEN = 1 << 13
SLOTS = 2048

(EXACT, ALLOW_PREFIXES, BLOCK_PREFIXES, BANS, LIMITS, SOURCE_RATE, PORT_LIMITS, LONG_IPV6,
 DETECTION, DEFENCE, STRICT, SIMPLE, TIMESTAMPS) = (1 << bit for bit in range(13))

# struct guard_settings: name → format, in its order
SETTINGS = {
    "generation": "I", "lists_slot": "I",
    **dict.fromkeys(("heartbeat_ns silence_ns simple_syn_cost simple_syn_tau simple_ban_ns "
                     "insert_cost insert_tau sample_ns seed ipv6_mask").split(), "Q"),
    "flags": "I", "sketch_half": "I",
    "cookie_mss_ipv4": "H", "cookie_mss_ipv6": "H", "cookie_window": "H",
    **dict.fromkeys("cookie_window_scale mode on_silence syn_cookies source_prefix".split(), "B"),
}
ABOUT_SOURCES = (EXACT | ALLOW_PREFIXES | BLOCK_PREFIXES | BANS | LIMITS | SOURCE_RATE | DETECTION |
                 DEFENCE | SIMPLE)
LAYOUT = struct.Struct("=" + "".join(SETTINGS.values()) + "5x")
DEFAULTS = dict.fromkeys(SETTINGS, 0) | {
    "mode": ENFORCE, "seed": 0x0123456789ABCDEF, "ipv6_mask": 2**64 - 1, "source_prefix": 64,
    "generation": 1,
}
SOURCE = struct.Struct("=QQQIHH")
SOURCE_FIELDS = "key packets_tat bytes_tat generation said seen".split()
SOURCES_MAX, SOURCE_WAYS = 262144, 8
BAN = struct.Struct("=3QIBB2x")
PORT_LIMIT = struct.Struct("=8Q")
DESTINATION = struct.Struct("=7Q16sHB5x")
DESTINATION_FIELDS = ("packets bytes syns acks new_sources dropped answered address port "
                      "protocol").split()

MAP_LPM_TRIE, MAP_HASH, NO_PREALLOC = 11, 1, 1  # <linux/bpf.h>
DRIVER_MODE = 1 << 2  # XDP_FLAGS_DRV_MODE
declare("bpf_xdp_attach", ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_uint32,
        ctypes.c_void_p)


class CreateOptions(ctypes.Structure):
    """struct bpf_map_create_opts of <bpf/bpf.h>, as far as it is needed"""

    _fields_ = [("sz", ctypes.c_size_t), *((name, ctypes.c_uint32) for name in (
        "btf_fd btf_key_type_id btf_value_type_id btf_vmlinux_value_type_id inner_map_fd map_flags"
    ).split())]


declare("bpf_map_create", ctypes.c_int, ctypes.c_uint32, ctypes.c_char_p, *[ctypes.c_uint32] * 3,
        ctypes.c_void_p)
declare("bpf_map_lookup_batch", ctypes.c_int, ctypes.c_int, *[ctypes.c_void_p] * 6)


def mapped(address):
    """16 bytes, IPv4 as ::ffff:a.b.c.d"""
    packed = ipaddress.ip_address(address).packed
    return packed if len(packed) == 16 else bytes(10) + b"\xff\xff" + packed


def prefix(network):
    """struct guard_prefix"""
    network = ipaddress.ip_network(network)
    length = network.prefixlen + (96 if network.version == 4 else 0)
    return struct.pack("=I", length) + mapped(network.network_address)


def source_key(address, source_prefix=64):
    packed = ipaddress.ip_address(address).packed
    if len(packed) == 4:
        return 0xFFFFFFFF << 32 | int.from_bytes(packed, "big")
    upper = int.from_bytes(packed[:8], "big")
    return upper >> (64 - source_prefix) << (64 - source_prefix)


def source_home(key, seed):
    """guard_home()"""
    product = key * (seed | 1) % 2**64
    product ^= product >> 32
    return product * 0x9E3779B97F4A7C15 % 2**64 >> 32 & (SOURCES_MAX - 1)


def source_of_home(home, number, seed):
    """The other way round: a key, of IPv6, with that home; another one for each @number."""
    product = (home << 32 | number) * pow(0x9E3779B97F4A7C15, -1, 2**64) % 2**64
    product ^= product >> 32
    return product * pow(seed | 1, -1, 2**64) % 2**64


def packet_rate(rate, burst):
    """(cost, tau) of a limit in packets a second"""
    cost = 64 * SECOND // rate
    return cost, cost * burst


def byte_rate(bits, burst):
    """The same in bits a second; @burst: bytes"""
    cost = 64 * SECOND * 8 * 1024 // bits
    return cost, cost * burst >> 10


class Plane:
    """Every change that sources have to notice stores a new generation, as user space does."""

    def __init__(self, stage, program):
        self.stage, self.program = stage, program
        self.values = dict(DEFAULTS)
        self.lists = {}
        self.position = ctypes.create_string_buffer(4)
        self.keys = ctypes.create_string_buffer(4 * COUNTERS)
        self.totals = ctypes.create_string_buffer(16 * stage.cpus * COUNTERS)
        self.set()
        self.now = 1000 * SECOND

    def close(self):
        for fd in self.lists.values():
            os.close(fd)

    def set(self, **values):
        self.values |= values
        self.values["generation"] += 1
        self.stage.update("guard_settings", bytes(4), LAYOUT.pack(*self.values.values()))

    def add_flags(self, flags):
        self.set(flags=self.values["flags"] | flags)

    @property
    def now(self):
        return self._now

    @now.setter
    def now(self, ns):
        self._now = ns
        self.stage.update("guard_clock", bytes(4), struct.pack("=Q", ns))

    # ---- lists ----

    def _inner(self, outer, index, kind, key_size):
        """The map at @index, made when it is first asked for."""
        if (outer, index) not in self.lists:
            options = CreateOptions(sz=ctypes.sizeof(CreateOptions), map_flags=NO_PREALLOC)
            fd = check(lib.bpf_map_create(kind, b"list", key_size, 8, 1000,
                                          ctypes.byref(options)), "a list")
            self.stage.update(outer, struct.pack("=I", index), struct.pack("=I", fd))
            self.lists[outer, index] = fd
        return self.lists[outer, index]

    def _put(self, fd, key, origin, flags):
        entry = struct.pack("=BBHI", origin, flags, 0, 7)
        check(lib.bpf_map_update_elem(fd, key, entry, 0), "an entry")

    def add_exact(self, address, flags, slot=0, origin=DECLARED):
        fd = self._inner("guard_exact", slot, MAP_HASH, 16)
        self._put(fd, mapped(address), origin, flags)
        self.add_flags(EXACT)

    def add_prefix(self, network, which, slot=0, origin=DECLARED):
        fd = self._inner("guard_prefixes", slot * 2 + which, MAP_LPM_TRIE, 20)
        self._put(fd, prefix(network), origin, 1 << which)
        self.add_flags(BLOCK_PREFIXES if which == BLOCK_LIST else ALLOW_PREFIXES)

    def allow(self, network, **options):
        self.add_prefix(network, ALLOW_LIST, **options)

    def block(self, network, **options):
        self.add_prefix(network, BLOCK_LIST, **options)

    def ban(self, address, until=0):
        ban = BAN.pack(self.now, until, 1, 1, RUNTIME, 3)
        self.stage.update("guard_bans", mapped(address), ban)
        self.add_flags(BANS)

    # ---- limits ----

    def set_rate(self, index, packets=(0, 0), octets=(0, 0)):
        self.stage.update("guard_rates", struct.pack("=I", index),
                          struct.pack("=4Q", *packets, *octets))

    def limit_all(self, **rates):
        self.set_rate(0, **rates)
        self.add_flags(SOURCE_RATE)

    def limit(self, network, index, **rates):
        self.set_rate(index, **rates)
        self.stage.update("guard_limits", prefix(network), struct.pack("=I", index))
        self.add_flags(LIMITS)

    def limit_port(self, port, udp, index, packets=(0, 0), octets=(0, 0), batches=(0, 0)):
        self.stage.update("guard_port_limits", struct.pack("=I", index),
                          PORT_LIMIT.pack(*packets, *octets, 0, 0, *batches))
        self.stage.update("guard_port_rates", struct.pack("=I", port + 65536 * udp),
                          struct.pack("=H", index))
        self.add_flags(PORT_LIMITS)

    # ---- defence ----

    def defend(self, drop_share=0, fair_share=0, flags=0):
        """All destinations alike."""
        for slot in range(SLOTS):
            self.stage.update("guard_defence", struct.pack("=I", slot),
                              struct.pack("=4I", drop_share, fair_share, flags, 0))
        self.add_flags(DEFENCE)

    # ---- what comes of it ----

    def place(self, address):
        """The index in guard_sources; None if the source is not there."""
        key = source_key(address)
        home = source_home(key, self.values["seed"])
        for place in (home ^ way for way in range(SOURCE_WAYS)):
            (value,) = self.stage.lookup("guard_sources", struct.pack("=I", place))
            if SOURCE.unpack(value)[0] == key and any(value):
                return place
        return None

    def source(self, address):
        index = struct.pack("=I", self.place(address))
        (value,) = self.stage.lookup("guard_sources", index)
        found = dict(zip(SOURCE_FIELDS, SOURCE.unpack(value)))
        return found | {"rate": found["said"] & 1023, "verdict": REASONS[found["said"] >> 10 & 7],
                        "proven": bool(found["said"] & PROVEN)}

    def prove(self, address):
        index = struct.pack("=I", self.place(address))
        (value,) = self.stage.lookup("guard_sources", index)
        *fields, said, seen = SOURCE.unpack(value)
        self.stage.update("guard_sources", index, SOURCE.pack(*fields, said | PROVEN, seen))

    def count_sources(self):
        """How many are remembered."""
        with self.stage.mapped("guard_sources") as memory:
            return sum(fields[3] != 0 for fields in SOURCE.iter_unpack(memory))

    def destinations(self):
        """Those that were seen, as dicts."""
        found = []
        for _, values in self.stage.read("guard_destinations"):
            rows = [dict(zip(DESTINATION_FIELDS, DESTINATION.unpack(value))) for value in values]
            total = {name: sum(row[name] for row in rows) for name in DESTINATION_FIELDS[:7]}
            named = next((row for row in rows if row["port"] or any(row["address"])), rows[0])
            if total["packets"]:
                found.append(named | total)
        return found

    def counts(self):
        """(reason, verdict) → (packets, bytes), of those that there are"""
        return self._difference([(0, 0)] * COUNTERS)

    def _difference(self, before):
        return {(REASONS[index >> 2], VERDICTS[index & 3]): (now[0] - was[0], now[1] - was[1])
                for index, (was, now) in enumerate(zip(before, self._read_counters()))
                if was != now}

    def _read_counters(self):
        """[(packets, bytes)] of all CPUs; in one call where the kernel can (Linux 5.13)."""
        done = ctypes.c_uint32(COUNTERS)
        fd = lib.bpf_map__fd(self.stage.map("guard_counters"))
        if lib.bpf_map_lookup_batch(fd, None, self.position, self.keys, self.totals,
                                    ctypes.byref(done), None) == 0 and done.value == COUNTERS:
            return self._sums(self.totals)
        return self._sums(b"".join(b"".join(self.stage.lookup("guard_counters",
                                                              struct.pack("=I", index)))
                                   for index in range(COUNTERS)))

    def _sums(self, values):
        numbers = struct.unpack(f"={2 * self.stage.cpus * COUNTERS}Q", values)
        stride = 2 * self.stage.cpus
        return [(sum(numbers[at : at + stride : 2]), sum(numbers[at + 1 : at + stride : 2]))
                for at in range(0, len(numbers), stride)]

    def troubles(self):
        return {TROUBLES[struct.unpack("=I", key)[0]]: total
                for key, values in self.stage.read("guard_troubles")
                if (total := sum(struct.unpack("=Q", value)[0] for value in values))}

    def run(self, packet, repeat=1, **context):
        """(action, packet as it is then)"""
        return self.stage.run_xdp(self.program, bytes(packet), repeat=repeat, **context)

    def decide(self, packet, **context):
        """What became of one packet, out of what was counted; the action is looked at as well."""
        before = self._read_counters()
        action, after = self.run(packet, **context)
        ((outcome, count),) = self._difference(before).items()
        assert count == (1, len(bytes(packet)))
        assert action == ACTIONS[outcome[1]]
        if outcome[1] != "answered":
            assert after == bytes(packet)
        return outcome

    def verdicts(self, packet, times):
        """verdict → how often, of @times alike"""
        before = self._read_counters()
        self.run(packet, repeat=times)
        return {name[1]: count[0] for name, count in self._difference(before).items()}


def load(stage, program, **rodata):
    stage.choose(program)
    for name, value in rodata.items():
        stage.set_rodata(name, value)
    stage.load()


@functools.cache
def loaded(program, **rodata):
    """Once for all tests: on a CPU that is emulated the verifier takes ten seconds."""
    stage = Object(object_path("pipeline/xdp"))
    load(stage, program, **rodata)
    return stage


@functools.cache
def usual_program():
    """Without compare-and-swap before Linux 5.12."""
    try:
        loaded("xdp_linear", stage_guard=True, guard_clock_is_test=True)
    except OSError:
        return "xdp_basic"
    return "xdp_linear"


@contextlib.contextmanager
def plane(program=None, is_clock_ours=True):
    program = program or usual_program()
    stage = loaded(program, stage_guard=True, guard_clock_is_test=is_clock_ours)
    stage.clear_all()
    guard = Plane(stage, program)
    try:
        yield guard
    finally:
        guard.close()


# ---- at an interface ----

@contextlib.contextmanager
def attached(namespace, stage, program):
    with namespace.entered():
        index = socket.if_nametoindex("wire")
        fd = lib.bpf_program__fd(stage.program(program))
        check(lib.bpf_xdp_attach(index, fd, DRIVER_MODE, None), "bpf_xdp_attach")
        try:
            yield
        finally:
            lib.bpf_xdp_attach(index, -1, DRIVER_MODE, None)


@contextlib.contextmanager
def passing(namespace):
    """A veth takes what its peer sends back at XDP if it has such a program itself."""
    stage = loaded(usual_program())
    with attached(namespace, stage, usual_program()):
        yield
