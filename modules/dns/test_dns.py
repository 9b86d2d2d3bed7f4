# SPDX-License-Identifier: MIT
"""The dns stage in the TC pipeline: what its maps hold after known packets."""

import collections
import contextlib
import ipaddress
import random
import struct

import cases
import pytest
from bpf import TC_ACT_UNSPEC, Object, object_path, sum_u64
from daemon import PATIENCE
from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, PadN
from scapy.layers.l2 import Dot1AD, Dot1Q
from scapy.packet import Raw

CLIENT, SERVER = range(2)
OTHER_TYPE = 0xFFFF
OTHER_SERVER = b"\xff" * 16
NAME_KEY = struct.Struct("=256sHBB")  # struct dns_name_key
LATENCY_KEY = struct.Struct("=16sHBB")  # struct dns_latency_key
RCODE_KEY = struct.Struct("=BBH")  # struct dns_rcode_key
SERVER_KEY = struct.Struct("=16sB3s")  # struct dns_server_key
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16

Strays = collections.namedtuple("Strays", "unmatched retransmitted untracked unreadable uncounted",
                                defaults=[0] * 5)

V4 = IP(src="192.0.2.1", dst="198.51.100.53"), IP(src="198.51.100.53", dst="192.0.2.1")
V6 = IPv6(src="2001:db8::1", dst="2001:db8::53"), IPv6(src="2001:db8::53", dst="2001:db8::1")
EXTENSION = IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(12))])
BELOW = {
    "v4": (V4[0], V4[1]),
    "v6": (V6[0], V6[1]),
    "vlan": (Dot1Q(vlan=7) / V4[0], Dot1Q(vlan=7) / V4[1]),
    "qinq": (Dot1AD(vlan=8) / Dot1Q(vlan=7) / V6[0], Dot1AD(vlan=8) / Dot1Q(vlan=7) / V6[1]),
    "extension": (V6[0] / EXTENSION, V6[1] / EXTENSION),
}


class Stage:
    def __init__(self, pipeline):
        self.pipeline = pipeline
        self.reset()

    def reset(self):
        for name in ("dns_names", "dns_responses", "dns_latency", "dns_timeouts", "dns_pending",
                     "dns_streams"):
            self.pipeline.clear(name)
        self.before = [self._strays(role) for role in (CLIENT, SERVER)]

    def _strays(self, role):
        return sum_u64(self.pipeline.lookup("dns_strays", struct.pack("=I", role)))

    def strays(self, role=CLIENT):
        return Strays(*(now - then for now, then in zip(self._strays(role), self.before[role])))

    def egress(self, packet):
        assert self.pipeline.run("tc_egress", bytes(packet)) == TC_ACT_UNSPEC

    def ingress(self, packet):
        assert self.pipeline.run("tc_ingress", bytes(packet)) == TC_ACT_UNSPEC

    def names(self, role=CLIENT):
        """{(name, type): queries}; without the entry that is kept for a full map."""
        found = {}
        for key, values in self.pipeline.read("dns_names"):
            name, qtype, of_role, zero = NAME_KEY.unpack(key)
            assert zero == 0
            (count,) = sum_u64(values)
            if of_role == role and (count or not name.startswith(b"\5OTHER")):
                found[name.rstrip(b"\0"), qtype] = count
        return found

    def responses(self, role=CLIENT):
        """{rcode: responses}"""
        found = {RCODE_KEY.unpack(key): sum_u64(value)[0]
                 for key, value in self.pipeline.read("dns_responses")}
        return {rcode: count for (rcode, of_role, _), count in found.items() if of_role == role}

    def latencies(self, role=CLIENT):
        """{(server, type, rcode): responses}"""
        found = {}
        for key, values in self.pipeline.read("dns_latency"):
            server, qtype, rcode, of_role = LATENCY_KEY.unpack(key)
            total, *buckets = sum_u64(values)
            assert (total == 0) == (sum(buckets) == 0)
            if of_role == role and sum(buckets):
                found[server, qtype, rcode] = sum(buckets)
        return found

    def timeouts(self, role=CLIENT):
        """{server: queries}"""
        found = {}
        for key, values in self.pipeline.read("dns_timeouts"):
            server, of_role, _ = SERVER_KEY.unpack(key)
            if of_role == role and sum_u64(values)[0]:
                found[server] = sum_u64(values)[0]
        return found

    def waiting(self):
        return len(self.pipeline.read("dns_pending"))


@contextlib.contextmanager
def loaded(max_entries=None, ports=None, **rodata):
    with Object(object_path("pipeline/tc")) as pipeline:
        pipeline.set_rodata("stage_dns", True)
        pipeline.set_rodata("dns_timeout_ms", 3_600_000)  # however slow the machine is
        for variable, value in rodata.items():
            pipeline.set_rodata(variable, value)
        if ports:
            packed = struct.pack(f"={len(ports)}H", *ports)
            pipeline.set_rodata("dns_ports", int.from_bytes(packed, "little"))
        for name, entries in (max_entries or {}).items():
            pipeline.set_max_entries(name, entries)
        pipeline.load()
        yield Stage(pipeline)


@pytest.fixture(scope="module")
def loaded_once():
    with loaded() as stage:
        yield stage


@pytest.fixture
def stage(loaded_once):
    loaded_once.reset()
    return loaded_once


def address(text):
    ip = ipaddress.ip_address(text)
    return ip.packed if ip.version == 6 else bytes(10) + b"\xff\xff" + ip.packed


def wire(name):
    """A name as it is on the wire, without the zero of the root."""
    return b"".join(bytes([len(part)]) + part for part in name.split(b".") if part)


def query(number=1, name="www.example.com", qtype=1, **fields):
    return DNS(id=number, rd=1, qd=DNSQR(qname=name, qtype=qtype), **fields)


def response(number=1, rcode=0, name="www.example.com", **fields):
    return DNS(id=number, qr=1, rcode=rcode, qd=DNSQR(qname=name), **fields)


def asked(message, below=V4[0], sport=4000, dport=53):
    return cases.ETHER / below / UDP(sport=sport, dport=dport) / message


def answered(message, below=V4[1], sport=53, dport=4000):
    return cases.ETHER / below / UDP(sport=sport, dport=dport) / message


class Frames:
    """Packets of one kind, without scapy for each. Nobody looks at checksums here."""

    def __init__(self, below, transport):
        self.bytes = bytes(cases.ETHER / below / transport)
        self.transport = len(self.bytes) - len(transport)
        self.lengths = [16 if below.haslayer(IP) else 18]
        if transport.haslayer(UDP):
            self.lengths.append(self.transport + 4)

    def carry(self, payload, seq=0, flags=None):
        frame = bytearray(self.bytes) + payload
        for at in self.lengths:
            (length,) = struct.unpack_from("!H", frame, at)
            struct.pack_into("!H", frame, at, length + len(payload))
        if flags is not None:  # over TCP: RFC 9293, 3.1
            struct.pack_into("!I", frame, self.transport + 4, seq & 0xFFFFFFFF)
            frame[self.transport + 13] = flags
        return bytes(frame)


def raw_query(question, flags=0x0100, questions=1):
    """A query with these bytes behind its header."""
    return Raw(struct.pack("!6H", 1, flags, questions, 0, 0, 0) + question)


WWW = wire(b"www.example.com")
SERVER4, SERVER6 = address("198.51.100.53"), address("2001:db8::53")


@pytest.mark.parametrize("below", BELOW)
def test_client(stage, below):
    to, back = BELOW[below]
    stage.egress(asked(query(), to))
    assert stage.waiting() == 1
    stage.ingress(answered(response(rcode=3), back))
    server = SERVER4 if to.haslayer(IP) else SERVER6
    assert stage.names() == {(WWW, 1): 1}
    assert stage.responses() == {3: 1}
    assert stage.latencies() == {(server, 1, 3): 1}
    assert stage.waiting() == 0
    assert stage.strays() == Strays()
    assert not stage.names(SERVER) and not stage.responses(SERVER) and not stage.latencies(SERVER)


@pytest.mark.parametrize("below", BELOW)
def test_server(stage, below):
    to, back = BELOW[below]
    stage.ingress(asked(query(qtype=28), to))
    stage.egress(answered(response(), back))
    server = SERVER4 if to.haslayer(IP) else SERVER6
    assert stage.names(SERVER) == {(WWW, 28): 1}
    assert stage.responses(SERVER) == {0: 1}
    assert stage.latencies(SERVER) == {(server, 28, 0): 1}
    assert stage.strays(SERVER) == Strays()
    assert not stage.names() and not stage.responses() and not stage.latencies()


def test_loopback_counts_each_role_once(stage):
    for packet in (asked(query()), answered(response())):
        stage.egress(packet)
        stage.ingress(packet)
    for role in (CLIENT, SERVER):
        assert stage.names(role) == {(WWW, 1): 1}
        assert stage.responses(role) == {0: 1}
        assert stage.strays(role) == Strays()


def test_without_link_layer(stage):
    """BPF_PROG_TEST_RUN takes the ethertype from where an Ethernet header has it, here 8.0."""
    to, back = IP(src="8.0.0.1", dst="8.0.0.53"), IP(src="8.0.0.53", dst="8.0.0.1")
    stage.pipeline.run("tc_l3_egress", bytes(asked(query(), to).payload))
    stage.pipeline.run("tc_l3_ingress", bytes(answered(response(), back).payload))
    assert stage.names() == {(WWW, 1): 1}
    assert stage.responses() == {0: 1}


@pytest.mark.parametrize("other", [
    asked(query(), dport=54), asked(query(), sport=0, dport=5353),
    cases.ETHER / V4[0] / TCP(sport=4000, dport=80, flags="PA") / Raw(bytes(40)),
    cases.ETHER / IP(src="192.0.2.1", dst="198.51.100.53", frag=100, proto=17) / Raw(bytes(60)),
])
def test_other_packets(stage, other):
    stage.egress(other)
    stage.ingress(other)
    assert not stage.names() and not stage.names(SERVER) and stage.waiting() == 0
    assert stage.strays() == stage.strays(SERVER) == Strays()


def test_other_ports():
    with loaded(ports=[5353, 8053]) as stage:
        stage.egress(asked(query(), dport=53))
        assert stage.names() == {}
        stage.egress(asked(query(), dport=8053))
        stage.egress(asked(query(2), sport=5353, dport=5353))
        stage.ingress(answered(response(), sport=8053))
        stage.ingress(answered(response(2), sport=5353, dport=5353))
        assert stage.names() == {(WWW, 1): 2}
        assert stage.responses() == {0: 2}


# ---- names ----

LABEL = b"a" * 63
LONGEST = b".".join([LABEL, LABEL, LABEL, b"b" * 61])  # 255 bytes on the wire, with the root
NAMES = {
    "root": b"",
    "case": b"WwW.eXaMPLe.COM",
    "odd-bytes": bytes(range(1, 46)) + bytes(range(47, 64)) + b"." + bytes(range(64, 91)) + b"\xff",
    "longest-label": LABEL,
    "longest": LONGEST,
    "most-labels": b".".join([b"x"] * 127),
    "underscores": b"_25._tcp.mail.example",
}


@pytest.mark.parametrize("name", NAMES)
def test_names(stage, name):
    question = wire(NAMES[name]) + b"\0" + struct.pack("!HH", 15, 1)
    assert len(question) <= 255 + 4
    stage.egress(asked(raw_query(question)))
    assert stage.names() == {(wire(NAMES[name].lower()), 15): 1}
    assert stage.strays() == Strays()


UNREADABLE = b"\12UNREADABLE"
BROKEN = {
    "pointer-to-itself": b"\xc0\x0c",
    "pointer-behind-label": b"\3www\xc0\x0c",
    "pointer-out": b"\xff\xff",
    "label-of-64": b"\x40" + b"a" * 64,
    "extended-label": b"\x41" + b"a" * 65,
    "name-of-256": wire(b".".join([LABEL, LABEL, LABEL, b"b" * 62])),
    "128-labels": b"\1x" * 128,
    "label-beyond-the-end": b"\x3fwww",
}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_broken_names(stage, name, padded):
    question = BROKEN[name] + (bytes(200) if padded and name != "label-beyond-the-end" else b"")
    stage.egress(asked(raw_query(question)))
    assert stage.names() == {(UNREADABLE, OTHER_TYPE): 1}
    stage.ingress(answered(Raw(struct.pack("!6H", 1, 0x8001, 0, 0, 0, 0))))
    assert stage.responses() == {1: 1}


def test_without_a_question(stage):
    stage.egress(asked(raw_query(b"", questions=0)))
    assert stage.names() == {(b"\4NONE", OTHER_TYPE): 1}


@pytest.mark.parametrize("questions", [1, 2, 65535])
def test_more_questions_than_one(stage, questions):
    """The first one counts, be the others there or not."""
    stage.egress(asked(raw_query(WWW + b"\0\0\1\0\1", questions=questions)))
    assert stage.names() == {(WWW, 1): 1}
    assert stage.strays() == Strays()


MESSAGES = 1000 if PATIENCE == 1 else 300


def random_labels(dice, size):
    """@size bytes of labels, or one less."""
    name = b""
    while size - len(name) > 1:
        length = min(dice.choice((1, 2, 7, 63)), size - len(name) - 1)
        name += bytes([length]) + dice.randbytes(length)
    return name


# How names end: half of them as they should. A pointer, also into the header; labels of 64 bytes,
# and of kinds that there are none of; nothing.
ENDS = [b"\0"] * 6 + [b"\xc0\x0c", b"\xc0\0", b"\xff\xff", b"\x40" + b"a" * 64 + b"\0",
                     b"\x80" + b"a" * 128 + b"\0", b""]


def random_query(dice, number, least):
    """Broken as often as not: with pointers, too long, cut anywhere behind @least bytes."""
    size = dice.choice((0, 2, 12, 30, 100, 200, 253, 254, 255, 256, 300))
    question = (random_labels(dice, size) + dice.choice(ENDS) +
                dice.randbytes(dice.choice((4, 4, 4, 30))))
    flags = dice.getrandbits(15) | (0x8000 if dice.random() < 0.1 else 0)
    header = struct.pack("!6H", number, flags, dice.choice((1, 1, 1, 0, 2, 0xFFFF)),
                         *(dice.getrandbits(16) for _ in range(3)))
    message = bytearray(header + question)
    if dice.random() < 0.2:
        message[dice.randrange(12, len(message))] = dice.choice((0, 1, 63, 64, 0xC0, 0xFF))
    return bytes(message[:dice.randrange(least, len(message)) if dice.random() < 0.2 else None])


def read_query(message):
    """The name, in lower case, and type that it asks for, by RFC 1035; None: it is no query."""
    if len(message) < 12 or message[2] & 0x80:
        return None
    if message[4:6] == b"\0\0":
        return b"\4NONE", OTHER_TYPE
    at = 12
    while at < len(message) and 0 < message[at] <= 63:
        at += 1 + message[at]
    at += 1  # the root's
    if at + 4 > len(message) or at - 12 > 255 or message[at - 1]:
        return UNREADABLE, OTHER_TYPE
    return message[12:at].lower(), int.from_bytes(message[at:at + 2], "big")


def carriers(below, protocol, sport, dport):
    """Makes a list of packets of a message: over TCP of a connection of its own."""
    if protocol == "udp":
        datagrams = Frames(below, UDP(sport=sport, dport=dport))
        return lambda message: [datagrams.carry(message)]
    segments = Frames(below, TCP(sport=sport, dport=dport))
    return lambda message: [segments.carry(b"", seq=9, flags=SYN),
                            segments.carry(framed(message), seq=10, flags=ACK | PSH)]


@pytest.mark.parametrize("below", ["v4", "v6"])
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_random_messages(below, protocol):
    """Names of all kinds, whole and hostile: each query is counted under what it asks for, and
    each answer, which is noise behind its header, belongs to its query."""
    dice = random.Random(f"{below} {protocol}")
    ask = carriers(BELOW[below][0], protocol, 4000, 53)
    answer = carriers(BELOW[below][1], protocol, 53, 4000)
    names, responses, others = collections.Counter(), collections.Counter(), 0
    with loaded(dns_unknown_types=True) as stage:
        for number in range(MESSAGES):
            # Of a stream the rest of a header may still come.
            message = random_query(dice, number, least=0 if protocol == "udp" else 12)
            flags = 0x8000 | dice.getrandbits(15)
            noise = dice.randbytes(dice.choice((8, 20, 300)))
            for packet in ask(message):
                stage.egress(packet)
            for packet in answer(struct.pack("!2H", number, flags) + noise):
                stage.ingress(packet)
            read = read_query(message)
            if read:
                names[NAME_KEY.pack(*read, CLIENT, 0)] += 1
                responses[flags & 0xF] += 1
            else:
                others += 1
        counted = {key: sum_u64(values)[0] for key, values in stage.pipeline.read("dns_names")}
        assert {key: count for key, count in counted.items() if count} == names
        assert stage.responses() == responses
        assert stage.waiting() == 0
        assert stage.strays() == Strays(unmatched=others, unreadable=others)
    unreadable = names[NAME_KEY.pack(UNREADABLE, OTHER_TYPE, CLIENT, 0)]
    assert min(others, unreadable, sum(names.values()) - unreadable) > MESSAGES // 20


def test_response_cut_at_every_byte(stage):
    """Of a response only the header counts."""
    message = bytes(response())
    for length in range(len(message)):
        stage.reset()
        stage.egress(asked(query()))
        stage.ingress(answered(Raw(message[:length])))
        assert stage.responses() == ({} if length < 12 else {0: 1}), length
        assert stage.strays().unreadable == (length < 12)


def test_cut_at_every_byte(stage):
    message = bytes(query())
    for length in range(len(message)):
        stage.reset()
        stage.egress(asked(Raw(message[:length])))
        if length < 12:
            assert stage.names() == {}
            assert stage.strays() == Strays(unreadable=1)
        else:
            assert stage.names() == {(UNREADABLE, OTHER_TYPE): 1}, length


def test_what_is_behind_the_ip_packet_is_not_read(stage):
    question = WWW + b"\0"
    datagram = asked(raw_query(question))
    stage.egress(bytes(datagram) + struct.pack("!HH", 1, 1) + bytes(30))
    assert stage.names() == {(UNREADABLE, OTHER_TYPE): 1}


def test_types(stage):
    for number, qtype in enumerate((1, 65, 257, 999, 65280, 3)):
        stage.egress(asked(query(number, qtype=qtype)))
    assert stage.names() == {(WWW, 1): 1, (WWW, 65): 1, (WWW, 257): 1, (WWW, OTHER_TYPE): 3}


def test_unknown_types_by_number_if_asked_for():
    with loaded(dns_unknown_types=True) as stage:
        stage.egress(asked(query(qtype=999)))
        assert stage.names() == {(WWW, 999): 1}


@pytest.mark.parametrize("message, to_server", [
    (response(), True),  # a response to the server
    (query(), False),  # a query from its port
    (Raw(b"no DNS"), True),
    (Raw(b""), True),
])
def test_what_is_no_message(stage, message, to_server):
    stage.egress(asked(message) if to_server else answered(message))
    assert stage.strays(CLIENT if to_server else SERVER).unreadable == 1
    assert not stage.names() and not stage.names(SERVER) and stage.waiting() == 0


# ---- matching ----


def test_a_response_belongs_to_its_query(stage):
    """Each differs from the query in one thing, then comes the right one."""
    stage.egress(asked(query(1)))
    stage.ingress(answered(response(2)))
    stage.ingress(answered(response(0x0101)))
    stage.ingress(answered(response(1), dport=4001))
    stage.ingress(answered(response(1), IP(src="198.51.100.54", dst="192.0.2.1")))
    stage.ingress(answered(response(1), IP(src="198.51.100.53", dst="192.0.2.2")))
    stage.ingress(answered(response(1), V6[1]))
    assert stage.strays() == Strays(unmatched=6)
    assert stage.responses() == {}
    stage.ingress(answered(response(1)))
    assert stage.responses() == {0: 1}
    stage.ingress(answered(response(1)))
    assert stage.strays() == Strays(unmatched=7)
    assert stage.responses() == {0: 1}


@pytest.mark.parametrize("rcode", range(16))
def test_rcodes(stage, rcode):
    stage.egress(asked(query()))
    stage.ingress(answered(response(rcode=rcode)))
    assert stage.responses() == {rcode: 1}
    assert stage.latencies() == {(SERVER4, 1, rcode): 1}


def test_ids_in_any_order(stage):
    for number in range(100):
        stage.egress(asked(query(number)))
    for number in reversed(range(100)):
        stage.ingress(answered(response(number, rcode=number % 2)))
    assert stage.names() == {(WWW, 1): 100}
    assert stage.responses() == {0: 50, 1: 50}
    assert stage.waiting() == 0


def test_retransmission(stage):
    for _ in range(3):
        stage.egress(asked(query()))
    stage.ingress(answered(response()))
    assert stage.names() == {(WWW, 1): 3}
    assert stage.responses() == {0: 1}
    assert stage.strays() == Strays(retransmitted=2)


def test_late_response_and_query_again():
    with loaded(dns_timeout_ms=0) as stage:
        stage.egress(asked(query()))
        stage.ingress(answered(response()))
        assert stage.timeouts() == {SERVER4: 1}
        assert stage.strays() == Strays(unmatched=1)
        assert stage.responses() == {}
        for _ in range(3):
            stage.ingress(asked(query(), V6[0]))
        assert stage.timeouts(SERVER) == {SERVER6: 2}
        assert stage.names(SERVER) == {(WWW, 1): 3}
        assert stage.strays(SERVER) == Strays()
        assert stage.waiting() == 1


def test_no_room_for_what_waits():
    with loaded(max_entries={"dns_pending": 2}) as stage:
        for number in range(5):
            stage.egress(asked(query(number)))
        assert stage.names() == {(WWW, 1): 5}
        assert stage.strays() == Strays(untracked=3)


def test_no_room_for_names():
    with loaded(max_entries={"dns_names": 3}) as stage:
        for number, name in enumerate(("a", "b", "c", "d", "a")):
            stage.egress(asked(query(number, name=name)))
        assert stage.names() == {(b"\1a", 1): 2, (b"\1b", 1): 1, (b"\5OTHER", OTHER_TYPE): 2}


def test_no_room_for_servers():
    with loaded(max_entries={"dns_latency": 2, "dns_timeouts": 2}) as stage:
        for last in range(1, 4):
            stage.egress(asked(query(), IP(src="192.0.2.1", dst=f"198.51.100.{last}")))
            stage.ingress(answered(response(), IP(src=f"198.51.100.{last}", dst="192.0.2.1")))
        assert stage.latencies() == {(address("198.51.100.1"), 1, 0): 1,
                                     (OTHER_SERVER, OTHER_TYPE, 0): 2}
        assert stage.responses() == {0: 3}
        # Of another code there is not even room for what stands for all servers.
        stage.egress(asked(query()))
        stage.ingress(answered(response(rcode=2)))
        assert stage.responses() == {0: 3, 2: 1}
        assert stage.strays() == Strays(uncounted=1)


# ---- TCP ----


def framed(*messages):
    return b"".join(struct.pack("!H", len(bytes(m))) + bytes(m) for m in messages)


SEGMENTS = {to.version: Frames(to, TCP(sport=4000, dport=53, options=[("Timestamp", (1, 2))]))
            for to in (V4[0], V6[0])}


class Stream:
    """What a client sends over a connection of its own."""

    def __init__(self, stage, below=V4[0], isn=1000):
        self.stage, self.below, self.at = stage, below, isn

    def segment(self, data=b"", flags=ACK | PSH, seq=None):
        self.stage.egress(SEGMENTS[self.below.version].carry(
            data, flags=flags, seq=self.at if seq is None else seq))
        if seq is None:
            self.at += len(data) + bool(flags & SYN) + bool(flags & FIN)

    def begin(self):
        self.segment(flags=SYN)
        return self


@pytest.fixture(params=[V4[0], V6[0]], ids=["v4", "v6"])
def stream(stage, request):
    return Stream(stage, request.param).begin()


def test_tcp_query_and_response(stage):
    Stream(stage).begin().segment(framed(query()))
    answer = framed(response(rcode=5))
    stage.ingress(cases.ETHER / V4[1] / TCP(sport=53, dport=4000, flags="SA", seq=9))
    stage.ingress(cases.ETHER / V4[1] / TCP(sport=53, dport=4000, flags="A", seq=10) / Raw(answer))
    assert stage.names() == {(WWW, 1): 1}
    assert stage.responses() == {5: 1}
    assert stage.strays() == Strays()


def test_tcp_is_not_udp(stage, stream):
    stream.segment(framed(query()))
    stage.ingress(answered(response()))
    assert stage.strays() == Strays(unmatched=1)


def test_tcp_many_messages_in_one_segment(stage, stream):
    stream.segment(framed(*(query(number) for number in range(20))))
    assert stage.names() == {(WWW, 1): 20}
    assert stage.waiting() == 20


def test_tcp_length_alone(stage, stream):
    for number in range(3):
        data = framed(query(number))
        stream.segment(data[:2])
        stream.segment(data[2:])
    assert stage.names() == {(WWW, 1): 3}
    assert stage.strays() == Strays()


@pytest.mark.parametrize("isn", [1000, 2**32 - 1, 2**32 - 20, 2**31 - 20])
def test_tcp_message_cut_at_every_byte(stage, isn):
    """Also within its length or its header; only a name that is cut cannot be read."""
    data, last = framed(query(1)), framed(query(2, qtype=16))
    for at in range(1, len(data)):
        stage.reset()
        stream = Stream(stage, isn=isn).begin()
        stream.segment(data[:at])
        stream.segment(data[at:])
        stream.segment(last)
        first = (WWW, 1) if at <= 14 else (UNREADABLE, OTHER_TYPE)
        assert stage.names() == {first: 1, (WWW, 16): 1}, at
        assert stage.strays() == Strays(), at
        assert stage.waiting() == 2


@pytest.mark.parametrize("size", [1, 3, 5, 13, 14, 15, 100])
def test_tcp_responses_in_segments_of_any_size(stage, size):
    """What is in them does not matter, so that all are seen."""
    for number in range(20):
        Stream(stage).begin().segment(framed(query(number)))
    data = framed(*(response(number, rcode=number % 3) for number in range(20)))
    segments = Frames(V4[1], TCP(sport=53, dport=4000))
    stage.ingress(segments.carry(b"", seq=9, flags=SYN | ACK))
    for at in range(0, len(data), size):
        stage.ingress(segments.carry(data[at:at + size], seq=10 + at, flags=ACK))
    assert stage.responses() == {0: 7, 1: 7, 2: 6}
    assert stage.waiting() == 0
    assert stage.strays() == Strays()


def test_tcp_long_message_over_many_segments(stage, stream):
    """What is in its middle looks like messages and is none."""
    decoy = framed(query(7))
    long = bytes(query(1)) + decoy * 100
    data = framed(Raw(long)) + framed(query(2))
    for at in range(0, len(data), len(decoy)):
        stream.segment(data[at:at + len(decoy)])
    assert sum(stage.names().values()) == 2
    assert stage.waiting() == 2


def test_tcp_retransmitted_segments_count_once(stage, stream):
    first = stream.at
    stream.segment(framed(query(1)))
    stream.segment(framed(query(1)), seq=first)
    stream.segment(framed(query(1), query(2)), seq=first)
    stream.at = first + len(framed(query(1), query(2)))
    stream.segment(framed(query(3)))
    assert stage.names() == {(WWW, 1): 3}
    assert stage.strays() == Strays()


def test_tcp_missing_segment(stage, stream):
    """What follows is seen again from where a segment begins with a message."""
    stream.at += len(framed(query(1)))
    stream.segment(framed(query(2)))
    assert stage.names() == {(WWW, 1): 1}
    stream.at += 500
    stream.segment(b"\xff" * 300)
    assert stage.strays() == Strays(unreadable=1)
    stream.segment(framed(query(3)))
    assert stage.names() == {(WWW, 1): 2}


def test_tcp_connection_from_before(stage):
    stream = Stream(stage)
    stream.segment(framed(query(1)))
    stream.segment(framed(query(2))[:2])
    stream.segment(framed(query(2))[2:])
    assert stage.names() == {(WWW, 1): 2}


def test_tcp_fast_open(stage):
    stream = Stream(stage)
    stream.segment(framed(query(1)), flags=SYN)
    stream.segment(framed(query(2)), flags=ACK | FIN)
    assert stage.names() == {(WWW, 1): 2}


@pytest.mark.parametrize("end", [FIN | ACK, RST])
def test_tcp_ends_are_forgotten(stage, stream, end):
    stream.segment(framed(query(1)))
    assert len(stage.pipeline.read("dns_streams")) == 1
    stream.segment(flags=end)
    assert stage.pipeline.read("dns_streams") == []
    # The same ports again, with numbers below those of before.
    again = Stream(stage, stream.below, isn=10).begin()
    again.segment(framed(query(2)))
    assert stage.names() == {(WWW, 1): 2}


def test_tcp_padding_is_no_message(stage, stream):
    """Ethernet frames have at least 60 bytes."""
    packet = bytes(cases.ETHER / stream.below / TCP(sport=4000, dport=53, flags="A", seq=stream.at))
    stage.egress(packet + b"\0\1" * 10)
    stream.segment(framed(query()))
    assert stage.names() == {(WWW, 1): 1}
    assert stage.strays() == Strays()


def test_tcp_more_messages_than_are_looked_at(stage, stream):
    stream.segment(framed(*(Raw(raw_query(b"\0\0\1\0\1").load) for _ in range(70))))
    assert stage.names() == {(b"", 1): 64}
    assert stage.strays().unreadable == 1
    stream.segment(framed(query(2)))
    assert stage.names() == {(b"", 1): 64, (WWW, 1): 1}


def test_tcp_lengths_of_nothing(stage, stream):
    stream.segment(bytes(20) + framed(query()))
    assert stage.strays() == Strays(unreadable=10)
    assert stage.names() == {(WWW, 1): 1}


def test_datagrams_that_were_joined(stage):
    """As GRO and UDP_SEGMENT do: all but the last have one size."""
    messages = [bytes(query(number, name="abcd"[number] + ".example")) for number in range(3)]
    assert len({len(message) for message in messages}) == 1
    packet = bytes(asked(Raw(b"".join(messages))))
    stage.pipeline.run("tc_egress", packet, gso_size=len(messages[0]), gso_segs=3)
    assert stage.names() == {(wire(name + b".example"), 1): 1 for name in (b"a", b"b", b"c")}


def test_answers_are_not_read(stage):
    """Whatever they are, compressed, cut or nonsense."""
    stage.egress(asked(query()))
    answer = bytes(response(an=DNSRR(rrname="www.example.com", rdata="192.0.2.9"), ancount=1))
    stage.ingress(answered(Raw(answer[:-7] + b"\xc0\xff\xc0")))
    assert stage.responses() == {0: 1}
